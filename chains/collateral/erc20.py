"""The ERC-20 balance of an account's home address, in base units.

Provable where the policy names the base slot of a plain Solidity mapping and pins the code that has it there.
"""

from __future__ import annotations

from typing import Final

from chains.asking import base_slot, home_rows
from chains.questions import Question
from proofs.layouts import SolidityMapping
from proofs.sheet import ColumnSpec, ReadMode
from proofs.types import AccountId

__all__ = ["BALANCE_OF", "erc20_column"]

BALANCE_OF: Final = bytes.fromhex("70a08231")  # balanceOf(address)


def erc20_column(question: Question, accounts: tuple[AccountId, ...]) -> ColumnSpec:
    """Ask for `balanceOf` of each home address; words (amount). Storage: `base`, the mapping's slot."""
    base = base_slot(question, "base")
    return ColumnSpec(
        name=question.column,
        target=question.target,
        mode=ReadMode.CALL,
        prefix=BALANCE_OF,
        rows=home_rows(accounts),
        signed=(False,),
        layout=None if base is None else SolidityMapping(base),
        code_hash=question.code_hash,
    )
