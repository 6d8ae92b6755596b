"""The unified view through the engine: the same figures as the signed margin view, whatever is missing or weak."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.types import Assurance, LegKind, Quality, Status, to_hex
from proofs.units import E18, PPM, UINT128_MAX
from relayer.margin.account import Portfolio
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, End, Gap, Leg, MarketData, Price, Role
from relayer.margin.engine.result import Verdict
from relayer.margin.evaluate import evaluate as view_of
from relayer.margin.market import Market, NoPrice
from relayer.margin.models.cross_perp import ABOUT, CrossPerpRules, engine_inputs
from relayer.margin.rules import MarginRules
from relayer.margin.rulesets import RULE_SETS
from relayer.margin.view import Missing, Purpose
from tests.relayer.margin.build import (
    BTC_PERP,
    ETH_PERP,
    ETHX_C,
    QUORUM,
    RULES,
    USDX_A,
    USDX_B,
    A,
    B,
    account,
    holding,
    market,
    portfolio,
    position,
    with_bands,
)
from tests.relayer.margin.strategies import UNHURRIED, cases, near_cases

Case = tuple[Portfolio, Market, MarginRules]
GAP = Missing(f"collateral on {B}", B, "chain_missing: timeout", LegKind.LOCK)
OWED = Missing(BTC_PERP.column, A, "call_failed: no value was agreed on", LegKind.POSITION)


def assert_same(case: Case) -> None:
    """Compare every figure of both purposes with those of the signed view, and both sums of lines."""
    held, prices, rules = case
    view = view_of(held, prices, rules)
    account_, data, adapter = engine_inputs(held, prices, rules, as_of_s=7)
    for purpose in (Purpose.INITIAL, Purpose.MAINTENANCE):
        result = evaluate(account_, data, adapter, purpose)
        signed = view.initial_margin_usd if purpose is Purpose.INITIAL else view.maintenance_margin_usd
        assert (result.equity, result.requirement) == (view.equity_usd, signed)
        assert (result.collateral, result.debt) == (view.collateral_usd, view.liability_usd)
        assert (result.quality, result.rule_set) == (view.quality, rules.rule_set)
        assert [line.label for line in result.lines] == [line.label for line in view.lines]
        assert sum(line.value for line in result.lines) == result.equity
        assert sum(line.requirement for line in result.lines) == result.requirement
        assert sorted(gap.leg for gap in result.gaps) == sorted(gap.what for gap in view.missing)
        if result.excess_high is not None:
            assert result.excess <= result.excess_high
    assert adapter.view(account_, data) == view
    assert adapter.portfolio(account_) == held


@settings(suppress_health_check=UNHURRIED)
@given(cases(always_priced=False, banded=True))
def test_figures__of_any_case__are_those_of_the_signed_view(case: Case) -> None:
    assert_same(case)


@settings(suppress_health_check=UNHURRIED, max_examples=30)
@given(near_cases(), st.sampled_from(((GAP,), (OWED,), (GAP, OWED))))
def test_figures__of_accounts_near_a_level_with_gaps__are_those_of_the_signed_view(
    case: Case, missing: tuple[Missing, ...]
) -> None:
    held, prices, rules = case
    assert_same(case)
    assert_same((replace(held, missing=missing, quality=Quality.CHAIN_MISSING), prices, rules))


@settings(suppress_health_check=UNHURRIED)
@given(near_cases())
def test_verdict__of_accounts_near_a_level__is_that_of_the_status(case: Case) -> None:
    view = view_of(*case)

    verdict = evaluate(*engine_inputs(*case, as_of_s=7), Purpose.MAINTENANCE).verdict

    assert (verdict is Verdict.UNHEALTHY) == (view.status in (Status.LIQUIDATABLE, Status.BAD_DEBT))
    assert (verdict is Verdict.HEALTHY) == (view.equity_usd >= view.maintenance_margin_usd)


@pytest.mark.parametrize(("accrued", "verdict"), [(-1, Verdict.UNHEALTHY), (0, Verdict.HEALTHY), (1, Verdict.HEALTHY)])
def test_boundary__one_unit__equality_is_healthy(accrued: int, verdict: Verdict) -> None:
    """Long 1 ETH at 2,000 bought at 2,000: MM 100; 100 accrued cover it to the unit."""
    held = portfolio(position(ETH_PERP, E18, 2_000 * E18, 100 * E18 + accrued))

    result = evaluate(*engine_inputs(held, market(ETH=2_000 * E18), RULES, 7), Purpose.MAINTENANCE)

    assert (result.excess, result.verdict) == (accrued, verdict)


def test_lines__of_an_account__name_their_legs_and_blocks() -> None:
    held = portfolio(
        holding(USDX_A, 0), holding(USDX_B, 100 * 10**6, block=12), position(ETH_PERP, 0, 0), position(BTC_PERP, E18, 0)
    )

    result = evaluate(*engine_inputs(held, market(USDX=E18, BTC=60_000 * E18), RULES, 7), Purpose.INITIAL)

    assert [(line.leg, line.chain, line.block_number) for line in result.lines] == [
        (USDX_B.column, B, 12),
        (BTC_PERP.column, A, 7),
    ]
    assert [line.exposure for line in result.lines] == [0, 60_000 * E18]
    assert result.health.gearing == -(-60_000 * E18 * E18 // result.equity)


def test_position__missing__leaves_the_other_lines_their_names_and_adds_a_bound() -> None:
    held = portfolio(position(ETH_PERP, E18, 0), position(BTC_PERP, E18, 0))

    result = evaluate(*engine_inputs(held, market(BTC=60_000 * E18), RULES, 7), Purpose.MAINTENANCE)

    assert [line.leg for line in result.lines] == [BTC_PERP.column, ""]
    assert (result.verdict, result.requirement) == (Verdict.UNKNOWN, UINT128_MAX)
    assert [(gap.leg, gap.is_collateral) for gap in result.gaps] == [(ETH_PERP.column, False)]
    assert result.excess_high is None


def test_gap__with_a_best_case__bounds_the_excess_from_above() -> None:
    """A short without a price is worth 1,000 at most (price zero), against 3 % of 60,000 held for BTC."""
    held = portfolio(position(ETH_PERP, -E18, -1_000 * E18), position(BTC_PERP, E18, 59_000 * E18))
    prices = market(BTC=(60_000 * E18, 61_000 * E18), ETH=NoPrice("ETH", "stale_price"))

    result = evaluate(*engine_inputs(held, prices, RULES, 7), Purpose.MAINTENANCE)

    assert result.verdict is Verdict.UNKNOWN
    assert result.excess_high == 1_000 * E18 + (61_000 - 59_000) * E18 - 1_800 * E18


def test_interval__best_end__has_assets_at_high_and_requirements_at_low() -> None:
    held = portfolio(holding(ETHX_C, E18), position(BTC_PERP, -E18, -60_000 * E18))
    prices = market(ETH=(1_000 * E18, 1_200 * E18), BTC=(59_000 * E18, 61_000 * E18))
    account_, data, rules = engine_inputs(held, prices, RULES, 7)

    low, high = (rules.weigh(account_, data, Purpose.MAINTENANCE, end) for end in (End.LOW, End.HIGH))

    kept = PPM - 118_000  # 10 % of the asset, 2 % of the bridge
    assert low.equity == 1_000 * E18 * kept // PPM - 1_000 * E18
    assert high.equity == 1_200 * E18 * kept // PPM + 1_000 * E18
    assert (low.requirement, high.requirement) == (61_000 * E18 * 3 // 100, 59_000 * E18 * 3 // 100)


def test_legs__without_evidence__are_taken_at_their_word() -> None:
    """A portfolio from a document: no band stops it, and a price at 8 decimals is moved to 18."""
    rules = CrossPerpRules(with_bands((None, Assurance.AUTHENTICATED_HEADER)))
    legs = (
        Leg(USDX_A.column, Role.COLLATERAL, "USDX", 200 * 10**6, A, decimals=6),
        Leg(ETH_PERP.column, Role.PERP, "ETH", E18, A, entry_value=2_000 * E18),
    )
    data = MarketData(7, {"USDX": Price(10**8, 10**8, 8), "ETH": Price(2_000 * 10**8, 2_000 * 10**8, 8)})

    result = evaluate(Account("a desk", legs), data, rules, Purpose.MAINTENANCE)

    assert (result.equity, result.requirement, result.verdict) == (198 * E18, 100 * E18, Verdict.HEALTHY)
    assert result.gaps == ()


@pytest.mark.parametrize(
    ("leg", "is_collateral", "verdict"),
    [
        (Leg("x", Role.COLLATERAL, "USDX", 1, A), True, Verdict.HEALTHY),
        (Leg("x", Role.PERP, "ETH", 1, A), False, Verdict.UNKNOWN),
        (Leg(USDX_A.column, Role.DEBT, "USDX", 1, A), False, Verdict.UNKNOWN),
        (Leg(USDX_A.column, Role.COLLATERAL, "USDX", -1, A), False, Verdict.UNKNOWN),
    ],
)
def test_leg__that_the_policy_does_not_know__is_a_gap(leg: Leg, is_collateral: bool, verdict: Verdict) -> None:
    result = evaluate(Account("a", (leg,)), MarketData(7, {}), CrossPerpRules(RULES), Purpose.MAINTENANCE)

    assert [(gap.leg, gap.is_collateral) for gap in result.gaps] == [(leg.name, is_collateral)]
    assert result.verdict is verdict


def test_unread__that_no_frame_described__still_counts() -> None:
    """A gap added to the engine account alone: collateral counts zero, a debt makes the account unknown."""
    made = account(1)
    held, data, rules = engine_inputs(Portfolio(made, (), ()), market(), RULES, 7)
    poorer = evaluate(replace(held, unread=(Gap("here", "lost", True),)), data, rules, Purpose.MAINTENANCE)
    unknown = evaluate(replace(held, unread=(Gap("there", "lost", False),)), data, rules, Purpose.MAINTENANCE)

    assert (poorer.verdict, unknown.verdict) == (Verdict.HEALTHY, Verdict.UNKNOWN)
    unread = replace(held, unread=(Gap("here", "lost", True), Gap("there", "gone", False)))
    assert rules.portfolio(unread).missing == (
        Missing("here", A, "lost", LegKind.BALANCE),
        Missing("there", A, "gone", LegKind.POSITION),
    )
    assert held.name == to_hex(made)


def test_weak_evidence__below_its_band__is_carried_over() -> None:
    rules = with_bands((10 * E18, QUORUM), (None, Assurance.STATE_PROOF))
    held = portfolio(position(ETH_PERP, E18, 0, level=QUORUM))

    result = evaluate(*engine_inputs(held, market(ETH=2_000 * E18), rules, 7), Purpose.MAINTENANCE)

    assert result.verdict is Verdict.UNKNOWN


def test_about__names_a_rule_set_of_the_house() -> None:
    assert ABOUT[0].name in RULE_SETS


def test_best_case__for_initial__keeps_what_opening_demands() -> None:
    """The same short without a price: BTC needs 5 % of 60,000 to open, 3 % to hold."""
    held = portfolio(position(ETH_PERP, -E18, -1_000 * E18), position(BTC_PERP, E18, 59_000 * E18))
    prices = market(BTC=60_000 * E18, ETH=NoPrice("ETH", "stale_price"))

    initial, maintenance = (
        evaluate(*engine_inputs(held, prices, RULES, 7), one) for one in (Purpose.INITIAL, Purpose.MAINTENANCE)
    )

    assert initial.excess_high == (1_000 + 1_000 - 3_000) * E18
    assert maintenance.excess_high == (1_000 + 1_000 - 1_800) * E18


def test_weigh__with_an_unknown_leg__says_so_itself() -> None:
    stranger = Account("a", (Leg("x", Role.PERP, "ETH", 1, A),))
    held, data, rules = engine_inputs(
        replace(portfolio(holding(USDX_A, 1)), missing=(GAP,)), market(USDX=E18), RULES, 7
    )
    in_need = replace(held, legs=(*held.legs, Leg(ETH_PERP.column, Role.PERP, "ETH", 0, A, entry_value=5 * E18)))

    of_stranger = CrossPerpRules(RULES).weigh(stranger, MarketData(7, {}), Purpose.MAINTENANCE, End.LOW)
    of_need = rules.weigh(in_need, data, Purpose.MAINTENANCE, End.LOW)

    assert (of_stranger.verdict, of_need.verdict) == (Verdict.UNKNOWN, Verdict.UNKNOWN)
