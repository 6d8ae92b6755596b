"""The pipeline over chains in memory and a real SQLite file: honest frames, bad inputs of sources, time, restarts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from chains.adapter import NEWEST_S, ChainAdapter
from chains.fake import REVERT, FakeChain
from proofs.attestation import abi_leaf, accounts_tree, leaf_from_abi
from proofs.bundle import Verdict, checked_bundle, read_bundle
from proofs.keccak import keccak256
from proofs.signers import SignerSet, verify_signed_root
from proofs.snapshot import Anchor, ContractProof, Reason, Unavailable
from proofs.types import Address, Assurance, BlockRef, Hash32, Quality, Status, account_of_address
from relayer.audit import audit_bundle
from relayer.cosign import Rule
from relayer.errors import StoreFault
from relayer.flags import FlagEventKind, FlagState
from relayer.pipeline.records import Publication
from relayer.store.port import FrameState
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import (
    ALICE,
    BOB,
    CAROL,
    CHAINS,
    FRAME,
    LOCK_BOX,
    SIGNER,
    TIMES,
    Bench,
    FakeWorld,
    address,
    make_bench,
    make_policy,
    signing_ports,
)

LATER = FRAME + 6
"""The first frame whose blocks show what is changed after the world was made."""


class Kept:
    """Be a publisher that remembers."""

    def __init__(self) -> None:
        self.published: list[Publication] = []
        self.flag_counts: list[int] = []

    async def publish(self, publication: Publication) -> None:
        self.published.append(publication)

    async def publish_flags(self, flags: object, seen_s: int) -> None:
        self.flag_counts.append(len(tuple(flags)))  # type: ignore[arg-type]


def statuses(bench_result: object) -> dict[bytes, Status]:
    return {view.account: view.status for view in bench_result.views}  # type: ignore[attr-defined]


async def run(bench: Bench, frame: int = FRAME):
    await bench.pipeline.start()
    result = await bench.pipeline.run_frame(frame)
    assert bench.noticed.bugs == []
    assert result.row is not None
    return result


# --- honest ----------------------------------------------------------------------------------------------------------


async def test_frame__all_chains_honest__is_signed_stored_and_published(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    kept = Kept()
    bench = make_bench(world, file_store, None, kept)
    policy = bench.ports.policy

    result = await run(bench)

    assert result.row.state is FrameState.SIGNED
    assert statuses(result) == {ALICE: Status.HEALTHY, BOB: Status.LIQUIDATABLE}
    stored = await file_store.accounts(policy.policy_id, FRAME)
    assert [row.account for row in stored] == sorted([ALICE, BOB])
    signed = result.row.signed
    assert verify_signed_root(signed, policy.domain, SignerSet((SIGNER.address,), 1, 0)) == (0,)
    tree = accounts_tree([leaf_from_abi(row.leaf_abi) for row in stored])
    assert (tree.root, tree.leaf_count) == (signed.root.accounts_root, signed.root.leaf_count)
    assert (signed.root.frame, signed.root.as_of, signed.root.skew) == (FRAME, FRAME - 1, 0)
    assert kept.published[0].row == await file_store.frame(policy.policy_id, FRAME)


async def test_frame__by_hand__has_the_figures_of_the_rule_set(world: FakeWorld, file_store: SqliteStore) -> None:
    result = await run(make_bench(world, file_store))

    alice = next(view for view in result.views if view.account == ALICE)
    # 1,000 USDX at 1 % haircut: 990. One BTC at 60,000 with 8 % and the bridge's 1 %: 60,000 * 0.92 * 0.99 = 54,648.
    assert alice.collateral_usd == (990 + 54_648) * 10**18
    assert alice.maintenance_margin_usd == 150 * 10**18  # 5 % of 3,000
    assert alice.assurance is Assurance.STATE_PROOF
    assert alice.quality is Quality.DEVNET


async def test_frame__observing__stores_views_and_signs_nothing(world: FakeWorld, file_store: SqliteStore) -> None:
    bench = make_bench(world, file_store, signing=None)

    result = await run(bench)

    assert (result.row.state, result.row.signed) == (FrameState.OBSERVED, None)
    assert bench.noticed.refused == []
    assert await file_store.highest(bench.ports.policy.policy_id) is None
    assert [flag.state for flag in bench.pipeline.open_flags] == [FlagState.RAISED]


async def test_frame__nothing_changed__next_frame_reuses_all_views(world: FakeWorld, file_store: SqliteStore) -> None:
    bench = make_bench(world, file_store)
    first = await run(bench)
    world.mine_to(FRAME + 5)

    second = await bench.pipeline.run_frame(FRAME + 2)

    assert (first.evaluated, second.evaluated) == (2, 0)
    assert [abi_leaf(view.leaf) for view in second.views] == [abi_leaf(view.leaf) for view in first.views]


async def test_frame__one_lock_added__next_frame_evaluates_one_account(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    bench = make_bench(world, file_store)
    await run(bench)
    world.lock("A", "USDX", BOB, 5_000 * 10**6)
    world.mine_to(LATER + 3)

    second = await bench.pipeline.run_frame(LATER)

    assert second.evaluated == 1
    assert statuses(second)[BOB] is Status.HEALTHY


async def test_bundle__of_a_signed_frame__verifies_offline_with_its_rule_set(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    bench = make_bench(world, file_store)
    result = await run(bench)

    archive = await file_store.bundle(bench.ports.policy.policy_id, FRAME)

    report = audit_bundle(read_bundle(archive), {})
    assert checked_bundle(read_bundle(archive)) == archive
    assert [check for check in report.checks if check.fault] == []
    assert report.verdict is Verdict.VERIFIED
    assert [view.leaf for view in report.views] == [view.leaf for view in result.views]


# --- bad inputs ------------------------------------------------------------------------------------------------------


async def test_th_014_outage__one_chain_unreachable__the_others_go_on(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    world.chains["B"].fail(Reason.RPC_UNREACHABLE)
    bench = make_bench(world, file_store)

    result = await run(bench)

    assert result.row.state is FrameState.SIGNED
    assert [(gone.chain, gone.reason) for gone in bench.noticed.missing] == [(CHAINS["B"], Reason.RPC_UNREACHABLE)]
    alice = next(view for view in result.views if view.account == ALICE)
    assert alice.status is Status.HEALTHY  # 990 of collateral against 150, without the missing BTC
    assert alice.quality & Quality.CHAIN_MISSING
    assert [gap.reason for gap in alice.missing] == ["chain_missing: rpc_unreachable"]


@pytest.mark.parametrize(
    "reason", [Reason.WRONG_CHAIN, Reason.RPC_TIMEOUT, Reason.RPC_MALFORMED, Reason.NO_QUORUM, Reason.STATE_PRUNED]
)
@pytest.mark.parametrize("method", ["anchor", "accounts", "read", "prove"])
async def test_outage__any_reason_at_any_step__costs_that_chain_alone(
    world: FakeWorld, file_store: SqliteStore, reason: Reason, method: str
) -> None:
    world.chains["B"].fail(reason, method)
    bench = make_bench(world, file_store)

    result = await run(bench)

    assert result.row.state is FrameState.SIGNED
    assert [(gone.chain, gone.reason) for gone in bench.noticed.missing] == [(CHAINS["B"], reason)]
    present = [outcome.chain for outcome in result.snapshot.chains]
    assert present == [CHAINS["A"], CHAINS["C"]]


async def test_th_013_frame__venue_chain_dead__every_account_is_unknown_and_nothing_is_lost(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    bench = make_bench(world, file_store)
    await run(bench)
    world.mine_to(FRAME + 5)
    world.chains["A"].fail(Reason.RPC_UNREACHABLE)

    second = await bench.pipeline.run_frame(FRAME + 2)

    assert statuses(second) == {ALICE: Status.UNKNOWN}  # only B's LockBox still names anybody
    flags = {flag.account: flag.state for flag in bench.pipeline.open_flags}
    assert flags == {ALICE: FlagState.UNKNOWN, BOB: FlagState.RAISED}


async def test_frame__all_chains_dead__is_skipped_and_the_next_one_stands(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    for chain in world.chains.values():
        chain.fail(Reason.RPC_UNREACHABLE)
    bench = make_bench(world, file_store)

    dead = await run(bench)
    for chain in world.chains.values():
        chain.heal()
    world.mine_to(FRAME + 5)
    alive = await bench.pipeline.run_frame(FRAME + 2)

    assert (dead.row.state, dead.refusal.rule) == (FrameState.SKIPPED, Rule.NO_CHAIN)
    assert alive.row.state is FrameState.SIGNED


async def test_proof__first_provider_lies__another_is_asked(world: FakeWorld, file_store: SqliteStore) -> None:
    world.chains["A"].lie_proof("fake-1")
    bench = make_bench(world, file_store)

    result = await run(bench)

    assert [(lie.reason, lie.providers) for lie in bench.noticed.dishonest] == [(Reason.INVALID_PROOF, ("fake-1",))]
    assert bench.noticed.missing == []
    assert result.row.state is FrameState.SIGNED


async def test_proof__all_providers_lie__chain_is_missing_with_the_lie_named(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    world.chains["B"].lie_proof("fake-1", "fake-2", "fake-3")
    bench = make_bench(world, file_store)

    result = await run(bench)

    assert [gone.reason for gone in bench.noticed.missing] == [Reason.INVALID_PROOF]
    assert len(bench.noticed.dishonest) == 3
    assert statuses(result)[ALICE] is Status.HEALTHY


class OtherAccountsProof:
    """Answer with the valid proof of another contract, under the asked address or its own."""

    def __init__(self, chain: FakeChain, other: Address, renamed: bool) -> None:
        self._chain = chain
        self._other = other
        self._renamed = renamed

    def __getattr__(self, name: str) -> object:
        return getattr(self._chain, name)

    async def prove(
        self, block: BlockRef, requests: object, without: frozenset[str]
    ) -> tuple[ContractProof, ...] | Unavailable:
        asked = tuple(requests)  # type: ignore[arg-type]
        swapped = tuple(replace(request, target=self._other) for request in asked)
        answers = await self._chain.prove(block, swapped, without)
        if isinstance(answers, Unavailable) or not self._renamed:
            return answers
        return tuple(
            replace(proof, answer=replace(proof.answer, address=request.target))
            for proof, request in zip(answers, asked, strict=True)
        )


@pytest.mark.parametrize("renamed", [False, True])
async def test_th_024_proof__of_another_account__is_refused(
    world: FakeWorld, file_store: SqliteStore, renamed: bool
) -> None:
    adapters: dict[object, ChainAdapter] = dict(world.adapters)
    liar = OtherAccountsProof(world.chains["B"], address("somebody else"), renamed)
    adapters[CHAINS["B"]] = liar  # type: ignore[assignment]
    bench = make_bench(world, file_store, chains=adapters)

    result = await run(bench)

    assert [gone.reason for gone in bench.noticed.missing] == [Reason.INVALID_PROOF]
    assert all(lie.dishonest for lie in bench.noticed.dishonest)
    assert statuses(result)[ALICE] is Status.HEALTHY


async def test_reading__lying_balance__contradicts_its_proof_and_costs_the_chain(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    policy = make_policy()
    column = next(source.column for source in policy.rules.collateral if source.symbol == "BTC")
    row = sorted([ALICE, BOB]).index(BOB)
    world.chains["B"].lie_word(column, row, 0, 10**10)
    bench = make_bench(world, file_store, policy)

    result = await run(bench)

    assert [gone.reason for gone in bench.noticed.missing] == [Reason.READING_CONTRADICTS_PROOF]
    assert bench.noticed.missing[0].dishonest
    assert statuses(result)[BOB] is not Status.HEALTHY


async def test_header__does_not_hash_to_its_block__chain_is_missing(world: FakeWorld, file_store: SqliteStore) -> None:
    world.chains["C"].lie_header()
    bench = make_bench(world, file_store)

    result = await run(bench)

    assert [(gone.chain, gone.reason) for gone in bench.noticed.missing] == [(CHAINS["C"], Reason.INVALID_HEADER)]
    assert result.row.state is FrameState.SIGNED


async def test_price__stale__position_is_unknown_with_one_reason(file_store: SqliteStore) -> None:
    world = FakeWorld()
    world.lock("A", "USDX", ALICE, 1_000 * 10**6)
    world.position(ALICE, "ETH-PERP", 10**18, 3_000)
    world.price("ETH", 3_000, FRAME - 1 - 86_401)
    world.mine_to(FRAME + 3)

    result = await run(make_bench(world, file_store))

    (alice,) = result.views
    assert alice.status is Status.UNKNOWN
    assert alice.quality & Quality.STALE_PRICE
    assert [gap.reason for gap in alice.missing if "stale_price" in gap.reason]


async def test_price__zero__position_is_unknown_and_others_go_on(world: FakeWorld, file_store: SqliteStore) -> None:
    world.lock("A", "USDX", CAROL, 10**6 * 100)
    world.price("ETH", 0, FRAME)
    world.mine_to(LATER + 3)

    result = await run(make_bench(world, file_store), LATER)

    assert statuses(result) == {ALICE: Status.UNKNOWN, BOB: Status.UNKNOWN, CAROL: Status.HEALTHY}
    alice = next(view for view in result.views if view.account == ALICE)
    assert any("zero_price" in gap.reason for gap in alice.missing)


async def test_th_011_token__reverts_or_burns_its_gas__that_column_alone_has_no_value(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    token = address("hostile token")
    chain = CHAINS["A"]
    policy = _with_free_token(token)
    world.chains["A"].set_call(token, bytes.fromhex("70a08231") + ALICE, REVERT)
    world.mine_to(FRAME + 5)
    bench = make_bench(world, file_store, policy)

    result = await run(bench, FRAME + 2)

    column = f"{chain}/erc20:0x{token.hex()}"
    assert result.snapshot.chain(chain).cell(column, ALICE[12:]) is None
    assert bench.noticed.missing == []
    assert statuses(result)[ALICE] is Status.HEALTHY


def _with_free_token(token: Address):
    from chains.devnet.policy import policy_document, policy_text
    from relayer.config.policy_document import parse_policy
    from tests.relayer.fake_world import described

    document = policy_document(described(SignerSet((SIGNER.address,), 1, 0)))
    place = {"id": f"{CHAINS['A']}/erc20:0x{token.hex()}", "decimals": 18}
    hostile = {"symbol": "BAD", "haircut_initial_ppm": 0, "haircut_maintenance_ppm": 0, "places": [place]}
    source = {"kind": "erc20", "chain": CHAINS["A"], "address": "0x" + token.hex(), "encumbrance": "free"}
    feed = dict(document["price"][0]) | {"asset": "BAD", "address": "0x" + address("feed BAD").hex()}
    grown = (
        document
        | TIMES
        | {
            "asset": [*document["asset"], hostile],
            "source": [*document["source"], source],
            "price": [*document["price"], feed],
        }
    )
    return parse_policy(policy_text(grown))


async def test_th_018_code__changed__columns_of_that_contract_have_no_value(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    world.chains["B"].set_code_hash(LOCK_BOX["B"], Hash32(keccak256(b"other code")))
    world.mine_to(LATER + 3)

    result = await run(make_bench(world, file_store), LATER)

    alice = next(view for view in result.views if view.account == ALICE)
    assert alice.quality & Quality.CODE_CHANGED
    assert {gap.reason for gap in alice.missing} == {"code_changed: the contract runs other code"}
    assert alice.status is Status.HEALTHY


# --- time ------------------------------------------------------------------------------------------------------------


async def test_anchor__not_final_yet__is_waited_for(world: FakeWorld, file_store: SqliteStore) -> None:
    world.mine_to(FRAME + 3)
    bench = make_bench(world, file_store)
    bench.clock.time_s = FRAME + 6
    bench.clock.on_sleep = lambda now_s: world.mine_to(int(now_s))

    result = await run(bench, FRAME + 6)

    assert result.row.state is FrameState.SIGNED
    assert bench.noticed.missing == []
    assert FRAME + 6 < bench.clock.time_s <= FRAME + 9


async def test_anchor__never_final__chain_is_missing_after_the_deadline(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    bench = make_bench(world, file_store)
    frame = FRAME + 6
    world.mine_to(frame + 20, "A", "B")
    bench.clock.time_s = frame

    result = await run(bench, frame)

    assert [(gone.chain, gone.reason) for gone in bench.noticed.missing] == [(CHAINS["C"], Reason.NOT_YET)]
    assert bench.clock.time_s == frame + 3 + 10  # finality of a devnet, then the deadline
    assert result.row.state is FrameState.SIGNED


async def test_th_068_anchor__older_than_the_skew_allows__chain_is_missing(file_store: SqliteStore) -> None:
    world = FakeWorld()
    world.lock("A", "USDX", ALICE, 1_000 * 10**6)
    world.mine_to(FRAME + 100, "A", "B")
    world.chains["C"].mine(FRAME + 98)
    world.chains["C"].mine(FRAME + 99)
    world.chains["C"].mine(FRAME + 100)
    bench = make_bench(world, file_store)

    await run(bench, FRAME + 96)

    assert [(gone.chain, gone.reason) for gone in bench.noticed.missing] == [(CHAINS["C"], Reason.TOO_OLD)]


@pytest.mark.parametrize(("offset_s", "rule"), [(-600, Rule.FUTURE), (600, Rule.EXPIRED)])
async def test_th_103_clock__ten_minutes_off__refuses_with_a_reason(
    world: FakeWorld, file_store: SqliteStore, offset_s: int, rule: Rule
) -> None:
    bench = make_bench(world, file_store)
    bench.clock.time_s = FRAME + offset_s

    result = await run(bench)

    assert (result.row.state, result.refusal.rule) == (FrameState.SKIPPED, rule)
    assert [flag.account for flag in bench.pipeline.open_flags] == [BOB]  # flags do not wait for signatures


# --- frames, flags, restarts -----------------------------------------------------------------------------------------


async def test_frame__not_above_the_highest__is_not_run(world: FakeWorld, file_store: SqliteStore) -> None:
    bench = make_bench(world, file_store)
    await run(bench)
    asked = list(world.chains["A"].asked)

    again, off_grid = await bench.pipeline.run_frame(FRAME), await bench.pipeline.run_frame(FRAME + 1)

    assert (again.row, again.refusal.rule) == (None, Rule.LOWER_FRAME)
    assert off_grid.row is None
    assert world.chains["A"].asked == asked


async def test_restart__goes_on_above_the_ledger_with_its_flags_and_answers(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    before = make_bench(world, file_store)
    first = await run(before)
    world.mine_to(FRAME + 5)
    kept = Kept()
    after = make_bench(world, file_store, None, kept)

    await after.pipeline.start()
    same, above = await after.pipeline.run_frame(FRAME), await after.pipeline.run_frame(FRAME + 2)

    assert kept.published[0].row == first.row
    assert (same.row, above.row.state) == (None, FrameState.SIGNED)
    assert above.events == ()  # Bob's flag was remembered: it is not raised twice


async def test_th_090_ledger__older_than_the_frames_it_signed__start_is_refused(
    world: FakeWorld, file_store: SqliteStore, tmp_path: Path
) -> None:
    bench = make_bench(world, file_store)
    result = await run(bench)
    restored = await SqliteStore.open(tmp_path / "restored.db")
    await restored.put(result.row, (), (), ())  # the frames came back, the ledger did not

    with pytest.raises(StoreFault, match="the ledger ends before it"):
        await make_bench(world, restored).pipeline.start()
    await make_bench(world, restored, signing=None).pipeline.start()  # observing needs no ledger
    await restored.close()


async def test_th_087_ledger__slot_holds_another_digest__nothing_is_signed_and_the_flag_stands(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    bench = make_bench(world, file_store)
    await bench.pipeline.start()
    other = Hash32(keccak256(b"another story"))
    await file_store.reserve(bench.ports.policy.policy_id, FRAME, other, "0x")

    result = await bench.pipeline.run_frame(FRAME)

    assert (result.row.state, result.refusal.rule) == (FrameState.SKIPPED, Rule.SLOT_TAKEN)
    (row,) = await file_store.rows(bench.ports.policy.policy_id, 0)
    assert (row.digest, row.signatures) == (other, b"")
    assert [flag.state for flag in bench.pipeline.open_flags] == [FlagState.RAISED]


class BrokenFrames:
    """Fail when a frame is stored."""

    def __init__(self, store: SqliteStore, error: Exception) -> None:
        self._store = store
        self._error = error

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def put(self, *_: object) -> None:
        raise self._error


async def test_store__fault__ends_the_service_with_its_name(world: FakeWorld, file_store: SqliteStore) -> None:
    broken = BrokenFrames(file_store, StoreFault("relayer.db", "the disk is full", "make room"))
    bench = make_bench(world, file_store, frames=broken)
    await bench.pipeline.start()

    with pytest.raises(StoreFault, match="the disk is full"):
        await bench.pipeline.run_frame(FRAME)


async def test_bug__in_a_pass__is_recorded_and_the_next_frame_stands(world: FakeWorld, file_store: SqliteStore) -> None:
    bench = make_bench(world, file_store, frames=BrokenFrames(file_store, ZeroDivisionError("a bug")))
    await bench.pipeline.start()

    result = await bench.pipeline.run_frame(FRAME)

    assert isinstance(result.bug, ZeroDivisionError)
    assert len(bench.noticed.bugs) == 1
    assert bench.pipeline.open_flags == ()  # what could not be stored is not believed


class BrokenSigner:
    """Fail in a way that nobody foresaw."""

    address = SIGNER.address

    async def sign(self, digest: Hash32) -> bytes:
        raise ZeroDivisionError(digest.hex())


async def test_inv_026_signing__breaks_unforeseen__flags_are_raised_and_kept_all_the_same(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    signing = replace(signing_ports(file_store), signer=BrokenSigner())
    bench = make_bench(world, file_store, signing=signing)
    await bench.pipeline.start()

    result = await bench.pipeline.run_frame(FRAME)

    assert (result.row.state, result.refusal.rule) == (FrameState.SKIPPED, Rule.FAULT)
    assert len(bench.noticed.bugs) == 1
    assert [flag.account for flag in await file_store.current()] == [BOB]


class Stalled:
    """Answer nothing about frames until released; prices are answered."""

    def __init__(self, chain: FakeChain) -> None:
        self._chain = chain
        self.asked = asyncio.Event()
        self.released = asyncio.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._chain, name)

    async def anchor(self, not_after_s: int) -> Anchor | Unavailable:
        if not_after_s < NEWEST_S:
            self.asked.set()
            await self.released.wait()
        return await self._chain.anchor(not_after_s)


async def test_th_133_tick__while_a_frame_waits_for_a_stalled_chain__raises_at_once(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    world.lock("A", "USDX", CAROL, 400 * 10**6)
    world.position(CAROL, "ETH-PERP", 10**18, 3_000)
    world.mine_to(LATER + 3)
    stalled = Stalled(world.chains["B"])
    stalled.released.set()
    bench = make_bench(world, file_store, chains={**world.adapters, CHAINS["B"]: stalled})
    await run(bench, LATER)
    stalled.released.clear()
    stalled.asked.clear()
    world.price("ETH", 2_700, LATER + 4)
    world.mine_to(LATER + 9)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        frame = group.create_task(bench.pipeline.run_frame(LATER + 6))
        await stalled.asked.wait()
        await bench.pipeline.run_tick()
        early = {flag.account: flag.state for flag in await file_store.current()}
        assert not frame.done()
        stalled.released.set()

    assert early[CAROL] is FlagState.PROVISIONAL
    assert {flag.account: flag.state for flag in await file_store.current()}[CAROL] is FlagState.RAISED
    assert bench.noticed.bugs == []


async def test_tick__before_the_first_frame__asks_nobody(world: FakeWorld, file_store: SqliteStore) -> None:
    bench = make_bench(world, file_store)
    await bench.pipeline.start()

    await bench.pipeline.run_tick()

    assert world.chains["A"].asked == []


async def test_tick__price_falls_between_frames__raises_provisionally_and_the_frame_confirms(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    world.lock("A", "USDX", CAROL, 400 * 10**6)
    world.position(CAROL, "ETH-PERP", 10**18, 3_000)
    world.mine_to(LATER + 3)
    kept = Kept()
    bench = make_bench(world, file_store, None, kept)
    await run(bench, LATER)
    world.price("ETH", 2_700, LATER + 4)
    world.mine_to(LATER + 9)

    await bench.pipeline.run_tick()
    provisional = {flag.account: flag.state for flag in bench.pipeline.open_flags}
    confirmed = await bench.pipeline.run_frame(LATER + 6)

    assert bench.noticed.bugs == []
    assert provisional == {BOB: FlagState.RAISED, CAROL: FlagState.PROVISIONAL}
    assert kept.flag_counts == [2, 2]  # raised on the word of the quorum, then on proofs
    kinds = {event.account: event.kind for event in confirmed.events}
    assert kinds == {BOB: FlagEventKind.WORSENED, CAROL: FlagEventKind.RAISED}  # Bob's loss is not covered any more
    assert {flag.account: flag.state for flag in await file_store.current()} == {
        BOB: FlagState.RAISED,
        CAROL: FlagState.RAISED,
    }


async def test_tick__calm_prices__evaluates_fewer_than_all_accounts(file_store: SqliteStore) -> None:
    world = FakeWorld()
    for number in range(20):
        holder = account_of_address(address(f"calm {number}"))
        world.lock("A", "USDX", holder, 10_000 * 10**6)
        world.position(holder, "ETH-PERP", 10**18, 3_000)
    world.mine_to(FRAME + 3)
    bench = make_bench(world, file_store)
    await run(bench)

    await bench.pipeline.run_tick()

    assert bench.noticed.ticks == [(0, 0)]


async def test_th_006_reorg__of_an_attested_block__halts_that_chain_across_restarts_until_accepted(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    bench = make_bench(world, file_store)
    first = await run(bench)
    world.chains["B"].reorg(5)
    world.mine_to(FRAME + 7)

    halted = await bench.pipeline.run_frame(FRAME + 2)
    restarted = make_bench(world, file_store)
    await restarted.pipeline.start()
    still = await restarted.pipeline.run_frame(FRAME + 4)
    accepted = make_bench(world, file_store)
    await accepted.pipeline.start((CHAINS["B"],))
    world.mine_to(FRAME + 9)
    again = await accepted.pipeline.run_frame(FRAME + 6)

    assert first.snapshot.missing == ()
    for result in (halted, still):
        assert [(gone.chain, gone.reason) for gone in result.snapshot.missing] == [(CHAINS["B"], Reason.ORPHANED)]
        assert result.row.state is FrameState.SIGNED
    assert "until an operator accepts it" in orjson.loads(still.row.summary_json)["chains"][1]["detail"]
    assert again.snapshot.missing == ()
