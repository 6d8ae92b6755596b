"""Exposures by underlying: signs, chains, money, and what has no size."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from proofs.units import E18
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, Indices, Leg, MarketData, OptionTerms, Price, Role, Totals
from relayer.margin.engine.result import Unit
from relayer.margin.fixed_point import RAY
from relayer.margin.models.comet import CometAsset, CometRules
from relayer.margin.models.morpho import MorphoRules
from relayer.margin.netting.exposures import Amounts, exposures, size_of, sizes_from
from relayer.margin.rulesets.comet import INDEX_ONE
from relayer.margin.view import Purpose
from tests.relayer.margin.solve.build import MARKET, ONE, POOL, TWO, borrower

OPTION = Leg("call", Role.OPTION, "ETH", -2 * E18, ONE, option=OptionTerms(1, 1, is_call=True))
PERPS = Account(
    "a",
    (
        Leg("long", Role.PERP, "ETH", 20 * 10**9, ONE, decimals=9),
        Leg("short", Role.PERP, "ETH", -18 * E18, TWO),
        OPTION,
    ),
)


def test_exposure__of_perps_on_two_chains__by_hand() -> None:
    (eth,) = exposures(PERPS, MARKET)

    assert eth.asset == "ETH"
    assert eth.units == Amounts(20 * E18, 18 * E18)
    assert (eth.units.net, eth.units.gross) == (2 * E18, 38 * E18)
    assert eth.usd == Amounts(60_000 * E18, 54_000 * E18)
    assert eth.chains == ((ONE, 20 * E18), (TWO, -18 * E18))
    assert eth.unsized == ("call",)


def test_exposure__with_the_options_delta__counts_it() -> None:
    (eth,) = exposures(PERPS, MARKET, {"call": -(10**18)})

    assert (eth.units.net, eth.units.gross, eth.unsized) == (E18, 39 * E18, ())
    assert eth.chains == ((ONE, 19 * E18), (TWO, -18 * E18))


def test_exposure__of_a_borrower__debts_are_short() -> None:
    eth, usdc = exposures(borrower(30_000), MARKET)

    assert eth.units == Amounts(10 * E18, 0)
    assert (usdc.units.net, usdc.chains) == (-10_000 * E18, ((TWO, 20_000 * E18), (ONE, -30_000 * E18)))


def test_exposure__without_a_price__has_units_and_no_money() -> None:
    (eth,) = exposures(PERPS, MarketData(0, {}))

    assert (eth.units.net, eth.usd) == (2 * E18, None)


def test_exposure__of_an_interval__at_its_high_end_up() -> None:
    """1 wei at 0.5 is half a unit of money: up to 1."""
    account = Account("a", (Leg("x", Role.COLLATERAL, "X", 1, ONE), Leg("y", Role.DEBT, "X", 3, ONE)))

    (one,) = exposures(account, MarketData(0, {"X": Price(1, 5, 1)}))

    assert one.usd == Amounts(1, 2)


def test_sizes__from_an_evaluation__are_grown_balances() -> None:
    market = replace(MARKET, indices={"ETH": Indices(2 * RAY, RAY), "USDC": Indices(RAY, 3 * RAY)})
    account = borrower(1_000)

    sizes = sizes_from(account, evaluate(account, market, POOL, Purpose.MAINTENANCE))

    assert sizes == {"eth": 20 * E18, "usdc": 20_000 * E18, "debt": -3_000 * E18}
    assert [one.units.net for one in exposures(account, market, sizes)] == [20 * E18, 17_000 * E18]


def test_sizes__of_a_share_of_a_unit__are_cut() -> None:
    """0.123456789012345678 at 3 dollars is 0.37037036 at the pool's 8 decimals, a third of it 0.12345678666..."""
    account, market = borrower(0, eth=123_456_789_012_345_678), MARKET.with_price("ETH", Price(3 * 10**8, 3 * 10**8, 8))

    sizes = sizes_from(account, evaluate(account, market, POOL, Purpose.MAINTENANCE))

    assert sizes["eth"] == 123_456_786_666_666_666


def test_sizes__lines_without_a_price__are_passed_over() -> None:
    """A debt in shares is weighed without a price, cash is no collateral: the collateral after them has a size."""
    rules = MorphoRules("pool", "W", "U", 8 * 10**17, Unit("U", 0))
    market = MarketData(0, {"pool": Price(10**36, 10**36, 36)}, totals={"pool": Totals(9, 9 * 10**6, 9, 9 * 10**6)})
    legs = (
        Leg("owed", Role.DEBT, "U", 10**6, ONE, decimals=0),
        Leg("held", Role.COLLATERAL, "W", 100, ONE, decimals=0),
    )
    account = Account("m", legs)

    assert sizes_from(account, evaluate(account, market, rules, Purpose.MAINTENANCE)) == {"held": 100 * E18}


def test_sizes__cash__keeps_its_own() -> None:
    rules = CometRules("USDC", (CometAsset("ETH", 8 * 10**17, 85 * 10**16),))
    index = Indices(INDEX_ONE, INDEX_ONE)
    market = MarketData(0, MARKET.prices, indices={"USDC": index})
    legs = (Leg("cash", Role.CASH, "USDC", -5 * 10**6, ONE, decimals=6), Leg("held", Role.COLLATERAL, "ETH", E18, ONE))
    account = Account("c", legs)

    assert sizes_from(account, evaluate(account, market, rules, Purpose.MAINTENANCE)) == {"held": E18}


@given(st.integers(-(10**30), 10**30), st.integers(0, 30))
def test_size__of_any_position__is_cut_toward_zero(amount: int, decimals: int) -> None:
    long = size_of(Leg("x", Role.PERP, "X", amount, ONE, decimals=decimals))
    mirrored = size_of(Leg("x", Role.PERP, "X", -amount, ONE, decimals=decimals))

    assert long is not None
    assert mirrored == -long
    assert abs(long) * 10**decimals <= abs(amount) * E18 < (abs(long) + 1) * 10**decimals
