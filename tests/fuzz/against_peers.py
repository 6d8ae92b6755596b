"""Compare verdicts with py-trie and @ethereumjs/mpt on random tries: `python -m tests.fuzz.against_peers`.

Needs the npm packages of tests/bench, which `make fuzz` installs; the comparison with py-trie alone is a normal test.
A difference that `tests.fuzz.verdicts` does not know ends the run with its smallest example.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from hypothesis import HealthCheck, given, seed, settings

from tests.fuzz.tries import Case, cases
from tests.fuzz.verdicts import OVERLOOKED_BY_MPT, OVERLOOKED_BY_PY_TRIE, Verdict, judge, of_py_trie

PEER = Path(__file__).parents[1] / "bench" / "peer_mpt_verdicts.mjs"
ROUND = 500
"""Examples between two looks at the clock."""


class Mpt:
    """Ask @ethereumjs/mpt in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(["node", str(PEER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate(timeout=30)

    def verdict(self, case: Case) -> Verdict:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        question = {"root": _hex(case.root), "key": _hex(case.key), "proof": [_hex(node) for node in case.proof]}
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "refused" in answer:
            return Verdict(refused=answer["refused"])
        return Verdict(None if answer["value"] is None else bytes.fromhex(answer["value"][2:]) or None)


def main() -> int:
    """Draw and judge until the time is over."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.against_peers", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    given_ = parser.parse_args()
    outcomes: Counter[tuple[str, str]] = Counter()
    began = time.perf_counter()
    number = given_.seed
    with Mpt() as mpt:
        while time.perf_counter() - began < given_.seconds:
            _compare(mpt, outcomes, number)
            number += 1
    for (peer, outcome), count in sorted(outcomes.items(), key=lambda item: (item[0][0], -item[1])):
        sys.stdout.write(f"{peer:8} {count:>9,}  {outcome}\n")
    sys.stdout.write(f"no unknown difference in {time.perf_counter() - began:.0f} s\n")
    return 0


def _compare(mpt: Mpt, outcomes: Counter[tuple[str, str]], number: int) -> None:
    @seed(number)
    @settings(max_examples=ROUND, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(cases())
    def compare(case: Case) -> None:
        for name, verdict, overlooked in (
            ("mpt", mpt.verdict(case), OVERLOOKED_BY_MPT),
            ("py-trie", of_py_trie(case), OVERLOOKED_BY_PY_TRIE),
        ):
            outcomes[name, judge(case, verdict, overlooked)] += 1

    compare()


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


if __name__ == "__main__":
    sys.exit(main())
