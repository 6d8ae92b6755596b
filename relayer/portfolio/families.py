"""The families of rule sets that a portfolio file may name, and how each one writes its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from relayer.margin.engine.evaluate import RuleSet
from relayer.margin.engine.inputs import Account
from relayer.margin.engine.result import USD, Unit
from relayer.margin.models.aave import AaveRules
from relayer.margin.models.comet import CometRules
from relayer.margin.models.derive_pmrm import DerivePmrm
from relayer.margin.models.derive_pmrm2 import DerivePmrm2
from relayer.margin.models.derive_srm import DeriveSrm
from relayer.margin.models.dydx import QUOTE_QUANTUMS, DydxRules
from relayer.margin.models.grid import GridRules
from relayer.margin.models.haircut import HaircutRules
from relayer.margin.models.morpho import MorphoRules
from relayer.margin.models.span import SpanRules
from relayer.margin.models.tiers import MICRO_USD, TiersRules
from relayer.portfolio.cross_perp_file import CrossPerpFile, cross_perp_rules
from relayer.portfolio.rule_tables import Scales

RAY_DECIMALS: Final = 27
COMET_INDEX_DECIMALS: Final = 15

Finish = Callable[[Any, Sequence[Account], str], RuleSet]
"""From the parameters as written (of the family's own class, hence Any), the accounts and the rule set's name."""


def _as_written(rules: RuleSet, accounts: Sequence[Account], name: str) -> RuleSet:
    del accounts, name
    return rules


def _with_known_scenarios(rules: SpanRules, accounts: Sequence[Account], name: str) -> SpanRules:
    """Refuse commodities that name scenarios which their arrays do not have. Raises: ValueError."""
    del accounts, name
    for one in rules.commodities:
        scenarios = min((len(contract.array) for contract in one.contracts), default=0)
        if not all(0 <= number < scenarios for number in (*one.pairs, *one.still)):
            raise ValueError(f"{one.name}: pairs and still must be numbers from 0 of its {scenarios} scenarios")
    return rules


@dataclass(frozen=True, slots=True)
class Family:
    """Hold the rule sets of one class of parameters: names, scales of numbers and indices, money (None: the loan's).

    `names_contracts` says that the asset of a future or an option names a published contract, whose terms need not
    stand in the file.
    """

    label: str
    names: tuple[str, ...]
    rules: type
    scales: Scales = Scales()  # noqa: RUF009  # frozen
    unit: Unit | None = USD
    index_decimals: int = RAY_DECIMALS
    finish: Finish = _as_written
    names_contracts: bool = False


_WHOLE = ("pairs", "still", "tier", "other_tier", "side")
SPAN_SCALES: Final = Scales(default=18, by_field=tuple((name, None) for name in _WHOLE))

FAMILIES: Final[tuple[Family, ...]] = (
    Family("Aave", ("aave@3.7", "aave@3.6", "aave@3.0"), AaveRules, Scales(may_be_empty=("modes",))),
    Family("Comet", ("comet@1",), CometRules, index_decimals=COMET_INDEX_DECIMALS),
    Family("Haircut", ("haircut@1",), HaircutRules),
    Family("Morpho", ("morpho@1",), MorphoRules, unit=None),
    Family("CrossPerp", ("cross_perp@1",), CrossPerpFile, finish=cross_perp_rules),
    Family(
        "Dydx",
        ("dydx@4",),
        DydxRules,
        Scales(by_field=(("open_interest_lower", 6), ("open_interest_upper", 6))),
        unit=QUOTE_QUANTUMS,
    ),
    Family("Span", ("span@1",), SpanRules, SPAN_SCALES, finish=_with_known_scenarios, names_contracts=True),
    Family("Grid", ("grid@1",), GridRules, Scales(default=18)),
    Family("DeriveSrm", ("derive_srm@1",), DeriveSrm, Scales(default=18)),
    Family("DerivePmrm", ("derive_pmrm@1",), DerivePmrm, Scales(default=18)),
    Family("DerivePmrm2", ("derive_pmrm@2",), DerivePmrm2, Scales(default=18)),
    Family("Tiers", ("tiers@1",), TiersRules, Scales(by_field=(("lower", 6),)), unit=MICRO_USD),
)

FAMILY_OF: Final[Mapping[str, Family]] = MappingProxyType({name: one for one in FAMILIES for name in one.names})
