"""A world: deployed in one block per chain, described by a policy that the relayer accepts, filled as the seed says."""

from __future__ import annotations

from collections import Counter

import pytest

from chains.devnet import actors, seeding
from chains.devnet.abi import load_artifact
from chains.devnet.deploy import create_address, deploy_world
from chains.devnet.errors import DevnetError, Reverted
from chains.devnet.nodes import start_anvil, start_anvils
from chains.devnet.policy import free_sources, policy_text
from chains.devnet.rpc import rpc, rpc_batch
from chains.devnet.seeding import SeededAccount, seed_accounts
from chains.devnet.transactions import Transaction, call, transact_all
from chains.devnet.world import DEVNET_CHAIN_NUMBERS, SignerSet, World
from proofs.keccak import keccak256
from proofs.layouts import LockBoxAccounts, LockBoxLocks
from proofs.signing import LocalSigner
from proofs.types import Address, parse_bytes, to_hex
from relayer.config.policy_document import parse_policy

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def seeded(world: World) -> tuple[SeededAccount, ...]:
    return seed_accounts(world, 64)


def test_create_address__known_pair__is_what_ethereum_says() -> None:
    sender = Address(
        bytes.fromhex("6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")
    )  # the classic example of the yellow paper

    found = [to_hex(create_address(sender, nonce)) for nonce in (0, 1)]

    assert found == ["0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d", "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8"]


def test_deploy_world__three_chains__every_contract_has_the_code_that_is_named(world: World) -> None:
    named = [(world.home.url, each) for each in (world.venue, world.verifier, *(feed.contract for feed in world.feeds))]
    for chain in world.chains:
        named += [(chain.url, each) for each in (chain.lock_box, chain.seeder)]
        named += [(chain.url, place.token) for place in chain.places if place.token]

    for url, contract in named:
        code = parse_bytes(str(rpc(url, "eth_getCode", [to_hex(contract.address), "latest"])))
        assert code
        assert keccak256(code) == contract.code_hash
    assert [chain.chain for chain in world.chains] == [f"eip155:{number}" for number in DEVNET_CHAIN_NUMBERS]


def test_deploy_world__venue__knows_its_id_and_verifier_and_every_lock_box_knows_the_venue(world: World) -> None:
    venue = world.venue.address

    assert actors.ask(world, "PerpVenue", venue, "venueId") == (world.venue_id,)
    assert actors.ask(world, "PerpVenue", venue, "verifier") == (to_hex(world.verifier.address),)
    for chain in world.chains:
        box = load_artifact("LockBox")
        asked = Transaction(world.owner, chain.lock_box.address, box.call("venues", world.venue_id))
        assert box.decode("venues", call(chain.url, asked)) == (to_hex(world.seizer), to_hex(world.receiver))


def test_deploy_world__places__have_the_decimals_that_are_said(world: World) -> None:
    for chain in world.chains:
        for place in chain.places:
            if place.token is not None:
                asked = Transaction(world.owner, place.token.address, load_artifact("TestToken").call("decimals"))
                assert int.from_bytes(call(chain.url, asked), "big") == place.decimals


def test_deploy_world__real_network_or_too_many_chains__is_refused(signer: LocalSigner) -> None:
    signers = SignerSet((signer.address,), k=1, f=0)
    with start_anvil(1, block_time_s=None) as node:
        with pytest.raises(DevnetError, match="no devnet"):
            deploy_world([node.url], signers)
        with pytest.raises(DevnetError, match="1 to 3 chains"):
            deploy_world([node.url] * 4, signers)


@pytest.mark.parametrize("count", [1, 2])
def test_deploy_world__fewer_chains__stands_and_can_be_seeded(signer: LocalSigner, count: int) -> None:
    with start_anvils(DEVNET_CHAIN_NUMBERS[:count], block_time_s=None) as nodes:
        small = deploy_world([node.url for node in nodes], SignerSet((signer.address,), k=1, f=0))

        accounts = seed_accounts(small, 8)

    assert {len(each.locks) for each in accounts} == {0, count}
    parse_policy(policy_text(small.policy_document()))


def test_world__one_block_a_second__deploys_and_seeds_two_hundred_in_a_few_blocks(signer: LocalSigner) -> None:
    with start_anvils(DEVNET_CHAIN_NUMBERS) as nodes:
        timed = deploy_world([node.url for node in nodes], SignerSet((signer.address,), k=1, f=0))
        seed_accounts(timed, 200)

        heights = [int(str(node.rpc("eth_blockNumber")), 16) for node in nodes]

    assert max(heights) <= 6


def test_world__asked_for_what_it_has_not__says_so(world: World) -> None:
    for ask in (
        lambda: world.chain("Z"),
        lambda: world.place("C", "BTC"),
        lambda: world.feed("DOGE"),
        lambda: world.market("DOGE-PERP"),
    ):
        with pytest.raises(DevnetError, match="this world has 0 of"):
            ask()


def test_policy_document__as_text__is_accepted_by_the_relayer_and_names_what_was_deployed(world: World) -> None:
    document = world.policy_document()
    document["source"] = [*world.policy_document()["source"], *free_sources(world)]

    policy = parse_policy(policy_text(document))

    assert policy.venue.venue_id == world.venue_id
    assert policy.venue.verifier == world.verifier.address
    assert policy.signers.addresses == world.signers.addresses
    assert policy.has_devnet
    kinds = Counter(question.kind for question in policy.questions)
    assert kinds == {"lockbox": 5, "native": 1, "erc20": 1, "perp_venue": 2, "chainlink": 3}
    assert all(question.code_hash for question in policy.questions if question.kind != "native")
    assert parse_policy(policy_text(world.policy_document(version=2))).version == 2


def locks_of(accounts: tuple[SeededAccount, ...], chain: str, asset: str) -> dict[bytes, int]:
    return {
        each.account: lock.amount_raw
        for each in accounts
        for lock in each.locks
        if (lock.chain, lock.place.asset) == (chain, asset)
    }


def test_seed_accounts__locks__getter_and_storage_say_what_the_generator_said(
    world: World, seeded: tuple[SeededAccount, ...]
) -> None:
    for chain in world.chains:
        for place in chain.places:
            expected = locks_of(seeded, chain.chain, place.asset)
            box = load_artifact("LockBox")
            layout = LockBoxLocks(world.venue_id, place.address)
            target = to_hex(chain.lock_box.address)
            calls = []
            for each in seeded:
                data = to_hex(box.call("locked", world.venue_id, place.address, each.account))
                calls += [
                    ("eth_call", [{"to": target, "data": data}, "latest"]),
                    ("eth_getStorageAt", [target, hex(layout.slots(each.account)[0]), "latest"]),
                ]
            words = [int(str(answer), 16) for answer in rpc_batch(chain.url, calls)]

            assert words[::2] == words[1::2] == [expected.get(each.account, 0) for each in seeded]
            assert sum(words) > 0


def test_seed_accounts__lock_box_lists__name_everybody_once_also_by_storage(
    world: World, seeded: tuple[SeededAccount, ...]
) -> None:
    for chain in world.chains:
        expected = {each.account for each in seeded if any(lock.chain == chain.chain for lock in each.locks)}
        box, layout = load_artifact("LockBox"), LockBoxAccounts(world.venue_id)
        asked = Transaction(world.owner, chain.lock_box.address, box.call("accountsSlice", world.venue_id, 0, 10_000))
        (listed,) = box.decode("accountsSlice", call(chain.url, asked))
        slots = [*layout.slots(b""), *(layout.slots(i.to_bytes(32, "big"))[0] for i in range(len(expected)))]
        target = to_hex(chain.lock_box.address)
        words = rpc_batch(chain.url, [("eth_getStorageAt", [target, hex(slot), "latest"]) for slot in slots])

        assert len(listed) == len(expected)
        assert set(listed) == expected
        assert int(str(words[0]), 16) == len(expected)
        assert tuple(parse_bytes(str(word)) for word in words[1:]) == listed


def test_seed_accounts__positions_and_gifts__are_what_the_generator_said(
    world: World, seeded: tuple[SeededAccount, ...]
) -> None:
    balances = rpc_batch(world.home.url, [("eth_getBalance", [to_hex(each.address), "latest"]) for each in seeded])

    assert [int(str(balance), 16) for balance in balances] == [each.gift_wei for each in seeded]
    for each in seeded:
        for position in each.positions:
            size, entry_value, accrued = actors.ask(
                world, "PerpVenue", world.venue.address, "positionOf", position.market_id, each.account
            )
            assert size == position.size_e18
            assert entry_value == position.size_e18 * position.entry_price_e18 // 10**18
            # the world's funding index is 0: the payment is size x (0 - entry index), rounded up
            assert accrued == position.realised_e18 + position.size_e18 * position.entry_funding_index_e18 // 10**18


def test_seed_accounts__kinds__two_or_three_chains_some_without_locks_some_without_positions(
    world: World, seeded: tuple[SeededAccount, ...]
) -> None:
    del world

    chains = Counter(len({lock.chain for lock in each.locks}) for each in seeded)

    assert set(chains) == {0, 2, 3}
    assert chains[0] == 8
    assert sum(not each.positions for each in seeded) == 8
    assert len({each.account for each in seeded}) == 64
    assert len({each.address for each in seeded}) == 64


def test_seed_accounts__same_seed_or_another__same_accounts_or_none_in_common(world: World) -> None:
    first, again = seeding._draw_account(world, 0, 3), seeding._draw_account(world, 0, 3)

    other = seeding._draw_account(world, 1, 3)

    assert first == again
    assert first.account != other.account


def test_transact_all__one_of_many_fails__raises_its_decoded_error(world: World) -> None:
    good = Transaction(world.owner, Address(b"\x44" * 20), b"", 1, 100_000)
    zero = load_artifact("LockBox").call("lock", Address(bytes(20)), 0, world.venue_id, b"\x01" * 32)
    bad = Transaction(world.owner, world.home.lock_box.address, zero, 0, 100_000)

    with pytest.raises(Reverted) as refused:
        transact_all({world.home.url: [good, bad, good]})

    assert refused.value.error == "ZeroAmount"
    balance = rpc(world.home.url, "eth_getBalance", ["0x" + "44" * 20, "latest"])
    assert balance == "0x2"
