"""Scenario margin: 10,000 portfolios of 20 options over 31 scenarios against QuantLib called per option from Python.

QuantLib belongs to no lock of ours: `pip install --require-hashes --target .tools/quantlib -r
tests/bench/requirements.txt`. Without it the race is left out and a note says so. It runs on few portfolios, as it
would take minutes for all; times are per portfolio on both sides.
"""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from types import ModuleType

import numpy as np

from relayer.margin.rulesets.black76 import YEAR_S
from relayer.margin.rulesets.grid import EuropeanOption, GridPoint, grid_array
from relayer.margin.rulesets.scenario import Holding, scan
from relayer.margin.screens.scenarios import (
    ScenarioScreen,
    book_of,
    columns_of,
    grid_of,
    normal_table,
    priced_grid,
    screen,
)
from tests.bench.race import ROOT, Contender, Goal, Local, Report, Timing, race

E18 = 10**18
PORTFOLIOS, OPTIONS, SLOW, SLOWEST, EXACT = 10_000, 20, 40, 2, 20
"""Portfolios of ours, options each, portfolios of QuantLib's formula, of its instruments, and looked at exactly."""
PRICE_TOLERANCE = 1e-9
GRID = (
    *(GridPoint(shift * E18 // 100, factor * E18 // 100) for shift in range(-16, 17, 4) for factor in (70, 100, 145)),
    *(GridPoint(shift * E18 // 100, 145 * E18 // 100, 25 * E18 // 100) for shift in (-66, -33, 50, 100)),
)
Portfolio = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Each:
    """Report the time of one portfolio of a contender that does several."""

    inner: Local
    count: int

    @property
    def name(self) -> str:
        return self.inner.name

    def run(self) -> Timing:
        timing = self.inner.run()
        return Timing(timing.cpu_s / self.count, timing.wall_s / self.count)


def chain() -> list[EuropeanOption]:
    """Return a listed chain: calls and puts at 25 strikes of 8 expiries, 400 instruments, seeded volatilities."""
    seeded = random.Random(4)
    listed = []
    for days in (7, 14, 30, 60, 90, 180, 270, 365):
        forward = 3_000 * E18 + days * E18 // 2
        for strike in range(1_800, 4_300, 100):
            vol = seeded.randrange(45, 95) * E18 // 100
            listed += [
                EuropeanOption(f"{days}-{strike}-{side}", side == "C", strike * E18, forward, vol, days * 86_400)
                for side in "CP"
            ]
    return listed


def portfolios(instruments: int, count: int) -> list[Portfolio]:
    """Return seeded portfolios: different options each, amounts of -10 to 10 in hundredths."""
    seeded = random.Random(5)
    return [
        tuple(
            (place, seeded.choice((-1, 1)) * seeded.randrange(1, 1_000) * E18 // 100)
            for place in seeded.sample(range(instruments), OPTIONS)
        )
        for _ in range(count)
    ]


def scan_all(report: Report, rounds: int) -> None:
    """Run all races of this module."""
    listed = chain()
    rows = portfolios(len(listed), PORTFOLIOS)
    table, book, columns, points = normal_table(), book_of(rows, [0] * len(rows)), columns_of(listed), grid_of(GRID)

    def ours() -> ScenarioScreen:
        return screen(book, priced_grid(columns, points, table))

    _agree_with_integers(ours(), listed, rows)
    peers: list[tuple[Contender, Goal | None]] = []
    quantlib = quantlib_or_none()
    if quantlib is None:
        report.notes.append("QuantLib is not installed (tests/bench/requirements.txt): its race was left out")
    else:
        report.notes.append(
            f"QuantLib {quantlib.__version__}: greatest price difference {_prices(quantlib, listed):.1e} dollars"
        )
        formula = Each(
            Local("QuantLib.blackFormula", _formula(quantlib, listed, rows[:SLOW]), _near(ours(), SLOW)), SLOW
        )
        engine = Each(
            Local("QuantLib instruments", _engine(quantlib, listed, rows[:SLOWEST]), _near(ours(), SLOWEST)), SLOWEST
        )
        peers = [(formula, Goal(500)), (engine, None)]
    exact = Each(Local("our integers", _integers(listed, rows[:EXACT]), lambda _: None), EXACT)
    peers.append((exact, None))
    name = f"a portfolio of {OPTIONS} options, {len(GRID)} scenarios (ours: {PORTFOLIOS:,} at once)"
    report.lines += race(name, Each(Local("ours, screen", ours, _near(ours(), PORTFOLIOS)), PORTFOLIOS), peers, rounds)
    report.counts["scenario screen: portfolios within the band of zero"] = int(ours().is_undecided.sum())


def quantlib_or_none() -> ModuleType | None:
    """Import QuantLib from the environment or from `.tools/quantlib`."""
    path = str(ROOT / ".tools" / "quantlib")
    sys.path.append(path)
    try:
        return importlib.import_module("QuantLib")
    except ModuleNotFoundError:
        return None
    finally:
        sys.path.remove(path)


def _terms(option: EuropeanOption) -> tuple[float, float, float]:
    return option.strike / E18, option.forward / E18, option.vol / E18 * sqrt(option.seconds / YEAR_S)


def _points() -> list[tuple[float, float, float]]:
    return [((E18 + p.shift) / E18, p.vol_factor / E18, p.weight / E18) for p in GRID]


def _formula(ql: ModuleType, listed: Sequence[EuropeanOption], rows: Sequence[Portfolio]) -> Callable[[], list[float]]:
    """Reprice every option of every portfolio in every scenario by the plain formula, arguments at hand."""
    terms = [(ql.Option.Call if option.is_call else ql.Option.Put, *_terms(option)) for option in listed]
    points, black = _points(), ql.blackFormula
    held = [[(*terms[place], amount / E18) for place, amount in row] for row in rows]

    def work() -> list[float]:
        worst = []
        for row in held:
            pnl = [0.0] * len(points)
            for side, strike, forward, deviation, amount in row:
                now = black(side, strike, forward, deviation)
                for number, (moved, factor, weight) in enumerate(points):
                    pnl[number] += amount * weight * (black(side, strike, forward * moved, deviation * factor) - now)
            worst.append(min(pnl))
        return worst

    return work


def _engine(ql: ModuleType, listed: Sequence[EuropeanOption], rows: Sequence[Portfolio]) -> Callable[[], list[float]]:
    """Reprice as an application does: instruments with an engine, quotes set for each scenario."""
    today = ql.Date(2, 1, 2026)
    ql.Settings.instance().evaluationDate = today
    spot, sigma = ql.SimpleQuote(1.0), ql.SimpleQuote(0.5)
    count = ql.Actual365Fixed()
    vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), ql.QuoteHandle(sigma), count))
    flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, count))
    engine = ql.AnalyticEuropeanEngine(ql.BlackProcess(ql.QuoteHandle(spot), flat, vol))
    made = []
    for option in listed:
        side = ql.Option.Call if option.is_call else ql.Option.Put
        exercise = ql.EuropeanExercise(today + option.seconds // 86_400)
        instrument = ql.EuropeanOption(ql.PlainVanillaPayoff(side, option.strike / E18), exercise)
        instrument.setPricingEngine(engine)
        made.append(instrument)
    points = _points()

    def work() -> list[float]:
        worst = []
        for row in rows:
            pnl = [0.0] * len(points)
            for place, amount in row:
                option, instrument = listed[place], made[place]
                spot.setValue(option.forward / E18)
                sigma.setValue(option.vol / E18)
                now = instrument.NPV()
                for number, (moved, factor, weight) in enumerate(points):
                    spot.setValue(option.forward / E18 * moved)
                    sigma.setValue(option.vol / E18 * factor)
                    pnl[number] += amount / E18 * weight * (instrument.NPV() - now)
            worst.append(min(pnl))
        return worst

    return work


def _integers(listed: Sequence[EuropeanOption], rows: Sequence[Portfolio]) -> Callable[[], list[int]]:
    """Price the instruments of these portfolios once in integers, then scan."""

    def work() -> list[int]:
        places = sorted({place for row in rows for place, _ in row})
        arrays = {place: grid_array(listed[place], GRID) for place in places}
        return [
            scan([arrays[place] for place, _ in row], [Holding(listed[place].instrument, q) for place, q in row]).risk
            for row in rows
        ]

    return work


def _near(reference: ScenarioScreen, count: int) -> Callable[[object], None]:
    """Return the check that the worst PnL of the first portfolios is the reference's to 1e-6 dollars."""
    expected = np.minimum(reference.excess[:count], 0.0)

    def check(result: object) -> None:
        got = result.excess[:count] if isinstance(result, ScenarioScreen) else np.array(result)
        if not np.allclose(np.minimum(got, 0.0), expected, rtol=0.0, atol=1e-6):
            raise AssertionError(f"scans differ by {np.abs(np.minimum(got, 0.0) - expected).max()} dollars")

    return check


def _prices(ql: ModuleType, listed: Sequence[EuropeanOption]) -> float:
    """Return the greatest difference of a price in any scenario; more than the tolerance ends the run."""
    grid = priced_grid(columns_of(listed), grid_of(GRID), normal_table())
    worst = 0.0
    for option, value, gains in zip(listed, grid.value, grid.gains, strict=True):
        side = ql.Option.Call if option.is_call else ql.Option.Put
        strike, forward, deviation = _terms(option)
        for (moved, factor, weight), gain in zip(_points(), gains[1:], strict=True):
            theirs = ql.blackFormula(side, strike, forward * moved, deviation * factor)
            worst = max(worst, abs(theirs - (value + gain / weight)))
    if worst > PRICE_TOLERANCE:
        raise AssertionError(f"prices differ by {worst} dollars")
    return worst


def _agree_with_integers(found: ScenarioScreen, listed: Sequence[EuropeanOption], rows: Sequence[Portfolio]) -> None:
    """Compare some portfolios with the integers: the exact excess lies within the band."""
    for number, risk in enumerate(_integers(listed, rows[:EXACT])()):
        if abs(found.excess[number] + risk / E18) > found.band[number]:
            raise AssertionError(f"portfolio {number}: {found.excess[number]} is not {-risk / E18}")
