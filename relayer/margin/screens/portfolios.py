"""Portfolios: the lower bound of Derive's two portfolio managers, for `trees`.

    excess = mtm + loss factor · min(basis, min_s PnL_s) - contingency                     all at the low ends

| term | from below |
|---|---|
| mtm | leaves: cash, unrealised, coins and options at their low values |
| linear | shock · (moving coins + net perp · P), the worse end of it |
| basis | Σ expiries min(V_up - V, V_down - V, 0) · greatest factor |
| PnL_s of an expiry | D(V_s) - V, D(x) = min(x · least disc⁺, x · greatest of both discounts) |
| the same in a skew scenario | min of it and V_low - D(V_s) from above |
| contingency | net perp, naked shorts by (expiry, strike), coins, at the high spot |

V, V_s low: Σ a · the bound of one whole unit that is worst for the account, longs low and shorts high, exact integers
of the kernels; V high the mirror, the one that is taken off. D from below is right where V straddles zero too, because
disc⁺ <= disc⁻ and both figures of the straddle are among its two. From above D(x) is x · greatest disc⁺ for x >= 0, and
x · least disc⁻ below; where V_s from below lies within the band of zero the greater discount of both, for then the
kernel takes the hull. Nothing is left out: the bound is the excess but for roundings.

g: what a unit brings to each term, Σ over terms, the greatest scenario for all of them. F: the product of the constants
above one (discount, basis factor, shocks, damping, loss factor, haircuts, 1 : stable price).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from relayer.margin.screens.columns import Bools, Floats

CONSTANT_MAX: Final = 2.0**100


@dataclass(frozen=True, slots=True, eq=False)
class ExpiryTable:
    """Hold what one unit of each option of an expiry is worth, low and high: now, basis up and down, scenarios.

    `strikes` are their signed sizes by strike; `long` and `short` the ends of the discounts of what is positive and
    what is negative.
    """

    places: list[int]
    low: Floats
    high: Floats
    strikes: Floats
    long: tuple[float, float]
    short: tuple[float, float]
    basis_factor: float

    @property
    def gross(self) -> Floats:
        """Return what a unit brings to the magnitude of the scenarios and of the basis."""
        greatest = np.maximum(np.abs(self.low), np.abs(self.high)).max(axis=0)
        gross: Floats = greatest * (2.0 + 2.0 * self.greatest_discount + 2.0 * self.basis_factor)
        return gross

    @property
    def greatest_discount(self) -> float:
        """Return the greater discount of both."""
        return max(self.long[1], self.short[1])

    def gains(self, amounts: Floats, is_skew: Bools, band: Floats) -> tuple[Floats, Floats, Floats]:
        """Return (gain in each scenario, basis loss, size of naked shorts)."""
        own = amounts[self.places]
        low, high = self.low @ own, self.high @ own
        basis = np.minimum(np.minimum(low[1], low[2]) - high[0], 0.0) * self.basis_factor
        gains = np.minimum(low[3:] * self.long[0], low[3:] * self.greatest_discount) - high[0]
        if is_skew.any():
            turned = self._high(low[3:][is_skew], high[3:][is_skew], band)
            gains[is_skew] = np.minimum(gains[is_skew], low[0] - turned)
        return gains, basis, np.maximum(-(self.strikes @ own), 0.0).sum(axis=0)

    def _high(self, low: Floats, high: Floats, band: Floats) -> Floats:
        positive = np.where(low > band, high * self.long[1], high * self.greatest_discount)
        above: Floats = np.where(high >= 0.0, positive, high * self.short[0])
        return above


@dataclass(frozen=True, slots=True, eq=False)
class PortfolioTree:
    """Hold the leaves and constants of a portfolio manager.

    `moving` and `moving_high` are coins that move, low and high; `net` is the perp's signed size, `perp_price` its ends
    and `perp_share` what a unit requires; `coins` what coins require. Scenarios: `shocks`, `damping`, `is_skew`.
    """

    mtm: Floats
    moving: Floats
    moving_high: Floats
    coins: Floats
    net: Floats
    perp_price: tuple[float, float]
    perp_share: float
    option_share: float
    shocks: Floats
    damping: Floats
    is_skew: Bools
    loss_factor: float
    expiries: tuple[ExpiryTable, ...]
    opened: Floats
    closed: Floats
    assets_max: float

    def __call__(self, amounts: Floats, band: Floats) -> Floats:
        """Return the excess of each account; see `trees`."""
        net = self.net @ amounts
        contingency = self.coins @ amounts + np.abs(net) * self.perp_share
        pnl, basis = self._linear(net, amounts), np.zeros(amounts.shape[1])
        for expiry in self.expiries:
            gains, loss, naked = expiry.gains(amounts, self.is_skew, band)
            pnl, basis, contingency = pnl + gains, basis + loss, contingency + naked * self.option_share
        worst = np.minimum(basis, (pnl * self.damping[:, None]).min(axis=0))
        excess: Floats = self.mtm @ amounts + worst * self.loss_factor - contingency
        held = self.opened @ (amounts != 0.0) + self.closed @ amounts
        excess[held > self.assets_max] = -np.inf
        return excess

    @property
    def is_finite(self) -> bool:
        """Tell whether all constants are floats that leave room for amounts."""
        constants = (
            *self.perp_price,
            self.perp_share,
            self.option_share,
            self.loss_factor,
            *self.shocks,
            *self.damping,
        )
        of_expiries = (figure for one in self.expiries for figure in (*one.long, *one.short, one.basis_factor))
        return all(abs(figure) <= CONSTANT_MAX for figure in (*constants, *of_expiries))

    def _linear(self, net: Floats, amounts: Floats) -> Floats:
        ends = net * self.perp_price[0], net * self.perp_price[1]
        low = self.moving @ amounts + np.minimum(*ends)
        high = self.moving_high @ amounts + np.maximum(*ends)
        linear: Floats = np.where(self.shocks[:, None] >= 0.0, np.outer(self.shocks, low), np.outer(self.shocks, high))
        return linear

    def gross(self) -> Floats:
        """Return what one unit of each slot brings to the magnitude."""
        shock = np.abs(self.shocks).max(initial=0.0) * max(1.0, float(self.damping.max(initial=0.0))) * self.loss_factor
        with np.errstate(invalid="ignore"):
            gross: Floats = np.abs(self.mtm) + np.abs(self.coins) + self.moving_high * shock
        gross += np.abs(self.net) * (self.perp_price[1] * shock + self.perp_share)
        factor = max(1.0, float(self.damping.max(initial=0.0)), self.loss_factor) ** 2
        for expiry in self.expiries:
            gross[expiry.places] += expiry.gross * factor + np.abs(expiry.strikes).sum(axis=0) * self.option_share
        return gross
