"""Service: the one place that opens files, keys and sockets, and joins them to a pipeline, a scheduler and an API.

A chain that is dead, slow or lying never ends the service, and neither does a bug in a pass. What ends it: a signal
(orderly), a fault of the configuration (at start, exit 2), a fault of the store (exit 1, with its name).
"""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from chains.adapter import ChainAdapter
from chains.clock import Clock, SystemClock
from chains.connect import connect
from chains.errors import NetworkRefused, QuestionRefused, SecretRefused
from chains.network import network_of
from chains.observer import ChainObserver
from chains.rpc import Provider
from chains.secret import SecretUrl
from proofs.signing import LocalSigner, Signer
from proofs.types import AccountId, ChainId, to_hex
from relayer.api.board import Board
from relayer.api.handlers import Handlers
from relayer.config.check import faults_between
from relayer.config.operator import ApiConfig, OperatorConfig, ProviderConfig
from relayer.config.policy import Policy
from relayer.errors import ConfigError, Fault, StoreFault
from relayer.observe.observer import Observe, ObserveSettings, Watched
from relayer.pipeline.evidence import DISTRIBUTION
from relayer.pipeline.frame import FrameResult, Pipeline
from relayer.pipeline.health import Health
from relayer.pipeline.look import Look, look_at, newest_frame
from relayer.pipeline.ports import Alone, Ports, SigningPorts
from relayer.plan import column_specs, list_specs, settled_s
from relayer.scheduler import Scheduler
from relayer.signers.keystore import OpenedSigner, open_signer
from relayer.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from relayer.api.server import Listening

COMPUTE_THREADS: Final = 2
"""Verifying and evaluating: one chain's proofs can be hashed while another's are decoded."""
READY_FRAMES: Final = 3
"""So many frame lengths without a new frame, and what is served is not worth serving."""


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """Say what the command line adds: never sign, and chains whose replaced history the operator accepts."""

    is_observing: bool = False
    accept_reorgs: tuple[ChainId, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """Hold a composed service; `address` is where the API listens, None when it does not."""

    pipeline: Pipeline
    scheduler: Scheduler
    board: Board
    observe: Observe
    address: tuple[str, int] | None


def run_service(policy: Policy, config: OperatorConfig, options: ServiceOptions) -> None:
    """Run until SIGTERM or SIGINT.

    Raises: ConfigError, SignerFault, StoreFault.
    """
    asyncio.run(_until_signal(policy, config, options))


def run_once(policy: Policy, config: OperatorConfig, options: ServiceOptions) -> FrameResult:
    """Run the next frame that is due, and end.

    Raises: ConfigError, SignerFault, StoreFault.
    """

    async def once() -> FrameResult:
        async with service_of(policy, config, options) as service:
            return await service.scheduler.run_once()

    return asyncio.run(once())


@asynccontextmanager
async def service_of(policy: Policy, config: OperatorConfig, options: ServiceOptions) -> AsyncIterator[Service]:
    """Open everything, join it, and close it again in reverse order.

    Raises: ConfigError, SignerFault, StoreFault.
    """
    faults = faults_between(config, policy)
    if faults:
        raise ConfigError(config.source, *faults)
    _require_readable(policy, config)
    clock, observe = SystemClock(), _observe(policy, config)
    async with AsyncExitStack() as stack:
        chains = open_chains(policy, config.providers, observe, clock)
        for adapter in chains.values():
            stack.push_async_callback(adapter.close)
        signer = None if options.is_observing else await _signer(policy, config, observe)
        store = await SqliteStore.open(config.store, config.retention)
        stack.push_async_callback(store.close)
        compute = stack.enter_context(ThreadPoolExecutor(COMPUTE_THREADS, "compute"))
        health = Health(clock.monotonic_s(), _frame_age_s_max(policy), signer is not None)
        board = Board(policy, clock)
        ports = Ports(
            policy=policy,
            chains=chains,
            clock=clock,
            frames=store,
            flags=store,
            publishers=(board,),
            observer=observe,
            signing=None if signer is None else _signing(policy, config, signer, store),
        )
        pipeline = Pipeline(ports, config.retention.bundles, compute)
        await pipeline.start(options.accept_reorgs)
        scheduler = Scheduler(policy, pipeline, clock, health, observe)
        address = None
        if config.api is not None:
            server = await _server(
                config.source, config.api, Handlers(board, store, health, observe, pipeline), observe
            )
            stack.push_async_callback(server.close)
            address = server.address
        observe.service_started(None if signer is None else to_hex(signer.address), _shown(address))
        yield Service(pipeline, scheduler, board, observe, address)
        observe.service_stopped()


def _require_readable(policy: Policy, config: OperatorConfig) -> None:
    """Find out now what no reader of this version can ask, not in every frame.

    Raises: ConfigError.
    """
    try:
        list_specs(policy)
        column_specs(policy, ())
    except QuestionRefused as error:
        fix = "use a kind that this version reads, with the fields it needs"
        raise ConfigError(str(config.policy), Fault("source", str(error), fix)) from error


def open_chains(
    policy: Policy, providers: tuple[ProviderConfig, ...], observe: ChainObserver, clock: Clock
) -> Mapping[ChainId, ChainAdapter]:
    """Build an adapter for each chain of the policy; nothing is asked yet.

    Raises: ConfigError for an unknown network and for a URL that is none.
    """
    adapters: dict[ChainId, ChainAdapter] = {}
    for chain in policy.chains:
        endpoints = [_endpoint(provider) for provider in providers if provider.chain == chain.chain]
        try:
            adapters[chain.chain] = connect(network_of(chain.chain), chain.finality, endpoints, observe, clock)
        except NetworkRefused as error:
            fault = Fault("chain", str(error), "this release cannot read that chain")
            raise ConfigError(f"policy {policy.name}", fault) from error
    return adapters


def _endpoint(provider: ProviderConfig) -> Provider:
    place = provider.url.place
    try:
        return Provider(provider.name, provider.operator, SecretUrl(provider.url.resolve()))
    except SecretRefused as error:
        raise ConfigError(place.source, Fault(place.key, str(error), "correct the provider's url")) from error


async def audit_live(
    policy: Policy,
    providers: tuple[ProviderConfig, ...],
    account: AccountId,
    frame_s: int | None,
    observe: ChainObserver,
) -> Look:
    """Look at one account through these providers, at the newest settled frame or the one given.

    Raises: ConfigError.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        chains = open_chains(policy, providers, observe, clock)
        for adapter in chains.values():
            stack.push_async_callback(adapter.close)
        chosen = newest_frame(policy, clock.now_s()) if frame_s is None else frame_s
        return await look_at(policy, chains, clock, account, chosen)


async def _until_signal(policy: Policy, config: OperatorConfig, options: ServiceOptions) -> None:
    async with service_of(policy, config, options) as service:
        loop = asyncio.get_running_loop()

        def stop(cause: signal.Signals) -> None:
            service.observe.service_stopping(cause.name)
            service.scheduler.stop()

        for cause in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(cause, stop, cause)
        try:
            await service.scheduler.run()
        except* StoreFault as faults:
            raise faults.exceptions[0] from None


async def _signer(policy: Policy, config: OperatorConfig, observe: Observe) -> Signer | None:
    if config.signer is None:
        return None
    opened: OpenedSigner = await asyncio.to_thread(open_signer, config.signer)
    if opened.warning:
        observe.warned("signer.path", opened.warning, "chmod 600")
    if opened.signer.address not in policy.signers.addresses:
        problem = f"{to_hex(opened.signer.address)} is no member of the policy's signer set"
        raise ConfigError(
            config.source, Fault("signer.path", problem, "use a member's key, or observe without [signer]")
        )
    return opened.signer


def _signing(policy: Policy, config: OperatorConfig, signer: Signer, store: SqliteStore) -> SigningPorts:
    """Sign alone. Votes of a single relayer never leave it, so a key made for this run signs them."""
    if policy.signers.k > 1:
        problem = f"the policy needs {policy.signers.k} signers; this version has no connections to other relayers"
        raise ConfigError(config.source, Fault("signer", problem, "sign with k = 1, or observe without [signer]"))
    transport = LocalSigner(secrets.token_bytes(32))
    return SigningPorts(signer, transport, (transport.address,), Alone(), store)


def _observe(policy: Policy, config: OperatorConfig) -> Observe:
    watched = Watched(
        to_hex(policy.policy_id),
        tuple(chain.chain for chain in policy.chains),
        tuple((provider.chain, provider.name) for provider in config.providers),
        version(DISTRIBUTION),
    )
    texts = tuple(secret.resolve().strip() for secret in config.secrets())
    return Observe(watched, ObserveSettings(config.log_format, texts, SystemClock().now_s))


async def _server(source: str, api: ApiConfig, handlers: Handlers, observe: Observe) -> Listening:
    from relayer.api.server import make_app, serve

    try:
        return await serve(make_app(handlers, observe, version(DISTRIBUTION)), observe, api.host, api.port)
    except OSError as error:
        problem = f"cannot listen on {api.host}:{api.port}: {error.strerror}"
        raise ConfigError(source, Fault("api.listen", problem, "choose another address")) from error


def _frame_age_s_max(policy: Policy) -> float:
    return float(settled_s(policy) + policy.deadline_s + READY_FRAMES * policy.frame_s)


def _shown(address: tuple[str, int] | None) -> str:
    return "not listening" if address is None else f"{address[0]}:{address[1]}"
