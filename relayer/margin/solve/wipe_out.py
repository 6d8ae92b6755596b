"""Wipe-out: the smallest shock, down and up, of each asset and of all together, that ends the account's health.

| goal | reached where |
|---|---|
| to_breach | MAINTENANCE is no longer met for certain: excess below 0, or as the venue says |
| to_zero | equity is at or below 0: nothing is left |

A shock is in ppm of the price, from -999_999 (a price is never 0) to 10^9 (a thousand times); None where no shock in
that range does it, 0 where it holds already. Equity needs everything owed to be known: else it counts as 0 at once.
Exact for concave rule sets (`shape`): one ppm nearer zero and the goal is not reached, nor anywhere between; else the
stops of a geometric scan stand for what lies between them. At most 300 evaluations a direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from relayer.margin.engine.evaluate import RuleSet, evaluate
from relayer.margin.engine.inputs import Account, MarketData
from relayer.margin.engine.result import Evaluation
from relayer.margin.solve.changes import SHIFT_MIN_PPM, shocked
from relayer.margin.solve.low_end import LowEnd
from relayer.margin.solve.search import Question, between, first_flip
from relayer.margin.solve.shape import is_concave, is_jointly_concave
from relayer.margin.view import Purpose

SHIFT_MAX_PPM: Final = 1_000_000_000
STEP_DOWN_PPM: Final = 10_000
"""Stops of a scan down: every percent."""
SCAN_UP: Final = 128


@dataclass(frozen=True, slots=True)
class Distance:
    """Hold the smallest shocks down (<= 0) and up (>= 0) to a goal, in ppm; None where there is none."""

    down_ppm: int | None
    up_ppm: int | None


@dataclass(frozen=True, slots=True)
class WipeOut:
    """Hold the distances of one asset; of all assets together where `asset` is empty."""

    asset: str
    to_breach: Distance
    to_zero: Distance
    is_exact: bool
    evaluations: int


def wipe_out(account: Account, market: MarketData, rules: RuleSet, asset: str = "") -> WipeOut:
    """Return the wipe-out distances of one asset, of all priced ones where it is empty.

    Raises: ValueError for an unpriced asset.
    """
    known: dict[int, Evaluation] = {}
    low = LowEnd(rules)

    def result(shift_ppm: int) -> Evaluation:
        if shift_ppm not in known:
            moved = shocked(market, shift_ppm, (asset,) if asset else ()) if shift_ppm else market
            known[shift_ppm] = evaluate(account, moved, low, Purpose.MAINTENANCE)
        return known[shift_ppm]

    exact = (is_concave if asset else is_jointly_concave)(account, rules, Purpose.MAINTENANCE)
    breach = _distance(lambda shift: not result(shift).is_healthy, is_exact=exact)
    zero = _distance(lambda shift: _is_nothing_left(result(shift)), is_exact=exact)
    return WipeOut(asset, breach, zero, exact, len(known))


def _is_nothing_left(result: Evaluation) -> bool:
    return result.equity <= 0 or any(not gap.is_collateral for gap in result.gaps)


def _distance(is_reached: Callable[[int], bool], *, is_exact: bool) -> Distance:
    ask = Question(is_reached)
    if ask(0):
        return Distance(0, 0)
    down = (SHIFT_MIN_PPM,) if is_exact else (*range(-STEP_DOWN_PPM, SHIFT_MIN_PPM, -STEP_DOWN_PPM), SHIFT_MIN_PPM)
    return Distance(_nearest(ask, down), _nearest(ask, _stops_up(is_exact=is_exact)))


def _nearest(ask: Question, stops: tuple[int, ...]) -> int | None:
    pair = first_flip(ask, 0, stops)
    return None if pair is None else between(ask, *pair)[1]


def _stops_up(*, is_exact: bool) -> tuple[int, ...]:
    """Return shocks up: doublings from 100 %, or every percent at first and then wider and wider, to the most."""
    if is_exact:
        return (*(1_000_000 << k for k in range(10)), SHIFT_MAX_PPM)
    stops, at = [], 0
    for _ in range(SCAN_UP):
        at += max(STEP_DOWN_PPM, at >> 3)
        if at >= SHIFT_MAX_PPM:
            break
        stops.append(at)
    return (*stops, SHIFT_MAX_PPM)
