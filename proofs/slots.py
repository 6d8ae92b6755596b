"""Where Solidity, Vyper and ERC-7201 put a value in contract storage: slot numbers, nothing else.

All slots are integers below 2^256. Sources: Solidity "Layout of State Variables in Storage", Vyper's reversed
mapping order, ERC-7201.
"""

from typing import Final

from proofs.errors import ConstructionRefused
from proofs.keccak import keccak256

__all__ = ["SLOT_COUNT", "array_slot", "erc7201_base", "mapping_slot", "nested_mapping_slot", "vyper_mapping_slot"]

SLOT_COUNT: Final = 2**256


def mapping_slot(base: int, key: bytes) -> int:
    """Return the slot of a Solidity mapping's value: keccak(key ++ base); key is 32 bytes."""
    return int.from_bytes(keccak256(_word(key) + _slot_bytes(base)), "big")


def vyper_mapping_slot(base: int, key: bytes) -> int:
    """Return the slot of a Vyper HashMap's value: keccak(base ++ key); key is 32 bytes."""
    return int.from_bytes(keccak256(_slot_bytes(base) + _word(key)), "big")


def nested_mapping_slot(base: int, *keys: bytes) -> int:
    """Return the slot of a value in nested Solidity mappings, outermost key first; each key is 32 bytes."""
    slot = base
    for key in keys:
        slot = mapping_slot(slot, key)
    return slot


def array_slot(base: int, index: int) -> int:
    """Return the slot of element `index` of a dynamic array of one-slot elements; its length stands at `base`."""
    if index < 0:
        raise ConstructionRefused("array index", str(index))
    return (int.from_bytes(keccak256(_slot_bytes(base)), "big") + index) % SLOT_COUNT


def erc7201_base(namespace: str) -> int:
    """Return the base slot of an ERC-7201 namespace: keccak(keccak(namespace) - 1) with the last byte cleared."""
    inner = int.from_bytes(keccak256(namespace.encode()), "big") - 1
    return int.from_bytes(keccak256(_slot_bytes(inner)), "big") & ~0xFF


def _slot_bytes(slot: int) -> bytes:
    if not 0 <= slot < SLOT_COUNT:
        raise ConstructionRefused("storage slot", str(slot))
    return slot.to_bytes(32, "big")


def _word(key: bytes) -> bytes:
    if len(key) != 32:
        raise ConstructionRefused("mapping key", f"{len(key)} bytes, expected 32")
    return key
