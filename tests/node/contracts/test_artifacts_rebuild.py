"""The committed artifacts are what the compiler makes of the sources, byte for byte."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.node.contracts.wire import CONTRACTS
from tests.node.contracts.world import artifact

pytestmark = pytest.mark.node

DEVNET = CONTRACTS.parents[1] / "chains" / "devnet" / "contracts"
GUARD_SLOTS = ("_urls", "activePolicy", "successorPolicy", "activationFrame", "_evidenceOf", "_ruleOf")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.json")}


@pytest.fixture(scope="module")
def compiler() -> Path:
    """Install the compiler of the lock file if it is not there."""
    if not (CONTRACTS / "node_modules" / "solc").is_dir():
        subprocess.run(["npm", "ci", "--silent", "--ignore-scripts"], cwd=CONTRACTS, check=True, timeout=300)
    return CONTRACTS / "build.mjs"


def test_artifacts__rebuilt_from_the_sources__are_byte_identical(compiler: Path, tmp_path: Path) -> None:
    roots = {
        "margin": (CONTRACTS / "src", CONTRACTS / "artifacts"),
        "margin-test": (CONTRACTS / "test", CONTRACTS / "artifacts" / "test"),
        "devnet": (DEVNET / "src", DEVNET / "artifacts"),
    }
    triples = [text for name, (source, _) in roots.items() for text in (name, str(source), str(tmp_path / name))]

    subprocess.run(["node", str(compiler), *triples], cwd=tmp_path, check=True, capture_output=True, timeout=300)

    for name, (_, committed) in roots.items():
        assert contents(tmp_path / name) == contents(committed)


def test_artifacts__of_all_contracts__hold_no_path_and_no_host() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (CONTRACTS / "artifacts").rglob("*.json")]

    assert len(texts) > 5
    assert not [text for text in texts if re.search(r'"/|https?:|node_modules', text)]


def test_lock_box_layout__as_storage_proofs_read_it__is_fixed() -> None:
    slots = [(item["slot"], item["offset"], item["label"]) for item in artifact("LockBox")["storageLayout"]["storage"]]

    assert slots == [
        ("0", 0, "locked"),
        ("1", 0, "accounts"),
        ("2", 0, "isListed"),
        ("3", 0, "locks"),
        ("4", 0, "nextLockId"),
        ("5", 0, "venues"),
    ]


def test_guard_layout__below_a_venue__takes_six_slots() -> None:
    storage = artifact("GuardedVenue")["storageLayout"]["storage"]

    assert [(item["slot"], item["label"]) for item in storage[:6]] == [(str(i), n) for i, n in enumerate(GUARD_SLOTS)]
    assert storage[6]["slot"] == "6"


def test_sources__of_all_contracts__never_pack_dynamic_data_and_never_proxy() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (CONTRACTS / "src").glob("*.sol")]

    assert not [source for source in sources if re.search(r"encodePacked|delegatecall|selfdestruct|tx\.origin", source)]
