"""What an operator is told: one method per event that means something, each of which logs and counts.

| level | is for |
|---|---|
| error | somebody has to act: a source lied, a second digest was offered, a bug |
| warning | something is worse than it should be: a chain is missing, a frame was not signed, an account is flagged |
| info | what one wants to read at three in the morning: frames, starts and stops, what came back |

What happens thousands of times a minute (requests, heads) is counted and not logged. Methods return at once and never
raise. `Observe` satisfies `chains.observer.ChainObserver` and the pipeline's and the API's observers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, TextIO

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from chains.limits import PROOF_KEYS_PER_BATCH
from proofs.attestation import SignedRoot
from proofs.snapshot import Reason, Unavailable
from proofs.types import ChainId, Status, to_hex
from proofs.units import format_decimal
from relayer.config.operator import LogFormat
from relayer.flags import FlagEvent, FlagEventKind
from relayer.observe.log import event_log
from relayer.observe.series import DISSENT_KINDS, METHODS, RPC_RESULTS, TAGS, Series, Watched

__all__ = ["Observe", "ObserveSettings", "Watched"]

_BLOCKED_RULES: Final = frozenset({"slot_taken", "vote_taken"})
"""A second digest or vote for one frame was offered and refused."""
_MILD_EVENTS: Final = frozenset({FlagEventKind.CLEARED, FlagEventKind.WITHDRAWN})
_UNANSWERED: Final = frozenset({"RpcUnreachable", "RpcTimeout", "cancelled"})
"""Cancelled is a request whose provider was still silent when the others had settled the question."""


class FrameOutcome(Protocol):
    """The part of a stored frame that is worth telling."""

    @property
    def frame(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def signed(self) -> SignedRoot | None: ...


class RefusedRule(Protocol):
    """Which rule kept a frame from being signed."""

    @property
    def rule(self) -> str: ...
    @property
    def detail(self) -> str: ...


@dataclass(frozen=True, slots=True)
class ObserveSettings:
    """Say how to log and which texts must never appear; `now_s` is Unix time."""

    log_format: LogFormat
    secrets: tuple[str, ...]
    now_s: Callable[[], float]


@dataclass(slots=True)
class _Memory:
    """Remember what turns a repeated event into a change: heads per provider, missing chains, what is newest."""

    heads: dict[tuple[ChainId, str], dict[str, int]] = field(default_factory=dict)
    missing: dict[ChainId, tuple[int, Reason]] = field(default_factory=dict)
    present: dict[ChainId, int] = field(default_factory=dict)
    dishonest: dict[tuple[ChainId, Reason, tuple[str, ...]], int] = field(default_factory=dict)
    frame: int | None = None
    as_of: int | None = None


class Observe:
    """Log and count. One per service; holds its own registry and logger."""

    def __init__(self, watched: Watched, settings: ObserveSettings, stream: TextIO | None = None) -> None:
        self.series = Series(watched)
        self._watched = watched
        self._log = event_log(settings.log_format, settings.secrets, stream)
        self._now_s = settings.now_s
        self._memory = _Memory()
        self.series.attestation_age.set_function(self._attestation_age_s)
        for chain in watched.chains:
            self.series.view_age.labels(chain).set_function(partial(self._view_age_s, chain))

    def render(self) -> tuple[bytes, str]:
        """Return all series in the text format of Prometheus, and its content type."""
        return generate_latest(self.series.registry), CONTENT_TYPE_LATEST

    # --- service -------------------------------------------------------------------------------------------------

    def service_started(self, signer: str | None, listen: str) -> None:
        """The service began; `signer` is the signing address, None when it observes only."""
        self.series.signing_enabled.set(signer is not None)
        what = "observing only: nothing will be signed" if signer is None else "signing"
        shown = {"policy_id": self._watched.policy_id, "version": self._watched.version, "listen": listen}
        self._log.info("service_started", mode=what, signer=signer, **shown)

    def service_stopping(self, cause: str) -> None:
        """The service was asked to end."""
        self._log.info("service_stopping", cause=cause)

    def service_stopped(self) -> None:
        """The service ended."""
        self._log.info("service_stopped")

    def warned(self, about: str, problem: str, fix: str) -> None:
        """Something at start is not as it should be and does not prevent it: a key file that others may read."""
        self._log.warning("start_warning", about=about, problem=problem, fix=fix)

    def bug_seen(self, where: str, error: BaseException) -> None:
        """Something broke that our own rules exclude."""
        self.series.bugs.inc()
        self._log.error("bug_seen", where=where, error=f"{type(error).__name__}: {error}", exc_info=error)

    def loop_lagged(self, seconds: float) -> None:
        """The event loop woke that much later than asked."""
        self.series.loop_lag.observe(seconds)

    def stored(self, seconds: float) -> None:
        """A frame was stored."""
        self.series.db_seconds.observe(seconds)

    def request_answered(self, route: str, status: int) -> None:
        """The API answered."""
        del route  # not a label: its values come from outside
        if 200 <= status <= 599:
            self.series.api_requests.labels(f"{status // 100}xx").inc()

    # --- frames and flags ----------------------------------------------------------------------------------------

    def frame_finished(self, row: FrameOutcome, seconds: float, counts: Mapping[str, int]) -> None:
        """A frame was evaluated and stored; `counts` are accounts by status, `accounts` and `evaluated`."""
        series = self.series
        series.frame_seconds.observe(seconds)
        series.frame_success.set(self._now_s())
        series.frame_accounts.set(counts.get("accounts", 0))
        series.frame_evaluated.set(counts.get("evaluated", 0))
        for status in Status:
            series.accounts.labels(status.name.lower()).set(counts.get(status.name.lower(), 0))
        if row.signed is not None:
            self._memory.as_of = row.signed.root.as_of
            series.attestations.labels("signed").inc()
        self._chains_present(row.frame)
        self._memory.frame = row.frame
        self._memory.dishonest = {lie: at for lie, at in self._memory.dishonest.items() if at == row.frame}
        digest = None if row.signed is None else to_hex(row.signed.digest)
        told = {"state": str(row.state), "reason": row.reason or None, "digest": digest, "seconds": round(seconds, 3)}
        self._log.info("frame_finished", frame=row.frame, **told, **counts)

    def frames_missed(self, frames: tuple[int, ...]) -> None:
        """Frames came and went while something else ran; they are never returned to."""
        if not frames:
            return
        self.series.frames_missed.inc(len(frames))
        self._log.info("frames_missed", first=frames[0], last=frames[-1], count=len(frames))

    def chain_missing(self, frame: int, outcome: Unavailable) -> None:
        """A chain contributes nothing to a frame; logged when that begins and when its reason changes."""
        self.series.chain_missing.labels(outcome.chain, outcome.reason.value).inc()
        before = self._memory.missing.get(outcome.chain)
        self._memory.missing[outcome.chain] = (frame, outcome.reason)
        if before is None or before[1] is not outcome.reason:
            told = {"reason": outcome.reason.value, "detail": outcome.detail, "providers": outcome.providers}
            self._log.warning("chain_missing", frame=frame, chain_id=outcome.chain, **told)

    def chain_dishonest(self, frame: int, outcome: Unavailable) -> None:
        """A source answered and was refuted; logged when that begins, not in every frame in which it goes on."""
        self.series.dishonest.labels(outcome.chain).inc()
        lie = (outcome.chain, outcome.reason, outcome.providers)
        before = self._memory.dishonest.get(lie)
        self._memory.dishonest[lie] = frame
        if before is not None and before in (frame, self._memory.frame):
            return
        told = {"reason": outcome.reason.value, "detail": outcome.detail, "providers": outcome.providers}
        self._log.error("chain_dishonest", frame=frame, chain_id=outcome.chain, **told)

    def provider_quarantined(self, lie: Unavailable) -> None:
        """A provider's proof was refuted; for a while others are asked first."""
        for provider in lie.providers:
            self.series.quarantines.labels(lie.chain, provider).inc()
        told = {"reason": lie.reason.value, "detail": lie.detail}
        self._log.error("provider_quarantined", chain_id=lie.chain, providers=lie.providers, **told)

    def signing_refused(self, frame: int, refusal: RefusedRule) -> None:
        """A frame was not signed although a signer is configured."""
        self.series.frames_skipped.inc()
        if refusal.rule in _BLOCKED_RULES:
            self.series.attestations.labels("equivocation_blocked").inc()
            self._log.error("equivocation_blocked", frame=frame, rule=str(refusal.rule), detail=refusal.detail)
            return
        self.series.attestations.labels("refused").inc()
        self._log.warning("signing_refused", frame=frame, rule=str(refusal.rule), detail=refusal.detail)

    def flag_changed(self, event: FlagEvent) -> None:
        """A flag was raised, worsened, cleared or withdrawn."""
        self.series.flag_events.labels(event.kind.value).inc()
        tell = self._log.info if event.kind in _MILD_EVENTS else self._log.warning
        tell(
            "flag_changed",
            change=event.kind.value,
            account=to_hex(event.account),
            frame=event.frame,
            status=event.status.name.lower(),
            equity_usd=format_decimal(event.equity_usd, 18),
            maintenance_margin_usd=format_decimal(event.maintenance_margin_usd, 18),
            reasons=event.reasons,
        )

    def tick_finished(self, seconds: float, candidates: int, raised: int) -> None:
        """Prices were looked at between frames."""
        self.series.tick_seconds.observe(seconds)
        self.series.tick_candidates.set(candidates)
        if raised:
            self.series.flag_latency.observe(seconds)

    # --- chains --------------------------------------------------------------------------------------------------

    def rpc_answered(self, chain: ChainId, provider: str, method: str, calls: int, seconds: float, result: str) -> None:
        """One HTTP request ended."""
        labels = (chain, provider)
        told = (_known(method, METHODS), _known(result, RPC_RESULTS))
        self.series.rpc_requests.labels(*labels, *told).inc()
        self.series.rpc_seconds.labels(*labels).observe(seconds)
        self.series.rpc_batch.labels(*labels).observe(calls)
        self.series.rpc_up.labels(*labels).set(result not in _UNANSWERED)

    def rate_limited(self, chain: ChainId, provider: str) -> None:
        """A provider asked us to slow down."""
        self.series.rpc_limited.labels(chain, provider).inc()

    def dissent(self, chain: ChainId, provider: str, kind: str, detail: str) -> None:
        """A provider contradicted the quorum, or itself."""
        self.series.dissent.labels(chain, provider, _known(kind, DISSENT_KINDS)).inc()
        self._log.error("quorum_disagreement", chain_id=chain, provider=provider, kind=kind, detail=detail)

    def head_seen(self, chain: ChainId, provider: str, tag: str, number: int, timestamp_s: int) -> None:
        """A provider named a head."""
        if tag not in TAGS:
            return
        heads = self._memory.heads.setdefault((chain, tag), {})
        heads[provider] = number
        newest = max(heads.values())
        if number == newest:
            self.series.head_block.labels(chain, tag).set(number)
            self.series.head_timestamp.labels(chain, tag).set(timestamp_s)
        if tag == "latest":
            for name, block in heads.items():
                self.series.rpc_lag.labels(chain, name).set(newest - block)

    def reorg_seen(self, chain: ChainId, provider: str, number: int, depth: int) -> None:
        """A provider shows another block at a height it had shown before."""
        self.series.reorgs.labels(chain).inc()
        self.series.reorg_depth.labels(chain).observe(depth)
        self._log.warning("reorg_seen", chain_id=chain, provider=provider, block=number, depth=depth)

    def proofs_read(self, chain: ChainId, provider: str, done: int, total: int) -> None:
        """A request of a proof read was answered; logged where it takes more than one."""
        if done == total:
            self.series.proof_keys.labels(chain, provider).inc(total)
        if total > PROOF_KEYS_PER_BATCH:
            self._log.info("proofs_read", chain_id=chain, provider=provider, done=done, total=total)

    # --- ages ----------------------------------------------------------------------------------------------------

    def _chains_present(self, frame: int) -> None:
        for chain in self._watched.chains:
            missing = self._memory.missing.get(chain)
            if missing is not None and missing[0] == frame:
                continue
            self._memory.present[chain] = frame
            if missing is not None:
                del self._memory.missing[chain]
                self._log.info("chain_returned", frame=frame, chain_id=chain, missing_since_reason=missing[1].value)

    def _attestation_age_s(self) -> float:
        return -1.0 if self._memory.as_of is None else self._now_s() - self._memory.as_of

    def _view_age_s(self, chain: ChainId) -> float:
        frame = self._memory.present.get(chain)
        return -1.0 if frame is None else self._now_s() - frame


def _known(value: str, known: tuple[str, ...]) -> str:
    return value if value in known else "other"
