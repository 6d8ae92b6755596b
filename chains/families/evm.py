"""The adapter of EVM chains: several providers asked alike, one answer by quorum.

    anchor     every provider searches its own chain by time; votes are block hashes, each recomputed from its header
    accounts   every provider lists; votes are whole lists
    read       every provider answers the whole sheet; votes are the sheets' bytes
    prove      one provider answers, the next on failure; a proof needs no votes, only verifying. Whoever failed is
               asked last from then on, so that one stalled provider costs its budget once; whom a proof refuted,
               and for how long that counts, is its caller's to remember

Requests per provider at steady state: 2 for the anchor (heads; a window of blocks), 1 for all account lists, 1 for the
sheet (a second where cells failed), and 1 for all proofs from one provider. Whoever contradicts the quorum is reported
to the observer. Without quorum the answer is `Unavailable`, never the most common one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Final, TypeVar

from chains.adapter import NEWEST_S, ProofRequest
from chains.answers import Answers, ask_all
from chains.clock import Clock
from chains.errors import HeaderRefused, ProviderError, RpcMalformed, RpcTimeout, unavailable_of_all
from chains.families.evm_source import Candidate, EvmSource, Newest, Waiting
from chains.finality import FinalityRule
from chains.network import Network
from chains.observer import ChainObserver
from chains.quorum import Voter, tally, threshold
from chains.rpc import Jitter, Provider, RpcClient
from proofs.keccak import keccak256
from proofs.sheet import AccountList, AccountListSpec, Column, ColumnSpec, Sheet, serialise
from proofs.snapshot import Anchor, ChainReading, ContractProof, Reason, Unavailable, Votes
from proofs.types import BlockRef, ChainId, Finality

__all__ = ["EvmAdapter"]

Answer = TypeVar("Answer")
Vote = TypeVar("Vote", bound=Hashable)
_BUDGETS: Final = 2
"""A question may take several requests, each with a provider's budget: all of them together get two."""


class EvmAdapter:
    """Read one EVM chain through its configured providers."""

    def __init__(
        self,
        network: Network,
        finality: FinalityRule,
        providers: Sequence[Provider],
        observer: ChainObserver,
        clock: Clock,
        jitter: Jitter,
    ) -> None:
        self._network = network
        self._finality = finality
        self._observer = observer
        self._clock = clock
        self._budget_s = _BUDGETS * max((provider.limits.budget_s for provider in providers), default=0.0)
        self._voters = tuple(Voter(provider.label, provider.operator) for provider in providers)
        tally(self._voters, {}, network.devnet)  # refuses labels that are not distinct
        self._sources = tuple(
            EvmSource(network, RpcClient(network.chain, provider, observer, clock, jitter), observer)
            for provider in providers
        )
        self._provers = self._sources
        """The providers in the order in which they are asked for proofs."""

    @property
    def chain(self) -> ChainId:
        """Return the chain this adapter reads."""
        return self._network.chain

    async def close(self) -> None:
        """Release connections."""
        for source in self._sources:
            await source.close()

    # --- anchor ------------------------------------------------------------------------------------------------

    async def anchor(self, not_after_s: int) -> Anchor | Unavailable:
        """Return the block that belongs to a time; see the port."""
        if not_after_s >= NEWEST_S:
            return await self._newest()
        answers = await self._ask(
            lambda source: source.candidate(not_after_s, self._finality),
            lambda answer: answer.block.hash if isinstance(answer, Candidate) else answer.reason,
        )
        found = {label: answer for label, answer in answers.given.items() if isinstance(answer, Candidate)}
        agreed = self._agreed_anchor(found, self._finality.kind)
        if agreed is not None:
            return agreed
        waiting = {label: answer for label, answer in answers.given.items() if isinstance(answer, Waiting)}
        return self._no_anchor(found, waiting, answers.errors)

    async def _newest(self) -> Anchor | Unavailable:
        """Return the newest block that a quorum has, whatever its finality."""
        heads = await ask_all(
            self._sources,
            lambda source: source.newest(),
            lambda given: self._common_height(given) is not None,
            self._clock,
            self._budget_s,
        )
        number = self._common_height(heads.given)
        if number is None:
            return unavailable_of_all(self.chain, heads.errors)
        having = tuple(
            source
            for source in self._sources
            if source.label in heads.given and heads.given[source.label].block.stamp.number >= number
        )
        answers = await ask_all(
            having,
            lambda source: source.numbered(number, heads.given[source.label]),
            self._settled(lambda answer: answer.block.hash),
            self._clock,
            self._budget_s,
        )
        self._report_broken(answers.errors)
        agreed = self._agreed_anchor(answers.given, Finality.LATEST)
        return self._no_anchor(answers.given, {}, answers.errors) if agreed is None else agreed

    def _common_height(self, heads: Mapping[str, Newest]) -> int | None:
        """Return the highest number that enough operators have reached."""
        heights: dict[str, int] = {}
        for voter in self._voters:
            if voter.label in heads:
                number = heads[voter.label].block.stamp.number
                heights[voter.operator] = max(number, heights.get(voter.operator, 0))
        needed = self._needed()
        return None if len(heights) < needed else sorted(heights.values(), reverse=True)[needed - 1]

    def _agreed_anchor(self, found: Mapping[str, Candidate], kind: Finality) -> Anchor | None:
        agreed = self._tallied({label: answer.block.hash for label, answer in found.items()}, "anchor")
        if agreed is None:
            return None
        block_hash, votes = agreed
        chosen = next(answer for answer in found.values() if answer.block.hash == block_hash)
        return Anchor(chosen.block, chosen.header_rlp, kind, votes)

    def _no_anchor(
        self, found: Mapping[str, Candidate], waiting: Mapping[str, Waiting], errors: tuple[ProviderError, ...]
    ) -> Unavailable:
        operators = {voter.operator for voter in self._voters if voter.label in found or voter.label in waiting}
        if errors and len(operators) < self._needed():
            return unavailable_of_all(self.chain, errors)
        said = [f"{label}: block 0x{answer.block.hash.hex()}" for label, answer in sorted(found.items())]
        said += [f"{label}: {answer.detail}" for label, answer in sorted(waiting.items())]
        said += [str(error) for error in errors]
        reasons = {answer.reason for answer in waiting.values()}
        order = (Reason.NOT_YET, Reason.NOT_FINAL, Reason.TOO_OLD)
        reason = next((reason for reason in order if reason in reasons), Reason.NO_QUORUM)
        if len({answer.block.hash for answer in found.values()}) > 1:
            reason = Reason.NO_QUORUM
        return Unavailable(self.chain, reason, "; ".join(said), tuple(sorted({*found, *waiting})))

    # --- accounts and columns ----------------------------------------------------------------------------------

    async def accounts(
        self, block: BlockRef, specs: Sequence[AccountListSpec]
    ) -> tuple[AccountList, ...] | Unavailable:
        """Return the accounts that each contract names, agreed by quorum."""
        if not specs:
            return ()
        answers = await self._ask(lambda source: source.accounts(block, specs), lambda answer: answer)
        agreed = self._tallied(answers.given, "accounts")
        if agreed is not None:
            return agreed[0]
        return self._no_quorum(answers, "account lists differ")

    async def read(
        self,
        anchor: Anchor,
        lists: tuple[AccountListSpec, ...],
        listed: tuple[AccountList, ...],
        columns: tuple[ColumnSpec, ...],
    ) -> ChainReading | Unavailable:
        """Answer all columns, agreed by quorum as bytes."""

        def vote(answer: tuple[Column, ...]) -> bytes:
            return keccak256(serialise(Sheet(self.chain, (), answer)))

        answers = await self._ask(lambda source: source.columns(anchor.block, columns), vote)
        votes = {label: vote(answer) for label, answer in answers.given.items()}
        agreed = self._tallied(votes, "sheet")
        if agreed is None:
            return self._no_quorum(answers, f"columns differ: {_differing(tuple(answers.given.values()))}")
        chosen = next(label for label, digest in votes.items() if digest == agreed[0])
        sheet = Sheet(self.chain, listed, answers.given[chosen])
        return ChainReading(anchor, lists, columns, sheet, agreed[1])

    async def prove(
        self, block: BlockRef, requests: Sequence[ProofRequest], without: frozenset[str]
    ) -> tuple[ContractProof, ...] | Unavailable:
        """Fetch proofs from the first provider, not named in `without`, that answers all of them."""
        errors: list[ProviderError] = []
        left = [source for source in self._provers if source.label not in without]
        try:
            async with asyncio.timeout(self._budget_s):
                while left:
                    try:
                        return await left[0].proofs(block, requests)
                    except ProviderError as error:
                        errors.append(error)
                    self._ask_last(left.pop(0).label)
        except TimeoutError:
            self._ask_last(left[0].label)
            errors += [RpcTimeout(source.label, "eth_getProof", self._budget_s) for source in left]
        self._report_broken(errors)
        return unavailable_of_all(self.chain, errors)

    def _ask_last(self, label: str) -> None:
        self._provers = tuple(sorted(self._provers, key=lambda source: source.label == label))

    # --- votes -------------------------------------------------------------------------------------------------

    async def _ask(
        self, ask: Callable[[EvmSource], Awaitable[Answer]], vote: Callable[[Answer], Hashable]
    ) -> Answers[Answer]:
        answers = await ask_all(self._sources, ask, self._settled(vote), self._clock, self._budget_s)
        self._report_broken(answers.errors)
        return answers

    def _settled(self, vote: Callable[[Answer], Hashable]) -> Callable[[Mapping[str, Answer]], bool]:
        """Return the test whether the answers so far hold a quorum."""

        def is_settled(given: Mapping[str, Answer]) -> bool:
            votes = {label: vote(answer) for label, answer in given.items()}
            return tally(self._voters, votes, self._network.devnet).votes.reached

        return is_settled

    def _tallied(self, votes: Mapping[str, Vote], kind: str) -> tuple[Vote, Votes] | None:
        result = tally(self._voters, votes, self._network.devnet)
        for label in result.dissenters:
            self._observer.dissent(self.chain, label, kind, "contradicts the quorum")
        return None if result.answer is None else (result.answer, result.votes)

    def _needed(self) -> int:
        return threshold(len({voter.operator for voter in self._voters}), self._network.devnet)

    def _report_broken(self, errors: Sequence[ProviderError]) -> None:
        for error in errors:
            if isinstance(error, HeaderRefused | RpcMalformed):
                kind = "header" if isinstance(error, HeaderRefused) else "answer"
                self._observer.dissent(self.chain, error.provider, kind, error.sentence)

    def _no_quorum(self, answers: Answers[Answer], difference: str) -> Unavailable:
        operators = {voter.operator for voter in self._voters if voter.label in answers.given}
        if answers.failed and len(operators) < self._needed():
            return unavailable_of_all(self.chain, answers.errors)
        detail = "; ".join([difference, *map(str, answers.errors)])
        return Unavailable(self.chain, Reason.NO_QUORUM, detail, tuple(sorted(answers.given)))


def _differing(answers: Sequence[tuple[Column, ...]]) -> str:
    """Name the columns in which answers differ."""
    names = {
        column.name
        for other in answers[1:]
        for column, theirs in zip(answers[0], other, strict=True)
        if (column.words, column.status, dict(column.wide)) != (theirs.words, theirs.status, dict(theirs.wide))
    }
    return ", ".join(sorted(names))
