"""The layouts of our own contracts: LockBox, the perpetuals venue of the devnet, the development price feed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from proofs.errors import ConstructionRefused
from proofs.layouts.base import OneWord, checked_words, padded_row, signed
from proofs.layouts.mappings import AccountArray
from proofs.slots import SLOT_COUNT, mapping_slot, nested_mapping_slot

_E18: Final = 10**18

# LockBox storage: 0 locked[venue][asset][account], 1 accounts[venue][].
_LOCKBOX_LOCKED: Final = 0
_LOCKBOX_ACCOUNTS: Final = 1


@dataclass(frozen=True, slots=True)
class LockBoxLocks(OneWord):
    """Read `LockBox.locked(venueId, asset, accountId)`; row = account id, words (amount)."""

    venue_id: bytes
    asset: bytes
    name: ClassVar[str] = "lockbox@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return the slot in the nested mapping venue, asset, account."""
        keys = (self.venue_id, padded_row(self.asset, 20), padded_row(row, 32))
        return (nested_mapping_slot(_LOCKBOX_LOCKED, *keys),)


@dataclass(frozen=True, slots=True)
class LockBoxAccounts(OneWord):
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
        position = nested_mapping_slot(self.positions_base, padded_row(row, 32), self.market_id)
        market = mapping_slot(self.markets_base, self.market_id)
        return position, (position + 1) % SLOT_COUNT, (market + self.funding_slot) % SLOT_COUNT

    def decode(self, values: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return size, entry value and accrued."""
        first, second, market = checked_words(values, 3)
        size, entry_price = signed(first, 128), first >> 128
        entry_funding, realised = signed(second, 128), signed(second >> 128, 128)
        funding = signed(market >> self.funding_shift, 128)
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
        padded_row(row, 0)
        return self.base, (self.base + 1) % SLOT_COUNT

    def decode(self, values: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the round as the getter does: it started when it was updated and answers itself."""
        packed, second = checked_words(values, 2)
        round_id, updated_at = second & (2**80 - 1), packed >> 192
        return round_id, signed(packed, 192), updated_at, updated_at, round_id
