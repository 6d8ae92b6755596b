"""Weigh an account on a scenario grid of the user's own: spot shocks times volatility shocks, with weights.

Our own formula, for books without a published rule set and for what-if questions.

| leg | value V | in scenario (shift, factor, weight) |
|---|---|---|
| cash in the grid's money; cash or a coin in `still` | amount · price, the money at 1 | does not move |
| collateral, debt, other cash | ± amount · price | price · (1 + shift) |
| perp, future | amount · price - entry value + accrued | price · (1 + shift) |
| option | amount · Black-76(forward, K, σ), discounted at the expiry's rate | forward · (1 + shift), σ · factor |

    loss_s(u)   = ⌈weight_s · Σ legs of u (V - V_s)⌉        for each underlying u by itself
    standalone  = max(0, max_s loss_s(u)) + short options · minimum
    requirement = Σ standalone - credit, the credit that of `correlation`; the stress is the same without it

Every leg is taken at its own worst end: V and V_s rise or fall with the price together and a weight is at most 1, so
(1 - weight) V + weight V_s does too, and the sum of the legs' least values is at most the least value of their sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from proofs.units import E18
from relayer.margin.engine.about import Family, MonotoneInput, RuleSetInfo, Trend
from relayer.margin.engine.inputs import Account, End, Gap, MarketData, Role
from relayer.margin.engine.result import USD, Evaluation, TermLine, Unit
from relayer.margin.interval import exact
from relayer.margin.models.correlation import CorrelationRules, DirectionalRisk, check, correlated
from relayer.margin.models.figures import Weighed, cost_lines, evaluation, leg_end_line
from relayer.margin.models.grid_legs import GridLeg, Money, legs_of
from relayer.margin.models.quotes import AGE_S_MAX, percent
from relayer.margin.rulesets.grid import GridPoint
from relayer.margin.view import Purpose

NAME: Final = "grid@1"
NO_CREDIT: Final = CorrelationRules()


@dataclass(frozen=True, slots=True)
class GridRules:
    """Hold the grid; weights are at most 1. `still` names coins that no scenario moves.

    `initial_points` are tried as well for the initial purpose, so that it never asks less than maintenance.
    `short_option_minimum` is in the money at 1e18 for each whole short option.
    """

    points: tuple[GridPoint, ...]
    still: frozenset[str] = frozenset()
    correlation: CorrelationRules = NO_CREDIT
    short_option_minimum: int = 0
    initial_points: tuple[GridPoint, ...] = ()
    surface_age_s_max: int = AGE_S_MAX
    name: str = NAME
    unit: Unit = USD

    def __post_init__(self) -> None:
        """Refuse a grid that contradicts itself. Raises: ValueError."""
        check(self.correlation)
        if not self.points or not all(map(_is_fit, (*self.points, *self.initial_points))):
            raise ValueError("a grid needs points, of shifts from -100 %, factors from 0 and weights in [0, 1]")
        if self.short_option_minimum < 0:
            raise ValueError("a minimum below zero")

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh an account; see `engine.evaluate.RuleSet`."""
        points = self.points + (self.initial_points if purpose is Purpose.INITIAL else ())
        money = Money(self.unit.symbol, self.still, points, self.surface_age_s_max)
        legs, gaps = legs_of(account, market, money, end)
        scans = [_scan(name, own, points, self.short_option_minimum) for name, own in _by_underlying(legs).items()]
        charged = correlated([scan.risk for scan in scans], self.correlation)
        terms = [(f"{scan.risk.name} {scan.label}", scan.risk.standalone) for scan in scans]
        terms.append(("correlation credit", -charged.credit))
        lines = [_line(leg) for leg in legs] + cost_lines(terms)
        return self._evaluation((lines, gaps), purpose, end, (scans, charged.stress))

    def _evaluation(
        self,
        found: tuple[Sequence[TermLine], tuple[Gap, ...]],
        purpose: Purpose,
        end: End,
        scanned: tuple[Sequence[Scanned], int],
    ) -> Evaluation:
        lines, gaps = found
        equity, requirement = sum(line.value for line in lines), sum(line.requirement for line in lines)
        scans, stress = scanned
        worst = max(scans, key=lambda scan: scan.risk.standalone, default=None)
        name = f"{worst.risk.name}: {worst.name}" if worst and worst.name else ""
        weighed = Weighed(exact(equity - requirement), exact(equity), lines, gaps, name)
        return replace(evaluation((self.name, self.unit), purpose, end, weighed), stress_requirement=stress)


@dataclass(frozen=True, slots=True)
class Scanned:
    """Hold an underlying's losses and the name of its worst scenario, empty where none loses."""

    risk: DirectionalRisk
    name: str

    @property
    def label(self) -> str:
        """Return the label of its line."""
        return f"scan: {self.name}" if self.name else "short option minimum"


def cross(
    shifts: Sequence[int], factors: Sequence[int], weights: Mapping[int, int] | None = None
) -> tuple[GridPoint, ...]:
    """Return spot shifts times volatility factors, at 1e18; `weights` by shift where one is not 1."""
    by_shift = weights or {}
    return tuple(GridPoint(shift, factor, by_shift.get(shift, E18)) for shift in shifts for factor in factors)


def point_name(point: GridPoint) -> str:
    """Return what a scenario does."""
    weight = "" if point.weight == E18 else f", counted at {percent(point.weight)[1:]}"
    return f"spot {percent(point.shift)}, vol {percent(point.vol_factor - E18)}{weight}"


def _scan(name: str, legs: Sequence[GridLeg], points: Sequence[GridPoint], short_minimum: int) -> Scanned:
    """Scan one underlying by direction; the first of equal losses is named."""
    losses = [
        -(-point.weight * sum(leg.value - leg.shocked[index] for leg in legs) // E18)
        for index, point in enumerate(points)
    ]
    minimum = -(-sum(leg.short_options for leg in legs) * short_minimum // E18)
    worst = max(range(len(losses)), key=losses.__getitem__)
    up, down, still = (
        max([0, *(loss for loss, point in zip(losses, points, strict=True) if _sign(point.shift) == way)]) + minimum
        for way in (1, -1, 0)
    )
    return Scanned(DirectionalRisk(name, up, down, still), point_name(points[worst]) if losses[worst] > 0 else "")


def _is_fit(point: GridPoint) -> bool:
    return point.shift >= -E18 and point.vol_factor >= 0 and 0 <= point.weight <= E18


def _by_underlying(legs: Sequence[GridLeg]) -> dict[str, list[GridLeg]]:
    """Return the legs that scenarios move, by underlying, in order of its name."""
    found: dict[str, list[GridLeg]] = {}
    for leg in sorted((leg for leg in legs if leg.shocked), key=lambda leg: leg.leg.asset):
        found.setdefault(leg.leg.asset, []).append(leg)
    return found


def _line(part: GridLeg) -> TermLine:
    leg = part.leg
    kind = leg.role.value
    if leg.role is Role.OPTION and leg.option is not None:
        kind = f"{leg.option.strike_e18 // E18} {'call' if leg.option.is_call else 'put'}"
    return leg_end_line(leg, f"{leg.asset} {kind}", part.price, part.value, part.exposure)


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


ABOUT: Final[tuple[RuleSetInfo, ...]] = (
    RuleSetInfo(
        name=NAME,
        family=Family.SCENARIO,
        title="Scenario grid of the user's own",
        formula="requirement = Σ underlyings (max(0, max_s loss_s) + short options · minimum) - credit",
        rounding="values down, losses up, once for each leg and scenario",
        equality="excess >= 0 is healthy",
        source="our own",
        monotone=(
            MonotoneInput("cash", Trend.NEVER_FALLS),
            MonotoneInput("collateral in `still`", Trend.NEVER_FALLS),
            MonotoneInput("scenarios", Trend.NEVER_RISES),
            MonotoneInput("weight of a scenario", Trend.NEVER_RISES),
            MonotoneInput("cap of the correlation credit", Trend.NEVER_FALLS),
            MonotoneInput("other amounts", Trend.NO_LAW, "a position may hedge"),
            MonotoneInput("a perpetual's own price left out", Trend.NO_LAW, "then the spot price stands for it"),
        ),
        is_mirrored=False,
    ),
)
