"""Run one frame with marks on the disk: a file before the ledger is asked, another before the key is used."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from proofs.types import Address, Hash32
from relayer.pipeline.ports import SigningPorts
from relayer.store.port import LedgerRow
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import ALICE, FRAME, SIGNER, FakeWorld, make_bench, signing_ports


class MarkedLedger:
    """Mark the moment before a slot is reserved."""

    def __init__(self, inner: SqliteStore, folder: Path) -> None:
        self._inner, self._folder = inner, folder

    async def reserve(self, policy_id: Hash32, frame: int, digest: Hash32, signer: str) -> Hash32:
        (self._folder / "mark-reserve").touch()
        return await self._inner.reserve(policy_id, frame, digest, signer)

    async def record_signature(self, policy_id: Hash32, frame: int, digest: Hash32, signatures: bytes) -> None:
        await self._inner.record_signature(policy_id, frame, digest, signatures)

    async def highest(self, policy_id: Hash32) -> int | None:
        return await self._inner.highest(policy_id)

    async def rows(self, policy_id: Hash32, from_frame: int) -> tuple[LedgerRow, ...]:
        return await self._inner.rows(policy_id, from_frame)


class MarkedSigner:
    """Mark the moment before the key is used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def address(self) -> Address:
        return SIGNER.address

    async def sign(self, digest: Hash32) -> bytes:
        (self._folder / "mark-sign").touch()
        return await SIGNER.sign(digest)


async def main(folder: Path) -> None:
    world = FakeWorld()
    world.lock("A", "USDX", ALICE, 1_000 * 10**6)
    world.mine_to(FRAME + 3)
    store = await SqliteStore.open(folder / "relayer.db")
    plain: SigningPorts = signing_ports(store)
    marked = replace(plain, signer=MarkedSigner(folder), ledger=MarkedLedger(store, folder))
    result = await make_bench(world, store, signing=marked).pipeline.run_frame(FRAME)
    await store.close()
    sys.stdout.write(str(result.row.state if result.row else "none"))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
