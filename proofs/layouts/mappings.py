"""Plain storage: mappings in every compiler's order, packed words, arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from proofs.errors import ConstructionRefused
from proofs.layouts.base import OneWord, checked_words, field, padded_row, require_field
from proofs.slots import (
    array_slot,
    erc7201_base,
    mapping_slot,
    nested_mapping_slot,
    vyper_mapping_slot,
)


@dataclass(frozen=True, slots=True)
class SolidityMapping(OneWord):
    """Read `mapping(address or bytes32 => uint256)` at slot `base`; words (value)."""

    base: int
    name: ClassVar[str] = "solidity_mapping@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return keccak(row ++ base)."""
        return (mapping_slot(self.base, padded_row(row, 20, 32)),)


@dataclass(frozen=True, slots=True)
class VyperMapping(OneWord):
    """Read a Vyper `HashMap[address or bytes32, uint256]` at slot `base`; words (value)."""

    base: int
    name: ClassVar[str] = "vyper_mapping@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return keccak(base ++ row)."""
        return (vyper_mapping_slot(self.base, padded_row(row, 20, 32)),)


@dataclass(frozen=True, slots=True)
class Erc7201Mapping(OneWord):
    """Read a mapping that is field `offset` of an ERC-7201 namespace, the first one by default; words (value)."""

    namespace: str
    offset: int = 0
    name: ClassVar[str] = "erc7201_mapping@1"

    def __post_init__(self) -> None:
        """Refuse an offset that leaves the 256 slots of a namespace."""
        if not 0 <= self.offset < 256:
            raise ConstructionRefused("erc7201_mapping", f"field {self.offset} of 256")

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return keccak(row ++ base of the namespace + offset)."""
        return (mapping_slot(erc7201_base(self.namespace) + self.offset, padded_row(row, 20, 32)),)


@dataclass(frozen=True, slots=True)
class NestedMapping(OneWord):
    """Read `mapping(outer... => mapping(row => mapping(inner... => uint256)))` at slot `base`; words (value).

    `outer` and `inner` are the fixed keys before and after the row, whole words of 32 bytes, either may be empty.
    """

    base: int
    outer: bytes = b""
    inner: bytes = b""
    name: ClassVar[str] = "nested_mapping@1"

    def __post_init__(self) -> None:
        """Refuse keys that are no whole words."""
        if len(self.outer) % 32 or len(self.inner) % 32:
            raise ConstructionRefused("nested_mapping", "fixed keys are whole words of 32 bytes")

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return the slot below all keys, outermost first."""
        keys = self.outer + padded_row(row, 20, 32) + self.inner
        return (nested_mapping_slot(self.base, *(keys[at : at + 32] for at in range(0, len(keys), 32))),)


@dataclass(frozen=True, slots=True)
class PackedMapping:
    """Read one field of the words of a Solidity mapping: `bits` bits from bit `shift` on; words (value)."""

    base: int
    shift: int
    bits: int
    name: ClassVar[str] = "packed_mapping@1"

    def __post_init__(self) -> None:
        """Refuse a field outside one word."""
        require_field("packed_mapping", self.shift, self.bits)

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return keccak(row ++ base)."""
        return (mapping_slot(self.base, padded_row(row, 20, 32)),)

    def decode(self, values: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the field alone."""
        (word,) = checked_words(values, 1)
        return (field(word, self.shift, self.bits),)


@dataclass(frozen=True, slots=True)
class UsdcPacked:
    """Read a FiatTokenV2_2 balance mapping; words (balance, frozen): bit 255 says that the holder is frozen.

    Two getters share this word; `balance` is the layout of `balanceOf`, `frozen` that of `isBlacklisted`.
    """

    base: int
    name: ClassVar[str] = "usdc_packed@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return keccak(holder ++ base)."""
        return (mapping_slot(self.base, padded_row(row, 20)),)

    def decode(self, values: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the low 255 bits and the flag as 0 or 1."""
        (word,) = checked_words(values, 1)
        return word & (2**255 - 1), word >> 255

    @property
    def balance(self) -> PackedMapping:
        """Return the layout of `balanceOf`."""
        return PackedMapping(self.base, 0, 255)

    @property
    def frozen(self) -> PackedMapping:
        """Return the layout of `isBlacklisted`."""
        return PackedMapping(self.base, 255, 1)


@dataclass(frozen=True, slots=True)
class ArrayLength(OneWord):
    """Read the length of a dynamic array at slot `base`; row b"", words (length)."""

    base: int
    name: ClassVar[str] = "array_length@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return the array's own slot."""
        padded_row(row, 0)
        return (self.base,)


@dataclass(frozen=True, slots=True)
class ArrayElement(OneWord):
    """Read an element of a dynamic `bytes32[]` at slot `base`; row = 32-byte index, words (element)."""

    base: int
    name: ClassVar[str] = "array_element@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return keccak(base) + index."""
        return (array_slot(self.base, int.from_bytes(padded_row(row, 32), "big")),)


@dataclass(frozen=True, slots=True)
class AccountArray(OneWord):
    """Read a contract's own `bytes32[]` list of accounts at slot `base`: row b"" its length, else an element."""

    base: int
    name: ClassVar[str] = "account_array@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return the slot of the length or of one element."""
        return (ArrayElement(self.base) if row else ArrayLength(self.base)).slots(row)
