"""Who plays in the demo: twelve accounts, what each locks on which chain, and what each trades. Data, by hand.

Amounts are in whole coins and sizes in whole contracts, as decimal strings; a negative size is short. First prices are
ETH 3000, BTC 60000, USDX 1. `FALLING` is long 40 ETH on some 18,600 USD of counted collateral: at 2650 its loss of
14,000 leaves 3,364 against a maintenance margin of 5,300 (5 % of 106,000); 0.1 BTC more on another chain cures it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proofs.keccak import keccak256
from proofs.types import Address
from proofs.units import parse_decimal

if TYPE_CHECKING:
    from chains.devnet.seeding import SeededAccount
    from chains.devnet.world import World

GAS_GIFT_WEI: Final = 10**18


@dataclass(frozen=True, slots=True)
class Trader:
    """Name one account, its locks (chain letter, asset, amount) and its trades (market, size)."""

    name: str
    locks: tuple[tuple[str, str, str], ...]
    trades: tuple[tuple[str, str], ...]

    @property
    def address(self) -> Address:
        """Return the home address on the venue's chain."""
        return Address(keccak256(f"demo trader {self.name}".encode())[12:])


FALLING: Final = "Grace"
FALLEN_PRICE: Final = ("ETH", "2650")
CURE: Final = ("B", "BTC", "0.1")

CAST: Final = (
    Trader("Ada", (("A", "ETH", "4"), ("B", "USDX", "6000")), (("ETH-PERP", "10"),)),
    Trader("Blaise", (("A", "USDX", "20000"), ("B", "BTC", "0.5")), (("BTC-PERP", "1.5"),)),
    Trader("Carl", (("B", "BTC", "0.8"), ("C", "ETH", "10")), (("ETH-PERP", "-20"), ("BTC-PERP", "0.5"))),
    Trader("Dorothy", (("A", "ETH", "2"), ("B", "USDX", "3000"), ("C", "ETH", "3")), (("ETH-PERP", "8"),)),
    Trader("Emmy", (("A", "USDX", "15000"), ("C", "ETH", "5")), (("BTC-PERP", "-1"),)),
    Trader("Felix", (("A", "USDX", "9000"), ("B", "USDX", "9000")), (("ETH-PERP", "-25"),)),
    Trader(FALLING, (("A", "USDX", "8000"), ("C", "ETH", "4")), (("ETH-PERP", "40"),)),
    Trader("Hypatia", (("B", "BTC", "1"), ("C", "ETH", "8")), (("ETH-PERP", "15"), ("BTC-PERP", "-0.5"))),
    Trader("Ida", (("A", "ETH", "6"), ("B", "BTC", "0.2"), ("C", "ETH", "2")), (("BTC-PERP", "0.8"),)),
    Trader("Joan", (("A", "USDX", "5000"), ("B", "USDX", "7000")), (("BTC-PERP", "0.9"),)),
    Trader("Kurt", (("B", "USDX", "30000"), ("C", "ETH", "1")), (("ETH-PERP", "12"), ("BTC-PERP", "0.4"))),
    Trader("Lise", (("A", "ETH", "3"), ("C", "ETH", "6")), (("ETH-PERP", "-12"),)),
)


def trader_of(name: str) -> Trader:
    """Return a member of the cast."""
    return next(trader for trader in CAST if trader.name == name)


def accounts_of(world: World) -> list[SeededAccount]:
    """Return the cast as accounts to create: locks and gas; positions are opened through the venue's guard."""
    from chains.devnet.seeding import SeededAccount, SeededLock
    from proofs.types import account_of_address

    accounts = []
    for trader in CAST:
        locks = []
        for letter, symbol, amount in trader.locks:
            place = world.place(letter, symbol)
            locks.append(SeededLock(world.chain(letter).chain, place, parse_decimal(amount, place.decimals)))
        account = account_of_address(trader.address)
        accounts.append(SeededAccount(account, trader.address, tuple(locks), (), GAS_GIFT_WEI))
    return accounts
