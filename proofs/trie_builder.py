"""Build Merkle-Patricia tries and their proofs: for chains in memory and for tests, never for verifying.

Keys and values are any bytes, as in the yellow paper (appendix D); a node below 32 bytes is stored inside its
parent. Proofs come in both spellings that clients use for such inline nodes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from proofs.errors import ConstructionRefused
from proofs.keccak import keccak256
from proofs.rlp import encode, encode_parts

__all__ = ["EMPTY_ROOT", "EMPTY_TRIE", "BuiltTrie", "build_trie"]

# The trie without keys is the empty string; its root is the hash of that string's RLP.
EMPTY_TRIE: Final = b"\x80"
EMPTY_ROOT: Final = keccak256(EMPTY_TRIE)

_HEX: Final = "0123456789abcdef"
_HASHED_FROM: Final = 32  # a node of at least so many bytes is referenced by its hash


@dataclass(frozen=True, slots=True)
class _Leaf:
    raw: bytes


@dataclass(frozen=True, slots=True)
class _Extension:
    raw: bytes
    path: str
    child: "_Node"


@dataclass(frozen=True, slots=True)
class _Branch:
    raw: bytes
    children: tuple["_Node | None", ...]


_Node: TypeAlias = _Leaf | _Extension | _Branch
_Entry: TypeAlias = tuple[str, bytes]  # nibbles as hex digits, value


@dataclass(frozen=True, slots=True)
class BuiltTrie:
    """Hold a finished trie."""

    root: bytes
    _top: _Node | None

    def prove(self, key_hash: bytes) -> list[bytes]:
        """Return the nodes that decide a key, from the root down; inline nodes are left out (geth's spelling)."""
        path = self._path(key_hash)
        return [node.raw for index, node in enumerate(path) if index == 0 or len(node.raw) >= _HASHED_FROM]

    def prove_with_copies(self, key_hash: bytes) -> list[bytes]:
        """Return the same with inline nodes repeated, and 0x80 for the empty trie (anvil's spelling)."""
        return [node.raw for node in self._path(key_hash)] if self._top is not None else [EMPTY_TRIE]

    def _path(self, key: bytes) -> list[_Node]:
        nibbles, depth, node = key.hex(), 0, self._top
        nodes: list[_Node] = []
        while node is not None:
            nodes.append(node)
            if isinstance(node, _Branch):
                node = node.children[int(nibbles[depth], 16)] if depth < len(nibbles) else None
                depth += 1
            elif isinstance(node, _Extension) and nibbles.startswith(node.path, depth):
                depth += len(node.path)
                node = node.child
            else:
                node = None
        return nodes


def build_trie(items: Mapping[bytes, bytes]) -> BuiltTrie:
    """Build the trie of these keys (already hashed where the trie is a secure one) and values.

    Raises `ConstructionRefused` for an empty value, which stands for absence.
    """
    for key, value in items.items():
        if not value:
            raise ConstructionRefused("trie", f"empty value at key 0x{key.hex()}")
    if not items:
        return BuiltTrie(EMPTY_ROOT, None)
    top = _build(sorted((key.hex(), value) for key, value in items.items()), 0)
    return BuiltTrie(keccak256(top.raw), top)


def _build(entries: list[_Entry], depth: int) -> _Node:
    """Build the node over sorted entries that share their first `depth` nibbles."""
    first, value = entries[0]
    if len(entries) == 1:
        return _Leaf(encode((_hex_prefix(first[depth:], leaf=True), value)))
    shared = _shared_nibbles(first, entries[-1][0])
    if shared > depth:
        child = _branch(entries, shared)
        path = first[depth:shared]
        return _Extension(encode_parts((encode(_hex_prefix(path, leaf=False)), _reference(child))), path, child)
    return _branch(entries, depth)


def _shared_nibbles(first: str, last: str) -> int:
    pairs = enumerate(zip(first, last, strict=False))
    return next((index for index, (left, right) in pairs if left != right), min(len(first), len(last)))


def _branch(entries: list[_Entry], depth: int) -> _Branch:
    value = b""
    groups: dict[str, list[_Entry]] = {}
    for entry in entries:
        if len(entry[0]) == depth:
            value = entry[1]
        else:
            groups.setdefault(entry[0][depth], []).append(entry)
    children = tuple(_build(groups[digit], depth + 1) if digit in groups else None for digit in _HEX)
    parts = [EMPTY_TRIE if child is None else _reference(child) for child in children]
    return _Branch(encode_parts([*parts, encode(value)]), children)


def _reference(node: _Node) -> bytes:
    return node.raw if len(node.raw) < _HASHED_FROM else encode(keccak256(node.raw))


def _hex_prefix(path: str, *, leaf: bool) -> bytes:
    flag = 2 if leaf else 0
    return bytes.fromhex(f"{flag + 1}{path}" if len(path) % 2 else f"{flag}0{path}")
