"""Problems: every answer that is not the asked one, as RFC 9457 JSON with a stable `code`.

The code says which rule refused; `detail` is for people. No problem names an upstream URL, a provider or a secret.

| class | meaning for a client |
|---|---|
| 4xx | final: the same request will be refused again |
| 503 | not yet, or no longer fresh: try again after `Retry-After` |
| 500 | ours |
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

import orjson

PROBLEM_TYPE: Final = "application/problem+json"
DETAIL_CHARS_MAX: Final = 200
"""A detail may quote the caller's text: cut, so that an answer never grows with the question."""


class Code(StrEnum):
    """Name the rule that refused."""

    MALFORMED_ACCOUNT = "malformed_account"
    WRONG_CHAIN = "wrong_chain"
    MALFORMED_FRAME = "malformed_frame"
    MALFORMED_CURSOR = "malformed_cursor"
    PARAMETER = "parameter"
    URL_TOO_LONG = "url_too_long"
    BODY_REFUSED = "body_refused"
    MALFORMED_BODY = "malformed_body"
    CHANGE_REFUSED = "change_refused"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_FRAME = "unknown_frame"
    NO_BUNDLE = "no_bundle"
    NO_ROUTE = "no_route"
    METHOD = "method"
    NO_FRAME = "no_frame"
    BUNDLE_PENDING = "bundle_pending"
    NOT_SIGNED = "not_signed"
    EXPIRED = "expired"
    BUSY = "busy"
    INTERNAL = "internal"
    REQUEST = "request"


STATUS: Final = MappingProxyType(
    {
        Code.MALFORMED_ACCOUNT: HTTPStatus.BAD_REQUEST,
        Code.WRONG_CHAIN: HTTPStatus.BAD_REQUEST,
        Code.MALFORMED_FRAME: HTTPStatus.BAD_REQUEST,
        Code.MALFORMED_CURSOR: HTTPStatus.BAD_REQUEST,
        Code.PARAMETER: HTTPStatus.BAD_REQUEST,
        Code.URL_TOO_LONG: HTTPStatus.REQUEST_URI_TOO_LONG,
        Code.BODY_REFUSED: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        Code.MALFORMED_BODY: HTTPStatus.BAD_REQUEST,
        Code.CHANGE_REFUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
        Code.UNKNOWN_ACCOUNT: HTTPStatus.NOT_FOUND,
        Code.UNKNOWN_FRAME: HTTPStatus.NOT_FOUND,
        Code.NO_BUNDLE: HTTPStatus.NOT_FOUND,
        Code.NO_ROUTE: HTTPStatus.NOT_FOUND,
        Code.METHOD: HTTPStatus.METHOD_NOT_ALLOWED,
        Code.NO_FRAME: HTTPStatus.SERVICE_UNAVAILABLE,
        Code.BUNDLE_PENDING: HTTPStatus.SERVICE_UNAVAILABLE,
        Code.NOT_SIGNED: HTTPStatus.SERVICE_UNAVAILABLE,
        Code.EXPIRED: HTTPStatus.SERVICE_UNAVAILABLE,
        Code.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
        Code.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
        Code.REQUEST: HTTPStatus.BAD_REQUEST,
    }
)

TITLE: Final = MappingProxyType(
    {
        Code.MALFORMED_ACCOUNT: "Not an account id, home address or CAIP-10 text",
        Code.WRONG_CHAIN: "The address is not on the venue's chain",
        Code.MALFORMED_FRAME: "Not a frame number",
        Code.MALFORMED_CURSOR: "Not a cursor of this list",
        Code.PARAMETER: "Unknown or malformed query parameter",
        Code.URL_TOO_LONG: "The URL is too long",
        Code.BODY_REFUSED: "The route takes no body, or none as large",
        Code.MALFORMED_BODY: "Not a body of this route",
        Code.CHANGE_REFUSED: "The change cannot happen, or its outcome is not known",
        Code.UNKNOWN_ACCOUNT: "No such account in the frame",
        Code.UNKNOWN_FRAME: "No such frame",
        Code.NO_BUNDLE: "The frame's evidence bundle is not kept",
        Code.NO_ROUTE: "No such route",
        Code.METHOD: "Method not allowed",
        Code.NO_FRAME: "No frame has been evaluated yet",
        Code.BUNDLE_PENDING: "The frame's evidence bundle is still being written",
        Code.NOT_SIGNED: "No frame has been signed yet",
        Code.EXPIRED: "The newest evidence has expired",
        Code.BUSY: "Too many costly questions at once",
        Code.INTERNAL: "Internal error",
        Code.REQUEST: "Malformed request",
    }
)


class Problem(Exception):
    """Refuse a request; raised by handlers, turned into an answer by the server's fence alone."""

    def __init__(self, code: Code, detail: str = "", retry_after_s: int = 0) -> None:
        self.code: Code = code
        self.detail: str = detail
        self.retry_after_s: int = retry_after_s
        super().__init__(f"{code}: {detail}")

    @property
    def status(self) -> int:
        """Return the HTTP status of the code."""
        return int(STATUS[self.code])

    def body(self, instance: str) -> bytes:
        """Return the problem document; `instance` is the path asked for."""
        document = {
            "type": f"urn:margin-relayer:problem:{self.code}",
            "title": TITLE[self.code],
            "status": self.status,
            "code": str(self.code),
            "detail": self.detail[:DETAIL_CHARS_MAX],
            "instance": instance[:DETAIL_CHARS_MAX],
        }
        return orjson.dumps(document)
