"""INV-16: only bound collateral weighs, and the bond outlasts the claim.

Weights by class; the delay is part of the code that the policy pins; from the request on a lock counts no more, while
every root that counted it ends before the lock can leave. Boxes, roots and frames are real: a node, the deployed
verifier, the relayer's own reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.devnet.deploy import RELEASE_DELAY_S
from chains.devnet.nodes import start_anvil
from proofs.keccak import keccak256
from proofs.types import Address, Assurance, Encumbrance, Quality
from proofs.units import E18, PPM
from relayer.margin.evaluate import evaluate
from relayer.margin.rules import MarginRules
from tests.node.contracts.boxes import BOX, USDX, Boxes, box_code, one_chain
from tests.node.contracts.conftest import connect
from tests.node.contracts.wire import Evidence, key, keys, leaf_hash
from tests.node.contracts.world import LIFETIME_S, OK, Chain, Quorum, deploy_quorum, leaf_of, root_of
from tests.relayer.config.documents import POLICY_TEXT, changed, faults
from tests.relayer.margin.build import RULES, USDX_A, USDX_FREE, holding, market, portfolio

CLASSES = (Encumbrance.ESCROWED, Encumbrance.PROTOCOL_LOCKED, Encumbrance.APPROVED, Encumbrance.FREE)
NAMES = ("escrowed", "protocol_locked", "approved", "free")
NATIVE = "0x" + "00" * 20
DEPOSITOR, SEIZER = 4, 5
REGISTRAR = Address(b"\x22" * 20)


# ------------------------------------------------------------------------------------------------ weights by class


def value_of(encumbrance: Encumbrance, amount: int, rules: MarginRules) -> int:
    source = replace(USDX_A, encumbrance=encumbrance)
    judged = replace(rules, collateral=(source,), positions=(), dust_usd=0)
    return evaluate(portfolio(holding(source, amount)), market(USDX=E18), judged).equity_usd


def weights_text(weights: tuple[int, ...]) -> str:
    table = {name: f"{weight // PPM}.{weight % PPM:06d}" for name, weight in zip(NAMES, weights, strict=True)}
    return changed(POLICY_TEXT, "encumbrance", table)


@settings(max_examples=60)
@given(st.lists(st.integers(0, PPM), min_size=4, max_size=4), st.integers(0, 2**80))
def test_inv_16_weights__that_fall_with_the_class__are_the_only_ones_a_policy_can_have(weights, amount) -> None:
    refused = [key for key, _ in faults(weights_text(tuple(weights)))]
    falling = tuple(sorted(weights, reverse=True))
    rules = replace(RULES, encumbrance_ppm=tuple(zip(CLASSES, falling, strict=True)))
    values = [value_of(each, amount, rules) for each in CLASSES]

    assert refused == ([] if tuple(weights) == falling else ["encumbrance"])
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("weight", ["1.000001", "2"])
def test_inv_16_weight__above_the_whole__is_refused(weight: str) -> None:
    text = changed(POLICY_TEXT, "encumbrance.escrowed", weight)

    assert [key for key, _ in faults(text)] == ["encumbrance.escrowed"]


def test_inv_16_free_balance__by_default__weighs_nothing_however_large() -> None:
    view = evaluate(portfolio(holding(USDX_FREE, 10**30)), market(USDX=E18), RULES)

    assert (view.equity_usd, view.leaf.collateral_usd) == (0, 0)


@pytest.mark.parametrize("claim", NAMES)
def test_inv_16_class__of_a_lock_or_a_wallet__is_what_it_is_not_what_the_policy_says(claim: str) -> None:
    lock, wallet = (
        changed(POLICY_TEXT, "source.0.encumbrance", claim),
        changed(POLICY_TEXT, "source.2.encumbrance", claim),
    )

    assert [key for key, _ in faults(lock)] == ([] if claim == "escrowed" else ["source[0].encumbrance"])
    assert [key for key, _ in faults(wallet)] == ([] if claim == "free" else ["source[2].encumbrance"])


# ----------------------------------------------------------------------------------------- the delay is in the code


@given(st.integers(1, 365 * 86_400), st.sampled_from((-1, 1, 60, -60)))
def test_th_077_delay__a_second_more_or_less__is_other_code(delay: int, shift: int) -> None:
    other = max(1, delay + shift)

    assert (keccak256(box_code(REGISTRAR, delay)) == keccak256(box_code(REGISTRAR, other))) is (delay == other)
    assert keccak256(box_code(REGISTRAR, delay)) != keccak256(box_code(Address(b"\x23" * 20), delay))


def test_inv_16_lock_box__on_a_real_network_without_a_pin__is_refused() -> None:
    assert faults(changed(POLICY_TEXT, "source.0.code_hash", None)) == [("source[0].code_hash", "missing")]


# ---------------------------------------------------------------------------------------- on a node: frame by frame


@pytest.fixture(scope="module")
def boxes() -> Iterator[Boxes]:
    with one_chain() as started:
        yield started


@pytest.mark.node
async def test_inv_16_devnet__delays_and_code__are_those_that_its_policy_needs(boxes: Boxes) -> None:
    document = boxes.world.policy_document()
    policy = boxes.policy()
    slowest = max(chain.lag_s for chain in policy.chains) + 3  # two blocks of a second, and one to see them
    least = policy.lifetime_s + slowest + policy.deadline_s + policy.frame_s

    assert document["lifetime_s"] == policy.lifetime_s
    assert least <= RELEASE_DELAY_S == boxes.world.release_delay_s
    assert boxes.code_hash(boxes.genuine) == keccak256(box_code(boxes.world.owner, RELEASE_DELAY_S))


@pytest.mark.node
async def test_th_076_lock__released_or_seized__counts_no_more_in_the_next_frame(boxes: Boxes) -> None:
    policy = boxes.policy()
    boxes.lock(boxes.genuine, 1_000 * USDX)
    boxes.lock(boxes.genuine, 500 * USDX)
    both = await boxes.view(policy)
    boxes.send(boxes.genuine, BOX.call("requestRelease", 0))
    one = await boxes.view(policy)
    boxes.send(boxes.genuine, BOX.call("seize", 1, 300 * USDX))
    rest = await boxes.view(policy)

    figures = [view.leaf.collateral_usd for view in (both, one, rest)]

    assert figures == [1_485 * E18, 495 * E18, 198 * E18]  # 1,500, then 500, then 200 dollars at a haircut of 1 %
    assert {view.leaf.assurance for view in (both, one, rest)} == {Assurance.STATE_PROOF}
    assert {view.quality for view in (both, one, rest)} == {Quality.DEVNET}


# ------------------------------------------------------------------------------------------ the bond and the claim


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with start_anvil(31337003, block_time_s=None) as node, connect(node) as connected:
        yield connected


@pytest.fixture(scope="module")
def quorum(chain: Chain) -> Quorum:
    return deploy_quorum(chain, keys(1), 1, 0)


@pytest.mark.node
@pytest.mark.parametrize("slack", [0, 1, 60])
def test_th_076_lock__whose_release_is_asked_right_after_its_frame__outlives_every_root_that_counted_it(
    chain: Chain, quorum: Quorum, slack: int
) -> None:
    """Lifetime 600 s, delay 600 s and a slack: at no second is the root valid and the lock able to leave."""
    box = chain.deploy("LockBox", chain.users[0], LIFETIME_S + slack)
    venue = keccak256(b"venue")
    chain.send(box.functions.registerVenue(venue, chain.users[SEIZER], chain.users[SEIZER]))
    leaf = leaf_of(key(60).address, venue)
    chain.send(box.functions.lock(NATIVE, 70, venue, leaf.account_id), DEPOSITOR, value=70)
    read_at = chain.now
    root = root_of(read_at, accounts_root=leaf_hash(leaf), valid_until=read_at + LIFETIME_S)
    e = Evidence(root, quorum.sign(root), leaf, [])
    chain.send(box.functions.requestRelease(0), DEPOSITOR, timestamp=read_at + 1)

    for at in (root.valid_until - 1, root.valid_until, root.valid_until + 1, root.valid_until + slack, read_at + 700):
        if at > chain.now:
            chain.mine_at(at)
        is_valid = quorum.refusal(e) == OK
        can_leave = chain.refusal(box.functions.release(0)) == OK
        assert not (is_valid and can_leave)
        assert is_valid is (chain.now <= root.valid_until)
        assert can_leave is (chain.now >= read_at + 1 + LIFETIME_S + slack)
        assert chain.refusal(box.functions.seize(0, 70), sender=SEIZER) == OK


@pytest.mark.node
def test_th_077_box__whose_delay_is_shorter_than_the_lifetime__would_let_a_counted_lock_leave(
    chain: Chain, quorum: Quorum
) -> None:
    """The counter-example: why a pin of the code, and so of the delay, is demanded."""
    box = chain.deploy("LockBox", chain.users[0], LIFETIME_S - 2)
    venue = keccak256(b"venue")
    chain.send(box.functions.registerVenue(venue, chain.users[SEIZER], chain.users[SEIZER]))
    leaf = leaf_of(key(60).address, venue)
    chain.send(box.functions.lock(NATIVE, 70, venue, leaf.account_id), DEPOSITOR, value=70)
    read_at = chain.now
    root = root_of(read_at, accounts_root=leaf_hash(leaf), valid_until=read_at + LIFETIME_S)
    chain.send(box.functions.requestRelease(0), DEPOSITOR, timestamp=read_at + 1)
    chain.mine_at(root.valid_until)

    assert quorum.refusal(Evidence(root, quorum.sign(root), leaf, [])) == OK
    assert chain.refusal(box.functions.release(0)) == OK
