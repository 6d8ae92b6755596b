"""Weigh an engine account by Derive's second portfolio manager (`rulesets.derive_pmrm2` does the arithmetic).

Which legs and prices it reads stands in `derive_parts`; one underlying, any of the coins in `collaterals`.

    equity = mark-to-market        requirement = mark-to-market - margin        excess = margin

| line | requirement |
|---|---|
| leg | none: its mark-to-market is its value |
| `scan: ...` | the loss of the worst scenario after damping, or of the basis contingency, before the static discount |
| `static discount` | what the discounts of net long and net short expiries add to that loss, none in skew scenarios |
| `loss factor`, `depeg` | what multiplies that loss |
| perp, option contingency, collateral haircuts | shares, for initial the maintenance one and its own on top |
| `confidence` | the charge for unsure feeds (initial) |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from relayer.margin.engine.about import Family, MonotoneInput, RuleSetInfo, Trend
from relayer.margin.engine.inputs import Account, End, Gap, MarketData, Role
from relayer.margin.engine.result import USD, Evaluation, Unit
from relayer.margin.interval import ZERO, total
from relayer.margin.models.derive_lines import part_lines, scenario_name
from relayer.margin.models.derive_parts import Part, Parts, Venue, parts_of, zero_is_worst
from relayer.margin.models.derive_pmrm import expiry_market, least, option_of, scan_terms
from relayer.margin.models.figures import Weighed, cost, cost_lines, evaluation, gain
from relayer.margin.models.quotes import AGE_S_MAX, confidence_of, perp_name, price_of
from relayer.margin.rulesets.derive_pmrm2 import (
    ASSETS_MAX,
    Collateral,
    Perp,
    Pmrm2Portfolio,
    Pmrm2Result,
    Pmrm2Rules,
    margin,
)
from relayer.margin.view import Purpose

NAME: Final = "derive_pmrm@2"
HELD_AT_ZERO: Final = frozenset({Role.COLLATERAL, Role.CASH})
"""Not options: a skew scenario charges a gain like a loss, and a long option may gain more than it is worth."""


@dataclass(frozen=True, slots=True)
class CoinTerms:
    """Hold a coin's haircuts at 1e18, the initial one on top; `moves` says that it moves with the underlying."""

    mm_haircut: int
    im_haircut: int
    moves: bool = False


@dataclass(frozen=True, slots=True)
class DerivePmrm2:
    """Hold the parameters of one manager of one underlying, and the coins that it takes."""

    parameters: Pmrm2Rules
    underlying: str
    collaterals: Mapping[str, CoinTerms]
    stable: str = "USDC"
    surface_age_s_max: int = AGE_S_MAX
    name: str = NAME
    unit: Unit = USD

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh an account; see `engine.evaluate.RuleSet`."""
        coins = frozenset(self.collaterals)
        venue = Venue(self.stable, frozenset({self.underlying}), coins, self.surface_age_s_max, HELD_AT_ZERO)
        parts = _admitted(parts_of(account, market, venue), market, self.underlying)
        result = margin(self._portfolio(parts, market), self.parameters)
        worst = scenario_name(self.parameters.scenarios, result.worst)
        lines = part_lines(parts, result.option_values, result.collateral_values, end)
        lines += cost_lines(requirements(result, self.parameters, (purpose, end), worst))
        figure = result.initial if purpose is Purpose.INITIAL else result.maintenance
        weighed = Weighed(figure, result.mtm, lines, parts.gaps, worst, zero_is_worst(purpose))
        return evaluation((self.name, self.unit), purpose, end, weighed)

    def _portfolio(self, parts: Parts, market: MarketData) -> Pmrm2Portfolio:
        spot = price_of(market, self.underlying)
        is_priced = not isinstance(spot, str)
        quotes = parts.quotes()
        perp = Perp(
            sum(part.amount for part in parts.perps),
            parts.perps[0].price if parts.perps else ZERO,
            confidence_of(market, perp_name(self.underlying)) if parts.perps else 0,
            total(part.unrealised or ZERO for part in parts.perps),
        )
        return Pmrm2Portfolio(
            cash=sum(part.amount for part in parts.cash),
            spot=ZERO if isinstance(spot, str) else spot,
            spot_confidence=confidence_of(market, self.underlying) if is_priced else 0,
            stable_price=parts.stable_price,
            perp=perp,
            collaterals=tuple(self._collateral(part, market) for part in parts.coins),
            expiries=tuple({quote.seconds: expiry_market(quote) for _, quote in quotes}.values()),
            options=tuple(option_of(part, quote) for part, quote in quotes),
        )

    def _collateral(self, part: Part, market: MarketData) -> Collateral:
        terms = self.collaterals[part.leg.asset]
        confidence = confidence_of(market, part.leg.asset)
        return Collateral(part.amount, part.price, confidence, terms.mm_haircut, terms.im_haircut, terms.moves)


def _admitted(parts: Parts, market: MarketData, underlying: str) -> Parts:
    """Return the parts, none of them where the venue would refuse the account, or where collateral lacks the spot.

    A coin's confidence is the lesser of its own and the spot's: without a spot no coin can be weighed.
    """
    held = len(parts.options) + len(parts.coins) + len(parts.perps)
    if held > ASSETS_MAX:
        gap = Gap("", f"{held} assets, the venue admits {ASSETS_MAX}", False)
        return Parts(parts.stable_price, (), (), (), (), (*parts.gaps, gap))
    spot = price_of(market, underlying)
    if isinstance(spot, str) and parts.coins:
        return replace(parts, coins=(), gaps=(*parts.gaps, *(Gap(part.leg.name, spot, True) for part in parts.coins)))
    return parts


def requirements(
    result: Pmrm2Result, rules: Pmrm2Rules, asked: tuple[Purpose, End], worst: str
) -> list[tuple[str, int]]:
    """Return what the margin of a purpose lacks to the mark-to-market, by cause; `asked` is (purpose, end)."""
    purpose, end = asked
    is_initial = purpose is Purpose.INITIAL
    figure = result.initial if is_initial else result.maintenance
    loss = least(result.scenario_pnl, result.basis_contingency)
    terms = scan_terms(loss, result.discount_pnl, result.worst, (worst, end))
    factor = rules.im_factor if is_initial else rules.mm_factor
    scaled = -gain(loss.times(factor), end)
    deducted = [
        (term.label, cost(term.maintenance, end) + (cost(term.initial, end) if is_initial else 0))
        for term in result.contingencies
    ]
    depegged = gain(result.mtm, end) - gain(figure, end) - sum(amount for _, amount in deducted)
    return [*terms, ("loss factor", scaled + gain(loss, end)), ("depeg", depegged - scaled), *deducted]


ABOUT: Final[tuple[RuleSetInfo, ...]] = (
    RuleSetInfo(
        name=NAME,
        family=Family.SCENARIO,
        title="Derive portfolio margin, second version",
        formula="margin = factor · min(basis, min_s PnL_s) - contingencies + mtm",
        rounding="intervals at 1e18, every step outward; the low end decides",
        equality="margin >= 0 is healthy",
        source="derivexyz/v2-core 7736900d PMRM_2, restated",
        monotone=(
            MonotoneInput("cash", Trend.NEVER_FALLS),
            MonotoneInput("collateral that does not move with the underlying", Trend.NEVER_FALLS),
            MonotoneInput("confidence of a price", Trend.NEVER_FALLS),
            MonotoneInput("scenarios", Trend.NEVER_RISES),
            MonotoneInput(
                "moving collateral, perp or option amount",
                Trend.NO_LAW,
                "a position may hedge, or a scenario may cost more",
            ),
        ),
        is_mirrored=True,
    ),
)
