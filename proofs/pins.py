"""Code pins: what a contract must run, and what must stand in its storage, for a layout of it to mean anything.

A layout holds for the code it was derived from. A pin says that an address has a code hash and, behind a proxy, which
implementation its slot names; the implementation has a pin of its own. All pins of a question are proven at the same
block as the values it asks for, so an upgrade between two frames, or within one, is seen in the frame it happens in.

    proxy      code hash of the proxy, value of its implementation slot
    target     code hash of what that slot names

Sources: EIP-1967, EIP-1822; the older slot is OpenZeppelin's of 2018 (FiatToken still has it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from proofs.errors import ConstructionRefused
from proofs.keccak import keccak256
from proofs.slots import SLOT_COUNT
from proofs.types import Address, Hash32

__all__ = [
    "EIP1822_SLOT",
    "EIP1967_BEACON_SLOT",
    "EIP1967_SLOT",
    "OPENZEPPELIN_2018_SLOT",
    "PROXY_SLOTS",
    "CodePin",
    "proxy_pins",
]

EIP1967_SLOT: Final = int.from_bytes(keccak256(b"eip1967.proxy.implementation"), "big") - 1
EIP1967_BEACON_SLOT: Final = int.from_bytes(keccak256(b"eip1967.proxy.beacon"), "big") - 1
EIP1822_SLOT: Final = int.from_bytes(keccak256(b"PROXIABLE"), "big")
OPENZEPPELIN_2018_SLOT: Final = int.from_bytes(keccak256(b"org.zeppelinos.proxy.implementation"), "big")
PROXY_SLOTS: Final = (EIP1967_SLOT, EIP1967_BEACON_SLOT, EIP1822_SLOT, OPENZEPPELIN_2018_SLOT)
"""Slots that name another contract's code where a contract is a known kind of proxy; zero elsewhere."""


@dataclass(frozen=True, slots=True)
class CodePin:
    """Pin one contract: its code hash and, each as (slot, word), what its storage must hold."""

    address: Address
    code_hash: Hash32
    slots: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what names no address, no hash or no word."""
        if len(self.address) != 20 or len(self.code_hash) != 32:
            raise ConstructionRefused("code pin", "an address has 20 bytes, a code hash 32")
        words = [word for pair in self.slots for word in pair]
        if any(not 0 <= word < SLOT_COUNT for word in words) or len({slot for slot, _ in self.slots}) < len(self.slots):
            raise ConstructionRefused("code pin", "a slot stands twice, or a word has more than 256 bits")


def proxy_pins(
    proxy: Address,
    code_hash: Hash32,
    implementation: Address,
    implementation_code_hash: Hash32,
    slot: int = EIP1967_SLOT,
) -> tuple[CodePin, CodePin]:
    """Return the pins of a proxy and of its implementation, which `slot` of the proxy names."""
    named = int.from_bytes(implementation, "big")
    return CodePin(proxy, code_hash, ((slot, named),)), CodePin(implementation, implementation_code_hash)
