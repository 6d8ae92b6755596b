"""Correlation: credit underlyings that move together for what their losses cannot do at once, with a cap.

A class of underlyings has a common direction. Against it a member's loss counts at (1 - rate) only:

    joint  = max over d in {up, down} of Σ members max(loss(d), loss(still), (1 - rate) · loss(-d))
    credit = Σ classes (Σ members' standalone - joint), at most cap · Σ standalone
    R      = Σ standalone - credit        standalone = max(loss up, loss down, loss still)        stress = Σ standalone

Losses are at least 0, so R is at least the greatest standalone loss with an uncapped credit too. R rises with each of
its losses: where a price is unsure the worst ends of all losses give the worst R. Both R and the stress are reported:
in a crisis what moved together may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proofs.units import E18


@dataclass(frozen=True, slots=True)
class DirectionalRisk:
    """Hold the worst losses of one underlying, each at least 0, where its price rises, falls, or stays."""

    name: str
    up: int
    down: int
    still: int = 0

    @property
    def standalone(self) -> int:
        """Return the worst loss of all."""
        return max(self.up, self.down, self.still)


@dataclass(frozen=True, slots=True)
class CorrelationClass:
    """Name underlyings that move together; `rate_e18` is forgiven of a loss against the common direction."""

    members: tuple[str, ...]
    rate_e18: int


@dataclass(frozen=True, slots=True)
class CorrelationRules:
    """Hold the classes and the cap, a share of the sum of all standalone losses at 1e18; none give no credit."""

    classes: tuple[CorrelationClass, ...] = ()
    cap_e18: int = E18


@dataclass(frozen=True, slots=True)
class Correlated:
    """Hold the sum without credit, which is the stress, and the credit taken off it."""

    stress: int
    credit: int

    @property
    def requirement(self) -> int:
        """Return what is required with the credit."""
        return self.stress - self.credit


def correlated(risks: Sequence[DirectionalRisk], rules: CorrelationRules) -> Correlated:
    """Return the requirement with and without credit; rounded up.

    Raises: ValueError for losses below zero, names twice, or rates and caps outside [0, 1].
    """
    check(rules)
    if len({risk.name for risk in risks}) != len(risks) or any(min(r.up, r.down, r.still) < 0 for r in risks):
        raise ValueError("a loss is at least zero, and each underlying has one")
    stress = sum(risk.standalone for risk in risks)
    credit = 0
    for group in rules.classes:
        members = [risk for risk in risks if risk.name in group.members]
        credit += sum(risk.standalone for risk in members) - _joint(members, E18 - group.rate_e18)
    return Correlated(stress, min(credit, stress * rules.cap_e18 // E18))


def check(rules: CorrelationRules) -> None:
    """Refuse rules that contradict themselves.

    Raises: ValueError for a rate or a cap outside [0, 1], or an underlying in two classes.
    """
    names = [name for group in rules.classes for name in group.members]
    shares = (rules.cap_e18, *(group.rate_e18 for group in rules.classes))
    if len(names) != len(set(names)) or not all(0 <= share <= E18 for share in shares):
        raise ValueError("a rate or a cap outside [0, 1], or an underlying in two classes")


def _joint(members: Sequence[DirectionalRisk], kept_e18: int) -> int:
    """Return the worst joint loss of a class; `kept_e18` is the share of a loss against the common direction."""
    up = sum(max(risk.up, risk.still, -(-risk.down * kept_e18 // E18)) for risk in members)
    down = sum(max(risk.down, risk.still, -(-risk.up * kept_e18 // E18)) for risk in members)
    return max(up, down)
