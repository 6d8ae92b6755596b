"""Random books of the rule sets that screens weigh by trees; accounts planted at their threshold.

Cash at 18 decimals moves the excess one to one: one exact evaluation says how much of it puts an account on the line.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType

from proofs.types import ChainId
from proofs.units import E18
from relayer.margin.engine.evaluate import RuleSet, evaluate
from relayer.margin.engine.inputs import Account, ExpiryQuote, Leg, MarketData, OptionTerms, Price, Role, Surface
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.models.correlation import CorrelationClass, CorrelationRules
from relayer.margin.models.derive_pmrm import DerivePmrm
from relayer.margin.models.derive_pmrm2 import CoinTerms, DerivePmrm2
from relayer.margin.models.derive_srm import DeriveSrm
from relayer.margin.models.grid import GridRules, cross
from relayer.margin.models.span import SpanRules
from relayer.margin.rulesets.derive_pmrm import Scenario, VolMove
from relayer.margin.rulesets.derive_pmrm2 import Discounts
from relayer.margin.rulesets.span import CalendarSpread, Commodity, Contract, Delivery, SpreadLeg
from relayer.margin.view import Purpose
from tests.relayer.margin.rulesets.test_derive_pmrm import RULES as PMRM
from tests.relayer.margin.rulesets.test_derive_pmrm2 import RULES as PMRM2
from tests.relayer.margin.rulesets.test_derive_srm import RULES as SRM

ONE, TWO = ChainId("eip155:1"), ChainId("eip155:2")
NOW_S, DAY_S = 1_700_000_000, 86_400
EXPIRIES = (NOW_S + 9 * DAY_S, NOW_S + 90 * DAY_S)
STRIKES = (1_700, 2_000, 2_300)
MOVES = (VolMove.UP, VolMove.DOWN, VolMove.NONE)


@dataclass(frozen=True, slots=True)
class Scene:
    """Hold rules and a market, how to draw an account, and the leg whose amount is money."""

    rules: RuleSet
    market: MarketData
    draw: Callable[[random.Random], Account]
    money: str = "money"


def exact(scene: Scene, account: Account) -> Evaluation:
    return evaluate(account, scene.market, scene.rules, Purpose.MAINTENANCE)


def is_healthy(scene: Scene, account: Account) -> bool:
    return exact(scene, account).verdict is Verdict.HEALTHY


def planted(scene: Scene, account: Account, offset: int) -> Account:
    """Return the account with money such that its excess is `offset` units, by bisection of what one look says."""
    money = account.leg(scene.money).amount
    moved = account.with_amount(scene.money, money - exact(scene, account).excess + offset)
    assert exact(scene, moved).excess == offset
    return moved


def figure(draw: random.Random, low: float, high: float) -> int:
    return int(draw.uniform(low, high) * 10**9) * 10**9 + draw.randrange(10**9)


def wide_price(draw: random.Random, low: float, high: float, wide: bool) -> Price:
    at = figure(draw, low, high)
    return Price(at, at + (draw.randrange(at // 200) if wide else 0), 18)


def skewed(draw: random.Random, most: int) -> int:
    """Return a signed amount at 1e18: none as often as some, dust or a lot."""
    size = draw.choice((draw.randrange(10), draw.randrange(10**15), draw.randrange(most * E18)))
    return draw.choice((0, 0, 1, -1)) * size


# --- Derive and grids ------------------------------------------------------------------------------------------------


def options_market(draw: random.Random, *, wide: bool) -> MarketData:
    spot = wide_price(draw, 1_800, 2_200, wide)
    expiries = {}
    for place, expiry in enumerate(EXPIRIES):
        forward = replace(spot, low=spot.low * 101 // 100, high=spot.high * 101 // 100)
        vols = MappingProxyType({strike * E18: figure(draw, 0.3, 0.9) for strike in STRIKES})
        tau = (expiry - NOW_S) * E18 // (365 * DAY_S)
        slope = Surface(4 * 10**16 * (place + 1), 10**17, -3 * 10**17, 0, 10**17, forward.low, tau, NOW_S)
        surface = slope if wide else None
        fixed = forward.low // 3 if draw.random() < 0.3 else 0
        quote = ExpiryQuote(forward, draw.choice((0, 5 * 10**16)), fixed, surface=surface, vols=vols)
        expiries["ETH", expiry] = quote
    stable = wide_price(draw, 0.98, 1.02, wide)
    prices = {"ETH": spot, "ETH-PERP": spot, "USDC": stable, "BTC": wide_price(draw, 50_000, 60_000, wide)}
    return MarketData(NOW_S, MappingProxyType(prices), expiries=MappingProxyType(expiries))


def options_account(draw: random.Random, coins: tuple[str, ...] = ("ETH",)) -> Account:
    legs = [Leg("money", Role.CASH, "USDC", figure(draw, -5_000, 40_000), ONE)]
    for coin in coins:
        legs.append(Leg(f"{coin} coin", Role.COLLATERAL, coin, abs(skewed(draw, 4)) // (1 + 20 * (coin == "BTC")), ONE))
    for chain in (ONE, TWO):
        perp = Leg(f"perp {chain}", Role.PERP, "ETH", skewed(draw, 6), chain)
        legs.append(replace(perp, entry_value=skewed(draw, 900), accrued=skewed(draw, 50)))
    for number in range(draw.randrange(7)):
        terms = OptionTerms(draw.choice(STRIKES) * E18, draw.choice(EXPIRIES), draw.random() < 0.5)
        amount = skewed(draw, 8) // 10**9
        legs.append(Leg(f"option {number}", Role.OPTION, "ETH", amount, ONE, decimals=9, option=terms))
    return Account("a", tuple(legs))


def srm_scene(draw: random.Random, *, wide: bool = False) -> Scene:
    market = options_market(draw, wide=wide)
    return Scene(DeriveSrm(SRM, ("BTC", "ETH")), market, lambda one: options_account(one, ("ETH", "BTC")))


def pmrm_scene(draw: random.Random, *, wide: bool = False) -> Scene:
    scenarios = tuple(Scenario(spot * 10**16, move) for spot in (85, 100, 112) for move in MOVES)
    rules = DerivePmrm(replace(PMRM, scenarios=scenarios), "ETH")
    return Scene(rules, options_market(draw, wide=wide), options_account)


def pmrm2_scene(draw: random.Random, *, wide: bool = False) -> Scene:
    scenarios = tuple(Scenario(spot * 10**16, move) for spot in (85, 100, 112) for move in MOVES)
    skews = tuple(Scenario(E18, move) for move in (VolMove.LINEAR, VolMove.ABS))
    tails = (Scenario(60 * 10**16, VolMove.UP, 4 * 10**17), Scenario(150 * 10**16, VolMove.UP, 4 * 10**17))
    discounts = Discounts(95 * 10**16, E18, 10**16, 104 * 10**16, 5 * 10**17, 0)
    parameters = replace(PMRM2, scenarios=scenarios + skews + tails, discounts=discounts)
    coins = {"ETH": CoinTerms(10**17, 10**17, moves=True), "BTC": CoinTerms(2 * 10**17, 10**17)}
    market = options_market(draw, wide=wide)
    return Scene(DerivePmrm2(parameters, "ETH", coins), market, lambda one: options_account(one, ("ETH", "BTC")))


def grid_scene(draw: random.Random, *, wide: bool = False) -> Scene:
    points = cross(
        (-(3 * 10**17), -(10**17), 0, 10**17, 2 * 10**17), (E18 * 3 // 4, E18 * 5 // 4), {2 * 10**17: E18 // 3}
    )
    classes = (CorrelationClass(("BTC", "ETH"), 4 * 10**17),)
    correlation = CorrelationRules(classes, draw.choice((E18, 2 * 10**17, 0)))
    rules = GridRules(points, frozenset({"USDC"}), correlation, 5 * E18)

    def account(one: random.Random) -> Account:
        held = options_account(one, ("ETH", "BTC"))
        future = Leg("future", Role.FUTURE, "BTC", skewed(one, 1) // 9, TWO, entry_value=skewed(one, 900))
        debt = Leg("debt", Role.DEBT, "ETH", abs(skewed(one, 1)), TWO)
        return Account("a", (*held.legs, future, debt))

    market = options_market(draw, wide=wide)
    market = replace(market, prices=MappingProxyType({**market.prices, "USDC": Price(E18, E18)}))
    return Scene(rules, market, account)


# --- clearing --------------------------------------------------------------------------------------------------------


def commodity(draw: random.Random, name: str, price: int) -> tuple[Commodity, dict[str, Price]]:
    months = (("jan", 1), ("feb", 1), ("dec", 2))
    contracts = []
    for month, tier in months:
        move = price * draw.randrange(8, 15) // 100
        array = tuple(way * move + draw.randrange(-E18, E18) // 10 for way in (0, 0, 1, 1, -1, -1))
        contracts.append(Contract(f"{name}-{month}", month, tier, array, (E18, E18)))
    for way in (1, -1):
        array = tuple(draw.randrange(-price // 12, price // 12) for _ in range(6))
        deltas = tuple(way * draw.randrange(E18 // 5, E18) for _ in range(2))
        contracts.append(Contract(f"{name}-option-{way}", "jan", 1, array, deltas, price // 15))
    rules = Commodity(
        name,
        tuple(contracts),
        pairs=(1, 0, 3, 2, 5, 4),
        still=(0, 1),
        delta_weights=(4 * 10**17, 6 * 10**17),
        calendar=(CalendarSpread(1, 1, 2 * E18), CalendarSpread(1, 2, 3 * E18)),
        delivery=(Delivery("jan", E18 // 2, E18),),
        short_option_rate=draw.choice((0, 2 * E18)),
        credit_cap=draw.choice((E18, 3 * 10**17)),
    )
    return rules, {contract.name: Price(price, price, 18) for contract in contracts if contract.option_price is None}


def span_scene(draw: random.Random, *, wide: bool = False) -> Scene:
    oil, oil_prices = commodity(draw, "oil", 80 * E18)
    gas, gas_prices = commodity(draw, "gas", 30 * E18)
    spreads = (
        (SpreadLeg("oil", 1, E18, 5 * 10**17), SpreadLeg("gas", -1, 2 * E18, 5 * 10**17)),
        (
            SpreadLeg("oil", 1, 2 * E18, 3 * 10**17),
            SpreadLeg("gas", 1, E18, 3 * 10**17),
            SpreadLeg("tin", -1, E18, E18),
        ),
    )
    tin, tin_prices = commodity(draw, "tin", 20 * E18)
    prices = {**oil_prices, **gas_prices, **tin_prices, "EUR": wide_price(draw, 1.0, 1.2, wide)}
    rules = SpanRules((oil, gas, tin), spreads, haircuts={"EUR": 5 * 10**16})
    contracts = [contract for one in (oil, gas, tin) for contract in one.contracts]

    def account(one: random.Random) -> Account:
        legs = [Leg("money", Role.CASH, "USD", figure(one, -100, 1_500), ONE)]
        legs.append(Leg("eur", Role.COLLATERAL, "EUR", abs(skewed(one, 500)) // 10**16, ONE, decimals=2))
        for number, contract in enumerate(one.sample(contracts, one.randrange(7))):
            role = Role.FUTURE if contract.option_price is None else Role.OPTION
            leg = Leg(f"leg {number}", role, contract.name, skewed(one, 20), TWO)
            legs.append(replace(leg, entry_value=skewed(one, 100)) if role is Role.FUTURE else leg)
        return Account("a", tuple(legs))

    return Scene(rules, MarketData(NOW_S, MappingProxyType(prices)), account)


SCENES: MappingProxyType[str, Callable[..., Scene]] = MappingProxyType(
    {
        "span@1": span_scene,
        "grid@1": grid_scene,
        "derive_srm@1": srm_scene,
        "derive_pmrm@1": pmrm_scene,
        "derive_pmrm@2": pmrm2_scene,
    }
)
