"""Execution gas against the bounds of the specification and against the snapshot in the repository (+2 % fails)."""

from __future__ import annotations

import json
import os
from typing import Final

import pytest
from web3.contract import Contract

from tests.node.contracts.wire import CONTRACTS, E18, POLICY, Evidence, Leaf, key, keys, leaf_hash, tall
from tests.node.contracts.world import Chain, Quorum, deploy_quorum, leaf_of, root_of

pytestmark = pytest.mark.node

SNAPSHOT: Final = CONTRACTS / "gas.json"
DEPTH: Final = 17
BOUNDS: Final = {
    "verify_3_of_4_depth_17": 32_000,
    "verify_13_of_19_depth_17": 66_000,
    "verify_one_more_signature": 3_600,
    "verify_posted_depth_17": 11_500,
    "verify_posted_depth_17_after_removal": 11_500,
}
RULE: Final = (300, 60, 1, 0)


def deep(quorum: Quorum, leaf: Leaf, *signers: int) -> Evidence:
    """Sign a root over a tree of 2**17 leaves."""
    accounts_root, proof = tall(leaf_hash(leaf), DEPTH)
    root = root_of(quorum.chain.now, accounts_root=accounts_root, leaf_count=2**DEPTH)
    return Evidence(root, quorum.sign(root, *signers), leaf, proof)


def measure(chain: Chain, target: Contract, function: str, *args: object) -> int:
    """Return the execution gas of one call."""
    meter = chain.deploy("GasMeter")
    data = target.encode_abi(function, list(args))
    return int(meter.functions.measure(target.address, data).call({"from": chain.users[0], "gas": 25_000_000}))


def verifier_costs(chain: Chain) -> dict[str, int]:
    """Measure the verifier; keys, leaf and frame are fixed in shape, addresses differ by deployment."""
    small, large = deploy_quorum(chain, keys(4), 3, 1), deploy_quorum(chain, keys(19), 13, 6)
    leaf = leaf_of(key(90).address, b"\x07" * 32)
    three, four = deep(small, leaf), deep(small, leaf, 0, 1, 2, 3)
    thirteen = deep(large, leaf)
    costs = {
        "verify_3_of_4_depth_17": measure(chain, small.verifier, "verify", *three),
        "verify_13_of_19_depth_17": measure(chain, large.verifier, "verify", *thirteen),
    }
    costs["verify_one_more_signature"] = (
        measure(chain, small.verifier, "verify", *four) - costs["verify_3_of_4_depth_17"]
    )
    costs["post_root_3_of_4"] = measure(chain, small.verifier, "postRoot", four.root, three.signatures)
    chain.send(small.verifier.functions.postRoot(four.root, four.signatures))
    posted = (four.root, leaf, four.proof)
    costs["verify_posted_depth_17"] = measure(chain, small.verifier, "verifyPosted", *posted)
    chain.send(small.verifier.functions.removeSigner(key(3).address), sender=1)
    costs["verify_posted_depth_17_after_removal"] = measure(chain, small.verifier, "verifyPosted", *posted)
    return costs


def guard_costs(chain: Chain) -> dict[str, int]:
    """Measure an act through the guard, its own storage included, and a lock."""
    quorum = deploy_quorum(chain, keys(4), 3, 1)
    venue = chain.deploy("GuardedVenue", quorum.verifier.address, chain.users[0], POLICY, 100, [RULE, RULE, RULE])
    leaf = leaf_of(key(90).address, venue.functions.venueId().call())
    account = leaf.account_id
    return {"guard_open_3_of_4_depth_17": measure(chain, venue, "requireInitialFor", account, 0, deep(quorum, leaf))}


def test_gas__of_each_entry__is_within_the_bounds_and_the_snapshot(chain: Chain) -> None:
    costs = verifier_costs(chain) | guard_costs(chain)
    if os.environ.get("GAS_SNAPSHOT") == "write":
        SNAPSHOT.write_text(json.dumps(costs, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))

    assert {name: cost for name, cost in costs.items() if cost > BOUNDS.get(name, E18)} == {}
    assert {name: cost for name, cost in costs.items() if cost * 100 > snapshot[name] * 102} == {}
    assert snapshot.keys() == costs.keys()
