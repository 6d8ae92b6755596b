"""Signature blobs: every malformation has its own refusal, and only members of the set in force count."""

from __future__ import annotations

import pytest
from eth_utils import keccak

from tests.node.contracts.wire import ORDER, Evidence, blob, compact, digest, key, keys, leaf_hash
from tests.node.contracts.world import OK, Chain, Quorum, Refusal, deploy_quorum, leaf_of, root_of

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def quorum(chain: Chain) -> Quorum:
    """Deploy one 3-of-4 verifier: nothing here changes state."""
    return deploy_quorum(chain, keys(4), k=3, f=1)


@pytest.fixture
def evidence(quorum: Quorum) -> Evidence:
    return quorum.evidence(leaf_of(key(50).address, keccak(b"venue")))


def refusal(quorum: Quorum, evidence: Evidence, signatures: bytes) -> Refusal:
    return quorum.refusal(evidence._replace(signatures=signatures))


def test_quorum__of_exactly_k_or_more_in_any_combination__verifies(quorum: Quorum, evidence: Evidence) -> None:
    for members in ((0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3), (0, 1, 2, 3)):
        assert refusal(quorum, evidence, quorum.sign(evidence.root, *members)) == OK


@pytest.mark.parametrize("members", [(0,), (3,), (0, 1), (1, 3)])
def test_th_096_quorum__of_fewer_than_k__is_refused(
    quorum: Quorum, evidence: Evidence, members: tuple[int, ...]
) -> None:
    signatures = quorum.sign(evidence.root, *members)

    assert refusal(quorum, evidence, signatures) == ("QuorumNotMet", (len(members), 3))


def test_th_091_quorum__of_nobody__is_refused(quorum: Quorum, evidence: Evidence) -> None:
    assert refusal(quorum, evidence, bytes(4)) == ("QuorumNotMet", (0, 3))


@pytest.mark.parametrize("length", [0, 1, 3])
def test_th_092_blob__shorter_than_its_bitmap__is_refused(quorum: Quorum, evidence: Evidence, length: int) -> None:
    assert refusal(quorum, evidence, evidence.signatures[:length]) == ("SignatureLength", (length, 4))


@pytest.mark.parametrize("change", [-64, -1, 1, 32, 64, 10_000])
def test_th_092_blob__one_byte_or_one_signature_off__is_refused(
    quorum: Quorum, evidence: Evidence, change: int
) -> None:
    right = evidence.signatures
    wrong = right[:change] if change < 0 else right + bytes(change)

    assert refusal(quorum, evidence, wrong) == ("SignatureLength", (len(right) + change, len(right)))


@pytest.mark.parametrize("bit", [4, 5, 31])
def test_th_092_bit__beyond_the_set__is_refused(quorum: Quorum, evidence: Evidence, bit: int) -> None:
    message = digest(evidence.root, quorum.verifier.address, quorum.chain.w3.eth.chain_id)
    members = {0: key(0), 1: key(1), 2: key(2), bit: key(bit)}

    assert refusal(quorum, evidence, blob(members, message)) == ("BitmapBeyondSet", (0b111 | 1 << bit, 4))


def test_th_092_signer__that_signs_for_another_place_too__is_refused(quorum: Quorum, evidence: Evidence) -> None:
    message = digest(evidence.root, quorum.verifier.address, quorum.chain.w3.eth.chain_id)
    twice = {0: key(0), 1: key(1), 2: key(1)}

    assert refusal(quorum, evidence, blob(twice, message)) == ("SignatureInvalid", (2,))


def test_th_092_signatures__in_falling_order__are_refused(quorum: Quorum, evidence: Evidence) -> None:
    message = digest(evidence.root, quorum.verifier.address, quorum.chain.w3.eth.chain_id)
    falling = (0b111).to_bytes(4, "big") + b"".join(compact(key(index), message) for index in (2, 1, 0))

    assert refusal(quorum, evidence, falling) == ("SignatureInvalid", (0,))


def test_extra_signature__that_is_wrong__spoils_a_quorum_of_right_ones(quorum: Quorum, evidence: Evidence) -> None:
    signatures = bytearray(quorum.sign(evidence.root, 0, 1, 2, 3))
    signatures[-40] ^= 1

    assert refusal(quorum, evidence, bytes(signatures)) == ("SignatureInvalid", (3,))


def test_stranger__in_a_members_place__is_refused(quorum: Quorum, evidence: Evidence) -> None:
    message = digest(evidence.root, quorum.verifier.address, quorum.chain.w3.eth.chain_id)
    members = {0: key(0), 1: key(77), 2: key(2)}

    assert refusal(quorum, evidence, blob(members, message)) == ("SignatureInvalid", (1,))


def replace_first(evidence: Evidence, signature: bytes) -> bytes:
    return evidence.signatures[:4] + signature + evidence.signatures[68:]


def test_th_093_high_s_twin__of_a_valid_signature__is_refused(quorum: Quorum, evidence: Evidence) -> None:
    r, vs = evidence.signatures[4:36], int.from_bytes(evidence.signatures[36:68], "big")
    parity, s = vs >> 255, vs & (1 << 255) - 1
    twin = (ORDER - s) | (1 - parity) << 255

    # ORDER - s is at least 2**255, so it also collides with the parity bit: both readings are refused.
    assert refusal(quorum, evidence, replace_first(evidence, r + (twin % 2**256).to_bytes(32, "big"))) != OK


@pytest.mark.parametrize(("s", "expected"), [(0, "HighS"), (-1, "SignatureInvalid"), (1, "HighS")])
def test_th_093_s__around_half_the_order__is_refused_as_high_only_above(
    quorum: Quorum, evidence: Evidence, s: int, expected: str
) -> None:
    half = ORDER // 2
    value = {0: half + 1, -1: half, 1: 2**255 - 1}[s]
    signature = evidence.signatures[4:36] + value.to_bytes(32, "big")

    assert refusal(quorum, evidence, replace_first(evidence, signature)) == (expected, (0,))


@pytest.mark.parametrize("r", [0, ORDER, 2**256 - 1, 5])
def test_th_093_r__zero_or_out_of_range_or_off_the_curve__is_refused(
    quorum: Quorum, evidence: Evidence, r: int
) -> None:
    signature = r.to_bytes(32, "big") + evidence.signatures[36:68]

    assert refusal(quorum, evidence, replace_first(evidence, signature)) == ("SignatureInvalid", (0,))


@pytest.mark.parametrize("s", [0, 1 << 255])
def test_th_093_s__zero__is_refused(quorum: Quorum, evidence: Evidence, s: int) -> None:
    signature = evidence.signatures[4:36] + s.to_bytes(32, "big")

    assert refusal(quorum, evidence, replace_first(evidence, signature)) == ("SignatureInvalid", (0,))


def test_th_093_parity__flipped__is_refused(quorum: Quorum, evidence: Evidence) -> None:
    signatures = bytearray(evidence.signatures)
    signatures[36] ^= 0x80

    assert refusal(quorum, evidence, bytes(signatures)) == ("SignatureInvalid", (0,))


def test_th_093_signatures__of_65_bytes__are_refused(quorum: Quorum, evidence: Evidence) -> None:
    message = digest(evidence.root, quorum.verifier.address, quorum.chain.w3.eth.chain_id)
    long = (0b111).to_bytes(4, "big") + b"".join(
        bytes(member.unsafe_sign_hash(message).signature) for member in keys(3)
    )

    assert refusal(quorum, evidence, long) == ("SignatureLength", (4 + 3 * 65, 4 + 3 * 64))


@pytest.mark.parametrize("changes", [{"frame": 1_700_000_000}, {"policy_id": keccak(b"another")}, {"skew": 1}])
def test_th_102_signatures__gathered_over_two_roots__never_reach_k(
    quorum: Quorum, evidence: Evidence, changes: dict[str, object]
) -> None:
    root = evidence.root
    other = (
        root._replace(frame=root.frame - 1, as_of=root.as_of - 1) if "frame" in changes else root._replace(**changes)
    )
    mixed = quorum.sign(root, 0, 1, 2)[:132] + quorum.sign(other, 2)[4:]

    assert refusal(quorum, evidence, mixed) == ("SignatureInvalid", (2,))


def test_th_115_blob__of_a_megabyte__costs_no_signature_check(quorum: Quorum, evidence: Evidence) -> None:
    huge = evidence.signatures + bytes(2**17)

    assert refusal(quorum, evidence, huge) == ("SignatureLength", (len(huge), len(evidence.signatures)))


def test_one_of_one__with_its_signature__verifies(chain: Chain) -> None:
    single = deploy_quorum(chain, keys(1), k=1, f=0)

    assert single.refusal(single.evidence(leaf_of(key(50).address, keccak(b"venue")))) == OK


def test_largest_set__with_bit_31_among_the_signers__verifies(chain: Chain) -> None:
    large = deploy_quorum(chain, keys(32), k=22, f=10)
    leaf = leaf_of(key(50).address, keccak(b"venue"))
    root = root_of(chain.now, accounts_root=leaf_hash(leaf))
    signatures = large.sign(root, *range(10, 32))

    assert large.refusal(Evidence(root, signatures, leaf, [])) == OK
    assert large.refusal(Evidence(root, large.sign(root, *range(11, 32)), leaf, [])) == ("QuorumNotMet", (21, 22))
