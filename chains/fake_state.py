"""The state of a chain in memory: accounts and storage in real tries, blocks with real headers.

Nothing here is an adapter; `chains.fake` is. State is changed freely and becomes visible with the next block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from proofs.account import EMPTY_CODE_HASH, AccountAnswer
from proofs.header import HeaderShape, blank_fields, encode_header
from proofs.keccak import keccak256
from proofs.rlp import encode, encode_uint
from proofs.trie_builder import BuiltTrie, build_trie
from proofs.types import Address, BlockRef, ChainId, Hash32

__all__ = ["REVERT", "CallAnswer", "FakeAccount", "FakeBlock", "FakeState", "Revert", "seal_block"]


class Revert:
    """Stand for a call that reverts."""

    def __repr__(self) -> str:
        return "REVERT"


REVERT: Final = Revert()
CallAnswer = tuple[int, ...] | Revert
_EMPTY_STORAGE: Final = build_trie({})
_DEFAULT_CODE_HASH: Final = keccak256(b"a contract of FakeChain")


@dataclass(frozen=True, slots=True)
class FakeAccount:
    """Hold one account with its finished storage trie."""

    balance: int = 0
    code_hash: bytes = EMPTY_CODE_HASH
    storage: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    trie: BuiltTrie = _EMPTY_STORAGE

    @property
    def body(self) -> bytes:
        """Return the RLP that the state trie holds."""
        return encode([encode_uint(0), encode_uint(self.balance), self.trie.root, self.code_hash])


@dataclass(frozen=True, slots=True)
class FakeBlock:
    """Hold a block with everything that can be asked at it."""

    ref: BlockRef
    header_rlp: bytes
    accounts: Mapping[Address, FakeAccount]
    calls: Mapping[tuple[Address, bytes], CallAnswer]
    trie: BuiltTrie

    def account(self, address: Address) -> FakeAccount:
        """Return an account, empty where there is none."""
        return self.accounts.get(address, FakeAccount())

    def answer(self, address: Address, slots: tuple[int, ...]) -> AccountAnswer:
        """Return what an honest node answers to `eth_getProof`."""
        account = self.account(address)
        entries = tuple(
            (slot, account.storage.get(slot, 0), tuple(account.trie.prove(keccak256(slot.to_bytes(32, "big")))))
            for slot in slots
        )
        proof = tuple(self.trie.prove(keccak256(address)))
        return AccountAnswer(address, 0, account.balance, account.trie.root, account.code_hash, proof, entries)


class FakeState:
    """Collect changes between blocks."""

    def __init__(self) -> None:
        self._balances: dict[Address, int] = {}
        self._codes: dict[Address, bytes] = {}
        self._storage: dict[Address, dict[int, int]] = {}
        self._calls: dict[tuple[Address, bytes], CallAnswer] = {}
        self._tries: dict[Address, tuple[Mapping[int, int], BuiltTrie]] = {}

    def set_balance(self, address: Address, wei: int) -> None:
        """Set a native balance."""
        self._balances[address] = wei

    def set_code_hash(self, address: Address, code_hash: bytes) -> None:
        """Set the hash of an account's code."""
        self._codes[address] = code_hash

    def set_storage(self, address: Address, slot: int, value: int) -> None:
        """Set one word; an account that has storage has code."""
        self._codes.setdefault(address, _DEFAULT_CODE_HASH)
        self._tries.pop(address, None)
        slots = self._storage.setdefault(address, {})
        if value:
            slots[slot] = value
        else:
            slots.pop(slot, None)

    def storage(self, address: Address, slot: int) -> int:
        """Return one word as it stands now."""
        return self._storage.get(address, {}).get(slot, 0)

    def set_call(self, address: Address, calldata: bytes, answer: CallAnswer) -> None:
        """Set what a call returns, for contracts without a layout."""
        self._codes.setdefault(address, _DEFAULT_CODE_HASH)
        self._calls[address, calldata] = answer

    def calls(self) -> Mapping[tuple[Address, bytes], CallAnswer]:
        """Return a copy of all calls."""
        return MappingProxyType(dict(self._calls))

    def accounts(self) -> Mapping[Address, FakeAccount]:
        """Return a copy of all accounts with their tries; those that did not change are not built again."""
        return MappingProxyType({address: self._account(address) for address in self._addresses()})

    def restore(self, block: FakeBlock) -> None:
        """Go back to the state of a block."""
        self._balances = {address: account.balance for address, account in block.accounts.items()}
        self._codes = {address: account.code_hash for address, account in block.accounts.items()}
        self._storage = {address: dict(account.storage) for address, account in block.accounts.items()}
        self._tries = {address: (account.storage, account.trie) for address, account in block.accounts.items()}
        self._calls = dict(block.calls)

    def _addresses(self) -> Iterator[Address]:
        for address in sorted(self._balances.keys() | self._codes.keys()):
            if self._balances.get(address) or self._codes.get(address, EMPTY_CODE_HASH) != EMPTY_CODE_HASH:
                yield address

    def _account(self, address: Address) -> FakeAccount:
        if address not in self._tries:
            slots = dict(self._storage.get(address, {}))
            leaves = {keccak256(slot.to_bytes(32, "big")): encode(encode_uint(value)) for slot, value in slots.items()}
            self._tries[address] = MappingProxyType(slots), build_trie(leaves)
        storage, trie = self._tries[address]
        code_hash = self._codes.get(address, EMPTY_CODE_HASH)
        return FakeAccount(self._balances.get(address, 0), code_hash, storage, trie)


def seal_block(
    chain: ChainId, state: FakeState, parent: BlockRef | None, timestamp_s: int, shape: HeaderShape, salt: int
) -> FakeBlock:
    """Build the next block over the state as it stands; `salt` makes siblings differ."""
    accounts = state.accounts()
    trie = build_trie({keccak256(address): account.body for address, account in accounts.items()})
    number = 0 if parent is None else parent.number + 1
    parent_hash = Hash32(bytes(32)) if parent is None else parent.hash
    fields = {
        **blank_fields(shape),
        "parentHash": parent_hash,
        "stateRoot": trie.root,
        "number": number,
        "timestamp": timestamp_s,
        "extraData": salt.to_bytes(8, "big"),
    }
    header = encode_header(fields, shape)
    ref = BlockRef(chain, number, Hash32(keccak256(header)), parent_hash, Hash32(trie.root), timestamp_s)
    return FakeBlock(ref, header, accounts, state.calls(), trie)
