"""Measure what docs/BENCHMARKS.md promises: `python -m tests.bench [NAME ...] [--rounds N] [--json]`.

Times are reported and gate nothing; a wrong value ends the run. Figures of two runs are never compared.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict

os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")  # the peers that hash through eth_hash get the faster backend
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # everybody has one core; read when numpy is loaded

from tests.bench.machine import machine
from tests.bench.race import HERE, Line, Report

ROUNDS = 7
ROUNDS_MIN = 5


def _prove(report: Report, rounds: int) -> None:
    from tests.bench.proving import prove

    prove(report, rounds)


def _grow(report: Report, rounds: int) -> None:
    from tests.bench.trees import grow

    grow(report, min(rounds, ROUNDS_MIN))


def _sign(report: Report, rounds: int) -> None:
    from tests.bench.signing import sign

    sign(report, rounds)


def _start(report: Report, rounds: int) -> None:
    from tests.bench.starting import start

    start(report)


def _weigh(report: Report, rounds: int) -> None:
    from tests.bench.margins import weigh

    weigh(report, rounds)


def _scan(report: Report, rounds: int) -> None:
    from tests.bench.scenarios import scan_all

    scan_all(report, min(rounds, ROUNDS_MIN))


BENCHES: Mapping[str, Callable[[Report, int], None]] = {
    "proofs": _prove,
    "signing": _sign,
    "trees": _grow,
    "start": _start,
    "margin": _weigh,
    "scenarios": _scan,
}


def main() -> int:
    """Run the named benchmarks, all by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; all by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"interleaved rounds, at least {ROUNDS_MIN}")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in BENCHES]
    if unknown or given.rounds < ROUNDS_MIN:
        parser.error(f"unknown: {', '.join(unknown)}" if unknown else f"at least {ROUNDS_MIN} rounds")
    if not (HERE / "node_modules").is_dir():
        parser.error("the JavaScript peers are not installed; run `make bench`")
    about, report = machine(), Report()
    for name in given.names or BENCHES:
        sys.stderr.write(f"{name} ...\n")
        BENCHES[name](report, given.rounds)
    if given.json:
        lines = [{**asdict(line), "goal": str(line.goal or ""), "is_met": line.is_met} for line in report.lines]
        document = {"machine": about, "lines": lines, "counts": report.counts, "notes": report.notes}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stdout.write(_text(about, report) + "\n")
    return 0


def _text(about: Mapping[str, str], report: Report) -> str:
    parts = ["; ".join(f"{what} {value}" for what, value in about.items()), ""]
    parts += ["CPU of one run (medians), ratio per round as median [quartiles]; wall ratio beside it", ""]
    parts += [_row(line) for line in report.lines]
    parts += ["", *report.notes, ""]
    parts += [f"{what}: {count:,}" for what, count in report.counts.items()]
    return "\n".join(parts)


def _row(line: Line) -> str:
    low, middle, high = line.ratio_cpu
    goal = "" if line.goal is None else f"   goal {line.goal}: {'met' if line.is_met else 'MISSED'}"
    times = f"{line.peer} {_time(line.peer_cpu_s)}, {line.ours} {_time(line.ours_cpu_s)}"
    wall = f"wall {line.ratio_wall[1]:.2f}"
    return f"{line.race}\n    {times}: {middle:.2f} [{low:.2f}-{high:.2f}]x, {wall}, {line.rounds} rounds{goal}"


def _time(seconds: float) -> str:
    return (
        f"{seconds:.2f} s"
        if seconds >= 1
        else f"{1e3 * seconds:.2f} ms"
        if seconds >= 1e-3
        else f"{1e6 * seconds:.1f} us"
    )


if __name__ == "__main__":
    sys.exit(main())
