"""A chain in memory with real tries: what it says of itself is true, and tests change what they need to.

Levels, words and proofs come from the storage given here, by the library's own layouts and trie builder; expected
values in tests are written by hand beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from proofs.account import EMPTY_CODE_HASH, AccountAnswer
from proofs.header import HeaderShape, blank_fields, encode_header
from proofs.keccak import keccak256
from proofs.layouts import BlockLayout, Layout
from proofs.rlp import encode, encode_uint
from proofs.sheet import (
    AccountList,
    AccountListSpec,
    CellStatus,
    ColumnSpec,
    ReadMode,
    Sheet,
    column_from_rows,
)
from proofs.snapshot import Anchor, ChainReading, ContractProof, Votes
from proofs.trie import BuiltTrie, build_trie
from proofs.types import AccountId, Address, BlockRef, ChainId, Finality, Hash32
from proofs.verify import proof_requests

CHAIN = ChainId("eip155:31337001")
AGREED = Votes(("alpha", "beta"), 2, reached=True)


@dataclass
class Contract:
    storage: dict[int, int] = field(default_factory=dict)
    balance: int = 0
    nonce: int = 1
    code_hash: bytes = keccak256(b"code")

    def trie(self) -> BuiltTrie:
        words = {slot: value for slot, value in self.storage.items() if value}
        return build_trie({_slot_key(slot): encode(encode_uint(value)) for slot, value in words.items()})


def _slot_key(slot: int) -> bytes:
    return keccak256(slot.to_bytes(32, "big"))


@dataclass
class MemoryChain:
    chain: ChainId = CHAIN
    contracts: dict[bytes, Contract] = field(default_factory=dict)
    number: int = 7
    timestamp_s: int = 1_700_000_000

    def state(self) -> BuiltTrie:
        bodies = {}
        for address, contract in self.contracts.items():
            parts = (
                encode_uint(contract.nonce),
                encode_uint(contract.balance),
                contract.trie().root,
                contract.code_hash,
            )
            bodies[keccak256(address)] = encode(parts)
        return build_trie(bodies)

    def anchor(self, finality: Finality = Finality.SAFE) -> Anchor:
        fields: dict[str, bytes | int] = {
            **blank_fields(HeaderShape.PRAGUE),
            "parentHash": keccak256(b"parent"),
            "stateRoot": self.state().root,
            "number": self.number,
            "timestamp": self.timestamp_s,
        }
        rlp = encode_header(fields, HeaderShape.PRAGUE)
        block = BlockRef(
            self.chain,
            self.number,
            Hash32(keccak256(rlp)),
            Hash32(keccak256(b"parent")),
            Hash32(self.state().root),
            self.timestamp_s,
        )
        return Anchor(block, rlp, finality, AGREED)

    def answer(self, target: bytes, slots: Sequence[int]) -> AccountAnswer:
        contract = self.contracts.get(target, Contract(nonce=0, code_hash=EMPTY_CODE_HASH))
        trie = contract.trie()
        storage = tuple((slot, contract.storage.get(slot, 0), trie.prove(_slot_key(slot))) for slot in slots)
        account_proof = self.state().prove(keccak256(target))
        return AccountAnswer(
            target, contract.nonce, contract.balance, trie.root, contract.code_hash, account_proof, storage
        )

    def words(self, spec: ColumnSpec, row: bytes) -> tuple[int, ...] | CellStatus:
        if spec.mode is ReadMode.NATIVE_BALANCE:
            return (self.contracts[row].balance if row in self.contracts else 0,)
        assert spec.layout is not None, "a column without layout needs given words"
        storage = self.contracts[spec.target].storage
        layout: Layout | None = spec.layout
        if isinstance(layout, BlockLayout):
            shared = tuple(self.contracts[address].storage.get(slot, 0) for address, slot in layout.shared())
            layout = layout.bind(shared, self.timestamp_s)
        if layout is None:
            return CellStatus.FAILED
        words = layout.decode(tuple(storage.get(slot, 0) for slot in spec.layout.slots(row)))
        return CellStatus.FAILED if words is None else words

    def reading(
        self,
        columns: Sequence[ColumnSpec],
        lists: Sequence[AccountListSpec] = (),
        listed: Sequence[AccountList] = (),
        given: Mapping[str, list[tuple[int, ...] | CellStatus]] | None = None,
        natives: Sequence[bytes] = (),
    ) -> ChainReading:
        """Answer the questions truly, with proofs of all that can be proven; `given` are words without layout."""
        answered = given or {}
        answers = tuple(
            column_from_rows(
                spec.name, spec.signed, answered.get(spec.name) or [self.words(spec, row) for row in spec.rows]
            )
            for spec in columns
        )
        sheet = Sheet(self.chain, tuple(listed), answers)
        asked = [*proof_requests(lists, listed, columns), *((Address(address), ()) for address in natives)]
        proofs = tuple(ContractProof("gamma", self.answer(target, slots)) for target, slots in asked)
        return ChainReading(self.anchor(), tuple(lists), tuple(columns), sheet, AGREED, proofs)


def account(number: int) -> AccountId:
    return AccountId(bytes(12) + address(number))


def address(number: int) -> Address:
    return Address(number.to_bytes(20, "big"))
