"""What starting costs: CPU of `relayer --help`, and the wall time of one frame over three local chains."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

from tests.bench.race import ROOT, Report

RUNS = 7
HELP_MS_MAX = 300
FRAME_S_MAX = 1.0
FRAME_TEST = Path("tests/bench/test_frame_counts.py")


def start(report: Report) -> None:
    """Measure both; each process is a fresh one."""
    spent = min(_cpu_of([str(Path(sys.executable).parent / "relayer"), "--help"]) for _ in range(RUNS))
    report.notes.append(f"relayer --help: {1000 * spent:.0f} ms CPU, least of {RUNS} (goal <= {HELP_MS_MAX})")
    report.notes.append(_frame())


def _cpu_of(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _frame() -> str:
    """Take the figure that the counting test prints; it starts three real nodes."""
    command = [sys.executable, "-m", "pytest", "-s", "-q", str(FRAME_TEST)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ, check=False)
    found = re.search(r"frame of \d+ accounts on 3 chains: [\d.]+ s wall", done.stdout)
    if done.returncode or found is None:
        return f"frame over 3 chains: failed, exit code {done.returncode} of {FRAME_TEST}"
    return f"{found[0]} (goal < {FRAME_S_MAX:g})"
