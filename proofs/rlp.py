"""Recursive Length Prefix, strictly: every value has exactly one accepted spelling.

An item is bytes or a tuple of items. Refused with `InvalidRlp`: lengths not in their shortest form, a byte below
0x80 wrapped in a string, input that ends early or goes on after the item, nesting deeper than `RLP_DEPTH_MAX`. So
`encode(decode(x)) == x` for all accepted x. Sizes are bounded before anything is copied; time is linear.

Source: Ethereum yellow paper, appendix B.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from proofs.errors import ConstructionRefused, InvalidRlp, LimitExceeded, Rule
from proofs.limits import RLP_BYTES_MAX, RLP_DEPTH_MAX

__all__ = ["Item", "decode", "decode_bytes", "decode_list", "decode_uint", "encode", "encode_parts", "encode_uint"]

Item: TypeAlias = bytes | tuple["Item", ...]
_Encodable: TypeAlias = bytes | Sequence["_Encodable"]

_STRING: Final = 0x80
_STRING_LONG: Final = 0xB8
_LIST: Final = 0xC0
_LIST_LONG: Final = 0xF8
_SHORT_MAX: Final = 55


def decode(data: bytes, bytes_max: int = RLP_BYTES_MAX) -> Item:
    """Decode exactly one item.

    Raises `InvalidRlp`, and `LimitExceeded` for more than `bytes_max` bytes.
    """
    size = len(data)
    if size > bytes_max:
        raise LimitExceeded("RLP_BYTES_MAX" if bytes_max == RLP_BYTES_MAX else "rlp bytes", bytes_max, size)
    item, end = _item(data, 0, size, RLP_DEPTH_MAX)
    if end != size:
        raise InvalidRlp(Rule.RLP_TRAILING, end, f"{size - end} bytes after the item")
    return item


def decode_list(data: bytes, bytes_max: int = RLP_BYTES_MAX) -> tuple[Item, ...]:
    """Decode exactly one list."""
    item = decode(data, bytes_max)
    if isinstance(item, bytes):
        raise InvalidRlp(Rule.RLP_KIND, 0, "bytes, expected a list")
    return item


def decode_bytes(data: bytes, bytes_max: int = RLP_BYTES_MAX) -> bytes:
    """Decode exactly one string of bytes."""
    item = decode(data, bytes_max)
    if not isinstance(item, bytes):
        raise InvalidRlp(Rule.RLP_KIND, 0, "a list, expected bytes")
    return item


def decode_uint(payload: Item, bits: int = 256) -> int:
    """Read a decoded item as an unsigned integer: big-endian, no leading zero, zero is empty."""
    if not isinstance(payload, bytes):
        raise InvalidRlp(Rule.RLP_KIND, detail="a list, expected an integer")
    if len(payload) * 8 > bits:
        raise InvalidRlp(Rule.RLP_INTEGER, detail=f"{len(payload)} bytes, at most {bits // 8}")
    if payload[:1] == b"\0":
        raise InvalidRlp(Rule.RLP_INTEGER, detail="leading zero")
    return int.from_bytes(payload, "big")


def encode(item: _Encodable) -> bytes:
    """Encode bytes or nested sequences of them."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < _STRING:
            return item
        return _prefix(len(item), _STRING) + item
    return encode_parts([encode(part) for part in item])


def encode_parts(parts: Sequence[bytes]) -> bytes:
    """Wrap items that are already encoded into a list."""
    payload = b"".join(parts)
    return _prefix(len(payload), _LIST) + payload


def encode_uint(value: int) -> bytes:
    """Return the shortest big-endian bytes of an unsigned integer, not yet wrapped; zero is empty."""
    if value < 0:
        raise ConstructionRefused("RLP integer", str(value))
    return value.to_bytes((value.bit_length() + 7) >> 3, "big")


def _prefix(length: int, offset: int) -> bytes:
    if length <= _SHORT_MAX:
        return bytes((offset + length,))
    digits = encode_uint(length)
    return bytes((offset + _SHORT_MAX + len(digits),)) + digits


def _item(data: bytes, start: int, limit: int, depth: int) -> tuple[Item, int]:
    """Decode the item at `start`, which must end at or before `limit`; return it and its end."""
    if start >= limit:
        raise InvalidRlp(Rule.RLP_TRUNCATED, start, "an item is missing")
    lead = data[start]
    if lead < _STRING:
        return data[start : start + 1], start + 1
    if lead < _LIST:
        return _string(data, start, limit)
    return _list(data, start, limit, depth)


def _string(data: bytes, start: int, limit: int) -> tuple[bytes, int]:
    begin, end = _payload(data, start, limit, _STRING)
    if end - begin == 1 and data[begin] < _STRING:
        raise InvalidRlp(Rule.RLP_SINGLE_BYTE, start)
    return data[begin:end], end


def _list(data: bytes, start: int, limit: int, depth: int) -> tuple[tuple[Item, ...], int]:
    if depth == 0:
        raise InvalidRlp(Rule.RLP_DEPTH, start, f"more than {RLP_DEPTH_MAX} nested lists")
    position, end = _payload(data, start, limit, _LIST)
    items: list[Item] = []
    while position < end:
        lead = data[position]
        size = lead - _STRING
        if 0 <= size <= _SHORT_MAX and size != 1 and position + size < end:  # most of what tries hold: no call
            items.append(data[position + 1 : position + 1 + size])
            position += 1 + size
        else:
            item, position = _item(data, position, end, depth - 1)
            items.append(item)
    return tuple(items), end


def _payload(data: bytes, start: int, limit: int, offset: int) -> tuple[int, int]:
    """Return begin and end of the payload of the string or list at `start`."""
    size = data[start] - offset
    begin = start + 1
    if size > _SHORT_MAX:
        digits = data[begin : begin + size - _SHORT_MAX]
        begin += size - _SHORT_MAX
        if begin > limit:
            raise InvalidRlp(Rule.RLP_TRUNCATED, start, "within a length")
        size = int.from_bytes(digits, "big")
        if digits[0] == 0 or size <= _SHORT_MAX:
            raise InvalidRlp(Rule.RLP_LENGTH, start)
    if begin + size > limit:
        raise InvalidRlp(Rule.RLP_TRUNCATED, start, f"{size} bytes announced, {limit - begin} left")
    return begin, begin + size
