"""Hypothesis strategies: random tries, proofs from them, and proofs as a liar would change them.

Tries hold keys that share long prefixes (deep branches, extensions, nodes below 32 bytes inside their parents) beside
keys that share none. A change either leaves the root alone, so that hashes must catch it, or builds the parents anew,
so that the root commits to what no honest trie holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from proofs.keccak import keccak256
from proofs.trie import BuiltTrie, build_trie
from tests.fuzz.framing import linked, unlinked

HEADS = (bytes(32), bytes(30) + b"\x10\x00", bytes(16) + b"\xff" * 16, b"\xff" * 32)
HONEST = "honest"
Edit = Callable[[st.DataObject, list[bytes]], None]


@dataclass(frozen=True, slots=True)
class Case:
    """Hold one question: what is at `key` under `root`, says this proof. `truth` is None for absence."""

    root: bytes
    key: bytes
    proof: tuple[bytes, ...]
    change: str
    truth: bytes | None
    """What an honest trie holds; without meaning where the root was built anew."""


def _near(head: bytes, tail: bytes) -> bytes:
    return head[: 32 - len(tail)] + tail


keys = st.one_of(
    st.builds(_near, st.sampled_from(HEADS), st.binary(min_size=1, max_size=3)),
    st.builds(_near, st.sampled_from(HEADS), st.binary(min_size=16, max_size=16)),
    st.binary(min_size=32, max_size=32),
)
values = st.one_of(st.binary(min_size=1, max_size=3), st.binary(min_size=30, max_size=34), st.just(b"\x05"))
items = st.dictionaries(keys, values, min_size=1, max_size=24)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a trie, a key in it or near it, its proof in either spelling, and a change or none."""
    held = draw(items)
    built = build_trie(held)
    key = draw(st.one_of(st.sampled_from(sorted(held)), keys))
    proof = built.prove_with_copies(key) if draw(st.booleans()) else built.prove(key)
    change = draw(st.sampled_from(CHANGES))
    if change == HONEST:
        return Case(built.root, key, tuple(proof), change, held.get(key))
    data = draw(st.data())
    if change == "other key":
        other = data.draw(st.one_of(st.sampled_from(sorted(held)), keys))
        return Case(built.root, other, tuple(proof), change, held.get(other))
    if change in REBUILT:
        return _rebuilt(data, built, key, change)
    EDITS[change](data, proof)
    return Case(built.root, key, tuple(proof), change, held.get(key))


def _rebuilt(data: st.DataObject, built: BuiltTrie, key: bytes, change: str) -> Case:
    """Change one node and put the new hashes into its parents, up to another root."""
    parts = unlinked(built.prove(key))
    place = data.draw(st.integers(0, len(parts) - 1))
    part = bytearray(parts[place])
    at = data.draw(st.integers(0, len(part) - 1))
    if change == "byte in a rebuilt node":
        part[at] = data.draw(st.integers(0, 255))
    elif change == "nibble in a rebuilt node":
        part[at] ^= data.draw(st.sampled_from((0x01, 0x10, 0x20, 0x40, 0x80)))
    elif change == "piece out of a rebuilt node":
        del part[at : at + data.draw(st.integers(1, 40))]
    else:
        part[at:at] = data.draw(st.sampled_from((b"\x00", b"\x80", b"\x81", b"\xc0", b"\xa0" + bytes(32))))
    parts[place] = bytes(part)
    proof = linked(parts)
    return Case(keccak256(proof[0]), key, tuple(proof), change, None)


# --- edits that leave the root alone ---------------------------------------------------------------------------------


def _flip(data: st.DataObject, proof: list[bytes]) -> None:
    place = data.draw(st.integers(0, len(proof) - 1))
    node = bytearray(proof[place])
    node[data.draw(st.integers(0, len(node) - 1))] ^= data.draw(st.integers(1, 255))
    proof[place] = bytes(node)


def _drop(data: st.DataObject, proof: list[bytes]) -> None:
    del proof[data.draw(st.integers(0, len(proof) - 1))]


def _cut(data: st.DataObject, proof: list[bytes]) -> None:
    del proof[data.draw(st.integers(0, len(proof) - 1)) :]


def _double(data: st.DataObject, proof: list[bytes]) -> None:
    place = data.draw(st.integers(0, len(proof) - 1))
    proof.insert(data.draw(st.integers(0, len(proof))), proof[place])


def _swap(data: st.DataObject, proof: list[bytes]) -> None:
    one, two = (data.draw(st.integers(0, len(proof) - 1)) for _ in range(2))
    proof[one], proof[two] = proof[two], proof[one]


def _reverse(data: st.DataObject, proof: list[bytes]) -> None:
    proof.reverse()


def _add(data: st.DataObject, proof: list[bytes]) -> None:
    proof.insert(data.draw(st.integers(0, len(proof))), data.draw(st.binary(max_size=40)))


EDITS: Mapping[str, Edit] = {
    "flip": _flip,
    "drop": _drop,
    "cut": _cut,
    "double": _double,
    "swap": _swap,
    "reverse": _reverse,
    "add": _add,
}
REBUILT: Sequence[str] = (
    "byte in a rebuilt node",
    "nibble in a rebuilt node",
    "piece out of a rebuilt node",
    "piece into a rebuilt node",
)
CHANGES: Sequence[str] = (HONEST, "other key", *EDITS, *REBUILT)
