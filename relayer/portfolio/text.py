"""A portfolio file's text to a plain document: TOML or JSON by extension, bounded before anything looks at it.

A document holds tables, lists, strings, integers and booleans. Floats are refused, since two machines may read the same
float differently: a fraction is a decimal string. A TOML date with an offset is its RFC 3339 text.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proofs.bounded_json import check_bounds
from relayer.config.document import INTEGER_MAX, Document, FloatText, key_path
from relayer.errors import ConfigError, Fault

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

FILE_BYTES_MAX: Final = 4 << 20
"""A thousand accounts of thirty legs are about 3 MiB."""
DEPTH_MAX: Final = 16
"""Twice the deepest key of any schema here."""
FAULTS_MAX: Final = 50
"""More would not be read; `and more` is said instead."""
SCHEMA_HINT: Final = "`relayer margin schema` lists all keys"

TABLE: Final = "Table"
"""Ends the names of our own classes, which pydantic puts into the place of a fault where one of several may stand."""

OVERLAY_KINDS: Final = ("strict@1", "size_premium@1", "confidence@1", "depeg@1")
"""These stand in the place of a fault as well, as the tag that chose among overlays."""
KEY_PARTS_MAX: Final = 32
_KEY_PART: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*"""
_LONG_KEY: Final = re.compile(f"(?<![A-Za-z0-9_-])(?:{_KEY_PART}){{{KEY_PARTS_MAX}}}")
"""A key of 20,000 parts keeps the parser busy for seconds: its time grows with the square."""

Place = tuple[str | int, ...]


def read_document(path: Path) -> Document:
    """Read a file. Raises: ConfigError when it is missing, too large, or not as described above."""
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for
        raise ConfigError(str(path), Fault("", "not a regular file", "write what it holds to a file"))
    text = _read_text(path)
    if path.suffix == ".toml":
        return parse_toml(text, str(path))
    if path.suffix == ".json":
        return parse_json(text, str(path))
    raise ConfigError(str(path), Fault("", "neither .toml nor .json", "name the file by what it holds"))


def parse_toml(text: str, source: str) -> Document:
    """Parse TOML. Raises: ConfigError for bad syntax, floats, dates without offset, and what is too large."""
    if _LONG_KEY.search(text):
        raise ConfigError(source, Fault("", f"a key of more than {KEY_PARTS_MAX} parts", "write a flat document"))
    try:
        document = tomllib.loads(text, parse_float=FloatText)
    except RecursionError:
        raise ConfigError(source, Fault("", "nested too deeply", "write a flat document")) from None
    except ValueError as error:  # bad syntax, and an integer of thousands of digits
        raise ConfigError(source, Fault("", f"not TOML: {error}", "fix the syntax")) from error
    return _plain(document, source)


def parse_json(text: str, source: str) -> Document:
    """Parse JSON. Raises: ConfigError for bad syntax, floats, a key that stands twice, and what is too large."""
    try:
        check_bounds(text.encode())
    except ValueError as error:
        raise ConfigError(source, Fault("", str(error), "write a flat document")) from error
    try:
        document = json.loads(
            text, parse_float=FloatText, parse_constant=FloatText, object_pairs_hook=_without_duplicates
        )
    except ValueError as error:
        raise ConfigError(source, Fault("", f"not JSON: {error}", "fix the syntax")) from error
    if not isinstance(document, dict):
        raise ConfigError(source, Fault("", "not a JSON object", f"write an object; {SCHEMA_HINT}"))
    return _plain(document, source)


def fault_of(details: ErrorDetails, prefix: Place = ()) -> Fault:
    """Translate one finding of pydantic into plain words."""
    made = (part for part in details["loc"] if part not in OVERLAY_KINDS)
    place = [part for part in made if not (isinstance(part, str) and part.endswith(TABLE))]
    key = key_path((*prefix, *place))
    if not key.isprintable():
        key = key.encode("unicode_escape").decode()
    kind = details["type"]
    if kind == "extra_forbidden":
        return Fault(key, "unknown key", f"remove it or correct its spelling ({SCHEMA_HINT})")
    if kind == "missing":
        return Fault(key, "missing", f"add it ({SCHEMA_HINT})")
    if kind == "value_error":
        problem, _, fix = str(details["ctx"]["error"]).partition("; ")
        return Fault(key, problem, fix)
    message = details["msg"]
    return Fault(key, f"{message[:1].lower()}{message[1:]}, got {_shown(details['input'])}", "")


def _shown(value: object) -> str:
    if isinstance(value, str | int):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    return "a table" if isinstance(value, dict) else "a list"


def _read_text(path: Path) -> str:
    source = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise ConfigError(source, Fault("", f"more than {FILE_BYTES_MAX} bytes", "split it by accounts"))
        return data.decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(source, Fault("", "no such file", "examples are in docs/examples")) from None
    except UnicodeDecodeError as error:
        raise ConfigError(source, Fault("", f"not UTF-8 at byte {error.start}", "save it as UTF-8")) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(source, Fault("", f"cannot be read: {reason}", "check path and permissions")) from error


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:80]!r} stands twice in one object")
    return table


def _plain(document: Document, source: str) -> Document:
    faults: list[Fault] = []
    cleaned = {key: _cleaned(value, (key,), faults) for key, value in document.items()}
    if faults:
        raise ConfigError(source, *faults[:FAULTS_MAX])
    return cleaned


def _cleaned(value: object, place: Place, faults: list[Fault]) -> object:
    if len(faults) >= FAULTS_MAX:
        return value
    if isinstance(value, dict | list) and len(place) > DEPTH_MAX:
        faults.append(Fault(key_path(place)[:80], "nested too deeply", f"at most {DEPTH_MAX} levels"))
    elif isinstance(value, Mapping):
        return {key: _cleaned(item, (*place, key), faults) for key, item in value.items()}
    elif isinstance(value, list):
        return [_cleaned(item, (*place, index), faults) for index, item in enumerate(value)]
    elif isinstance(value, datetime) and value.tzinfo is not None:
        return value.isoformat()
    else:
        faults.extend(_foreign(value, key_path(place)))
    return value


def _foreign(value: object, key: str) -> Iterator[Fault]:
    if isinstance(value, FloatText):
        yield Fault(key, f"the float {value[:40]} is refused", f'write a decimal string: "{value[:40]}"')
    elif isinstance(value, date | time):
        yield Fault(key, "a date without offset is refused", "write 2025-03-01T00:00:00Z")
    elif isinstance(value, int) and abs(value) > INTEGER_MAX:
        yield Fault(key, "the integer is beyond 2^53 - 1", "write it as a string")
    elif value is None:
        yield Fault(key, "null is refused", "leave the key out")
