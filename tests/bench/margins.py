"""Margin: a million accounts screened, one price tick, accounts planted at their threshold, exact evaluation.

Every contender judges the same book (`margin_book`). Where a side is timed on fewer accounts its name says so, and its
time is scaled by the number: an extrapolation in favour of plain Python, whose lists of a million integers also miss
the caches.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, End, MarketData
from relayer.margin.rulesets.aave_v3 import AAVE_REVISIONS, account_figures
from relayer.margin.screens.columns import Candidates, Columns, Floats
from relayer.margin.screens.screen import Tickers, form_of, screen
from relayer.margin.verdicts import AavePool
from relayer.margin.view import Purpose
from tests.bench.margin_book import RULES, account, book, market, planted
from tests.bench.race import Goal, Local, Report, Timing, race

MILLION = 1_000_000
FEW = 20_000
"""Accounts of the plain Python loop."""
TICK_FEW = 100_000
"""Accounts of the tick on Python integers."""
PLANTED = 999
EXACT = 2_000
SAMPLE = 20_000


@dataclass(frozen=True, slots=True)
class Scaled:
    """Run a contender on fewer accounts; its times are multiplied."""

    inner: Local
    factor: float

    @property
    def name(self) -> str:
        return self.inner.name

    def run(self) -> Timing:
        timing = self.inner.run()
        return Timing(timing.cpu_s * self.factor, timing.wall_s * self.factor)


def weigh(report: Report, rounds: int) -> None:
    """Run all measurements of this module."""
    _planted(report)
    _exact(report, rounds)
    columns = book(MILLION)
    _screen(report, columns, rounds)
    del columns
    gc.collect()
    _tick(report, rounds)


# --- (a) a million accounts ------------------------------------------------------------------------------------------


def _screen(report: Report, columns: Columns, rounds: int) -> None:
    now = market()
    found = screen([columns], RULES, now)
    report.counts.update(_judge(columns, now, found))
    weights = np.array([float(weight.per_unit) for weight in form_of(columns, RULES, now).weights])
    by_account = np.ascontiguousarray(columns.amounts.T)
    total = float(columns.amounts.sum())
    plain = (by_account * weights).sum(axis=1)
    below = int((plain < 0).sum())
    few = by_account[:FEW].tolist()
    listed = weights.tolist()
    below_few = int((plain[:FEW] < 0).sum())
    del plain
    ours = Local("screen with band", lambda: screen([columns], RULES, now), _equal(found))
    floor = Local("sum of the same bytes", lambda: float(columns.amounts.sum()), _equal(total))
    product = Local("NumPy product-sum", lambda: int(((by_account * weights).sum(axis=1) < 0).sum()), _equal(below))
    loop = Local(f"Python loop, {FEW:,} x {MILLION // FEW}", lambda: _loop(few, listed), _equal(below_few))
    name = f"{MILLION:,} accounts x {len(columns.slots)} assets"
    report.lines += race(f"{name}: over the memory floor", ours, [(floor, Goal(3, at_most=True))], rounds, inverse=True)
    report.lines += race(name, ours, [(product, Goal(4)), (Scaled(loop, MILLION / FEW), Goal(100))], rounds)


def _loop(rows: Sequence[Sequence[float]], weights: Sequence[float]) -> int:
    below = 0
    for row in rows:
        margin = 0.0
        for amount, weight in zip(row, weights, strict=True):
            margin += amount * weight
        below += margin < 0
    return below


def _judge(columns: Columns, now: MarketData, found: Candidates) -> dict[str, int]:
    """Evaluate all candidates and a sample of the others exactly; a wrong one ends the run."""
    pool = AavePool.of(RULES, now)
    flagged = sum(pool.verdict(account(columns, row)).value != "healthy" for row in found.indices)
    others = np.setdiff1d(np.linspace(0, found.screened - 1, SAMPLE, dtype=int), np.array(found.indices))
    wrong = [row for row in others.tolist() if pool.verdict(account(columns, row)).value != "healthy"]
    if wrong:
        raise AssertionError(f"called safe and is not: {wrong[:5]}")
    return {
        f"{found.screened:,} accounts: flagged": flagged,
        f"{found.screened:,} accounts: exact candidates beyond the flagged": len(found.indices) - flagged,
    }


# --- (b) one price tick ----------------------------------------------------------------------------------------------


def _tick(report: Report, rounds: int) -> None:
    columns = book(MILLION, repeats=3)
    slots = len(columns.slots)
    prices = [market(300_000), market(300_300)]
    tickers = Tickers([columns], RULES, prices[0])
    expected = [set(screen([columns], RULES, one).indices) for one in prices]
    turn = 0

    def ours() -> tuple[int, Candidates]:
        nonlocal turn
        turn = 1 - turn
        return turn, tickers.tick(prices[turn])

    def check(result: object) -> None:
        at, found = result
        if set(found.indices) != expected[at]:
            raise AssertionError("another set of candidates than a full screen")

    integers = _PythonTicks(columns, prices)
    peer = Scaled(Local(f"Python integers, {TICK_FEW:,} x {MILLION // TICK_FEW}", integers.tick, integers.check), 10)
    name = f"one price tick, {MILLION:,} accounts x {slots} slots"
    report.lines += race(name, Local("tick and screen", ours, check), [(peer, Goal(50))], rounds)
    report.notes.append(
        f"memory per amount: {columns.amounts.itemsize} bytes in the screen, with its exact words "
        f"{columns.amounts.itemsize + 16}; {integers.bytes_per_amount:.0f} as a Python integer in a list"
    )


class _PythonTicks:
    """Do the same tick on Python integers: exact sums of 10^-8 dollars x bps, moved by the price, compared with 0."""

    def __init__(self, columns: Columns, prices: Sequence[MarketData]) -> None:
        few = replace(columns, amounts=columns.amounts[:, :TICK_FEW], rows=columns.rows[:TICK_FEW])
        forms = [form_of(few, RULES, one).weights for one in prices]
        scale = 10**21  # the price of ether moves a weight by 51 bits
        weights = [[int(weight.per_unit * scale) for weight in form] for form in forms]
        ints = [[int(value) for value in row] for row in few.amounts.tolist()]
        self._sums = [0] * TICK_FEW
        for row, weight in zip(ints, weights[0], strict=True):
            self._sums = [total + amount * weight for total, amount in zip(self._sums, row, strict=True)]
        self._moved = [at for at in range(len(ints)) if weights[0][at] != weights[1][at]]
        self._rows = [ints[at] for at in self._moved]
        self._steps = [weights[1][at] - weights[0][at] for at in self._moved]
        self._turn = 0
        exact = [[float(w.per_unit) for w in form] for form in forms]
        self._expected = [int(((np.array(one) @ few.amounts) < 0).sum()) for one in exact]
        sizes = [sys.getsizeof(value) + 8 for row in ints for value in row[:1_000]]
        self.bytes_per_amount = sum(sizes) / len(sizes)

    def tick(self) -> tuple[int, list[int]]:
        sign = 1 if self._turn == 0 else -1
        self._turn = 1 - self._turn
        sums = self._sums
        for row, step in zip(self._rows, self._steps, strict=True):
            move = sign * step
            sums = [total + amount * move for total, amount in zip(sums, row, strict=True)]
        self._sums = sums
        return self._turn, [place for place, total in enumerate(sums) if total < 0]

    def check(self, result: object) -> None:
        turn, below = result
        if abs(len(below) - self._expected[turn]) > 1:
            raise AssertionError(f"{len(below)} below zero, expected {self._expected[turn]}")


# --- (c) at the threshold --------------------------------------------------------------------------------------------


def _planted(report: Report) -> None:
    report.counts.update(planted_counts(PLANTED))


def planted_counts(count: int) -> dict[str, int]:
    """Return how many planted accounts each way of judging gets wrong: plain float64, and screen with exact rules."""
    now = market()
    pool = AavePool.of(RULES, now)
    made = planted(count, pool)
    weights: Floats = np.array([float(weight.per_unit) for weight in form_of(made.columns, RULES, now).weights])
    found = set(screen([made.columns], RULES, now).indices)
    ours = [row not in found or pool.verdict(one).value == "healthy" for row, one in enumerate(made.accounts)]
    return {
        f"{count:,} accounts at the threshold -1, 0, +1: wrong by plain float64": int(
            ((weights @ made.columns.amounts >= 0) != made.is_healthy).sum()
        ),
        f"{count:,} accounts at the threshold -1, 0, +1: wrong by screen and exact rules": int(
            (np.array(ours) != made.is_healthy).sum()
        ),
    }


# --- (d) exact evaluation --------------------------------------------------------------------------------------------


def _exact(report: Report, rounds: int) -> None:
    now = market()
    pool = AavePool.of(RULES, now)
    accounts = planted(EXACT // 10, pool).accounts * 10
    full = [evaluate(one, now, RULES, Purpose.MAINTENANCE) for one in accounts]
    verdicts = [one.verdict for one in full]
    forms = [RULES.form(one, now, End.LOW).account for one in accounts]
    figures = [account_figures(form, AAVE_REVISIONS[RULES.name]).health_factor_wad for form in forms]

    def engine() -> object:
        return [evaluate(one, now, RULES, Purpose.MAINTENANCE) for one in accounts]

    def kernel() -> object:
        return [account_figures(form, AAVE_REVISIONS[RULES.name]).health_factor_wad for form in forms]

    name = f"{EXACT:,} exact accounts of ten legs"
    by_engine, by_kernel = Local("engine", engine, _equal(full)), Local("kernel alone", kernel, _equal(figures))
    fast = Local("pool verdicts", lambda: [pool.verdict(one) for one in accounts], _equal(verdicts))
    lines = Local("pool evaluations", lambda: [pool.evaluation(one) for one in accounts], _equal(full))
    report.lines += race(f"{name}, verdict only", fast, [(by_engine, None), (by_kernel, None)], rounds)
    report.lines += race(f"{name}, with all lines", lines, [(by_engine, None)], rounds)
    for what, goal, work in (("verdicts", 100_000, pool.verdict), ("evaluations with lines", 30_000, pool.evaluation)):
        rate = _rate(work, accounts)
        met = "met" if rate >= goal else "MISSED"
        report.notes.append(
            f"exact {what}, ten legs, one core: {rate:,.0f} per CPU second, best of 9 (goal {goal:,}: {met})"
        )


def _rate(work: Callable[[Account], object], accounts: Sequence[Account]) -> float:
    best = 0.0
    for _ in range(9):
        begun = time.process_time()
        for one in accounts:
            work(one)
        best = max(best, len(accounts) / (time.process_time() - begun))
    return best


def _equal(expected: object) -> Callable[[object], None]:
    def check(result: object) -> None:
        if result != expected:
            raise AssertionError("another result than the exact one")

    return check
