"""Race contenders against each other: interleaved rounds, CPU time, medians of per-round ratios with quartiles.

Every contender of a race does the same work and every result is checked after its clock was stopped; a wrong result
ends the run. CPU time is that of all threads of the contender's process, so that a busy machine changes ratios little;
wall time is kept beside it.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
REPEAT_S = 0.15
"""Short work is repeated within a round until it took so long."""
PEER_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Hold CPU and wall seconds of one run."""

    cpu_s: float
    wall_s: float


class Contender(Protocol):
    """Take part in a race."""

    @property
    def name(self) -> str: ...

    def run(self) -> Timing:
        """Do the work once or several times and return the mean time of once; raise when a result is wrong."""
        ...


@dataclass(frozen=True, slots=True)
class Local:
    """Run a function of this process; `check` judges its result outside of the clock."""

    name: str
    work: Callable[[], object]
    check: Callable[[object], None]

    def run(self) -> Timing:
        runs, result = 0, None
        cpu, wall = time.process_time(), time.perf_counter()
        while runs == 0 or time.process_time() - cpu < REPEAT_S:
            result = None  # what the last run made is freed within its own time
            result = self.work()
            runs += 1
        timing = Timing((time.process_time() - cpu) / runs, (time.perf_counter() - wall) / runs)
        self.check(result)
        return timing


class Peer:
    """Run the work in another process that times itself: a line in, one JSON line out (cpu_s, wall_s, result)."""

    def __init__(self, name: str, command: Sequence[str], expected: str) -> None:
        self.name = name
        self._expected = expected
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def run(self) -> Timing:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended without an answer (exit code {self._process.wait(10)})")
        answer = json.loads(line)
        if answer["result"] != self._expected:
            raise AssertionError(f"{self.name} computed {answer['result']}, expected {self._expected}")
        return Timing(answer["cpu_s"], answer["wall_s"])


@dataclass(frozen=True, slots=True)
class Goal:
    """Say what a ratio (peer / ours) should be: at least, or at most when `at_most`."""

    ratio: float
    at_most: bool = False

    def is_met(self, ratio: float) -> bool:
        return ratio <= self.ratio if self.at_most else ratio >= self.ratio

    def __str__(self) -> str:
        return f"{'<=' if self.at_most else '>='} {self.ratio:g}x"


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one comparison: times per run (medians) and the quartiles of the rounds' ratios."""

    race: str
    peer: str
    ours: str
    peer_cpu_s: float
    ours_cpu_s: float
    ratio_cpu: tuple[float, float, float]
    ratio_wall: tuple[float, float, float]
    rounds: int
    goal: Goal | None = None

    @property
    def is_met(self) -> bool:
        return self.goal is None or self.goal.is_met(self.ratio_cpu[1])


@dataclass(slots=True)
class Report:
    """Gather what was measured and counted."""

    lines: list[Line] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def race(
    name: str, ours: Contender, peers: Sequence[tuple[Contender, Goal | None]], rounds: int, *, inverse: bool = False
) -> list[Line]:
    """Run everybody once to warm up, then in turn for so many rounds; ratios are peer / ours, or ours / peer."""
    everybody = [ours, *(peer for peer, _ in peers)]
    for contender in everybody:
        contender.run()
    gc.collect()
    gc.freeze()  # what the fixtures hold is nobody's garbage: it is not searched while somebody's clock runs
    turns = [[contender.run() for contender in everybody] for _ in range(rounds)]
    gc.unfreeze()
    lines = []
    for place, (peer, goal) in enumerate(peers, 1):
        cpu = [(turn[place].cpu_s, turn[0].cpu_s) for turn in turns]
        wall = [(turn[place].wall_s, turn[0].wall_s) for turn in turns]
        lines.append(
            Line(
                race=name,
                peer=peer.name,
                ours=ours.name,
                peer_cpu_s=statistics.median(pair[0] for pair in cpu),
                ours_cpu_s=statistics.median(pair[1] for pair in cpu),
                ratio_cpu=_quartiles(cpu, inverse),
                ratio_wall=_quartiles(wall, inverse),
                rounds=rounds,
                goal=goal,
            )
        )
    return lines


def _quartiles(pairs: Sequence[tuple[float, float]], inverse: bool) -> tuple[float, float, float]:
    ratios = [ours / peer if inverse else peer / ours for peer, ours in pairs]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return low, middle, high
