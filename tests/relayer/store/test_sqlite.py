"""What is SQLite's own: durability, one writer, the lock, foreign and newer files, the views."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from proofs.types import Status
from relayer.errors import LedgerRefused, LedgerRule, StoreFault
from relayer.store.port import FrameState
from relayer.store.schema import APPLICATION_ID, MIGRATIONS, fault_of, open_reader, open_writer
from relayer.store.sqlite import DISK_FREE_MIN, RETENTION_DEFAULT, SqliteStore
from tests.relayer.store.samples import (
    DIGEST,
    OTHER_DIGEST,
    POLICY,
    SIGNATURE,
    SIGNER,
    account_row,
    frame_row,
)


async def stored(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.reserve(POLICY, 60, DIGEST, SIGNER)
    await store.put(frame_row(60, FrameState.SIGNED), (account_row(7, Status.LIQUIDATABLE),), (), ())
    await store.close()


def test_open_writer__any__is_wal_with_full_fsync(tmp_path: Path) -> None:
    with closing(open_writer(tmp_path / "a.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # 2 = FULL: fsync at every commit
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA mmap_size").fetchone() == (0,)


async def test_close_and_open__again__remembers(tmp_path: Path) -> None:
    await stored(tmp_path / "a.db")

    store = await SqliteStore.open(tmp_path / "a.db")

    assert await store.reserve(POLICY, 60, OTHER_DIGEST, SIGNER) == DIGEST
    assert await store.frame(POLICY, 60) == frame_row(60, FrameState.SIGNED)
    await store.close()


async def test_writes__from_many_tasks__run_in_one_thread(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    seen: set[str] = set()

    async def one(frame: int) -> None:
        await store._write(lambda _: seen.add(threading.current_thread().name))
        await store.reserve(POLICY, frame, DIGEST, SIGNER)

    async with asyncio.TaskGroup() as group:
        for frame in range(20):
            group.create_task(one(frame))

    assert seen == {"store-writer_0"}
    assert len(await store.rows(POLICY, 0)) == 20
    await store.close()


async def test_reader__any_write__is_refused_by_sqlite(tmp_path: Path) -> None:
    await stored(tmp_path / "a.db")

    with (
        closing(open_reader(tmp_path / "a.db")) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.execute("DELETE FROM frames")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET digest = x'" + "ee" * 32 + "'",
        "UPDATE ledger SET frame = 61",
        "UPDATE ledger SET signatures = x'00'",
        "DELETE FROM ledger",
    ],
)
async def test_th_087_ledger__changed_by_hand__is_refused_by_the_database(tmp_path: Path, statement: str) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await store.reserve(POLICY, 60, DIGEST, SIGNER)
    await store.record_signature(POLICY, 60, DIGEST, SIGNATURE)
    await store.close()

    with closing(open_writer(tmp_path / "a.db")) as connection, pytest.raises(sqlite3.IntegrityError, match="never"):
        connection.execute(statement)


async def test_th_140_open__a_second_relayer__is_refused_and_names_the_first(tmp_path: Path) -> None:
    first = await SqliteStore.open(tmp_path / "a.db")

    with pytest.raises(StoreFault, match=rf"in use by another relayer \(process {os.getpid()}\)"):
        await SqliteStore.open(tmp_path / "a.db")

    await first.close()
    again = await SqliteStore.open(tmp_path / "a.db")
    await again.close()


HOLDER = """
import asyncio, sys
from pathlib import Path
from relayer.store.sqlite import SqliteStore
async def hold():
    store = await SqliteStore.open(Path(sys.argv[1]))
    print(await store.reserve(bytes([1]) * 32, 60, bytes([0xD1]) * 32, "0x"), flush=True)
    await asyncio.sleep(60)
asyncio.run(hold())
"""


async def test_th_088_th_089_kill_9__between_reserve_and_signature__keeps_the_slot_and_frees_the_lock(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.db"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    assert await child.stdout.readline()
    with pytest.raises(StoreFault, match=rf"process {child.pid}"):
        await SqliteStore.open(path)
    child.send_signal(signal.SIGKILL)
    await child.wait()

    store = await SqliteStore.open(path)

    assert await store.reserve(POLICY, 60, OTHER_DIGEST, SIGNER) == DIGEST
    with pytest.raises(LedgerRefused):
        await store.reserve(POLICY, 59, OTHER_DIGEST, SIGNER)
    (row,) = await store.rows(POLICY, 0)
    assert (row.digest, row.signatures) == (DIGEST, b"")
    with closing(open_reader(path)) as connection:
        assert connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
    await store.close()


async def test_th_154_open__a_newer_schema__is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await stored(path)
    with closing(open_writer(path)) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('margin_relayer', '9999_x', '')"
        )

    with pytest.raises(StoreFault, match=r"newer release \(unknown migration 9999_x\)"):
        await SqliteStore.open(path)
    with pytest.raises(StoreFault, match="newer release"):
        open_reader(path)


async def test_open__another_programs_database__is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
        connection.commit()
    before = path.read_bytes()

    with pytest.raises(StoreFault, match="another program"):
        await SqliteStore.open(path)

    assert path.read_bytes() == before


async def test_open__no_database_at_all__is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"this is a letter, not a database" * 100)

    with pytest.raises(StoreFault, match="not an SQLite database"):
        await SqliteStore.open(path)

    assert path.read_bytes() == b"this is a letter, not a database" * 100


async def test_open__a_damaged_page__is_a_typed_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await stored(path)
    raw = bytearray(path.read_bytes())
    raw[100:4096] = b"\xff" * 3996  # the schema's page
    path.write_bytes(raw)

    with pytest.raises(StoreFault, match="damaged"):
        await SqliteStore.open(path)


async def test_open__no_folder__says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreFault, match="check that the folder exists"):
        await SqliteStore.open(tmp_path / "none" / "a.db")
    with pytest.raises(StoreFault, match="no such database"):
        open_reader(tmp_path / "none.db")


async def test_open__refused__leaves_no_lock_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"x" * 5000)
    with pytest.raises(StoreFault):
        await SqliteStore.open(path)
    path.unlink()

    store = await SqliteStore.open(path)

    await store.close()


async def test_th_154_reserve__disk_nearly_full__stops_signing_and_not_flagging(tmp_path: Path) -> None:
    free = [DISK_FREE_MIN - 1]
    store = await SqliteStore.open(tmp_path / "a.db", RETENTION_DEFAULT, lambda _: free[0])

    with pytest.raises(LedgerRefused) as caught:
        await store.reserve(POLICY, 60, DIGEST, SIGNER)
    assert caught.value.rule == LedgerRule.DISK_LOW
    await store.put(frame_row(60), (account_row(1),), (), ())

    free[0] = DISK_FREE_MIN
    assert await store.reserve(POLICY, 60, DIGEST, SIGNER) == DIGEST
    await store.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("database or disk is full", "the disk is full"),
        ("disk I/O error", "I/O error"),
        ("attempt to write a readonly database", "not writable"),
        ("database is locked", "locked by another program"),
        ("something new", "SQLite refused: something new"),
    ],
)
def test_fault_of__what_sqlite_says__is_told_with_a_fix(text: str, words: str) -> None:
    fault = fault_of(sqlite3.OperationalError(text), Path("a.db"))

    assert words in str(fault)
    assert fault.fix


async def test_th_089_put__disk_full_in_the_middle__keeps_the_frame_before(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    await store.put(frame_row(60), (account_row(1),), (), ())

    def cap(connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    await store._write(cap)
    with pytest.raises(StoreFault, match="the disk is full"):
        await store.put(frame_row(120), tuple(account_row(n) for n in range(500)), (), ())

    assert await store.frame(POLICY, 120) is None
    assert await store.accounts(POLICY, 60) == (account_row(1),)
    await store.close()


async def test_views__a_signed_frame__are_readable_text(tmp_path: Path) -> None:
    await stored(tmp_path / "a.db")

    with closing(open_reader(tmp_path / "a.db")) as connection:
        connection.row_factory = sqlite3.Row
        account = dict(connection.execute("SELECT * FROM v_accounts").fetchone())
        attestation = dict(connection.execute("SELECT * FROM v_attestations").fetchone())

    assert account == {
        "policy_id": "0x" + "01" * 32,
        "frame": 60,
        "account": "0x" + "00" * 31 + "07",
        "venue_id": "0x" + "33" * 32,
        "status": "liquidatable",
        "assurance": 2,
        "quality_bits": "0x0201",
        "collateral_usd_e18": "0x" + "00" * 16 + "ff" * 16,
        "liability_usd_e18": "0x" + "00" * 31 + "01",
        "initial_margin_usd_e18": "0x" + "00" * 31 + "02",
        "maintenance_margin_usd_e18": "0x" + "00" * 31 + "03",
        "legs_root": "0x" + "44" * 32,
        "view_json": '{"n": "\\u00e9"}',
    }
    assert (attestation["frame"], attestation["as_of"], attestation["valid_until"], attestation["leaf_count"]) == (
        60,
        30,
        1830,
        2,
    )
    assert attestation["digest"] == "0x" + "d1" * 32
    assert attestation["signatures"] == "0x" + SIGNATURE.hex()
    assert len(attestation["root_abi"]) == 2 + 2 * 288


def test_migrations__names__ascend_and_are_distinct() -> None:
    assert sorted(set(MIGRATIONS)) == list(MIGRATIONS)
