"""Tries and nodes for tests that no honest node would build, and a small honest world.

Nodes are encoded with the `rlp` package, not with the code under test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import rlp
from Crypto.Hash import keccak

from proofs.account import EMPTY_CODE_HASH, AccountAnswer
from proofs.trie import EMPTY_ROOT, BuiltTrie, build_trie

KEY = bytes(range(32))
DIGITS = KEY.hex()


def hash_of(data: bytes) -> bytes:
    """Hash with pycryptodome, whatever backend the package chose."""
    return keccak.new(digest_bits=256, data=data).digest()


def prefix(path: str, *, leaf: bool) -> bytes:
    """Encode a path in hex-prefix form."""
    flag = 2 * leaf + len(path) % 2
    return bytes.fromhex(f"{flag}{'' if len(path) % 2 else '0'}{path}")


def leaf(path: str, value: object = b"\x01") -> bytes:
    return rlp.encode([prefix(path, leaf=True), value])


def extension(path: str, child: object) -> bytes:
    return rlp.encode([prefix(path, leaf=False), child])


def branch(children: dict[int, object], value: object = b"") -> bytes:
    return rlp.encode([*(children.get(index, b"") for index in range(16)), value])


def reference(node: bytes) -> object:
    """Return what a parent holds: the decoded node below 32 bytes, else its hash."""
    return rlp.decode(node) if len(node) < 32 else hash_of(node)


def other_leaf(depth: int) -> bytes:
    """Return a leaf for the second child of a branch whose children lie at `depth`."""
    return leaf("f" * (64 - depth), b"\x02")


def fork_at(depth: int, child: bytes, digit: int | None = None) -> bytes:
    """Return a branch at `depth` on the way of KEY that leads to `child`, with one other leaf beside it."""
    own = int(DIGITS[depth], 16) if digit is None else digit
    return branch({own: reference(child), (own + 1) % 16: reference(other_leaf(depth + 1))})


def deep_trie(value: bytes = b"\x01") -> BuiltTrie:
    """Build the deepest trie: a branch at each of the 64 nibbles of KEY, 65 nodes to its leaf."""
    items = {KEY: value}
    for depth, digit in enumerate(DIGITS):
        other = f"{(int(digit, 16) + 1) % 16:x}"
        items[bytes.fromhex(DIGITS[:depth] + other + DIGITS[depth + 1 :])] = b"\x02"
    return build_trie(items)


def word_leaf(value: int) -> bytes:
    """Encode a storage word."""
    return rlp.encode(value)


def account_leaf(nonce: int, balance: int, storage_root: bytes, code_hash: bytes) -> bytes:
    return rlp.encode([nonce, balance, storage_root, code_hash])


def slot_hash(slot: int) -> bytes:
    return hash_of(slot.to_bytes(32, "big"))


@dataclass(frozen=True)
class Contract:
    """Hold one account of the small world."""

    address: bytes
    nonce: int
    balance: int
    code_hash: bytes
    storage: dict[int, int]

    @property
    def trie(self) -> BuiltTrie:
        return build_trie({slot_hash(slot): word_leaf(value) for slot, value in self.storage.items()})


@dataclass(frozen=True)
class World:
    """Hold a state trie over contracts, and answer like a node."""

    contracts: tuple[Contract, ...]

    @property
    def trie(self) -> BuiltTrie:
        return build_trie(
            {
                hash_of(one.address): account_leaf(one.nonce, one.balance, one.trie.root, one.code_hash)
                for one in self.contracts
            }
        )

    def answer(self, address: bytes, slots: Sequence[int]) -> AccountAnswer:
        known = [one for one in self.contracts if one.address == address]
        one = known[0] if known else Contract(address, 0, 0, EMPTY_CODE_HASH, {})
        storage = one.trie
        return AccountAnswer(
            address=address,
            nonce=one.nonce,
            balance=one.balance,
            storage_hash=storage.root if known else EMPTY_ROOT,
            code_hash=one.code_hash,
            account_proof=tuple(self.trie.prove(hash_of(address))),
            storage=tuple(
                (slot, one.storage.get(slot, 0), tuple(storage.prove_with_copies(slot_hash(slot)))) for slot in slots
            ),
        )


def small_world() -> World:
    """Build two contracts with storage, one without, and some plain accounts."""
    first = Contract(b"\x11" * 20, 1, 0, hash_of(b"first"), {slot: slot * 7 + 1 for slot in range(40)})
    second = Contract(b"\x22" * 20, 1, 5, hash_of(b"second"), {slot: slot * 9 + 2 for slot in range(40)})
    empty = Contract(b"\x33" * 20, 1, 10**18, hash_of(b"empty"), {})
    plain = tuple(
        Contract(bytes([100 + index]) * 20, index, 10**18 + index, EMPTY_CODE_HASH, {}) for index in range(40)
    )
    return World((first, second, empty, *plain))
