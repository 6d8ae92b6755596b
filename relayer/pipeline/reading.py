"""Reading of one frame: every chain's block, accounts, columns and proofs, verified; or why there is none.

    anchors (wait until final or given up) -> account lists -> one union of accounts -> columns -> proofs -> verify

Chains run side by side; what goes wrong on one is a value and costs the others nothing. They meet twice at most: the
union of accounts decides the rows of all columns, and where a chain has too many cells to prove them all, the prices of
all chains decide which (`relayer.plan_cells`); other chains are proven without waiting for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final

from chains.adapter import NEWEST_S, ChainAdapter
from chains.clock import Clock
from proofs.sheet import AccountList, AccountListSpec, ColumnSpec
from proofs.snapshot import Anchor, ChainReading, Reason, Unavailable
from proofs.types import AccountId, ChainId
from proofs.verify import VerifiedChain, verify_quorum
from relayer import plan, plan_cells
from relayer.config.policy import ChainPolicy, Policy
from relayer.pipeline.proving import READ_BUDGET_S, Answer, Outcome, Prover, within

POLL_S: Final = 0.5
"""How often a chain is asked again whether its block is final; cheap head questions, answered in tens of ms."""
ANCHOR_BUDGET_S: Final = 30.0
"""One question for a block, with the adapter's own retries inside."""
PRICES_BUDGET_S: Final = 3.0
"""Each step of a look at prices between frames; a slower chain must not hold up the flags of the others for long."""
LOOK_BUDGET_S: Final = 3.0
"""Each step of a look at a few accounts; the flags it is about stand already."""
WAITED_FOR: Final = frozenset({Reason.NOT_YET, Reason.NOT_FINAL})


@dataclass(frozen=True, slots=True)
class Readings:
    """Hold one frame's verified chains, in policy order, and the accounts that all chains together name."""

    frame_s: int
    accounts: tuple[AccountId, ...]
    outcomes: tuple[Outcome, ...]
    evidence: Mapping[ChainId, ChainReading]
    """What each verified chain was read and proven with."""
    refuted: tuple[Unavailable, ...]
    """Answers of sources that were caught; the chain may have been read from another one all the same."""
    priced_by: frozenset[ChainId] = frozenset()
    """Chains whose prices decided what was proven; empty where everything was."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """Hold a chain whose block and accounts are known."""

    anchor: Anchor
    specs: tuple[AccountListSpec, ...]
    lists: tuple[AccountList, ...]


@dataclass(frozen=True, slots=True)
class _Work:
    """Collect what chains leave beside their outcomes."""

    evidence: dict[ChainId, ChainReading]
    refuted: list[Unavailable]


class FrameReader:
    """Read frames of one policy through one adapter per chain."""

    def __init__(
        self,
        policy: Policy,
        chains: Mapping[ChainId, ChainAdapter],
        clock: Clock,
        executor: Executor | None = None,
        notice: Callable[[Unavailable], None] = lambda _: None,
    ) -> None:
        self._policy = policy
        self._chains = chains
        self._clock = clock
        self._specs = plan.list_specs(policy)
        self._devnets = plan.devnets(policy)
        self._prover = Prover(chains, self._devnets, clock, executor, notice)

    async def read(self, frame_s: int, watched: tuple[AccountId, ...] = ()) -> Readings:
        """Read every chain of the policy for a frame; waits for blocks to become final, no longer.

        `watched` are asked about beside those that the chains name; never in a frame that is signed.
        """
        listed = await self._each(partial(self._listed, frame_s))
        found = [chain for chain in listed.values() if isinstance(chain, _Listed)]
        named = plan.account_union(listing for chain in found for listing in chain.lists)
        accounts = tuple(sorted({*named, *watched}))
        columns = plan.column_specs(self._policy, accounts)
        work = _Work({}, [])

        async def begun(chain: ChainPolicy) -> Outcome | ChainReading:
            known = listed[chain.chain]
            if isinstance(known, Unavailable):
                return known
            return await self._begun(known, columns[chain.chain], work)

        progress = await self._each(begun)
        outcomes, priced_by = await self._finished(progress, work)
        evidence, refuted = MappingProxyType(work.evidence), tuple(work.refuted)
        return Readings(frame_s, accounts, tuple(outcomes.values()), evidence, refuted, priced_by)

    async def settled(self, readings: Readings, outcomes: Iterable[Outcome]) -> Readings:
        """Return the readings of a frame in which only these chains count.

        Where the prices of another chain decided what to prove, the proofs that only those prices asked for are left
        out, so that every relayer of the frame holds the same.
        """
        kept = {outcome.chain: outcome for outcome in outcomes}
        present = {chain: readings.evidence[chain] for chain, one in kept.items() if isinstance(one, VerifiedChain)}
        evidence = dict(readings.evidence)
        if readings.priced_by - present.keys():
            for chain, cells in plan_cells.cells_of(self._policy, present).items():
                if cells != present[chain].cells:
                    evidence[chain] = plan_cells.trimmed(present[chain], cells)
                    kept[chain] = await self._prover.judged_again(evidence[chain])
        return replace(readings, outcomes=tuple(kept.values()), evidence=MappingProxyType(evidence))

    async def look(self, anchors: Mapping[ChainId, Anchor], accounts: tuple[AccountId, ...]) -> tuple[Outcome, ...]:
        """Read and prove all cells of a few accounts at given blocks: for judging flags, never for a leaf."""
        columns = plan.column_specs(self._policy, tuple(sorted(accounts)))
        rows = tuple(range(len(accounts)))

        async def one(chain: ChainPolicy) -> Outcome:
            asked = self._chains[chain.chain].read(anchors[chain.chain], (), (), columns[chain.chain])
            reading = await within(LOOK_BUDGET_S, chain.chain, asked)
            if isinstance(reading, Unavailable):
                return reading
            cells = plan_cells.cells_of_rows(self._policy, reading, rows)
            return (await self._prover.proven(replace(reading, cells=cells), [], LOOK_BUDGET_S))[0]

        return tuple((await self._each(one)).values())

    async def newest(self) -> Mapping[ChainId, Anchor] | None:
        """Return the newest agreed block of every chain; None where one gives none."""
        found = await self._each(
            lambda chain: within(LOOK_BUDGET_S, chain.chain, self._chains[chain.chain].anchor(NEWEST_S))
        )
        anchors = {chain: anchor for chain, anchor in found.items() if isinstance(anchor, Anchor)}
        return anchors if len(anchors) == len(found) else None

    async def prices(self) -> tuple[Outcome, ...]:
        """Read the price columns alone, at the newest block of each chain that has any: provisional, without proofs."""
        specs = plan.price_specs(self._policy)
        outcomes: dict[ChainId, Outcome] = {}

        async def one(chain: ChainId, columns: tuple[ColumnSpec, ...]) -> None:
            outcomes[chain] = await self._prices_of(chain, columns)

        async with asyncio.TaskGroup() as group:
            for chain, columns in specs.items():
                group.create_task(one(chain, columns))
        return tuple(outcomes.values())

    async def _prices_of(self, chain: ChainId, columns: tuple[ColumnSpec, ...]) -> Outcome:
        anchor = await within(PRICES_BUDGET_S, chain, self._chains[chain].anchor(NEWEST_S))
        if isinstance(anchor, Unavailable):
            return anchor
        reading = await within(PRICES_BUDGET_S, chain, self._chains[chain].read(anchor, (), (), columns))
        if isinstance(reading, Unavailable):
            return reading
        return verify_quorum(reading, devnet=chain in self._devnets)

    async def block_at(self, chain: ChainId, not_after_s: int) -> Anchor | Unavailable:
        """Ask again which block a chain has for a time; for checking that what was attested still stands."""
        return await within(ANCHOR_BUDGET_S, chain, self._chains[chain].anchor(not_after_s))

    async def _each(self, work: Callable[[ChainPolicy], Awaitable[Answer]]) -> dict[ChainId, Answer]:
        """Run one stage on all chains side by side."""
        answers: dict[ChainId, Answer] = {}

        async def one(chain: ChainPolicy) -> None:
            answers[chain.chain] = await work(chain)

        async with asyncio.TaskGroup() as group:
            for chain in self._policy.chains:
                group.create_task(one(chain))
        return {chain.chain: answers[chain.chain] for chain in self._policy.chains}

    async def _listed(self, frame_s: int, chain: ChainPolicy) -> _Listed | Unavailable:
        anchor = await self._anchor(frame_s, chain)
        if isinstance(anchor, Unavailable):
            return anchor
        specs = self._specs[chain.chain]
        if not specs:
            return _Listed(anchor, (), ())
        asked = self._chains[chain.chain].accounts(anchor.block, specs)
        lists = await within(READ_BUDGET_S, chain.chain, asked)
        return lists if isinstance(lists, Unavailable) else _Listed(anchor, specs, lists)

    async def _anchor(self, frame_s: int, chain: ChainPolicy) -> Anchor | Unavailable:
        """Ask until the block is final or the frame's patience ends; never take an older block instead."""
        not_after_s = frame_s - chain.lag_s
        give_up_s = plan.give_up_s(self._policy, chain, frame_s)
        while True:
            answer = await self.block_at(chain.chain, not_after_s)
            if isinstance(answer, Anchor):
                return _age_fault(answer, not_after_s, self._policy.skew_s_max) or answer
            now_s = self._clock.now_s()
            if answer.reason not in WAITED_FOR or now_s >= give_up_s:
                return answer
            await self._clock.sleep_until(min(now_s + POLL_S, give_up_s))

    async def _begun(self, listed: _Listed, columns: tuple[ColumnSpec, ...], work: _Work) -> Outcome | ChainReading:
        """Read a chain, and prove it unless prices of all chains must say what to prove."""
        chain = listed.anchor.block.chain
        asked = self._chains[chain].read(listed.anchor, listed.specs, listed.lists, columns)
        reading = await within(READ_BUDGET_S, chain, asked)
        if isinstance(reading, Unavailable):
            return reading
        if plan_cells.needs_prices(self._policy, reading):
            return reading
        (cells,) = plan_cells.cells_of(self._policy, {chain: reading}).values()
        return await self._proven(replace(reading, cells=cells), work)

    async def _finished(
        self, progress: Mapping[ChainId, Outcome | ChainReading], work: _Work
    ) -> tuple[dict[ChainId, Outcome], frozenset[ChainId]]:
        """Prove the chains that waited for prices; return all outcomes and whose prices decided."""
        waiting = {chain: one for chain, one in progress.items() if isinstance(one, ChainReading)}
        if not waiting:
            return {chain: one for chain, one in progress.items() if not isinstance(one, ChainReading)}, frozenset()
        present = {**work.evidence, **waiting}
        cells = plan_cells.cells_of(self._policy, present)

        async def finished(chain: ChainPolicy) -> Outcome:
            one = progress[chain.chain]
            if not isinstance(one, ChainReading):
                return one
            return await self._proven(replace(one, cells=cells[chain.chain]), work)

        return await self._each(finished), frozenset(present)

    async def _proven(self, reading: ChainReading, work: _Work) -> Outcome:
        outcome, proven = await self._prover.proven(reading, work.refuted)
        if isinstance(outcome, VerifiedChain):
            work.evidence[reading.chain] = proven
        return outcome


def _age_fault(anchor: Anchor, not_after_s: int, skew_s_max: int) -> Unavailable | None:
    block, chain = anchor.block, anchor.block.chain
    if block.timestamp_s > not_after_s:
        detail = f"block {block.number} is of {block.timestamp_s}, asked was at most {not_after_s}"
        return Unavailable(chain, Reason.INVALID_HEADER, detail, anchor.votes.agreed, dishonest=True)
    if block.timestamp_s < not_after_s - skew_s_max:
        detail = f"newest block {block.number} is {not_after_s - block.timestamp_s} s old, at most {skew_s_max} allowed"
        return Unavailable(chain, Reason.TOO_OLD, detail, anchor.votes.agreed)
    return None
