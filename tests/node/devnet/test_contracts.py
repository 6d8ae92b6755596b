"""The toys: where the compiler puts their storage, and how they count."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import pytest

import chains.devnet
from chains.devnet import actors
from chains.devnet.abi import ARTIFACT_FOLDERS, load_artifact
from chains.devnet.errors import DevnetError, Reverted
from chains.devnet.rpc import rpc_batch
from chains.devnet.transactions import Transaction, transact
from chains.devnet.world import (
    ACCOUNTS_BASE,
    FEED_ROUND_BASE,
    MARKETS_BASE,
    POSITIONS_BASE,
    TOKEN_BALANCES_BASE,
    World,
)
from proofs.layouts import PerpVenuePosition
from proofs.types import Address, account_of_address, to_hex

HERE = Path(chains.devnet.__file__).resolve().parent / "contracts"
BUILD = ARTIFACT_FOLDERS[1].parent / "build.mjs"
MIN, MAX, MAX_PRICE = -(2**127), 2**127 - 1, 2**128 - 1
ONE = 10**18


def layout_of(name: str) -> dict[str, tuple[int, int]]:
    layout = json.loads((HERE / "artifacts" / f"{name}.json").read_text())["storageLayout"]
    return {item["label"]: (int(item["slot"]), item["offset"]) for item in layout["storage"]}


def members_of(name: str, struct: str) -> list[tuple[str, int, int]]:
    types = json.loads((HERE / "artifacts" / f"{name}.json").read_text())["storageLayout"]["types"]
    (members,) = [each["members"] for key, each in types.items() if key.startswith(f"t_struct({struct})")]
    return [(member["label"], int(member["slot"]), member["offset"]) for member in members]


def test_venue_storage__compilers_layout__is_where_the_policy_says() -> None:
    layout = layout_of("PerpVenue")

    assert layout["_accounts"] == (ACCOUNTS_BASE, 0)
    assert layout["_marketOf"] == (MARKETS_BASE, 0)
    assert layout["_positionOf"] == (POSITIONS_BASE, 0)
    assert members_of("PerpVenue", "Position") == [
        ("sizeE18", 0, 0),
        ("entryPriceE18", 0, 16),
        ("entryFundingIndexE18", 1, 0),
        ("realisedE18", 1, 16),
    ]
    assert ("fundingIndexE18", 1, 0) in members_of("PerpVenue", "Market")


def test_feed_and_token_storage__compilers_layout__is_where_the_policy_says() -> None:
    feed = layout_of("DevFeed")

    assert (feed["_answer"], feed["_updatedAt"], feed["_roundId"]) == ((0, 0), (0, 24), (1, 0))
    assert layout_of("TestToken")["_balances"] == (TOKEN_BALANCES_BASE, 0)
    assert FEED_ROUND_BASE == 0


def test_artifact__asked_for_what_is_not_there__says_so() -> None:
    with pytest.raises(DevnetError, match="NoSuchContract"):
        load_artifact("NoSuchContract")
    with pytest.raises(DevnetError, match="noSuchFunction"):
        load_artifact("DevFeed").call("noSuchFunction")


def position_words(size: int, price: int, entry_funding: int, realised: int, funding: int) -> tuple[int, int, int]:
    """Return what positionOf must say, computed with exact fractions."""
    entry_value = math.floor(Fraction(size * price, ONE))
    payment = math.ceil(Fraction(size * (funding - entry_funding), ONE))
    return size, entry_value, realised - payment


def read_position(world: World, account: bytes, market: bytes) -> tuple[object, ...]:
    return actors.ask(world, "PerpVenue", world.venue.address, "positionOf", market, account)


def storage_words(world: World, account: bytes, market: bytes) -> tuple[int, ...] | None:
    layout = PerpVenuePosition(market, MARKETS_BASE, POSITIONS_BASE)
    calls = [("eth_getStorageAt", [to_hex(world.venue.address), hex(slot), "latest"]) for slot in layout.slots(account)]
    return layout.decode(tuple(int(str(word), 16) for word in rpc_batch(world.home.url, calls)))


# Size, entry price, entry funding index, realised, funding index.
POSITIONS = [
    (3 * ONE, 2000 * ONE, 0, 0, 0),
    (-3 * ONE, 2000 * ONE, 0, -5, 0),
    (1, 1, 0, 0, 1),  # everything rounds: value down to 0, payment up to 1
    (-1, 1, 0, 0, 1),  # value down to -1, payment (a receipt) up to 0
    (ONE + 1, ONE + 1, -ONE, 7, ONE + 1),
    (-ONE - 1, ONE + 1, -ONE, 7, ONE + 1),
    (ONE, 5 * ONE, 3 * ONE, 11, ONE),  # the index fell: the long receives
    (MAX, MAX_PRICE, 0, MAX, 0),
    (MIN, MAX_PRICE, 0, MIN, 0),
    (MIN, 1, MIN, 0, MAX),
    (MAX, 1, MAX, 0, MIN),
    (0, 0, 0, 42, 9),
]


@pytest.mark.node
def test_position_of__every_sign_and_bound__is_the_exact_rule_and_what_storage_says(world: World) -> None:
    market = world.market("ETH-PERP").market_id
    accounts = [account_of_address(Address(bytes([0x11]) * 19 + bytes([index]))) for index in range(len(POSITIONS))]
    seeds = [(each, market, seed[:4]) for each, seed in zip(accounts, POSITIONS, strict=True)]
    data = load_artifact("PerpVenue").call("seedPositions", seeds)
    transact(world.home.url, Transaction(world.owner, world.venue.address, data))

    for account, seed in zip(accounts, POSITIONS, strict=True):
        actors.set_funding(world, "ETH-PERP", seed[4])
        expected = position_words(*seed)

        assert read_position(world, account, market) == expected, seed
        assert storage_words(world, account, market) == expected, seed


@pytest.mark.node
def test_venue_lists__slices_within_and_beyond__are_cut_at_the_end(world: World) -> None:
    ask = lambda function, *arguments: actors.ask(world, "PerpVenue", world.venue.address, function, *arguments)  # noqa: E731
    before = ask("accountCount")[0]
    account = account_of_address(Address(b"\x22" * 20))
    actors.seed_position(world, account, "BTC-PERP", ONE, "60000")
    actors.seed_position(world, account, "ETH-PERP", ONE, "3000")

    assert ask("accountCount") == (before + 1,)
    assert ask("accountsSlice", before, 5) == ((account,),)
    assert ask("accountsSlice", before + 1, 5) == ((),)
    assert ask("accountsSlice", 2**256 - 1, 2**256 - 1) == ((),)
    assert ask("marketsSlice", 0, 9) == (tuple(market.market_id for market in world.markets),)


@pytest.mark.node
def test_feed__price_said__round_data_are_chainlinks_five_words(world: World) -> None:
    feed = world.feed("ETH").contract.address
    before = actors.ask(world, "DevFeed", feed, "latestRoundData")

    actors.set_round(world, "ETH", -123, 1_700_000_000)

    number = before[0] + 1
    assert actors.ask(world, "DevFeed", feed, "latestRoundData") == (number, -123, 1_700_000_000, 1_700_000_000, number)
    actors.set_price(world, "ETH", "3000.5")
    later = actors.ask(world, "DevFeed", feed, "latestRoundData")
    assert later[:2] == (number + 1, 3000_50000000)
    assert actors.ask(world, "DevFeed", feed, "getRoundData", later[0]) == later
    with pytest.raises(Reverted, match="RoundUnknown"):
        actors.ask(world, "DevFeed", feed, "getRoundData", number)


STRANGER = Address(b"\x33" * 20)


@pytest.mark.node
@pytest.mark.parametrize(
    ("contract", "function", "arguments"),
    [
        ("DevFeed", "setAnswer", (1,)),
        ("DevFeed", "setRound", (1, 1)),
        ("TestToken", "mint", (STRANGER, 1)),
        ("PerpVenue", "setFundingIndex", (b"ETH-PERP".ljust(32, b"\0"), 1)),
        ("PerpVenue", "seedPositions", ([],)),
        ("PerpVenue", "credit", (STRANGER.rjust(32, b"\0"), b"ETH-PERP".ljust(32, b"\0"), 1)),
        ("PerpVenue", "addMarket", ((bytes(32), STRANGER, 1),)),
    ],
)
def test_owners_acts__by_a_stranger__are_refused(
    world: World, contract: str, function: str, arguments: tuple[object, ...]
) -> None:
    token = world.place("A", "USDX").address
    target = {"DevFeed": world.feed("ETH").contract.address, "TestToken": token, "PerpVenue": world.venue.address}
    data = load_artifact(contract).call(function, *arguments)

    with pytest.raises(Reverted) as refused:
        transact(world.home.url, Transaction(STRANGER, target[contract], data))

    assert (refused.value.error, refused.value.arguments) == ("NotOwner", ("0x" + "33" * 20,))


@pytest.mark.node
def test_venue__unknown_market_feed_beyond_range_or_twice_the_same_market__is_refused(world: World) -> None:
    venue, feed = world.venue.address, world.feed("ETH").contract.address
    known = world.market("ETH-PERP").market_id

    for contract, target, function, arguments, error in (
        ("PerpVenue", venue, "setFundingIndex", (b"\x01" * 32, 1), "MarketUnknown"),
        ("PerpVenue", venue, "seedPositions", ([(bytes(32), b"\x01" * 32, (0, 0, 0, 0))],), "MarketUnknown"),
        ("PerpVenue", venue, "addMarket", ((known, feed, 1),), "MarketExists"),
        ("DevFeed", feed, "setAnswer", (2**191,), "AnswerOutOfRange"),
    ):
        data = load_artifact(contract).call(function, *arguments)
        with pytest.raises(Reverted) as refused:
            transact(world.home.url, Transaction(world.owner, target, data))
        assert refused.value.error == error
