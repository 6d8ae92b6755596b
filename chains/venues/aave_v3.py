"""Read an Aave v3 pool: terms, indices and prices of its reserves, and what accounts hold, owe and are said to be.

Two rounds of calls at one block: the pool's registry and lists, then everything else. The revision decides how the
efficiency modes are asked; one that no rule set of ours restates is refused. Source: aave-dao/aave-v3-origin `Pool`,
`DataTypes`; @aave/core-v3 1.19.3 for revision 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chains.venues.asking import Ask, Asker, VenueRefused, address_of, text_of
from proofs.types import Address, BlockRef, to_hex

VENUE: Final = "aave v3"
REVISIONS: Final = ((1, "aave@3.0"), (10, "aave@3.6"), (11, "aave@3.7"))
"""Pool revisions and the rule sets that restate them; revisions between have no rule set here."""
RESERVES_MAX: Final = 128
MODES_MAX: Final = 32
"""Efficiency modes 1 to 32 are asked; pools number them from 1."""
ACCOUNTS_MAX: Final = 64

_A_TOKEN, _STABLE, _VARIABLE = 8, 9, 10
"""Words of `getReserveData(address)` that hold the token addresses, the same in every revision."""


@dataclass(frozen=True, slots=True)
class ReserveReading:
    """Hold one reserve; `price` is None where its feed fails. Configuration fields come from the pool's own bits."""

    asset: Address
    symbol: str
    configuration: int
    supply_index_ray: int
    borrow_index_ray: int
    price: int | None

    def bits(self, start: int, width: int) -> int:
        """Return a field of the configuration word."""
        return (self.configuration >> start) & ((1 << width) - 1)

    @property
    def ltv_bps(self) -> int:
        """Return the LTV."""
        return self.bits(0, 16)

    @property
    def threshold_bps(self) -> int:
        """Return the liquidation threshold."""
        return self.bits(16, 16)

    @property
    def bonus_bps(self) -> int:
        """Return what a liquidator receives for each unit repaid."""
        return self.bits(32, 16)

    @property
    def decimals(self) -> int:
        """Return the token's decimals."""
        return self.bits(48, 8)

    @property
    def protocol_fee_bps(self) -> int:
        """Return the protocol's share of the bonus."""
        return self.bits(152, 16)

    @property
    def category(self) -> int:
        """Return the reserve's own mode in revision 1; later revisions keep bitmaps."""
        return self.bits(168, 8)


@dataclass(frozen=True, slots=True)
class ModeReading:
    """Hold one efficiency mode: terms, and by bit the reserves that are collateral in it, or have LTV 0 in it."""

    category: int
    ltv_bps: int
    threshold_bps: int
    bonus_bps: int
    collateral_bits: int
    ltv_zero_bits: int


@dataclass(frozen=True, slots=True)
class AccountReading:
    """Hold one account: scaled (supplied, borrowed) by reserve, flags, mode, and the six words of the pool's getter.

    `getter` is (collateral, debt, available, average threshold, average LTV, health factor), or None if it reverts.
    """

    address: Address
    scaled: tuple[tuple[int, int], ...]
    flags: int
    category: int
    getter: tuple[int, ...] | None

    def uses(self, index: int) -> bool:
        """Tell whether the reserve of that index is used as collateral."""
        return bool(self.flags >> (2 * index + 1) & 1)

    def borrows(self, index: int) -> bool:
        """Tell whether the reserve of that index is borrowed."""
        return bool(self.flags >> (2 * index) & 1)


@dataclass(frozen=True, slots=True)
class PoolReading:
    """Hold a pool and accounts of it at one block; `nodes` had to agree on every word."""

    pool: Address
    block: BlockRef
    nodes: int
    rule_set: str
    reserves: tuple[ReserveReading, ...]
    modes: tuple[ModeReading, ...]
    accounts: tuple[AccountReading, ...]


async def read_pool(asker: Asker, pool: Address, accounts: Sequence[Address], block: BlockRef) -> PoolReading:
    """Read a pool and accounts at a block.

    Raises: VenueRefused for what is no pool, or one of another revision; ChainError where nodes fail or disagree.
    """
    if len(accounts) > ACCOUNTS_MAX:
        raise VenueRefused(VENUE, "accounts", f"{len(accounts)} at once, at most {ACCOUNTS_MAX}")
    rule_set, oracle, assets = await _pool(asker, pool, block)
    reserves, tokens = await _reserves(asker, pool, oracle, assets, block)
    modes = await _modes(asker, pool, rule_set, reserves, block)
    read = await _accounts(asker, pool, tokens, accounts, block)
    return PoolReading(pool, block, asker.nodes, rule_set, reserves, modes, read)


async def _pool(asker: Asker, pool: Address, block: BlockRef) -> tuple[str, Address, tuple[Address, ...]]:
    asks = [Ask(pool, "POOL_REVISION()"), Ask(pool, "ADDRESSES_PROVIDER()"), Ask(pool, "getReservesList()")]
    revision, provider, listed = await asker.words(asks, block)
    if not revision or not provider or not listed or len(listed) < 2:
        raise VenueRefused(VENUE, "not_a_pool", f"{to_hex(pool)} does not answer like one")
    rule_set = dict(REVISIONS).get(revision[0])
    if rule_set is None:
        known = ", ".join(f"{number} ({name})" for number, name in REVISIONS)
        raise VenueRefused(VENUE, "unknown_revision", f"pool revision {revision[0]}; known are {known}")
    if listed[1] != len(listed) - 2 or listed[1] > RESERVES_MAX:
        raise VenueRefused(VENUE, "reserves", f"a list of {listed[1]} reserves, at most {RESERVES_MAX}")
    (oracle,) = await asker.words([Ask(address_of(VENUE, provider[0]), "getPriceOracle()")], block)
    if not oracle:
        raise VenueRefused(VENUE, "no_oracle", "the registry names no price oracle")
    return rule_set, address_of(VENUE, oracle[0]), tuple(address_of(VENUE, word) for word in listed[2:])


async def _reserves(
    asker: Asker, pool: Address, oracle: Address, assets: Sequence[Address], block: BlockRef
) -> tuple[tuple[ReserveReading, ...], tuple[tuple[Address, Address, Address], ...]]:
    """Return the reserves, and the (supply, stable debt, variable debt) token of each."""
    asks = [
        ask
        for asset in assets
        for ask in (
            Ask(pool, "getConfiguration(address)", (asset,)),
            Ask(pool, "getReserveNormalizedIncome(address)", (asset,)),
            Ask(pool, "getReserveNormalizedVariableDebt(address)", (asset,)),
            Ask(pool, "getReserveData(address)", (asset,)),
            Ask(oracle, "getAssetPrice(address)", (asset,)),
        )
    ]
    words = await asker.words(asks, block)
    symbols = _unique(assets, await asker.raw([Ask(asset, "symbol()") for asset in assets], block))
    reserves, tokens = [], []
    for number, asset in enumerate(assets):
        configuration, income, debt, data, price = words[5 * number : 5 * number + 5]
        if not configuration or not income or not debt or not data or len(data) <= _VARIABLE:
            raise VenueRefused(VENUE, "reserve", f"{to_hex(asset)} does not answer like a reserve")
        value = price[0] if price and price[0] > 0 else None
        reserves.append(ReserveReading(asset, symbols[number], configuration[0], income[0], debt[0], value))
        tokens.append(
            (address_of(VENUE, data[_A_TOKEN]), address_of(VENUE, data[_STABLE]), address_of(VENUE, data[_VARIABLE]))
        )
    return tuple(reserves), tuple(tokens)


async def _modes(
    asker: Asker, pool: Address, rule_set: str, reserves: Sequence[ReserveReading], block: BlockRef
) -> tuple[ModeReading, ...]:
    numbers = range(1, MODES_MAX + 1)
    if rule_set == "aave@3.0":
        answers = await asker.words([Ask(pool, "getEModeCategoryData(uint8)", (n,)) for n in numbers], block)
        modes = [_mode_v30(n, words, reserves) for n, words in zip(numbers, answers, strict=True) if words]
        return tuple(mode for mode in modes if mode.threshold_bps)
    names = ("CollateralConfig", "CollateralBitmap", "LtvzeroBitmap")
    asks = [Ask(pool, f"getEModeCategory{name}(uint8)", (n,)) for n in numbers for name in names]
    answers = await asker.words(asks, block)
    modes = []
    for n, at in zip(numbers, range(0, len(answers), 3), strict=True):
        terms, inside, zero = answers[at : at + 3]
        if terms and inside and len(terms) == 3 and terms[1]:
            modes.append(ModeReading(n, *terms, inside[0], zero[0] if zero else 0))
    return tuple(modes)


def _mode_v30(number: int, words: tuple[int, ...], reserves: Sequence[ReserveReading]) -> ModeReading:
    """Read (offset, ltv, threshold, bonus, price source, label); a mode with a price of its own is refused."""
    if len(words) < 5:
        raise VenueRefused(VENUE, "mode", f"mode {number} does not answer like one")
    _, ltv, threshold, bonus, source = words[:5]
    if source and threshold:
        raise VenueRefused(VENUE, "mode_price", f"mode {number} has a price source of its own, which is not restated")
    inside = sum(1 << at for at, reserve in enumerate(reserves) if reserve.category == number)
    return ModeReading(number, ltv, threshold, bonus, inside, 0)


async def _accounts(
    asker: Asker,
    pool: Address,
    tokens: Sequence[tuple[Address, Address, Address]],
    accounts: Sequence[Address],
    block: BlockRef,
) -> tuple[AccountReading, ...]:
    asks = []
    for account in accounts:
        for supply, _, variable in tokens:
            asks += [Ask(supply, "scaledBalanceOf(address)", (account,))]
            asks += [Ask(variable, "scaledBalanceOf(address)", (account,))]
        asks += [Ask(stable, "balanceOf(address)", (account,)) for _, stable, _ in tokens if any(stable)]
        asks += [Ask(pool, f"{name}(address)", (account,)) for name in _GETTERS]
    answers = await asker.words(asks, block)
    width = len(answers) // len(accounts) if accounts else 0
    return tuple(
        _account(account, answers[number * width : (number + 1) * width], len(tokens))
        for number, account in enumerate(accounts)
    )


_GETTERS: Final = ("getUserConfiguration", "getUserEMode", "getUserAccountData")


def _account(address: Address, answers: Sequence[tuple[int, ...] | None], reserves: int) -> AccountReading:
    *balances, flags, mode, getter = answers
    if not flags or not mode or any(not one for one in balances):
        raise VenueRefused(VENUE, "account", f"{to_hex(address)} cannot be read")
    words = [one[0] for one in balances if one]
    if any(words[2 * reserves :]):
        raise VenueRefused(VENUE, "stable_debt", f"{to_hex(address)} owes at a stable rate, which is not restated")
    scaled = tuple(zip(words[0 : 2 * reserves : 2], words[1 : 2 * reserves : 2], strict=True))
    return AccountReading(address, scaled, flags[0], mode[0], getter if getter and len(getter) == 6 else None)


def _unique(assets: Sequence[Address], raw: Sequence[bytes | None]) -> list[str]:
    """Return a name for each asset: its symbol where that is clean and nobody else's, else with its address."""
    symbols = [text_of(one)[:16] for one in raw]
    return [
        symbol if symbol and symbols.count(symbol) == 1 else f"{symbol or 'token'}-{asset.hex()[:8]}"
        for symbol, asset in zip(symbols, assets, strict=True)
    ]
