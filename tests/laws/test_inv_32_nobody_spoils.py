"""INV-32: nobody can spoil or shield another's account: dust, unlisted assets, free balances and foreign locks."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.sheet import CellStatus
from proofs.types import Assurance, LegKind, Quality, Status
from proofs.units import E18
from relayer.margin.evaluate import evaluate, evaluate_account
from relayer.margin.market import FeedReading, Market, NoPrice, market_from_feeds, market_of
from relayer.margin.view import MarginView
from tests.relayer.margin.build import (
    BTCX_B,
    ETH_PERP,
    ETHX_C,
    PROOF,
    QUORUM,
    RULES,
    T0,
    USDX_A,
    USDX_FREE,
    A,
    World,
    account,
    holding,
    lock,
    market,
    portfolio,
    position,
    with_bands,
)
from tests.relayer.margin.strategies import UNHURRIED, cases
from tests.relayer.margin.test_evaluate_cases import DOLLAR, PLAIN, PRICES, with_equity

ONE = account(1)
HEADER = Assurance.AUTHENTICATED_HEADER
CHANGEABLE = Quality.WIDE_PRICE | Quality.CONCENTRATION_CAP
"""Marks that a gift may put on: a wide price that now counts, a leg that counts for less than it is worth."""


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(cases(always_priced=False), st.integers(0, 4), st.integers(1, 10**20))
def test_inv_32__foreign_lock__no_figure_and_no_status_for_the_worse(case, which: int, gift: int) -> None:
    held, prices, rules = case
    # a gift of an asset that has no price at all may be unknown value: the policy lists no asset without a feed
    if isinstance(prices.price(held.holdings[which].source.symbol), NoPrice):
        return
    richer = replace(held.holdings[which], amount_raw=held.holdings[which].amount_raw + gift)
    holdings = (*held.holdings[:which], richer, *held.holdings[which + 1 :])

    before, after = evaluate(held, prices, rules), evaluate(replace(held, holdings=holdings), prices, rules)

    assert after.equity_usd >= before.equity_usd
    assert after.maintenance_margin_usd == before.maintenance_margin_usd
    assert (after.status is Status.UNKNOWN) is (before.status is Status.UNKNOWN) or after.status <= before.status
    assert after.quality & ~Quality.WIDE_PRICE == before.quality & ~Quality.WIDE_PRICE


@settings(max_examples=80, deadline=None, suppress_health_check=UNHURRIED)
@given(cases(banded=True), st.integers(0, 4), st.integers(1, 10**24))
def test_inv_32__foreign_lock_past_a_band__spoils_no_figure_and_shields_from_no_flag(case, which, gift) -> None:
    held, prices, rules = case
    # prices as well proven as anything: the level of a source is the policy's choice, a stranger's gift cannot lower it
    prices = Market({one: replace(price, assurance=HEADER) for one, price in prices.prices.items()})
    richer = replace(held.holdings[which], amount_raw=held.holdings[which].amount_raw + gift)
    holdings = (*held.holdings[:which], richer, *held.holdings[which + 1 :])

    before, after = evaluate(held, prices, rules), evaluate(replace(held, holdings=holdings), prices, rules)

    assert after.equity_usd >= before.equity_usd
    assert after.equity_usd - after.initial_margin_usd >= before.equity_usd - before.initial_margin_usd
    assert after.maintenance_margin_usd == before.maintenance_margin_usd
    assert after.status <= before.status
    assert best_beyond_known(after) == best_beyond_known(before)  # no shield: it adds to the best case what it counts
    assert after.quality & ~CHANGEABLE == before.quality & ~CHANGEABLE


def best_beyond_known(view: MarginView) -> int | None:
    known = sum(line.value_usd for line in view.lines if line.kind is not LegKind.REQUIREMENT)
    return None if view.equity_high_usd is None else view.equity_high_usd - known


def test_inv_32__stranger_pushes_a_leg_past_its_band__it_counts_the_limit_as_before() -> None:
    rules = with_bands((1_000 * E18, QUORUM), (None, PROOF), rules=PLAIN)
    owing = position(ETH_PERP, 0, 900 * E18)

    before = evaluate(portfolio(holding(DOLLAR, 1_000 * E18, QUORUM), owing), market(**PRICES), rules)
    after = evaluate(portfolio(holding(DOLLAR, 10**40, QUORUM), owing), market(**PRICES), rules)

    assert (before.status, before.equity_usd) == (Status.HEALTHY, 100 * E18)
    assert (after.status, after.equity_usd, after.missing) == (Status.HEALTHY, 100 * E18, ())
    assert after.quality == Quality.CONCENTRATION_CAP


# --- the limit of "unknown is no shield", as decision record 3 states it ---------------------------------------------


def test_inv_32__one_unit_of_an_asset_whose_feeds_never_answer__shields_until_one_does() -> None:
    world = World([ONE])
    world.put(USDX_A, ONE, 100 * 10**6)
    world.put(ETH_PERP, ONE, E18, 2_050 * E18, 0)  # 99 - 50 = 49 < 100
    assert judged(world).status is Status.LIQUIDATABLE

    world.put(BTCX_B, ONE, 1)
    world.answers["price:BTC"] = CellStatus.FAILED
    shielded = judged(world)
    world.price("BTC", 60_000 * 10**8, updated_s=T0 - 10**6)  # an answer of any age bounds dust

    assert shielded.status is Status.UNKNOWN
    assert [gap.best_usd for gap in shielded.missing] == [None]
    assert judged(world).status is Status.LIQUIDATABLE


def test_inv_32__one_unit_of_an_asset_with_one_silent_and_one_answering_feed__does_not_shield() -> None:
    btc = next(source for source in RULES.prices if source.symbol == "BTC")
    silent = FeedReading(btc, 0, 0, T0, QUORUM, "call_failed: no answer was agreed on")
    other = FeedReading(replace(btc, column="price:btc:2"), 60_000 * 10**8, T0, T0, QUORUM)
    held = portfolio(*with_equity(999 * E18).holdings, *with_equity(0).positions, holding(BTCX_B, 1))
    rules = replace(PLAIN, dust_usd=E18)

    def status(*feeds: FeedReading) -> Status:
        known = market(**PRICES)
        return evaluate(held, Market({**known.prices, **market_from_feeds(feeds).prices}), rules).status

    assert (status(silent), status(silent, other)) == (Status.UNKNOWN, Status.LIQUIDATABLE)


def test_inv_32__unpriced_holding_on_limited_evidence__shields_no_more_than_the_limit() -> None:
    rules = with_bands((100 * E18, QUORUM), (None, PROOF), rules=PLAIN)
    dark = market(**PRICES | {"BTC": NoPrice("BTC", "call_failed")})

    def status(equity: int) -> Status:
        held = with_equity(equity)
        return evaluate(replace(held, holdings=(*held.holdings, holding(BTCX_B, 10**20, QUORUM))), dark, rules).status

    # 100 x (1 - 16.4 %) = 83.60 is all that any price could add
    assert status(1_000 * E18 - 8_360 * 10**16) is Status.UNKNOWN
    assert status(1_000 * E18 - 8_360 * 10**16 - 1) is Status.LIQUIDATABLE


def test_inv_32__dust_of_a_stale_asset_around_the_limit__changes_nothing_of_the_leaf() -> None:
    world = World([ONE])
    world.put(USDX_A, ONE, 1_000 * 10**6)
    world.put(ETH_PERP, ONE, E18, 2_500 * E18, 0)  # 990 + 2000 - 2500 = 490: above MM 100
    world.answers["price:BTC"] = (1, 60_000 * 10**8, 0, T0 - 10**6, 1)
    clean = judged(world)

    world.put(BTCX_B, ONE, 1_666)  # 0.9996 dollars at the last price, dust is below 1 dollar
    dusted = judged(world)
    world.put(BTCX_B, ONE, 1_667)  # 1.0002 dollars
    spoiled = judged(world)

    assert dusted.leaf == clean.leaf
    assert dusted.missing == ()
    assert spoiled.quality == Quality.DEGRADED_LEG | Quality.STALE_PRICE
    assert spoiled.status is clean.status


def test_inv_32__dust_of_a_stale_asset__does_not_shield_from_the_flag() -> None:
    world = World([ONE])
    world.put(USDX_A, ONE, 100 * 10**6)
    world.put(ETH_PERP, ONE, E18, 2_050 * E18, 0)  # 99 - 50 = 49 < 100
    world.answers["price:BTC"] = (1, 60_000 * 10**8, 0, T0 - 10**6, 1)
    world.put(BTCX_B, ONE, 1)

    assert judged(world).status is Status.LIQUIDATABLE


def test_inv_32__free_balance_that_weighs_nothing__neither_spoils_nor_shields_when_unread() -> None:
    world = World([ONE])
    world.put(USDX_A, ONE, 100 * 10**6)
    world.put(ETH_PERP, ONE, E18, 2_050 * E18, 0)
    clean = judged(world)
    world.cells[USDX_FREE.column, ONE] = CellStatus.FAILED

    assert judged(world).leaf == clean.leaf
    assert clean.status is Status.LIQUIDATABLE


def test_inv_32__asset_outside_the_policy__does_not_exist_for_the_leaf() -> None:
    held = with_equity(999 * E18)
    stranger = holding(lock("lock:stranger", A, "STRANGER", 18), 10**30, QUORUM)

    clean = evaluate(held, market(**PRICES), PLAIN)
    for prices in (market(**PRICES), market(**PRICES, STRANGER=E18)):
        gifted = evaluate(replace(held, holdings=(*held.holdings, stranger)), prices, PLAIN)
        assert gifted.leaf == clean.leaf


def test_inv_32__weak_dust__does_not_lower_the_assurance() -> None:
    held = with_equity(2_000 * E18)
    dust = holding(ETHX_C, 10, QUORUM)
    rules = replace(PLAIN, dust_usd=E18)

    assert evaluate(replace(held, holdings=(*held.holdings, dust)), market(**PRICES), rules).leaf == (
        evaluate(held, market(**PRICES), rules).leaf
    )


def judged(world: World):
    snapshot = world.snapshot()
    return evaluate_account(snapshot, market_of(snapshot, RULES), ONE, RULES, Quality.NONE)
