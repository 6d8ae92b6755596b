"""Verdicts: many accounts of one Aave pool at one market, exactly and fast.

`AavePool` reads the market once: prices at their ends in the pool's decimals, indices, thresholds by e-mode category.
What is left for a leg is two products and two divisions of integers, those of `rulesets.aave_v3`. Anything unusual (a
missing input, a leg no pool could hold, something unread, a result where the last rounding of the venue decides) goes
through `engine.evaluate`, so both methods equal it for every input; `tests/relayer/margin/test_verdicts.py` holds that.

| method | equals |
|---|---|
| `verdict(account)` | `evaluate(account, market, rules, MAINTENANCE).verdict` |
| `evaluation(account)` | `evaluate(account, market, rules, MAINTENANCE)`, every line |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple, Self

from relayer.margin.engine.evaluate import evaluate, has_width
from relayer.margin.engine.inputs import Account, End, Leg, MarketData, Role
from relayer.margin.engine.result import Evaluation, TermLine, Verdict, health_of
from relayer.margin.fixed_point import PERCENT, RAY, WAD
from relayer.margin.models.aave import BASE_DECIMALS, AaveReserve, AaveRules
from relayer.margin.models.lending import TOKEN_DECIMALS_MAX
from relayer.margin.rulesets.aave_v3 import AAVE_REVISIONS, BASE_TO_E18, ThresholdRule
from relayer.margin.view import Purpose, Rounding

POWERS: Final[Mapping[int, int]] = MappingProxyType(
    {exponent: 10**exponent for exponent in range(TOKEN_DECIMALS_MAX + 1)}
)
"""Of each number of decimals that a token may have; any other is a KeyError, and no leg of a pool."""
RAY_UP: Final = RAY - 1
HEALTHY: Final = WAD * PERCENT
COLLATERAL: Final = Role.COLLATERAL
DEBT: Final = Role.DEBT
BPS_TO_E18: Final = BASE_TO_E18 // PERCENT


class HeldTerms(NamedTuple):
    """Hold what a collateral leg of one asset needs: supply index, low price, threshold, and its line's label."""

    index_ray: int
    price: int
    threshold_bps: int
    label: str


class OwedTerms(NamedTuple):
    """Hold what a debt leg of one asset needs: borrow index, high price, and its line's label."""

    index_ray: int
    price: int
    label: str


Held = Mapping[str, HeldTerms]
Owed = Mapping[str, OwedTerms]


class Sums(NamedTuple):
    """Hold Σ c, Σ c·LT and Σ b of an account in the base currency, and each leg's value, of debts below zero."""

    collateral: int
    weighted: int
    debt: int
    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class AavePool:
    """Hold one pool at one market, ready for many accounts; `high` is None where no price has a width."""

    rules: AaveRules
    market: MarketData
    held: Mapping[int, Held]
    owed: Owed
    high: AavePool | None

    @classmethod
    def of(cls, rules: AaveRules, market: MarketData) -> Self:
        """Read the market once. Raises: KeyError for a revision that does not exist."""
        high = cls._at(rules, market, End.HIGH, None) if has_width(market) else None
        return cls._at(rules, market, End.LOW, high)

    @classmethod
    def _at(cls, rules: AaveRules, market: MarketData, end: End, high: AavePool | None) -> Self:
        modes = {0, *(mode for reserve in rules.reserves.values() for mode in reserve.modes)}
        if AAVE_REVISIONS[rules.name].thresholds is not ThresholdRule.PRODUCTS:
            return cls(rules, market, MappingProxyType({0: {}}), MappingProxyType({}), None)
        held = {mode: _held_terms(rules, market, end, mode) for mode in modes}
        return cls(rules, market, MappingProxyType(held), _owed_terms(market, end), high)

    def verdict(self, account: Account) -> Verdict:
        """Judge an account for maintenance."""
        sums = None if account.unread else self.sums(account)
        if sums is None:
            return self._exactly(account).verdict
        is_healthy = sums.debt == 0 or _health_factor(sums) >= HEALTHY
        return Verdict.HEALTHY if is_healthy else Verdict.UNHEALTHY

    def sums(self, account: Account) -> Sums | None:
        """Add up an account; None where only the model can say what a leg is."""
        held, owed = self.held.get(account.mode, self.held[0]), self.owed
        collateral = weighted = debt = 0
        values = []
        try:
            for leg in account.legs:
                amount = leg.amount
                if amount <= 0:
                    if amount:
                        return None
                    value = 0
                elif leg.role is COLLATERAL:
                    index, price, threshold, _ = held[leg.asset]
                    value = amount * index // RAY * price // POWERS[leg.decimals]
                    collateral += value
                    weighted += value * threshold
                elif leg.role is DEBT:
                    index, price, _ = owed[leg.asset]
                    value = -((amount * index + RAY_UP) // RAY * price) // POWERS[leg.decimals]
                    debt -= value
                else:
                    return None
                values.append(value)
        except KeyError:
            return None
        return Sums(collateral, weighted, debt, values)

    def evaluation(self, account: Account) -> Evaluation:
        """Evaluate an account for maintenance with all its lines."""
        sums = None if account.unread else self.sums(account)
        if sums is None or not _is_plain(sums):
            return self._exactly(account)
        collateral, debt = sums.collateral * BASE_TO_E18, sums.debt * BASE_TO_E18
        equity, requirement = collateral - debt, collateral - sums.weighted * BPS_TO_E18
        factor = _health_factor(sums) // PERCENT if debt else None
        excess_high = low = equity - requirement
        if self.high is not None:
            best = self.high.sums(account)
            if best is None or not _is_plain(best):
                return self._exactly(account)
            excess_high = max(low, best.weighted * BPS_TO_E18 - best.debt * BASE_TO_E18)
        return Evaluation(
            rule_set=self.rules.name,
            purpose=Purpose.MAINTENANCE,
            end=End.LOW,
            unit=self.rules.unit,
            equity=equity,
            requirement=requirement,
            collateral=collateral,
            debt=debt,
            buffer_on=debt,
            verdict=Verdict.HEALTHY if low >= 0 else Verdict.UNHEALTHY,
            health=health_of(equity, requirement, collateral, debt, collateral + debt, factor),
            lines=self._lines(account, sums.values),
            excess_high=excess_high,
        )

    def _lines(self, account: Account, values: Sequence[int]) -> tuple[TermLine, ...]:
        """Write the lines of an account that `sums` could add up, from its values."""
        held, owed = self.held.get(account.mode, self.held[0]), self.owed
        lines = []
        for leg, base in zip(account.legs, values, strict=True):
            value = base * BASE_TO_E18
            if leg.amount and leg.role is COLLATERAL:
                _, price, threshold, label = held[leg.asset]
                money = value, value - base * threshold * BPS_TO_E18
                lines.append(_line(leg, label, price, money, Rounding.DOWN))
            elif leg.amount:
                _, price, label = owed[leg.asset]
                lines.append(_line(leg, label, price, (value, 0), Rounding.UP))
        return tuple(lines)

    def _exactly(self, account: Account) -> Evaluation:
        return evaluate(account, self.market, self.rules, Purpose.MAINTENANCE)


def _is_plain(sums: Sums) -> bool:
    """Tell whether the venue's verdict and the sign of excess agree by themselves."""
    excess = sums.weighted - PERCENT * sums.debt
    return excess >= 0 or _health_factor(sums) < HEALTHY


def _health_factor(sums: Sums) -> int:
    """Return Σ c·LT : Σ b in wad basis points, half up, as the venue does before it divides by 10,000 down."""
    return (sums.weighted * WAD + sums.debt // 2) // sums.debt


def _held_terms(rules: AaveRules, market: MarketData, end: End, mode: int) -> Held:
    terms = {}
    for asset, reserve in rules.reserves.items():
        price, indices = market.prices.get(asset), market.indices.get(asset)
        if price is None or indices is None or min(indices.supply, indices.borrow) <= 0:
            continue
        threshold = _threshold(reserve, mode)
        used = price.scaled(BASE_DECIMALS).at(end, is_owed=False)
        terms[asset] = HeldTerms(indices.supply, used, threshold, f"{asset} collateral at threshold {threshold} bps")
    return MappingProxyType(terms)


def _owed_terms(market: MarketData, end: End) -> Owed:
    terms = {}
    for asset, indices in market.indices.items():
        price = market.prices.get(asset)
        if price is not None and min(indices.supply, indices.borrow) > 0:
            used = price.scaled(BASE_DECIMALS).at(end, is_owed=True)
            terms[asset] = OwedTerms(indices.borrow, used, f"{asset} debt")
    return MappingProxyType(terms)


def _threshold(reserve: AaveReserve, mode: int) -> int:
    emode = reserve.modes.get(mode) if mode else None
    return reserve.threshold_bps if emode is None else emode.threshold_bps


def _line(leg: Leg, label: str, price: int, money: tuple[int, int], rounding: Rounding) -> TermLine:
    """Return the line of one leg, its exposure being the magnitude of its value: `leg_line`, field by field."""
    value, required = money
    return TermLine(
        label,
        leg.name,
        leg.asset,
        leg.chain,
        leg.block_number,
        leg.amount,
        leg.decimals,
        price,
        BASE_DECIMALS,
        value,
        required,
        rounding,
        abs(value),
    )
