"""Roots, leaves and proofs: times to the second, trees, and the replay matrix."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from eth_utils import keccak

from chains.devnet.nodes import start_anvil
from tests.node.contracts.conftest import DEVNET_ID, connect
from tests.node.contracts.wire import Evidence, Leaf, digest, key, keys, leaf_hash, merkle
from tests.node.contracts.world import OK, Chain, Quorum, Refusal, deploy_quorum, leaf_of, root_of

pytestmark = pytest.mark.node

VENUE = keccak(b"venue")
LEAF = leaf_of(key(50).address, VENUE)


@pytest.fixture(scope="module")
def quorum(chain: Chain) -> Quorum:
    """Deploy one 1-of-1 verifier; tests here only post roots."""
    return deploy_quorum(chain, keys(1), k=1, f=0)


def both(quorum: Quorum, e: Evidence) -> Refusal:
    """Ask `verify` and `postRoot`, which must agree about the root."""
    refusal = quorum.refusal(e)
    assert quorum.chain.refusal(quorum.verifier.functions.postRoot(e.root, e.signatures)) == refusal
    return refusal


@pytest.mark.parametrize("ahead", [0, 29, 30, 31])
def test_th_108_frame_and_as_of__ahead_of_the_clock__pass_up_to_thirty_seconds(quorum: Quorum, ahead: int) -> None:
    now = quorum.chain.now

    refusal = both(quorum, quorum.evidence(LEAF, frame=now + ahead, as_of=now + ahead))

    assert refusal == (OK if ahead <= 30 else ("FrameInFuture", (now + 31, now + 30)))


def test_th_108_as_of__ahead_of_the_clock_or_of_its_frame__is_refused(quorum: Quorum) -> None:
    now = quorum.chain.now

    assert both(quorum, quorum.evidence(LEAF, as_of=now + 31)) == ("AsOfInFuture", (now + 31, now + 30))
    assert both(quorum, quorum.evidence(LEAF, as_of=now + 1)) == ("AsOfAfterFrame", (now + 1, now))


@pytest.mark.parametrize("late", [-1, 0, 1])
def test_th_108_root__around_its_expiry__passes_inclusively(quorum: Quorum, late: int) -> None:
    chain = quorum.chain
    e = quorum.evidence(LEAF)
    chain.send(quorum.verifier.functions.postRoot(e.root, e.signatures))
    chain.mine_at(e.root.valid_until + late)

    expected = OK if late <= 0 else ("RootExpired", (e.root.valid_until, e.root.valid_until + late))

    assert both(quorum, e) == expected
    assert chain.refusal(quorum.verifier.functions.verifyPosted(e.root, e.leaf, e.proof)) == expected


@pytest.mark.parametrize("field", ["frame", "as_of", "valid_until"])
def test_time__of_64_bits__does_not_wrap(quorum: Quorum, field: str) -> None:
    refusal = both(quorum, quorum.evidence(LEAF, **{field: 2**64 - 1}))

    assert refusal[0] == {"frame": "FrameInFuture", "as_of": "AsOfInFuture", "valid_until": ""}[field]


def forest(quorum: Quorum, count: int) -> tuple[list[Leaf], list[list[bytes]], Evidence]:
    """Sign a tree of `count` accounts; return leaves, proofs and the evidence of the first."""
    leaves = [leaf_of(key(number).address, VENUE) for number in range(count)]
    top, proofs = merkle([leaf_hash(leaf) for leaf in leaves])
    root = root_of(quorum.chain.now, accounts_root=top, leaf_count=count)
    return leaves, proofs, Evidence(root, quorum.sign(root), leaves[0], proofs[0])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 13])
def test_th_046_tree__of_any_size__proves_each_leaf_and_no_other(quorum: Quorum, count: int) -> None:
    leaves, proofs, e = forest(quorum, count)

    for leaf, proof in zip(leaves, proofs, strict=True):
        stranger = leaf._replace(collateral_usd=leaf.collateral_usd + 1)
        assert quorum.refusal(e._replace(leaf=leaf, proof=proof)) == OK
        assert quorum.refusal(e._replace(leaf=stranger, proof=proof)) == ("LeafNotInRoot", (leaf_hash(stranger),))


def test_th_046_proof__one_node_short_long_or_swapped__is_refused(quorum: Quorum) -> None:
    _, _, e = forest(quorum, 8)
    first, second, third = e.proof

    assert quorum.refusal(e._replace(proof=[first, second])) == ("ProofTooShort", (2, 8))
    assert quorum.refusal(e._replace(proof=[*e.proof, first])) == ("ProofTooDeep", (4, 8))
    assert quorum.refusal(e._replace(proof=[second, first, third]))[0] == "LeafNotInRoot"
    assert quorum.refusal(e._replace(proof=[first, second, bytes(32)]))[0] == "LeafNotInRoot"


@pytest.mark.parametrize("depth", [64, 65, 255, 256, 257, 600])
def test_th_046_115_proof__far_too_long__is_refused_before_any_hash(quorum: Quorum, depth: int) -> None:
    e = quorum.evidence(LEAF)._replace(proof=[keccak(b"node")] * depth)

    assert quorum.refusal(e) == ("ProofTooDeep", (depth, 1))


def test_th_109_proof__empty__stands_for_a_one_leaf_tree_only(quorum: Quorum) -> None:
    assert quorum.refusal(quorum.evidence(LEAF)) == OK
    assert quorum.refusal(quorum.evidence(LEAF, leaf_count=2)) == ("ProofTooShort", (0, 2))
    assert both(quorum, quorum.evidence(LEAF, leaf_count=0)) == ("EmptyTree", ())


def test_th_091_root__of_zero__never_verifies_even_when_signed(quorum: Quorum) -> None:
    root = root_of(quorum.chain.now, accounts_root=bytes(32))

    assert both(quorum, Evidence(root, quorum.sign(root), LEAF, [])) == ("ZeroRoot", ())


def test_th_109_posted_root__never_posted_or_changed_since__is_unknown(quorum: Quorum) -> None:
    e = quorum.evidence(LEAF, skew=7)
    verify = quorum.verifier.functions.verifyPosted
    before = quorum.chain.refusal(verify(e.root, LEAF, []))
    quorum.chain.send(quorum.verifier.functions.postRoot(e.root, e.signatures), sender=4)

    assert before == ("RootNotPosted", (digest(e.root, quorum.verifier.address, DEVNET_ID),))
    assert quorum.chain.refusal(verify(e.root, LEAF, [])) == OK
    assert quorum.chain.refusal(verify(e.root._replace(skew=8), LEAF, []))[0] == "RootNotPosted"
    assert quorum.chain.refusal(verify(e.root, LEAF._replace(status=2), []))[0] == "LeafNotInRoot"
    assert quorum.chain.refusal(verify(e.root, LEAF, [bytes(32)]))[0] == "ProofTooDeep"


def test_root_posted__by_a_quorum__is_announced(quorum: Quorum) -> None:
    e = quorum.evidence(LEAF, skew=9)

    receipt = quorum.chain.send(quorum.verifier.functions.postRoot(e.root, e.signatures))

    (log,) = quorum.verifier.events.RootPosted().process_receipt(receipt)
    assert dict(log["args"]) == {
        "policyId": e.root.policy_id,
        "frame": e.root.frame,
        "accountsRoot": e.root.accounts_root,
        "bitmap": 1,
    }


@pytest.mark.parametrize("field", ["policy_id", "snapshot_root", "accounts_root", "skew", "leaf_count", "valid_until"])
def test_root__changed_in_one_field_after_signing__is_refused(quorum: Quorum, field: str) -> None:
    e = quorum.evidence(LEAF)
    value = getattr(e.root, field)
    root = e.root._replace(**{field: keccak(value) if isinstance(value, bytes) else value + 1})

    assert quorum.refusal(e._replace(root=root)) != OK


def test_th_106_replay__at_another_verifier_of_the_same_signers__is_refused(chain: Chain, quorum: Quorum) -> None:
    twin = deploy_quorum(chain, keys(1), k=1, f=0)
    e = quorum.evidence(LEAF)

    assert quorum.refusal(e) == OK
    assert twin.refusal(e) == ("SignatureInvalid", (0,))


@pytest.fixture
def fresh_chains() -> Iterator[tuple[Chain, Chain]]:
    """Run two devnets on which nothing was deployed yet."""
    with (
        start_anvil(31337002, block_time_s=None) as one,
        start_anvil(31337003, block_time_s=None) as two,
        connect(one) as first,
        connect(two) as second,
    ):
        yield first, second


def test_th_106_replay__at_the_twin_address_on_another_chain__is_refused(fresh_chains: tuple[Chain, Chain]) -> None:
    first, second = (deploy_quorum(chain, keys(1), k=1, f=0) for chain in fresh_chains)
    second.chain.mine_at(max(first.chain.now, second.chain.now) + 1)
    e = first.evidence(LEAF)

    assert first.verifier.address == second.verifier.address
    assert (first.refusal(e), second.refusal(e)) == (OK, ("SignatureInvalid", (0,)))


def test_th_106_chain_id__that_changes_under_the_contract__changes_the_domain(
    fresh_chains: tuple[Chain, Chain],
) -> None:
    quorum = deploy_quorum(fresh_chains[0], keys(1), k=1, f=0)
    e = quorum.evidence(LEAF)
    quorum.chain.send(quorum.verifier.functions.postRoot(e.root, e.signatures))
    before = quorum.verifier.functions.domainSeparator().call()
    quorum.chain.node.rpc("anvil_setChainId", [31337009])
    quorum.chain.mine_at(quorum.chain.now + 1)

    posted = quorum.chain.refusal(quorum.verifier.functions.verifyPosted(e.root, LEAF, []))

    assert quorum.verifier.functions.domainSeparator().call() != before
    assert quorum.refusal(e) == ("SignatureInvalid", (0,))
    assert posted[0] == "RootNotPosted"
    assert quorum.refusal(quorum.evidence(LEAF)) == OK
