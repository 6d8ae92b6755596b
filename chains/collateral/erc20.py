"""The ERC-20 balance of an account's home address, in base units, and whether the token has frozen that address.

Provable where the policy names the layout (a base slot alone means a plain Solidity mapping) and pins the code that has
it there. A frozen holder cannot move what it holds: the mark is a question of its own, so that it is read and proven
like the balance, never masked away.
"""

from __future__ import annotations

from typing import Final

from chains.errors import QuestionRefused
from chains.questions import Question, base_slot, home_rows
from proofs.layouts import SolidityMapping
from proofs.sheet import ColumnSpec, ReadMode
from proofs.types import AccountId

__all__ = ["BALANCE_OF", "IS_BLACKLISTED", "erc20_column", "frozen_column"]

BALANCE_OF: Final = bytes.fromhex("70a08231")  # balanceOf(address)
IS_BLACKLISTED: Final = bytes.fromhex("fe575a87")  # isBlacklisted(address), FiatToken


def erc20_column(question: Question, accounts: tuple[AccountId, ...]) -> ColumnSpec:
    """Ask for `balanceOf` of each home address; words (amount). Layout, or storage `base`: the mapping's slot."""
    base = base_slot(question, "base")
    return ColumnSpec(
        name=question.column,
        target=question.target,
        mode=ReadMode.CALL,
        prefix=BALANCE_OF,
        rows=home_rows(accounts),
        signed=(False,),
        layout=question.layout if base is None else SolidityMapping(base),
        code_hash=question.code_hash,
        pins=question.pins,
    )


def frozen_column(question: Question, accounts: tuple[AccountId, ...]) -> ColumnSpec:
    """Ask the getter of the question about each home address; words (flag): anything but 0 means frozen.

    Raises: `QuestionRefused` without a selector of four bytes.
    """
    if len(question.getter) != 4:
        raise QuestionRefused(question.column, question.kind, "needs the selector of a getter")
    return ColumnSpec(
        name=question.column,
        target=question.target,
        mode=ReadMode.CALL,
        prefix=question.getter,
        rows=home_rows(accounts),
        signed=(False,),
        layout=question.layout,
        code_hash=question.code_hash,
        pins=question.pins,
    )
