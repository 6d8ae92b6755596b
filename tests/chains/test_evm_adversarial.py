"""Providers that lie, stall and fail, and contracts that are hostile: a real node behind three fault proxies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from chains.adapter import NEWEST_S, ProofRequest
from chains.clock import SystemClock
from chains.devnet.faults import (
    Body,
    Disconnect,
    HttpStatus,
    IdsDuplicated,
    IdsForeign,
    IdsMissing,
    IdsReversed,
    IdsSwapped,
    Oversize,
    Redirect,
    Rewrite,
    RpcError,
    Stall,
    Truncate,
    always,
    answer_at,
    change_field,
    flip_byte,
    lie_about,
    only,
    wrong_chain_id,
)
from chains.devnet.proxy import FaultProxy
from chains.devnet.rpc import Json, rpc
from chains.devnet.seeding import SeededAccount
from chains.devnet.world import World
from chains.families.evm import EvmAdapter
from chains.families.evm_reader import Rung
from chains.limits import RpcLimits
from chains.network import network_of
from chains.questions import Question
from chains.readers import column_of
from chains.rpc import Provider
from chains.secret import SecretUrl
from proofs.account import verify_answer
from proofs.sheet import CellStatus, ColumnSpec, Sheet
from proofs.snapshot import Anchor, ChainReading, Reason, Unavailable
from proofs.types import Address, to_hex
from tests.chains.recording import Recorder
from tests.conformance.chain_adapter_stage import CHAIN, SAFE, NodeStage, seeded_node

pytestmark = pytest.mark.node

LIMITS = RpcLimits(budget_s=0.6, attempts_max=2, backoff_first_s=0.01, backoff_max_s=0.02, reply_bytes_max=300_000)
SECRET = "v2/0123456789abcdefSECRET"


@pytest.fixture(scope="module")
def node_world() -> Iterator[tuple[World, tuple[SeededAccount, ...]]]:
    with seeded_node() as built:
        yield built


class Scene:
    """Hold one adapter over proxies, the observer's memory, and the stage for the truth."""

    def __init__(self, stage: NodeStage, proxies: list[FaultProxy], operators: str = "abc") -> None:
        self.stage = stage
        self.proxies = proxies
        self.seen = Recorder()
        providers = [
            Provider(f"p{index}", operators[index], SecretUrl(f"{proxy.url}/{SECRET}"), LIMITS)
            for index, proxy in enumerate(proxies)
        ]
        self.adapter = EvmAdapter(network_of(CHAIN), SAFE, providers, self.seen, SystemClock(), lambda: 0.0)

    async def anchor(self) -> Anchor | Unavailable:
        _, _, timestamp = self.stage.newest()
        return await self.adapter.anchor(timestamp - 20)

    async def anchored(self) -> Anchor:
        anchor = await self.anchor()
        assert isinstance(anchor, Anchor), anchor
        return anchor

    async def read(self, anchor: Anchor, columns: tuple[ColumnSpec, ...] | None = None) -> ChainReading | Unavailable:
        return await self.adapter.read(anchor, (), (), self.stage.columns() if columns is None else columns)

    def truth(self, reading: ChainReading | Unavailable) -> None:
        assert isinstance(reading, ChainReading), reading
        got = {
            column.name: [CellStatus(column.status[i]) if row is None else row for i, row in enumerate(column.rows())]
            for column in reading.sheet.columns
        }
        assert got == self.stage.truth.columns


@pytest.fixture
async def scene(node_world: tuple[World, tuple[SeededAccount, ...]]) -> AsyncIterator[Scene]:
    world, seeded = node_world
    stage = NodeStage(world, seeded, (world.home.url,))
    for _ in range(4):
        stage.mine()
    async with AsyncExitStack() as stack:
        built = Scene(stage, [await stack.enter_async_context(FaultProxy(world.home.url)) for _ in range(3)])
        yield built
        await built.adapter.close()
        await stage.close()


@pytest.fixture
async def lone(scene: Scene) -> AsyncIterator[Scene]:
    """Have a single provider, which a devnet allows."""
    alone = Scene(scene.stage, scene.proxies[:1])
    yield alone
    await alone.adapter.close()


def _some_amount(scene: Scene) -> int:
    row = next(row for row in scene.stage.truth.columns["locked"] if isinstance(row, tuple) and row[0])
    return row[0]


# --- counts --------------------------------------------------------------------------------------------------


async def test_requests__when_a_frame_is_read__then_they_stay_within_the_budget(lone: Scene) -> None:
    await lone.anchored()  # opens the connection
    counts = lone.proxies[0].counts
    lists = lone.stage.lists()

    counts.reset()
    anchor = await lone.anchored()
    asked_for_anchor = counts.requests
    counts.reset()
    listed = await lone.adapter.accounts(anchor.block, lists)
    asked_for_lists = counts.requests
    counts.reset()
    healthy = lone.stage.columns()[:-1]
    await lone.read(anchor, healthy)
    asked_for_sheet, calls_for_sheet = counts.requests, counts.calls.total()
    counts.reset()
    await lone.adapter.prove(anchor.block, [ProofRequest(spec.target, (1, 2)) for spec in healthy], frozenset())

    assert not isinstance(listed, Unavailable)
    assert asked_for_anchor <= 3
    assert (asked_for_lists, asked_for_sheet, counts.requests) == (1, 1, 1)
    assert calls_for_sheet == 1
    assert dict(counts.calls) == {"eth_getProof": 6}


# --- lies ----------------------------------------------------------------------------------------------------


async def test_th_001_lie__when_one_of_three_changes_an_amount__then_the_truth_stands_and_it_is_named(
    scene: Scene,
) -> None:
    amount = _some_amount(scene)
    scene.proxies[1].rules.append(lie_about(true=amount, told=amount + 1))

    reading = await scene.read(await scene.anchored())

    scene.truth(reading)
    assert isinstance(reading, ChainReading)
    assert reading.sheet_votes.agreed == ("p0", "p2")
    assert (reading.sheet_votes.configured, reading.sheet_votes.reached) == (3, True)
    assert [event[:2] for event in scene.seen.named("dissent")] == [("p1", "sheet")]


async def test_th_001_lie__when_two_tell_different_amounts__then_there_is_no_quorum(scene: Scene) -> None:
    amount = _some_amount(scene)
    anchor = await scene.anchored()
    scene.proxies[0].rules.append(lie_about(true=amount, told=amount + 1))
    scene.proxies[1].rules.append(lie_about(true=amount, told=amount + 2))

    outcome = await scene.read(anchor)

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.NO_QUORUM
    assert "locked" in outcome.detail


@pytest.mark.parametrize("field", ["stateRoot", "hash", "timestamp", "receiptsRoot"])
async def test_th_001_lie__when_one_changes_a_header_field__then_its_vote_is_void(scene: Scene, field: str) -> None:
    value: Json = "0x77" if field == "timestamp" else "0x" + "77" * 32
    scene.proxies[2].rules.append(change_field("eth_getBlockByNumber", field, value))

    anchor = await scene.anchored()

    assert anchor.votes.agreed == ("p0", "p1")
    assert anchor.block.hash == scene.stage.block_hash(anchor.block.number)


async def test_th_001_lie__when_the_only_provider_changes_a_header__then_it_is_an_invalid_header(lone: Scene) -> None:
    lone.proxies[0].rules.append(change_field("eth_getBlockByNumber", "stateRoot", "0x" + "77" * 32))

    outcome = await lone.anchor()

    assert isinstance(outcome, Unavailable)
    assert (outcome.reason, outcome.dishonest, outcome.providers) == (Reason.INVALID_HEADER, True, ("p0",))
    assert lone.seen.named("dissent")[0][:2] == ("p0", "header")


async def test_th_001_lie__when_an_account_is_withheld__then_the_quorum_lists_it(scene: Scene) -> None:
    anchor = await scene.anchored()
    scene.proxies[0].rules.append(flip_byte("eth_call", -1))

    listed = await scene.adapter.accounts(anchor.block, scene.stage.lists())

    assert not isinstance(listed, Unavailable)
    assert listed[0].accounts == scene.stage.truth.locked_accounts
    assert [event[:2] for event in scene.seen.named("dissent")] == [("p0", "accounts")]


async def test_th_002_stall__when_the_honest_are_silenced__then_the_liar_alone_is_refused(scene: Scene) -> None:
    amount = _some_amount(scene)
    anchor = await scene.anchored()
    scene.proxies[0].rules.append(lie_about(true=amount, told=amount + 1))
    for proxy in scene.proxies[1:]:
        proxy.rules.append(always(Stall(5.0)))

    outcome = await scene.read(anchor)

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.RPC_TIMEOUT
    assert outcome.providers == ("p1", "p2")


async def test_th_003_operators__when_two_providers_are_one_operators__then_they_have_one_vote(scene: Scene) -> None:
    amount = _some_amount(scene)
    resold = Scene(scene.stage, scene.proxies, operators="aab")
    anchor = await resold.anchored()
    scene.proxies[2].rules.append(lie_about(true=amount, told=amount + 1))

    outcome = await resold.read(anchor)
    await resold.adapter.close()

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.NO_QUORUM


async def test_th_004_veto__when_one_hangs__then_the_others_decide_without_waiting_for_it(scene: Scene) -> None:
    stall_s = 30.0  # far beyond any budget here, and beyond what a busy machine adds
    scene.proxies[1].rules.append(always(Stall(stall_s)))
    started = time.monotonic()

    reading = await scene.read(await scene.anchored())

    assert time.monotonic() - started < stall_s
    scene.truth(reading)
    assert isinstance(reading, ChainReading)
    assert reading.sheet_votes.agreed == ("p0", "p2")


def _frozen_at(number: int) -> Rewrite:
    def ask_there(method: str, params: list[Json]) -> list[Json]:
        if method != "eth_getBlockByNumber":
            return params
        return [hex(number) if params[0] in ("latest", "safe") else params[0], *params[1:]]

    return Rewrite(ask_there)


async def test_th_005_frozen__when_one_provider_stands_still__then_the_others_carry(scene: Scene) -> None:
    number, _, _ = scene.stage.newest()
    scene.proxies[0].rules.append(_frozen_at(number - 3))

    anchor = await scene.anchored()

    assert anchor.block.number == number - 2
    assert anchor.votes.agreed == ("p1", "p2")


async def test_th_005_frozen__when_all_stand_still__then_not_yet_and_no_older_block(scene: Scene) -> None:
    number, _, _ = scene.stage.newest()
    for proxy in scene.proxies:
        proxy.rules.append(_frozen_at(number - 3))

    outcome = await scene.anchor()

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.NOT_YET


async def test_th_006_reorg__when_a_height_shows_another_block__then_it_is_reported(lone: Scene) -> None:
    before = await lone.anchored()

    lone.stage.reorg(4)
    for _ in range(3):
        lone.stage.mine()
    after = await lone.anchored()

    assert lone.stage.block_hash(before.block.number) != before.block.hash
    assert after.block.hash == lone.stage.block_hash(after.block.number)
    reported = lone.seen.named("reorg")
    assert reported
    assert reported[0][0] == "p0"


async def test_th_007_mining__when_blocks_arrive_between_calls__then_values_do_not_move(scene: Scene) -> None:
    anchor = await scene.anchored()
    undisturbed = await scene.read(anchor)

    def mine(method: str, _params: list[Json], result: Json | RpcError) -> Json | RpcError:
        if method == "eth_call":
            scene.stage.mine(1)
        return result

    scene.proxies[0].rules.append(mine)
    disturbed = await scene.read(anchor)

    assert isinstance(undisturbed, ChainReading)
    assert isinstance(disturbed, ChainReading)
    assert disturbed.sheet == undisturbed.sheet
    assert len(disturbed.sheet_votes.agreed) >= 2  # a straggler on a busy machine is no dissenter


async def test_th_007_hash__when_a_provider_answers_from_another_block__then_it_is_not_used(scene: Scene) -> None:
    anchor = await scene.anchored()
    scene.proxies[1].rules.append(answer_at("latest"))

    reading = await scene.read(anchor)

    scene.truth(reading)
    assert isinstance(reading, ChainReading)
    assert reading.sheet_votes.agreed == ("p0", "p2")
    ((provider, kind, detail),) = scene.seen.named("dissent")
    assert (provider, kind) == ("p1", "answer")
    assert "lens_block" in str(detail)


async def test_th_008_chain__when_the_provider_is_of_another_network__then_both_ids_are_named(lone: Scene) -> None:
    lone.proxies[0].rules.append(wrong_chain_id(10))

    outcome = await lone.anchor()

    assert isinstance(outcome, Unavailable)
    assert (outcome.reason, outcome.dishonest) == (Reason.WRONG_CHAIN, True)
    assert "31337001" in outcome.detail
    assert " 10" in outcome.detail
    assert lone.seen.named("dissent")[0][:2] == ("p0", "chain_id")


async def test_th_008_chain__when_it_switches_on_an_open_connection__then_the_next_anchor_notices(lone: Scene) -> None:
    await lone.anchored()
    lone.proxies[0].rules.append(wrong_chain_id(1))

    outcome = await lone.anchor()

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.WRONG_CHAIN


async def test_th_008_chain__when_the_connection_is_new__then_a_read_asks_for_the_chain_first(lone: Scene) -> None:
    anchor = await lone.anchored()
    await lone.adapter.close()
    lone.proxies[0].rules.append(wrong_chain_id(1))

    outcome = await lone.read(anchor)

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.WRONG_CHAIN


async def test_th_010_ids__when_answers_come_in_another_order__then_they_are_matched(scene: Scene) -> None:
    for proxy in scene.proxies:
        proxy.rules.append(always(IdsReversed()))

    scene.truth(await scene.read(await scene.anchored()))


@pytest.mark.parametrize("fault", [IdsDuplicated(), IdsMissing(), IdsForeign(), Body(), Body(b"[]"), Body(b"7")])
async def test_th_010_ids__when_an_answer_is_not_to_our_questions__then_it_is_malformed(
    lone: Scene, fault: IdsDuplicated | IdsMissing | IdsForeign | Body
) -> None:
    lone.proxies[0].rules.append(always(fault))

    outcome = await lone.anchor()

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.RPC_MALFORMED


async def test_th_010_ids__when_two_answers_are_exchanged__then_no_value_moves_to_its_neighbour(scene: Scene) -> None:
    scene.proxies[0].rules.append(only("eth_call", always(IdsSwapped())))
    anchor = await scene.anchored()

    listed = await scene.adapter.accounts(anchor.block, scene.stage.lists())

    assert not isinstance(listed, Unavailable)
    assert listed[0].accounts == scene.stage.truth.locked_accounts
    assert listed[1].accounts == scene.stage.truth.venue_accounts


@pytest.mark.parametrize("keep", [0, 1, 40])
async def test_th_010_body__when_it_is_cut_off__then_the_provider_is_unreachable(lone: Scene, keep: int) -> None:
    lone.proxies[0].rules.append(always(Truncate(keep)))

    outcome = await lone.anchor()

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.RPC_UNREACHABLE


# --- hostile contracts ---------------------------------------------------------------------------------------

_TEXT = b"rate limit exceeded: header not found: missing trie node"
_WORDS = (32).to_bytes(32, "big") + len(_TEXT).to_bytes(32, "big") + _TEXT.ljust(64, b"\0")
_ERROR_STRING = bytes.fromhex("08c379a0") + _WORDS
_OFFCHAIN = bytes.fromhex("556f1830") + bytes(32 * 8)


def _reverting_with(data: bytes) -> bytes:
    """Build code that copies its own tail, which begins at byte 14, to memory and reverts with it."""
    size = len(data).to_bytes(2, "big")
    return b"\x61" + size + bytes.fromhex("600e600039") + b"\x61" + size + bytes.fromhex("6000fd") + data


HOSTILE = {
    "reverts": bytes.fromhex("60006000fd"),
    "says what providers say": _reverting_with(_ERROR_STRING),
    "offchain lookup": _reverting_with(_OFFCHAIN),
    "burns all gas": bytes.fromhex("5b600056"),
    "invalid opcode": bytes.fromhex("fe"),
    "answers a megabyte": bytes.fromhex("621000006000f3"),
    "answers 31 bytes": bytes.fromhex("601f6000f3"),
    "answers nothing": bytes.fromhex("00"),
    "answers 2^256-1": bytes.fromhex("60001960005260206000f3"),
    "tells by caller": bytes.fromhex("3360005260206000f3"),
}
# What each cell must be: a failure, or the value.
EXPECTED = {
    **dict.fromkeys(HOSTILE, CellStatus.FAILED),
    "answers a megabyte": CellStatus.FAILED,  # memory of a megabyte costs more than its stipend
    "answers 2^256-1": 2**256 - 1,
    "tells by caller": int("fd8012fd55741aead8930c9eeb33d8f35e2cc0c6", 16),  # keccak("margin-relayer/lens")[12:]
}


@pytest.fixture
def hostile(scene: Scene) -> dict[str, ColumnSpec]:
    columns = {}
    accounts = tuple(each.account for each in scene.stage.seeded)
    for index, (name, code) in enumerate(HOSTILE.items()):
        target = Address(bytes([0xB0 + index]) * 20)
        rpc(scene.stage.url, "anvil_setCode", [to_hex(target), to_hex(code)])
        columns[name] = column_of(Question(name, CHAIN, "erc20", target), accounts)
    for _ in range(4):
        scene.stage.mine()
    return columns


async def test_th_011_token__when_it_is_hostile__then_it_costs_its_own_cells_only(
    scene: Scene, hostile: dict[str, ColumnSpec]
) -> None:
    healthy = scene.stage.columns()

    reading = await scene.read(await scene.anchored(), (*hostile.values(), *healthy))

    assert isinstance(reading, ChainReading), reading
    for column in reading.sheet.columns[: len(hostile)]:
        expected = EXPECTED[column.name]
        for index, row in enumerate(column.rows()):
            got = CellStatus(column.status[index]) if row is None else row[0]
            assert got == expected, column.name
    scene.truth(ChainReading(reading.anchor, (), healthy, _only(reading, len(hostile)), reading.sheet_votes))
    assert len(reading.sheet_votes.agreed) >= 2  # the third may be later than the grace on a busy machine


def _only(reading: ChainReading, start: int) -> Sheet:
    return replace(reading.sheet, columns=reading.sheet.columns[start:])


def _without_override(_method: str, params: list[Json], result: Json | RpcError) -> Json | RpcError:
    return RpcError(-32602, "too many arguments, want at most 2") if len(params) > 2 else result


def _ignoring_override(_method: str, params: list[Json], result: Json | RpcError) -> Json | RpcError:
    return "0x" if len(params) > 2 else result


@pytest.mark.parametrize("rule", [_without_override, _ignoring_override])
async def test_rungs__when_an_endpoint_knows_no_override__then_single_calls_give_the_same_sheet(
    scene: Scene, hostile: dict[str, ColumnSpec], rule: object
) -> None:
    scene.proxies[0].rules.append(only("eth_call", rule))  # type: ignore[arg-type]  # a rule
    columns = (*hostile.values(), *scene.stage.columns())

    reading = await scene.read(await scene.anchored(), columns)

    assert isinstance(reading, ChainReading), reading
    assert len(reading.sheet_votes.agreed) >= 2  # a straggler on a busy machine is no dissenter
    assert [source.reader.rung for source in scene.adapter._sources] == [Rung.SINGLE, Rung.OVERRIDE, Rung.OVERRIDE]


async def test_lens__when_an_endpoint_refuses_large_calls__then_they_are_halved_and_remembered(lone: Scene) -> None:
    def gas_cap(method: str, params: list[Json], result: Json | RpcError) -> Json | RpcError:
        data = params[0].get("data") if method == "eth_call" and isinstance(params[0], dict) else ""
        return RpcError(-32000, "out of gas") if len(str(data)) > 1_200 else result

    lone.proxies[0].rules.append(gas_cap)
    accounts = tuple(each.account for each in lone.stage.seeded) * 8
    spec = column_of(Question("coin", CHAIN, "native", Address(bytes(20))), accounts)

    reading = await lone.read(await lone.anchored(), (spec,))

    assert isinstance(reading, ChainReading), reading
    expected = [(each.gift_wei,) for each in lone.stage.seeded] * 8
    assert list(reading.sheet.columns[0].rows()) == expected
    assert lone.adapter._sources[0].reader.rows_max < 48
    assert lone.adapter._sources[0].reader.rung is Rung.OVERRIDE


# --- failures ------------------------------------------------------------------------------------------------


async def test_th_012_redirect__when_a_provider_sends_us_elsewhere__then_nobody_goes_there(scene: Scene) -> None:
    alone = Scene(scene.stage, scene.proxies[:1])
    trap = scene.proxies[1]
    scene.proxies[0].rules.append(always(Redirect(trap.url)))

    outcome = await alone.anchor()
    await alone.adapter.close()

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.RPC_REFUSED
    assert trap.counts.requests == 0


async def test_th_017_pruned__when_one_has_no_state_any_more__then_the_next_proves(scene: Scene) -> None:
    anchor = await scene.anchored()
    pruned = only("eth_getProof", always(RpcError(-32000, "missing trie node 77 (path ) state 0x77 is not available")))
    target = scene.stage.columns()[2].target
    scene.proxies[0].rules.append(pruned)

    proofs = await scene.adapter.prove(anchor.block, [ProofRequest(target, (1,))], frozenset())
    for proxy in scene.proxies[1:]:
        proxy.rules.append(pruned)
    nothing = await scene.adapter.prove(anchor.block, [ProofRequest(target, (1,))], frozenset())

    assert not isinstance(proofs, Unavailable)
    assert proofs[0].provider == "p1"
    verify_answer(anchor.block.state_root, target, (1,), proofs[0].answer)
    assert isinstance(nothing, Unavailable)
    assert nothing.reason is Reason.STATE_PRUNED


async def test_th_017_stall__when_the_first_prover_stalls_for_ever__then_it_costs_its_budget_once(scene: Scene) -> None:
    anchor = await scene.anchored()
    request = ProofRequest(scene.stage.columns()[2].target, (1,))
    scene.proxies[0].rules.append(only("eth_getProof", always(Stall(30.0))))
    provers = []

    for _ in range(3):
        proofs = await scene.adapter.prove(anchor.block, [request], frozenset())
        assert not isinstance(proofs, Unavailable)
        provers.append(proofs[0].provider)

    assert provers == ["p1", "p1", "p1"]
    assert scene.proxies[0].counts.calls["eth_getProof"] == 1


async def test_th_017_lie__when_the_caller_leaves_a_prover_out__then_it_is_not_asked_and_not_remembered(
    scene: Scene,
) -> None:
    """Who lied is the relayer's quarantine to remember, with its end; the order here is of failures alone."""
    anchor = await scene.anchored()
    request = ProofRequest(scene.stage.columns()[2].target, (1,))

    first = await scene.adapter.prove(anchor.block, [request], frozenset({"p0"}))
    after = await scene.adapter.prove(anchor.block, [request], frozenset())

    assert not isinstance(first, Unavailable)
    assert not isinstance(after, Unavailable)
    assert [first[0].provider, after[0].provider] == ["p1", "p0"]


FAILURES = {
    "stall": (Stall(5.0), Reason.RPC_TIMEOUT),
    "server error": (HttpStatus(503), Reason.RPC_UNREACHABLE),
    "forbidden": (HttpStatus(403), Reason.RPC_REFUSED),
    "rate limit": (HttpStatus(429), Reason.RATE_LIMITED),
    "rate limit for an hour": (HttpStatus(429, 3600), Reason.RATE_LIMITED),
    "rate limit as JSON": (RpcError(-32005, "daily request count exceeded, request rate limited"), Reason.RATE_LIMITED),
    "oversize": (Oversize(400_000), Reason.LIMIT_EXCEEDED),
    "cut connection": (Disconnect(), Reason.RPC_UNREACHABLE),
    "no JSON": (Body(), Reason.RPC_MALFORMED),
    "repeats our URL": (RpcError(-32000, f"upstream https://node.example/{SECRET} failed"), Reason.RPC_REFUSED),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_failure__when_the_only_provider_has_it__then_it_is_a_value_and_tells_no_url(
    lone: Scene, name: str
) -> None:
    fault, reason = FAILURES[name]
    lone.proxies[0].rules.append(always(fault))

    outcome = await lone.anchor()

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is reason
    assert outcome.providers == ("p0",)
    told = f"{outcome} {outcome!r} {lone.seen.events}"
    assert "SECRET" not in told
    assert lone.proxies[0].url.rsplit(":", 1)[1] not in told
    assert "127.0.0.1" not in told


async def test_failure__when_nobody_listens__then_it_is_unreachable_and_tells_no_url(lone: Scene) -> None:
    port = lone.proxies[0].url.rsplit(":", 1)[1]
    await lone.proxies[0].refuse()

    outcome = await lone.anchor()

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.RPC_UNREACHABLE
    assert port not in f"{outcome!r} {lone.seen.events}"


async def test_th_129_failure__when_it_is_over__then_the_same_adapter_works_again(lone: Scene) -> None:
    lone.proxies[0].rules.append(always(Disconnect()))
    assert isinstance(await lone.anchor(), Unavailable)

    lone.proxies[0].rules.clear()

    lone.truth(await lone.read(await lone.anchored()))


async def test_rate_limit__when_it_ends_in_time__then_it_is_waited_for_and_counted_apart(lone: Scene) -> None:
    left = [1]

    def once(_method: str, _params: list[Json], result: Json | RpcError) -> Json | HttpStatus | RpcError:
        left[0] -= 1
        return HttpStatus(429) if left[0] >= 0 else result

    lone.proxies[0].rules.append(once)

    await lone.anchored()

    assert lone.seen.named("limited") == [("p0",)]


async def test_newest__when_one_provider_is_a_block_behind__then_the_common_block_is_taken(scene: Scene) -> None:
    number, _, _ = scene.stage.newest()
    scene.proxies[2].rules.append(_frozen_at(number - 1))

    anchor = await scene.adapter.anchor(NEWEST_S)

    assert isinstance(anchor, Anchor)
    assert anchor.block.number == number
    assert set(anchor.votes.agreed) == {"p0", "p1"}


async def test_parallel__when_frames_and_ticks_overlap__then_each_gets_its_own_answers(scene: Scene) -> None:
    anchor = await scene.anchored()
    readings: list[ChainReading | Unavailable] = []

    async def read() -> None:
        readings.append(await scene.read(anchor))

    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(read())

    for reading in readings:
        scene.truth(reading)
