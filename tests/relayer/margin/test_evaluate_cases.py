"""Accounts worked out by hand, with the arithmetic beside them, and every boundary at -1, 0 and +1 unit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proofs.attestation import check_legs, leg_key
from proofs.keccak import keccak256
from proofs.types import Assurance, Encumbrance, LegKind, Quality, Status
from proofs.units import E18, PPM, UINT128_MAX
from relayer.margin.evaluate import evaluate
from relayer.margin.market import NoPrice
from relayer.margin.rules import AssetRule
from relayer.margin.view import Missing

from .build import (
    BOX,
    BTC_PERP,
    BTCX_B,
    ETH_PERP,
    ETHX_C,
    PROOF,
    QUORUM,
    RULES,
    USDX_A,
    USDX_B,
    USDX_FREE,
    VENUE_ID,
    A,
    B,
    C,
    account,
    holding,
    lock,
    market,
    portfolio,
    position,
    sums,
)

DOLLAR = lock("lock:dollar", A, "DOLLAR", 18)
"""A token whose base unit is one unit of UsdE18: price 1, no haircut. Its amount is equity."""
PLAIN = replace(
    RULES, assets=(*RULES.assets, AssetRule("DOLLAR", 0, 0)), collateral=(DOLLAR, *RULES.collateral), dust_usd=0
)
PRICES = {"USDX": E18, "BTC": 60_000 * E18, "ETH": 2_000 * E18, "DOLLAR": E18}


def with_equity(equity: int):
    """Build an account with that equity and MM exactly 1000 USD: 10 ETH at 2000, 5 %, bought at 2000."""
    return portfolio(holding(DOLLAR, equity), position(ETH_PERP, 10 * E18, 20_000 * E18))


def test_evaluate__mixed_account__figures_of_the_hand_calculation() -> None:
    held = portfolio(
        holding(USDX_A, 10_000 * 10**6),
        holding(BTCX_B, 10**8),
        position(ETH_PERP, 10 * E18, 20_000 * E18, -5 * E18),
        position(BTC_PERP, -E18 // 2, -32_000 * E18, 12 * E18),
    )
    prices = market(USDX=E18, BTC=(59_000 * E18, 60_000 * E18), ETH=(1_900 * E18, 1_950 * E18))

    view = evaluate(held, prices, RULES)

    # USDX: 10000 x (1 - 1 %) = 9900; for opening 2 % -> 9800, so 100 is required initially
    # BTC: 1 - 0.88 x 0.95 = 16.4 % -> 59000 x 0.836 = 49324; 1 - 0.80 x 0.95 = 24 % -> 44840, so 4484
    # ETH long: 10 x 1900 - 20000 - 5 = -1005; notional 10 x 1950 = 19500, IM 10 % 1950, MM 5 % 975
    # BTC short: -0.5 x 60000 + 32000 + 12 = 2012; notional 30000, IM 5 % 1500, MM 3 % 900
    assert view.collateral_usd == (9_900 + 49_324 + 2_012) * E18
    assert view.liability_usd == 1_005 * E18
    assert view.equity_usd == 60_231 * E18
    assert view.initial_margin_usd == (100 + 4_484 + 1_950 + 1_500) * E18
    assert view.maintenance_margin_usd == 1_875 * E18
    assert view.status is Status.HEALTHY
    assert view.equity_high_usd == view.equity_usd
    assert (view.assurance, view.quality, view.missing) == (PROOF, Quality.NONE, ())
    assert [line.haircut_ppm for line in view.lines] == [10_000, 164_000, 0, 0]
    assert [line.price_e18 // E18 for line in view.lines] == [1, 59_000, 1_900, 60_000]


def test_evaluate__mixed_account__leaf_and_legs_carry_the_figures_and_the_keys() -> None:
    held = portfolio(holding(BTCX_B, 10**8), position(ETH_PERP, E18, 1_990 * E18, E18))

    view = evaluate(held, market(**PRICES), RULES)

    lock_leg, position_leg = (line.leg for line in view.lines)
    assert lock_leg.holder_key == keccak256(f"{B}:0x{BOX.hex()}".encode())
    assert lock_leg.chain_key == keccak256(b"eip155:31337002")
    assert lock_leg.asset_key == keccak256(BTCX_B.asset.encode())
    assert (lock_leg.kind, lock_leg.encumbrance) == (LegKind.LOCK, Encumbrance.ESCROWED)
    assert (lock_leg.amount_raw, lock_leg.entry_value_usd, lock_leg.maintenance_usd) == (10**8, 0, 0)
    assert position_leg.holder_key == keccak256(f"{A}:0x{account(1)[12:].hex()}".encode())
    assert position_leg.asset_key == keccak256(VENUE_ID + ETH_PERP.market)
    assert (position_leg.kind, position_leg.encumbrance) == (LegKind.POSITION, Encumbrance.NOT_APPLICABLE)
    assert (position_leg.amount_raw, position_leg.entry_value_usd) == (E18, 1_990 * E18)
    assert position_leg.value_usd == 11 * E18  # 2000 - 1990 + 1
    check_legs(view.leaf, sorted((lock_leg, position_leg), key=leg_key))


@pytest.mark.parametrize(
    ("equity_units", "status"),
    [
        (1000 * E18 - 1, Status.LIQUIDATABLE),
        (1000 * E18, Status.MARGIN_CALL),
        (1000 * E18 + 1, Status.MARGIN_CALL),
        (1050 * E18 - 1, Status.MARGIN_CALL),
        (1050 * E18, Status.WARNING),
        (1050 * E18 + 1, Status.WARNING),
        (1200 * E18 - 1, Status.WARNING),
        (1200 * E18, Status.HEALTHY),
        (1200 * E18 + 1, Status.HEALTHY),
    ],
)
def test_th_060_status__one_unit_around_each_level__equality_is_milder(equity_units: int, status: Status) -> None:
    view = evaluate(with_equity(equity_units), market(**PRICES), PLAIN)

    assert view.maintenance_margin_usd == 1000 * E18
    assert view.equity_usd == equity_units
    assert view.status is status
    assert view.leaf.status is status


@pytest.mark.parametrize(
    ("collateral", "status"),
    [(500 * E18 - 1, Status.BAD_DEBT), (500 * E18, Status.LIQUIDATABLE), (500 * E18 + 1, Status.LIQUIDATABLE)],
)
def test_status__liability_against_marked_value__bad_debt_only_above_it(collateral: int, status: Status) -> None:
    lost_500 = position(ETH_PERP, 10 * E18, 20_500 * E18)

    view = evaluate(portfolio(holding(DOLLAR, collateral), lost_500), market(**PRICES), PLAIN)

    assert view.liability_usd == 500 * E18
    assert view.status is status


def test_status__bad_debt__judged_on_marked_value_without_haircuts_and_with_gains() -> None:
    # ETH worth 2000 marked on C counts 2000 x 0.9 x 0.98 = 1764; the BTC short gained 100; liability 2100 = 2000 + 100
    held = portfolio(
        holding(ETHX_C, E18), position(BTC_PERP, -E18, -60_100 * E18), position(ETH_PERP, E18, 4_100 * E18)
    )

    view = evaluate(held, market(**PRICES), RULES)
    worse = evaluate(
        replace(held, positions=(held.positions[0], replace(held.positions[1], accrued_usd=-1))),
        market(**PRICES),
        RULES,
    )

    assert (view.collateral_usd, view.liability_usd) == ((1_764 + 100) * E18, 2_100 * E18)
    assert view.status is Status.LIQUIDATABLE
    assert worse.status is Status.BAD_DEBT


def test_status__no_requirement__healthy_at_zero_and_liquidatable_below() -> None:
    nothing = evaluate(portfolio(), market(**PRICES), PLAIN)
    exactly_zero = evaluate(portfolio(holding(DOLLAR, 5), position(ETH_PERP, 0, 5)), market(**PRICES), PLAIN)
    below = evaluate(portfolio(holding(DOLLAR, 5), position(ETH_PERP, 0, 6)), market(**PRICES), PLAIN)

    assert (nothing.status, nothing.equity_usd) == (Status.HEALTHY, 0)
    assert (exactly_zero.status, exactly_zero.equity_usd) == (Status.HEALTHY, 0)
    assert (below.status, below.equity_usd) == (Status.BAD_DEBT, -1)


def test_rounding__smallest_amounts__assets_down_debts_and_requirements_up() -> None:
    # 3 base units of 18-decimal ETH at 1.5: 4.5 units x 0.9 x 0.98 = 3.969 -> 3
    asset = evaluate(portfolio(holding(ETHX_C, 3)), market(ETH=3 * E18 // 2), PLAIN)
    # long 3e-18 ETH at 0.5: 1.5 -> 1; short: -1.5 -> -2; notional 1.5 -> 2; IM 0.2 -> 1; MM 0.1 -> 1
    long = evaluate(portfolio(position(ETH_PERP, 3, 0)), market(ETH=E18 // 2), PLAIN)
    short = evaluate(portfolio(position(ETH_PERP, -3, 0)), market(ETH=E18 // 2), PLAIN)

    assert asset.collateral_usd == 3
    assert (long.collateral_usd, long.liability_usd) == (1, 0)
    assert (short.collateral_usd, short.liability_usd) == (0, 2)
    assert (short.initial_margin_usd, short.maintenance_margin_usd) == (1, 1)
    assert short.lines[0].marked_usd == 2


def test_haircut__three_factors__rounded_up_once() -> None:
    # 1 - (1 - 0.1)(1 - 0.02)(0.333333) = 0.7060002940.. -> 706001 ppm, after one rounding up
    rules = replace(RULES, encumbrance_ppm=((Encumbrance.ESCROWED, 333_333),))

    view = evaluate(portfolio(holding(ETHX_C, 10**18)), market(ETH=1_000_000 * E18), rules)

    assert view.lines[0].haircut_ppm == 706_001
    assert view.collateral_usd == 293_999 * E18


@pytest.mark.parametrize(("units", "exists"), [(99, False), (100, True), (101, True)])
def test_dust__around_the_limit__leg_exists_from_the_limit_on(units: int, exists: bool) -> None:
    rules = replace(PLAIN, dust_usd=100)

    view = evaluate(portfolio(holding(DOLLAR, units)), market(**PRICES), rules)

    assert (view.lines[0].leg is not None) is exists
    assert view.collateral_usd == (units if exists else 0)
    assert view.missing == ()


def test_th_059_decimals__0_6_18_27_77__same_value_of_the_same_amount() -> None:
    for decimals in (0, 6, 18, 27, 77):
        source = lock("lock:any", A, "USDX", decimals)
        price = 7 * 10**24 if decimals == 77 else 7 * E18  # half of 10^77 base units is the most that a leg can carry
        amount = 10**71 if decimals == 77 else 10**decimals

        view = evaluate(portfolio(holding(source, amount)), market(USDX=price), PLAIN)

        assert view.collateral_usd == 7 * E18 * 99 // 100


def test_positions__closed_with_something_left__counts_without_a_price() -> None:
    gone = portfolio(holding(DOLLAR, 100), position(ETH_PERP, 0, 0, -30))

    view = evaluate(gone, market(DOLLAR=E18, ETH=NoPrice("ETH", "stale_price: 9 s old")), PLAIN)

    assert (view.status, view.equity_usd, view.maintenance_margin_usd) == (Status.HEALTHY, 70, 0)
    assert view.missing == ()
    assert view.quality == Quality.NONE


def test_positions__all_zero__no_line_no_leg() -> None:
    view = evaluate(portfolio(position(ETH_PERP, 0, 0, 0)), market(), PLAIN)

    assert view.lines == ()
    assert view.leaf.legs_root == bytes(32)
    assert view.status is Status.HEALTHY


def test_th_065_unpriced_position__any__unknown_with_bounds_and_never_the_known_figures() -> None:
    held = with_equity(10**6 * E18)

    view = evaluate(held, market(DOLLAR=E18, ETH=NoPrice("ETH", "stale_price: 9 s old", 0, Quality.STALE_PRICE)), PLAIN)

    assert view.status is Status.UNKNOWN
    assert view.leaf.collateral_usd == 10**6 * E18  # what is proven
    assert (view.leaf.liability_usd, view.leaf.initial_margin_usd, view.leaf.maintenance_margin_usd) == (
        (UINT128_MAX,) * 3
    )
    assert view.equity_high_usd is None
    assert view.quality == Quality.DEGRADED_LEG | Quality.STALE_PRICE
    assert [gap.kind for gap in view.missing] == [LegKind.POSITION]
    assert sums(view.lines) == sums(view.lines, legs_only=True)
    assert sums(view.lines)["liability"] == UINT128_MAX


@pytest.mark.parametrize(
    ("equity", "status"),
    [(1200 * E18, Status.HEALTHY), (1000 * E18, Status.MARGIN_CALL), (1000 * E18 - 1, Status.UNKNOWN)],
)
def test_missing_collateral__counts_zero__known_only_while_the_rest_suffices(equity: int, status: Status) -> None:
    gap = Missing("collateral on eip155:31337003", C, "chain_missing: rpc_timeout", LegKind.LOCK)
    held = replace(with_equity(equity), missing=(gap,), quality=Quality.CHAIN_MISSING)

    view = evaluate(held, market(**PRICES), PLAIN)

    assert view.status is status
    assert view.quality == Quality.CHAIN_MISSING | Quality.DEGRADED_LEG
    assert (view.leaf.collateral_usd, view.leaf.liability_usd) == (equity, 0)
    assert view.leaf.maintenance_margin_usd == 1000 * E18
    assert view.equity_high_usd is None


def test_unpriced_collateral__shown_counts_zero_and_is_missing() -> None:
    held = portfolio(*with_equity(1100 * E18).positions, holding(DOLLAR, 1100 * E18), holding(BTCX_B, 10**8))
    prices = market(DOLLAR=E18, ETH=2000 * E18, BTC=NoPrice("BTC", "zero_price: the feed answers 0"))

    view = evaluate(held, prices, PLAIN)

    assert (view.status, view.equity_usd) == (Status.WARNING, 1100 * E18)
    assert view.quality == Quality.DEGRADED_LEG
    (shown,) = (line for line in view.lines if line.symbol == "BTC")
    assert (shown.leg, shown.value_usd, shown.amount_raw) == (None, 0, 10**8)
    assert view.missing[0].reason == "no price of BTC: zero_price: the feed answers 0"


@pytest.mark.parametrize(("units", "last", "is_missing"), [(99, E18, False), (100, E18, True), (99, 0, True)])
def test_unpriced_collateral__worth_less_than_dust_when_last_seen__does_not_exist(units, last, is_missing) -> None:
    rules = replace(PLAIN, dust_usd=100)

    view = evaluate(portfolio(holding(DOLLAR, units)), market(DOLLAR=NoPrice("DOLLAR", "stale_price", last)), rules)

    assert bool(view.missing) is is_missing


def test_th_082_free_balance__weight_zero__shown_only_whatever_its_price() -> None:
    held = portfolio(holding(USDX_FREE, 10**12))

    priced = evaluate(held, market(**PRICES), RULES)
    unpriced = evaluate(held, market(USDX=NoPrice("USDX", "call_failed")), RULES)

    for view in (priced, unpriced):
        assert (view.collateral_usd, view.quality, view.missing) == (0, Quality.NONE, ())
        assert view.lines[0].leg is None
        assert view.leaf.legs_root == bytes(32)


def test_assurance__of_the_leaf__weakest_contributing_leg_and_every_position_read() -> None:
    weak_dust = holding(USDX_B, 1, QUORUM)
    strong = holding(USDX_A, 10**9, PROOF)

    def of(*parts) -> Assurance:
        return evaluate(portfolio(*parts), market(**PRICES), RULES).assurance

    assert of(strong, weak_dust) is PROOF
    assert of(strong, holding(USDX_B, 10**9, QUORUM)) is QUORUM
    assert of(strong, position(ETH_PERP, 0, 0, 0, QUORUM)) is QUORUM  # that nothing is owed is a claim
    assert of(weak_dust) is QUORUM  # no legs: all cells
    assert of() is Assurance.SINGLE_RPC


def test_wide_price__marks_only_accounts_that_it_counts_for() -> None:
    prices = market(**PRICES)
    prices.prices["USDX"] = replace(prices.prices["USDX"], quality=Quality.WIDE_PRICE)

    assert evaluate(portfolio(holding(USDX_A, 10**9)), prices, RULES).quality == Quality.WIDE_PRICE
    assert evaluate(portfolio(holding(USDX_A, 1)), prices, RULES).quality == Quality.NONE
    assert evaluate(portfolio(holding(BTCX_B, 10**8)), prices, RULES).quality == Quality.NONE


@pytest.mark.parametrize(("amount", "fits"), [(UINT128_MAX, True), (UINT128_MAX + 1, False)])
def test_figures__around_128_bits__beyond_is_unknown_and_never_cut(amount: int, fits: bool) -> None:
    view = evaluate(portfolio(holding(DOLLAR, amount)), market(**PRICES), PLAIN)

    assert (view.status is Status.HEALTHY) is fits
    if fits:
        assert view.leaf.collateral_usd == UINT128_MAX
    else:
        assert view.status is Status.UNKNOWN
        assert (view.leaf.collateral_usd, view.leaf.liability_usd) == (0, UINT128_MAX)
        assert "128 bits" in view.missing[0].reason


def test_figures__amount_beyond_a_signed_word__unknown() -> None:
    tiny = lock("lock:tiny", A, "USDX", 77)

    view = evaluate(portfolio(holding(tiny, 2**255)), market(USDX=E18), PLAIN)

    assert view.status is Status.UNKNOWN


def test_lines__order_of_the_legs__root_is_that_of_the_sorted_legs() -> None:
    held = portfolio(holding(USDX_A, 10**9), holding(USDX_B, 10**9), holding(ETHX_C, E18))
    turned = replace(held, holdings=tuple(reversed(held.holdings)))

    assert evaluate(held, market(**PRICES), RULES).leaf == evaluate(turned, market(**PRICES), RULES).leaf


def test_rule_set__unknown_name__refused_by_name() -> None:
    with pytest.raises(KeyError, match="nonesuch@1"):
        evaluate(portfolio(), market(), replace(RULES, rule_set="nonesuch@1"))


def test_asset__that_no_rule_weighs__is_worth_nothing() -> None:
    stranger = lock("lock:stranger", A, "STRANGER", 18)

    view = evaluate(portfolio(holding(stranger, E18)), market(STRANGER=E18), RULES)

    assert (view.collateral_usd, view.lines[0].haircut_ppm) == (0, PPM)
