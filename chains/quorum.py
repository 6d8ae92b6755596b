"""The tally: did enough of the configured providers give the same answer? Pure.

    operators   = distinct operators of all configured providers         an operator counts once, whatever it runs
    votes(a)    = operators of which at least one provider answered, and all that answered said a
    threshold   = ceil(2/3 x operators), and at least 2 except on a devnet
    agreed(a)   = votes(a) >= threshold

The threshold is above one half, so at most one answer is agreed. Silence is a missing vote and never lowers the
threshold. There is no "most common answer".
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from proofs.snapshot import Votes

Answer = TypeVar("Answer", bound=Hashable)

OPERATORS_MIN: Final = 2
"""One operator is no quorum, however many endpoints it runs; only a devnet may live with one."""


@dataclass(frozen=True, slots=True)
class Voter:
    """Name a configured provider and who runs it."""

    label: str
    operator: str


@dataclass(frozen=True, slots=True)
class Tally(Generic[Answer]):
    """Hold the verdict: the agreed answer (None without quorum), who gave it, and who said something else.

    `votes` count operators: one label speaks for each that agreed. Without a quorum nobody dissents: it is not known
    who is right, and `votes.agreed` is the largest group, for the operator's eyes only.
    """

    answer: Answer | None
    votes: Votes
    dissenters: tuple[str, ...]


def threshold(operators: int, devnet: bool) -> int:
    """Return how many operators must agree."""
    return max(-(-2 * operators // 3), 1 if devnet else OPERATORS_MIN)


def tally(voters: Sequence[Voter], answers: Mapping[str, Answer], devnet: bool) -> Tally[Answer]:
    """Count the answers by label; labels without an answer were silent.

    Raises: ValueError for two voters with one label or an answer of nobody.
    """
    labels = [voter.label for voter in voters]
    if len(set(labels)) != len(labels) or not answers.keys() <= set(labels):
        raise ValueError(f"labels must be distinct and answers theirs: {labels}, {sorted(answers)}")
    said: dict[str, set[Answer]] = {}
    for voter in voters:
        if voter.label in answers:
            said.setdefault(voter.operator, set()).add(answers[voter.label])
    groups: dict[Answer, set[str]] = {}
    for operator, given in said.items():
        if len(given) == 1:
            groups.setdefault(next(iter(given)), set()).add(operator)
    return _verdict(voters, answers, groups, devnet)


def _verdict(
    voters: Sequence[Voter], answers: Mapping[str, Answer], groups: dict[Answer, set[str]], devnet: bool
) -> Tally[Answer]:
    operators = len({voter.operator for voter in voters})
    best = max(groups, key=lambda answer: len(groups[answer]), default=None)
    if best is None:
        return Tally(None, Votes((), operators, reached=False), ())
    speakers: dict[str, str] = {}
    for voter in voters:
        if voter.operator in groups[best] and voter.label in answers:
            speakers.setdefault(voter.operator, voter.label)
    is_reached = len(groups[best]) >= threshold(operators, devnet)
    votes = Votes(tuple(speakers.values()), operators, reached=is_reached)
    if not is_reached:
        return Tally(None, votes, ())
    dissenters = tuple(voter.label for voter in voters if voter.label in answers and answers[voter.label] != best)
    return Tally(best, votes, dissenters)
