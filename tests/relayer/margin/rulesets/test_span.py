"""SPAN-style margin, every term by hand: the published example only tells the scan."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.rulesets.scenario import Holding
from relayer.margin.rulesets.span import (
    CalendarSpread,
    Commodity,
    Contract,
    Delivery,
    SpanResult,
    SpreadLeg,
    margin,
)

E18 = 10**18


def usd(*values: int) -> tuple[int, ...]:
    return tuple(value * E18 for value in values)


def future(name: str, month: str, tier: int, move: int) -> Contract:
    """Six scenarios: still up, still down, +move twice, -move twice; delta 1 in the only weighted point."""
    return Contract(name, month, tier, usd(0, 0, move, move, -move, -move), (E18,))


OIL = Commodity(
    name="oil",
    contracts=(
        future("oil-jan", "jan", 1, 1000),
        future("oil-feb", "feb", 1, 1000),
        future("oil-dec", "dec", 2, 900),
        Contract("oil-call", "jan", 1, usd(60, -80, 700, 500, -200, -400), (E18 // 2,), 300 * E18),
    ),
    pairs=(1, 0, 3, 2, 5, 4),
    still=(0, 1),
    delta_weights=(E18,),
)
GAS = replace(
    OIL, name="gas", contracts=(future("gas-jan", "jan", 1, 500), future("gas-dec", "dec", 2, 500)), credit_cap=E18
)


def held(**amounts: int) -> list[Holding]:
    return [Holding(name.replace("_", "-"), amount * E18) for name, amount in amounts.items()]


def of(*holdings: Holding, commodity: Commodity = OIL) -> SpanResult:
    return margin([commodity], [], list(holdings))


# --- one commodity ---------------------------------------------------------------------------------------------------


def test_margin__one_future__scan_only() -> None:
    got = margin([OIL], [], held(oil_jan=2))

    assert got.requirement == got.requirement_without_credit == 2000 * E18
    assert got.commodities[0].composite_delta == 2 * E18**3
    assert got.commodities[0].scan.worst == 4


def test_margin__short_call__volatility_and_time_risk_leave_the_price_risk() -> None:
    """Losses of the short call: 60, -80, 700, 500, -200, -400. Worst 700 at scenario 2, its pair loses 500.

    Volatility risk (700 - 500) : 2 = 100; time risk (60 - 80) : 2 = -10; price risk 700 - 100 + 10 = 610.
    Requirement: scan 700, minus the net option value of -300, so 1000.
    """
    got = margin([OIL], [], held(oil_call=-1))

    assert got.commodities[0].price_risk_twice == 2 * 610 * E18
    assert got.net_option_value == -300 * E18
    assert got.requirement == 1000 * E18


def test_margin__long_call__worth_more_than_its_risk_is_negative() -> None:
    """Losses: worst 400; value 300: requirement 400 - 300 = 100; two thirds more value would make it negative."""
    assert margin([OIL], [], held(oil_call=1)).requirement == 100 * E18
    dear = replace(OIL.contracts[3], option_price=500 * E18)
    commodity = replace(OIL, contracts=(*OIL.contracts[:3], dear))
    assert of(*held(oil_call=1), commodity=commodity).requirement == -100 * E18


def test_margin__delta_weights__composite_delta_is_the_weighted_sum() -> None:
    """Deltas 0.5 and 0.9 at weights 0.7 and 0.3: 0.62; three short: -1.86."""
    call = replace(OIL.contracts[3], deltas=(E18 // 2, 9 * E18 // 10))
    commodity = replace(OIL, contracts=(call,), delta_weights=(7 * E18 // 10, 3 * E18 // 10))

    assert of(*held(oil_call=-3), commodity=commodity).commodities[0].composite_delta == -186 * E18**3 // 100


CALENDAR = replace(OIL, calendar=(CalendarSpread(1, 1, 50 * E18), CalendarSpread(1, 2, 80 * E18)))


def test_calendar__long_and_short_in_one_tier_then_across__charged_in_order() -> None:
    """jan +5, feb -2, dec -4. Spread 1: 2 matched in tier 1 at 50; jan 3 left. Spread 2: 3 of dec's 4 at 80: 340."""
    got = of(*held(oil_jan=5, oil_feb=-2, oil_dec=-4), commodity=CALENDAR).commodities[0]

    assert got.calendar == 340 * E18
    assert got.scan.risk == max(0, (5 - 2) * 1000 - 4 * 900, -((5 - 2) * 1000 - 4 * 900)) * E18


def test_calendar__other_direction__charged_the_same() -> None:
    got = of(*held(oil_jan=-5, oil_feb=2, oil_dec=4), commodity=CALENDAR).commodities[0]

    assert got.calendar == 340 * E18


def test_calendar__order_of_spreads__decides() -> None:
    """Across first: 4 at 80, then jan 1 against feb 2 in the tier: 1 at 50: 370."""
    turned = replace(CALENDAR, calendar=CALENDAR.calendar[::-1])

    assert of(*held(oil_jan=5, oil_feb=-2, oil_dec=-4), commodity=turned).commodities[0].calendar == 370 * E18


def test_calendar__one_direction_only__nothing() -> None:
    assert of(*held(oil_jan=5, oil_dec=4), commodity=CALENDAR).commodities[0].calendar == 0


def test_calendar__fraction__rounded_up() -> None:
    """Half a delta matched at a rate of 1 unit: half a unit, charged as 1."""
    commodity = replace(OIL, calendar=(CalendarSpread(1, 2, 1),))
    half = [Holding("oil-jan", E18 // 2), Holding("oil-dec", -E18 // 2)]

    assert of(*half, commodity=commodity).commodities[0].calendar == 1


def test_delivery__spread_and_outright_deltas__each_at_its_rate() -> None:
    """jan +5 with 2 used against feb: 2 · 10 + 3 · 30 = 110; feb is not in delivery."""
    commodity = replace(CALENDAR, delivery=(Delivery("jan", 10 * E18, 30 * E18),))

    got = of(*held(oil_jan=5, oil_feb=-2), commodity=commodity)

    assert got.commodities[0].delivery == 110 * E18
    assert got.requirement == got.requirement_without_credit == (3000 + 100 + 110) * E18


def test_delivery__two_months_of_a_tier__are_used_one_after_the_other() -> None:
    """feb +1 and jan +3 against dec -3: all of feb and 2 of jan are used; 2 · 10 + 1 · 30 = 50."""
    commodity = replace(
        OIL, calendar=(CalendarSpread(1, 2, 50 * E18),), delivery=(Delivery("jan", 10 * E18, 30 * E18),)
    )

    got = of(*held(oil_jan=3, oil_feb=1, oil_dec=-3), commodity=commodity)

    assert (got.commodities[0].calendar, got.commodities[0].delivery) == (150 * E18, 50 * E18)


def test_minimum__more_short_options_than_risk__binds() -> None:
    """A call short against half a future: losses 60, -80, 200, 0, 300, 100, so scan 300; the minimum is 450."""
    commodity = replace(OIL, short_option_rate=450 * E18)
    hedged = [Holding("oil-call", -E18), Holding("oil-jan", E18 // 2)]

    got = of(*hedged, commodity=commodity)

    assert got.commodities[0].scan.risk == 300 * E18
    assert got.commodities[0].minimum == 450 * E18
    assert got.requirement == (450 + 300) * E18


@pytest.mark.parametrize(("rate", "required"), [(299, 300), (300, 300), (301, 301)])
def test_minimum__around_the_risk__boundary(rate: int, required: int) -> None:
    commodity = replace(OIL, short_option_rate=rate * E18)

    got = of(Holding("oil-call", -E18), Holding("oil-jan", E18 // 2), commodity=commodity)

    assert got.commodities[0].requirement == required * E18


def test_minimum__long_options_and_short_futures__do_not_count() -> None:
    commodity = replace(OIL, short_option_rate=450 * E18)

    assert of(*held(oil_call=1, oil_jan=-1), commodity=commodity).commodities[0].minimum == 0


# --- across commodities ----------------------------------------------------------------------------------------------

SPREAD = (SpreadLeg("oil", 1, 2 * E18, 6 * 10**17), SpreadLeg("gas", -1, 3 * E18, 5 * 10**17))


def test_credit__opposite_books__each_leg_by_its_own_price_risk() -> None:
    """oil +5 (scan 5000, 1000 a delta), gas -6 (scan 3000, 500 a delta). Spreads: min(5 : 2, 6 : 3) = 2.

    oil: 1000 · 2 · 2 · 60 % = 2400; gas: 500 · 2 · 3 · 50 % = 1500. Requirement 2600 + 1500.
    """
    got = margin([OIL, GAS], [SPREAD], held(oil_jan=5, gas_jan=-6))

    assert [risk.credit for risk in got.commodities] == [2400 * E18, 1500 * E18]
    assert got.requirement == 4100 * E18
    assert got.requirement_without_credit == 8000 * E18


def test_credit__both_reversed__same() -> None:
    got = margin([OIL, GAS], [SPREAD], held(oil_jan=-5, gas_jan=6))

    assert got.requirement == 4100 * E18


def test_credit__same_direction__none() -> None:
    assert margin([OIL, GAS], [SPREAD], held(oil_jan=5, gas_jan=6)).requirement == 8000 * E18


def test_credit__second_spread__finds_what_the_first_left() -> None:
    """The first uses 4 of oil's 5 and all of gas: the second forms nothing; the other way round it forms first."""
    other = (SpreadLeg("oil", 1, E18, 10**17), SpreadLeg("gas", -1, E18, 10**17))
    book = held(oil_jan=5, gas_jan=-6)

    first = margin([OIL, GAS], [SPREAD, other], book)
    turned = margin([OIL, GAS], [other, SPREAD], book)

    assert first.requirement == 4100 * E18
    assert [risk.credit for risk in turned.commodities] == [500 * E18, 250 * E18]


def test_credit__price_risk_not_positive__none() -> None:
    """The worst scenario loses 100, its pair gains 300, nothing happens without a move: price risk (100 - 300) : 2."""
    odd = Contract("oil-jan", "jan", 1, usd(0, 0, -100, 300, 0, 0), (E18,))
    oil = replace(OIL, contracts=(odd,))

    got = margin([oil, GAS], [SPREAD], held(oil_jan=5, gas_jan=-6))

    assert got.commodities[0].price_risk_twice == -5 * 200 * E18
    assert got.commodities[0].credit == 0
    assert got.commodities[1].credit == 1500 * E18


def test_credit__cap__binds_at_its_share_of_the_scan() -> None:
    """30 % of oil's 5000."""
    capped = replace(OIL, credit_cap=3 * E18 // 10)

    assert margin([capped, GAS], [SPREAD], held(oil_jan=5, gas_jan=-6)).commodities[0].credit == 1500 * E18


def test_credit__third__rounded_down() -> None:
    """One delta of three, at 1 unit of price risk each and a rate of 100 %: spreads formed 1 : 3 rounded down."""
    legs = (SpreadLeg("oil", 1, 3 * E18, E18), SpreadLeg("gas", -1, E18, E18))

    credit = margin([OIL, GAS], [legs], held(oil_jan=1, gas_jan=-1)).commodities[1].credit

    assert credit == 500 * E18 // 3


@pytest.mark.parametrize(
    "legs",
    [
        (SPREAD[0],),
        (SPREAD[0], replace(SPREAD[1], side=1)),
        (SPREAD[0], replace(SPREAD[1], side=-2)),
        (SPREAD[0], replace(SPREAD[1], ratio=0)),
        (SPREAD[0], replace(SPREAD[1], rate=-1)),
        (SPREAD[0], replace(SPREAD[1], commodity="oil")),
        (SPREAD[0], replace(SPREAD[1], commodity="coal")),
    ],
)
def test_credit__spread_that_cannot_be_formed__refused(legs: tuple[SpreadLeg, ...]) -> None:
    with pytest.raises(ValueError, match="spread"):
        margin([OIL, GAS], [legs], held(oil_jan=1))


# --- inputs ----------------------------------------------------------------------------------------------------------


def test_margin__unknown_contract__refused() -> None:
    with pytest.raises(ValueError, match="unknown"):
        margin([OIL], [], held(coal_jan=1))


def test_margin__name_twice__refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        margin([OIL, OIL], [], [])


def test_margin__pairs_or_deltas_that_do_not_fit__refused() -> None:
    with pytest.raises(ValueError, match="pairs"):
        of(commodity=replace(OIL, pairs=(0,)))
    with pytest.raises(ValueError, match="weights"):
        of(commodity=replace(OIL, delta_weights=(E18, E18)))


AMOUNTS = st.integers(-20, 20)


@given(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS))
def test_law__any_book__credit_never_raises_and_its_absence_is_the_stress(amounts: tuple[int, ...]) -> None:
    names = ("oil-jan", "oil-dec", "oil-call", "gas-jan", "gas-dec")
    book = [Holding(name, amount * E18) for name, amount in zip(names, amounts, strict=True)]

    got = margin([CALENDAR, GAS], [SPREAD], book)

    assert got.requirement <= got.requirement_without_credit
    assert all(0 <= risk.credit <= risk.scan.risk for risk in got.commodities)
    assert got.requirement == sum(risk.requirement for risk in got.commodities) - got.net_option_value
    assert margin([GAS, CALENDAR], [SPREAD], book[::-1]).requirement == got.requirement


@given(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), st.lists(st.integers(-2000, 2000), min_size=4, max_size=4))
def test_law__scenario_added__scan_term_never_falls(amounts: tuple[int, ...], gains: list[int]) -> None:
    names = ("oil-jan", "oil-dec", "oil-call")
    book = [Holding(name, amount * E18) for name, amount in zip(names, amounts, strict=True)]
    longer = replace(
        OIL,
        contracts=tuple(replace(c, array=(*c.array, g * E18)) for c, g in zip(OIL.contracts, gains, strict=True)),
        pairs=(*OIL.pairs, 6),
    )

    assert of(*book, commodity=longer).commodities[0].scan.risk >= of(*book).commodities[0].scan.risk
