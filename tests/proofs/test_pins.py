"""Code pins: the published proxy slots, and what a pin must not be."""

from __future__ import annotations

import pytest

from proofs.errors import ConstructionRefused
from proofs.pins import (
    EIP1822_SLOT,
    EIP1967_BEACON_SLOT,
    EIP1967_SLOT,
    OPENZEPPELIN_2018_SLOT,
    CodePin,
    proxy_pins,
)
from proofs.types import Address, Hash32

PROXY, TARGET = Address(b"\x01" * 20), Address(b"\x02" * 20)
CODE, OTHER = Hash32(b"\x0a" * 32), Hash32(b"\x0b" * 32)


def test_proxy_slots__as_their_standards_print_them() -> None:
    assert f"{EIP1967_SLOT:064x}" == "360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
    assert f"{EIP1967_BEACON_SLOT:064x}" == "a3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50"
    assert f"{EIP1822_SLOT:064x}" == "c5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7"
    assert f"{OPENZEPPELIN_2018_SLOT:064x}" == "7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3"


def test_proxy_pins__proxy_names_its_implementation() -> None:
    proxy, implementation = proxy_pins(PROXY, CODE, TARGET, OTHER)

    assert proxy == CodePin(PROXY, CODE, ((EIP1967_SLOT, int("02" * 20, 16)),))
    assert implementation == CodePin(TARGET, OTHER)


@pytest.mark.parametrize(
    ("address", "code_hash", "slots"),
    [
        (b"\x01" * 19, CODE, ()),
        (PROXY, b"\x0a" * 31, ()),
        (PROXY, CODE, ((1, 2**256),)),
        (PROXY, CODE, ((-1, 0),)),
        (PROXY, CODE, ((1, 0), (1, 2))),
    ],
)
def test_code_pin__no_address_no_hash_no_word_or_a_slot_twice__refused(
    address: bytes, code_hash: bytes, slots: tuple[tuple[int, int], ...]
) -> None:
    with pytest.raises(ConstructionRefused):
        CodePin(Address(address), Hash32(code_hash), slots)
