"""The rule sets of the house, by the name that the policy writes: `name@version`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from relayer.margin.rulesets.position import cross_perp
from relayer.margin.rulesets.terms import RuleSet

RULE_SETS: Final[Mapping[str, RuleSet]] = MappingProxyType({"cross_perp@1": cross_perp})
