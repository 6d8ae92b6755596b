"""The two stages on which the adapter suite plays: a chain in memory and a real node, with the same truth on both.

The truth is what the stage was told to put there, never what an adapter read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from chains.adapter import ChainAdapter
from chains.clock import SystemClock
from chains.devnet.actors import ask, lock_more, set_round
from chains.devnet.deploy import deploy_world
from chains.devnet.nodes import start_anvil
from chains.devnet.rpc import rpc
from chains.devnet.seeding import SeededAccount, seed_accounts
from chains.devnet.world import (
    ACCOUNTS_BASE,
    FEED_ROUND_BASE,
    MARKETS_BASE,
    POSITIONS_BASE,
    TOKEN_BALANCES_BASE,
    SignerSet,
    World,
)
from chains.fake import FakeChain, pack_position, pack_round
from chains.families.evm import EvmAdapter
from chains.finality import FinalityRule
from chains.limits import RpcLimits
from chains.network import network_of
from chains.observer import NullObserver
from chains.questions import ListQuestion, Question
from chains.readers import column_of, list_of
from chains.rpc import Provider
from chains.secret import SecretUrl
from proofs.layouts import AccountArray, LockBoxAccounts, LockBoxLocks, PerpVenuePosition
from proofs.sheet import AccountListSpec, CellStatus, ColumnSpec
from proofs.types import AccountId, Address, ChainId, Finality, Hash32, MarketId, account_of_address, parse_hash

CHAIN = ChainId("eip155:31337001")
SAFE = FinalityRule(Finality.SAFE)
LIMITS = RpcLimits(budget_s=5.0, backoff_first_s=0.01, backoff_max_s=0.02)
Row = tuple[int, ...] | CellStatus


@dataclass(frozen=True)
class Truth:
    """Say which accounts are named where, and what every column holds for them."""

    locked_accounts: tuple[AccountId, ...]
    venue_accounts: tuple[AccountId, ...]
    columns: dict[str, list[Row]]


class Stage(Protocol):
    """Offer a world and the means to move it."""

    adapter: ChainAdapter
    truth: Truth

    def adapter_with(self, rule: FinalityRule) -> ChainAdapter: ...
    def lists(self) -> tuple[AccountListSpec, ...]: ...
    def columns(self) -> tuple[ColumnSpec, ...]: ...
    def mine(self, seconds: int = 10) -> None: ...
    def newest(self) -> tuple[int, Hash32, int]: ...
    def block_hash(self, number: int) -> Hash32: ...
    def lock_more(self, account: AccountId, amount: int) -> None: ...
    def reorg(self, depth: int) -> None: ...


@dataclass(frozen=True)
class Places:
    """Hold the addresses that the questions need."""

    lock_box: Address
    venue: Address
    token: Address
    feed: Address
    venue_id: Hash32
    market: MarketId

    def lists(self) -> tuple[AccountListSpec, ...]:
        bases = (("accounts_base", ACCOUNTS_BASE),)
        return (
            list_of(ListQuestion("locks", CHAIN, "lockbox", self.lock_box, self.venue_id)),
            list_of(ListQuestion("venue", CHAIN, "perp_venue", self.venue, storage=bases)),
        )

    def columns(self, accounts: tuple[AccountId, ...]) -> tuple[ColumnSpec, ...]:
        bases = (("markets_base", MARKETS_BASE), ("positions_base", POSITIONS_BASE))
        base = (("base", TOKEN_BALANCES_BASE),)
        zero = Address(bytes(20))
        return tuple(
            column_of(question, accounts)
            for question in (
                Question("coin", CHAIN, "native", zero),
                Question("token", CHAIN, "erc20", self.token, self.token, storage=base),
                Question("locked", CHAIN, "lockbox", self.lock_box, self.token, self.venue_id),
                Question("locked-coin", CHAIN, "lockbox", self.lock_box, zero, self.venue_id),
                Question("position", CHAIN, "perp_venue", self.venue, market=self.market, storage=bases),
                Question("price", CHAIN, "chainlink", self.feed, storage=(("base", FEED_ROUND_BASE),)),
                Question("nowhere", CHAIN, "erc20", Address(b"\xee" * 20)),
            )
        )


# --- in memory -----------------------------------------------------------------------------------------------


class FakeStage:
    """Play on FakeChain."""

    def __init__(self) -> None:
        self._rule = SAFE
        ids = [account_of_address(Address(bytes([0xA0 + index]) * 20)) for index in range(3)]
        self.places = Places(
            lock_box=Address(b"\x01" * 20),
            venue=Address(b"\x02" * 20),
            token=Address(b"\x03" * 20),
            feed=Address(b"\x04" * 20),
            venue_id=Hash32(b"\x05" * 32),
            market=MarketId(b"\x06" * 32),
        )
        self.fake = FakeChain(CHAIN, genesis_s=1_000)
        self.adapter: ChainAdapter = self.fake
        zero: Row = (0,)
        failed = CellStatus.FAILED
        self.truth = Truth(
            (ids[1], ids[0]),
            (ids[2],),
            {
                "coin": [(7,), zero, zero],
                "token": [(0,), (2**128 - 1,), zero],
                "locked": [(500,), (600,), zero],
                "locked-coin": [(9,), zero, zero],
                # size -3.0, entry 2000.0, accrued -5 units: entry value floor(-3e18 * 2000e18 / 1e18)
                "position": [(0, 0, 0), (0, 0, 0), (-3 * 10**18, -6_000 * 10**18, -5)],
                "price": [(4, -12, 990, 990, 4)],
                "nowhere": [failed, failed, failed],
            },
        )
        self._build(ids)
        for seconds in (10, 10, 10, 10):
            self.mine(seconds)

    def _build(self, ids: list[AccountId]) -> None:
        places, fake = self.places, self.fake
        locks, coins = LockBoxLocks(places.venue_id, places.token), LockBoxLocks(places.venue_id, bytes(20))
        fake.set_balance(Address(ids[0][12:]), 7)
        token, coin = self.columns()[1], self.columns()[5]
        assert token.layout is not None
        assert coin.layout is not None
        fake.set_row(places.token, token.layout, ids[1][12:], (2**128 - 1,))
        fake.set_row(places.lock_box, locks, ids[0], (500,))
        fake.set_row(places.lock_box, locks, ids[1], (600,))
        fake.set_row(places.lock_box, coins, ids[0], (9,))
        for account in (ids[1], ids[0]):
            fake.list_account(places.lock_box, LockBoxAccounts(places.venue_id), account)
        fake.list_account(places.venue, AccountArray(ACCOUNTS_BASE), ids[2])
        layout = PerpVenuePosition(places.market, MARKETS_BASE, POSITIONS_BASE)
        fake.set_row(places.venue, layout, ids[2], (*pack_position(-3 * 10**18, 2_000 * 10**18, 0, -5), 0))
        fake.set_row(places.feed, coin.layout, b"", pack_round(-12, 990, 4))

    def accounts(self) -> tuple[AccountId, ...]:
        return tuple(sorted({*self.truth.locked_accounts, *self.truth.venue_accounts}))

    def adapter_with(self, rule: FinalityRule) -> ChainAdapter:
        fake = FakeChain(CHAIN, genesis_s=1_000, finality=rule)
        fake._blocks = self.fake._blocks
        return fake

    def lists(self) -> tuple[AccountListSpec, ...]:
        return self.places.lists()

    def columns(self) -> tuple[ColumnSpec, ...]:
        return self.places.columns(self.accounts())

    def mine(self, seconds: int = 10) -> None:
        self.fake.mine(self.fake.newest.timestamp_s + seconds)

    def newest(self) -> tuple[int, Hash32, int]:
        block = self.fake.newest
        return block.number, block.hash, block.timestamp_s

    def block_hash(self, number: int) -> Hash32:
        return self.fake.block(number).hash

    def lock_more(self, account: AccountId, amount: int) -> None:
        layout = LockBoxLocks(self.places.venue_id, self.places.token)
        (slot,) = layout.slots(account)
        before = self.fake._state.storage(self.places.lock_box, slot)
        self.fake.set_storage(self.places.lock_box, slot, before + amount)
        self.mine()

    def reorg(self, depth: int) -> None:
        self.fake.reorg(depth)
        for _ in range(depth):
            self.mine()


# --- a real node ---------------------------------------------------------------------------------------------


class NodeStage:
    """Play on one anvil node with the contracts of the devnet, asked through three providers."""

    def __init__(self, world: World, seeded: tuple[SeededAccount, ...], urls: tuple[str, ...]) -> None:
        self.world = world
        self.url = world.home.url
        self._urls = urls
        token = world.place(CHAIN, "USDX")
        market = world.market("ETH-PERP")
        self.places = Places(
            lock_box=world.home.lock_box.address,
            venue=world.venue.address,
            token=token.address,
            feed=world.feed("ETH").contract.address,
            venue_id=world.venue_id,
            market=market.market_id,
        )
        self._adapters: list[ChainAdapter] = []
        self.adapter = self.adapter_with(SAFE)
        self.seeded = tuple(sorted(seeded, key=lambda account: account.account))
        self.truth = Truth(
            self._named("LockBox", world.home.lock_box.address, world.venue_id),
            self._named("PerpVenue", world.venue.address),
            self._columns_truth(),
        )

    def _named(self, contract: str, address: Address, *prefix: bytes) -> tuple[AccountId, ...]:
        """Ask a contract for its accounts through the development ABI coder."""
        (named,) = ask(self.world, contract, address, "accountsSlice", *prefix, 0, 100)
        assert isinstance(named, (list, tuple))
        return tuple(AccountId(bytes(account)) for account in named)

    def _columns_truth(self) -> dict[str, list[Row]]:
        columns: dict[str, list[Row]] = {}
        columns["coin"] = [(each.gift_wei,) for each in self.seeded]
        columns["token"] = [(0,) for _ in self.seeded]
        for name, symbol in (("locked", "USDX"), ("locked-coin", "ETH")):
            columns[name] = [
                (sum(lock.amount_raw for lock in each.locks if (lock.chain, lock.place.symbol) == (CHAIN, symbol)),)
                for each in self.seeded
            ]
        columns["position"] = [self._position_truth(each) for each in self.seeded]
        columns["price"] = [(2, 300_000_000_000, 1_900_000_000, 1_900_000_000, 2)]
        columns["nowhere"] = [CellStatus.FAILED for _ in self.seeded]
        return columns

    def _position_truth(self, account: SeededAccount) -> Row:
        for held in account.positions:
            if held.market_id == self.places.market:
                value = held.size_e18 * held.entry_price_e18 // 10**18
                paid = -(held.size_e18 * (held.entry_funding_index_e18 - 0) // 10**18)
                return held.size_e18, value, held.realised_e18 - paid
        return 0, 0, 0

    def adapter_with(self, rule: FinalityRule) -> ChainAdapter:
        providers = [
            Provider(f"p{index}", f"operator-{index}", SecretUrl(url), LIMITS) for index, url in enumerate(self._urls)
        ]
        adapter = EvmAdapter(network_of(CHAIN), rule, providers, NullObserver(), SystemClock(), lambda: 0.0)
        self._adapters.append(adapter)
        return adapter

    async def close(self) -> None:
        for adapter in self._adapters:
            await adapter.close()

    def lists(self) -> tuple[AccountListSpec, ...]:
        return self.places.lists()

    def columns(self) -> tuple[ColumnSpec, ...]:
        return self.places.columns(tuple(each.account for each in self.seeded))

    def mine(self, seconds: int = 10) -> None:
        _, _, timestamp = self.newest()
        rpc(self.url, "evm_mine", [{"timestamp": timestamp + seconds}])

    def newest(self) -> tuple[int, Hash32, int]:
        block = rpc(self.url, "eth_getBlockByNumber", ["latest", False])
        assert isinstance(block, dict)
        return int(str(block["number"]), 16), parse_hash(str(block["hash"])), int(str(block["timestamp"]), 16)

    def block_hash(self, number: int) -> Hash32:
        block = rpc(self.url, "eth_getBlockByNumber", [hex(number), False])
        assert isinstance(block, dict)
        return parse_hash(str(block["hash"]))

    def lock_more(self, account: AccountId, amount: int) -> None:
        lock_more(self.world, CHAIN, account, "USDX", amount)

    def reorg(self, depth: int) -> None:
        rpc(self.url, "anvil_reorg", [depth, []])


@contextmanager
def seeded_node() -> Iterator[tuple[World, tuple[SeededAccount, ...]]]:
    """Start a node that mines when told to, with a world of six accounts and a price of a known second."""
    with start_anvil(31337001, block_time_s=None) as node:
        world = deploy_world([node.url], SignerSet((Address(b"\x11" * 20),), k=1, f=0))
        seeded = seed_accounts(world, 6)
        set_round(world, "ETH", 300_000_000_000, 1_900_000_000)
        yield world, seeded
