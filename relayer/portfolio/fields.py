"""Fields of portfolio files: text or small integers in, exact scaled integers out.

A message of these validators is `problem; fix`, on one line, and is shown with the key in front.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)

from proofs.types import parse_chain_id
from proofs.units import DECIMALS_MAX, E18, PPM, UINT256_MAX, format_decimal, parse_decimal

NUMBER_CHARS_MAX: Final = 120
PRICE_SCALE: Final = 36
"""A Morpho oracle's price has 36 decimals; no venue's has more."""
TIME_MAX: Final = 2**36
"""The year 4147."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+ -]{0,63}")
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,77})")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.0+)?([Zz]|[+-]\d\d:\d\d)")
_DECIMAL: Final = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"


class Table(BaseModel):
    """Be strict: unknown keys are refused and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def either(text: dict[str, object]) -> WithJsonSchema:
    """Return the schema of what is text of that kind or an integer."""
    return WithJsonSchema({"anyOf": [text, {"type": "integer"}]})


def decimal_schema(scale: int) -> WithJsonSchema:
    """Return the schema of an exact decimal."""
    note = f"exact decimal, at most {scale} fraction digits" if scale else "whole number"
    return either({"type": "string", "pattern": _DECIMAL, "maxLength": NUMBER_CHARS_MAX, "description": note})


def fixed(scale: int, least: int = -UINT256_MAX, greatest: int = UINT256_MAX) -> PlainValidator:
    """Return a validator that takes an exact decimal and gives it times 10^scale, between `least` and `greatest`."""
    return PlainValidator(partial(scaled, scale=scale, bounds=(least, greatest)))


def scaled(value: object, scale: int, bounds: tuple[int, int] = (-UINT256_MAX, UINT256_MAX)) -> int:
    """Return a decimal string, or an integer of whole units, times 10^scale. Raises: ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError('not a number; write a decimal string such as "1.5"')
    if isinstance(value, str) and len(value) > NUMBER_CHARS_MAX:
        raise ValueError(f"a number of {len(value)} characters; at most {NUMBER_CHARS_MAX}")
    number = parse_decimal(str(value), scale)
    if number < bounds[0]:
        raise ValueError(f"{value} is too small; write at least {format_decimal(bounds[0], scale)}")
    if number > bounds[1]:
        raise ValueError(f"{str(value)[:40]} is too large; write at most {format_decimal(bounds[1], scale)}")
    return number


def whole(value: object) -> int:
    """Return an integer, given as one or as its digits. Raises: ValueError for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    raise ValueError("not a whole number; write an integer, or its digits in quotes where it is beyond 2^53")


def seconds(value: object) -> int:
    """Return Unix seconds of an RFC 3339 time or of a number of seconds. Raises: ValueError for anything else."""
    if isinstance(value, str) and _TIME.fullmatch(value):
        try:
            number = int(datetime.fromisoformat(value.upper()).timestamp())
        except ValueError:
            raise ValueError(f"no such time: {value}; write 2025-03-01T00:00:00Z") from None
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        raise ValueError("not a time; write 2025-03-01T00:00:00Z or Unix seconds")
    if not 0 <= number <= TIME_MAX:
        raise ValueError("a time out of range; write 2025-03-01T00:00:00Z or Unix seconds")
    return number


def checked(check: Callable[[str], object]) -> AfterValidator:
    """Return a validator that keeps the text and lets `check` refuse it."""

    def keep(text: str) -> str:
        check(text)
        return text

    return AfterValidator(keep)


def _check_name(text: str) -> None:
    if not _NAME.fullmatch(text):
        raise ValueError(f"not a name: {text[:64]!r}; at most 64 letters, digits and . _ : @ / + - blank")


def _check_chain(text: str) -> None:
    try:
        parse_chain_id(text)
    except ValueError:
        raise ValueError(f"not a chain: {text[:64]!r}; write eip155:1") from None


def _check_line(text: str) -> None:
    if not text.isprintable():
        raise ValueError("control characters; write one plain line")


def _number_text(value: object) -> str:
    scaled(value, DECIMALS_MAX, (-(10**200), 10**200))
    return str(value)


NameText = Annotated[
    StrictStr, checked(_check_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"})
]
ChainText = Annotated[
    StrictStr, checked(_check_chain), WithJsonSchema({"type": "string", "pattern": "^eip155:(0|[1-9][0-9]{0,17})$"})
]
LineText = Annotated[StrictStr, Field(max_length=200), checked(_check_line)]
NumberText = Annotated[str, PlainValidator(_number_text), decimal_schema(DECIMALS_MAX)]
"""A number whose decimals another key says."""
WholeNumber = Annotated[int, PlainValidator(whole), either({"type": "string", "pattern": "^-?(0|[1-9][0-9]*)$"})]
Units = Annotated[int, PlainValidator(whole), Field(ge=0), either({"type": "string", "pattern": "^(0|[1-9][0-9]*)$"})]
"""A whole number of smallest units, never below zero."""
Fixed18 = Annotated[int, fixed(18), decimal_schema(18)]
Share = Annotated[int, fixed(18, 0, E18), decimal_schema(18)]
PriceNumber = Annotated[int, fixed(PRICE_SCALE, 1, 10**72), decimal_schema(PRICE_SCALE)]
Instant = Annotated[int, PlainValidator(seconds), either({"type": "string", "format": "date-time"})]
Decimals = Annotated[StrictInt, Field(ge=0, le=DECIMALS_MAX)]
Natural = Annotated[StrictInt, Field(ge=0)]
BufferPpm = Annotated[StrictInt, Field(ge=PPM, le=10 * PPM)]
Flag = StrictBool
