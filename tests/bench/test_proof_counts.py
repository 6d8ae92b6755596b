"""What proving costs a chain of many accounts, in keys and calls; counts.json is the gate, no machine's time is.

Nothing is sent: the requests of a frame follow from policy, accounts and agreed readings alone.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from chains.families.evm_source import PROOF_KEYS_PER_CALL
from proofs.sheet import AccountList, Column, ColumnSpec, Sheet, column_from_rows
from proofs.snapshot import ChainReading
from proofs.types import AccountId
from relayer.pipeline.reading import FrameReader
from relayer.plan import column_specs, proof_requests
from relayer.plan_cells import WHOLE_KEYS_MAX, cells_of, needs_prices
from tests.relayer.fake_world import ALICE, CHAINS, FRAME, FakeWorld, ManualClock, account, make_policy

COUNTS = json.loads((Path(__file__).parent / "counts.json").read_text())["proofs"]
POLICY = make_policy()
HOME = CHAINS["A"]


async def reading_of(accounts: int, rich_every: int) -> ChainReading:
    """Return the venue's chain with so many accounts, each with a lock of 10 USD, some with one of 10,000."""
    world = FakeWorld()
    world.lock("A", "USDX", ALICE, 1)
    world.mine_to(FRAME + 3)
    read = await FrameReader(POLICY, world.adapters, ManualClock(world.now_s)).read(FRAME)
    small = read.evidence[HOME]
    named = tuple(sorted(account(str(number)) for number in range(accounts)))
    columns = column_specs(POLICY, named)[HOME]
    sheet = Sheet(
        HOME,
        tuple(AccountList(spec.name, named) for spec in small.account_lists),
        tuple(_answer(spec, small, named, rich_every) for spec in columns),
    )
    return replace(small, columns=columns, sheet=sheet, proofs=(), cells=())


def _answer(spec: ColumnSpec, small: ChainReading, named: tuple[AccountId, ...], rich_every: int) -> Column:
    if spec.rows == (b"",):
        return next(column for column in small.sheet.columns if column.name == spec.name)
    if "lockbox" in spec.name and "erc20" in spec.name:
        return column_from_rows(
            spec.name, spec.signed, [(10**10 if at % rich_every == 0 else 10**7,) for at in range(len(named))]
        )
    return column_from_rows(spec.name, spec.signed, [(0,) * spec.width for _ in named])


def asked(reading: ChainReading) -> tuple[int, int]:
    """Return keys and eth_getProof calls of a reading's proofs."""
    sizes = [len(request.slots) for request in proof_requests(reading)]
    return sum(sizes), sum(max(1, -(-size // PROOF_KEYS_PER_CALL)) for size in sizes)


async def test_proofs__many_accounts__single_cells_cost_no_more_than_is_counted() -> None:
    large = COUNTS["large"]
    reading = await reading_of(large["accounts"], large["rich_every"])
    (cells,) = cells_of(POLICY, {HOME: reading}).values()

    whole, single = asked(reading), asked(replace(reading, cells=cells))

    assert needs_prices(POLICY, reading)
    assert whole[0] >= large["whole_keys"]["at_least"]
    assert single[0] <= large["keys"]["at_most"]
    assert single[1] <= large["calls"]["at_most"] < whole[1]


async def test_proofs__few_accounts__are_whole_and_fit_one_request() -> None:
    small = COUNTS["small"]
    reading = await reading_of(small["accounts"], 1)

    assert not needs_prices(POLICY, reading)
    assert cells_of(POLICY, {HOME: reading}) == {HOME: ()}
    assert max(len(request.slots) for request in proof_requests(reading)) <= WHOLE_KEYS_MAX
    assert asked(reading)[1] <= small["calls"]["at_most"]
