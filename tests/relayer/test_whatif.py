"""What-if on a real frame: what was predicted is what the next frame says when the same thing happens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.types import AccountId, LegKind, Status
from proofs.units import E18, PPM
from relayer.book import Book
from relayer.errors import Refused
from relayer.margin.account import Portfolio
from relayer.margin.evaluate import evaluate
from relayer.margin.market import Market, NoPrice, Price
from relayer.margin.rules import MarginRules
from relayer.margin.view import MarginView, Missing
from relayer.store.sqlite import SqliteStore
from relayer.whatif import (
    Change,
    Deposit,
    Flip,
    HaircutSet,
    MarginSet,
    PriceSet,
    PriceShift,
    Trade,
    Withdrawal,
    flips_of,
    under,
    whatif,
)
from tests.relayer.fake_world import ALICE, BOB, CAROL, FRAME, Bench, FakeWorld, make_bench, make_policy
from tests.relayer.margin.build import (
    BTC_PERP,
    ETH_PERP,
    RULES,
    USDX_A,
    USDX_B,
    A,
    B,
    holding,
    market,
    portfolio,
    position,
)
from tests.relayer.margin.strategies import UNHURRIED, cases

FIRST, LATER = FRAME + 6, FRAME + 12
RULES_OF_WORLD = make_policy().rules
USDX, ETH_A, _, BTC_B, _ = (source.column for source in RULES_OF_WORLD.collateral)
ETH_MARKET, BTC_MARKET = (source.column for source in RULES_OF_WORLD.positions)


@pytest.fixture
async def bench(world: FakeWorld, file_store: SqliteStore) -> Bench:
    """Alice is healthy, Bob has a position and no collateral, Carol sold BTC and is a little above maintenance."""
    world.lock("A", "USDX", CAROL, 5_000 * 10**6)
    world.position(CAROL, "BTC-PERP", -E18, 60_000)
    world.mine_to(FIRST + 3)
    bench = make_bench(world, file_store)
    assert len((await bench.pipeline.run_frame(FIRST)).views) == 3
    return bench


def predicted(bench: Bench, account: AccountId, *changes: Change) -> MarginView:
    book = bench.pipeline.book
    assert book is not None
    return whatif(book.reader.portfolio(account), book.market, book.rules, changes).after


async def happened(bench: Bench, world: FakeWorld, account: AccountId) -> MarginView:
    """Let time pass, run the frame that shows what was changed, and return the account's view."""
    world.mine_to(LATER + 3)
    bench.clock.time_s = LATER + 3
    result = await bench.pipeline.run_frame(LATER)
    (view,) = (view for view in result.views if view.account == account)
    return view


def without_blocks(view: MarginView) -> MarginView:
    return replace(view, lines=tuple(replace(line, block_number=0) for line in view.lines))


# --- equal to what happens -------------------------------------------------------------------------------------------


async def test_th_126_deposit__then_made__is_the_view_of_the_next_frame(bench: Bench, world: FakeWorld) -> None:
    asked = predicted(bench, ALICE, Deposit(USDX, 250 * 10**6), Deposit(ETH_A, E18 + 7))

    world.lock("A", "USDX", ALICE, 1_250 * 10**6)
    world.lock("A", "ETH", ALICE, E18 + 7)

    assert without_blocks(await happened(bench, world, ALICE)) == without_blocks(asked)


async def test_th_126_withdrawal__then_made__is_the_view_of_the_next_frame(bench: Bench, world: FakeWorld) -> None:
    asked = predicted(bench, CAROL, Withdrawal(USDX, 2_500 * 10**6))

    world.lock("A", "USDX", CAROL, 2_500 * 10**6)

    assert asked.status is Status.LIQUIDATABLE
    assert without_blocks(await happened(bench, world, CAROL)) == without_blocks(asked)


async def test_th_126_withdrawal__of_everything__leaves_an_account_as_if_it_never_held_it(
    bench: Bench, world: FakeWorld
) -> None:
    asked = predicted(bench, ALICE, Withdrawal(USDX, 1_000 * 10**6))

    world.lock("A", "USDX", ALICE, 0)

    assert without_blocks(await happened(bench, world, ALICE)) == without_blocks(asked)


@pytest.mark.parametrize(
    ("size", "price", "words"),
    [(E18, None, (2 * E18, 3_000)), (3 * E18, 3_400 * E18, (4 * E18, 3_300))],
)
async def test_th_126_trade__that_enlarges__is_the_view_of_the_next_frame(
    bench: Bench, world: FakeWorld, size: int, price: int | None, words: tuple[int, int]
) -> None:
    """1 at 3,000 and 1 at the mark of 3,000 are 2 at 3,000; with 3 at 3,400 they are 4 at 3,300."""
    asked = predicted(bench, ALICE, Trade(ETH_MARKET, size, price))

    world.position(ALICE, "ETH-PERP", *words)

    assert without_blocks(await happened(bench, world, ALICE)) == without_blocks(asked)


async def test_th_126_trade__that_opens_a_market__is_the_view_of_the_next_frame(bench: Bench, world: FakeWorld) -> None:
    asked = predicted(bench, ALICE, Trade(BTC_MARKET, -E18 // 2))

    world.position(ALICE, "BTC-PERP", -E18 // 2, 60_000)

    assert without_blocks(await happened(bench, world, ALICE)) == without_blocks(asked)


async def test_th_126_price__then_moved__is_the_view_of_the_next_frame(bench: Bench, world: FakeWorld) -> None:
    shifted = predicted(bench, ALICE, PriceShift("ETH", -150_000), PriceShift("BTC", 100_000))
    set_ = predicted(
        bench, ALICE, PriceSet("ETH", 2_550 * E18, 2_550 * E18), PriceSet("BTC", 66_000 * E18, 66_000 * E18)
    )

    world.price("ETH", 2_550, FIRST)
    world.price("BTC", 66_000, FIRST)

    assert shifted == set_
    assert without_blocks(await happened(bench, world, ALICE)) == without_blocks(shifted)


async def test_th_126_everything__at_once__is_the_view_of_the_next_frame(bench: Bench, world: FakeWorld) -> None:
    asked = predicted(
        bench,
        CAROL,
        Deposit(USDX, 10**9),
        PriceSet("BTC", 61_000 * E18, 61_000 * E18),
        Trade(BTC_MARKET, -E18),
        Trade(ETH_MARKET, 10**17),
    )

    world.lock("A", "USDX", CAROL, 6_000 * 10**6)
    world.price("BTC", 61_000, FIRST)
    world.position(CAROL, "BTC-PERP", -2 * E18, 60_500)
    world.position(CAROL, "ETH-PERP", 10**17, 3_000)

    assert without_blocks(await happened(bench, world, CAROL)) == without_blocks(asked)


async def test_parameters__of_another_policy__are_the_views_of_a_relayer_that_runs_it(
    bench: Bench, world: FakeWorld, tmp_path: Path
) -> None:
    changes = (HaircutSet("BTC", 300_000, 400_000), MarginSet(ETH_MARKET, 300_000, 200_000))
    asked = predicted(bench, ALICE, *changes)
    policy = make_policy()
    assets = tuple(
        replace(rule, haircut_maintenance_ppm=300_000, haircut_initial_ppm=400_000) if rule.symbol == "BTC" else rule
        for rule in policy.rules.assets
    )
    markets = tuple(
        replace(one, initial_margin_ppm=300_000, maintenance_margin_ppm=200_000) if one.column == ETH_MARKET else one
        for one in policy.rules.positions
    )
    other = replace(policy, rules=replace(policy.rules, assets=assets, positions=markets))
    store = await SqliteStore.open(tmp_path / "other.db")

    result = await make_bench(world, store, other).pipeline.run_frame(FIRST)
    await store.close()

    assert asked == next(view for view in result.views if view.account == ALICE)
    assert bench.pipeline.book is not None
    found = flips_of(bench.pipeline.book, ALICE, changes)
    before = {view.account: view.status for view in bench.pipeline.book.views}
    changed = [(one.account, before[one.account], one.status) for one in result.views]
    assert found.flips == tuple(Flip(*one) for one in changed if one[1] is not one[2])


# --- who flips -------------------------------------------------------------------------------------------------------


def statuses_after(book: Book, account: AccountId, changes: tuple[Change, ...]) -> tuple[Flip, ...]:
    """Evaluate everybody exactly: what the screened list must equal."""
    flips = []
    for one, view in zip(book.accounts, book.views, strict=True):
        own = (
            changes if one == account else tuple(c for c in changes if not isinstance(c, Deposit | Withdrawal | Trade))
        )
        after = whatif(book.reader.portfolio(one), book.market, book.rules, own).after.status
        if after is not view.status:
            flips.append(Flip(one, view.status, after))
    return tuple(flips)


@pytest.mark.parametrize(
    "changes",
    [
        (PriceShift("BTC", 40_000),),
        (PriceShift("BTC", -500_000), PriceShift("ETH", -500_000)),
        (PriceShift("ETH", 5_000_000),),
        (Deposit(USDX, 10**9), PriceShift("BTC", 40_000)),
        (Withdrawal(USDX, 10**9),),
        (HaircutSet("USDX", 900_000, 1_000_000),),
        (MarginSet(ETH_MARKET, 1_000, 1_000), PriceShift("ETH", 100_000)),
        (),
    ],
)
async def test_flips__of_a_small_book__are_those_of_evaluating_everybody(
    bench: Bench, changes: tuple[Change, ...]
) -> None:
    book = bench.pipeline.book
    assert book is not None

    for account in (ALICE, BOB, CAROL):
        own = () if account == BOB and any(isinstance(c, Withdrawal) for c in changes) else changes
        found = flips_of(book, account, own)

        assert found.flips == statuses_after(book, account, own)
        assert (found.screened, found.is_complete) == (3, True)


async def test_flips__price_that_rises__name_who_falls_and_who_recovers(bench: Bench) -> None:
    book = bench.pipeline.book
    assert book is not None

    found = flips_of(book, ALICE, (PriceShift("ETH", 100_000), PriceShift("BTC", 60_000)))

    by_account = {flip.account: (flip.before, flip.after) for flip in found.flips}
    assert by_account == {
        BOB: (Status.LIQUIDATABLE, Status.HEALTHY),
        CAROL: (Status.HEALTHY, Status.LIQUIDATABLE),
    }


async def test_flips__more_candidates_than_looks__say_so(bench: Bench) -> None:
    book = bench.pipeline.book
    assert book is not None

    found = flips_of(book, ALICE, (PriceShift("BTC", 10_000_000), PriceShift("ETH", -500_000)), looks_max=1)

    assert (found.looked_at, found.is_complete) == (1, False)
    assert found.candidates > 1


async def test_whatif__asked__changes_nothing(bench: Bench) -> None:
    book = bench.pipeline.book
    assert book is not None
    views, rules, prices = book.views, book.rules, dict(book.market.prices)

    flips_of(book, ALICE, (PriceShift("ETH", -900_000), MarginSet(ETH_MARKET, PPM, PPM), Deposit(USDX, 1)))

    assert bench.pipeline.book is book
    assert (book.views, book.rules, dict(book.market.prices)) == (views, rules, prices)
    assert whatif(book.reader.portfolio(ALICE), book.market, book.rules, ()).after == next(
        view for view in views if view.account == ALICE
    )


# --- trades by hand --------------------------------------------------------------------------------------------------


def traded(size: int, entry: int, accrued: int, delta: int, price: int | None = None) -> tuple[int, int, int]:
    held = portfolio(position(ETH_PERP, size, entry, accrued))
    prices = market(ETH=(90 * E18, 110 * E18))
    after = whatif(held, prices, RULES, (Trade(ETH_PERP.column, delta, price),)).after
    (line,) = (line for line in after.lines if line.symbol == "ETH")
    assert line.leg is not None
    entry_after = line.leg.entry_value_usd
    mark = 90 * E18 if line.amount_raw > 0 else 110 * E18
    return line.amount_raw, entry_after, line.value_usd - line.amount_raw * mark // E18 + entry_after


@pytest.mark.parametrize(
    ("before", "delta", "price", "after"),
    [
        ((0, 0, 0), E18, None, (E18, 110 * E18, 0)),
        ((0, 0, 0), -E18, None, (-E18, -90 * E18, 0)),
        ((2 * E18, 200 * E18, 5), E18, 50 * E18, (3 * E18, 250 * E18, 5)),
        ((2 * E18, 200 * E18, 5), -E18, 120 * E18, (E18, 100 * E18, 20 * E18 + 5)),
        ((-2 * E18, -200 * E18, 0), E18, 120 * E18, (-E18, -100 * E18, -20 * E18)),
        ((E18, 100 * E18, 0), -3 * E18, 120 * E18, (-2 * E18, -240 * E18, 20 * E18)),
        ((E18, 100 * E18, 0), -E18, None, (0, 0, -10 * E18)),
        ((0, 0, 0), 1, 1, (1, 1, 0)),
        ((0, 0, 0), -1, 1, (-1, 0, 0)),
    ],
)
def test_trade__by_hand__entry_value_and_what_is_realised(
    before: tuple[int, int, int], delta: int, price: int | None, after: tuple[int, int, int]
) -> None:
    assert traded(*before, delta, price) == after


@settings(suppress_health_check=UNHURRIED, max_examples=50)
@given(
    st.integers(-(10**20), 10**20),
    st.integers(-(10**22), 10**22),
    st.integers(-(10**20), 10**20).filter(bool),
    st.integers(1, 10**21),
)
def test_trade__at_the_mark__never_gains_and_costs_a_unit_a_part_at_most(
    size: int, entry: int, delta: int, mark: int
) -> None:
    held = portfolio(position(ETH_PERP, size, entry))

    result = whatif(held, market(ETH=mark), RULES, (Trade(ETH_PERP.column, delta),))

    change = result.after.equity_usd - result.before.equity_usd
    assert -2 <= change <= 1  # ⌊size · mark⌋ is cut once before and once after


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (Deposit(USDX_A.column, 0), "amount"),
        (Deposit(USDX_A.column, -1), "amount"),
        (Withdrawal(USDX_A.column, 11), "not_enough"),
        (Withdrawal(USDX_A.column, -1), "amount"),
        (Deposit(USDX_B.column, 1), "unread"),
        (Deposit("nothing", 1), "unread"),
        (Trade(BTC_PERP.column, 1), "unread"),
        (Trade(ETH_PERP.column, 0), "amount"),
        (Trade(ETH_PERP.column, 1, 0), "price"),
        (PriceShift("USDX", 1), "no_price"),
        (PriceShift("ETH", -PPM), "price"),
        (PriceSet("ETH", 2, 1), "price"),
        (PriceSet("ETH", 0, 1), "price"),
        (PriceSet("DOGE", 1, 1), "no_price"),
        (HaircutSet("DOGE", 1, 1), "unknown_asset"),
        (HaircutSet("ETH", 2, 1), "parameter"),
        (HaircutSet("ETH", 0, PPM + 1), "parameter"),
        (HaircutSet("ETH", -1, 1), "parameter"),
        (MarginSet("nothing", 1, 1), "unknown_market"),
        (MarginSet(ETH_PERP.column, 1, 2), "parameter"),
        (MarginSet(ETH_PERP.column, 1, 0), "parameter"),
        (MarginSet(ETH_PERP.column, PPM + 1, 1), "parameter"),
    ],
)
def test_change__that_cannot_happen__is_refused_by_a_named_rule(change: Change, rule: str) -> None:
    held = portfolio(holding(USDX_A, 10), position(ETH_PERP, E18, 0))
    prices = market(ETH=2_000 * E18, USDX=NoPrice("USDX", "stale_price"))

    with pytest.raises(Refused) as refused:
        whatif(held, prices, RULES, (change,))

    assert refused.value.rule == rule


# --- portfolios under other rules ------------------------------------------------------------------------------------


def test_under__haircut_of_everything_taken_back__misses_what_was_not_read() -> None:
    """With a haircut of 100 % nobody minds an unread lock; with less it is missing, counts zero and is marked."""
    nothing = replace(RULES, assets=(replace(RULES.assets[0], haircut_maintenance_ppm=PPM), *RULES.assets[1:]))
    held = replace(portfolio(holding(USDX_B, 5)), missing=(Missing(f"collateral on {B}", B, "gone", LegKind.LOCK),))

    awake, asleep = under(held, nothing, RULES), under(awake_of(held), RULES, nothing)

    assert [gap.what for gap in awake.missing] == [f"collateral on {B}", USDX_A.column]
    assert [gap.what for gap in asleep.missing] == [f"collateral on {B}"]


def awake_of(held: Portfolio) -> Portfolio:
    return replace(held, missing=(*held.missing, Missing(USDX_A.column, A, "call_failed", LegKind.LOCK)))


@settings(suppress_health_check=UNHURRIED, max_examples=50)
@given(cases(always_priced=False), st.integers(0, PPM), st.integers(1, PPM))
def test_parameters__of_any_case__equal_evaluating_under_the_new_rules(
    case: tuple[Portfolio, Market, MarginRules], cut: int, margin: int
) -> None:
    held, prices, rules = case
    assets = tuple(
        replace(rule, haircut_maintenance_ppm=cut, haircut_initial_ppm=PPM) if rule.symbol == "BTC" else rule
        for rule in rules.assets
    )
    eth = replace(ETH_PERP, initial_margin_ppm=PPM, maintenance_margin_ppm=margin)
    other = replace(rules, assets=assets, positions=(eth, BTC_PERP))
    read = replace(held, positions=(replace(held.positions[0], source=eth), held.positions[1]))

    result = whatif(held, prices, rules, (HaircutSet("BTC", cut, PPM), MarginSet(ETH_PERP.column, PPM, margin)))

    assert result.after == evaluate(read, prices, other)
    assert result.before == evaluate(held, prices, rules)


def test_price_set__wider_than_the_feeds_may_part__is_marked() -> None:
    held = portfolio(position(ETH_PERP, E18, 0))
    prices = market(ETH=2_000 * E18)
    bound = 2_000 * E18 + 2_000 * E18 * 20_000 // PPM

    at, beyond = (
        whatif(held, prices, RULES, (PriceSet("ETH", 2_000 * E18, high),)).after for high in (bound, bound + 1)
    )

    assert (at.quality, beyond.quality.name) == (0, "WIDE_PRICE")


def test_shift__of_an_interval__is_outward() -> None:
    held = portfolio(position(ETH_PERP, 1, 0), position(BTC_PERP, -1, 0))
    prices = Market({"ETH": Price("ETH", 3, 3, ETH_PERP_LEVEL), "BTC": Price("BTC", 3, 3, ETH_PERP_LEVEL)})

    lines = whatif(held, prices, RULES, (PriceShift("ETH", 500_000), PriceShift("BTC", 500_000))).after.lines

    assert [line.price_e18 for line in lines] == [4, 5]


ETH_PERP_LEVEL = position(ETH_PERP, 1, 0).assurance
