"""Attestation trees: from packed leaves against OpenZeppelin's JavaScript, a million leaves, and a few changed ones.

The peer builds 100,000 leaves per round; its time for a million is ten times that, an extrapolation in its favour (a
tree of n leaves has n - 1 inner nodes, and a larger one only costs more memory).
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

from proofs import merkle
from proofs.keccak import keccak256
from proofs.merkle import MerkleTree
from tests.bench.race import HERE, Goal, Line, Local, Peer, Report, race

LEAVES = 100_000
MILLION = 1_000_000
CHUNK = 100_000
CHANGED = 10
PACKED_BYTES = 352
"""A type hash and ten words: what is hashed to a leaf."""


def packed(start: int, stop: int) -> list[bytes]:
    """Return the packed leaves of these numbers: eleven words, the last one the number."""
    return [number.to_bytes(PACKED_BYTES, "big") for number in range(start, stop)]


def grow(report: Report, rounds: int) -> None:
    """Run all measurements of this module."""
    leaves = packed(0, LEAVES)
    expected = MerkleTree.from_leaves([keccak256(leaf) for leaf in leaves])

    def check(result: object) -> None:
        if result != expected.root:
            raise AssertionError("another root")

    ours = Local("ours", lambda: MerkleTree.from_leaves([keccak256(leaf) for leaf in leaves]).root, check)
    command = ["node", "--max-old-space-size=4096", str(HERE / "peer_tree.mjs"), str(LEAVES)]
    with Peer("SimpleMerkleTree", command, "0x" + expected.root.hex()) as peer:
        (line,) = race("100,000 packed leaves to a root", ours, [(peer, Goal(25))], rounds)
    report.lines.append(line)
    _million(report, line)
    report.counts.update(hashes_of_update(expected, CHANGED))


def _million(report: Report, line: Line) -> None:
    """Build the full tree once, in chunks so that the packed bytes need not fit into memory at once."""
    hashing, words = 0.0, []
    for start in range(0, MILLION, CHUNK):
        part = packed(start, start + CHUNK)
        begun = time.process_time()
        words += [keccak256(leaf) for leaf in part]
        hashing += time.process_time() - begun
    gc.collect()
    begun = time.process_time()
    tree = MerkleTree.from_leaves(words)
    building = time.process_time() - begun
    _check_proofs(tree)
    extrapolated = line.peer_cpu_s * MILLION / LEAVES
    ratio = extrapolated / (hashing + building)
    report.notes.append(
        f"1,000,000 packed leaves: leaf hashes {hashing:.2f} s, tree {building:.2f} s CPU, one run; "
        f"SimpleMerkleTree extrapolated from {LEAVES:,}: {extrapolated:.0f} s, {ratio:.0f}x (goal >= 25x)"
    )
    report.counts.update(hashes_of_update(tree, CHANGED))


def _check_proofs(tree: MerkleTree) -> None:
    for index in (0, 1, MILLION // 2, MILLION - 1):
        merkle.verify_merkle_proof(tree.root, tree.leaf(index), tree.proof(index), MILLION)


def hashes_of_update(tree: MerkleTree, changed: int) -> dict[str, int]:
    """Change some leaves far apart, count the hashes, and check one path anew."""
    hashed = 0
    plain = merkle.keccak256

    def counting(data: bytes) -> bytes:
        nonlocal hashed
        hashed += 1
        return plain(data)

    count = tree.leaf_count
    changes = {index: plain(index.to_bytes(32, "big")) for index in _spread(count, changed)}
    merkle.keccak256 = counting  # type: ignore[misc]  # a counter in the place of the hash
    try:
        tree.update(changes)
    finally:
        merkle.keccak256 = plain  # type: ignore[misc]
    for index, leaf in changes.items():
        merkle.verify_merkle_proof(tree.root, leaf, tree.proof(index), count)
    depth = merkle.merkle_depths(count)[1]
    return {f"{changed} changed of {count:,} leaves: hashes (paths of {depth})": hashed}


def _spread(count: int, changed: int) -> Iterator[int]:
    return iter(range(0, count, count // changed))
