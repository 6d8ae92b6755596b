"""The codec of `MarginLens`: many holders' answers in one `eth_call`, 16 bytes a word. Sans-I/O.

What is sent (big-endian, no selector): uint16 number of groups, then per group

    address target ‖ uint8 mode ‖ uint32 gas ‖ uint8 words ‖ uint8 signed mask ‖ uint16 prefix length
    ‖ uint8 arg length ‖ uint32 arg count ‖ prefix ‖ args

What comes back: uint64 block number ‖ uint64 block timestamp ‖ the words, in the encoding of `proofs.sheet`. All ones
means that the call failed or that a value does not fit: the row is then read again, alone and at full width, which
decides between WIDE and FAILED.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from proofs.keccak import keccak256
from proofs.sheet import FAILED_WORD, SIGN_OFFSET, WORD_BYTES, CellStatus, Column, ColumnSpec, ReadMode
from proofs.types import Address

__all__ = [
    "LENS_ADDRESS",
    "LensReply",
    "Slice",
    "calldata_of",
    "decode_getter",
    "failed_rows",
    "lens_code",
    "pack",
    "rows_of",
    "slices",
    "unpack",
]

LENS_ADDRESS: Final = Address(keccak256(b"margin-relayer/lens")[12:])
"""Where the override puts the code: the hash of a sentence, so nobody's address."""
HEAD_BYTES: Final = 16
_SIGNED_WORDS_MAX: Final = 8
_WORDS_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class Slice:
    """Name consecutive rows of one column."""

    column: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class LensReply:
    """Hold one reply: the block it speaks of, and the packed words of each slice."""

    number: int
    timestamp_s: int
    words: tuple[bytes, ...]


@cache
def lens_code() -> bytes:
    """Return the lens' runtime code, from the compiled artifact that is shipped with `proofs`."""
    text = files("proofs").joinpath("contracts", "artifacts", "MarginLens.json").read_text(encoding="utf-8")
    return bytes.fromhex(str(json.loads(text)["deployedBytecode"]).removeprefix("0x"))


def slices(columns: Sequence[ColumnSpec], rows_max: int) -> Iterator[tuple[Slice, ...]]:
    """Cut the rows of all columns into calls of at most `rows_max` rows, in order."""
    call: list[Slice] = []
    room = rows_max
    for index, spec in enumerate(columns):
        start = 0
        while start < len(spec.rows):
            stop = min(len(spec.rows), start + room)
            call.append(Slice(index, start, stop))
            room -= stop - start
            start = stop
            if not room:
                yield tuple(call)
                call, room = [], rows_max
    if call:
        yield tuple(call)


def pack(columns: Sequence[ColumnSpec], parts: Sequence[Slice]) -> bytes:
    """Write the calldata that asks for these slices.

    Raises: ValueError for a column that the format cannot express.
    """
    return len(parts).to_bytes(2, "big") + b"".join(_group(columns[part.column], part) for part in parts)


def unpack(columns: Sequence[ColumnSpec], parts: Sequence[Slice], reply: bytes) -> LensReply | None:
    """Cut a reply into the words of its slices; None when its length is not the one that was asked for."""
    sizes = [(part.stop - part.start) * columns[part.column].width * WORD_BYTES for part in parts]
    if len(reply) != HEAD_BYTES + sum(sizes):
        return None
    words, at = [], HEAD_BYTES
    for size in sizes:
        words.append(reply[at : at + size])
        at += size
    return LensReply(int.from_bytes(reply[:8], "big"), int.from_bytes(reply[8:16], "big"), tuple(words))


def failed_rows(words: bytes, width: int) -> tuple[int, ...]:
    """Return the rows with an all-ones word, ascending."""
    rows, at = [], words.find(FAILED_WORD)
    stride = width * WORD_BYTES
    while at >= 0:
        word = -(-at // WORD_BYTES)  # a hit between two words belongs to no word, or to the next
        if words[word * WORD_BYTES : (word + 1) * WORD_BYTES] == FAILED_WORD:
            rows.append(word // width)
            at = words.find(FAILED_WORD, (word // width + 1) * stride)
        else:
            at = words.find(FAILED_WORD, at + 1)
    return tuple(rows)


def calldata_of(spec: ColumnSpec, row: bytes) -> bytes:
    """Return the calldata of one row's getter."""
    return spec.prefix + row.rjust(32, b"\0") if row else spec.prefix


def decode_getter(spec: ColumnSpec, answer: bytes) -> tuple[int, ...] | None:
    """Return the integers of one getter's answer at full width, or None when it answered too little."""
    if len(answer) < 32 * spec.width:
        return None
    return tuple(
        int.from_bytes(answer[32 * word : 32 * word + 32], "big", signed=signed)
        for word, signed in enumerate(spec.signed)
    )


def rows_of(spec: ColumnSpec, words: bytes, reread: Mapping[int, tuple[int, ...] | None]) -> Column:
    """Build a column from packed words and from what became of its failed rows (None: the call failed)."""
    packed, status, wide = bytearray(words), bytearray([CellStatus.OBSERVED]) * len(spec.rows), {}
    stride = spec.width * WORD_BYTES
    for row, answer in reread.items():
        if answer is None:
            status[row] = CellStatus.FAILED
            packed[row * stride : (row + 1) * stride] = FAILED_WORD * spec.width
            continue
        for word, value in enumerate(answer):
            shifted = value + SIGN_OFFSET if spec.signed[word] else value
            fits = 0 <= shifted < 2**128 - 1
            at = row * stride + word * WORD_BYTES
            packed[at : at + WORD_BYTES] = shifted.to_bytes(WORD_BYTES, "big") if fits else FAILED_WORD
            if not fits:
                status[row] = CellStatus.WIDE
                wide[row, word] = value
    return Column(spec.name, spec.signed, bytes(packed), bytes(status), MappingProxyType(wide))


def _group(spec: ColumnSpec, part: Slice) -> bytes:
    args = spec.rows[part.start : part.stop]
    length = len(args[0])
    _require_packable(spec, args, length)
    mask = sum(1 << index for index, signed in enumerate(spec.signed) if signed)
    head = (
        spec.target
        + bytes([spec.mode])
        + spec.gas.to_bytes(4, "big")
        + bytes([spec.width, mask])
        + len(spec.prefix).to_bytes(2, "big")
        + bytes([length])
        + len(args).to_bytes(4, "big")
    )
    return head + spec.prefix + b"".join(args)


def _require_packable(spec: ColumnSpec, args: Sequence[bytes], length: int) -> None:
    native = spec.mode is ReadMode.NATIVE_BALANCE
    rules = (
        ("rows of one length", all(len(arg) == length for arg in args)),
        ("rows of 20 or 32 bytes, or one empty row", length in (20, 32) or (not length and len(args) == 1)),
        ("1 to 255 words", 0 < spec.width <= _WORDS_MAX),
        ("signed words among the first 8", not any(spec.signed[_SIGNED_WORDS_MAX:])),
        ("20-byte rows, one unsigned word and no prefix", not native or (length, spec.width) == (20, 1)),
    )
    for rule, kept in rules:
        if not kept:
            raise ValueError(f"column {spec.name}: the lens needs {rule}")
