"""Positions at a PerpVenue, and the accounts that ever had one.

Provable where the policy names the base slots; they stand behind the slots of the venue's base contract.
"""

from __future__ import annotations

from typing import Final

from chains.questions import ListQuestion, Question, base_slot, required_market
from proofs.layouts import AccountArray, Layout, PerpVenuePosition
from proofs.sheet import AccountListSpec, ColumnSpec, ReadMode
from proofs.types import AccountId, Hash32

__all__ = ["ACCOUNTS_SLICE", "POSITION_OF", "perp_venue_accounts", "perp_venue_column"]

POSITION_OF: Final = bytes.fromhex("a0f898da")  # positionOf(bytes32,bytes32)
ACCOUNTS_SLICE: Final = bytes.fromhex("9aa32c3d")  # accountsSlice(uint256,uint256)


def perp_venue_column(question: Question, accounts: tuple[AccountId, ...]) -> ColumnSpec:
    """Ask for each account's position in one market; words (size, entry value, accrued), signed, E18.

    Storage: `markets_base` and `positions_base`, the slots of both mappings.
    """
    market = required_market(question)
    return ColumnSpec(
        name=question.column,
        target=question.target,
        mode=ReadMode.CALL,
        prefix=POSITION_OF + market,
        rows=tuple(accounts),
        signed=(True, True, True),
        layout=_position_layout(question, market),
        code_hash=question.code_hash,
        pins=question.pins,
    )


def perp_venue_accounts(question: ListQuestion) -> AccountListSpec:
    """Ask for every account that holds or held a position. Storage: `accounts_base`, the slot of the array."""
    base = base_slot(question, "accounts_base")
    return AccountListSpec(
        name=question.name,
        target=question.target,
        slice_prefix=ACCOUNTS_SLICE,
        layout=None if base is None else AccountArray(base),
        code_hash=question.code_hash,
        pins=question.pins,
    )


def _position_layout(question: Question, market: Hash32) -> Layout | None:
    markets, positions = base_slot(question, "markets_base"), base_slot(question, "positions_base")
    if markets is None or positions is None:
        return None
    return PerpVenuePosition(market, markets, positions)
