"""Tables of rule parameters, made from the rule sets' own dataclasses, so that a file can say what a rule set takes.

A key is the name of the field; `_wad` and `_e18` at its end fall away, since a decimal string has no scale. Integers:

| field ends with | is written as |
|---|---|
| `_wad`, `_e18` | decimal, times 10^18 |
| `_bps`, `_ppm`, `_s`, `_s_max` | integer as it stands |
| anything else | what the family says, by field or by default: a decimal of some scale, or an integer |

`name`, `unit` and `inner` of a rule set are not parameters: the file's `rule_set` says them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field, PlainValidator, StrictBool, create_model

from proofs.types import ChainId
from proofs.units import UINT256_MAX
from relayer.config.document import key_path
from relayer.errors import Fault
from relayer.portfolio.fields import (
    ChainText,
    LineText,
    NameText,
    Table,
    Units,
    WholeNumber,
    decimal_schema,
    fixed,
    whole,
)
from relayer.portfolio.text import TABLE, Place

ITEMS_MAX: Final = 4096
"""Bound on each list and table of parameters."""
UNIONS: Final = (Union, UnionType)
SIGNED: Final = frozenset({"array", "deltas", "delta_weights", "shift", "side", "atomic_resolution"})
"""Parameters that may be below zero: what a scenario moves, and powers of ten. A haircut or a share never is."""
NOT_PARAMETERS: Final = frozenset({"name", "unit", "inner"})


@dataclass(frozen=True, slots=True)
class Scales:
    """Say how a family writes plain integers: decimals by field (`Class.field` or `field`), None for as they stand.

    `may_be_empty` names tables that a file may leave out although the rule set has no default.
    """

    default: int | None = None
    by_field: tuple[tuple[str, int | None], ...] = ()
    may_be_empty: tuple[str, ...] = ()

    def of(self, owner: str, name: str) -> int | None:
        """Return the decimals of a field."""
        given = dict(self.by_field)
        for key in (f"{owner}.{name}", name):
            if key in given:
                return given[key]
        if name.endswith(("_wad", "_e18")):
            return 18
        return None if name.endswith(("_bps", "_ppm", "_s", "_s_max")) else self.default


def key_of(name: str) -> str:
    """Return a field's key in files."""
    return name.removesuffix("_wad").removesuffix("_e18")


def table_of(kind: type, scales: Scales) -> type[BaseModel]:
    """Make the table of a dataclass, and those of the dataclasses in it."""
    parts: dict[str, Any] = {}  # what create_model takes: (type, default) of any kind
    for name, hint, has_default in _parameters(kind):
        is_free = has_default or name in scales.may_be_empty
        default = Field(default=None, json_schema_extra=_without_default) if is_free else ...
        parts[key_of(name)] = (_type_of(hint, scales, (kind.__name__, name)), default)
    summary = (kind.__doc__ or "").split("\n", 1)[0]
    return create_model(table_name(kind), __base__=Table, __doc__=summary, **parts)


def built(kind: type, table: BaseModel, place: Place, **given: object) -> Any:
    """Return the dataclass that a table describes; what is not in the file has the dataclass's default.

    Raises: RuleFault, naming the key, for values that contradict each other.
    """
    values = dict(given)
    for name, hint, _ in _parameters(kind):
        key = key_of(name)
        if key in table.model_fields_set:
            values[name] = _value(hint, getattr(table, key), (*place, key))
        elif name not in _defaults(kind):
            values[name] = None if _inner(hint) is not hint else MappingProxyType({})
    try:
        return kind(**values)
    except ValueError as error:
        problem, _, fix = str(error).partition("; ")
        raise RuleFault(Fault(key_path(place), problem, fix)) from error


class RuleFault(Exception):
    """Carry the fault of a table whose values contradict each other."""

    def __init__(self, fault: Fault) -> None:
        self.fault: Fault = fault
        super().__init__(str(fault))


def _parameters(kind: type) -> Iterator[tuple[str, object, bool]]:
    """Yield (name, type, may be left out) of each parameter."""
    hints = get_type_hints(kind)
    optional = _defaults(kind)
    for field in fields(kind):
        if not (field.name in NOT_PARAMETERS and hasattr(kind, "weigh")):
            hint = hints[field.name]
            yield field.name, hint, field.name in optional or _inner(hint) is not hint


def _defaults(kind: type) -> frozenset[str]:
    given = (one.name for one in fields(kind) if one.default is not MISSING or one.default_factory is not MISSING)
    return frozenset(given)


def _inner(hint: object) -> object:
    """Return X of `X | None`, anything else as it is."""
    if get_origin(hint) in UNIONS and NoneType in get_args(hint):
        return Union.__getitem__(tuple(part for part in get_args(hint) if part is not NoneType))
    return hint


def _base(hint: object) -> Any:
    """Return what a type is at run time: X of `X | None`, and of a NewType of X."""
    hint = _inner(hint)
    return getattr(hint, "__supertype__", hint)


def _type_of(hint: object, scales: Scales, owner: tuple[str, str]) -> Any:
    """Return the type that pydantic reads for a type of the rule set. Raises: TypeError for one that has no text."""
    hint = _base(hint)
    parts = [part for part in get_args(hint) if part is not Ellipsis]
    origin = get_origin(hint)
    if origin is tuple or origin is frozenset:
        inner = tuple(_type_of(part, scales, owner) for part in parts)
        is_long = Ellipsis in get_args(hint) or origin is frozenset
        shape: Any = tuple.__class_getitem__((inner[0], ...) if is_long else inner)
        return Annotated[shape, Field(strict=False, max_length=ITEMS_MAX if is_long else None)]
    if origin in UNIONS:
        return Union.__getitem__(tuple(_type_of(part, scales, owner) for part in parts))
    if origin is not None and issubclass(origin, Mapping):
        items: Any = dict.__class_getitem__((_key_type(parts[0]), _type_of(parts[1], scales, owner)))
        return Annotated[items, Field(max_length=ITEMS_MAX)]
    return _plain_type(hint, scales, owner)


def _key_type(hint: Any) -> Any:
    if hint is ChainId:
        return ChainText
    base = _base(hint)
    if isinstance(base, type) and issubclass(base, Enum):
        return Literal[tuple(member.name.lower() for member in base)]
    return NameText if base is str else Annotated[int, PlainValidator(whole)]


def _plain_type(hint: object, scales: Scales, owner: tuple[str, str]) -> Any:
    if hint is bool:
        return StrictBool
    if hint is int:
        scale, is_signed = scales.of(*owner), owner[1] in SIGNED
        if scale is None:
            return WholeNumber if is_signed else Units
        least = -UINT256_MAX if is_signed else 0
        return Annotated[int, fixed(scale, least), decimal_schema(scale)]
    if hint is str:
        return LineText
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Literal[tuple(member.name.lower() for member in hint)]
    if isinstance(hint, type) and is_dataclass(hint):
        return table_of(hint, scales)
    raise TypeError(f"{'.'.join(owner)}: no text for {hint}")


def _value(hint: object, value: Any, place: Place) -> object:
    """Return a validated value as the rule set's own type."""
    hint = _base(hint)
    origin, parts = get_origin(hint), get_args(hint)
    if origin in UNIONS:
        return _value(next(part for part in parts if table_name(part) == type(value).__name__), value, place)
    if origin is tuple and Ellipsis not in parts:
        return tuple(_value(part, item, (*place, n)) for n, (part, item) in enumerate(zip(parts, value, strict=True)))
    if origin in (tuple, frozenset):
        return origin(_value(parts[0], item, (*place, n)) for n, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        items = ((_member(parts[0], key), _value(parts[1], item, (*place, str(key)))) for key, item in value.items())
        return MappingProxyType(dict(items))
    if isinstance(hint, type) and is_dataclass(hint):
        return built(hint, value, place)
    return _member(hint, value)


def _member(hint: Any, value: Any) -> object:
    """Return the member of an enumeration that a name means; anything else as it is."""
    return hint[value.upper()] if isinstance(hint, type) and issubclass(hint, Enum) else value


def table_name(kind: type) -> str:
    """Return the name of a dataclass's table."""
    return f"{kind.__name__}{TABLE}"


def _without_default(schema: dict[str, Any]) -> None:
    """Say nothing of a default that the rule set has: null is not a value."""
    schema.pop("default", None)
