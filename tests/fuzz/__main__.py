"""Fuzz every decoder: `python -m tests.fuzz [NAME ...] [--seconds S] [--executions N] [--seed N] [--keep]`.

Each target ends after so many seconds or executions, whichever comes first. An input that escapes the typed refusals
is written to `.fuzz/` and ends the run with its traceback; `--replay FILE` runs such an input again.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.fuzz.engine import Fuzzer, Tally, keep, outcome_of
from tests.fuzz.targets import TARGETS

FILES_MAX = 24
BYTES_MAX = 2048
UNBOUNDED = 1 << 62


def main() -> int:
    """Run the named targets, all by default."""
    given = _arguments()
    for name in given.names or TARGETS:
        target = TARGETS[name]
        if given.replay:
            sys.stdout.write(f"{name}: {outcome_of(target, given.replay.read_bytes())}\n")
            continue
        cpu = time.process_time()
        tally = Fuzzer(target, given.seed).run(given.seconds, given.executions)
        sys.stdout.write(_line(tally, time.process_time() - cpu) + "\n")
        if given.verbose:
            sys.stdout.writelines(f"    {count:>9,}  {outcome}\n" for outcome, count in tally.outcomes.most_common())
        if given.keep:
            sys.stdout.write(f"    kept {keep(target, tally.kept, FILES_MAX, BYTES_MAX)} inputs\n")
        sys.stdout.flush()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--seconds", type=float, default=60.0, help="per target")
    parser.add_argument("--executions", type=int, default=UNBOUNDED, help="per target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write new inputs that show something new to the corpus")
    parser.add_argument("--verbose", action="store_true", help="list all outcomes")
    parser.add_argument("--replay", type=Path, help="run one input instead")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in TARGETS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    return given


def _line(tally: Tally, cpu_s: float) -> str:
    return (
        f"{tally.target:12} {tally.executions:>10,} executions in {tally.seconds:.0f} s (CPU {cpu_s:.0f} s), "
        f"{tally.accepted:,} accepted, {len(tally.outcomes)} outcomes, {tally.lines} lines, "
        f"slowest {1e3 * tally.slowest_s:.0f} ms, nothing escaped"
    )


if __name__ == "__main__":
    sys.exit(main())
