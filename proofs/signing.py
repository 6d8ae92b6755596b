"""The signer port, and the signer that holds its key in this process.

A signer signs 32-byte digests and knows nothing else: that a digest may be signed at all is the ledger's decision.
Every signature is recovered before it leaves, whoever made it. Where a key comes from (a keystore file, a remote
signer) is not decided here. There is no pure-Python elliptic curve: without libsecp256k1 this module does not import.
"""

from __future__ import annotations

from typing import Protocol

from coincurve import PrivateKey

from proofs.errors import ConstructionRefused, InvalidAttestation
from proofs.signers import ORDER, address_of_public_key, recover
from proofs.types import Address, Hash32, to_hex
from proofs.wire import AttestationRule

__all__ = ["LocalSigner", "Signer", "require_signer"]


class Signer(Protocol):
    """Hold one secp256k1 key and sign digests with it."""

    @property
    def address(self) -> Address:
        """Return the signer's address."""
        ...

    async def sign(self, digest: Hash32) -> bytes:
        """Return the 64-byte EIP-2098 signature (r ‖ yParityAndS), low-s, already recovered to `address`.

        Raises: InvalidAttestation when the recovered address differs.
        """
        ...


class LocalSigner:
    """Sign with a key in memory, deterministically (RFC 6979): the same digest has the same signature.

    Raises `ConstructionRefused` for a key that is not 32 bytes in 1 ... order - 1; no message or repr shows the key.
    """

    __slots__ = ("_address", "_key")

    def __init__(self, private_key: bytes) -> None:
        if len(private_key) != 32 or not 0 < int.from_bytes(private_key, "big") < ORDER:
            raise ConstructionRefused("private key", "expected 32 bytes in 1 ... order - 1")
        self._key = PrivateKey(private_key)
        self._address = address_of_public_key(self._key.public_key.format(compressed=False))

    @property
    def address(self) -> Address:
        """Return the signer's address."""
        return self._address

    async def sign(self, digest: Hash32) -> bytes:
        """Return the 64-byte EIP-2098 signature, recovered to `address`."""
        if len(digest) != 32:
            raise InvalidAttestation(AttestationRule.SIGNATURE_LENGTH, f"digest of {len(digest)} bytes")
        plain: bytes = self._key.sign_recoverable(digest, hasher=None)
        signature = plain[:32] + bytes([plain[32] | (plain[64] & 1) << 7]) + plain[33:64]
        require_signer(digest, signature, self._address)
        return signature

    def __repr__(self) -> str:
        return f"LocalSigner({to_hex(self._address)})"

    def __reduce__(self) -> tuple[object, ...]:
        """Refuse to be pickled or copied: the key stays where it is."""
        raise ConstructionRefused("signer", "a signer is not copied")


def require_signer(digest: Hash32, signature: bytes, address: Address) -> None:
    """Check that a signature over a digest, whoever made it, is the address's own.

    Raises `InvalidAttestation` with both addresses.
    """
    recovered = recover(digest, signature)
    if recovered != address:
        detail = f"recovered {to_hex(recovered)}, expected {to_hex(address)}"
        raise InvalidAttestation(AttestationRule.SIGNATURE_INVALID, detail)
