"""Which storage slots hold a value, and what the words in them mean.

A layout is the storage twin of a contract's getter: `slots` says what to prove for one row, `decode` turns the
proven words into the words that the getter would return. It reads nothing and knows no chain. A layout holds
only for the code it was derived from: it is chosen by a pinned code hash, never guessed.

    row         the key of the reading: a 20-byte address, a 32-byte id or index, or b"" where the value belongs
                to the contract as a whole (one value, or the length of a list)
    words       integers as the getter returns them, at full width; signed where its type is signed
    None        the getter would revert on what is stored

Sources: Solidity "Layout of State Variables in Storage", Vyper's reversed mapping order, ERC-7201,
circlefin/stablecoin-evm FiatTokenV2_2.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Final, Protocol

from proofs.errors import ConstructionRefused
from proofs.slots import (
    SLOT_COUNT,
    array_slot,
    erc7201_base,
    mapping_slot,
    nested_mapping_slot,
    vyper_mapping_slot,
)

__all__ = [
    "LAYOUTS",
    "AccountArray",
    "ArrayElement",
    "ArrayLength",
    "DevFeedRound",
    "Erc7201Mapping",
    "Layout",
    "LockBoxAccounts",
    "LockBoxLocks",
    "PerpVenuePosition",
    "SolidityMapping",
    "UsdcPacked",
    "VyperMapping",
    "array_slot",
    "erc7201_base",
    "layout_from_params",
    "mapping_slot",
    "nested_mapping_slot",
    "vyper_mapping_slot",
]

_E18: Final = 10**18


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


# --- rows and words --------------------------------------------------------------------------------------------


def _row(row: bytes, *lengths: int) -> bytes:
    if len(row) not in lengths:
        raise ConstructionRefused("layout row", f"{len(row)} bytes, expected {' or '.join(map(str, lengths))}")
    return row.rjust(32, b"\0")


def _values(values: tuple[int, ...], count: int) -> tuple[int, ...]:
    if len(values) != count or not all(0 <= value < SLOT_COUNT for value in values):
        raise ConstructionRefused("layout values", f"{len(values)} words, expected {count} of 256 bits")
    return values


def _signed(word: int, bits: int) -> int:
    word &= (1 << bits) - 1
    return word - (1 << bits) if word >> (bits - 1) else word


class _OneWord:
    """Decode a slot that the getter returns as it stands."""

    __slots__ = ()

    def decode(self, values: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the word."""
        return _values(values, 1)


# --- layouts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SolidityMapping(_OneWord):
    """Read `mapping(address or bytes32 => uint256)` at slot `base`; words (value)."""

    base: int
    name: ClassVar[str] = "solidity_mapping@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return keccak(row ++ base)."""
        return (mapping_slot(self.base, _row(row, 20, 32)),)


@dataclass(frozen=True, slots=True)
class VyperMapping(_OneWord):
    """Read a Vyper `HashMap[address or bytes32, uint256]` at slot `base`; words (value)."""

    base: int
    name: ClassVar[str] = "vyper_mapping@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return keccak(base ++ row)."""
        return (vyper_mapping_slot(self.base, _row(row, 20, 32)),)


@dataclass(frozen=True, slots=True)
class Erc7201Mapping(_OneWord):
    """Read a mapping that is the first field of an ERC-7201 namespace; words (value)."""

    namespace: str
    name: ClassVar[str] = "erc7201_mapping@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return keccak(row ++ base of the namespace)."""
        return (mapping_slot(erc7201_base(self.namespace), _row(row, 20, 32)),)


@dataclass(frozen=True, slots=True)
class UsdcPacked:
    """Read a FiatTokenV2_2 balance mapping; words (balance, frozen): bit 255 says that the holder is frozen."""

    base: int
    name: ClassVar[str] = "usdc_packed@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return keccak(holder ++ base)."""
        return (mapping_slot(self.base, _row(row, 20)),)

    def decode(self, values: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the low 255 bits and the flag as 0 or 1."""
        (word,) = _values(values, 1)
        return word & (2**255 - 1), word >> 255


@dataclass(frozen=True, slots=True)
class ArrayLength(_OneWord):
    """Read the length of a dynamic array at slot `base`; row b"", words (length)."""

    base: int
    name: ClassVar[str] = "array_length@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return the array's own slot."""
        _row(row, 0)
        return (self.base,)


@dataclass(frozen=True, slots=True)
class ArrayElement(_OneWord):
    """Read an element of a dynamic `bytes32[]` at slot `base`; row = 32-byte index, words (element)."""

    base: int
    name: ClassVar[str] = "array_element@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return keccak(base) + index."""
        return (array_slot(self.base, int.from_bytes(_row(row, 32), "big")),)


@dataclass(frozen=True, slots=True)
class AccountArray(_OneWord):
    """Read a contract's own `bytes32[]` list of accounts at slot `base`: row b"" its length, else an element."""

    base: int
    name: ClassVar[str] = "account_array@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return the slot of the length or of one element."""
        return (ArrayElement(self.base) if row else ArrayLength(self.base)).slots(row)


# LockBox storage: 0 locked[venue][asset][account], 1 accounts[venue][].
_LOCKBOX_LOCKED: Final = 0
_LOCKBOX_ACCOUNTS: Final = 1


@dataclass(frozen=True, slots=True)
class LockBoxLocks(_OneWord):
    """Read `LockBox.locked(venueId, asset, accountId)`; row = account id, words (amount)."""

    venue_id: bytes
    asset: bytes
    name: ClassVar[str] = "lockbox@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return the slot in the nested mapping venue, asset, account."""
        keys = (self.venue_id, _row(self.asset, 20), _row(row, 32))
        return (nested_mapping_slot(_LOCKBOX_LOCKED, *keys),)


@dataclass(frozen=True, slots=True)
class LockBoxAccounts(_OneWord):
    """Read the accounts that a venue's locks ever named, in order of their first lock.

    Row b"": `accountCount(venueId)`, words (count). Row = 32-byte index: `accountAt(venueId, index)`, words (id).
    """

    venue_id: bytes
    name: ClassVar[str] = "lockbox_accounts@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return the slot of the count or of one element."""
        return AccountArray(mapping_slot(_LOCKBOX_ACCOUNTS, self.venue_id)).slots(row)


@dataclass(frozen=True, slots=True)
class PerpVenuePosition:
    """Read `PerpVenue.positionOf(marketId, accountId)`; row = account id.

    Words, all signed and E18: (size, entry value, accrued). Products of 128-bit factors stay within 256 bits.

        entry value = floor(size * entry price / 1e18)
        accrued     = realised - ceil(size * (funding index - entry funding index) / 1e18)      against the account

    Storage: positions[account][market] = {size int128 low, entry price uint128 high | entry funding index int128 low,
    realised int128 high}; the market's funding index is an int128 at bit `funding_shift` of the market's slot number
    `funding_slot` (an address fills 160 bits of the first, so the index begins the second).
    """

    market_id: bytes
    markets_base: int
    positions_base: int
    funding_slot: int = 1
    funding_shift: int = 0
    name: ClassVar[str] = "perp_position@1"

    def __post_init__(self) -> None:
        """Refuse a funding index outside one slot."""
        if self.funding_slot < 0 or not 0 <= self.funding_shift <= 128:
            raise ConstructionRefused("perp_position", f"slot {self.funding_slot}, bit {self.funding_shift}")

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return both slots of the position and the slot of the market's funding index."""
        position = nested_mapping_slot(self.positions_base, _row(row, 32), self.market_id)
        market = mapping_slot(self.markets_base, self.market_id)
        return position, (position + 1) % SLOT_COUNT, (market + self.funding_slot) % SLOT_COUNT

    def decode(self, values: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return size, entry value and accrued."""
        first, second, market = _values(values, 3)
        size, entry_price = _signed(first, 128), first >> 128
        entry_funding, realised = _signed(second, 128), _signed(second >> 128, 128)
        funding = _signed(market >> self.funding_shift, 128)
        entry_value = (size * entry_price) // _E18
        payment = -((-size * (funding - entry_funding)) // _E18)  # ceil: the payer pays more, the receiver gets less
        return size, entry_value, realised - payment


@dataclass(frozen=True, slots=True)
class DevFeedRound:
    """Read `latestRoundData()` of the development price feed; row b"".

    Words: (round id, answer, started at, updated at, answered in round); the answer is signed, times are Unix seconds.
    Storage: slot `base` holds the answer in its low 192 bits and updatedAt above, the next slot the round id (80 bits).
    """

    base: int = 0
    name: ClassVar[str] = "dev_feed@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return both slots of the round."""
        _row(row, 0)
        return self.base, (self.base + 1) % SLOT_COUNT

    def decode(self, values: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the round as the getter does: it started when it was updated and answers itself."""
        packed, second = _values(values, 2)
        round_id, updated_at = second & (2**80 - 1), packed >> 192
        return round_id, _signed(packed, 192), updated_at, updated_at, round_id


# --- layouts by name -------------------------------------------------------------------------------------------

Params = Mapping[str, str | int]
_Reader = Callable[[str | int], object]


def _integer(value: str | int) -> int:
    if isinstance(value, int):
        return value
    base, digits = (16, value[2:]) if value.startswith("0x") else (10, value)
    if not 0 < len(digits) <= 78 or set(digits.lower()) - set("0123456789abcdef"[:base]):
        raise ConstructionRefused("layout parameter", f"{value!r} is no integer")
    return int(digits, base)


def _text(value: str | int) -> str:
    if isinstance(value, int):
        raise ConstructionRefused("layout parameter", f"{value} is no text")
    return value


def _hex(length: int) -> _Reader:
    def read(value: str | int) -> bytes:
        text = _text(value)
        digits = text[2:]
        if text[:2] != "0x" or len(digits) != 2 * length or set(digits.lower()) - set("0123456789abcdef"):
            raise ConstructionRefused("layout parameter", f"{text!r} is not 0x and {2 * length} hex digits")
        return bytes.fromhex(digits)

    return read


@dataclass(frozen=True, slots=True)
class LayoutKind:
    """Say how a layout is built from the parameters of a policy."""

    build: Callable[..., Layout]
    required: Mapping[str, _Reader]
    optional: Mapping[str, _Reader] = field(default_factory=dict)


LAYOUTS: Final[Mapping[str, LayoutKind]] = MappingProxyType(
    {
        "solidity_mapping": LayoutKind(SolidityMapping, {"base": _integer}),
        "vyper_mapping": LayoutKind(VyperMapping, {"base": _integer}),
        "erc7201_mapping": LayoutKind(Erc7201Mapping, {"namespace": _text}),
        "usdc_packed": LayoutKind(UsdcPacked, {"base": _integer}),
        "array_length": LayoutKind(ArrayLength, {"base": _integer}),
        "array_element": LayoutKind(ArrayElement, {"base": _integer}),
        "account_array": LayoutKind(AccountArray, {"base": _integer}),
        "lockbox": LayoutKind(LockBoxLocks, {"venue_id": _hex(32), "asset": _hex(20)}),
        "lockbox_accounts": LayoutKind(LockBoxAccounts, {"venue_id": _hex(32)}),
        "perp_position": LayoutKind(
            PerpVenuePosition,
            {"market_id": _hex(32), "markets_base": _integer, "positions_base": _integer},
            {"funding_slot": _integer, "funding_shift": _integer},
        ),
        "dev_feed": LayoutKind(DevFeedRound, {}, {"base": _integer}),
    }
)


def layout_from_params(kind: str, params: Params) -> Layout:
    """Build the layout of a kind from a policy's parameters: integers, or 0x text for bytes.

    Raises `ConstructionRefused` for an unknown kind and for missing, unknown or malformed parameters.
    """
    entry = LAYOUTS.get(kind)
    if entry is None:
        raise ConstructionRefused("layout", f"kind {kind!r} is not one of {', '.join(LAYOUTS)}")
    readers = {**entry.required, **entry.optional}
    wrong = (entry.required.keys() - params.keys()) | (params.keys() - readers.keys())
    if wrong:
        raise ConstructionRefused("layout", f"{kind}: missing or unknown parameters {', '.join(sorted(wrong))}")
    return entry.build(**{key: readers[key](value) for key, value in params.items()})
