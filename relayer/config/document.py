"""TOML text to a plain document, and what pydantic says about it to faults that an operator can act on.

A document holds tables, lists, strings, integers and booleans; a float or a date is refused before anything looks
at it, because two machines may print the same float differently and a policy is hashed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from relayer.errors import ConfigError, Fault

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_TYPE_NAMES: Final = MappingProxyType(
    {str: "a string", int: "an integer", bool: "a boolean", list: "a list", dict: "a table"}
)

DOCUMENT_BYTES_MAX: Final = 1 << 20
"""A policy of a thousand markets is about 200 KiB."""
INTEGER_MAX: Final = 2**53 - 1
"""RFC 8785 (JSON numbers are IEEE 754 doubles) is exact up to here; anything larger is written as a string."""
PLACEHOLDER: Final = "FILL_IN"
"""What `relayer init` writes where only the operator knows the value."""

Document = dict[str, object]


class FloatText(str):
    """Hold the text of a TOML float until it is refused with its key."""

    __slots__ = ()


def read_text(path: Path) -> str:
    """Read a document's text.

    Raises: ConfigError when the file is missing, too large, unreadable or not UTF-8.
    """
    source = str(path)
    try:
        size = path.stat().st_size
        if size > DOCUMENT_BYTES_MAX:
            raise ConfigError(
                source, Fault("", f"{size} bytes, at most {DOCUMENT_BYTES_MAX}", "is this the right file?")
            )
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(
            source, Fault("", "no such file", "give its path, or write one with `relayer init`")
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(source, Fault("", f"not UTF-8 at byte {error.start}", "save it as UTF-8")) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(source, Fault("", f"cannot be read: {reason}", "check path and permissions")) from error


def parse_toml(text: str, source: str) -> Document:
    """Parse TOML to a document of tables, lists, strings, integers and booleans.

    Raises: ConfigError naming line (syntax, duplicate keys) or key (floats, dates, integers beyond 2^53 - 1).
    """
    try:
        document = tomllib.loads(text, parse_float=FloatText)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problem = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "nested too deeply"
        raise ConfigError(
            source, Fault("", f"not TOML: {problem}", "fix the syntax; a key may stand only once")
        ) from error
    faults = tuple(_foreign_values(document, ()))
    if faults:
        raise ConfigError(source, *faults)
    return document


def faults_of(error: ValidationError) -> tuple[Fault, ...]:
    """Translate what pydantic found, one fault per place, unknown keys and placeholders in plain words."""
    return tuple(_fault(details) for details in error.errors(include_url=False))


def key_path(location: tuple[str | int, ...]) -> str:
    """Format a place in a document as `chain[0].finality.confirmations`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else (f".{part}" if path else part)
    return path


def is_placeholder(value: object) -> bool:
    """Tell whether a value is still what `relayer init` wrote for the operator to replace."""
    return isinstance(value, str) and PLACEHOLDER in value


def _foreign_values(value: object, location: tuple[str | int, ...]) -> Iterator[Fault]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _foreign_values(item, (*location, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _foreign_values(item, (*location, index))
    elif isinstance(value, FloatText):
        fix = 'write an integer, or a decimal string such as "1.5" where the key takes one'
        yield Fault(key_path(location), "floats are refused", fix)
    elif type(value) not in _TYPE_NAMES:
        yield Fault(key_path(location), f"a {type(value).__name__} is refused", "write a string or an integer")
    elif isinstance(value, int) and abs(value) > INTEGER_MAX:
        yield Fault(
            key_path(location), "the integer is beyond 2^53 - 1", "write it as a string where the key takes one"
        )


def _fault(details: ErrorDetails) -> Fault:
    kind, value = details["type"], details["input"]
    key = key_path(details["loc"])
    if kind == "extra_forbidden":
        return Fault(key, "unknown key", "remove it or correct its spelling (`relayer config schema` lists all keys)")
    if kind == "missing":
        return Fault(key, "missing", "add it (`relayer config schema` says what it takes)")
    if is_placeholder(value):
        return Fault(key, f"still the placeholder {value!r}", "replace it with your value")
    if kind == "value_error":
        return Fault(key, *_split(str(details["ctx"]["error"])))
    if kind.endswith("_type"):
        expected = details["msg"].removeprefix("Input should be ")
        return Fault(key, f"expected {expected}, got {_TYPE_NAMES.get(type(value), 'something else')}", "")
    return Fault(key, f"{_lower(details['msg'])}, got {_shown(value)}", "")


def _split(message: str) -> tuple[str, str]:
    problem, _, fix = message.partition("; ")
    return problem, fix


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str | int) else _TYPE_NAMES.get(type(value), "something else")
    return text if len(text) <= 80 else text[:77] + "..."
