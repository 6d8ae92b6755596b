"""The OpenAPI 3.1 document, made from the route table."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from relayer.api.answers import JSON_TYPE
from relayer.api.parameters import ACCOUNT_CHARS_MAX, LIMIT_DEFAULT, LIMIT_MAX
from relayer.api.problems import PROBLEM_TYPE, STATUS, TITLE, Code
from relayer.api.routes import ROUTES, Parameter, Route
from relayer.api.whatif import body_schemas
from relayer.flags import FlagState
from relayer.pipeline.records import JsonObject

_QUERY: Final = MappingProxyType(
    {
        Parameter.CURSOR: {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"},
        Parameter.LIMIT: {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
        Parameter.STATE: {"type": "string", "enum": [str(state) for state in FlagState]},
    }
)
_PATH: Final = MappingProxyType(
    {
        "account": {"type": "string", "maxLength": ACCOUNT_CHARS_MAX},
        "frame": {"type": "string", "pattern": "^[1-9][0-9]{0,15}$"},
    }
)
_GENERAL: Final = (Code.PARAMETER, Code.URL_TOO_LONG, Code.BODY_REFUSED, Code.INTERNAL)


def openapi_document(version: str) -> JsonObject:
    """Return the document; big integers are decimal strings everywhere, bytes are 0x-hex."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Margin relayer",
            "version": version,
            "description": "Money is UsdE18 as decimal strings. Reading never causes a chain to be asked.",
        },
        "paths": {route.path: {route.method.lower(): _operation(route)} for route in ROUTES},
        "components": {"schemas": {"Problem": _problem_schema(), **body_schemas()}},
    }


def _operation(route: Route) -> JsonObject:
    named = [_parameter(name, "path", schema) for name, schema in _PATH.items() if f"{{{name}}}" in route.path]
    asked = [_parameter(str(name), "query", _QUERY[name]) for name in route.query]
    responses: JsonObject = {"200": {"description": "OK", "content": {route.content_type: {}}}}
    by_status: dict[int, list[Code]] = {}
    for code in (*route.problems, *_GENERAL):
        by_status.setdefault(int(STATUS[code]), []).append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = _problem_response(codes)
    if route.is_check:
        responses["503"] = {"description": "No", "content": {route.content_type: {}}}
    summary = (route.answer.__doc__ or "").strip().splitlines()[0]
    operation: JsonObject = {"operationId": route.name, "summary": summary, "parameters": named + asked}
    if route.body_bytes_max:
        operation["requestBody"] = _body(route)
    return operation | {"responses": responses}


def _body(route: Route) -> JsonObject:
    schema = {"$ref": "#/components/schemas/WhatIfBody"}
    text = f"At most {route.body_bytes_max} bytes; unknown keys are refused."
    return {"description": text, "required": True, "content": {JSON_TYPE: {"schema": schema}}}


def _parameter(name: str, place: str, schema: object) -> JsonObject:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _problem_response(codes: list[Code]) -> JsonObject:
    text = "; ".join(f"{code}: {TITLE[code]}" for code in codes)
    return {"description": text, "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def _problem_schema() -> JsonObject:
    strings = {name: {"type": "string"} for name in ("type", "title", "detail", "instance")}
    properties: JsonObject = {
        **strings,
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": [str(code) for code in Code]},
    }
    return {"type": "object", "required": ["type", "title", "status", "code"], "properties": properties}
