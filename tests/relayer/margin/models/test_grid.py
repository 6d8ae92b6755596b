"""User-defined grids, every figure by hand: spot 1000, volatility 0 unless said, one year to expiry."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import End, ExpiryQuote, Gap, Leg, Role
from relayer.margin.engine.result import Verdict
from relayer.margin.models.correlation import CorrelationClass, CorrelationRules
from relayer.margin.models.grid import GridRules, cross, point_name
from relayer.margin.rulesets.black76 import price
from relayer.margin.rulesets.grid import GridPoint
from relayer.margin.view import Purpose
from tests.relayer.margin.models.scenario_build import (
    AS_OF,
    E18,
    EXPIRY,
    QUOTE,
    account,
    between,
    cash,
    coin,
    e,
    is_near,
    leg,
    market,
    option,
    perp,
    point,
    reconcile,
    requirements,
    vols,
    without,
)

HELD = Purpose.MAINTENANCE
SHIFTS = (e("-0.15"), 0, e("0.15"))
RULES = GridRules(cross(SHIFTS, (E18,)), still=frozenset({"USDC"}))


def weighed(*legs: Leg, rules: GridRules = RULES, data=None, purpose: Purpose = HELD):
    return reconcile(evaluate(account(*legs), data or market(), rules, purpose))


def test_weigh__perp_and_cash__loss_of_the_worst_move() -> None:
    """3 at 1010, entered at 1000: value 30, down 15 %: 3 · 151.5 = 454.5."""
    got = weighed(cash(500), perp(3, 3_000))

    assert (got.equity, got.requirement) == (e(530), e("454.5"))
    assert got.worst == "ETH: spot -15 %, vol 0 %"
    assert requirements(got) == {"ETH scan: spot -15 %, vol 0 %": e("454.5")}
    assert got.stress_requirement == got.requirement


@pytest.mark.parametrize(("extra", "verdict"), [(-1, Verdict.UNHEALTHY), (0, Verdict.HEALTHY), (1, Verdict.HEALTHY)])
def test_weigh__around_the_line__equality_is_healthy(extra: int, verdict: Verdict) -> None:
    short = replace(cash(0), amount=e("424.5") + extra)

    got = weighed(short, perp(3, 3_000))

    assert (got.excess, got.verdict) == (extra, verdict)


def test_weigh__hedged__scan_of_the_sum_and_not_the_sum_of_scans() -> None:
    """Coin 1 at 1000 and perp -1 at 1010: down 150 lost, 151.5 won; up the reverse: 1.5."""
    got = weighed(coin(1), perp(-1))

    assert got.requirement == e("1.5")
    assert got.worst == "ETH: spot +15 %, vol 0 %"


def test_weigh__options_at_no_volatility__intrinsic_values() -> None:
    """Short call 900: worth -100; up 15 %: -250, so it loses 150. Long put 1100: 100; up: 0, so it loses 100."""
    got = weighed(option(900, "call", -1), option(1_100, "put", 1))

    assert is_near(got.equity, 0)
    assert is_near(got.requirement, 250)


def test_weigh__rate__discounts_value_and_loss() -> None:
    """Rate ln 2 for a year: half of everything. A negative rate: twice."""
    ln2 = 693_147_180_559_945_309
    for rate, loss in ((ln2, 75), (-ln2, 300)):
        data = market(quotes={EXPIRY: replace(QUOTE, rate_e18=rate)})

        assert is_near(weighed(option(900, "call", -1), data=data).requirement, loss)


def test_weigh__settled_part_of_the_forward__does_not_move() -> None:
    """700 settled, 300 moves: up 15 % is 45 for the short call."""
    data = market(quotes={EXPIRY: replace(QUOTE, forward_fixed=e(700))})

    assert is_near(weighed(option(900, "call", -1), data=data).requirement, 45)


def test_weigh__volatility_factor__reprices_at_the_shocked_volatility() -> None:
    now, shocked = (price(e(1_000), e(1_000), e(v), EXPIRY - AS_OF).call.low for v in ("0.5", "0.725"))
    rules = GridRules(cross((0,), (e("1.45"),)))

    got = weighed(
        option(1_000, "call", -1), rules=rules, data=market(quotes={EXPIRY: replace(QUOTE, vols=vols("0.5"))})
    )

    assert abs(got.requirement - (shocked - now)) <= 3
    assert got.worst == "ETH: spot 0 %, vol +45 %"


def test_weigh__weight__counts_a_share_rounded_up() -> None:
    """Down 66 % at a quarter: 1000 · 0.66 · 0.25 = 165 beats 150; of one unit a quarter is one unit."""
    rules = replace(RULES, points=(*RULES.points, GridPoint(e("-0.66"), E18, e("0.25"))))

    got = weighed(coin(1), rules=rules)

    assert got.requirement == e(165)
    assert got.worst == "ETH: spot -66 %, vol 0 %, counted at 25 %"
    dust = replace(coin(0), amount=1)
    assert weighed(dust, rules=rules, data=market({"ETH": point(100)})).requirement == 17


def test_weigh__still_coin_and_money__carry_no_risk() -> None:
    got = weighed(cash(10, "USD"), coin(20, "USDC"), data=market({"USDC": point("0.99")}))

    assert (got.equity, got.requirement) == (e("29.8"), 0)
    assert got.worst == ""


def test_weigh__debt_of_a_coin__moves_like_a_short() -> None:
    owed = leg("owed", Role.DEBT, "ETH", 2)

    got = weighed(cash(3_000), owed)

    assert (got.equity, got.requirement, got.debt) == (e(1_000), e(300), e(2_000))


def test_weigh__future__at_the_price_of_its_asset() -> None:
    dated = leg("future", Role.FUTURE, "ETH", -1, entry_value=e(-990), accrued=e(2))

    got = weighed(dated)

    assert (got.equity, got.requirement) == (e(-8), e(150))


def test_weigh__short_options__minimum_for_each_on_top() -> None:
    """A far call: no loss at no volatility, but 3 short at 10 each."""
    rules = replace(RULES, points=cross((0,), (E18,)), short_option_minimum=e(10))

    got = weighed(option(1_100, "call", -3), rules=rules)

    assert is_near(got.requirement, 30)
    assert weighed(option(1_100, "call", 3), rules=rules).requirement <= 3


def test_weigh__initial_points__tried_as_well() -> None:
    rules = replace(RULES, initial_points=cross((e("-0.3"),), (E18,)))

    assert weighed(coin(1), rules=rules).requirement == e(150)
    assert weighed(coin(1), rules=rules, purpose=Purpose.INITIAL).requirement == e(300)


def test_th_064_weigh__correlation__credit_stress_and_their_buffer() -> None:
    """ETH +1: down 150. BTC -1 at 1000: up 150. Rate 0.8: joint 150 + 30; stress 300; cap 0.5 does not bind."""
    short = leg("btc", Role.PERP, "BTC", -1, entry_value=e(-1_000))
    rules = replace(RULES, correlation=CorrelationRules((CorrelationClass(("ETH", "BTC"), e("0.8")),), e("0.5")))
    data = market({"BTC": point(1_000)})

    got = weighed(coin(1), short, rules=rules, data=data)
    ended = weighed(coin(1), short, rules=rules, data=data, purpose=Purpose.LIQUIDATION_END)

    assert (got.requirement, got.stress_requirement) == (e(180), e(300))
    assert requirements(got)["correlation credit"] == e(-120)
    assert (ended.requirement, ended.stress_requirement) == (e(189), e(315))
    capped = replace(rules, correlation=replace(rules.correlation, cap_e18=e("0.1")))
    assert weighed(coin(1), short, rules=capped, data=data).requirement == e(270)


# --- what is missing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "is_collateral"),
    [
        (option(900, "put", 1, AS_OF), True),
        (option(900, "put", -1, AS_OF), False),
        (option(950, "put", 1), True),
        (option(950, "put", -1), False),
        (option(900, "put", 1, EXPIRY + 1), True),
        (coin(1, "DOGE"), True),
        (leg("owed", Role.DEBT, "DOGE", 1), False),
        (leg("perp", Role.PERP, "DOGE", 1), False),
        (leg("perp", Role.FUTURE, "DOGE", -1), False),
        (leg("owed", Role.CASH, "DOGE", -1), False),
        (leg("fine", Role.COLLATERAL, "ETH", 1, decimals=19), True),
        (leg("bare", Role.OPTION, "ETH", 1), True),
    ],
    ids=lambda value: value.name if isinstance(value, Leg) else str(value),
)
def test_weigh__what_cannot_be_priced__gap(missing: Leg, is_collateral: bool) -> None:
    got = weighed(cash(500), missing)

    assert [(gap.leg, gap.is_collateral) for gap in got.gaps] == [(missing.name, is_collateral)]
    assert got.verdict is (Verdict.HEALTHY if is_collateral else Verdict.UNKNOWN)
    assert got.equity == e(500)


def test_weigh__unpriced_hedge__earns_no_credit() -> None:
    """The put at 950 without a volatility would cap the loss of the coin at 50."""
    data = market(quotes={EXPIRY: replace(QUOTE, vols={950 * E18: 0})})
    hedge = option(950, "put", 1)

    assert is_near(weighed(coin(1), hedge, data=data).requirement, 50)
    assert weighed(coin(1), hedge).requirement == e(150)


def test_weigh__forward_that_may_be_zero__gap() -> None:
    for quote in (ExpiryQuote(between(0, 1), vols=vols()), replace(QUOTE, forward_fixed=e(1_001))):
        got = weighed(option(900, "call", -1), data=market(quotes={EXPIRY: quote}))

        assert got.gaps == (
            Gap(option(900, "call", -1).name, "forward of ETH may be zero, or below its settled part", False),
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"points": ()},
        {"points": (GridPoint(-E18 - 1),)},
        {"points": (GridPoint(0, -1),)},
        {"points": (GridPoint(0, E18, E18 + 1),)},
        {"initial_points": (GridPoint(0, E18, -1),)},
        {"short_option_minimum": -1},
        {"correlation": CorrelationRules((), E18 + 1)},
    ],
)
def test_rules__that_contradict_themselves__refused(changes: dict) -> None:
    with pytest.raises(ValueError, match=r"grid needs points|below zero|outside"):
        replace(RULES, **changes)


@pytest.mark.parametrize("point", [GridPoint(-E18), GridPoint(0, 0), GridPoint(0, E18, 0), GridPoint(0, E18, E18)])
def test_rules__at_the_bounds_of_a_point__accepted(point: GridPoint) -> None:
    assert replace(RULES, points=(point,)).points == (point,)


def test_point_name__says_move_volatility_and_weight() -> None:
    assert point_name(GridPoint(e("-0.045"), e("0.7"), e("0.5"))) == "spot -4.5 %, vol -30 %, counted at 50 %"


def test_cross__weights_by_shift() -> None:
    assert cross((0, 5), (1, 2), {5: 7}) == (
        GridPoint(0, 1), GridPoint(0, 2), GridPoint(5, 1, 7), GridPoint(5, 2, 7)
    )  # fmt: skip


# --- laws ------------------------------------------------------------------------------------------------------------

LEGS = st.lists(
    st.one_of(
        st.builds(coin, st.integers(0, 5)),
        st.builds(perp, st.integers(-5, 5)),
        st.builds(option, st.sampled_from([900, 1_000, 1_100]), st.sampled_from(["call", "put"]), st.integers(-5, 5)),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda drawn: drawn.name,
)
WILD = GridRules(cross((e("-0.15"), e("0.1")), (e("0.7"), e("1.5")), {e("0.1"): e("0.9")}), short_option_minimum=E18)
VOLATILE = replace(QUOTE, vols=vols("0.6"))


@settings(max_examples=25)
@given(LEGS, st.integers(0, 3))
def test_law__scenario_removed__never_raises_the_requirement(legs: list[Leg], place: int) -> None:
    data = market(quotes={EXPIRY: VOLATILE})
    fewer = replace(WILD, points=(*WILD.points[:place], *WILD.points[place + 1 :]))

    assert weighed(*legs, rules=fewer, data=data).requirement <= weighed(*legs, rules=WILD, data=data).requirement


@settings(max_examples=25)
@given(LEGS, st.integers(0, 50), st.integers(0, 50), st.integers(0, 100))
def test_law__every_price_inside_the_interval__excess_between_low_and_high(
    legs: list[Leg], below: int, above: int, share: int
) -> None:
    low, high = 1_000 - below, 1_000 + above
    inside = low + (high - low) * share // 100
    wide = market(
        {"ETH": between(low, high), "ETH-PERP": between(low, high)},
        {EXPIRY: replace(VOLATILE, forward=between(low, high))},
    )
    one = market({"ETH": point(inside), "ETH-PERP": point(inside)}, {EXPIRY: replace(VOLATILE, forward=point(inside))})

    got, truth = weighed(*legs, rules=WILD, data=wide), weighed(*legs, rules=WILD, data=one)

    assert truth.excess_high is not None
    assert got.excess_high is not None
    assert got.excess <= truth.excess <= truth.excess_high <= got.excess_high


def test_weigh__interval__every_leg_at_its_own_end() -> None:
    """Coin at 990, perp -1 at 1020: -30 and up 15 % 1.5 · 3 = 4.5 more."""
    data = market({"ETH": between(990, 1_010), "ETH-PERP": between(1_000, 1_020)})

    low = RULES.weigh(account(coin(1), perp(-1, -1_010)), data, HELD, End.LOW)
    high = RULES.weigh(account(coin(1), perp(-1, -1_010)), data, HELD, End.HIGH)

    assert (low.equity, low.requirement) == (e(980), e("4.5"))
    assert (high.equity, high.requirement) == (e(1_020), e("1.5"))


def test_weigh__perp_without_a_price_of_its_own__takes_the_spot() -> None:
    got = weighed(perp(1, 1_000), data=without(market(), "ETH-PERP"))

    assert (got.equity, got.requirement) == (0, e(150))
