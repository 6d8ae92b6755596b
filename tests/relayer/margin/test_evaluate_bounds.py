"""What bounds an account: value limits of assurance bands, and the best case of what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proofs.attestation import MarginLeg
from proofs.types import Assurance, Encumbrance, Hash32, LegKind, Quality, Status, caip10
from proofs.units import E18, UINT128_MAX
from relayer.margin.account import home_address
from relayer.margin.evaluate import evaluate
from relayer.margin.market import NoPrice
from relayer.margin.rulesets.position import text_key
from relayer.margin.view import Line, Missing, Rounding

from .build import (
    BTC_PERP,
    BTCX_B,
    ETH_PERP,
    PROOF,
    QUORUM,
    USDX_A,
    VENUE_ID,
    A,
    account,
    holding,
    market,
    portfolio,
    position,
    sums,
    with_bands,
)
from .test_evaluate_cases import DOLLAR, PLAIN, PRICES, with_equity


def _parts(held):
    return (*held.holdings, *held.positions)


@pytest.mark.parametrize(("amount", "is_capped"), [(9_999, False), (10_000, False), (10_001, True), (10**30, True)])
def test_assurance_band__value_above_it_on_weaker_evidence__capped(amount: int, is_capped: bool) -> None:
    rules = with_bands((10_000, QUORUM), (None, PROOF), rules=PLAIN)

    view = evaluate(portfolio(holding(DOLLAR, amount, QUORUM)), market(**PRICES), rules)

    assert view.collateral_usd == min(amount, 10_000)
    assert view.missing == ()
    assert view.quality == (Quality.CONCENTRATION_CAP if is_capped else Quality.NONE)
    assert view.lines[0].is_capped is is_capped
    assert ("capped: assurance rpc_quorum" in view.lines[0].label) is is_capped


def test_assurance_band__capped_leg__haircuts_apply_to_the_limit_and_the_leg_names_the_whole_amount() -> None:
    # 1 BTC at 60,000 on quorum evidence that carries 10,000; haircuts 16.4 % and 24 %: 8,360 held, 7,600 for opening
    rules = with_bands((10_000 * E18, QUORUM), (None, PROOF))

    view = evaluate(portfolio(holding(BTCX_B, 10**8, QUORUM)), market(**PRICES), rules)

    (line,) = view.lines
    assert (line.marked_usd, line.value_usd, line.initial_usd) == (10_000 * E18, 8_360 * E18, 760 * E18)
    assert (line.leg.amount_raw, line.leg.value_usd, line.leg.initial_usd) == (10**8, 8_360 * E18, 760 * E18)
    assert (view.collateral_usd, view.initial_margin_usd) == (8_360 * E18, 760 * E18)
    assert sums(view.lines) == sums(view.lines, legs_only=True)


def test_assurance_band__highest_that_the_evidence_reaches__is_the_limit() -> None:
    rules = with_bands((100, QUORUM), (1_000, PROOF), (None, Assurance.AUTHENTICATED_HEADER), rules=PLAIN)
    prices = market(**PRICES)
    prices.prices["DOLLAR"] = replace(prices.prices["DOLLAR"], assurance=Assurance.AUTHENTICATED_HEADER)

    def of(level: Assurance) -> int:
        return evaluate(portfolio(holding(DOLLAR, 5_000, level)), prices, rules).collateral_usd

    assert [of(level) for level in (QUORUM, PROOF, Assurance.AUTHENTICATED_HEADER)] == [100, 1_000, 5_000]


@pytest.mark.parametrize(
    ("equity", "status"), [(1000 * E18, Status.MARGIN_CALL), (1000 * E18 - 1, Status.LIQUIDATABLE)]
)
def test_assurance_band__evidence_that_reaches_none__missing_and_no_shield(equity: int, status: Status) -> None:
    rules = with_bands((None, PROOF), rules=PLAIN)
    held = portfolio(*_parts(with_equity(equity)), holding(USDX_A, 10**12, QUORUM))

    view = evaluate(held, market(**PRICES), rules)

    assert [gap.best_usd for gap in view.missing] == [0]
    assert (view.status, view.equity_usd, view.equity_high_usd) == (status, equity, equity)


def test_assurance_band__position_past_it__missing_as_a_whole() -> None:
    # a position is never cut: its owner alone enlarges it
    rules = with_bands((20_000 * E18, QUORUM), (None, PROOF), rules=PLAIN)

    for size, status in ((10 * E18, Status.HEALTHY), (10 * E18 + 1, Status.UNKNOWN)):
        held = portfolio(holding(DOLLAR, 10**24), position(ETH_PERP, size, 0, 0, QUORUM))
        assert evaluate(held, market(**PRICES), rules).status is status


# --- unknown is no shield --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("units", "status"), [(0, Status.UNKNOWN), (-1, Status.LIQUIDATABLE)])
def test_th_065_unpriced_short__best_case_around_maintenance_margin__liquidatable_below(units, status: Status) -> None:
    # sold for 60 and 10 owed: worth 50 at a price of zero; 950 + 50 against a maintenance margin of 1000
    short = position(BTC_PERP, -E18, -60 * E18, -10 * E18)
    held = portfolio(*_parts(with_equity(950 * E18 + units)), short)

    view = evaluate(held, market(**PRICES | {"BTC": NoPrice("BTC", "call_failed")}), PLAIN)

    assert (view.status, view.leaf.status) == (status, status)
    assert view.equity_high_usd == 1_000 * E18 + units
    assert view.leaf.collateral_usd == 950 * E18 + units
    assert (view.leaf.liability_usd, view.leaf.maintenance_margin_usd) == (UINT128_MAX, UINT128_MAX)
    assert view.quality == Quality.DEGRADED_LEG


def test_unpriced_long_or_unread_position__no_upper_bound__unknown() -> None:
    poor = _parts(with_equity(E18))
    dark = market(**PRICES | {"BTC": NoPrice("BTC", "call_failed")})
    gap = Missing("perp:btc", A, "call_failed", LegKind.POSITION)

    long = evaluate(portfolio(*poor, position(BTC_PERP, 1, 10**30)), dark, PLAIN)
    unread = evaluate(portfolio(*poor, missing=(gap,)), market(**PRICES), PLAIN)
    both = evaluate(portfolio(*poor, position(BTC_PERP, -1, 0), missing=(gap,)), dark, PLAIN)

    assert {view.status for view in (long, unread, both)} == {Status.UNKNOWN}
    assert {view.equity_high_usd for view in (long, unread, both)} == {None}


def test_unpriced_short__on_evidence_that_does_not_carry_any_value__no_bound() -> None:
    rules = with_bands((10**30, QUORUM), (None, PROOF), rules=PLAIN)
    dark = market(**PRICES | {"BTC": NoPrice("BTC", "call_failed")})

    def of(level: Assurance) -> Status:
        short = position(BTC_PERP, -E18, -E18, 0, level)
        return evaluate(portfolio(*_parts(with_equity(E18)), short), dark, rules).status

    assert (of(QUORUM), of(PROOF)) == (Status.UNKNOWN, Status.LIQUIDATABLE)


@pytest.mark.parametrize(("units", "status"), [(0, Status.UNKNOWN), (-1, Status.LIQUIDATABLE)])
def test_unpriced_collateral__at_most_the_limit_of_its_assurance__bounds_the_best_case(units, status: Status) -> None:
    # quorum evidence carries 100, less 16.4 % haircut: any price leaves at most 83.60
    rules = with_bands((100 * E18, QUORUM), (None, PROOF), rules=PLAIN)
    held = portfolio(*_parts(with_equity(1_000 * E18 - 8_360 * 10**16 + units)), holding(BTCX_B, 1, QUORUM))

    view = evaluate(held, market(**PRICES | {"BTC": NoPrice("BTC", "call_failed")}), rules)

    assert (view.status, view.equity_high_usd) == (status, 1_000 * E18 + units)
    assert view.leaf.liability_usd == 0


def test_assurance_band__position_above_it_on_a_weaker_price__unknown() -> None:
    rules = with_bands((19_999 * E18, QUORUM), (None, PROOF), rules=PLAIN)
    held = with_equity(5000 * E18)
    weak_price = market(**PRICES)
    weak_price.prices["ETH"] = replace(weak_price.prices["ETH"], assurance=QUORUM)

    strong, weak = evaluate(held, market(**PRICES), rules), evaluate(held, weak_price, rules)

    assert strong.status is Status.HEALTHY
    assert weak.status is Status.UNKNOWN


def test_assurance_band__holding_priced_by_a_weaker_feed__missing() -> None:
    weak = market(**PRICES)
    weak.prices["DOLLAR"] = replace(weak.prices["DOLLAR"], assurance=QUORUM)
    held = portfolio(holding(DOLLAR, 100, PROOF))

    assert evaluate(held, weak, with_bands((None, PROOF), rules=PLAIN)).collateral_usd == 0
    assert evaluate(held, weak, PLAIN).assurance is QUORUM


def test_assurance_band__value_beyond_the_last__needs_the_highest_level() -> None:
    rules = with_bands((10_000, QUORUM), rules=PLAIN)

    held = portfolio(holding(DOLLAR, 10_001, PROOF))

    view = evaluate(held, market(**PRICES), rules)
    weak = evaluate(held, market(**PRICES), with_bands((10_000, Assurance.AUTHENTICATED_HEADER), rules=PLAIN))

    assert view.collateral_usd == 10_000
    assert "authenticated_header" in weak.missing[0].reason


def test_bound__of_what_is_not_known__signed_to_the_field() -> None:
    """A position without a price lifts what is owed and required to 2^128 - 1, from nothing."""
    view = evaluate(with_equity(E18), market(DOLLAR=E18, ETH=NoPrice("ETH", "call_failed")), PLAIN)

    assert (view.account, view.leaf.account_id, view.leaf.venue_id) == (account(1), account(1), VENUE_ID)
    line = view.lines[-1]
    assert line.leg == MarginLeg(
        holder_key=text_key(caip10(A, home_address(account(1)))),
        chain_key=text_key(A),
        asset_key=Hash32(bytes(32)),
        kind=LegKind.REQUIREMENT,
        encumbrance=Encumbrance.NOT_APPLICABLE,
        assurance=Assurance.SINGLE_RPC,
        amount_raw=0,
        price_e18=0,
        haircut_ppm=0,
        entry_value_usd=0,
        value_usd=-UINT128_MAX,
        initial_usd=UINT128_MAX,
        maintenance_usd=UINT128_MAX,
    )
    assert line == Line(
        line.label,
        A,
        0,
        "",
        LegKind.REQUIREMENT,
        Assurance.SINGLE_RPC,
        0,
        0,
        0,
        0,
        0,
        -UINT128_MAX,
        UINT128_MAX,
        UINT128_MAX,
        Rounding.EXACT,
        line.leg,
    )
