"""The JSON inside an evidence bundle: canonical text to domain types and back, strictly.

Text is RFC 8785 and must be that of its own value, so it has one spelling: no repeated keys, no blanks, no floats.
Integers are decimal strings, bytes are 0x text. Every reader names exactly the members it takes; a missing, surplus or
mistyped one is `InvalidBundle` with the file and the place. What the values mean is checked by whoever asked for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from enum import Enum
from typing import Any, Final, TypeAlias, TypeVar

import rfc8785

from proofs.bounded_json import parse_json
from proofs.errors import ConstructionRefused, InvalidBundle, ProofError
from proofs.layouts import Layout, layout_from_params
from proofs.wire import StructCodec

Json: TypeAlias = str | bool | list["Json"] | dict[str, "Json"] | None
_T = TypeVar("_T")
_E = TypeVar("_E", bound=Enum)

_DECIMAL: Final = re.compile(r"0|-?[1-9][0-9]{0,77}")
_HEX: Final = re.compile(r"0x(?:[0-9a-f]{2})*")
TEXT_CHARS_MAX: Final = 4096
"""Longest plain text: reasons and labels."""


def to_text(value: Json) -> bytes:
    """Return the canonical text of a value; without numbers and with ASCII keys the standard writer's is RFC 8785's."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def read_text(raw: bytes, file: str) -> Reader:
    """Parse a file of ours; the reader walks its value, in which no number is ever taken."""
    return Reader(_parse(raw, file, to_text), file, "")


def require_canonical(raw: bytes, file: str) -> None:
    """Check that JSON of any kind, numbers included, is its own canonical text."""
    _parse(raw, file, rfc8785.dumps)


def _parse(raw: bytes, file: str, write: Callable[[Any], bytes]) -> object:  # Any: JSON of any kind
    try:
        value: object = parse_json(raw)
        canonical = write(value)
    except (ValueError, RecursionError) as fault:  # syntax, encoding, depth, numbers outside the format
        raise InvalidBundle(file, "json", str(fault)[:200]) from fault
    if canonical != raw:
        raise InvalidBundle(file, "json_canonical", "not the canonical text of its value (RFC 8785)")
    return value


class Reader:
    """Walk a JSON value and take what is expected, or refuse with file and place."""

    __slots__ = ("_file", "_place", "_value")

    def __init__(self, value: object, file: str, place: str) -> None:
        self._value = value
        self._file = file
        self._place = place

    def refuse(self, rule: str, detail: str = "") -> InvalidBundle:
        """Return the error for this place."""
        return InvalidBundle(self._file, rule, f"{self._place or 'top'}: {detail}" if detail else self._place or "top")

    def members(self, *names: str) -> tuple[Reader, ...]:
        """Take an object with exactly these members."""
        value = self._value
        if not isinstance(value, dict) or value.keys() != set(names):
            raise self.refuse("json_members", f"expected exactly {', '.join(names)}")
        return tuple(Reader(value[name], self._file, f"{self._place}.{name}") for name in names)

    def entries(self) -> Iterator[tuple[str, Reader]]:
        """Take an object with any members."""
        value = self._value
        if not isinstance(value, dict):
            raise self.refuse("json_kind", "expected an object")
        return ((str(name), Reader(item, self._file, f"{self._place}.{name}")) for name, item in value.items())

    def items(self) -> Iterator[Reader]:
        """Take a list."""
        value = self._value
        if not isinstance(value, list):
            raise self.refuse("json_kind", "expected a list")
        return (Reader(item, self._file, f"{self._place}[{at}]") for at, item in enumerate(value))

    def each(self, take: Callable[[Reader], _T]) -> tuple[_T, ...]:
        """Take a list, every item in the same way."""
        return tuple(take(item) for item in self.items())

    def text(self) -> str:
        """Take plain text."""
        value = self._value
        if not isinstance(value, str) or len(value) > TEXT_CHARS_MAX:
            raise self.refuse("json_kind", f"expected text of at most {TEXT_CHARS_MAX} characters")
        return value

    def truth(self) -> bool:
        """Take true or false."""
        if not isinstance(self._value, bool):
            raise self.refuse("json_kind", "expected true or false")
        return self._value

    def integer(self) -> int:
        """Take a decimal string of at most 78 digits."""
        value = self._value
        if not isinstance(value, str) or _DECIMAL.fullmatch(value) is None:
            raise self.refuse("json_kind", "expected an integer as a decimal string")
        return int(value)

    def binary(self, length: int | None = None) -> bytes:
        """Take 0x text in lower case, of exactly `length` bytes when given."""
        value = self._value
        if not isinstance(value, str) or _HEX.fullmatch(value) is None:
            raise self.refuse("json_kind", "expected 0x text in lower case")
        if length is not None and len(value) != 2 + 2 * length:
            raise self.refuse("json_length", f"expected {length} bytes")
        return bytes.fromhex(value[2:])

    def member_of(self, kind: type[_E], by: Callable[[Reader], object]) -> _E:
        """Take a member of an enumeration by its value."""
        value = by(self)
        for member in kind:
            if member.value == value:
                return member
        raise self.refuse("json_value", f"{value!r} is no {kind.__name__}")

    def optional(self, take: Callable[[Reader], _T]) -> _T | None:
        """Take null, or something."""
        return None if self._value is None else take(self)

    def checked(self, build: Callable[[], _T]) -> _T:
        """Build a value; what it refuses is a fault of this place."""
        try:
            return build()
        except (ProofError, ValueError) as fault:
            raise self.refuse("value", str(fault)) from fault


# --- structs and layouts ---------------------------------------------------------------------------------------------


def hex_text(value: bytes) -> str:
    """Return 0x text."""
    return "0x" + value.hex()


def struct_json(codec: StructCodec, struct: object) -> Json:
    """Return a wire struct as an object: hashes as 0x text, all numbers as decimal strings."""
    values = ((field.name, getattr(struct, field.name)) for field in codec.fields)
    return {name: hex_text(value) if isinstance(value, bytes) else str(int(value)) for name, value in values}


def read_struct(codec: StructCodec, build: Callable[..., _T], reader: Reader) -> _T:
    """Read a wire struct; every field is in its range."""
    members = reader.members(*(field.name for field in codec.fields))
    words = b"".join(_word(bounds, member) for bounds, member in zip(codec.bounds, members, strict=True))
    return reader.checked(lambda: build(*codec.decode(words)))


def _word(bounds: tuple[int, int] | None, reader: Reader) -> bytes:
    if bounds is None:
        return reader.binary(32)
    number = reader.integer()
    if not bounds[0] <= number <= bounds[1]:
        raise reader.refuse("value", f"{number}, allowed {bounds[0]} to {bounds[1]}")
    return (number % 2**256).to_bytes(32, "big")


def layout_json(layout: Layout | None) -> Json:
    """Return a layout as its kind and parameters, such that the policy's own table rebuilds it.

    Raises `ConstructionRefused` for a layout that the table does not rebuild.
    """
    if layout is None:
        return None
    params: dict[str, str] = {}
    for field in fields(layout):  # type: ignore[arg-type]  # every layout is a frozen dataclass, checked just below
        value = getattr(layout, field.name)
        params[field.name] = hex_text(value) if isinstance(value, bytes) else str(value)
    kind = layout.name.partition("@")[0]
    if layout_from_params(kind, params) != layout:
        raise ConstructionRefused("bundle", f"layout {layout.name} is not rebuilt from its parameters")
    return {"name": layout.name, "params": dict(params)}


def read_layout(reader: Reader) -> Layout:
    """Read a layout; its versioned name must be that of the table."""
    name, params = reader.members("name", "params")
    given = {key: value.text() for key, value in params.entries()}
    layout = reader.checked(lambda: layout_from_params(name.text().partition("@")[0], given))
    if layout.name != name.text():
        raise name.refuse("value", f"this version knows {layout.name}")
    return layout
