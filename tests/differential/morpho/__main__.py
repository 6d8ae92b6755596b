"""Compare our Morpho rule set with the published contract on a long random book.

    python -m tests.differential.morpho [LLTV_PERCENT] [STEPS] [SEED]

Needs the test dependency: `npm ci --ignore-scripts && npm run build` in this directory.
"""

from __future__ import annotations

import sys
import time

from tests.differential.morpho.book import run_book

if __name__ == "__main__":
    percent, steps, seed = (int(text) for text in [*sys.argv[1:], *("80", "10000", "1")[len(sys.argv) - 1 :]])
    started = time.monotonic()
    counts = run_book(percent * 10**16, steps, seed)
    sys.stdout.write(f"LLTV {percent} %, seed {seed}: {steps} steps in {time.monotonic() - started:.0f} s\n")
    for name, count in sorted(counts.items()):
        sys.stdout.write(f"  {count:>6} {name}\n")
