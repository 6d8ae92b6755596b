"""Rows of the database to domain types and back. Strict: a row that no writer of ours could have written is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence

from proofs.attestation import SignedRoot, abi_root, root_from_abi
from proofs.types import AccountId, Assurance, Hash32, Status
from relayer.flags import Flag, FlagEvent, FlagEventKind, FlagState
from relayer.store.port import AccountRow, FrameRow, FrameState, LedgerRow

Cell = bytes | str | int | None
Cells = tuple[Cell, ...]

LEDGER_COLUMNS = "policy_id, frame, digest, signer, signatures"
FRAME_COLUMNS = (
    "policy_id, frame, state, reason, root_abi, digest, signatures, as_of, valid_until, leaf_count, summary_json"
)
ACCOUNT_COLUMNS = "account, leaf_abi, view_json"
FLAG_COLUMNS = "account, state, status, since_frame, last_frame, raised_assurance, frames_above, reasons_json"
EVENT_COLUMNS = "account, kind, frame, status, equity_usd, maintenance_margin_usd, reasons_json"


def ledger_row(cells: Cells) -> LedgerRow:
    """Read a row of `LEDGER_COLUMNS`."""
    policy_id, frame, digest, signer, signatures = cells
    return LedgerRow(Hash32(_bytes(policy_id)), _int(frame), Hash32(_bytes(digest)), _text(signer), _bytes(signatures))


def frame_cells(row: FrameRow) -> Cells:
    """Write a row of `FRAME_COLUMNS`."""
    head: Cells = (row.policy_id, row.frame, row.state.value, row.reason)
    if row.signed is None:
        return (*head, None, None, None, None, None, None, row.summary_json)
    root = row.signed.root
    signed: Cells = (
        abi_root(root),
        row.signed.digest,
        row.signed.signatures,
        root.as_of,
        root.valid_until,
        root.leaf_count,
    )
    return (*head, *signed, row.summary_json)


def frame_row(cells: Cells) -> FrameRow:
    """Read a row of `FRAME_COLUMNS`."""
    policy_id, frame, state, reason, root_abi, digest, signatures, _, _, _, summary = cells
    signed = None
    if root_abi is not None:
        signed = SignedRoot(root_from_abi(_bytes(root_abi)), Hash32(_bytes(digest)), _bytes(signatures))
    return FrameRow(
        Hash32(_bytes(policy_id)), _int(frame), FrameState(_text(state)), _text(reason), signed, _bytes(summary)
    )


def account_row(cells: Cells) -> AccountRow:
    """Read a row of `ACCOUNT_COLUMNS`."""
    account, leaf_abi, view_json = cells
    return AccountRow(AccountId(_bytes(account)), _bytes(leaf_abi), _bytes(view_json))


def flag_cells(flag: Flag) -> Cells:
    """Write a row of `FLAG_COLUMNS`."""
    return (
        flag.account,
        flag.state.value,
        int(flag.status),
        flag.since_frame,
        flag.last_frame,
        int(flag.raised_assurance),
        flag.frames_above,
        _reasons_json(flag.reasons),
    )


def flag_of(cells: Cells) -> Flag:
    """Read a row of `FLAG_COLUMNS`."""
    account, state, status, since_frame, last_frame, assurance, frames_above, reasons = cells
    return Flag(
        AccountId(_bytes(account)),
        FlagState(_text(state)),
        Status(_int(status)),
        _int(since_frame),
        _int(last_frame),
        Assurance(_int(assurance)),
        _int(frames_above),
        _reasons(reasons),
    )


def event_cells(event: FlagEvent) -> Cells:
    """Write a row of `EVENT_COLUMNS`; money as decimal text."""
    money = (str(event.equity_usd), str(event.maintenance_margin_usd))
    return (event.account, event.kind.value, event.frame, int(event.status), *money, _reasons_json(event.reasons))


def event_of(cells: Cells) -> FlagEvent:
    """Read a row of `EVENT_COLUMNS`."""
    account, kind, frame, status, equity, maintenance, reasons = cells
    return FlagEvent(
        AccountId(_bytes(account)),
        FlagEventKind(_text(kind)),
        _int(frame),
        Status(_int(status)),
        int(_text(equity)),
        int(_text(maintenance)),
        _reasons(reasons),
    )


def select(columns: str, rest: str) -> str:
    """Return a SELECT of constant columns from constant tables; values are always bound."""
    return f"SELECT {columns} FROM {rest}"  # noqa: S608  # both parts are constants of this package


def insert(verb: str, table: str, columns: str) -> str:
    """Return an INSERT of constant columns into a constant table; values are always bound."""
    marks = ", ".join("?" for _ in columns.split(","))
    return f"{verb} INTO {table} ({columns}) VALUES ({marks})"


def _reasons_json(reasons: Sequence[str]) -> str:
    return json.dumps(list(reasons), ensure_ascii=True)


def _reasons(cell: Cell) -> tuple[str, ...]:
    return tuple(str(reason) for reason in json.loads(_text(cell)))


def _bytes(cell: Cell) -> bytes:
    if not isinstance(cell, bytes):
        raise TypeError(f"expected bytes in the store, got {type(cell).__name__}")
    return cell


def _int(cell: Cell) -> int:
    if not isinstance(cell, int):
        raise TypeError(f"expected an integer in the store, got {type(cell).__name__}")
    return cell


def _text(cell: Cell) -> str:
    if not isinstance(cell, str):
        raise TypeError(f"expected text in the store, got {type(cell).__name__}")
    return cell
