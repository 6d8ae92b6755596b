"""Those who act on a devnet: depositors, the price's owner, traders, the seizer, and whoever verifies evidence.

Every act is one mined transaction, called first so that a refusal comes back as `Reverted` with the contract's own
error and its arguments. Traders act from their home address by the node's impersonation; seeded accounts have coins
for gas, others are given some with `give`. Evidence, roots and leaves are ABI tuples or the dataclasses of `proofs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chains.devnet.abi import load_artifact
from chains.devnet.errors import DevnetError
from chains.devnet.rpc import rpc
from chains.devnet.transactions import Receipt, Transaction, call, transact
from chains.devnet.world import World, account_id
from proofs.keccak import keccak256
from proofs.types import Address, ChainId, Hash32, address_of_account, to_hex
from proofs.units import parse_decimal

ACT_GAS: Final = 2_000_000
POLICY_LEAD_S: Final = 5
_LOCKED: Final = keccak256(b"Locked(uint256,bytes32,bytes32,address,address,uint256)")


# --- collateral ------------------------------------------------------------------------------------------------------


def lock_more(world: World, chain: ChainId | str, account: bytes, symbol: str, amount_raw: int) -> int:
    """Lock an asset for an account, with the owner as depositor, and return the lock's id."""
    site, place = world.chain(chain), world.place(chain, symbol)
    arguments = (place.address, amount_raw, world.venue_id, account_id(account))
    data = load_artifact("LockBox").call("lock", *arguments)
    value = 0 if place.token else amount_raw
    mined = transact(site.url, Transaction(world.owner, site.lock_box.address, data, value, ACT_GAS))
    for log in mined.logs:
        topics = log["topics"]
        if isinstance(topics, list) and topics[0] == to_hex(_LOCKED):
            return int(str(topics[1]), 16)
    raise DevnetError("the LockBox reported no lock")


def request_release(world: World, chain: ChainId | str, lock_id: int) -> Receipt:
    """Ask for the release of a lock of `lock_more`; from here it counts no more."""
    return _at_lock_box(world, chain, world.owner, "requestRelease", lock_id)


def release(world: World, chain: ChainId | str, lock_id: int) -> Receipt:
    """Pay a lock out after its delay."""
    return _at_lock_box(world, chain, world.owner, "release", lock_id)


def seize(world: World, chain: ChainId | str, lock_id: int, amount_raw: int) -> Receipt:
    """Seize up to a whole lock for the venue's receiver on that chain."""
    return _at_lock_box(world, chain, world.seizer, "seize", lock_id, amount_raw)


def give(world: World, account: bytes, wei: int) -> Receipt:
    """Send native coins to an account's home address on the venue's chain."""
    address = address_of_account(account_id(account))
    return transact(world.home.url, Transaction(world.owner, address, b"", wei, ACT_GAS))


# --- prices and funding ----------------------------------------------------------------------------------------------


def set_price(world: World, symbol: str, price: str) -> Receipt:
    """Say an asset's USD price as a decimal string, as of the block's time."""
    feed = world.feed(symbol)
    return _own(world, "DevFeed", feed.contract.address, "setAnswer", parse_decimal(price, feed.decimals))


def set_round(world: World, symbol: str, answer: int, updated_at_s: int) -> Receipt:
    """Say any answer, in the feed's own decimals, as of any time: stale, zero, negative or to come."""
    return _own(world, "DevFeed", world.feed(symbol).contract.address, "setRound", answer, updated_at_s)


def set_funding(world: World, market: str, index_e18: int) -> Receipt:
    """Set a market's funding index."""
    return _own(world, "PerpVenue", world.venue.address, "setFundingIndex", world.market(market).market_id, index_e18)


# --- the venue -------------------------------------------------------------------------------------------------------


def activate_policy(world: World, policy_id: Hash32) -> int:
    """Announce a policy at the venue and return the first frame (Unix seconds) under which it counts, in seconds."""
    block = rpc(world.home.url, "eth_getBlockByNumber", ["latest", False])
    if not isinstance(block, dict):
        raise DevnetError("the venue's chain has no block")
    frame = int(str(block["timestamp"]), 16) + POLICY_LEAD_S
    _own(world, "PerpVenue", world.venue.address, "announcePolicy", policy_id, frame)
    return frame


def seed_position(world: World, account: bytes, market: str, size_e18: int, entry_price: str) -> Receipt:
    """Write a position as if it had been traded at that price, with nothing realised and no funding yet."""
    position = (size_e18, parse_decimal(entry_price, 18), 0, 0)
    seed = (account_id(account), world.market(market).market_id, position)
    return _own(world, "PerpVenue", world.venue.address, "seedPositions", [seed])


def open_position(world: World, account: bytes, market: str, size_delta_e18: int, evidence: object) -> Receipt:
    """Open or enlarge a position as the account's owner, under its evidence (root, signatures, leaf, proof)."""
    return _trade(world, account, "openPosition", world.market(market).market_id, size_delta_e18, evidence)


def close_position(world: World, account: bytes, market: str) -> Receipt:
    """Close a position as the account's owner."""
    return _trade(world, account, "closePosition", world.market(market).market_id)


def withdraw(world: World, account: bytes, market: str, amount_e18: int, evidence: object) -> Receipt:
    """Withdraw what was realised in a market as the account's owner."""
    return _trade(world, account, "withdraw", world.market(market).market_id, amount_e18, evidence)


def liquidate(world: World, account: bytes, market: str, evidence: object) -> Receipt:
    """Close another's position under evidence that it is liquidatable."""
    market_id = world.market(market).market_id
    return _own(world, "PerpVenue", world.venue.address, "liquidate", account_id(account), market_id, evidence)


def credit(world: World, account: bytes, market: str, amount_e18: int) -> Receipt:
    """Credit an account at the venue: what was seized elsewhere arrives."""
    market_id = world.market(market).market_id
    return _own(world, "PerpVenue", world.venue.address, "credit", account_id(account), market_id, amount_e18)


def poke(world: World, evidence: object) -> Receipt:
    """Show the venue newer evidence."""
    return _own(world, "PerpVenue", world.venue.address, "poke", evidence)


# --- the verifier ----------------------------------------------------------------------------------------------------


def verify_on_chain(world: World, root: object, signatures: bytes, leaf: object, proof: Sequence[bytes]) -> Hash32:
    """Have `MarginVerifier.verify` executed in a mined transaction and return its hash: not reverted is accepted.

    Raises: `Reverted`, whose `error` names the broken rule.
    """
    return _own(world, "MarginVerifier", world.verifier.address, "verify", root, signatures, leaf, tuple(proof)).hash


def call_verify(world: World, root: object, signatures: bytes, leaf: object, proof: Sequence[bytes]) -> None:
    """Call `MarginVerifier.verify` at the newest block.

    Raises: `Reverted`, whose `error` names the broken rule.
    """
    data = load_artifact("MarginVerifier").call("verify", root, signatures, leaf, tuple(proof))
    call(world.home.url, Transaction(world.owner, world.verifier.address, data, gas=ACT_GAS))


def post_root(world: World, root: object, signatures: bytes) -> Receipt:
    """Post a signed root, so that its leaves verify without signatures."""
    return _own(world, "MarginVerifier", world.verifier.address, "postRoot", root, signatures)


def ask(world: World, contract: str, address: Address, function: str, *arguments: object) -> tuple[object, ...]:
    """Call a view on the venue's chain at the newest block and return its outputs."""
    artifact = load_artifact(contract)
    return artifact.decode(
        function, call(world.home.url, Transaction(world.owner, address, artifact.call(function, *arguments)))
    )


def _own(world: World, contract: str, address: Address, function: str, *arguments: object) -> Receipt:
    data = load_artifact(contract).call(function, *arguments)
    return transact(world.home.url, Transaction(world.owner, address, data, gas=ACT_GAS))


def _trade(world: World, account: bytes, function: str, *arguments: object) -> Receipt:
    sender = address_of_account(account_id(account))
    data = load_artifact("PerpVenue").call(function, *arguments)
    return transact(world.home.url, Transaction(sender, world.venue.address, data, gas=ACT_GAS))


def _at_lock_box(world: World, chain: ChainId | str, sender: Address, function: str, *arguments: object) -> Receipt:
    site = world.chain(chain)
    data = load_artifact("LockBox").call(function, *arguments)
    return transact(site.url, Transaction(sender, site.lock_box.address, data, gas=ACT_GAS))
