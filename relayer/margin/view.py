"""The margin view: what one account amounts to, and why, to the last unit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from proofs.attestation import MarginLeaf, MarginLeg
from proofs.types import AccountId, Assurance, ChainId, LegKind, Quality, Status
from proofs.units import UsdE18

ASSETS: Final = (LegKind.BALANCE, LegKind.LOCK)
"""Kinds of what an account holds, as against what it owes, has at stake or must keep."""


class Purpose(StrEnum):
    """Say what a requirement is for."""

    INITIAL = "initial"
    MAINTENANCE = "maintenance"
    LIQUIDATION_END = "liquidation_end"


class Rounding(StrEnum):
    """Say which way a line was rounded."""

    EXACT = "exact"
    DOWN = "down"
    UP = "up"


@dataclass(frozen=True, slots=True)
class Missing:
    """Name an input that could not be used, with the reason in one readable line.

    `kind` says what it costs: missing collateral (balance, lock) counts zero; anything else leaves no lower bound on
    equity, and the account is unknown or, where even the best case is in breach, liquidatable. `best_usd` is the most
    it could add to equity, UsdE18, with nothing required for it; None where nothing bounds it.
    """

    what: str
    chain: ChainId
    reason: str
    kind: LegKind
    best_usd: int | None = None

    @property
    def is_collateral(self) -> bool:
        """Tell whether counting zero for it is safe."""
        return self.kind in ASSETS


@dataclass(frozen=True, slots=True)
class Line:
    """Explain one term. Lines sum exactly to the view's equity, initial and maintenance margin.

    `leg` is the signed form of the line, None for what weighs nothing (dust, free balances) and is shown only.
    `marked_usd` is amount x price without haircut, cut at the value limit of its assurance where `is_capped`; of a
    position its notional, up. `rounding` is that of `value_usd`; requirements are rounded up always.
    """

    label: str
    chain: ChainId
    block_number: int
    symbol: str
    kind: LegKind
    assurance: Assurance
    amount_raw: int
    decimals: int
    price_e18: int
    haircut_ppm: int
    marked_usd: int
    value_usd: int
    initial_usd: int
    maintenance_usd: int
    rounding: Rounding
    leg: MarginLeg | None
    is_capped: bool = False

    @property
    def brings_usd(self) -> int:
        """Return what the line would bring without haircut towards what is owed: a signed asset's mark, or a gain."""
        if self.kind in ASSETS:
            return self.marked_usd if self.leg is not None else 0
        return max(self.value_usd, 0)


@dataclass(frozen=True, slots=True)
class MarginView:
    """Hold the exact figures of one account in one frame, UsdE18.

    Equity = collateral - liability exactly. `equity_high_usd` is the best case where something is missing (None: no
    upper bound). Where what is owed is not known the figures, here as in the leaf, are bounds (collateral from below,
    the rest from above, 2^128 - 1), never the last healthy figures; a line of its own carries the bound.
    """

    account: AccountId
    status: Status
    assurance: Assurance
    quality: Quality
    collateral_usd: UsdE18
    liability_usd: UsdE18
    initial_margin_usd: UsdE18
    maintenance_margin_usd: UsdE18
    equity_high_usd: int | None
    lines: tuple[Line, ...]
    missing: tuple[Missing, ...]
    leaf: MarginLeaf

    @property
    def equity_usd(self) -> UsdE18:
        """Return equity, signed; the low end where something is missing."""
        return UsdE18(self.collateral_usd - self.liability_usd)
