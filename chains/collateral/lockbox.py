"""What an account has locked for a venue in a LockBox, and which accounts were ever named there.

Only locks without a pending release count; the contract keeps that sum, so one word answers. Always provable: the
storage of the LockBox is part of its specification.
"""

from __future__ import annotations

from typing import Final

from chains.questions import ListQuestion, Question, required_asset, required_venue, word
from proofs.layouts import LockBoxAccounts, LockBoxLocks
from proofs.sheet import AccountListSpec, ColumnSpec, ReadMode
from proofs.types import AccountId

__all__ = ["LOCKED", "VENUE_ACCOUNTS_SLICE", "lockbox_accounts", "lockbox_column"]

LOCKED: Final = bytes.fromhex("6a2796b4")  # locked(bytes32,address,bytes32)
VENUE_ACCOUNTS_SLICE: Final = bytes.fromhex("f94e3d91")  # accountsSlice(bytes32,uint256,uint256)


def lockbox_column(question: Question, accounts: tuple[AccountId, ...]) -> ColumnSpec:
    """Ask for the counting locks of each account in one asset; words (amount in base units)."""
    venue_id, asset = required_venue(question), required_asset(question)
    return ColumnSpec(
        name=question.column,
        target=question.target,
        mode=ReadMode.CALL,
        prefix=LOCKED + venue_id + word(asset),
        rows=tuple(accounts),
        signed=(False,),
        layout=LockBoxLocks(venue_id, asset),
        code_hash=question.code_hash,
        pins=question.pins,
    )


def lockbox_accounts(question: ListQuestion) -> AccountListSpec:
    """Ask for every account that a lock to the venue ever named."""
    venue_id = required_venue(question)
    return AccountListSpec(
        name=question.name,
        target=question.target,
        slice_prefix=VENUE_ACCOUNTS_SLICE + venue_id,
        layout=LockBoxAccounts(venue_id),
        code_hash=question.code_hash,
        pins=question.pins,
    )
