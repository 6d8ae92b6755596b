"""Margin futures and options by SPAN-style risk arrays: arithmetic on published data, no pricing at verification.

Arrays, delta weights, pairs, tiers, rates and spreads are parameter data; nothing of them is a constant here.

| term | formula | rounding |
|---|---|---|
| scanning risk | max(0, max_s -Σ quantity · array_s) for each commodity | up |
| composite delta | Σ quantity · Σ_s weight_s · delta_s | exact |
| volatility risk | (loss_a - loss_p) : 2, a the worst scenario, p its pair (same price move, other volatility) | - |
| time risk | mean loss of the two scenarios without a price move | - |
| price risk | loss_a - volatility risk - time risk; weighted price risk = price risk : abs(composite delta) | exact |
| calendar charge | Σ over spreads in their order: matched deltas · rate; matched deltas are used up | up |
| delivery | deltas in spreads · one rate + outright deltas · another, for each month in its delivery period | up |
| inter-commodity credit | weighted price risk · spreads formed · ratio · rate for each leg; deltas are used up | down |
| short-option minimum | short options · rate | up |
| requirement | Σ max(scan + calendar + delivery - credit, minimum) - net option value | up |

Our own additions: a commodity's credit is at most `credit_cap` of its scanning risk, no credit comes from a price risk
below zero, and `requirement_without_credit` says what would be due if every correlation failed at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from proofs.units import E18
from relayer.margin.rulesets.scenario import Holding, RiskArray, Scan, net_amounts, scan

DELTA: Final = E18**3
"""Deltas are kept exact: weight, delta and quantity at 1e18 each."""


@dataclass(frozen=True, slots=True)
class Contract:
    """Describe one unit: its month and tier, array (gain of a long unit), delta in each weighted point, option price.

    `option_price` is None for a future. All at 1e18.
    """

    name: str
    month: str
    tier: int
    array: tuple[int, ...]
    deltas: tuple[int, ...]
    option_price: int | None = None


@dataclass(frozen=True, slots=True)
class CalendarSpread:
    """Charge `rate` (UsdE18 a delta) on deltas of one sign in a tier against the other sign in a tier."""

    tier: int
    other_tier: int
    rate: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """Charge a month's deltas, UsdE18 a delta: those used in calendar spreads, and the outright rest."""

    month: str
    spread_rate: int
    outright_rate: int


@dataclass(frozen=True, slots=True)
class Commodity:
    """Hold a combined commodity: its contracts and parameters.

    `pairs[s]` is the scenario with the price move of s and the other volatility (s itself for extreme moves);
    `still` are the two scenarios without a price move; `delta_weights` weigh a contract's deltas, all at 1e18.
    """

    name: str
    contracts: tuple[Contract, ...]
    pairs: tuple[int, ...]
    still: tuple[int, int]
    delta_weights: tuple[int, ...]
    calendar: tuple[CalendarSpread, ...] = ()
    delivery: tuple[Delivery, ...] = ()
    short_option_rate: int = 0
    credit_cap: int = E18


@dataclass(frozen=True, slots=True)
class SpreadLeg:
    """Hold one leg of an inter-commodity spread: side +1 or -1, deltas a spread and credit rate at 1e18."""

    commodity: str
    side: int
    ratio: int
    rate: int


@dataclass(frozen=True, slots=True)
class CommodityRisk:
    """Hold the terms of one commodity, UsdE18. Deltas are exact at 1e54; price risk is at twice its value, exact."""

    name: str
    scan: Scan
    composite_delta: int
    price_risk_twice: int
    calendar: int
    delivery: int
    minimum: int
    credit: int = 0

    @property
    def requirement(self) -> int:
        """Return what the commodity demands before the net option value."""
        return max(self.scan.risk + self.calendar + self.delivery - self.credit, self.minimum)

    @property
    def requirement_without_credit(self) -> int:
        """Return the same with every correlation gone."""
        return max(self.scan.risk + self.calendar + self.delivery, self.minimum)


@dataclass(frozen=True, slots=True)
class SpanResult:
    """Hold a portfolio's terms; `requirement` may be negative where options are worth more than their risk."""

    commodities: tuple[CommodityRisk, ...]
    net_option_value: int
    requirement: int
    requirement_without_credit: int


def margin(
    commodities: Sequence[Commodity], spreads: Sequence[Sequence[SpreadLeg]], holdings: Sequence[Holding]
) -> SpanResult:
    """Margin a portfolio; `spreads` in order of priority.

    Raises: ValueError for a holding that no commodity knows, or arrays and weights that do not fit.
    """
    amounts = dict(net_amounts(holdings))
    known = [contract.name for commodity in commodities for contract in commodity.contracts]
    if len(known) != len(set(known)) or not set(amounts) <= set(known):
        raise ValueError(f"contracts unknown or named twice: {sorted(set(amounts) - set(known))}")
    risks = credited([_commodity_risk(c, amounts) for c in commodities], spreads, {c.name: c for c in commodities})
    value = sum(
        amounts.get(contract.name, 0) * (contract.option_price or 0)
        for commodity in commodities
        for contract in commodity.contracts
    )
    value //= E18
    return SpanResult(
        tuple(risks),
        value,
        sum(risk.requirement for risk in risks) - value,
        sum(risk.requirement_without_credit for risk in risks) - value,
    )


# --- one commodity ---------------------------------------------------------------------------------------------------


def _commodity_risk(commodity: Commodity, amounts: Mapping[str, int]) -> CommodityRisk:
    held = [Holding(c.name, amounts[c.name]) for c in commodity.contracts if c.name in amounts]
    scanned = scan([RiskArray(c.name, c.array) for c in commodity.contracts], held)
    if len(commodity.pairs) != len(scanned.pnl):
        raise ValueError(f"{commodity.name}: {len(commodity.pairs)} pairs for {len(scanned.pnl)} scenarios")
    first, second = commodity.still
    pair = commodity.pairs[scanned.worst]
    price_risk_twice = scanned.pnl[first] + scanned.pnl[second] - scanned.pnl[scanned.worst] - scanned.pnl[pair]
    months = _month_deltas(commodity, amounts)
    calendar, used = _calendar(commodity.calendar, months)
    short_options = sum(
        -amounts[c.name] for c in commodity.contracts if c.option_price is not None and amounts.get(c.name, 0) < 0
    )
    return CommodityRisk(
        name=commodity.name,
        scan=scanned,
        composite_delta=sum(months.values()),
        price_risk_twice=price_risk_twice,
        calendar=calendar,
        delivery=_delivery(commodity.delivery, months, used),
        minimum=-(-short_options * commodity.short_option_rate // E18),
    )


def _month_deltas(commodity: Commodity, amounts: Mapping[str, int]) -> dict[tuple[int, str], int]:
    """Return the exact net delta of each (tier, month)."""
    months: dict[tuple[int, str], int] = {}
    for contract in commodity.contracts:
        if len(contract.deltas) != len(commodity.delta_weights):
            raise ValueError(
                f"{contract.name}: {len(contract.deltas)} deltas for {len(commodity.delta_weights)} weights"
            )
        unit = sum(w * d for w, d in zip(commodity.delta_weights, contract.deltas, strict=True))
        key = (contract.tier, contract.month)
        months[key] = months.get(key, 0) + amounts.get(contract.name, 0) * unit
    return months


def _calendar(
    spreads: Sequence[CalendarSpread], months: Mapping[tuple[int, str], int]
) -> tuple[int, dict[tuple[int, str], int]]:
    """Return the charge, and the deltas of each month that spreads used up (absolute)."""
    left = dict(months)
    charge = 0
    for spread in spreads:
        for sign in (1, -1):
            if sign < 0 and spread.tier == spread.other_tier:
                continue
            near = {key: sign * d for key, d in left.items() if key[0] == spread.tier and sign * d > 0}
            far = {key: -sign * d for key, d in left.items() if key[0] == spread.other_tier and sign * d < 0}
            matched = min(sum(near.values()), sum(far.values()))
            _take(left, near, matched, sign)
            _take(left, far, matched, -sign)
            charge += matched * spread.rate
    return -(-charge // DELTA), {key: abs(delta - left[key]) for key, delta in months.items()}


def _take(left: dict[tuple[int, str], int], side: Mapping[tuple[int, str], int], amount: int, sign: int) -> None:
    """Use up deltas of one side, months in order."""
    for key in sorted(side):
        part = min(side[key], amount)
        left[key] -= sign * part
        amount -= part


def _delivery(
    rules: Sequence[Delivery], months: Mapping[tuple[int, str], int], used: Mapping[tuple[int, str], int]
) -> int:
    charge = 0
    for rule in rules:
        for key, delta in months.items():
            if key[1] == rule.month:
                charge += used[key] * rule.spread_rate + (abs(delta) - used[key]) * rule.outright_rate
    return -(-charge // DELTA)


# --- across commodities ----------------------------------------------------------------------------------------------


def credited(
    risks: Sequence[CommodityRisk], spreads: Sequence[Sequence[SpreadLeg]], commodities: Mapping[str, Commodity]
) -> list[CommodityRisk]:
    """Return the risks with their inter-commodity credits.

    Raises: ValueError for a spread that is one-sided, names a commodity twice or one that is not here.
    """
    by_name = {risk.name: risk for risk in risks}
    left = {risk.name: risk.composite_delta for risk in risks}
    credit = dict.fromkeys(by_name, 0)
    for legs in spreads:
        if not _is_formed(legs, by_name):
            raise ValueError(f"spread cannot be formed: {legs}")
        for name, part in _spread_credit(legs, left, by_name):
            credit[name] += part
    caps = {risk.name: risk.scan.risk * commodities[risk.name].credit_cap // E18 for risk in risks}
    return [replace(risk, credit=min(credit[risk.name], caps[risk.name])) for risk in risks]


def _is_formed(legs: Sequence[SpreadLeg], risks: Mapping[str, CommodityRisk]) -> bool:
    """Tell whether a spread has legs of both sides, of different commodities that exist here."""
    names = {leg.commodity for leg in legs}
    is_sided = {leg.side for leg in legs} == {1, -1} and all(leg.ratio > 0 and leg.rate >= 0 for leg in legs)
    return is_sided and len(names) == len(legs) and names <= set(risks)


def _spread_credit(
    legs: Sequence[SpreadLeg], left: dict[str, int], risks: Mapping[str, CommodityRisk]
) -> list[tuple[str, int]]:
    """Form as many spreads as the deltas allow, on the sides as written or all reversed; use the deltas up."""
    for sign in (1, -1):
        formed = min(max(sign * leg.side * left[leg.commodity], 0) * E18 // leg.ratio for leg in legs)
        if formed > 0:
            return [_leg_credit(leg, formed, sign, left, risks[leg.commodity]) for leg in legs]
    return []


def _leg_credit(leg: SpreadLeg, formed: int, sign: int, left: dict[str, int], risk: CommodityRisk) -> tuple[str, int]:
    used = formed * leg.ratio // E18
    left[leg.commodity] -= sign * leg.side * used
    worth = max(risk.price_risk_twice, 0) * used * leg.rate
    return leg.commodity, worth // (2 * abs(risk.composite_delta) * E18)
