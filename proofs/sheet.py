"""The sheet: what one chain answered in one frame, in columns, as bytes.

A *column* is one question put to many rows (holders, accounts, or the single empty row): `ColumnSpec` is the question,
`Column` the answer. Every answer is `len(words)` words of 16 bytes per row and one status byte per row.

Word encoding (that of `MarginLens`): an unsigned word is a big-endian uint128; a signed word is value + 2^127 (offset
binary). All-ones is the failure marker and never a value: what does not fit is status WIDE with its integer in `wide`.
The words of a row that was not observed are all-ones.

An *account list* is the other kind of question: which accounts does this contract name? It fixes the rows.

`readings_root` commits to the whole sheet: Merkle root over the keccak-256 of 16 KiB chunks of `serialise`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from proofs.keccak import keccak256
from proofs.layouts import Layout
from proofs.merkle import merkle_root
from proofs.pins import CodePin
from proofs.types import AccountId, Address, ChainId, Hash32

WORD_BYTES: Final = 16
SIGN_OFFSET: Final = 2**127
FAILED_WORD: Final = b"\xff" * WORD_BYTES
CHUNK_BYTES: Final = 16 * 1024
CALL_GAS_DEFAULT: Final = 100_000
"""Gas one getter may burn: a proxied ERC-20 `balanceOf` costs some 10k, interest-bearing ones below 60k."""


class CellStatus(IntEnum):
    """Say what became of one row of a column; the numbers are committed to by `readings_root`."""

    UNAVAILABLE = 0
    """Nobody answered, or no quorum: not agreed, so the chain cannot be voted."""
    OBSERVED = 1
    FAILED = 2
    """The call reverted, ran out of its gas or answered too little, for everybody alike."""
    WIDE = 3
    """Observed, with a word that does not fit 128 bits; the integers are in `Column.wide`."""


class ReadMode(IntEnum):
    """Say how a cell is asked for."""

    NATIVE_BALANCE = 0
    CALL = 1


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """Ask one question of many rows of one contract.

    A call's data is `prefix ‖ row`, the row left-padded to 32 bytes; the single row b"" means the prefix alone.
    `signed` has one entry per word of the answer. `layout` tells where the same words lie in the contract's storage
    (None: not provable, assurance 1 at best); `code_hash` is the pin that the layout depends on (None only on devnets);
    `pins` are further facts it depends on: the implementation behind a proxy, contracts that a rate comes from.
    """

    name: str
    target: Address
    mode: ReadMode
    prefix: bytes
    rows: tuple[bytes, ...]
    signed: tuple[bool, ...]
    layout: Layout | None = None
    code_hash: Hash32 | None = None
    gas: int = CALL_GAS_DEFAULT
    pins: tuple[CodePin, ...] = ()

    @property
    def width(self) -> int:
        """Return the number of words per row."""
        return len(self.signed)


@dataclass(frozen=True, slots=True)
class Cells:
    """Name the rows of one column that are to be proven, rising; a column that is not named is proven as a whole."""

    column: str
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AccountListSpec:
    """Ask a contract for all accounts it names, in its own order.

    `slice_prefix` is the calldata up to the last two words `(uint256 from, uint256 count)`; the answer is `bytes32[]`.
    `layout` proves length and elements: `slots(b"")` is the length slot, `slots(index as 32 bytes)` an element's.
    """

    name: str
    target: Address
    slice_prefix: bytes
    layout: Layout | None = None
    code_hash: Hash32 | None = None
    pins: tuple[CodePin, ...] = ()


def code_pins(spec: ColumnSpec | AccountListSpec) -> tuple[CodePin, ...]:
    """Return every pin of a question, that of its own target first."""
    own = () if spec.code_hash is None else (CodePin(spec.target, spec.code_hash),)
    return own + spec.pins


@dataclass(frozen=True, slots=True)
class AccountList:
    """Hold the accounts that one contract names, in its own order."""

    name: str
    accounts: tuple[AccountId, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """Hold the answers of one column; see the module docstring for the encoding.

    `wide` maps (row, word) to the full integer of cells with status WIDE.
    """

    name: str
    signed: tuple[bool, ...]
    words: bytes
    status: bytes
    wide: Mapping[tuple[int, int], int] = field(default_factory=lambda: MappingProxyType({}))

    def row(self, index: int) -> tuple[int, ...] | None:
        """Return the integers of one row, or None where the row was not observed."""
        status = self.status[index]
        if status not in (CellStatus.OBSERVED, CellStatus.WIDE):
            return None
        return tuple(self._word(index, word) for word in range(len(self.signed)))

    def rows(self) -> Iterator[tuple[int, ...] | None]:
        """Yield all rows in order."""
        return (self.row(index) for index in range(len(self.status)))

    def _word(self, index: int, word: int) -> int:
        if (index, word) in self.wide:
            return self.wide[index, word]
        start = (index * len(self.signed) + word) * WORD_BYTES
        raw = int.from_bytes(self.words[start : start + WORD_BYTES], "big")
        return raw - SIGN_OFFSET if self.signed[word] else raw


@dataclass(frozen=True, slots=True)
class Sheet:
    """Hold what one chain answered: account lists and columns, in policy order."""

    chain: ChainId
    account_lists: tuple[AccountList, ...]
    columns: tuple[Column, ...]


def column_from_rows(name: str, signed: tuple[bool, ...], rows: list[tuple[int, ...] | CellStatus]) -> Column:
    """Encode integers into a column; a row given as a status was not observed.

    Raises: ValueError when a row's length differs from `signed`.
    """
    words, status, wide = bytearray(), bytearray(), {}
    for index, row in enumerate(rows):
        if isinstance(row, CellStatus):
            words += FAILED_WORD * len(signed)
            status.append(row)
            continue
        if len(row) != len(signed):
            raise ValueError(f"column {name}: row {index} has {len(row)} words, expected {len(signed)}")
        cell = CellStatus.OBSERVED
        for word, value in enumerate(row):
            shifted = value + SIGN_OFFSET if signed[word] else value
            if 0 <= shifted < 2**128 - 1:
                words += shifted.to_bytes(WORD_BYTES, "big")
            else:
                cell = CellStatus.WIDE
                words += FAILED_WORD
                wide[index, word] = value
        status.append(cell)
    return Column(name, signed, bytes(words), bytes(status), MappingProxyType(wide))


def serialise(sheet: Sheet) -> bytes:
    """Serialise a sheet canonically: what two relayers read alike has the same bytes.

    Per account list: keccak(name) ‖ uint32 count ‖ accounts. Per column: keccak(name) ‖ uint32 rows ‖ uint8 width ‖
    words ‖ status ‖ uint32 number of wide cells ‖ (uint32 row ‖ uint8 word ‖ 32-byte two's complement) ascending.
    """
    parts: list[bytes] = [keccak256(sheet.chain.encode())]
    for listing in sheet.account_lists:
        parts += [keccak256(listing.name.encode()), len(listing.accounts).to_bytes(4, "big"), *listing.accounts]
    for column in sheet.columns:
        parts += [keccak256(column.name.encode()), len(column.status).to_bytes(4, "big"), bytes([len(column.signed)])]
        parts += [column.words, column.status, len(column.wide).to_bytes(4, "big")]
        for (row, word), value in sorted(column.wide.items()):
            parts += [row.to_bytes(4, "big"), bytes([word]), (value % 2**256).to_bytes(32, "big")]
    return b"".join(parts)


def readings_root(sheet: Sheet) -> Hash32:
    """Return the Merkle root over the keccak-256 of 16 KiB chunks of the serialised sheet."""
    raw = serialise(sheet)
    chunks = [keccak256(raw[start : start + CHUNK_BYTES]) for start in range(0, len(raw), CHUNK_BYTES)]
    return Hash32(merkle_root(chunks))
