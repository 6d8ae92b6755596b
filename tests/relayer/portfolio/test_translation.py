"""Documents become engine inputs exactly: decimals, balances, shares, prices, options; expected figures by hand."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.types import Encumbrance
from proofs.units import E18, format_decimal
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Leg, OptionTerms, Price, Role, Surface
from relayer.margin.engine.result import Verdict
from relayer.margin.models.table import RULE_SETS
from relayer.margin.view import Purpose
from relayer.portfolio.conversions import amount_change, amount_of, balance_for, balance_of
from relayer.portfolio.families import FAMILIES, FAMILY_OF
from relayer.portfolio.overlay_tables import OVERLAYS
from relayer.portfolio.portfolio import Portfolio, portfolio_of
from relayer.portfolio.rule_tables import table_of
from tests.relayer.portfolio.build import AAVE, changed, faults_of

RAY = 10**27
LEG = ("accounts", 0, "legs", 0)
USD = {"symbol": "USD"}


def read(document: dict[str, Any]) -> Portfolio:
    return portfolio_of(document, "file")


def document(rule_set: str, rules: dict[str, Any], legs: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "rule_set": rule_set,
        "as_of": 1_740_830_400,
        "rules": rules,
        "accounts": [{"name": "a", "legs": legs}],
        **more,
    }


def test_table__of_families__names_every_rule_set_that_has_a_description() -> None:
    assert {*FAMILY_OF, *OVERLAYS} == set(RULE_SETS)
    assert not set(FAMILY_OF) & set(OVERLAYS)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.label)
def test_family__every_parameter__has_a_key_in_files(family: Any) -> None:
    table = table_of(family.rules, family.scales)

    given_elsewhere = {"name", "unit"} if hasattr(family.rules, "weigh") else set()
    names = {field.name.removesuffix("_wad").removesuffix("_e18") for field in fields(family.rules)} - given_elsewhere

    assert is_dataclass(family.rules)
    assert set(table.model_fields) == names


def test_amounts__in_three_spellings__are_the_same() -> None:
    """Balance 15 at supply index 1.5 is a scaled balance of 10, which is 10^19 of the smallest units."""
    spelled = [{"amount": "10"}, {"amount_raw": "10000000000000000000"}, {"balance": "15"}]
    leg = {key: value for key, value in AAVE["accounts"][0]["legs"][0].items() if key != "amount"}

    legs = [read(changed(AAVE, LEG, {**leg, **one})).accounts[0].legs[0] for one in spelled]

    assert {one.amount for one in legs} == {10**19}


@pytest.mark.parametrize(("text", "raw"), [("100", 100_000_000), ("0.000001", 1), ("7.250000", 7_250_000)])
def test_amount__of_six_decimals__is_exact(text: str, raw: int) -> None:
    legs = read(changed(AAVE, ("accounts", 0, "legs", 1, "amount"), text)).accounts[0].legs

    assert legs[1].amount == raw


@given(raw=st.integers(0, 10**30))
def test_amount__any_decimal_string__comes_back_exactly(raw: int) -> None:
    legs = read(changed(AAVE, (*LEG, "amount"), format_decimal(raw, 18))).accounts[0].legs

    assert legs[0].amount == raw


def test_debt__from_a_balance__is_rounded_up_and_collateral_down() -> None:
    portfolio = read(AAVE)
    weth, usdc = portfolio.accounts[0].legs

    assert amount_of(usdc, 1, portfolio.market, portfolio.rules) == 1  # 1 : 1.25, up
    assert balance_of(usdc, 1, portfolio.market, portfolio.rules) == 2  # 1.25, up
    assert amount_of(weth, 1, portfolio.market, portfolio.rules) == 0  # 1 : 1.5, down
    assert balance_of(weth, 3, portfolio.market, portfolio.rules) == 4  # 4.5, down


@given(balance=st.integers(0, 10**40))
def test_balance__turned_into_an_amount_and_back__is_never_better_for_the_account(balance: int) -> None:
    portfolio = read(AAVE)
    weth, usdc = portfolio.accounts[0].legs

    def back(leg: Leg) -> int:
        there = amount_of(leg, balance, portfolio.market, portfolio.rules)
        return balance_of(leg, there, portfolio.market, portfolio.rules) or 0

    assert balance - 2 <= back(weth) <= balance <= back(usdc) <= balance + 2


@pytest.mark.parametrize(
    ("place", "change", "moved"), [(0, 4, 2), (0, -4, -3), (1, 4, 4), (1, -4, -3), (0, 3, 2), (1, -5, -4)]
)
def test_change__of_a_balance__never_favours_the_account(place: int, change: int, moved: int) -> None:
    """At index 1.5 four units held are 2 2/3, at 1.25 four owed are 3 1/5: in less, out more, owed more, paid less."""
    portfolio = read(AAVE)

    assert amount_change(portfolio.accounts[0].legs[place], change, portfolio.market, portfolio.rules) == moved


@given(amount=st.integers(1, 10**30), is_owed=st.booleans())
def test_cure__its_balance__moves_the_amount_and_one_less_does_not(amount: int, is_owed: bool) -> None:
    portfolio = read(AAVE)
    leg = portfolio.accounts[0].legs[int(is_owed)]
    sign = -1 if is_owed else 1

    balance = balance_for(leg, amount, portfolio.market, portfolio.rules, is_owed=is_owed)

    assert balance is not None
    moved = [abs(amount_change(leg, sign * one, portfolio.market, portfolio.rules)) for one in (balance - 1, balance)]
    assert moved[0] < amount <= moved[1]


def test_comet__a_deposit_on_a_borrow__pays_at_the_borrow_index() -> None:
    """1,100 owed at 1.1; 550 more leave 550 owed, a principal of 500; 1,310 more leave 210 held, at 1.05 one of 200."""
    rules = {"base": "USDC", "assets": []}
    legs = [{"role": "cash", "asset": "USDC", "balance": "-1100"}]
    indices = {"USDC": {"supply": "1.05", "borrow": "1.1"}}
    portfolio = read(document("comet@1", rules, legs, assets={"USDC": {"decimals": 6}}, indices=indices))
    leg = portfolio.accounts[0].legs[0]

    moved = [amount_change(leg, paid * 10**6, portfolio.market, portfolio.rules) for paid in (550, 1310)]

    assert moved == [500 * 10**6, 1200 * 10**6]


def test_balance__without_an_index__is_refused() -> None:
    leg = {"role": "collateral", "asset": "WETH", "balance": "1"}

    found = faults_of(changed(changed(AAVE, LEG, leg), ("indices", "WETH"), None))

    assert found == [
        "accounts[0].legs[0].balance: no index of WETH to turn a balance into an amount; add it, or write the amount"
    ]


@pytest.mark.parametrize(
    ("written", "price"),
    [
        ("2000.5", Price(2_000_500_000_000_000_000_000, 2_000_500_000_000_000_000_000)),
        (3, Price(3 * E18, 3 * E18)),
        (["1.99", "2.01"], Price(1_990_000_000_000_000_000, 2_010_000_000_000_000_000)),
        ({"low": "1", "high": "2", "confidence": "0.5"}, Price(E18, 2 * E18, 18, E18 // 2)),
        ("0.0000000000000000000000001", Price(10**11, 10**11, 36)),
    ],
)
def test_price__as_written__is_an_exact_interval(written: object, price: Price) -> None:
    assert read(changed(AAVE, ("prices", "WETH"), written)).market.prices["WETH"] == price


def test_price__with_an_average__has_both() -> None:
    market = read(changed(AAVE, ("prices", "WETH"), {"price": "2", "twap": "1.9"})).market

    assert market.average_prices["WETH"] == Price(1_900_000_000_000_000_000, 1_900_000_000_000_000_000)


@pytest.mark.parametrize("written", ["2025-03-01T12:00:00Z", "2025-03-01T13:00:00+01:00", 1_740_830_400])
def test_time__however_written__is_the_same_second(written: object) -> None:
    assert read(changed(AAVE, ("as_of",), written)).market.as_of_s == 1_740_830_400


def test_leg__everything_said__is_kept() -> None:
    leg = {
        "role": "debt",
        "asset": "USDC",
        "amount_raw": 7,
        "chain": "eip155:10",
        "block": 9,
        "block_time": 11,
        "encumbrance": "protocol_locked",
        "entry_value": "-1.5",
        "accrued": "0.25",
        "own_limit": 3,
        "group": "g",
        "venue": "v",
    }

    found = read(changed(AAVE, LEG, leg)).accounts[0].legs[0]

    assert found == Leg(
        "USDC debt", Role.DEBT, "USDC", 7, found.chain, 9, 6, -15 * 10**17, 25 * 10**16, None, 0, 3, "g", "v", 11,
        Encumbrance.PROTOCOL_LOCKED,
    )  # fmt: skip
    assert found.chain == "eip155:10"


def test_legs__without_names__are_numbered_apart() -> None:
    legs = [{"role": "collateral", "asset": "WETH", "amount": "1"}] * 3

    found = read(changed(AAVE, ("accounts", 0, "legs"), legs)).accounts[0].legs

    assert [leg.name for leg in found] == ["WETH collateral", "WETH collateral 2", "WETH collateral 3"]


def test_unread__of_a_debt__makes_the_verdict_unknown() -> None:
    unread = [{"leg": "usdt", "role": "debt", "reason": "the node is down"}]

    portfolio = read(changed(AAVE, ("accounts", 0, "unread"), unread))

    found = evaluate(portfolio.accounts[0], portfolio.market, portfolio.rules, Purpose.MAINTENANCE)
    assert found.verdict is Verdict.UNKNOWN


def test_morpho__price_and_debt__are_in_whole_tokens() -> None:
    """12 WETH at 2,000 USDC, LLTV 86 %: limit 20,640; 20,000 owed at one share a unit times 10^6."""
    totals = {"supply_assets": "40000000000", "supply_shares": "40000000000000000"}
    totals |= {"borrow_assets": "30000000000", "borrow_shares": "30000000000000000"}
    legs = [
        {"role": "collateral", "asset": "WETH", "balance": "12"},
        {"role": "debt", "asset": "USDC", "balance": "20000"},
    ]
    rules = {"market": "WETH", "collateral": "WETH", "loan": "USDC", "lltv": "0.86"}
    portfolio = read(
        document(
            "morpho@1", rules, legs, assets={"USDC": {"decimals": 6}}, prices={"WETH": 2000}, totals={"WETH": totals}
        )
    )

    found = evaluate(portfolio.accounts[0], portfolio.market, portfolio.rules, Purpose.MAINTENANCE)

    assert (found.unit.symbol, found.unit.decimals) == ("USDC", 6)
    assert found.collateral == 24_000_000_000
    assert found.excess == 640_000_000
    assert portfolio.accounts[0].legs[1].amount == 20_000 * 10**12


def test_comet__base_balance__is_a_principal() -> None:
    """A borrow of 1,100 at borrow index 1.1 is a principal of -1,000; 1 ETH at 2,000 and 0.85 covers it by 600."""
    rules = {"base": "USDC", "assets": [{"asset": "ETH", "borrow_factor": "0.8", "liquidate_factor": "0.85"}]}
    legs = [
        {"role": "cash", "asset": "USDC", "balance": "-1100"},
        {"role": "collateral", "asset": "ETH", "balance": "1"},
    ]
    portfolio = read(
        document(
            "comet@1",
            rules,
            legs,
            assets={"USDC": {"decimals": 6}},
            prices={"ETH": 2000, "USDC": 1},
            indices={"USDC": {"supply": "1.05", "borrow": "1.1"}},
        )
    )

    found = evaluate(portfolio.accounts[0], portfolio.market, portfolio.rules, Purpose.MAINTENANCE)

    assert portfolio.accounts[0].legs[0].amount == -1_000_000_000
    assert found.excess == 600 * E18


def test_dydx__document__is_a_subaccount() -> None:
    """2 ETH long at 2,000 bought for 3,900, 500 USDC: 600 of net collateral against 4,000 · 5 % · 60 % = 120."""
    rules = {
        "markets": {
            "ETH": {"tier": {"initial_ppm": 50_000, "maintenance_fraction_ppm": 600_000}, "atomic_resolution": -9}
        }
    }
    legs = [
        {"role": "cash", "asset": "USDC", "amount": "500"},
        {"role": "perp", "asset": "ETH", "amount": "2", "entry_value": "3900"},
    ]
    assets = {"USDC": {"decimals": 6}, "ETH": {"decimals": 9}}
    portfolio = read(document("dydx@4", rules, legs, assets=assets, prices={"ETH": 2000}))

    found = evaluate(portfolio.accounts[0], portfolio.market, portfolio.rules, Purpose.MAINTENANCE)

    assert (found.equity, found.requirement) == (600_000_000, 120_000_000)


def test_tiers__document__is_a_cross_account() -> None:
    """1 BTC short at 60,000, tier of leverage 20: maintenance 1/40 of 60,000 = 1,500; profit 62,000 - 60,000."""
    rules = {
        "markets": {"BTC": {"tiers": [{"lower": 0, "leverage_max": 20}, {"lower": "1000000", "leverage_max": 10}]}}
    }
    legs = [{"role": "perp", "asset": "BTC", "amount": "-1", "entry_value": "-62000"}]
    portfolio = read(document("tiers@1", rules, legs, prices={"BTC": 60000}))

    found = evaluate(portfolio.accounts[0], portfolio.market, portfolio.rules, Purpose.MAINTENANCE)

    assert (found.equity, found.requirement) == (2_000_000_000, 1_500_000_000)


def test_tiers__that_do_not_rise__are_refused_by_key() -> None:
    rules = {"markets": {"BTC": {"tiers": [{"lower": 5, "leverage_max": 20}]}}}

    found = faults_of(document("tiers@1", rules, []))

    assert found == ["rules.markets.BTC: tiers begin at 0 and leverage is at least 1"]


def test_cross_perp__one_leg_name_for_two_assets__is_refused() -> None:
    rules = {
        "collateral": {name: {"haircut_initial_ppm": 2, "haircut_maintenance_ppm": 1} for name in ("ETH", "USDC")},
        "markets": {},
    }
    base = document("cross_perp@1", rules, [{"name": "x", "role": "collateral", "asset": "ETH", "amount": "1"}])
    other = {"name": "b", "legs": [{"name": "x", "role": "collateral", "asset": "USDC", "amount": "1"}]}

    found = faults_of({**base, "accounts": [*base["accounts"], other]})

    assert found == ["rules: the leg name 'x' means two things; name legs of different assets differently"]


def test_cross_perp__two_legs_of_one_asset_on_one_chain__both_count() -> None:
    """2 + 3 ETH at 10, cut by a tenth: 45."""
    terms = {"haircut_initial_ppm": 100_000, "haircut_maintenance_ppm": 100_000}
    legs = [{"role": "collateral", "asset": "ETH", "amount": amount} for amount in ("2", "3")]
    portfolio = read(document("cross_perp@1", {"collateral": {"ETH": terms}, "markets": {}}, legs, prices={"ETH": 10}))

    found = evaluate(portfolio.accounts[0], portfolio.market, portfolio.rules, Purpose.MAINTENANCE)

    assert found.equity == 45 * E18


def test_cross_perp__initial_haircut_below_the_other__is_refused() -> None:
    rules = {"collateral": {"ETH": {"haircut_initial_ppm": 1, "haircut_maintenance_ppm": 2}}, "markets": {}}

    assert faults_of(document("cross_perp@1", rules, [])) == [
        "rules: collateral.ETH: the initial haircut is below the maintenance one; raise it"
    ]


def test_option__and_expiry__are_read_at_1e18() -> None:
    expiry = "2025-03-28T08:00:00Z"
    surface = {"a": "0.02", "b": "0.03", "rho": "-0.1", "m": "0.01", "sigma": "0.1"}
    legs = [
        {
            "role": "option",
            "asset": "ETH",
            "amount": "-5",
            "option": {"strike": "2200.5", "expiry": expiry, "kind": "put"},
        }
    ]
    rules = {"points": [{"shift": "-0.15", "vol_factor": "1.2"}]}
    expiries = [{"asset": "ETH", "expiry": expiry, "forward": "2227.5", "surface": surface, "vols": {"2200.5": "0.6"}}]
    portfolio = read(document("grid@1", rules, legs, prices={"ETH": "2215"}, expiries=expiries))

    expiry_s = 1_743_148_800
    quote = portfolio.market.expiries["ETH", expiry_s]

    assert portfolio.accounts[0].legs[0].option == OptionTerms(2_200_500_000_000_000_000_000, expiry_s, False)
    assert quote.vols == {2_200_500_000_000_000_000_000: 6 * 10**17}
    tau = (expiry_s - 1_740_830_400) * E18 // 31_536_000
    assert quote.surface == Surface(
        2 * 10**16, 3 * 10**16, -(10**17), 10**16, 10**17, 22275 * 10**17, tau, 1_740_830_400
    )


def test_haircut__one_of_several_forms__is_the_one_written() -> None:
    asset = {"maintenance_ppm": 1, "initial_ppm": 2, "sigma_ppm": 3, "cap": {"cap": "1.04"}}
    rules = {"assets": {"USDC": asset}, "chains": {"eip155:1": {"chain_ppm": 0, "bridge_ppm": 0, "age_s_max": 60}}}
    rules["encumbrance_ppm"] = {"escrowed": 900_000}
    portfolio: Any = read(document("haircut@1", rules, []))

    assert portfolio.rules.assets["USDC"].cap.cap_e18 == 104 * 10**16
    assert portfolio.rules.encumbrance_ppm == {Encumbrance.ESCROWED: 900_000}


def test_span__pairs_beyond_the_arrays__are_refused() -> None:
    contract = {"name": "f", "month": "M", "tier": 1, "array": ["0", "-5"], "deltas": ["1"]}
    commodity = {"name": "c", "contracts": [contract], "pairs": [1, 2], "still": [0, 1], "delta_weights": ["1"]}

    found = faults_of(document("span@1", {"commodities": [commodity]}, []))

    assert found[0].startswith("rules: c: pairs and still must be numbers from 0 of its 2 scenarios")


def test_overlays__in_their_order__stand_around_the_rules() -> None:
    """At the average of 1,900 the 15 WETH are worth 28,500, and 17.5 % of that is required: 4,987.50."""
    overlays = [
        {"kind": "strict@1", "exempt": ["USDC"]},
        {"kind": "size_premium@1", "premiums": {"WETH": {"slope_ppm": 1, "scale": "1000", "cap_ppm": 5}}},
    ]
    strict = changed(AAVE, ("prices", "WETH"), {"price": "2000", "twap": "1900"})

    portfolio = read({**strict, "overlays": overlays})

    found = evaluate(portfolio.accounts[0], portfolio.market, portfolio.rules, Purpose.MAINTENANCE)
    assert portfolio.rules.name == "aave@3.7+strict@1+size_premium@1"
    assert portfolio.core.name == "aave@3.7"
    assert (found.collateral, found.requirement) == (28_500 * E18, 49_875 * 10**17)


@pytest.mark.parametrize(
    ("overlay", "fault"),
    [
        ({"kind": "strict@1", "exemp": []}, "overlays[0].exemp: unknown key"),
        ({"kind": "strict@2"}, "overlays[0]: input tag 'strict@2' found"),
        ({}, "overlays[0]: unable to extract tag"),
        ({"kind": "depeg@1"}, "overlays[0].stable: missing"),
        (
            {"kind": "confidence@1", "threshold": "1", "factor_ppm": 2_000_000},
            "overlays[0]: a confidence factor is 0 to 1000000 ppm",
        ),
    ],
)
def test_overlay__wrongly_written__is_refused_by_key(overlay: dict[str, Any], fault: str) -> None:
    assert faults_of({**AAVE, "overlays": [overlay]})[0].startswith(fault)
