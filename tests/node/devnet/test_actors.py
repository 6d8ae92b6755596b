"""Actors on a real chain: every act is mined, every refusal carries the contract's own error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from typing import Final

import pytest

from chains.devnet import actors
from chains.devnet.abi import load_artifact
from chains.devnet.errors import Reverted
from chains.devnet.rpc import rpc
from chains.devnet.seeding import SeededAccount, seed_accounts
from chains.devnet.transactions import Transaction, call
from chains.devnet.world import World
from proofs.attestation import Domain, MarginLeaf, MarginRoot, accounts_tree, digest
from proofs.signers import pack_signatures
from proofs.signing import LocalSigner
from proofs.types import (
    AccountId,
    Address,
    Assurance,
    Hash32,
    Quality,
    Status,
    account_of_address,
    evm_chain_number,
    to_hex,
)

pytestmark = pytest.mark.node

POLICY: Final = Hash32(b"\x51" * 32)
USD: Final = 10**18
ONE: Final = 10**18


@pytest.fixture(scope="module")
def accounts(world: World) -> tuple[SeededAccount, ...]:
    seeded = seed_accounts(world, 16)
    actors.activate_policy(world, POLICY)
    rpc(world.home.url, "evm_increaseTime", [actors.POLICY_LEAD_S + 1])
    rpc(world.home.url, "evm_mine")
    return seeded


def now(world: World) -> int:
    block = rpc(world.home.url, "eth_getBlockByNumber", ["latest", False])
    assert isinstance(block, dict)
    return int(str(block["timestamp"]), 16)


def leaf_of(world: World, account: AccountId, **changes: object) -> MarginLeaf:
    leaf = MarginLeaf(
        account_id=account,
        venue_id=world.venue_id,
        status=Status.HEALTHY,
        assurance=Assurance.STATE_PROOF,
        quality=Quality.DEVNET,
        collateral_usd=1000 * USD,
        liability_usd=0,
        initial_margin_usd=0,
        maintenance_margin_usd=0,
        legs_root=Hash32(b"\x01" * 32),
    )
    return replace(leaf, **changes)  # type: ignore[arg-type]  # the test names fields


async def attest(
    world: World, signer: LocalSigner, leaf: MarginLeaf, others: Sequence[MarginLeaf] = ()
) -> tuple[MarginRoot, bytes, MarginLeaf, tuple[bytes, ...]]:
    leaves = sorted((leaf, *others), key=lambda each: each.account_id)
    tree = accounts_tree(leaves)
    time = now(world)
    root = MarginRoot(POLICY, time, time, time + 300, 0, 0, len(leaves), Hash32(b"\x02" * 32), Hash32(tree.root))
    domain = Domain(evm_chain_number(world.home.chain), world.verifier.address)
    signatures = pack_signatures([(0, await signer.sign(digest(domain, root)))])
    return root, signatures, leaf, tuple(tree.proof(leaves.index(leaf)))


def position(world: World, account: bytes, market: str) -> tuple[object, ...]:
    market_id = world.market(market).market_id
    return actors.ask(world, "PerpVenue", world.venue.address, "positionOf", market_id, account)


async def test_verify_on_chain__signed_leaf_of_several__is_mined_and_accepted(
    world: World, accounts: tuple[SeededAccount, ...], signer: LocalSigner
) -> None:
    first, *rest = [leaf_of(world, each.account) for each in accounts[:5]]
    evidence = await attest(world, signer, first, rest)

    mined = actors.verify_on_chain(world, *evidence)
    actors.call_verify(world, *evidence)

    receipt = rpc(world.home.url, "eth_getTransactionReceipt", [to_hex(mined)])
    assert isinstance(receipt, dict)
    assert (receipt["status"], receipt["to"]) == ("0x1", to_hex(world.verifier.address))


async def test_call_verify__abi_tuples_instead_of_dataclasses__are_the_same(
    world: World, accounts: tuple[SeededAccount, ...], signer: LocalSigner
) -> None:
    root, signatures, leaf, proof = await attest(world, signer, leaf_of(world, accounts[0].account))

    actors.call_verify(world, astuple(root), signatures, astuple(leaf), proof)


async def test_call_verify__one_wei_one_bit_or_one_second_off__names_the_rule(
    world: World, accounts: tuple[SeededAccount, ...], signer: LocalSigner
) -> None:
    root, signatures, leaf, proof = await attest(world, signer, leaf_of(world, accounts[0].account))
    tampered = [
        ((root, signatures, replace(leaf, collateral_usd=leaf.collateral_usd + 1), proof), "LeafNotInRoot"),
        ((replace(root, valid_until=root.valid_until + 1), signatures, leaf, proof), "SignatureInvalid"),
        ((root, signatures[:-1] + bytes([signatures[-1] ^ 1]), leaf, proof), "SignatureInvalid"),
        ((root, signatures[:-1], leaf, proof), "SignatureLength"),
        ((replace(root, signer_epoch=1), signatures, leaf, proof), "UnknownEpoch"),
        ((replace(root, valid_until=root.frame - 1), signatures, leaf, proof), "RootExpired"),
    ]

    for evidence, error in tampered:
        with pytest.raises(Reverted) as refused:
            actors.call_verify(world, *evidence)
        assert refused.value.error == error
        with pytest.raises(Reverted, match=error):
            actors.verify_on_chain(world, *evidence)


async def test_open_position__under_evidence__stands_at_the_feeds_price_and_uses_the_excess_up(
    world: World, accounts: tuple[SeededAccount, ...], signer: LocalSigner
) -> None:
    account = accounts[0].account  # locks only
    actors.set_price(world, "ETH", "3000")
    evidence = await attest(world, signer, leaf_of(world, account))

    actors.open_position(world, account, "ETH-PERP", 3 * ONE, evidence)  # initial margin 900 of 1000

    assert position(world, account, "ETH-PERP") == (3 * ONE, 9000 * ONE, 0)
    with pytest.raises(Reverted) as refused:
        actors.open_position(world, account, "ETH-PERP", ONE, evidence)
    assert (refused.value.error, refused.value.arguments) == ("ExcessInsufficient", (1000 * USD, 1200 * USD))
    with pytest.raises(Reverted, match="OppositeSide"):
        actors.open_position(world, account, "ETH-PERP", -1, evidence)


# (3000 + 2 x 3667) / 3 = 3444.666…: rounded up for a long, down for a short.
@pytest.mark.parametrize(("side", "entry_price"), [(1, 10334 * ONE // 3 + 1), (-1, 10334 * ONE // 3)])
async def test_open_position__enlarged_at_another_price__entry_is_the_mean_against_the_account(
    world: World, accounts: tuple[SeededAccount, ...], signer: LocalSigner, side: int, entry_price: int
) -> None:
    account = accounts[8].account if side > 0 else account_of_address(Address(b"\x65" * 20))
    actors.give(world, account, ONE)
    evidence = await attest(world, signer, leaf_of(world, account, collateral_usd=10**9 * USD))
    actors.set_price(world, "ETH", "3000")
    actors.open_position(world, account, "ETH-PERP", side * ONE, evidence)
    actors.set_price(world, "ETH", "3667")

    actors.open_position(world, account, "ETH-PERP", side * 2 * ONE, evidence)

    assert position(world, account, "ETH-PERP") == (side * 3 * ONE, side * 3 * entry_price, 0)


async def test_close_and_withdraw__gain_of_a_long__is_realised_and_paid_without_evidence_when_flat(
    world: World, accounts: tuple[SeededAccount, ...], signer: LocalSigner
) -> None:
    account = account_of_address(Address(b"\x66" * 20))
    actors.give(world, account, ONE)
    actors.set_price(world, "BTC", "60000")
    evidence = await attest(world, signer, leaf_of(world, account, collateral_usd=10**6 * USD))
    actors.open_position(world, account, "BTC-PERP", ONE, evidence)
    actors.set_price(world, "BTC", "60500.5")

    actors.close_position(world, account, "BTC-PERP")

    assert position(world, account, "BTC-PERP") == (0, 0, 500 * ONE + ONE // 2)
    unsigned = (astuple(evidence[0]), b"", astuple(evidence[2]), ())
    with pytest.raises(Reverted, match="RealisedTooSmall"):
        actors.withdraw(world, account, "BTC-PERP", 501 * ONE, unsigned)
    actors.withdraw(world, account, "BTC-PERP", 500 * ONE, unsigned)
    token = load_artifact("TestToken")
    asked = Transaction(world.owner, world.place("A", "USDX").address, token.call("balanceOf", b"\x66" * 20))
    assert token.decode("balanceOf", call(world.home.url, asked)) == (500 * 10**6,)
    with pytest.raises(Reverted, match="SizeZero"):
        actors.close_position(world, account, "BTC-PERP")


async def test_funding__index_moves_while_a_position_is_open__is_settled_when_it_is_enlarged(
    world: World, accounts: tuple[SeededAccount, ...], signer: LocalSigner
) -> None:
    account = account_of_address(Address(b"\x67" * 20))
    actors.give(world, account, ONE)
    actors.set_price(world, "BTC", "60000")
    evidence = await attest(world, signer, leaf_of(world, account, collateral_usd=10**6 * USD))
    actors.open_position(world, account, "BTC-PERP", 2 * ONE, evidence)

    actors.set_funding(world, "BTC-PERP", 30 * ONE)
    before = position(world, account, "BTC-PERP")
    actors.open_position(world, account, "BTC-PERP", ONE, evidence)
    actors.set_funding(world, "BTC-PERP", 31 * ONE)

    assert before == (2 * ONE, 120_000 * ONE, -60 * ONE)
    assert position(world, account, "BTC-PERP") == (3 * ONE, 180_000 * ONE, -63 * ONE)


async def test_liquidate__by_status__only_below_maintenance(
    world: World, accounts: tuple[SeededAccount, ...], signer: LocalSigner
) -> None:
    account = account_of_address(Address(b"\x68" * 20))
    actors.seed_position(world, account, "ETH-PERP", ONE, "3100")
    actors.set_price(world, "ETH", "3000")
    healthy = await attest(world, signer, leaf_of(world, account))
    with pytest.raises(Reverted) as refused:
        actors.liquidate(world, account, "ETH-PERP", healthy)
    assert (refused.value.error, refused.value.arguments) == ("StatusRefused", (int(Status.HEALTHY),))

    doomed = await attest(world, signer, leaf_of(world, account, status=Status.LIQUIDATABLE))
    actors.liquidate(world, account, "ETH-PERP", doomed)
    actors.credit(world, account, "ETH-PERP", 40 * ONE)

    assert position(world, account, "ETH-PERP") == (0, 0, -60 * ONE)


async def test_poke_and_post_root__newer_frame__supersedes_older_evidence(
    world: World, accounts: tuple[SeededAccount, ...], signer: LocalSigner
) -> None:
    account = accounts[1].account
    older = await attest(world, signer, leaf_of(world, account))
    rpc(world.home.url, "evm_increaseTime", [2])
    rpc(world.home.url, "evm_mine")
    newer = await attest(world, signer, leaf_of(world, account))

    actors.post_root(world, newer[0], newer[1])
    actors.poke(world, (newer[0], b"", newer[2], newer[3]))

    with pytest.raises(Reverted, match="FrameSuperseded"):
        actors.open_position(world, account, "BTC-PERP", 1, older)


def locked(world: World, chain: str, account: bytes, symbol: str) -> int:
    site, box = world.chain(chain), load_artifact("LockBox")
    data = box.call("locked", world.venue_id, world.place(chain, symbol).address, account)
    return int.from_bytes(call(site.url, Transaction(world.owner, site.lock_box.address, data)), "big")


@pytest.mark.parametrize(("chain", "symbol"), [("A", "ETH"), ("A", "USDX"), ("B", "BTC"), ("C", "ETH")])
def test_lock_more__native_and_tokens__adds_exactly_and_stops_counting_at_the_request(
    world: World, accounts: tuple[SeededAccount, ...], chain: str, symbol: str
) -> None:
    account = accounts[2].account
    before = locked(world, chain, account, symbol)

    lock_id = actors.lock_more(world, chain, accounts[2].address, symbol, 12_345)

    assert locked(world, chain, account, symbol) == before + 12_345
    actors.request_release(world, chain, lock_id)
    assert locked(world, chain, account, symbol) == before
    with pytest.raises(Reverted, match="NotYetReleasable"):
        actors.release(world, chain, lock_id)


def test_seize__part_of_a_lock__is_paid_to_the_venues_receiver_and_the_rest_released_in_time(
    world: World, accounts: tuple[SeededAccount, ...]
) -> None:
    site, account = world.chain("C"), accounts[3].account
    token, receiver = world.place("C", "ETH").address, world.receiver
    erc20 = load_artifact("TestToken")
    asked = Transaction(world.owner, token, erc20.call("balanceOf", receiver))
    before = locked(world, "C", account, "ETH")
    lock_id = actors.lock_more(world, "C", account, "ETH", 100)

    actors.seize(world, "C", lock_id, 30)

    assert erc20.decode("balanceOf", call(site.url, asked)) == (30,)
    assert locked(world, "C", account, "ETH") == before + 70
    actors.request_release(world, "C", lock_id)
    rpc(site.url, "evm_increaseTime", [world.release_delay_s])
    rpc(site.url, "evm_mine")
    actors.release(world, "C", lock_id)
    with pytest.raises(Reverted, match="AmountTooLarge"):
        actors.seize(world, "C", lock_id, 1)
