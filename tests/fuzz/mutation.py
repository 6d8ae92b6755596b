"""Change bytes the way hostile input differs from honest input: a bit, a length, a piece too many, two spliced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

INTERESTING = bytes((0x00, 0x01, 0x7F, 0x80, 0x81, 0xA0, 0xB7, 0xB8, 0xBF, 0xC0, 0xC1, 0xF7, 0xF8, 0xF9, 0xFF))
SIZE_MAX = 8192
"""No mutant is longer; bounds above that have tests of their own."""
Mutator = Callable[[Random, bytearray, bytes, Sequence[bytes]], None]


def mutant(random: Random, parent: bytes, other: bytes, tokens: Sequence[bytes]) -> bytes:
    """Apply one to four random changes; `other` is a second input to take pieces from."""
    data = bytearray(parent)
    for _ in range(1 + int(random.random() * random.random() * 4)):
        MUTATORS[int(random.random() * len(MUTATORS))](random, data, other, tokens)
    return bytes(data[:SIZE_MAX])


def _place(random: Random, data: bytearray) -> int:
    """Choose a place, often near the start, where headers and lengths are."""
    if random.random() < 0.3:
        return int(random.random() * min(len(data), 16))
    return int(random.random() * len(data))


def _flip_bit(random: Random, data: bytearray, other: bytes, tokens: Sequence[bytes]) -> None:
    if data:
        data[_place(random, data)] ^= 1 << int(random.random() * 8)


def _set_byte(random: Random, data: bytearray, other: bytes, tokens: Sequence[bytes]) -> None:
    if data:
        data[_place(random, data)] = INTERESTING[int(random.random() * len(INTERESTING))]


def _any_byte(random: Random, data: bytearray, other: bytes, tokens: Sequence[bytes]) -> None:
    if data:
        data[_place(random, data)] = int(random.random() * 256)


def _step_byte(random: Random, data: bytearray, other: bytes, tokens: Sequence[bytes]) -> None:
    if data:
        at = _place(random, data)
        data[at] = (data[at] + int(random.random() * 5) - 2) % 256


def _delete(random: Random, data: bytearray, other: bytes, tokens: Sequence[bytes]) -> None:
    at = _place(random, data)
    del data[at : at + 1 + int(random.random() ** 4 * 64)]


def _cut(random: Random, data: bytearray, other: bytes, tokens: Sequence[bytes]) -> None:
    del data[_place(random, data) :]


def _insert(random: Random, data: bytearray, other: bytes, tokens: Sequence[bytes]) -> None:
    at = _place(random, data)
    data[at:at] = bytes([INTERESTING[int(random.random() * len(INTERESTING))]]) * (1 + int(random.random() ** 4 * 64))


def _repeat(random: Random, data: bytearray, other: bytes, tokens: Sequence[bytes]) -> None:
    at = _place(random, data)
    data[at:at] = data[at : at + 1 + int(random.random() ** 3 * 128)]


def _take_from_other(random: Random, data: bytearray, other: bytes, tokens: Sequence[bytes]) -> None:
    source, at = int(random.random() * len(other)), _place(random, data)
    piece = other[source : source + 1 + int(random.random() ** 3 * 128)]
    data[at : at + (len(piece) if random.random() < 0.5 else 0)] = piece


def _splice(random: Random, data: bytearray, other: bytes, tokens: Sequence[bytes]) -> None:
    del data[_place(random, data) :]
    data += other[int(random.random() * len(other)) :]


def _token(random: Random, data: bytearray, other: bytes, tokens: Sequence[bytes]) -> None:
    if tokens:
        token, at = tokens[int(random.random() * len(tokens))], _place(random, data)
        data[at : at + (len(token) if random.random() < 0.5 else 0)] = token


MUTATORS: tuple[Mutator, ...] = (
    _flip_bit,
    _set_byte,
    _any_byte,
    _step_byte,
    _delete,
    _cut,
    _insert,
    _repeat,
    _take_from_other,
    _splice,
    _token,
    _token,
)
