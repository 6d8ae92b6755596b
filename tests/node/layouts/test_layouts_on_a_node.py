"""Every layout against its own getter, read and proven at one block of a real node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from chains.adapter import NEWEST_S, ChainAdapter, ProofRequest
from chains.clock import SystemClock
from chains.collateral.erc20 import BALANCE_OF, IS_BLACKLISTED
from chains.connect import connect
from chains.network import network_of
from chains.observer import NullObserver
from chains.rpc import Provider
from chains.secret import SecretUrl
from proofs.keccak import keccak256
from proofs.layouts import (
    Erc7201Mapping,
    Layout,
    Rounding,
    ScaledDebt,
    ScaledSupply,
    ShareBalance,
    SolidityMapping,
    UsdcPacked,
    VyperMapping,
)
from proofs.pins import CodePin, proxy_pins
from proofs.sheet import ColumnSpec, ReadMode
from proofs.snapshot import ChainReading, Reason, Unavailable
from proofs.types import Address, Assurance, Hash32, parse_bytes, to_hex
from proofs.verify import VerifiedChain, proof_requests, verify_chain
from tests.node.layouts.zoo import AMOUNTS, ASSET, CHAIN, HOLDERS, Zoo

pytestmark = pytest.mark.node

STRANGER = Address(b"\x99" * 20)


@pytest.fixture
async def adapter(zoo: Zoo) -> AsyncIterator[ChainAdapter]:
    network = network_of(CHAIN)
    provider = Provider("one", "one", SecretUrl(zoo.node.url))
    opened = connect(network, network.finality, (provider,), NullObserver(), SystemClock())
    yield opened
    await opened.close()


def code_of(zoo: Zoo, address: Address) -> Hash32:
    return Hash32(keccak256(parse_bytes(str(zoo.node.rpc("eth_getCode", [to_hex(address), "latest"])))))


def column(zoo: Zoo, name: str, layout: Layout, token: Address | None = None) -> ColumnSpec:
    target = zoo.tokens[name] if token is None else token
    rows = (*HOLDERS, STRANGER)
    return ColumnSpec(name, target, ReadMode.CALL, BALANCE_OF, rows, (False,), layout, code_of(zoo, target))


async def read(adapter: ChainAdapter, *columns: ColumnSpec) -> ChainReading:
    anchor = await adapter.anchor(NEWEST_S)
    assert not isinstance(anchor, Unavailable), anchor
    reading = await adapter.read(anchor, (), (), columns)
    assert isinstance(reading, ChainReading), reading
    requests = tuple(ProofRequest(target, slots) for target, slots in proof_requests((), (), columns))
    proofs = await adapter.prove(anchor.block, requests, frozenset())
    assert not isinstance(proofs, Unavailable), proofs
    return replace(reading, proofs=proofs)


async def verified(adapter: ChainAdapter, *columns: ColumnSpec) -> VerifiedChain:
    outcome = verify_chain(await read(adapter, *columns), devnet=True)
    assert isinstance(outcome, VerifiedChain), outcome
    return outcome


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("FirstVersion", SolidityMapping(1)),
        ("PackedToken", UsdcPacked(9).balance),
        ("ReversedToken", VyperMapping(3)),
        ("NamespacedToken", Erc7201Mapping("openzeppelin.storage.ERC20")),
    ],
)
async def test_plain_layouts__of_deployed_tokens__prove_what_the_getter_says(
    zoo: Zoo, adapter: ChainAdapter, name: str, layout: Layout
) -> None:
    chain = await verified(adapter, column(zoo, name, layout))

    assert [chain.cell(name, holder) for holder in (*HOLDERS, STRANGER)] == [*((one,) for one in AMOUNTS), (0,)]
    assert chain.levels(name) == bytes([Assurance.STATE_PROOF]) * 4


async def test_share_balance__after_earnings__proves_what_the_getter_says(zoo: Zoo, adapter: ChainAdapter) -> None:
    chain = await verified(adapter, column(zoo, "ShareToken", ShareBalance(0, 1, 2)))
    total = sum(AMOUNTS)

    expected = [amount * (total + 12_345) // total for amount in AMOUNTS]
    assert [chain.cell("ShareToken", holder) for holder in HOLDERS] == [(amount,) for amount in expected]
    assert chain.assurance("ShareToken", HOLDERS[0]) is Assurance.STATE_PROOF


async def test_scaled_balances__a_day_after_the_update__accrue_to_the_block(zoo: Zoo, adapter: ChainAdapter) -> None:
    zoo.node.rpc("evm_increaseTime", [86_400])
    zoo.node.rpc("evm_mine")
    pool, pin = zoo.tokens["ScaledPool"], (CodePin(zoo.tokens["ScaledPool"], code_of(zoo, zoo.tokens["ScaledPool"])),)
    supply = replace(column(zoo, "ScaledSupplyToken", ScaledSupply(52, pool, ASSET)), pins=pin)
    debt = replace(column(zoo, "ScaledDebtToken", ScaledDebt(52, pool, ASSET)), pins=pin)

    chain = await verified(adapter, supply, debt)

    for name in ("ScaledSupplyToken", "ScaledDebtToken"):
        assert chain.levels(name) == bytes([Assurance.STATE_PROOF]) * 4
        for holder, scaled in zip(HOLDERS, AMOUNTS, strict=True):
            words = chain.cell(name, holder)
            assert words is not None
            assert words[0] > scaled
        assert chain.cell(name, STRANGER) == (0,)


async def test_scaled_balance__rounded_like_another_revision__is_a_contradiction(
    zoo: Zoo, adapter: ChainAdapter
) -> None:
    wrong = ScaledSupply(52, zoo.tokens["ScaledPool"], ASSET, rounding=Rounding.UP)

    outcome = verify_chain(await read(adapter, column(zoo, "ScaledSupplyToken", wrong)), devnet=True)

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.READING_CONTRADICTS_PROOF


async def test_scaled_balance__pool_not_pinned__is_not_proven_on_a_real_network(
    zoo: Zoo, adapter: ChainAdapter
) -> None:
    spec = column(zoo, "ScaledSupplyToken", ScaledSupply(52, zoo.tokens["ScaledPool"], ASSET))
    reading = await read(adapter, spec)
    two = replace(reading.sheet_votes, agreed=("one", "two"), configured=2)
    real = replace(reading, anchor=replace(reading.anchor, votes=two), sheet_votes=two)

    unpinned = verify_chain(real, devnet=False)

    assert isinstance(unpinned, VerifiedChain)
    assert unpinned.levels(spec.name) == bytes([Assurance.RPC_QUORUM]) * 4


async def test_th_011_frozen_holder__flagged_and_its_balance_not_masked_away(zoo: Zoo, adapter: ChainAdapter) -> None:
    token = zoo.deploy("PackedToken")
    zoo.mint(token)
    zoo.send(token, "setFrozen(address,bool)", HOLDERS[1], True)
    balance = column(zoo, "balance", UsdcPacked(9).balance, token)
    frozen = replace(balance, name="frozen", prefix=IS_BLACKLISTED, layout=UsdcPacked(9).frozen)

    chain = await verified(adapter, balance, frozen)

    assert [chain.cell("frozen", holder) for holder in HOLDERS] == [(0,), (1,), (0,)]
    assert chain.cell("balance", HOLDERS[1]) == (AMOUNTS[1],)
    assert chain.levels("frozen") == bytes([Assurance.STATE_PROOF]) * 4


async def test_th_018_upgrade_between_two_frames__the_leg_has_no_value_and_the_others_go_on(
    zoo: Zoo, adapter: ChainAdapter
) -> None:
    implementation, shifted = zoo.deploy("FirstVersion"), zoo.deploy("ShiftedVersion")
    proxy = zoo.deploy("UpgradeableProxy", ("address",), implementation)
    zoo.mint(proxy)
    pins = proxy_pins(proxy, code_of(zoo, proxy), implementation, code_of(zoo, implementation))
    upgradeable = replace(column(zoo, "upgradeable", SolidityMapping(1), proxy), pins=pins)
    other = column(zoo, "FirstVersion", SolidityMapping(1))

    before = await verified(adapter, upgradeable, other)
    zoo.send(proxy, "upgradeTo(address)", shifted)
    after = await verified(adapter, upgradeable, other)

    assert before.cell("upgradeable", HOLDERS[0]) == (AMOUNTS[0],)
    assert before.code_changed == frozenset()
    assert after.code_changed == {"upgradeable"}
    assert after.cell("upgradeable", HOLDERS[0]) is None
    assert not after.has("upgradeable")
    assert after.cell("FirstVersion", HOLDERS[0]) == (AMOUNTS[0],)
    assert after.assurance("FirstVersion", HOLDERS[0]) is Assurance.STATE_PROOF


async def test_th_018_upgrade_inside_one_frame__anchor_before_it__the_old_code_counts_at_its_own_block(
    zoo: Zoo, adapter: ChainAdapter
) -> None:
    """Everything is asked at the anchor's hash: what happens after that block is the next frame's matter."""
    implementation, shifted = zoo.deploy("FirstVersion"), zoo.deploy("ShiftedVersion")
    proxy = zoo.deploy("UpgradeableProxy", ("address",), implementation)
    zoo.mint(proxy)
    pins = proxy_pins(proxy, code_of(zoo, proxy), implementation, code_of(zoo, implementation))
    spec = replace(column(zoo, "upgradeable", SolidityMapping(1), proxy), pins=pins)
    anchor = await adapter.anchor(NEWEST_S)
    assert not isinstance(anchor, Unavailable)

    zoo.send(proxy, "upgradeTo(address)", shifted)
    reading = await adapter.read(anchor, (), (), (spec,))
    requests = tuple(ProofRequest(target, slots) for target, slots in proof_requests((), (), (spec,)))
    proofs = await adapter.prove(anchor.block, requests, frozenset())
    assert isinstance(reading, ChainReading)
    assert not isinstance(proofs, Unavailable)
    outcome = verify_chain(replace(reading, proofs=proofs), devnet=True)

    assert isinstance(outcome, VerifiedChain)
    assert outcome.cell("upgradeable", HOLDERS[2]) == (AMOUNTS[2],)


async def test_th_018_implementation_code_changed_behind_the_same_slot__the_leg_has_no_value(
    zoo: Zoo, adapter: ChainAdapter
) -> None:
    """Code at an address can change (self-destruct and create again): the implementation's own code is pinned too."""
    implementation = zoo.deploy("FirstVersion")
    proxy = zoo.deploy("UpgradeableProxy", ("address",), implementation)
    zoo.mint(proxy)
    pins = proxy_pins(proxy, code_of(zoo, proxy), implementation, Hash32(keccak256(b"what was reviewed")))
    spec = replace(column(zoo, "upgradeable", SolidityMapping(1), proxy), pins=pins)

    chain = await verified(adapter, spec)

    assert chain.code_changed == {"upgradeable"}
    assert chain.cell("upgradeable", HOLDERS[0]) is None


async def test_th_044_unknown_code_hash__of_a_column_with_and_without_a_layout__refused(
    zoo: Zoo, adapter: ChainAdapter
) -> None:
    unknown = Hash32(keccak256(b"unknown"))
    laid_out = replace(column(zoo, "FirstVersion", SolidityMapping(1)), code_hash=unknown)
    bare = replace(column(zoo, "ReversedToken", VyperMapping(3)), layout=None, code_hash=unknown)

    chain = await verified(
        adapter, laid_out, bare, column(zoo, "NamespacedToken", Erc7201Mapping("openzeppelin.storage.ERC20"))
    )

    assert chain.code_changed == {"FirstVersion", "ReversedToken"}
    assert chain.cell("NamespacedToken", HOLDERS[0]) == (AMOUNTS[0],)


async def test_th_044_shifted_layout__contradicts_the_getter(zoo: Zoo, adapter: ChainAdapter) -> None:
    outcome = verify_chain(await read(adapter, column(zoo, "FirstVersion", SolidityMapping(2))), devnet=True)

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.READING_CONTRADICTS_PROOF
