"""Signer sets and signature blobs: who may sign, and who did.

    set     (n, k, f, addresses), n <= 32, no zero and no repeated address, k > 0, k <= n - f, 2k - n > f:
            any two quorums share more than f members, so at least one honest one
    blob    uint32 bitmap (bit i = signer i) ‖ one 64-byte EIP-2098 signature per set bit, ascending, exact length;
            every set bit must verify, low-s only; there is no default threshold

Rules, and the order in which they are checked, are those of `proofs/contracts/src/SignerSet.sol`. What the set of an
epoch is, and whether it is in force at a frame, is the caller's to say. Signatures: libsecp256k1 by coincurve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from coincurve import PublicKey

from proofs.attestation import Domain, SignedRoot, check_root, digest
from proofs.errors import InvalidAttestation
from proofs.keccak import keccak256
from proofs.types import ZERO_ADDRESS, Address, Hash32
from proofs.wire import AttestationRule

SIGNERS_MAX: Final = 32
"""The bitmap has 32 bits."""
SIGNATURE_BYTES: Final = 64
BITMAP_BYTES: Final = 4
ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of the secp256k1 group (SEC 2)."""
HALF_ORDER: Final = ORDER >> 1
"""The largest low s."""


@dataclass(frozen=True, slots=True)
class SignerSet:
    """Hold a set that obeys the rules; the index of an address is its bit.

    Raises `InvalidAttestation` by rule, with the arithmetic.
    """

    addresses: tuple[Address, ...]
    k: int
    f: int

    def __post_init__(self) -> None:
        """Check the rules."""
        check_signer_set(len(self.addresses), self.k, self.f, self.addresses)


def check_signer_set(n: int, k: int, f: int, addresses: Sequence[Address]) -> None:
    """Check the rules of a signer set.

    Raises `InvalidAttestation` by rule, with the arithmetic in the message.
    """
    if not 0 < n <= SIGNERS_MAX or n != len(addresses):
        detail = f"n = {n} with {len(addresses)} addresses, allowed 1 to {SIGNERS_MAX}"
        raise InvalidAttestation(AttestationRule.BAD_SIGNER_COUNT, detail)
    if k <= 0:
        raise InvalidAttestation(AttestationRule.ZERO_THRESHOLD, f"k = {k}")
    if f < 0 or k > n - f:
        detail = f"k = {k}, n - f = {n} - {f} = {n - f}: with f members silent k is never reached"
        raise InvalidAttestation(AttestationRule.THRESHOLD_UNREACHABLE, detail)
    if 2 * k - n <= f:
        detail = f"2k - n = 2*{k} - {n} = {2 * k - n}, must exceed f = {f}: two quorums may share faulty members only"
        raise InvalidAttestation(AttestationRule.QUORUMS_MAY_DIVERGE, detail)
    for index, address in enumerate(addresses):
        if len(address) != 20 or address == ZERO_ADDRESS:
            raise InvalidAttestation(AttestationRule.ZERO_SIGNER, f"signer {index}: 0x{address.hex()}")
        if address in addresses[:index]:
            raise InvalidAttestation(AttestationRule.DUPLICATE_SIGNER, f"signer {index}: 0x{address.hex()}")


def verify_signed_root(signed: SignedRoot, domain: Domain, signers: SignerSet) -> tuple[int, ...]:
    """Check a root's own rules, its digest and its quorum; return the signers that signed.

    Raises `InvalidAttestation` by rule.
    """
    check_root(signed.root)
    recomputed = digest(domain, signed.root)
    if recomputed != signed.digest:
        detail = f"recomputed 0x{recomputed.hex()}, stated 0x{signed.digest.hex()}"
        raise InvalidAttestation(AttestationRule.DIGEST, detail)
    return check_signatures(recomputed, signed.signatures, signers.addresses, signers.k)


def check_signatures(digest: Hash32, blob: bytes, addresses: Sequence[Address], k: int) -> tuple[int, ...]:
    """Return the signers of a blob, at least k, every one of them verified.

    Raises `InvalidAttestation` by rule, naming the signer; surplus valid signatures do no harm.
    """
    if k <= 0:
        raise InvalidAttestation(AttestationRule.ZERO_THRESHOLD, f"k = {k}")
    signatures = unpack_signatures(blob, len(addresses))
    for index, signature in signatures:
        _check_signature(digest, signature, index, addresses[index])
    if len(signatures) < k:
        raise InvalidAttestation(AttestationRule.QUORUM_NOT_MET, f"have {len(signatures)}, need {k}")
    return tuple(index for index, _ in signatures)


def unpack_signatures(blob: bytes, n: int) -> tuple[tuple[int, bytes], ...]:
    """Split a blob into (signer, signature), ascending, unverified.

    Raises `InvalidAttestation` for a bit beyond the set and for any length but the exact one.
    """
    if len(blob) < BITMAP_BYTES:
        detail = f"{len(blob)} bytes, expected at least {BITMAP_BYTES}"
        raise InvalidAttestation(AttestationRule.SIGNATURE_LENGTH, detail)
    bitmap = int.from_bytes(blob[:BITMAP_BYTES], "big")
    if bitmap >> n:
        raise InvalidAttestation(AttestationRule.BITMAP_BEYOND_SET, f"bitmap {bitmap:#x}, {n} signers")
    need = BITMAP_BYTES + SIGNATURE_BYTES * bitmap.bit_count()
    if len(blob) != need:
        raise InvalidAttestation(AttestationRule.SIGNATURE_LENGTH, f"{len(blob)} bytes, expected {need}")
    members = [index for index in range(n) if bitmap >> index & 1]
    starts = range(BITMAP_BYTES, need, SIGNATURE_BYTES)
    return tuple((index, blob[at : at + SIGNATURE_BYTES]) for index, at in zip(members, starts, strict=True))


def pack_signatures(signatures: Sequence[tuple[int, bytes]]) -> bytes:
    """Build the blob of (signer, signature) pairs in any order.

    Raises `InvalidAttestation` for a repeated or impossible signer and for a signature that is not 64 bytes.
    """
    bitmap = 0
    ordered = sorted(signatures)
    for index, signature in ordered:
        if not 0 <= index < SIGNERS_MAX:
            raise InvalidAttestation(AttestationRule.BITMAP_BEYOND_SET, f"signer {index}")
        if bitmap >> index & 1:
            raise InvalidAttestation(AttestationRule.DUPLICATE_SIGNER, f"signer {index}")
        if len(signature) != SIGNATURE_BYTES:
            raise InvalidAttestation(AttestationRule.SIGNATURE_LENGTH, f"signer {index}: {len(signature)} bytes")
        bitmap |= 1 << index
    return bitmap.to_bytes(BITMAP_BYTES, "big") + b"".join(signature for _, signature in ordered)


def recover(digest: Hash32, signature: bytes) -> Address:
    """Return the address whose key made a 64-byte EIP-2098 signature (r ‖ yParityAndS) over a digest.

    Raises `InvalidAttestation` for another length, a high s, and r or s that recover to nothing.
    """
    if len(digest) != 32 or len(signature) != SIGNATURE_BYTES:
        detail = f"digest of {len(digest)}, signature of {len(signature)} bytes, expected 32 and {SIGNATURE_BYTES}"
        raise InvalidAttestation(AttestationRule.SIGNATURE_LENGTH, detail)
    r, s, parity = _parts(signature)
    if s > HALF_ORDER:
        raise InvalidAttestation(AttestationRule.HIGH_S, "s above half the group order")
    if not 0 < r < ORDER or s == 0:
        raise InvalidAttestation(AttestationRule.SIGNATURE_INVALID, "r or s outside the group")
    plain = signature[:32] + s.to_bytes(32, "big") + bytes([parity])
    try:
        key = PublicKey.from_signature_and_message(plain, digest, hasher=None)
    except ValueError as fault:  # r is no point's abscissa, or the key would be the point at infinity
        raise InvalidAttestation(AttestationRule.SIGNATURE_INVALID, "recovers to no key") from fault
    return address_of_public_key(key.format(compressed=False))


def address_of_public_key(public_key: bytes) -> Address:
    """Return the address of a 65-byte uncompressed public key."""
    return Address(keccak256(public_key[1:])[12:])


def _parts(signature: bytes) -> tuple[int, int, int]:
    tail = int.from_bytes(signature[32:], "big")
    return int.from_bytes(signature[:32], "big"), tail & (2**255 - 1), tail >> 255


def _check_signature(digest: Hash32, signature: bytes, index: int, expected: Address) -> None:
    try:
        recovered = recover(digest, signature)
    except InvalidAttestation as fault:
        raise InvalidAttestation(fault.rule, f"signer {index}: {fault.detail}") from fault
    if recovered == ZERO_ADDRESS or recovered != expected:
        detail = f"signer {index}: recovered 0x{recovered.hex()}, expected 0x{expected.hex()}"
        raise InvalidAttestation(AttestationRule.SIGNATURE_INVALID, detail)
