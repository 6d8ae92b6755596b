"""Judge a figure against a reference, within the tolerance that the reference file states.

| mode | a figure passes when |
|---|---|
| `exact` | it is equal as an integer, a decimal, a boolean or a text |
| `rel` | abs(got - expected) <= max(value * abs(expected), abs_floor if given) |
| `abs` | abs(got - expected) <= value |
| `abs_or_rel` | the difference is <= abs, or <= rel * abs(expected) |
| `integer_part` | got, rounded half-even to `round_decimals` decimals, then truncated toward zero, is expected |

Every comparison is made on fractions: a float counts for the binary value it is, a text for the decimal it says, and
a tolerance for the decimal that the file shows. null in `expected`, as a key or as an entry of a list, is not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

Tolerance = Mapping[str, Any]


def assert_expected(case: Mapping[str, Any], got: Mapping[str, Any]) -> None:
    """Compare every key of the case's `expected` that is not null; all misses stand in one message."""
    checked = {key: value for key, value in case["expected"].items() if value is not None}
    absent = sorted(set(checked) - set(got))
    assert not absent, f"{case['id']}: nothing was computed for {absent}"

    misses = [
        miss for key, value in checked.items() for miss in misses_of(key, got[key], value, case.get("tolerance", EXACT))
    ]

    assert not misses, "\n".join([f"{case['id']} ({case['kind']})", *misses])


EXACT: Tolerance = {"mode": "exact"}


def misses_of(path: str, got: object, expected: object, tolerance: Tolerance) -> Iterator[str]:
    """Yield one line for each entry below `path` that lies outside the tolerance."""
    if expected is None:
        return
    if isinstance(expected, Mapping):
        entries = got if isinstance(got, Mapping) else {}
        for key, value in expected.items():
            yield from misses_of(f"{path}.{key}", entries.get(key), value, tolerance)
    elif isinstance(expected, Sequence) and not isinstance(expected, str):
        yield from _sequence_misses(path, got, expected, tolerance)
    elif not is_within(got, expected, tolerance):
        yield f"{path}: got {got!r}, expected {expected!r} within {dict(tolerance)}"


def _sequence_misses(path: str, got: object, expected: Sequence[object], tolerance: Tolerance) -> Iterator[str]:
    entries = _entries(got)
    if entries is None or len(entries) != len(expected):
        yield f"{path}: got {got!r}, expected {len(expected)} entries"
        return
    for index, (entry, value) in enumerate(zip(entries, expected, strict=True)):
        yield from misses_of(f"{path}[{index}]", entry, value, tolerance)


def _entries(got: object) -> list[Any] | None:
    """Return a list, tuple or array as a list; None for anything else."""
    if hasattr(got, "tolist"):
        got = got.tolist()
    return list(got) if isinstance(got, list | tuple) else None


def is_within(got: object, expected: object, tolerance: Tolerance) -> bool:
    """Tell whether one figure meets its reference. Booleans and texts that are no numbers must be equal."""
    if isinstance(expected, bool) or isinstance(got, bool):
        return got is expected
    wanted, found = number(expected), number(got)
    if wanted is None or found is None:
        return type(got) is type(expected) and got == expected
    return MODES[tolerance["mode"]](found, wanted, tolerance)


def number(value: object) -> Fraction | None:
    """Return the exact value of an integer, float, fraction or decimal text; None for anything else, NaN included."""
    try:
        return Fraction(value.item() if hasattr(value, "item") else value)  # type: ignore[arg-type]
    except (ValueError, TypeError, OverflowError):
        return None


def limit(tolerance: Tolerance, key: str) -> Fraction:
    """Return a number of the tolerance as the decimal that the file shows."""
    return Fraction(str(tolerance.get(key, 0)))


def _rel(got: Fraction, expected: Fraction, tolerance: Tolerance) -> bool:
    bound = max(limit(tolerance, "value") * abs(expected), limit(tolerance, "abs_floor"))
    return abs(got - expected) <= bound


def _abs(got: Fraction, expected: Fraction, tolerance: Tolerance) -> bool:
    return abs(got - expected) <= limit(tolerance, "value")


def _abs_or_rel(got: Fraction, expected: Fraction, tolerance: Tolerance) -> bool:
    difference = abs(got - expected)
    return difference <= limit(tolerance, "abs") or difference <= limit(tolerance, "rel") * abs(expected)


def _integer_part(got: Fraction, expected: Fraction, tolerance: Tolerance) -> bool:
    rounded = round(got, int(tolerance["round_decimals"]))
    return int(rounded) == expected


MODES: Mapping[str, Callable[[Fraction, Fraction, Tolerance], bool]] = {
    "exact": lambda got, expected, _tolerance: got == expected,
    "rel": _rel,
    "abs": _abs,
    "abs_or_rel": _abs_or_rel,
    "integer_part": _integer_part,
}
