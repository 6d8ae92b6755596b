"""A pipeline over real nodes behind counting proxies, for tests that gate on counts or lie on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from chains.adapter import ChainAdapter
from chains.clock import SystemClock
from chains.connect import connect
from chains.devnet.policy import policy_text
from chains.devnet.proxy import FaultProxy
from chains.devnet.world import World
from chains.network import network_of
from chains.observer import NullObserver
from chains.rpc import Provider, RpcLimits
from chains.secret import SecretUrl
from proofs.types import ChainId
from relayer.config.policy import Policy
from relayer.config.policy_document import parse_policy
from relayer.pipeline.frame import FrameResult, Pipeline
from relayer.pipeline.look import newest_frame
from relayer.pipeline.ports import Alone, Ports, SigningPorts
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import SIGNER, TRANSPORT, Noticed

SETTLE_FRAMES_MAX = 6


@dataclass(frozen=True)
class Rig:
    """Hold a composed pipeline, its proxies by the last letter of the chain's name, and what it noticed."""

    pipeline: Pipeline
    policy: Policy
    proxies: Mapping[str, FaultProxy]
    noticed: Noticed
    store: SqliteStore
    clock: SystemClock

    async def next_frame(self) -> FrameResult:
        """Run the newest frame that is due and was not run."""
        highest = self.pipeline.highest
        frame = newest_frame(self.policy, self.clock.now_s())
        while highest is not None and frame <= highest:
            await self.clock.sleep_until(self.clock.now_s() + 0.1)
            frame = newest_frame(self.policy, self.clock.now_s())
        return await self.pipeline.run_frame(frame)

    async def settle(self, accounts: int) -> FrameResult:
        """Run frames until one is signed with all accounts: right after deployment blocks are too young."""
        for _ in range(SETTLE_FRAMES_MAX):
            result = await self.next_frame()
            if result.row is not None and result.row.signed is not None and len(result.views) == accounts:
                return result
        raise AssertionError(f"no frame with {accounts} accounts was signed: {self.noticed.refused}")

    def reset(self) -> None:
        for proxy in self.proxies.values():
            proxy.counts.reset()


@asynccontextmanager
async def rig_of(world: World, folder: Path, **changes: object) -> AsyncIterator[Rig]:
    """Compose a pipeline over a world; `changes` replace keys of its policy."""
    policy = parse_policy(policy_text(world.policy_document(**changes)))
    clock, noticed = SystemClock(), Noticed()
    async with AsyncExitStack() as stack:
        proxies = {chain.name[-1]: await stack.enter_async_context(FaultProxy(chain.url)) for chain in world.chains}
        adapters = _adapters(policy, [(chain.chain, proxies[chain.name[-1]].url) for chain in world.chains], clock)
        for adapter in adapters.values():
            stack.push_async_callback(adapter.close)
        store = await SqliteStore.open(folder / "relayer.db")
        stack.push_async_callback(store.close)
        signing = SigningPorts(SIGNER, TRANSPORT, (TRANSPORT.address,), Alone(), store)
        pipeline = Pipeline(Ports(policy, adapters, clock, store, store, (), noticed, signing), bundles_kept=1)
        await pipeline.start()
        yield Rig(pipeline, policy, proxies, noticed, store, clock)


def _adapters(policy: Policy, urls: Sequence[tuple[ChainId, str]], clock: SystemClock) -> dict[ChainId, ChainAdapter]:
    rules = {chain.chain: chain.finality for chain in policy.chains}
    limits = RpcLimits(budget_s=4.0)
    return {
        chain: connect(
            network_of(chain), rules[chain], [Provider("node", "local", SecretUrl(url), limits)], NullObserver(), clock
        )
        for chain, url in urls
    }
