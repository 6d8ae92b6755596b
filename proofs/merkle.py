"""Merkle trees of attestations: commutative sorted-pair keccak, kept between frames.

Form (OpenZeppelin `MerkleProof` on chain, JavaScript `SimpleMerkleTree` with `sortLeaves: false`):

    nodes           one array of 2n - 1 words, root at 0
    leaf i          at 2n - 2 - i, in the caller's order
    node j          keccak(min(a, b) ++ max(a, b)) of its children a = 2j + 1 and b = 2j + 2

A leaf is an EIP-712 `hashStruct`, whose pre-image is longer than 64 bytes, so no inner node can pass as a leaf;
a proof is as long as the tree of the committed leaf count is deep; the zero word is no leaf and no root.
This module hashes words. It neither orders leaves nor knows what they mean.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Self

from proofs.errors import ConstructionRefused, InvalidProof, LimitExceeded, Rule
from proofs.keccak import keccak256
from proofs.limits import MERKLE_LEAVES_MAX, MERKLE_PROOF_WORDS_MAX

__all__ = ["MerkleTree", "hash_pair", "merkle_depths", "merkle_root", "verify_merkle_proof"]

_WORD: Final = 32
_ZERO: Final = bytes(_WORD)


def hash_pair(left: bytes, right: bytes) -> bytes:
    """Hash two words in rising order, so that their order in the proof does not matter."""
    return keccak256(left + right if left < right else right + left)


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Compute the root over leaves in the given order; the root of one leaf is the leaf.

    Raises `ConstructionRefused` without leaves, for a leaf that is not 32 bytes and for the zero word.
    """
    return MerkleTree.from_leaves(leaves).root


def merkle_depths(leaf_count: int) -> tuple[int, int]:
    """Return the shortest and the longest proof of a tree of so many leaves: floor and ceil of their logarithm."""
    return max(leaf_count.bit_length() - 1, 0), max(leaf_count - 1, 0).bit_length()


def verify_merkle_proof(root: bytes, leaf: bytes, proof: Sequence[bytes], leaf_count: int) -> None:
    """Check that `leaf` is in the tree of `leaf_count` leaves under `root`; return nothing or raise.

    Raises `InvalidProof` by rule, in the order of the verifier contract: a word that is not 32 bytes, zero root, no
    leaves, a proof deeper or shallower than any leaf of such a tree, another root.
    """
    if len(proof) > MERKLE_PROOF_WORDS_MAX:
        raise InvalidProof(Rule.MERKLE_DEPTH, detail=f"{len(proof)} words")
    for index, word in enumerate((root, leaf, *proof)):
        if len(word) != _WORD:
            raise InvalidProof(Rule.MERKLE_WORD, index, f"{len(word)} bytes")
    if root == _ZERO:
        raise InvalidProof(Rule.MERKLE_ROOT_ZERO)
    _require_depth(len(proof), leaf_count)
    node = leaf
    for sibling in proof:
        node = hash_pair(node, sibling)
    if node != root:
        raise InvalidProof(Rule.MERKLE_ROOT, detail=f"computed 0x{node.hex()}, expected 0x{root.hex()}")


def _require_depth(depth: int, leaf_count: int) -> None:
    if leaf_count <= 0 or leaf_count.bit_length() > MERKLE_PROOF_WORDS_MAX:
        raise InvalidProof(Rule.MERKLE_COUNT, detail=f"leaf count {leaf_count}")
    shortest, longest = merkle_depths(leaf_count)
    if depth > longest:
        raise InvalidProof(Rule.MERKLE_DEPTH, detail=f"{depth} words for {leaf_count} leaves")
    if depth < shortest:
        raise InvalidProof(Rule.MERKLE_SHALLOW, detail=f"{depth} words for {leaf_count} leaves")


class MerkleTree:
    """Hold one tree; a changed leaf costs one path, an insertion needs a new tree."""

    __slots__ = ("_leaf_count", "_nodes")

    def __init__(self, nodes: list[bytes], leaf_count: int) -> None:
        """Take a finished array of nodes; build trees with `from_leaves`."""
        self._nodes = nodes
        self._leaf_count = leaf_count

    @classmethod
    def from_leaves(cls, leaves: Sequence[bytes]) -> Self:
        """Build the tree over leaves in the given order.

        Raises `ConstructionRefused` without leaves, for a leaf that is not 32 bytes and for the zero word,
        `LimitExceeded` above `MERKLE_LEAVES_MAX`.
        """
        count = len(leaves)
        if count == 0:
            raise ConstructionRefused("merkle tree", "no leaves")
        if count > MERKLE_LEAVES_MAX:
            raise LimitExceeded("MERKLE_LEAVES_MAX", MERKLE_LEAVES_MAX, count)
        for index, leaf in enumerate(leaves):
            _require_leaf(index, leaf)
        nodes = [_ZERO] * (count - 1) + list(reversed(leaves))
        for index in range(count - 2, -1, -1):
            nodes[index] = hash_pair(nodes[2 * index + 1], nodes[2 * index + 2])
        return cls(nodes, count)

    @property
    def root(self) -> bytes:
        """Return the root."""
        return self._nodes[0]

    @property
    def leaf_count(self) -> int:
        """Return the number of leaves."""
        return self._leaf_count

    def leaf(self, index: int) -> bytes:
        """Return a leaf by its place in the order of construction."""
        return self._nodes[self._position(index)]

    def proof(self, index: int) -> tuple[bytes, ...]:
        """Return the siblings of a leaf from the bottom up; empty for a tree of one leaf."""
        position = self._position(index)
        siblings = []
        while position > 0:
            siblings.append(self._nodes[position - 1 if position % 2 == 0 else position + 1])
            position = (position - 1) >> 1
        return tuple(siblings)

    def replace(self, index: int, leaf: bytes) -> None:
        """Put another leaf into a place and hash its path anew."""
        self.update({index: leaf})

    def update(self, changes: Mapping[int, bytes]) -> None:
        """Put other leaves into their places and hash every touched inner node once; all or nothing."""
        for index, leaf in changes.items():
            self._position(index)
            _require_leaf(index, leaf)
        touched: set[int] = set()
        for index, leaf in changes.items():
            position = self._position(index)
            self._nodes[position] = leaf
            parent = (position - 1) >> 1
            while parent >= 0 and parent not in touched:
                touched.add(parent)
                parent = (parent - 1) >> 1
        for node in sorted(touched, reverse=True):  # children lie behind their parent
            self._nodes[node] = hash_pair(self._nodes[2 * node + 1], self._nodes[2 * node + 2])

    def _position(self, index: int) -> int:
        if not 0 <= index < self._leaf_count:
            raise ConstructionRefused("merkle leaf", f"index {index} of {self._leaf_count}")
        return 2 * self._leaf_count - 2 - index


def _require_leaf(index: int, leaf: bytes) -> None:
    if len(leaf) != _WORD:
        raise ConstructionRefused("merkle leaf", f"leaf {index} has {len(leaf)} bytes")
    if leaf == _ZERO:
        raise ConstructionRefused("merkle leaf", f"leaf {index} is the zero word")
