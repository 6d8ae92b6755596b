"""What gets loaded, asked of a fresh process: the floors hold at run time, not only in the import graph."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NETWORK = ("web3", "aiohttp", "eth_account", "requests", "websockets")
IMPURE = (*NETWORK, "pydantic", "structlog", "sqlite_utils", "typer", "rich", "prometheus_client", "asyncio", "logging")


def modules_of(package: str) -> list[str]:
    base = ROOT / package.replace(".", "/")
    found = [package] if (base / "__init__.py").exists() else []
    return found + [name.name for name in pkgutil.walk_packages([str(base)], prefix=f"{package}.") if not name.ispkg]


def loaded_by(modules: list[str]) -> set[str]:
    """Return the top-level modules in memory after importing `modules` in a new interpreter."""
    lines = (
        "import importlib, json, sys",
        f"for name in {modules!r}: importlib.import_module(name)",
        "print(json.dumps(sorted(sys.modules)))",
    )
    program = "\n".join(lines)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout))


def test_proofs__imported_whole__loads_no_network_and_no_shell() -> None:
    loaded = loaded_by(modules_of("proofs"))

    assert not loaded & {*IMPURE, "numpy"}


def test_margin_and_flags__imported_whole__load_no_network_and_no_shell() -> None:
    loaded = loaded_by([*modules_of("relayer.margin"), "relayer.flags", "relayer.schedule"])

    assert not loaded & set(IMPURE)
    assert not {name for name in loaded if name == "chains" or name.startswith("chains.")}


def test_chains__imported_whole_without_devnet__loads_no_margin() -> None:
    names = [name for name in modules_of("chains") if not name.startswith("chains.devnet")]

    loaded = loaded_by(names)

    assert not {name for name in loaded if name == "relayer" or name.startswith("relayer.")}
    assert "web3" not in loaded


@pytest.mark.parametrize("package", ["relayer", "relayer.margin"])
def test_package_init__any__is_empty(package: str) -> None:
    text = (ROOT / package.replace(".", "/") / "__init__.py").read_text()

    assert not any(line.startswith(("import", "from")) for line in text.splitlines())
