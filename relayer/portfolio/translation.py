"""From a validated table to the engine's inputs. What contradicts itself becomes a fault, and the translation goes on.

A value whose text was at fault is nothing that anybody uses: a file with a fault is refused whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from proofs.types import ChainId
from relayer.config.document import key_path
from relayer.errors import Fault
from relayer.margin.engine.evaluate import RuleSet
from relayer.margin.engine.inputs import Account, Leg, MarketData, Price, Role
from relayer.margin.engine.result import Unit
from relayer.portfolio.account_tables import (
    AssetTable,
    GetterTable,
    LegTable,
    VenueSaid,
    encumbrance,
    leg_name,
    option_terms,
    unread,
)
from relayer.portfolio.conversions import DECIMALS_DEFAULT, amount_of, price_shift, shifted
from relayer.portfolio.families import Family
from relayer.portfolio.fields import scaled
from relayer.portfolio.market_tables import indices
from relayer.portfolio.rule_tables import built
from relayer.portfolio.text import SCHEMA_HINT, Place

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Faults:
    """Collect faults by place."""

    found: list[Fault] = field(default_factory=list)

    def add(self, place: Place, problem: str, fix: str) -> None:
        """Note a fault."""
        self.found.append(Fault(key_path(place), problem, fix))

    def at(self, place: Place, value: Callable[[], T]) -> T:
        """Return a value; where its text does not fit, note a fault and return what nobody uses."""
        try:
            return value()
        except ValueError as error:
            problem, _, fix = str(error).partition("; ")
            self.add(place, problem, fix or SCHEMA_HINT)
            nothing: Any = 0
            return nothing  # type: ignore[no-any-return]  # see above


@dataclass(frozen=True, slots=True)
class Setting:
    """Hold what legs are read against: the file's chain, decimals by asset, the rules as written, money, the market."""

    chain: str
    decimals: Mapping[str, int]
    rules: Any  # of the family's own class
    unit: Unit
    market: MarketData
    names_contracts: bool


def decimals_of(tables: Mapping[str, AssetTable]) -> Mapping[str, int]:
    """Return the decimals of the assets that a file names."""
    return MappingProxyType({name: one.decimals for name, one in tables.items()})


def rules_of(family: Family, table: Any, decimals: Mapping[str, int]) -> tuple[Any, Unit]:
    """Return the parameters as written, and the money of the rule set. Raises: RuleFault."""
    given: dict[str, object] = {"name": table.rule_set} if hasattr(family.rules, "weigh") else {}
    unit = family.unit
    if unit is None:
        unit = Unit(table.rules.loan, decimals.get(table.rules.loan, DECIMALS_DEFAULT))
        given["unit"] = unit
    return built(family.rules, table.rules, ("rules",), **given), unit


def market_of(table: Any, family: Family, rules: RuleSet, faults: Faults) -> MarketData:
    """Return the market."""
    decimals = decimals_of(table.assets)
    shift = price_shift(rules, decimals)

    def by_name(key: str, value: Callable[[str, Any], T]) -> Mapping[str, T]:
        items = getattr(table, key).items()
        return MappingProxyType({name: faults.at((key, name), partial(value, name, one)) for name, one in items})

    averages = {name: one.average() for name, one in table.prices.items()}
    prices: dict[str, Price] = {name: shifted(one.value(), shift) for name, one in table.prices.items()}
    return MarketData(
        as_of_s=table.as_of,
        prices=MappingProxyType(prices),
        average_prices=MappingProxyType({name: shifted(one, shift) for name, one in averages.items() if one}),
        indices=by_name("indices", lambda _, one: indices(one, family.index_decimals)),
        totals=by_name("totals", lambda _, one: one.value()),
        open_interest=by_name("open_interest", lambda name, one: scaled(one, decimals.get(name, DECIMALS_DEFAULT))),
        expiries=_expiries(table, faults),
    )


def _expiries(table: Any, faults: Faults) -> Mapping[tuple[str, int], Any]:
    quotes = {}
    for n, one in enumerate(table.expiries):
        key = (one.asset, one.expiry)
        if key in quotes:
            faults.add(("expiries", n), "this expiry of the asset stands twice", "remove one")
        quotes[key] = faults.at(("expiries", n), partial(one.value, table.as_of))
    return MappingProxyType(quotes)


def accounts_of(table: Any, setting: Setting, faults: Faults) -> tuple[Account, ...]:
    """Return the accounts in the file's order."""
    taken: set[str] = set()
    accounts = []
    for n, one in enumerate(table.accounts):
        if one.name in taken:
            faults.add(("accounts", n, "name"), f"the name {one.name!r} is taken", "name accounts differently")
        taken.add(one.name)
        legs = _legs(one.legs, setting, ("accounts", n, "legs"), faults)
        accounts.append(Account(one.name, legs, one.mode, tuple(unread(gap) for gap in one.unread)))
    return tuple(accounts)


def said_of(table: Any, unit: Unit, faults: Faults) -> Mapping[str, VenueSaid]:
    """Return what venues' getters said, by account."""
    return MappingProxyType(
        {
            one.name: _said(one.venue_getter, unit, ("accounts", n, "venue_getter"), faults)
            for n, one in enumerate(table.accounts)
            if one.venue_getter is not None
        }
    )


def _legs(tables: list[LegTable], setting: Setting, place: Place, faults: Faults) -> tuple[Leg, ...]:
    taken: set[str] = set()
    legs = []
    for n, one in enumerate(tables):
        name = leg_name(one, taken)
        if name in taken:
            faults.add((*place, n, "name"), f"the name {name!r} is taken", "name the legs of an account apart")
        taken.add(name)
        legs.append(_leg(one, name, setting, (*place, n), faults))
    return tuple(legs)


def _leg(table: LegTable, name: str, setting: Setting, place: Place, faults: Faults) -> Leg:
    money = setting.unit.decimals
    if table.role == "option" and table.option is None and not setting.names_contracts:
        faults.add((*place, "option"), "missing", 'write option = { strike = "2000", expiry = ..., kind = "call" }')
    if table.role == "future" and table.expiry is None and not setting.names_contracts:
        faults.add((*place, "expiry"), "missing", "write the time at which the future settles")
    leg = Leg(
        name=name,
        role=Role(table.role),
        asset=table.asset,
        amount=0,
        chain=ChainId(table.chain or setting.chain),
        block_number=table.block,
        decimals=setting.decimals.get(table.asset, DECIMALS_DEFAULT),
        entry_value=faults.at((*place, "entry_value"), lambda: scaled(table.entry_value, money)),
        accrued=faults.at((*place, "accrued"), lambda: scaled(table.accrued, money)),
        option=option_terms(table.option),
        expiry_s=table.expiry or 0,
        own_limit=table.own_limit,
        group=table.group,
        venue=table.venue,
        block_time_s=table.block_time,
        encumbrance=encumbrance(table),
    )
    amount = _amount(table, leg, setting, place, faults)
    if amount < 0 and leg.role in (Role.COLLATERAL, Role.DEBT):
        faults.add(place, f"a {leg.role} below zero", "write what is held or owed, without sign")
    return Account("", (leg,)).with_amount(name, amount).legs[0]


def _amount(table: LegTable, leg: Leg, setting: Setting, place: Place, faults: Faults) -> int:
    if table.amount_raw is not None:
        return table.amount_raw
    if table.amount is not None:
        text = table.amount
        return faults.at((*place, "amount"), lambda: scaled(text, leg.decimals))
    balance = table.balance or ""
    return faults.at(
        (*place, "balance"),
        lambda: amount_of(leg, scaled(balance, leg.decimals), setting.market, setting.rules),
    )


def _said(table: GetterTable, unit: Unit, place: Place, faults: Faults) -> VenueSaid:
    def money(key: str) -> int | None:
        text = getattr(table, key)
        return None if text is None else faults.at((*place, key), lambda: scaled(text, unit.decimals))

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
