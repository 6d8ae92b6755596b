"""Counts behind the speed of proofs and trees, the same on every machine: these gate, times do not."""

from __future__ import annotations

from proofs.merkle import MerkleTree, merkle_depths
from tests.bench.holders import ASKED, holders
from tests.bench.proving import hashes_of
from tests.bench.trees import CHANGED, hashes_of_update, packed


def test_storage_proofs__a_thousand_of_one_token__each_unique_node_hashed_once_and_each_slot_once() -> None:
    counts = hashes_of(holders())

    assert counts["keys"] == ASKED
    assert counts["hashes"] == counts["unique nodes"] + counts["keys"]
    assert counts["unique nodes"] * 2 < counts["nodes sent"]
    assert counts["bytes of unique nodes"] * 6 < counts["bytes sent"]


def test_tree__a_few_changed_leaves__cost_at_most_their_paths() -> None:
    tree = MerkleTree.from_leaves([leaf[-32:] for leaf in packed(1, 20_001)])

    (hashes,) = hashes_of_update(tree, CHANGED).values()

    assert hashes <= CHANGED * merkle_depths(tree.leaf_count)[1]


def test_tree__neighbouring_leaves_changed__share_their_upper_path() -> None:
    tree = MerkleTree.from_leaves([leaf[-32:] for leaf in packed(1, 2**10 + 1)])

    (hashes,) = hashes_of_update(tree, 2**10).values()

    assert hashes == 2**10 - 1
