"""The families of rule sets that a portfolio file may name, and how each one writes its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from relayer.margin.fixed_point import RAY
from relayer.margin.models.aave import AaveRules
from relayer.portfolio.rule_tables import Scales

RAY_DECIMALS: Final = len(str(RAY)) - 1


@dataclass(frozen=True, slots=True)
class Family:
    """Hold the rule sets of one dataclass: their names, the scales of their parameters, of money and of indices."""

    names: tuple[str, ...]
    rules: type
    scales: Scales
    money_decimals: int = 18
    index_decimals: int = RAY_DECIMALS


FAMILIES: Final[tuple[Family, ...]] = (
    Family(("aave@3.7", "aave@3.6", "aave@3.0"), AaveRules, Scales(may_be_empty=("modes",))),
)

FAMILY_OF: Final[Mapping[str, Family]] = MappingProxyType({name: one for one in FAMILIES for name in one.names})
