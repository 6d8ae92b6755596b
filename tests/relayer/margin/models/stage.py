"""Stage: what a rule set brings to the conformance suite, and how the suite draws accounts and markets from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from hypothesis import settings
from hypothesis import strategies as st

from relayer.margin.engine.evaluate import RuleSet
from relayer.margin.engine.inputs import Account, Leg, MarketData, Price, Role
from relayer.margin.view import Purpose
from tests.relayer.margin.strategies import UNHURRIED

SIGNED = frozenset({Role.CASH, Role.PERP, Role.FUTURE, Role.OPTION})


def own_asset(leg: Leg) -> str:
    return leg.asset


class Stage(Protocol):
    """Offer one rule set with a market and accounts that it can weigh."""

    name: str
    rules: RuleSet
    market: MarketData
    accounts: tuple[Account, ...]
    is_verdict_of_excess: bool
    averaged: frozenset[Purpose]
    is_slow: bool
    may_hold_options_at_zero: bool
    optional_prices: frozenset[str]

    def price_key(self, leg: Leg) -> str | None:
        """Return the name of the price that the leg needs, None where it needs none."""

    def some_accounts(self) -> st.SearchStrategy[Account]:
        """Return accounts of any health."""

    def some_markets(self) -> st.SearchStrategy[MarketData]:
        """Return markets with prices as points."""


@dataclass(frozen=True)
class TemplateStage:
    """Draw accounts by giving the legs of a template other amounts, and markets by moving its prices.

    `most` is the greatest amount of each leg; signed roles go as far below zero. `entry` bounds entry values and
    accruals. `is_verdict_of_excess`: the maintenance verdict is the sign of excess. `averaged`: for these purposes the
    venue cuts an average of weights to a basis point, so that less of one asset may lift the average of all by that
    much of the collateral. `is_slow`: it prices options, so fewer accounts are drawn. `may_hold_options_at_zero`: a
    long option never costs more than it is worth, so that one without a market counts zero. `optional_prices` have
    others to stand in for them.
    """

    name: str
    rules: RuleSet
    market: MarketData
    template: Account
    most: Mapping[str, int]
    entry: int = 0
    key: Callable[[Leg], str | None] = own_asset
    moves_ppm: tuple[int, int] = (100_000, 4_000_000)
    fixed_prices: frozenset[str] = frozenset()
    is_verdict_of_excess: bool = True
    averaged: frozenset[Purpose] = frozenset()
    is_slow: bool = False
    may_hold_options_at_zero: bool = True
    optional_prices: frozenset[str] = frozenset()
    more: tuple[Account, ...] = field(default=())

    @property
    def accounts(self) -> tuple[Account, ...]:
        return (self.template, *self.more)

    def price_key(self, leg: Leg) -> str | None:
        return self.key(leg)

    def some_accounts(self) -> st.SearchStrategy[Account]:
        return _accounts(self)

    def some_markets(self) -> st.SearchStrategy[MarketData]:
        return _markets(self)


def drawn(stage: Stage, examples: int) -> settings:
    """Return settings for so many examples, a quarter for a slow stage; 200 times as many in the fuzz profile."""
    count = -(-examples // 4) if stage.is_slow else examples
    count *= max(1, settings.default.max_examples // 100)
    return settings(max_examples=count, deadline=None, suppress_health_check=UNHURRIED)


def amounts(role: Role, most: int) -> st.SearchStrategy[int]:
    """Return amounts of all magnitudes, zero and dust included."""
    upper = st.one_of(st.just(0), st.integers(0, 10), st.integers(0, most), st.integers(most // 2, most))
    return st.one_of(upper, upper.map(lambda amount: -amount)) if role in SIGNED else upper


@st.composite
def _accounts(draw: st.DrawFn, stage: TemplateStage) -> Account:
    legs = []
    for leg in stage.template.legs:
        drawn = replace(leg, amount=draw(amounts(leg.role, stage.most[leg.name])))
        if leg.role in (Role.PERP, Role.FUTURE) and stage.entry:
            money = st.integers(-stage.entry, stage.entry)
            drawn = replace(drawn, entry_value=draw(money), accrued=draw(money))
        legs.append(drawn)
    return replace(stage.template, legs=tuple(legs))


@st.composite
def _markets(draw: st.DrawFn, stage: TemplateStage) -> MarketData:
    market = stage.market
    for asset, price in stage.market.prices.items():
        if asset not in stage.fixed_prices:
            moved = max(1, price.low * draw(st.integers(*stage.moves_ppm)) // 1_000_000)
            market = market.with_price(asset, point(moved, price.decimals))
    return market


def point(price: int, decimals: int) -> Price:
    return Price(price, price, decimals)
