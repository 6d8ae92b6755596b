"""Sixty seeded accounts on three real chains: every figure of the relayer against what their generator wrote down.

Expected values are exact fractions made here from the generator's data, the devnet's prices and the policy's document;
nothing of `relayer.margin` and nothing read back from a chain takes part. Rounding stands where the rules say so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from chains.devnet.abi import load_artifact
from chains.devnet.nodes import start_anvils
from chains.devnet.seeding import SeededAccount, SeededLock, SeededPosition, seed_accounts
from chains.devnet.transactions import Transaction, transact_all
from chains.devnet.world import DEVNET_CHAIN_NUMBERS, World
from proofs.types import AccountId, Status
from relayer.cli.devnet import Site, write_site
from relayer.config.operator_document import load_operator
from relayer.config.policy_document import load_policy
from relayer.margin.view import MarginView
from relayer.service import ServiceOptions, service_of
from relayer.store.port import FrameState

pytestmark = pytest.mark.node

ACCOUNTS = 60
SEED = 20_261_122
FRAMES_MAX = 5
FEED_UNIT = 10**8

E18 = 10**18
PRICES = {"ETH": Fraction("2871.93"), "BTC": Fraction("61043.77000001"), "USDX": Fraction("0.99980001")}
FUNDING = {"ETH-PERP": 123_456_789_012_345_679, "BTC-PERP": -7_000_000_000_000_000_001}
REQUIRED_OF = {"ETH-PERP": (Fraction(10, 100), Fraction(5, 100)), "BTC-PERP": (Fraction(8, 100), Fraction(4, 100))}
"""Initial and maintenance margin over notional."""
KEPT = {"USDX": (Fraction(98, 100), Fraction(99, 100)), "ETH": (Fraction(85, 100), Fraction(90, 100))}
KEPT |= {"BTC": (Fraction(88, 100), Fraction(92, 100))}
"""What the initial and the maintenance haircut leave."""
KEPT_ABROAD = Fraction(99, 100)
WARNING, MARGIN_CALL = Fraction(120, 100), Fraction(105, 100)


@dataclass
class Figures:
    """Sum up one account in units of 1e-18 dollars; `marked` is what its assets and gains are worth unhaircut."""

    collateral: int = 0
    liability: int = 0
    initial: int = 0
    maintenance: int = 0
    marked: int = 0

    @property
    def equity(self) -> int:
        return self.collateral - self.liability

    @property
    def status(self) -> Status:
        if self.liability > self.marked:
            return Status.BAD_DEBT
        if self.equity < self.maintenance:
            return Status.LIQUIDATABLE
        if self.maintenance and self.equity < MARGIN_CALL * self.maintenance:
            return Status.MARGIN_CALL
        if self.maintenance and self.equity < WARNING * self.maintenance:
            return Status.WARNING
        return Status.HEALTHY

    def add_lock(self, world: World, lock: SeededLock) -> None:
        worth = Fraction(lock.amount_raw, 10**lock.place.decimals) * PRICES[lock.place.symbol] * E18
        abroad = 1 if lock.chain == world.home.chain else KEPT_ABROAD
        for_opening, for_keeping = (math.floor(worth * kept * abroad) for kept in KEPT[lock.place.symbol])
        self.collateral += for_keeping
        self.initial += for_keeping - for_opening
        self.marked += math.floor(worth)

    def add_position(self, world: World, position: SeededPosition) -> None:
        market = next(market for market in world.markets if market.market_id == position.market_id)
        price, size = PRICES[market.symbol], position.size_e18
        entry_value = math.floor(Fraction(size * position.entry_price_e18, E18))
        paid = math.ceil(Fraction(size * (FUNDING[market.name] - position.entry_funding_index_e18), E18))
        gain = math.floor(size * price) - entry_value + position.realised_e18 - paid
        notional = math.ceil(abs(size) * price)
        initial, maintenance = REQUIRED_OF[market.name]
        self.collateral += max(gain, 0)
        self.marked += max(gain, 0)
        self.liability += max(-gain, 0)
        self.initial += math.ceil(notional * initial)
        self.maintenance += math.ceil(notional * maintenance)


def figures_of(world: World, account: SeededAccount) -> Figures:
    figures = Figures()
    for lock in account.locks:
        figures.add_lock(world, lock)
    for position in account.positions:
        figures.add_position(world, position)
    return figures


def move_markets(world: World) -> int:
    """Set odd prices and funding in one block, and return a time after it."""
    feeds = [
        Transaction(
            world.owner,
            world.feed(symbol).contract.address,
            load_artifact("DevFeed").call("setAnswer", int(price * FEED_UNIT)),
        )
        for symbol, price in PRICES.items()
    ]
    funding = [
        Transaction(
            world.owner,
            world.venue.address,
            load_artifact("PerpVenue").call("setFundingIndex", world.market(name).market_id, index),
        )
        for name, index in FUNDING.items()
    ]
    transact_all({world.home.url: [*feeds, *funding]})
    return int(time.time()) + 1


async def views_of(site: Site, after_s: int) -> Mapping[AccountId, MarginView]:
    """Run frames with the service's own parts until one later than `after_s` is signed."""
    policy, operator = load_policy(site.policy_file), load_operator(site.operator_file)
    async with service_of(policy, operator, ServiceOptions()) as service:
        for _ in range(FRAMES_MAX):
            result = await service.scheduler.run_once()
            if result.frame > after_s and result.row is not None and result.row.state is FrameState.SIGNED:
                return {view.account: view for view in result.views}
    raise AssertionError(f"no frame after {after_s} was signed: {result.refusal}")


async def test_figures__60_seeded_accounts__equal_the_generators_to_the_last_unit(tmp_path: Path) -> None:
    with start_anvils(DEVNET_CHAIN_NUMBERS) as nodes:
        site = write_site([node.url for node in nodes], tmp_path, "127.0.0.1:0")
        seeded = seed_accounts(site.world, ACCOUNTS, SEED)
        after_s = move_markets(site.world)

        views = await views_of(site, after_s)

    expected = {account.account: figures_of(site.world, account) for account in seeded}
    assert views.keys() == expected.keys()
    for account, figures in expected.items():
        view = views[account]
        got = (view.collateral_usd, view.liability_usd, view.initial_margin_usd, view.maintenance_margin_usd)
        assert got == (figures.collateral, figures.liability, figures.initial, figures.maintenance), account.hex()
        assert (view.equity_usd, view.status) == (figures.equity, figures.status), account.hex()
        leaf = view.leaf
        signed = (leaf.collateral_usd, leaf.liability_usd, leaf.initial_margin_usd, leaf.maintenance_margin_usd)
        assert (signed, leaf.status) == (got, figures.status), account.hex()
    assert len({figures.status for figures in expected.values()}) >= 3
