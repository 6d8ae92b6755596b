"""Price instruments once on a grid of the user's own, so that `scenario.scan` margins any portfolio of them.

Our own formula, for what-if questions and for books without a published rule set: each point shifts the price and
multiplies the volatility, and counts at a share of its PnL (a far tail at less than all of it).

    linear: PnL = weight · price · shift          option: PnL = weight · (V(F (1 + shift), σ · factor) - V(F, σ))

Options are priced by Black-76 between bounds: `pnl` is the gain of a long unit rounded down, `pnl_high` rounded up.
"""

from __future__ import annotations

from dataclasses import dataclass

from proofs.units import E18
from relayer.margin.interval import Interval, exact, product
from relayer.margin.rulesets.black76 import prices
from relayer.margin.rulesets.scenario import RiskArray


@dataclass(frozen=True, slots=True)
class GridPoint:
    """Hold one scenario at 1e18: a price shift (-0.15 is -15 %), a factor on volatility, a share of the PnL."""

    shift: int
    vol_factor: int = E18
    weight: int = E18


@dataclass(frozen=True, slots=True)
class Linear:
    """Describe a future, a perpetual or a coin by its price at 1e18."""

    instrument: str
    price: int


@dataclass(frozen=True, slots=True)
class EuropeanOption:
    """Describe an option on a forward; figures at 1e18, the discount factor included."""

    instrument: str
    is_call: bool
    strike: int
    forward: int
    vol: int
    seconds: int
    discount: int = E18


def grid_array(instrument: Linear | EuropeanOption, grid: tuple[GridPoint, ...]) -> RiskArray:
    """Return the array of one instrument.

    Raises: ValueError for a shift below -100 %, or a negative factor.
    """
    if any(point.shift < -E18 or point.vol_factor < 0 for point in grid):
        raise ValueError("a grid point shifts a price below zero or a volatility below zero")
    if isinstance(instrument, Linear):
        gains = [product(instrument.price, point.shift, point.weight) for point in grid]
    else:
        now = _value(instrument, GridPoint(0))
        gains = [(_value(instrument, point) - now).times(point.weight) for point in grid]
    return RiskArray(instrument.instrument, tuple(g.low for g in gains), tuple(g.high for g in gains))


def _value(option: EuropeanOption, point: GridPoint) -> Interval:
    forward, vol = product(option.forward, E18 + point.shift), product(option.vol, point.vol_factor)
    both = prices(forward, option.strike, vol, option.seconds, exact(option.discount))
    return both.call if option.is_call else both.put
