"""Balances that storage holds as shares of something: the stored number times a rate, rounded as the token rounds.

    kind            balance                                            the rate comes from
    share_balance   floor(shares * assets / total)                     two slots of the token itself
    lido_shares     floor(shares * internal ether / internal shares)   three named slots of the token (Lido 3)
    scaled_supply   scaled * income index / RAY                        the pool's reserve, linear to the block time
    scaled_debt     scaled * debt index / RAY                          the pool's reserve, compounded to the block time

RAY = 1e27, YEAR = 365 days, t = block time - last update, rayMul(a, b) = floor((a*b + RAY/2) / RAY). Aave v3:

    income index  rayMul(RAY + floor(rate*t / YEAR), liquidity index)
    debt index    rayMul(compounded, variable borrow index)
      taylor      x = floor(rate*t / YEAR); RAY + x + rayMul(x, floor(x/2) + rayMul(x, floor(x/6)))
      binomial    b2 = floor(rayMul(rate, rate) / YEAR^2), b3 = floor(rayMul(b2, rate) / YEAR);
                  RAY + floor(rate*t / YEAR) + floor(t(t-1) b2 / 2) + floor(t(t-1)(t-2) b3 / 6)

At t = 0 both are the stored index. Rounding of the balance is data: before revision 3.5 `half_up`; since then `down`
for supply and `up` for debt. The compounding form belongs to the pool's revision too: code pins hold them together.

Sources: aave-dao/aave-v3-origin (storage layout, MathUtils, WadRayMath), lidofinance/core 3 (unstructured storage).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final

from proofs.errors import ConstructionRefused
from proofs.keccak import keccak256
from proofs.layouts.base import Layout, checked_words, field, padded_row, require_field
from proofs.slots import SLOT_COUNT, mapping_slot
from proofs.types import Address

RAY: Final = 10**27
YEAR_S: Final = 365 * 24 * 3600
_LOW: Final = 2**128 - 1


class Rounding(StrEnum):
    """Say how a scaled balance times its index is rounded."""

    DOWN = "down"
    HALF_UP = "half_up"
    UP = "up"


class Compounding(StrEnum):
    """Name the approximation of compound interest; the formulas are in the module docstring."""

    TAYLOR = "taylor"
    BINOMIAL = "binomial"


# --- shares ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShareBalance:
    """Read a balance kept as shares in the mapping at `base`: floor(shares * assets / total); words (balance).

    Total shares and assets are fields of the token's own slots, whole words by default. While there are no shares at
    all every balance is 0.
    """

    base: int
    total_slot: int
    assets_slot: int
    total_shift: int = 0
    total_bits: int = 256
    assets_shift: int = 0
    assets_bits: int = 256
    name: ClassVar[str] = "share_balance@1"

    def __post_init__(self) -> None:
        """Refuse fields outside one word."""
        require_field("share_balance", self.total_shift, self.total_bits)
        require_field("share_balance", self.assets_shift, self.assets_bits)

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return the slots of the holder's shares, of all shares and of the assets."""
        return mapping_slot(self.base, padded_row(row, 20)), self.total_slot, self.assets_slot

    def decode(self, values: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the balance, rounded down."""
        shares, total_word, assets_word = checked_words(values, 3)
        total = field(total_word, self.total_shift, self.total_bits)
        assets = field(assets_word, self.assets_shift, self.assets_bits)
        return _uint256(shares * assets // total if total else 0)


def _position(name: str) -> int:
    return int.from_bytes(keccak256(name.encode()), "big")


_LIDO_SHARES: Final = _position("lido.StETH.totalAndExternalShares")  # total low, external high
_LIDO_BUFFER: Final = _position("lido.Lido.bufferedEtherAndDepositedValidators")  # ether low, validators high
_LIDO_CONSENSUS: Final = _position("lido.Lido.clBalanceAndClValidators")  # balance low, validators high
_LIDO_DEPOSIT: Final = 32 * 10**18


@dataclass(frozen=True, slots=True)
class LidoShares:
    """Read `balanceOf` of stETH, contract version 3; words (balance in wei).

    internal ether  = buffered + consensus balance + 32 ether per validator that is deposited and not yet seen
    internal shares = total - external
    """

    base: int = 0
    name: ClassVar[str] = "lido_shares@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return the slot of the holder's shares and the three that make the rate."""
        return mapping_slot(self.base, padded_row(row, 20)), _LIDO_SHARES, _LIDO_BUFFER, _LIDO_CONSENSUS

    def decode(self, values: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the balance, rounded down; None without internal shares or with too many validators."""
        shares, all_shares, buffer, consensus = checked_words(values, 4)
        internal_shares = (all_shares & _LOW) - (all_shares >> 128)
        unseen = (buffer >> 128) - (consensus >> 128)
        if internal_shares <= 0 or unseen < 0:
            return None
        ether = (buffer & _LOW) + (consensus & _LOW) + unseen * _LIDO_DEPOSIT
        return _uint256(shares * ether // internal_shares)


# --- scaled balances -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScaledAtIndex:
    """Read a scaled balance at a known index: the low `bits` of the user's word times index / RAY; words (balance)."""

    base: int
    bits: int
    index: int
    rounding: Rounding
    name: ClassVar[str] = "scaled_at_index@1"

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return the slot of the user's state."""
        return (mapping_slot(self.base, padded_row(row, 20)),)

    def decode(self, values: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the balance, rounded as the token rounds."""
        (word,) = checked_words(values, 1)
        product = field(word, 0, self.bits) * self.index
        return _uint256((product + _ADDED[self.rounding]) // RAY)


_ADDED: Final = MappingProxyType({Rounding.DOWN: 0, Rounding.HALF_UP: RAY // 2, Rounding.UP: RAY - 1})


@dataclass(frozen=True, slots=True)
class _Scaled:
    """Hold what supply and debt share: the user's word in the token, the reserve of `asset` in the pool.

    User state: `bits` low bits are the scaled balance (120 since Aave 3.2, 128 before). Reserve (mapping at
    `reserves_base`, by asset): word 1 liquidity index | liquidity rate, word 2 borrow index | borrow rate,
    word 3 from bit 128 the time of the last update, 40 bits; index and rate 128 bits each, index low.
    """

    base: int
    pool: bytes
    asset: bytes
    reserves_base: int = 52
    bits: int = 120

    def __post_init__(self) -> None:
        """Refuse addresses of another length and a balance outside one word."""
        if len(self.pool) != 20 or len(self.asset) != 20:
            raise ConstructionRefused("scaled balance", "pool and asset are addresses of 20 bytes")
        require_field("scaled balance", 0, self.bits)

    def slots(self, row: bytes) -> tuple[int, ...]:
        """Return the slot of the user's state in the token."""
        return (mapping_slot(self.base, padded_row(row, 20)),)

    def decode(self, values: tuple[int, ...]) -> tuple[int, ...] | None:
        """Refuse: the words mean nothing without the index of a block."""
        del values
        raise ConstructionRefused("scaled balance", "has no value before it is bound to a block")

    def _reserve(self, word: int) -> tuple[tuple[Address, int], ...]:
        reserve = mapping_slot(self.reserves_base, padded_row(self.asset, 20))
        pool = Address(self.pool)
        return (pool, (reserve + word) % SLOT_COUNT), (pool, (reserve + 3) % SLOT_COUNT)


@dataclass(frozen=True, slots=True)
class ScaledSupply(_Scaled):
    """Read `balanceOf` of an Aave v3 aToken; words (balance)."""

    rounding: Rounding = Rounding.DOWN
    name: ClassVar[str] = "scaled_supply@1"

    def shared(self) -> tuple[tuple[Address, int], ...]:
        """Return the pool's slots of liquidity index and rate, and of the last update."""
        return self._reserve(1)

    def bind(self, values: tuple[int, ...], timestamp_s: int) -> Layout | None:
        """Return the layout at the block's income index."""
        index, rate, elapsed_s = _accrual(values, timestamp_s)
        if elapsed_s < 0:
            return None
        if elapsed_s:
            index = _ray_mul(RAY + rate * elapsed_s // YEAR_S, index)
        return ScaledAtIndex(self.base, self.bits, index, self.rounding)


@dataclass(frozen=True, slots=True)
class ScaledDebt(_Scaled):
    """Read `balanceOf` of an Aave v3 variable debt token; words (debt)."""

    rounding: Rounding = Rounding.UP
    compounding: Compounding = Compounding.TAYLOR
    name: ClassVar[str] = "scaled_debt@1"

    def shared(self) -> tuple[tuple[Address, int], ...]:
        """Return the pool's slots of borrow index and rate, and of the last update."""
        return self._reserve(2)

    def bind(self, values: tuple[int, ...], timestamp_s: int) -> Layout | None:
        """Return the layout at the block's debt index."""
        index, rate, elapsed_s = _accrual(values, timestamp_s)
        if elapsed_s < 0:
            return None
        if elapsed_s:
            index = _ray_mul(_COMPOUNDED[self.compounding](rate, elapsed_s), index)
        return ScaledAtIndex(self.base, self.bits, index, self.rounding)


def _accrual(values: tuple[int, ...], timestamp_s: int) -> tuple[int, int, int]:
    """Return index, yearly rate (both RAY) and seconds since the last update."""
    index_word, time_word = checked_words(values, 2)
    return index_word & _LOW, index_word >> 128, timestamp_s - field(time_word, 128, 40)


def _ray_mul(left: int, right: int) -> int:
    return (left * right + RAY // 2) // RAY


def _taylor(rate: int, elapsed_s: int) -> int:
    interest = rate * elapsed_s // YEAR_S
    return RAY + interest + _ray_mul(interest, interest // 2 + _ray_mul(interest, interest // 6))


def _binomial(rate: int, elapsed_s: int) -> int:
    second = _ray_mul(rate, rate) // YEAR_S**2
    third = _ray_mul(second, rate) // YEAR_S
    pairs = elapsed_s * (elapsed_s - 1)
    return RAY + rate * elapsed_s // YEAR_S + pairs * second // 2 + pairs * max(elapsed_s - 2, 0) * third // 6


_COMPOUNDED: Final = MappingProxyType({Compounding.TAYLOR: _taylor, Compounding.BINOMIAL: _binomial})


def _uint256(value: int) -> tuple[int] | None:
    return (value,) if value < SLOT_COUNT else None
