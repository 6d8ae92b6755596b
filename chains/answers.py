"""Put one question to all providers of a chain at once, and stop waiting when enough have answered.

A provider that hangs costs the others no more than the grace: as long again as the deciding answers took, within
bounds. Who has not answered by then counts as silent, which a quorum of the configured never gains from. Nobody waits
longer than the budget, however many requests a provider's answer takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

from chains.clock import Clock
from chains.errors import ProviderError, RpcTimeout

__all__ = ["Answers", "ask_all"]

Answer = TypeVar("Answer")
GRACE_S_MIN: Final = 0.05
GRACE_S_MAX: Final = 1.0


class Source(Protocol):
    """Be one provider."""

    @property
    def label(self) -> str:
        """Return the provider's label."""
        ...


SourceT = TypeVar("SourceT", bound=Source)


@dataclass(slots=True)
class Answers(Generic[Answer]):
    """Collect what came back, by label."""

    given: dict[str, Answer] = field(default_factory=dict)
    failed: dict[str, ProviderError] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[ProviderError, ...]:
        """Return the errors in order of label."""
        return tuple(self.failed[label] for label in sorted(self.failed))


async def ask_all(
    sources: Sequence[SourceT],
    ask: Callable[[SourceT], Awaitable[Answer]],
    is_settled: Callable[[Mapping[str, Answer]], bool],
    clock: Clock,
    budget_s: float,
) -> Answers[Answer]:
    """Ask every source; return when all have answered or failed, or the grace after `is_settled` first said yes.

    Whoever is still silent when the budget is spent has failed with `RpcTimeout`.
    """
    answers: Answers[Answer] = Answers()
    changed = asyncio.Event()
    started_s = clock.monotonic_s()

    async def one(source: SourceT) -> None:
        try:
            answers.given[source.label] = await ask(source)
        except ProviderError as error:
            answers.failed[source.label] = error
        changed.set()

    async def until(is_enough: Callable[[], bool]) -> None:
        while not is_enough():
            await changed.wait()
            changed.clear()

    def are_all() -> bool:
        return len(answers.given) + len(answers.failed) == len(sources)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(source)) for source in sources]
        try:
            async with asyncio.timeout(budget_s):
                await until(lambda: are_all() or is_settled(answers.given))
                grace_s = min(max(clock.monotonic_s() - started_s, GRACE_S_MIN), GRACE_S_MAX)
                await _within(grace_s, until(are_all))
        except TimeoutError:
            late = [source.label for source in sources if source.label not in answers.given]
            answers.failed.update(
                {label: RpcTimeout(label, "the question", budget_s) for label in late if label not in answers.failed}
            )
        for task in tasks:
            task.cancel()
    return answers


async def _within(seconds: float, wait: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wait
    except TimeoutError:
        return
