"""Standard margin, every term by hand. Options of 0 seconds are worth their intrinsic value, so sums are round."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.interval import Interval, total
from relayer.margin.rulesets.derive_srm import (
    ExpiryFeed,
    MarketFeed,
    MarketHolding,
    OptionLeg,
    OptionRules,
    SrmResult,
    SrmRules,
    margin,
)
from relayer.margin.view import Purpose

E18 = 10**18
IM, MM = Purpose.INITIAL, Purpose.MAINTENANCE


def e(text: str | int) -> int:
    return int(Fraction(str(text)) * E18)


OPTION = OptionRules(e("0.15"), e("0.1"), e("0.075"), e("0.075"), e("0.075"), e("1.2"), e("1.1"), e("1.05"))
RULES = SrmRules(
    option=OPTION,
    perp_maintenance=e("0.05"),
    perp_initial=e("0.065"),
    perp_threshold=e("0.4"),
    option_threshold=e("0.5"),
    base_threshold=e("0.6"),
    confidence_factor=e("0.4"),
    depeg_threshold=e("0.98"),
    depeg_factor=e("1.2"),
    base_factor=e("0.8"),
    base_initial_scale=e("0.9"),
)
FEED = MarketFeed(e(2000), E18, e(2010), E18, (ExpiryFeed(0, e(2000), E18, E18), ExpiryFeed(7, e(2000), E18, E18)))


def leg(strike: int, is_call: bool, amount: str | int = -1, seconds: int = 0) -> OptionLeg:
    return OptionLeg(seconds, e(strike), is_call, e(amount), 0)


def call(strike: int, amount: str | int = -1) -> OptionLeg:
    return leg(strike, True, amount)


def put(strike: int, amount: str | int = -1) -> OptionLeg:
    return leg(strike, False, amount)


def margined(
    purpose: Purpose,
    *legs: OptionLeg,
    feed: MarketFeed = FEED,
    stable: str | int = 1,
    rules: SrmRules = RULES,
    **held: Any,
) -> SrmResult:
    holding = MarketHolding(feed, legs, **{name: e(amount) for name, amount in held.items()})
    return margin([("ETH", holding)], 0, e(stable), rules, purpose)


def is_near(interval: Interval, text: str | int, units: int = 20) -> bool:
    """Tell whether an interval holds a hand figure and is no wider than some units of 1e-18."""
    return interval.low <= e(text) <= interval.high and interval.high - interval.low <= units


# --- one option ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("short", "maintenance", "initial"),
    [
        (call(1900), "-250", "-400"),  # mtm -100; 7.5 % of 2000; 15 % in the money
        (call(2050), "-150", "-250"),  # 2.5 % out of the money: 12.5 %
        (call(2100), "-150", "-200"),  # 5 % out: exactly the least share
        (call(2101), "-150", "-200"),
        (call(2099), "-150", "-201"),
        (call(9000), "-150", "-200"),
        (call(2100, "-2.5"), "-375", "-500"),
        (put(2100), "-250", "-400"),  # mtm -100
        (put(1950), "-150", "-250"),
        (put(1900), "-150", "-200"),
        (put(7400), "-5805", "-6095.25"),  # mtm -5400, 7.5 % of it is more than of spot; initial is 1.05 of maintenance
        (put(4000), "-2150", "-2300"),  # mtm -2000: both shares are 150; own formula 2000 + 300 beats 1.05 · 2150
        (put(50), "-50", "-50"),  # cannot lose more than its strike
        (call(1900, 1), "0", "0"),
        (put(2100, 1), "0", "0"),
    ],
)
def test_margin__one_option__by_hand(short: OptionLeg, maintenance: str, initial: str) -> None:
    assert is_near(margined(MM, short).margin, maintenance)
    assert is_near(margined(IM, short).margin, initial)


def test_margin__put_in_the_money_without_offset_scale__own_formula() -> None:
    """K = 3000: mtm -1000, MM -1150, own -1300, 1.05 · MM = -1207.5: the own formula is worse and counts."""
    assert is_near(margined(IM, put(3000)).margin, "-1300")
    assert is_near(margined(MM, put(3000)).margin, "-1150")


# --- an expiry -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("legs", "maintenance", "initial"),
    [
        ((call(1800), call(2000, 1)), "-200", "-200"),  # the width of the spread
        ((put(3000), put(2500, 1)), "-500", "-500"),
        ((call(2300), call(4000, 1)), "-150", "-200"),  # isolated is better than the width of 1700
        ((call(1000), call(1500, 2), call(2000)), "-500", "-500"),  # loss at the middle strike only
        ((call(1000, 1), call(1500, -2), call(2000, 1)), "0", "0"),
        ((call(1000, 1), call(2000), put(1000), put(2000, 1)), "0", "0"),  # a long box
        ((put(2100), call(2100, 1)), "-250", "-400"),  # a call covers no put beyond the maximum loss
        ((put(60), put(50, 1)), "-10", "-10"),
    ],
)
def test_margin__expiry__better_of_isolated_and_maximum_loss(
    legs: tuple[OptionLeg, ...], maintenance: str, initial: str
) -> None:
    assert is_near(margined(MM, *legs).margin, maintenance, 200)
    assert is_near(margined(IM, *legs).margin, initial, 200)


def test_margin__unpaired_call__scale_of_the_purpose_times_the_forward() -> None:
    """S = 4000, F = 1000, K = 100: isolated -900 - 300 and -900 - 600; maximum loss -1100 and -1200."""
    feed = replace(FEED, spot=e(4000), expiries=(ExpiryFeed(0, e(1000), E18, E18),))

    assert is_near(margined(MM, call(100), feed=feed).margin, "-1100")
    assert is_near(margined(IM, call(100), feed=feed).margin, "-1200")


def test_margin__two_expiries__never_offset_each_other() -> None:
    """A long call of the later expiry does not cover a short of the earlier one."""
    got = margined(MM, call(1900), leg(1900, True, 1, seconds=7))

    assert is_near(got.margin, "-250")


def test_margin__merged_books__can_cost_more_than_both_apart() -> None:
    """The recorded counter-example: S = F = 2000, 10 days, 50 % volatility.

    A short 2200 call needs 160.74, five 1900/1880 put spreads need their width of 100; merged, the call leaves the
    expiry without a bounded loss, the puts are margined alone and the whole needs 1,042.41: 781.67 more than apart.
    """
    feed = MarketFeed(e(2000), E18, e(2000), E18, (ExpiryFeed(864_000, e(2000), E18, E18),))
    shorts = [
        OptionLeg(864_000, e(k), c, e(q), E18 // 2)
        for k, c, q in ((2200, True, -1), (1900, False, -5), (1880, False, 5))
    ]

    lone_call = margined(MM, shorts[0], feed=feed).margin.low
    spreads = margined(MM, *shorts[1:], feed=feed).margin.low
    merged = margined(MM, *shorts, feed=feed).margin.low

    cents = [round(Fraction(figure, 10**16)) for figure in (lone_call, spreads, lone_call + spreads, merged)]
    assert cents == [-16074, -10000, -26074, -104241]
    assert merged < lone_call + spreads


# --- perpetuals, base, confidence, depeg -----------------------------------------------------------------------------


def test_margin__perp__requirement_on_its_own_price_and_unrealised() -> None:
    """2 · 2010 · 5 % = 201, · 6.5 % = 261.3; unrealised 12."""
    assert margined(MM, perp=-2, unrealised=12).margin == Interval(e(-189), e(-189))
    assert margined(IM, perp=2, unrealised=12).margin == Interval(e("-249.3"), e("-249.3"))
    assert is_near(margined(IM, call(1900), perp=2, unrealised=12).mtm, "-88")


def test_margin__unrealised_without_a_perp__does_not_count() -> None:
    assert margined(MM, unrealised=12).margin.high == 0
    assert margined(MM, unrealised=12).mtm.high == 0


def test_margin__base__factor_scale_and_stable_price() -> None:
    """3 · 2000 · 0.8 = 4800; initial · 0.9 = 4320; marked 6000 : 0.99."""
    got = margined(MM, base=3, stable="0.99")

    assert got.margin == Interval(e(4800), e(4800))
    assert margined(IM, base=3, stable="0.99").margin == Interval(e(4320), e(4320))
    assert is_near(got.mtm, "6060.606060606060606060", 1)


@pytest.mark.parametrize(
    ("changes", "perp", "charge"),
    [
        ({"perp_confidence": e("0.4")}, 2, 0),
        ({"perp_confidence": e("0.4") - 1}, 2, (E18 - e("0.4") + 1) * 1600),  # (1 - c) · 0.4 · 2000 · 2
        ({"perp_confidence": e("0.1")}, -2, e("0.9") * 1600),
        ({"spot_confidence": e("0.1")}, 2, e("0.9") * 1600),
        ({"spot_confidence": e("0.3"), "perp_confidence": e("0.1")}, 2, e("0.9") * 1600),
        ({"perp_confidence": 0}, 0, 0),
    ],
)
def test_margin__perp_confidence__charged_strictly_below_the_threshold(
    changes: dict[str, int], perp: int, charge: int
) -> None:
    sure = margined(IM, perp=perp)
    unsure = margined(IM, perp=perp, feed=replace(FEED, **changes))  # type: ignore[arg-type]

    assert sure.margin.low - unsure.margin.low == charge
    assert margined(MM, perp=perp, feed=replace(FEED, **changes)).margin == margined(MM, perp=perp).margin  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spot", "forward", "vol", "charge"),
    [
        ("0.5", "0.5", "0.5", "0"),
        ("0.499999999999999999", "1", "1", "1200.0000000000000024"),  # (1 - c) · 0.4 · 2000 · 3 short
        ("1", "0.4", "1", "1440"),
        ("1", "1", "0.1", "2160"),
        ("0.4", "0.3", "0.2", "1920"),
    ],
)
def test_margin__option_confidence__least_of_three_on_the_shorts(
    spot: str, forward: str, vol: str, charge: str
) -> None:
    legs = (call(2100, -3), call(2300, 5))
    unsure = replace(
        FEED, spot_confidence=e(spot), expiries=(ExpiryFeed(0, e(2000), e(forward), e(vol)), *FEED.expiries[1:])
    )

    sure, lower = margined(IM, *legs), margined(IM, *legs, feed=unsure)

    assert abs(sure.margin.low - lower.margin.low - e(charge)) <= 1
    assert margined(MM, *legs, feed=unsure).margin == margined(MM, *legs).margin


def test_margin__confidence_of_one_expiry__charges_that_expiry_only() -> None:
    feed = replace(FEED, expiries=(ExpiryFeed(0, e(2000), 0, E18), FEED.expiries[1]))
    legs = (call(2100), leg(2100, True, -4, seconds=7))

    assert margined(IM, *legs).margin.low - margined(IM, *legs, feed=feed).margin.low == e(800)


@pytest.mark.parametrize(("confidence", "charge"), [("0.6", "0"), ("0.599999999999999999", "960.0000000000000024")])
def test_margin__base_confidence__spot_only(confidence: str, charge: str) -> None:
    """(1 - c) · 0.4 · 2000 · 3."""
    feed = replace(FEED, spot_confidence=e(confidence))

    got = margined(IM, base=3).margin.low - margined(IM, base=3, feed=feed).margin.low

    assert abs(got - e(charge)) <= 1


@pytest.mark.parametrize(
    ("stable", "charge"),
    [("0.98", "0"), ("0.97", "96"), ("0.979999999999999999", "0.0000000000000096"), ("1.05", "0")],
)
def test_margin__depeg__on_shorts_and_perps_initial_only(stable: str, charge: str) -> None:
    """(0.98 - p) · 1.2 · 2000 · (1 + 1 short + 2 perps); longs do not count."""
    legs = (call(2100), put(1900), call(2300, 7))

    got = margined(IM, *legs, perp=-2).margin.low - margined(IM, *legs, perp=-2, stable=stable).margin.low

    assert got == e(charge)
    assert margined(MM, *legs, perp=-2, stable=stable).margin == margined(MM, *legs, perp=-2).margin


# --- the whole -------------------------------------------------------------------------------------------------------


def test_margin__two_markets_and_cash__terms_add_up() -> None:
    eth = MarketHolding(FEED, (call(1900),), perp=e(1), unrealised=e(5), base=e(1))
    btc = MarketHolding(replace(FEED, spot=e(28000)), (), perp=e(-1))

    got = margin([("ETH", eth), ("BTC", btc)], e(-100), E18, RULES, MM)

    assert total(term.amount for term in got.terms) == got.margin
    assert is_near(got.margin, "1054")  # -100 - 250 - 100.5 + 5 + 1600 - 100.5
    assert is_near(got.mtm, "1805")  # -100 - 100 + 5 + 2000
    assert [term.label for term in got.terms] == [
        "cash",
        "ETH perp",
        "ETH unrealised",
        "ETH base",
        "ETH options 0 s",
        "BTC perp",
    ]


@pytest.mark.parametrize(
    ("holding", "stable"),
    [
        (MarketHolding(FEED, (), base=-1), E18),
        (MarketHolding(FEED), 0),
        (MarketHolding(FEED, (leg(2000, True, seconds=5),)), E18),
    ],
)
def test_margin__impossible_input__refused(holding: MarketHolding, stable: int) -> None:
    with pytest.raises(ValueError, match="never negative|no feed"):  # noqa: RUF043
        margin([("ETH", holding)], 0, stable, RULES, MM)


STRIKES = st.sampled_from([500, 1500, 1900, 2000, 2100, 3000])
LEGS = st.lists(st.builds(leg, STRIKES, st.booleans(), st.integers(-5, 5)), max_size=6)


@given(LEGS, st.integers(-3, 3), st.integers(0, 3), st.randoms(use_true_random=False))
def test_law__any_book__initial_is_never_above_maintenance_and_order_does_not_matter(
    legs: list[OptionLeg], perp: int, base: int, random: Any
) -> None:
    turned = list(legs)
    random.shuffle(turned)

    initial, maintenance = (margined(p, *legs, perp=perp, base=base) for p in (IM, MM))

    assert initial.margin.low <= maintenance.margin.low
    assert margined(MM, *turned, perp=perp, base=base).margin == maintenance.margin
    assert maintenance.margin.low <= maintenance.margin.high


@given(LEGS, st.integers(-(10**6), 10**6))
def test_law__cash__moves_the_margin_one_for_one(legs: list[OptionLeg], cash: int) -> None:
    holding = [("ETH", MarketHolding(FEED, tuple(legs)))]

    base, more = margin(holding, 0, E18, RULES, MM), margin(holding, cash, E18, RULES, MM)

    assert more.margin.low - base.margin.low == cash
    assert more.mtm.low - base.mtm.low == cash
