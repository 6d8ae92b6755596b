"""Columns: what all accounts of a book hold, as float64 rows of one slot each, for every screen.

A slot is one leg of the book's shape: role, asset, decimals and sign. Its row holds the magnitudes of all accounts, 0
where an account has none; rows lie one after the other in memory, because a price moves one of them. An integer
becomes a float with one rounding, or with two where it came as (hi, lo) words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from proofs.types import ChainId, Encumbrance
from relayer.margin.engine.inputs import Account, Leg, OptionTerms, Role

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Words = NDArray[np.uint64]
Rows = NDArray[np.int64]

UNIT_ROUNDOFF: Final = 2.0**-53
AMOUNT_MAX: Final = 2**256
"""Above it an account is always a candidate: products of floats stay far from infinity."""


class Part(StrEnum):
    """Name the figure of a leg that a row holds; entry values and accruals are summed over all legs of a role.

    A closed leg has no amount but an entry value or an accrual: its row holds how many there are.
    """

    AMOUNT = "amount"
    ENTRY = "entry"
    ACCRUED = "accrued"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Lot:
    """Say where and when a leg was read and how firmly it is bound, for rule sets that ask."""

    chain: ChainId
    block_time_s: int
    encumbrance: Encumbrance


@dataclass(frozen=True, slots=True)
class Slot:
    """Name one row: magnitudes of `part` where it is positive, or where it is negative.

    `number` tells legs of one shape apart: the second leg of an asset on another chain has a row of its own. `lot` is
    None in columns that were not made by lot, `name` empty in those that were not made by name; by name the money of
    each leg has rows of its own. `option` is that of an option leg.
    """

    role: Role
    asset: str
    decimals: int = 18
    part: Part = Part.AMOUNT
    is_negative: bool = False
    number: int = 0
    lot: Lot | None = None
    option: OptionTerms | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Hold accounts of one mode: `amounts` has shape (slots, accounts), `rows` their numbers in the book.

    `is_always` marks accounts that only an exact look can judge.
    """

    slots: tuple[Slot, ...]
    amounts: Floats
    rows: Rows
    is_always: Bools
    mode: int = 0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Name the accounts to evaluate exactly, ascending; all others of the `screened` are safe."""

    indices: tuple[int, ...]
    screened: int


def columns_of(accounts: Sequence[Account], *, by_lot: bool = False, by_name: bool = False) -> tuple[Columns, ...]:
    """Return the columns of accounts, one for each mode that occurs.

    `by_lot` also tells legs apart by their lot, `by_name` by their name, for rule sets that ask for it.
    """
    modes = sorted({account.mode for account in accounts})
    shape = _Shape(by_lot, by_name)
    return tuple(_columns(accounts, mode, shape) for mode in modes)


def merged(found: Iterable[tuple[Rows, int]]) -> Candidates:
    """Return the candidates of several columns as those of the book."""
    parts = list(found)
    rows = np.sort(np.concatenate([rows for rows, _ in parts])) if parts else np.empty(0, dtype=np.int64)
    return Candidates(tuple(rows.tolist()), sum(count for _, count in parts))


def shadow(words: Words, *, signed: bool) -> Floats:
    """Return (hi, lo) words, shape (rows, 2), as floats: two roundings, relative to the value itself.

    Signed words are offset binary; their magnitude is formed in integers first, so that small negative values lose
    nothing to cancellation.
    """
    hi, lo = words[:, 0], words[:, 1]
    if not signed:
        return _joined(hi, lo)
    hi = hi ^ np.uint64(1 << 63)
    is_negative = (hi >> np.uint64(63)).astype(bool)
    low = np.where(is_negative, ~lo + np.uint64(1), lo)
    high = np.where(is_negative, ~hi + (low == 0).astype(np.uint64), hi)
    magnitude = _joined(high, low)
    return np.where(is_negative, -magnitude, magnitude)


def _joined(hi: Words, lo: Words) -> Floats:
    joined: Floats = hi.astype(np.float64) * 2.0**64 + lo.astype(np.float64)
    return joined


@dataclass(frozen=True, slots=True)
class _Shape:
    """Say what tells legs apart beside their shape."""

    by_lot: bool
    by_name: bool

    def slot(self, leg: Leg, part: Part = Part.AMOUNT) -> Slot:
        lot = Lot(leg.chain, leg.block_time_s, leg.encumbrance) if self.by_lot and part is Part.AMOUNT else None
        return Slot(leg.role, leg.asset, leg.decimals, part, leg.amount < 0, 0, lot, leg.option, self.name(leg))

    def name(self, leg: Leg) -> str:
        return leg.name if self.by_name else ""


def _columns(accounts: Sequence[Account], mode: int, shape: _Shape) -> Columns:
    rows = [row for row, account in enumerate(accounts) if account.mode == mode]
    cells: dict[Slot, dict[int, int]] = {}
    always = np.zeros(len(rows), dtype=bool)
    for place, row in enumerate(rows):
        account = accounts[row]
        held = _held(account, shape)
        always[place] = bool(account.unread) or any(amount >= AMOUNT_MAX for amount in held.values())
        for slot, amount in held.items():
            cells.setdefault(slot, {})[place] = amount
    amounts = np.zeros((len(cells), len(rows)))
    for number, column in enumerate(cells.values()):
        amounts[number, list(column)] = [float(min(amount, AMOUNT_MAX)) for amount in column.values()]
    return Columns(tuple(cells), amounts, np.array(rows, dtype=np.int64), always, mode)


def _held(account: Account, shape: _Shape) -> dict[Slot, int]:
    """Return the slots of one account with the magnitudes in them; zeros are left out."""
    held: dict[Slot, int] = {}
    money: dict[tuple[Role, Part, str], int] = {}
    for leg in account.legs:
        if leg.amount:
            held[_free(held, shape.slot(leg))] = abs(leg.amount)
        elif leg.entry_value or leg.accrued:
            closed = shape.slot(leg, Part.CLOSED)
            held[closed] = held.get(closed, 0) + 1
        for part, value in ((Part.ENTRY, leg.entry_value), (Part.ACCRUED, leg.accrued)):
            key = (leg.role, part, shape.name(leg))
            money[key] = money.get(key, 0) + value
    for (role, part, name), value in money.items():
        if value:
            held[Slot(role, "", 0, part, value < 0, name=name)] = abs(value)
    return held


def _free(held: dict[Slot, int], slot: Slot) -> Slot:
    while slot in held:
        slot = replace(slot, number=slot.number + 1)
    return slot
