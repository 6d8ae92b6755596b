"""What a portfolio file says of accounts: legs, settings, what could not be read, and what the venue's getter said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from proofs.types import Encumbrance
from relayer.margin.engine.inputs import Gap, OptionTerms
from relayer.portfolio.fields import (
    ChainText,
    Decimals,
    Fixed18,
    Flag,
    Instant,
    LineText,
    NameText,
    Natural,
    NumberText,
    Table,
    WholeNumber,
)

LEGS_MAX: Final = 256

EncumbranceText = Literal["escrowed", "protocol_locked", "approved", "free"]
RoleText = Literal["collateral", "debt", "cash", "perp", "future", "option"]


class AssetTable(Table):
    """An asset: the decimals of its amounts."""

    decimals: Decimals = 18


class OptionTable(Table):
    """A European option on the leg's asset."""

    strike: Fixed18
    expiry: Instant
    kind: Literal["call", "put"]


class LegTable(Table):
    """One thing that the account holds or owes.

    Say how much once: `amount` as the rule set counts (scaled balances, shares, sizes) in whole units, `amount_raw` in
    the smallest ones, or `balance` as people count; indices and totals then turn it into an amount.
    """

    role: RoleText
    asset: NameText
    amount: NumberText | None = None
    amount_raw: WholeNumber | None = None
    balance: NumberText | None = None
    name: NameText | None = None
    chain: ChainText | None = None
    block: Natural = 0
    block_time: Instant = 0
    encumbrance: EncumbranceText | None = None
    entry_value: NumberText = "0"
    accrued: NumberText = "0"
    option: OptionTable | None = None
    expiry: Instant | None = None
    own_limit: Natural = 0
    group: LineText = ""
    venue: LineText = ""

    @model_validator(mode="after")
    def _whole(self) -> LegTable:
        if [self.amount, self.amount_raw, self.balance].count(None) != 2:
            raise ValueError('say how much, once; write amount = "1.5" (whole units), amount_raw or balance')
        if self.option is not None and self.role != "option":
            raise ValueError("`option` on a leg of another role; remove it, or change the role to option")
        if self.expiry is not None and self.role != "future":
            raise ValueError("`expiry` is that of a future; an option's expiry stands in `option`")
        return self


class UnreadTable(Table):
    """What should be in the account and could not be read."""

    leg: NameText
    role: RoleText
    reason: LineText


class GetterTable(Table):
    """What the venue's own getter said of the account, for comparison; figures in the rule set's money."""

    call: LineText
    block: Natural = 0
    health_factor: Fixed18 | None = None
    equity: NumberText | None = None
    requirement: NumberText | None = None
    collateral: NumberText | None = None
    debt: NumberText | None = None
    is_healthy: Flag | None = None


class AccountTable(Table):
    """One account: its legs in the order in which the venue reads them; `mode` is an e-mode category."""

    name: NameText
    legs: Annotated[list[LegTable], Field(max_length=LEGS_MAX, default_factory=list)]
    mode: Natural = 0
    unread: Annotated[list[UnreadTable], Field(max_length=LEGS_MAX, default_factory=list)]
    venue_getter: GetterTable | None = None


@dataclass(frozen=True, slots=True)
class VenueSaid:
    """Hold the venue's own figures at their scales; None where its getter says nothing of it."""

    call: str
    block_number: int
    health_factor: int | None
    equity: int | None
    requirement: int | None
    collateral: int | None
    debt: int | None
    is_healthy: bool | None


def leg_name(table: LegTable, taken: set[str]) -> str:
    """Return a leg's own name, or one made of role and asset, numbered where it is taken."""
    if table.name is not None:
        return table.name
    name = f"{table.asset} {table.role}"[:60]
    count = 2
    while f"{name} {count}" in taken:
        count += 1
    return f"{name} {count}" if name in taken else name


def unread(table: UnreadTable) -> Gap:
    """Return what was not read as the engine's gap."""
    return Gap(table.leg, table.reason, table.role == "collateral")


def option_terms(table: OptionTable | None) -> OptionTerms | None:
    """Return the terms of an option."""
    return None if table is None else OptionTerms(table.strike, table.expiry, table.kind == "call")


def encumbrance(table: LegTable) -> Encumbrance:
    """Return how firmly a leg is bound to the venue."""
    return Encumbrance[table.encumbrance.upper()] if table.encumbrance else Encumbrance.NOT_APPLICABLE
