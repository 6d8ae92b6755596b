"""A portfolio file: one market, the parameters of one rule set, and accounts; all that `evaluate` needs, and no chain.

    rule_set = "aave@3.7"                       which formulas
    as_of = "2025-03-01T00:00:00Z"              when
    [assets], [prices], [indices], ...          the market
    [rules]                                     the parameters of the rule set
    [[accounts]]                                who holds what

Every fault is one line that names the key; a file with a fault is refused whole. `schema()` is the published JSON
Schema: one object for each family of rule sets, told apart by `rule_set`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, create_model

from proofs.types import ChainId
from relayer.config.document import Document, key_path
from relayer.errors import ConfigError, Fault
from relayer.margin.engine.evaluate import BUFFER_PPM, RuleSet
from relayer.margin.engine.inputs import Account, Leg, MarketData, Role
from relayer.portfolio.account_tables import (
    AccountTable,
    AssetTable,
    GetterTable,
    LegTable,
    VenueSaid,
    encumbrance,
    leg_name,
    option_terms,
    unread,
)
from relayer.portfolio.families import FAMILIES, FAMILY_OF, Family
from relayer.portfolio.fields import BufferPpm, ChainText, Instant, LineText, NameText, NumberText, Table, scaled
from relayer.portfolio.market_tables import ExpiryTable, IndexTable, PriceField, TotalsTable, indices
from relayer.portfolio.rule_tables import RuleFault, built, table_of
from relayer.portfolio.text import FAULTS_MAX, SCHEMA_HINT, Place, fault_of, read_document

ACCOUNTS_MAX: Final = 5000
ASSETS_MAX: Final = 2000
SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

T = TypeVar("T")


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
    accounts: Annotated[list[AccountTable], Field(min_length=1, max_length=ACCOUNTS_MAX)]


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Hold what a file says, in the engine's terms; `said` is what venues' getters said, by account name."""

    source: str
    title: str
    family: Family
    rules: RuleSet
    market: MarketData
    accounts: tuple[Account, ...]
    said: Mapping[str, VenueSaid]
    buffer_ppm: int
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
    reading = _Reading(family, table, [])
    portfolio = reading.portfolio(source, document)
    if reading.faults:
        raise ConfigError(source, *reading.faults[:FAULTS_MAX])
    return portfolio


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
    label = family.rules.__name__.removesuffix("Rules")
    return create_model(
        f"{label}Portfolio",
        __base__=PortfolioTable,
        __doc__=f"A portfolio under {' or '.join(family.names)}.",
        rule_set=(names, ...),
        rules=(rules, ...),
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """Translate one validated table; what contradicts itself becomes a fault, and the translation goes on."""

    family: Family
    table: Any  # a model made at run time
    faults: list[Fault]

    def portfolio(self, source: str, document: Document) -> Portfolio:
        """Return the portfolio; of no use where there are faults."""
        table = self.table
        said = {one.name: self._said(n, one.venue_getter) for n, one in enumerate(table.accounts) if one.venue_getter}
        return Portfolio(
            source=source,
            title=table.title,
            family=self.family,
            rules=self._rules(),
            market=self._market(),
            accounts=self._accounts(),
            said=MappingProxyType(said),
            buffer_ppm=table.buffer_ppm,
            decimals=MappingProxyType({name: one.decimals for name, one in table.assets.items()}),
            document=document,
        )

    def _rules(self) -> RuleSet:
        given = {"name": self.table.rule_set}
        try:
            rules: RuleSet = built(self.family.rules, self.table.rules, ("rules",), **given)
        except RuleFault as error:
            raise ConfigError("rules", error.fault) from error
        return rules

    def _market(self) -> MarketData:
        table = self.table
        averages = {name: one.average() for name, one in table.prices.items()}
        expiries = {}
        for n, one in enumerate(table.expiries):
            place, key = ("expiries", n), (one.asset, one.expiry)
            if key in expiries:
                self._fault(place, "this expiry of the asset stands twice", "remove one")
            expiries[key] = self._at(place, partial(one.value, table.as_of))
        return MarketData(
            as_of_s=table.as_of,
            prices=MappingProxyType({name: one.value() for name, one in table.prices.items()}),
            average_prices=MappingProxyType({name: one for name, one in averages.items() if one is not None}),
            indices=self._by_name("indices", lambda _, one: indices(one, self.family.index_decimals)),
            totals=self._by_name("totals", lambda _, one: one.value()),
            open_interest=self._by_name("open_interest", lambda name, one: scaled(one, self._decimals(name))),
            expiries=MappingProxyType(expiries),
        )

    def _by_name(self, key: str, value: Callable[[str, Any], T]) -> Mapping[str, T]:
        items = getattr(self.table, key).items()
        return MappingProxyType({name: self._at((key, name), partial(value, name, one)) for name, one in items})

    def _accounts(self) -> tuple[Account, ...]:
        taken: set[str] = set()
        accounts = []
        for n, one in enumerate(self.table.accounts):
            if one.name in taken:
                self._fault(("accounts", n, "name"), f"the name {one.name!r} is taken", "name accounts differently")
            taken.add(one.name)
            legs = self._legs(one.legs, ("accounts", n, "legs"))
            accounts.append(Account(one.name, legs, one.mode, tuple(unread(gap) for gap in one.unread)))
        return tuple(accounts)

    def _legs(self, tables: list[LegTable], place: Place) -> tuple[Leg, ...]:
        taken: set[str] = set()
        legs = []
        for n, one in enumerate(tables):
            name = leg_name(one, taken)
            if name in taken:
                self._fault((*place, n, "name"), f"the name {name!r} is taken", "name the legs of an account apart")
            taken.add(name)
            legs.append(self._leg(one, name, (*place, n)))
        return tuple(legs)

    def _leg(self, table: LegTable, name: str, place: Place) -> Leg:
        decimals, money = self._decimals(table.asset), self.family.money_decimals
        amount = table.amount_raw
        if amount is None:
            amount = self._at((*place, "amount"), lambda: scaled(table.amount, decimals)) or 0
        if amount < 0 and table.role in (Role.COLLATERAL, Role.DEBT):
            self._fault((*place, "amount"), f"a {table.role} below zero", "write what is held or owed, without sign")
        return Leg(
            name=name,
            role=Role(table.role),
            asset=table.asset,
            amount=amount,
            chain=ChainId(table.chain or self.table.chain),
            block_number=table.block,
            decimals=decimals,
            entry_value=self._at((*place, "entry_value"), lambda: scaled(table.entry_value, money)),
            accrued=self._at((*place, "accrued"), lambda: scaled(table.accrued, money)),
            option=option_terms(table.option),
            expiry_s=table.expiry or 0,
            own_limit=table.own_limit,
            group=table.group,
            venue=table.venue,
            block_time_s=table.block_time,
            encumbrance=encumbrance(table),
        )

    def _said(self, n: int, table: GetterTable) -> VenueSaid:
        place: Place = ("accounts", n, "venue_getter")

        def money(key: str) -> int | None:
            text = getattr(table, key)
            if text is None:
                return None
            return self._at((*place, key), lambda: scaled(text, self.family.money_decimals))

        return VenueSaid(
            table.call,
            table.block,
            table.health_factor,
            money("equity"),
            money("requirement"),
            money("collateral"),
            money("debt"),
            table.is_healthy,
        )

    def _decimals(self, asset: str) -> int:
        found = self.table.assets.get(asset)
        return AssetTable().decimals if found is None else found.decimals

    def _at(self, place: Place, value: Callable[[], T]) -> T:
        """Return a value; where its text does not fit, a fault is noted and what is returned is never used."""
        try:
            return value()
        except ValueError as error:
            problem, _, fix = str(error).partition("; ")
            self._fault(place, problem, fix or SCHEMA_HINT)
            nothing: Any = None
            return nothing  # type: ignore[no-any-return]

    def _fault(self, place: Place, problem: str, fix: str) -> None:
        self.faults.append(Fault(key_path(place), problem, fix))
