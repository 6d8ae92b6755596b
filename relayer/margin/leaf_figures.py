"""Leaf figures: the four amounts of a signed leaf, made from the result of a mirrored rule set.

A mirrored venue has its own decision variable and its own equality. The leaf has ours, and the signs must agree:

    equity = collateral - liability,  excess = equity - maintenance
    excess >= 0 iff the venue calls the account healthy

Amounts are converted against the account (collateral down, liability and requirements up), so an account that the
venue calls unhealthy never gets an excess of zero or more. The other way round the venue is sometimes kinder than the
exact figures: its last division rounds half up (Aave), or our conversion to dollars loses a unit (Morpho). Then the
rounding is given back, first from the maintenance requirement, then from the liability, until the excess is exactly 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from proofs.units import UsdE18


@dataclass(frozen=True, slots=True)
class LeafFigures:
    """Hold collateral, liability, and both requirements in UsdE18; none is negative."""

    collateral_usd: UsdE18
    liability_usd: UsdE18
    initial_usd: UsdE18
    maintenance_usd: UsdE18

    @property
    def equity_usd(self) -> int:
        """Return collateral less liability, signed."""
        return self.collateral_usd - self.liability_usd

    @property
    def excess_usd(self) -> int:
        """Return equity less the maintenance requirement: below zero is unhealthy."""
        return self.equity_usd - self.maintenance_usd


def agreeing_figures(figures: LeafFigures, *, is_healthy: bool) -> LeafFigures:
    """Return the figures with the sign of their excess as the venue judges.

    Raises: ValueError where the venue calls the account unhealthy and the figures do not: they were not rounded against
    it, or come from other inputs.
    """
    if not is_healthy:
        if figures.excess_usd >= 0:
            raise ValueError(f"the venue calls the account unhealthy, the figures leave {figures.excess_usd}")
        return figures
    missing = max(0, -figures.excess_usd)
    from_maintenance = min(missing, figures.maintenance_usd)
    return LeafFigures(
        collateral_usd=figures.collateral_usd,
        liability_usd=UsdE18(figures.liability_usd - (missing - from_maintenance)),
        initial_usd=figures.initial_usd,
        maintenance_usd=UsdE18(figures.maintenance_usd - from_maintenance),
    )
