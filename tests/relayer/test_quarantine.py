"""Quarantine: who is in it, until when, and that it is no lock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proofs.types import ChainId
from relayer.quarantine import QUARANTINE_S, Quarantine

A, B = ChainId("eip155:1"), ChainId("eip155:2")


def test_held__after_a_lie__until_the_time_is_served() -> None:
    quarantine = Quarantine().with_provider(A, "one", 100.0)

    assert quarantine.held(A, 100.0) == {"one"}
    assert quarantine.held(A, 100.0 + QUARANTINE_S - 0.1) == {"one"}
    assert quarantine.held(A, 100.0 + QUARANTINE_S) == frozenset()


def test_held__of_another_chain__is_not_meant() -> None:
    assert Quarantine().with_provider(A, "one", 0.0).held(B, 1.0) == frozenset()


def test_lie__again__begins_anew() -> None:
    quarantine = Quarantine().with_provider(A, "one", 0.0).with_provider(A, "one", QUARANTINE_S - 1)

    assert quarantine.held(A, QUARANTINE_S + 1) == {"one"}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=40))
def test_any_lies__remember_no_more_than_are_held(lies: list[tuple[str, int]]) -> None:
    quarantine, now_s = Quarantine(), 0.0

    for label, minutes in lies:
        now_s += 60 * minutes
        quarantine = quarantine.with_provider(A, label, now_s)

        assert {label for _, label in quarantine.until_s} == quarantine.held(A, now_s)
