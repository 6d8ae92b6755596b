"""INV-5, cell by cell: level 2 is given only where every slot that the cell rests on is proven in the reading itself.

The expectation knows nothing of the verifier: it looks into the proofs that are left for the contract, each slot of the
row, each slot that all rows share, and each slot of a pin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.keccak import keccak256
from proofs.layouts import BlockLayout, ScaledSupply, mapping_slot
from proofs.pins import EIP1967_SLOT, CodePin, proxy_pins
from proofs.sheet import AccountList, Cells, ColumnSpec, ReadMode, code_pins
from proofs.snapshot import ChainReading, ContractProof, Reason, Unavailable
from proofs.types import Assurance, Hash32
from proofs.verify import proof_requests, verify_chain
from tests.proofs.memory_chain import Contract, MemoryChain, address
from tests.proofs.one_reading import CODE, ROWS, TOKEN, box_list, memory_chain, token_column

LOGIC, POOL, ASSET, SCALED = address(0xD1), address(0xE1), address(0xE2), address(0xE3)
HOLDERS = tuple(address(number) for number in (1, 2, 3))
LOGIC_CODE = Hash32(keccak256(b"logic"))
RATE = ScaledSupply(52, POOL, ASSET)
Slot = tuple[bytes, int | None]
"""A contract and one of its slots, or None for its account alone."""


def world() -> MemoryChain:
    """Return a token behind a proxy, a scaled balance whose index another contract holds, and coins."""
    chain = memory_chain()
    chain.contracts[TOKEN].storage[EIP1967_SLOT] = int.from_bytes(LOGIC, "big")
    chain.contracts[LOGIC] = Contract(code_hash=LOGIC_CODE)
    chain.contracts[POOL] = Contract({slot: 10**27 for _, slot in RATE.shared()})
    chain.contracts[SCALED] = Contract({mapping_slot(52, HOLDERS[0].rjust(32, b"\0")): 77})
    return chain


def questions(*, pinned: bool) -> tuple[ColumnSpec, ...]:
    code = CODE if pinned else None
    token = token_column(code_hash=code, pins=proxy_pins(TOKEN, CODE, LOGIC, LOGIC_CODE) if pinned else ())
    pool = (CodePin(POOL, CODE),) if pinned else ()
    scaled = ColumnSpec("scaled", SCALED, ReadMode.CALL, b"\1\2\3\4", HOLDERS, (False,), RATE, code, pins=pool)
    coins = ColumnSpec("coins", address(0), ReadMode.NATIVE_BALANCE, b"", (*HOLDERS[:2], TOKEN), (False,))
    return token, replace(token, name="token again"), scaled, coins


def whole(cells: tuple[Cells, ...], *, pinned: bool) -> ChainReading:
    """Return a true reading with every proof that is asked for where of some columns only these cells are."""
    chain = world()
    lists, listed = (replace(box_list(), code_hash=CODE if pinned else None),), (AccountList("box", ROWS),)
    columns = questions(pinned=pinned)
    proofs = tuple(
        ContractProof("gamma", chain.answer(target, slots))
        for target, slots in proof_requests(lists, listed, columns, cells)
    )
    return replace(chain.reading(columns, lists, listed), proofs=proofs, cells=cells)


def rests_on(spec: ColumnSpec, row: bytes) -> Iterator[Slot]:
    if spec.layout is None:
        yield row, None
        return
    yield spec.target, None
    yield from ((spec.target, slot) for slot in spec.layout.slots(row))
    if isinstance(spec.layout, BlockLayout):
        yield from spec.layout.shared()
    for pin in code_pins(spec):
        yield pin.address, None
        yield from ((pin.address, slot) for slot, _ in pin.slots)


def proven_slots(reading: ChainReading) -> set[Slot]:
    answers = [proof.answer for proof in reading.proofs]
    accounts: set[Slot] = {(answer.address, None) for answer in answers}
    return accounts | {(answer.address, entry[0]) for answer in answers for entry in answer.storage}


rows_asked = st.none() | st.sets(st.integers(0, 2)).map(lambda rows: tuple(sorted(rows)))
some_cells = st.fixed_dictionaries(dict.fromkeys(("token", "token again", "scaled", "coins"), rows_asked)).map(
    lambda asked: tuple(Cells(name, rows) for name, rows in asked.items() if rows is not None)
)


@given(some_cells, st.booleans(), st.sets(st.integers(0, 9)))
def test_inv_05_level_2__every_slot_of_the_cell_is_in_the_proofs(
    cells: tuple[Cells, ...], pinned: bool, dropped: set[int]
) -> None:
    """Contracts left out whole, and rows that nobody asked to be proven."""
    reading = whole(cells, pinned=pinned)
    kept = tuple(proof for at, proof in enumerate(reading.proofs) if at not in dropped)

    outcome = verify_chain(replace(reading, proofs=kept), devnet=not pinned)

    assert not isinstance(outcome, Unavailable), str(outcome)
    proven = proven_slots(replace(reading, proofs=kept))
    for spec in reading.columns:
        for row in spec.rows:
            if outcome.assurance(spec.name, row) >= Assurance.STATE_PROOF:
                assert proven.issuperset(rests_on(spec, row)), f"{spec.name} {row.hex()}"


@pytest.mark.parametrize("pinned", [True, False])
def test_inv_05_one_slot_left_out__no_cell_of_the_chain_is_believed(pinned: bool) -> None:
    """An answer without a slot that was asked is refused as a whole: there is no half-proven contract."""
    reading = whole((), pinned=pinned)
    for at, proof in enumerate(reading.proofs):
        for number in range(len(proof.answer.storage)):
            fewer = proof.answer.storage[:number] + proof.answer.storage[number + 1 :]
            spoilt = replace(proof, answer=replace(proof.answer, storage=fewer))
            outcome = verify_chain(
                replace(reading, proofs=(*reading.proofs[:at], spoilt, *reading.proofs[at + 1 :])), devnet=not pinned
            )

            assert isinstance(outcome, Unavailable)
            assert outcome.reason is Reason.INVALID_PROOF


def test_inv_05_nothing_left_out__cells_are_proven() -> None:
    """The neighbour of the laws above: with all proofs every provable cell has level 2."""
    reading = whole((Cells("coins", (0, 1, 2)),), pinned=True)

    outcome = verify_chain(reading, devnet=False)

    assert not isinstance(outcome, Unavailable), str(outcome)
    assert {level for spec in reading.columns for level in outcome.levels(spec.name) or b""} == {Assurance.STATE_PROOF}
