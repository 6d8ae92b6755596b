"""Haircuts: the lower bound of haircut@1 for `linear`, for columns made by lot.

What one token unit of a lot counts, or costs as a debt, is asked of the model itself: a leg of A = 10^(60 + decimals)
units is weighed alone, and its line divided by A. Its one rounding goes against the account, so the quotient is a
bound, off by 1 part in its own magnitude times A. With r and m the shares of the reserve and of maintenance:

| slot | per unit | lost |
|---|---|---|
| lot of an asset without caps | value(A) / A | 1, its floor |
| lot of a capped asset | 0 in the first look | 0 |
| debt | -(1 + r + m) · value(A) / A | 1 + r + m, its ceiling |
| whoever owes | - | the fixed reserve, and 2 for the ceilings of r and m |

Caps take from single assets: min(depth), then min(V, max(free, share · T)), T the greatest fixed point. What an asset
without share limit counts is all of its V, whatever T is. Every step is monotone in V, so a closer look puts lower
bounds of V in. A T0 with T0 <= f(T0) is not above the greatest fixed point: T is sought from above in floats, line by
line of the piecewise linear f, moved down by 2⁻³⁰ of itself and tried with f from below; where that fails, only what is
free of the cap counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from proofs.units import PPM
from relayer.margin.engine.inputs import Account, End, Leg, MarketData, Role
from relayer.margin.models.haircut import HaircutAsset, HaircutRules
from relayer.margin.screens.columns import UNIT_ROUNDOFF, Bools, Floats, Slot
from relayer.margin.screens.lending import is_sound
from relayer.margin.screens.linear import COUNTS_NOTHING, UNKNOWN, Form, Weight, down, up
from relayer.margin.view import Purpose

PROBE_DIGITS: Final = 60
ROUNDINGS: Final = 128
"""More than the roundings of any chain of operations in the closer look of one slot; n slots add n."""
ITERATIONS: Final = 24
STEEP: Final = 2.0**-20
STEP_DOWN: Final = 1 - 2.0**-30


def haircut_form(slots: tuple[Slot, ...], _mode: int, rules: HaircutRules, market: MarketData) -> Form:
    """Return the bound at the low ends; unit: UsdE18. Columns that were not made by lot make everybody a candidate."""
    weights = tuple(_weight(slot, rules, market) for slot in slots)
    shown = [slot.asset if weight.per_unit > 0 else "" for slot, weight in zip(slots, weights, strict=True)]
    capped = sorted({name for name in shown if name and _is_capped(rules.assets[name])})
    fixed = rules.reserve_usd_e18 + Fraction(2)
    if not capped:
        return Form(weights, None, fixed)
    closer = Caps.of(shown, weights, [(name, rules.assets[name]) for name in capped], fixed)
    rough = tuple(COUNTS_NOTHING if name in capped else weight for name, weight in zip(shown, weights, strict=True))
    return Form(rough, closer, fixed)


def _weight(slot: Slot, rules: HaircutRules, market: MarketData) -> Weight:
    if slot.lot is None or not is_sound(slot):
        return UNKNOWN
    probe = 10 ** (PROBE_DIGITS + slot.decimals)
    leg = Leg(
        name="probe",
        role=slot.role,
        asset=slot.asset,
        amount=-probe if slot.is_negative else probe,
        chain=slot.lot.chain,
        decimals=slot.decimals,
        block_time_s=slot.lot.block_time_s,
        encumbrance=slot.lot.encumbrance,
    )
    found = rules.weigh(Account("probe", (leg,)), market, Purpose.MAINTENANCE, End.LOW)
    if found.gaps:
        return COUNTS_NOTHING if all(gap.is_collateral for gap in found.gaps) else UNKNOWN
    value = Fraction(sum(line.value for line in found.lines if line.leg == "probe"), probe)
    if slot.role is Role.DEBT or slot.is_negative:
        charges = 1 + Fraction(rules.reserve_ppm + rules.maintenance_ppm, PPM)
        return Weight(value * charges, charges, is_owed=True)
    return Weight(value, Fraction(1)) if value else COUNTS_NOTHING


def _is_capped(asset: HaircutAsset) -> bool:
    return asset.depth_usd_e18 is not None or asset.limit.share_ppm < PPM


def _least(asset: HaircutAsset) -> float:
    """Return what counts of an asset in any case: everything where nothing limits its share."""
    return np.inf if asset.limit.share_ppm >= PPM else down(Fraction(asset.limit.free))


@dataclass(frozen=True, slots=True, eq=False)
class Caps:
    """Look closer at accounts that hold capped assets: count as the caps do, from below.

    `held` has one row of weights for each capped asset, `free_held` those of all others.
    """

    held: Floats
    held_lost: Floats
    free_held: Floats
    free_lost: Floats
    owed: Floats
    owed_lost: Floats
    depth: Floats
    share: Floats
    least: Floats
    fixed: float
    slack: float

    @classmethod
    def of(
        cls, shown: list[str], weights: tuple[Weight, ...], capped: list[tuple[str, HaircutAsset]], fixed: Fraction
    ) -> Caps:
        """Return the closer look of these slots; `shown` names the asset of each lot."""
        names = [name for name, _ in capped]
        lots = np.array([down(weight.per_unit) if name else 0.0 for name, weight in zip(shown, weights, strict=True)])
        lost = np.array([up(weight.lost) for weight in weights])
        of_asset = np.array([[one == name for one in shown] for name in names])
        is_free = np.array([bool(name) and name not in names for name in shown])
        is_owed = np.array([weight.is_owed for weight in weights])
        depths = [asset.depth_usd_e18 for _, asset in capped]
        return cls(
            held=lots * of_asset,
            held_lost=lost * of_asset,
            free_held=lots * is_free,
            free_lost=lost * is_free,
            owed=np.array([up(-weight.per_unit) if weight.is_owed else 0.0 for weight in weights]),
            owed_lost=lost * is_owed,
            depth=np.array([np.inf if depth is None else down(Fraction(depth)) for depth in depths])[:, None],
            share=np.array([down(Fraction(asset.limit.share_ppm, PPM)) for _, asset in capped])[:, None],
            least=np.array([_least(asset) for _, asset in capped])[:, None],
            fixed=up(fixed),
            slack=(2 * len(shown) + ROUNDINGS) * UNIT_ROUNDOFF,
        )

    def __call__(self, part: Floats) -> Bools:
        """Tell who is certainly healthy."""
        below, above, is_held = 1 - self.slack, 1 + self.slack, part != 0
        values = np.maximum(self.held @ part * below - self.held_lost @ is_held * above, 0)
        values = np.minimum(values, self.depth)
        free = np.maximum(self.free_held @ part * below - self.free_lost @ is_held * above, 0)
        counted = self._counted(values, free, below)
        owed = (self.owed @ part + self.owed_lost @ is_held + self.fixed + len(self.share)) * above
        is_safe: Bools = counted * below >= owed * above
        return is_safe

    def _counted(self, values: Floats, free: Floats, below: float) -> Floats:
        """Return no more than what counts: at a total that is certainly not above the greatest fixed point."""
        total = free + values.sum(axis=0)
        for _ in range(ITERATIONS):
            total = self._next(values, free, total)
        total = total * STEP_DOWN
        certain = np.where(self._line(values, free, total) * below >= total, total, 0.0)
        return self._line(values, free, certain)

    def _next(self, values: Floats, free: Floats, total: Floats) -> Floats:
        """Return where the line through f at this total meets T, or f where that is less or there is none."""
        counts, followed = self._line(values, free, total), self.share * total
        slope = (self.share * ((followed > self.least) & (followed < values))).sum(axis=0)
        rest = np.maximum(1 - slope, 0)
        meets = np.divide(counts - slope * total, rest, out=np.full_like(counts, np.inf), where=rest > STEEP)
        nearer: Floats = np.minimum(counts, np.maximum(meets, 0))
        return nearer

    def _line(self, values: Floats, free: Floats, total: Floats) -> Floats:
        counts: Floats = free + np.minimum(values, np.maximum(self.least, self.share * total)).sum(axis=0)
        return counts
