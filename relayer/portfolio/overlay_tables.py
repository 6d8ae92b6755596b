"""How a file writes overlays: a list, applied in order, each around what stands before it.

[[overlays]]
kind = "strict@1"
exempt = ["USDC"]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Union

from pydantic import BaseModel, Field, create_model

from relayer.margin.engine.evaluate import RuleSet
from relayer.margin.engine.result import Unit
from relayer.margin.models.overlays import ConfidenceCharge, DepegCharge, SizePremium, StrictPrices
from relayer.portfolio.rule_tables import Scales, built, table_of
from relayer.portfolio.text import OVERLAY_KINDS

OVERLAYS_MAX: Final = 8
OVERLAYS: Final[Mapping[str, type]] = MappingProxyType(
    dict(zip(OVERLAY_KINDS, (StrictPrices, SizePremium, ConfidenceCharge, DepegCharge), strict=True))
)


def overlay_list(unit: Unit | None) -> Any:
    """Make the type of a file's overlays; `unit` is the money of the rule set, where all its markets have one.

    The type is made at run time, hence Any.
    """
    scales = Scales(by_field=(("scale", None if unit is None else unit.decimals),))
    kinds = tuple(_table(name, kind, scales) for name, kind in OVERLAYS.items())
    one: Any = Annotated[Union.__getitem__(kinds), Field(discriminator="kind")]
    items: Any = list.__class_getitem__(one)
    return Annotated[items, Field(max_length=OVERLAYS_MAX, default_factory=list)]


def with_overlays(rules: RuleSet, tables: Sequence[Any]) -> RuleSet:
    """Return a rule set under a file's overlays. Raises: RuleFault for values that contradict each other."""
    for number, table in enumerate(tables):
        rules = built(OVERLAYS[table.kind], table, ("overlays", number), inner=rules)
    return rules


def _table(name: str, kind: type, scales: Scales) -> type[BaseModel]:
    literal: Any = Literal[name]
    return create_model(kind.__name__ + "OverlayTable", __base__=table_of(kind, scales), kind=(literal, ...))
