"""No float, no Decimal and no true division where money or proof is decided."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXACT = ("proofs", "relayer/margin")
ALLOWED = "relayer/margin/screens/"
"""Screens choose whom to look at; each derives its band in its docstring, `tests/relayer/margin/screens` tries them."""
NAMES = frozenset({"float", "complex", "Decimal", "decimal", "fdiv", "numpy"})


def inexact(text: str) -> list[tuple[int, str]]:
    """Return (line, what) for each inexact construct of a source text."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            found.append((node.lineno, f"literal {node.value}"))
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            found.append((node.lineno, "true division"))
        elif isinstance(node, ast.Name) and node.id in NAMES:
            found.append((node.lineno, node.id))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [(node.lineno, f"import {name}") for name in modules if name.split(".")[0] in NAMES]
    return found


def exact_files() -> list[Path]:
    files = [path for package in EXACT for path in sorted((ROOT / package).rglob("*.py"))]
    return [
        path
        for path in files
        if "node_modules" not in path.parts and not path.relative_to(ROOT).as_posix().startswith(ALLOWED)
    ]


def test_exact_modules__any__hold_no_float() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}" for path in exact_files() for line, what in inexact(path.read_text())
    ]

    assert not found, found


def test_exact_modules__scan__sees_the_files_that_decide_money() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in exact_files()}

    assert {"proofs/units.py", "relayer/margin/evaluate.py", "relayer/margin/rulesets/position.py"} <= names


def test_allowed__package__still_exists_and_needs_it() -> None:
    assert any(inexact(path.read_text()) for path in (ROOT / ALLOWED).glob("*.py"))


@pytest.mark.parametrize(
    "text",
    [
        "x = 1.5",
        "x = 1e18",
        "x = a / b",
        "x /= 2",
        "x = float(1)",
        "def f(x: float): ...",
        "from decimal import Decimal",
        "import decimal",
        "x = 1j",
        "import numpy as np",
    ],
)
def test_scan__inexact_construct__found(text: str) -> None:
    assert inexact(text)


@pytest.mark.parametrize("text", ["x = 15", "x = a // b", "x //= 2", "x = '1.5'", "x = 10**18", "x = a % b"])
def test_scan__exact_neighbour__not_found(text: str) -> None:
    assert not inexact(text)
