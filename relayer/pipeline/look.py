"""One live, unsigned look at one account: the pipeline's reading and evaluation, without lists, ledger or store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chains.adapter import ChainAdapter
from chains.clock import Clock
from proofs.types import AccountId, ChainId, Quality
from proofs.verify import VerifiedSnapshot, verified_snapshot
from relayer.config.policy import Policy
from relayer.margin.account import PortfolioReader
from relayer.margin.evaluate import evaluate
from relayer.margin.market import market_of
from relayer.margin.view import MarginView
from relayer.pipeline.reading import FrameReader, Readings
from relayer.plan import settled_s
from relayer.schedule import frame_at


@dataclass(frozen=True, slots=True)
class Look:
    """Hold what was seen: the account's view, the chains it rests on, and the readings that prove it."""

    view: MarginView
    snapshot: VerifiedSnapshot
    readings: Readings


async def look_at(
    policy: Policy, chains: Mapping[ChainId, ChainAdapter], clock: Clock, account: AccountId, frame_s: int
) -> Look:
    """Read, prove and evaluate one account at a frame's blocks, whether or not any contract names it."""
    unlisted = replace(policy, lists=())
    readings = await FrameReader(unlisted, chains, clock).read(frame_s, (account,))
    snapshot = verified_snapshot(frame_s, readings.outcomes)
    quality = Quality.DEVNET if policy.has_devnet else Quality.NONE
    portfolio = PortfolioReader.from_snapshot(snapshot, policy.rules, quality).portfolio(account)
    return Look(evaluate(portfolio, market_of(snapshot, policy.rules), policy.rules), snapshot, readings)


def newest_frame(policy: Policy, now_s: float) -> int:
    """Return the newest frame whose blocks are final by now, as a rule."""
    return frame_at(int(now_s) - settled_s(policy), policy.frame_s)
