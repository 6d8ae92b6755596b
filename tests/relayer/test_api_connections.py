"""Connections to the API: what strangers keep open ends, and never takes what frames need."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
from aiohttp import web

from relayer.api import server
from relayer.api.server import connections_max, serve
from tests.relayer.fake_world import Noticed

WAIT_S = 5.0
QUESTION = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = b"x" * 2**24

Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Peer]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    peers: list[Peer] = []

    async def opened() -> Peer:
        peers.append(await asyncio.open_connection(*listening.address))
        return peers[-1]

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=LARGE)

    app = web.Application()
    app.router.add_get("/", answer)
    listening = await serve(app, Noticed(), "127.0.0.1", 0)
    yield opened
    for _, writer in peers:
        writer.transport.abort()
    await listening.close()


async def received(peer: Peer) -> int:
    """Read a connection to its end, which the server has to bring about, and count the bytes."""
    reader, _ = peer
    size = 0
    async with asyncio.timeout(WAIT_S):
        with suppress(ConnectionError):
            while part := await reader.read(2**20):
                size += len(part)
    return size


async def status(peer: Peer) -> bytes:
    reader, writer = peer
    writer.write(QUESTION)
    async with asyncio.timeout(WAIT_S):
        return (await reader.readline())[:15]


async def test_connections__one_more_than_fit__is_cut_and_has_room_when_another_ends(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 3)
    held = [await connect() for _ in range(3)]
    assert [await status(peer) for peer in held] == [b"HTTP/1.1 200 OK"] * 3

    surplus = await connect()
    assert await received(surplus) == 0
    held[0][1].transport.abort()
    await asyncio.sleep(0.1)

    assert await status(await connect()) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_connections__no_whole_request__is_closed(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(server, "SILENCE_S", 0.2)
    silent = await connect()
    silent[1].write(said)

    assert await received(silent) == 0


async def test_connections__answer_is_not_read__is_cut_in_the_end(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECTION_S_MAX", 0.3)
    slow = await connect()
    slow[1].write(QUESTION)

    await asyncio.sleep(0.6)

    assert await received(slow) < len(LARGE)


def test_connections_max__few_descriptors__leaves_half_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for descriptors in (256, 1024, 2**20, resource.RLIM_INFINITY):
        monkeypatch.setattr(resource, "getrlimit", lambda _which, soft=descriptors: (soft, soft))
        counts.append(connections_max())

    assert counts == [128, 512, 512, 512]
