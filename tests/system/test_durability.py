"""The ledger row is on the disk before the key is used, as the kernel saw it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.system


def test_th_089_frame__signed__fsynced_the_ledger_between_reservation_and_signature(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-e", "trace=openat,fsync,fdatasync", "-o", str(trace)]
    child = [sys.executable, "-m", "tests.system.ledger_child", str(tmp_path)]

    done = subprocess.run([*command, *child], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "signed"
    calls = trace.read_text().splitlines()
    signed = next(number for number, call in enumerate(calls) if "mark-sign" in call)
    reserved = max(number for number, call in enumerate(calls[:signed]) if "mark-reserve" in call)
    synced = [call for call in calls[reserved:signed] if re.search(r"f(data)?sync\(.*relayer\.db.*\)\s+= 0", call)]
    assert synced
