"""The tally, against a slow and literal second opinion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.quorum import Voter, tally, threshold
from proofs.verify import quorum_reached


def _voters(operators: str) -> tuple[Voter, ...]:
    return tuple(Voter(f"p{index}", operator) for index, operator in enumerate(operators))


@pytest.mark.parametrize(
    ("operators", "needed", "on_devnet"), [(1, 2, 1), (2, 2, 2), (3, 2, 2), (4, 3, 3), (5, 4, 4), (6, 4, 4), (7, 5, 5)]
)
def test_threshold__when_operators_are_counted__then_it_is_two_thirds_rounded_up(
    operators: int, needed: int, on_devnet: int
) -> None:
    assert threshold(operators, devnet=False) == needed
    assert threshold(operators, devnet=True) == on_devnet


@pytest.mark.parametrize(
    ("operators", "answers", "agreed", "dissent"),
    [
        # one operator, one vote
        ("abc", {"p0": "x", "p1": "x", "p2": "x"}, "x", ()),
        ("abc", {"p0": "x", "p1": "x", "p2": "y"}, "x", ("p2",)),
        ("abc", {"p0": "x", "p1": "x"}, "x", ()),
        ("abc", {"p0": "x", "p1": "y", "p2": "z"}, None, ()),
        ("abc", {"p0": "x"}, None, ()),
        ("abc", {}, None, ()),
        # two endpoints of one operator are one vote
        ("aab", {"p0": "x", "p1": "x"}, None, ()),
        ("aab", {"p0": "x", "p2": "x"}, "x", ()),
        ("aaab", {"p0": "x", "p1": "x", "p2": "x", "p3": "y"}, None, ()),
        # an operator whose endpoints differ has none
        ("aabc", {"p0": "x", "p1": "y", "p2": "x"}, None, ()),
        ("aabc", {"p0": "x", "p1": "y", "p2": "x", "p3": "x"}, "x", ("p1",)),
        # one operator alone is no quorum
        ("a", {"p0": "x"}, None, ()),
        ("aaa", {"p0": "x", "p1": "x", "p2": "x"}, None, ()),
    ],
)
def test_th_003_tally__when_operators_overlap__then_each_counts_once(
    operators: str, answers: dict[str, str], agreed: str | None, dissent: tuple[str, ...]
) -> None:
    result = tally(_voters(operators), answers, devnet=False)

    assert result.answer == agreed
    assert result.votes.reached is (agreed is not None)
    assert result.votes.configured == len(set(operators))
    assert len(result.votes.agreed) <= result.votes.configured
    assert result.dissenters == dissent


def test_tally__when_it_is_a_devnet__then_one_provider_suffices() -> None:
    result = tally(_voters("a"), {"p0": "x"}, devnet=True)

    assert (result.answer, result.votes.reached, result.votes.agreed) == ("x", True, ("p0",))


def test_tally__when_labels_repeat_or_a_stranger_answers__then_it_is_refused() -> None:
    with pytest.raises(ValueError, match="distinct"):
        tally((Voter("p", "a"), Voter("p", "b")), {}, devnet=False)
    with pytest.raises(ValueError, match="theirs"):
        tally(_voters("ab"), {"p9": "x"}, devnet=False)


ANSWERS = st.dictionaries(st.integers(0, 6), st.sampled_from("xyz"))


@given(st.text("abcd", min_size=1, max_size=7), ANSWERS)
def test_tally__when_anybody_says_anything__then_the_definition_holds(operators: str, said: dict[int, str]) -> None:
    voters = _voters(operators)
    answers = {f"p{index}": value for index, value in said.items() if index < len(operators)}

    result = tally(voters, answers, devnet=False)

    winners = []
    for value in "xyz":
        votes = 0
        for operator in set(operators):
            given_by_it = {answers[v.label] for v in voters if v.operator == operator and v.label in answers}
            votes += given_by_it == {value}
        if 3 * votes >= 2 * len(set(operators)) and votes >= 2:
            winners.append(value)
    assert [result.answer] == (winners or [None])
    assert len(winners) <= 1
    if winners:
        speakers = [voter.operator for voter in voters if voter.label in result.votes.agreed]
        assert len(speakers) == len(set(speakers)) == len(result.votes.agreed)
        assert all(answers[label] == winners[0] for label in result.votes.agreed)
        assert set(result.dissenters) == {label for label, value in answers.items() if value != winners[0]}


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=8), st.data(), st.booleans())
def test_th_003_votes__of_any_tally__mean_the_same_to_whoever_recounts_them(
    operators: list[str], data: st.DataObject, devnet: bool
) -> None:
    voters = _voters("".join(operators))
    answers = data.draw(st.dictionaries(st.sampled_from([voter.label for voter in voters]), st.sampled_from("xy")))

    result = tally(voters, answers, devnet=devnet)

    assert quorum_reached(result.votes, devnet=devnet) is (result.answer is not None)
