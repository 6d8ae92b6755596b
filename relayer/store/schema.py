"""The database's shape: tables, views, migrations, and how a connection to it is opened.

| table | one row per | kept |
|---|---|---|
| ledger | (policy, frame): the digest that may be signed | for ever; triggers refuse to change or delete it |
| frames | (policy, frame): state, signed root, summary | `HISTORY_S` |
| accounts | (policy, frame, account): leaf and explained view | as configured |
| bundles | (policy, frame): evidence bundle | the newest, as configured |
| flags | account: its flag | until replaced |
| events | transition of a flag; append-only | `HISTORY_S` |

`v_accounts` and `v_attestations` are the stable surface for other tools: bytes as 0x text, statuses as words, money as
the 32-byte hex words that are signed (SQLite's integers end at 2^63).

One connection writes, in WAL mode with synchronous = FULL: a commit is on disk when it returns. Readers open mode=ro.
SQLite before 3.51.3 can damage a WAL database when two connections write or checkpoint at once; ours never do.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from relayer.errors import StoreFault

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

APPLICATION_ID: Final = 0x4D524C59
"""ASCII "MRLY" in the file's header: whose database this is."""
MIGRATION_SET: Final = "margin_relayer"
MIGRATIONS: Final = ("0001_first",)
"""Names of all migrations that this program knows, oldest first; a file with another one was written by a newer one."""
BUSY_TIMEOUT_S: Final = 5.0
INTEGER_MAX: Final = 2**63 - 1
HISTORY_S: Final = 90 * 86_400
"""Frames without their leaves, and flag events: about 1.5 KB a frame, 200 MB at one a minute."""

_TABLES: Final = """
CREATE TABLE ledger (
    policy_id BLOB NOT NULL CHECK (length(policy_id) = 32),
    frame INTEGER NOT NULL CHECK (frame >= 0),
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    signer TEXT NOT NULL,
    signatures BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (policy_id, frame)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER ledger_slot_is_fixed BEFORE UPDATE ON ledger
WHEN new.policy_id IS NOT old.policy_id OR new.frame IS NOT old.frame OR new.digest IS NOT old.digest
    OR new.signer IS NOT old.signer OR (length(old.signatures) > 0 AND new.signatures IS NOT old.signatures)
BEGIN SELECT RAISE(ABORT, 'a ledger slot never changes'); END;
CREATE TRIGGER ledger_is_for_ever BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'a ledger slot is never deleted'); END;
CREATE TABLE frames (
    policy_id BLOB NOT NULL,
    frame INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    root_abi BLOB,
    digest BLOB,
    signatures BLOB,
    as_of INTEGER,
    valid_until INTEGER,
    leaf_count INTEGER,
    summary_json BLOB NOT NULL,
    PRIMARY KEY (policy_id, frame)
) STRICT, WITHOUT ROWID;
CREATE TABLE accounts (
    policy_id BLOB NOT NULL,
    frame INTEGER NOT NULL,
    account BLOB NOT NULL CHECK (length(account) = 32),
    leaf_abi BLOB NOT NULL CHECK (length(leaf_abi) = 320),
    view_json BLOB NOT NULL,
    PRIMARY KEY (policy_id, frame, account)
) STRICT, WITHOUT ROWID;
CREATE TABLE bundles (
    policy_id BLOB NOT NULL,
    frame INTEGER NOT NULL,
    archive BLOB NOT NULL,
    PRIMARY KEY (policy_id, frame)
) STRICT;
CREATE TABLE flags (
    account BLOB NOT NULL PRIMARY KEY CHECK (length(account) = 32),
    state TEXT NOT NULL,
    status INTEGER NOT NULL,
    since_frame INTEGER NOT NULL,
    last_frame INTEGER NOT NULL,
    raised_assurance INTEGER NOT NULL,
    frames_above INTEGER NOT NULL,
    reasons_json TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    account BLOB NOT NULL,
    kind TEXT NOT NULL,
    frame INTEGER NOT NULL,
    status INTEGER NOT NULL,
    equity_usd TEXT NOT NULL,
    maintenance_margin_usd TEXT NOT NULL,
    reasons_json TEXT NOT NULL,
    UNIQUE (account, frame, kind, status)
) STRICT;
CREATE INDEX events_by_account ON events (account, id);
"""

_VIEWS: Final = """
CREATE VIEW v_accounts AS SELECT
    '0x' || lower(hex(policy_id)) AS policy_id,
    frame,
    '0x' || lower(hex(account)) AS account,
    '0x' || lower(hex(substr(leaf_abi, 33, 32))) AS venue_id,
    CASE hex(substr(leaf_abi, 96, 1))
        WHEN '00' THEN 'unknown' WHEN '01' THEN 'healthy' WHEN '02' THEN 'warning'
        WHEN '03' THEN 'margin_call' WHEN '04' THEN 'liquidatable' WHEN '05' THEN 'bad_debt' END AS status,
    CASE hex(substr(leaf_abi, 128, 1))
        WHEN '00' THEN 0 WHEN '01' THEN 1 WHEN '02' THEN 2 WHEN '03' THEN 3 END AS assurance,
    '0x' || lower(hex(substr(leaf_abi, 159, 2))) AS quality_bits,
    '0x' || lower(hex(substr(leaf_abi, 161, 32))) AS collateral_usd_e18,
    '0x' || lower(hex(substr(leaf_abi, 193, 32))) AS liability_usd_e18,
    '0x' || lower(hex(substr(leaf_abi, 225, 32))) AS initial_margin_usd_e18,
    '0x' || lower(hex(substr(leaf_abi, 257, 32))) AS maintenance_margin_usd_e18,
    '0x' || lower(hex(substr(leaf_abi, 289, 32))) AS legs_root,
    CAST(view_json AS TEXT) AS view_json
FROM accounts;
CREATE VIEW v_attestations AS SELECT
    '0x' || lower(hex(policy_id)) AS policy_id,
    frame,
    as_of,
    valid_until,
    leaf_count,
    '0x' || lower(hex(digest)) AS digest,
    '0x' || lower(hex(root_abi)) AS root_abi,
    '0x' || lower(hex(signatures)) AS signatures
FROM frames WHERE digest IS NOT NULL;
"""


def migrations() -> Migrations:
    """Return the migrations, oldest first; a released one never changes."""
    from sqlite_utils import Migrations

    chain = Migrations(MIGRATION_SET)

    @chain(name=MIGRATIONS[0])
    def first(database: Database) -> None:
        _run(database, _TABLES)
        _run(database, _VIEWS)

    return chain


def open_writer(path: Path) -> sqlite3.Connection:
    """Open the one writing connection: create or migrate the schema, set WAL and full durability.

    Raises: StoreFault for a foreign, damaged or newer database, and for a disk that cannot be written.
    """
    from sqlite_utils import Database

    connection = _connect(path, "rwc")
    try:
        _refuse_foreign(connection, path)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _refuse_newer(connection, path)
        migrations().apply(Database(connection))
        _require_durable(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise fault_of(error, path) from error
    except StoreFault:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a read-only connection, usable from any one thread at a time.

    Raises: StoreFault when there is no such database, or it is foreign, damaged or newer.
    """
    if not path.is_file():
        raise StoreFault(str(path), "no such database", "start `relayer run` once, or correct `store`")
    connection = _connect(path, "ro")
    try:
        _refuse_foreign(connection, path)
        _refuse_newer(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise fault_of(error, path) from error
    except StoreFault:
        connection.close()
        raise
    return connection


def fault_of(error: sqlite3.Error, path: Path) -> StoreFault:
    """Say in the operator's words what SQLite could not do."""
    text = str(error)
    for mark, (problem, fix) in _FAULTS:
        if mark in text:
            return StoreFault(str(path), problem, fix)
    return StoreFault(str(path), f"SQLite refused: {text}", "keep the file and look at the disk")


_FAULTS: Final = (
    ("not a database", ("not an SQLite database", "correct `store`; nothing was written to this file")),
    ("malformed", ("damaged", "keep the file, restore a backup, and never sign with an older ledger")),
    ("disk is full", ("the disk is full", "make room; nothing was signed without its ledger row")),
    ("disk I/O error", ("the disk gave an I/O error", "check the disk before signing again")),
    ("readonly", ("not writable", "check the owner and the permissions of file and folder")),
    ("unable to open", ("cannot be opened", "check that the folder exists and who may write to it")),
    ("locked", ("locked by another program", "end the program that writes to it")),
)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise fault_of(error, path) from error


def _run(database: Database, script: str) -> None:
    """Execute statement by statement: `executescript` would commit the migration's transaction."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            database.conn.execute(statement)
            statement = ""


def _recorded(connection: sqlite3.Connection) -> frozenset[str]:
    table = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone()
    if table is None:
        return frozenset()
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (MIGRATION_SET,))
    return frozenset(str(name) for (name,) in rows)


def _refuse_newer(connection: sqlite3.Connection, path: Path) -> None:
    newer = sorted(_recorded(connection) - set(MIGRATIONS))
    if newer:
        fix = "install the release that wrote it; a newer database is never opened by an older program"
        raise StoreFault(str(path), f"written by a newer release (unknown migration {newer[0]})", fix)


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id != APPLICATION_ID and (tables or application_id):
        problem = "the database of another program"
        raise StoreFault(str(path), problem, "correct `store`; nothing was written to this file")


def _require_durable(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    if mode != "wal" or synchronous != 2:  # 2 is FULL
        problem = f"journal mode {mode}, synchronous {synchronous}: a commit would not be durable"
        raise StoreFault(str(path), problem, "use a local disk; network file systems do not fit")
