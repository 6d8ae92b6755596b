"""INV-31: evidence is used once: accepted acts never exceed the excess of what the newest reading can show.

Random sequences of readings, acts and time run against the guard on a real node. The law knows nothing of how the
guard keeps its record: an act is *shown* by evidence whose oldest block is later than the act, on every chain, or by
any later frame; whatever is not shown must fit into the excess together with the act.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.devnet.nodes import start_anvil
from tests.node.contracts.conftest import connect
from tests.node.contracts.venue import OWNER, Venue, deploy_venue
from tests.node.contracts.wire import E18, WIRE, Evidence, account_id, keys
from tests.node.contracts.world import GAS, Chain, Quorum, deploy_quorum, leaf_of, root_of

pytestmark = pytest.mark.node

PARTIAL = 1 << WIRE["quality_bit"]["chain_missing"]
RULES = ((10_000, 10_000, 1, 0),) * 3
NOTHING = Evidence(root_of(0), b"", leaf_of(OWNER, bytes(32)), [])


@dataclass(frozen=True)
class Reading:
    """One attestation: what it is of, and what it leaves free, in USD."""

    frame: int
    as_of: int
    is_partial: bool
    excess: int
    evidence: Evidence


@dataclass(frozen=True)
class Used:
    """One accepted act."""

    time: int
    amount: int


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with start_anvil(31337001, block_time_s=None) as node, connect(node) as connected:
        yield connected


@pytest.fixture(scope="module")
def quorum(chain: Chain) -> Quorum:
    return deploy_quorum(chain, keys(1), 1, 0)


class Story:
    """A fresh venue whose account acts, and the law's own record."""

    def __init__(self, chain: Chain, quorum: Quorum) -> None:
        self.venue: Venue = deploy_venue(chain, quorum, RULES)
        self.chain = chain
        self.now = chain.now
        self.readings: list[Reading] = []
        self.used: list[Used] = []
        self.read((0, False, 500))

    def read(self, what: tuple[int, bool, int]) -> None:
        """Sign a reading whose oldest block is some seconds old."""
        age, is_partial, excess = what
        figures = {"collateral_usd": (500 + excess) * E18, "quality": PARTIAL if is_partial else 0}
        leaf = self.venue.leaf(liability_usd=300 * E18, initial_margin_usd=200 * E18, **figures)
        e = self.venue.quorum.evidence(leaf, frame=self.now, as_of=self.now - age, valid_until=self.now + 10_000)
        self.readings.append(Reading(self.now, self.now - age, is_partial, excess, e))

    def attempt(self, name: str, *args: object) -> bool:
        """Send a call one second later; tell whether it went through."""
        self.now += 1
        self.chain.node.rpc("evm_setNextBlockTimestamp", [self.now])
        call = self.venue.contract.get_function_by_name(name)(*args)
        sent = call.transact({"from": self.chain.users[0], "gas": GAS})
        return self.chain.w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.002)["status"] == 1

    def act(self, what: tuple[str, int, int]) -> None:
        name, amount, back = what
        reading = self.readings[max(0, len(self.readings) - 1 - back)]
        open_amounts = sum(used.amount for used in self.used if not self.is_shown(used, reading))
        if self.attempt(name, self.venue.account, amount * E18, reading.evidence):
            assert open_amounts + amount <= reading.excess
            self.used.append(Used(self.now, amount))

    def withdraw_flat(self, amount: int) -> None:
        assert self.attempt("setFlat", self.venue.account, True)
        assert self.attempt("withdraw", self.venue.account, amount * E18, NOTHING)
        self.used.append(Used(self.now, amount))
        assert self.attempt("setFlat", self.venue.account, False)

    def poke(self, back: int) -> None:
        self.attempt("poke", self.readings[max(0, len(self.readings) - 1 - back)].evidence)

    def wait(self, seconds: int) -> None:
        self.now += seconds

    def is_shown(self, used: Used, reading: Reading) -> bool:
        return any(
            other.as_of > used.time and not other.is_partial for other in self.readings if other.frame <= reading.frame
        )

    def settle(self) -> None:
        """A reading after everything frees the whole excess again."""
        self.now += 1
        self.read((0, False, 500))
        assert self.attempt("open", self.venue.account, 500 * E18, self.readings[-1].evidence)


AMOUNTS = st.sampled_from((0, 1, 100, 249, 250, 251, 499, 500, 501))
STEPS = st.one_of(
    st.tuples(st.just("act"), st.tuples(st.sampled_from(("open", "withdraw")), AMOUNTS, st.integers(0, 2))),
    st.tuples(st.just("act"), st.tuples(st.just("open"), AMOUNTS, st.just(0))),
    st.tuples(st.just("read"), st.tuples(st.sampled_from((0, 1, 2, 9)), st.booleans(), AMOUNTS)),
    st.tuples(st.just("withdraw_flat"), AMOUNTS),
    st.tuples(st.just("poke"), st.integers(0, 2)),
    st.tuples(st.just("wait"), st.sampled_from((1, 2, 10))),
)


@settings(max_examples=25)
@given(st.lists(STEPS, min_size=4, max_size=12))
def test_inv_31_acts__in_any_sequence__never_exceed_what_their_evidence_leaves(chain, quorum, steps) -> None:
    story = Story(chain, quorum)

    for step, argument in steps:
        getattr(story, step)(argument)

    assert story.venue.contract.functions.openedUsd(account_id(OWNER)).call() <= sum(
        used.amount * E18 for used in story.used
    )
    story.settle()


def test_inv_31_ten_openings__on_one_attestation__share_its_excess(chain: Chain, quorum: Quorum) -> None:
    story = Story(chain, quorum)

    for _ in range(10):
        story.act(("open", 120, 0))

    assert [used.amount for used in story.used] == [120] * 4
