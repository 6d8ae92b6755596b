"""Lists of byte strings as one: each part after its length in two bytes. What a mutant broke is read leniently.

A part may hold `CHILD` where the hash of the next part belongs: so a mutated node keeps its place in a trie, and the
rules behind the hash comparison are reached.
"""

from __future__ import annotations

from collections.abc import Sequence

from proofs.keccak import keccak256

CHILD = b"<hash of the node that follows>!"
assert len(CHILD) == 32


def joined(parts: Sequence[bytes]) -> bytes:
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def parted(data: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        parts.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return parts


def linked(nodes: Sequence[bytes]) -> list[bytes]:
    """Put the hash of each node into its parent."""
    done: list[bytes] = []
    below = b""
    for node in reversed(nodes):
        below = node.replace(CHILD, keccak256(below))
        done.append(below)
    return done[::-1]


def unlinked(nodes: Sequence[bytes]) -> list[bytes]:
    """Put `CHILD` where a node's hash stands in its parent."""
    return [
        node.replace(keccak256(nodes[at + 1]), CHILD) if at + 1 < len(nodes) else node for at, node in enumerate(nodes)
    ]
