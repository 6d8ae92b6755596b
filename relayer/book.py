"""The book: all accounts of the newest frame in memory, as columns for screening and as views for reuse.

Pure: a book is built from the one before and a verified snapshot, and never changes.

- `next_book` evaluates exactly the accounts whose inputs changed and takes every other view over, with the new block
  numbers in its lines. Inputs are: rules, marks of the frame, missing chains, the account's cells (words, status,
  assurance), and the prices of what it holds. Reuse equals full recomputation, byte for byte.
- `tick` screens all accounts at new prices and evaluates the candidates alone. Its views are provisional: they rest on
  the frame's amounts and the newest prices, and their leaves are not for signing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from proofs.sheet import SIGN_OFFSET, CellStatus, Column, ColumnSpec
from proofs.types import AccountId, ChainId, LegKind, Quality
from proofs.verify import VerifiedChain, VerifiedSnapshot
from relayer.margin.account import PortfolioReader, home_address
from relayer.margin.evaluate import evaluate
from relayer.margin.market import Market, market_of
from relayer.margin.rules import CollateralSource, MarginRules, PositionSource
from relayer.margin.screens.columns import Bools, Candidates, Floats, Words, shadow
from relayer.margin.screens.unified import CollateralColumn, Levels, PositionColumn, ScreenColumns, screen
from relayer.margin.view import MarginView

Source = CollateralSource | PositionSource


@dataclass(frozen=True, slots=True, eq=False)
class BookColumn:
    """Hold one column, one row per account of the book: words (rows, width, 2) as (hi, lo), status and level.

    Rows that nobody asked, or whose contract runs other code, have status UNAVAILABLE and zero words.
    """

    words: Words
    status: Levels
    level: Levels

    @property
    def is_read(self) -> Bools:
        """Tell which rows have a value."""
        observed = (self.status == CellStatus.OBSERVED) | (self.status == CellStatus.WIDE)
        is_read: Bools = observed & (self.level > 0)
        return is_read

    @property
    def is_wide(self) -> Bools:
        """Tell which rows have a value that the words do not hold."""
        is_wide: Bools = self.status == CellStatus.WIDE
        return is_wide


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """Hold one frame: `views[i]` is that of `accounts[i]`; `evaluated` are the indices whose view was made anew."""

    frame_s: int
    accounts: tuple[AccountId, ...]
    rules: MarginRules
    reader: PortfolioReader
    market: Market
    columns: Mapping[str, BookColumn]
    shadows: ScreenColumns
    views: tuple[MarginView, ...]
    evaluated: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """Hold what a tick found: how many accounts it screened, whom it looked at exactly, and their views."""

    screened: int
    candidates: tuple[int, ...]
    views: tuple[MarginView, ...]


def next_book(
    previous: Book | None,
    snapshot: VerifiedSnapshot,
    accounts: tuple[AccountId, ...],
    rules: MarginRules,
    quality: Quality,
) -> Book:
    """Build the book of a frame; `accounts` ascending, `quality` the marks of the whole policy (devnet)."""
    reader = PortfolioReader.from_snapshot(snapshot, rules, quality)
    market = market_of(snapshot, rules)
    columns = MappingProxyType(_book_columns(reader, accounts))
    book = Book(
        frame_s=snapshot.frame_s,
        accounts=accounts,
        rules=rules,
        reader=reader,
        market=market,
        columns=columns,
        shadows=_screen_columns(rules, columns, len(accounts)),
        views=(),
        evaluated=(),
    )
    evaluated = touched(previous, book)
    return replace(book, views=_views(previous, book, evaluated), evaluated=evaluated)


def touched(previous: Book | None, book: Book) -> tuple[int, ...]:
    """Return the indices of accounts whose inputs differ from those of the book before, ascending."""
    if previous is None or _is_other_frame(previous.reader, book.reader):
        return tuple(range(len(book.accounts)))
    before = _places_before(previous, book)
    is_touched: Bools = before < 0
    moved = _moved_prices(previous.market, book.market, book.rules)
    for name, new in book.columns.items():
        is_touched |= _is_changed(previous.columns[name], new, before)
    for source in _sources(book.rules):
        if source.symbol in moved and source.column in book.columns:
            is_touched |= _is_exposed(source, book.columns[source.column])
    return tuple(np.flatnonzero(is_touched).tolist())


def tick(book: Book, market: Market) -> Tick:
    """Screen all accounts at new prices and evaluate exactly those that may be below maintenance margin."""
    found: Candidates = screen(book.shadows, market, book.rules)
    views = (evaluate(book.reader.portfolio(book.accounts[at]), market, book.rules) for at in found.indices)
    return Tick(found.screened, found.indices, tuple(views))


# --- reuse -----------------------------------------------------------------------------------------------------------


def _is_other_frame(before: PortfolioReader, now: PortfolioReader) -> bool:
    """Tell whether something changed that is the same for every account."""
    is_same = before.rules == now.rules and before.quality == now.quality and before.missing == now.missing
    return not is_same or before.chains.keys() != now.chains.keys() or _other_code(before) != _other_code(now)


def _other_code(reader: PortfolioReader) -> dict[ChainId, frozenset[str]]:
    return {name: chain.code_changed for name, chain in reader.chains.items()}


def _places_before(previous: Book, book: Book) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return each account's index in the book before, -1 for a new one."""
    if previous.accounts == book.accounts:
        return np.arange(len(book.accounts), dtype=np.int64)
    places = {account: at for at, account in enumerate(previous.accounts)}
    return np.array([places.get(account, -1) for account in book.accounts], dtype=np.int64)


def _moved_prices(before: Market, now: Market, rules: MarginRules) -> set[str]:
    symbols = {source.symbol for source in _sources(rules)}
    return {symbol for symbol in symbols if before.price(symbol) != now.price(symbol)}


def _is_changed(old: BookColumn, new: BookColumn, before: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Bools:
    """Compare rows, the row of the same account before; a row with a wide word counts as changed."""
    if len(old.status) == 0:
        return np.ones(len(before), dtype=bool)
    words = (old.words[before] != new.words).any(axis=(1, 2))
    marks = (old.status[before] != new.status) | (old.level[before] != new.level)
    is_changed: Bools = words | marks | new.is_wide
    return is_changed


def _is_exposed(source: Source, column: BookColumn) -> Bools:
    """Tell whose first word (amount, size) is not zero: to whom the price matters."""
    zero_hi = 0 if isinstance(source, CollateralSource) else SIGN_OFFSET >> 64
    hi, lo = column.words[:, 0, 0], column.words[:, 0, 1]
    is_exposed: Bools = column.is_read & ((hi != np.uint64(zero_hi)) | (lo != 0))
    return is_exposed


def _views(previous: Book | None, book: Book, evaluated: tuple[int, ...]) -> tuple[MarginView, ...]:
    anew = {at: evaluate(book.reader.portfolio(book.accounts[at]), book.market, book.rules) for at in evaluated}
    if previous is None:
        return tuple(anew[at] for at in range(len(book.accounts)))
    kept = dict(zip(previous.accounts, previous.views, strict=True))
    blocks = {name: chain.anchor.block.number for name, chain in book.reader.chains.items()}
    return tuple(
        anew[at] if at in anew else _at_blocks(kept[account], blocks) for at, account in enumerate(book.accounts)
    )


def _at_blocks(view: MarginView, blocks: Mapping[ChainId, int]) -> MarginView:
    """Return the same view read at newer blocks: nothing but the block numbers of its lines differs."""
    lines = tuple(
        line if line.kind is LegKind.REQUIREMENT else replace(line, block_number=blocks[line.chain])
        for line in view.lines
    )
    return replace(view, lines=lines)


# --- columns ---------------------------------------------------------------------------------------------------------


def _sources(rules: MarginRules) -> Iterable[Source]:
    return (*rules.collateral, *rules.positions)


def _book_columns(reader: PortfolioReader, accounts: tuple[AccountId, ...]) -> dict[str, BookColumn]:
    homes = tuple(home_address(account) for account in accounts)
    columns = {}
    for source in reader.rules.collateral:
        chain, rows = reader.chains.get(source.chain), accounts if source.holder else homes
        for name in (source.column, source.frozen_column):
            if chain is not None and name is not None:
                columns[name] = _book_column(chain, name, 1, rows)
    for market in reader.rules.positions:
        chain = reader.chains.get(market.chain)
        if chain is not None:
            columns[market.column] = _book_column(chain, market.column, 3, accounts)
    return columns


def _book_column(chain: VerifiedChain, name: str, width: int, rows: tuple[bytes, ...]) -> BookColumn:
    """Take one column over, its rows brought into the order of the book."""
    asked = [at for at, spec in enumerate(chain.columns) if spec.name == name]
    if not asked or not chain.has(name):
        return _empty_column(len(rows), width)
    spec, column = chain.columns[asked[0]], chain.sheet.columns[asked[0]]
    words, status, level = _decoded(chain, spec, column)
    if spec.rows != rows:
        places = {row: at for at, row in enumerate(spec.rows)}
        order = [places.get(row, len(spec.rows)) for row in rows]
        absent = _empty_column(1, width)
        words = np.concatenate([words, absent.words])[order]
        status = np.concatenate([status, absent.status])[order]
        level = np.concatenate([level, absent.level])[order]
    taken = BookColumn(words, status, level)
    words[~taken.is_read | taken.is_wide] = 0
    return taken


def _decoded(chain: VerifiedChain, spec: ColumnSpec, column: Column) -> tuple[Words, Levels, Levels]:
    raw = np.frombuffer(column.words, dtype=">u8").reshape(len(spec.rows), len(column.signed), 2)
    levels = np.frombuffer(chain.levels(spec.name) or b"", dtype=np.uint8)
    return raw.astype(np.uint64), np.frombuffer(column.status, dtype=np.uint8), levels


def _empty_column(count: int, width: int) -> BookColumn:
    status = np.full(count, int(CellStatus.UNAVAILABLE), dtype=np.uint8)
    return BookColumn(np.zeros((count, width, 2), dtype=np.uint64), status, np.zeros(count, dtype=np.uint8))


def _screen_columns(rules: MarginRules, columns: Mapping[str, BookColumn], count: int) -> ScreenColumns:
    """Make the float64 shadow; what it cannot hold is marked for an exact look at any price."""
    is_always = np.zeros(count, dtype=bool)
    for column in columns.values():
        is_always |= column.is_wide
    if any(source.column not in columns for source in rules.positions):
        is_always[:] = True
    collateral = [_collateral_column(source, columns) for source in rules.collateral if source.column in columns]
    positions = []
    for market in rules.positions:
        if market.column in columns:
            held = columns[market.column]
            size, entry, accrued = (_word(held, word, signed=True) for word in range(3))
            positions.append(PositionColumn(market, size, entry, accrued, held.level, held.is_read))
    return ScreenColumns(count, tuple(collateral), tuple(positions), is_always)


def _collateral_column(source: CollateralSource, columns: Mapping[str, BookColumn]) -> CollateralColumn:
    """Shadow one source; what is frozen, or not known to be free to move, counts as not read."""
    held = columns[source.column]
    amount, level, is_read = _word(held, 0, signed=False), held.level, held.is_read
    if source.frozen_column is not None:
        mark = columns[source.frozen_column]
        is_read &= mark.is_read & (mark.words == 0).all(axis=(1, 2))
        level = np.minimum(level, mark.level)
    return CollateralColumn(source, np.where(is_read, amount, 0.0), level, is_read)


def _word(column: BookColumn, word: int, *, signed: bool) -> Floats:
    """Return one word of all rows as floats; 0 where there is none to believe."""
    has_value = column.is_read & ~column.is_wide
    return np.where(has_value, shadow(column.words[:, word, :], signed=signed), 0.0)
