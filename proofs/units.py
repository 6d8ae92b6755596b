"""Money arithmetic on integers; whoever rounds says so in its name.

`_down` is toward negative infinity, `_up` toward positive infinity, for every sign. Assets go down, debts and
requirements go up. There is no float, no Decimal and no true division here or in anything that imports this for money.

| type | scale |
|---|---|
| `UsdE18` | US dollars x 10^18, signed unless a name says otherwise |
| `PriceE18` | US dollars per whole token x 10^18, > 0 |
| `RawAmount` | base units of a token, as its contract counts them |
| `Ppm` | parts per million, 0 … 1_000_000 for fractions |
"""

from __future__ import annotations

import re
from typing import Final, NewType

UsdE18 = NewType("UsdE18", int)
PriceE18 = NewType("PriceE18", int)
RawAmount = NewType("RawAmount", int)
Ppm = NewType("Ppm", int)

E18: Final = 10**18
PPM: Final = 1_000_000
UINT128_MAX: Final = 2**128 - 1
UINT256_MAX: Final = 2**256 - 1
DECIMALS_MAX: Final = 77
"""10^77 is the largest power of ten below 2^256; more decimals name no token."""

_DECIMAL = re.compile(r"(-?)(0|[1-9][0-9]{0,77})(?:\.([0-9]{1,77}))?")


def mul_div_down(a: int, b: int, denominator: int) -> int:
    """Return floor(a * b / denominator) for denominator > 0.

    Raises: ValueError for a denominator that is not positive.
    """
    if denominator <= 0:
        raise ValueError(f"denominator must be positive, got {denominator}")
    return a * b // denominator


def mul_div_up(a: int, b: int, denominator: int) -> int:
    """Return ceil(a * b / denominator) for denominator > 0.

    Raises: ValueError for a denominator that is not positive.
    """
    if denominator <= 0:
        raise ValueError(f"denominator must be positive, got {denominator}")
    return -(-(a * b) // denominator)


def value_down(amount_raw: int, price_e18: int, decimals: int) -> UsdE18:
    """Return the value of an amount, floor(amount * price / 10^decimals), UsdE18."""
    return UsdE18(mul_div_down(amount_raw, price_e18, power_of_ten(decimals)))


def value_up(amount_raw: int, price_e18: int, decimals: int) -> UsdE18:
    """Return the value of an amount, ceil(amount * price / 10^decimals), UsdE18."""
    return UsdE18(mul_div_up(amount_raw, price_e18, power_of_ten(decimals)))


def share_down(value: int, ppm: int) -> int:
    """Return floor(value * ppm / 10^6)."""
    return mul_div_down(value, ppm, PPM)


def share_up(value: int, ppm: int) -> int:
    """Return ceil(value * ppm / 10^6)."""
    return mul_div_up(value, ppm, PPM)


def compose_haircuts_up(*haircuts_ppm: int) -> Ppm:
    """Return 1 - Π(1 - h) in ppm, rounded up once at the end: a haircut never rounds in the account's favour.

    Raises: ValueError for a haircut outside 0 … 1_000_000.
    """
    keep, scale = 1, 1
    for haircut in haircuts_ppm:
        if not 0 <= haircut <= PPM:
            raise ValueError(f"haircut outside 0..{PPM} ppm: {haircut}")
        keep, scale = keep * (PPM - haircut), scale * PPM
    return Ppm(PPM - mul_div_down(PPM, keep, scale))


def rescale_down(value: int, from_decimals: int, to_decimals: int) -> int:
    """Move a value between decimal scales, rounding down where digits are lost."""
    return mul_div_down(value, power_of_ten(to_decimals), power_of_ten(from_decimals))


def rescale_up(value: int, from_decimals: int, to_decimals: int) -> int:
    """Move a value between decimal scales, rounding up where digits are lost."""
    return mul_div_up(value, power_of_ten(to_decimals), power_of_ten(from_decimals))


def parse_decimal(text: str, decimals: int) -> int:
    """Parse a decimal string exactly into an integer scaled by 10^decimals.

    Raises: ValueError for exponents, blanks, a plus sign, leading zeros, or more fraction digits than `decimals`.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError(f"not a plain decimal string: {text[:80]!r}")
    sign, whole, fraction = match.group(1), match.group(2), match.group(3) or ""
    if len(fraction.rstrip("0")) > decimals:
        raise ValueError(f"more than {decimals} fraction digits: {text[:80]!r}")
    scaled = int(whole) * power_of_ten(decimals) + int((fraction[:decimals]).ljust(decimals, "0") or "0")
    return -scaled if sign else scaled


def format_decimal(value: int, decimals: int) -> str:
    """Format a scaled integer as an exact decimal string without trailing zeros."""
    sign, magnitude = ("-" if value < 0 else ""), abs(value)
    whole, fraction = divmod(magnitude, power_of_ten(decimals))
    digits = str(fraction).rjust(decimals, "0").rstrip("0") if decimals else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def power_of_ten(decimals: int) -> int:
    """Return 10^decimals.

    Raises: ValueError for decimals that no token can have.
    """
    if not 0 <= decimals <= DECIMALS_MAX:
        raise ValueError(f"decimals outside 0..{DECIMALS_MAX}: {decimals}")
    power: int = 10**decimals
    return power
