"""A relayer over chains in memory and a real database that kills itself at one named point. Run as a program:

    python -m tests.relayer.crash.child DATABASE POINT

It runs the frames FRAME, FRAME + 2, ... of the same world and prints one line of JSON per frame that ended. POINT
`none` lets it live. The point is hit in the second frame it runs, so that there is a first one to lose.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from proofs.signing import LocalSigner
from proofs.types import Address, Hash32
from relayer.flags import Flag
from relayer.pipeline.records import Publication
from relayer.store import writes
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import ALICE, BOB, FRAME, SIGNER, FakeWorld, make_bench, make_policy, signing_ports

POINTS = (
    "before the ledger row",
    "after the ledger row",
    "after the signature",
    "while flags are written",
    "before publishing",
    "after publishing",
    "while a bundle is stored",
)
FRAMES = 3


class Fuse:
    """Die when the armed point is reached; armed after the first frame."""

    def __init__(self, point: str) -> None:
        self._point = point
        self.is_armed = False

    def reached(self, point: str) -> None:
        if self.is_armed and point == self._point:
            os.kill(os.getpid(), signal.SIGKILL)


class FusedStore:
    """Be the store, with fuses around the calls that matter."""

    def __init__(self, store: SqliteStore, fuse: Fuse, policy_id: Hash32) -> None:
        self._store = store
        self._fuse = fuse
        self._policy_id = policy_id

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def reserve(self, policy_id: Hash32, frame: int, digest: Hash32, signer: str) -> Hash32:
        is_root = policy_id == self._policy_id
        if is_root:
            self._fuse.reached("before the ledger row")
        held = await self._store.reserve(policy_id, frame, digest, signer)
        if is_root:
            self._fuse.reached("after the ledger row")
        return held


class FusedSigner:
    """Be the margin key, with a fuse behind it."""

    def __init__(self, signer: LocalSigner, fuse: Fuse) -> None:
        self._signer = signer
        self._fuse = fuse

    @property
    def address(self) -> Address:
        return self._signer.address

    async def sign(self, digest: Hash32) -> bytes:
        signature = await self._signer.sign(digest)
        self._fuse.reached("after the signature")
        return signature


class FusedPublisher:
    """Publish by printing, with a fuse on either side."""

    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse

    async def publish(self, publication: Publication) -> None:
        self._fuse.reached("before publishing")
        row = publication.row
        digest = None if row.signed is None else row.signed.digest.hex()
        tell({"published": row.frame, "digest": digest})
        self._fuse.reached("after publishing")

    async def publish_flags(self, flags: Sequence[Flag], seen_s: int) -> None:
        del flags, seen_s


class FusedConnection:
    """Be the writer's connection, with a fuse inside the transactions of flags and bundles."""

    def __init__(self, connection: sqlite3.Connection, fuse: Fuse) -> None:
        self._connection = connection
        self._fuse = fuse

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def execute(self, statement: str, *arguments: object) -> object:
        done = self._connection.execute(statement, *arguments)  # type: ignore[arg-type]
        if statement.startswith("INSERT OR REPLACE INTO bundles"):
            assert self._connection.in_transaction
            self._fuse.reached("while a bundle is stored")
        return done

    def executemany(self, statement: str, rows: object) -> object:
        done = self._connection.executemany(statement, rows)  # type: ignore[arg-type]
        if statement == writes._PUT_FLAG:
            assert self._connection.in_transaction
            self._fuse.reached("while flags are written")
        return done


def tell(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def crash_world() -> FakeWorld:
    """Alice breaches in the second frame, Bob in the first: both flags are there to be lost."""
    world = FakeWorld()
    world.lock("A", "USDX", ALICE, 400 * 10**6)
    world.position(ALICE, "ETH-PERP", 10**18, 3_000)
    world.position(BOB, "ETH-PERP", 10**18, 3_000)
    world.mine_to(FRAME)
    world.price("ETH", 2_700, FRAME)
    world.mine_to(FRAME + 2 * FRAMES + 4)
    return world


async def main(path: Path, point: str) -> None:
    policy, fuse, world = make_policy(), Fuse(point), crash_world()
    store = await SqliteStore.open(path)
    threads = store._threads
    store._threads = replace(threads, connection=FusedConnection(threads.connection, fuse))  # type: ignore[arg-type]
    fused = FusedStore(store, fuse, policy.policy_id)
    signing = replace(signing_ports(store), ledger=fused, signer=FusedSigner(SIGNER, fuse))
    bench = make_bench(world, store, policy, FusedPublisher(fuse), frames=fused, flags=fused, signing=signing)
    await bench.pipeline.start()
    for number in range(FRAMES):
        result = await bench.pipeline.run_frame(FRAME + 2 * number)
        assert not bench.noticed.bugs, bench.noticed.bugs
        state = None if result.row is None else str(result.row.state)
        tell({"ended": result.frame, "state": state})
        fuse.is_armed = True
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
