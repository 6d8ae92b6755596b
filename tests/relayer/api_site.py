"""A listening API over a world in memory, with what stands behind it."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
import orjson

from relayer.api.board import Board
from relayer.pipeline.health import Health
from tests.relayer.fake_world import Bench, FakeWorld, ManualClock, Noticed


class Page:
    def __init__(self) -> None:
        self.rendered = 0

    def render(self) -> tuple[bytes, str]:
        self.rendered += 1
        return b"margin_relayer_up 1\n", "text/plain; version=0.0.4"


@dataclass
class Site:
    """Hold a listening API and what stands behind it."""

    base: str
    session: aiohttp.ClientSession
    board: Board
    health: Health
    clock: ManualClock
    noticed: Noticed
    world: FakeWorld
    bench: Bench
    page: Page

    async def get(self, path: str, **headers: str) -> tuple[int, dict[str, object], aiohttp.ClientResponse]:
        async with self.session.get(self.base + path, headers=headers) as answer:
            raw = await answer.read()
            is_json = "json" in answer.headers.get("Content-Type", "")
            return answer.status, orjson.loads(raw) if is_json and raw else {"raw": raw}, answer

    async def post(self, path: str, body: object) -> tuple[int, dict[str, object], aiohttp.ClientResponse]:
        """Send a document, or bytes as they are."""
        raw_body = body if isinstance(body, bytes) else orjson.dumps(body)
        async with self.session.post(self.base + path, data=raw_body) as answer:
            return answer.status, orjson.loads(await answer.read()), answer
