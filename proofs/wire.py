"""How the attestation's structs become words: fixed-width fields, each in one 32-byte word, and nothing else.

There are no dynamic fields, so an encoding is as long as its struct and no two structs share one. The names of all
rules of attestations stand here too; those that the contract checks as well bear the names of its errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag, StrEnum
from operator import attrgetter
from typing import Final

from proofs.errors import InvalidAttestation
from proofs.keccak import keccak256
from proofs.types import Hash32

_MASK: Final = 2**256 - 1


class AttestationRule(StrEnum):
    """Name the rules of roots, leaves, signer sets and signatures; those checked on chain bear its errors' names."""

    FIELD_RANGE = "field_range"
    FIELD_LENGTH = "field_length"
    ABI_LENGTH = "abi_length"
    ABI_WORD = "abi_word"
    LEAF_ORDER = "leaf_order"
    MISSING_ANCHOR = "missing_anchor"
    LEGS_ROOT = "legs_root"
    LEGS_SUM = "legs_sum"
    ZERO_ROOT = "zero_root"
    EMPTY_TREE = "empty_tree"
    AS_OF_AFTER_FRAME = "as_of_after_frame"
    VALID_UNTIL_BEFORE_AS_OF = "valid_until_before_as_of"
    DIGEST = "digest"
    BAD_SIGNER_COUNT = "bad_signer_count"
    ZERO_SIGNER = "zero_signer"
    DUPLICATE_SIGNER = "duplicate_signer"
    ZERO_THRESHOLD = "zero_threshold"
    THRESHOLD_UNREACHABLE = "threshold_unreachable"
    QUORUMS_MAY_DIVERGE = "quorums_may_diverge"
    SIGNATURE_LENGTH = "signature_length"
    BITMAP_BEYOND_SET = "bitmap_beyond_set"
    HIGH_S = "high_s"
    SIGNATURE_INVALID = "signature_invalid"
    QUORUM_NOT_MET = "quorum_not_met"


@dataclass(frozen=True, slots=True)
class Field:
    """Describe one field: its attribute, its Solidity type, and the enumeration that bounds it further."""

    name: str
    solidity: str
    enumeration: type[IntEnum] | type[IntFlag] | None = None

    @property
    def wire_name(self) -> str:
        """Return the name on the wire: `price_e18` is priceE18."""
        head, *rest = self.name.split("_")
        return head + "".join(part.capitalize() for part in rest)

    @property
    def bounds(self) -> tuple[int, int] | None:
        """Return the least and the greatest integer, or None for bytes32."""
        if self.solidity == "bytes32":
            return None
        if self.enumeration is not None:
            numbers = [int(member) for member in self.enumeration]
            return (0, sum(numbers)) if issubclass(self.enumeration, IntFlag) else (min(numbers), max(numbers))
        bits = int(self.solidity.removeprefix("u").removeprefix("int"))
        return (0, 2**bits - 1) if self.solidity.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


class StructCodec:
    """Encode and decode one struct by its table of fields."""

    __slots__ = ("_get", "bounds", "fields", "type_hash", "type_string")

    def __init__(self, name: str, *fields: Field) -> None:
        """Take the fields in the order of the type string."""
        self.fields: tuple[Field, ...] = fields
        self.bounds: tuple[tuple[int, int] | None, ...] = tuple(field.bounds for field in fields)
        self._get = attrgetter(*(field.name for field in fields))
        members = ",".join(f"{field.solidity} {field.wire_name}" for field in fields)
        self.type_string: str = f"{name}({members})"
        self.type_hash: Hash32 = Hash32(keccak256(self.type_string.encode()))

    def encode(self, struct: object) -> bytes:
        """Return one word per field. Raises `InvalidAttestation` naming the field that does not fit."""
        words = []
        for field, bounds, value in zip(self.fields, self.bounds, self._get(struct), strict=True):
            if bounds is None:
                if len(value) != 32:
                    raise InvalidAttestation(AttestationRule.FIELD_LENGTH, f"{field.name} has {len(value)} bytes")
                words.append(value)
            elif bounds[0] <= value <= bounds[1]:
                words.append((value & _MASK).to_bytes(32, "big"))
            else:
                detail = f"{field.name} = {value}, allowed {bounds[0]} to {bounds[1]}"
                raise InvalidAttestation(AttestationRule.FIELD_RANGE, detail)
        return b"".join(words)

    def decode(self, raw: bytes) -> Iterator[object]:
        """Yield the fields of an encoding, enumerations as such.

        Raises `InvalidAttestation` for another length and for a word that is no value of its field.
        """
        if len(raw) != 32 * len(self.fields):
            detail = f"{len(raw)} bytes, expected {32 * len(self.fields)}"
            raise InvalidAttestation(AttestationRule.ABI_LENGTH, detail)
        return (self._field(at, raw[32 * at : 32 * at + 32]) for at in range(len(self.fields)))

    def _field(self, at: int, word: bytes) -> object:
        field, bounds = self.fields[at], self.bounds[at]
        if bounds is None:
            return word
        number = int.from_bytes(word, "big", signed=bounds[0] < 0)
        if not bounds[0] <= number <= bounds[1]:
            raise InvalidAttestation(AttestationRule.ABI_WORD, f"{field.name} = {number}")
        return number if field.enumeration is None else field.enumeration(number)


def uint_word(value: int) -> bytes:
    """Return an unsigned integer as one word."""
    return value.to_bytes(32, "big")
