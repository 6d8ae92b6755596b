"""What a layout is, and what all layouts share: rows, words and signs."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from proofs.errors import ConstructionRefused
from proofs.slots import SLOT_COUNT
from proofs.types import Address


class Layout(Protocol):
    """Say which slots to prove for one row and what their words mean."""

    @property
    def name(self) -> str:
        """Return the stable id that goes into policy and evidence."""
        ...

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return the storage slots of one row.

        Raises `ConstructionRefused` for a row of the wrong length.
        """
        ...

    def decode(self, values: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the getter's words, or None where it would revert; `values` in the order of `slots`."""
        ...


@runtime_checkable
class BlockLayout(Layout, Protocol):
    """Be a layout whose words also depend on other contracts' slots and on the block's time, alike for all rows.

    It answers nothing until it is bound to a block: `decode` raises `ConstructionRefused`, `bind` returns a layout that
    decodes.
    """

    def shared(self) -> tuple[tuple[Address, int], ...]:
        """Return (contract, slot) of every word that all rows depend on."""
        ...

    def bind(self, values: tuple[int, ...], timestamp_s: int) -> Layout | None:
        """Return the layout of one block, or None where the getter would revert for every row there.

        `values` in the order of `shared`; `timestamp_s` is the header's time.
        """
        ...


def padded_row(row: bytes, *lengths: int) -> bytes:
    """Left-pad a row to 32 bytes; raises `ConstructionRefused` unless it has one of the lengths."""
    if len(row) not in lengths:
        raise ConstructionRefused("layout row", f"{len(row)} bytes, expected {' or '.join(map(str, lengths))}")
    return row.rjust(32, b"\0")


def checked_words(values: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return the words; raises `ConstructionRefused` unless there are `count` of 256 bits."""
    if len(values) != count or not all(0 <= value < SLOT_COUNT for value in values):
        raise ConstructionRefused("layout values", f"{len(values)} words, expected {count} of 256 bits")
    return values


def signed(word: int, bits: int) -> int:
    """Read the low bits of a word as two's complement."""
    word &= (1 << bits) - 1
    return word - (1 << bits) if word >> (bits - 1) else word


def field(word: int, shift: int, bits: int) -> int:
    """Return `bits` bits of a word from bit `shift` on."""
    return word >> shift & (1 << bits) - 1


def require_field(what: str, shift: int, bits: int) -> None:
    """Refuse a field that is empty or reaches out of its word."""
    if shift < 0 or bits < 1 or shift + bits > 256:
        raise ConstructionRefused(what, f"{bits} bits from bit {shift} of a word of 256")


class OneWord:
    """Decode a slot that the getter returns as it stands."""

    __slots__ = ()

    def decode(self, values: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the word."""
        return checked_words(values, 1)
