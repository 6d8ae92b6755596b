"""Trees: what a screen of a scenario rule set calls safe is exactly healthy, and it looks at few beyond the flagged."""

from __future__ import annotations

import random
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.units import E18
from relayer.margin.engine.inputs import Account, Leg, MarketData, OptionTerms, Role
from relayer.margin.engine.result import Verdict
from relayer.margin.models.derive_pmrm import DerivePmrm
from relayer.margin.models.derive_pmrm2 import DerivePmrm2
from relayer.margin.models.derive_srm import DeriveSrm
from relayer.margin.models.span import SpanRules
from relayer.margin.rulesets.derive_pmrm import Scenario, VolMove
from relayer.margin.rulesets.span import SpreadLeg
from relayer.margin.screens.columns import columns_of
from relayer.margin.screens.screen import Tickers, form_of, screen
from relayer.margin.screens.trees import Closer
from tests.relayer.margin.screens.scenario_books import (
    EXPIRIES,
    ONE,
    SCENES,
    STRIKES,
    TWO,
    Scene,
    exact,
    is_healthy,
    planted,
)
from tests.relayer.margin.strategies import UNHURRIED

NAMES = tuple(SCENES)
DERIVE = NAMES[2:]
seeds = st.integers(0, 2**32)


def found_of(scene: Scene, *accounts: Account) -> tuple[int, ...]:
    return screen(columns_of(accounts), scene.rules, scene.market).indices


def wrong(scene: Scene, accounts: list[Account]) -> list[int]:
    """Return the accounts that the screen calls safe and the exact rules do not."""
    found = found_of(scene, *accounts)
    return [place for place, one in enumerate(accounts) if place not in found and not is_healthy(scene, one)]


def rich(*legs: Leg, money: int = 10**12) -> Account:
    return Account("rich", (Leg("money", Role.CASH, "USDC", money * E18, ONE), *legs))


def option(amount: int, strike: int = STRIKES[0], is_call: bool = True, **more: int) -> Leg:
    terms = OptionTerms(strike * E18, EXPIRIES[0], is_call)
    return Leg(f"{strike} {amount}", Role.OPTION, "ETH", amount, ONE, option=terms, **more)


def assert_held(scene: Scene, accounts: list[Account]) -> None:
    """Assert that the tree's figure is the exact excess but for the band, too low as little as too high."""
    (columns,) = columns_of(accounts)
    closer = form_of(columns, scene.rules, scene.market).closer
    assert isinstance(closer, Closer)
    figures = closer.tree(columns.amounts, np.zeros(len(accounts)))
    bands = 4e-13 * (closer.gross @ columns.amounts) + 1e5
    for row, figure, band in zip(columns.rows, figures, bands, strict=True):
        assert abs(exact(scene, accounts[row]).excess - figure) <= band


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6, deadline=None, suppress_health_check=UNHURRIED)
@given(seed=seeds, wide=st.booleans())
def test_th_061_screen__scenario_accounts_around_the_threshold__never_a_wrong_verdict(
    name: str, seed: int, wide: bool
) -> None:
    draw = random.Random(seed)
    scene = SCENES[name](draw, wide=wide)
    accounts = [scene.draw(draw) for _ in range(6)]

    accounts = [planted(scene, one, at % 3 - 1) if at < 4 else one for at, one in enumerate(accounts)]

    assert wrong(scene, accounts) == []


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=4, deadline=None, suppress_health_check=UNHURRIED)
@given(seed=seeds)
def test_screen__price_or_expiry_missing__never_a_wrong_verdict(name: str, seed: int) -> None:
    draw = random.Random(seed)
    scene = SCENES[name](draw)
    accounts = [scene.draw(draw) for _ in range(4)]
    accounts = [planted(scene, one, at - 1) if at < 3 else one for at, one in enumerate(accounts)]
    lost = draw.choice(sorted(scene.market.prices))
    unpriced = {asset: price for asset, price in scene.market.prices.items() if asset != lost}
    late = replace(scene.market, as_of_s=EXPIRIES[0])

    assert wrong(replace(scene, market=replace(scene.market, prices=unpriced)), accounts) == []
    assert wrong(replace(scene, market=replace(scene.market, expiries={})), accounts) == []
    assert wrong(replace(scene, market=late), accounts) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wide", [False, True])
def test_inv_17_tree__seeded_book__holds_the_exact_excess_within_its_band_on_either_side(name: str, wide: bool) -> None:
    """Nothing is left out of a bound: whatever moves a term of it by more than the band is caught, up or down."""
    draw = random.Random(17)
    scene = SCENES[name](draw, wide=wide)

    assert_held(scene, [scene.draw(draw) for _ in range(16)])


@pytest.mark.parametrize("name", NAMES)
def test_tree__planted_book__plain_floats_err_and_the_screen_does_not(name: str) -> None:
    draw = random.Random(61)
    scene = SCENES[name](draw)
    accounts = [planted(scene, scene.draw(draw), at % 3 - 1) for at in range(12)]
    (columns,) = columns_of(accounts)
    closer = form_of(columns, scene.rules, scene.market).closer

    assert isinstance(closer, Closer)
    is_plainly_healthy = closer.tree(columns.amounts, np.zeros(12)) >= 0
    assert (is_plainly_healthy != np.array([is_healthy(scene, one) for one in accounts])).any()
    assert wrong(scene, accounts) == []


@pytest.mark.parametrize("name", NAMES)
def test_screen__a_thousand_scenario_accounts__nobody_beyond_the_flagged_is_looked_at(name: str) -> None:
    draw = random.Random(17)
    scene = SCENES[name](draw)
    accounts = [scene.draw(draw) for _ in range(1_000)]
    for one in range(0, 1_000, 10):  # nine of ten are rich enough not to cost the test an exact look
        accounts[one + 1 : one + 10] = [
            held.with_amount("money", held.leg("money").amount + 25_000 * E18) for held in accounts[one + 1 : one + 10]
        ]

    found = found_of(scene, *accounts)

    healthy = [place for place in found if is_healthy(scene, accounts[place])]
    assert 0 < len(found) < 300
    assert len(healthy) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_tickers__scenario_rule_set_at_another_market__what_a_fresh_screen_names(name: str) -> None:
    draw = random.Random(5)
    scene = SCENES[name](draw)
    accounts = [scene.draw(draw) for _ in range(60)]
    columns = columns_of(accounts)
    tickers = Tickers(columns, scene.rules, scene.market)
    asset = min(scene.market.prices)
    moved = scene.market.with_price(asset, scene.market.prices[asset].shifted(-300_000))

    assert tickers.tick(moved).indices == screen(columns, scene.rules, moved).indices
    assert tickers.tick(scene.market).indices == found_of(scene, *accounts)


# --- what only an exact look can judge -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DERIVE)
def test_screen__leg_that_cannot_be_weighed__candidate_unless_it_is_a_coin(name: str) -> None:
    scene = SCENES[name](random.Random(1))
    odd = (
        rich(option(E18, 1_234)),
        rich(option(-E18, 1_234)),
        rich(Leg("future", Role.FUTURE, "ETH", E18, ONE)),
        rich(option(0, entry_value=1)),
        rich(Leg("fine", Role.COLLATERAL, "ETH", 10**24, ONE, decimals=24)),
        rich(Leg("coin", Role.COLLATERAL, "DOGE", E18, ONE)),
        rich(Leg("borrowed coin", Role.COLLATERAL, "ETH", -E18, ONE)),
        rich(option(E18), option(-2 * E18, STRIKES[1], False)),
    )

    found = found_of(scene, *odd)

    assert set(found) >= {place for place, one in enumerate(odd) if not is_healthy(scene, one)} | {0, 1, 2, 3, 6}
    assert not set(found) & {5, 7}


@pytest.mark.parametrize("name", NAMES)
def test_screen__entry_value_of_what_is_no_position__candidate(name: str) -> None:
    scene = SCENES[name](random.Random(1))
    asset, money = ("EUR", "USD") if name == "span@1" else ("ETH", "USDC")
    plain = Account("plain", (Leg("money", Role.CASH, money, E18, ONE), Leg("c", Role.COLLATERAL, asset, E18, ONE)))
    odd = replace(plain, legs=(plain.legs[0], replace(plain.legs[1], entry_value=1)))

    assert found_of(scene, plain, odd) == (1,)


@pytest.mark.parametrize("name", NAMES)
def test_screen__figures_beyond_the_floats__candidate(name: str) -> None:
    scene = SCENES[name](random.Random(1))
    asset = "ETH" if name != "span@1" else "EUR"
    money = "USDC" if name != "span@1" else "USD"
    price = replace(scene.market.prices[asset], low=2**1_500, high=2**1_500)
    vast = replace(scene, market=replace(scene.market, prices={**scene.market.prices, asset: price}))
    plain = Account("plain", (Leg("money", Role.CASH, money, E18, ONE),))
    held = replace(plain, legs=(*plain.legs, Leg("coin", Role.COLLATERAL, asset, E18, ONE)))

    is_constant = name.startswith("derive_pmrm")  # the price of the one underlying weighs in every account
    assert found_of(vast, plain, held) == ((0, 1) if is_constant else (1,))


def test_screen__more_assets_than_the_venue_admits__candidate() -> None:
    scene = SCENES["derive_pmrm@2"](random.Random(1))
    perps = tuple(Leg(f"perp {at}", Role.PERP, "ETH", 1, ONE, number) for at, number in enumerate(range(129)))
    closed = tuple(replace(leg, amount=0, entry_value=1) for leg in perps)

    assert found_of(scene, rich(*perps[:128]), rich(*perps), rich(*closed[:128]), rich(*closed)) == (1, 3)
    assert exact(scene, rich(*closed)).verdict is Verdict.UNKNOWN


def test_screen__one_option_long_and_short_on_two_chains__covered_by_strike_but_isolated_in_standard_margin() -> None:
    both = (option(-E18), replace(option(E18), name="long", chain=TWO))
    for name in DERIVE:
        scene = SCENES[name](random.Random(3))
        short, covered = (planted(scene, rich(*legs), offset) for legs, offset in (((both[0],), 10**9), (both, 10**9)))
        assert found_of(scene, short, covered) == ()
        assert found_of(scene, planted(scene, short, -1), planted(scene, covered, -1)) == (0, 1)


def test_tree__skew_scenarios_alone__a_gain_costs_as_much_as_a_loss() -> None:
    """Without other scenarios and without a basis the turn of the skew decides, long and short, gain and loss."""
    draw = random.Random(4)
    scene = SCENES["derive_pmrm@2"](draw)
    assert isinstance(scene.rules, DerivePmrm2)
    parameters = scene.rules.parameters
    basis = replace(parameters.basis, add_factor=0, mult_factor=0)
    for move in (VolMove.LINEAR, VolMove.ABS):
        changed = replace(parameters, scenarios=(Scenario(E18, move),), basis=basis)
        turned = replace(scene, rules=replace(scene.rules, parameters=changed))
        accounts = [
            rich(option(size * E18, strike, is_call), money=100)
            for size in (-3, 3)
            for strike in STRIKES
            for is_call in (True, False)
        ]
        assert_held(turned, [*accounts, *(scene.draw(draw) for _ in range(8))])


def test_tree__net_short_calls_below_a_strike_that_others_hold__loss_at_own_strikes_only() -> None:
    """100 long at 2000, 101 short at 1700: 30,300 at 2000 and 1.1 F for the one. At 2300 it would be 300 more."""
    scene = SCENES["derive_srm@1"](random.Random(3))
    spread_ = rich(option(100 * E18, 2_000), option(-101 * E18, 1_700), money=40_000)
    forward = scene.market.expiries["ETH", EXPIRIES[0]].forward.low

    assert abs(exact(scene, spread_).excess - (9_700 * E18 - forward * 11 // 10)) <= 1_000
    assert_held(scene, [spread_, rich(option(E18, 2_300))])


def test_screen__parameters_that_are_no_shares__everybody() -> None:
    srm, first, second = (SCENES[name](random.Random(1)) for name in DERIVE)
    assert isinstance(srm.rules, DeriveSrm)
    assert isinstance(first.rules, DerivePmrm)
    assert isinstance(second.rules, DerivePmrm2)
    negative = replace(srm.rules, parameters=replace(srm.rules.parameters, perp_maintenance=-1))
    skewed = replace(first.rules.parameters, scenarios=(Scenario(E18, VolMove.ABS),))
    damped = replace(second.rules.parameters, scenarios=(Scenario(E18, VolMove.NONE, -1),))

    for scene in (
        replace(srm, rules=negative),
        replace(first, rules=replace(first.rules, parameters=skewed)),
        replace(second, rules=replace(second.rules, parameters=damped)),
    ):
        assert found_of(scene, rich()) == (0,)


def spread(money: int = 0) -> Account:
    legs = (
        Leg("money", Role.CASH, "USD", money, ONE),
        Leg("oil", Role.FUTURE, "oil-jan", 10 * E18, ONE, entry_value=800 * E18),
        Leg("gas", Role.FUTURE, "gas-jan", -20 * E18, ONE, entry_value=-600 * E18),
    )
    return Account("spread", legs)


def test_screen__span_credit__counted_up_to_the_line() -> None:
    """A spread of futures that only its credit keeps healthy is safe, and one unit less of money is not."""
    scene = SCENES["span@1"](random.Random(8))
    found = exact(scene, spread())

    assert found.stress_requirement is not None
    assert found.stress_requirement > found.requirement
    assert found_of(scene, planted(scene, spread(), 10**12), planted(scene, spread(), -1)) == (1,)


@pytest.mark.parametrize("change", ["minimum", "cap", "spreads in turn"])
def test_tree__span_parameter_that_binds__holds_the_exact_excess(change: str) -> None:
    draw = random.Random(8)
    scene = SCENES["span@1"](draw)
    assert isinstance(scene.rules, SpanRules)
    rules = scene.rules
    if change == "spreads in turn":  # the second finds nothing left
        rules = replace(rules, spreads=(rules.spreads[0], rules.spreads[0], *rules.spreads[1:]))
    rate, cap = (10**4 * E18 if change == "minimum" else 0), (10**15 if change == "cap" else E18)
    parts = tuple(replace(one, short_option_rate=rate, credit_cap=cap) for one in rules.commodities)
    plain = tuple(replace(one, short_option_rate=0) for one in rules.commodities)
    short = Account("short", (Leg("oil", Role.OPTION, "oil-option-1", -E18, ONE),))
    accounts = [spread(), short, *(scene.draw(draw) for _ in range(9))]

    assert_held(replace(scene, rules=replace(rules, commodities=parts)), accounts)
    assert_held(replace(scene, rules=replace(rules, commodities=plain)), accounts)


def test_tree__span_deltas_that_an_earlier_spread_used_up__earn_no_second_credit() -> None:
    """All ten deltas of oil go into the spread with gas; tin finds none left."""
    scene = SCENES["span@1"](random.Random(8))
    assert isinstance(scene.rules, SpanRules)
    oil = SpreadLeg("oil", 1, E18, 5 * 10**17)
    pairs = ((oil, SpreadLeg("gas", -1, 2 * E18, 5 * 10**17)), (oil, SpreadLeg("tin", -1, E18, 5 * 10**17)))
    tin = Leg("tin", Role.FUTURE, "tin-jan", -10 * E18, ONE, entry_value=-200 * E18)

    held = replace(spread(), legs=(*spread().legs, tin))

    assert_held(replace(scene, rules=replace(scene.rules, spreads=pairs)), [held])


def test_screen__coin_of_a_manager_whose_underlying_has_no_price__counts_zero() -> None:
    scene = SCENES["derive_pmrm@2"](random.Random(1))
    prices = {name: price for name, price in scene.market.prices.items() if name != "ETH"}
    blind = replace(scene, market=replace(scene.market, prices=prices))
    coin = Leg("coin", Role.COLLATERAL, "BTC", 10 * E18, ONE)

    assert found_of(scene, rich(coin, money=-1_000), rich(coin)) == ()
    assert found_of(blind, rich(coin, money=-1_000), rich(coin)) == (0,)
    assert not is_healthy(blind, rich(coin, money=-1_000))


def test_screen__no_market_at_all__everybody_who_holds_a_position() -> None:
    scene = SCENES["grid@1"](random.Random(1))
    empty = replace(scene, market=MarketData(scene.market.as_of_s, MappingProxyType({})))

    assert found_of(empty, Account("none", ()), rich(), rich(Leg("p", Role.PERP, "ETH", 1, ONE))) == (2,)
