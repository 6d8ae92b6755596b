"""The transport against a server in this process that misbehaves by script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

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
from chains.jsonrpc import RpcCall
from chains.limits import RpcLimits
from chains.rpc import Provider, RpcClient
from chains.secret import SecretUrl
from proofs.types import ChainId
from tests.chains.recording import ManualClock, Recorder

LIMITS = RpcLimits(
    budget_s=0.5, attempts_max=3, rate_limited_max=2, backoff_first_s=0.1, backoff_max_s=0.15, request_bytes_max=2_000,
    reply_bytes_max=4_000, batch_calls_max=5,
)  # fmt: skip
Handler = Callable[[web.Request, list[dict[str, object]]], Awaitable[web.StreamResponse]]


class Server:
    """Serve a script: each entry answers one request, the last one all others."""

    def __init__(self) -> None:
        self.script: list[Handler] = [honest()]
        self.bodies: list[list[dict[str, object]]] = []
        self.headers: list[dict[str, str]] = []
        self.connections: list[object] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        calls = json.loads(await request.read())
        self.bodies.append(calls)
        self.headers.append(dict(request.headers))
        self.connections.append(request.transport)
        handler = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return await handler(request, calls)

    def methods(self) -> list[list[object]]:
        return [[call["method"] for call in body] for body in self.bodies]


def honest(chain: int = 1) -> Handler:
    async def handle(_request: web.Request, calls: list[dict[str, object]]) -> web.StreamResponse:
        told = [hex(chain) if call["method"] == "eth_chainId" else call["method"] for call in calls]
        return web.json_response(
            [{"jsonrpc": "2.0", "id": call["id"], "result": result} for call, result in zip(calls, told, strict=True)]
        )

    return handle


def status(code: int, **headers: str) -> Handler:
    async def handle(_request: web.Request, _calls: list[dict[str, object]]) -> web.StreamResponse:
        return web.Response(status=code, text="refused", headers=headers)

    return handle


def raw(body: bytes, **headers: str) -> Handler:
    async def handle(_request: web.Request, _calls: list[dict[str, object]]) -> web.StreamResponse:
        return web.Response(body=body, headers=headers)

    return handle


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, str]]:
    built = Server()
    app = web.Application()
    app.router.add_post("/{path:.*}", built.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield built, f"http://127.0.0.1:{runner.addresses[0][1]}/key/SECRETKEY"
    await runner.cleanup()


@pytest.fixture
async def link(server: tuple[Server, str]) -> AsyncIterator[tuple[RpcClient, Server, Recorder, ManualClock]]:
    built, url = server
    recorder, clock = Recorder(), ManualClock()
    client = RpcClient(ChainId("eip155:1"), Provider("p", "o", SecretUrl(url), LIMITS), recorder, clock, lambda: 0.5)
    yield client, built, recorder, clock
    await client.close()


Link = tuple[RpcClient, Server, Recorder, ManualClock]


async def test_connection__when_it_is_new__then_the_chain_is_named_once_in_the_same_body(link: Link) -> None:
    client, server, _, _ = link

    assert await client.call("a") == "a"
    assert await client.call("b") == "b"

    assert server.methods() == [["eth_chainId", "a"], ["b"]]
    assert server.connections[0] is server.connections[1]


async def test_connection__when_it_was_closed_between__then_the_chain_is_named_again(link: Link) -> None:
    client, server, _, _ = link
    await client.call("a")
    transport = server.connections[0]
    assert isinstance(transport, asyncio.Transport)
    transport.close()
    await asyncio.sleep(0.02)

    assert await client.call("b") == "b"

    assert server.methods()[-1] == ["eth_chainId", "b"]


async def test_connection__when_many_questions_run_at_once__then_every_new_connection_names_the_chain(
    link: Link,
) -> None:
    client, server, _, _ = link

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(client.call("a"))

    pairs = zip(server.connections, server.methods(), strict=True)
    named = {id(conn) for conn, methods in pairs if "eth_chainId" in methods}
    assert {id(conn) for conn in server.connections} == named
    assert len(named) <= LIMITS.connections_max


async def test_th_008_chain__when_it_is_another__then_expected_and_got_are_named(link: Link) -> None:
    client, server, recorder, _ = link
    server.script = [honest(chain=56)]

    with pytest.raises(WrongChain) as wrong:
        await client.call("a")

    assert (wrong.value.expected, wrong.value.got, wrong.value.provider) == (1, 56, "p")
    assert recorder.named("dissent")[0][:2] == ("p", "chain_id")


async def test_th_008_chain__when_it_was_another_before__then_every_request_asks_until_it_is_right(link: Link) -> None:
    client, server, _, _ = link
    server.script = [honest(), honest(chain=56), honest()]
    await client.call("a")

    with pytest.raises(WrongChain):
        await client.batch_named([RpcCall("b")])
    await client.call("c")
    await client.call("d")

    assert server.methods()[-2:] == [["eth_chainId", "c"], ["d"]]


@pytest.mark.parametrize("answer", ["1", "0x", "0xzz", None, 1, "0x" + "1" * 40])
async def test_chain_id__when_it_is_no_quantity__then_it_is_malformed(link: Link, answer: object) -> None:
    client, server, _, _ = link

    async def odd(_request: web.Request, calls: list[dict[str, object]]) -> web.StreamResponse:
        return web.json_response([{"jsonrpc": "2.0", "id": call["id"], "result": answer} for call in calls])

    server.script = [odd]

    with pytest.raises(RpcMalformed, match="chain_id"):
        await client.call("a")


async def test_batch__when_it_is_longer_than_a_body_takes__then_it_is_cut_and_joined_in_order(link: Link) -> None:
    client, server, _, _ = link

    replies = await client.batch([RpcCall(f"m{index}") for index in range(12)])

    assert replies == tuple(f"m{index}" for index in range(12))
    assert [len(body) for body in server.bodies] == [6, 5, 2]


async def test_ids__when_requests_follow_each_other__then_no_id_is_used_twice(link: Link) -> None:
    client, server, _, _ = link

    for _ in range(3):
        await client.batch([RpcCall("a"), RpcCall("b")])

    ids = [call["id"] for body in server.bodies for call in body]
    assert len(set(ids)) == len(ids)


async def test_retry__when_the_server_fails_twice__then_the_third_attempt_counts_and_pauses_double(link: Link) -> None:
    client, server, recorder, clock = link
    server.script = [status(500), status(503), honest()]

    assert await client.call("a") == "a"

    # 0.1 and min(0.2, 0.15), times 1/2 + 1/2 * 0.5
    assert clock.pauses == [0.075, 0.1125]
    assert [event[3] for event in recorder.named("rpc")] == ["RpcUnreachable", "RpcUnreachable", "ok"]


async def test_th_149_retry__when_the_server_keeps_failing__then_attempts_are_bounded(link: Link) -> None:
    client, server, _, _ = link
    server.script = [status(502)]

    with pytest.raises(RpcUnreachable, match="HTTP 502"):
        await client.call("a")

    assert len(server.bodies) == 3


async def test_rate_limit__when_it_says_for_how_long__then_that_is_waited_and_counted_apart(link: Link) -> None:
    client, server, recorder, clock = link
    server.script = [status(429, **{"Retry-After": "0"}), honest()]

    assert await client.call("a") == "a"

    assert recorder.named("limited") == [("p",)]
    assert clock.pauses == [0.075]


async def test_rate_limit__when_the_wait_exceeds_the_budget__then_it_fails_at_once(link: Link) -> None:
    client, server, _, clock = link
    server.script = [status(429, **{"Retry-After": "3600"})]

    with pytest.raises(RateLimited) as limited:
        await client.call("a")

    assert limited.value.retry_after_s == 3600
    assert (len(server.bodies), clock.pauses) == (1, [])


async def test_th_149_rate_limit__when_it_goes_on__then_it_has_its_own_bound(link: Link) -> None:
    client, server, recorder, _ = link
    server.script = [status(429)]

    with pytest.raises(RateLimited):
        await client.call("a")

    assert len(server.bodies) == LIMITS.rate_limited_max + 1
    assert len(recorder.named("limited")) == LIMITS.rate_limited_max + 1


@pytest.mark.parametrize("answer", [raw(b"<html>"), raw(b"[]"), raw(b"{}"), raw(b"[" * 3_000)])
async def test_malformed__when_an_answer_breaks_a_rule__then_it_is_not_asked_again(link: Link, answer: Handler) -> None:
    client, server, _, _ = link
    server.script = [answer]

    with pytest.raises(RpcMalformed):
        await client.call("a")

    assert len(server.bodies) == 1


async def test_bodies__when_the_reply_is_too_large__then_reading_stops(link: Link) -> None:
    client, server, _, _ = link
    server.script = [raw(b" " * 4_001)]

    with pytest.raises(BodyTooLarge, match="reply above 4000 bytes"):
        await client.call("a")


async def test_bodies__when_the_request_is_too_large__then_it_is_not_sent(link: Link) -> None:
    client, server, _, _ = link

    with pytest.raises(BodyTooLarge, match="request above 2000 bytes"):
        await client.call("a", "x" * 2_000)

    assert server.bodies == []


async def test_bodies__when_the_server_refuses_the_size__then_it_is_named_so(link: Link) -> None:
    client, server, _, _ = link
    server.script = [status(413)]

    with pytest.raises(BodyTooLarge, match="request"):
        await client.call("a")


async def test_th_012_body__when_it_is_compressed_although_refused__then_it_is_not_unpacked(link: Link) -> None:
    client, server, _, _ = link
    server.script = [raw(b"\x1f\x8b\x08", **{"Content-Encoding": "gzip"})]

    with pytest.raises(RpcMalformed, match="content_encoding"):
        await client.call("a")

    assert server.headers[0]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("code", [301, 302, 307, 308])
async def test_th_012_redirect__when_the_server_points_away__then_it_is_not_followed(link: Link, code: int) -> None:
    client, server, _, _ = link
    server.script = [status(code, Location="http://127.0.0.1:1/")]

    with pytest.raises(RpcRefused, match="redirects are not followed"):
        await client.call("a")

    assert len(server.bodies) == 1


async def test_timeout__when_the_server_stalls__then_the_budget_of_the_question_ends_it(link: Link) -> None:
    client, server, recorder, _ = link

    async def stall(_request: web.Request, _calls: list[dict[str, object]]) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    server.script = [stall]
    started = asyncio.get_running_loop().time()

    with pytest.raises(RpcTimeout, match=r"a gave no answer within 0\.5 s"):
        await client.call("a")

    assert asyncio.get_running_loop().time() - started < 2.0
    assert recorder.named("rpc")[-1][3] == "RpcTimeout"


async def test_proxy__when_the_environment_names_one__then_it_is_not_used(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _, _, _ = link
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")

    assert await client.call("a") == "a"


async def test_cookies__when_the_server_sets_one__then_it_is_not_kept(link: Link) -> None:
    client, server, _, _ = link

    async def baker(request: web.Request, calls: list[dict[str, object]]) -> web.StreamResponse:
        response = await honest()(request, calls)
        assert isinstance(response, web.Response)
        response.set_cookie("track", "me")
        return response

    server.script = [baker]
    await client.call("a")
    await client.call("b")

    assert "Cookie" not in server.headers[1]


@pytest.mark.parametrize(
    "answer",
    [status(500), status(401), status(429), status(302, Location="http://127.0.0.1:1/"), raw(b"no"), raw(b" " * 5_000)],
)
async def test_secrets__when_anything_fails__then_the_error_and_its_causes_tell_no_url(
    link: Link, answer: Handler
) -> None:
    client, server, recorder, _ = link
    server.script = [answer]

    with pytest.raises(ProviderError) as failed:
        await client.call("a")

    chain: BaseException | None = failed.value
    while chain is not None:
        assert "SECRETKEY" not in f"{chain} {chain!r}"
        assert "127.0.0.1" not in f"{chain} {chain!r}"
        chain = chain.__cause__ or chain.__context__
    assert "SECRETKEY" not in repr(recorder.events)
    assert "SECRETKEY" not in repr(vars(client))


async def test_secrets__when_nobody_listens__then_the_error_and_its_causes_tell_no_url() -> None:
    url = SecretUrl("http://127.0.0.1:9/key/SECRETKEY")
    client = RpcClient(ChainId("eip155:1"), Provider("p", "o", url, LIMITS), Recorder(), ManualClock(), lambda: 0.0)

    with pytest.raises(RpcUnreachable) as failed:
        await client.call("a")
    await client.close()

    chain: BaseException | None = failed.value
    while chain is not None:
        assert "127.0.0.1" not in f"{chain} {chain!r}"
        chain = chain.__cause__ or chain.__context__
