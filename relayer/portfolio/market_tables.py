"""What a portfolio file says of the market: prices, indices, totals, open interest, expiries."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, model_validator

from proofs.units import E18, parse_decimal
from relayer.margin.engine.inputs import ExpiryQuote, Indices, Price, Surface, Totals
from relayer.margin.fixed_point import YEAR_S
from relayer.portfolio.fields import (
    PRICE_SCALE,
    Fixed18,
    Instant,
    NameText,
    NumberText,
    PriceNumber,
    Share,
    Table,
    Units,
)

STRIKES_MAX: Final = 500
_PRICE_DECIMALS: Final = 18


class PriceTable(Table):
    """A price: `price`, or `low` and `high`; with its time-weighted average and the feed's confidence, 0 to 1."""

    price: PriceNumber | None = None
    low: PriceNumber | None = None
    high: PriceNumber | None = None
    twap: PriceNumber | None = None
    confidence: Share = E18

    @model_validator(mode="after")
    def _bounded(self) -> PriceTable:
        if (self.price is None) == (self.low is None) or (self.low is None) != (self.high is None):
            raise ValueError("a price is one number, or both low and high; write one of the two")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low is above high; write [low, high]")
        return self

    def value(self) -> Price:
        """Return the price as an interval, at 18 decimals where these are enough."""
        low, high = self.low or self.price or 0, self.high or self.price or 0
        return _price(low, high, self.confidence)

    def average(self) -> Price | None:
        """Return the time-weighted price, if any."""
        return None if self.twap is None else _price(self.twap, self.twap, E18)


def _price(low: int, high: int, confidence: int) -> Price:
    excess = 10 ** (PRICE_SCALE - _PRICE_DECIMALS)
    if low % excess == 0 and high % excess == 0:
        return Price(low // excess, high // excess, _PRICE_DECIMALS, confidence)
    return Price(low, high, PRICE_SCALE, confidence)


def _as_table(value: object) -> object:
    if isinstance(value, list):
        if len(value) != 2:
            raise ValueError(f"a price interval has two ends, got {len(value)}; write [low, high]")
        return {"low": value[0], "high": value[1]}
    return value if isinstance(value, dict) else {"price": value}


PriceField = Annotated[
    PriceTable,
    BeforeValidator(
        _as_table,
        json_schema_input_type=PriceNumber
        | Annotated[list[PriceNumber], Field(min_length=2, max_length=2)]
        | PriceTable,
    ),
]


class IndexTable(Table):
    """Interest indices of a lending market, 1 at its start."""

    supply: NumberText
    borrow: NumberText


class TotalsTable(Table):
    """Totals of a lending market that keeps shares, in base units, interest included."""

    supply_assets: Units
    supply_shares: Units
    borrow_assets: Units
    borrow_shares: Units

    def value(self) -> Totals:
        """Return the totals."""
        return Totals(self.supply_assets, self.supply_shares, self.borrow_assets, self.borrow_shares)


class SurfaceTable(Table):
    """An SVI slice; `forward` and `tau` (years) are those it was fitted at, by default the expiry's own."""

    a: Fixed18
    b: Fixed18
    rho: Fixed18
    m: Fixed18
    sigma: Fixed18
    forward: Fixed18 | None = None
    tau: Fixed18 | None = None
    observed: Instant | None = None


class ExpiryTable(Table):
    """One expiry of an underlying: its forward, rate, and volatilities by surface or by strike."""

    asset: NameText
    expiry: Instant
    forward: PriceField
    forward_fixed: Fixed18 = 0
    rate: Fixed18 = 0
    rate_confidence: Share = E18
    vol_confidence: Share = E18
    surface: SurfaceTable | None = None
    vols: Annotated[dict[NumberText, Fixed18], Field(max_length=STRIKES_MAX, default_factory=dict)]

    def value(self, as_of_s: int) -> ExpiryQuote:
        """Return the quote. Raises: ValueError for a strike with too many digits."""
        return ExpiryQuote(
            forward=self.forward.value(),
            rate_e18=self.rate,
            forward_fixed=self.forward_fixed,
            rate_confidence_e18=self.rate_confidence,
            vol_confidence_e18=self.vol_confidence,
            surface=None if self.surface is None else self._surface(self.surface, as_of_s),
            vols=strikes(self.vols),
        )

    def _surface(self, table: SurfaceTable, as_of_s: int) -> Surface:
        observed_s = as_of_s if table.observed is None else table.observed
        forward = self.forward.value().scaled(_PRICE_DECIMALS).low if table.forward is None else table.forward
        tau = max(0, self.expiry - observed_s) * E18 // YEAR_S if table.tau is None else table.tau
        return Surface(table.a, table.b, table.rho, table.m, table.sigma, forward, tau, observed_s)


def indices(table: IndexTable, scale: int) -> Indices:
    """Return the indices in the venue's scale. Raises: ValueError for too many digits, or for what is no index."""
    found = Indices(parse_decimal(table.supply, scale), parse_decimal(table.borrow, scale))
    if found.supply <= 0 or found.borrow <= 0:
        raise ValueError("an index is above 0; it begins at 1 and grows")
    return found


def strikes(vols: dict[str, int]) -> Mapping[int, int]:
    """Return volatilities by strike at 1e18. Raises: ValueError for a strike with too many digits."""
    return MappingProxyType({parse_decimal(strike, _PRICE_DECIMALS): vol for strike, vol in vols.items()})
