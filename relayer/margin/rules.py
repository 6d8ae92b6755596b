"""The part of the policy that decides money: what counts, how much of it, and what must be held against it.

Data only. Every value comes from the hashed policy document; nothing here knows how a machine finds things out.
"""

from __future__ import annotations

from dataclasses import dataclass

from proofs.types import Address, AssetId, Assurance, ChainId, Encumbrance, Hash32, LegKind, MarketId
from proofs.units import Ppm, UsdE18


@dataclass(frozen=True, slots=True)
class AssetRule:
    """Weigh one asset. Haircuts in ppm; the initial one is at least the maintenance one."""

    symbol: str
    haircut_initial_ppm: Ppm
    haircut_maintenance_ppm: Ppm


@dataclass(frozen=True, slots=True)
class CollateralSource:
    """Bind a column (one word: amount in base units, one row per account) to an asset on a chain.

    `holder` is the contract that holds the asset (a LockBox), or None when it is the account's own home address.
    `bridge_haircut_ppm` is that of the chain where the collateral lies. `frozen_column` (one word per account, over the
    same rows) says who cannot move what it holds: anything but 0 is frozen.
    """

    column: str
    chain: ChainId
    symbol: str
    asset: AssetId
    decimals: int
    kind: LegKind
    encumbrance: Encumbrance
    bridge_haircut_ppm: Ppm
    holder: Address | None
    frozen_column: str | None = None


@dataclass(frozen=True, slots=True)
class PositionSource:
    """Bind a column of three signed words per account (size, entry value, accrued; all E18) to a market of the venue.

    PnL is size x mark - entry value + accrued; the requirement is a share of |size| x mark.
    """

    column: str
    chain: ChainId
    market: MarketId
    symbol: str
    initial_margin_ppm: Ppm
    maintenance_margin_ppm: Ppm


@dataclass(frozen=True, slots=True)
class PriceSource:
    """Bind a column of one row to the USD price of an asset; all feeds listed for a symbol make one interval.

    `answer_word` and `updated_word` say which words hold the signed answer and the time of the last update; the
    defaults are those of `latestRoundData()`: (round, answer, started_at, updated_at, answered_in_round).
    """

    column: str
    chain: ChainId
    symbol: str
    decimals: int
    heartbeat_s: int
    deviation_ppm_max: Ppm
    answer_word: int = 1
    updated_word: int = 3


@dataclass(frozen=True, slots=True)
class StatusLevels:
    """Levels as multiples of maintenance margin in ppm: 1_200_000 is 1.20. Equality belongs to the milder side.

    `clear_ppm` is what equity must reach for a raised flag to lift; `dwell_frames` how many frames in a row.
    """

    warning_ppm: Ppm
    margin_call_ppm: Ppm
    clear_ppm: Ppm
    dwell_frames: int


@dataclass(frozen=True, slots=True)
class AssuranceBand:
    """Demand `level` of legs whose marked value is at most `up_to_usd` (None: of all larger ones)."""

    up_to_usd: UsdE18 | None
    level: Assurance


@dataclass(frozen=True, slots=True)
class MarginRules:
    """Hold all of the above for one policy; tuples are in policy order."""

    rule_set: str
    venue_id: Hash32
    venue_chain: ChainId
    dust_usd: UsdE18
    assets: tuple[AssetRule, ...]
    collateral: tuple[CollateralSource, ...]
    positions: tuple[PositionSource, ...]
    prices: tuple[PriceSource, ...]
    encumbrance_ppm: tuple[tuple[Encumbrance, Ppm], ...]
    assurance: tuple[AssuranceBand, ...]
    status: StatusLevels
