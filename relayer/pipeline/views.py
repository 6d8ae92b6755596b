"""Views of one policy's accounts: evaluated exactly, reused where no input changed, and the flags that follow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from types import MappingProxyType

from proofs.attestation import accounts_tree, hash_leaf
from proofs.merkle import MerkleTree
from proofs.types import AccountId, Assurance, Hash32, Quality
from proofs.verify import VerifiedSnapshot
from relayer.book import Book, Tick, next_book, tick
from relayer.config.policy import Policy
from relayer.flags import Flag, FlagEvent, step
from relayer.margin.account import PortfolioReader, accounts_of
from relayer.margin.evaluate import evaluate
from relayer.margin.market import Market, Price, market_of
from relayer.margin.view import MarginView

Steps = tuple[tuple[Flag, ...], tuple[FlagEvent, ...]]


class Views:
    """Hold the book of the newest frame and judge by it; computing is done off the loop."""

    def __init__(self, policy: Policy, executor: Executor | None) -> None:
        self._rules = policy.rules
        self._quality = Quality.DEVNET if policy.has_devnet else Quality.NONE
        self._executor = executor
        self._tree = KeptTree()
        self._book: Book | None = None

    @property
    def is_ready(self) -> bool:
        """Tell whether there is a frame to judge newer prices by."""
        return self._book is not None

    @property
    def book(self) -> Book | None:
        """Return the book of the newest frame, for reading; None before the first."""
        return self._book

    @property
    def evaluated(self) -> int:
        """Return how many accounts of the newest frame were evaluated anew."""
        return 0 if self._book is None else len(self._book.evaluated)

    async def of_frame(self, snapshot: VerifiedSnapshot) -> tuple[MarginView, ...]:
        """Return the views of all accounts of a snapshot, ascending by account id."""
        book = await asyncio.get_running_loop().run_in_executor(self._executor, self._next_book, snapshot)
        self._book = book
        return book.views

    async def of_tick(self, prices: VerifiedSnapshot) -> Tick | None:
        """Return the views of those who may be in breach at newer prices; None before the first frame."""
        book = self._book
        if book is None:
            return None
        market = provisional_market(market_of(prices, self._rules), book.market)
        found = await asyncio.get_running_loop().run_in_executor(self._executor, tick, book, market)
        return replace(found, views=tuple(_unproven(view) for view in found.views))

    async def of_look(self, snapshot: VerifiedSnapshot, accounts: Iterable[AccountId]) -> tuple[MarginView, ...]:
        """Return the views of a few accounts, of a snapshot read for them alone."""
        reader = PortfolioReader.from_snapshot(snapshot, self._rules, self._quality)
        market = market_of(snapshot, self._rules)
        return tuple(evaluate(reader.portfolio(account), market, self._rules) for account in accounts)

    def accounts_root(self, views: tuple[MarginView, ...]) -> Hash32:
        """Return the root of the tree over the views' leaves.

        Raises: ConstructionRefused without views.
        """
        return self._tree.root_of(views)

    def step_frame(self, flags: Mapping[AccountId, Flag], views: tuple[MarginView, ...], frame: int) -> Steps:
        """Return the flags that a frame's final views changed, and what happened."""
        return self._step(flags, views, frame, provisional=False)

    def step_tick(self, flags: Mapping[AccountId, Flag], views: tuple[MarginView, ...], newest_s: int) -> Steps:
        """Return the flags that provisional views changed, and what happened."""
        return self._step(flags, views, newest_s, provisional=True)

    def _next_book(self, snapshot: VerifiedSnapshot) -> Book:
        return next_book(self._book, snapshot, accounts_of(snapshot), self._rules, self._quality)

    def _step(
        self, flags: Mapping[AccountId, Flag], views: tuple[MarginView, ...], frame: int, *, provisional: bool
    ) -> Steps:
        changed: list[Flag] = []
        events: list[FlagEvent] = []
        for view in views:
            before = flags.get(view.account)
            after, happened = step(before, view, self._rules.status, frame, provisional)
            if after != before:
                changed.append(after)
            events += happened
        return tuple(changed), tuple(events)


def provisional_market(newest: Market, final: Market) -> Market:
    """Return the newest prices at the assurance that each asset's price had in the frame.

    Nobody waits for proofs of a price that only asks for an exact look. Were its lower level counted, every position
    that the policy wants proven would be missing between frames, and no flag could be raised on it. The views say so:
    their assurance is that of a quorum (`_unproven`) until a look with proofs says more.
    """
    levels = {symbol: price.assurance for symbol, price in final.prices.items() if isinstance(price, Price)}
    lifted = {
        symbol: replace(price, assurance=levels.get(symbol, price.assurance)) if isinstance(price, Price) else price
        for symbol, price in newest.prices.items()
    }
    return Market(MappingProxyType(lifted))


def _unproven(view: MarginView) -> MarginView:
    return replace(view, assurance=min(view.assurance, Assurance.RPC_QUORUM))


class KeptTree:
    """Hold the accounts tree of the last frame; a changed leaf costs a path, another set of accounts a new tree."""

    def __init__(self) -> None:
        self._views: tuple[MarginView, ...] = ()
        self._tree: MerkleTree | None = None

    def root_of(self, views: tuple[MarginView, ...]) -> Hash32:
        """Return the root over the leaves of views, ascending by account id.

        Raises: ConstructionRefused without views.
        """
        before = self._views
        if self._tree is None or [view.account for view in views] != [view.account for view in before]:
            self._tree = accounts_tree([view.leaf for view in views])
        else:
            pairs = enumerate(zip(before, views, strict=True))
            self._tree.update({at: hash_leaf(new.leaf) for at, (old, new) in pairs if old.leaf != new.leaf})
        self._views = views
        return Hash32(self._tree.root)
