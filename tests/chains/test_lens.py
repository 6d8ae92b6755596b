"""The packed format of the lens: hand-made bytes, an interpreter of the format, and hostile replies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.lens import (
    LENS_ADDRESS,
    Slice,
    calldata_of,
    decode_getter,
    failed_rows,
    lens_code,
    pack,
    rows_of,
    slices,
    unpack,
)
from proofs.sheet import FAILED_WORD, CellStatus, ColumnSpec, ReadMode, column_from_rows
from proofs.types import Address

TARGET = Address(b"\x11" * 20)


def _column(rows: tuple[bytes, ...], signed: tuple[bool, ...] = (False,), prefix: bytes = b"\xaa\xbb") -> ColumnSpec:
    return ColumnSpec("c", TARGET, ReadMode.CALL, prefix, rows, signed, gas=0x01020304)


def test_pack__when_two_groups_are_packed__then_the_bytes_are_those_of_the_format() -> None:
    call = _column((b"\x21" * 32, b"\x22" * 32), (False, True, True))
    coin = ColumnSpec("n", Address(bytes(20)), ReadMode.NATIVE_BALANCE, b"", (b"\x33" * 20,), (False,), gas=5)

    packed = pack((call, coin), (Slice(0, 0, 2), Slice(1, 0, 1)))

    assert packed.hex() == (
        "0002"
        + "11" * 20 + "01" + "01020304" + "03" + "06" + "0002" + "20" + "00000002" + "aabb" + "21" * 32 + "22" * 32
        + "00" * 20 + "00" + "00000005" + "01" + "00" + "0000" + "14" + "00000001" + "33" * 20
    )  # fmt: skip


def test_pack__when_there_is_one_empty_row__then_it_has_no_args() -> None:
    packed = pack((_column((b"",)),), (Slice(0, 0, 1),))

    assert packed.hex() == "0001" + "11" * 20 + "01" + "01020304" + "01" + "00" + "0002" + "00" + "00000001" + "aabb"


@pytest.mark.parametrize(
    ("rows", "signed"),
    [
        ((b"\x01" * 20, b"\x01" * 32), (False,)),
        ((b"\x01" * 19,), (False,)),
        ((b"", b""), (False,)),
        ((b"\x01" * 20,), ()),
        ((b"\x01" * 20,), (False,) * 256),
        ((b"\x01" * 20,), (False,) * 8 + (True,)),
    ],
)
def test_pack__when_a_column_does_not_fit_the_format__then_it_is_refused(
    rows: tuple[bytes, ...], signed: tuple[bool, ...]
) -> None:
    with pytest.raises(ValueError, match="the lens needs"):
        pack((_column(rows, signed),), (Slice(0, 0, len(rows)),))


def test_unpack__when_the_length_is_off_by_one__then_there_is_no_reply() -> None:
    columns, parts = (_column((b"\x01" * 20,)),), (Slice(0, 0, 1),)
    reply = (7).to_bytes(8, "big") + (9).to_bytes(8, "big") + (5).to_bytes(16, "big")

    exact = unpack(columns, parts, reply)

    assert exact is not None
    assert (exact.number, exact.timestamp_s, exact.words) == (7, 9, ((5).to_bytes(16, "big"),))
    assert unpack(columns, parts, reply[:-1]) is None
    assert unpack(columns, parts, reply + b"\0") is None
    assert unpack(columns, parts, b"") is None


@given(st.lists(st.integers(0, 30), max_size=6), st.integers(1, 40))
def test_slices__when_rows_are_cut__then_each_is_asked_once_in_order(counts: list[int], rows_max: int) -> None:
    columns = [_column(tuple(bytes([row]) * 20 for row in range(count))) for count in counts]

    calls = list(slices(columns, rows_max))

    assert all(0 < sum(part.stop - part.start for part in call) <= rows_max for call in calls)
    covered = [(part.column, row) for call in calls for part in call for row in range(part.start, part.stop)]
    assert covered == [(index, row) for index, count in enumerate(counts) for row in range(count)]
    assert len(calls) == -(-sum(counts) // rows_max)


WORD = st.one_of(st.just(FAILED_WORD), st.sampled_from([b"\xff" * 15 + b"\xfe", b"\x00" + b"\xff" * 15, bytes(16)]))


@given(st.lists(WORD, max_size=40), st.integers(1, 5))
def test_failed_rows__when_words_are_any__then_exactly_rows_with_an_all_ones_word_are_found(
    words: list[bytes], width: int
) -> None:
    words = words[: len(words) // width * width]

    found = failed_rows(b"".join(words), width)

    expected = [row for row in range(len(words) // width) if FAILED_WORD in words[row * width : (row + 1) * width]]
    assert list(found) == expected


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.tuples(
                st.one_of(st.integers(0, 2**256 - 1), st.sampled_from([2**128 - 2, 2**128 - 1])),
                st.one_of(
                    st.integers(-(2**255), 2**255 - 1),
                    st.sampled_from([-(2**127) - 1, -(2**127), 2**127 - 2, 2**127 - 1]),
                ),
            ),
        ),
        max_size=12,
    )
)
def test_rows_of__when_rows_are_read_again__then_it_equals_the_sheets_own_encoder(
    rows: list[tuple[int, ...] | None],
) -> None:
    spec = _column(tuple(bytes([index]) * 20 for index in range(len(rows))), (False, True))
    expected = column_from_rows("c", (False, True), [CellStatus.FAILED if row is None else row for row in rows])

    again = rows_of(spec, FAILED_WORD * 2 * len(rows), dict(enumerate(rows)))

    assert again == expected


def test_rows_of__when_one_row_is_read_again__then_its_neighbours_keep_their_words() -> None:
    spec = _column((b"\x01" * 20, b"\x02" * 20, b"\x03" * 20))
    words = (5).to_bytes(16, "big") + FAILED_WORD + (7).to_bytes(16, "big")

    column = rows_of(spec, words, {1: (2**200,)})

    assert list(column.rows()) == [(5,), (2**200,), (7,)]
    assert column.status == bytes([CellStatus.OBSERVED, CellStatus.WIDE, CellStatus.OBSERVED])


def test_getter__when_it_answers_too_little__then_there_are_no_words() -> None:
    spec = _column((b"\x01" * 20,), (False, True))
    answer = (3).to_bytes(32, "big") + b"\xff" * 32

    assert decode_getter(spec, answer) == (3, -1)
    assert decode_getter(spec, answer + b"more") == (3, -1)
    assert decode_getter(spec, answer[:-1]) is None
    assert decode_getter(spec, b"") is None


def test_calldata__when_a_row_is_short__then_it_is_padded_on_the_left() -> None:
    assert calldata_of(_column((b"\x01" * 20,)), b"\x01" * 20).hex() == "aabb" + "00" * 12 + "01" * 20
    assert calldata_of(_column((b"",)), b"").hex() == "aabb"


def test_lens__when_loaded_from_the_package__then_it_has_code_and_a_fixed_address() -> None:
    assert 100 < len(lens_code()) <= 24_576
    assert LENS_ADDRESS.hex() == "fd8012fd55741aead8930c9eeb33d8f35e2cc0c6"
