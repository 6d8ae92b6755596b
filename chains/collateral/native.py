"""The native coin of an account's home address, in wei. Not provable as a column: it lies in no storage slot."""

from __future__ import annotations

from chains.questions import Question, home_rows
from proofs.sheet import ColumnSpec, ReadMode
from proofs.types import ZERO_ADDRESS, AccountId

__all__ = ["native_column"]


def native_column(question: Question, accounts: tuple[AccountId, ...]) -> ColumnSpec:
    """Ask for the balance of each home address; words (amount)."""
    return ColumnSpec(
        name=question.column,
        target=ZERO_ADDRESS,
        mode=ReadMode.NATIVE_BALANCE,
        prefix=b"",
        rows=home_rows(accounts),
        signed=(False,),
    )
