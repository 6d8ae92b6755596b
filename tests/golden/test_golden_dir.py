"""The reference tests follow the directory: they judge other files, names and values alike, and find a wrong one."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.golden.test_proofs_golden import DOCUMENTS, JUDGES

TESTS = Path(__file__).parent
Document = dict[str, Any]


def other_directory(source: Path, target: Path, seed: int) -> dict[str, Document]:
    """Copy every file under another name, some cases twice and some not at all, cases and accounts renamed."""
    draw = random.Random(seed)
    written = {}
    for number, path in enumerate(sorted(source.glob("proofs/*/*.json"))):
        document = json.loads(path.read_text())
        drawn = draw.choices(document["cases"], k=min(len(document["cases"]), 40))
        document["cases"] = [renamed(case, at) for at, case in enumerate(drawn)]
        if "accounts" in document:
            document["accounts"] = {f"account {name}": body for name, body in document["accounts"].items()}
        name = f"proofs/set{number}/data{number}.json"
        (target / name).parent.mkdir(parents=True)
        (target / name).write_text(json.dumps(document))
        written[name] = document
    return written


def renamed(case: Document, number: int) -> Document:
    inputs = dict(case["inputs"])
    if "account" in inputs:
        inputs["account"] = f"account {inputs['account']}"
    return {**case, "id": f"case {number}", "inputs": inputs}


def judged(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", str(TESTS / "test_proofs_golden.py"), "-p", "no:cacheprovider"],
        env={**os.environ, "GOLDEN_DIR": str(directory)},
        cwd=TESTS.parent.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_golden_dir__other_names_and_cases__pass_unchanged(tmp_path: Path) -> None:
    written = other_directory(TESTS, tmp_path, 1)

    ended = judged(tmp_path)

    assert ended.returncode == 0, ended.stdout[-2000:]
    passed = re.search(r"(\d+) passed", ended.stdout)
    assert passed is not None
    ours = [case for document in written.values() for case in document["cases"] if case["kind"] in JUDGES]
    assert int(passed.group(1)) > len(ours) > 50


@pytest.mark.parametrize("kind", ["account_inclusion", "storage_inclusion", "control", "any_order", "state_proof"])
def test_golden_case__its_expected_value_changed__is_found(kind: str) -> None:
    key = {"account_inclusion": "balance", "any_order": "root"}.get(kind, "value")
    for document in DOCUMENTS.values():
        for case in [case for case in document["cases"] if case["kind"] == kind][:3]:
            JUDGES[kind](document, case)
            wrong = hex(int(case["expected"][key], 16) ^ 1)
            wrong = wrong if key != "root" else "0x" + wrong[2:].rjust(64, "0")

            with pytest.raises(AssertionError):
                JUDGES[kind](document, {**case, "expected": {**case["expected"], key: wrong}})
