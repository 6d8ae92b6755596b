"""The JSON-RPC transport: one client per provider, and the only owner of retries.

- One HTTP request is one JSON batch. Bodies are bounded in both directions before they are parsed; nothing is
  decompressed, no redirect is followed, no proxy is taken from the environment, no cookie is kept.
- A connection joins the pool only after it has named the configured chain: the first request on it carries
  `eth_chainId` in the same body as the questions. A request that turns out to have opened a connection without asking
  is dropped unread and repeated with the question. `batch_named` asks in any case (once per frame).
- One budget covers a question with all its retries. Retried are failures of the connection and rate limits, each
  counted apart; never an answer. Pauses double up to a cap, times a jitter between 1/2 and 1 that is passed in.
- The URL appears in no error: aiohttp's own exceptions, whose text names hosts, end here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Final

import aiohttp

from chains.clock import Clock
from chains.errors import (
    BodyTooLarge,
    ProviderError,
    RateLimited,
    RpcMalformed,
    RpcRefused,
    RpcTimeout,
    RpcUnreachable,
    WrongChain,
)
from chains.jsonrpc import Json, Reply, RpcCall, decode_batch, encode_batch
from chains.limits import RpcLimits
from chains.observer import ChainObserver
from chains.secret import SecretUrl
from proofs.types import ChainId, evm_chain_number

__all__ = ["Provider", "RpcClient"]

Jitter = Callable[[], float]
"""Return a number in [0, 1)."""

_CHAIN_ID: Final = RpcCall("eth_chainId")
_KEEPALIVE_S: Final = 75.0
_READ_CHUNK: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Provider:
    """Configure one RPC endpoint: its label in errors and votes, who runs it, and its bounds."""

    label: str
    operator: str
    url: SecretUrl
    limits: RpcLimits = field(default_factory=RpcLimits)


class RpcClient:
    """Ask one provider."""

    def __init__(
        self, chain: ChainId, provider: Provider, observer: ChainObserver, clock: Clock, jitter: Jitter
    ) -> None:
        self._chain = chain
        self._provider = provider
        self._observer = observer
        self._clock = clock
        self._jitter = jitter
        self._session: aiohttp.ClientSession | None = None
        self._next_id = 1
        self._in_flight = 0
        self._verified = 0

    @property
    def label(self) -> str:
        """Return the provider's label."""
        return self._provider.label

    async def batch(self, calls: Sequence[RpcCall]) -> tuple[Reply, ...]:
        """Return one reply per call, in order; at most `batch_calls_max` calls go into one HTTP request.

        Raises: `ProviderError` when the whole question failed; a single call's `RpcRefused` is a value.
        """
        return await self._batch(calls, named=False)

    async def batch_named(self, calls: Sequence[RpcCall]) -> tuple[Reply, ...]:
        """Do the same and have the provider name its chain in the same request.

        Raises: `WrongChain` besides.
        """
        return await self._batch(calls, named=True)

    async def call(self, method: str, *params: Json) -> Json:
        """Return the result of one call.

        Raises: `ProviderError`, an error answer included.
        """
        (reply,) = await self.batch((RpcCall(method, params),))
        if isinstance(reply, RpcRefused):
            raise reply
        return reply

    async def close(self) -> None:
        """Release the connections."""
        session, self._session, self._verified = self._session, None, 0
        if session is not None:
            await session.close()

    async def _batch(self, calls: Sequence[RpcCall], *, named: bool) -> tuple[Reply, ...]:
        replies: list[Reply] = []
        size = self._provider.limits.batch_calls_max
        for start in range(0, len(calls), size):
            replies += await self._within_budget(calls[start : start + size], named=named)
        return tuple(replies)

    # --- budget and retries ------------------------------------------------------------------------------------

    async def _within_budget(self, calls: Sequence[RpcCall], *, named: bool) -> tuple[Reply, ...]:
        budget_s = self._provider.limits.budget_s
        deadline = asyncio.timeout(budget_s)
        try:
            async with deadline:
                return await self._with_retries(calls, named=named)
        except TimeoutError:
            pass
        self._observer.rpc_answered(self._chain, self.label, calls[0].method, len(calls), budget_s, "RpcTimeout")
        raise RpcTimeout(self.label, calls[0].method, budget_s)

    async def _with_retries(self, calls: Sequence[RpcCall], *, named: bool) -> tuple[Reply, ...]:
        limits = self._provider.limits
        failed, limited = 0, 0
        started = self._clock.monotonic_s()
        while True:
            try:
                return await self._observed(calls, named=named)
            except RateLimited as error:
                self._observer.rate_limited(self._chain, self.label)
                limited += 1
                last: ProviderError = error
                pause_s = max(self._pause_s(limited), error.retry_after_s or 0.0)
                spent = limited > limits.rate_limited_max
            except RpcUnreachable as error:
                failed += 1
                last = error
                pause_s = self._pause_s(failed)
                spent = failed >= limits.attempts_max
            if spent or self._clock.monotonic_s() - started + pause_s >= limits.budget_s:
                raise last
            await self._clock.sleep_until(self._clock.now_s() + pause_s)

    def _pause_s(self, failures: int) -> float:
        limits = self._provider.limits
        full_s = min(limits.backoff_first_s * 2.0 ** (failures - 1), limits.backoff_max_s)
        return full_s * (0.5 + 0.5 * self._jitter())

    async def _observed(self, calls: Sequence[RpcCall], *, named: bool) -> tuple[Reply, ...]:
        started = self._clock.monotonic_s()
        result = "cancelled"
        try:
            replies = await self._attempt(calls, named=named)
            result = "ok"
            return replies
        except ProviderError as error:
            result = type(error).__name__
            if isinstance(error, WrongChain):
                self._observer.dissent(self._chain, self.label, "chain_id", error.sentence)
            raise
        finally:
            seconds = self._clock.monotonic_s() - started
            self._observer.rpc_answered(self._chain, self.label, calls[0].method, len(calls), seconds, result)

    # --- one attempt -------------------------------------------------------------------------------------------

    async def _attempt(self, calls: Sequence[RpcCall], *, named: bool) -> tuple[Reply, ...]:
        named = named or self._in_flight >= self._verified
        self._in_flight += 1
        try:
            replies = await self._exchange(calls, named=named)
            if replies is None:
                replies = await self._exchange(calls, named=True)
            if replies is None:
                raise RpcUnreachable(self.label, "every request opens a new connection")
            return replies
        except ProviderError:
            self._verified = 0  # from here on every request names the chain, until one has
            raise
        finally:
            self._in_flight -= 1

    async def _exchange(self, calls: Sequence[RpcCall], *, named: bool) -> tuple[Reply, ...] | None:
        """Return the replies, or None for an answer dropped because its connection never named the chain."""
        asked = (_CHAIN_ID, *calls) if named else tuple(calls)
        first_id, self._next_id = self._next_id, self._next_id + len(asked)
        body = encode_batch(asked, first_id)
        if len(body) > self._provider.limits.request_bytes_max:
            raise BodyTooLarge(self.label, "request", self._provider.limits.request_bytes_max)
        answer = await self._post(body, named=named)
        if answer is None:
            return None
        replies = decode_batch(self.label, answer, asked, first_id, self._provider.url.mask)
        if not named:
            return replies
        self._require_chain(replies[0])
        self._verified = max(self._verified, self._in_flight)
        return replies[1:]

    def _require_chain(self, reply: Reply) -> None:
        if isinstance(reply, RpcRefused):
            raise reply
        expected = evm_chain_number(self._chain)
        got = int(reply, 16) if isinstance(reply, str) and _is_quantity(reply) else -1
        if got < 0:
            raise RpcMalformed(self.label, "chain_id", "no quantity")
        if got != expected:
            raise WrongChain(self.label, expected, got)

    async def _post(self, body: bytes, *, named: bool) -> bytes | None:
        opened = SimpleNamespace(connection=False)
        cause = ""
        try:
            async with self._open_session().post(
                self._provider.url.reveal(), data=body, allow_redirects=False, trace_request_ctx=opened
            ) as response:
                if opened.connection and not named:
                    response.close()
                    return None
                return await self._body_of(response)
        except aiohttp.ClientError as error:
            cause = type(error).__name__
        except OSError as error:
            cause = type(error).__name__
        raise RpcUnreachable(self.label, cause)

    async def _body_of(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._provider.limits.reply_bytes_max
        if response.status != 200:
            response.close()
            raise _http_error(self.label, response.status, response.headers.get("Retry-After"))
        if response.headers.get("Content-Encoding", "identity") != "identity":
            response.close()
            raise RpcMalformed(self.label, "content_encoding", "compressed although refused")
        parts, size = [], 0
        async for part in response.content.iter_chunked(_READ_CHUNK):
            size += len(part)
            if size > limit:
                response.close()
                raise BodyTooLarge(self.label, "reply", limit)
            parts.append(part)
        return b"".join(parts)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._provider.limits.connections_max, keepalive_timeout=_KEEPALIVE_S
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
                headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
                trace_configs=[_connection_trace()],
            )
        return self._session


def _connection_trace() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()

    async def opened(
        _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceConnectionCreateEndParams
    ) -> None:
        context.trace_request_ctx.connection = True

    trace.on_connection_create_end.append(opened)
    return trace


def _http_error(provider: str, status: int, retry_after: str | None) -> ProviderError:
    if status == 429:
        seconds = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else None
        return RateLimited(provider, seconds)
    if status == 413:
        return BodyTooLarge(provider, "request", None)
    if status >= 500:
        return RpcUnreachable(provider, f"HTTP {status}")
    return RpcRefused(provider, "HTTP", status, "redirects are not followed" if 300 <= status < 400 else "no answer")


def _is_quantity(text: str) -> bool:
    return 3 <= len(text) <= 18 and text[:2] == "0x" and not set(text[2:]) - set("0123456789abcdefABCDEF")
