"""A short and deterministic slice of each fuzzer; `make fuzz` runs them for long."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz.engine import CORPUS, Fuzzer, Target, corpus_of, outcome_of
from tests.fuzz.mutation import MUTATORS, SIZE_MAX, mutant
from tests.fuzz.targets import TARGETS

EXECUTIONS = 1_000
SECONDS = 60.0


@pytest.mark.parametrize("name", TARGETS)
def test_th_036_decoder__mutants_of_seeds_and_corpus__only_typed_refusals(name: str) -> None:
    target = TARGETS[name]

    tally = Fuzzer(target, seed=7).run(SECONDS, EXECUTIONS)

    assert tally.executions >= len(target.seeds) + len(corpus_of(name))
    assert tally.accepted > 0
    assert len(tally.outcomes) > 1


@pytest.mark.parametrize("name", TARGETS)
def test_seeds__of_each_target__reach_what_they_are_for(name: str) -> None:
    target = TARGETS[name]

    assert any(outcome_of(target, seed).startswith("ok ") for seed in target.seeds)


def test_corpus__any_file__belongs_to_a_target_and_is_small() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]

    assert {path.parent.name for path in files} <= set(TARGETS)
    assert all(path.stat().st_size <= SIZE_MAX for path in files)


def test_fuzzer__an_untyped_error__escapes_with_its_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def run(data: bytes) -> str:
        if len(data) > 3:
            raise KeyError(data[3])
        return "short"

    target = Target("planted", run, (ValueError,), (b"abc",))

    with pytest.raises(KeyError) as caught:
        Fuzzer(target, seed=1).run(SECONDS, EXECUTIONS)
    (note,) = caught.value.__notes__
    assert note.startswith("planted: the input is in .fuzz/planted-")
    (kept,) = (tmp_path / ".fuzz").iterdir()
    assert len(kept.read_bytes()) > 3


def test_mutant__equal_seeds__equal_bytes_and_every_mutator_tolerates_nothing() -> None:
    drawn = [mutant(Random(3), b"parent", b"other", (b"token",)) for _ in range(2)]

    assert drawn[0] == drawn[1]
    for mutate in MUTATORS:
        for other in (b"", b"x"):
            mutate(Random(1), bytearray(), other, ())
