"""Quarantine: providers whose proofs were refuted, and until when others are asked first. Pure: time is an argument.

A proof is verified whoever gave it, so a provider in quarantine costs nothing but a wasted question and a frame's time.
It is therefore asked last, never locked out: where nobody else answers, its next answer is judged like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from proofs.types import ChainId

QUARANTINE_S: Final = 600.0
"""A liar costs a question once in ten minutes, not once a frame; a repaired node is back as soon."""

Key = tuple[ChainId, str]


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Hold until when, in seconds of a monotonic clock, each provider (chain, label) is asked last."""

    until_s: Mapping[Key, float] = field(default_factory=lambda: MappingProxyType({}))

    def held(self, chain: ChainId, now_s: float) -> frozenset[str]:
        """Return the labels of a chain's providers that are in quarantine."""
        return frozenset(
            label for (where, label), until_s in self.until_s.items() if where == chain and now_s < until_s
        )

    def with_provider(self, chain: ChainId, label: str, now_s: float) -> Quarantine:
        """Return the quarantine with a provider in it from now on; whoever has served its time is forgotten."""
        kept = {key: until_s for key, until_s in self.until_s.items() if now_s < until_s}
        return Quarantine(MappingProxyType({**kept, (chain, label): now_s + QUARANTINE_S}))
