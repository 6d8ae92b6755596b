"""Weigh an engine account by Derive's standard manager (`rulesets.derive_srm` does the arithmetic).

Which legs and prices it reads stands in `derive_parts`; the base asset of a market is collateral of the market's name.

    equity = mark-to-market        requirement = mark-to-market - margin        excess = margin

| line | is |
|---|---|
| leg | its mark-to-market, nothing required |
| `ETH options 892800 s` | what the expiry's options are worth, less the better of isolated shorts and maximum loss |
| `ETH perp`, `ETH base` | the share of the notional; what the haircut takes |
| `... confidence`, `... depeg` | charges of the initial purpose |

Positions in one option on several chains stay apart: a short is isolated although a long beside it covers it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relayer.margin.engine.about import Family, MonotoneInput, RuleSetInfo, Trend
from relayer.margin.engine.inputs import Account, End, MarketData
from relayer.margin.engine.result import USD, Evaluation, TermLine, Unit
from relayer.margin.interval import ZERO, Interval, total
from relayer.margin.models.derive_lines import base_values, part_lines
from relayer.margin.models.derive_parts import Part, Parts, Venue, parts_of, zero_is_worst
from relayer.margin.models.figures import Weighed, cost_lines, evaluation, gain
from relayer.margin.models.quotes import AGE_S_MAX, OptionQuote, confidence_of, perp_name
from relayer.margin.rulesets.derive_srm import (
    ExpiryFeed,
    MarketFeed,
    MarketHolding,
    OptionLeg,
    SrmResult,
    SrmRules,
    leg_value,
    margin,
)
from relayer.margin.view import Purpose

NAME: Final = "derive_srm@1"


@dataclass(frozen=True, slots=True)
class DeriveSrm:
    """Hold the parameters of one deployment and the underlyings that it has markets for."""

    parameters: SrmRules
    markets: tuple[str, ...]
    stable: str = "USDC"
    surface_age_s_max: int = AGE_S_MAX
    name: str = NAME
    unit: Unit = USD

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh an account; see `engine.evaluate.RuleSet`."""
        known = frozenset(self.markets)
        parts = parts_of(account, market, Venue(self.stable, known, known, self.surface_age_s_max))
        holdings = [(name, holding) for name in self.markets for holding in _holding(name, parts, market)]
        settled = total(_unrealised(name, parts) for name in self.markets if not _position(name, parts))
        result = margin(holdings, parts.cash_total(settled), parts.stable_price, self.parameters, purpose)
        lines = [*_leg_lines(parts, end), *cost_lines(_requirements(result, end))]
        figures = result.margin, result.mtm
        weighed = Weighed(*figures, lines, parts.gaps, zero_is_worst_to_ppm=zero_is_worst(purpose))
        return evaluation((self.name, self.unit), purpose, end, weighed)


def _requirements(result: SrmResult, end: End) -> list[tuple[str, int]]:
    return [(term.label, gain(term.value, end) - gain(term.amount, end)) for term in result.terms]


def _position(name: str, parts: Parts) -> int:
    return sum(part.amount for part in parts.perps if part.leg.asset == name)


def _unrealised(name: str, parts: Parts) -> Interval:
    return total(part.unrealised or ZERO for part in parts.perps if part.leg.asset == name)


def _holding(name: str, parts: Parts, market: MarketData) -> list[MarketHolding]:
    """Return what the account has in one market, nothing where it has nothing."""
    perps, coins, quoted = (
        [part for part in kind if part.leg.asset == name] for kind in (parts.perps, parts.coins, parts.options)
    )
    if not perps and not coins and not quoted:
        return []
    quotes = [(part, quote) for part, quote in parts.quotes() if part.leg.asset == name]
    spot = (perps or coins or quoted)[0].spot
    feed = MarketFeed(
        spot=spot,
        spot_confidence=confidence_of(market, name),
        perp_price=perps[0].price if perps else spot,
        perp_confidence=confidence_of(market, perp_name(name) if perps else name),
        expiries=tuple({quote.seconds: expiry_feed(quote) for _, quote in quotes}.values()),
    )
    options = tuple(_option(part, quote) for part, quote in quotes)
    base = sum(part.amount for part in coins)
    return [MarketHolding(feed, options, sum(part.amount for part in perps), _unrealised(name, parts), base)]


def expiry_feed(quote: OptionQuote) -> ExpiryFeed:
    """Return the venue's form of an expiry."""
    expiry = quote.expiry
    return ExpiryFeed(quote.seconds, quote.forward, expiry.forward.confidence_e18, expiry.vol_confidence_e18)


def _option(part: Part, quote: OptionQuote) -> OptionLeg:
    return OptionLeg(quote.seconds, quote.terms.strike_e18, quote.terms.is_call, part.amount, quote.vol)


def _leg_lines(parts: Parts, end: End) -> list[TermLine]:
    values = [leg_value(expiry_feed(quote), _option(part, quote)) for part, quote in parts.quotes()]
    return part_lines(parts, values, base_values(parts), end)


ABOUT: Final[tuple[RuleSetInfo, ...]] = (
    RuleSetInfo(
        name=NAME,
        family=Family.SCENARIO,
        title="Derive standard margin",
        formula="margin = cash + unrealised + Σ base · S · factor + Σ expiries max(Σ isolated shorts, max loss)"
        " - Σ |perp| · P · share - confidence and depeg charges (initial)",
        rounding="intervals at 1e18, every step outward; the low end decides",
        equality="margin >= 0 is healthy",
        source="derivexyz/v2-core 7736900d StandardManager, restated",
        monotone=(
            MonotoneInput("cash", Trend.NEVER_FALLS),
            MonotoneInput("collateral amount and price", Trend.NEVER_FALLS),
            MonotoneInput("confidence of a price", Trend.NEVER_FALLS),
            MonotoneInput(
                "merging two accounts",
                Trend.NO_LAW,
                "a short call without bound switches its expiry from maximum loss to isolated shorts",
            ),
            MonotoneInput("perp or option amount", Trend.NO_LAW, "a position may hedge"),
        ),
        is_mirrored=True,
    ),
)
