"""One token with 10,000 holders: its storage trie, 1,000 proofs of it, and the `eth_getProof` answer that holds them.

The trie is a real one, built by `proofs.trie_builder` (whose roots the golden tests compare with other clients') over
the keys of a Solidity mapping at slot 0; nothing is answered by a node, so no node's time is in any figure.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from proofs.account import EMPTY_CODE_HASH
from proofs.keccak import keccak256
from proofs.rlp import encode, encode_uint
from proofs.trie import BuiltTrie, build_trie

HOLDERS = 10_000
ASKED = 1_000
STATE_ACCOUNTS = 2_000
SEED = 20_261_122


@dataclass(frozen=True)
class Holders:
    """Hold the token: slots and balances by holder, and who is asked for."""

    token: bytes
    slots: tuple[int, ...]
    balances: tuple[int, ...]
    asked: tuple[int, ...]

    @cached_property
    def trie(self) -> BuiltTrie:
        return build_trie(
            {_slot_key(slot): _word(balance) for slot, balance in zip(self.slots, self.balances, strict=True)}
        )

    @cached_property
    def state(self) -> BuiltTrie:
        """Return the state trie: the token among plain accounts."""
        plain = (bytes([1]), b"\x05", EMPTY_CODE_HASH, EMPTY_CODE_HASH)
        bodies = {keccak256(index.to_bytes(20, "big")): encode(plain) for index in range(STATE_ACCOUNTS)}
        bodies[keccak256(self.token)] = encode((bytes([1]), b"", self.trie.root, keccak256(b"token")))
        return build_trie(bodies)

    @cached_property
    def asked_slots(self) -> tuple[int, ...]:
        return tuple(self.slots[index] for index in self.asked)

    @cached_property
    def keys(self) -> tuple[bytes, ...]:
        """Return the hashed storage keys that are asked for."""
        return tuple(_slot_key(slot) for slot in self.asked_slots)

    @cached_property
    def words(self) -> tuple[int, ...]:
        """Return the balances behind them."""
        return tuple(self.balances[index] for index in self.asked)

    @cached_property
    def values(self) -> tuple[bytes, ...]:
        """Return the trie values behind them."""
        return tuple(_word(word) for word in self.words)

    @cached_property
    def proofs(self) -> tuple[tuple[bytes, ...], ...]:
        """Return a proof per key; equal nodes are other objects, as they come off the wire."""
        return tuple(tuple(bytes(bytearray(node)) for node in self.trie.prove(key)) for key in self.keys)

    @cached_property
    def answer(self) -> bytes:
        """Return the body of a batch of one `eth_getProof`, as a node writes it."""
        storage = [
            {"key": _hex(slot.to_bytes(32, "big")), "value": hex(word), "proof": [_hex(node) for node in proof]}
            for slot, word, proof in zip(self.asked_slots, self.words, self.proofs, strict=True)
        ]
        result = {
            "address": _hex(self.token),
            "accountProof": [_hex(node) for node in self.state.prove(keccak256(self.token))],
            "balance": "0x0",
            "codeHash": _hex(keccak256(b"token")),
            "nonce": "0x1",
            "storageHash": _hex(self.trie.root),
            "storageProof": storage,
        }
        return json.dumps([{"jsonrpc": "2.0", "id": 1, "result": result}], separators=(",", ":")).encode()


def holders() -> Holders:
    """Draw the token; the same one every time."""
    drawn = random.Random(SEED)  # not a secret
    people = [drawn.randbytes(20) for _ in range(HOLDERS)]
    return Holders(
        token=b"\x77" * 20,
        slots=tuple(int.from_bytes(keccak256(who.rjust(32, b"\0") + bytes(32)), "big") for who in people),
        balances=tuple(drawn.randrange(1, 10**24) for _ in people),
        asked=tuple(drawn.sample(range(HOLDERS), ASKED)),
    )


def fingerprint(values: list[bytes] | tuple[bytes, ...]) -> str:
    """Hash all values in their order, each after its length: what a peer in another process reports."""
    digest = sha256()
    for value in values:
        digest.update(len(value).to_bytes(4, "big") + value)
    return digest.hexdigest()


def _slot_key(slot: int) -> bytes:
    return keccak256(slot.to_bytes(32, "big"))


def _word(value: int) -> bytes:
    return encode(encode_uint(value))


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
