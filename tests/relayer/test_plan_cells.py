"""Cells: what a frame proves of chains too large to be proven whole, and that everybody names the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.devnet.policy import free_sources, policy_document
from proofs.bundle import Verdict, read_bundle
from proofs.sheet import Cells, CellStatus, column_from_rows
from proofs.signers import SignerSet
from proofs.snapshot import ChainReading, Reason, Unavailable
from proofs.types import AccountId, Assurance, Quality
from proofs.verify import VerifiedChain
from relayer import plan_cells
from relayer.audit import audit_bundle
from relayer.config.policy import Policy
from relayer.margin.market import Market, NoPrice, Price
from relayer.margin.rulesets.position import required_assurance
from relayer.pipeline.reading import FrameReader, Readings
from relayer.plan_cells import cells_of, demanded_rows, least_demanding, needs_prices
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import (
    ALICE,
    BOB,
    CAROL,
    CHAINS,
    FRAME,
    SIGNER,
    FakeWorld,
    ManualClock,
    described,
    make_bench,
    make_policy,
)

POLICY = make_policy()
RULES = POLICY.rules
SIGNERS = SignerSet((SIGNER.address,), 1, 0)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every contract with an account be too large to be proven whole."""
    monkeypatch.setattr(plan_cells, "WHOLE_KEYS_MAX", 2)


def rich_and_poor() -> FakeWorld:
    """Alice is worth 5,000 on A and 6,000 on B, Bob 500 on A, Carol trades 300 on A and has 600 on B."""
    world = FakeWorld()
    world.lock("A", "USDX", ALICE, 5_000 * 10**6)
    world.lock("A", "USDX", BOB, 500 * 10**6)
    world.lock("B", "BTC", ALICE, 10**7)
    world.lock("B", "BTC", CAROL, 10**6)
    world.position(CAROL, "ETH-PERP", 10**17, 3_000)
    world.mine_to(FRAME + 3)
    return world


def reader(world: FakeWorld, policy: Policy = POLICY) -> FrameReader:
    return FrameReader(policy, world.adapters, ManualClock(world.now_s))


def levels(readings: Readings, name: str) -> dict[str, bytes]:
    """Return the levels of the sources' columns of a chain by the symbol that they hold, or the market's name."""
    chain = next(one for one in readings.outcomes if one.chain == CHAINS[name])
    assert isinstance(chain, VerifiedChain)
    sources = (*RULES.collateral, *RULES.positions)
    return {one.symbol: chain.levels(one.column) for one in sources if one.chain == CHAINS[name]}


def of_accounts(readings: Readings, told: dict[AccountId, int]) -> bytes:
    return bytes(told[account] for account in readings.accounts)


# --- a frame ---------------------------------------------------------------------------------------------------------


async def test_small_contracts__are_proven_whole_without_prices() -> None:
    readings = await reader(rich_and_poor()).read(FRAME)

    assert readings.priced_by == frozenset()
    assert all(reading.cells == () for reading in readings.evidence.values())
    assert levels(readings, "A")["USDX"] == bytes([2, 2, 2])


async def test_large_contracts__have_proven_what_is_worth_more_than_the_quorum_carries(large: None) -> None:
    readings = await reader(rich_and_poor()).read(FRAME)

    assert readings.priced_by == set(CHAINS.values())
    assert levels(readings, "A")["USDX"] == of_accounts(readings, {ALICE: 2, BOB: 1, CAROL: 1})
    assert levels(readings, "B")["BTC"] == of_accounts(readings, {ALICE: 2, BOB: 1, CAROL: 1})
    # Of Alice all is proven, that she has no position too; Carol's position of 300 is below the limit.
    assert levels(readings, "A")["ETH"] == of_accounts(readings, {ALICE: 2, BOB: 1, CAROL: 1})


async def test_large_contracts__frame__is_signed_and_recomputed_by_a_stranger(
    large: None, file_store: SqliteStore
) -> None:
    bench = make_bench(rich_and_poor(), file_store)
    await bench.pipeline.start()

    result = await bench.pipeline.run_frame(FRAME)

    archive = await file_store.bundle(POLICY.policy_id, FRAME)
    report = audit_bundle(read_bundle(archive), {})
    assert [check for check in report.checks if check.fault] == []
    assert report.verdict is Verdict.VERIFIED
    assert [view.leaf for view in report.views] == [view.leaf for view in result.views]
    assert {view.account: view.assurance for view in result.views} == {ALICE: 2, BOB: 1, CAROL: 1}
    alice = next(view for view in result.views if view.account == ALICE)
    assert [line.assurance for line in alice.lines] == [Assurance.STATE_PROOF, Assurance.STATE_PROOF]
    assert alice.quality == Quality.DEVNET  # nothing is missing: what needed a proof has one


async def test_cells__other_than_the_policy_demands__are_found_by_the_audit(
    large: None, file_store: SqliteStore
) -> None:
    bench = make_bench(rich_and_poor(), file_store)
    await bench.pipeline.start()
    await bench.pipeline.run_frame(FRAME)
    contents = read_bundle(await file_store.bundle(POLICY.policy_id, FRAME))
    outcomes = tuple(
        plan_cells.trimmed(one, tuple(Cells(cells.column, ()) for cells in one.cells))
        for one in contents.snapshot.outcomes
        if isinstance(one, ChainReading)
    )

    report = audit_bundle(replace(contents, snapshot=replace(contents.snapshot, outcomes=outcomes)), {})

    faults = {check.file: check.fault for check in report.checks if check.fault}
    assert report.verdict is Verdict.FAILED
    assert "not the cells that the policy demands" in faults["questions/eip155-31337001.json"]


# --- the same on every relayer ---------------------------------------------------------------------------------------


async def test_settled__chain_given_up_by_the_plan__leaves_what_one_holds_who_never_had_it(large: None) -> None:
    """Chain A has all prices: without it nothing on B demands a proof."""
    with_it, without_it = rich_and_poor(), rich_and_poor()
    without_it.chains["A"].fail(Reason.RPC_UNREACHABLE, "read")
    reading = reader(with_it)
    whole, less = await reading.read(FRAME), await reader(without_it).read(FRAME)
    gone = next(one for one in less.outcomes if isinstance(one, Unavailable))

    settled = await reading.settled(whole, [gone if one.chain == gone.chain else one for one in whole.outcomes])

    for name in "BC":
        assert settled.evidence[CHAINS[name]] == less.evidence[CHAINS[name]]
        ours, theirs = (next(one for one in these.outcomes if one.chain == CHAINS[name]) for these in (settled, less))
        assert isinstance(ours, VerifiedChain)
        assert isinstance(theirs, VerifiedChain)
        assert [ours.levels(spec.name) for spec in ours.columns] == [theirs.levels(spec.name) for spec in ours.columns]
    assert levels(settled, "B")["BTC"] == bytes([1, 1, 1])
    assert levels(whole, "B")["BTC"] != bytes([1, 1, 1])


async def test_settled__nothing_given_up__is_what_was_read(large: None) -> None:
    reading = reader(rich_and_poor())
    readings = await reading.read(FRAME)

    assert await reading.settled(readings, readings.outcomes) == readings


async def test_cells__chain_with_prices_whose_proof_fails__are_decided_without_it(
    large: None, file_store: SqliteStore
) -> None:
    world = rich_and_poor()
    world.chains["A"].lie_proof("fake-1", "fake-2", "fake-3")
    bench = make_bench(world, file_store)
    await bench.pipeline.start()

    result = await bench.pipeline.run_frame(FRAME)

    assert [gone.chain for gone in result.snapshot.missing] == [CHAINS["A"]]
    report = audit_bundle(read_bundle(await file_store.bundle(POLICY.policy_id, FRAME)), {})
    assert [check for check in report.checks if check.fault] == []


# --- native balances -------------------------------------------------------------------------------------------------


def policy_with_native() -> Policy:
    world = described(SIGNERS)
    native = [table for table in free_sources(world) if table["kind"] == "native"]
    weights = {"escrowed": "1", "protocol_locked": "0.9", "approved": "0.5", "free": "0.5"}
    return make_policy(encumbrance=weights, source=[*policy_document(world)["source"], *native])


async def test_native_balance__that_needs_a_proof__gets_the_proof_of_its_holder() -> None:
    policy, world = policy_with_native(), rich_and_poor()
    rich, poor = ALICE[12:], BOB[12:]
    world.chains["A"].set_balance(rich, 10**18)
    world.chains["A"].set_balance(poor, 10**16)
    world.mine_to(FRAME + 9)
    (source,) = [one for one in policy.rules.collateral if one.holder is None]

    readings = await FrameReader(policy, world.adapters, ManualClock(world.now_s)).read(FRAME + 6)

    chain = next(one for one in readings.outcomes if one.chain == CHAINS["A"])
    assert isinstance(chain, VerifiedChain)
    assert chain.assurance(source.column, rich) is Assurance.STATE_PROOF
    assert chain.assurance(source.column, poor) is Assurance.RPC_QUORUM
    assert chain.cell(source.column, rich) == (10**18,)


async def test_th_047_native_balances__more_than_are_proven_at_one_block__chain_is_missing_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy, world = policy_with_native(), rich_and_poor()
    for account in (ALICE, BOB, CAROL):
        world.chains["A"].set_balance(account[12:], 10**18)
    world.mine_to(FRAME + 9)
    reader = FrameReader(policy, world.adapters, ManualClock(world.now_s))
    asked = len((await reader.read(FRAME + 6)).evidence[CHAINS["A"]].proofs)
    monkeypatch.setattr("proofs.evidence.PROOF_TARGETS_MAX", asked - 1)

    readings = await reader.read(FRAME + 6)

    gone = next(one for one in readings.outcomes if one.chain == CHAINS["A"])
    assert isinstance(gone, Unavailable)
    assert (gone.reason, gone.dishonest) == (Reason.LIMIT_EXCEEDED, False)
    assert "raise the policy's value bands" in gone.detail
    assert readings.refuted == ()  # nobody lied


# --- the least word that demands -------------------------------------------------------------------------------------

PRICE = Price("ETH", 3_000 * 10**18, 3_001 * 10**18, Assurance.RPC_QUORUM)
MARKET = Market({"ETH": PRICE})
POSITION = next(source for source in RULES.positions if source.symbol == "ETH")
HOLDING = next(source for source in RULES.collateral if source.symbol == "ETH")


def test_least__by_hand__is_just_above_the_limit() -> None:
    """The policy lets a quorum carry 1,000 USD: at 3,000 that is a third of an ETH, cut; one wei more is above."""
    assert least_demanding(HOLDING, PRICE, RULES) == 333_333_333_333_333_334
    size = least_demanding(POSITION, PRICE, RULES)
    assert size is not None
    assert -(-size * 3001) > 1_000 * 10**18 >= -(-(size - 1) * 3001)


@given(st.integers(0, 10**24))
def test_least__any_amount__demands_as_the_rule_set_requires(amount: int) -> None:
    least = least_demanding(HOLDING, PRICE, RULES)

    marked = amount * 3_000
    assert (amount >= least) == (required_assurance(RULES, marked) > Assurance.RPC_QUORUM)


@given(st.lists(st.integers(-(2**130), 2**130), min_size=1, max_size=20))
def test_rows__of_any_positions__are_those_as_far_from_zero(sizes: list[int]) -> None:
    least = least_demanding(POSITION, PRICE, RULES)
    column = column_from_rows(POSITION.column, (True, True, True), [(size, 0, 0) for size in sizes])

    assert demanded_rows(POSITION, column, MARKET, RULES) == tuple(
        row for row, size in enumerate(sizes) if abs(size) >= least
    )


@given(st.lists(st.integers(0, 2**130) | st.none(), min_size=1, max_size=20))
def test_rows__of_any_holdings__are_those_read_and_large(amounts: list[int | None]) -> None:
    least = least_demanding(HOLDING, PRICE, RULES)
    rows = [CellStatus.FAILED if amount is None else (amount,) for amount in amounts]
    column = column_from_rows(HOLDING.column, (False,), rows)

    assert demanded_rows(HOLDING, column, MARKET, RULES) == tuple(
        row for row, amount in enumerate(amounts) if amount is not None and amount >= least
    )


def test_rows__without_a_price__are_none() -> None:
    column = column_from_rows(HOLDING.column, (False,), [(10**30,)])

    assert demanded_rows(HOLDING, column, Market({"ETH": NoPrice("ETH", "silent")}), RULES) == ()


def test_policy__that_asks_for_no_proof__demands_none() -> None:
    bandless = replace(RULES, assurance=())

    assert least_demanding(HOLDING, PRICE, bandless) is None


def test_policy__that_asks_all_to_be_proven__leaves_dust_alone() -> None:
    """Dust is below 1 USD after the maintenance haircut: 1 / (3,000 x (1 - haircut)) of an ETH, up."""
    strict = replace(RULES, assurance=RULES.assurance[1:])
    (haircut,) = [asset.haircut_maintenance_ppm for asset in RULES.assets if asset.symbol == "ETH"]

    assert least_demanding(HOLDING, PRICE, strict) == -(-(10**18) * 10**6 // (3_000 * (10**6 - haircut)))


async def test_prices__are_needed_only_where_something_is_large_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = await reader(rich_and_poor()).read(FRAME)
    home = readings.evidence[CHAINS["A"]]

    assert not needs_prices(POLICY, home)
    assert cells_of(POLICY, {home.chain: home}) == {home.chain: ()}
    monkeypatch.setattr(plan_cells, "WHOLE_KEYS_MAX", 2)
    assert needs_prices(POLICY, home)
    assert not needs_prices(replace(POLICY, rules=replace(RULES, assurance=())), home)
