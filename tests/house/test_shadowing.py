"""Our import names are common words: another distribution's package of that name must not pass for ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["proofs", "chains"])
def test_th_146_start__with_a_planted_package__is_refused_naming_it(tmp_path: Path, name: str) -> None:
    planted = tmp_path / name
    planted.mkdir()
    (planted / "__init__.py").write_text(f"__path__ = [*__path__, {str(ROOT / name)!r}]\n")

    done = subprocess.run(
        [sys.executable, "-c", "import relayer.cli.main as m; m.main()", "--help"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert str(planted / "__init__.py") in done.stderr
    assert "environment of its own" in done.stderr
