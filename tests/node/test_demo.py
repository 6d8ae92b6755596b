"""The demo as a newcomer runs it: to the end, twice at once, and interrupted; no node outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
END_TIMEOUT_S = 240
START_TIMEOUT_S = 60

pytestmark = pytest.mark.node


def start_demo(out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "relayer", "demo", "--json", "--out", str(out)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def processes_of(session: int) -> list[str]:
    """Return the commands of all living processes of a session, zombies left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[3]) == session:
            found.append(command)
    return found


def test_demo__run_twice_at_once__both_end_well_and_leave_no_process(tmp_path: Path) -> None:
    demos = [start_demo(tmp_path / name) for name in ("one", "two")]

    ended = [demo.communicate(timeout=END_TIMEOUT_S) for demo in demos]

    for demo, (stdout, stderr) in zip(demos, ended, strict=True):
        assert demo.returncode == 0, stderr
        told = json.loads(stdout)
        assert told["schema"] == "demo@1"
        assert told["errors"] == []
        assert told["data"]["tampered_leaf"] == "LeafNotInRoot"
        assert told["data"]["accounts"] == 12
        assert len(told["data"]["transaction"]) == 66
        assert Path(told["data"]["bundle"]).stat().st_size > 0
        assert processes_of(demo.pid) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo__interrupted__stops_its_nodes_and_says_so(tmp_path: Path, number: signal.Signals) -> None:
    demo = start_demo(tmp_path)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not any("anvil" in command for command in processes_of(demo.pid)):
        assert time.monotonic() < deadline, "no node was started"
        time.sleep(0.1)

    os.kill(demo.pid, number)
    stdout, stderr = demo.communicate(timeout=START_TIMEOUT_S)

    assert demo.returncode == 130, stderr
    assert json.loads(stdout)["errors"]
    assert processes_of(demo.pid) == []
