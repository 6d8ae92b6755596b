"""Compare our Aave rule sets with the published contracts on a long random book.

    python -m tests.differential.aave [REVISION] [STEPS] [SEED]

Needs the test dependency: `npm ci --ignore-scripts && npm run build` in this directory. Prints what happened; ends with
the first figure that differs by a unit.
"""

from __future__ import annotations

import sys
import time

from tests.differential.aave.run import run_book

if __name__ == "__main__":
    revision, steps, seed = [*sys.argv[1:], *("aave@3.6", "10000", "1")[len(sys.argv) - 1 :]]
    started = time.monotonic()
    counts = run_book(revision, int(steps), int(seed))
    sys.stdout.write(f"{revision}, seed {seed}: {steps} steps in {time.monotonic() - started:.0f} s\n")
    for name, count in sorted(counts.items()):
        sys.stdout.write(f"  {count:>6} {name}\n")
