"""Feed mutants to a decoder: its typed refusals are fine, everything else ends the run with the input on disk.

A mutant joins the pool when it brought something new: an outcome (the accepted kind, or the rule of the refusal), or
a line of ours that no other reached. Lines are traced for a sample only, because tracing is twenty times slower than
running; so this is guided by outcomes first and by coverage second.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from types import CodeType, FrameType, TracebackType
from typing import Any

from tests.fuzz.mutation import mutant

ROOT = Path(__file__).resolve().parents[2]
OURS = tuple(str(ROOT / package) for package in ("proofs", "chains", "relayer"))
CORPUS = Path(__file__).parent / "corpus"
ESCAPED = Path(".fuzz")
TRACED_EVERY = 64
POOL_MAX = 2_000
SLOW_S = 5.0
"""No single input may take longer: a bound on work that is not proportional to the input."""

Line = tuple[CodeType, int]


@dataclass(frozen=True, slots=True)
class Target:
    """Name one decoder. `run` decodes, checks what must hold of what was accepted, and names the outcome."""

    name: str
    run: Callable[[bytes], str]
    refusals: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]
    tokens: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Tally:
    """Hold what a run did."""

    target: str
    executions: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    kept: list[bytes] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """Return how many inputs were accepted."""
        return sum(count for outcome, count in self.outcomes.items() if outcome.startswith("ok"))


class Fuzzer:
    """Fuzz one target; equal seeds and equal pools give equal runs."""

    def __init__(self, target: Target, seed: int) -> None:
        self._target = target
        self._random = Random(seed)
        self._lines: set[Line] = set()
        self._pool: list[bytes] = []
        self.tally = Tally(target.name)
        for data in (*target.seeds, *corpus_of(target.name)):
            self._offer(data, traced=True)
        self._own = len(self._pool)

    def run(self, seconds: float, executions: int) -> Tally:
        """Go on for so long or so often, whichever ends first."""
        began = time.perf_counter()
        tokens, pool = self._target.tokens, self._pool
        for number in range(executions):
            if time.perf_counter() - began > seconds:
                break
            data = mutant(self._random, self._drawn(), pool[int(self._random.random() * len(pool))], tokens)
            self._offer(data, traced=number % TRACED_EVERY == 0)
        self.tally.seconds += time.perf_counter() - began
        self.tally.lines = len(self._lines)
        self.tally.kept = pool[self._own :]
        return self.tally

    def _drawn(self) -> bytes:
        """Draw a parent, the shorter of two: it runs faster and says more."""
        one, two = (self._pool[int(self._random.random() * len(self._pool))] for _ in range(2))
        return one if len(one) <= len(two) else two

    def _offer(self, data: bytes, *, traced: bool) -> None:
        began = time.process_time()
        with _Kept(self._target.name, data):
            if traced:
                outcome, lines = traced_outcome(self._target, data)
            else:
                outcome, lines = outcome_of(self._target, data), frozenset()
        spent = time.process_time() - began
        self.tally.slowest_s = max(self.tally.slowest_s, spent)
        assert spent < SLOW_S, f"{self._target.name}: {len(data)} bytes took {spent:.1f} s"
        self.tally.executions += 1
        is_new = outcome not in self.tally.outcomes or not lines <= self._lines
        self.tally.outcomes[outcome] += 1
        self._lines |= lines
        if is_new and len(self._pool) < POOL_MAX:
            self._pool.append(data)


def outcome_of(target: Target, data: bytes) -> str:
    """Run the decoder once; a refusal is named by its type and rule."""
    try:
        return "ok " + target.run(data)
    except target.refusals as refusal:
        return f"{type(refusal).__name__} {getattr(refusal, 'rule', '')}"


def traced_outcome(target: Target, data: bytes) -> tuple[str, frozenset[Line]]:
    """Run the decoder once and return the lines of ours that it went through."""
    seen: set[Line] = set()

    def local(frame: FrameType, event: str, arg: Any) -> Any:
        seen.add((frame.f_code, frame.f_lineno))
        return local

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(OURS) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        outcome = outcome_of(target, data)
    finally:
        sys.settrace(before)
    return outcome, frozenset(seen)


class _Kept:
    """Write the input down when something other than a typed refusal escapes."""

    def __init__(self, target: str, data: bytes) -> None:
        self._target = target
        self._data = data

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None and issubclass(kind, Exception):
            ESCAPED.mkdir(exist_ok=True)
            path = ESCAPED / f"{self._target}-{_name(self._data)}"
            path.write_bytes(self._data)
            assert error is not None
            error.add_note(f"{self._target}: the input is in {path}")


# --- corpus ----------------------------------------------------------------------------------------------------------


def corpus_of(name: str) -> tuple[bytes, ...]:
    """Return the kept inputs of a target, in a fixed order."""
    return tuple(path.read_bytes() for path in sorted((CORPUS / name).glob("*")))


def keep(target: Target, found: Sequence[bytes], files_max: int, bytes_max: int) -> int:
    """Write the shortest inputs that together show every outcome and line of the pool; return how many."""
    folder = CORPUS / target.name
    folder.mkdir(parents=True, exist_ok=True)
    candidates = sorted({*found, *corpus_of(target.name)}, key=lambda data: (len(data), data))
    shown: set[object] = set()
    for data in target.seeds:
        outcome, lines = traced_outcome(target, data)
        shown |= {outcome, *lines}
    chosen = []
    for data in candidates:
        outcome, lines = traced_outcome(target, data)
        if len(data) <= bytes_max and len(chosen) < files_max and not {outcome, *lines} <= shown:
            shown |= {outcome, *lines}
            chosen.append(data)
    for path in folder.glob("*"):
        path.unlink()
    for data in chosen:
        (folder / _name(data)).write_bytes(data)
    return len(chosen)


def _name(data: bytes) -> str:
    return sha256(data).hexdigest()[:16]
