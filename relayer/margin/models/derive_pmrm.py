"""Weigh an engine account by Derive's first portfolio manager (`rulesets.derive_pmrm` does the arithmetic).

Which legs and prices it reads stands in `derive_parts`; one underlying, its base asset is collateral of its name.

    equity = mark-to-market        requirement = mark-to-market - margin        excess = margin

| line | requirement |
|---|---|
| leg | none: its mark-to-market is its value |
| `scan: ...` | the loss of the worst scenario, or of the basis contingency, before the static discount |
| `static discount` | what the discount on shocked values above zero adds to that loss |
| `static contingency` | shares of perps, base and naked shorts |
| `initial factor`, `depeg` | what multiplies both (initial) |
| `confidence` | the charge for unsure feeds (initial) |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relayer.margin.engine.about import Family, MonotoneInput, RuleSetInfo, Trend
from relayer.margin.engine.inputs import Account, End, MarketData
from relayer.margin.engine.result import USD, Evaluation, Unit
from relayer.margin.interval import ZERO, Interval, total
from relayer.margin.models.derive_lines import base_values, part_lines, scenario_name
from relayer.margin.models.derive_parts import Part, Parts, Venue, parts_of, zero_is_worst
from relayer.margin.models.figures import Weighed, cost, cost_lines, evaluation, gain
from relayer.margin.models.quotes import AGE_S_MAX, OptionQuote, confidence_of, perp_name
from relayer.margin.rulesets.derive_pmrm import (
    ExpiryMarket,
    Option,
    PmrmPortfolio,
    PmrmResult,
    PmrmRules,
    margin,
)
from relayer.margin.view import Purpose

NAME: Final = "derive_pmrm@1"


@dataclass(frozen=True, slots=True)
class DerivePmrm:
    """Hold the parameters of one manager of one underlying."""

    parameters: PmrmRules
    underlying: str
    stable: str = "USDC"
    surface_age_s_max: int = AGE_S_MAX
    name: str = NAME
    unit: Unit = USD

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh an account; see `engine.evaluate.RuleSet`."""
        known = frozenset({self.underlying})
        parts = parts_of(account, market, Venue(self.stable, known, known, self.surface_age_s_max))
        result = margin(portfolio_of(self.underlying, parts, market), self.parameters)
        worst = scenario_name(self.parameters.scenarios, result.worst)
        lines = part_lines(parts, result.option_values, base_values(parts), end)
        lines += cost_lines(requirements(result, self.parameters, (purpose, end), worst))
        figure = result.initial if purpose is Purpose.INITIAL else result.maintenance
        weighed = Weighed(figure, result.mtm, lines, parts.gaps, worst, zero_is_worst(purpose))
        return evaluation((self.name, self.unit), purpose, end, weighed)


def portfolio_of(underlying: str, parts: Parts, market: MarketData) -> PmrmPortfolio:
    """Return the venue's form of an account."""
    held = (*parts.perps, *parts.coins, *parts.options)
    spot = held[0].spot if held else ZERO
    quotes = parts.quotes()
    return PmrmPortfolio(
        spot=spot,
        spot_confidence=confidence_of(market, underlying) if held else 0,
        perp_price=parts.perps[0].price if parts.perps else ZERO,
        perp_confidence=confidence_of(market, perp_name(underlying)) if parts.perps else 0,
        stable_price=parts.stable_price,
        expiries=tuple({quote.seconds: expiry_market(quote) for _, quote in quotes}.values()),
        options=tuple(option_of(part, quote) for part, quote in quotes),
        cash=sum(part.amount for part in parts.cash),
        perp=sum(part.amount for part in parts.perps),
        perp_unrealised=total(part.unrealised or ZERO for part in parts.perps),
        base=sum(part.amount for part in parts.coins),
    )


def expiry_market(quote: OptionQuote) -> ExpiryMarket:
    """Return the venue's form of an expiry."""
    expiry = quote.expiry
    return ExpiryMarket(
        seconds=quote.seconds,
        forward_fixed=expiry.forward_fixed,
        forward_variable=quote.forward_variable,
        rate=expiry.rate_e18,
        forward_confidence=expiry.forward.confidence_e18,
        rate_confidence=expiry.rate_confidence_e18,
        vol_confidence=expiry.vol_confidence_e18,
    )


def option_of(part: Part, quote: OptionQuote) -> Option:
    """Return the venue's form of an option position."""
    return Option(quote.seconds, quote.terms.strike_e18, quote.terms.is_call, part.amount, quote.vol)


def requirements(result: PmrmResult, rules: PmrmRules, asked: tuple[Purpose, End], worst: str) -> list[tuple[str, int]]:
    """Return what the margin of a purpose lacks to the mark-to-market, by cause; `asked` is (purpose, end)."""
    purpose, end = asked
    loss = least(result.scenario_pnl, result.basis_contingency)
    terms = scan_terms(loss, result.discount_pnl, result.worst, (worst, end))
    terms.append(("static contingency", cost(result.static_contingency, end)))
    if purpose is not Purpose.INITIAL:
        return terms
    before = sum(amount for _, amount in terms)
    scaled = -gain((loss - result.static_contingency).times(rules.initial_factor), end)
    unsure = cost(result.confidence_contingency, end)
    depegged = gain(result.mtm, end) - gain(result.initial, end) - unsure
    return [
        *terms,
        ("initial factor", scaled - before),
        ("depeg", depegged - scaled),
        ("confidence", unsure),
    ]


def least(pnl: tuple[Interval, ...], basis: Interval) -> Interval:
    """Return the least of the scenarios and the basis contingency."""
    result = basis
    for figure in pnl:
        result = result.at_most(figure)
    return result


def scan_terms(
    loss: Interval, discounts: tuple[Interval, ...], worst: int | None, about: tuple[str, End]
) -> list[tuple[str, int]]:
    """Return the loss in two parts, without and by the static discount; `about` is (scenario, end)."""
    name, end = about
    discount = 0 if worst is None else -gain(discounts[worst], end)
    return [(f"scan: {name}", -gain(loss, end) - discount), ("static discount", discount)]


ABOUT: Final[tuple[RuleSetInfo, ...]] = (
    RuleSetInfo(
        name=NAME,
        family=Family.SCENARIO,
        title="Derive portfolio margin, first version",
        formula="MM = min(basis, min_s PnL_s) - static + mtm; IM = (min(basis, min_s PnL_s) - static) · factor"
        " - confidence + mtm",
        rounding="intervals at 1e18, every step outward; the low end decides",
        equality="margin >= 0 is healthy",
        source="derivexyz/v2-core 7736900d PMRM, restated",
        monotone=(
            MonotoneInput("cash", Trend.NEVER_FALLS),
            MonotoneInput("confidence of a price", Trend.NEVER_FALLS),
            MonotoneInput("price of the stable coin below the peg", Trend.NO_LAW, "base is worth more in it"),
            MonotoneInput("scenarios", Trend.NEVER_RISES),
            MonotoneInput("base, perp or option amount", Trend.NO_LAW, "a position may hedge"),
        ),
        is_mirrored=True,
    ),
)
