"""A JSON-RPC proxy before a node, that lies and fails by rule and counts what passes.

    async with FaultProxy(node.url) as proxy:
        proxy.rules.append(lie_about(true=5, told=6))
        ...                                   # the client talks to proxy.url
        assert proxy.counts.calls["eth_call"] == 1

Without rules it is faithful: errors, batches and ids of the node pass as they are.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Final, TypeAlias

from chains.devnet.errors import DevnetError
from chains.devnet.faults import (
    BatchFault,
    Body,
    Disconnect,
    Fault,
    HttpFault,
    HttpStatus,
    IdsDuplicated,
    IdsForeign,
    IdsMissing,
    IdsReversed,
    IdsSwapped,
    Oversize,
    Redirect,
    Rewrite,
    RpcError,
    Rule,
    Stall,
    Truncate,
)
from chains.devnet.rpc import Json

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from aiohttp.web import AppRunner, Request, StreamResponse, TCPSite

Call: TypeAlias = dict[str, Json]

BODY_BYTES_MAX: Final = 64 * 2**20
UPSTREAM_TIMEOUT_S: Final = 60.0
CHUNK_BYTES: Final = 64 * 2**10
FOREIGN_ID: Final = 987654321


@dataclass(slots=True)
class Counts:
    """Count what the client did: HTTP requests, calls by method, body bytes from (up) and to (down) the client."""

    requests: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    bytes_up: int = 0
    bytes_down: int = 0

    def reset(self) -> None:
        """Start again from zero."""
        self.requests = self.bytes_up = self.bytes_down = 0
        self.calls.clear()


class FaultProxy:
    """Serve on a port of its own between `async with` and its end. `rules` may change at any time."""

    def __init__(self, upstream_url: str) -> None:
        self.upstream_url = upstream_url
        self.rules: list[Rule | Rewrite] = []
        self.counts = Counts()
        self._port = 0
        self._closing = asyncio.Event()
        self._runner: AppRunner | None = None
        self._site: TCPSite | None = None
        self._session: ClientSession | None = None

    @property
    def url(self) -> str:
        """Return where the client connects."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> FaultProxy:
        """Listen."""
        from aiohttp import ClientSession, ClientTimeout, web

        self._session = ClientSession(timeout=ClientTimeout(total=UPSTREAM_TIMEOUT_S))
        application = web.Application(client_max_size=BODY_BYTES_MAX)
        application.router.add_post("/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, stalled requests included."""
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def accept(self) -> None:
        """Listen, again on the same port after `refuse`."""
        from aiohttp.web import TCPSite

        if self._runner is None:
            raise DevnetError("the proxy was not entered")
        self._site = TCPSite(self._runner, "127.0.0.1", self._port)
        await self._site.start()
        self._port = int(self._runner.addresses[0][1])

    async def refuse(self) -> None:
        """Refuse new connections until `accept`; connections that are open stay so."""
        if self._site is not None:
            await self._site.stop()
            self._site = None

    async def _serve(self, request: Request) -> StreamResponse:
        from aiohttp import ClientError

        body = await request.read()
        self.counts.requests += 1
        self.counts.bytes_up += len(body)
        asked = json.loads(body)
        calls: list[Call] = asked if isinstance(asked, list) else [asked]
        self.counts.calls.update(str(call["method"]) for call in calls)
        try:
            answers = await self._ask([self._rewritten(call) for call in calls])
        except ClientError:  # the node is gone: so are we, for this request
            return await self._respond(request, b"", Disconnect())
        told, fault = self._apply(calls, answers)
        if isinstance(fault, BatchFault):
            told = _disordered(told, fault)
        answer: Json = [*told] if isinstance(asked, list) else next(iter(told), None)
        return await self._respond(request, json.dumps(answer, separators=(",", ":")).encode(), fault)

    async def _ask(self, calls: list[Call]) -> list[Call]:
        """Return the node's answers in the order of the calls, numbered by position for the way there."""
        if self._session is None:
            raise DevnetError("the proxy was not entered")
        numbered = [call | {"id": index} for index, call in enumerate(calls)]
        async with self._session.post(self.upstream_url, json=numbered) as response:
            answers = json.loads(await response.read())
        if not isinstance(answers, list):
            return [dict(answers) for _ in calls]
        by_id = {answer["id"]: answer for answer in answers}
        return [by_id[index] for index in range(len(calls))]

    def _rewritten(self, call: Call) -> Call:
        params = _params(call)
        for rule in self.rules:
            if isinstance(rule, Rewrite):
                params = rule.params(str(call["method"]), params)
        return call | {"params": params}

    def _apply(self, calls: list[Call], answers: list[Call]) -> tuple[list[Call], HttpFault | None]:
        told: list[Call] = []
        spoiled: HttpFault | None = None
        for call, answer in zip(calls, answers, strict=True):
            result = self._result(call, answer)
            if isinstance(result, HttpFault):
                spoiled, result = spoiled or result, answer.get("result")
            told.append(_answer(call.get("id"), result))
        return told, spoiled

    def _result(self, call: Call, answer: Call) -> Json | Fault:
        error = answer.get("error")
        result: Json | RpcError = answer.get("result")
        if isinstance(error, dict):
            result = RpcError(int(str(error["code"])), str(error["message"]), error.get("data"))
        for rule in self.rules:
            if isinstance(rule, Rewrite):
                continue
            told = rule(str(call["method"]), _params(call), result)
            if isinstance(told, HttpFault):
                return told
            result = told
        return result

    async def _respond(self, request: Request, content: bytes, fault: HttpFault | None) -> StreamResponse:
        from aiohttp import web

        match fault:
            case Stall(seconds=seconds):
                await self._stall(seconds)
            case HttpStatus(status=status, retry_after_s=seconds):
                headers = {} if seconds is None else {"Retry-After": str(seconds)}
                return web.Response(status=status, text="fault", headers=headers)
            case Redirect(url=url):
                return web.Response(status=302, headers={"Location": url})
            case Disconnect():
                _abort(request)
                return web.Response()
            case Truncate(keep_bytes=keep):
                return await self._truncated(request, content, keep)
            case Oversize(size_bytes=size):
                return await self._oversized(request, size)
            case Body(content=given):
                content = given
            case _:
                pass
        self.counts.bytes_down += len(content)
        return web.Response(body=content, content_type="application/json")

    async def _stall(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    async def _truncated(self, request: Request, content: bytes, keep: int) -> StreamResponse:
        from aiohttp import web

        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(content)
        await response.prepare(request)
        await response.write(content[:keep])
        self.counts.bytes_down += keep
        _close(request)
        return response

    async def _oversized(self, request: Request, size: int) -> StreamResponse:
        from aiohttp import web

        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        chunk = b'[{"jsonrpc":"2.0","id":0,"result":"0x'.ljust(CHUNK_BYTES, b"0")
        try:
            for _ in range(-(-size // CHUNK_BYTES)):
                await response.write(chunk)
                self.counts.bytes_down += len(chunk)
                chunk = b"0" * CHUNK_BYTES
            await response.write_eof()
        except ConnectionError:  # the client has had enough, as it should
            _abort(request)
        return response


def _params(call: Call) -> list[Json]:
    params = call.get("params")
    return params if isinstance(params, list) else []


def _answer(identifier: Json, result: Json | Fault) -> Call:
    head: Call = {"jsonrpc": "2.0", "id": identifier}
    if isinstance(result, RpcError):
        error: Call = {"code": result.code, "message": result.message}
        return head | {"error": error if result.data is None else error | {"data": result.data}}
    if isinstance(result, HttpFault):
        raise DevnetError(f"{result} does not concern one call")
    return head | {"result": result}


def _disordered(answers: list[Call], fault: BatchFault) -> list[Call]:
    match fault:
        case IdsReversed():
            return answers[::-1]
        case IdsSwapped() if len(answers) > 1:
            first, second, *rest = answers
            return [first | {"id": second["id"]}, second | {"id": first["id"]}, *rest]
        case IdsDuplicated():
            return [*answers[:-1], answers[0]] if len(answers) > 1 else [*answers, answers[0]]
        case IdsMissing():
            return answers[:-1]
        case IdsForeign():
            return [answers[0] | {"id": FOREIGN_ID}, *answers[1:]]
        case _:
            return answers


def _abort(request: Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _close(request: Request) -> None:
    if request.transport is not None:
        request.transport.close()
