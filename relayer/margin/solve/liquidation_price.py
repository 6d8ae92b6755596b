"""Liquidation price: per asset the nearest price below and above at which the verdict is no longer that of now.

The price of an asset is an interval: it is moved as a whole, and its low end is what is reported. Only one price moves,
forwards and perpetual of the asset with it; all else stays.

| excess in one price | found by | `is_exact` |
|---|---|---|
| concave (`shape`) | bisection between a price of either verdict: no price nearer flips but by rounding | yes |
| anything else | a geometric scan, then bisection between the first two stops that differ | no: `bracket` has them |

Rounding: the 16 prices before a flip are tried as well, and the nearest is taken. `around` are the verdicts at one unit
of the price's own decimals below, at, and above. An account that is not healthy now gets the nearest prices at which it
would be (`is_recovery`). Below goes to 1 unit, above to 2^20 times the price. At most 600 evaluations an asset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from relayer.margin.engine.evaluate import RuleSet, evaluate
from relayer.margin.engine.inputs import Account, MarketData, Price
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.solve.changes import price_of, repriced
from relayer.margin.solve.low_end import LowEnd
from relayer.margin.solve.search import Question, between, doublings, first_flip, highest, stops_above, stops_below
from relayer.margin.solve.shape import is_concave, sensitive_assets
from relayer.margin.view import Purpose

WALK: Final = 16
"""Prices tried before a flip, for flips that rounding makes."""
LOWEST: Final = 1


@dataclass(frozen=True, slots=True)
class PriceFlip:
    """Hold a price, at the price's own decimals, and the verdict there; `bracket` is (still as now, no longer)."""

    price: int
    verdict: Verdict
    is_exact: bool
    bracket: tuple[int, int]
    around: tuple[Verdict, Verdict, Verdict]


@dataclass(frozen=True, slots=True)
class LiquidationPrice:
    """Hold the nearest flips of one asset, None where there is none; `price` is the low end now."""

    asset: str
    price: int
    decimals: int
    verdict: Verdict
    below: PriceFlip | None
    above: PriceFlip | None
    evaluations: int

    @property
    def is_recovery(self) -> bool:
        """Tell whether the flips are to health, from an account that is not healthy now."""
        return self.verdict is not Verdict.HEALTHY


def liquidation_prices(
    account: Account, market: MarketData, rules: RuleSet, purpose: Purpose = Purpose.MAINTENANCE
) -> tuple[LiquidationPrice, ...]:
    """Return the liquidation prices of every asset whose price moves the account, in the market's order."""
    assets = sensitive_assets(account, market, rules, purpose)
    return tuple(liquidation_price(account, market, rules, asset, purpose) for asset in assets)


def liquidation_price(
    account: Account, market: MarketData, rules: RuleSet, asset: str, purpose: Purpose = Purpose.MAINTENANCE
) -> LiquidationPrice:
    """Return the liquidation prices of one asset. Raises: ValueError where the market has no price of it."""
    search = _Search(account, market, rules, asset, purpose)
    now = search.result(search.start)
    below = above = None
    if all(gap.is_collateral for gap in now.gaps):
        below, above = search.below(), search.above()
        if below is None and above is None and not now.is_healthy:
            below, above = search.around_the_top()
    flips = tuple(None if found is None else search.flip(found) for found in (below, above))
    return LiquidationPrice(asset, search.start, search.decimals, now.verdict, flips[0], flips[1], search.evaluations)


@dataclass(frozen=True, slots=True)
class _Found:
    """Hold two prices with different verdicts, the first as now; bisection takes place between them."""

    same: int
    flipped: int


class _Search:
    """Ask for the verdict at prices of one asset, each price once."""

    def __init__(self, account: Account, market: MarketData, rules: RuleSet, asset: str, purpose: Purpose) -> None:
        self._inputs = account, market, LowEnd(rules), purpose
        self._asset, self._price = asset, price_of(market, asset)
        self._known: dict[int, Evaluation] = {}
        self._ask = Question(lambda low: self.result(low).is_healthy)
        self._is_concave = is_concave(account, rules, purpose)
        self.start, self.decimals = self._price.low, self._price.decimals

    @property
    def evaluations(self) -> int:
        """Return how many prices were evaluated."""
        return len(self._known)

    def result(self, low: int) -> Evaluation:
        """Return the evaluation with the whole interval moved so that it begins at `low`."""
        if low not in self._known:
            account, market, rules, purpose = self._inputs
            high = low + self._price.high - self._price.low
            moved = Price(low, high, self._price.decimals, self._price.confidence_e18)
            self._known[low] = evaluate(account, repriced(market, self._asset, moved), rules, purpose)
        return self._known[low]

    def below(self) -> _Found | None:
        """Return a bracket below: of a concave account that is healthy, the lowest price alone decides."""
        if self.start <= LOWEST:
            return None
        is_decided = self._is_concave and self._ask(self.start)
        return self._found((LOWEST,) if is_decided else stops_below(self.start))

    def above(self) -> _Found | None:
        """Return a bracket above: of a concave account that is healthy, doublings suffice."""
        is_decided = self._is_concave and self._ask(self.start)
        return self._found(doublings(self.start) if is_decided else stops_above(self.start))

    def around_the_top(self) -> tuple[_Found | None, _Found | None]:
        """Return the bracket of an unhealthy, concave account whose healthy prices lie between two stops."""
        if not self._is_concave:
            return None, None
        stops = sorted({*stops_below(self.start), self.start, *stops_above(self.start)})
        best = max(range(len(stops)), key=lambda index: self.result(stops[index]).excess)
        low, high = stops[max(best - 1, 0)], stops[min(best + 1, len(stops) - 1)]
        top = highest(lambda price: self.result(price).excess, low, high)
        if not self._ask(top):
            return None, None
        found = _Found(self.start, top)
        return (found, None) if top < self.start else (None, found)

    def flip(self, found: _Found) -> PriceFlip:
        """Bisect a bracket, then look at the prices just before it."""
        last, first = between(self._ask, found.same, found.flipped)
        step = 1 if first < self.start else -1
        for _ in range(WALK if self._is_concave else 0):
            last += step
            if (last - self.start) * step >= 0:
                break
            if self._ask(last) is not self._ask(self.start):
                first = last
        if self._ask(first + step) is not self._ask(self.start):
            first = between(self._ask, self.start, first)[1]
        around = tuple(self.result(max(first + one, LOWEST)).verdict for one in (-1, 0, 1))
        bracket = (first + step, first) if self._is_concave else (found.same, found.flipped)
        return PriceFlip(first, around[1], self._is_concave, bracket, (around[0], around[1], around[2]))

    def _found(self, stops: tuple[int, ...]) -> _Found | None:
        pair = first_flip(self._ask, self.start, stops)
        return None if pair is None else _Found(*pair)
