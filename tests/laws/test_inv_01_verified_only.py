"""INV-1: a margin view derives only from a verified snapshot, and only `proofs.verify` makes one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import proofs
from proofs.errors import ConstructionRefused
from proofs.snapshot import Snapshot, Unavailable
from proofs.verify import VerifiedChain, VerifiedSnapshot, verified_snapshot
from tests.proofs.evidence_frame import home_reading

ROOT = Path(proofs.__file__).parents[1]
GUARDED = ("VerifiedChain", "VerifiedSnapshot")
SOURCES = [path for package in ("proofs", "chains", "relayer") for path in sorted((ROOT / package).rglob("*.py"))]


def names_called(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).rpartition(".")[2]


def test_inv_01_only_proofs_verify__calls_the_guarded_types() -> None:
    builders = {str(path.relative_to(ROOT)) for path in SOURCES for name in names_called(path) if name in GUARDED}

    assert builders == {"proofs/verify.py"}


def test_inv_01_nobody_else__reaches_for_the_construction_token_or_goes_around_it() -> None:
    offenders = []
    for path in SOURCES:
        if path.name == "verify.py" and path.parent.name == "proofs":
            continue
        text = path.read_text(encoding="utf-8")
        imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
        private = [
            alias.name
            for node in imports
            if node.module == "proofs.verify"
            for alias in node.names
            if alias.name.startswith("_")
        ]
        around = "Verified" in text and ("object.__new__" in text or "object.__setattr__" in text)
        if private or around:
            offenders.append(str(path.relative_to(ROOT)))

    assert offenders == []


@pytest.mark.parametrize("token", [None, object(), "_TOKEN", True])
def test_inv_01_construction__with_any_other_token__is_refused(token: object) -> None:
    with pytest.raises(ConstructionRefused):
        VerifiedSnapshot(0, (), token)
    reading = home_reading()
    with pytest.raises(ConstructionRefused):
        VerifiedChain(reading.anchor, (), (), reading.sheet, bytes(32), frozenset(), {}, token)  # type: ignore[arg-type]


def test_inv_01_guarded_types__keep_no_token_and_cannot_be_changed() -> None:
    for kind in (VerifiedChain, VerifiedSnapshot):
        assert "token" not in {field.name for field in fields(kind)}
        assert kind.__dataclass_params__.frozen
        assert hasattr(kind, "__slots__")
    with pytest.raises(AttributeError):
        verified_snapshot(0, ()).frame_s = 1  # type: ignore[misc]


def test_inv_01_evaluation__takes_no_unverified_type() -> None:
    """No function of the margin modules names a raw reading or snapshot among its parameters."""
    raw = {"Snapshot", "ChainReading", "Sheet", Snapshot.__name__, "Outcome"} - {Unavailable.__name__}
    offenders = []
    for path in sorted((ROOT / "relayer" / "margin").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                taken = {ast.unparse(argument.annotation) for argument in node.args.args if argument.annotation}
                if taken & raw:
                    offenders.append(f"{path.name}:{node.name}")

    assert offenders == []
