"""Routes: the one table of what the API answers. The server serves it, `openapi.json` is made from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relayer.api.answers import JSON_TYPE
from relayer.api.handlers import BUNDLE_TYPE, Handlers, Question, Reply
from relayer.api.problems import Code
from relayer.api.whatif import BODY_BYTES_MAX

Answering = Callable[[Handlers, Question], Awaitable[Reply]]


class Parameter(StrEnum):
    """Name the query parameters; each route lists those it knows, all others are refused."""

    CURSOR = "cursor"
    LIMIT = "limit"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Route:
    """Bind a path to a handler; `problems` are those it may answer with beside the general ones.

    A check answers 503 in the form of its 200. A route with `body_bytes_max` is asked with POST, all others with GET.
    """

    path: str
    name: str
    answer: Answering
    query: tuple[Parameter, ...] = ()
    problems: tuple[Code, ...] = ()
    content_type: str = JSON_TYPE
    is_check: bool = False
    body_bytes_max: int = 0

    @property
    def method(self) -> str:
        """Return the one method that the route answers."""
        return "POST" if self.body_bytes_max else "GET"


_PAGE: Final = (Parameter.CURSOR, Parameter.LIMIT)
_ACCOUNT: Final = (Code.MALFORMED_ACCOUNT, Code.WRONG_CHAIN, Code.UNKNOWN_ACCOUNT)
_HISTORY: Final = (Code.MALFORMED_FRAME, Code.BUSY)

ROUTES: Final = (
    Route("/v1/accounts", "accounts", Handlers.accounts, _PAGE, (Code.MALFORMED_CURSOR, Code.NO_FRAME)),
    Route("/v1/accounts/{account}", "account", Handlers.account, (), (*_ACCOUNT, Code.NO_FRAME)),
    Route("/v1/accounts/{account}/explanation", "explanation", Handlers.explanation, (), (*_ACCOUNT, Code.NO_FRAME)),
    Route(
        "/v1/accounts/{account}/attestation",
        "attestation",
        Handlers.attestation,
        (),
        (*_ACCOUNT, Code.NOT_SIGNED, Code.EXPIRED),
    ),
    Route("/v1/flags", "flags", Handlers.flags, (*_PAGE, Parameter.STATE), (Code.MALFORMED_CURSOR, Code.NO_FRAME)),
    Route("/v1/frames/latest", "frameLatest", Handlers.frame_latest, (), (Code.NO_FRAME,)),
    Route("/v1/frames/{frame}", "frame", Handlers.frame, (), (*_HISTORY, Code.UNKNOWN_FRAME)),
    Route(
        "/v1/frames/{frame}/bundle",
        "bundle",
        Handlers.bundle,
        (),
        (*_HISTORY, Code.NO_BUNDLE, Code.BUNDLE_PENDING),
        BUNDLE_TYPE,
    ),
    Route(
        "/v1/whatif",
        "whatif",
        Handlers.whatif,
        (),
        (*_ACCOUNT, Code.MALFORMED_BODY, Code.CHANGE_REFUSED, Code.NO_FRAME, Code.EXPIRED, Code.BUSY, Code.REQUEST),
        body_bytes_max=BODY_BYTES_MAX,
    ),
    Route("/v1/signers", "signers", Handlers.signers),
    Route("/livez", "livez", Handlers.livez, is_check=True),
    Route("/readyz", "readyz", Handlers.readyz, is_check=True),
    Route("/metrics", "metrics", Handlers.metrics, (), (), "text/plain"),
)
