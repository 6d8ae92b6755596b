"""A bundle is verified where there is no network at all: in a namespace without a single interface up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import ALICE, BOB, FRAME, FakeWorld, make_bench

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.system


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[str]:
    name = f"offline-{tmp_path.name}"[:60]
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


async def bundle_of_a_frame(path: Path) -> Path:
    world = FakeWorld()
    world.lock("A", "USDX", ALICE, 1_000 * 10**6)
    world.lock("B", "BTC", ALICE, 10**8)
    world.position(BOB, "ETH-PERP", 10**18, 3_000)
    world.mine_to(FRAME + 3)
    store = await SqliteStore.open(path / "relayer.db")
    bench = make_bench(world, store)
    await bench.pipeline.run_frame(FRAME)
    archive = await store.bundle(bench.ports.policy.policy_id, FRAME)
    await store.close()
    assert archive is not None
    (path / "bundle.tar.gz").write_bytes(archive)
    return path / "bundle.tar.gz"


def inside(namespace: str, *command: str) -> subprocess.CompletedProcess[str]:
    whole = ["ip", "netns", "exec", namespace, sys.executable, *command]
    return subprocess.run(whole, capture_output=True, text=True, check=False, cwd=ROOT)


async def test_verify__without_any_network__recomputes_the_whole_bundle(tmp_path: Path, namespace: str) -> None:
    bundle = await bundle_of_a_frame(tmp_path)
    unreachable = inside(namespace, "-c", "import socket; socket.create_connection(('127.0.0.1', 9), 1)")
    assert "Network is unreachable" in unreachable.stderr or "Cannot assign" in unreachable.stderr

    done = inside(namespace, "-m", "relayer", "verify", str(bundle), "--json")

    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)["data"]
    assert data["verdict"] == "verified"
    assert {check["step"] for check in data["checks"]} >= {"rule set", "signatures", "accounts tree"}


async def test_verify__without_any_network_and_one_flipped_byte__fails(tmp_path: Path, namespace: str) -> None:
    bundle = await bundle_of_a_frame(tmp_path)
    raw = bytearray(bundle.read_bytes())
    raw[len(raw) // 2] ^= 1
    bundle.write_bytes(bytes(raw))

    done = inside(namespace, "-m", "relayer", "verify", str(bundle), "--json")

    assert done.returncode == 4, done.stdout
