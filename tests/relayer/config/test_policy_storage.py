"""Layouts and pins in a policy: what they become, and what is refused by key."""

from __future__ import annotations

from typing import Any

import pytest

from chains.readers import column_of
from proofs.layouts import Erc7201Mapping, PackedMapping, ScaledSupply, SolidityMapping, VyperMapping
from proofs.pins import EIP1967_SLOT, OPENZEPPELIN_2018_SLOT, CodePin
from proofs.types import AccountId, Address, Hash32
from relayer.config.policy import Policy
from relayer.config.policy_document import parse_policy
from tests.relayer.config.documents import POLICY_TEXT, changed, faults

USDC = "0xaf88d065e77c8cc2239327c5edb3a432268e5831"
TOKEN = Address(bytes.fromhex(USDC[2:]))
CODE, CODE_2, CODE_3 = ("0x" + digit * 64 for digit in "abc")
TARGET, POOL = "0x" + "d1" * 20, "0x" + "d2" * 20
SCALED = {"layout": "scaled_supply", "base": 52, "pool": POOL, "asset": USDC}
PROXY = {"implementation": TARGET, "implementation_code_hash": CODE_2}


def text_with(**keys: Any) -> str:
    """Return the sample policy with keys of its ERC-20 source replaced, its code pinned."""
    text = POLICY_TEXT
    for key, value in {"code_hash": CODE, **keys}.items():
        if value is not None:
            text = changed(text, f"source.3.{key}", value)
    return text


def policy_with(**keys: Any) -> Policy:
    return parse_policy(text_with(**keys))


def question(policy: Policy, kind: str) -> Any:
    (found,) = [one for one in policy.questions if one.kind == kind]
    return found


def h(text: str) -> Hash32:
    return Hash32(bytes.fromhex(text[2:]))


@pytest.mark.parametrize(
    ("storage", "layout"),
    [
        ({"base": 9}, SolidityMapping(9)),
        ({"base": "0x" + "ff" * 32}, SolidityMapping(2**256 - 1)),
        ({"layout": "vyper_mapping", "base": 3}, VyperMapping(3)),
        (
            {"layout": "erc7201_mapping", "namespace": "openzeppelin.storage.ERC20"},
            Erc7201Mapping("openzeppelin.storage.ERC20"),
        ),
        ({"layout": "usdc_packed", "base": 9}, PackedMapping(9, 0, 255)),
    ],
)
def test_storage__every_way_to_name_a_layout__what_balance_of_returns(storage: Any, layout: object) -> None:
    asked = question(policy_with(storage=storage), "erc20")

    assert asked.layout == layout
    assert column_of(asked, ()).layout == layout
    assert column_of(asked, ()).code_hash == h(CODE)


def test_usdc_packed__in_a_source__asks_who_is_frozen_under_the_same_pins() -> None:
    policy = policy_with(storage={"layout": "usdc_packed", "base": 9}, **PROXY)
    mark = column_of(question(policy, "frozen"), (AccountId(bytes(12) + b"\x55" * 20),))
    (source,) = [one for one in policy.rules.collateral if one.column.endswith(f"erc20:{USDC}") and not one.holder]

    assert source.frozen_column == mark.name == f"eip155:42161/frozen:{USDC}"
    assert (mark.prefix.hex(), mark.layout) == ("fe575a87", PackedMapping(9, 255, 1))
    assert (mark.code_hash, len(mark.pins)) == (h(CODE), 2)


def test_frozen__named_getter__read_without_and_with_a_layout() -> None:
    plain = question(policy_with(frozen={"getter": "isBlackListed(address)"}), "frozen")
    proven = question(policy_with(frozen={"getter": "isBlackListed(address)", "storage": {"base": 6}}), "frozen")

    assert (plain.getter.hex(), plain.layout) == ("e47d6060", None)
    assert proven.layout == SolidityMapping(6)


def test_source_without_freeze__has_no_frozen_column() -> None:
    policy = policy_with(storage={"base": 9})

    assert all(source.frozen_column is None for source in policy.rules.collateral)
    assert all(asked.kind != "frozen" for asked in policy.questions)


def test_implementation__behind_a_proxy__slot_and_code_are_pinned() -> None:
    asked = question(policy_with(storage={"base": 9}, **PROXY), "erc20")
    named = int(TARGET, 16)

    assert asked.pins == (
        CodePin(TOKEN, h(CODE), ((EIP1967_SLOT, named),)),
        CodePin(Address(bytes.fromhex(TARGET[2:])), h(CODE_2)),
    )
    older = question(
        policy_with(storage={"base": 9}, implementation_slot=hex(OPENZEPPELIN_2018_SLOT), **PROXY), "erc20"
    )
    assert older.pins[0].slots == ((OPENZEPPELIN_2018_SLOT, named),)


def test_venue_and_price__behind_proxies__their_questions_carry_the_pins() -> None:
    text = POLICY_TEXT
    for key, value in {**PROXY, "code_hash": CODE}.items():
        text = changed(changed(text, f"venue.{key}", value), f"price.0.{key}", value)
    policy = parse_policy(text)

    assert len(question(policy, "perp_venue").pins) == 2
    assert [len(asked.pins) for asked in policy.questions if asked.kind == "chainlink"] == [2, 0]
    assert [len(asked.pins) for asked in policy.lists if asked.kind == "perp_venue"] == [2]


def test_scaled_supply__pool_pinned__the_pool_is_among_the_pins() -> None:
    pins = [{"address": POOL, "code_hash": CODE_2, "implementation": TARGET, "implementation_code_hash": CODE_3}]
    asked = question(policy_with(storage=SCALED, pin=pins), "erc20")

    assert asked.layout == ScaledSupply(52, bytes.fromhex(POOL[2:]), TOKEN)
    assert [pin.address.hex() for pin in asked.pins] == [POOL[2:], TARGET[2:]]


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"storage": {"layout": "sliced_mapping", "base": 1}}, "source[3].storage"),
        ({"storage": {"base": 1, "shift": 2}}, "source[3].storage"),
        ({"storage": {"layout": "packed_mapping", "base": 1}}, "source[3].storage"),
        ({"storage": {"base": True}}, "source[3].storage"),
        ({"storage": {"layout": "account_array", "base": 1}}, "source[3].storage.layout"),
        ({"storage": {**SCALED, "layout": "scaled_debt"}}, "source[3].storage.layout"),
        ({"storage": SCALED}, "source[3].pin"),
        ({"storage": {"base": 1}, "code_hash": None}, "source[3].code_hash"),
        ({"storage": {"base": 1}, "implementation": TARGET}, "source[3].implementation"),
        ({"storage": {"base": 1}, "implementation_code_hash": CODE_2}, "source[3].implementation"),
        ({"code_hash": None, **PROXY}, "source[3].implementation"),
        ({"implementation_slot": 7}, "source[3].implementation_slot"),
        ({"implementation": "0x" + "00" * 20, "implementation_code_hash": CODE_2}, "source[3].implementation"),
        ({"frozen": {"getter": "isBlackListed(uint256)"}}, "source[3].frozen.getter"),
        ({"frozen": {"getter": "isBlackListed(address)", "storage": SCALED}}, "source[3].frozen.storage.layout"),
        (
            {"code_hash": None, "frozen": {"getter": "isBlackListed(address)", "storage": {"base": 6}}},
            "source[3].code_hash",
        ),
        ({"pin": [{"address": POOL}]}, "source[3].pin[0].code_hash"),
        ({"pin": [{"address": POOL, "code_hash": CODE, "implementation": TARGET}]}, "source[3].pin[0].implementation"),
        ({"pin": [{"address": POOL, "code_hash": CODE}] * 2}, "source[3].pin[1].address"),
    ],
)
def test_storage_and_pins__one_broken_rule__is_named_by_key(keys: Any, fault: str) -> None:
    found = faults(text_with(**keys))

    assert fault in [at for at, _ in found], found


@pytest.mark.parametrize(
    ("key", "value"),
    [("frozen", {"getter": "isBlackListed(address)"}), ("pin", [{"address": POOL, "code_hash": CODE}])],
)
def test_storage_keys__of_another_kind_of_source__refused(key: str, value: Any) -> None:
    found = faults(changed(POLICY_TEXT, f"source.0.{key}", value))

    assert f"source[0].{key}" in [at for at, _ in found], found
