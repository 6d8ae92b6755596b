"""Votes, plans and roots; and three or four relayers in one process who sign together."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from proofs.attestation import ChainAnchor, missing_anchor, snapshot_root
from proofs.keccak import keccak256
from proofs.signers import SignerSet, unpack_signatures, verify_signed_root
from proofs.signing import LocalSigner
from proofs.snapshot import Reason
from proofs.types import ZERO_HASH, Address, Finality, Hash32, Status
from relayer.cosign import (
    VOTES_MAX,
    AnchorVote,
    Council,
    FramePlan,
    Refusal,
    RootTerms,
    Rule,
    SignedVote,
    check_plan,
    make_vote,
    root_of,
    tally_votes,
    vote_digest,
    vote_fault,
    vote_slot,
)
from relayer.pipeline.frame import FrameResult, Pipeline
from relayer.pipeline.ports import OwnSignature, Ports, SigningPorts
from relayer.store.port import FrameState
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import (
    ALICE,
    CHAINS,
    FRAME,
    FakeWorld,
    ManualClock,
    Noticed,
    key,
    make_policy,
)

KEYS = [key(100 + index) for index in range(4)]
POLICY = make_policy()
CHAIN_KEYS = tuple(sorted(Hash32(keccak256(chain.encode())) for chain in CHAINS.values()))
COUNCIL = Council(tuple(one.address for one in KEYS), 3, POLICY.domain, POLICY.policy_id, CHAIN_KEYS)


def anchor(chain: int, number: int = 10, timestamp: int = FRAME - 1) -> ChainAnchor:
    word = Hash32(keccak256(number.to_bytes(8, "big")))
    return ChainAnchor(CHAIN_KEYS[chain], number, word, word, timestamp, Finality.SAFE, word)


ALL = (anchor(0), anchor(1), anchor(2))


def signed(member: int, *anchors: ChainAnchor, frame: int = FRAME) -> SignedVote:
    return resigned(make_vote(COUNCIL, frame, anchors), KEYS[member])


def resigned(vote: AnchorVote, signer: LocalSigner) -> SignedVote:
    signature = asyncio.run(signer.sign(vote_digest(vote, COUNCIL.domain)))
    return SignedVote(vote, signer.address, signature)


def planned(*votes: SignedVote) -> FramePlan:
    plan = tally_votes(votes, COUNCIL, FRAME)
    assert isinstance(plan, FramePlan), plan
    return plan


# --- hashing ---------------------------------------------------------------------------------------------------------


def test_vote_digest__equals_that_of_another_encoder() -> None:
    vote = make_vote(COUNCIL, FRAME, ALL)
    anchor_type = [
        ("chainKey", "bytes32"),
        ("blockNumber", "uint64"),
        ("blockHash", "bytes32"),
        ("stateRoot", "bytes32"),
        ("timestamp", "uint64"),
        ("finality", "uint8"),
        ("readingsRoot", "bytes32"),
    ]
    vote_type = [("policyId", "bytes32"), ("frame", "uint64"), ("anchors", "ChainAnchor[]")]
    fields = ("chain_key", "block_number", "block_hash", "state_root", "timestamp", "finality", "readings_root")
    message = {
        "policyId": vote.policy_id,
        "frame": vote.frame,
        "anchors": [
            {
                name: int(getattr(one, field)) if kind.startswith("u") else getattr(one, field)
                for (name, kind), field in zip(anchor_type, fields, strict=True)
            }
            for one in vote.anchors
        ],
    }
    types = {
        "AnchorVote": [{"name": name, "type": kind} for name, kind in vote_type],
        "ChainAnchor": [{"name": name, "type": kind} for name, kind in anchor_type],
    }
    domain = {
        "name": "MarginRelayerTransport",
        "version": "1",
        "chainId": COUNCIL.domain.chain_number,
        "verifyingContract": "0x" + COUNCIL.domain.verifying_contract.hex(),
    }

    encoded = encode_typed_data(domain, types, message)

    expected = keccak256(b"\x19" + encoded.version + encoded.header + encoded.body)
    assert vote_digest(vote, COUNCIL.domain) == expected


def test_vote_slot__is_not_the_slot_of_roots() -> None:
    assert vote_slot(POLICY.policy_id) != POLICY.policy_id


# --- tally -----------------------------------------------------------------------------------------------------------


def test_tally__three_of_four_agree__plan_has_their_anchors() -> None:
    plan = planned(signed(0, *ALL), signed(1, *ALL), signed(2, *ALL), signed(3, anchor(0, 11), *ALL[1:]))

    assert plan.anchors == ALL
    assert [vote.voter for vote in plan.votes] == sorted(COUNCIL.members)


def test_tally__two_and_two__that_chain_is_missing() -> None:
    other = (anchor(0, 11), *ALL[1:])
    plan = planned(signed(0, *ALL), signed(1, *ALL), signed(2, *other), signed(3, *other))

    assert plan.anchors == (missing_anchor(CHAIN_KEYS[0]), *ALL[1:])


def test_tally__k_saw_nothing__that_chain_is_missing() -> None:
    plan = planned(signed(0, *ALL), signed(1, *ALL[1:]), signed(2, *ALL[1:]), signed(3, *ALL[1:]))

    assert plan.anchors[0].finality is Finality.MISSING


@pytest.mark.parametrize("count", [0, 1, 2])
def test_tally__fewer_than_k_votes__is_refused(count: int) -> None:
    refusal = tally_votes([signed(member, *ALL) for member in range(count)], COUNCIL, FRAME)

    assert isinstance(refusal, Refusal)
    assert refusal.rule is Rule.TOO_FEW_VOTES


def test_tally__faulty_votes__are_left_out() -> None:
    good = [signed(0, *ALL), signed(1, *ALL), signed(2, *ALL)]
    forged = replace(signed(3, *ALL), signature=signed(0, *ALL).signature)
    stranger = resigned(make_vote(COUNCIL, FRAME, ALL), key(999))

    assert planned(*good, forged, stranger).votes == planned(*good).votes


def test_tally__a_vote_that_a_stranger_repeats__counts_once() -> None:
    good = [signed(at, *ALL) for at in range(3)]

    assert planned(*good, *good[:1] * VOTES_MAX) == planned(*good)


def test_tally__a_member_votes_twice__neither_vote_counts() -> None:
    twice = [signed(0, *ALL), signed(0, anchor(0, 11), *ALL[1:])]

    refusal = tally_votes([*twice, signed(1, *ALL), signed(2, *ALL)], COUNCIL, FRAME)

    assert isinstance(refusal, Refusal)


@given(st.lists(st.sampled_from(range(4)), unique=True, min_size=3), st.randoms())
def test_tally__any_order_of_votes__gives_the_same_plan(members: list[int], random: object) -> None:
    votes = [signed(member, *ALL) for member in members]
    shuffled = list(votes)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert tally_votes(shuffled, COUNCIL, FRAME) == tally_votes(votes, COUNCIL, FRAME)


# --- votes that break a rule -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "vote",
    [
        AnchorVote(POLICY.policy_id, FRAME + 2, ALL),
        AnchorVote(Hash32(keccak256(b"other policy")), FRAME, ALL),
        AnchorVote(POLICY.policy_id, FRAME, ALL[:2]),
        AnchorVote(POLICY.policy_id, FRAME, ALL[::-1]),
        AnchorVote(POLICY.policy_id, FRAME, (ALL[0], ALL[0], ALL[2])),
        AnchorVote(POLICY.policy_id, FRAME, (replace(ALL[0], finality=Finality.MISSING), *ALL[1:])),
        AnchorVote(POLICY.policy_id, FRAME, (replace(ALL[0], readings_root=ZERO_HASH), *ALL[1:])),
    ],
)
def test_vote__that_breaks_a_rule__is_named(vote: AnchorVote) -> None:
    fault = vote_fault(resigned(vote, KEYS[0]), COUNCIL, FRAME)

    assert fault is not None
    assert fault.rule is Rule.BAD_VOTE


def test_vote__changed_after_signing__is_named() -> None:
    vote = signed(0, *ALL)

    fault = vote_fault(replace(vote, vote=replace(vote.vote, anchors=(anchor(0, 11), *ALL[1:]))), COUNCIL, FRAME)

    assert fault is not None


def test_vote__field_out_of_range__is_named_and_does_not_raise() -> None:
    vote = signed(0, *ALL)
    wide = replace(vote.vote, anchors=(replace(ALL[0], block_number=2**64), *ALL[1:]))

    fault = vote_fault(replace(vote, vote=wide), COUNCIL, FRAME)

    assert fault is not None
    assert fault.rule is Rule.BAD_VOTE


# --- plans -----------------------------------------------------------------------------------------------------------


def test_plan__that_follows_from_its_votes_and_our_readings__is_accepted() -> None:
    assert check_plan(planned(*(signed(at, *ALL) for at in range(4))), ALL, COUNCIL, FRAME) is None


def test_plan__chain_missing_that_we_read__is_accepted() -> None:
    plan = planned(*(signed(at, *ALL[1:]) for at in range(4)))

    assert check_plan(plan, ALL, COUNCIL, FRAME) is None


_OTHER_WORD = Hash32(keccak256(b"another"))


@pytest.mark.parametrize(
    "change",
    [
        {"block_number": 11},
        {"block_hash": _OTHER_WORD},
        {"state_root": _OTHER_WORD},
        {"timestamp": FRAME - 2},
        {"finality": Finality.FINALIZED},
        {"readings_root": _OTHER_WORD},
    ],
)
def test_th_100_plan__any_field_differs_from_our_reading__is_refused_and_named(change: dict[str, object]) -> None:
    poisoned = (replace(ALL[0], **change), *ALL[1:])
    plan = planned(*(signed(at, *poisoned) for at in range(4)))

    refusal = check_plan(plan, ALL, COUNCIL, FRAME)

    assert refusal is not None
    assert refusal.rule is Rule.READINGS_DIFFER
    assert next(iter(change)) in refusal.detail


def test_th_100_plan__chain_that_we_could_not_read__is_refused() -> None:
    refusal = check_plan(planned(*(signed(at, *ALL) for at in range(4))), ALL[1:], COUNCIL, FRAME)

    assert refusal is not None
    assert refusal.rule is Rule.READINGS_DIFFER


def test_th_100_plan__proposer_drops_a_chain_against_the_votes__is_refused() -> None:
    plan = planned(*(signed(at, *ALL) for at in range(4)))
    dropped = replace(plan, anchors=(missing_anchor(CHAIN_KEYS[0]), *ALL[1:]))

    refusal = check_plan(dropped, ALL, COUNCIL, FRAME)

    assert refusal is not None
    assert refusal.rule is Rule.PLAN_DIFFERS


def test_plan__with_too_few_or_forged_or_too_many_votes__is_refused() -> None:
    plan = planned(*(signed(at, *ALL) for at in range(3)))
    forged = replace(plan.votes[0], signature=plan.votes[1].signature)

    refusals = [
        check_plan(replace(plan, votes=plan.votes[:2]), ALL, COUNCIL, FRAME),
        check_plan(replace(plan, votes=(forged, *plan.votes[1:])), ALL, COUNCIL, FRAME),
        check_plan(replace(plan, votes=plan.votes * VOTES_MAX), ALL, COUNCIL, FRAME),
        check_plan(replace(plan, frame=FRAME + 2), ALL, COUNCIL, FRAME),
    ]

    assert [refusal.rule if refusal else None for refusal in refusals] == [
        Rule.TOO_FEW_VOTES,
        Rule.BAD_VOTE,
        Rule.BAD_VOTE,
        Rule.PLAN_DIFFERS,
    ]


# --- roots -----------------------------------------------------------------------------------------------------------


def test_inv_021_root__of_a_plan__ages_from_its_oldest_block() -> None:
    anchors = (anchor(0, timestamp=FRAME - 9), anchor(1, timestamp=FRAME - 1), missing_anchor(CHAIN_KEYS[2]))
    plan = replace(planned(*(signed(at, *anchors[:2]) for at in range(4))), anchors=anchors)

    root = root_of(plan, RootTerms(300, 5, 2, _OTHER_WORD))

    assert not isinstance(root, Refusal)
    assert (root.as_of, root.valid_until, root.skew) == (FRAME - 9, FRAME + 291, 8)
    assert (root.frame, root.signer_epoch, root.leaf_count) == (FRAME, 5, 2)
    assert root.snapshot_root == snapshot_root(anchors)


@pytest.mark.parametrize(("anchors", "leaves", "rule"), [((), 2, Rule.NO_CHAIN), (ALL, 0, Rule.NO_ACCOUNT)])
def test_root__nothing_to_sign__is_refused(anchors: tuple[ChainAnchor, ...], leaves: int, rule: Rule) -> None:
    plan = planned(*(signed(at, *anchors) for at in range(4)))

    refusal = root_of(plan, RootTerms(300, 0, leaves, ZERO_HASH))

    assert isinstance(refusal, Refusal)
    assert refusal.rule is rule


# --- several relayers in one process ---------------------------------------------------------------------------------


class Table:
    """Be the connection between relayers: everybody hears everybody, except whom the test keeps away."""

    def __init__(self, expected: int, council: Council) -> None:
        self.expected = expected
        self.council = council
        self.cast: dict[Address, SignedVote] = {}
        self.plans: dict[Address, FramePlan] = {}
        self.signatures: dict[Address, bytes] = {}
        self.poison: FramePlan | None = None

    async def gathered(self, what: dict[Address, object]) -> None:
        for _ in range(200):
            if len(what) >= self.expected:
                return
            await asyncio.sleep(0.005)


class Seat:
    """Be one relayer's place at the table."""

    def __init__(self, table: Table, own: Address) -> None:
        self._table = table
        self._own = own

    async def votes(self, own: SignedVote) -> tuple[SignedVote, ...]:
        self._table.cast[self._own] = own
        await self._table.gathered(self._table.cast)  # type: ignore[arg-type]
        return tuple(self._table.cast.values())

    async def plan(self, own: FramePlan) -> FramePlan | None:
        self._table.plans[self._own] = own
        await self._table.gathered(self._table.plans)  # type: ignore[arg-type]
        if self._table.poison is not None:
            return self._table.poison
        members = self._table.council.members
        return self._table.plans.get(members[own.frame // 2 % len(members)], own)  # they take turns

    async def signatures(self, digest: Hash32, own: OwnSignature) -> tuple[OwnSignature, ...]:
        self._table.signatures[own[0]] = own[1]
        await self._table.gathered(self._table.signatures)  # type: ignore[arg-type]
        return tuple(self._table.signatures.items())


MARGIN_KEYS = [key(200 + index) for index in range(4)]


class Relayers:
    """Run relayers of one policy over worlds of their own, at one table."""

    def __init__(self, folder: Path, running: tuple[int, ...]) -> None:
        self.policy = make_policy(SignerSet(tuple(one.address for one in MARGIN_KEYS), 3, 1))
        self.members = tuple(one.address for one in KEYS)
        council = Council(self.members, 3, self.policy.domain, self.policy.policy_id, CHAIN_KEYS)
        self.table = Table(len(running), council)
        self.worlds = {member: _same_world() for member in running}
        self.noticed = {member: Noticed() for member in running}
        self._folder = folder

    async def run(self, frame: int = FRAME) -> dict[int, FrameResult]:
        results: dict[int, FrameResult] = {}

        async def one(member: int) -> None:
            store = await SqliteStore.open(self._folder / f"{member}.db")
            peers = Seat(self.table, self.members[member])
            signing = SigningPorts(MARGIN_KEYS[member], KEYS[member], self.members, peers, store)
            world = self.worlds[member]
            ports = Ports(
                self.policy, world.adapters, ManualClock(world.now_s), store, store, (), self.noticed[member], signing
            )
            pipeline = Pipeline(ports, bundles_kept=1)
            await pipeline.start()
            results[member] = await pipeline.run_frame(frame)
            await store.close()

        async with asyncio.TaskGroup() as group:
            for member in self.worlds:
                group.create_task(one(member))
        assert [noticed.bugs for noticed in self.noticed.values()] == [[]] * len(self.worlds)
        return results


def _same_world() -> FakeWorld:
    world = FakeWorld()
    world.lock("A", "USDX", ALICE, 1_000 * 10**6)
    world.lock("B", "BTC", ALICE, 10**8)
    world.position(ALICE, "ETH-PERP", 10**18, 3_000)
    world.mine_to(FRAME + 3)
    return world


@pytest.mark.parametrize("running", [(0, 1, 2), (0, 1, 2, 3)])
async def test_relayers__three_or_four_of_four__sign_one_root(tmp_path: Path, running: tuple[int, ...]) -> None:
    relayers = Relayers(tmp_path, running)

    results = await relayers.run()

    rows = [result.row for result in results.values()]
    assert {row.state for row in rows} == {FrameState.SIGNED}
    assert len({row.signed.digest for row in rows}) == 1
    signers = SignerSet(relayers.policy.signers.addresses, 3, 1)
    for row in rows:
        assert verify_signed_root(row.signed, relayers.policy.domain, signers) == running


async def test_th_105_relayers__two_of_four__skip_with_a_reason_and_keep_flagging(tmp_path: Path) -> None:
    relayers = Relayers(tmp_path, (0, 1))
    for world in relayers.worlds.values():
        world.price("ETH", 2_000, FRAME + 4)
        world.lock("B", "BTC", ALICE, 0)
        world.mine_to(FRAME + 13)

    results = await relayers.run(FRAME + 10)

    assert {result.refusal.rule for result in results.values()} == {Rule.TOO_FEW_VOTES}
    assert {result.row.state for result in results.values()} == {FrameState.SKIPPED}
    assert all(view.status is Status.LIQUIDATABLE for result in results.values() for view in result.views)


async def test_th_101_relayers__one_lost_a_chain__the_others_sign_without_it(tmp_path: Path) -> None:
    relayers = Relayers(tmp_path, (0, 1, 2, 3))
    relayers.worlds[3].chains["C"].fail(Reason.RPC_UNREACHABLE)

    results = await relayers.run()

    assert {results[at].row.state for at in (0, 1, 2)} == {FrameState.SIGNED}
    assert results[3].refusal.rule is Rule.READINGS_DIFFER
    assert results[0].snapshot.missing == ()


async def test_th_101_relayers__two_of_four_lost_a_chain__all_sign_that_it_is_missing(tmp_path: Path) -> None:
    relayers = Relayers(tmp_path, (0, 1, 2, 3))
    for member in (2, 3):
        relayers.worlds[member].chains["C"].fail(Reason.RPC_UNREACHABLE)

    results = await relayers.run()

    assert {result.row.state for result in results.values()} == {FrameState.SIGNED}
    assert len({result.row.signed.digest for result in results.values()}) == 1
    assert [[gone.chain for gone in result.snapshot.missing] for result in results.values()] == [[CHAINS["C"]]] * 4


async def test_th_100_relayers__proposer_publishes_a_plan_of_another_frame__nobody_signs(tmp_path: Path) -> None:
    relayers = Relayers(tmp_path, (0, 1, 2))
    relayers.table.poison = FramePlan(relayers.policy.policy_id, FRAME + 2, ALL, ())

    results = await relayers.run()

    assert {result.refusal.rule for result in results.values()} == {Rule.PLAN_DIFFERS}
    for member in (0, 1, 2):
        store = await SqliteStore.open(tmp_path / f"{member}.db")
        assert await store.highest(relayers.policy.policy_id) is None
        assert await store.highest(vote_slot(relayers.policy.policy_id)) == FRAME
        await store.close()


class ForgingSeat(Seat):
    """Gather the truth, and add signatures that are none."""

    async def signatures(self, digest: Hash32, own: OwnSignature) -> tuple[OwnSignature, ...]:
        true = await super().signatures(digest, own)
        other = await MARGIN_KEYS[3].sign(Hash32(keccak256(digest)))
        stranger = await key(999).sign(digest)
        return (*true, (MARGIN_KEYS[3].address, other), (key(999).address, stranger), (MARGIN_KEYS[3].address, b"x"))


async def test_th_102_signatures__over_another_digest_or_of_strangers__are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.relayer.test_cosign.Seat", ForgingSeat)
    relayers = Relayers(tmp_path, (0, 1, 2))

    results = await relayers.run()

    blob = results[0].row.signed.signatures
    assert [index for index, _ in unpack_signatures(blob, 4)] == [0, 1, 2]


class OtherKey:
    """Claim one address and sign with another key, as a misconfigured remote signer would."""

    def __init__(self, address: Address, signer: LocalSigner) -> None:
        self.address = address
        self._signer = signer

    async def sign(self, digest: Hash32) -> bytes:
        return await self._signer.sign(digest)


async def test_th_097_signer__returns_a_signature_of_another_key__nothing_leaves(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    from tests.relayer.fake_world import SIGNER, make_bench, signing_ports

    liar = OtherKey(SIGNER.address, key(999))
    bench = make_bench(world, file_store, signing=replace(signing_ports(file_store), signer=liar))
    await bench.pipeline.start()

    result = await bench.pipeline.run_frame(FRAME)

    assert (result.row.state, result.refusal.rule) == (FrameState.SKIPPED, Rule.SIGNATURE)
    (row,) = await file_store.rows(bench.ports.policy.policy_id, 0)
    assert row.signatures == b""
