"""Words and JSON of a view: exact decimals, sentences worst first."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.types import Quality
from proofs.units import E18, parse_decimal
from relayer.margin.evaluate import evaluate
from relayer.margin.explain import margin_ratio_text, quality_names, summary, usd_text, view_to_json
from relayer.margin.market import NoPrice

from .build import BTC_PERP, BTCX_B, ETH_PERP, PROOF, QUORUM, holding, market, portfolio, position, with_bands
from .strategies import cases
from .test_evaluate_cases import DOLLAR, PLAIN, PRICES, with_equity


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (950 * E18, "950.00"),
        (1, "0.000000000000000001"),
        (-E18 // 2, "-0.50"),
        (0, "0.00"),
        (1_234_567 * 10**15, "1234.567"),
    ],
)
def test_usd_text__any__exact_with_at_least_two_decimals(value: int, text: str) -> None:
    assert usd_text(value) == text


@given(st.integers(-(2**130), 2**130))
def test_usd_text__round_trip__same_integer(value: int) -> None:
    assert parse_decimal(usd_text(value), 18) == value


def test_summary__below_maintenance_margin__says_by_how_much() -> None:
    view = evaluate(with_equity(950 * E18), market(**PRICES), PLAIN)

    assert summary(view) == ("equity 950.00 is below maintenance margin 1000.00 by 50.00",)


def test_summary__bad_debt__worst_sentence_first() -> None:
    held = portfolio(holding(DOLLAR, 400 * E18), position(ETH_PERP, 10 * E18, 20_500 * E18))

    view = evaluate(held, market(**PRICES), PLAIN)

    assert summary(view) == (
        "liability 500.00 exceeds the marked value of all assets 400.00 by 100.00",
        "equity -100.00 is below maintenance margin 1000.00 by 1100.00",
    )


def test_summary__margin_call__says_how_little_is_left() -> None:
    view = evaluate(with_equity(1_020 * E18), market(**PRICES), PLAIN)

    assert summary(view) == (
        "equity 1020.00 is above maintenance margin 1000.00 by only 20.00 (margin call, margin ratio 1.02)",
    )


def test_summary__healthy__nothing_to_say() -> None:
    assert summary(evaluate(with_equity(5_000 * E18), market(**PRICES), PLAIN)) == ()


def test_summary__unpriced_position__unknown_with_the_reason() -> None:
    gone = NoPrice("ETH", "price:ETH: stale_price: 9 s old, heartbeat 8 s", 0, Quality.STALE_PRICE)

    view = evaluate(with_equity(E18), market(DOLLAR=E18, ETH=gone), PLAIN)

    assert summary(view) == (
        "what is owed or required is not known, so neither is the status",
        "perp:eth on eip155:31337001 is missing: no price of ETH: price:ETH: stale_price: 9 s old, heartbeat 8 s",
    )


def test_summary__short_without_a_price_below_at_best__says_so_and_no_figure_of_the_bound() -> None:
    # 10 ETH long at 2000 hold 1000; the short of BTC brings 50 at a price of zero: 900 + 50 < 1000
    held = portfolio(*_parts(with_equity(900 * E18)), position(BTC_PERP, -E18, -60 * E18, -10 * E18))
    view = evaluate(held, market(**PRICES | {"BTC": NoPrice("BTC", "call_failed")}), PLAIN)

    assert summary(view) == (
        "even with all that is missing at its best equity 950.00 is below maintenance margin 1000.00",
        "perp:btc on eip155:31337001 is missing: no price of BTC: call_failed",
    )
    assert margin_ratio_text(view) is None
    assert view_to_json(view)["missing"][0]["best_usd"] == "50.00"


def test_summary__capped_leg__says_what_it_counts() -> None:
    rules = with_bands((100 * E18, QUORUM), (None, PROOF), rules=PLAIN)
    view = evaluate(portfolio(holding(DOLLAR, 150 * E18, QUORUM)), market(**PRICES), rules)

    assert summary(view) == (
        "DOLLAR escrowed on eip155:31337001, capped: assurance rpc_quorum carries no more: counts 100.00",
    )
    assert view_to_json(view)["lines"][0]["is_capped"] is True


def _parts(held):
    return (*held.holdings, *held.positions)


def test_summary__wide_price__named_last() -> None:
    prices = market(**PRICES)
    prices.prices["DOLLAR"] = replace(prices.prices["DOLLAR"], quality=Quality.WIDE_PRICE)

    assert summary(evaluate(with_equity(999 * E18), prices, PLAIN))[-1] == "marked wide price"


def test_margin_ratio__rounds_down_and_is_absent_without_a_requirement() -> None:
    assert margin_ratio_text(evaluate(with_equity(1_049_999 * 10**15), market(**PRICES), PLAIN)) == "1.0499"
    assert margin_ratio_text(evaluate(portfolio(), market(), PLAIN)) is None


def test_quality_names__several_bits__lowest_first() -> None:
    assert quality_names(Quality.DEVNET | Quality.DEGRADED_LEG) == ["degraded_leg", "devnet"]


def test_view_to_json__hand_account__strings_that_read_as_money() -> None:
    document = view_to_json(evaluate(with_equity(950 * E18), market(**PRICES), PLAIN))

    lines = document.pop("lines")
    assert document == {
        "account": "0x" + "00" * 31 + "01",
        "status": "liquidatable",
        "assurance": 2,
        "quality": [],
        "equity_usd": "950.00",
        "equity_high_usd": "950.00",
        "collateral_usd": "950.00",
        "liability_usd": "0.00",
        "initial_margin_usd": "2000.00",
        "maintenance_margin_usd": "1000.00",
        "margin_usd": "-50.00",
        "margin_ratio": "0.95",
        "summary": ["equity 950.00 is below maintenance margin 1000.00 by 50.00"],
        "missing": [],
    }
    assert lines[1] | {"label": ""} == {
        "label": "",
        "chain": "eip155:31337001",
        "block_number": 7,
        "symbol": "ETH",
        "kind": "position",
        "assurance": 2,
        "amount_raw": str(10 * E18),
        "amount": "10",
        "price_usd": "2000",
        "haircut": "0",
        "haircut_ppm": 0,
        "marked_usd": "20000.00",
        "value_usd": "0.00",
        "initial_usd": "2000.00",
        "maintenance_usd": "1000.00",
        "rounding": "down",
        "is_signed": True,
        "is_capped": False,
    }


def test_view_to_json__unpriced_collateral__is_missing_and_its_haircut_a_share() -> None:
    """8,000 of BTC at 12 % count 7,040; the DOLLAR has no price, so nothing bounds equity from above."""
    held = portfolio(holding(DOLLAR, E18), holding(BTCX_B, 10**7))
    prices = market(BTC=80_000 * E18, DOLLAR=NoPrice("DOLLAR", "call_failed", 0, Quality.STALE_PRICE))

    document = view_to_json(evaluate(held, prices, replace(PLAIN, dust_usd=E18)))

    gap = {
        "what": "lock:dollar",
        "chain": "eip155:31337001",
        "kind": "lock",
        "reason": "no price of DOLLAR: call_failed",
        "best_usd": None,
    }
    assert (document["missing"], document["equity_high_usd"]) == ([gap], None)
    assert document["quality"] == ["degraded_leg", "stale_price"]
    line = document["lines"][-1]
    assert (line["marked_usd"], line["haircut"], line["haircut_ppm"]) == ("8000.00", "0.164", 164_000)


def test_summary__at_the_maintenance_margin__not_below_it() -> None:
    (sentence,) = summary(evaluate(with_equity(1_000 * E18), market(**PRICES), PLAIN))

    assert sentence.startswith("equity 1000.00 is above maintenance margin 1000.00 by only 0.00 (margin call")


@given(cases(always_priced=False, banded=True))
def test_view_to_json__any_account__is_json_and_its_lines_add_up_in_text(case) -> None:
    view = evaluate(*case)

    document = json.loads(json.dumps(view_to_json(view)))

    assert sum(parse_decimal(line["value_usd"], 18) for line in document["lines"]) == view.equity_usd
    assert parse_decimal(document["collateral_usd"], 18) == view.collateral_usd
    assert len(document["missing"]) == len(view.missing)
