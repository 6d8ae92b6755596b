"""The sheet: words, markers, bytes, and the root that commits to them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.canonical_sheet import parse_sheet, sheet_fault
from proofs.errors import InvalidProof
from proofs.keccak import keccak256
from proofs.sheet import (
    CHUNK_BYTES,
    AccountList,
    AccountListSpec,
    CellStatus,
    Column,
    ColumnSpec,
    ReadMode,
    Sheet,
    column_from_rows,
    readings_root,
    serialise,
)
from proofs.types import AccountId, Address, ChainId

CHAIN = ChainId("eip155:1")
TARGET = Address(b"\1" * 20)
Row = tuple[int, ...] | CellStatus


def spec_of(name: str, count: int, signed: tuple[bool, ...]) -> ColumnSpec:
    rows = tuple(number.to_bytes(32, "big") for number in range(count))
    return ColumnSpec(name, TARGET, ReadMode.CALL, b"\0\0\0\1", rows, signed)


def edges(signed: bool) -> st.SearchStrategy[int]:
    if signed:
        named = [-(2**127) - 1, -(2**127), -1, 0, 2**127 - 2, 2**127 - 1, 2**127, -(2**255), 2**255 - 1]
        return st.sampled_from(named) | st.integers(-(2**255), 2**255 - 1)
    named = [0, 1, 2**127, 2**128 - 2, 2**128 - 1, 2**128, 2**256 - 1]
    return st.sampled_from(named) | st.integers(0, 2**256 - 1)


@st.composite
def columns(draw: st.DrawFn) -> tuple[ColumnSpec, Column, list[Row]]:
    signed = tuple(draw(st.lists(st.booleans(), min_size=1, max_size=3)))
    row = st.tuples(*(edges(each) for each in signed))
    lost = st.sampled_from([CellStatus.UNAVAILABLE, CellStatus.FAILED])
    rows: list[Row] = draw(st.lists(row | lost, max_size=6))
    name = draw(st.text(min_size=1, max_size=8))
    return spec_of(name, len(rows), signed), column_from_rows(name, signed, rows), rows


@given(columns())
def test_column__of_any_integers__reads_back_and_is_canonical(drawn: tuple[ColumnSpec, Column, list[Row]]) -> None:
    spec, column, rows = drawn

    assert list(column.rows()) == [None if isinstance(row, CellStatus) else row for row in rows]
    assert sheet_fault(Sheet(CHAIN, (), (column,)), CHAIN, (), (spec,)) is None


@given(st.lists(columns(), max_size=3, unique_by=lambda drawn: drawn[0].name), st.integers(0, 5))
def test_sheet__serialised_and_parsed__is_the_same(
    drawn: list[tuple[ColumnSpec, Column, list[Row]]], accounts: int
) -> None:
    specs = tuple(spec for spec, _, _ in drawn)
    listing = AccountList("list of accounts", tuple(AccountId(keccak256(bytes([at]))) for at in range(accounts)))
    lists = (AccountListSpec("list of accounts", TARGET, b"\0\0\0\2"),)
    sheet = Sheet(CHAIN, (listing,), tuple(column for _, column, _ in drawn))

    assert parse_sheet(serialise(sheet), CHAIN, lists, specs) == sheet


@pytest.mark.parametrize(
    ("value", "signed", "word", "status"),
    [
        (0, False, bytes(16), CellStatus.OBSERVED),
        (2**128 - 2, False, b"\xff" * 15 + b"\xfe", CellStatus.OBSERVED),
        (2**128 - 1, False, b"\xff" * 16, CellStatus.WIDE),
        (0, True, b"\x80" + bytes(15), CellStatus.OBSERVED),
        (-(2**127), True, bytes(16), CellStatus.OBSERVED),
        (2**127 - 2, True, b"\xff" * 15 + b"\xfe", CellStatus.OBSERVED),
        (2**127 - 1, True, b"\xff" * 16, CellStatus.WIDE),
        (-(2**127) - 1, True, b"\xff" * 16, CellStatus.WIDE),
    ],
)
def test_word__by_hand(value: int, signed: bool, word: bytes, status: CellStatus) -> None:
    column = column_from_rows("c", (signed,), [(value,)])

    assert (column.words, column.status) == (word, bytes([status]))
    assert column.row(0) == (value,)


def test_column__of_rows_of_another_length__is_refused() -> None:
    with pytest.raises(ValueError, match="row 1 has 2 words"):
        column_from_rows("c", (False,), [(1,), (1, 2)])


def test_serialised__spelt_out_by_hand() -> None:
    account = AccountId(b"\7" * 32)
    sheet = Sheet(
        CHAIN,
        (AccountList("box", (account,)),),
        (column_from_rows("c", (False, True), [(5, -(2**200)), CellStatus.FAILED]),),
    )

    assert serialise(sheet) == b"".join(
        (
            keccak256(b"eip155:1"),
            keccak256(b"box"),
            b"\0\0\0\1",
            account,
            keccak256(b"c"),
            b"\0\0\0\2\2",
            bytes(15) + b"\5" + b"\xff" * 16,
            b"\xff" * 32,
            bytes([CellStatus.WIDE, CellStatus.FAILED]),
            b"\0\0\0\1",
            b"\0\0\0\0\1" + (2**256 - 2**200).to_bytes(32, "big"),
        )
    )


def test_readings_root__of_one_chunk__is_its_hash_and_of_two_their_pair() -> None:
    small = Sheet(CHAIN, (), ())
    large = Sheet(CHAIN, (), (column_from_rows("c", (False,), [(number,) for number in range(1000)]),))
    raw = serialise(large)
    first, second = keccak256(raw[:CHUNK_BYTES]), keccak256(raw[CHUNK_BYTES:])

    assert readings_root(small) == keccak256(serialise(small))
    assert CHUNK_BYTES < len(raw) < 2 * CHUNK_BYTES
    assert readings_root(large) == keccak256(min(first, second) + max(first, second))


@given(st.integers(0, 200), st.integers(0, 7))
def test_sheet_bytes__with_a_bit_flipped__are_refused_or_another_sheet(at: int, bit: int) -> None:
    specs = (spec_of("c", 3, (False,)),)
    sheet = Sheet(CHAIN, (), (column_from_rows("c", (False,), [(1,), (2**128,), CellStatus.FAILED]),))
    raw = bytearray(serialise(sheet))
    raw[at % len(raw)] ^= 1 << bit

    try:
        parsed = parse_sheet(bytes(raw), CHAIN, (), specs)
    except InvalidProof:
        return
    assert parsed != sheet
    assert serialise(parsed) == bytes(raw)


@given(st.binary(max_size=400))
def test_any_bytes__end_in_our_own_error(raw: bytes) -> None:
    with pytest.raises(InvalidProof):
        parse_sheet(raw, CHAIN, (), (spec_of("c", 3, (False,)),))


@pytest.mark.parametrize("change", [b"", b"\0", b"\0" * 53])
def test_sheet_bytes__cut_or_continued__are_refused(change: bytes) -> None:
    specs = (spec_of("c", 1, (False,)),)
    raw = serialise(Sheet(CHAIN, (), (column_from_rows("c", (False,), [(1,)]),)))

    for forged in (raw[:-1], raw + b"\0" + change, raw[: len(raw) // 2] + change):
        with pytest.raises(InvalidProof):
            parse_sheet(forged, CHAIN, (), specs)


def test_wide_words__out_of_order_or_twice__are_refused() -> None:
    specs = (spec_of("c", 2, (False,)),)
    raw = serialise(Sheet(CHAIN, (), (column_from_rows("c", (False,), [(2**128,), (2**129,)]),)))
    first, second = raw[-74:-37], raw[-37:]

    for forged in (raw[:-74] + second + first, raw[:-74] + first + first):
        with pytest.raises(InvalidProof, match="do not rise"):
            parse_sheet(forged, CHAIN, (), specs)


def test_list_count__beyond_the_bytes__is_refused_without_reading_them() -> None:
    lists = (AccountListSpec("box", TARGET, b""),)
    raw = keccak256(b"eip155:1") + keccak256(b"box") + b"\xff\xff\xff\xff"

    with pytest.raises(InvalidProof, match="ends at byte"):
        parse_sheet(raw, CHAIN, lists, ())


def test_fault__names_the_column() -> None:
    spec = spec_of("c", 1, (False,))
    column = column_from_rows("c", (False,), [(1,)])

    fault = sheet_fault(Sheet(CHAIN, (), (replace(column, status=b"\2"),)), CHAIN, (), (spec,))

    assert fault == "column c: row 0 of status 2 is not canonical"
