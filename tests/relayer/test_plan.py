"""The plan: what is asked of each chain follows from policy and accounts alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chains.finality import FinalityRule
from chains.questions import Question
from proofs.keccak import keccak256
from proofs.sheet import AccountList
from proofs.types import AccountId, Finality
from relayer import plan
from relayer.config.policy import ChainPolicy
from relayer.pipeline.reading import FrameReader
from relayer.plan import account_union, chain_keys, column_specs, finality_s, give_up_s, list_specs, price_specs
from tests.relayer.fake_world import ALICE, BOB, CHAINS, FRAME, VENUE, FakeWorld, ManualClock, make_policy

IDS = st.lists(st.binary(min_size=32, max_size=32).map(AccountId), max_size=8)


@given(st.lists(IDS, max_size=4))
def test_account_union__any_lists__is_sorted_and_has_each_once(lists: list[list[AccountId]]) -> None:
    union = account_union(AccountList(str(at), tuple(accounts)) for at, accounts in enumerate(lists))

    assert list(union) == sorted({account for accounts in lists for account in accounts})


@given(st.permutations(["a", "b", "c"]))
def test_account_union__order_of_chains__does_not_matter(order: list[str]) -> None:
    accounts = {"a": (BOB, ALICE), "b": (ALICE,), "c": ()}

    assert account_union(AccountList(name, accounts[name]) for name in order) == tuple(sorted((ALICE, BOB)))


def test_columns__of_all_chains__share_their_rows_and_are_in_policy_order() -> None:
    policy = make_policy()
    accounts = tuple(sorted((ALICE, BOB)))

    specs = column_specs(policy, accounts)

    names = [spec.name for chain in policy.chains for spec in specs[chain.chain]]
    assert sorted(names) == sorted(question.column for question in policy.questions)
    assert {spec.rows for columns in specs.values() for spec in columns} == {accounts, (b"",)}


def test_lists__of_the_venue_s_chain__are_lock_box_and_venue() -> None:
    specs = list_specs(make_policy())

    assert [len(specs[CHAINS[name]]) for name in "ABC"] == [2, 1, 1]
    assert specs[CHAINS["A"]][1].target == VENUE


def test_price_specs__leave_out_chains_without_feeds() -> None:
    specs = price_specs(make_policy())

    assert set(specs) == {CHAINS["A"]}
    assert len(specs[CHAINS["A"]]) == 3


async def test_proof_requests__cover_every_contract_once() -> None:
    policy, world = make_policy(), FakeWorld()
    world.lock("A", "USDX", ALICE, 1)
    world.position(ALICE, "ETH-PERP", 10**18, 3_000)
    world.mine_to(FRAME + 3)
    reader = FrameReader(policy, world.adapters, ManualClock(world.now_s))
    reading = (await reader.read(FRAME)).evidence[CHAINS["A"]]

    requests = plan.proof_requests(reading)

    targets = [request.target for request in requests]
    assert len(targets) == len(set(targets)) == 5  # lock box, venue, three feeds
    assert all(len(set(request.slots)) == len(request.slots) for request in requests)


def test_chain_keys__are_hashes_of_the_names_ascending() -> None:
    keys = chain_keys(make_policy())

    assert list(keys) == sorted(keccak256(chain.encode()) for chain in CHAINS.values())


def test_finality_s__by_rule__is_an_upper_bound() -> None:
    def of(kind: Finality, confirmations: int = 0, devnet: bool = False) -> int:
        return finality_s(ChainPolicy(CHAINS["A"], 1, FinalityRule(kind, confirmations), 0, devnet))  # type: ignore[arg-type]

    assert of(Finality.LATEST) == 0
    assert of(Finality.CONFIRMATIONS, 20) == 240  # slots of twelve seconds
    assert of(Finality.SAFE) == 768  # two epochs of 32 slots
    assert of(Finality.FINALIZED) == 1152  # three
    assert of(Finality.FINALIZED, devnet=True) == 3


def test_give_up__is_frame_plus_finality_plus_deadline() -> None:
    policy = make_policy(deadline_s=7)

    assert give_up_s(policy, policy.chains[0], FRAME) == FRAME + 3 + 7


def test_questions__of_the_world__are_all_readable() -> None:
    assert all(isinstance(question, Question) for question in make_policy().questions)
