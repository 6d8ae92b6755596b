"""Signer sets and signature blobs; the refused cases are those of TH-91 to TH-97 and TH-102."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.attestation import Domain, MarginRoot, SignedRoot, digest
from proofs.errors import ConstructionRefused, InvalidAttestation
from proofs.keccak import keccak256
from proofs.signers import (
    HALF_ORDER,
    ORDER,
    SignerSet,
    check_signatures,
    check_signer_set,
    pack_signatures,
    recover,
    unpack_signatures,
    verify_signed_root,
)
from proofs.signing import LocalSigner, require_signer
from proofs.types import ZERO_ADDRESS, Address, Hash32

DIGEST = Hash32(keccak256(b"what is signed"))
SIGNERS = tuple(LocalSigner(bytes([number]) * 32) for number in range(1, 6))
ADDRESSES = tuple(signer.address for signer in SIGNERS)
DOMAIN = Domain(31337001, Address(b"\x11" * 20))


def sign(index: int, what: Hash32 = DIGEST) -> bytes:
    return asyncio.run(SIGNERS[index].sign(what))


def blob(*indices: int, what: Hash32 = DIGEST) -> bytes:
    return pack_signatures([(index, sign(index, what)) for index in indices])


def rule_of(raw: bytes, k: int = 3, what: Hash32 = DIGEST) -> str:
    with pytest.raises(InvalidAttestation) as refusal:
        check_signatures(what, raw, ADDRESSES, k)
    return refusal.value.rule


def good_root() -> MarginRoot:
    return MarginRoot(Hash32(b"\1" * 32), 120, 100, 400, 7, 0, 1, Hash32(b"\2" * 32), Hash32(b"\3" * 32))


# --- blobs that count ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("members", [(0, 1, 2), (2, 3, 4), (0, 2, 4), (0, 1, 2, 3, 4)])
def test_blob__of_a_quorum__names_its_signers(members: tuple[int, ...]) -> None:
    assert check_signatures(DIGEST, blob(*members), ADDRESSES, 3) == members


def test_th_092_surplus_signatures__do_no_harm() -> None:
    assert check_signatures(DIGEST, blob(0, 1, 2, 3), ADDRESSES, 1) == (0, 1, 2, 3)


def test_pack__in_any_order__is_ascending_and_unpacks() -> None:
    pairs = [(index, sign(index)) for index in (4, 0, 2)]

    packed = pack_signatures(pairs)

    assert packed[:4] == bytes([0, 0, 0, 0b10101])
    assert unpack_signatures(packed, 5) == tuple(sorted(pairs))


def test_signed_root__with_its_quorum__is_verified() -> None:
    what = digest(DOMAIN, good_root())
    signed = SignedRoot(good_root(), what, blob(0, 1, 2, what=what))

    assert verify_signed_root(signed, DOMAIN, SignerSet(ADDRESSES[:4], 3, 1)) == (0, 1, 2)


# --- blobs that do not -----------------------------------------------------------------------------------------------


def test_th_091_no_signature_and_no_threshold__are_refused() -> None:
    assert rule_of(bytes(4)) == "quorum_not_met"
    assert rule_of(b"") == "signature_length"
    assert rule_of(blob(0, 1, 2), k=0) == "zero_threshold"
    assert rule_of(bytes(4), k=0) == "zero_threshold"


def test_th_092_duplicate_signer__is_refused() -> None:
    one = sign(0)

    with pytest.raises(InvalidAttestation, match="duplicate_signer"):
        pack_signatures([(0, one), (0, one), (1, sign(1))])
    assert rule_of(bytes([0, 0, 0, 0b11]) + one + one, k=2) == "signature_invalid"


def test_th_092_unsorted__is_refused() -> None:
    assert rule_of(bytes([0, 0, 0, 0b111]) + sign(0) + sign(2) + sign(1)) == "signature_invalid"


def test_th_092_bit_beyond_the_set__is_refused() -> None:
    assert rule_of(bytes([0, 0, 0, 0b100011]) + sign(0) + sign(1) + sign(2)) == "bitmap_beyond_set"
    assert rule_of(b"\x80\0\0\0" + sign(0)) == "bitmap_beyond_set"
    with pytest.raises(InvalidAttestation, match="bitmap_beyond_set"):
        pack_signatures([(32, sign(0))])
    with pytest.raises(InvalidAttestation, match="bitmap_beyond_set"):
        pack_signatures([(-1, sign(0))])


@pytest.mark.parametrize("change", [b"\0", b"\0" * 64])
def test_th_092_trailing_bytes__are_refused(change: bytes) -> None:
    assert rule_of(blob(0, 1, 2) + change) == "signature_length"


@pytest.mark.parametrize("cut", [1, 63, 64, 195])
def test_th_092_cut_blob__is_refused(cut: int) -> None:
    assert rule_of(blob(0, 1, 2)[:-cut]) == "signature_length"


def test_th_093_65_byte_form__is_refused() -> None:
    with pytest.raises(InvalidAttestation, match="signature_length"):
        pack_signatures([(0, sign(0) + b"\x1b")])
    with pytest.raises(InvalidAttestation, match="signature_length"):
        recover(DIGEST, sign(0) + b"\x1b")


def test_th_093_high_s_twin__is_refused_by_name() -> None:
    signature = sign(0)
    s = int.from_bytes(signature[32:], "big") & (2**255 - 1)
    parity = signature[32] >> 7
    twin_s = ORDER - s

    # The twin needs 256 bits or sets the parity bit: what can still be written down has s just above the half.
    assert twin_s > HALF_ORDER
    tail = ((HALF_ORDER + 1) | parity << 255).to_bytes(32, "big")
    with pytest.raises(InvalidAttestation, match="high_s"):
        recover(DIGEST, signature[:32] + tail)
    assert rule_of(bytes([0, 0, 0, 0b111]) + signature[:32] + tail + sign(1) + sign(2)) == "high_s"


def test_th_093_other_parity__recovers_another_key() -> None:
    signature = sign(0)
    other = signature[:32] + bytes([signature[32] ^ 0x80]) + signature[33:]

    assert recover(DIGEST, signature) == ADDRESSES[0]
    assert rule_of(bytes([0, 0, 0, 0b111]) + other + sign(1) + sign(2)) == "signature_invalid"


@pytest.mark.parametrize("r", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_th_093_r_outside_the_group__is_refused(r: int) -> None:
    with pytest.raises(InvalidAttestation, match="signature_invalid"):
        recover(DIGEST, r.to_bytes(32, "big") + sign(0)[32:])


def test_th_093_s_zero_and_r_of_no_point__are_refused() -> None:
    with pytest.raises(InvalidAttestation, match="signature_invalid"):
        recover(DIGEST, sign(0)[:32] + bytes(32))
    # 5 is no abscissa of y^2 = x^3 + 7: 132 is no square modulo the field's prime.
    prime = 2**256 - 2**32 - 977
    assert pow(5**3 + 7, (prime - 1) // 2, prime) == prime - 1
    with pytest.raises(InvalidAttestation, match="recovers to no key"):
        recover(DIGEST, (5).to_bytes(32, "big") + sign(0)[32:])


def test_th_093_s_at_the_half__is_not_high() -> None:
    low = sign(0)[:32] + HALF_ORDER.to_bytes(32, "big")

    assert recover(DIGEST, low) not in (ADDRESSES[0], ZERO_ADDRESS)


def test_th_093_zero_address__cannot_be_configured() -> None:
    with pytest.raises(InvalidAttestation, match="zero_signer"):
        SignerSet((ADDRESSES[0], ZERO_ADDRESS, ADDRESSES[1]), 3, 0)


@pytest.mark.parametrize("have", [0, 1, 2])
def test_th_096_one_signature_short__never_passes(have: int) -> None:
    assert rule_of(blob(*range(have))) == "quorum_not_met"


def test_th_102_signatures_over_other_digests__never_reach_the_quorum() -> None:
    later = digest(DOMAIN, replace(good_root(), frame=180))
    other_policy = digest(DOMAIN, replace(good_root(), policy_id=Hash32(b"\7" * 32)))
    other_epoch = digest(DOMAIN, replace(good_root(), signer_epoch=1))
    what = digest(DOMAIN, good_root())

    for foreign in (later, other_policy, other_epoch):
        mixed = pack_signatures([(0, sign(0, what)), (1, sign(1, what)), (2, sign(2, foreign))])
        assert rule_of(mixed, what=what) == "signature_invalid"


def test_th_102_other_domain__never_passes() -> None:
    what = digest(DOMAIN, good_root())
    signed = SignedRoot(good_root(), what, blob(0, 1, 2, what=what))

    with pytest.raises(InvalidAttestation, match="digest"):
        verify_signed_root(signed, replace(DOMAIN, chain_number=1), SignerSet(ADDRESSES[:4], 3, 1))


@given(st.integers(0, 4 + 3 * 64 - 1), st.integers(1, 255))
def test_every_byte_of_a_blob__flipped__is_refused(at: int, mask: int) -> None:
    raw = bytearray(QUORUM)
    raw[at] ^= mask

    with pytest.raises(InvalidAttestation):
        check_signatures(DIGEST, bytes(raw), ADDRESSES, 3)


QUORUM = blob(0, 1, 2)


@given(st.binary(max_size=300), st.integers(0, 6))
def test_any_bytes__end_in_our_own_error(raw: bytes, k: int) -> None:
    with pytest.raises(InvalidAttestation):
        check_signatures(DIGEST, raw, ADDRESSES, k)


# --- sets ------------------------------------------------------------------------------------------------------------


def made_up(n: int) -> tuple[Address, ...]:
    return tuple(Address(number.to_bytes(20, "big")) for number in range(1, n + 1))


@pytest.mark.parametrize(
    ("n", "k", "f"), [(1, 1, 0), (4, 3, 1), (7, 5, 2), (19, 13, 6), (3, 2, 0), (5, 3, 0), (32, 22, 10)]
)
def test_set__of_the_specification__is_accepted(n: int, k: int, f: int) -> None:
    check_signer_set(n, k, f, made_up(n))


@pytest.mark.parametrize(
    ("n", "k", "f", "rule", "arithmetic"),
    [
        (0, 0, 0, "bad_signer_count", "n = 0"),
        (33, 22, 10, "bad_signer_count", "n = 33"),
        (3, 0, 0, "zero_threshold", "k = 0"),
        (3, 3, 1, "threshold_unreachable", "3 - 1 = 2"),
        (3, 4, 0, "threshold_unreachable", "3 - 0 = 3"),
        (3, 2, -1, "threshold_unreachable", "k = 2"),
        (3, 2, 1, "quorums_may_diverge", "2*2 - 3 = 1, must exceed f = 1"),
        (5, 3, 1, "quorums_may_diverge", "2*3 - 5 = 1, must exceed f = 1"),
        (2, 1, 0, "quorums_may_diverge", "2*1 - 2 = 0, must exceed f = 0"),
    ],
)
def test_th_094_set_breaking_a_rule__is_refused_with_the_arithmetic(
    n: int, k: int, f: int, rule: str, arithmetic: str
) -> None:
    with pytest.raises(InvalidAttestation) as refusal:
        check_signer_set(n, k, f, made_up(n))

    assert refusal.value.rule == rule
    assert arithmetic in str(refusal.value)


def test_set__with_repeated_or_short_addresses__is_refused() -> None:
    addresses = made_up(4)

    with pytest.raises(InvalidAttestation, match="duplicate_signer"):
        check_signer_set(4, 3, 1, (*addresses[:3], addresses[0]))
    with pytest.raises(InvalidAttestation, match="zero_signer"):
        check_signer_set(4, 3, 1, (*addresses[:3], Address(b"\1" * 19)))
    with pytest.raises(InvalidAttestation, match="bad_signer_count"):
        check_signer_set(4, 3, 1, addresses[:3])


# --- the local signer ------------------------------------------------------------------------------------------------


def test_signer__address_and_signature__are_those_of_another_implementation() -> None:
    from eth_account import Account

    key = keccak256(b"a key")
    signer = LocalSigner(key)
    theirs = Account.from_key(key).unsafe_sign_hash(DIGEST)

    signature = asyncio.run(signer.sign(DIGEST))

    assert "0x" + signer.address.hex() == Account.from_key(key).address.lower()
    assert len(signature) == 64
    assert int.from_bytes(signature[:32], "big") == theirs.r
    assert int.from_bytes(signature[32:], "big") == theirs.s | (theirs.v - 27) << 255


@given(st.binary(min_size=32, max_size=32))
def test_signature__of_any_digest__recovers_to_its_signer(what: bytes) -> None:
    signature = asyncio.run(SIGNERS[0].sign(Hash32(what)))

    assert recover(Hash32(what), signature) == ADDRESSES[0]
    assert asyncio.run(SIGNERS[0].sign(Hash32(what))) == signature


@pytest.mark.parametrize("key", [b"", bytes(32), b"\1" * 31, b"\1" * 33, ORDER.to_bytes(32, "big"), b"\xff" * 32])
def test_key__outside_the_group__is_refused_without_being_shown(key: bytes) -> None:
    with pytest.raises(ConstructionRefused) as refusal:
        LocalSigner(key)

    assert not key or key.hex() not in str(refusal.value)


def test_secret__is_in_no_repr_and_leaves_by_no_copy() -> None:
    import copy
    import pickle

    key = keccak256(b"secret")
    signer = LocalSigner(key)

    for text in (repr(signer), str(signer), f"{signer}"):
        assert text == f"LocalSigner(0x{signer.address.hex()})"
    for leak in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(ConstructionRefused):
            leak(signer)
    assert not hasattr(signer, "__dict__")


@pytest.mark.parametrize("what", [b"", b"\1" * 31, b"\1" * 33])
def test_signer__asked_for_no_digest__refuses(what: bytes) -> None:
    with pytest.raises(InvalidAttestation):
        asyncio.run(SIGNERS[0].sign(Hash32(what)))


def test_th_097_signature_over_something_else__does_not_leave() -> None:
    prefixed = Hash32(keccak256(b"\x19Ethereum Signed Message:\n32" + DIGEST))

    with pytest.raises(InvalidAttestation, match="recovered"):
        require_signer(DIGEST, sign(0, prefixed), ADDRESSES[0])
    with pytest.raises(InvalidAttestation, match="recovered"):
        require_signer(DIGEST, sign(1), ADDRESSES[0])
    require_signer(DIGEST, sign(0), ADDRESSES[0])
