"""Check a document against a JSON Schema: the part of draft 2020-12 that our schemas use, written from the standard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

NAMED = {
    "type": lambda value, names: any(_is(value, name) for name in ([names] if isinstance(names, str) else names)),
    "const": lambda value, wanted: value == wanted,
    "enum": lambda value, wanted: value in wanted,
    "minimum": lambda value, least: not _is(value, "integer") or value >= least,
    "maximum": lambda value, most: not _is(value, "integer") or value <= most,
    "maxLength": lambda value, most: not isinstance(value, str) or len(value) <= most,
    "pattern": lambda value, pattern: not isinstance(value, str) or re.search(pattern, value) is not None,
    "minItems": lambda value, least: not isinstance(value, list) or len(value) >= least,
    "maxItems": lambda value, most: not isinstance(value, list) or len(value) <= most,
    "maxProperties": lambda value, most: not isinstance(value, dict) or len(value) <= most,
    "required": lambda value, keys: not isinstance(value, dict) or all(key in value for key in keys),
}
IGNORED = {"title", "description", "default", "format", "$defs", "$schema", "discriminator"}
NESTED = {
    "$ref",
    "anyOf",
    "oneOf",
    "properties",
    "patternProperties",
    "additionalProperties",
    "items",
    "prefixItems",
} | {"propertyNames"}


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, at: str = "") -> list[str]:
    """Return what is wrong with a value, by place. Raises: AssertionError for a keyword that is not known here."""
    return list(_faults(value, schema, schema if root is None else root, at))


def _is(value: Any, name: str) -> bool:
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    return isinstance(value, kinds[name]) and not (name == "integer" and isinstance(value, bool))


def _faults(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    assert not set(schema) - IGNORED - NESTED - set(NAMED), sorted(schema)
    yield from (f"{at}: {key}" for key, check in NAMED.items() if key in schema and not check(value, schema[key]))
    if "$ref" in schema:
        yield from _faults(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)
    if "anyOf" in schema and all(faults(value, one, root, at) for one in schema["anyOf"]):
        yield f"{at}: anyOf"
    if "oneOf" in schema and sum(not faults(value, one, root, at) for one in schema["oneOf"]) != 1:
        yield f"{at}: oneOf"
    if isinstance(value, dict):
        yield from _members(value, schema, root, at)
    if isinstance(value, list):
        fixed = schema.get("prefixItems", [])
        for number, item in enumerate(value):
            kind = fixed[number] if number < len(fixed) else schema.get("items", {})
            yield from _faults(item, kind, root, f"{at}[{number}]")


def _members(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    patterns = schema.get("patternProperties", {})
    known, more = schema.get("properties", {}), schema.get("additionalProperties", {})
    for key, item in value.items():
        yield from _faults(key, schema.get("propertyNames", {}), root, f"{at}.{key} (name)")
        if key in known:
            yield from _faults(item, known[key], root, f"{at}.{key}")
        elif matching := [kind for pattern, kind in patterns.items() if re.search(pattern, key)]:
            yield from (fault for kind in matching for fault in _faults(item, kind, root, f"{at}.{key}"))
        elif more is False:
            yield f"{at}.{key}: not allowed"
        else:
            yield from _faults(item, more, root, f"{at}.{key}")
