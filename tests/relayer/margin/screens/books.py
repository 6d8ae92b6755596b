"""Random books for screens: markets, rules and accounts of each rule set, and accounts planted at their threshold.

`plant` moves one leg to the last unit that is healthy, and one unit beyond: closer than any float can tell.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType

from proofs.types import ChainId, Encumbrance
from relayer.margin.engine.evaluate import RuleSet, evaluate
from relayer.margin.engine.inputs import Account, Indices, Leg, MarketData, Price, Role, Totals
from relayer.margin.engine.result import Unit, Verdict
from relayer.margin.models.aave import AaveReserve, AaveRules
from relayer.margin.models.comet import CometAsset, CometRules
from relayer.margin.models.dydx import DydxRules, DydxTerms
from relayer.margin.models.haircut import NO_LIMIT, Depeg, HaircutAsset, HaircutChain, HaircutRules, StableCap
from relayer.margin.models.morpho import MorphoRules
from relayer.margin.models.tiers import TiersRules
from relayer.margin.rulesets.aave_v3 import AaveEmode
from relayer.margin.rulesets.dydx_v4 import LiquidityTier
from relayer.margin.rulesets.haircut import ShareLimit
from relayer.margin.rulesets.hyperliquid_tiers import MarginTier, TieredMargin
from relayer.margin.view import Purpose

CHAIN = ChainId("ethereum")
OTHER = ChainId("base")
RAY = 10**27
WAD = 10**18
ASSETS = ("ETH", "BTC", "USDX", "GUSD", "TINY")
DECIMALS = MappingProxyType({"ETH": 18, "BTC": 8, "USDX": 6, "GUSD": 2, "TINY": 0, "USDC": 6, "DAI": 18})
BASE = MappingProxyType({"ETH": 3_000, "BTC": 60_000, "USDX": 1, "GUSD": 1, "TINY": 7})


@dataclass(frozen=True, slots=True)
class World:
    """Hold one drawn market with its rules, how to draw an account, and the leg that `plant` moves.

    `is_owed` says that more of that leg is worse.
    """

    rules: RuleSet
    market: MarketData
    draw: Callable[[random.Random], Account]
    moved: str
    is_owed: bool


def verdict(world: World, account: Account) -> Verdict:
    return evaluate(account, world.market, world.rules, Purpose.MAINTENANCE).verdict


def plant(world: World, account: Account, offset: int) -> Account:
    """Return the account with the moved leg at the last healthy amount plus `offset` units into ill health."""
    low, high = (0, 1) if world.is_owed else (-(2**90), 2**90)
    sign = 1 if world.is_owed else -1

    def is_healthy(amount: int) -> bool:
        return verdict(world, account.with_amount(world.moved, amount)) is Verdict.HEALTHY

    if world.is_owed:
        while is_healthy(high) and high < 2**120:
            high *= 2
    else:
        low, high = high, low
    while abs(high - low) > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_healthy(middle) else (low, middle)
    return account.with_amount(world.moved, low + sign * offset)


def skewed(draw: random.Random, exponent: int) -> int:
    """Return an amount of any size: dust as often as wealth, half of the time nothing."""
    return draw.randrange(2) * draw.randrange(10 ** draw.randrange(1, exponent + 1))


def price_of(draw: random.Random, asset: str, decimals: int = 8, *, wide: bool = False) -> Price:
    base = BASE.get(asset, 1)
    low = base * draw.randrange(10**decimals * 8 // 10, 10**decimals * 12 // 10)
    return Price(low, low + (draw.randrange(low // 100) if wide else 0), decimals)


def _leg(name: str, role: Role, asset: str, amount: int) -> Leg:
    return Leg(name, role, asset, amount, CHAIN, 1, DECIMALS[asset])


# --- lending ---------------------------------------------------------------------------------------------------------


def aave_world(draw: random.Random, name: str, *, wide: bool = False) -> World:
    modes = {1: AaveEmode(9_000, draw.choice((9_300, 9_500, 0)))}
    reserves = {
        asset: AaveReserve(7_000, draw.choice((0, 7_825, 8_000, 8_250)), modes if draw.random() < 0.5 else {})
        for asset in ASSETS
    }
    market = MarketData(
        1,
        {asset: price_of(draw, asset, wide=wide) for asset in ASSETS},
        indices={asset: Indices(RAY + draw.randrange(RAY), RAY + draw.randrange(RAY)) for asset in ASSETS},
    )

    def account(one: random.Random) -> Account:
        held = [_leg(f"{asset}+", Role.COLLATERAL, asset, skewed(one, DECIMALS[asset] + 6)) for asset in ASSETS]
        owed = [_leg(f"{asset}-", Role.DEBT, asset, skewed(one, DECIMALS[asset] + 4)) for asset in ASSETS]
        moved = _leg("moved", Role.DEBT, "ETH", one.randrange(10**19))
        return Account("a", (*held, *owed[1:], moved), mode=one.randrange(2))

    return World(AaveRules(name, reserves), market, account, "moved", is_owed=True)


def comet_world(draw: random.Random, *, wide: bool = False) -> World:
    assets = tuple(CometAsset(asset, 7 * 10**17, draw.randrange(WAD // 2, WAD)) for asset in ASSETS)
    market = MarketData(
        1,
        {asset: price_of(draw, asset, wide=wide) for asset in (*ASSETS, "DAI")},
        indices={"DAI": Indices(10**15 + draw.randrange(10**15), 10**15 + draw.randrange(10**15))},
    )

    def account(one: random.Random) -> Account:
        held = [_leg(f"{asset}+", Role.COLLATERAL, asset, skewed(one, DECIMALS[asset] + 6)) for asset in ASSETS]
        return Account("a", (_leg("moved", Role.CASH, "DAI", one.randrange(-(10**24), 10**23)), *held))

    return World(CometRules("DAI", assets), market, account, "moved", is_owed=False)


def morpho_world(draw: random.Random, *, wide: bool = False) -> World:
    rules = MorphoRules("M", "ETH", "USDC", draw.randrange(WAD // 2, WAD), Unit("USDC", 6))
    assets = draw.randrange(1, 10**15)
    totals = Totals(2 * assets, 2 * assets * 10**6, assets, assets * 10**6 - draw.randrange(assets * 10**5))
    low = draw.randrange(10**27, 5 * 10**27)
    market = MarketData(1, {"M": Price(low, low + draw.randrange(10**25) * wide, 36)}, totals={"M": totals})

    def account(one: random.Random) -> Account:
        held = _leg("held", Role.COLLATERAL, "ETH", skewed(one, 24))
        return Account("a", (held, _leg("moved", Role.DEBT, "USDC", skewed(one, 18))))

    return World(rules, market, account, "moved", is_owed=True)


def haircut_world(draw: random.Random, *, wide: bool = False) -> World:
    now = 1_700_000_000
    chains = {
        name: HaircutChain(
            draw.randrange(50_000), draw.randrange(50_000), age_s_max=900, finality_s=draw.randrange(900)
        )
        for name in (CHAIN, OTHER)
    }
    assets = {asset: _haircut_asset(draw) for asset in ASSETS}
    rules = HaircutRules(
        assets,
        chains,
        maintenance_ppm=draw.randrange(100_000),
        reserve_ppm=draw.randrange(20_000),
        reserve_usd_e18=draw.choice((0, 5 * WAD)),
    )
    prices = {asset: price_of(draw, asset, wide=wide) for asset in ASSETS}

    def account(one: random.Random) -> Account:
        legs = [replace(_leg("moved", Role.DEBT, "ETH", one.randrange(10**19)), block_time_s=now)]
        for asset in ASSETS:
            for chain, age_s in ((CHAIN, 12), (OTHER, one.choice((30, 30, 5_000)))):
                role = one.choice((Role.COLLATERAL, Role.COLLATERAL, Role.CASH))
                leg = _leg(f"{asset} on {chain}", role, asset, skewed(one, DECIMALS[asset] + 6))
                bound = one.choice((Encumbrance.ESCROWED, Encumbrance.NOT_APPLICABLE, Encumbrance.FREE))
                legs.append(replace(leg, chain=chain, block_time_s=now - age_s, encumbrance=bound))
        legs.append(replace(_leg("cash", Role.CASH, "USDX", -skewed(one, 10)), block_time_s=now))
        return Account("a", tuple(legs))

    return World(rules, MarketData(now, prices), account, "moved", is_owed=True)


def _haircut_asset(draw: random.Random) -> HaircutAsset:
    limits = (NO_LIMIT, NO_LIMIT, ShareLimit(draw.randrange(10**6), draw.choice((0, 1_000 * WAD))))
    return HaircutAsset(
        maintenance_ppm=draw.randrange(200_000),
        initial_ppm=300_000,
        sigma_ppm=draw.randrange(900_000),
        depth_usd_e18=draw.choice((None, None, draw.randrange(10**24))),
        limit=draw.choice(limits),
        cap=draw.choice((None, StableCap(10**18))),
        depeg=draw.choice((None, Depeg(99 * 10**16, 2 * 10**6))),
        rate_ppm=draw.randrange(100_000),
    )


# --- positions -------------------------------------------------------------------------------------------------------

PERPS = ("ETH", "BTC", "TINY")


def dydx_world(draw: random.Random, *, wide: bool = False) -> World:
    terms = {
        asset: DydxTerms(
            LiquidityTier(draw.randrange(10_000, 200_000), draw.randrange(300_000, 1_000_000)),
            -draw.randrange(5, 11),
        )
        for asset in PERPS
    }
    market = MarketData(1, {asset: price_of(draw, asset, draw.randrange(3, 9), wide=wide) for asset in PERPS})
    return World(DydxRules(terms), market, _perp_account, "moved", is_owed=False)


def tiers_world(draw: random.Random, *, wide: bool = False) -> World:
    tiers = {
        asset: TieredMargin(
            (MarginTier(0, 40), MarginTier(10**10, 25), MarginTier(10**11 + draw.randrange(10**9), 7))[
                : draw.randrange(1, 4)
            ]
        )
        for asset in PERPS
    }
    market = MarketData(1, {asset: price_of(draw, asset, 6, wide=wide) for asset in PERPS})
    return World(TiersRules(tiers), market, _perp_account, "moved", is_owed=False)


def _perp_account(one: random.Random) -> Account:
    legs = [_leg("moved", Role.CASH, "USDC", one.randrange(-(10**9), 10**12))]
    for asset in PERPS:
        size = one.choice((-1, 1)) * skewed(one, 11)
        leg = Leg(f"{asset}-perp", Role.PERP, asset, size, CHAIN, 1, 8)
        legs.append(replace(leg, entry_value=one.randrange(-(10**10), 10**10), accrued=one.randrange(-999, 999)))
    return Account("a", tuple(legs))


WORLDS: MappingProxyType[str, Callable[..., World]] = MappingProxyType(
    {
        "aave@3.7": lambda draw, **more: aave_world(draw, "aave@3.7", **more),
        "aave@3.6": lambda draw, **more: aave_world(draw, "aave@3.6", **more),
        "aave@3.0": lambda draw, **more: aave_world(draw, "aave@3.0", **more),
        "comet@1": comet_world,
        "morpho@1": morpho_world,
        "haircut@1": haircut_world,
        "dydx@4": dydx_world,
        "tiers@1": tiers_world,
    }
)
