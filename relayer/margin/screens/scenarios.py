"""Screen portfolios of options over a scenario grid in float64: instruments are priced once, portfolios are sums.

Nothing computed here is attested. For each portfolio the screen says what its excess (equity less the scan risk of
`rulesets.grid` and `rulesets.scenario`) is and how far from the exact integer it can be; whoever lies within that band
of zero is evaluated exactly.

Derivation of the band. u = 2^-53; inputs are quotients of integers, 1 u each.

    N      nodes 1/64 apart, abs(t) <= 1/128, Taylor to t^5. abs(N^(6)) = abs(He_5) φ <= 1.0865 √120 : √(2π) < 4.75
           (Cramér), rest < 4.75 : 720 · 128^-6 < 14 u; sums and coefficients < 2 u; beyond ± 8.5 cut, < u: E = 32 u
    F'     F (1 + shift), 3 u      v = σ f √τ, 7 u (√ correctly rounded)      ln(F' : K), 6 u + 8 u abs(ln)
    z      ln : v, so 6 u : v + 16 u abs(z)      d1, d2 = z ± v : 2, so 6 u : v + 17 u abs(z) + 5 u v
    φ(d)   <= 0.4, φ(d) abs(d) < 0.25, abs(z) <= abs(d) + v : 2, doubled for the way from d to its truth:
           N(d) is off by less than E + u (5 : v + 9 + 11 v)
    V      df (F' N(d1) - K N(d2)), a put by parity: products and differences < 16 u (F' + K) df, so less than
           e = df (F' + K) u (64 + 8 : v + 16 v)
    exact  the integer prices enclose the truth within 1e-18 (6 + F' √τ), which e and 1e-17 cover below 100 years

    gain_s = w (V_s - V)        off by 2 w max e + 4 u abs(gain_s)
    PnL_s  = Σ n amounts · gains: (n + 6) u Σ abs(amount) max abs(gain) more; excess: 4 u (abs(equity) + risk) more

Where v reaches 23.9, near the venue's cap at 24, e is infinite: such instruments are for the exact path alone. So is
one whose v is so small that 8 : v is large; nothing is wrong with its price, the derivation is only coarse there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from proofs.units import E18
from relayer.margin.fixed_math import FINE, INVERSE_ROOT_2_PI, exp_bounds, normal_cdf_bounds
from relayer.margin.rulesets.black76 import YEAR_S
from relayer.margin.rulesets.grid import EuropeanOption, GridPoint
from relayer.margin.screens.columns import Bools, Floats

Indices = NDArray[np.intp]

U: Final = 2.0**-53
NODES: Final = 64
"""Nodes of the normal table per unit."""
REACH: Final = 544
"""Nodes on each side: 8.5 units."""
DEGREE: Final = 5
TOTAL_VOL_LEAST: Final = 1e-18
TOTAL_VOL_CAP: Final = 24.0
TOTAL_VOL_NEAR_CAP: Final = 23.9
ABSOLUTE: Final = 1e-17
"""What the integers round away at most for each value, in dollars."""
SPARE: Final = 1.0 + 2.0**-20
"""More than the roundings of computing a band itself, up to a billion terms of it."""
CHUNK: Final = 256
"""Portfolios at a time: what is gathered for them stays in the cache."""


@dataclass(frozen=True, slots=True)
class NormalTable:
    """Hold Taylor coefficients of N at its nodes, one array for each power."""

    coefficients: tuple[Floats, ...]

    def cdf(self, x: Floats) -> Floats:
        """Return N(x), off by less than 32 u; NaN counts as minus infinity."""
        t: Floats = np.fmax(x, -REACH / NODES)
        np.minimum(t, REACH / NODES, out=t)
        node = np.rint(t * NODES)
        place = node.astype(np.intp)
        place += REACH
        node *= 1.0 / NODES
        t -= node
        term = node
        result: Floats = self.coefficients[DEGREE].take(place)
        for power in range(DEGREE - 1, -1, -1):
            result *= t
            result += self.coefficients[power].take(place, out=term, mode="clip")
        return result


def normal_table() -> NormalTable:
    """Build the table from the exact integer distribution; about a tenth of a second, once."""
    rows = [_row(node) for node in range(-REACH, REACH + 1)]
    return NormalTable(tuple(np.array(column) for column in zip(*rows, strict=True)))


def _row(node: int) -> tuple[float, ...]:
    """Return N, φ, -x φ : 2, (x² - 1) φ : 6, (3 - x²) x φ : 24, (x⁴ - 6 x² + 3) φ : 120 at x = node : 64."""
    low, _ = normal_cdf_bounds((node << FINE) // NODES)
    density = exp_bounds(-node * node, 2 * NODES * NODES)[0] * INVERSE_ROOT_2_PI
    x, n = node, NODES
    hermite = (1, -x, x * x - n * n, (3 * n * n - x * x) * x, x**4 - 6 * x * x * n * n + 3 * n**4)
    scales = (1, 2 * n, 6 * n**2, 24 * n**3, 120 * n**4)
    unit = 1 << (2 * FINE)
    return (low / (1 << FINE), *((density * h) / (unit * scale) for h, scale in zip(hermite, scales, strict=True)))


@dataclass(frozen=True, slots=True)
class OptionColumns:
    """Hold instruments, a row each: what a tick moves (forward, volatility) and what it does not; τ as its root."""

    is_call: Bools
    strike: Floats
    discount: Floats
    root_years: Floats
    forward: Floats
    vol: Floats

    def with_market(self, forward: Floats, vol: Floats) -> OptionColumns:
        """Return the instruments at other forwards and volatilities."""
        return replace(self, forward=forward, vol=vol)


@dataclass(frozen=True, slots=True)
class GridColumns:
    """Hold the scenarios, a column each; the first is the market as it stands, so that no PnL is above zero's."""

    moved: Floats
    vol_factor: Floats
    weight: Floats


@dataclass(frozen=True, slots=True)
class PricedGrid:
    """Hold what a long unit of each instrument (row) gains in each scenario, US dollars; the first column is zero.

    `value` is each instrument's price as things stand, `slack` bounds the error of any of its gains, `greatest` their
    magnitude.
    """

    gains: Floats
    value: Floats
    slack: Floats
    greatest: Floats


def columns_of(options: Sequence[EuropeanOption]) -> OptionColumns:
    """Write options as columns."""
    return OptionColumns(
        is_call=np.array([o.is_call for o in options], dtype=np.bool_),
        strike=_e18([o.strike for o in options]),
        discount=_e18([o.discount for o in options]),
        root_years=np.sqrt(np.array([o.seconds / YEAR_S for o in options])),
        forward=_e18([o.forward for o in options]),
        vol=_e18([o.vol for o in options]),
    )


def grid_of(points: Sequence[GridPoint]) -> GridColumns:
    """Write a grid as columns, the market as it stands before it."""
    every = [GridPoint(0), *points]
    return GridColumns(
        _e18([E18 + p.shift for p in every]), _e18([p.vol_factor for p in every]), _e18([p.weight for p in every])
    )


def priced_grid(options: OptionColumns, grid: GridColumns, table: NormalTable) -> PricedGrid:
    """Price every option in every scenario, once."""
    strike, discount = options.strike[:, None], options.discount[:, None]
    forward = options.forward[:, None] * grid.moved
    vol = np.maximum((options.vol * options.root_years)[:, None] * grid.vol_factor, TOTAL_VOL_LEAST)
    values = _values((forward, strike, vol, discount), options.is_call[:, None], table)
    error = discount * (forward + strike) * (64.0 * U + (8.0 * U) / vol + (16.0 * U) * vol) + ABSOLUTE
    error[vol >= TOTAL_VOL_NEAR_CAP] = np.inf
    gains = (values - values[:, :1]) * grid.weight
    greatest = np.abs(gains).max(axis=1)
    slack = error.max(axis=1) * (2.0 * grid.weight.max()) + 4.0 * U * greatest
    return PricedGrid(gains, values[:, 0], slack, greatest)


def _values(inputs: tuple[Floats, Floats, Floats, Floats], is_call: Bools, table: NormalTable) -> Floats:
    forward, strike, vol, discount = inputs
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.log(forward / strike) / vol
    half = vol / 2.0
    call = forward * table.cdf(z + half) - strike * table.cdf(z - half)
    np.copyto(call, forward, where=(vol >= TOTAL_VOL_CAP) | (strike == 0.0))
    np.copyto(call, 0.0, where=forward == 0.0)
    parity = forward - strike
    held = np.where(is_call, np.maximum(call, parity), call - parity)
    result: Floats = np.maximum(held, 0.0, out=held)
    result *= discount
    return result


def _e18(figures: Sequence[int]) -> Floats:
    """Return integers at 1e18 as floats, each rounded once."""
    return np.array([figure / E18 for figure in figures])


@dataclass(frozen=True, slots=True)
class ScenarioBook:
    """Hold portfolios, a row each: places of instruments, amounts (0 pads a row), their gross sum, equity."""

    place: Indices
    amount: Floats
    gross: Floats
    equity: Floats


@dataclass(frozen=True, slots=True)
class ScenarioScreen:
    """Hold for each portfolio its excess, and the band that holds the exact excess around it."""

    excess: Floats
    band: Floats

    @property
    def is_safe(self) -> Bools:
        """Tell whose exact excess is at least zero for certain."""
        return self.excess >= self.band

    @property
    def is_candidate(self) -> Bools:
        """Tell who must be looked at exactly: everybody who is not safe, the certain breaches included."""
        return ~self.is_safe

    @property
    def is_undecided(self) -> Bools:
        """Tell whose verdict the screen cannot know."""
        return ~(np.abs(self.excess) >= self.band)


def book_of(rows: Sequence[Sequence[tuple[int, int]]], equities: Sequence[int]) -> ScenarioBook:
    """Write portfolios, each as (place of the instrument, amount at 1e18) with its equity at 1e18, as columns."""
    width = max((len(row) for row in rows), default=0)
    place = np.zeros((len(rows), width), dtype=np.intp)
    amount = np.zeros((len(rows), width))
    for number, row in enumerate(rows):
        for slot, (where, size) in enumerate(row):
            place[number, slot], amount[number, slot] = where, size / E18
    return ScenarioBook(place, amount, np.abs(amount).sum(axis=1), _e18(equities))


def screen(book: ScenarioBook, grid: PricedGrid) -> ScenarioScreen:
    """Scan every portfolio; refine the band of those whom the coarse one (every option the worst) leaves undecided."""
    width = book.place.shape[1]
    each = grid.slack + (width + 6.0) * U * grid.greatest
    least = least_pnl(book, grid)
    excess = book.equity + least
    around = 4.0 * U * (np.abs(book.equity) - least) + ABSOLUTE
    with np.errstate(invalid="ignore"):
        band = book.gross * (each.max() * SPARE) + around
        rough = np.flatnonzero(~(np.abs(excess) >= band))
    with np.errstate(invalid="ignore"):
        fine = np.where(book.amount[rough] != 0.0, np.abs(book.amount[rough]) * each.take(book.place[rough]), 0.0)
    band[rough] = fine.sum(axis=1) * SPARE + around[rough]
    return ScenarioScreen(excess, band)


def least_pnl(book: ScenarioBook, grid: PricedGrid) -> Floats:
    """Return each portfolio's least PnL, at most zero: a sparse product of amounts and gains, chunk by chunk.

    The PnL of a chunk is folded in the middle and turned before its least is taken: a least over rows is several times
    faster than one within them.
    """
    (count, width), (_, scenarios) = book.place.shape, grid.gains.shape
    least = np.empty(count)
    half = -(-scenarios // 2)
    gathered, pnl = np.empty((CHUNK, width, scenarios)), np.empty((CHUNK, 1, scenarios))
    turned = np.empty((half, CHUNK))
    for start in range(0, count, CHUNK):
        rows = slice(start, min(start + CHUNK, count))
        here = slice(0, rows.stop - start)
        part, sums = gathered[here], pnl[here]
        grid.gains.take(book.place[rows], axis=0, out=part, mode="clip")
        np.matmul(book.amount[rows, None, :], part, out=sums)
        folded = turned[:, here]
        np.minimum(sums[:, 0, :half].T, sums[:, 0, scenarios - half :].T, out=folded)
        folded.min(axis=0, out=least[rows])
    return least
