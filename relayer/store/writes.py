"""Changes to the database, on the writing connection; each is one transaction.

The ledger's rule: one digest per (policyId, frame), for ever. A taken slot answers with the digest it holds, whatever
was offered; a free slot below the highest taken one is refused; a row is on disk before `reserve` returns.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from proofs.types import Hash32
from relayer.errors import LedgerRefused, LedgerRule
from relayer.flags import Flag, FlagEvent
from relayer.store import reads
from relayer.store.port import AccountRow, FrameRow
from relayer.store.rows import (
    EVENT_COLUMNS,
    FLAG_COLUMNS,
    FRAME_COLUMNS,
    event_cells,
    flag_cells,
    frame_cells,
    insert,
)
from relayer.store.schema import HISTORY_S

_PUT_FRAME = insert("INSERT OR REPLACE", "frames", FRAME_COLUMNS)
_PUT_ACCOUNT = "INSERT INTO accounts (policy_id, frame, account, leaf_abi, view_json) VALUES (?, ?, ?, ?, ?)"
_PUT_FLAG = insert("INSERT OR REPLACE", "flags", FLAG_COLUMNS)
_PUT_EVENT = insert("INSERT OR IGNORE", "events", EVENT_COLUMNS)
"""A pass that is repeated after a crash makes the same events; the first stand."""
_DROP_BUNDLES = """DELETE FROM bundles WHERE policy_id = :policy AND frame NOT IN
    (SELECT frame FROM bundles WHERE policy_id = :policy ORDER BY frame DESC LIMIT :keep)"""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit at the end, roll back on anything that escapes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # not when SQLite has ended it by itself, on a full disk
            connection.execute("ROLLBACK")


def reserve(connection: sqlite3.Connection, policy_id: Hash32, frame: int, digest: Hash32, signer: str) -> Hash32:
    """Take a slot of the ledger, or return what it holds.

    Raises: LedgerRefused for a free slot below the highest taken one.
    """
    with transaction(connection):
        held = reads.slot(connection, policy_id, frame)
        if held is not None:
            return held.digest
        top = reads.highest(connection, policy_id)
        if top is not None and frame < top:
            raise LedgerRefused(LedgerRule.LOWER_FRAME, policy_id, frame, f"frame {top} is already reserved")
        statement = "INSERT INTO ledger (policy_id, frame, digest, signer) VALUES (?, ?, ?, ?)"
        connection.execute(statement, (policy_id, frame, digest, signer))
    return digest


def record_signature(
    connection: sqlite3.Connection, policy_id: Hash32, frame: int, digest: Hash32, signatures: bytes
) -> None:
    """Store the signature of a reserved slot.

    Raises: LedgerRefused when the slot is free, holds another digest, or holds another signature.
    """
    with transaction(connection):
        held = reads.slot(connection, policy_id, frame)
        if held is None:
            raise LedgerRefused(LedgerRule.SLOT_NOT_RESERVED, policy_id, frame, "the slot is free")
        if held.digest != digest:
            raise LedgerRefused(LedgerRule.OTHER_DIGEST, policy_id, frame, "another digest was offered", held.digest)
        if held.signatures == signatures:
            return
        if held.signatures:
            detail = "another signature is stored already"
            raise LedgerRefused(LedgerRule.OTHER_SIGNATURE, policy_id, frame, detail, held.digest)
        statement = "UPDATE ledger SET signatures = ? WHERE policy_id = ? AND frame = ?"
        connection.execute(statement, (signatures, policy_id, frame))


def put_frame(connection: sqlite3.Connection, row: FrameRow, accounts: Sequence[AccountRow], leaves_s: int) -> None:
    """Write a frame and its accounts inside an open transaction, and drop what is too old to keep."""
    key = (row.policy_id, row.frame)
    connection.execute(_PUT_FRAME, frame_cells(row))
    connection.execute("DELETE FROM accounts WHERE policy_id = ? AND frame = ?", key)
    connection.executemany(_PUT_ACCOUNT, ((*key, item.account, item.leaf_abi, item.view_json) for item in accounts))
    connection.execute("DELETE FROM accounts WHERE policy_id = ? AND frame < ?", (row.policy_id, row.frame - leaves_s))
    connection.execute("DELETE FROM frames WHERE policy_id = ? AND frame < ?", (row.policy_id, row.frame - HISTORY_S))
    connection.execute("DELETE FROM events WHERE frame < ?", (row.frame - HISTORY_S,))


def put_flags(connection: sqlite3.Connection, flags: Sequence[Flag], events: Sequence[FlagEvent]) -> None:
    """Write flags and append their events inside an open transaction."""
    connection.executemany(_PUT_FLAG, map(flag_cells, flags))
    connection.executemany(_PUT_EVENT, map(event_cells, events))


def put_bundle(connection: sqlite3.Connection, policy_id: Hash32, frame: int, archive: bytes, keep: int) -> None:
    """Store a bundle and drop all but the newest."""
    with transaction(connection):
        statement = "INSERT OR REPLACE INTO bundles (policy_id, frame, archive) VALUES (?, ?, ?)"
        connection.execute(statement, (policy_id, frame, archive))
        connection.execute(_DROP_BUNDLES, {"policy": policy_id, "keep": keep})
