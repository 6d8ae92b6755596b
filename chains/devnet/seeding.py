"""Accounts for a world, all at once: what was locked and traded is known from the generator, not from reading it back.

Everything follows from a seed by hashing, so the same world with the same seed holds the same accounts. Locks are
made by the seeder contract, which is their depositor for ever; an actor's own lock comes from `actors.lock_more`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar

from chains.devnet.abi import load_artifact
from chains.devnet.deploy import PRICES
from chains.devnet.transactions import Transaction, transact_all
from chains.devnet.world import DevnetChain, Market, Place, World
from proofs.keccak import keccak256
from proofs.types import AccountId, Address, ChainId, MarketId, account_of_address
from proofs.units import mul_div_down, parse_decimal, value_down

_T = TypeVar("_T")

LOCKS_PER_TRANSACTION: Final = 50  # some 240k gas each
POSITIONS_PER_TRANSACTION: Final = 100  # some 100k gas each
GIFTS_PER_TRANSACTION: Final = 200  # some 35k gas each
GIFT_WEI: Final = 10**17

ONE: Final = 10**18
LOCK_USD: Final = (20, 40_000)
"""Bounds of the value of one lock in whole dollars at the first prices."""
LEVERAGE_TENTHS: Final = (5, 120)
"""Bounds of notional over locked value: from harmless to beyond what a small move allows."""
ENTRY_PERMILLE: Final = (960, 1040)
"""Bounds of the entry price over the first price."""


@dataclass(frozen=True, slots=True)
class SeededLock:
    """Say what was locked for an account on a chain, in the asset's raw units."""

    chain: ChainId
    place: Place
    amount_raw: int


@dataclass(frozen=True, slots=True)
class SeededPosition:
    """Say what the venue was told about an account in a market, all E18."""

    market_id: MarketId
    size_e18: int
    entry_price_e18: int
    entry_funding_index_e18: int
    realised_e18: int


@dataclass(frozen=True, slots=True)
class SeededAccount:
    """Hold one account: its home address got `gift_wei` of the native coin on the venue's chain."""

    account: AccountId
    address: Address
    locks: tuple[SeededLock, ...]
    positions: tuple[SeededPosition, ...]
    gift_wei: int


def seed_accounts(world: World, count: int, seed: int = 0) -> tuple[SeededAccount, ...]:
    """Create accounts with locks on two or three chains and positions at the venue, by mined transactions.

    Of every eight, one has locks only and one has a position only; the others have both, some beyond their margin.
    A world may be seeded again with another seed.
    """
    accounts = tuple(_draw_account(world, seed, index) for index in range(count))
    create_accounts(world, accounts)
    return accounts


def create_accounts(world: World, accounts: Sequence[SeededAccount]) -> None:
    """Create accounts as they are written down, by mined transactions: locks, positions and coins for gas."""
    plan = {chain.url: list(_lock_transactions(world, chain, accounts)) for chain in world.chains}
    plan[world.home.url] += [*_position_transactions(world, accounts), *_gift_transactions(world, accounts)]
    transact_all(plan)


# --- drawing ---------------------------------------------------------------------------------------------------------


def _draw_account(world: World, seed: int, index: int) -> SeededAccount:
    draw = _Draw(seed, index)
    address = Address(draw.bytes("address")[12:])
    kind = index % 8
    locks = () if kind == 7 else tuple(_draw_locks(world, draw))
    worth = sum(_worth_e18(lock) for lock in locks) or 1000 * ONE
    positions = () if kind == 0 else tuple(_draw_positions(world, draw, worth))
    return SeededAccount(account_of_address(address), address, locks, positions, GIFT_WEI)


def _draw_locks(world: World, draw: _Draw) -> Iterator[SeededLock]:
    skipped = draw.between("skipped chain", 0, 2 * len(world.chains)) if len(world.chains) > 2 else len(world.chains)
    for index, chain in enumerate(world.chains):
        if index == skipped:
            continue
        place = chain.places[draw.between(f"place {index}", 0, len(chain.places) - 1)]
        cents = draw.between(f"lock {index}", 100 * LOCK_USD[0], 100 * LOCK_USD[1])
        amount_raw = mul_div_down(cents * ONE, 10**place.decimals, 100 * _price_e18(place.symbol))
        yield SeededLock(chain.chain, place, amount_raw)


def _draw_positions(world: World, draw: _Draw, worth_e18: int) -> Iterator[SeededPosition]:
    chosen = draw.between("markets", 1, 3)
    markets = [market for bit, market in enumerate(world.markets) if chosen >> bit & 1]
    for market in markets:
        yield _draw_position(market, draw, worth_e18 // len(markets))


def _draw_position(market: Market, draw: _Draw, worth_e18: int) -> SeededPosition:
    price = _price_e18(market.symbol)
    notional = worth_e18 * draw.between(f"leverage {market.name}", *LEVERAGE_TENTHS) // 10
    sign = 1 if draw.between(f"side {market.name}", 0, 1) else -1
    return SeededPosition(
        market_id=market.market_id,
        size_e18=sign * (notional * ONE // price),
        entry_price_e18=price * draw.between(f"entry {market.name}", *ENTRY_PERMILLE) // 1000,
        entry_funding_index_e18=draw.between(f"funding {market.name}", -ONE, ONE),
        realised_e18=draw.between(f"realised {market.name}", -worth_e18 // 20, worth_e18 // 20),
    )


@dataclass(frozen=True, slots=True)
class _Draw:
    seed: int
    index: int

    def bytes(self, label: str) -> bytes:
        return keccak256(f"devnet seed {self.seed} account {self.index} {label}".encode())

    def between(self, label: str, least: int, most: int) -> int:
        """Return an integer from `least` to `most`; 256 bits over so few values are as good as even."""
        return least + int.from_bytes(self.bytes(label), "big") % (most - least + 1)


def _price_e18(symbol: str) -> int:
    return parse_decimal(PRICES[symbol], 18)


def _worth_e18(lock: SeededLock) -> int:
    return value_down(lock.amount_raw, _price_e18(lock.place.symbol), lock.place.decimals)


# --- sending ---------------------------------------------------------------------------------------------------------


def _lock_transactions(world: World, chain: DevnetChain, accounts: Sequence[SeededAccount]) -> Iterator[Transaction]:
    seeder, box = chain.seeder.address, chain.lock_box.address
    for place in chain.places:
        amounts = [
            (each.account, lock.amount_raw)
            for each in accounts
            for lock in each.locks
            if (lock.chain, lock.place) == (chain.chain, place)
        ]
        for chunk in _chunks(amounts, LOCKS_PER_TRANSACTION):
            data = load_artifact("DevSeeder").call("lockMany", box, place.address, world.venue_id, chunk)
            value = 0 if place.token else sum(amount for _, amount in chunk)
            yield Transaction(world.owner, seeder, data, value)


def _position_transactions(world: World, accounts: Sequence[SeededAccount]) -> Iterator[Transaction]:
    seeds = [(each.account, position) for each in accounts for position in each.positions]
    for chunk in _chunks(seeds, POSITIONS_PER_TRANSACTION):
        words = [
            (
                account,
                position.market_id,
                (
                    position.size_e18,
                    position.entry_price_e18,
                    position.entry_funding_index_e18,
                    position.realised_e18,
                ),
            )
            for account, position in chunk
        ]
        yield Transaction(world.owner, world.venue.address, load_artifact("PerpVenue").call("seedPositions", words))


def _gift_transactions(world: World, accounts: Sequence[SeededAccount]) -> Iterator[Transaction]:
    for chunk in _chunks([(each.account, each.gift_wei) for each in accounts], GIFTS_PER_TRANSACTION):
        data = load_artifact("DevSeeder").call("giveMany", chunk)
        yield Transaction(world.owner, world.home.seeder.address, data, sum(wei for _, wei in chunk))


def _chunks(items: Sequence[_T], size: int) -> Iterator[list[_T]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
