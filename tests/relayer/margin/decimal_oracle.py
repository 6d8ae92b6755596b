"""Compute exp, ln, the normal distribution and option prices a second way: decimal arithmetic with 210 digits.

exp, ln and √ are those of the standard library's decimal module (correctly rounded, another algorithm); the normal
distribution is the alternating series of its error function, not the one of the code under test.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from fractions import Fraction

E18 = 10**18
DIGITS = 210
YEAR_S = 31_536_000


def applied(function: Callable[[Decimal], Decimal], x: Fraction) -> Fraction:
    """Apply a function of decimals to x with this module's digits, and an exponent range without end."""
    with localcontext(Context(prec=DIGITS, Emin=-(10**9), Emax=10**9)):
        return Fraction(function(Decimal(x.numerator) / Decimal(x.denominator)))


def exp(x: Fraction) -> Fraction:
    """Return e^x."""
    return applied(Decimal.exp, x)


def ln(x: Fraction) -> Fraction:
    """Return ln x."""
    return applied(Decimal.ln, x)


def sqrt(x: Fraction) -> Fraction:
    """Return √x."""
    return applied(Decimal.sqrt, x)


def normal_cdf(x: Fraction) -> Fraction:
    """Return N(x) = 1/2 + φ(0) Σ (-1)^n x^(2n+1) / (2^n n! (2n+1)), to about 110 digits up to abs(x) = 20.

    There the greatest term is near e^200, 87 digits, which the cancellation costs.
    """
    return applied(_normal_cdf, x)


def inverse_root_2_pi() -> Fraction:
    """Return φ(0) = 1 : √(2π)."""
    return applied(lambda one: one / (2 * _pi()).sqrt(), Fraction(1))


def _normal_cdf(value: Decimal) -> Decimal:
    square, power, total, n = value * value, value, Decimal(0), 0
    while abs(power) > Decimal(10) ** -115 or 2 * n < square:
        total += power / (2 * n + 1)
        n += 1
        power = -power * square / (2 * n)
    return Decimal("0.5") + total / (2 * _pi()).sqrt()


def _pi() -> Decimal:
    """Return π by the iteration of Gauss and Legendre."""
    a, b, t, p = Decimal(1), 1 / Decimal(2).sqrt(), Decimal("0.25"), Decimal(1)
    for _ in range(9):
        middle, b, t0 = (a + b) / 2, (a * b).sqrt(), a
        t, p, a = t - p * (t0 - middle) ** 2, 2 * p, middle
    return (a + b) ** 2 / (4 * t)


def black76(
    forward: Fraction, strike: Fraction, vol: Fraction, seconds: int, discount: Fraction
) -> tuple[Fraction, Fraction]:
    """Return (call, put) of positive inputs, by the two terms each."""
    total_vol = sqrt(vol * vol * seconds / YEAR_S)
    d1 = ln(forward / strike) / total_vol + total_vol / 2
    d2 = d1 - total_vol
    call = forward * _n(d1) - strike * _n(d2)
    put = strike * _n(-d2) - forward * _n(-d1)
    return discount * call, discount * put


def _n(x: Fraction) -> Fraction:
    return Fraction(0) if x < -19 else Fraction(1) if x > 19 else normal_cdf(x)
