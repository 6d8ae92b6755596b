"""The store on SQLite: ledger, frames and flags in one file, one writer thread, read-only readers.

Every write runs in the one thread named `store-writer`, on its own connection, as one transaction that is on disk when
the call returns. A cancelled caller does not stop a write that has begun: the row is there, or it is not.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Self, TypeVar

from proofs.types import AccountId, Hash32
from relayer.config.operator import Retention
from relayer.errors import LedgerRefused, LedgerRule
from relayer.flags import Flag, FlagEvent
from relayer.store import reads, writes
from relayer.store.lock import StoreLock, lock_store
from relayer.store.port import AccountRow, FrameRow, FrameState, LedgerRow
from relayer.store.schema import INTEGER_MAX, fault_of, open_reader, open_writer

READERS: Final = 2
"""The API reads while a pass reads; more threads only wait for each other's interpreter lock."""
DISK_FREE_MIN: Final = 64 * 1024 * 1024
"""Below this nothing is signed any more, so that flags can still be written: 64 MB hold days of them."""
RETENTION_DEFAULT: Final = Retention()

Answer = TypeVar("Answer")
FreeBytes = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """Return the bytes that may still be written to a folder."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class _Threads:
    """Hold what blocks: the writer's thread and connection, the readers' threads and connections."""

    writer: ThreadPoolExecutor
    connection: sqlite3.Connection
    readers: ThreadPoolExecutor
    idle: SimpleQueue[sqlite3.Connection]


class SqliteStore:
    """Implement `Ledger`, `Frames` and `Flags`. Open with `SqliteStore.open`, close with `close`."""

    __slots__ = ("_free_bytes", "_lock", "_retention", "_threads", "path")

    def __init__(self, path: Path, lock: StoreLock, threads: _Threads, retention: Retention, free: FreeBytes) -> None:
        self.path: Path = path
        self._lock = lock
        self._threads = threads
        self._retention = retention
        self._free_bytes = free

    @classmethod
    async def open(cls, path: Path, retention: Retention = RETENTION_DEFAULT, free: FreeBytes = free_bytes) -> Self:
        """Lock, create or migrate, and open the store.

        Raises: StoreFault when it is in use, foreign, damaged, newer or not writable.
        """
        with ExitStack() as undo:
            lock = lock_store(path)
            undo.callback(lock.close)
            writer = ThreadPoolExecutor(1, "store-writer")
            undo.callback(writer.shutdown)
            connection = await asyncio.get_running_loop().run_in_executor(writer, open_writer, path)
            undo.callback(connection.close)
            idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
            for _ in range(READERS):
                idle.put(open_reader(path))
            threads = _Threads(writer, connection, ThreadPoolExecutor(READERS, "store-reader"), idle)
            undo.pop_all()
            return cls(path, lock, threads, retention, free)

    async def close(self) -> None:
        """Finish what was begun, close all connections, release the lock."""
        threads = self._threads
        threads.readers.shutdown()
        while not threads.idle.empty():
            threads.idle.get().close()
        await asyncio.get_running_loop().run_in_executor(threads.writer, threads.connection.close)
        threads.writer.shutdown()
        self._lock.close()

    # --- ledger --------------------------------------------------------------------------------------------------

    async def reserve(self, policy_id: Hash32, frame: int, digest: Hash32, signer: str) -> Hash32:
        """Insert the slot durably and return the digest it holds.

        Raises: LedgerRefused for a free slot below the highest, and when the disk is nearly full.
        """
        if not 0 <= frame <= INTEGER_MAX:
            raise LedgerRefused(LedgerRule.FRAME_RANGE, policy_id, frame, f"outside 0 to {INTEGER_MAX}")
        free = self._free_bytes(self.path.parent)
        if free < DISK_FREE_MIN:
            detail = f"{free} bytes are free where {DISK_FREE_MIN} are needed; flags go on, make room"
            raise LedgerRefused(LedgerRule.DISK_LOW, policy_id, frame, detail)
        return await self._write(lambda connection: writes.reserve(connection, policy_id, frame, digest, signer))

    async def record_signature(self, policy_id: Hash32, frame: int, digest: Hash32, signatures: bytes) -> None:
        """Store the signature of a reserved slot.

        Raises: LedgerRefused when the slot is free or holds something else.
        """
        await self._write(lambda connection: writes.record_signature(connection, policy_id, frame, digest, signatures))

    async def highest(self, policy_id: Hash32) -> int | None:
        """Return the highest reserved frame of a policy."""
        return await self._read(lambda connection: reads.highest(connection, policy_id))

    async def rows(self, policy_id: Hash32, from_frame: int) -> tuple[LedgerRow, ...]:
        """Return the slots of a policy from a frame on, ascending."""
        return await self._read(lambda connection: reads.ledger_rows(connection, policy_id, from_frame))

    # --- frames --------------------------------------------------------------------------------------------------

    async def put(
        self, row: FrameRow, accounts: Sequence[AccountRow], flags: Sequence[Flag], events: Sequence[FlagEvent]
    ) -> None:
        """Write a frame with its accounts, flags and events in one transaction."""

        def write(connection: sqlite3.Connection) -> None:
            with writes.transaction(connection):
                writes.put_frame(connection, row, accounts, self._retention.leaves_s)
                writes.put_flags(connection, flags, events)

        await self._write(write)

    async def latest(self, policy_id: Hash32, state: FrameState | None = None) -> FrameRow | None:
        """Return the newest frame, of a state when given."""
        return await self._read(lambda connection: reads.latest(connection, policy_id, state))

    async def frame(self, policy_id: Hash32, frame: int) -> FrameRow | None:
        """Return one frame."""
        return await self._read(lambda connection: reads.frame_at(connection, policy_id, frame))

    async def accounts(self, policy_id: Hash32, frame: int) -> tuple[AccountRow, ...]:
        """Return all accounts of a frame, ascending by account id."""
        return await self._read(lambda connection: reads.accounts_of(connection, policy_id, frame))

    async def put_bundle(self, policy_id: Hash32, frame: int, archive: bytes, keep: int) -> None:
        """Store a frame's evidence bundle and drop all but the `keep` newest."""
        await self._write(lambda connection: writes.put_bundle(connection, policy_id, frame, archive, keep))

    async def bundle(self, policy_id: Hash32, frame: int) -> bytes | None:
        """Return a frame's evidence bundle."""
        return await self._read(lambda connection: reads.bundle_of(connection, policy_id, frame))

    # --- flags ---------------------------------------------------------------------------------------------------

    async def put_provisional(self, flags: Sequence[Flag], events: Sequence[FlagEvent]) -> None:
        """Write provisional flags and their events in one transaction."""

        def write(connection: sqlite3.Connection) -> None:
            with writes.transaction(connection):
                writes.put_flags(connection, flags, events)

        await self._write(write)

    async def current(self) -> tuple[Flag, ...]:
        """Return all flags that are not clear, ascending by account id."""
        return await self._read(reads.open_flags)

    async def history(self, account: AccountId | None, limit: int) -> tuple[FlagEvent, ...]:
        """Return events, newest first."""
        return await self._read(lambda connection: reads.events_of(connection, account, limit))

    # --- threads -------------------------------------------------------------------------------------------------

    async def _write(self, action: Callable[[sqlite3.Connection], Answer]) -> Answer:
        def run() -> Answer:
            return self._guarded(action, self._threads.connection)

        return await asyncio.get_running_loop().run_in_executor(self._threads.writer, run)

    async def _read(self, action: Callable[[sqlite3.Connection], Answer]) -> Answer:
        def run() -> Answer:
            connection = self._threads.idle.get()
            try:
                return self._guarded(action, connection)
            finally:
                self._threads.idle.put(connection)

        return await asyncio.get_running_loop().run_in_executor(self._threads.readers, run)

    def _guarded(self, action: Callable[[sqlite3.Connection], Answer], connection: sqlite3.Connection) -> Answer:
        try:
            return action(connection)
        except sqlite3.Error as error:
            raise fault_of(error, self.path) from error
