"""Cross perps: the screen of the unified view for engine accounts, whose band is derived in `unified`.

Sources are bound to legs by name: only columns made by name (`columns_of(..., by_name=True)`) are screened, in others
everybody who holds anything is a candidate. A row of amounts, sizes, entry values and accruals for each source becomes
the columns of `unified.screen`; the evidence of the rules says how strongly each is proven and what is frozen.

| slot | is |
|---|---|
| collateral that the policy has no source for | nothing: known to count zero |
| any other stranger, negative collateral, a second leg of a name | for the exact look alone |
| a figure of 2^250 units or more | for the exact look alone: `unified` was made for words of 128 bits |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from proofs.types import Assurance
from relayer.margin.engine.inputs import End, MarketData, Role
from relayer.margin.market import Market
from relayer.margin.market import Price as Known
from relayer.margin.models.cross_perp import CrossPerpRules, LegEvidence
from relayer.margin.rules import CollateralSource, PositionSource
from relayer.margin.screens.columns import Bools, Floats, Part, Slot
from relayer.margin.screens.linear import COUNTS_NOTHING, UNKNOWN, Form, Weight
from relayer.margin.screens.trees import BY_TREE
from relayer.margin.screens.unified import CollateralColumn, Levels, PositionColumn, ScreenColumns, screen

WORD_MAX: Final = 2.0**250


def cross_perp_form(slots: tuple[Slot, ...], rules: CrossPerpRules, market: MarketData) -> Form:
    """Return the bound of the unified view at the low ends, from columns made by name; unit: 1e-18 US dollars."""
    known = rules.market(market, End.LOW)
    collateral = {source.column for source in rules.rules.collateral}
    positions = {source.column for source in rules.rules.positions}
    if any(isinstance(price, Known) and price.high_e18 >= WORD_MAX for price in known.prices.values()):
        return Form((UNKNOWN,) * len(slots))
    weights = tuple(_weight(slot, collateral, positions) for slot in slots)
    return Form(weights, _CrossCloser(slots, rules, known))


def _weight(slot: Slot, collateral: set[str], positions: set[str]) -> Weight:
    if not slot.name or slot.number or (slot.part is Part.AMOUNT and slot.role is Role.COLLATERAL and slot.is_negative):
        return UNKNOWN
    if slot.role is Role.COLLATERAL and slot.part is Part.AMOUNT:
        return BY_TREE if slot.name in collateral else COUNTS_NOTHING
    return BY_TREE if slot.role is Role.PERP and slot.name in positions else UNKNOWN


@dataclass(frozen=True, slots=True, eq=False)
class _CrossCloser:
    """Judge accounts by the screen of the unified view."""

    slots: tuple[Slot, ...]
    rules: CrossPerpRules
    market: Market

    def __call__(self, amounts: Floats) -> Bools:
        count = amounts.shape[1]
        policy = self.rules.rules
        collateral = tuple(self._holding(source, amounts) for source in policy.collateral)
        positions = tuple(self._position(source, amounts) for source in policy.positions)
        is_wide: Bools = np.any(amounts >= WORD_MAX, axis=0, keepdims=True)[0]
        columns = ScreenColumns(count, collateral, positions, is_wide)
        is_certain = np.ones(count, dtype=bool)
        is_certain[list(screen(columns, self.market, policy).indices)] = False
        return is_certain

    def _holding(self, source: CollateralSource, amounts: Floats) -> CollateralColumn:
        told = self._evidence(source.column)
        amount = self._row(source.column, Role.COLLATERAL, Part.AMOUNT, amounts)
        level = np.full(len(amount), told.assurance.value, dtype=np.uint8)
        return CollateralColumn(source, amount * (not told.is_frozen), level, np.ones(len(amount), dtype=bool))

    def _position(self, source: PositionSource, amounts: Floats) -> PositionColumn:
        """Return a market's positions; who has none there is proven to have none."""
        name, told = source.column, self._evidence(source.column)
        size, entry, accrued = (
            self._row(name, Role.PERP, part, amounts) for part in (Part.AMOUNT, Part.ENTRY, Part.ACCRUED)
        )
        is_held = (size != 0) | (entry != 0) | (accrued != 0)
        level: Levels = np.where(is_held, told.assurance.value, max(Assurance).value).astype(np.uint8)
        return PositionColumn(source, size, entry, accrued, level, np.ones(len(size), dtype=bool))

    def _row(self, name: str, role: Role, part: Part, amounts: Floats) -> Floats:
        row = np.zeros(amounts.shape[1])
        for place in _places(self.slots, name, role, part):
            row = row - amounts[place] if self.slots[place].is_negative else row + amounts[place]
        return row

    def _evidence(self, name: str) -> LegEvidence:
        return self.rules.evidence.legs.get(name, LegEvidence())


def _places(slots: Sequence[Slot], name: str, role: Role, part: Part) -> list[int]:
    return [place for place, slot in enumerate(slots) if slot.name == name and slot.role is role and slot.part is part]
