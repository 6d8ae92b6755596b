"""Every series of the service, in a registry of its own, each labelled child created at start.

Names have the prefix `margin_relayer_`; base units; no label names an account. Amounts of money are not exported: exact
figures are in the API.
"""

from __future__ import annotations

from dataclasses import dataclass
from platform import python_version
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from proofs.snapshot import Reason
from proofs.types import ChainId, Status
from relayer.flags import FlagEventKind

PREFIX: Final = "margin_relayer"
TAGS: Final = ("latest", "safe", "finalized")
DISSENT_KINDS: Final = ("anchor", "header", "accounts", "sheet", "chain_id", "answer", "other")
METHODS: Final = (
    "eth_chainId",
    "eth_call",
    "eth_getBlockByHash",
    "eth_getBlockByNumber",
    "eth_getCode",
    "eth_getProof",
    "other",
)
RPC_RESULTS: Final = (
    "ok",
    "BlockUnknown",
    "BodyTooLarge",
    "RateLimited",
    "RpcMalformed",
    "RpcRefused",
    "RpcTimeout",
    "RpcUnreachable",
    "StatePruned",
    "WrongChain",
    "cancelled",
    "other",
)
ATTESTATION_RESULTS: Final = ("signed", "refused", "equivocation_blocked")
ANSWER_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")
RPC_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The last is the budget of one question."""
FRAME_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
SHORT_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
BATCH_CALLS: Final = (1, 2, 5, 10, 50, 100, 500)
DEPTHS: Final = (1, 2, 4, 8, 16, 64)


@dataclass(frozen=True, slots=True)
class Watched:
    """Name what is observed, so that every series exists before its first event."""

    policy_id: str
    chains: tuple[ChainId, ...]
    providers: tuple[tuple[ChainId, str], ...]
    version: str


class Series:
    """Hold the registry and its series; only `relayer.observe` changes them."""

    def __init__(self, watched: Watched) -> None:
        self.registry = CollectorRegistry()
        self._watched = watched
        self._info()
        self._of_rpc()
        self._of_chains()
        self._of_frames()
        self._of_service()
        self._initialise()

    def _info(self) -> None:
        build = self._gauge("build_info", "What runs.", "version", "python")
        build.labels(self._watched.version, python_version()).set(1)
        self._gauge("config_info", "Which policy runs.", "policy_id").labels(self._watched.policy_id).set(1)

    def _of_rpc(self) -> None:
        provider = ("chain_id", "provider")
        self.rpc_requests = self._counter("rpc_requests", "HTTP requests to providers.", *provider, "method", "result")
        self.rpc_seconds = self._histogram("rpc_request_seconds", "Time of one request.", RPC_SECONDS, *provider)
        self.rpc_batch = self._histogram("rpc_batch_size", "JSON-RPC calls of one request.", BATCH_CALLS, *provider)
        self.rpc_limited = self._counter("rpc_rate_limited", "Answers that ask to slow down.", *provider)
        self.rpc_up = self._gauge("rpc_upstream_up", "1 when the last request was answered.", *provider)
        self.rpc_lag = self._gauge("rpc_upstream_lag_blocks", "Blocks behind the newest head seen.", *provider)
        self.quarantines = self._counter("provider_quarantines", "Times a refuted proof cost first place.", *provider)
        self.proof_keys = self._counter("proof_keys", "Storage keys and accounts read with proof.", *provider)
        self.dissent = self._counter("quorum_disagreement", "Answers against the quorum.", *provider, "kind")

    def _of_chains(self) -> None:
        head = ("chain_id", "tag")
        self.head_block = self._gauge("chain_head_block", "Newest block number seen.", *head)
        self.head_timestamp = self._gauge("chain_head_timestamp_seconds", "Its timestamp.", *head)
        self.view_age = self._gauge("chain_view_age_seconds", "Age of the newest frame with this chain.", "chain_id")
        self.chain_missing = self._counter("chain_missing", "Frames without this chain.", "chain_id", "reason")
        self.dishonest = self._counter("chain_dishonest", "Answers that were refuted.", "chain_id")
        self.reorgs = self._counter("chain_reorg", "Heights whose block changed.", "chain_id")
        self.reorg_depth = self._histogram("reorg_depth_blocks", "Blocks replaced.", DEPTHS, "chain_id")

    def _of_frames(self) -> None:
        self.frame_seconds = self._histogram("cycle_seconds", "Time of one pass.", FRAME_SECONDS)
        self.frame_success = self._gauge("cycle_last_success_timestamp_seconds", "When a pass last ended well.")
        self.frame_accounts = self._gauge("cycle_accounts", "Accounts of the newest frame.")
        self.frame_evaluated = self._gauge("cycle_evaluated_accounts", "Of these, evaluated anew.")
        self.frames_skipped = self._counter("cycle_skipped", "Frames that were not signed although a signer is there.")
        self.frames_missed = self._counter("cycle_missed", "Frames that passed while something else ran.")
        self.accounts = self._gauge("accounts", "Accounts by status.", "status")
        self.attestations = self._counter("attestations", "What became of roots to sign.", "result")
        self.attestation_age = self._gauge("attestation_age_seconds", "Age of the newest signed root's oldest reading.")
        self.flag_events = self._counter("flag_events", "Transitions of flags.", "kind")

    def _of_service(self) -> None:
        self.signing_enabled = self._gauge("signing_enabled", "1 with a signer, 0 when observing only.")
        self.flag_latency = self._histogram("flag_latency_seconds", "From price tick to raised flag.", FRAME_SECONDS)
        self.tick_seconds = self._histogram("tick_seconds", "Time of one look at prices.", RPC_SECONDS)
        self.tick_candidates = self._gauge("tick_candidates", "Accounts evaluated in the last look.")
        self.db_seconds = self._histogram("db_seconds", "Time to store a frame.", SHORT_SECONDS)
        self.loop_lag = self._histogram("event_loop_lag_seconds", "How late the loop woke.", SHORT_SECONDS)
        self.api_requests = self._counter("api_requests", "Answers of the API.", "code")
        self.bugs = self._counter("bugs", "States that our own rules exclude.")

    def _initialise(self) -> None:
        chains = [str(chain) for chain in self._watched.chains]
        for chain in chains:
            for series in (self.view_age, self.dishonest, self.reorgs, self.reorg_depth):
                series.labels(chain)
            for tag in TAGS:
                self.head_block.labels(chain, tag)
                self.head_timestamp.labels(chain, tag)
            for reason in Reason:
                self.chain_missing.labels(chain, reason.value)
        for chain_id, provider in self._watched.providers:
            self._initialise_provider(str(chain_id), provider)
        _each(self.accounts, [status.name.lower() for status in Status])
        _each(self.attestations, ATTESTATION_RESULTS)
        _each(self.flag_events, [kind.value for kind in FlagEventKind])
        _each(self.api_requests, ANSWER_CLASSES)

    def _initialise_provider(self, chain: str, provider: str) -> None:
        for series in (self.rpc_seconds, self.rpc_batch, self.rpc_limited, self.rpc_up, self.rpc_lag):
            series.labels(chain, provider)
        for series in (self.quarantines, self.proof_keys):
            series.labels(chain, provider)
        for kind in DISSENT_KINDS:
            self.dissent.labels(chain, provider, kind)
        for method in METHODS:
            for result in RPC_RESULTS:
                self.rpc_requests.labels(chain, provider, method, result)

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", help_text, labels, registry=self.registry)

    def _gauge(self, name: str, help_text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", help_text, labels, registry=self.registry)

    def _histogram(self, name: str, help_text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", help_text, labels, registry=self.registry, buckets=buckets)


def _each(series: Counter | Gauge, values: list[str] | tuple[str, ...]) -> None:
    for value in values:
        series.labels(value)
