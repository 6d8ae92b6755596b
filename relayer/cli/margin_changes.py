"""What `relayer margin whatif` was asked, from text to changes: legs by name or asset, balances as people count.

| option | text | meaning |
|---|---|---|
| --deposit, --withdraw, --repay, --borrow | LEG=BALANCE | a balance in whole units of the leg's asset |
| --trade | LEG=SIZE@PRICE | signed size in whole units at a price |
| --shock | ASSET=PERCENT, all=PERCENT | `-15%`, at most four decimals |
| --price | ASSET=PRICE, ASSET=LOW..HIGH | as in files |
| --set | KEY=VALUE | one value of the file; elements of lists by number or by name |

LEG is a leg's name, or an asset of which the account has one leg that fits. A deposit of an asset that the account has
no such leg of adds one. The changed file is read like any other: what a file may not say is refused.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from proofs.units import parse_decimal
from relayer.config.document import Document
from relayer.errors import ConfigError, Fault
from relayer.margin.engine.inputs import Account, Leg, Price, Role
from relayer.margin.solve.changes import (
    HELD,
    TRADED,
    AddLeg,
    Borrow,
    Change,
    Deposit,
    Repay,
    SetPrice,
    Shock,
    Trade,
    Withdraw,
)
from relayer.portfolio.conversions import amount_change, price_shift, shifted
from relayer.portfolio.portfolio import Portfolio, portfolio_of

_KEY: Final = re.compile(r'\s*(?:"([^"]*)"|\[(\d{1,6})\]|([^.\[\]"=]+))\.?')
_PERCENT_DECIMALS: Final = 4
_PRICE_DECIMALS: Final = 18
LESS: Final = frozenset({"withdraw", "repay"})
ACTS: Final[Mapping[str, Callable[[str, int], Change]]] = MappingProxyType(
    {"deposit": Deposit, "withdraw": Withdraw, "repay": Repay, "borrow": Borrow}
)
_ROLES: Final = MappingProxyType(
    {"deposit": HELD, "withdraw": HELD, "repay": frozenset({Role.DEBT}), "borrow": frozenset({Role.DEBT})}
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold the texts of the options: acts of the account by verb, shocks, prices, and values of the file."""

    acts: tuple[tuple[str, Sequence[str]], ...]
    shocks: tuple[str, ...]
    prices: tuple[str, ...]
    sets: tuple[str, ...]

    @property
    def has_acts(self) -> bool:
        """Tell whether anything is done by an account itself."""
        return any(texts for _, texts in self.acts)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was asked."""
        return not (self.has_acts or self.shocks or self.prices or self.sets)


def market_changes(portfolio: Portfolio, asked: Asked) -> tuple[Change, ...]:
    """Return the changes of prices. Raises: ConfigError naming the option and its text."""
    shift = price_shift(portfolio.core, portfolio.decimals)
    changes: list[Change] = [_shock(text) for text in asked.shocks]
    for text in asked.prices:
        asset, value = _halves(text, "price", "ETH=1900")
        low, _, high = value.partition("..")
        ends = [_number(end, _PRICE_DECIMALS, "price", text) for end in (low, high or low)]
        changes.append(SetPrice(asset, shifted(Price(ends[0], ends[1], _PRICE_DECIMALS), shift)))
    return tuple(changes)


def account_changes(portfolio: Portfolio, account: Account, asked: Asked) -> tuple[Change, ...]:
    """Return the account's own acts, in the order of the table. Raises: ConfigError naming the option and its text."""
    return tuple(_act(portfolio, account, verb, text) for verb, texts in asked.acts for text in texts)


def patched(portfolio: Portfolio, sets: Sequence[str]) -> Portfolio:
    """Return the file with other values. Raises: ConfigError for a key or a value that no file may have."""
    document = deepcopy(portfolio.document)
    for text in sets:
        key, value = _halves(text, "set", "rules.reserves.WETH.ltv_bps=7000")
        _put(document, _path(key, text), _value(value), text)
    return portfolio_of(document, f"{portfolio.source} with --set")


def _act(portfolio: Portfolio, account: Account, verb: str, text: str) -> Change:
    name, value = _halves(text, verb, "weth=2.5")
    if verb == "trade":
        return _trade(account, name, value, text)
    leg = _leg(account, name, _ROLES[verb])
    if leg is None and verb == "deposit":
        leg = _new_leg(portfolio, account, name)
        amount = _moved(portfolio, leg, value, verb, text)
        return AddLeg(Account("", (leg,)).with_amount(leg.name, amount).legs[0])
    if leg is None:
        raise _wrong(verb, text, f"{account.name} has no leg to {verb} {name!r}", f"write one of {_names(account)}")
    return ACTS[verb](leg.name, abs(_moved(portfolio, leg, value, verb, text)))


def _moved(portfolio: Portfolio, leg: Leg, value: str, verb: str, text: str) -> int:
    """Return by how much the leg's amount moves when a written balance comes or goes."""
    balance = _number(value, leg.decimals, verb, text)
    if balance <= 0:
        raise _wrong(verb, text, f"the balance to {verb} must be above 0", "the verb says which way it goes")
    try:
        return amount_change(leg, -balance if verb in LESS else balance, portfolio.market, portfolio.core)
    except ValueError as error:
        raise _wrong(verb, text, str(error), "") from None


def _trade(account: Account, name: str, value: str, text: str) -> Trade:
    leg = _leg(account, name, TRADED)
    if leg is None:
        raise _wrong("trade", text, f"{account.name} has no position {name!r}", f"write one of {_names(account)}")
    size, separator, price = value.partition("@")
    if not separator:
        raise _wrong("trade", text, "no price", "write eth=-5@2200")
    cash = next((one.name for one in account.legs if one.role is Role.CASH), "")
    return Trade(
        leg.name,
        _number(size, leg.decimals, "trade", text),
        _number(price, _PRICE_DECIMALS, "trade", text),
        _PRICE_DECIMALS,
        cash if leg.role is Role.OPTION else "",
    )


def _shock(text: str) -> Shock:
    asset, value = _halves(text, "shock", "ETH=-15%")
    if not value.endswith("%"):
        raise _wrong("shock", text, "not a percentage", "write ETH=-15%")
    shift = _number(value.removesuffix("%").removeprefix("+"), _PERCENT_DECIMALS, "shock", text)
    return Shock(shift, () if asset == "all" else (asset,))


def _leg(account: Account, name: str, roles: frozenset[Role]) -> Leg | None:
    """Return the leg of that name, else the only one of that asset among the roles."""
    fitting = [leg for leg in account.legs if leg.role in roles]
    named = [leg for leg in fitting if leg.name == name]
    found = named or [leg for leg in fitting if leg.asset.lower() == name.lower()]
    return found[0] if len(found) == 1 else None


def _new_leg(portfolio: Portfolio, account: Account, asset: str) -> Leg:
    known = {*portfolio.decimals, *portfolio.market.prices}
    if asset not in known:
        fix = f"write one of {_names(account)}, or an asset: {', '.join(sorted(known)[:12])}"
        raise _wrong("deposit", asset, f"{account.name} has no leg {asset!r}, and the file no such asset", fix)
    taken = {leg.name for leg in account.legs}
    name = next(name for n in range(1, len(taken) + 2) if (name := f"{asset} deposit {n}") not in taken)
    return Leg(name, Role.COLLATERAL, asset, 0, portfolio.chain, decimals=portfolio.decimals.get(asset, 18))


def _names(account: Account) -> str:
    return ", ".join(leg.name for leg in account.legs[:12])


def _halves(text: str, verb: str, example: str) -> tuple[str, str]:
    left, separator, right = text.partition("=")
    if not (separator and left.strip() and right.strip()):
        raise _wrong(verb, text, "not KEY=VALUE", f"write --{verb} {example}")
    return left.strip(), right.strip()


def _number(text: str, decimals: int, verb: str, whole: str) -> int:
    try:
        return parse_decimal(text.strip().replace("_", ""), decimals)
    except ValueError as error:
        raise _wrong(verb, whole, str(error), "") from None


def _wrong(verb: str, text: str, problem: str, fix: str) -> ConfigError:
    return ConfigError(f"option --{verb}", Fault(text[:80], problem, fix))


# --- values of the file ----------------------------------------------------------------------------------------------


def _path(key: str, text: str) -> tuple[str | int, ...]:
    parts: list[str | int] = []
    at = 0
    while at < len(key):
        match = _KEY.match(key, at)
        if match is None:
            raise _wrong("set", text, f"not a key: {key[:60]!r}", 'write rules.reserves."USDC.e".ltv_bps=7000')
        quoted, number, plain = match.groups()
        parts.append(int(number) if number is not None else quoted if quoted is not None else plain.strip())
        at = match.end()
    return tuple(parts)


def _value(text: str) -> object:
    """Return TOML where it is an integer, a boolean, a string, a list or a table; anything else as text."""
    if re.fullmatch(r"-?\d{1,15}|true|false|[\[{\"'].*", text):
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except (ValueError, RecursionError):
            return text
    return text


def _put(document: Document, path: tuple[str | int, ...], value: object, text: str) -> None:
    """Set one value; every table on the way must exist."""
    place: object = document
    for part in path[:-1]:
        place = _inside(place, part, text)
    last = path[-1]
    if isinstance(place, list):
        place[_index(place, last, text)] = value
    elif isinstance(place, dict):
        place[str(last)] = value
    else:
        raise _wrong("set", text, f"nothing stands below {path[-2] if len(path) > 1 else ''}", "")


def _inside(place: object, part: str | int, text: str) -> object:
    if isinstance(place, list):
        return place[_index(place, part, text)]
    if isinstance(place, dict) and str(part) in place:
        return place[str(part)]
    has = f"it has {', '.join(list(place)[:12])}" if isinstance(place, dict) else ""
    raise _wrong("set", text, f"the file has no {part!r} there", has)


def _index(items: list[object], part: str | int, text: str) -> int:
    """Return the place of an element by number, or of the table with that name."""
    if isinstance(part, int) and part < len(items):
        return part
    for number, item in enumerate(items):
        if isinstance(item, dict) and item.get("name") == part:
            return number
    raise _wrong("set", text, f"the list has no {part!r}", "write a number, as in accounts[0], or a name")
