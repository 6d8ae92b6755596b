"""Finality as a table."""

from __future__ import annotations

import pytest

from chains.finality import FinalityRule, Heads, head_tag, is_final
from proofs.types import Finality

HEADS = Heads(latest=100, safe=90, finalized=80)


@pytest.mark.parametrize(
    ("rule", "highest"),
    [
        (FinalityRule(Finality.LATEST), 100),
        (FinalityRule(Finality.CONFIRMATIONS, 1), 99),
        (FinalityRule(Finality.CONFIRMATIONS, 100), 0),
        (FinalityRule(Finality.SAFE), 90),
        (FinalityRule(Finality.FINALIZED), 80),
    ],
)
def test_final__when_the_block_is_the_highest_final_one__then_the_next_is_not(rule: FinalityRule, highest: int) -> None:
    assert is_final(rule, highest, HEADS)
    assert not is_final(rule, highest + 1, HEADS)


@pytest.mark.parametrize(
    "rule",
    [
        FinalityRule(Finality.CONFIRMATIONS, 101),
        FinalityRule(Finality.MISSING),
    ],
)
def test_final__when_the_chain_is_too_short_or_the_class_is_missing__then_nothing_is(rule: FinalityRule) -> None:
    assert not is_final(rule, 0, HEADS)


def test_final__when_a_provider_names_no_such_head__then_nothing_is() -> None:
    bare = Heads(latest=100)

    assert not is_final(FinalityRule(Finality.SAFE), 0, bare)
    assert not is_final(FinalityRule(Finality.FINALIZED), 0, bare)


def test_tag__when_the_rule_counts_blocks__then_the_newest_head_decides() -> None:
    assert head_tag(FinalityRule(Finality.SAFE)) == "safe"
    assert head_tag(FinalityRule(Finality.FINALIZED)) == "finalized"
    assert head_tag(FinalityRule(Finality.CONFIRMATIONS, 5)) is None
    assert head_tag(FinalityRule(Finality.LATEST)) is None
