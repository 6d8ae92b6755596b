"""Weigh an engine account on published risk arrays (`rulesets.span` does the arithmetic).

| leg | `asset` names | value | missing |
|---|---|---|---|
| future, perp | a contract of the arrays, and its price | amount · price - entry value + accrued | verdict unknown |
| option | a contract of the arrays | amount · the published option price | verdict unknown: arrays may cost more |
| cash, collateral | a coin; the rules' money is at 1 | amount · price · (1 - haircut) | zero; owed cash unknown |

    equity = Σ values        requirement = Σ commodities max(scan + calendar + delivery - credit, minimum) · factor

What the publication calls the requirement is this one less the net option value, which here is part of the equity. The
stress is the same without inter-commodity credit. Initial multiplies by `initial_factor`. Arrays know no interval: only
prices move the ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from proofs.units import E18
from relayer.margin.engine.about import Family, MonotoneInput, RuleSetInfo, Trend
from relayer.margin.engine.inputs import Account, End, Gap, Leg, MarketData, Role
from relayer.margin.engine.result import ANY_PPM, USD, Evaluation, TermLine, Unit
from relayer.margin.interval import Interval, exact, product
from relayer.margin.models.figures import Weighed, cost, cost_lines, evaluation, gain, leg_end_line
from relayer.margin.models.quotes import amount_e18, price_of
from relayer.margin.rulesets.scenario import Holding
from relayer.margin.rulesets.span import Commodity, CommodityRisk, Contract, SpreadLeg, margin
from relayer.margin.view import Purpose

NAME: Final = "span@1"
CONTRACT_ROLES: Final = (Role.FUTURE, Role.PERP, Role.OPTION)

Valued = tuple[Leg, int, Interval, Interval]
"""A leg with its amount at 1e18, price and value."""


@dataclass(frozen=True, slots=True)
class SpanRules:
    """Hold the published parameters; `scenarios` names those of the arrays, `haircuts` at 1e18 by coin."""

    commodities: tuple[Commodity, ...]
    spreads: tuple[tuple[SpreadLeg, ...], ...] = ()
    scenarios: tuple[str, ...] = ()
    haircuts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    initial_factor: int = E18
    name: str = NAME
    unit: Unit = USD

    def __post_init__(self) -> None:
        """Refuse haircuts that make more of a coin than there is, or less than nothing. Raises: ValueError."""
        if not all(0 <= haircut <= E18 for haircut in self.haircuts.values()):
            raise ValueError("a haircut outside 0..1")

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh an account; see `engine.evaluate.RuleSet`. Raises: ValueError for parameters that do not fit."""
        parts, gaps = self._parts(account, market)
        held = [Holding(leg.asset, amount) for leg, amount, *_ in parts if leg.role in CONTRACT_ROLES]
        found = margin(self.commodities, self.spreads, held)
        required = sum(risk.requirement for risk in found.commodities)
        stress = sum(risk.requirement_without_credit for risk in found.commodities)
        factor = self.initial_factor if purpose is Purpose.INITIAL else E18
        terms = [term for risk in found.commodities for term in self._terms(risk)]
        terms.append(("initial factor", _up(required, factor) - required))
        lines = [_line(part, end) for part in parts] + cost_lines(terms)
        mtm = sum(line.value for line in lines)
        worst = max(found.commodities, key=lambda risk: risk.scan.risk, default=None)
        name = self._scenario(worst) if worst is not None and worst.scan.risk > 0 else ""
        weighed = Weighed(exact(mtm - _up(required, factor)), exact(mtm), lines, gaps, name, ANY_PPM)
        result = evaluation((self.name, self.unit), purpose, end, weighed)
        return replace(result, stress_requirement=_up(stress, factor))

    def _terms(self, risk: CommodityRisk) -> list[tuple[str, int]]:
        before = risk.scan.risk + risk.calendar + risk.delivery - risk.credit
        return [
            (f"scan: {self._scenario(risk)}", risk.scan.risk),
            (f"{risk.name}: calendar spreads", risk.calendar),
            (f"{risk.name}: delivery", risk.delivery),
            (f"{risk.name}: inter-commodity credit", -risk.credit),
            (f"{risk.name}: up to the short-option minimum", max(risk.minimum - before, 0)),
        ]

    def _scenario(self, risk: CommodityRisk) -> str:
        worst = risk.scan.worst
        name = self.scenarios[worst] if worst < len(self.scenarios) else f"scenario {worst + 1}"
        return f"{risk.name}: {name}"

    def _parts(self, account: Account, market: MarketData) -> tuple[list[Valued], tuple[Gap, ...]]:
        contracts = {contract.name: contract for commodity in self.commodities for contract in commodity.contracts}
        parts: list[Valued] = []
        gaps = []
        for leg in account.legs:
            if not (leg.amount or leg.entry_value or leg.accrued):
                continue
            amount = amount_e18(leg)
            part = amount if isinstance(amount, str) else self._part(leg, amount, market, contracts)
            if isinstance(part, str):
                is_held = leg.role in (Role.CASH, Role.COLLATERAL) and leg.amount > 0
                gaps.append(Gap(leg.name, part, is_held))
            else:
                parts.append(part)
        return parts, tuple(gaps)

    def _part(self, leg: Leg, amount: int, market: MarketData, contracts: Mapping[str, Contract]) -> Valued | str:
        if leg.role in CONTRACT_ROLES:
            contract = contracts.get(leg.asset)
            return f"no array of {leg.asset}" if contract is None else _contract_part(leg, amount, market, contract)
        if leg.role is Role.DEBT or (leg.role is Role.COLLATERAL and amount < 0):
            return "a clearing account owes cash only"
        is_money = leg.asset == self.unit.symbol and leg.asset not in market.prices
        price = exact(E18) if is_money else price_of(market, leg.asset)
        if isinstance(price, str):
            return price
        kept = E18 - (self.haircuts.get(leg.asset, 0) if amount > 0 else 0)
        return leg, amount, price, product(amount, price, kept)


def _contract_part(leg: Leg, amount: int, market: MarketData, contract: Contract) -> Valued | str:
    is_option = leg.role is Role.OPTION
    if is_option != (contract.option_price is not None):
        return f"{contract.name} is {'no option' if is_option else 'an option'} in the arrays"
    if contract.option_price is not None:
        price = exact(contract.option_price)
        return leg, amount, price, product(amount, price)
    found = price_of(market, leg.asset)
    if isinstance(found, str):
        return found
    return leg, amount, found, product(amount, found) + exact(leg.accrued - leg.entry_value)


def _line(part: Valued, end: End) -> TermLine:
    leg, amount, price, value = part
    used = gain(price, end) if amount >= 0 else cost(price, end)
    exposure = product(abs(amount), price).high if leg.role is not Role.CASH else 0
    return leg_end_line(leg, f"{leg.asset} {leg.role.value}", used, gain(value, end), exposure)


def _up(amount: int, factor: int) -> int:
    return -(-amount * factor // E18)


ABOUT: Final[tuple[RuleSetInfo, ...]] = (
    RuleSetInfo(
        name=NAME,
        family=Family.SCENARIO,
        title="SPAN-style risk arrays",
        formula="requirement = Σ commodities max(scan + calendar + delivery - credit, short-option minimum);"
        " equity holds the net option value",
        rounding="charges up, credits down",
        equality="excess >= 0 is healthy",
        source="public descriptions of SPAN; arrays and parameters are data",
        monotone=(
            MonotoneInput("cash", Trend.NEVER_FALLS),
            MonotoneInput("haircut", Trend.NEVER_RISES),
            MonotoneInput("cap of the credit", Trend.NEVER_FALLS),
            MonotoneInput(
                "scenarios", Trend.NO_LAW, "the scan never falls, but a price risk and with it a credit may change"
            ),
            MonotoneInput("contract amount", Trend.NO_LAW, "a position may hedge"),
        ),
        is_mirrored=False,
    ),
)
