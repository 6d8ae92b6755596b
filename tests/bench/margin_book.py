"""The seeded benchmark book of margin: a million accounts of one Aave pool, and accounts planted at their threshold.

Each account supplies one to three of six assets and borrows at most two of four, so that health factors are spread as
on a lending market: a third owes nothing, half a per cent is below 1, the rest lies between 1 and 20. Amounts are
integers that a float holds, so the exact rules see what the screen sees; planted ones are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from proofs.types import ChainId
from relayer.margin.engine.inputs import Account, Indices, Leg, MarketData, Price, Role
from relayer.margin.models.aave import AaveReserve, AaveRules
from relayer.margin.screens.columns import Bools, Columns, Floats, Slot, Words, shadow
from relayer.margin.verdicts import AavePool

SEED: Final = 20_261_122
CHAIN: Final = ChainId("ethereum")
RAY: Final = 10**27
HELD: Final = (("WETH", 18), ("WBTC", 8), ("STETH", 18), ("LINK", 18), ("USDC", 6), ("GUSD", 2))
OWED: Final = (("USDC", 6), ("DAI", 18), ("GUSD", 2), ("WETH", 18))
DOLLARS: Final = MappingProxyType(
    {"WETH": 3_000, "WBTC": 60_000, "STETH": 3_400, "LINK": 15, "USDC": 1, "GUSD": 1, "DAI": 1}
)
THRESHOLDS: Final = MappingProxyType(
    {"WETH": 8_300, "WBTC": 7_800, "STETH": 8_100, "LINK": 7_100, "USDC": 7_800, "GUSD": 0, "DAI": 7_700}
)
RULES: Final = AaveRules("aave@3.7", {name: AaveReserve(7_000, bps) for name, bps in THRESHOLDS.items()})
SLOTS: Final = tuple(Slot(Role.COLLATERAL, *one) for one in HELD) + tuple(Slot(Role.DEBT, *one) for one in OWED)


def market(eth_cents: int = 300_000) -> MarketData:
    """Return the market at one price of ether."""
    prices = {name: Price(dollars * 10**8, dollars * 10**8, 8) for name, dollars in DOLLARS.items()}
    ether = Price(eth_cents * 10**6, eth_cents * 10**6, 8)
    indices = {name: Indices(RAY * 21 // 20 + at, RAY * 11 // 10 + at) for at, name in enumerate(DOLLARS)}
    return MarketData(1, MappingProxyType({**prices, "WETH": ether}), indices=MappingProxyType(indices))


def book(count: int, repeats: int = 1) -> Columns:
    """Return the book's columns; `repeats` sets of the ten slots stand beside each other, all but the first small."""
    draw = np.random.Generator(np.random.PCG64(SEED))
    amounts = np.zeros((len(SLOTS) * repeats, count))
    for turn in range(repeats):
        part = amounts[turn * len(SLOTS) : (turn + 1) * len(SLOTS)]
        _fill(part, draw)
    slots = tuple(Slot(slot.role, slot.asset, slot.decimals, number=turn) for turn in range(repeats) for slot in SLOTS)
    return Columns(slots, amounts, np.arange(count), np.zeros(count, dtype=bool))


def _fill(amounts: Floats, draw: np.random.Generator) -> None:
    """Fill ten rows with whole token units: wealth, its split over assets, a health factor from which debts come."""
    count = amounts.shape[1]
    wealth = draw.lognormal(8, 2.5, count)
    power = np.zeros(count)
    chosen = draw.random((len(HELD), count)) < 0.3
    chosen[draw.integers(0, len(HELD) - 1, count), np.arange(count)] = True
    for row, (name, decimals) in enumerate(HELD):
        dollars = np.where(chosen[row], wealth * draw.random(count), 0)
        amounts[row] = np.floor(dollars / DOLLARS[name] * 10**decimals / 1.05)
        power += dollars * THRESHOLDS[name] / 10**4
    factor = 1 + draw.lognormal(-0.5, 1.2, count)
    factor = np.where(draw.random(count) < 0.005, draw.uniform(0.8, 1, count), factor)
    debt = np.where(draw.random(count) < 0.33, 0, power / factor)
    split = draw.random(count)
    first = draw.integers(0, len(OWED), count)
    for row, (name, decimals) in enumerate(OWED):
        share = np.where(first == row, split, 0) + np.where((first + 1) % len(OWED) == row, 1 - split, 0)
        amounts[len(HELD) + row] = np.floor(debt * share / DOLLARS[name] * 10**decimals / 1.1)


def account(columns: Columns, row: int) -> Account:
    """Return one account of the book as the exact rules see it."""
    legs = (
        Leg(f"{at}", slot.role, slot.asset, int(columns.amounts[at, row]), CHAIN, 1, slot.decimals)
        for at, slot in enumerate(columns.slots)
    )
    return Account(str(row), tuple(legs))


@dataclass(frozen=True, slots=True)
class Planted:
    """Hold accounts whose last debt is -1, 0 or +1 units from the most that is healthy, and their exact verdicts."""

    columns: Columns
    accounts: tuple[Account, ...]
    is_healthy: Bools


def planted(count: int, pool: AavePool) -> Planted:
    """Return wealthy accounts of all ten slots, their amounts beyond 2^53, planted in turn."""
    draw = np.random.Generator(np.random.PCG64(SEED + 1))
    accounts = []
    for row in range(count):
        legs = [
            Leg(f"{at}", slot.role, slot.asset, _amount(draw, slot), CHAIN, 1, slot.decimals)
            for at, slot in enumerate(SLOTS)
        ]
        one = Account(str(row), tuple(legs))
        accounts.append(one.with_amount("9", _brink(one, pool) + row % 3 - 1))
    words = [[(leg.amount >> 64, leg.amount & (2**64 - 1)) for leg in one.legs] for one in accounts]
    rows: Words = np.array(words, dtype=np.uint64)
    amounts = np.array([shadow(rows[:, at], signed=False) for at in range(len(SLOTS))])
    truth = np.array([pool.verdict(one).value == "healthy" for one in accounts])
    return Planted(Columns(SLOTS, amounts, np.arange(count), np.zeros(count, dtype=bool)), tuple(accounts), truth)


def _amount(draw: np.random.Generator, slot: Slot) -> int:
    dollars = int(draw.integers(10**6, 10**9)) * (10 if slot.role is Role.COLLATERAL else 1)
    return dollars * 10**slot.decimals // DOLLARS[slot.asset] + int(draw.integers(0, 2**62)) % 10 ** min(
        slot.decimals, 18
    )


def _brink(one: Account, pool: AavePool) -> int:
    """Return the greatest amount of the last debt with which the account is healthy."""
    low, high = 0, 10**32
    while high - low > 1:
        middle = (low + high) // 2
        is_healthy = pool.verdict(one.with_amount("9", middle)).value == "healthy"
        low, high = (middle, high) if is_healthy else (low, middle)
    return low
