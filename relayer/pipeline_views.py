"""Views of one policy's accounts: evaluated exactly each frame, with the tree over their leaves kept between frames."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor

from proofs.attestation import accounts_tree, hash_leaf
from proofs.merkle import MerkleTree
from proofs.types import AccountId, Hash32, Quality
from proofs.verify import VerifiedSnapshot
from relayer.config.policy import Policy
from relayer.flags import Flag, FlagEvent, step
from relayer.margin.account import PortfolioReader, accounts_of
from relayer.margin.evaluate import evaluate
from relayer.margin.market import market_of
from relayer.margin.view import MarginView


class Views:
    """Evaluate, remember the last views, and judge flags by them."""

    def __init__(self, policy: Policy, executor: Executor | None) -> None:
        self._rules = policy.rules
        self._quality = Quality.DEVNET if policy.has_devnet else Quality.NONE
        self._executor = executor
        self._tree = KeptTree()
        self.evaluated = 0

    async def of_frame(self, snapshot: VerifiedSnapshot) -> tuple[MarginView, ...]:
        """Return the views of all accounts of a snapshot, ascending by account id, off the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._evaluated, snapshot)

    def accounts_root(self, views: tuple[MarginView, ...]) -> Hash32:
        """Return the root of the tree over the views' leaves.

        Raises: ConstructionRefused without views.
        """
        return self._tree.root_of(views)

    def step_all(
        self, flags: Mapping[AccountId, Flag], views: tuple[MarginView, ...], frame: int
    ) -> tuple[tuple[Flag, ...], tuple[FlagEvent, ...]]:
        """Return the flags that final views changed, and what happened."""
        changed: list[Flag] = []
        events: list[FlagEvent] = []
        for view in views:
            before = flags.get(view.account)
            after, happened = step(before, view, self._rules.status, frame, provisional=False)
            if after != before:
                changed.append(after)
            events += happened
        return tuple(changed), tuple(events)

    def _evaluated(self, snapshot: VerifiedSnapshot) -> tuple[MarginView, ...]:
        reader = PortfolioReader.from_snapshot(snapshot, self._rules, self._quality)
        market = market_of(snapshot, self._rules)
        views = tuple(evaluate(reader.portfolio(account), market, self._rules) for account in accounts_of(snapshot))
        self.evaluated = len(views)
        return views


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
