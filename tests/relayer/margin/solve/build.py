"""One small lending pool and one small book, with figures that can be checked by hand."""

from __future__ import annotations

from typing import Final

from proofs.types import ChainId
from proofs.units import E18
from relayer.margin.engine.inputs import Account, Indices, Leg, MarketData, Price, Role
from relayer.margin.fixed_point import RAY
from relayer.margin.models.aave import AaveReserve, AaveRules
from relayer.margin.models.dydx import DydxRules, DydxTerms
from relayer.margin.rulesets.dydx_v4 import LiquidityTier

ONE, TWO = ChainId("eip155:1"), ChainId("eip155:10")
POOL: Final = AaveRules("aave@3.7", {"ETH": AaveReserve(8_000, 8_250, {}), "USDC": AaveReserve(7_500, 7_800, {})})
BOOK: Final = DydxRules({"ETH": DydxTerms(LiquidityTier(50_000, 600_000), -9)})
"""Initial 5 %, maintenance 3 %; ETH in 10^-9, money in 10^-6."""


def at(eth: int, usdc: int = 10**8) -> MarketData:
    """Return prices at 8 decimals; indices are one."""
    index = Indices(RAY, RAY)
    return MarketData(
        0, {"ETH": Price(eth, eth, 8), "USDC": Price(usdc, usdc, 8)}, indices={"ETH": index, "USDC": index}
    )


MARKET: Final = at(3_000 * 10**8)


def borrower(debt: int, eth: int = 10 * E18, usdc: int = 20_000 * 10**6) -> Account:
    """Hold 10 ETH at a threshold of 0.825 on one chain and 20,000 USDC at 0.78 on another; owe whole dollars."""
    return Account(
        "borrower",
        (
            Leg("eth", Role.COLLATERAL, "ETH", eth, ONE),
            Leg("usdc", Role.COLLATERAL, "USDC", usdc, TWO, decimals=6),
            Leg("debt", Role.DEBT, "USDC", debt * 10**6, ONE, decimals=6),
        ),
    )


def trader(size: int, cash: int, entry: int = 0) -> Account:
    """Hold a perp of 10^-9 ETH and cash of 10^-6 dollars."""
    return Account(
        "trader",
        (
            Leg("cash", Role.CASH, "USDC", cash, ONE, decimals=6),
            Leg("perp", Role.PERP, "ETH", size, ONE, decimals=9, entry_value=entry),
        ),
    )
