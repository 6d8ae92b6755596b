"""Aave v3: how indices grow between two blocks, as contracts and as the client library compute it.

Units: rates and indices in ray (rates per year of 31,536,000 s), times in seconds.

| index | figure | rounding |
|---|---|---|
| liquidity, linear | 1 + ⌊rate · t / year⌋ | down, then half up onto the index |
| borrow, compounded (from 3.6) | x = ⌊rate · t / year⌋; 1 + x + x⊗(⌊x / 2⌋ + x⊗⌊x / 6⌋) | as written; ⊗ is half up |
| borrow, compounded (3.0) | binomial terms of t, t(t-1), t(t-1)(t-2); powers of the rate by year first | as written |
| client library | rate per second ⌊rate / year⌋, then the binomial of 3.0 without the divisions | ⊗ is half up |

The client's figures lie below the contract's by up to one part in 10^9 at small rates: they are for comparison with its
published numbers, never for a verdict. Balances of the client pass through ray precision and round half up at the end.

Source: aave-dao/aave-v3-origin `MathUtils`; @aave/core-v3 1.19.3 `MathUtils`; aave/aave-utilities `pool-math`.
"""

from __future__ import annotations

from typing import Final

from relayer.margin.fixed_point import RAY, YEAR_S, mul_div_half_up, ray_mul_half_up

WAD_TO_RAY: Final = 10**9


def linear_interest(rate_ray: int, elapsed_s: int) -> int:
    """Return the factor of simple interest, 1 + ⌊rate · t / year⌋, in ray."""
    return RAY + rate_ray * elapsed_s // YEAR_S


def normalized_income(index_ray: int, rate_ray: int, elapsed_s: int) -> int:
    """Return the liquidity index as of now."""
    return ray_mul_half_up(linear_interest(rate_ray, elapsed_s), index_ray)


def compounded_interest(rate_ray: int, elapsed_s: int) -> int:
    """Return the factor of compound interest as contracts from 3.6 on approximate it, in ray."""
    x = rate_ray * elapsed_s // YEAR_S
    return RAY + x + ray_mul_half_up(x, x // 2 + ray_mul_half_up(x, x // 6))


def compounded_interest_binomial(rate_ray: int, elapsed_s: int) -> int:
    """Return the factor of compound interest as contracts of 3.0 approximate it, in ray."""
    if elapsed_s == 0:
        return RAY
    square = ray_mul_half_up(rate_ray, rate_ray) // (YEAR_S * YEAR_S)
    cube = ray_mul_half_up(square, rate_ray) // YEAR_S
    second, third = _binomial_terms(elapsed_s, square, cube)
    return RAY + rate_ray * elapsed_s // YEAR_S + second + third


def normalized_debt(index_ray: int, interest_ray: int) -> int:
    """Return the borrow index as of now; `interest_ray` is the compounded factor since its last update."""
    return ray_mul_half_up(interest_ray, index_ray)


def client_compounded_interest(rate_ray: int, elapsed_s: int) -> int:
    """Return the client library's factor of compound interest, in ray."""
    if elapsed_s == 0:
        return RAY
    per_second = rate_ray // YEAR_S
    square = ray_mul_half_up(per_second, per_second)
    second, third = _binomial_terms(elapsed_s, square, ray_mul_half_up(square, per_second))
    return RAY + elapsed_s * per_second + second + third


def client_balance(scaled: int, index_ray: int) -> int:
    """Return scaled · index as the client library does: at ray precision, then half up to token units."""
    return mul_div_half_up(ray_mul_half_up(scaled * WAD_TO_RAY, index_ray), 1, WAD_TO_RAY)


def _binomial_terms(elapsed_s: int, square: int, cube: int) -> tuple[int, int]:
    pairs = elapsed_s * (elapsed_s - 1)
    return pairs * square // 2, pairs * max(0, elapsed_s - 2) * cube // 6
