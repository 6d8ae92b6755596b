"""INV-6: an outage never lowers a quorum."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from chains.quorum import Voter, tally, threshold

HONEST, SILENT, LIE, OTHER_LIE = "truth", None, "lie", "other lie"


def _voters(operators: tuple[str, ...]) -> tuple[Voter, ...]:
    return tuple(Voter(f"p{index}", operator) for index, operator in enumerate(operators))


def test_inv_06_tally__when_any_are_silent_or_lying__then_only_a_quorum_of_the_configured_speaks() -> None:
    """Go through all behaviours of up to five distinct operators: 4 + 16 + 64 + 256 + 1,024 cases."""
    for count in range(1, 6):
        voters = _voters(tuple("abcde"[:count]))
        for behaviour in product((HONEST, SILENT, LIE, OTHER_LIE), repeat=count):
            answers = {voter.label: said for voter, said in zip(voters, behaviour, strict=True) if said is not None}

            result = tally(voters, answers, devnet=False)

            enough = [said for said in (HONEST, LIE, OTHER_LIE) if behaviour.count(said) >= threshold(count, False)]
            assert [result.answer] == (enough or [None])
            assert result.votes.configured == count


@given(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=6),
    st.dictionaries(st.integers(0, 5), st.sampled_from("xyz")),
    st.data(),
)
def test_inv_06_tally__when_one_more_falls_silent__then_no_agreement_appears(
    operators: list[str], said: dict[int, str], data: st.DataObject
) -> None:
    """Drop one operator's answers: what was not agreed before is not agreed after, nor anything else."""
    voters = _voters(tuple(operators))
    answers = {f"p{index}": value for index, value in said.items() if index < len(operators)}
    before = tally(voters, answers, devnet=False)
    silenced = data.draw(st.sampled_from(sorted(set(operators))))
    labels = {voter.label for voter in voters if voter.operator == silenced}

    after = tally(voters, {label: value for label, value in answers.items() if label not in labels}, devnet=False)

    assert after.answer in (None, before.answer)
