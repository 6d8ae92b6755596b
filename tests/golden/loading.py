"""Where the reference data lie and how their bytes are written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def golden_dir() -> Path:
    """Return the directory of the reference data: `GOLDEN_DIR`, or the one beside this file."""
    return Path(os.environ.get("GOLDEN_DIR", Path(__file__).parent))


def load(name: str) -> dict[str, Any]:
    """Load one file by its path below the directory."""
    document: dict[str, Any] = json.loads((golden_dir() / name).read_text())
    return document


def cases(name: str, *kinds: str) -> list[dict[str, Any]]:
    """Return the cases of these kinds, or all."""
    return [case for case in load(name)["cases"] if not kinds or case["kind"] in kinds]


def unhex(text: str) -> bytes:
    """Read 0x text."""
    return bytes.fromhex(text.removeprefix("0x"))


def nodes(texts: list[str]) -> tuple[bytes, ...]:
    """Read the nodes of a proof."""
    return tuple(unhex(text) for text in texts)
