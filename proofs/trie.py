"""Verify Merkle-Patricia proofs of 32-byte keys: inclusion and exclusion, one accepted proof per verdict.

What is decided: under this root, this key has this value, or none. What is never done: a missing node is no
absence, a key or root is never taken from a proof, a node is never believed before its hash was compared.

    accepted absence     the path ends in an empty branch slot, or in a leaf or extension that leads elsewhere,
                         or the root is that of the empty trie (proof [] or ["0x80"])
    accepted spelling    each element is the node that its parent commits to, in order, none left over; a node below
                         32 bytes lives inside its parent and may also be repeated after it, byte for byte
    refused              everything else, by a named rule of `Rule`; structures that no 32-byte-key trie has (branch
                         values, one-child branches, extensions without path or without a branch below, paths of
                         another length) are refused although their hashes fit

Nodes are shared: one `NodeSet` serves all proofs of a block, each unique node is hashed and decoded once, and
what it holds is the evidence. It holds hash pre-images only, so no proof can spoil it for another.

Source: Ethereum yellow paper, appendix D; EIP-1186.
"""

import re
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, Self, TypeAlias

from proofs.errors import InvalidProof, InvalidRlp, LimitExceeded, Rule
from proofs.keccak import keccak256
from proofs.limits import NODE_BYTES_MAX, NODE_SET_NODES_MAX, PROOF_NODES_MAX, TRIE_KEY_NIBBLES
from proofs.rlp import Item, decode_list, encode
from proofs.trie_builder import EMPTY_ROOT, EMPTY_TRIE, BuiltTrie, build_trie

__all__ = ["EMPTY_ROOT", "EMPTY_TRIE", "BuiltTrie", "NodeSet", "build_trie", "verify_proof"]

_HASH_BYTES: Final = 32
_INLINE_BYTES_MAX: Final = 31
# RLP headers, as in `proofs.rlp`.
_STRING: Final = 0x80
_LIST: Final = 0xC0
_LIST_LONG: Final = 0xF8
_SHORT_MAX: Final = 55


def verify_proof(root: bytes, key_hash: bytes, proof: Sequence[bytes], nodes: "NodeSet | None" = None) -> bytes | None:
    """Return the value of a hashed key under `root`, or None if its absence is proven.

    Raises `InvalidProof` for everything that proves neither, `LimitExceeded` for hostile sizes.
    """
    return (NodeSet() if nodes is None else nodes).verify(root, key_hash, proof)


# Decoded nodes are named tuples: immutable, and three times cheaper to build than frozen dataclasses.
class _Verdict(NamedTuple):
    """End a walk: the value, or None for proven absence."""

    value: bytes | None


_ABSENT: Final = _Verdict(None)


class _Leaf(NamedTuple):
    raw: bytes
    path: str
    value: bytes

    def follow(self, path: str, depth: int) -> tuple["_Step", int]:
        if depth + len(self.path) != TRIE_KEY_NIBBLES:
            raise InvalidProof(Rule.PATH_LENGTH, detail=f"leaf with {len(self.path)} nibbles at depth {depth}")
        return (_Verdict(self.value) if path.endswith(self.path) else _ABSENT), depth


class _Extension(NamedTuple):
    raw: bytes
    path: str
    child: "bytes | _Branch"

    def follow(self, path: str, depth: int) -> tuple["_Step", int]:
        below = depth + len(self.path)
        if below >= TRIE_KEY_NIBBLES:
            raise InvalidProof(Rule.PATH_LENGTH, detail=f"extension with {len(self.path)} nibbles at depth {depth}")
        return (self.child, below) if path.startswith(self.path, depth) else (_ABSENT, depth)


class _Branch(NamedTuple):
    raw: bytes
    children: tuple["_Child", ...]

    def follow(self, path: str, depth: int) -> tuple["_Step", int]:
        if depth == TRIE_KEY_NIBBLES:
            raise InvalidProof(Rule.PATH_LENGTH, detail="branch below a whole key")
        child = self.children[_NIBBLE[path[depth]]]
        return (_ABSENT if child is None else child), depth + 1


_Node: TypeAlias = _Leaf | _Extension | _Branch
_Child: TypeAlias = bytes | _Node | None
_Step: TypeAlias = bytes | _Node | _Verdict
# Node bytes and the decoded node. The commonest node, a branch without inline children, stays a match of
# `_HASHED_CHILDREN`: a child is cut out when a path leads to it.
_Entry: TypeAlias = tuple[bytes, _Node | re.Match[bytes]]

_NIBBLE: Final = MappingProxyType({digit: index for index, digit in enumerate("0123456789abcdef")})
_GROUP: Final = MappingProxyType({digit: 1 + index for digit, index in _NIBBLE.items()})
# A branch whose children are hashes or empty, after its list header.
_HASHED_BRANCH_MIN: Final = 2 + 2 * 33 + 15
_HASHED_BRANCH_LONG: Final = 3 + 256
_HASHED_CHILDREN: Final = re.compile(rb"(?:\x80|\xa0(.{32}))" * 16 + rb"\x80", re.DOTALL)


class NodeSet:
    """Hold unique trie nodes by hash; every node in it was hashed here and decoded strictly."""

    __slots__ = ("_known", "_nodes_max")

    def __init__(self, nodes_max: int = NODE_SET_NODES_MAX) -> None:
        self._known: dict[bytes, _Entry] = {}
        self._nodes_max = nodes_max

    @classmethod
    def from_nodes(cls, raw_nodes: Iterable[bytes], nodes_max: int = NODE_SET_NODES_MAX) -> Self:
        """Build a set from node bytes in any order; a node that is malformed or comes twice is refused."""
        nodes = cls(nodes_max)
        for index, raw in enumerate(raw_nodes):
            if len(raw) > NODE_BYTES_MAX:
                raise LimitExceeded("NODE_BYTES_MAX", NODE_BYTES_MAX, len(raw))
            node_hash = keccak256(raw)
            if node_hash in nodes._known:
                raise InvalidProof(Rule.NODE_EXTRA, index, "node comes twice")
            nodes._keep(node_hash, raw, index)
        return nodes

    def __len__(self) -> int:
        return len(self._known)

    def raw_nodes(self) -> tuple[bytes, ...]:
        """Return the bytes of all nodes in the order of their first use."""
        return tuple(raw for raw, _ in self._known.values())

    def verify(self, root: bytes, key_hash: bytes, proof: Sequence[bytes]) -> bytes | None:
        """Return the value of a hashed key under `root`, or None if its absence is proven; see `verify_proof`."""
        path = _path_of(root, key_hash)
        if len(proof) > PROOF_NODES_MAX or root == EMPTY_ROOT:
            _require_empty(proof)
            return None
        known = self._known
        wanted = root
        for depth, raw in enumerate(proof):  # a nibble a node, as long as all are branches of hashes
            entry = known.get(wanted)
            if entry is None or entry[0] != raw:
                entry = self._admit(wanted, raw, depth)
            node = entry[1]
            if type(node) is not re.Match or depth == TRIE_KEY_NIBBLES:
                return self._rest(node, path, depth, proof)
            child = node[_GROUP[path[depth]]]
            if child is None:
                return _finish(_ABSENT, path, depth, proof, depth + 1)
            wanted = child
        raise InvalidProof(Rule.NODE_MISSING, len(proof), f"path goes on at depth {len(proof)}")

    def _rest(self, node: "_Node | re.Match[bytes]", path: str, depth: int, proof: Sequence[bytes]) -> bytes | None:
        """Decide from the first node on that is not a branch of hashes; its place is its depth."""
        index = depth
        if type(node) is _Leaf and depth + len(node.path) == TRIE_KEY_NIBBLES and index + 1 == len(proof):
            return node.value if path.endswith(node.path) else None  # as `_Leaf.follow`: most ends of most walks
        branch_expected = False
        while True:
            step, depth = _followed(node, path, depth, index, branch_expected)
            index += 1
            if not isinstance(step, bytes):
                return _finish(step, path, depth, proof, index)
            if index == len(proof):
                raise InvalidProof(Rule.NODE_MISSING, index, f"path goes on at depth {depth}")
            branch_expected = type(node) is _Extension
            entry = self._known.get(step)
            if entry is None or entry[0] != proof[index]:
                entry = self._admit(step, proof[index], index)
            node = entry[1]

    def proof(self, root: bytes, key_hash: bytes) -> tuple[bytes, ...]:
        """Collect from the set the nodes that decide a key, without inline nodes; verify them like any proof."""
        path = _path_of(root, key_hash)
        proof: list[bytes] = []
        step: _Step = _ABSENT if root == EMPTY_ROOT else root
        depth = 0
        while isinstance(step, bytes):
            entry = self._known.get(step)
            if entry is None:
                raise InvalidProof(Rule.NODE_MISSING, len(proof), f"path goes on at depth {depth}")
            raw, node = entry
            proof.append(raw)
            decoded = _Branch(raw, node.groups()) if isinstance(node, re.Match) else node
            step, depth = decoded.follow(path, depth)
        return tuple(proof)

    def _admit(self, wanted: bytes, raw: bytes, index: int) -> _Entry:
        """Hash and decode a node and keep it, if it is the wanted one."""
        if len(raw) > NODE_BYTES_MAX:
            raise LimitExceeded("NODE_BYTES_MAX", NODE_BYTES_MAX, len(raw))
        if keccak256(raw) != wanted:
            raise InvalidProof(Rule.NODE_HASH, index, f"expected 0x{wanted.hex()}")
        return self._keep(wanted, raw, index)

    def _keep(self, node_hash: bytes, raw: bytes, index: int) -> _Entry:
        if len(raw) < _HASH_BYTES:
            raise InvalidProof(Rule.NODE_SHORT, index, f"{len(raw)} bytes")
        if len(self._known) >= self._nodes_max:
            raise LimitExceeded("NODE_SET_NODES_MAX", self._nodes_max, len(self._known) + 1)
        try:
            entry = raw, _hashed_branch(raw) or _plain_leaf(raw) or _node_of(raw, decode_list(raw))
        except (InvalidRlp, InvalidProof) as fault:
            raise InvalidProof(fault.rule, index, fault.detail) from fault
        self._known[node_hash] = entry
        return entry


def _path_of(root: bytes, key_hash: bytes) -> str:
    if len(key_hash) != _HASH_BYTES or len(root) != _HASH_BYTES:
        raise InvalidProof(Rule.KEY_LENGTH, detail=f"root of {len(root)} and key of {len(key_hash)} bytes")
    return key_hash.hex()


def _require_empty(proof: Sequence[bytes]) -> None:
    if len(proof) > PROOF_NODES_MAX:
        raise LimitExceeded("PROOF_NODES_MAX", PROOF_NODES_MAX, len(proof))
    if len(proof) > 1 or (proof and proof[0] != EMPTY_TRIE):
        raise InvalidProof(Rule.EMPTY_ROOT, detail=f"{len(proof)} elements under the root of the empty trie")


def _followed(
    node: "_Node | re.Match[bytes]", path: str, depth: int, index: int, branch_expected: bool
) -> tuple["_Step", int]:
    """Follow a path out of a node."""
    if isinstance(node, re.Match):
        if depth == TRIE_KEY_NIBBLES:
            raise InvalidProof(Rule.PATH_LENGTH, index, "branch below a whole key")
        return node[_GROUP[path[depth]]] or _ABSENT, depth + 1
    if branch_expected and type(node) is not _Branch:
        raise InvalidProof(Rule.EXTENSION_CHILD, index)
    return node.follow(path, depth)


def _finish(step: "_Node | _Verdict", path: str, depth: int, proof: Sequence[bytes], index: int) -> bytes | None:
    """Go on through inline nodes to the verdict; nothing may be left over of the proof from `index` on."""
    if isinstance(step, _Verdict) and index == len(proof):
        return step.value
    rest = proof[index:]
    used = 0
    inline = False
    while not isinstance(step, _Verdict):
        inline = True
        if used < len(rest) and rest[used] == step.raw:
            used += 1
        below, depth = step.follow(path, depth)
        assert not isinstance(below, bytes), "below 32 bytes there is no room for a hash"
        step = below
    if used != len(rest):
        rule = Rule.EMBEDDED_COPY if inline and used == 0 and len(rest) == 1 else Rule.NODE_EXTRA
        raise InvalidProof(rule, index + used, f"{len(rest) - used} elements after the node that decides")
    return step.value


# --- decoding --------------------------------------------------------------------------------------------------


# Nearly all nodes are read by fixed places. These two readers know only what the general decoder reads alike; their
# None says nothing about a node.


def _hashed_branch(raw: bytes) -> re.Match[bytes] | None:
    """Read a branch without inline children.

    Two hashed children are 81 bytes, so a canonical header is f8 and a byte above 55, or f9 and two above 255.
    """
    size = len(raw)
    if raw[0] == 0xF9 and size >= _HASHED_BRANCH_LONG and raw[1] << 8 | raw[2] == size - 3:
        return _HASHED_CHILDREN.fullmatch(raw, 3)
    if raw[0] == 0xF8 and size >= _HASHED_BRANCH_MIN and raw[1] == size - 2:
        return _HASHED_CHILDREN.fullmatch(raw, 2)
    return None


def _plain_leaf(raw: bytes) -> _Leaf | None:
    """Read a leaf whose path takes 2 to 33 bytes and whose value 2 to 55, each behind a header of one byte."""
    size = len(raw)
    start = 1 if size <= _SHORT_MAX + 1 else 2
    if raw[0] != (_LIST + size - 1 if start == 1 else _LIST_LONG) or (start == 2 and raw[1] != size - 2):
        return None
    split = start + 1 + raw[start] - _STRING
    if not (start + 2 < split <= start + 34 and 2 < size - split <= _SHORT_MAX + 1):
        return None
    digits = raw[start + 1 : split].hex()
    skipped = 1 if digits[0] == "3" else 2
    if raw[split] != _STRING + size - split - 1 or (skipped == 2 and digits[:2] != "20"):
        return None
    return _Leaf(raw, digits[skipped:], raw[split + 1 :])


def _node_of(raw: bytes, items: tuple[Item, ...]) -> _Node:
    if len(items) == 17:
        return _branch_of(raw, items)
    if len(items) != 2:
        raise InvalidProof(Rule.NODE_SHAPE, detail=f"{len(items)} items")
    path, is_leaf = _path_of_prefix(items[0])
    return _leaf_of(raw, path, items[1]) if is_leaf else _extension_of(raw, path, items[1])


def _branch_of(raw: bytes, items: tuple[Item, ...]) -> _Branch:
    if items[16] != b"":
        raise InvalidProof(Rule.BRANCH_VALUE)
    children = tuple(None if item == b"" else _child_of(item) for item in items[:16])
    if children.count(None) > 14:
        raise InvalidProof(Rule.BRANCH_CHILDREN, detail=f"{16 - children.count(None)} children")
    return _Branch(raw, children)


def _leaf_of(raw: bytes, path: str, value: Item) -> _Leaf:
    if not isinstance(value, bytes):
        raise InvalidProof(Rule.VALUE_KIND, detail="a list as the value of a leaf")
    if not value:
        raise InvalidProof(Rule.VALUE_EMPTY)
    return _Leaf(raw, path, value)


def _extension_of(raw: bytes, path: str, item: Item) -> _Extension:
    if not path:
        raise InvalidProof(Rule.EXTENSION_EMPTY)
    child = _child_of(item)
    if not isinstance(child, bytes | _Branch):
        raise InvalidProof(Rule.EXTENSION_CHILD)
    return _Extension(raw, path, child)


def _child_of(item: Item) -> bytes | _Node:
    """Read a reference: 32 bytes are a hash and never a node, a list is a node and must be shorter than a hash."""
    if isinstance(item, bytes):
        if len(item) != _HASH_BYTES:
            raise InvalidProof(Rule.NODE_REFERENCE, detail=f"{len(item)} bytes")
        return item
    raw = encode(item)
    if len(raw) > _INLINE_BYTES_MAX:
        raise InvalidProof(Rule.NODE_INLINE, detail=f"{len(raw)} bytes")
    return _node_of(raw, item)


def _path_of_prefix(item: Item) -> tuple[str, bool]:
    """Undo the hex-prefix form: flag nibble 0 or 1 extension, 2 or 3 leaf; the odd ones carry the first nibble."""
    digits = item.hex() if isinstance(item, bytes) else ""
    flag = digits[:1]
    if flag in ("1", "3"):
        return digits[1:], flag == "3"
    if flag not in ("0", "2"):
        raise InvalidProof(Rule.PATH_FLAG, detail=f"0x{digits[:2]}")
    if digits[1] != "0":
        raise InvalidProof(Rule.PATH_PADDING, detail=f"0x{digits[:2]}")
    return digits[2:], flag == "2"
