"""The error tree of `proofs`: one root, typed fields, messages built from them.

    ProofError               a claim could not be believed, or could not be made
      InvalidProof           a state or Merkle proof does not prove what was asked     the source's fault: ask another
      InvalidRlp             bytes are not canonical RLP, or not the expected item     the source's fault
      InvalidHeader          header shape, field or hash is wrong                      the source's fault
      InvalidAttestation     a signed root, leaf or signature set breaks a rule        the signer's fault
      InvalidBundle          a file of an evidence bundle breaks a rule                the bundler's fault
      LimitExceeded          hostile size, refused before work was spent on it         the source's fault
      ConstructionRefused    our own caller asked for what must not exist              the caller's fault

Nothing else leaves this package on hostile input: decoders check before they index, so no lookup or
type error has to be caught and renamed. `rule` is a short stable string that tests, metrics and logs rely on.
"""

from enum import StrEnum

__all__ = [
    "ConstructionRefused",
    "InvalidAttestation",
    "InvalidBundle",
    "InvalidHeader",
    "InvalidProof",
    "InvalidRlp",
    "LimitExceeded",
    "ProofError",
    "Rule",
]


class Rule(StrEnum):
    """Name the rules of the codecs and of state and Merkle proofs."""

    # RLP
    RLP_TRUNCATED = "rlp_truncated"
    RLP_TRAILING = "rlp_trailing"
    RLP_LENGTH = "rlp_length"  # a length that is not the shortest spelling
    RLP_SINGLE_BYTE = "rlp_single_byte"  # a byte below 0x80 wrapped in a string
    RLP_DEPTH = "rlp_depth"
    RLP_KIND = "rlp_kind"  # a list where bytes were expected, or the reverse
    RLP_INTEGER = "rlp_integer"  # leading zero or too wide
    RLP_COUNT = "rlp_count"  # a list of another number of items

    # Merkle-Patricia walk
    NODE_MISSING = "node_missing"  # the proof ends while the path goes on
    NODE_HASH = "node_hash"  # the element is not what its parent (or the root) commits to
    NODE_EXTRA = "extra_node"  # elements remain after the node that decides
    NODE_SHAPE = "node_shape"  # neither 17 nor 2 items
    NODE_INLINE = "node_inline"  # a node of 32 bytes or more stored inline
    NODE_SHORT = "node_short"  # a node below 32 bytes referenced by hash
    NODE_REFERENCE = "node_reference"  # a child that is neither empty, 32 bytes nor an inline node
    EMBEDDED_COPY = "embedded_copy"  # the repeated inline node differs from the inlined bytes
    BRANCH_VALUE = "branch_value"  # keys are 32 bytes long: a branch cannot hold a value
    BRANCH_CHILDREN = "branch_children"  # fewer than two children
    PATH_FLAG = "path_flag"  # hex-prefix flag nibble outside 0 to 3, or no path byte at all
    PATH_PADDING = "path_padding"  # even path with a non-zero pad nibble
    PATH_LENGTH = "path_length"  # the path does not end where a 64-nibble key ends
    EXTENSION_EMPTY = "extension_empty"
    EXTENSION_CHILD = "extension_child"  # an extension leads to a branch, nothing else
    VALUE_EMPTY = "value_empty"
    VALUE_KIND = "value_kind"
    EMPTY_ROOT = "empty_root"  # an element other than 0x80 under the root of the empty trie
    KEY_LENGTH = "key_length"

    # Account and storage answers
    ACCOUNT_SHAPE = "account_shape"
    STORAGE_VALUE = "storage_value"
    ADDRESS_ASKED = "address_asked"  # the answer speaks of another address
    KEYS_ASKED = "keys_asked"  # keys missing, extra or repeated
    COPY_DIFFERS = "copy_differs"  # a JSON copy differs from the proven leaf

    # Headers
    HEADER_SHAPE = "header_shape"
    HEADER_FIELD = "header_field"
    HEADER_HASH = "header_hash"

    # Ancestry (EIP-2935)
    ANCESTOR_WINDOW = "ancestor_window"  # not among the 8191 blocks before the head
    ANCESTOR_CODE = "ancestor_code"  # the history contract runs other code than the standard's
    ANCESTOR_ABSENT = "ancestor_absent"  # its slot was never written

    # Merkle trees of attestations
    MERKLE_ROOT = "merkle_root"
    MERKLE_ROOT_ZERO = "merkle_root_zero"
    MERKLE_DEPTH = "merkle_depth"  # more words than the tree is deep
    MERKLE_SHALLOW = "merkle_shallow"  # fewer
    MERKLE_COUNT = "merkle_count"
    MERKLE_WORD = "merkle_word"


class ProofError(Exception):
    """Report that a claim could not be believed or made; root of this package's errors."""


def _sentence(kind: str, *parts: str) -> str:
    return ": ".join((kind, *(part for part in parts if part)))


class InvalidProof(ProofError):
    """Report a proof that does not prove what was asked; `node` counts its elements from 0."""

    def __init__(self, rule: str, node: int | None = None, detail: str = "") -> None:
        self.rule: str = str(rule)
        self.node: int | None = node
        self.detail: str = detail
        place = "" if node is None else f"node {node}"
        super().__init__(_sentence("invalid proof", self.rule, place, detail))


class InvalidRlp(ProofError):
    """Report bytes that are not canonical RLP; `offset` is the byte where the rule broke."""

    def __init__(self, rule: str, offset: int | None = None, detail: str = "") -> None:
        self.rule: str = str(rule)
        self.offset: int | None = offset
        self.detail: str = detail
        place = "" if offset is None else f"offset {offset}"
        super().__init__(_sentence("invalid RLP", self.rule, place, detail))


class InvalidHeader(ProofError):
    """Report a header whose shape, field or hash is wrong; `field` has its JSON-RPC name."""

    def __init__(self, rule: str, field: str = "", detail: str = "") -> None:
        self.rule: str = str(rule)
        self.field: str = field
        self.detail: str = detail
        super().__init__(_sentence("invalid header", self.rule, field, detail))


class InvalidAttestation(ProofError):
    """Report a signed root, leaf or signature set that breaks `rule`."""

    def __init__(self, rule: str, detail: str = "") -> None:
        self.rule: str = str(rule)
        self.detail: str = detail
        super().__init__(_sentence("invalid attestation", self.rule, detail))


class InvalidBundle(ProofError):
    """Report the file of an evidence bundle that breaks `rule`."""

    def __init__(self, file: str, rule: str, detail: str = "") -> None:
        self.file: str = file
        self.rule: str = str(rule)
        self.detail: str = detail
        super().__init__(_sentence("invalid bundle", file, self.rule, detail))


class LimitExceeded(ProofError):
    """Report untrusted input above a bound of `proofs.limits`."""

    def __init__(self, limit: str, allowed: int, got: int) -> None:
        self.limit: str = limit
        self.allowed: int = allowed
        self.got: int = got
        super().__init__(_sentence("limit exceeded", limit, f"allowed {allowed}, got {got}"))


class ConstructionRefused(ProofError):
    """Report a value that our own caller must not build; `what` names it, `detail` the reason."""

    def __init__(self, what: str, detail: str = "") -> None:
        self.what: str = what
        self.detail: str = detail
        super().__init__(_sentence("construction refused", what, detail))
