"""Liquidation price: by hand, by brute force around the flip, and as a law over every rule set."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, End, Gap, MarketData, Price
from relayer.margin.engine.result import USD, Evaluation, Verdict, health_of
from relayer.margin.solve.liquidation_price import liquidation_price, liquidation_prices
from relayer.margin.view import Purpose
from tests.relayer.margin.models.stage import Stage, drawn
from tests.relayer.margin.models.stages import VENUES
from tests.relayer.margin.solve.build import BOOK, MARKET, POOL, at, borrower, trader

HEALTHY, UNHEALTHY, UNKNOWN = Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN


def test_collateral__by_hand__first_unit_below_the_line() -> None:
    """(30,000 - 15,600) / 8.25 = 1,745.4545...: at 1,745.45454546 it holds, one unit less it does not."""
    found = liquidation_price(borrower(30_000), MARKET, POOL, "ETH")

    assert found.below is not None
    assert found.below.price == 174_545_454_545
    assert found.below.verdict is UNHEALTHY
    assert found.below.around == (UNHEALTHY, UNHEALTHY, HEALTHY)
    assert found.below.bracket == (174_545_454_546, 174_545_454_545)
    assert found.below.is_exact
    assert found.above is None
    assert not found.is_recovery


def test_debt_and_collateral_of_one_asset__by_hand__above() -> None:
    """30,000 p - 15,600 p > 24,750 beyond p = 1.71875."""
    found = liquidation_price(borrower(30_000), MARKET, POOL, "USDC")

    assert found.above is not None
    assert found.above.price == 171_875_001
    assert found.above.around == (HEALTHY, UNHEALTHY, UNHEALTHY)
    assert found.below is None


@pytest.mark.parametrize(
    ("size", "below", "above"),
    [(10, 257_731_958, None), (-10, None, 339_805_826)],
)
def test_perp__by_hand__a_long_below_and_a_short_above(size: int, below: int | None, above: int | None) -> None:
    """cash 5,000, bought at 3,000: 5,000 + 10 (p - 3,000) = 0.3 p at 25,000 / 9.7; a short at 35,000 / 10.3."""
    market = MarketData(0, {"ETH": Price(3_000 * 10**5, 3_000 * 10**5, 5)})
    found = liquidation_price(trader(size * 10**9, 5_000 * 10**6, size * 3_000 * 10**6), market, BOOK, "ETH")

    assert (found.below and found.below.price) == below
    assert (found.above and found.above.price) == above


def test_unhealthy__nearest_recovery__labelled_so() -> None:
    """50,000 - 15,600 = 34,400: 8.25 p reaches it at 4,169.696969..."""
    found = liquidation_price(borrower(50_000), MARKET, POOL, "ETH")

    assert found.is_recovery
    assert found.verdict is UNHEALTHY
    assert found.below is None
    assert found.above is not None
    assert (found.above.price, found.above.verdict) == (416_969_696_970, HEALTHY)
    assert found.above.around == (UNHEALTHY, HEALTHY, HEALTHY)


def test_no_debt__no_price__none() -> None:
    found = liquidation_price(borrower(0), MARKET, POOL, "ETH")

    assert (found.below, found.above, found.verdict) == (None, None, HEALTHY)


def test_never_enough__unhealthy__none() -> None:
    found = liquidation_price(borrower(50_000, eth=0), MARKET, POOL, "ETH")

    assert (found.below, found.above, found.is_recovery) == (None, None, True)


def test_price__of_an_asset_without_one__refused() -> None:
    with pytest.raises(ValueError, match="no price"):
        liquidation_price(borrower(1), MARKET, POOL, "DOGE")


def test_unknown_debt__no_flip_either_way() -> None:
    account = replace(borrower(1), unread=(Gap("a debt", "no answer", is_collateral=False),))

    found = liquidation_price(account, MARKET, POOL, "ETH")

    assert (found.below, found.above, found.verdict) == (None, None, UNKNOWN)
    assert found.evaluations == 1


def test_unknown_collateral__healthy_without_it__flips_to_unknown() -> None:
    account = replace(borrower(30_000), unread=(Gap("a deposit", "no answer", is_collateral=True),))

    found = liquidation_price(account, MARKET, POOL, "ETH")

    assert found.below is not None
    assert (found.below.price, found.below.verdict) == (174_545_454_545, UNKNOWN)


def test_interval__moved_as_a_whole__its_low_end_is_reported() -> None:
    market = MARKET.with_price("ETH", Price(2_900 * 10**8, 3_100 * 10**8, 8))

    found = liquidation_price(borrower(30_000), market, POOL, "ETH")

    assert (found.price, found.below and found.below.price) == (2_900 * 10**8, 174_545_454_545)


def test_interval__of_a_short__the_high_end_breaks_it() -> None:
    """The interval is 200 dollars wide: its high end reaches 35,000 / 10.3 when its low end is at 3,198.05825..."""
    market = MarketData(0, {"ETH": Price(2_900 * 10**5, 3_100 * 10**5, 5)})

    found = liquidation_price(trader(-10 * 10**9, 5_000 * 10**6, -30_000 * 10**6), market, BOOK, "ETH")

    assert found.above is not None
    assert found.above.price == 319_805_826


def test_prices__of_an_account__those_that_move_it() -> None:
    assert [one.asset for one in liquidation_prices(borrower(30_000), MARKET, POOL)] == ["ETH", "USDC"]
    assert [one.asset for one in liquidation_prices(borrower(30_000, eth=0), MARKET, POOL)] == ["USDC"]


class AtOpening:
    """Require the price of ETH of who has 5,000, to open alone."""

    name, unit = "opening@1", USD

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        need = market.prices["ETH"].low if purpose is Purpose.INITIAL else 0
        verdict = Verdict.HEALTHY if need <= 5_000 else Verdict.UNHEALTHY
        return Evaluation(self.name, purpose, end, USD, 5_000, need, 0, 0, verdict, health_of(5_000, need, 0, 0, 0), ())


def test_prices__for_another_purpose__by_that_purpose() -> None:
    market = MarketData(0, {"ETH": Price(3_000, 3_000, 0), "USDC": Price(1_000, 1_000, 3)})

    (found,) = liquidation_prices(Account("o", ()), market, AtOpening(), Purpose.INITIAL)

    assert (found.asset, found.above and found.above.price) == ("ETH", 5_001)
    assert liquidation_prices(Account("o", ()), market, AtOpening()) == ()


class Hole:
    """Be healthy but in a hole of prices, and above a threshold: nothing like concave."""

    name = "hole@1"
    unit = USD

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        price = market.prices["ETH"].low
        equity = -1 if 800 <= price < 900 or price > 5_000 else 1
        verdict = HEALTHY if equity >= 0 else UNHEALTHY
        return Evaluation(self.name, purpose, end, USD, equity, 0, 1, 0, verdict, health_of(equity, 0, 1, 0, 0), ())


def test_any_other_shape__scanned__bracketed_and_not_called_exact() -> None:
    market = MarketData(0, {"ETH": Price(1_000, 1_000, 0)})

    found = liquidation_price(Account("a", ()), market, Hole(), "ETH")

    assert found.below is not None
    assert found.above is not None
    assert (found.below.price, found.above.price) == (899, 5_001)
    assert not found.below.is_exact
    assert not found.above.is_exact
    for flip in (found.below, found.above):
        same, other = flip.bracket
        assert min(same, other) <= flip.price <= max(same, other)
        assert abs(same - other) <= max(same, other) // 16 + 1


def test_flips__by_brute_force_on_small_prices__are_the_nearest() -> None:
    """Every price from 1 to three times now, one by one."""
    for debt in (0, 3, 8, 11, 20, 27, 40):
        market = at(20 * 10**8, 10**8)
        tiny = borrower(debt, eth=10**18, usdc=3 * 10**6)
        coarse = replace(market, prices={**market.prices, "ETH": Price(20, 20, 0)})
        verdicts = {
            price: evaluate(
                tiny, coarse.with_price("ETH", Price(price, price, 0)), POOL, Purpose.MAINTENANCE
            ).is_healthy
            for price in range(1, 61)
        }
        now = verdicts[20]
        below = next((price for price in range(19, 0, -1) if verdicts[price] is not now), None)
        above = next((price for price in range(21, 61) if verdicts[price] is not now), None)

        found = liquidation_price(tiny, coarse, POOL, "ETH")

        assert (found.below and found.below.price) == below
        assert (found.above and found.above.price if found.above and found.above.price <= 60 else None) == above


@pytest.mark.parametrize("stage", VENUES, ids=lambda stage: stage.name)
def test_flip__of_any_stage__verdict_changes_there_and_not_one_unit_before(stage: Stage) -> None:
    @drawn(stage, 4)
    @given(stage.some_accounts(), stage.some_markets(), st.data())
    def holds(account, market, data) -> None:
        asset = data.draw(st.sampled_from(sorted(market.prices)))
        found = liquidation_price(account, market, stage.rules, asset)

        def is_healthy(low: int) -> bool:
            moved = replace(market.prices[asset], low=low, high=low)
            return evaluate(account, market.with_price(asset, moved), stage.rules, Purpose.MAINTENANCE).is_healthy

        now = is_healthy(found.price)
        assert found.evaluations <= 600
        for flip, step in ((found.below, 1), (found.above, -1)):
            if flip is not None:
                assert (flip.price < found.price) == (step == 1)
                assert is_healthy(flip.price) is not now
                assert is_healthy(flip.price + step) is now

    holds()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 10**12), st.integers(1, 10**6), st.integers(500, 2_000))
def test_flip__of_pure_collateral__equals_the_fraction(wei: int, debt: int, cents: int) -> None:
    """⌊⌊q p⌋ · LT⌋ >= debt needs q p >= ⌈debt / LT⌉ in units of 10^-8 dollars: the least whole p of that."""
    market = replace(at(cents * 10**6), prices={"ETH": Price(cents, cents, 2), "USDC": Price(10**8, 10**8, 8)})
    account = borrower(0, eth=wei * 10**9, usdc=0).with_amount("debt", debt)
    least_value = ceil(Fraction(debt * 100 * 10_000, 8_250))
    least = ceil(Fraction(least_value * 10**18, wei * 10**9 * 10**6))

    found = liquidation_price(account, market, POOL, "ETH")

    flip = found.above if found.is_recovery else found.below
    reached = least if found.is_recovery else least - 1
    if 1 <= reached <= floor(cents * 2**20):
        assert flip is not None
        assert flip.price == reached
    else:
        assert flip is None
