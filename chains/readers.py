"""The tables of readers: which kinds of question exist, and who asks them.

A new kind is one function and one line here. `column_of` and `list_of` are the way in: they name the known kinds
when a question has another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from chains.collateral.erc20 import erc20_column, frozen_column
from chains.collateral.lockbox import lockbox_accounts, lockbox_column
from chains.collateral.native import native_column
from chains.errors import QuestionRefused
from chains.positions.perp_venue import perp_venue_accounts, perp_venue_column
from chains.prices.chainlink import chainlink_column
from chains.questions import ListQuestion, Question
from proofs.sheet import AccountListSpec, ColumnSpec
from proofs.types import AccountId

__all__ = ["COLLATERAL", "LISTS", "MARKS", "POSITIONS", "PRICES", "column_of", "list_of"]

ColumnReader: TypeAlias = Callable[[Question, tuple[AccountId, ...]], ColumnSpec]
ListReader: TypeAlias = Callable[[ListQuestion], AccountListSpec]

COLLATERAL: Final[Mapping[str, ColumnReader]] = MappingProxyType(
    {"native": native_column, "erc20": erc20_column, "lockbox": lockbox_column}
)
POSITIONS: Final[Mapping[str, ColumnReader]] = MappingProxyType({"perp_venue": perp_venue_column})
PRICES: Final[Mapping[str, ColumnReader]] = MappingProxyType({"chainlink": chainlink_column})
MARKS: Final[Mapping[str, ColumnReader]] = MappingProxyType({"frozen": frozen_column})
LISTS: Final[Mapping[str, ListReader]] = MappingProxyType(
    {"lockbox": lockbox_accounts, "perp_venue": perp_venue_accounts}
)


def column_of(question: Question, accounts: tuple[AccountId, ...]) -> ColumnSpec:
    """Turn a question about accounts, or about a price, into a column.

    Raises: `QuestionRefused` for an unknown kind or a question without what its kind needs.
    """
    readers = {**COLLATERAL, **POSITIONS, **PRICES, **MARKS}
    if question.kind not in readers:
        raise QuestionRefused(question.column, question.kind, f"known kinds are {', '.join(readers)}")
    return readers[question.kind](question, accounts)


def list_of(question: ListQuestion) -> AccountListSpec:
    """Turn a question for accounts into a list.

    Raises: `QuestionRefused`, as `column_of`.
    """
    if question.kind not in LISTS:
        raise QuestionRefused(question.name, question.kind, f"known kinds are {', '.join(LISTS)}")
    return LISTS[question.kind](question)
