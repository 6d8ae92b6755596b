"""Server: aiohttp around the route table. The only module of the API that knows HTTP.

Bounded: URL, headers, query, connections and their silence; bodies are refused unread, but by the one route that takes
one: there by size and time. Who may connect how often is the
business of the proxy in front; here nobody shall be able to take the descriptors that frames need. Every fault becomes
a problem document; the marked fence is the only broad `except` of the API, it records a bug and answers 500 without
saying why.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, Protocol

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from relayer.api.answers import Answer, answer_of_bytes
from relayer.api.handlers import Handlers, Question, Reply
from relayer.api.openapi import openapi_document
from relayer.api.parameters import QUERY_CHARS_MAX, checked_query
from relayer.api.problems import PROBLEM_TYPE, Code, Problem
from relayer.api.routes import ROUTES, Route

URL_BYTES_MAX: Final = 2048
"""The longest legal request line is below 300 bytes; room for a proxy's additions."""
HEADER_BYTES_MAX: Final = 8190
HEADERS_MAX: Final = 64
SHUTDOWN_S: Final = 2.0
CONNECTIONS_MAX: Final = 512
"""Half of the 1,024 descriptors that a process usually gets; database and nodes need some hundred."""
SILENCE_S: Final = 20.0
"""How long a connection may be open without a whole request; pollers come back once per frame."""
CONNECTION_S_MAX: Final = 300.0
"""How long a connection may live, whatever its client does or does not read; a bundle of 256 MB passes at 1 MB/s."""
BACKLOG_MAX: Final = 64
"""The loop accepts so many at once before it asks whether there is room: they must fit beside `connections_max`."""
IF_NONE_MATCH_CHARS_MAX: Final = 1024
BODY_S_MAX: Final = 5.0
"""A body of 32 KB arrives in that time at 7 KB/s; whoever is slower holds a connection for nothing."""

_WITH_BODY: Final = frozenset(route.name for route in ROUTES if route.body_bytes_max)
_SILENT: Final = logging.Logger("silent", logging.CRITICAL + 1)
"""The library's own lines would repeat what strangers send; what matters goes to the observer."""

Handling = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RequestObserver(Protocol):
    """Take notice of what the API answers."""

    def request_answered(self, route: str, status: int) -> None:
        """One request was answered; `route` is the table's name, never the caller's path."""
        ...

    def bug_seen(self, where: str, error: BaseException) -> None:
        """Something broke that our own rules exclude."""
        ...


def make_app(handlers: Handlers, observer: RequestObserver, version: str) -> web.Application:
    """Build the application: all routes, one fence."""
    app = web.Application(middlewares=[_fence(observer)], client_max_size=0)
    for route in ROUTES:
        expecting = _expect_body if route.body_bytes_max else _expect_nothing
        adding = app.router.add_post if route.body_bytes_max else app.router.add_get
        adding(route.path, _handling(route, handlers), name=route.name, expect_handler=expecting)
    document = answer_of_bytes(orjson.dumps(openapi_document(version)))
    app.router.add_get("/openapi.json", _constant(document), name="openapi")
    return app


class Listening:
    """Be a server that listens; `close` it."""

    def __init__(self, runner: web.AppRunner, server: asyncio.Server) -> None:
        self._runner = runner
        self._server = server

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port."""
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def close(self) -> None:
        """Accept nothing more, answer what was asked, close all connections."""
        self._server.close()
        await self._runner.cleanup()


class Connection(web.RequestHandler):
    """Speak HTTP on one connection; what is not HTTP, or breaks a bound, is answered with a problem and not logged."""

    def __init__(self, manager: web.Server, observer: RequestObserver, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            manager,
            loop=loop,
            logger=_SILENT,
            access_log=_SILENT,
            max_line_size=URL_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            max_headers=HEADERS_MAX,
            keepalive_timeout=SILENCE_S,
        )
        self._observer = observer
        self._server = manager
        self._ending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection while there is room; one too many is cut."""
        assert isinstance(transport, asyncio.Transport)
        if len(self._server.connections) >= connections_max():
            transport.abort()
            return
        self._ending = asyncio.get_running_loop().call_later(CONNECTION_S_MAX, transport.abort)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        if self._ending is not None:
            self._ending.cancel()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what never reached a route; the caller's bytes are not repeated."""
        del message
        if request.writer.output_size > 0:
            raise ConnectionError("half an answer was sent already")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR and exc is not None:
            self._observer.bug_seen("connection", exc)
        is_ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        problem = Problem(Code.INTERNAL) if is_ours else Problem(Code.REQUEST, "no request that this server reads")
        response = _problem_response("", problem)
        response.force_close()
        self._observer.request_answered("none", response.status)
        return response

    def log_exception(self, *args: object, **kw: object) -> None:
        """Record a bug where the library would print a traceback."""
        error = kw.get("exc_info")
        if isinstance(error, BaseException):
            self._observer.bug_seen(str(args[0]) if args else "connection", error)


async def serve(app: web.Application, observer: RequestObserver, host: str, port: int) -> Listening:
    """Start listening."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    manager, loop = runner.server, asyncio.get_running_loop()
    assert manager is not None  # set up one line above
    try:
        server = await loop.create_server(lambda: Connection(manager, observer, loop), host, port, backlog=BACKLOG_MAX)
    except OSError:
        await runner.cleanup()
        raise
    return Listening(runner, server)


def connections_max() -> int:
    """Return how many connections are taken at once: at most half of what this process may open."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_MAX if descriptors == resource.RLIM_INFINITY else min(CONNECTIONS_MAX, descriptors // 2)


def _handling(route: Route, handlers: Handlers) -> Handling:
    known = frozenset(str(name) for name in route.query)

    async def handle(request: web.Request) -> web.StreamResponse:
        if len(request.query_string) > QUERY_CHARS_MAX:
            raise Problem(Code.URL_TOO_LONG, f"at most {QUERY_CHARS_MAX} characters of query")
        query = checked_query(dict(request.query), len(request.query), known)
        body = await _body(request, route.body_bytes_max) if route.body_bytes_max else b""
        reply = await route.answer(handlers, Question(dict(request.match_info), query, body))
        return _response(request, reply)

    return handle


async def _expect_nothing(request: web.Request) -> None:
    """Let `Expect` pass: there is no body to continue with."""
    del request


async def _expect_body(request: web.Request) -> None:
    """Tell a careful caller that its body will be read; whatever else is expected is passed over."""
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


async def _body(request: web.Request, bytes_max: int) -> bytes:
    """Read a body within its bounds.

    Raises: Problem BODY_REFUSED, REQUEST.
    """
    if hdrs.CONTENT_ENCODING in request.headers or (request.content_length or 0) > bytes_max:
        raise Problem(Code.BODY_REFUSED, f"at most {bytes_max} bytes, not encoded")
    read = bytearray()
    try:
        async with asyncio.timeout(BODY_S_MAX):
            async for chunk in request.content.iter_any():
                read += chunk
                if len(read) > bytes_max:
                    raise Problem(Code.BODY_REFUSED, f"at most {bytes_max} bytes")
    except TimeoutError:
        raise Problem(Code.REQUEST, f"the body did not arrive within {BODY_S_MAX:.0f} s") from None
    return bytes(read)


def _constant(answer: Answer) -> Handling:
    async def handle(request: web.Request) -> web.StreamResponse:
        return _response(request, Reply(answer, 3600))

    return handle


def _response(request: web.Request, reply: Reply) -> web.Response:
    headers = {
        hdrs.ETAG: reply.answer.etag,
        hdrs.CACHE_CONTROL: f"public, max-age={reply.max_age_s}" if reply.max_age_s else "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'",
    }
    asked = request.headers.get(hdrs.IF_NONE_MATCH, "")[:IF_NONE_MATCH_CHARS_MAX]
    is_conditional = reply.status == 200 and request.method != hdrs.METH_POST
    if is_conditional and reply.answer.etag in [tag.strip().removeprefix("W/") for tag in asked.split(",")]:
        return web.Response(status=304, headers=headers)
    headers[hdrs.CONTENT_TYPE] = reply.answer.content_type
    return web.Response(body=reply.answer.body, status=reply.status, headers=headers)


def _problem_response(path: str, problem: Problem) -> web.Response:
    headers = {hdrs.CONTENT_TYPE: PROBLEM_TYPE, hdrs.CACHE_CONTROL: "no-store", "X-Content-Type-Options": "nosniff"}
    if problem.retry_after_s:
        headers[hdrs.RETRY_AFTER] = str(problem.retry_after_s)
    return web.Response(body=problem.body(path), status=problem.status, headers=headers)


def _fence(observer: RequestObserver) -> Middleware:
    @web.middleware
    async def fence(request: web.Request, handler: Handling) -> web.StreamResponse:
        response = await _answered(request, handler, observer)
        observer.request_answered(request.match_info.route.name or "none", response.status)
        return response

    return fence


async def _answered(request: web.Request, handle: Handling, observer: RequestObserver) -> web.StreamResponse:
    try:
        if request.body_exists and request.match_info.route.name not in _WITH_BODY:
            raise Problem(Code.BODY_REFUSED, "this route is read with GET and an empty body")
        return await handle(request)
    except Problem as problem:
        return _problem_response(request.path, problem)
    except web.HTTPException as refusal:
        return _problem_response(request.path, _problem_of(refusal))
    except Exception as error:  # noqa: BLE001  # fence: a request
        observer.bug_seen(f"request {request.match_info.route.name}", error)
        return _problem_response(request.path, Problem(Code.INTERNAL))


def _problem_of(refusal: web.HTTPException) -> Problem:
    if isinstance(refusal, web.HTTPNotFound):
        return Problem(Code.NO_ROUTE, "see /openapi.json")
    if isinstance(refusal, web.HTTPMethodNotAllowed):
        return Problem(Code.METHOD, "see /openapi.json")
    return Problem(Code.REQUEST, refusal.reason)
