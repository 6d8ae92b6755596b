"""Questions to the database, on any connection; each is one short function over one statement."""

from __future__ import annotations

import sqlite3

from proofs.types import AccountId, Hash32
from relayer.flags import Flag, FlagEvent, FlagState
from relayer.store.port import AccountRow, FrameRow, FrameState, LedgerRow
from relayer.store.rows import (
    ACCOUNT_COLUMNS,
    EVENT_COLUMNS,
    FLAG_COLUMNS,
    FRAME_COLUMNS,
    LEDGER_COLUMNS,
    account_row,
    event_of,
    flag_of,
    frame_row,
    ledger_row,
    select,
)

_LATEST = select(FRAME_COLUMNS, "frames WHERE policy_id = ? ORDER BY frame DESC LIMIT 1")
_LATEST_OF_STATE = select(FRAME_COLUMNS, "frames WHERE policy_id = ? AND state = ? ORDER BY frame DESC LIMIT 1")
_FRAME = select(FRAME_COLUMNS, "frames WHERE policy_id = ? AND frame = ?")
_ACCOUNTS = select(ACCOUNT_COLUMNS, "accounts WHERE policy_id = ? AND frame = ? ORDER BY account")
_LEDGER = select(LEDGER_COLUMNS, "ledger WHERE policy_id = ? AND frame >= ? ORDER BY frame")
_OPEN_FLAGS = select(FLAG_COLUMNS, "flags WHERE state <> ? ORDER BY account")
_FLAG = select(FLAG_COLUMNS, "flags WHERE account = ?")
_EVENTS = select(EVENT_COLUMNS, "events ORDER BY id DESC LIMIT ?")
_EVENTS_OF = select(EVENT_COLUMNS, "events WHERE account = ? ORDER BY id DESC LIMIT ?")


def slot(connection: sqlite3.Connection, policy_id: Hash32, frame: int) -> LedgerRow | None:
    """Return one slot of the ledger."""
    statement = select(LEDGER_COLUMNS, "ledger WHERE policy_id = ? AND frame = ?")
    cells = connection.execute(statement, (policy_id, frame)).fetchone()
    return None if cells is None else ledger_row(cells)


def highest(connection: sqlite3.Connection, policy_id: Hash32) -> int | None:
    """Return the highest reserved frame of a policy."""
    (frame,) = connection.execute("SELECT max(frame) FROM ledger WHERE policy_id = ?", (policy_id,)).fetchone()
    return None if frame is None else int(frame)


def ledger_rows(connection: sqlite3.Connection, policy_id: Hash32, from_frame: int) -> tuple[LedgerRow, ...]:
    """Return the slots of a policy from a frame on, ascending."""
    return tuple(ledger_row(cells) for cells in connection.execute(_LEDGER, (policy_id, from_frame)))


def latest(connection: sqlite3.Connection, policy_id: Hash32, state: FrameState | None) -> FrameRow | None:
    """Return the newest frame, of a state when given."""
    if state is None:
        cells = connection.execute(_LATEST, (policy_id,)).fetchone()
    else:
        cells = connection.execute(_LATEST_OF_STATE, (policy_id, state.value)).fetchone()
    return None if cells is None else frame_row(cells)


def frame_at(connection: sqlite3.Connection, policy_id: Hash32, frame: int) -> FrameRow | None:
    """Return one frame."""
    cells = connection.execute(_FRAME, (policy_id, frame)).fetchone()
    return None if cells is None else frame_row(cells)


def accounts_of(connection: sqlite3.Connection, policy_id: Hash32, frame: int) -> tuple[AccountRow, ...]:
    """Return all accounts of a frame, ascending by account id."""
    return tuple(account_row(cells) for cells in connection.execute(_ACCOUNTS, (policy_id, frame)))


def bundle_of(connection: sqlite3.Connection, policy_id: Hash32, frame: int) -> bytes | None:
    """Return a frame's evidence bundle."""
    statement = "SELECT archive FROM bundles WHERE policy_id = ? AND frame = ?"
    cells = connection.execute(statement, (policy_id, frame)).fetchone()
    return None if cells is None else bytes(cells[0])


def open_flags(connection: sqlite3.Connection) -> tuple[Flag, ...]:
    """Return all flags that are not clear, ascending by account id."""
    return tuple(flag_of(cells) for cells in connection.execute(_OPEN_FLAGS, (FlagState.CLEAR.value,)))


def flag_at(connection: sqlite3.Connection, account: AccountId) -> Flag | None:
    """Return one account's flag, clear or not."""
    cells = connection.execute(_FLAG, (account,)).fetchone()
    return None if cells is None else flag_of(cells)


def events_of(connection: sqlite3.Connection, account: AccountId | None, limit: int) -> tuple[FlagEvent, ...]:
    """Return flag events, newest first."""
    if account is None:
        return tuple(event_of(cells) for cells in connection.execute(_EVENTS, (limit,)))
    return tuple(event_of(cells) for cells in connection.execute(_EVENTS_OF, (account, limit)))
