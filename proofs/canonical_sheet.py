"""What makes a sheet canonical, and how one is read back from its bytes.

A sheet that answers the questions asked has one spelling: words of 16 bytes, all-ones where nothing was observed or
where the integer stands in `wide`, and `wide` holding exactly what 16 bytes cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from proofs.errors import InvalidProof
from proofs.keccak import keccak256
from proofs.sheet import (
    FAILED_WORD,
    SIGN_OFFSET,
    WORD_BYTES,
    AccountList,
    AccountListSpec,
    CellStatus,
    Column,
    ColumnSpec,
    Sheet,
)
from proofs.types import AccountId, ChainId

SHEET_RULE = "sheet_shape"


def sheet_fault(
    sheet: Sheet, chain: ChainId, lists: Sequence[AccountListSpec], columns: Sequence[ColumnSpec]
) -> str | None:
    """Say where a sheet is not a canonical answer to these questions; None where it is one."""
    if sheet.chain != chain:
        return f"sheet of {sheet.chain}, asked {chain}"
    names = [spec.name for spec in lists] + [spec.name for spec in columns]
    if len(set(names)) != len(names):
        return "a question's name comes twice"
    if [listing.name for listing in sheet.account_lists] != [spec.name for spec in lists]:
        return "account lists are not those asked"
    if [column.name for column in sheet.columns] != [spec.name for spec in columns]:
        return "columns are not those asked"
    for listing in sheet.account_lists:
        if any(len(account) != 32 for account in listing.accounts):
            return f"account list {listing.name}: an account is not 32 bytes"
    faults = (_column_fault(spec, column) for spec, column in zip(columns, sheet.columns, strict=True))
    return next((fault for fault in faults if fault is not None), None)


def parse_sheet(raw: bytes, chain: ChainId, lists: Sequence[AccountListSpec], columns: Sequence[ColumnSpec]) -> Sheet:
    """Read back what `serialise` wrote, for the same questions.

    Raises `InvalidProof` for bytes that are no canonical sheet of these questions.
    """
    cursor = _Cursor(raw)
    cursor.expect(keccak256(chain.encode()), "chain")
    listings = tuple(_parse_list(cursor, spec) for spec in lists)
    answers = tuple(_parse_column(cursor, spec) for spec in columns)
    if cursor.at != len(raw):
        raise InvalidProof(SHEET_RULE, detail=f"{len(raw) - cursor.at} bytes after the last column")
    sheet = Sheet(chain, listings, answers)
    fault = sheet_fault(sheet, chain, lists, columns)
    if fault is not None:
        raise InvalidProof(SHEET_RULE, detail=fault)
    return sheet


# --- one column ------------------------------------------------------------------------------------------------------


def _column_fault(spec: ColumnSpec, column: Column) -> str | None:
    where = f"column {spec.name}"
    if column.signed != spec.signed or not 0 < spec.width < 256:
        return f"{where}: {len(column.signed)} words a row, asked {spec.width}, or of other signs"
    if len(set(spec.rows)) != len(spec.rows):
        return f"{where}: a row is asked twice"
    if len(column.status) != len(spec.rows) or len(column.words) != len(spec.rows) * spec.width * WORD_BYTES:
        return f"{where}: {len(column.status)} rows in {len(column.words)} bytes, asked {len(spec.rows)}"
    if any(not 0 <= row < len(spec.rows) or not 0 <= word < spec.width for row, word in column.wide):
        return f"{where}: a wide word outside the column"
    wide_rows = {row for row, _ in column.wide}
    for row, status in enumerate(column.status):
        if not _is_canonical(column, row, status, row in wide_rows):
            return f"{where}: row {row} of status {status} is not canonical"
    return None


def _is_canonical(column: Column, row: int, status: int, has_wide: bool) -> bool:
    width = len(column.signed)
    chunk = column.words[row * width * WORD_BYTES : (row + 1) * width * WORD_BYTES]
    if has_wide != (status == CellStatus.WIDE):
        return False
    if status in (CellStatus.UNAVAILABLE, CellStatus.FAILED):
        return chunk == FAILED_WORD * width
    if status not in (CellStatus.OBSERVED, CellStatus.WIDE):
        return False
    for word in range(width):
        is_marker = chunk[word * WORD_BYTES : (word + 1) * WORD_BYTES] == FAILED_WORD
        if is_marker != ((row, word) in column.wide):
            return False
        if is_marker and not _is_wide(column.wide[row, word], column.signed[word]):
            return False
    return True


def _is_wide(value: int, signed: bool) -> bool:
    """Say whether an integer fits 256 bits of its sign and not the word."""
    if signed:
        return -(2**255) <= value < 2**255 and not 0 <= value + SIGN_OFFSET < 2**128 - 1
    return 2**128 - 1 <= value < 2**256


# --- bytes -----------------------------------------------------------------------------------------------------------


class _Cursor:
    """Take bytes from the front; what is not there is refused."""

    __slots__ = ("_raw", "at")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.at = 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self._raw):
            raise InvalidProof(SHEET_RULE, detail=f"ends at byte {len(self._raw)}, expected {count} at {self.at}")
        self.at += count
        return self._raw[self.at - count : self.at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def expect(self, wanted: bytes, what: str) -> None:
        if self.take(len(wanted)) != wanted:
            raise InvalidProof(SHEET_RULE, detail=f"{what} is not the one asked, at byte {self.at - len(wanted)}")


def _parse_list(cursor: _Cursor, spec: AccountListSpec) -> AccountList:
    cursor.expect(keccak256(spec.name.encode()), f"account list {spec.name}")
    raw = cursor.take(32 * cursor.number(4))
    return AccountList(spec.name, tuple(AccountId(raw[at : at + 32]) for at in range(0, len(raw), 32)))


def _parse_column(cursor: _Cursor, spec: ColumnSpec) -> Column:
    head = keccak256(spec.name.encode()) + len(spec.rows).to_bytes(4, "big") + bytes([spec.width])
    cursor.expect(head, f"column {spec.name}")
    words = cursor.take(len(spec.rows) * spec.width * WORD_BYTES)
    status = cursor.take(len(spec.rows))
    return Column(spec.name, spec.signed, words, status, _parse_wide(cursor, spec))


def _parse_wide(cursor: _Cursor, spec: ColumnSpec) -> Mapping[tuple[int, int], int]:
    wide: dict[tuple[int, int], int] = {}
    before = (-1, 0)
    for _ in range(cursor.number(4)):
        key = cursor.number(4), cursor.number(1)
        if key <= before or key[1] >= spec.width:
            raise InvalidProof(SHEET_RULE, detail=f"column {spec.name}: wide words do not rise, or lie outside")
        wide[key] = int.from_bytes(cursor.take(32), "big", signed=spec.signed[key[1]])
        before = key
    return MappingProxyType(wide)
