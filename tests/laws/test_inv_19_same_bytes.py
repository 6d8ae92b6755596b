"""INV-19: same frame and policy, same bytes: other processes, hash seeds, time zones and orders of answering."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chains.fake import FakeChain
from proofs.snapshot import Anchor, Unavailable
from proofs.types import ChainId
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import CHAINS, FRAME, FakeWorld, make_bench

ROOT = Path(__file__).resolve().parents[2]


def digests_of(folder: Path, **environment: str) -> list[object]:
    command = [sys.executable, "-m", "tests.relayer.crash.child", str(folder / "relayer.db"), "none"]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    return [line["digest"] for line in lines if "published" in line]


def test_inv_19_digest__in_two_processes_with_other_seeds_and_zones__is_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    first = digests_of(tmp_path / "a", PYTHONHASHSEED="1", TZ="Asia/Kathmandu", LC_ALL="C")
    second = digests_of(tmp_path / "b", PYTHONHASHSEED="4242", TZ="America/St_Johns", LC_ALL="C.UTF-8")

    assert first == second
    assert len(set(first)) == len(first) == 3


class Slow:
    """Answer late, so that chains finish in another order."""

    def __init__(self, chain: FakeChain, pauses: int) -> None:
        self._chain = chain
        self._pauses = pauses

    def __getattr__(self, name: str) -> object:
        return getattr(self._chain, name)

    async def anchor(self, not_after_s: int) -> Anchor | Unavailable:
        for _ in range(self._pauses):
            await asyncio.sleep(0)
        return await self._chain.anchor(not_after_s)


@pytest.mark.parametrize("pauses", [(0, 3, 6), (6, 3, 0), (3, 0, 6)])
async def test_inv_19_digest__whatever_chain_answers_first__is_the_same(
    world: FakeWorld, tmp_path: Path, pauses: tuple[int, ...]
) -> None:
    slow: dict[ChainId, object] = {
        CHAINS[name]: Slow(world.chains[name], pause) for name, pause in zip("ABC", pauses, strict=True)
    }
    digests = []
    for number, chains in enumerate((world.adapters, slow)):
        store = await SqliteStore.open(tmp_path / f"{number}.db")
        bench = make_bench(world, store, chains=chains)
        await bench.pipeline.start()
        result = await bench.pipeline.run_frame(FRAME)
        digests.append(result.row.signed.digest)
        await store.close()

    assert digests[0] == digests[1]
