"""Reading of one frame: every chain's block, accounts, columns and proofs, verified; or why there is none.

    anchors (wait until final or given up) -> account lists -> one union of accounts -> columns -> proofs -> verify

Chains run side by side; what goes wrong on one is a value and costs the others nothing. The union of accounts is the
only meeting point: it decides the rows of all columns. A refuted proof is asked again of another provider, an honest
absence is not: the adapter owns retries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final, TypeVar

from chains.adapter import NEWEST_S, ChainAdapter
from chains.clock import Clock
from proofs.sheet import AccountList, AccountListSpec, ColumnSpec
from proofs.snapshot import Anchor, ChainReading, Reason, Unavailable
from proofs.types import AccountId, ChainId
from proofs.verify import VerifiedChain, verify_chain, verify_quorum
from relayer import plan
from relayer.config.policy import ChainPolicy, Policy

POLL_S: Final = 0.5
"""How often a chain is asked again whether its block is final; cheap head questions, answered in tens of ms."""
ANCHOR_BUDGET_S: Final = 30.0
"""One question for a block, with the adapter's own retries inside."""
READ_BUDGET_S: Final = 120.0
"""One stage of one chain: account lists, columns, or proofs. 100,000 accounts take some ten seconds."""
PRICES_BUDGET_S: Final = 3.0
"""Each step of a look at prices between frames; a slower chain must not hold up the flags of the others for long."""
PROOF_SOURCES_MAX: Final = 4
"""Providers asked for the same proofs before a chain is given up; policies demand at least three per chain."""
WAITED_FOR: Final = frozenset({Reason.NOT_YET, Reason.NOT_FINAL})

Answer = TypeVar("Answer")
Outcome = VerifiedChain | Unavailable


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
        self, policy: Policy, chains: Mapping[ChainId, ChainAdapter], clock: Clock, executor: Executor | None = None
    ) -> None:
        self._policy = policy
        self._chains = chains
        self._clock = clock
        self._executor = executor
        self._specs = plan.list_specs(policy)
        self._devnets = plan.devnets(policy)

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

        async def verified(chain: ChainPolicy) -> Outcome:
            known = listed[chain.chain]
            if isinstance(known, Unavailable):
                return known
            return await self._verified(known, columns[chain.chain], work)

        outcomes = await self._each(verified)
        return Readings(
            frame_s, accounts, tuple(outcomes.values()), MappingProxyType(work.evidence), tuple(work.refuted)
        )

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
        anchor = await _within(PRICES_BUDGET_S, chain, self._chains[chain].anchor(NEWEST_S))
        if isinstance(anchor, Unavailable):
            return anchor
        reading = await _within(PRICES_BUDGET_S, chain, self._chains[chain].read(anchor, (), (), columns))
        if isinstance(reading, Unavailable):
            return reading
        return verify_quorum(reading, devnet=chain in self._devnets)

    async def block_at(self, chain: ChainId, not_after_s: int) -> Anchor | Unavailable:
        """Ask again which block a chain has for a time; for checking that what was attested still stands."""
        return await _within(ANCHOR_BUDGET_S, chain, self._chains[chain].anchor(not_after_s))

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
        lists = await _within(READ_BUDGET_S, chain.chain, asked)
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

    async def _verified(self, listed: _Listed, columns: tuple[ColumnSpec, ...], work: _Work) -> Outcome:
        chain, block = listed.anchor.block.chain, listed.anchor.block
        adapter = self._chains[chain]
        asked = adapter.read(listed.anchor, listed.specs, listed.lists, columns)
        reading = await _within(READ_BUDGET_S, chain, asked)
        if isinstance(reading, Unavailable):
            return reading
        requests = plan.proof_requests(listed.specs, listed.lists, columns)
        without: frozenset[str] = frozenset()
        outcome: Outcome = Unavailable(chain, Reason.INVALID_PROOF, "no provider was asked")
        for _ in range(PROOF_SOURCES_MAX):
            if requests:
                proofs = await _within(READ_BUDGET_S, chain, adapter.prove(block, requests, without))
                if isinstance(proofs, Unavailable):
                    return _given_up(proofs, work.refuted)
                reading = replace(reading, proofs=proofs)
            outcome = await self._verify(reading)
            if isinstance(outcome, VerifiedChain):
                work.evidence[chain] = reading
            if isinstance(outcome, VerifiedChain) or not outcome.dishonest:
                return outcome
            work.refuted.append(outcome)
            if outcome.reason not in (Reason.INVALID_PROOF, Reason.LIMIT_EXCEEDED) or not outcome.providers:
                return outcome
            without |= frozenset(outcome.providers)
        return outcome

    async def _verify(self, reading: ChainReading) -> Outcome:
        """Verify off the loop: hashing thousands of trie nodes takes longer than a heartbeat may wait."""
        check = partial(verify_chain, reading, devnet=reading.chain in self._devnets)
        return await asyncio.get_running_loop().run_in_executor(self._executor, check)


def _age_fault(anchor: Anchor, not_after_s: int, skew_s_max: int) -> Unavailable | None:
    block, chain = anchor.block, anchor.block.chain
    if block.timestamp_s > not_after_s:
        detail = f"block {block.number} is of {block.timestamp_s}, asked was at most {not_after_s}"
        return Unavailable(chain, Reason.INVALID_HEADER, detail, anchor.votes.agreed, dishonest=True)
    if block.timestamp_s < not_after_s - skew_s_max:
        detail = f"newest block {block.number} is {not_after_s - block.timestamp_s} s old, at most {skew_s_max} allowed"
        return Unavailable(chain, Reason.TOO_OLD, detail, anchor.votes.agreed)
    return None


def _given_up(proofs: Unavailable, refuted: list[Unavailable]) -> Unavailable:
    """Name the lie rather than the silence after it, where this chain's proofs were refuted before."""
    own = [lie for lie in refuted if lie.chain == proofs.chain]
    return own[-1] if own else proofs


async def _within(budget_s: float, chain: ChainId, asked: Awaitable[Answer]) -> Answer | Unavailable:
    """Await an adapter, but not for ever: it promises to keep its own budget, this one is for when it does not."""
    try:
        async with asyncio.timeout(budget_s):
            return await asked
    except TimeoutError:
        return Unavailable(chain, Reason.RPC_TIMEOUT, f"the chain's reader did not answer within {budget_s:g} s")
