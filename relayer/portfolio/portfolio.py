"""A portfolio file: one market, the parameters of one rule set, and accounts; all that `evaluate` needs, and no chain.

    rule_set = "aave@3.7"                       which formulas
    as_of = "2025-03-01T00:00:00Z"              when
    [assets], [prices], [indices], ...          the market
    [rules], [[overlays]]                       the parameters of the rule set, and what stands around it
    [[accounts]]                                who holds what

Every fault is one line that names the key; a file with a fault is refused whole. `schema()` is the published JSON
Schema: one object for each family of rule sets, told apart by `rule_set`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model

from proofs.types import ChainId
from relayer.config.document import Document
from relayer.errors import ConfigError, Fault
from relayer.margin.engine.evaluate import BUFFER_PPM, RuleSet
from relayer.margin.engine.inputs import Account, MarketData
from relayer.portfolio.account_tables import AccountTable, AssetTable, VenueSaid
from relayer.portfolio.families import FAMILIES, FAMILY_OF, Family
from relayer.portfolio.fields import BufferPpm, ChainText, Instant, LineText, NameText, NumberText, Table
from relayer.portfolio.market_tables import ExpiryTable, IndexTable, PriceField, TotalsTable
from relayer.portfolio.overlay_tables import overlay_list, with_overlays
from relayer.portfolio.rule_tables import RuleFault, table_of
from relayer.portfolio.text import FAULTS_MAX, fault_of, read_document
from relayer.portfolio.translation import Faults, Setting, accounts_of, decimals_of, market_of, rules_of, said_of

ACCOUNTS_MAX: Final = 5000
ASSETS_MAX: Final = 2000
SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class PortfolioTable(Table):
    """What every portfolio file says; each family adds its `rule_set` and `rules`."""

    as_of: Instant
    title: LineText = ""
    chain: ChainText = "eip155:1"
    buffer_ppm: BufferPpm = BUFFER_PPM
    assets: Annotated[dict[NameText, AssetTable], Field(max_length=ASSETS_MAX, default_factory=dict)]
    prices: Annotated[dict[NameText, PriceField], Field(max_length=ASSETS_MAX, default_factory=dict)]
    indices: Annotated[dict[NameText, IndexTable], Field(max_length=ASSETS_MAX, default_factory=dict)]
    totals: Annotated[dict[NameText, TotalsTable], Field(max_length=ASSETS_MAX, default_factory=dict)]
    open_interest: Annotated[dict[NameText, NumberText], Field(max_length=ASSETS_MAX, default_factory=dict)]
    expiries: Annotated[list[ExpiryTable], Field(max_length=ASSETS_MAX, default_factory=list)]
    accounts: Annotated[list[AccountTable], Field(max_length=ACCOUNTS_MAX, default_factory=list)]


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Hold what a file says, in the engine's terms.

    `core` are the rules without overlays, whose units the legs are in; `said` is what venues' getters said, by account.
    """

    source: str
    title: str
    family: Family
    rules: RuleSet
    core: RuleSet
    market: MarketData
    accounts: tuple[Account, ...]
    said: Mapping[str, VenueSaid]
    buffer_ppm: int
    chain: ChainId
    decimals: Mapping[str, int]
    document: Document


def load_portfolio(path: Path) -> Portfolio:
    """Read and check a file. Raises: ConfigError naming every fault by its key."""
    return portfolio_of(read_document(path), str(path))


def portfolio_of(document: Document, source: str) -> Portfolio:
    """Check a document and translate it. Raises: ConfigError naming every fault by its key."""
    family = _family(document, source)
    try:
        table = _table_of(family).model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False)[:FAULTS_MAX]
        raise ConfigError(source, *(fault_of(details) for details in found)) from None
    faults = Faults()
    try:
        portfolio = _portfolio(family, table, source, document, faults)
    except RuleFault as error:
        raise ConfigError(source, error.fault) from error
    if faults.found:
        raise ConfigError(source, *faults.found[:FAULTS_MAX])
    return portfolio


def _portfolio(family: Family, table: Any, source: str, document: Document, faults: Faults) -> Portfolio:
    decimals = decimals_of(table.assets)
    written, unit = rules_of(family, table, decimals)
    market = market_of(table, family, written, faults)
    if faults.found:  # nothing may be reckoned with what is not there
        raise ConfigError(source, *faults.found[:FAULTS_MAX])
    accounts = accounts_of(table, Setting(table.chain, decimals, written, unit, market, family.names_contracts), faults)
    core = faults.at(("rules",), lambda: family.finish(written, accounts, table.rule_set))
    return Portfolio(
        source=source,
        title=table.title,
        family=family,
        rules=with_overlays(core, table.overlays),
        core=core,
        market=market,
        accounts=accounts,
        said=said_of(table, unit, faults),
        buffer_ppm=table.buffer_ppm,
        chain=ChainId(table.chain),
        decimals=decimals,
        document=document,
    )


@cache
def schema() -> dict[str, object]:
    """Return the JSON Schema of all portfolio files."""
    tables: Any = Annotated[_union(tuple(_table_of(one) for one in FAMILIES)), Field(discriminator="rule_set")]
    found: dict[str, object] = TypeAdapter(tables).json_schema()
    return {"$schema": SCHEMA_DIALECT, "title": "Portfolio", **found}


def _union(tables: tuple[type[BaseModel], ...]) -> Any:
    union: Any = tables[0]
    for table in tables[1:]:
        union |= table
    return union


def _family(document: Document, source: str) -> Family:
    name = document.get("rule_set")
    family = FAMILY_OF.get(name) if isinstance(name, str) else None
    if family is None:
        problem = "missing" if name is None else f"no rule set {str(name)[:40]!r}"
        raise ConfigError(source, Fault("rule_set", problem, f"write one of {', '.join(FAMILY_OF)}"))
    return family


@cache
def _table_of(family: Family) -> Any:
    """Make the table of a family's files; its type is made at run time, hence Any."""
    rules = table_of(family.rules, family.scales)
    names: Any = Literal[family.names]
    return create_model(
        f"{family.label}Portfolio",
        __base__=PortfolioTable,
        __doc__=f"A portfolio under {' or '.join(family.names)}.",
        rule_set=(names, ...),
        rules=(rules, ...),
        overlays=(overlay_list(family.unit), ...),
    )
