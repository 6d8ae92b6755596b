"""dYdX through the engine: the mutations that published numbers do not catch, edges, and the laws of `ABOUT`."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, trunc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.types import ChainId
from relayer.margin.engine.about import Trend
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, End, Leg, MarketData, Price, Role
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.models.dydx import ABOUT, DydxRules, DydxTerms
from relayer.margin.rulesets.dydx_v4 import LiquidityTier
from relayer.margin.view import Purpose

CHAIN = ChainId("eip155:1")
TIER = LiquidityTier(10_000, 600_000)
CROWDED = replace(TIER, open_interest_lower=10, open_interest_upper=20)


def cash(amount: int) -> Leg:
    return Leg("usdc", Role.CASH, "USDC", amount, CHAIN, decimals=6)


def perp(asset: str, quantums: int, quote_balance: int = 0, own_ppm: int = 0) -> Leg:
    return Leg(
        f"perp {asset}", Role.PERP, asset, quantums, CHAIN, decimals=6, entry_value=-quote_balance, own_limit=own_ppm
    )


def at(low: int, high: int | None = None, decimals: int = 0, interest: int | None = 0) -> MarketData:
    """One quantum of X is worth one quote quantum per dollar: resolution -6, 10^-6 dollars."""
    open_interest = {} if interest is None else {"X": interest}
    return MarketData(1, {"X": Price(low, low if high is None else high, decimals)}, open_interest=open_interest)


def weighed(
    legs: tuple[Leg, ...], market: MarketData, purpose: Purpose = Purpose.MAINTENANCE, tier: LiquidityTier = TIER
) -> Evaluation:
    return evaluate(Account("a", legs), market, DydxRules({"X": DydxTerms(tier, -6)}), purpose)


# --- mutations by hand -----------------------------------------------------------------------------------------------


def test_notional__of_a_short_between_two_units__is_cut_toward_zero_and_not_floored() -> None:
    """-3 quantums at 0.5 are -1.5: -1 by truncation, -2 floored; NC = 10 - 1 = 9."""
    result = weighed((cash(10), perp("X", -3)), at(5, decimals=1))

    assert result.equity == 9


def test_maintenance__two_ceilings__not_one() -> None:
    """101 · 1 % = 1.01 → 2, 2 · 60 % = 1.2 → 2; with one ceiling 101 · 0.6 % = 0.606 → 1."""
    result = weighed((cash(0), perp("X", 101)), at(1))

    assert result.requirement == 2


def test_quote_balance__counts_with_its_sign() -> None:
    """Long 1,000 bought for 900, of which nothing was paid: NC = 50 + 1,000 - 900 = 150."""
    result = weighed((cash(50), perp("X", 1_000, -900)), at(1))

    assert result.equity == 150


def test_quote_balance__is_accrued_less_entry_value() -> None:
    leg = replace(perp("X", 1_000), entry_value=900, accrued=-7)

    assert weighed((cash(50), leg), at(1)).equity == 143


def test_maintenance__of_a_crowded_market__is_not_scaled_by_open_interest() -> None:
    """OI 15 between caps 10 and 20: F = 1 % + 99 % / 2 = 50.5 %; IMR 505, MMR still ⌈10 · 60 %⌉ = 6."""
    legs = (cash(0), perp("X", 1_000))

    initial = weighed(legs, at(1, interest=15), Purpose.INITIAL, CROWDED)
    maintenance = weighed(legs, at(1, interest=15), Purpose.MAINTENANCE, CROWDED)

    assert (initial.requirement, maintenance.requirement) == (505, 6)


def test_open_interest__is_a_notional__not_quantums() -> None:
    """8 open quantums at 2 dollars are 16: F = 1 % + 99 % · 6 / 10 = 60.4 %. Taken as quantums 8 would not scale."""
    result = weighed((cash(0), perp("X", 500)), at(2, interest=8), Purpose.INITIAL, CROWDED)

    assert result.requirement == 604


def test_open_interest__denominator__is_the_span_of_the_caps() -> None:
    """OI 12: 1 % + 99 % · 2 / 10 = 20.8 %. Divided by the upper cap it would be 1 % + 99 % · 2 / 20 = 10.9 %."""
    result = weighed((cash(0), perp("X", 1_000)), at(1, interest=12), Purpose.INITIAL, CROWDED)

    assert result.requirement == 208


def test_own_limit__above_the_tier_s__raises_initial_alone() -> None:
    legs = (cash(0), perp("X", 1_000, own_ppm=250_000))

    assert weighed(legs, at(1), Purpose.INITIAL).requirement == 250
    assert weighed(legs, at(1)).requirement == 6


def test_price__decimals__are_the_venue_s_negative_exponent() -> None:
    """Resolution -9, 7·10^9 quantums (7 units) at 20,123.45 dollars: 140,864.15 dollars."""
    rules = DydxRules({"X": DydxTerms(TIER, -9)})
    market = MarketData(1, {"X": Price(2_012_345, 2_012_345, 2)})

    result = evaluate(Account("a", (perp("X", 7 * 10**9),)), market, rules, Purpose.MAINTENANCE)

    assert result.equity == 140_864_150_000
    assert result.requirement == ceil(Fraction(140_864_150_000 * 6, 1_000))


# --- edges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usdc", "excess", "verdict"),
    [(-995, -1, Verdict.UNHEALTHY), (-994, 0, Verdict.HEALTHY), (-993, 1, Verdict.HEALTHY)],
)
def test_boundary__maintenance__equality_is_healthy(usdc: int, excess: int, verdict: Verdict) -> None:
    result = weighed((cash(usdc), perp("X", 1_000)), at(1))

    assert (result.excess, result.verdict) == (excess, verdict)


@pytest.mark.parametrize(
    ("usdc", "verdict"), [(-991, Verdict.UNHEALTHY), (-990, Verdict.HEALTHY), (-989, Verdict.HEALTHY)]
)
def test_boundary__initial__equality_may_open(usdc: int, verdict: Verdict) -> None:
    assert weighed((cash(usdc), perp("X", 1_000)), at(1), Purpose.INITIAL).verdict is verdict


def test_liquidation_end__is_maintenance_times_the_buffer() -> None:
    """MMR 6 · 1.05 = 6.3 → 7: 1,000 - 993 = 7 ends a flag, 6 does not."""
    ended, held = (weighed((cash(usdc), perp("X", 1_000)), at(1), Purpose.LIQUIDATION_END) for usdc in (-993, -994))

    assert (ended.verdict, held.verdict) == (Verdict.HEALTHY, Verdict.UNHEALTHY)
    assert (held.requirement, held.excess) == (7, -1)


def test_no_position__below_zero__does_not_cover_itself_though_nothing_can_be_liquidated() -> None:
    result = weighed((cash(-1),), at(1))

    assert (result.excess, result.verdict, result.debt, result.collateral) == (-1, Verdict.UNHEALTHY, 1, 0)


def test_nothing__at_all__is_healthy() -> None:
    result = weighed((cash(0), perp("X", 0)), at(1))

    assert (result.excess, result.verdict, result.lines) == (0, Verdict.HEALTHY, ())


def test_closed_position__its_quote_balance__counts_without_a_price() -> None:
    result = weighed((cash(100), perp("X", 0, -40)), MarketData(1, {}))

    assert (result.equity, result.requirement, result.verdict) == (60, 0, Verdict.HEALTHY)


@pytest.mark.parametrize(
    "leg",
    [
        perp("Y", 1),
        Leg("btc", Role.COLLATERAL, "BTC", 1, CHAIN),
        Leg("dai", Role.CASH, "DAI", 1, CHAIN),
        Leg("x", Role.FUTURE, "X", 1, CHAIN),
    ],
)
def test_leg__the_chain_has_no_rule_for__is_unknown_and_not_zero(leg: Leg) -> None:
    result = weighed((cash(10**6), leg), at(1))

    assert result.verdict is Verdict.UNKNOWN
    assert [(gap.leg, gap.is_collateral) for gap in result.gaps] == [(leg.name, False)]


def test_missing__price_or_open_interest__makes_what_needs_it_unknown() -> None:
    legs = (cash(10**6), perp("X", 1))

    unpriced = weighed(legs, MarketData(1, {}))
    held = weighed(legs, at(1, interest=None), Purpose.MAINTENANCE, CROWDED)
    opened = weighed(legs, at(1, interest=None), Purpose.INITIAL, CROWDED)
    unscaled = weighed(legs, at(1, interest=None), Purpose.INITIAL)

    verdicts = [result.verdict for result in (unpriced, held, opened, unscaled)]
    assert verdicts == [Verdict.UNKNOWN, Verdict.HEALTHY, Verdict.UNKNOWN, Verdict.HEALTHY]


def test_interval__long_at_low_short_at_high_requirement_at_high() -> None:
    """90 to 110: a long of 10 is worth 900, a short of 10 owes 1,100; both require ⌈1,100 · 1 %⌉ · 60 % = 6.6 → 7."""
    long, short = (weighed((cash(0), perp("X", size)), at(90, 110)) for size in (10, -10))

    assert (long.equity, long.requirement, long.excess_high) == (900, 7, 1_100 - 6)
    assert (short.equity, short.requirement, short.excess_high) == (-1_100, 7, -900 - 6)


# --- laws ------------------------------------------------------------------------------------------------------------

PPMS = st.integers(0, 10**6)
AMOUNTS = st.integers(-(10**9), 10**9)
TIERS = st.builds(
    LiquidityTier, PPMS, PPMS, st.integers(0, 10**6), st.one_of(st.just(0), st.integers(10**6 + 1, 10**7))
)
PURPOSES = st.sampled_from((Purpose.INITIAL, Purpose.MAINTENANCE))


@st.composite
def books(draw: st.DrawFn) -> tuple[Account, MarketData, DydxRules]:
    names = draw(st.lists(st.sampled_from("XYZ"), unique=True, max_size=3))
    prices, interest = {}, {}
    for name in names:
        low = draw(st.integers(1, 10**6))
        prices[name] = Price(low, low + draw(st.integers(0, low)), draw(st.integers(0, 8)))
        interest[name] = draw(st.integers(0, 10**9))
    terms = {name: DydxTerms(draw(TIERS), draw(st.integers(-8, 0))) for name in names}
    legs = [perp(name, draw(AMOUNTS), draw(AMOUNTS), draw(PPMS)) for name in names]
    return Account("a", (cash(draw(AMOUNTS)), *legs)), MarketData(1, prices, open_interest=interest), DydxRules(terms)


@given(books(), PURPOSES)
def test_result__any__adds_up_and_agrees_with_its_sign(
    book: tuple[Account, MarketData, DydxRules], purpose: Purpose
) -> None:
    account, market, rules = book

    result = evaluate(account, market, rules, purpose)

    assert sum(line.value for line in result.lines) == result.equity
    assert sum(line.requirement for line in result.lines) == result.requirement
    assert (result.verdict is Verdict.HEALTHY) == (result.excess >= 0)
    assert result.excess <= result.excess_high
    assert result.collateral - result.debt == result.equity


@given(books())
def test_result__without_width__is_that_of_fractions(book: tuple[Account, MarketData, DydxRules]) -> None:
    account, market, rules = book
    market = replace(market, prices={name: replace(price, high=price.low) for name, price in market.prices.items()})
    net, maintenance = account.leg("usdc").amount, 0
    for leg in account.legs[1:]:
        price, terms = market.prices[leg.asset], rules.markets[leg.asset]
        unit = Fraction(price.low, 10**price.decimals) * Fraction(10) ** (terms.atomic_resolution + 6)
        value = trunc(leg.amount * unit)
        net += value - leg.entry_value
        base = ceil(Fraction(abs(value) * terms.tier.initial_ppm, 10**6))
        maintenance += ceil(Fraction(base * terms.tier.maintenance_fraction_ppm, 10**6))

    result = evaluate(account, market, rules, Purpose.MAINTENANCE)

    assert (result.equity, result.requirement) == (net, maintenance)


@given(books(), PURPOSES, st.integers(0, 10**9))
def test_excess__monotone_inputs__hold_as_about_says(
    book: tuple[Account, MarketData, DydxRules], purpose: Purpose, more: int
) -> None:
    account, market, rules = book
    before = evaluate(account, market, rules, purpose).excess

    richer = account.with_amount("usdc", account.leg("usdc").amount + more)
    credited = replace(account, legs=tuple(replace(leg, accrued=leg.accrued + more) for leg in account.legs))
    crowded = replace(market, open_interest={name: count + more for name, count in market.open_interest.items()})
    wider = replace(market, prices={name: replace(one, high=one.high + more) for name, one in market.prices.items()})
    stricter = DydxRules(
        {
            name: replace(terms, tier=replace(terms.tier, initial_ppm=min(10**6, terms.tier.initial_ppm + more)))
            for name, terms in rules.markets.items()
        }
    )

    assert evaluate(richer, market, rules, purpose).excess >= before
    assert evaluate(credited, market, rules, purpose).excess >= before
    assert evaluate(account, crowded, rules, purpose).excess <= before
    assert evaluate(account, wider, rules, purpose).excess <= before
    assert evaluate(account, market, stricter, purpose).excess <= before


@given(books(), PURPOSES, st.randoms(use_true_random=False))
def test_legs__in_any_order__have_the_same_figures(
    book: tuple[Account, MarketData, DydxRules], purpose: Purpose, random: object
) -> None:
    account, market, rules = book
    legs = list(account.legs)
    random.shuffle(legs)  # type: ignore[attr-defined]

    first, second = (evaluate(one, market, rules, purpose) for one in (account, replace(account, legs=tuple(legs))))

    assert (first.equity, first.requirement, first.verdict) == (second.equity, second.requirement, second.verdict)


def test_counter_examples__of_about__are_true() -> None:
    """Size: bought at its worth, one more long only costs its requirement; with no quote balance it helps."""
    tier = LiquidityTier(50_000, 10**6)
    base = weighed((cash(10),), at(1), tier=tier).excess
    given_away = weighed((cash(10), perp("X", 100)), at(1), tier=tier).excess
    bought = weighed((cash(10), perp("X", 100, -100)), at(1), tier=tier).excess
    long_up, short_up = (
        weighed((cash(10), perp("X", size)), at(2)).excess - weighed((cash(10), perp("X", size)), at(1)).excess
        for size in (1_000, -1_000)
    )

    assert (given_away - base, bought - base) == (95, -5)
    assert long_up > 0 > short_up
    assert {law.what for law in ABOUT[0].monotone if law.trend is Trend.NO_LAW} == {"position size", "price"}


def test_weigh__high_end__is_the_best_case() -> None:
    rules, account = DydxRules({"X": DydxTerms(TIER, -6)}), Account("a", (cash(0), perp("X", 10)))

    low, high = (rules.weigh(account, at(90, 110), Purpose.MAINTENANCE, end) for end in (End.LOW, End.HIGH))

    assert (low.excess, high.excess) == (893, 1_094)


def test_lines__say_what_was_used_and_how() -> None:
    legs = (cash(7), perp("X", 1, -3), perp("X", -1), replace(perp("X", 0, 5), name="closed"))

    lines = weighed(legs, at(90, 110, decimals=0)).lines

    told = [(line.label, line.price, line.price_decimals, line.value, line.exposure) for line in lines]
    assert told == [
        ("USDC", 0, 0, 7, 0),
        ("X long: notional + quote balance", 90, 0, 87, 110),
        ("X short: notional + quote balance", 110, 0, -110, 110),
        ("X closed: quote balance", 0, 0, 5, 0),
        ("several legs of one position", 0, 0, 20, 0),
    ]
    assert [line.requirement for line in lines] == [0, 2, 2, 0, -4]  # ⌈⌈1.1⌉ · 60 %⌉; together there is no position


def test_open_interest__of_nothing__does_not_scale_at_a_cap_of_nothing() -> None:
    """Lower cap 0, upper 1: no open interest is 1 %, one quote quantum of it is everything."""
    tier = replace(TIER, open_interest_upper=1)

    empty, full = (
        weighed((cash(0), perp("X", 100)), at(1, interest=count), Purpose.INITIAL, tier).requirement for count in (0, 1)
    )

    assert (empty, full) == (1, 100)
