"""When a block may be used: a pure policy over heads."""

from __future__ import annotations

from dataclasses import dataclass

from proofs.types import Finality


@dataclass(frozen=True, slots=True)
class FinalityRule:
    """Demand a finality class; `confirmations` counts blocks on top and is 0 for the tag-based classes."""

    kind: Finality
    confirmations: int = 0
