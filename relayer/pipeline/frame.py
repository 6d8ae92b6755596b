"""Pipeline: one frame, in the order in which the data travels.

    read and verify -> attested blocks still stand -> agree on blocks -> snapshot -> evaluate everybody
    -> root, ledger, signature, quorum -> flags -> store in one transaction -> publish -> evidence bundle

What a source, a chain or a peer does wrong is a value on this way and ends in the frame's row as a reason. Flags are
judged in every frame that was read, signed or not: nothing gates them, not even a bug in signing. A fault of the store
ends the service, because who cannot remember must not sign; anything else that escapes a pass is a bug, is recorded,
and the next frame stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from proofs.attestation import SignedRoot
from proofs.snapshot import Reason, Unavailable
from proofs.types import ZERO_HASH, AccountId, ChainId, Finality, Status
from proofs.verify import VerifiedChain, VerifiedSnapshot, chain_anchor, verified_snapshot
from relayer.book import Book
from relayer.cosign import FramePlan, Refusal, RootTerms, Rule
from relayer.errors import StoreFault
from relayer.flags import BREACHES, Flag, FlagEvent, FlagState
from relayer.margin.view import MarginView
from relayer.pipeline.evidence import evidence_archive
from relayer.pipeline.marks import Marks
from relayer.pipeline.ports import Ports
from relayer.pipeline.proving import Outcome
from relayer.pipeline.reading import FrameReader, Readings
from relayer.pipeline.records import Publication, account_row, marks_of, status_counts, summary_json
from relayer.pipeline.signing import FrameSigner
from relayer.pipeline.views import Views
from relayer.store.port import AccountRow, FrameRow, FrameState

OBSERVED: Final = Refusal(Rule.NO_SIGNER, "no signer is configured: observing only")

LOOK_ACCOUNTS_MAX: Final = 100
"""Accounts read again with proofs at once: some thousand keys a chain. The others' flags stand on what they have."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class FrameResult:
    """Say how a frame ended; `row` is None when it was not run or broke off. `bug` is what broke it off."""

    frame: int
    row: FrameRow | None
    refusal: Refusal | None = None
    snapshot: VerifiedSnapshot | None = None
    views: tuple[MarginView, ...] = ()
    events: tuple[FlagEvent, ...] = ()
    evaluated: int = 0
    bug: Exception | None = None


@dataclass(frozen=True, slots=True)
class _Signing:
    """Hold how far signing came: the root with a quorum, or the reason, and the state the frame is left in."""

    state: FrameState
    signed: SignedRoot | None = None
    refusal: Refusal | None = None


class Pipeline:
    """Run frames and ticks of one policy; frames one after the other, ticks beside them."""

    def __init__(self, ports: Ports, bundles_kept: int, executor: Executor | None = None) -> None:
        self._ports = ports
        self._policy = ports.policy
        self._bundles_kept = bundles_kept
        notice = ports.observer.provider_quarantined
        self._reader = FrameReader(ports.policy, ports.chains, ports.clock, executor, notice)
        self._signer = None if ports.signing is None else FrameSigner(ports.policy, ports.signing)
        self._views = Views(ports.policy, executor)
        self._executor = executor
        self._marks = Marks(ports.policy, self._reader, {})
        self._flags: dict[AccountId, Flag] = {}
        self._highest: int | None = None
        self._flagging = asyncio.Lock()
        """Held from judging flags to publishing them, so that frames and ticks judge one state after the other."""

    @property
    def highest(self) -> int | None:
        """Return the highest frame that was run, voted for or reserved; frames up to it are never run again."""
        return self._highest

    @property
    def open_flags(self) -> tuple[Flag, ...]:
        """Return all flags that are not clear, ascending by account."""
        return tuple(flag for _, flag in sorted(self._flags.items()) if flag.state is not FlagState.CLEAR)

    @property
    def book(self) -> Book | None:
        """Return the book of the newest frame that was evaluated since the start, for reading; None before it."""
        return self._views.book

    async def start(self, accept_reorgs: tuple[ChainId, ...] = ()) -> None:
        """Remember what the store knows: flags, attested blocks, the highest frame; publish the newest stored frames.

        `accept_reorgs` names chains whose replaced history an operator accepts.
        Raises: StoreFault when the ledger lacks a frame that this store says was signed.
        """
        frames, policy_id = self._ports.frames, self._policy.policy_id
        self._flags = {flag.account: flag for flag in await self._ports.flags.current()}
        newest = await frames.latest(policy_id)
        if newest is not None:
            self._marks = Marks(self._policy, self._reader, marks_of(newest.summary_json))
        for chain in accept_reorgs:
            self._marks.accept(chain)
        ledgered = None if self._signer is None else await self._signer.highest()
        stored = None if newest is None else newest.frame
        self._highest = max((one for one in (ledgered, stored) if one is not None), default=None)
        signed = await frames.latest(policy_id, FrameState.SIGNED)
        if self._signer is not None and signed is not None:
            _require_ledger(signed.frame, ledgered)
        for row in (signed, newest):
            if row is not None:
                await self._publish(row, await frames.accounts(policy_id, row.frame))

    async def run_frame(self, frame_s: int) -> FrameResult:
        """Run one frame from reading to publishing.

        Raises: StoreFault; whatever else goes wrong is in the result.
        """
        if frame_s % self._policy.frame_s or (self._highest is not None and frame_s <= self._highest):
            return FrameResult(frame_s, None, Refusal(Rule.LOWER_FRAME, f"frame {self._highest} was run before"))
        self._highest = frame_s
        result = await self._fenced(f"frame {frame_s}", self._pass(frame_s))
        return result if isinstance(result, FrameResult) else FrameResult(frame_s, None, bug=result)

    async def run_tick(self) -> None:
        """Look at the newest prices; whom they put in breach gets a provisional flag.

        Raises: StoreFault.
        """
        await self._fenced("tick", self._tick())

    async def _tick(self) -> None:
        if not self._views.is_ready:
            return
        began_s = self._ports.clock.monotonic_s()
        prices = verified_snapshot(0, await self._reader.prices())
        found = await self._views.of_tick(prices) if prices.chains else None
        if found is None:
            return
        events = await self._judge_provisionally(found.views, prices)
        seconds = self._ports.clock.monotonic_s() - began_s
        self._ports.observer.tick_finished(seconds, len(found.candidates), len(events))
        await self._look_closer(tuple(event.account for event in events[:LOOK_ACCOUNTS_MAX]))

    async def _look_closer(self, accounts: tuple[AccountId, ...]) -> None:
        """Read whom a tick flagged again, with proofs at the newest blocks, so that the flag says what it rests on.

        The flag stands already, and a chain that does not answer leaves it as it is.
        """
        anchors = await self._reader.newest() if accounts else None
        if anchors is None:
            return
        snapshot = verified_snapshot(0, await self._reader.look(anchors, accounts))
        if not snapshot.missing:
            await self._judge_provisionally(await self._views.of_look(snapshot, accounts), snapshot)

    async def _judge_provisionally(
        self, views: tuple[MarginView, ...], snapshot: VerifiedSnapshot
    ) -> tuple[FlagEvent, ...]:
        """Step flags by provisional views, keep and publish what changed."""
        newest_s = max(chain.anchor.block.timestamp_s for chain in snapshot.chains)
        async with self._flagging:
            flags, events = self._views.step_tick(self._flags, views, newest_s)
            if flags:
                await self._ports.flags.put_provisional(flags, events)
                self._flags.update({flag.account: flag for flag in flags})
                for publisher in self._ports.publishers:
                    await publisher.publish_flags(self.open_flags, newest_s)
        for event in events:
            self._ports.observer.flag_changed(event)
        return events

    async def _pass(self, frame_s: int) -> FrameResult:
        began_s = self._ports.clock.monotonic_s()
        readings = await self._reader.read(frame_s)
        outcomes = await self._standing(readings)
        plan = await self._agreed(frame_s, outcomes)
        readings = await self._reader.settled(readings, _planned(outcomes, plan))
        snapshot = verified_snapshot(frame_s, readings.outcomes)
        views = await self._views.of_frame(snapshot)
        signing = await self._signed(plan, snapshot, views)
        row = self._row(snapshot, signing, views)
        events = await self._remember(row, views, await self._strengthened(readings, views))
        await self._keep_evidence(row, readings, snapshot, views)
        self._notice(readings, snapshot, events, signing.refusal)
        self._ports.observer.frame_finished(row, self._ports.clock.monotonic_s() - began_s, self._counts(views))
        return FrameResult(frame_s, row, signing.refusal, snapshot, views, events, self._views.evaluated)

    async def _standing(self, readings: Readings) -> tuple[Outcome, ...]:
        """Leave out chains whose attested block was replaced; who signs nothing has attested nothing."""
        return readings.outcomes if self._signer is None else await self._marks.standing(readings.outcomes)

    async def _agreed(self, frame_s: int, outcomes: tuple[Outcome, ...]) -> FramePlan | Refusal:
        if self._signer is None:
            return OBSERVED
        read = [chain_anchor(outcome) for outcome in outcomes if isinstance(outcome, VerifiedChain)]
        return await self._attempted(f"agreement on frame {frame_s}", self._signer.agree(frame_s, read))

    async def _signed(
        self, plan: FramePlan | Refusal, snapshot: VerifiedSnapshot, views: tuple[MarginView, ...]
    ) -> _Signing:
        """Sign the root that follows from the plan; without a plan nothing was reserved and nothing is signed."""
        if self._signer is None:
            return _Signing(FrameState.OBSERVED, refusal=OBSERVED)
        if isinstance(plan, Refusal):
            return _Signing(FrameState.SKIPPED, refusal=plan)
        accounts_root = await self._computed(partial(self._views.accounts_root, views)) if views else ZERO_HASH
        terms = RootTerms(self._policy.lifetime_s, self._policy.signers.epoch, len(views), accounts_root)
        where, now_s = f"signing of frame {snapshot.frame_s}", self._ports.clock.now_s()
        held = await self._attempted(where, self._signer.hold(plan, terms, now_s))
        if isinstance(held, Refusal):
            return _Signing(FrameState.SKIPPED, refusal=held)
        signed = await self._attempted(where, self._signer.gather(held))
        if isinstance(signed, Refusal):
            return _Signing(FrameState.RESERVED, refusal=signed)
        self._marks.advance(snapshot.frame_s, snapshot.chains)
        return _Signing(FrameState.SIGNED, signed)

    async def _attempted(self, where: str, work: Awaitable[Answer]) -> Answer | Refusal:
        """Turn a bug in signing into the reason why a frame is not signed: its flags must not fall with it."""
        outcome = await self._fenced(where, work)
        if isinstance(outcome, Exception):
            return Refusal(Rule.FAULT, f"{type(outcome).__name__}, recorded as a bug")
        return outcome

    def _row(self, snapshot: VerifiedSnapshot, signing: _Signing, views: tuple[MarginView, ...]) -> FrameRow:
        reason = "" if signing.refusal is None else str(signing.refusal)
        summary = summary_json(self._policy, snapshot, self._counts(views), self._marks.current, reason)
        return FrameRow(self._policy.policy_id, snapshot.frame_s, signing.state, reason, signing.signed, summary)

    async def _strengthened(self, readings: Readings, views: tuple[MarginView, ...]) -> tuple[MarginView, ...]:
        """Return views to judge flags by: with proofs of whom only the strength of the evidence keeps flagged.

        An account that shrank below what must be proven would else stay flagged for ever (INV-27).
        """
        anchors = {chain: reading.anchor for chain, reading in readings.evidence.items()}
        doubted = tuple(view.account for view in views if self._is_doubted(view))[:LOOK_ACCOUNTS_MAX]
        if not doubted or not readings.priced_by or len(anchors) < len(self._policy.chains):
            return views
        snapshot = verified_snapshot(readings.frame_s, await self._reader.look(anchors, doubted))
        if snapshot.missing:
            return views
        proven = dict(zip(doubted, await self._views.of_look(snapshot, doubted), strict=True))
        return tuple(proven.get(view.account, view) for view in views)

    def _is_doubted(self, view: MarginView) -> bool:
        flag = self._flags.get(view.account)
        is_recovered = view.status not in BREACHES and view.status is not Status.UNKNOWN
        is_raised = flag is not None and flag.state is FlagState.RAISED
        return flag is not None and is_raised and is_recovered and view.assurance < flag.raised_assurance

    async def _remember(
        self, row: FrameRow, views: tuple[MarginView, ...], judged: tuple[MarginView, ...]
    ) -> tuple[FlagEvent, ...]:
        """Store the frame with its accounts, flags and events in one transaction; only then believe and publish."""
        accounts = await self._computed(partial(_account_rows, views))
        async with self._flagging:
            flags, events = self._views.step_frame(self._flags, judged, row.frame)
            began_s = self._ports.clock.monotonic_s()
            await self._ports.frames.put(row, accounts, self._lasting(flags), events)
            self._ports.observer.stored(self._ports.clock.monotonic_s() - began_s)
            self._flags.update({flag.account: flag for flag in flags})
            await self._publish(row, accounts)
        return events

    def _lasting(self, flags: tuple[Flag, ...]) -> tuple[Flag, ...]:
        """Leave out flags that were clear and are: nothing is lost when they are forgotten."""
        open_before = {account for account, flag in self._flags.items() if flag.state is not FlagState.CLEAR}
        return tuple(flag for flag in flags if flag.state is not FlagState.CLEAR or flag.account in open_before)

    async def _keep_evidence(
        self, row: FrameRow, readings: Readings, snapshot: VerifiedSnapshot, views: tuple[MarginView, ...]
    ) -> None:
        if row.signed is None:
            return
        archive = await self._computed(partial(evidence_archive, self._policy, readings, snapshot, views, row.signed))
        await self._ports.frames.put_bundle(row.policy_id, row.frame, archive, self._bundles_kept)

    async def _publish(self, row: FrameRow, accounts: tuple[AccountRow, ...]) -> None:
        for publisher in self._ports.publishers:
            await publisher.publish(Publication(row, accounts, self.open_flags))

    async def _computed(self, work: Callable[[], Answer]) -> Answer:
        """Compute off the loop: what grows with the accounts would hold up every other task."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _notice(
        self,
        readings: Readings,
        snapshot: VerifiedSnapshot,
        events: tuple[FlagEvent, ...],
        refusal: Refusal | None,
    ) -> None:
        observer, frame = self._ports.observer, snapshot.frame_s
        for lie in readings.refuted:
            observer.chain_dishonest(frame, lie)
        for gone in snapshot.missing:
            observer.chain_missing(frame, gone)
        for event in events:
            observer.flag_changed(event)
        if refusal is not None and refusal != OBSERVED:
            observer.signing_refused(frame, refusal)

    def _counts(self, views: tuple[MarginView, ...]) -> dict[str, int]:
        return {**status_counts(views), "accounts": len(views), "evaluated": self._views.evaluated}

    async def _fenced(self, where: str, work: Awaitable[Answer]) -> Answer | Exception:
        """Let a bug end the pass and not the service; a store that cannot remember ends the service."""
        try:
            return await work
        except Exception as error:  # fence: a pass
            fault = _store_fault(error)
            if fault is not None:
                raise fault from error
            self._ports.observer.bug_seen(where, error)
            return error


def _require_ledger(signed_frame: int, ledgered: int | None) -> None:
    """Refuse a ledger that was lost or restored from an older copy: it could sign a second story for a frame."""
    if ledgered is None or ledgered < signed_frame:
        problem = f"frame {signed_frame} was signed and the ledger ends before it, at {ledgered or 'nothing'}"
        raise StoreFault("ledger", problem, "restore the newest copy of the whole database, or sign with a new key")


def _planned(outcomes: tuple[Outcome, ...], plan: FramePlan | Refusal) -> list[Outcome]:
    """Give up the chains that the plan calls missing; without a plan judge by what was read here."""
    if isinstance(plan, Refusal):
        return list(outcomes)
    missing = {anchor.chain_key for anchor in plan.anchors if anchor.finality is Finality.MISSING}
    return [_given_up(one) if chain_anchor(one).chain_key in missing else one for one in outcomes]


def _given_up(outcome: Outcome) -> Unavailable:
    if isinstance(outcome, Unavailable):
        return outcome
    return Unavailable(outcome.chain, Reason.NO_QUORUM, "too few relayers read it alike; missing by the frame's plan")


def _account_rows(views: tuple[MarginView, ...]) -> tuple[AccountRow, ...]:
    return tuple(account_row(view) for view in views)


def _store_fault(error: BaseException) -> StoreFault | None:
    """Find a fault of the store in an error or in the group of a task group."""
    if isinstance(error, StoreFault):
        return error
    nested = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return next((fault for one in nested if (fault := _store_fault(one)) is not None), None)
