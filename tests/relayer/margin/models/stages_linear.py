"""Stages of the collateral-factor and position families; figures are made up, small ones and odd ones on purpose."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from proofs.types import ChainId, Encumbrance
from proofs.units import E18
from relayer.margin.engine.inputs import Account, Indices, Leg, MarketData, Role, Totals
from relayer.margin.engine.result import Unit
from relayer.margin.fixed_point import RAY
from relayer.margin.models.aave import AaveReserve, AaveRules
from relayer.margin.models.comet import CometAsset, CometRules
from relayer.margin.models.cross_perp import CrossPerpRules
from relayer.margin.models.dydx import DydxRules, DydxTerms
from relayer.margin.models.haircut import Depeg, GrowthCap, HaircutAsset, HaircutChain, HaircutRules, StableCap
from relayer.margin.models.morpho import MorphoRules
from relayer.margin.models.tiers import TiersRules
from relayer.margin.rulesets.aave_v3 import AaveEmode
from relayer.margin.rulesets.dydx_v4 import LiquidityTier
from relayer.margin.rulesets.haircut import ShareLimit
from relayer.margin.rulesets.hyperliquid_tiers import MarginTier, TieredMargin
from relayer.margin.view import Purpose
from tests.relayer.margin.build import BTC_PERP, BTCX_B, ETH_PERP, ETHX_C, RULES, USDX_A
from tests.relayer.margin.models.stage import TemplateStage, point

ONE, TWO, THREE = (ChainId(f"eip155:{number}") for number in (1, 10, 42161))
DAY_S: Final = 86_400


def held(name: str, asset: str, amount: int, chain: ChainId, decimals: int = 18) -> Leg:
    return Leg(name, Role.COLLATERAL, asset, amount, chain, 7, decimals, venue="pool")


def owed(name: str, asset: str, amount: int, chain: ChainId, decimals: int = 18) -> Leg:
    return Leg(name, Role.DEBT, asset, amount, chain, 7, decimals, venue="pool")


def cash(name: str, asset: str, amount: int, decimals: int = 6) -> Leg:
    return Leg(name, Role.CASH, asset, amount, ONE, 7, decimals, venue="book")


def perp(name: str, asset: str, size: int, chain: ChainId = ONE, decimals: int = 18) -> Leg:
    return Leg(name, Role.PERP, asset, size, chain, 7, decimals, venue="book")


def no_price_of_cash(leg: Leg) -> str | None:
    return None if leg.role is Role.CASH else leg.asset


# --- lending ---------------------------------------------------------------------------------------------------------

LENDING_PRICES: Final = {"ETH": point(3_000 * 10**8, 8), "BTC": point(60_000 * 10**8, 8), "USDC": point(10**8, 8)}
LENDING_MARKET: Final = MarketData(
    DAY_S,
    LENDING_PRICES,
    indices={
        "ETH": Indices(1_031 * RAY // 1_000 + 7, 1_044 * RAY // 1_000 + 3),
        "BTC": Indices(RAY, RAY),
        "USDC": Indices(1_117 * RAY // 1_000 + 1, 1_203 * RAY // 1_000 + 9),
    },
)
LENDER: Final = Account(
    "lender",
    (
        held("eth held", "ETH", 10 * E18, ONE),
        held("btc held", "BTC", 3 * 10**7, TWO, 8),
        held("usdc held", "USDC", 20_000 * 10**6, TWO, 6),
        owed("usdc owed", "USDC", 25_000 * 10**6, ONE, 6),
        owed("eth owed", "ETH", E18, TWO),
    ),
)
LENDER_MOST: Final = {
    "eth held": 20 * E18,
    "btc held": 10**8,
    "usdc held": 50_000 * 10**6,
    "usdc owed": 60_000 * 10**6,
    "eth owed": 10 * E18,
}
RESERVES: Final = {
    "ETH": AaveReserve(8_000, 8_250, {1: AaveEmode(9_000, 9_300)}),
    "BTC": AaveReserve(0, 7_800, {}),
    "USDC": AaveReserve(7_500, 7_800, {}),
}


def aave(version: str, mode: int = 0) -> TemplateStage:
    rules = AaveRules(f"aave@{version}", RESERVES)
    name = f"aave@{version}{' in e-mode' if mode else ''}"
    averaged = {Purpose.INITIAL, Purpose.MAINTENANCE} if version == "3.0" else {Purpose.INITIAL}
    return TemplateStage(
        name, rules, LENDING_MARKET, replace(LENDER, mode=mode), LENDER_MOST, averaged=frozenset(averaged)
    )


COMET: Final = TemplateStage(
    "comet@1",
    CometRules(
        "USDC",
        (CometAsset("ETH", 825 * 10**15, 9 * 10**17, 95 * 10**16), CometAsset("BTC", 7 * 10**17, 77 * 10**16)),
    ),
    replace(LENDING_MARKET, indices={"USDC": Indices(1_117_000_000_000_000, 1_203_000_000_000_001)}),
    Account(
        "comet",
        (
            cash("base", "USDC", -25_000 * 10**6),
            held("eth held", "ETH", 10 * E18, ONE),
            held("btc held", "BTC", 3 * 10**7, ONE, 8),
        ),
    ),
    {"base": 60_000 * 10**6, "eth held": 20 * E18, "btc held": 10**8},
)
MORPHO: Final = TemplateStage(
    "morpho@1",
    MorphoRules("WETH/USDC", "WETH", "USDC", 86 * 10**16, Unit("USDC", 6)),
    MarketData(
        DAY_S,
        {"WETH/USDC": point(3_000 * 10**24, 36)},
        totals={"WETH/USDC": Totals(10**15, 9 * 10**20, 8 * 10**14 + 3, 7 * 10**20 + 1)},
    ),
    Account(
        "morpho",
        (held("weth held", "WETH", 10 * E18, ONE), owed("shares owed", "USDC", 17 * 10**15, ONE, 6)),
    ),
    {"weth held": 20 * E18, "shares owed": 5 * 10**16},
    key=lambda leg: "WETH/USDC" if leg.role is Role.COLLATERAL else None,
)

HAIRCUT_LEGS: Final = tuple(
    replace(leg, block_time_s=DAY_S - 20 * place, encumbrance=Encumbrance.ESCROWED)
    for place, leg in enumerate(
        (
            *LENDER.legs,
            held("steth held", "STETH", 2 * E18, TWO),
            held("eth elsewhere", "ETH", E18, TWO),
            cash("usdc cash", "USDC", -(10**6)),
        )
    )
)
HAIRCUT_CHAIN: Final = HaircutChain(10_000, 20_000, 900, finality_s=700, relay_s=20, bridges_ppm={"BTC": 30_000})


def haircut(name: str, assets: dict[str, HaircutAsset]) -> TemplateStage:
    rules = HaircutRules(assets, {ONE: HAIRCUT_CHAIN, TWO: HAIRCUT_CHAIN}, 3_000_000, 50_000, 80_000, 10_000, 5 * E18)
    prices = {**LENDING_PRICES, "STETH": point(3_100 * 10**8, 8)}
    most = {**LENDER_MOST, "steth held": 5 * E18, "eth elsewhere": 5 * E18, "usdc cash": 10**10}
    return TemplateStage(name, rules, MarketData(DAY_S, prices), Account("haircut", HAIRCUT_LEGS), most)


PLAIN_ASSETS: Final = {
    "ETH": HaircutAsset(100_000, 150_000, 800_000, rate_ppm=30_000, liability_ppm=1_010_000),
    "BTC": HaircutAsset(120_000, 120_000, 700_000),
    "USDC": HaircutAsset(10_000, 20_000, 50_000, rate_ppm=50_000),
    "STETH": HaircutAsset(120_000, 170_000, 850_000),
}
CAPPED_ASSETS: Final = {
    **PLAIN_ASSETS,
    "ETH": replace(PLAIN_ASSETS["ETH"], depth_usd_e18=20_000 * E18, limit=ShareLimit(600_000, 1_000 * E18)),
    "USDC": replace(PLAIN_ASSETS["USDC"], cap=StableCap(E18), depeg=Depeg(98 * 10**16, 4_000_000)),
    "STETH": replace(PLAIN_ASSETS["STETH"], cap=GrowthCap("ETH", 103 * 10**16, 0, 90_000), limit=ShareLimit(200_000)),
}

# --- positions -------------------------------------------------------------------------------------------------------

CROSS_PERP: Final = TemplateStage(
    "cross_perp@1",
    CrossPerpRules(RULES),
    MarketData(DAY_S, {"USDX": point(E18, 18), "BTC": point(60_000 * E18, 18), "ETH": point(2_000 * E18, 18)}),
    Account(
        "cross",
        (
            Leg(USDX_A.column, Role.COLLATERAL, "USDX", 5_000 * 10**6, USDX_A.chain, 7, 6),
            Leg(BTCX_B.column, Role.COLLATERAL, "BTC", 10**7, BTCX_B.chain, 7, 8),
            Leg(ETHX_C.column, Role.COLLATERAL, "ETH", 2 * E18, ETHX_C.chain, 7, 18),
            Leg(ETH_PERP.column, Role.PERP, "ETH", -10 * E18, ETH_PERP.chain, 7, 18, -21_000 * E18, 13),
            Leg(BTC_PERP.column, Role.PERP, "BTC", E18 // 4, BTC_PERP.chain, 7, 18, 14_900 * E18, -7),
        ),
    ),
    {
        USDX_A.column: 50_000 * 10**6,
        BTCX_B.column: 10**8,
        ETHX_C.column: 20 * E18,
        ETH_PERP.column: 30 * E18,
        BTC_PERP.column: E18,
    },
    entry=40_000 * E18,
)
DYDX: Final = TemplateStage(
    "dydx@4",
    DydxRules(
        {
            "ETH": DydxTerms(LiquidityTier(50_000, 600_000, 10**12, 5 * 10**12), -9),
            "BTC": DydxTerms(LiquidityTier(20_000, 600_000), -10),
        }
    ),
    MarketData(
        DAY_S,
        {"ETH": point(3_000 * 10**6, 6), "BTC": point(60_000 * 10**5, 5)},
        open_interest={"ETH": 10**12, "BTC": 10**13},
    ),
    Account(
        "subaccount",
        (
            cash("usdc", "USDC", 3_000 * 10**6),
            replace(perp("eth perp", "ETH", 10 * 10**9, decimals=9), entry_value=30_000 * 10**6),
            replace(perp("btc perp", "BTC", -3 * 10**9, decimals=10), entry_value=-18_000 * 10**6, own_limit=100_000),
        ),
    ),
    {"usdc": 50_000 * 10**6, "eth perp": 30 * 10**9, "btc perp": 10**10},
    entry=60_000 * 10**6,
    key=no_price_of_cash,
)
TIERS: Final = TemplateStage(
    "tiers@1",
    TiersRules(
        {
            "ETH": TieredMargin((MarginTier(0, 50), MarginTier(20_000 * 10**6, 25), MarginTier(10**11, 3))),
            "BTC": TieredMargin((MarginTier(0, 40),)),
        }
    ),
    MarketData(DAY_S, {"ETH": point(3_000 * 10**6, 6), "BTC": point(60_000 * 10**6, 6)}),
    Account(
        "tiered",
        (
            cash("usdc", "USDC", 3_000 * 10**6),
            replace(perp("eth perp", "ETH", 10 * E18), entry_value=30_000 * 10**6, own_limit=10),
            replace(perp("btc perp", "BTC", -3 * 10**17), entry_value=-18_000 * 10**6),
        ),
    ),
    {"usdc": 50_000 * 10**6, "eth perp": 30 * E18, "btc perp": E18},
    entry=60_000 * 10**6,
    key=no_price_of_cash,
)
LINEAR_STAGES: Final = (
    aave("3.7"),
    aave("3.7", mode=1),
    aave("3.6"),
    aave("3.0"),
    COMET,
    MORPHO,
    haircut("haircut@1", PLAIN_ASSETS),
    haircut("haircut@1 with caps", CAPPED_ASSETS),
    CROSS_PERP,
    DYDX,
    TIERS,
)
