"""Fixed-point arithmetic as contracts do it, with the rounding in every name.

Mirrored rule sets need the very rounding of their venue, step by step; `proofs.units` knows what the house needs (down
for assets, up for debts), this module the rest. All of it is integers, exact at any width: where a contract would
revert because a product leaves 256 bits, the figure here is the mathematical one.

| suffix | returns | negative operands |
|---|---|---|
| `_down` | floor | toward negative infinity |
| `_up` | ceiling | toward positive infinity |
| `_half_up` | nearest, halves up | refused: contracts have it for unsigned words only |
| `_truncated` | toward zero | as Solidity's and Go's signed division |

| family | one is |
|---|---|
| percent | 10^4 |
| wad | 10^18 |
| ray | 10^27 |

Multiplication is a · b / one, division a · one / b.
"""

from __future__ import annotations

from typing import Final

from proofs.units import mul_div_down, mul_div_up

PERCENT: Final = 10**4
WAD: Final = 10**18
RAY: Final = 10**27
YEAR_S: Final = 365 * 24 * 60 * 60
"""Contracts know no leap years."""


def mul_div_half_up(a: int, b: int, denominator: int) -> int:
    """Return a * b / denominator, rounded to the nearest integer, halves up; for unsigned operands.

    The half is ⌊denominator / 2⌋, as contracts take it: of an odd denominator no fraction is exactly a half.
    Raises: ValueError for a negative operand or a denominator that is not positive.
    """
    if a < 0 or b < 0:
        raise ValueError(f"half-up rounding is for unsigned operands, got {a} and {b}")
    if denominator <= 0:
        raise ValueError(f"denominator must be positive, got {denominator}")
    return (a * b + denominator // 2) // denominator


def mul_div_truncated(a: int, b: int, denominator: int) -> int:
    """Return a * b / denominator toward zero, for operands of any sign and a positive denominator.

    Raises: ValueError for a denominator that is not positive.
    """
    product = a * b
    return -mul_div_down(-product, 1, denominator) if product < 0 else mul_div_down(product, 1, denominator)


def scale_by_power_of_ten_truncated(value: int, exponent: int) -> int:
    """Return value * 10^exponent toward zero; the exponent may be negative."""
    power: int = 10 ** abs(exponent)
    return value * power if exponent >= 0 else mul_div_truncated(value, 1, power)


# --- percent, wad, ray: multiplication -------------------------------------------------------------------------------


def percent_mul_half_up(a: int, b: int) -> int:
    """Return a * b / 10^4, halves up."""
    return mul_div_half_up(a, b, PERCENT)


def percent_mul_down(a: int, b: int) -> int:
    """Return floor(a * b / 10^4)."""
    return mul_div_down(a, b, PERCENT)


def percent_mul_up(a: int, b: int) -> int:
    """Return ceil(a * b / 10^4)."""
    return mul_div_up(a, b, PERCENT)


def wad_mul_half_up(a: int, b: int) -> int:
    """Return a * b / 10^18, halves up."""
    return mul_div_half_up(a, b, WAD)


def wad_mul_down(a: int, b: int) -> int:
    """Return floor(a * b / 10^18)."""
    return mul_div_down(a, b, WAD)


def wad_mul_up(a: int, b: int) -> int:
    """Return ceil(a * b / 10^18)."""
    return mul_div_up(a, b, WAD)


def ray_mul_half_up(a: int, b: int) -> int:
    """Return a * b / 10^27, halves up."""
    return mul_div_half_up(a, b, RAY)


def ray_mul_down(a: int, b: int) -> int:
    """Return floor(a * b / 10^27)."""
    return mul_div_down(a, b, RAY)


def ray_mul_up(a: int, b: int) -> int:
    """Return ceil(a * b / 10^27)."""
    return mul_div_up(a, b, RAY)


# --- percent, wad, ray: division -------------------------------------------------------------------------------------


def percent_div_half_up(a: int, b: int) -> int:
    """Return a * 10^4 / b, halves up."""
    return mul_div_half_up(a, PERCENT, b)


def percent_div_down(a: int, b: int) -> int:
    """Return floor(a * 10^4 / b)."""
    return mul_div_down(a, PERCENT, b)


def percent_div_up(a: int, b: int) -> int:
    """Return ceil(a * 10^4 / b)."""
    return mul_div_up(a, PERCENT, b)


def wad_div_half_up(a: int, b: int) -> int:
    """Return a * 10^18 / b, halves up."""
    return mul_div_half_up(a, WAD, b)


def wad_div_down(a: int, b: int) -> int:
    """Return floor(a * 10^18 / b)."""
    return mul_div_down(a, WAD, b)


def wad_div_up(a: int, b: int) -> int:
    """Return ceil(a * 10^18 / b)."""
    return mul_div_up(a, WAD, b)


def ray_div_half_up(a: int, b: int) -> int:
    """Return a * 10^27 / b, halves up."""
    return mul_div_half_up(a, RAY, b)


def ray_div_down(a: int, b: int) -> int:
    """Return floor(a * 10^27 / b)."""
    return mul_div_down(a, RAY, b)


def ray_div_up(a: int, b: int) -> int:
    """Return ceil(a * 10^27 / b)."""
    return mul_div_up(a, RAY, b)
