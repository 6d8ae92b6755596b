"""Exposures: what an account is long and short of each underlying, across all venues and chains.

    size_i  = amount / 10^decimals at 1e18; debts and shorts negative; options by their delta
    net     = Σ size_i          gross = Σ |size_i|          money = size · price, away from zero

Amounts that are no token units (scaled balances, shares) and options have no size of their own: `sizes` gives theirs.
What has none is named in `unsized` and counts nowhere; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from proofs.types import ChainId
from proofs.units import E18, mul_div_down, mul_div_up
from relayer.margin.engine.inputs import Account, Leg, MarketData, Price, Role
from relayer.margin.engine.result import USD, Evaluation

NO_SIZES: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Amounts:
    """Hold what is long and short, both >= 0."""

    long: int
    short: int

    @property
    def net(self) -> int:
        """Return long less short."""
        return self.long - self.short

    @property
    def gross(self) -> int:
        """Return long plus short."""
        return self.long + self.short


@dataclass(frozen=True, slots=True)
class Exposure:
    """Hold one underlying: whole units at 1e18, dollars at 1e18 (None without a price), and net units by chain."""

    asset: str
    units: Amounts
    usd: Amounts | None
    chains: tuple[tuple[ChainId, int], ...]
    unsized: tuple[str, ...]


def exposures(account: Account, market: MarketData, sizes: Mapping[str, int] = NO_SIZES) -> tuple[Exposure, ...]:
    """Return the exposure of every asset in the order of the legs; `sizes` by leg name, signed, whole units at 1e18."""
    assets = dict.fromkeys(leg.asset for leg in account.legs)
    return tuple(
        _exposure(asset, [leg for leg in account.legs if leg.asset == asset], market.prices.get(asset), sizes)
        for asset in assets
    )


def sizes_from(account: Account, result: Evaluation) -> Mapping[str, int]:
    """Return the sizes of collateral and debt legs from what an evaluation in US dollars made of their amounts.

    Rounded toward zero; for legs whose lines have an exposure and a price.
    """
    roles = {leg.name: leg.role for leg in account.legs}
    sizes: dict[str, int] = {}
    for line in result.lines:
        role = roles.get(line.leg)
        if role not in (Role.COLLATERAL, Role.DEBT) or not (line.exposure and line.price):
            continue
        size = line.exposure * 10**line.price_decimals * E18 // (line.price * 10**result.unit.decimals)
        sizes[line.leg] = -size if role is Role.DEBT else size
    return MappingProxyType(sizes)


def size_of(leg: Leg) -> int | None:
    """Return the signed size of a leg in whole units at 1e18, toward zero; None for an option."""
    if leg.role is Role.OPTION:
        return None
    size = mul_div_down(abs(leg.amount), E18, 10**leg.decimals)
    is_short = leg.role is Role.DEBT or leg.amount < 0
    return -size if is_short else size


def _exposure(asset: str, legs: list[Leg], price: Price | None, sizes: Mapping[str, int]) -> Exposure:
    sized = [(leg, sizes.get(leg.name, size_of(leg))) for leg in legs]
    known = [(leg, size) for leg, size in sized if size is not None]
    units = Amounts(sum(max(size, 0) for _, size in known), sum(max(-size, 0) for _, size in known))
    chains: dict[ChainId, int] = {}
    for leg, size in known:
        chains[leg.chain] = chains.get(leg.chain, 0) + size
    unsized = tuple(leg.name for leg, size in sized if size is None)
    return Exposure(asset, units, _money(units, price), tuple(chains.items()), unsized)


def _money(units: Amounts, price: Price | None) -> Amounts | None:
    """Return dollars at the high end of the price, up."""
    if price is None:
        return None
    scale = 10 ** (18 + price.decimals - USD.decimals)
    return Amounts(mul_div_up(units.long, price.high, scale), mul_div_up(units.short, price.high, scale))
