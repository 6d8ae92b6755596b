"""SVI volatilities: hand cases for every limit, and the checks that a surface must pass before it is used."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from relayer.margin.interval import exact
from relayer.margin.rulesets.black76 import YEAR_S, prices
from relayer.margin.rulesets.svi import (
    Slice,
    SurfaceFault,
    Svi,
    crosses,
    faults,
    grid,
    slice_faults,
    total_variance,
    vol,
)
from tests.relayer.margin import decimal_oracle as oracle

E18 = 10**18
CALM = Svi(a=4 * 10**16, b=10**17, rho=-3 * 10**17, m=0, sigma=10**17, forward=1000 * E18, tau=E18)


def reference(svi: Svi, strike: int) -> Fraction:
    """Return the volatility by fractions, unclamped total variance aside."""
    a, b, rho, m, sigma, tau = (Fraction(getattr(svi, f), E18) for f in ("a", "b", "rho", "m", "sigma", "tau"))
    limit = 4 * oracle.sqrt(a + b * sigma)
    k = max(-limit, min(limit, oracle.ln(Fraction(strike, svi.forward))))
    w = a + b * (rho * (k - m) + oracle.sqrt((k - m) ** 2 + sigma**2))
    return oracle.sqrt(min(w, Fraction(144)) / tau)


FIGURES = st.tuples(
    st.integers(0, E18),
    st.integers(0, E18),
    st.integers(-E18 + 1, E18 - 1),
    st.integers(-E18, E18),
    st.integers(1, E18),
    st.integers(1, 10**24),
    st.integers(E18 // 1000, 5 * E18),
)


@given(FIGURES, st.integers(1, 10**24))
def test_vol__any_slice__encloses_the_truth(figures: tuple[int, ...], strike: int) -> None:
    svi = Svi(*figures)
    assume(svi.a + svi.b * svi.sigma // E18 > 10**6)
    truth = reference(svi, strike)

    got = vol(svi, strike)

    assert got.low <= truth * E18 <= got.high
    time_vol = got.low * svi.tau // E18
    assert time_vol < 10**14 or got.high - got.low <= 4 + 12 * svi.b // time_vol


def test_vol__at_the_money_and_centred__is_the_root_of_a_plus_b_sigma() -> None:
    """K = F, m = 0: w = a + b sigma = 0.04 + 0.01 = 0.05; tau = 1."""
    got = vol(CALM, 1000 * E18)

    assert got.low <= 223606797749978969 < got.high + 1
    assert got.high - got.low <= 1


@pytest.mark.parametrize("factor", [10**3, 10**6, 10**12])
@pytest.mark.parametrize("is_high", [True, False])
def test_vol__strike_beyond_the_clamp__is_that_of_the_clamp(factor: int, is_high: bool) -> None:
    """k is clamped at 4 √0.05 = 0.894427191, at strikes 2445.93 and 408.84; without the clamp w would grow on."""
    edge = 2_446 * E18 if is_high else 408 * E18
    far = CALM.forward * factor if is_high else CALM.forward // factor

    at_edge, beyond = vol(CALM, edge), vol(CALM, far)

    assert beyond == at_edge
    k = 894427191 if is_high else -894427191
    w = Fraction(4, 100) + Fraction(1, 10) * (
        Fraction(-3, 10) * Fraction(k, 10**9) + oracle.sqrt(Fraction(k, 10**9) ** 2 + Fraction(1, 100))
    )
    assert abs(Fraction(beyond.low, E18) - oracle.sqrt(w)) < Fraction(1, 10**9)


def test_vol__just_inside_the_clamp__is_not_that_of_the_clamp() -> None:
    assert vol(CALM, 2_445 * E18) != vol(CALM, 2_446 * E18)
    assert vol(CALM, 409 * E18) != vol(CALM, 408 * E18)


def test_vol__total_variance_above_the_limit__capped_at_twelve() -> None:
    """a = 200: w = 144 and, for tau = 1, vol = 12."""
    got = vol(replace(CALM, a=200 * E18), CALM.forward)

    assert (got.low, got.high) == (12 * E18, 12 * E18)


def test_vol__strike_zero__is_zero() -> None:
    assert vol(CALM, 0) == exact(0)


@pytest.mark.parametrize(
    "svi",
    [
        replace(CALM, b=-1),
        replace(CALM, rho=E18),
        replace(CALM, rho=-E18),
        replace(CALM, sigma=0),
        replace(CALM, tau=0),
        replace(CALM, forward=0),
        replace(CALM, a=-(10**17)),
    ],
)
def test_vol__parameter_out_of_range__refused_and_named(svi: Svi) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        vol(svi, E18)
    assert slice_faults(svi) == (SurfaceFault.PARAMETERS,)


def test_vol__negative_strike__refused() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        vol(CALM, -1)


def test_vol__variance_below_zero_at_the_strike__refused() -> None:
    """b = sigma = 1, rho = 0.6, a = -0.99: the vertex is 0.75 below m, at K = F, and w is -0.99 + 0.8 = -0.19."""
    svi = Svi(a=-99 * E18 // 100, b=E18, rho=6 * E18 // 10, m=75 * E18 // 100, sigma=E18, forward=E18, tau=E18)

    with pytest.raises(ValueError, match="negative total variance"):
        vol(svi, E18)
    assert slice_faults(svi) == (SurfaceFault.VARIANCE,)


# --- checks ----------------------------------------------------------------------------------------------------------


def test_slice_faults__calm_slice__none() -> None:
    assert slice_faults(CALM) == ()


def test_slice_faults__least_variance_at_zero_and_one_unit_below__boundary() -> None:
    """a = -b sigma √(1 - rho²) with b sigma = 1, rho = 0.6: least w is 0 at a = -0.8, and negative one unit below."""
    edge = Svi(a=-8 * E18 // 10, b=E18, rho=6 * E18 // 10, m=0, sigma=E18, forward=E18, tau=E18)

    assert SurfaceFault.VARIANCE not in slice_faults(edge)
    assert slice_faults(replace(edge, a=edge.a - 1)) == (SurfaceFault.VARIANCE,)


def test_slice_faults__wings_at_two_and_above__boundary() -> None:
    """b (1 + abs(rho)) = 1.6 · 1.25 = 2."""
    edge = Svi(a=E18, b=16 * E18 // 10, rho=-E18 // 4, m=0, sigma=E18, forward=E18, tau=E18)

    assert SurfaceFault.WINGS not in slice_faults(edge)
    assert SurfaceFault.WINGS in slice_faults(replace(edge, b=edge.b + 1))


def test_slice_faults__butterfly__found_where_a_butterfly_of_calls_has_a_negative_price() -> None:
    kinked = Svi(a=0, b=2 * 10**17, rho=-6 * 10**17, m=0, sigma=5 * 10**16, forward=1000 * E18, tau=E18)
    strike, step = 893_597 * 10**15, 4 * E18

    left, middle, right = (
        prices(exact(kinked.forward), k, vol(kinked, k), YEAR_S).call for k in (strike - step, strike, strike + step)
    )

    assert (left + right - middle.times(2 * E18)).high < 0
    assert slice_faults(kinked) == (SurfaceFault.BUTTERFLY,)


def test_slice_faults__steep_slice_saved_by_its_curvature__none() -> None:
    """At k = -0.0795 slope alone would make g -0.018; calls around it still form butterflies of positive price."""
    bent = Svi(a=0, b=10**17, rho=-6 * 10**17, m=0, sigma=5 * 10**16, forward=1000 * E18, tau=E18)
    strike, step = 923_578 * 10**15, 4 * E18

    left, middle, right = (
        prices(exact(bent.forward), k, vol(bent, k), YEAR_S).call for k in (strike - step, strike, strike + step)
    )

    assert (left + right - middle.times(2 * E18)).low > 0
    assert slice_faults(bent) == ()


def test_slice_faults__variance_zero_on_the_grid__fails_butterfly() -> None:
    flat = Svi(a=-E18, b=E18, rho=0, m=0, sigma=E18, forward=E18, tau=E18)

    assert slice_faults(flat) == (SurfaceFault.BUTTERFLY,)


def test_faults__calendar__later_slice_must_not_say_less() -> None:
    near, far = CALM, replace(CALM, a=CALM.a + 10**16, tau=2 * E18)

    assert faults((Slice(near, 100), Slice(far, 100)), 100, 60) == ()
    assert faults((Slice(far, 100), Slice(near, 100)), 100, 60) == ((SurfaceFault.CALENDAR, 1),)
    assert not crosses(near, near)


def test_faults__broken_neighbour__calendar_is_not_asked() -> None:
    broken = replace(CALM, b=-1)

    assert faults((Slice(broken, 100), Slice(CALM, 100)), 100, 60) == ((SurfaceFault.PARAMETERS, 0),)
    assert faults((Slice(CALM, 100), Slice(broken, 100)), 100, 60) == ((SurfaceFault.PARAMETERS, 1),)


@pytest.mark.parametrize(("as_of", "is_old"), [(160, False), (161, True), (100, False), (99, True)])
def test_faults__age__at_the_limit_and_beyond(as_of: int, is_old: bool) -> None:
    found = faults((Slice(CALM, 100),), as_of, 60)

    assert found == (((SurfaceFault.AGE, 0),) if is_old else ())


def test_grid__calm_slice__reaches_the_clamp_on_both_sides() -> None:
    points = grid(CALM)

    assert len(points) == 65
    assert points[32] == 0
    assert abs(points[-1] - 894427190999915878) < 10
    assert points[0] == -points[-1]


def test_total_variance__by_hand__at_the_vertex() -> None:
    """rho = 0: the least w is a + b sigma = 0.05, at k = m."""
    got = total_variance(replace(CALM, rho=0), 0)

    assert got.low <= 5 * 10**16 <= got.high
    assert got.high - got.low <= 1
