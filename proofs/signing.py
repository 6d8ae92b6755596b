"""The signer port. (The local signer is added by the owner of this module.)"""

from __future__ import annotations

from typing import Protocol

from proofs.types import Address, Hash32


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
