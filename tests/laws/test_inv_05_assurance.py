"""INV-5: assurance is never overstated; weaker evidence never raises a level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.sheet import CellStatus, column_from_rows
from proofs.snapshot import ChainReading, Unavailable, Votes
from proofs.types import Assurance, Hash32
from proofs.verify import VerifiedChain, verify_chain
from tests.proofs.evidence_frame import home_reading

READING = home_reading()
CELLS = tuple((spec.name, row) for spec in READING.columns for row in spec.rows)
Weakening = Callable[[ChainReading, int], ChainReading]


def drop_proof(reading: ChainReading, number: int) -> ChainReading:
    kept = tuple(proof for at, proof in enumerate(reading.proofs) if at != number % max(len(reading.proofs), 1))
    return replace(reading, proofs=kept)


def drop_layout(reading: ChainReading, number: int) -> ChainReading:
    """Ask without layout; a proof of what is no longer asked is left out with it."""
    place = number % len(reading.columns)
    columns = tuple(replace(spec, layout=None) if at == place else spec for at, spec in enumerate(reading.columns))
    target = reading.columns[place].target
    return replace(
        reading,
        columns=columns,
        account_lists=tuple(replace(spec, layout=None) for spec in reading.account_lists),
        proofs=tuple(proof for proof in reading.proofs if proof.answer.address != target),
    )


def drop_pin(reading: ChainReading, number: int) -> ChainReading:
    place = number % len(reading.columns)
    columns = tuple(replace(spec, code_hash=None) if at == place else spec for at, spec in enumerate(reading.columns))
    return replace(reading, columns=columns)


def other_pin(reading: ChainReading, number: int) -> ChainReading:
    place = number % len(reading.columns)
    columns = tuple(
        replace(spec, code_hash=Hash32(b"\7" * 32)) if at == place else spec for at, spec in enumerate(reading.columns)
    )
    return replace(reading, columns=columns)


def lose_a_cell(reading: ChainReading, number: int) -> ChainReading:
    place = number % len(reading.columns)
    column = reading.sheet.columns[place]
    row = number // 7 % len(column.status)
    rows: list[tuple[int, ...] | CellStatus] = [
        words if words is not None else CellStatus(column.status[at]) for at, words in enumerate(column.rows())
    ]
    rows[row] = CellStatus.FAILED if number % 2 else CellStatus.UNAVAILABLE
    columns = list(reading.sheet.columns)
    columns[place] = column_from_rows(column.name, column.signed, rows)
    return replace(reading, sheet=replace(reading.sheet, columns=tuple(columns)))


def lose_a_vote(reading: ChainReading, number: int) -> ChainReading:
    fewer = replace(reading.sheet_votes, agreed=reading.sheet_votes.agreed[1:])
    if number % 2:
        return replace(reading, sheet_votes=fewer)
    return replace(reading, anchor=replace(reading.anchor, votes=fewer))


def spoil_a_proof(reading: ChainReading, number: int) -> ChainReading:
    if not reading.proofs:
        return reading
    place = number % len(reading.proofs)
    proof = reading.proofs[place]
    spoilt = replace(proof, answer=replace(proof.answer, account_proof=proof.answer.account_proof[:-1]))
    return replace(reading, proofs=(*reading.proofs[:place], spoilt, *reading.proofs[place + 1 :]))


WEAKENINGS: tuple[Weakening, ...] = (
    drop_proof,
    drop_layout,
    drop_pin,
    other_pin,
    lose_a_cell,
    lose_a_vote,
    spoil_a_proof,
)


def levels(reading: ChainReading, *, devnet: bool) -> dict[tuple[str, bytes], Assurance]:
    outcome = verify_chain(reading, devnet=devnet)
    if isinstance(outcome, Unavailable):
        return dict.fromkeys(CELLS, Assurance.SINGLE_RPC)
    return {cell: outcome.assurance(*cell) for cell in CELLS}


@given(st.lists(st.tuples(st.sampled_from(WEAKENINGS), st.integers(0, 1000)), min_size=1, max_size=4), st.booleans())
def test_inv_05_weaker_evidence__never_raises_a_level(steps: list[tuple[Weakening, int]], devnet: bool) -> None:
    """Compared with the whole evidence: to take away what was refuted is no weakening."""
    reading = READING
    whole = levels(READING, devnet=devnet)
    for weaken, number in steps:
        reading = weaken(reading, number)
        after = levels(reading, devnet=devnet)

        assert all(after[cell] <= whole[cell] for cell in CELLS)


@given(st.lists(st.tuples(st.sampled_from(WEAKENINGS), st.integers(0, 1000)), max_size=3))
def test_inv_05_cells_of_level_0__have_no_value(steps: list[tuple[Weakening, int]]) -> None:
    reading = READING
    for weaken, number in steps:
        reading = weaken(reading, number)

    outcome = verify_chain(reading, devnet=True)

    if isinstance(outcome, VerifiedChain):
        for cell in CELLS:
            assert (outcome.cell(*cell) is None) == (outcome.assurance(*cell) is Assurance.SINGLE_RPC)


@given(st.integers(1, 9), st.integers(0, 9), st.booleans())
def test_inv_05_level_1__needs_two_thirds_of_the_configured(configured: int, agreeing: int, devnet: bool) -> None:
    agreed = tuple(f"provider {number}" for number in range(min(agreeing, configured)))
    votes = Votes(agreed, configured, reached=True)
    reading = replace(READING, sheet_votes=votes, anchor=replace(READING.anchor, votes=votes))

    is_believed = isinstance(verify_chain(reading, devnet=devnet), VerifiedChain)

    alone_counts = devnet and configured == len(agreed) == 1
    assert is_believed is (len(agreed) * 3 >= configured * 2 and (len(agreed) >= 2 or alone_counts))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("locks", Assurance.STATE_PROOF),
        ("price", Assurance.RPC_QUORUM),
    ],
)
def test_inv_05_table__from_evidence_to_level(column: str, expected: Assurance) -> None:
    outcome = verify_chain(READING, devnet=False)

    assert isinstance(outcome, VerifiedChain)
    assert set(outcome.levels(column) or b"") == {expected}


def test_inv_05_highest_level__is_never_claimed_without_an_authenticated_header() -> None:
    assert max(levels(READING, devnet=True).values()) is Assurance.STATE_PROOF
