"""Portfolio margin, first version, every term by hand. At no volatility options are worth their intrinsic value."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.interval import Interval, exact
from relayer.margin.rulesets.black76 import YEAR_S, price
from relayer.margin.rulesets.derive_common import (
    BasisContingency,
    VolShock,
    confidence_charge,
    decay,
    growth,
    naked_shorts,
    shocked_vols,
    years,
)
from relayer.margin.rulesets.derive_pmrm import (
    ExpiryMarket,
    Option,
    PmrmPortfolio,
    PmrmResult,
    PmrmRules,
    Scenario,
    VolMove,
    discounted,
    margin,
    worst_case,
)

E18 = 10**18
DAY = 86_400
LN_2 = 693_147_180_559_945_309


def e(text: str | int) -> int:
    return int(Fraction(str(text)) * E18)


RULES = PmrmRules(
    basis=BasisContingency(e("1.05"), e("0.95"), e("0.25"), e("0.01")),
    vol=VolShock(e("0.45"), e("0.3"), e("0.5"), e("1"), DAY),
    scenarios=(Scenario(e("0.9"), VolMove.NONE), Scenario(e(1), VolMove.NONE), Scenario(e("1.1"), VolMove.NONE)),
    peg_threshold=e("0.98"),
    peg_factor=e(2),
    confidence_threshold=e("0.6"),
    confidence_margin=e("0.5"),
    base_percent=e("0.02"),
    perp_percent=e("0.03"),
    option_percent=e("0.01"),
    initial_factor=e("1.3"),
    discount=e("0.8"),
    rate_mult=e(4),
    rate_add=LN_2,
)
MARKET = ExpiryMarket(YEAR_S, 0, e(1000), 0, E18, E18, E18)
EMPTY = PmrmPortfolio(e(1000), E18, e(1010), E18, E18, (MARKET,), (), 0, 0, 0, 0)


def option(strike: int, is_call: bool, amount: int, vol: str = "0") -> Option:
    return Option(YEAR_S, e(strike), is_call, e(amount), exact(e(vol)))


def margined(*options: Option, rules: PmrmRules = RULES, **changes: Any) -> PmrmResult:
    return margin(replace(EMPTY, options=options, **changes), rules)


def is_near(interval: Interval, text: str | int, units: int = 3000) -> bool:
    return interval.low - units <= e(text) <= interval.high + units and interval.high - interval.low <= units


# --- scenarios -------------------------------------------------------------------------------------------------------


def test_margin__long_call__positive_values_are_discounted_after_the_shock() -> None:
    """K = 600: V = 400. Discount 0.8 · e^(-ln 2) = 0.4: PnL 300 · 0.4 - 400 = -280, 400 · 0.4 - 400, 500 · 0.4 - 400.

    Basis: min(450, 350) - 400 = -50, times 0.25 + 0.01 · 1 year: -13, never discounted.
    """
    got = margined(option(600, True, 1))

    assert [is_near(pnl, hand) for pnl, hand in zip(got.scenario_pnl, (-280, -240, -200), strict=True)] == [True] * 3
    assert is_near(got.basis_contingency, -13)
    assert got.worst == 0
    assert is_near(got.mtm, 400)
    assert is_near(got.maintenance, 120)
    assert is_near(got.initial, 400 - 364)


def test_margin__short_call__negative_values_are_not_discounted() -> None:
    """V = -400: PnL 100, 0, -100; one naked short: 0.01 · 1000 = 10. IM = (-100 - 10) · 1.3 - 400."""
    got = margined(option(600, True, -1))

    assert [is_near(pnl, hand) for pnl, hand in zip(got.scenario_pnl, (100, 0, -100), strict=True)] == [True] * 3
    assert got.worst == 2
    assert is_near(got.static_contingency, 10)
    assert is_near(got.maintenance, -510)
    assert is_near(got.initial, -543)


def test_margin__no_scenario_as_bad_as_the_basis__basis_is_the_worst() -> None:
    """A call of strike 0 is the forward: the one scenario moves nothing, the basis loses 50 · 0.26."""
    book = (option(0, True, 1),)
    still = replace(RULES, scenarios=(Scenario(E18, VolMove.NONE),), discount=E18, rate_add=0)

    got = margined(*book, rules=still)

    assert got.worst is None
    assert is_near(got.maintenance, 1000 - 13)


def test_margin__negative_rate__counts_as_zero() -> None:
    at_zero, below = (margined(option(600, True, 1), expiries=(replace(MARKET, rate=e(r)),)) for r in (0, -3))

    assert below == at_zero
    assert margined(option(600, True, 1), expiries=(replace(MARKET, rate=e("0.1")),)) != at_zero


def test_margin__rate__multiplied_and_added() -> None:
    """r = 0.173286795139986327 · 4 = ln 2, plus ln 2: a quarter; PnL at 0.9: 300 · 0.8 : 4 - 400 = -340."""
    got = margined(option(600, True, 1), expiries=(replace(MARKET, rate=173_286_795_139_986_327),))

    assert is_near(got.scenario_pnl[0], -340)


def test_margin__two_expiries__each_is_discounted_by_its_own_sign() -> None:
    """Long 400 in one, short 400 in the other: net 0, yet the long one is worth 160 after the discount."""
    other = replace(MARKET, seconds=2 * YEAR_S)
    short = Option(2 * YEAR_S, e(600), True, -E18, exact(0))

    got = margined(option(600, True, 1), short, expiries=(MARKET, other))

    assert is_near(got.scenario_pnl[1], -240)


def test_margin__fixed_part_of_the_forward__is_not_shocked() -> None:
    """Forward 700 + 300: at 0.9 it is 970, so the short call of 600 gains 30."""
    got = margined(option(600, True, -1), expiries=(replace(MARKET, forward_fixed=e(700), forward_variable=e(300)),))

    assert is_near(got.scenario_pnl[0], 30)


def test_margin__base__in_stable_units_and_perp_at_its_own_price() -> None:
    """2 base at 1000 : 0.5 = 4000; at 0.9: -400, less 3 · 1010 · 0.1 = 303 of the perpetual.

    Static: 1000 (3 · 3 % + 2 · 2 %) = 130. MM = -703 - 130 + 4000 + 7 + 5.
    """
    got = margined(base=e(2), perp=e(3), perp_unrealised=e(7), cash=e(5), stable_price=e("0.5"))

    assert got.scenario_pnl[0] == exact(e(-703))
    assert is_near(got.static_contingency, 130)
    assert is_near(got.mtm, 4012)
    assert is_near(got.maintenance, 3179)
    assert is_near(got.initial, str(4012 - Fraction(833) * (Fraction("1.3") + Fraction("0.96"))))


def test_margin__short_perp__gains_when_the_price_falls() -> None:
    assert margined(perp=e(-3)).scenario_pnl[0] == exact(e(303))


@pytest.mark.parametrize(("stable", "factor"), [("0.98", "1.3"), ("0.97", "1.32"), ("1.2", "1.3")])
def test_margin__depeg__adds_to_the_initial_factor(stable: str, factor: str) -> None:
    """Perp of 1: worst -101, static 30: 131 times the factor; maintenance knows no peg."""
    got = margined(perp=e(1), stable_price=e(stable))

    assert is_near(got.initial, str(-131 * Fraction(factor)))
    assert is_near(got.maintenance, -131)


@pytest.mark.parametrize(("move", "vol"), [(VolMove.UP, "0.725"), (VolMove.DOWN, "0.35"), (VolMove.NONE, "0.5")])
def test_margin__volatility_move__multiplies_the_volatility(move: VolMove, vol: str) -> None:
    """At 30 days both factors are the plain ranges: 0.5 · 1.45 and 0.5 · 0.7."""
    market = replace(MARKET, seconds=30 * DAY)
    legs = Option(30 * DAY, e(1000), True, -E18, exact(e("0.5")))
    now, shocked = (price(e(1000), e(1000), e(v), 30 * DAY).call for v in ("0.5", vol))

    got = margined(legs, expiries=(market,), rules=replace(RULES, scenarios=(Scenario(E18, move),)))

    assert abs(got.scenario_pnl[0].low - (now.low - shocked.low)) <= 2000


def test_margin__skew_scenario__unknown_to_the_first_version() -> None:
    rules = replace(RULES, scenarios=(Scenario(E18, VolMove.LINEAR),))

    with pytest.raises(ValueError, match="LINEAR"):
        margined(option(600, True, 1), rules=rules)


# --- contingencies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("legs", "naked"),
    [
        (((600, -2),), 2),
        (((600, -2), (600, 3)), 0),
        (((600, -2), (600, 1)), 1),
        (((600, -2), (600, -1)), 3),
        (((600, 2), (600, 1)), 0),
        (((600, -2), (700, 2)), 2),
        (((600, -2), (700, -1), (600, 2)), 1),
        ((), 0),
    ],
)
def test_naked_shorts__calls_and_puts_of_one_strike__pair_up(legs: tuple[tuple[int, int], ...], naked: int) -> None:
    assert naked_shorts(legs) == naked


def test_margin__naked_shorts__pair_within_an_expiry_only() -> None:
    other = replace(MARKET, seconds=2 * YEAR_S)
    long = Option(2 * YEAR_S, e(600), False, E18, exact(0))

    same = margined(option(600, True, -1), option(600, False, 1))
    apart = margined(option(600, True, -1), long, expiries=(MARKET, other))

    assert is_near(same.static_contingency, 0)
    assert is_near(apart.static_contingency, 10)


@pytest.mark.parametrize(
    ("changes", "charge"),
    [
        ({"spot_confidence": e("0.6")}, "0"),
        ({"spot_confidence": e("0.6") - 1}, "3200.000000000000008"),  # (1 - c) · 0.5 · 1000 · (2 + 1 + 5 + 8)
        ({"spot_confidence": e("0.5"), "perp": 0}, "3500"),  # 0.5 · 0.5 · 1000 · 14
        ({"perp_confidence": e("0.5")}, "4000"),  # the perpetual's counts for options too
        ({"perp_confidence": e("0.1"), "perp": 0}, "0"),
        ({"expiries": (replace(MARKET, forward_confidence=0),)}, "6500"),  # 0.5 · 1000 · 13, the expiry only
        ({"expiries": (replace(MARKET, rate_confidence=0),)}, "6500"),
        ({"expiries": (replace(MARKET, vol_confidence=0),)}, "6500"),
    ],
)
def test_margin__confidence__strictly_below_on_gross_sizes(changes: dict[str, Any], charge: str) -> None:
    """Base 1, perp -2, options +5 and -8."""
    legs = (option(600, True, 5), option(700, False, -8))

    got = margined(*legs, **{"base": E18, "perp": e(-2), **changes})

    assert is_near(got.confidence_contingency, charge, 3)


def test_margin__confidence__initial_only_and_outside_the_factor() -> None:
    sure, unsure = margined(perp=e(1)), margined(perp=e(1), spot_confidence=0)

    assert unsure.maintenance == sure.maintenance
    assert sure.initial.low - unsure.initial.low == e(500)


def test_confidence_charge__boundary__strict() -> None:
    assert confidence_charge(5, 5, E18) == exact(0)
    assert confidence_charge(4, 5, E18) == exact(E18 - 4)


# --- shared parts ----------------------------------------------------------------------------------------------------

SHOCK = VolShock(e("0.45"), e("0.6"), e("0.5"), e("1"), 75 * DAY // 10)


@pytest.mark.parametrize(
    ("seconds", "shock", "up", "down"),
    [
        (30 * DAY, SHOCK, "1.45", "0.4"),
        (75 * DAY // 10, SHOCK, "1.9", "0"),  # (30 : 7.5)^0.5 = 2; 1 - 1.2 is cut at 0
        (0, SHOCK, "1.9", "0"),  # floored at 7.5 days
        (-5, SHOCK, "1.9", "0"),
        (120 * DAY, SHOCK, "1.1125", "0.85"),  # long power 1: 0.25
        (30 * DAY, replace(SHOCK, dte_floor_s=120 * DAY), "1.225", "0.7"),  # 30 days are short term: 0.25^0.5
        (30 * DAY + 1, replace(SHOCK, dte_floor_s=120 * DAY), "1.1125", "0.85"),  # and a second more is not
    ],
)
def test_shocked_vols__by_hand(seconds: int, shock: VolShock, up: str, down: str) -> None:
    got_up, got_down = shocked_vols(shock, seconds)

    assert is_near(got_up, up, 4)
    assert is_near(got_down, down, 4)


def test_years_decay_growth__a_half_life__by_hand() -> None:
    assert years(YEAR_S) == exact(E18)
    assert is_near(years(1), "0.000000031709791984", 1)
    assert is_near(decay(exact(LN_2), YEAR_S), "0.5", 2)
    assert is_near(growth(exact(LN_2), YEAR_S), "2", 4)
    assert decay(exact(0), YEAR_S) == growth(exact(5), 0) == exact(E18)


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (Interval(2, 4), Interval(1, 2)),
        (Interval(-4, -2), Interval(-8, -4)),
        (Interval(-4, 4), Interval(-8, 8)),
        (Interval(0, 4), Interval(0, 2)),
        (Interval(-4, 0), Interval(-8, 0)),
    ],
)
def test_discounted__sign__chooses_the_factor_or_both(value: Interval, result: Interval) -> None:
    assert discounted(value, exact(E18 // 2), exact(2 * E18)) == result


def test_worst_case__least_low_end_first_of_equals() -> None:
    assert worst_case([exact(-1), exact(-2), exact(-2)], exact(0)) == (1, exact(-2))
    assert worst_case([exact(-2)], exact(-2)) == (None, exact(-2))
    assert worst_case([Interval(-3, 5), Interval(-2, -1)], exact(0)) == (0, Interval(-3, -1))


@pytest.mark.parametrize(
    "changes",
    [{"base": -1}, {"stable_price": 0}, {"options": (Option(5, E18, True, 1, exact(0)),)}],
)
def test_margin__impossible_input__refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"never negative|no market"):
        margin(replace(EMPTY, **changes), RULES)


def test_margin__no_scenario__refused() -> None:
    with pytest.raises(ValueError, match="scenarios"):
        margined(rules=replace(RULES, scenarios=()))


# --- laws ------------------------------------------------------------------------------------------------------------

LEGS = st.lists(
    st.builds(option, st.sampled_from([600, 900, 1000, 1100]), st.booleans(), st.integers(-4, 4), st.just("0.5")),
    max_size=4,
)
MOVES = st.sampled_from([VolMove.UP, VolMove.DOWN, VolMove.NONE])


@given(LEGS, st.integers(-3, 3), st.integers(1, 19), MOVES)
def test_law__scenario_added__never_raises_a_margin(legs: list[Option], perp: int, tenths: int, move: VolMove) -> None:
    more = replace(RULES, scenarios=(*RULES.scenarios, Scenario(tenths * E18 // 10, move)))

    base, longer = margined(*legs, perp=e(perp)), margined(*legs, perp=e(perp), rules=more)

    assert longer.maintenance.low <= base.maintenance.low
    assert longer.initial.low <= base.initial.low


@given(LEGS, st.integers(-3, 3), st.randoms(use_true_random=False))
def test_law__legs_and_scenarios_permuted__same_margins(legs: list[Option], perp: int, random: Any) -> None:
    scenarios, turned = list(RULES.scenarios), list(legs)
    random.shuffle(scenarios)
    random.shuffle(turned)

    base = margined(*legs, perp=e(perp))
    other = margined(*turned, perp=e(perp), rules=replace(RULES, scenarios=tuple(scenarios)))

    assert (other.initial, other.maintenance) == (base.initial, base.maintenance)


@given(LEGS, st.integers(0, 10**6))
def test_law__cash__moves_both_margins_one_for_one(legs: list[Option], cash: int) -> None:
    base, more = margined(*legs), margined(*legs, cash=cash)

    assert more.initial.low - base.initial.low == more.maintenance.low - base.maintenance.low == cash
