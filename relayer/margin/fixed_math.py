"""Bound exp, ln, powers, square roots and the normal distribution by integers: the same on every machine.

Two layers. `*_bounds` work in units u = 2^-192 (far below 1e-36) and return (low, high) with low <= truth <= high;
`*_down` and `*_up` take and give integers at 1e18 and are those bounds rounded outward: floor(low), ceil(high). So a
result of `_down` is never above the truth and one of `_up` never below it. Where the inner error is less than 1e-18
(all but exp beyond e^80) they are neighbours, or two apart when the truth lies within the inner error of a multiple of
1e-18; truths that are multiples (exp 0, ln 1, N(0), perfect squares) are returned exactly by both.

Inner errors; every truncation loses less than 1 u, and ln 2 is off by less than 1.01 u.

ln, 128 + k: n : d = 2^k m with 181/256 <= m < 181/128, z = (m - 1)/(m + 1), abs(z) < 0.1723, z² < 0.0297, and
ln m = 2 Σ z^(2i+1)/(2i+1). z is off by < 1, z² by < 1.4; a power by e <- 0.0297 e + 0.1723 · 1.4 + 1 < 1.4; each of
at most 40 quotients by < 1 + 1.4/(2i+1), their sum by < 40 + 1.4 · 2.9; the dropped rest < 3; doubled < 96.
k ln 2 is off by < 1.01 k.

exp, (128 + 2 k) 2^k: x = k ln 2 + r, abs(r) < 0.35. r is off by < 1.01 k, which moves e^r by < 1.44 k. Taylor: a term
is off by e <- (0.35 e + 1)/n + 1 < 2.1, at most 45 terms < 95, the dropped rest < 4.

N, 1024: N(x) = 1/2 + φ(x) S, S = Σ x^(2n+1)/(2n+1)!!, all terms of one sign. (2n+1)!! >= 2^n n!, so S/x <= e^(x²/2)
and φ S/x < 0.4: a unit lost in a term costs at most S/x in S (later ratios of terms are smaller) and 0.4 in N. At most
460 terms for x < 15: truncated terms cost < 0.4 · 460; x² truncated n times costs n t_n/x² a term (Bernoulli), < S/2 in
all, < 1 in N; the dropped rest < 0.8 · 462, as the loop ends where terms more than halve. φ is off by a relative
(128 + 2 · 163)/0.7 + 4, which moves φ S < 1/2 by < 330. Together < 900.

N, abs(x) >= 15, 2^-167: 0 < N(-x) < φ(x)/x <= φ(15)/15 < 2^-167.

Monotone: between neighbouring inputs at 1e18 exp, N, and ln below 2^110, move by more than twice their inner error
wherever the result is a unit or more away from its limits, and are constant beyond: `_down` and `_up` never fall.
"""

from __future__ import annotations

from math import isqrt
from typing import Final

from proofs.units import E18

FINE: Final = 192
"""The inner unit is 2^-FINE."""
ONE: Final = 1 << FINE
EXP_INPUT_MAX_E18: Final = 200 * E18
"""Beyond e^200 nothing in a margin formula is meant."""
TAIL: Final = 15 << FINE
TAIL_BOUND: Final = 1 << (FINE - 167)
CDF_ERROR: Final = 1024
Bounds = tuple[int, int]


def exp_down(x_e18: int) -> int:
    """Return e^x at 1e18, rounded down."""
    return _floor_e18(exp_bounds(x_e18, E18)[0])


def exp_up(x_e18: int) -> int:
    """Return e^x at 1e18, rounded up."""
    return _ceil_e18(exp_bounds(x_e18, E18)[1])


def ln_down(x_e18: int) -> int:
    """Return ln x at 1e18, rounded toward minus infinity."""
    return _floor_e18(ln_bounds(x_e18, E18)[0])


def ln_up(x_e18: int) -> int:
    """Return ln x at 1e18, rounded toward infinity."""
    return _ceil_e18(ln_bounds(x_e18, E18)[1])


def sqrt_down(x_e18: int) -> int:
    """Return the square root at 1e18, rounded down."""
    return isqrt(x_e18 * E18)


def sqrt_up(x_e18: int) -> int:
    """Return the square root at 1e18, rounded up."""
    return isqrt_up(x_e18 * E18)


def pow_down(base_e18: int, power_e18: int) -> int:
    """Return base^power at 1e18 for base > 0, rounded down."""
    return _floor_e18(pow_bounds(base_e18, power_e18)[0])


def pow_up(base_e18: int, power_e18: int) -> int:
    """Return base^power at 1e18 for base > 0, rounded up."""
    return _ceil_e18(pow_bounds(base_e18, power_e18)[1])


def normal_cdf_down(x_e18: int) -> int:
    """Return the standard normal distribution N(x) at 1e18, rounded down, in [0, 1]."""
    return _floor_e18(normal_cdf_bounds((x_e18 << FINE) // E18)[0])


def normal_cdf_up(x_e18: int) -> int:
    """Return the standard normal distribution N(x) at 1e18, rounded up, in [0, 1]."""
    return _ceil_e18(normal_cdf_bounds(-((-x_e18 << FINE) // E18))[1])


def isqrt_up(value: int) -> int:
    """Return the least integer whose square is at least `value`."""
    root = isqrt(value)
    return root if root * root == value else root + 1


# --- bounds in units of 2^-192 ---------------------------------------------------------------------------------------


def ln_bounds(numerator: int, denominator: int) -> Bounds:
    """Return bounds of ln(numerator : denominator).

    Raises: ValueError unless both are positive.
    """
    if numerator <= 0 or denominator <= 0:
        raise ValueError(f"logarithm of {numerator} : {denominator}")
    if numerator == denominator:
        return 0, 0
    k = numerator.bit_length() - denominator.bit_length()
    top, bottom = numerator << max(-k, 0), denominator << max(k, 0)
    if top * 128 >= bottom * 181:
        k, bottom = k + 1, bottom * 2
    elif top * 256 < bottom * 181:
        k, top = k - 1, top * 2
    z = (abs(top - bottom) << FINE) // (top + bottom)
    total = 2 * _atanh(z)
    middle = k * LN_2 + (total if top >= bottom else -total)
    error = 128 + abs(k)
    return middle - error, middle + error


def exp_bounds(numerator: int, denominator: int) -> Bounds:
    """Return bounds of e^(numerator : denominator) for a denominator > 0; the lower one is at least 0.

    Raises: ValueError beyond `EXP_INPUT_MAX_E18` above.
    """
    if numerator == 0:
        return ONE, ONE
    return exp_fine((numerator << FINE) // denominator, 1)


def exp_fine(x: int, width: int) -> Bounds:
    """Return bounds of e^t for every t in [x, x + width], both in units of 2^-192, width <= 2^192."""
    if x * E18 > EXP_INPUT_MAX_E18 << FINE:
        raise ValueError("exponent above 200")
    middle, k, error = _exp(x)
    low, high = middle - error, middle + error
    high += ((high * width) >> (FINE - 1)) + 1
    return max(_shift_down(low, k), 0), _shift_up(high, k)


def pow_bounds(base_e18: int, power_e18: int) -> Bounds:
    """Return bounds of base^power = e^(power ln base).

    Raises: ValueError for a base that is not positive, or a result above e^200.
    """
    if power_e18 == 0 or base_e18 == E18:
        return ONE, ONE
    low, high = ln_bounds(base_e18, E18)
    ends = (low * power_e18, high * power_e18)
    start = min(ends) // E18
    return exp_fine(start, -(-max(ends) // E18) - start)


def normal_cdf_bounds(x: int) -> Bounds:
    """Return bounds of N(x), x in units of 2^-192 and exact."""
    if x <= -TAIL:
        return 0, TAIL_BOUND
    if x >= TAIL:
        return ONE - TAIL_BOUND, ONE
    half = ONE >> 1
    if x == 0:
        return half, half
    size = abs(x)
    square = (size * size) >> FINE
    density, k, _ = _exp(-(square >> 1))
    part = ((_odd_factorial_series(size, square) * density >> FINE) * INVERSE_ROOT_2_PI) >> (FINE - k)
    middle = half + part if x > 0 else half - part
    return max(middle - CDF_ERROR, 0), min(middle + CDF_ERROR, ONE)


# --- the series ------------------------------------------------------------------------------------------------------


def _atanh(z: int) -> int:
    """Return Σ z^(2i+1)/(2i+1), truncated."""
    square, power, total, odd = (z * z) >> FINE, z, 0, 1
    while power:
        total += power // odd
        power = (power * square) >> FINE
        odd += 2
    return total


def _odd_factorial_series(x: int, square: int) -> int:
    """Return Σ x^(2n+1)/(2n+1)!!, truncated; ends where a term is 0 and the terms more than halve."""
    term, total, odd = x, 0, 1
    while term or odd * ONE < 2 * square:
        total += term
        odd += 2
        term = (term * square // odd) >> FINE
    return total


def _exp(x: int) -> tuple[int, int, int]:
    """Return (m, k, error): e^x = (m ± error) 2^k with m near 1, all but k in units of 2^-192."""
    k = (x + (LN_2 >> 1)) // LN_2
    rest = x - k * LN_2
    total, term, n = ONE, rest, 1
    while term not in (0, -1):
        total += term
        n += 1
        term = ((term * rest) >> FINE) // n
    return total, k, 128 + 2 * abs(k)


def _shift_down(value: int, k: int) -> int:
    return value << k if k >= 0 else value >> -k


def _shift_up(value: int, k: int) -> int:
    return value << k if k >= 0 else -(-value >> -k)


def _floor_e18(fine: int) -> int:
    return (fine * E18) >> FINE


def _ceil_e18(fine: int) -> int:
    return -((-fine * E18) >> FINE)


# --- constants, computed once with 64 bits to spare ------------------------------------------------------------------


def _atanh_inverse(n: int, sign: int) -> int:
    """Return Σ sign^i / ((2i+1) n^(2i+1)) in units of 2^-256: atanh(1 : n) for sign 1, atan(1 : n) for sign -1."""
    power, total, odd, factor = (1 << (FINE + 64)) // n, 0, 1, 1
    while power:
        total += factor * (power // odd)
        power //= n * n
        odd, factor = odd + 2, factor * sign
    return total


def _pi_spare() -> int:
    """Return π by Machin's formula, 16 atan(1 : 5) - 4 atan(1 : 239), in units of 2^-256; off by < 2^12 units."""
    return 16 * _atanh_inverse(5, -1) - 4 * _atanh_inverse(239, -1)


LN_2: Final = (2 * _atanh_inverse(3, 1)) >> 64
"""ln 2 = 2 atanh(1 : 3): at most 82 terms, each off by < 2.2 of 2^-256, so off by < 1 u."""
INVERSE_ROOT_2_PI: Final = isqrt((1 << (3 * FINE + 63)) // _pi_spare())
"""1 : √(2π) in units of 2^-192, off by < 1 u: the root of 2^(2·192) : 2π with π in units of 2^-256."""
