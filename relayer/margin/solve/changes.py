"""Changes: what an account or its market may undergo, as values; `applied` makes them happen or refuses.

| change | to what | amount |
|---|---|---|
| Deposit, Withdraw | a collateral or cash leg | in the leg's own smallest unit; cash below 0 is borrowed |
| Repay, Borrow | a debt leg | in the leg's own smallest unit (scaled balances, shares) |
| Trade | a perp, future or option leg | signed change of size, at a price in dollars |
| AddLeg, Remove | a whole leg | - |
| Shock, SetPrice | a price; forwards and the perpetual of the asset move with it | averages stay: a shock is sudden |

A trade of a perp or a future moves the entry value by size · price, rounded up (against the account), so that profit
made and profit open together stay what they were at that price. An option's premium is paid from, or into, a cash leg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from proofs.units import PPM, mul_div_up
from relayer.margin.engine.inputs import Account, Leg, MarketData, Price, Role
from relayer.margin.engine.result import USD, Unit
from relayer.margin.models.quotes import perp_name

SHIFT_MIN_PPM: Final = 1 - PPM
"""A price never falls to zero: that is no price."""
HELD: Final = frozenset({Role.COLLATERAL, Role.CASH})
TRADED: Final = frozenset({Role.PERP, Role.FUTURE, Role.OPTION})


@dataclass(frozen=True, slots=True)
class Deposit:
    """Add an amount > 0 to a collateral or cash leg that exists; `AddLeg` brings a new one."""

    leg: str
    amount: int


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take an amount > 0 from a collateral or cash leg; of collateral no more than there is."""

    leg: str
    amount: int


@dataclass(frozen=True, slots=True)
class Repay:
    """Pay back an amount > 0 of a debt leg, no more than is owed."""

    leg: str
    amount: int


@dataclass(frozen=True, slots=True)
class Borrow:
    """Owe an amount > 0 more on a debt leg; what was borrowed leaves the account."""

    leg: str
    amount: int


@dataclass(frozen=True, slots=True)
class Trade:
    """Change the size of a perp, future or option leg at a price >= 0, US dollars per whole unit at 10^price_decimals.

    `paid_from` names the cash leg of an option's premium; a perp or future needs none.
    """

    leg: str
    size: int
    price: int
    price_decimals: int = 18
    paid_from: str = ""


@dataclass(frozen=True, slots=True)
class AddLeg:
    """Add a leg whose name is not taken."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a leg with everything on it, profit and debt included."""

    leg: str


@dataclass(frozen=True, slots=True)
class Shock:
    """Shift the prices of some assets, of all where none is named, by a share of themselves (-150_000 is -15 %)."""

    shift_ppm: int
    assets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetPrice:
    """Set the price of one asset; of an asset without one, give it one."""

    asset: str
    price: Price


Change = Deposit | Withdraw | Repay | Borrow | Trade | AddLeg | Remove | Shock | SetPrice


def applied(
    account: Account, market: MarketData, changes: Sequence[Change], unit: Unit = USD
) -> tuple[Account, MarketData]:
    """Return the account and the market after all changes, in order; `unit` is the money of entry values.

    Raises: ValueError for a change that cannot be made, with the rule that it breaks.
    """
    for change in changes:
        if isinstance(change, Shock):
            market = shocked(market, change.shift_ppm, change.assets)
        elif isinstance(change, SetPrice):
            market = _priced(market, change)
        else:
            account = _changed(account, change, unit)
    return account, market


def shocked(market: MarketData, shift_ppm: int, assets: tuple[str, ...] = ()) -> MarketData:
    """Return the market with prices shifted, outward. Raises: ValueError for an unpriced asset, or a fall to zero."""
    if shift_ppm < SHIFT_MIN_PPM:
        raise ValueError(f"shift {shift_ppm} ppm: a price cannot fall to zero, {SHIFT_MIN_PPM} ppm is the most")
    moved = {asset: _shifted(price_of(market, asset), shift_ppm) for asset in assets or tuple(market.prices)}
    for asset, price in moved.items():
        market = repriced(market, asset, price)
    for asset, price in moved.items():  # a perpetual that is named itself has moved twice
        market = market.with_price(asset, price)
    return market


def _shifted(price: Price, shift_ppm: int) -> Price:
    after = price.shifted(shift_ppm)
    return after if after.low > 0 else replace(after, low=1)


def repriced(market: MarketData, asset: str, price: Price) -> MarketData:
    """Return the market with another price of one asset; its forwards and its perpetual move by the same ratio."""
    before, perpetual = market.prices.get(asset), market.prices.get(perp_name(asset))
    market = market.with_price(asset, price)
    if before is None or perpetual is None:
        return market
    after = price.scaled(before.decimals) if price.decimals != before.decimals else price
    low = max(1, perpetual.low * after.low // before.low)
    high = max(low, -(-perpetual.high * after.high // before.high))
    return market.with_price(perp_name(asset), replace(perpetual, low=low, high=high))


def price_of(market: MarketData, asset: str) -> Price:
    """Return the price of an asset. Raises: ValueError where there is none."""
    price = market.prices.get(asset)
    if price is None:
        raise ValueError(f"{asset}: the market has no price of it")
    return price


def leg_of(account: Account, name: str, roles: frozenset[Role], verb: str) -> Leg:
    """Return the leg of that name. Raises: ValueError for an unknown one, or of a role that the verb does not fit."""
    for leg in account.legs:
        if leg.name == name:
            if leg.role not in roles:
                wanted = " or ".join(sorted(roles))
                raise ValueError(f"{name}: to {verb} takes a {wanted} leg, this is {leg.role}")
            return leg
    raise ValueError(f"{name}: account {account.name} has no leg of that name")


def trade_value_up(leg: Leg, size: int, price: int, price_decimals: int, decimals: int) -> int:
    """Return size · price in money of `decimals`, toward positive infinity."""
    scale = leg.decimals + price_decimals - decimals
    up: int = 10 ** max(-scale, 0)
    down: int = 10 ** max(scale, 0)
    return mul_div_up(size * price, up, down)


def _priced(market: MarketData, change: SetPrice) -> MarketData:
    if not 0 < change.price.low <= change.price.high:
        raise ValueError(f"{change.asset}: a price must satisfy 0 < low <= high")
    return repriced(market, change.asset, change.price)


def _changed(
    account: Account, change: Deposit | Withdraw | Repay | Borrow | Trade | AddLeg | Remove, unit: Unit
) -> Account:
    match change:
        case Deposit() | Withdraw():
            return _moved(account, change)
        case Repay() | Borrow():
            return _owed(account, change)
        case Trade():
            return _traded(account, change, unit)
        case AddLeg():
            return _added(account, change.leg)
        case Remove():
            leg_of(account, change.leg, frozenset(Role), "remove")
            return replace(account, legs=tuple(leg for leg in account.legs if leg.name != change.leg))
        case _:
            assert_never(change)


def _moved(account: Account, change: Deposit | Withdraw) -> Account:
    verb = "deposit" if isinstance(change, Deposit) else "withdraw"
    leg = leg_of(account, change.leg, HELD, verb)
    _positive(change.leg, change.amount, verb)
    if isinstance(change, Deposit):
        return account.with_amount(leg.name, leg.amount + change.amount)
    if leg.role is Role.COLLATERAL and change.amount > leg.amount:
        raise ValueError(f"{leg.name}: cannot withdraw {change.amount}, there is {leg.amount}")
    return account.with_amount(leg.name, leg.amount - change.amount)


def _owed(account: Account, change: Repay | Borrow) -> Account:
    verb = "repay" if isinstance(change, Repay) else "borrow"
    leg = leg_of(account, change.leg, frozenset({Role.DEBT}), verb)
    _positive(change.leg, change.amount, verb)
    if isinstance(change, Borrow):
        return account.with_amount(leg.name, leg.amount + change.amount)
    if change.amount > leg.amount:
        raise ValueError(f"{leg.name}: cannot repay {change.amount}, {leg.amount} is owed")
    return account.with_amount(leg.name, leg.amount - change.amount)


def _traded(account: Account, change: Trade, unit: Unit) -> Account:
    leg = leg_of(account, change.leg, TRADED, "trade")
    if change.size == 0 or change.price < 0:
        raise ValueError(f"{leg.name}: a trade has a size other than 0 and a price >= 0")
    if leg.role is not Role.OPTION:
        paid = trade_value_up(leg, change.size, change.price, change.price_decimals, unit.decimals)
        return account.with_leg(replace(leg, amount=leg.amount + change.size, entry_value=leg.entry_value + paid))
    account = account.with_amount(leg.name, leg.amount + change.size)
    if change.price == 0:
        return account
    cash = leg_of(account, change.paid_from, frozenset({Role.CASH}), "pay a premium")
    paid = trade_value_up(leg, change.size, change.price, change.price_decimals, cash.decimals)
    return account.with_amount(cash.name, cash.amount - paid)


def _added(account: Account, leg: Leg) -> Account:
    if any(other.name == leg.name for other in account.legs):
        raise ValueError(f"{leg.name}: account {account.name} has a leg of that name already")
    if leg.role in (Role.COLLATERAL, Role.DEBT) and leg.amount < 0:
        raise ValueError(f"{leg.name}: an amount of {leg.role} is >= 0, got {leg.amount}")
    return account.with_leg(leg)


def _positive(name: str, amount: int, verb: str) -> None:
    if amount <= 0:
        raise ValueError(f"{name}: the amount to {verb} must be above 0, got {amount}")
