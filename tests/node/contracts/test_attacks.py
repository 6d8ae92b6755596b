"""Attacks that once succeeded: each was written against the contracts as they stood, then they were mended."""

from __future__ import annotations

import pytest
from eth_utils import keccak

from tests.node.contracts.test_lock_box import DELAY, NATIVE, RECEIVER, SEIZER
from tests.node.contracts.venue import Venue, deploy_venue
from tests.node.contracts.wire import E18, Evidence, key, keys
from tests.node.contracts.world import OK, Chain, Refusal, deploy_quorum, leaf_of, root_of

pytestmark = pytest.mark.node

DAY_S = 86_400
HOUR_S = 3_600
NOTHING = Evidence(root_of(0), b"", leaf_of(key(60).address, bytes(32)), [])


@pytest.fixture
def venue(chain: Chain) -> Venue:
    """Deploy a venue with free excess of 500 USD on its healthy leaf."""
    return deploy_venue(chain)


# ----------------------------------------------------------------------------------------------- evidence used twice


@pytest.mark.parametrize("ahead", [1, 30])
def test_inv_31_evidence__dated_ahead_of_the_venues_clock__is_not_used_twice(venue: Venue, ahead: int) -> None:
    venue.chain.mine_at(venue.chain.now + 1)
    later = venue.chain.now + ahead
    e = venue.evidence(frame=later, as_of=later)
    venue.chain.send(venue.contract.functions.open(venue.account, 500 * E18, e), timestamp=later - ahead + 1)

    # The act lies at or before asOf by this clock, yet the same reading cannot show it.
    assert venue.refusal("open", 1, e) == ("ExcessInsufficient", (1000 * E18, 1000 * E18 + 1))
    venue.chain.mine_at(later + 2)
    newer = venue.evidence(frame=later + 2, as_of=later + 2)
    assert venue.refusal("open", 500 * E18, newer) == OK


def test_inv_31_acts__alternating_between_clocks__never_free_what_was_used(venue: Venue) -> None:
    venue.chain.mine_at(venue.chain.now + 1)
    base = venue.chain.now
    ahead = venue.evidence(frame=base + 30, as_of=base + 30)
    venue.chain.send(venue.contract.functions.open(venue.account, 300 * E18, ahead), timestamp=base + 1)
    level = venue.evidence(frame=base + 30, as_of=base + 2)
    venue.chain.send(venue.contract.functions.open(venue.account, 100 * E18, level), timestamp=base + 3)

    assert venue.record()[1] == base + 30
    assert venue.refusal("open", 100 * E18, ahead) == OK
    assert venue.refusal("open", 100 * E18 + 1, ahead)[0] == "ExcessInsufficient"


def test_inv_31_flat_account__that_withdrew_without_evidence__cannot_still_use_what_it_took(venue: Venue) -> None:
    e = venue.evidence()  # counts 500 USD of excess, realised gains at the venue among them
    venue.chain.send(venue.contract.functions.setFlat(venue.account, True))
    acted_at = venue.send("withdraw", 400 * E18, NOTHING)

    assert venue.record()[3] == 400 * E18
    assert venue.refusal("open", 100 * E18, e) == OK
    assert venue.refusal("open", 100 * E18 + 1, e)[0] == "ExcessInsufficient"
    venue.chain.mine_at(acted_at + 1)
    assert venue.refusal("open", 500 * E18, venue.evidence()) == OK


@pytest.mark.parametrize("amount", [2**128 - 1, 2**128, 2**256 - 1])
def test_inv_31_flat_account__withdrawing_any_amount__is_never_locked_in_nor_wrapped(venue: Venue, amount: int) -> None:
    venue.chain.send(venue.contract.functions.setFlat(venue.account, True))
    venue.send("withdraw", 1, NOTHING)
    venue.send("withdraw", amount - 1, NOTHING)

    assert venue.record()[3] == 2**128 - 1
    assert venue.refusal("withdraw", 0, NOTHING) == OK
    assert venue.refusal("open", 0, venue.evidence(as_of=venue.chain.now - 1))[0] == "ExcessInsufficient"


# -------------------------------------------------------------------------------------------------- unknown for long


def sighted(venue: Venue, timestamp: int, status: int = 0) -> None:
    """Show the account's status in a block of that time."""
    venue.chain.mine_at(timestamp - 1)
    poke = venue.contract.functions.poke(venue.evidence(venue.leaf(status=status)))
    venue.chain.send(poke, timestamp=timestamp)


def refusal_unknown(venue: Venue, timestamp: int, grace: int) -> Refusal:
    venue.chain.mine_at(timestamp)
    e = venue.evidence(venue.leaf(status=0))
    return venue.chain.refusal(venue.contract.functions.liquidateUnknown(venue.account, grace, e))


def test_th_013_two_outages_a_week_apart__are_not_a_week_of_being_unknown(venue: Venue) -> None:
    start = venue.chain.now + 10
    sighted(venue, start)  # one frame without a chain; nobody shows the thousands of healthy ones that follow

    again = start + 7 * DAY_S

    assert refusal_unknown(venue, again, DAY_S) == ("UnknownNotLongEnough", (again, DAY_S))


@pytest.mark.parametrize("gap", [HOUR_S, HOUR_S + 1])
def test_unknown_stretch__seen_within_the_hour__goes_on_and_beyond_it_starts_anew(venue: Venue, gap: int) -> None:
    start = venue.chain.now + 10
    sighted(venue, start)
    sighted(venue, start + gap)

    assert venue.record()[2] == (start if gap == HOUR_S else start + gap)


def test_unknown_stretch__shown_all_along__lets_the_venue_act_after_its_grace(venue: Venue) -> None:
    start = venue.chain.now + 10
    for at in range(0, 3 * HOUR_S, HOUR_S):
        sighted(venue, start + at)

    end = start + 3 * HOUR_S - 1  # the last frame shown is that of start + 2 h - 1
    assert refusal_unknown(venue, end - 1, 3 * HOUR_S - 1) == ("UnknownNotLongEnough", (start, 3 * HOUR_S - 1))
    assert refusal_unknown(venue, end, 3 * HOUR_S - 1) == OK


# --------------------------------------------------------------------------------------------------- administration


def test_removals__around_the_edge_of_a_day__are_f_in_any_day(chain: Chain) -> None:
    quorum = deploy_quorum(chain, keys(7), 5, 2)
    remove = quorum.verifier.functions.removeSigner
    start = chain.now + 10
    chain.send(remove(key(0).address), sender=1, timestamp=start)
    chain.send(remove(key(1).address), sender=1, timestamp=start + DAY_S - 1)
    chain.send(remove(key(2).address), sender=1, timestamp=start + DAY_S)

    until = start + 2 * DAY_S - 1
    assert chain.refusal(remove(key(3).address), sender=1) == ("RemovalLimit", (2, until))
    chain.mine_at(until)
    assert chain.refusal(remove(key(3).address), sender=1) == OK


def test_th_104_announcement__signed_long_ago__has_expired(venue: Venue) -> None:
    announce = venue.contract.functions.announcePolicy
    venue.chain.mine_at(venue.chain.now + 1)
    most = venue.chain.now + 100 + 30 * DAY_S

    assert venue.chain.refusal(announce(keccak(b"successor"), most)) == OK
    assert venue.chain.refusal(announce(keccak(b"successor"), most + 1)) == ("ActivationTooLate", (most + 1, most))


# ------------------------------------------------------------------------------------------- what is not on the wire


@pytest.mark.parametrize("changes", [{"assurance": 4}, {"assurance": 255}, {"status": 6}, {"quality": 1 << 10}])
def test_inv_25_value__that_no_wire_number_names__passes_nowhere(venue: Venue, changes: dict[str, int]) -> None:
    leaf, sinking = venue.leaf(**changes), venue.leaf(**{"status": 4, **changes})
    unheard_of = ("LeafValueUnknown", (leaf.status, leaf.assurance, leaf.quality))
    e = venue.evidence(leaf)

    assert venue.refusal("open", 1, e) == unheard_of
    assert venue.refusal("liquidate", None, venue.evidence(sinking))[0] == "LeafValueUnknown"
    assert venue.quorum.refusal(e) == unheard_of
    venue.chain.send(venue.quorum.verifier.functions.postRoot(e.root, e.signatures))
    assert venue.chain.refusal(venue.quorum.verifier.functions.verifyPosted(e.root, leaf, [])) == unheard_of


@pytest.mark.parametrize("until", [-1, 0])
def test_inv_23_root__that_ends_before_its_own_reading__is_refused_like_off_chain(venue: Venue, until: int) -> None:
    ahead = venue.chain.now + 20
    e = venue.evidence(frame=ahead, as_of=ahead, valid_until=ahead + until)

    assert venue.quorum.refusal(e) == (OK if until == 0 else ("ValidUntilBeforeAsOf", (ahead - 1, ahead)))


def test_inv_23_root__of_no_snapshot__is_refused_like_off_chain(venue: Venue) -> None:
    e = venue.evidence(snapshot_root=bytes(32))
    post = venue.quorum.verifier.functions.postRoot(e.root, e.signatures)

    assert venue.quorum.refusal(e) == ("ZeroRoot", ())
    assert venue.chain.refusal(post) == ("ZeroRoot", ())


def test_seizer__of_one_venue__leaves_the_locks_of_another_alone(chain: Chain) -> None:
    venue = deploy_venue(chain)
    box = chain.deploy("LockBox", chain.users[0], DELAY)
    seizer = chain.deploy("LeafSeizer", venue.contract.address, box.address)
    other = keccak(b"another venue")
    chain.send(box.functions.registerVenue(other, seizer.address, chain.users[RECEIVER]))
    chain.send(box.functions.lock(NATIVE, 70, other, venue.account), SEIZER, value=70)

    sinking = venue.evidence(venue.leaf(status=4))

    assert chain.refusal(seizer.functions.seize(0, 70, sinking)) == ("WrongVenue", (venue.venue_id, other))
