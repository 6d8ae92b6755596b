"""What an operator is told: lines, series, and what must not be in either."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest

from chains.observer import ChainObserver
from proofs.snapshot import Reason, Unavailable
from proofs.types import ChainId, Status
from relayer.config.operator import LogFormat
from relayer.cosign import Refusal, Rule
from relayer.flags import FlagEventKind
from relayer.observe.observer import Observe, ObserveSettings, Watched
from relayer.observe.series import DISSENT_KINDS
from relayer.pipeline.ports import PipelineObserver
from relayer.store.port import FrameState
from tests.relayer.store.samples import event, frame_row

ETHEREUM, BASE = ChainId("eip155:1"), ChainId("eip155:8453")
SECRET = "https://user:s3cr3t@rpc.example/v2/k3y"
WATCHED = Watched("0xab", (ETHEREUM, BASE), ((ETHEREUM, "a"), (ETHEREUM, "b"), (BASE, "a")), "1.2.3")


class Told:
    """An observer and what it said."""

    def __init__(self, log_format: LogFormat = LogFormat.JSON) -> None:
        self.stream = io.StringIO()
        self.now_s = 1000.0
        settings = ObserveSettings(log_format, (SECRET, "abc"), lambda: self.now_s)
        self.observe = Observe(WATCHED, settings, self.stream)

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def series(self) -> dict[str, float]:
        text = self.observe.render()[0].decode()
        rows = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in rows}


def gone(reason: Reason = Reason.RPC_TIMEOUT, detail: str = "no answer") -> Unavailable:
    return Unavailable(BASE, reason, detail, ("a",))


def test_observe__as_a_port__is_what_chains_and_pipeline_ask_for() -> None:
    chain: ChainObserver = Told().observe
    pipeline: PipelineObserver = Told().observe

    assert chain is not pipeline


def test_th_152_render__before_any_event__holds_every_labelled_series() -> None:
    series = Told().series()

    assert series['margin_relayer_quorum_disagreement_total{chain_id="eip155:8453",kind="sheet",provider="a"}'] == 0
    assert series['margin_relayer_attestations_total{result="equivocation_blocked"}'] == 0
    assert series['margin_relayer_accounts{status="unknown"}'] == 0
    assert series['margin_relayer_chain_missing_total{chain_id="eip155:1",reason="no_quorum"}'] == 0
    assert (
        series['margin_relayer_rpc_requests_total{chain_id="eip155:1",method="eth_getProof",provider="b",result="ok"}']
        == 0
    )
    assert series['margin_relayer_chain_view_age_seconds{chain_id="eip155:1"}'] == -1
    assert series["margin_relayer_signing_enabled"] == 0


def test_th_152_render__after_every_event__has_no_series_more_than_at_start() -> None:
    told = Told()
    before = {name for name in told.series() if not name.endswith("_created")}

    everything(told.observe)

    assert {name for name in told.series() if not name.endswith("_created")} == before
    assert not re.search("account=|0x0000000000", told.observe.render()[0].decode())


def everything(observe: Observe) -> None:
    """Let every event happen once, with texts from outside wherever one can come in."""
    hostile = f"{SECRET} \x1b[2J\n\u202e"
    observe.service_started("0x12", "127.0.0.1:1")
    observe.warned("signer.path", hostile, hostile)
    observe.loop_lagged(0.001)
    observe.stored(0.01)
    observe.request_answered(hostile, 404)
    observe.request_answered(hostile, 999)
    observe.frame_finished(frame_row(60, FrameState.SIGNED), 0.5, {"healthy": 3, "unknown": 1, "accounts": 4})
    observe.chain_missing(120, gone(detail=hostile))
    observe.chain_dishonest(120, gone(Reason.INVALID_PROOF, hostile))
    observe.provider_quarantined(replace(gone(Reason.INVALID_PROOF, hostile), providers=("a",)))
    observe.proofs_read(ETHEREUM, "a", 8_000, 9_000)
    observe.proofs_read(ETHEREUM, "a", 9_000, 9_000)
    observe.frame_finished(frame_row(120, FrameState.SKIPPED), 0.5, {"healthy": 4, "accounts": 4, "evaluated": 1})
    observe.frames_missed((180, 240))
    observe.frames_missed(())
    observe.frame_finished(frame_row(300), 0.5, {})
    observe.signing_refused(300, Refusal(Rule.TOO_FEW_VOTES, hostile))
    observe.signing_refused(300, Refusal(Rule.SLOT_TAKEN, hostile))
    for kind in FlagEventKind:
        observe.flag_changed(event(1, 300, kind))
    observe.tick_finished(0.1, 5, 1)
    observe.tick_finished(0.1, 5, 0)
    observe.rpc_answered(ETHEREUM, "a", "eth_call", 3, 0.1, "ok")
    observe.rpc_answered(ETHEREUM, "b", hostile, 3, 0.1, hostile)
    observe.rate_limited(ETHEREUM, "a")
    observe.dissent(ETHEREUM, "a", "sheet", hostile)
    observe.dissent(ETHEREUM, "a", hostile, hostile)
    observe.head_seen(ETHEREUM, "a", "latest", 100, 990)
    observe.head_seen(ETHEREUM, "a", "pending", 101, 991)
    observe.reorg_seen(ETHEREUM, "a", 99, 2)
    try:
        raise RuntimeError(hostile)
    except RuntimeError as error:
        observe.bug_seen("frame 300", error)
    observe.service_stopping("SIGTERM")
    observe.service_stopped()


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_th_144_everything__any_format__shows_no_secret_and_no_control_character(log_format: LogFormat) -> None:
    told = Told(log_format)

    everything(told.observe)

    text = told.stream.getvalue() + told.observe.render()[0].decode()
    assert "s3cr3t" not in text
    assert "k3y" not in text
    assert "***" in told.stream.getvalue()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)


@pytest.mark.parametrize("part", ["rpc.example", "/v2/k3y-of-32-chars", "user:s3cr3t-password@"])
def test_th_144_log__a_part_of_a_url_quoted_alone__is_masked(part: str) -> None:
    stream = io.StringIO()
    url = "https://user:s3cr3t-password@rpc.example/v2/k3y-of-32-chars?apikey=k3y-in-query"
    observe = Observe(WATCHED, ObserveSettings(LogFormat.JSON, (url,), lambda: 0.0), stream)

    observe.bug_seen("read", OSError(f"cannot connect to {part} with k3y-in-query"))

    assert not re.search("s3cr3t|k3y|rpc.example", stream.getvalue())
    assert "cannot connect to" in stream.getvalue()


def test_service_started__local_providers__leaves_the_own_address_readable() -> None:
    stream = io.StringIO()
    settings = ObserveSettings(LogFormat.JSON, ("http://127.0.0.1:8545", "http://localhost:1"), lambda: 0.0)

    Observe(WATCHED, settings, stream).service_started(None, "127.0.0.1:8547")

    assert json.loads(stream.getvalue())["listen"] == "127.0.0.1:8547"


def test_everything__in_json__is_one_object_a_line_with_time_and_level() -> None:
    told = Told()

    everything(told.observe)

    assert all({"event", "level", "timestamp"} <= line.keys() for line in told.lines())


def test_frame_finished__a_signed_frame__counts_and_ages_from_its_oldest_reading() -> None:
    told = Told()

    told.observe.frame_finished(
        frame_row(60, FrameState.SIGNED), 0.5, {"liquidatable": 2, "accounts": 2, "evaluated": 1}
    )

    series = told.series()
    assert series['margin_relayer_accounts{status="liquidatable"}'] == 2
    assert series['margin_relayer_attestations_total{result="signed"}'] == 1
    assert series["margin_relayer_attestation_age_seconds"] == 970  # now 1000, as_of 30
    assert series['margin_relayer_chain_view_age_seconds{chain_id="eip155:1"}'] == 940
    (line,) = told.lines()
    assert (line["event"], line["frame"], line["state"], line["digest"]) == (
        "frame_finished",
        60,
        "signed",
        "0x" + "d1" * 32,
    )


def test_chain_missing__many_frames__is_told_when_it_begins_changes_and_ends() -> None:
    told = Told()
    for frame, outcome in ((60, gone()), (120, gone()), (180, gone(Reason.NO_QUORUM)), (240, None)):
        if outcome is not None:
            told.observe.chain_missing(frame, outcome)
        told.observe.frame_finished(frame_row(frame), 0.1, {})

    events = [(line["event"], line["frame"]) for line in told.lines() if line["event"] != "frame_finished"]

    assert events == [("chain_missing", 60), ("chain_missing", 180), ("chain_returned", 240)]
    series = told.series()
    assert series['margin_relayer_chain_missing_total{chain_id="eip155:8453",reason="rpc_timeout"}'] == 2
    assert series['margin_relayer_chain_view_age_seconds{chain_id="eip155:8453"}'] == 760


@pytest.mark.parametrize(
    ("rule", "result", "level"),
    [
        (Rule.SLOT_TAKEN, "equivocation_blocked", "error"),
        (Rule.VOTE_TAKEN, "equivocation_blocked", "error"),
        (Rule.TOO_FEW_VOTES, "refused", "warning"),
    ],
)
def test_signing_refused__a_second_digest__is_an_error_of_its_own(rule: Rule, result: str, level: str) -> None:
    told = Told()

    told.observe.signing_refused(60, Refusal(rule, "detail"))

    assert told.series()[f'margin_relayer_attestations_total{{result="{result}"}}'] == 1
    assert [line["level"] for line in told.lines()] == [level]


def test_flag_changed__raised__tells_money_as_exact_decimals() -> None:
    told = Told()

    told.observe.flag_changed(event(1, 60))

    (line,) = told.lines()
    assert line["equity_usd"] == "-170141183460469231731.687303715884105728"  # -2**127 / 10**18
    assert (line["level"], line["status"], line["reasons"]) == ("warning", "liquidatable", ["because"])


def test_head_seen__two_providers__the_slower_one_lags() -> None:
    told = Told()
    told.observe.head_seen(ETHEREUM, "a", "latest", 100, 990)
    told.observe.head_seen(ETHEREUM, "b", "latest", 97, 980)

    series = told.series()

    assert series['margin_relayer_rpc_upstream_lag_blocks{chain_id="eip155:1",provider="b"}'] == 3
    assert series['margin_relayer_rpc_upstream_lag_blocks{chain_id="eip155:1",provider="a"}'] == 0
    assert series['margin_relayer_chain_head_block{chain_id="eip155:1",tag="latest"}'] == 100
    assert series['margin_relayer_chain_head_timestamp_seconds{chain_id="eip155:1",tag="latest"}'] == 990


@pytest.mark.parametrize("result", ["RpcTimeout", "RpcUnreachable", "cancelled"])
def test_rpc_answered__nothing_came__says_that_the_provider_is_down(result: str) -> None:
    told = Told()
    up = 'margin_relayer_rpc_upstream_up{chain_id="eip155:1",provider="a"}'

    told.observe.rpc_answered(ETHEREUM, "a", "eth_call", 1, 0.1, "RpcRefused")
    assert told.series()[up] == 1
    told.observe.rpc_answered(ETHEREUM, "a", "eth_call", 1, 10.0, result)
    assert told.series()[up] == 0
    requests = "margin_relayer_rpc_requests_total"
    labels = f'chain_id="eip155:1",method="eth_call",provider="a",result="{result}"'
    assert told.series()[f"{requests}{{{labels}}}"] == 1


def test_dissent__every_kind_of_the_port__has_a_series_of_its_own() -> None:
    kinds = re.findall(r"\w+", (ChainObserver.dissent.__doc__ or "").split("`kind`: ")[1])

    assert sorted({*kinds, "other"} - {"or"}) == sorted(DISSENT_KINDS)


def test_service_started__without_a_signer__says_that_it_observes_only() -> None:
    told = Told()

    told.observe.service_started(None, "127.0.0.1:8547")

    assert "observing only" in str(told.lines()[0]["mode"])
    assert told.series()["margin_relayer_signing_enabled"] == 0


def test_observe__two_services__share_nothing() -> None:
    one, other = Told(), Told()

    one.observe.flag_changed(event(1, 60))

    assert other.series()['margin_relayer_flag_events_total{kind="raised"}'] == 0
    assert other.stream.getvalue() == ""
    assert len(list(Status)) == 6


def test_chain_dishonest__frame_after_frame__is_told_once_and_again_after_a_truthful_frame() -> None:
    told = Told()
    lie = gone(Reason.INVALID_PROOF)

    for frame in (60, 120, 180):
        told.observe.chain_dishonest(frame, lie)
        told.observe.frame_finished(frame_row(frame), 0.1, {})
    told.observe.frame_finished(frame_row(240), 0.1, {})
    told.observe.chain_dishonest(300, lie)

    assert [line["frame"] for line in told.lines() if line["event"] == "chain_dishonest"] == [60, 300]
    assert told.series()['margin_relayer_chain_dishonest_total{chain_id="eip155:8453"}'] == 4


def test_provider_quarantined__names_the_provider_and_counts_it() -> None:
    told = Told()

    told.observe.provider_quarantined(replace(gone(Reason.INVALID_PROOF), providers=("a",)))

    (line,) = told.lines()
    assert (line["event"], line["level"], line["providers"]) == ("provider_quarantined", "error", ["a"])
    assert told.series()['margin_relayer_provider_quarantines_total{chain_id="eip155:8453",provider="a"}'] == 1


def test_proofs_read__long_reads_alone__are_logged_and_all_keys_counted() -> None:
    told = Told()

    told.observe.proofs_read(ETHEREUM, "a", 500, 500)
    told.observe.proofs_read(ETHEREUM, "a", 8_000, 20_000)
    told.observe.proofs_read(ETHEREUM, "a", 20_000, 20_000)

    assert [(line["done"], line["total"]) for line in told.lines()] == [(8_000, 20_000), (20_000, 20_000)]
    assert told.series()['margin_relayer_proof_keys_total{chain_id="eip155:1",provider="a"}'] == 20_500
