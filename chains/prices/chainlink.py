"""The newest round of a feed with Chainlink's AggregatorV3 interface.

Every price column has the five words of `latestRoundData()`, in its order:

    0 round id    1 answer (signed, in the feed's decimals)    2 started at    3 updated at    4 answered in round

Whether an answer may be used (positive, young enough) is not decided here. A real feed is a proxy over changing
aggregators and has no layout; a development feed has one, under the storage name `base`.
"""

from __future__ import annotations

from typing import Final

from chains.questions import Question, base_slot
from proofs.layouts import DevFeedRound
from proofs.sheet import ColumnSpec, ReadMode
from proofs.types import AccountId

__all__ = ["LATEST_ROUND_DATA", "ROUND_SIGNED", "chainlink_column"]

LATEST_ROUND_DATA: Final = bytes.fromhex("feaf968c")  # latestRoundData()
ROUND_SIGNED: Final = (False, True, False, False, False)


def chainlink_column(question: Question, accounts: tuple[AccountId, ...]) -> ColumnSpec:
    """Ask for the newest round: a single row, whatever the accounts."""
    del accounts  # a price is the same for everybody
    base = base_slot(question, "base")
    return ColumnSpec(
        name=question.column,
        target=question.target,
        mode=ReadMode.CALL,
        prefix=LATEST_ROUND_DATA,
        rows=(b"",),
        signed=ROUND_SIGNED,
        layout=None if base is None else DevFeedRound(base),
        code_hash=question.code_hash,
        pins=question.pins,
    )
