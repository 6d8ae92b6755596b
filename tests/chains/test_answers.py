"""Putting one question to all: nobody waits for who hangs, and nobody's bug is swallowed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import pytest

from chains.answers import ask_all
from chains.clock import SystemClock
from chains.errors import RpcUnreachable


@dataclass(frozen=True)
class Source:
    label: str
    seconds: float = 0.0
    error: Exception | None = None

    async def ask(self) -> str:
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return f"answer of {self.label}"


async def test_ask__when_all_answer_or_fail__then_all_is_collected() -> None:
    error = RpcUnreachable("b", "gone")

    answers = await ask_all((Source("a"), Source("b", error=error)), Source.ask, lambda _: False, SystemClock(), 5.0)

    assert answers.given == {"a": "answer of a"}
    assert answers.errors == (error,)


async def test_th_004_ask__when_enough_have_answered__then_the_one_that_hangs_is_left_behind() -> None:
    sources = (Source("a"), Source("b", seconds=30), Source("c", seconds=0.02))
    started = time.monotonic()

    answers = await ask_all(sources, Source.ask, lambda given: len(given) >= 2, SystemClock(), 5.0)

    assert sorted(answers.given) == ["a", "c"]
    assert not answers.failed
    assert time.monotonic() - started < 2


async def test_ask__when_one_is_a_little_later__then_the_grace_still_counts_it() -> None:
    sources = (Source("a"), Source("b", seconds=0.02))

    answers = await ask_all(sources, Source.ask, lambda given: len(given) >= 1, SystemClock(), 5.0)

    assert sorted(answers.given) == ["a", "b"]


async def test_ask__when_the_budget_is_spent__then_the_silent_have_timed_out_and_answers_stay() -> None:
    sources = (Source("a"), Source("b", seconds=30))

    answers = await ask_all(sources, Source.ask, lambda _: False, SystemClock(), 0.05)

    assert answers.given == {"a": "answer of a"}
    assert [str(error) for error in answers.errors] == ["b: the question gave no answer within 0.05 s"]


async def test_ask__when_something_else_is_raised__then_it_is_a_bug_and_escapes() -> None:
    with pytest.raises(ExceptionGroup) as group:
        await ask_all((Source("a", error=ZeroDivisionError()),), Source.ask, lambda _: False, SystemClock(), 5.0)

    assert group.group_contains(ZeroDivisionError)


async def test_ask__when_nobody_is_there__then_there_is_nothing() -> None:
    answers = await ask_all((), Source.ask, lambda _: False, SystemClock(), 5.0)

    assert (answers.given, answers.failed) == ({}, {})
