"""Proving of one chain's reading: ask a provider, verify, and on a refuted proof ask another.

A provider that gave a refuted proof is quarantined: for a while others are asked before it. Where nobody else answers,
it is asked all the same, because its answer is verified like any other. An honest absence is no fault: the adapter
owns retries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from chains.adapter import ChainAdapter, ProofRequest
from chains.clock import Clock
from proofs.errors import LimitExceeded
from proofs.snapshot import ChainReading, ContractProof, Reason, Unavailable
from proofs.types import BlockRef, ChainId
from proofs.verify import VerifiedChain, verify_chain
from relayer import plan
from relayer.quarantine import Quarantine

READ_BUDGET_S: Final = 120.0
"""One stage of one chain: account lists, columns, or proofs. 100,000 accounts take some ten seconds."""
PROOF_SOURCES_MAX: Final = 4
"""Providers asked for the same proofs before a chain is given up; policies demand at least three per chain."""
TOO_MANY: Final = "raise the policy's value bands or its dust limit, so that fewer balances have to be proven"
REFUTED: Final = frozenset({Reason.INVALID_PROOF, Reason.LIMIT_EXCEEDED})

Answer = TypeVar("Answer")
Outcome = VerifiedChain | Unavailable


class Prover:
    """Have readings proven and believe them; remembers between frames whose proofs were refuted."""

    def __init__(
        self,
        chains: Mapping[ChainId, ChainAdapter],
        devnets: frozenset[ChainId],
        clock: Clock,
        executor: Executor | None,
        notice: Callable[[Unavailable], None],
    ) -> None:
        self._chains = chains
        self._devnets = devnets
        self._clock = clock
        self._executor = executor
        self._notice = notice
        self._quarantine = Quarantine()

    async def proven(
        self, reading: ChainReading, refuted: list[Unavailable], budget_s: float = READ_BUDGET_S
    ) -> tuple[Outcome, ChainReading]:
        """Return what became of a reading, and the reading with the proofs it was judged by.

        What was refuted on the way is appended to `refuted`.
        """
        try:
            requests = plan.proof_requests(reading)
        except LimitExceeded as fault:
            return Unavailable(reading.chain, Reason.LIMIT_EXCEEDED, f"{fault}; {TOO_MANY}"), reading
        if not requests:
            return await self._judged(reading, refuted), reading
        chain, caught = reading.chain, frozenset[str]()
        outcome: Outcome = Unavailable(chain, Reason.INVALID_PROOF, "no provider was asked")
        for _ in range(PROOF_SOURCES_MAX):
            proofs = await within(budget_s, chain, self._asked(reading.anchor.block, requests, caught))
            if isinstance(proofs, Unavailable):
                return _given_up(proofs, refuted), reading
            reading = replace(reading, proofs=proofs)
            outcome = await self._judged(reading, refuted)
            if isinstance(outcome, VerifiedChain) or not (outcome.dishonest and outcome.reason in REFUTED):
                break
            if not outcome.providers:
                break
            caught |= frozenset(outcome.providers)
        return outcome, reading

    async def judged_again(self, reading: ChainReading) -> Outcome:
        """Verify a reading whose proofs are there already."""
        return await self._verified(reading)

    async def _asked(
        self, block: BlockRef, requests: tuple[ProofRequest, ...], caught: frozenset[str]
    ) -> tuple[ContractProof, ...] | Unavailable:
        adapter = self._chains[block.chain]
        held = self._quarantine.held(block.chain, self._clock.monotonic_s()) - caught
        if held:
            proofs = await adapter.prove(block, requests, caught | held)
            if not isinstance(proofs, Unavailable):
                return proofs
        return await adapter.prove(block, requests, caught)

    async def _judged(self, reading: ChainReading, refuted: list[Unavailable]) -> Outcome:
        outcome = await self._verified(reading)
        if isinstance(outcome, Unavailable) and outcome.dishonest:
            refuted.append(outcome)
            if outcome.reason in REFUTED:
                self._quarantined(outcome)
        return outcome

    def _quarantined(self, lie: Unavailable) -> None:
        now_s = self._clock.monotonic_s()
        fresh = [label for label in lie.providers if label not in self._quarantine.held(lie.chain, now_s)]
        for label in lie.providers:
            self._quarantine = self._quarantine.with_provider(lie.chain, label, now_s)
        if fresh:
            self._notice(replace(lie, providers=tuple(fresh)))

    async def _verified(self, reading: ChainReading) -> Outcome:
        """Verify off the loop: hashing thousands of trie nodes takes longer than a heartbeat may wait."""
        check = partial(verify_chain, reading, devnet=reading.chain in self._devnets)
        return await asyncio.get_running_loop().run_in_executor(self._executor, check)


def _given_up(proofs: Unavailable, refuted: list[Unavailable]) -> Unavailable:
    """Name the lie rather than the silence after it, where this chain's proofs were refuted before."""
    own = [lie for lie in refuted if lie.chain == proofs.chain]
    return own[-1] if own else proofs


async def within(budget_s: float, chain: ChainId, asked: Awaitable[Answer]) -> Answer | Unavailable:
    """Await an adapter, but not for ever: it promises to keep its own budget, this one is for when it does not."""
    try:
        async with asyncio.timeout(budget_s):
            return await asked
    except TimeoutError:
        return Unavailable(chain, Reason.RPC_TIMEOUT, f"the chain's reader did not answer within {budget_s:g} s")
