"""What one frame over three chains and 200 accounts asks for, counted on the wire; counts.json is the gate.

Times are printed and gate nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chains.devnet.deploy import deploy_world
from chains.devnet.nodes import start_anvils
from chains.devnet.seeding import seed_accounts
from chains.devnet.world import DEVNET_CHAIN_NUMBERS, SignerSet, World
from proofs.types import Assurance
from relayer import plan_cells
from relayer.store.port import FrameState
from tests.bench.world import Rig, rig_of
from tests.relayer.fake_world import SIGNER

pytestmark = pytest.mark.node

COUNTS = json.loads((Path(__file__).parent / "counts.json").read_text())["frame"]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with start_anvils(DEVNET_CHAIN_NUMBERS) as nodes:
        deployed = deploy_world([node.url for node in nodes], SignerSet((SIGNER.address,), k=1, f=0))
        seed_accounts(deployed, COUNTS["accounts"])
        yield deployed


async def test_frame__200_accounts_on_three_chains__asks_no_more_than_is_counted(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with rig_of(world, tmp_path) as rig:
        await rig.settle(COUNTS["accounts"])
        rig.reset()

        result = await rig.next_frame()

        measured = {name: dict(proxy.counts.calls) for name, proxy in rig.proxies.items()}
        with capsys.disabled():
            _report(rig, measured)
        assert result.row is not None
        assert result.row.state is FrameState.SIGNED
        assert len(result.views) == COUNTS["accounts"]
        for name, limits in COUNTS["calls"].items():
            for method, limit in limits.items():
                assert measured[name].get(method, 0) <= limit["at_most"], (name, method, measured[name])
            assert set(measured[name]) <= set(limits), measured[name]
            assert rig.proxies[name].counts.requests <= COUNTS["http_requests"]["at_most"]


async def test_frame__contracts_too_large_to_prove_whole__asks_for_fewer_keys_and_signs(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_cells, "WHOLE_KEYS_MAX", 500)
    async with rig_of(world, tmp_path) as rig:
        await rig.settle(COUNTS["accounts"])
        rig.reset()

        result = await rig.next_frame()

        calls = {name: proxy.counts.calls["eth_getProof"] for name, proxy in rig.proxies.items()}
        assert result.row is not None
        assert result.row.state is FrameState.SIGNED
        assert rig.noticed.bugs == []
        assert not any(view.missing for view in result.views)  # what needed a proof has one
        assert {view.assurance for view in result.views} == {Assurance.RPC_QUORUM, Assurance.STATE_PROOF}
        assert calls["A"] <= COUNTS["calls"]["A"]["eth_getProof"]["at_most"]


async def test_tick__200_accounts__asks_the_price_chain_alone_and_evaluates_fewer_than_all(
    world: World, tmp_path: Path
) -> None:
    async with rig_of(world, tmp_path) as rig:
        await rig.settle(COUNTS["accounts"])
        rig.reset()

        await rig.pipeline.run_tick()

        ((candidates, _),) = rig.noticed.ticks
        assert 0 < candidates <= COUNTS["tick_candidates"]["at_most"] < COUNTS["accounts"]
        assert rig.proxies["A"].counts.calls["eth_call"] == COUNTS["tick"]["eth_call"]["at_most"]
        elsewhere = rig.proxies["B"].counts.requests + rig.proxies["C"].counts.requests
        assert elsewhere == COUNTS["tick"]["requests_elsewhere"]["at_most"]


async def test_frame__nothing_changed__evaluates_nobody_anew(world: World, tmp_path: Path) -> None:
    async with rig_of(world, tmp_path) as rig:
        first = await rig.settle(COUNTS["accounts"])

        second = await rig.next_frame()

        assert first.evaluated == COUNTS["accounts"]
        assert second.evaluated == COUNTS["evaluated_when_nothing_changed"]["at_most"]


def _report(rig: Rig, measured: dict[str, dict[str, int]]) -> None:
    lines = [f"\nframe of {COUNTS['accounts']} accounts on 3 chains: {rig.noticed.seconds[-1]:.2f} s wall"]
    for name, calls in measured.items():
        counts = rig.proxies[name].counts
        shown = ", ".join(f"{method} {count}" for method, count in sorted(calls.items()))
        wire = f"{counts.requests} requests, {counts.bytes_up} B up, {counts.bytes_down} B down"
        lines.append(f"  {name}: {wire}: {shown}")
    print("\n".join(lines))  # noqa: T201  # a measurement is for people
