"""One reading of one chain, as it is asked and as tests change it."""

from __future__ import annotations

from dataclasses import replace

from proofs.keccak import keccak256
from proofs.layouts import AccountArray, SolidityMapping, array_slot, mapping_slot
from proofs.sheet import (
    AccountList,
    AccountListSpec,
    CellStatus,
    ColumnSpec,
    ReadMode,
    column_from_rows,
)
from proofs.snapshot import ChainReading, Unavailable
from proofs.types import Hash32
from proofs.verify import (
    VerifiedChain,
    verify_chain,
)
from tests.proofs.memory_chain import Contract, MemoryChain, account, address

TOKEN = address(0xAA)
BOX = address(0xBB)
CODE = Hash32(keccak256(b"code"))
ROWS = tuple(account(number) for number in range(1, 5))
BALANCES = (100, 0, 2**127, 2**200)


def token_column(**changes: object) -> ColumnSpec:
    spec = ColumnSpec("token", TOKEN, ReadMode.CALL, b"\x70\xa0\x82\x31", ROWS, (False,), SolidityMapping(3), CODE)
    return replace(spec, **changes)


def price_column() -> ColumnSpec:
    return ColumnSpec("price", address(0xCC), ReadMode.CALL, b"\x50\xd2\x5b\xcd", (b"",), (True, False))


def native_column() -> ColumnSpec:
    return ColumnSpec("native", address(0), ReadMode.NATIVE_BALANCE, b"", (address(1), address(2)), (False,))


def box_list() -> AccountListSpec:
    return AccountListSpec("box", BOX, b"\x01\x02\x03\x04", AccountArray(0), CODE)


def memory_chain() -> MemoryChain:
    token = Contract({mapping_slot(3, row): value for row, value in zip(ROWS, BALANCES, strict=True)})
    elements = {array_slot(0, index): int.from_bytes(row, "big") for index, row in enumerate(ROWS)}
    box = Contract({0: len(ROWS), **elements})
    return MemoryChain(
        contracts={TOKEN: token, BOX: box, address(1): Contract(balance=5 * 10**18), address(0xCC): Contract()}
    )


def reading() -> ChainReading:
    return memory_chain().reading(
        (token_column(), price_column(), native_column()),
        (box_list(),),
        (AccountList("box", ROWS),),
        {"price": [(-3, 1_700_000_000)]},
        (address(1),),
    )


def believed(subject: ChainReading, *, devnet: bool = False) -> VerifiedChain:
    outcome = verify_chain(subject, devnet=devnet)
    assert isinstance(outcome, VerifiedChain), str(outcome)
    return outcome


def refused(subject: ChainReading, *, devnet: bool = False) -> Unavailable:
    outcome = verify_chain(subject, devnet=devnet)
    assert isinstance(outcome, Unavailable)
    return outcome


def with_words(subject: ChainReading, name: str, rows: list[tuple[int, ...] | CellStatus]) -> ChainReading:
    columns = tuple(
        column_from_rows(name, column.signed, rows) if column.name == name else column
        for column in subject.sheet.columns
    )
    return replace(subject, sheet=replace(subject.sheet, columns=columns))


def with_answer(subject: ChainReading, target: bytes, **changes: object) -> ChainReading:
    proofs = tuple(
        replace(proof, answer=replace(proof.answer, **changes)) if proof.answer.address == target else proof
        for proof in subject.proofs
    )
    return replace(subject, proofs=proofs)
