"""Health: the health factors of a whole Aave pool as intervals that hold the exact ones; for ranking and for warnings.

    HF = ⌊⟨W 10^18 / D⟩ / 10^4⌋ / 10^18,  W = Σ c·LT,  D = Σ b;  here as a float, 1 is the threshold

A fixed epsilon would not do: a leg's rounding to 10^-8 dollars moves the factor of a small account by far more than
any float does. W and D are real figures less what roundings take, so with the screen's own sums w, d (n terms of one
sign: each within 1 ± e, e = (n + 8) 2⁻⁵³), Lc and Ld what the account's own legs lose at most:

    W in [w (1 - e) - Lc, w (1 + e)]        10^4 D in [d (1 - e), d (1 + e) + Ld]
    HF in [lowest W / highest D - 2 · 10^-18, highest W / lowest D + 10^-18], each quotient within 4 roundings more

To first order the relative width is Lc / w + Ld / d + 2 · 10^-18 / HF + 2 e: each loss over the screen's own sum of its
side, weights included. Without debt both ends are infinite.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from relayer.margin.engine.inputs import MarketData
from relayer.margin.models.aave import AaveRules
from relayer.margin.rulesets.aave_v3 import AAVE_REVISIONS, ThresholdRule
from relayer.margin.screens.columns import UNIT_ROUNDOFF, Columns, Floats
from relayer.margin.screens.lending import aave_form
from relayer.margin.screens.linear import SPARE, lost_each

WAD_UNIT: Final = 1e-18
QUOTIENT: Final = 4 * UNIT_ROUNDOFF


def health_interval(columns: Columns, rules: AaveRules, market: MarketData) -> tuple[Floats, Floats]:
    """Return the lower and the upper end of each account's health factor, at the low ends of the prices.

    What is not priced counts nothing. Raises: ValueError for a revision with averaged thresholds.
    """
    if AAVE_REVISIONS[rules.name].thresholds is not ThresholdRule.PRODUCTS:
        raise ValueError(f"{rules.name} averages thresholds; its health factor has no such interval")
    weights = aave_form(columns.slots, columns.mode, rules, market).weights
    sizes = np.array([abs(float(weight.per_unit)) for weight in weights])
    is_owed = np.array([weight.is_owed for weight in weights], dtype=bool)
    lost, is_held = lost_each(weights), columns.amounts != 0
    error = (len(weights) + SPARE) * UNIT_ROUNDOFF
    held = np.where(is_owed, 0.0, sizes) @ columns.amounts
    owed = np.where(is_owed, sizes, 0.0) @ columns.amounts
    held_lost, owed_lost = np.where(is_owed, 0.0, lost) @ is_held, np.where(is_owed, lost, 0.0) @ is_held
    lowest = np.maximum(held * (1 - error) - held_lost * (1 + error), 0.0)
    highest = owed * (1 + error) + owed_lost * (1 + error)
    with np.errstate(divide="ignore", invalid="ignore"):
        low = lowest / highest * (1 - QUOTIENT) - 2 * WAD_UNIT
        high = held * (1 + error) / (owed * (1 - error)) * (1 + QUOTIENT) + WAD_UNIT
    return np.where(owed > 0, np.maximum(low, 0.0), np.inf), np.where(owed > 0, high, np.inf)
