"""What-if: what one account, and the whole book, would look like after deposits, trades, shocks or other parameters.

Pure: a frame's portfolio, market and rules go in, margin views come out, and nothing is remembered. The answer is what
the next frame says if the same thing happens on the chains, to the unit, because both ask `relayer.margin.evaluate`.

| change | of whom | does |
|---|---|---|
| deposit, withdrawal | one account | moves the amount of one collateral source |
| trade | one account | changes a position at a price; by default a buyer pays the high, a seller gets the low end |
| price shift, price | everybody | moves both ends of an asset's interval (outward), or sets them |
| haircut, margin | everybody | sets the two haircuts of an asset, the two fractions of a market |

Changes apply in order: a trade after a price shift is done at the shifted mark. A trade that enlarges adds
⌈size · price⌉ to the entry value; one that reduces takes its share of the entry value out (down) and realises the rest
in `accrued`, as the venue does when it closes; one that crosses zero does both.

Evidence keeps the strength it has in the frame. What a frame did not read cannot be changed: that is refused and not
guessed.

`relayer.margin.solve` asks the same of engine accounts. Its changes are not these: they name legs, know no sources, and
leave realised profit in the entry value, where the venue's next reading would have it in `accrued`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, assert_never

from proofs.types import AccountId, LegKind, Quality, Status
from proofs.units import E18, PPM, Ppm, mul_div_down, mul_div_up
from relayer.book import Book
from relayer.errors import Refused
from relayer.margin.account import Holding, Portfolio, Position, can_count
from relayer.margin.evaluate import evaluate
from relayer.margin.market import Market, NoPrice, Price
from relayer.margin.rules import AssetRule, CollateralSource, MarginRules, PositionSource
from relayer.margin.screens.unified import ScreenColumns, screen
from relayer.margin.view import MarginView, Missing

LOOKS_MAX: Final = 2_000
"""Exact looks for one question, up to half a millisecond each; beyond it the answer says that it is not complete."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """Add base units to the source of that column."""

    column: str
    amount_raw: int


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Take base units from the source of that column."""

    column: str
    amount_raw: int


@dataclass(frozen=True, slots=True)
class Trade:
    """Change the position of that column by a signed size at a price (E18 each); None is the mark."""

    column: str
    size_e18: int
    price_e18: int | None = None


@dataclass(frozen=True, slots=True)
class PriceShift:
    """Move an asset's price by a share of itself: -150_000 is -15 %; outward."""

    symbol: str
    shift_ppm: int


@dataclass(frozen=True, slots=True)
class PriceSet:
    """Set an asset's price interval, PriceE18."""

    symbol: str
    low_e18: int
    high_e18: int


@dataclass(frozen=True, slots=True)
class HaircutSet:
    """Set both haircuts of an asset; as in a policy the initial one is at least the maintenance one."""

    symbol: str
    maintenance_ppm: int
    initial_ppm: int


@dataclass(frozen=True, slots=True)
class MarginSet:
    """Set both margin fractions of the market of that column; as in a policy the initial one is the larger."""

    column: str
    initial_ppm: int
    maintenance_ppm: int


OwnChange = Deposit | Withdrawal | Trade
CommonChange = PriceShift | PriceSet | HaircutSet | MarginSet
Change = OwnChange | CommonChange


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Hold one account's view as it is and as it would be."""

    before: MarginView
    after: MarginView


@dataclass(frozen=True, slots=True)
class Flip:
    """Name an account whose status would be another."""

    account: AccountId
    before: Status
    after: Status


@dataclass(frozen=True, slots=True)
class Flips:
    """Hold who would flip, ascending; `screened` accounts, of which `candidates` needed an exact look.

    Only the first `looked_at` candidates got it: the list is complete where that is all of them.
    """

    flips: tuple[Flip, ...]
    screened: int
    candidates: int
    looked_at: int

    @property
    def is_complete(self) -> bool:
        """Tell whether nobody else would flip."""
        return self.looked_at == self.candidates


def whatif(portfolio: Portfolio, market: Market, rules: MarginRules, changes: Iterable[Change]) -> WhatIf:
    """Return an account's view before and after some changes.

    Raises: Refused for a change that cannot happen or whose outcome this frame does not know.
    """
    held, prices, terms = portfolio, market, rules
    for change in changes:
        if isinstance(change, OwnChange):
            held = _own(held, prices, change)
        else:
            prices, terms = _common(prices, terms, change)
    return WhatIf(evaluate(portfolio, market, rules), evaluate(under(held, rules, terms), prices, terms))


def flips_of(book: Book, account: AccountId, changes: tuple[Change, ...], looks_max: int = LOOKS_MAX) -> Flips:
    """Return whose status would be another: all changes happen to `account`, those of everybody to everybody.

    A screen over the whole book says who may be below the warning level or unknown; they are evaluated exactly, and
    everybody else is healthy for certain. Raises: Refused.
    """
    market, rules = book.market, book.rules
    for change in changes:
        if not isinstance(change, OwnChange):
            market, rules = _common(market, rules, change)
    line_ppm = max(rules.status.warning_ppm, rules.status.margin_call_ppm, PPM)
    candidates = screen(_columns_under(book.shadows, rules), market, rules, line_ppm).indices
    looked_at = candidates[:looks_max]
    after = dict.fromkeys(_not_healthy(book) - set(candidates), Status.HEALTHY)
    for at in looked_at:
        held = under(book.reader.portfolio(book.accounts[at]), book.rules, rules)
        after[at] = evaluate(held, market, rules).status
    place = place_of(book, account)
    if place is not None:
        own = whatif(book.reader.portfolio(account), book.market, book.rules, changes)
        after[place] = own.after.status
    flips = (Flip(book.accounts[at], book.views[at].status, after[at]) for at in sorted(after))
    found = tuple(flip for flip in flips if flip.before is not flip.after)
    return Flips(found, len(book.accounts), len(candidates), len(looked_at))


def place_of(book: Book, account: AccountId) -> int | None:
    """Return an account's index in the book, None where the frame does not have it."""
    place = bisect_left(book.accounts, account)
    return place if place < len(book.accounts) and book.accounts[place] == account else None


def under(portfolio: Portfolio, before: MarginRules, rules: MarginRules) -> Portfolio:
    """Return a portfolio read under some rules as it would have been read under others with the same sources.

    What was not read is missing exactly where it could count; rules that let it count, or no longer do, change that.
    """
    if rules == before:
        return portfolio
    collateral = {source.column: source for source in rules.collateral}
    positions = {source.column: source for source in rules.positions}
    holdings = tuple(replace(one, source=collateral[one.source.column]) for one in portfolio.holdings)
    return replace(
        portfolio,
        holdings=holdings,
        positions=tuple(replace(one, source=positions[one.source.column]) for one in portfolio.positions),
        missing=_missing_under(portfolio, before, rules),
    )


# --- one account -----------------------------------------------------------------------------------------------------


def _own(portfolio: Portfolio, market: Market, change: OwnChange) -> Portfolio:
    if isinstance(change, Trade):
        position = _position(portfolio, change.column)
        price = _trade_price(market, position, change)
        positions = (_traded(one, change.size_e18, price) if one is position else one for one in portfolio.positions)
        return replace(portfolio, positions=tuple(positions))
    holding = _holding(portfolio, change.column)
    if change.amount_raw <= 0:
        raise Refused("amount", f"{change.amount_raw} base units of {holding.source.symbol}; write a positive amount")
    amount = holding.amount_raw + (change.amount_raw if isinstance(change, Deposit) else -change.amount_raw)
    if amount < 0:
        raise Refused("not_enough", f"{holding.amount_raw} base units of {holding.source.symbol} are there")
    moved = replace(holding, amount_raw=amount)
    return replace(portfolio, holdings=tuple(moved if one is holding else one for one in portfolio.holdings))


def _holding(portfolio: Portfolio, column: str) -> Holding:
    for holding in portfolio.holdings:
        if holding.source.column == column:
            return holding
    raise Refused("unread", f"no collateral was read from {column} in this frame")


def _position(portfolio: Portfolio, column: str) -> Position:
    for position in portfolio.positions:
        if position.source.column == column:
            return position
    raise Refused("unread", f"no position was read from {column} in this frame")


def _trade_price(market: Market, position: Position, trade: Trade) -> int:
    if trade.size_e18 == 0:
        raise Refused("amount", "a trade of size 0 changes nothing")
    if trade.price_e18 is not None:
        if trade.price_e18 <= 0:
            raise Refused("price", "a price is positive")
        return trade.price_e18
    price = _price(market, position.source.symbol)
    return price.high_e18 if trade.size_e18 > 0 else price.low_e18


def _traded(position: Position, size_e18: int, price_e18: int) -> Position:
    """Return the position after a trade; reducing and enlarging parts one after the other."""
    held = position.size_e18
    if held == 0 or (held > 0) == (size_e18 > 0):
        cost = mul_div_up(size_e18, price_e18, E18)
        return replace(position, size_e18=held + size_e18, entry_value_usd=position.entry_value_usd + cost)
    reducing = -held if abs(size_e18) > abs(held) else size_e18
    released = mul_div_down(position.entry_value_usd, abs(reducing), abs(held))
    gain = mul_div_down(-reducing, price_e18, E18) - released
    reduced = replace(
        position,
        size_e18=held + reducing,
        entry_value_usd=position.entry_value_usd - released,
        accrued_usd=position.accrued_usd + gain,
    )
    return reduced if reducing == size_e18 else _traded(reduced, size_e18 - reducing, price_e18)


# --- everybody -------------------------------------------------------------------------------------------------------


def _common(market: Market, rules: MarginRules, change: CommonChange) -> tuple[Market, MarginRules]:
    match change:
        case PriceShift():
            return _shifted(market, change), rules
        case PriceSet():
            return _set(market, rules, change), rules
        case HaircutSet():
            return market, _with_haircut(rules, change)
        case MarginSet():
            return market, _with_margin(rules, change)
    assert_never(change)


def _shifted(market: Market, change: PriceShift) -> Market:
    price = _price(market, change.symbol)
    factor = PPM + change.shift_ppm
    low = mul_div_down(price.low_e18, factor, PPM)
    if low <= 0:
        raise Refused("price", f"a shift of {change.shift_ppm} ppm leaves no price of {change.symbol}")
    return _priced(market, replace(price, low_e18=low, high_e18=mul_div_up(price.high_e18, factor, PPM)))


def _set(market: Market, rules: MarginRules, change: PriceSet) -> Market:
    price = _price(market, change.symbol)
    if not 0 < change.low_e18 <= change.high_e18:
        raise Refused("price", f"an interval is 0 < low <= high, of {change.symbol} it is not")
    allowed = min(source.deviation_ppm_max for source in rules.prices if source.symbol == change.symbol)
    is_wide = (change.high_e18 - change.low_e18) * PPM > allowed * change.low_e18
    quality = Quality.WIDE_PRICE if is_wide else Quality.NONE
    return _priced(market, Price(change.symbol, change.low_e18, change.high_e18, price.assurance, quality))


def _price(market: Market, symbol: str) -> Price:
    price = market.price(symbol)
    if isinstance(price, NoPrice):
        raise Refused("no_price", f"{symbol} has none in this frame: {price.reason}")
    return price


def _priced(market: Market, price: Price) -> Market:
    return Market(MappingProxyType({**market.prices, price.symbol: price}))


def _with_haircut(rules: MarginRules, change: HaircutSet) -> MarginRules:
    if not 0 <= change.maintenance_ppm <= change.initial_ppm <= PPM:
        raise Refused("parameter", f"haircuts are 0 <= maintenance <= initial <= {PPM} ppm")
    if all(rule.symbol != change.symbol for rule in rules.assets):
        raise Refused("unknown_asset", f"the policy has no haircut for {change.symbol}")
    assets = (_cut(rule, change) if rule.symbol == change.symbol else rule for rule in rules.assets)
    return replace(rules, assets=tuple(assets))


def _cut(rule: AssetRule, change: HaircutSet) -> AssetRule:
    return replace(
        rule, haircut_maintenance_ppm=Ppm(change.maintenance_ppm), haircut_initial_ppm=Ppm(change.initial_ppm)
    )


def _with_margin(rules: MarginRules, change: MarginSet) -> MarginRules:
    if not 0 < change.maintenance_ppm <= change.initial_ppm <= PPM:
        raise Refused("parameter", f"margins are 0 < maintenance <= initial <= {PPM} ppm")
    if all(source.column != change.column for source in rules.positions):
        raise Refused("unknown_market", f"the policy has no market {change.column}")
    positions = (_demanding(source, change) if source.column == change.column else source for source in rules.positions)
    return replace(rules, positions=tuple(positions))


def _demanding(source: PositionSource, change: MarginSet) -> PositionSource:
    initial, maintenance = Ppm(change.initial_ppm), Ppm(change.maintenance_ppm)
    return replace(source, initial_margin_ppm=initial, maintenance_margin_ppm=maintenance)


# --- the book --------------------------------------------------------------------------------------------------------


def _columns_under(columns: ScreenColumns, rules: MarginRules) -> ScreenColumns:
    """Return the screen's columns bound to the markets as the rules have them."""
    markets = {source.column: source for source in rules.positions}
    positions = tuple(replace(one, source=markets[one.source.column]) for one in columns.positions)
    return replace(columns, positions=positions)


def _not_healthy(book: Book) -> set[int]:
    return {at for at, view in enumerate(book.views) if view.status is not Status.HEALTHY}


def _missing_under(portfolio: Portfolio, before: MarginRules, rules: MarginRules) -> tuple[Missing, ...]:
    """Return what is missing under other rules; collateral that cannot count is not, whatever happened to it."""
    idle = {source.column for source in rules.collateral if not can_count(rules, source)}
    idle |= {source.frozen_column for source in rules.collateral if source.column in idle and source.frozen_column}
    counting = {source.chain for source in rules.collateral if source.column not in idle}
    idle |= {f"collateral on {source.chain}" for source in rules.collateral if source.chain not in counting}
    kept = tuple(gap for gap in portfolio.missing if gap.what not in idle)
    read = {one.source.column for one in portfolio.holdings}
    woken = (source for source in rules.collateral if can_count(rules, source) and not can_count(before, source))
    return kept + tuple(_unread(source) for source in woken if source.column not in read)


def _unread(source: CollateralSource) -> Missing:
    kind: LegKind = source.kind
    return Missing(source.column, source.chain, "not read: it could not count in this frame", kind)
