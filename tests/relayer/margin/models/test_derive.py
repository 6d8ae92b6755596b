"""Derive's managers behind the engine: lines by hand, what is missing, prices between bounds.

The kernels' own tests (`rulesets`) have every formula by hand; here are the ways into and out of them. Options stand at
no volatility, so at their intrinsic value, unless said.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.margin.engine.evaluate import RuleSet, evaluate
from relayer.margin.engine.inputs import End, Leg, MarketData, Role
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.models.derive_pmrm import DerivePmrm
from relayer.margin.models.derive_pmrm2 import CoinTerms, DerivePmrm2
from relayer.margin.models.derive_srm import DeriveSrm
from relayer.margin.rulesets.derive_pmrm import Scenario, VolMove
from relayer.margin.view import Purpose
from tests.relayer.margin.models.scenario_build import (
    AS_OF,
    CALM,
    E18,
    EXPIRY,
    QUOTE,
    YEAR_S,
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
from tests.relayer.margin.rulesets.test_derive_pmrm import RULES as PMRM_RULES
from tests.relayer.margin.rulesets.test_derive_pmrm2 import RULES as PMRM2_RULES
from tests.relayer.margin.rulesets.test_derive_srm import RULES as SRM_RULES

HELD, OPENED = Purpose.MAINTENANCE, Purpose.INITIAL
SRM = DeriveSrm(SRM_RULES, ("ETH",))
PMRM = DerivePmrm(PMRM_RULES, "ETH")
PMRM2 = DerivePmrm2(
    PMRM2_RULES, "ETH", {"ETH": CoinTerms(e("0.1"), e("0.05"), moves=True), "WBTC": CoinTerms(e("0.2"), 0)}
)
ALL = pytest.mark.parametrize("rules", [SRM, PMRM, PMRM2], ids=lambda rules: rules.name)


def weighed(rules: RuleSet, *legs: Leg, data: MarketData | None = None, purpose: Purpose = HELD) -> Evaluation:
    return reconcile(evaluate(account(*legs), data or market(), rules, purpose))


# --- standard margin -------------------------------------------------------------------------------------------------


def test_srm__short_call__isolated_share_of_spot_is_the_requirement() -> None:
    """Strike 900 at spot 1000: worth -100, in the money: MM 0.075 · 1000, IM 0.15 · 1000."""
    legs = (cash(500), option(900, "call", -1))

    held, opened = weighed(SRM, *legs), weighed(SRM, *legs, purpose=OPENED)

    name = f"ETH options {YEAR_S} s"
    assert is_near(held.equity, 400)
    assert is_near(requirements(held)[name], 75)
    assert is_near(requirements(opened)[name], 150)
    assert held.worst == ""


def test_srm__long_option__is_worth_its_price_and_required_in_full() -> None:
    got = weighed(SRM, option(900, "call", 1))

    assert is_near(got.equity, 100)
    assert is_near(got.requirement, 100)


def test_srm__perp_and_base__share_of_notional_and_haircut() -> None:
    """Perp 2 · 1010 · 0.05 = 101 with unrealised 2020 - 2000 + 3; base 1000 of which 80 % counts."""
    got = weighed(SRM, perp(2, 2_000, 3), coin(1))

    assert got.equity == e(1_023)
    assert requirements(got) == {
        "ETH perp": 2_020 * SRM_RULES.perp_maintenance,
        "ETH base": 1_000 * (E18 - SRM_RULES.base_factor),
    }


def test_srm__closed_perp_with_a_result__is_cash() -> None:
    left = leg("closed", Role.PERP, "ETH", 0, entry_value=e(40), accrued=e(5))

    got = weighed(SRM, cash(100), left)

    assert (got.equity, got.requirement) == (e(65), 0)


def test_srm__two_perps_that_cancel__their_results_stay() -> None:
    other = replace(perp(-1, -1_000), name="other")

    got = weighed(SRM, cash(100), perp(1, 990), other)

    assert (got.equity, got.requirement) == (e(110), 0)


def test_srm__confidences__of_the_perp_and_of_the_volatilities() -> None:
    """Perp at 0.3 < 0.4: 0.7 · 0.4 · 1000; volatilities at 0.4 < 0.5: 0.6 · 0.4 · 1000 for one short."""
    unsure = market({"ETH-PERP": point(1_010, "0.3")})
    expiry = market(quotes={EXPIRY: replace(QUOTE, vol_confidence_e18=e("0.4"))})

    opened = weighed(SRM, perp(1), data=unsure, purpose=OPENED)
    short = weighed(SRM, option(900, "put", -1), data=expiry, purpose=OPENED)

    assert opened.requirement == 1_010 * SRM_RULES.perp_initial + e(280)
    assert requirements(short)[f"ETH options {YEAR_S} s confidence"] == e(240)


def test_srm__price_shown__is_the_one_that_was_worst() -> None:
    data = market({"ETH-PERP": between(1_000, 1_020)})

    long, short = (SRM.weigh(account(perp(size)), data, HELD, End.LOW) for size in (1, -1))

    assert (long.lines[0].price, short.lines[0].price) == (e(1_000), e(1_020))
    assert long.lines[0].exposure == short.lines[0].exposure == e(1_020)


# --- portfolio margin, first version --------------------------------------------------------------------------------


def test_pmrm__long_call__lines_say_scan_and_static_discount() -> None:
    """As in the kernel's test: V 400; at 0.9 300 before, 120 after the discount: 100 of scan and 180 of discount."""
    got = weighed(PMRM, option(600, "call", 1))

    found = requirements(got)
    assert is_near(got.equity, 400)
    assert is_near(found["scan: spot -10 %, vol none"], 100, 4_000)
    assert is_near(found["static discount"], 180, 4_000)
    assert got.worst == "spot -10 %, vol none"
    assert is_near(got.excess, 120, 4_000)


def test_pmrm__initial_and_depeg__what_multiplies_and_what_is_added() -> None:
    """Short call 600: worst -100, static 10; factor 1.3 adds 33; at 0.97 the peg adds 0.02 · 110 = 2.2."""
    got = weighed(PMRM, option(600, "call", -1), purpose=OPENED)
    off = weighed(PMRM, option(600, "call", -1), data=market({"USDC": point("0.97")}), purpose=OPENED)

    assert is_near(requirements(got)["initial factor"], 33, 4_000)
    assert is_near(requirements(got)["static contingency"], 10)
    assert is_near(requirements(off)["depeg"], "2.2", 4_000)
    assert is_near(off.requirement - got.requirement, "2.2", 8_000)


def test_pmrm__no_worse_scenario__basis_contingency_is_named() -> None:
    still = DerivePmrm(replace(PMRM_RULES, scenarios=(Scenario(E18, VolMove.NONE),), discount=E18, rate_add=0), "ETH")
    data = market(quotes={EXPIRY: replace(QUOTE, vols={0: 0})})

    got = weighed(still, option(0, "call", 1), data=data)

    assert got.worst == "basis contingency"
    assert is_near(requirements(got)["scan: basis contingency"], 13)


def test_pmrm__confidence__a_line_of_the_initial_purpose() -> None:
    data = market({"ETH": point(1_000, "0.5")})

    assert requirements(weighed(PMRM, coin(2), data=data, purpose=OPENED))["confidence"] == e(500)
    assert "confidence" not in requirements(weighed(PMRM, coin(2), data=data))


@pytest.mark.parametrize(
    "changes", [{"rate_confidence_e18": 0}, {"vol_confidence_e18": 0}, {"forward": point(1_000, 0)}]
)
def test_pmrm__confidence_of_the_expiry__each_feed_counts(changes: dict[str, Any]) -> None:
    """(1 - 0) · 0.5 · 1000 · 3 options."""
    data = market(quotes={EXPIRY: replace(QUOTE, **changes)})

    got = weighed(PMRM, option(900, "put", 3), data=data, purpose=OPENED)

    assert requirements(got)["confidence"] == e(1_500)


def test_pmrm__perp_confidence__its_own_feed_counts() -> None:
    """(1 - 0.5) · 0.5 · 1000 for one perp; the spot is sure."""
    data = market({"ETH-PERP": point(1_010, "0.5")})

    assert requirements(weighed(PMRM, perp(1), data=data, purpose=OPENED))["confidence"] == e(250)


def test_pmrm__rate__discounts_the_shocked_value() -> None:
    """As in the kernel's test: r · 4 + ln 2 is two half-lives a year: 300 · 0.8 : 4 = 60 is left of 400."""
    data = market(quotes={EXPIRY: replace(QUOTE, rate_e18=173_286_795_139_986_327)})

    assert is_near(weighed(PMRM, option(600, "call", 1), data=data).excess, 60, 4_000)


def test_pmrm__settled_part_of_the_forward__is_not_shocked() -> None:
    """700 settled and 300 moving: 1.1 makes 1030, the short call of 600 loses 30, and 10 for being naked."""
    data = market(quotes={EXPIRY: replace(QUOTE, forward_fixed=e(700))})

    assert is_near(weighed(PMRM, option(600, "call", -1), data=data).requirement, 40)


def test_pmrm__base_and_stable__divided_by_its_price() -> None:
    """2 at 1000 in a coin worth 0.5: 4000; down 10 %: 400, static 2 % of 2000."""
    got = weighed(PMRM, coin(2), data=market({"USDC": point("0.5")}))

    assert (got.equity, got.requirement) == (e(4_000), e(440))


# --- portfolio margin, second version -------------------------------------------------------------------------------


def test_pmrm2__coins__haircuts_and_the_movement_of_those_that_move() -> None:
    """WBTC 0.1 · 60000 = 6000, haircut 20 % = 1200, moves nothing; ETH 1: 100 held, 50 more to open."""
    data = market({"WBTC": point(60_000)})

    got = weighed(PMRM2, coin("0.1", "WBTC"), data=data)
    moving = weighed(PMRM2, coin(1), purpose=OPENED)

    assert requirements(got) == {"collateral haircuts": e(1_200)}
    assert requirements(moving)["collateral haircuts"] == e(150)
    assert "spot" in moving.worst


def test_pmrm2__loss_factor__scales_the_scan() -> None:
    got = weighed(PMRM2, perp(-1))

    found = requirements(got)
    scan = next(amount for label, amount in found.items() if label.startswith("scan"))
    assert scan > 0
    assert found.get("loss factor", 0) == scan * PMRM2_RULES.mm_factor // E18 - scan
    assert found["perp contingency"] == 1_000 * PMRM2_RULES.contingencies.mm_perp


def test_pmrm2__more_assets_than_the_venue_admits__unknown() -> None:
    legs = [replace(coin(1), name=f"coin {number}") for number in range(129)]

    assert weighed(PMRM2, *legs[:128]).verdict is Verdict.HEALTHY
    got = weighed(PMRM2, *legs)
    assert got.verdict is Verdict.UNKNOWN
    assert "129 assets" in got.gaps[-1].reason


def test_pmrm2__coin_without_the_spot__counts_zero() -> None:
    data = without(market({"WBTC": point(60_000)}), "ETH")

    got = weighed(PMRM2, cash(5), coin(1, "WBTC"), data=data)

    assert got.equity == e(5)
    assert [(gap.leg, gap.is_collateral) for gap in got.gaps] == [("coin WBTC", True)]


# --- what is missing, for all of them -------------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize("amount", [1, -1])
def test_all__expired_option__unpriced(rules: RuleSet, amount: int) -> None:
    """At the very second of expiry there is nothing left to price; a second before there is."""
    for expiry, count in ((AS_OF, 1), (AS_OF - 5, 1), (AS_OF + 1, 0)):
        data = market(quotes={expiry: QUOTE})

        got = weighed(rules, cash(5_000), option(900, "put", amount, expiry), data=data)

        assert len(got.gaps) == count
        is_zero = amount > 0 and rules.name != "derive_pmrm@2"
        assert (got.verdict is Verdict.UNKNOWN) == (count == 1 and not is_zero)


@ALL
def test_th_013_unpriced_long_option__where_it_could_cost__is_unknown(rules: RuleSet) -> None:
    """At initial a loss factor or a charge, behind the buffer 5 % more, and in a skew a gain: more than its worth."""
    legs, no_vols = account(cash(5_000), option(900, "put", 1)), market(quotes={EXPIRY + 1: QUOTE})

    found = {purpose: evaluate(legs, no_vols, rules, purpose).verdict for purpose in Purpose}

    held = Verdict.UNKNOWN if rules.name == "derive_pmrm@2" else Verdict.HEALTHY
    assert found == {
        Purpose.INITIAL: Verdict.UNKNOWN,
        Purpose.MAINTENANCE: held,
        Purpose.LIQUIDATION_END: Verdict.UNKNOWN,
    }


@ALL
def test_all__surface__prices_only_while_it_passes_its_checks(rules: RuleSet) -> None:
    """1200 s old is the limit; b = 3 fails its wings; an earlier slice with more variance crosses: neither is used."""
    legs = (cash(5_000), option(900, "put", -1), option(900, "put", -1, EXPIRY - 86_400))
    fine = replace(CALM, a=CALM.a // 2)
    cases = (
        (fine, CALM, ()),
        (fine, replace(CALM, observed_s=AS_OF - 1_200), ()),
        (fine, replace(CALM, observed_s=AS_OF - 1_201), (legs[1].name,)),
        (fine, replace(CALM, observed_s=AS_OF + 1), (legs[1].name,)),
        (replace(fine, b=3 * E18), CALM, (legs[2].name,)),
        (CALM, fine, (legs[1].name, legs[2].name)),
    )
    for near, far, missing in cases:
        data = market(quotes={EXPIRY - 86_400: replace(QUOTE, surface=near), EXPIRY: replace(QUOTE, surface=far)})

        got = weighed(rules, *legs, data=data)

        assert tuple(gap.leg for gap in got.gaps) == missing
        assert (got.verdict is Verdict.UNKNOWN) == bool(missing)


@ALL
def test_all__surface_of_an_expiry_that_is_over__contradicts_nobody(rules: RuleSet) -> None:
    """At its very second of expiry a slice with more variance than the next is no evidence against it."""
    later = replace(QUOTE, surface=replace(CALM, a=CALM.a // 2))
    data = market(quotes={AS_OF: replace(QUOTE, surface=CALM), EXPIRY: later})

    assert weighed(rules, cash(5_000), option(900, "put", -1), data=data).gaps == ()


@ALL
def test_all__surface_and_its_points__price_alike(rules: RuleSet) -> None:
    """The surface at its forward says √0.05 for a year."""
    points = market(quotes={EXPIRY: replace(QUOTE, vols={1_000 * E18: 223_606_797_749_978_969})})
    surface = market(quotes={EXPIRY: replace(QUOTE, surface=CALM)})
    legs = (cash(5_000), option(1_000, "put", -1))

    one, other = weighed(rules, *legs, data=points), weighed(rules, *legs, data=surface)

    assert abs(one.excess - other.excess) <= 10_000


@ALL
def test_all__unpriced_hedge__earns_no_credit(rules: RuleSet) -> None:
    """A short put of 900 with a long one of 950 that has no volatility is as bad as alone."""
    short, hedge = option(900, "put", -1), option(950, "put", 1)

    got, alone = weighed(rules, cash(5_000), short, hedge), weighed(rules, cash(5_000), short)

    assert [(gap.leg, gap.is_collateral) for gap in got.gaps] == [(hedge.name, rules.name != "derive_pmrm@2")]
    assert (got.equity, got.requirement) == (alone.equity, alone.requirement)


@ALL
def test_all__no_price_of_the_stable_coin__nothing_is_known(rules: RuleSet) -> None:
    got = weighed(rules, cash(-5), coin(1), data=without(market(), "USDC"))

    assert (got.equity, got.requirement, got.verdict) == (0, 0, Verdict.UNKNOWN)
    assert [gap.leg for gap in got.gaps] == ["cash", "coin ETH"]


@ALL
@pytest.mark.parametrize(
    ("missing", "data"),
    [
        (perp(1), without(market(), "ETH-PERP")),
        (perp(1), without(market(), "ETH")),
        (option(900, "put", -1), without(market(), "ETH")),
        (leg("perp", Role.PERP, "BTC", 1), market()),
        (leg("future", Role.FUTURE, "ETH", 1), market()),
        (leg("owed", Role.DEBT, "ETH", 1), market()),
        (leg("negative", Role.COLLATERAL, "ETH", -1), market()),
        (leg("cash", Role.CASH, "DAI", -1), market({"DAI": point(1)})),
    ],
    ids=lambda value: value.name if isinstance(value, Leg) else "",
)
def test_all__position_that_cannot_be_weighed__unknown(rules: RuleSet, missing: Leg, data: MarketData) -> None:
    got = weighed(rules, replace(cash(5_000), name="own"), missing, data=data)

    assert [(gap.leg, gap.is_collateral) for gap in got.gaps] == [(missing.name, False)]
    assert got.verdict is Verdict.UNKNOWN


@ALL
def test_all__debt_in_the_stable_coin__is_negative_cash(rules: RuleSet) -> None:
    owed = leg("owed", Role.DEBT, "USDC", 7)

    assert weighed(rules, cash(20), owed).equity == weighed(rules, cash(13)).equity


@ALL
@pytest.mark.parametrize(("extra", "verdict"), [(-1, Verdict.UNHEALTHY), (0, Verdict.HEALTHY), (1, Verdict.HEALTHY)])
def test_all__margin_around_zero__one_unit_of_cash_decides(rules: RuleSet, extra: int, verdict: Verdict) -> None:
    needed = -weighed(rules, perp(-2), option(900, "call", -1)).excess

    got = weighed(rules, replace(cash(0), amount=needed + extra), perp(-2), option(900, "call", -1))

    assert (got.excess, got.verdict) == (extra, verdict)


# --- prices between bounds ------------------------------------------------------------------------------------------

LEGS = st.lists(
    st.one_of(
        st.builds(coin, st.integers(0, 5)),
        st.builds(perp, st.integers(-5, 5)),
        st.builds(option, st.sampled_from([900, 1_000, 1_100]), st.sampled_from(["call", "put"]), st.integers(-5, 5)),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda drawn: drawn.name,
)
VOLATILE = replace(QUOTE, vols=vols("0.6"))


def moved(spot: Any, forward: Any, stable: Any) -> MarketData:
    prices = {"ETH": spot, "ETH-PERP": spot, "USDC": stable}
    return market(prices, {EXPIRY: replace(VOLATILE, forward=forward)})


@ALL
@settings(max_examples=8)
@given(LEGS, st.integers(1, 60), st.integers(1, 60), st.integers(0, 100), st.integers(0, 100))
def test_law__every_price_inside_the_interval__excess_between_low_and_high(
    rules: RuleSet, legs: list[Leg], below: int, above: int, spot: int, forward: int
) -> None:
    """The stable coin from 0.96 to 1.02 around a threshold of 0.98 as well."""
    wide = moved(between(1_000 - below, 1_000 + above), between(1_000 - below, 1_000 + above), between("0.96", "1.02"))
    at = [1_000 - below + (below + above) * share // 100 for share in (spot, forward)]
    one = moved(point(at[0]), point(at[1]), point("0.97"))

    for purpose in (HELD, OPENED):
        got, truth = weighed(rules, *legs, data=wide, purpose=purpose), weighed(rules, *legs, data=one, purpose=purpose)

        assert truth.excess_high is not None
        assert got.excess_high is not None
        assert got.excess <= truth.excess <= truth.excess_high <= got.excess_high


@ALL
def test_all__wide_forward__long_options_at_their_adverse_ends(rules: RuleSet) -> None:
    """A call of 900 and a put of 1100 with a forward in [990, 1010]: 90 and 90, not 100 and 100."""
    data = market(quotes={EXPIRY: replace(QUOTE, forward=between(990, 1_010))})
    legs = (option(900, "call", 1), option(1_100, "put", 1))

    low = rules.weigh(account(*legs), data, HELD, End.LOW)
    high = rules.weigh(account(*legs), data, HELD, End.HIGH)

    assert [is_near(line.value, 90) for line in low.lines if line.leg] == [True, True]
    assert [is_near(line.value, 110) for line in high.lines if line.leg] == [True, True]
