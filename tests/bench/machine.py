"""What the figures were measured on: a table of times means nothing without it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from proofs.keccak import BACKEND
from tests.bench.race import HERE

PACKAGES = ("numpy", "trie", "rlp", "eth-hash", "eth-account", "coincurve", "safe-pysha3", "pycryptodome", "orjson")


def machine() -> dict[str, str]:
    """Return processor, cores, load, and the versions that took part."""
    npm = json.loads((HERE / "package.json").read_text())["devDependencies"]
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "load (1, 5, 15 min)": ", ".join(f"{load:.1f}" for load in os.getloadavg()),
        "python": platform.python_version(),
        "node": subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip(),
        "keccak of ours": BACKEND,
        "keccak of py-trie": os.environ.get("ETH_HASH_BACKEND", "automatic"),
        **{name: version(name) for name in PACKAGES},
        **npm,
    }


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
