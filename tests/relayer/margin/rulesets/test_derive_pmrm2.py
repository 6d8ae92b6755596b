"""Portfolio margin, second version: one hand case for each mistake that a suite must catch, and the laws."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.interval import Interval, exact, total
from relayer.margin.rulesets.black76 import YEAR_S, price
from relayer.margin.rulesets.derive_common import BasisContingency, VolShock
from relayer.margin.rulesets.derive_pmrm import ExpiryMarket, Option, Scenario, VolMove
from relayer.margin.rulesets.derive_pmrm2 import (
    ASSETS_MAX,
    Collateral,
    Contingencies,
    Discounts,
    Perp,
    Pmrm2Portfolio,
    Pmrm2Result,
    Pmrm2Rules,
    margin,
    scenarios_of,
    static_discounts,
)
from relayer.margin.rulesets.derive_pmrm2_grid import Shocks, SkewShock, expiry_values, settling, sums

E18 = 10**18
DAY = 86_400
LN_2 = 693_147_180_559_945_309


def e(text: str | int | Fraction) -> int:
    return int(Fraction(str(text)) * E18)


SKEW = SkewShock(e("0.15"), e("-0.05"), e("0.25"), e("-0.05"), e("0.01"), e(4), e("0.6"), e("-0.1"))
RULES = Pmrm2Rules(
    scenarios=(Scenario(e("0.9"), VolMove.NONE), Scenario(e("1.1"), VolMove.NONE)),
    shocks=Shocks(VolShock(e("0.5"), e("0.275"), e("0.5"), e("1"), DAY), 0, SKEW),
    basis=BasisContingency(e("1.05"), e("0.95"), e("0.5"), e(2)),
    discounts=Discounts(E18, 0, 0, E18, 0, 0),
    contingencies=Contingencies(e("0.98"), e(2), e("0.55"), e(1), e("0.015"), e("0.005"), e("0.003"), e("0.002")),
    mm_factor=e("0.8"),
    im_factor=E18,
)
MARKET = ExpiryMarket(YEAR_S, 0, e(1000), 0, E18, E18, E18)
EMPTY = Pmrm2Portfolio(0, e(1000), E18, E18, Perp(), (), (MARKET,), ())


def option(strike: int, is_call: bool, amount: int, vol: str = "0") -> Option:
    return Option(YEAR_S, e(strike), is_call, e(amount), exact(e(vol)))


def coin(amount: int, moves: bool, confidence: str = "1") -> Collateral:
    return Collateral(e(amount), e(500), e(confidence), e("0.2"), e("0.05"), moves)


def margined(*options: Option, rules: Pmrm2Rules = RULES, **changes: Any) -> Pmrm2Result:
    return margin(replace(EMPTY, options=options, **changes), rules)


def under(*scenarios: Scenario) -> Pmrm2Rules:
    return replace(RULES, scenarios=scenarios)


def is_near(interval: Interval, text: str | int | Fraction, units: int = 5000) -> bool:
    return interval.low - units <= e(text) <= interval.high + units and interval.high - interval.low <= units


# --- static discount -------------------------------------------------------------------------------------------------

HALVING = Discounts(e("0.9"), e(1), 0, e("1.04"), e("0.5"), 0)


def test_static_discounts__long__base_times_decay() -> None:
    """r τ = ln 2 at a multiple of 1: 0.9 : 2; short: min(2, 1.04 · √2)."""
    long, short = static_discounts(replace(MARKET, rate=LN_2), HALVING)

    assert is_near(long, "0.45")
    assert is_near(short, "1.470782104868018851")


def test_static_discounts__short__capped_at_the_inverse_discount_factor() -> None:
    """A multiple of 1 grows as fast as 1 : df = 2: 2.08 is cut to 2. At no rate 1.04 is cut to 1."""
    fast = replace(HALVING, short_mult=E18)

    assert is_near(static_discounts(replace(MARKET, rate=LN_2), fast)[1], "2")
    assert is_near(static_discounts(MARKET, HALVING)[1], "1")


def test_static_discounts__additions__count_without_a_rate() -> None:
    added = Discounts(E18, 0, LN_2, e("0.4"), 0, LN_2)

    assert is_near(static_discounts(MARKET, added)[0], "0.5")
    assert is_near(static_discounts(MARKET, added)[1], "0.8")


def test_static_discounts__negative_rate_or_expired__as_without() -> None:
    assert static_discounts(replace(MARKET, rate=e(-1)), HALVING) == static_discounts(MARKET, HALVING)
    assert static_discounts(replace(MARKET, seconds=-1, rate=LN_2), HALVING)[0] == exact(e("0.9"))


def test_margin__net_long_and_net_short__each_by_its_discount() -> None:
    """df = 1 : 2. Long call 600: V = 200; at 1.1 250 · 0.45 - 200 = -87.5, at 0.9 150 · 0.45 - 200 = -132.5.

    Short: at 1.1 -250 · 1.4707821... + 200.
    """
    rules, market = replace(RULES, discounts=HALVING), (replace(MARKET, rate=LN_2),)

    long = margined(option(600, True, 1), rules=rules, expiries=market)
    short = margined(option(600, True, -1), rules=rules, expiries=market)

    assert is_near(long.option_mtm, 200)
    assert is_near(long.scenario_pnl[0], "-132.5")
    assert is_near(long.scenario_pnl[1], "-87.5")
    assert is_near(short.scenario_pnl[1], "-167.695526217004712700")


def test_margin__negative_rate__discounts_nothing() -> None:
    assert is_near(margined(option(600, True, 1), expiries=(replace(MARKET, rate=e(-1)),)).mtm, 400)


# --- volatility ------------------------------------------------------------------------------------------------------


def at_vol(strike: int, vol: str | Fraction, is_call: bool = True) -> int:
    both = price(e(1000), e(strike), e(vol), YEAR_S)
    return (both.call if is_call else both.put).low


@pytest.mark.parametrize(
    ("move", "strike", "vol"),
    [
        (VolMove.UP, 1000, "0.520547945205479452"),  # long power 1: 0.5 (1 + 0.5 · 30 : 365)
        (VolMove.DOWN, 1000, "0.488698630136986301"),  # 0.5 (1 - 0.275 · 30 : 365)
        (VolMove.NONE, 1000, "0.5"),
        (VolMove.LINEAR, 2000, "0.517328679513998632"),  # k = ln 2, cap 0.1, k* = 4 · 0.5: 0.5 (1 + 0.05 ln 2)
        (VolMove.LINEAR, 500, "0.482671320486001367"),
        (VolMove.LINEAR, 1000, "0.5"),
        (VolMove.ABS, 2000, "0.534657359027997265"),  # cap 0.2
        (VolMove.ABS, 500, "0.534657359027997265"),
    ],
)
def test_margin__scenario__moves_the_volatility(move: VolMove, strike: int, vol: str) -> None:
    """Short calls: the loss is the price at the moved volatility less the price now; skews count losses only."""
    got = margined(option(strike, True, -1, "0.5"), rules=under(Scenario(E18, move))).scenario_pnl[0]

    expected = at_vol(strike, "0.5") - at_vol(strike, vol)
    if move in (VolMove.LINEAR, VolMove.ABS):
        expected = -abs(expected)
    assert abs(got.low - expected) <= 10_000


@pytest.mark.parametrize(
    ("move", "strike", "turn"),
    [
        (VolMove.LINEAR, 2000, "0.1"),
        (VolMove.LINEAR, 500, "-0.1"),
        (VolMove.ABS, 2000, "0.2"),
        (VolMove.ABS, 500, "0.2"),
    ],
)
def test_margin__skew_beyond_k_star__cut_at_the_cap(move: VolMove, strike: int, turn: str) -> None:
    """k* = 0.01 without width; cap = 0.15 - 0.05 and 0.25 - 0.05 at one year."""
    shocks = replace(RULES.shocks, skew=replace(SKEW, width_scale=0))
    rules = replace(under(Scenario(E18, move)), shocks=shocks)

    got = margined(option(strike, True, 1, "0.5"), rules=rules).scenario_pnl[0]

    expected = -abs(at_vol(strike, "0.5") - at_vol(strike, str(Fraction("0.5") * (1 + Fraction(turn)))))
    assert abs(got.low - expected) <= 10_000


@pytest.mark.parametrize(("move", "strike", "is_dead"), [(VolMove.LINEAR, 2000, True), (VolMove.LINEAR, 500, False)])
def test_margin__cap_below_zero__turns_round_and_volatility_stops_at_zero(
    move: VolMove, strike: int, is_dead: bool
) -> None:
    """Cap -1.85: at k >= 0 the volatility would be 0.5 (1 - 1.85), so 0; at k < 0 it is 0.5 (1 + 1.85)."""
    shocks = replace(RULES.shocks, skew=replace(SKEW, linear_cbase=e(-2)))
    rules = replace(under(Scenario(E18, move)), shocks=shocks)

    got = margined(option(strike, True, -1, "0.5"), rules=rules).scenario_pnl[0]

    expected = -abs(at_vol(strike, "0.5") - at_vol(strike, "0" if is_dead else "1.425"))
    assert abs(got.low - expected) <= 10_000


def test_margin__skew__each_expiry_loses_by_itself() -> None:
    """A long and a short of two expiries would offset; each counts as a loss. At no volatility nothing is left."""
    second = replace(MARKET, seconds=2 * YEAR_S)
    rules = under(Scenario(E18, VolMove.LINEAR))
    long, short = option(2000, True, 1, "0.5"), Option(2 * YEAR_S, e(2000), True, -E18, exact(e("0.5")))

    apart = [margined(leg, rules=rules, expiries=(MARKET, second)).scenario_pnl[0] for leg in (long, short)]
    together = margined(long, short, rules=rules, expiries=(MARKET, second)).scenario_pnl[0]

    assert apart[0].high < 0
    assert apart[1].high < 0
    assert together == total(apart)


def test_margin__floor_volatility__on_up_moves_only() -> None:
    """Floor 24: an up move makes the call worth the whole forward, any other leaves it."""
    shocks = replace(RULES.shocks, vol_floor=e(24))
    scenarios = tuple(Scenario(E18, move) for move in (VolMove.UP, VolMove.DOWN, VolMove.NONE))

    got = margined(option(1000, True, -1), rules=replace(RULES, scenarios=scenarios, shocks=shocks)).scenario_pnl

    assert is_near(got[0], -1000)
    assert is_near(got[1], 0)
    assert is_near(got[2], 0)


def test_margin__floor_below_the_moved_volatility__does_nothing() -> None:
    shocks = replace(RULES.shocks, vol_floor=e("0.5"))
    rules = under(Scenario(E18, VolMove.UP))

    legs = option(1000, True, -1, "0.5")

    assert margined(legs, rules=replace(rules, shocks=shocks)) == margined(legs, rules=rules)


def test_expiry_values__strike_or_forward_zero__skew_leaves_them() -> None:
    scenarios = (Scenario(E18, VolMove.LINEAR), Scenario(E18, VolMove.ABS))
    nothing = replace(MARKET, forward_variable=0)

    at_strike = expiry_values(MARKET, (option(0, True, 1, "0.5"),), scenarios, RULES.shocks)
    at_forward = expiry_values(nothing, (option(7, False, 1, "0.5"),), scenarios, RULES.shocks)

    assert at_strike == ((exact(e(1000)),) * 2,)
    assert at_forward == ((exact(e(7)),) * 2,)


# --- scenarios -------------------------------------------------------------------------------------------------------


def test_margin__damping__covers_options_perp_and_collateral() -> None:
    """At 0.5: short call 600 gains 400 (V 0 after), perp 2 · 1010 · -0.5, collateral 1000 · -0.5; a tenth of it all."""
    book = {"perp": Perp(e(2), e(1010)), "collaterals": (coin(2, True),)}

    got = margined(option(600, True, -1), rules=under(Scenario(e("0.5"), VolMove.NONE, e("0.1"))), **book)

    assert is_near(got.scenario_pnl[0], "-111")


def test_margin__collateral__moves_only_where_it_is_said_to() -> None:
    assert is_near(margined(collaterals=(coin(2, True),)).scenario_pnl[0], -100)
    assert is_near(margined(collaterals=(coin(2, False),)).scenario_pnl[0], 0)


def test_margin__basis__worse_move_of_each_expiry_times_its_factor() -> None:
    """Long 600 call at one year loses 50 · (0.5 + 2 · 1); a short one in two years loses 50 · (0.5 + 2 · 2)."""
    second = replace(MARKET, seconds=2 * YEAR_S)
    short = Option(2 * YEAR_S, e(600), True, -E18, exact(0))

    got = margined(option(600, True, 1), short, expiries=(MARKET, second))

    assert is_near(got.basis_contingency, -(125 + 225))
    assert got.worst is None
    assert is_near(got.maintenance, Fraction("-280") - 3)


def test_margin__worst_scenario__is_named_and_scaled() -> None:
    """Perp 3 at 1010: -303 at 0.9. MM = -303 · 0.8 - 3 · 1000 · 0.015; IM = -303 - 3 · 1000 (0.015 + 0.005)."""
    got = margined(perp=Perp(e(3), e(1010), unrealised=e(7)), cash=e(5))

    assert got.worst == 0
    assert is_near(got.mtm, 12)
    assert is_near(got.maintenance, "-275.4")
    assert is_near(got.initial, -351)


@pytest.mark.parametrize(("stable", "factor"), [("0.98", "1"), ("0.97", "1.02"), ("1.2", "1")])
def test_margin__depeg__raises_the_initial_factor_only(stable: str, factor: str) -> None:
    got = margined(perp=Perp(e(1), e(1000)), stable_price=e(stable))

    assert is_near(got.initial, -100 * Fraction(factor) - 20)
    assert is_near(got.maintenance, -80 - 15)


def test_margin__settlement__passed_part_of_the_average_is_fixed() -> None:
    """900 s before expiry half of the forward is fixed: at 0.9 it is 950, so the short 600 call gains 50."""
    fixed, variable = settling(e(1000), 900)
    market = replace(MARKET, seconds=900, forward_fixed=fixed, forward_variable=variable)

    got = margined(Option(900, e(600), True, -E18, exact(0)), expiries=(market,))

    assert is_near(got.scenario_pnl[0], 50)
    assert is_near(got.scenario_pnl[1], -50)


@pytest.mark.parametrize(
    ("seconds", "fixed"), [(-5, 1800), (0, 1800), (1, 1799), (900, 900), (1799, 1), (1800, 0), (1801, 0), (10**7, 0)]
)
def test_settling__any_time__shares_add_up(seconds: int, fixed: int) -> None:
    assert settling(1800, seconds) == (fixed, 1800 - fixed)


def test_settling__indivisible__fixed_part_rounded_down() -> None:
    assert settling(1, 1) == (0, 1)


def test_margin__expired_option__settles_at_its_fixed_forward() -> None:
    market = replace(MARKET, seconds=-7, forward_fixed=e(1000), forward_variable=0)

    got = margined(Option(-7, e(600), True, E18, exact(e("0.5"))), expiries=(market,))

    assert is_near(got.mtm, 400)
    assert is_near(got.scenario_pnl[0], 0)


# --- contingencies ---------------------------------------------------------------------------------------------------


def test_margin__haircuts__initial_on_top_of_maintenance() -> None:
    """2 coins at 500 : 0.5 = 2000: MM -20 %, IM another -5 %."""
    got = margined(collaterals=(coin(2, False),), stable_price=e("0.5"), rules=replace(RULES, im_factor=0))

    assert is_near(got.collateral_mtm, 2000)
    assert is_near(got.maintenance, 1600)
    assert is_near(got.initial, 1500)


@pytest.mark.parametrize(
    ("legs", "naked"),
    [
        ((option(600, True, -1),), 1),
        ((option(600, True, -1), option(600, False, 1)), 0),
        ((option(600, True, -1), option(600, False, -2)), 3),
        ((option(600, True, -1), option(700, True, 1)), 1),
    ],
)
def test_margin__naked_shorts__call_against_put_at_each_strike(legs: tuple[Option, ...], naked: int) -> None:
    got = margined(*legs)

    assert is_near(got.maintenance_contingency, 3 * naked)
    assert is_near(got.initial_contingency, 2 * naked)


@pytest.mark.parametrize(
    ("changes", "charge"),
    [
        ({"spot_confidence": e("0.55")}, "0"),
        ({"spot_confidence": e("0.55") - 1}, "4050.000000000000009"),  # 0.45 · (1000 · (2 + 5 + 1) + 1000)
        ({"spot_confidence": e("0.5")}, "4500"),
        ({"perp": Perp(e(-2), e(1000), e("0.5"))}, "4000"),  # perpetual and options, never the collateral
        ({"perp": Perp(0, e(1000), e("0.1"))}, "-10"),  # none held: its confidence does not count; 10 less perp share
        ({"collaterals": (coin(2, False, "0.5"),)}, "500"),
        ({"collaterals": (coin(2, False, "0.5"),), "spot_confidence": e("0.4")}, "5400"),
        ({"expiries": (replace(MARKET, forward_confidence=e("0.5")),)}, "3000"),
        ({"expiries": (replace(MARKET, rate_confidence=e("0.5")),)}, "3000"),
        ({"expiries": (replace(MARKET, vol_confidence=e("0.5")),)}, "3000"),
    ],
)
def test_margin__confidence__of_each_kind_by_its_own_feeds(changes: dict[str, Any], charge: str) -> None:
    """Perp -2, options +5 and -1, collateral worth 1000."""
    legs = (option(600, True, 5), option(700, False, -1))
    book: dict[str, Any] = {"perp": Perp(e(-2), e(1000)), "collaterals": (coin(2, False),)}

    sure, unsure = margined(*legs, **book), margined(*legs, **{**book, **changes})

    got = unsure.initial_contingency.low - sure.initial_contingency.low
    assert abs(got - e(charge)) <= 5


# --- inputs and structure --------------------------------------------------------------------------------------------


def test_margin__too_many_assets__refused_beyond_the_limit() -> None:
    coins = (coin(0, False),) * (ASSETS_MAX - 1)

    assert margined(collaterals=coins, perp=Perp(1)).mtm == exact(0)
    with pytest.raises(ValueError, match="129 assets"):
        margined(option(600, True, 1), collaterals=coins, perp=Perp(1))


@pytest.mark.parametrize("changes", [{"stable_price": 0}, {"collaterals": (coin(-1, False),)}, {"expiries": ()}])
def test_margin__impossible_input__refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"never negative|no market"):
        margined(option(600, True, 1), **changes)


def test_margin__no_scenario__refused() -> None:
    with pytest.raises(ValueError, match="scenario"):
        margined(rules=replace(RULES, scenarios=()))


def test_expiry_values__arrays__serve_any_amounts() -> None:
    """The arrays know no amounts: two portfolios of the same instruments are two sums over one pricing."""
    legs = (option(600, True, 1, "0.5"), option(900, False, -3, "0.6"))
    other = tuple(replace(leg, amount=leg.amount * -2) for leg in legs)

    values = expiry_values(MARKET, legs, scenarios_of(RULES), RULES.shocks)

    assert values == expiry_values(MARKET, other, scenarios_of(RULES), RULES.shocks)
    assert sums(values, other)[0] == total(v[0].times(leg.amount) for v, leg in zip(values, other, strict=True))
    assert len(values[0]) == 3 + len(RULES.scenarios)


# --- laws ------------------------------------------------------------------------------------------------------------

LEGS = st.lists(
    st.builds(option, st.sampled_from([600, 900, 1000, 1100]), st.booleans(), st.integers(-4, 4), st.just("0.5")),
    max_size=3,
)
SCENARIOS = st.builds(
    Scenario,
    st.integers(1, 60).map(lambda tenths: tenths * E18 // 10),
    st.sampled_from([VolMove.UP, VolMove.DOWN, VolMove.NONE]),
    st.integers(0, 10).map(lambda tenths: tenths * E18 // 10),
) | st.sampled_from([Scenario(E18, VolMove.LINEAR), Scenario(E18, VolMove.ABS)])


@given(LEGS, st.integers(-3, 3), SCENARIOS)
def test_law__scenario_added__never_raises_a_margin(legs: list[Option], perp: int, scenario: Scenario) -> None:
    book = {"perp": Perp(e(perp), e(1000)), "collaterals": (coin(1, True),)}

    base = margined(*legs, **book)
    longer = margined(*legs, **book, rules=replace(RULES, scenarios=(*RULES.scenarios, scenario)))

    assert longer.maintenance.low <= base.maintenance.low
    assert longer.initial.low <= base.initial.low


@given(LEGS, st.integers(-3, 3), st.randoms(use_true_random=False))
def test_law__everything_permuted__same_margins(legs: list[Option], perp: int, random: Any) -> None:
    scenarios = [*RULES.scenarios, Scenario(E18, VolMove.ABS), Scenario(E18, VolMove.UP)]
    book = {"perp": Perp(e(perp), e(1000)), "collaterals": (coin(1, True), coin(3, False))}
    base = margined(*legs, **book, rules=under(*scenarios))
    turned = list(legs)
    random.shuffle(scenarios)
    random.shuffle(turned)

    other = margined(*turned, **{**book, "collaterals": book["collaterals"][::-1]}, rules=under(*scenarios))  # type: ignore[index]

    assert (other.initial, other.maintenance, other.mtm) == (base.initial, base.maintenance, base.mtm)


@given(LEGS, st.integers(0, 10**6), st.integers(0, 5))
def test_law__cash_and_idle_collateral__never_lower_a_margin(legs: list[Option], cash: int, coins: int) -> None:
    base, richer = margined(*legs), margined(*legs, cash=cash)
    backed = margined(*legs, collaterals=(coin(coins, False),))

    assert richer.initial.low - base.initial.low == richer.maintenance.low - base.maintenance.low == cash
    assert backed.initial.low >= base.initial.low
    assert backed.maintenance.low >= base.maintenance.low


@given(st.integers(-40, 40))
def test_law__margin_around_zero__one_unit_of_cash_decides(perp: int) -> None:
    got = margined(perp=Perp(e(perp), e(1000)))
    due = -got.maintenance.low

    verdicts = [margined(perp=Perp(e(perp), e(1000)), cash=due + d).maintenance.low >= 0 for d in (-1, 0, 1)]

    assert verdicts == [False, True, True]
