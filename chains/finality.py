"""When a block may be used: a pure policy over the heads that one provider names.

| rule | a block n is final when |
|---|---|
| latest | n <= latest |
| confirmations k | n + k <= latest |
| safe | n <= safe |
| finalized | n <= finalized |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from proofs.types import Finality


@dataclass(frozen=True, slots=True)
class FinalityRule:
    """Demand a finality class; `confirmations` counts blocks on top and is 0 for the tag-based classes."""

    kind: Finality
    confirmations: int = 0


@dataclass(frozen=True, slots=True)
class Heads:
    """Hold the block numbers that one provider names at one moment; None for a tag it has not, or was not asked for."""

    latest: int
    safe: int | None = None
    finalized: int | None = None


def head_tag(rule: FinalityRule) -> str | None:
    """Return the block tag that decides a rule, or None where the newest head decides."""
    return {Finality.SAFE: "safe", Finality.FINALIZED: "finalized"}.get(rule.kind)


def final_number(rule: FinalityRule, heads: Heads) -> int | None:
    """Return the highest block number that is final, or None while there is none."""
    match rule.kind:
        case Finality.LATEST:
            return heads.latest
        case Finality.CONFIRMATIONS:
            return heads.latest - rule.confirmations if heads.latest >= rule.confirmations else None
        case Finality.SAFE:
            return heads.safe
        case Finality.FINALIZED:
            return heads.finalized
        case Finality.MISSING:
            return None
        case _:
            assert_never(rule.kind)


def is_final(rule: FinalityRule, number: int, heads: Heads) -> bool:
    """Tell whether a block number is final under a rule."""
    final = final_number(rule, heads)
    return final is not None and number <= final
