"""What is installed is what was tested: the built wheel, in an environment of its own, away from this tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).parent / "uv"
PROBE = """
import proofs, sys
from chains.devnet.abi import load_artifact
from chains.lens import lens_code
from chains.network import load_networks
assert "site-packages" in proofs.__file__, proofs.__file__
assert len(lens_code()) > 100
assert len(load_artifact("MarginVerifier").call("epochCount")) == 4
assert len(load_networks()) >= 6
print("installed")
"""

pytestmark = pytest.mark.system


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_wheel__installed_elsewhere__has_its_data_and_runs(tmp_path: Path) -> None:
    run(UV, "build", "--quiet", "--wheel", "--out-dir", tmp_path / "dist", ROOT, cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    python = tmp_path / "venv" / "bin" / "python"
    run(UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    run(UV, "pip", "sync", "--quiet", "--python", python, "--require-hashes", ROOT / "requirements.lock", cwd=tmp_path)
    run(UV, "pip", "install", "--quiet", "--python", python, "--no-deps", wheel, cwd=tmp_path)

    assert run(python, "-c", PROBE, cwd=tmp_path).strip() == "installed"
    relayer = python.parent / "relayer"
    run(relayer, "init", "--chains", "ethereum,base", cwd=tmp_path)

    assert (tmp_path / "policy.toml").exists()
    assert "node_modules" not in run(python, "-m", "zipfile", "-l", wheel, cwd=tmp_path)
