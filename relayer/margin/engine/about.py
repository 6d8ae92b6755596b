"""About: what a reader must know of a rule set before trusting its figures; data for `rules show` and for the laws."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """Name the kernel that a rule set is built on."""

    COLLATERAL_FACTOR = "collateral factor"
    POSITION = "position requirement"
    SCENARIO = "scenario"
    OVERLAY = "overlay"


class Trend(StrEnum):
    """Say what excess does when an input grows, everything else equal."""

    NEVER_FALLS = "never falls"
    NEVER_RISES = "never rises"
    NO_LAW = "no law"


@dataclass(frozen=True, slots=True)
class MonotoneInput:
    """State the law of one input; `exception` describes the counter-example where there is one."""

    what: str
    trend: Trend
    exception: str = ""


@dataclass(frozen=True, slots=True)
class RuleSetInfo:
    """Describe one version of a rule set in a few readable lines."""

    name: str
    family: Family
    title: str
    formula: str
    rounding: str
    equality: str
    source: str
    monotone: tuple[MonotoneInput, ...]
    is_mirrored: bool
    is_experimental: bool = False
