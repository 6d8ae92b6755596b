"""All rule sets by name: what a reader must know of each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from relayer.margin.engine.about import RuleSetInfo
from relayer.margin.models import (
    aave,
    comet,
    cross_perp,
    derive_pmrm,
    derive_pmrm2,
    derive_srm,
    dydx,
    grid,
    haircut,
    morpho,
    overlays,
    span,
    tiers,
)

RULE_SETS: Final[Mapping[str, RuleSetInfo]] = MappingProxyType(
    {
        info.name: info
        for info in (
            *aave.ABOUT,
            *comet.ABOUT,
            *morpho.ABOUT,
            *haircut.ABOUT,
            *cross_perp.ABOUT,
            *dydx.ABOUT,
            *span.ABOUT,
            *derive_srm.ABOUT,
            *derive_pmrm.ABOUT,
            *derive_pmrm2.ABOUT,
            *grid.ABOUT,
            *tiers.ABOUT,
            *overlays.ABOUT,
        )
    }
)
