"""Strict RLP: against the `rlp` package, and each spelling that is not the shortest."""

from __future__ import annotations

import pytest
import rlp as reference
from hypothesis import given
from hypothesis import strategies as st
from rlp.exceptions import DecodingError

from proofs.errors import ConstructionRefused, InvalidRlp, LimitExceeded, ProofError, Rule
from proofs.limits import RLP_BYTES_MAX, RLP_DEPTH_MAX
from proofs.rlp import Item, decode, decode_bytes, decode_list, decode_uint, encode, encode_parts, encode_uint

items = st.recursive(st.binary(max_size=70), lambda inner: st.lists(inner, max_size=6).map(tuple), max_leaves=12)


def depth_of(item: Item) -> int:
    return 0 if isinstance(item, bytes) else 1 + max((depth_of(part) for part in item), default=0)


def tuples(item: object) -> object:
    return item if isinstance(item, bytes) else tuple(tuples(part) for part in item)  # type: ignore[attr-defined]


@given(items)
def test_encode__any_item__as_the_reference(item: Item) -> None:
    assert encode(item) == reference.encode(item)


@given(items.filter(lambda item: depth_of(item) <= RLP_DEPTH_MAX))
def test_decode__any_encoded_item__the_item(item: Item) -> None:
    assert decode(encode(item)) == item


@given(items, st.data())
def test_decode__bytes_changed_anywhere__verdict_of_the_reference(item: Item, data: st.DataObject) -> None:
    raw = bytearray(encode(item))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    changed = bytes(raw)

    try:
        expected = tuples(reference.decode(changed, strict=True))
    except DecodingError:
        expected = None

    rule, got = _verdict(changed)
    if rule == Rule.RLP_DEPTH:  # the reference has no such bound
        return
    assert got == expected


def _verdict(raw: bytes) -> tuple[str, object]:
    try:
        return "", decode(raw)
    except InvalidRlp as fault:
        return fault.rule, None


@given(st.binary(max_size=80))
def test_th_034_decode__random_bytes__item_or_typed_error(raw: bytes) -> None:
    try:
        item = decode(raw)
    except ProofError:
        return

    assert encode(item) == raw


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        ("", Rule.RLP_TRUNCATED),
        ("8100", Rule.RLP_SINGLE_BYTE),
        ("817f", Rule.RLP_SINGLE_BYTE),
        ("b80100", Rule.RLP_LENGTH),
        ("b837" + "00" * 55, Rule.RLP_LENGTH),
        ("b90038" + "00" * 56, Rule.RLP_LENGTH),
        ("f800", Rule.RLP_LENGTH),
        ("f837" + "80" * 55, Rule.RLP_LENGTH),
        ("f90038" + "80" * 56, Rule.RLP_LENGTH),
        ("82ff", Rule.RLP_TRUNCATED),
        ("b8", Rule.RLP_TRUNCATED),
        ("b838" + "00" * 55, Rule.RLP_TRUNCATED),
        ("bfffffffffffffffff", Rule.RLP_TRUNCATED),
        ("ffffffffffffffffff", Rule.RLP_TRUNCATED),
        ("c1", Rule.RLP_TRUNCATED),
        ("c281", Rule.RLP_TRUNCATED),
        ("c28281", Rule.RLP_TRUNCATED),
        ("c382ffff80", Rule.RLP_TRAILING),
        ("0000", Rule.RLP_TRAILING),
        ("c000", Rule.RLP_TRAILING),
        ("c3c28281", Rule.RLP_TRUNCATED),
    ],
)
def test_th_034_decode__not_canonical__refused(raw: str, rule: Rule) -> None:
    with pytest.raises(InvalidRlp) as caught:
        decode(bytes.fromhex(raw))

    assert caught.value.rule == rule


@pytest.mark.parametrize(
    ("raw", "item"),
    [
        ("00", b"\x00"),
        ("7f", b"\x7f"),
        ("8180", b"\x80"),
        ("80", b""),
        ("c0", ()),
        ("b838" + "00" * 56, bytes(56)),
        ("b7" + "01" * 55, b"\x01" * 55),
        ("f838" + "80" * 56, (b"",) * 56),
        ("f7" + "80" * 55, (b"",) * 55),
        ("c382ffff", (b"\xff\xff",)),
    ],
)
def test_decode__shortest_spelling_beside_a_refused_one__accepted(raw: str, item: Item) -> None:
    assert decode(bytes.fromhex(raw)) == item


def test_th_047_decode__nested_to_the_limit__accepted_one_deeper_refused() -> None:
    raw = b"\xc0"
    for _ in range(RLP_DEPTH_MAX - 1):
        raw = encode_parts([raw])

    assert depth_of(decode(raw)) == RLP_DEPTH_MAX
    with pytest.raises(InvalidRlp) as caught:
        decode(encode_parts([raw]))
    assert caught.value.rule == Rule.RLP_DEPTH


def test_th_047_decode__ten_thousand_open_lists__refused_without_recursion() -> None:
    with pytest.raises(ProofError):
        decode(b"\xc1" * 10_000 + b"\xc0")


def test_th_047_decode__size_at_the_limit__accepted_one_more_refused() -> None:
    raw = encode(bytes(RLP_BYTES_MAX - 4))

    assert len(raw) == RLP_BYTES_MAX
    assert decode(raw) == bytes(RLP_BYTES_MAX - 4)
    with pytest.raises(LimitExceeded):
        decode(raw + b"\0")
    with pytest.raises(LimitExceeded):
        decode(b"\x82\x01\x02", 2)


@given(st.integers(0, 2**256 - 1))
def test_decode_uint__any_word__round_trip_as_the_reference(value: int) -> None:
    assert encode(encode_uint(value)) == reference.encode(value)
    assert decode_uint(encode_uint(value)) == value


@pytest.mark.parametrize("payload", [b"\0", b"\0\1", bytes(32), b"\1" * 33, ()])
def test_th_034_decode_uint__leading_zero_too_wide_or_list__refused(payload: Item) -> None:
    with pytest.raises(InvalidRlp):
        decode_uint(payload)


def test_decode_uint__width__bounds_the_bytes() -> None:
    assert decode_uint(b"\xff" * 8, 64) == 2**64 - 1
    with pytest.raises(InvalidRlp) as caught:
        decode_uint(b"\1" + bytes(8), 64)
    assert caught.value.rule == Rule.RLP_INTEGER


def test_decode_list_and_bytes__the_other_kind__refused() -> None:
    assert decode_list(b"\xc0") == ()
    assert decode_bytes(b"\x80") == b""
    with pytest.raises(InvalidRlp):
        decode_list(b"\x80")
    with pytest.raises(InvalidRlp):
        decode_bytes(b"\xc0")


def test_encode_uint__negative__refused() -> None:
    with pytest.raises(ConstructionRefused):
        encode_uint(-1)
