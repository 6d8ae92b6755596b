"""The guard: consumption, frames, freshness, what evidence it takes for which act, policies."""

from __future__ import annotations

import pytest
from eth_utils import keccak

from tests.node.contracts.venue import ACTS, MAX_AGE, MAX_SKEW, OWNER, Venue, deploy_venue
from tests.node.contracts.wire import E18, POLICY, WIRE, Evidence, Leaf, key, keys, leaf_hash
from tests.node.contracts.world import OK, Chain, Refusal, deploy_quorum, leaf_of, root_of

pytestmark = pytest.mark.node

DEVNET_BIT = 1 << WIRE["quality_bit"]["devnet"]
MISSING_BIT = 1 << WIRE["quality_bit"]["chain_missing"]


@pytest.fixture
def venue(chain: Chain) -> Venue:
    """Deploy a venue with free excess of 500 USD on its healthy leaf."""
    return deploy_venue(chain)


# ---------------------------------------------------------------------------------------------------- consumption


def test_inv_31_ten_openings__on_one_attestation__never_exceed_its_excess(venue: Venue) -> None:
    e = venue.evidence()
    opened = 0

    for _ in range(10):
        refusal = venue.refusal("open", 120 * E18, e)
        if refusal == OK:
            venue.send("open", 120 * E18, e)
            opened += 120 * E18
        else:
            assert refusal == ("ExcessInsufficient", (1000 * E18, 500 * E18 + opened + 120 * E18))

    assert opened == 480 * E18
    assert venue.contract.functions.openedUsd(venue.account).call() == 480 * E18
    assert venue.refusal("open", 20 * E18, e) == OK
    assert venue.refusal("open", 20 * E18 + 1, e)[0] == "ExcessInsufficient"


def test_inv_31_acts__of_different_kinds__share_one_excess(venue: Venue) -> None:
    e = venue.evidence()
    venue.send("open", 300 * E18, e)
    venue.send("withdraw", 150 * E18, e)

    assert venue.refusal("open", 50 * E18, e) == OK
    assert venue.refusal("withdraw", 50 * E18 + 1, e)[0] == "ExcessInsufficient"


def test_inv_31_newer_frame__read_before_the_act__does_not_free_what_was_used(venue: Venue) -> None:
    first = venue.evidence()
    acted_at = venue.send("open", 500 * E18, first)
    venue.chain.mine_at(acted_at + 20)

    same_second = venue.evidence(frame=acted_at + 20, as_of=acted_at)
    after = venue.evidence(frame=acted_at + 20, as_of=acted_at + 1)

    assert venue.refusal("open", 1, same_second)[0] == "ExcessInsufficient"
    assert venue.refusal("open", 500 * E18, after) == OK
    assert venue.refusal("open", 500 * E18 + 1, after)[0] == "ExcessInsufficient"


def test_inv_31_newer_frame__without_one_chain__does_not_free_what_was_used(venue: Venue) -> None:
    acted_at = venue.send("open", 500 * E18, venue.evidence())
    venue.chain.mine_at(acted_at + 20)
    partial = venue.evidence(venue.leaf(quality=MISSING_BIT))

    assert partial.root.as_of > acted_at
    assert venue.refusal("open", 1, partial)[0] == "ExcessInsufficient"


def test_inv_31_poke__with_newer_evidence__frees_nothing(venue: Venue) -> None:
    e = venue.evidence()
    acted_at = venue.send("open", 500 * E18, e)
    venue.chain.mine_at(acted_at + 20)
    venue.chain.send(venue.contract.functions.poke(venue.evidence()))

    assert venue.record()[3] == 500 * E18


@pytest.mark.parametrize("added", [2**128 - 1, 2**128, 2**255])
def test_act__of_absurd_size__is_refused(venue: Venue, added: int) -> None:
    assert venue.refusal("open", added, venue.evidence())[0] == "ExcessInsufficient"


def test_act__larger_than_numbers_go__panics_instead_of_wrapping(venue: Venue) -> None:
    e = venue.evidence()
    venue.send("open", E18, e)

    assert venue.refusal("open", 2**256 - 1, e) == ("Panic", (17,))


def test_th_059_figures__at_their_maximum__neither_wrap_nor_pass(venue: Venue) -> None:
    most = 2**128 - 1
    full = venue.leaf(collateral_usd=most, liability_usd=0, initial_margin_usd=0)
    over = venue.leaf(collateral_usd=most, liability_usd=most, initial_margin_usd=most)

    assert venue.refusal("open", most, venue.evidence(full)) == OK
    assert venue.refusal("open", 0, venue.evidence(over)) == ("ExcessInsufficient", (most, 2 * most))


# --------------------------------------------------------------------------------------------------------- frames


def test_th_107_older_better_evidence__after_a_newer_worse_poke__is_refused(venue: Venue) -> None:
    chain = venue.chain
    better = venue.evidence()
    chain.mine_at(chain.now + 10)
    worse = venue.evidence(venue.leaf(status=3))
    chain.send(venue.contract.functions.poke(worse), sender=7)

    assert venue.refusal("open", 1, better) == ("FrameSuperseded", (better.root.frame, worse.root.frame))
    assert venue.refusal("liquidate", None, better)[0] == "FrameSuperseded"
    assert venue.refusal("open", 1, worse) == ("StatusRefused", (3,))


def test_th_107_equal_frame__is_the_same_claim__and_passes(venue: Venue) -> None:
    e = venue.evidence()
    venue.send("open", 1, e)

    assert venue.refusal("open", 1, e) == OK
    assert venue.chain.refusal(venue.contract.functions.poke(e)) == (
        "FrameNotNewer",
        (e.root.frame, e.root.frame),
    )


def test_th_107_poke__of_one_account__does_not_touch_another(venue: Venue) -> None:
    other = leaf_of(key(61).address, venue.venue_id)
    mine = venue.evidence()
    venue.chain.mine_at(venue.chain.now + 10)
    venue.chain.send(venue.contract.functions.poke(venue.evidence(other)))

    assert venue.refusal("open", 1, mine) == OK


def test_poke__without_a_quorum_or_for_another_venue__is_refused(venue: Venue) -> None:
    e = venue.evidence()
    forged = e._replace(signatures=e.signatures[:-1] + bytes([e.signatures[-1] ^ 1]))
    foreign = venue.evidence(venue.leaf(venue_id=keccak(b"elsewhere")))
    poke = venue.contract.functions.poke

    assert venue.chain.refusal(poke(forged))[0] == "SignatureInvalid"
    assert venue.chain.refusal(poke(foreign))[0] == "WrongVenue"


# ------------------------------------------------------------------------------------------------------ freshness


@pytest.mark.parametrize("late", [-1, 0, 1])
@pytest.mark.parametrize("act", ["open", "withdraw", "liquidate"])
def test_th_108_age__around_the_limit_of_the_act__passes_inclusively(venue: Venue, act: str, late: int) -> None:
    e = venue.evidence(venue.leaf(status=4 if act == "liquidate" else 1))
    limit = MAX_AGE[ACTS.index(act)]
    venue.chain.mine_at(e.root.as_of + limit + late)

    refusal = venue.refusal(act, 1, e)

    assert refusal == (OK if late <= 0 else ("EvidenceTooOld", (limit + 1, limit)))


@pytest.mark.parametrize("skew", [MAX_SKEW - 1, MAX_SKEW, MAX_SKEW + 1])
def test_th_108_skew__around_the_limit__passes_inclusively(venue: Venue, skew: int) -> None:
    refusal = venue.refusal("open", 1, venue.evidence(skew=skew))

    assert refusal == (OK if skew <= MAX_SKEW else ("SkewTooLarge", (skew, MAX_SKEW)))


def test_th_108_evidence__thirty_seconds_ahead_of_the_chain__has_no_negative_age(venue: Venue) -> None:
    ahead = venue.chain.now + 30

    assert venue.refusal("open", 1, venue.evidence(frame=ahead, as_of=ahead)) == OK


# --------------------------------------------------------------------------------- what evidence counts for what


@pytest.mark.parametrize("status", range(6))
def test_th_111_status__for_each_act__passes_only_where_it_means_so(venue: Venue, status: int) -> None:
    e = venue.evidence(venue.leaf(status=status))
    grows = OK if status in (1, 2) else ("StatusRefused", (status,))

    assert venue.refusal("open", 1, e) == grows
    assert venue.refusal("withdraw", 1, e) == grows
    assert venue.refusal("liquidate", None, e) == (OK if status in (4, 5) else ("StatusRefused", (status,)))


@pytest.mark.parametrize("assurance", range(4))
def test_th_111_assurance__below_the_floor_of_the_act__is_refused(venue: Venue, assurance: int) -> None:
    healthy = venue.evidence(venue.leaf(assurance=assurance))
    sinking = venue.evidence(venue.leaf(assurance=assurance, status=4))

    assert venue.refusal("open", 1, healthy) == (OK if assurance >= 2 else ("AssuranceTooLow", (assurance, 2)))
    assert venue.refusal("withdraw", 1, healthy) == (OK if assurance >= 3 else ("AssuranceTooLow", (assurance, 3)))
    assert venue.refusal("liquidate", None, sinking) == (OK if assurance >= 1 else ("AssuranceTooLow", (0, 1)))


@pytest.mark.parametrize("bit", range(10))
def test_th_111_quality__with_each_bit__is_refused_where_the_act_forbids_it(venue: Venue, bit: int) -> None:
    quality = 1 << bit
    e = venue.evidence(venue.leaf(quality=quality))

    assert venue.refusal("open", 1, e) == (("QualityForbidden", (quality,)) if bit < 2 else OK)
    assert venue.refusal("withdraw", 1, e) == (("QualityForbidden", (quality,)) if bit == 8 else OK)


def test_th_111_devnet_evidence__on_a_chain_that_is_no_devnet__is_refused(public_chain: Chain, venue: Venue) -> None:
    public = deploy_venue(public_chain)
    forbidden = ("QualityForbidden", (DEVNET_BIT,))

    assert venue.refusal("open", 1, venue.evidence(venue.leaf(quality=DEVNET_BIT))) == OK
    assert public.refusal("open", 1, public.evidence()) == OK
    marked = public.evidence(public.leaf(quality=DEVNET_BIT))
    assert public.refusal("open", 1, marked) == forbidden
    assert public.chain.refusal(public.contract.functions.poke(marked)) == forbidden


def test_th_110_leaf__of_another_account_or_venue__does_not_answer_the_question(venue: Venue) -> None:
    stranger = leaf_of(key(61).address, venue.venue_id)
    elsewhere = venue.leaf(venue_id=keccak(b"elsewhere"))

    assert venue.refusal("open", 1, venue.evidence(stranger)) == (
        "WrongAccount",
        (venue.account, stranger.account_id),
    )
    assert venue.refusal("open", 1, venue.evidence(elsewhere)) == (
        "WrongVenue",
        (venue.venue_id, elsewhere.venue_id),
    )


def test_th_106_evidence__of_one_venue__counts_at_no_other_under_the_same_verifier(venue: Venue) -> None:
    other = deploy_venue(venue.chain, venue.quorum)
    e = venue.evidence()

    assert venue.refusal("open", 1, e) == OK
    assert other.refusal("open", 1, e) == ("WrongVenue", (other.venue_id, venue.venue_id))


def test_act__whose_rule_was_never_set__is_refused(chain: Chain) -> None:
    quorum = deploy_quorum(chain, keys(1), 1, 0)
    bare = deploy_venue(chain, quorum, rules=[(300, 60, 1, 0)])

    assert bare.refusal("open", 1, bare.evidence()) == OK
    assert bare.refusal("withdraw", 1, bare.evidence()) == ("ActRuleMissing", (1,))
    assert bare.refusal("liquidate", None, bare.evidence(bare.leaf(status=4))) == ("ActRuleMissing", (2,))


@pytest.mark.parametrize("rule", [(0, 60, 1, 0), (300, 60, 0, 0), (300, 60, 4, 0)])
def test_th_111_rule__without_floors__cannot_be_set(chain: Chain, rule: tuple[int, ...]) -> None:
    quorum = deploy_quorum(chain, keys(1), 1, 0)
    arguments = (quorum.verifier.address, chain.users[0], POLICY, 100, [rule])

    assert chain.deploy_refusal("GuardedVenue", *arguments) == ("ActRuleInvalid", (0,))


def test_liquidation_rule__used_for_growth__is_refused(venue: Venue) -> None:
    call = venue.contract.functions.requireInitialFor(venue.account, 2, venue.evidence())

    assert venue.chain.refusal(call) == ("ActRuleInvalid", (2,))


def test_th_114_act__sent_by_anybody__depends_on_the_evidence_alone(venue: Venue) -> None:
    call = venue.contract.functions.open(venue.account, 1, venue.evidence())

    assert [venue.chain.refusal(call, sender=user) for user in range(4)] == [OK] * 4


def test_flat_account__withdrawing__needs_no_evidence_but_opening_does(venue: Venue) -> None:
    nothing = Evidence(root_of(0), b"", leaf_of(OWNER, bytes(32)), [])
    before = venue.refusal("withdraw", 5, nothing)
    venue.chain.send(venue.contract.functions.setFlat(venue.account, True))

    assert before[0] == "WrongVenue"
    assert venue.refusal("withdraw", 5, nothing) == OK
    assert venue.refusal("open", 5, nothing)[0] == "WrongVenue"


def test_growth__while_the_venue_pauses_it__is_refused_and_liquidation_is_not(venue: Venue) -> None:
    venue.chain.send(venue.contract.functions.setPaused(True))

    assert venue.refusal("open", 1, venue.evidence()) == ("GrowthPaused", ())
    assert venue.refusal("liquidate", None, venue.evidence(venue.leaf(status=4))) == OK


def test_evidence__without_signatures__counts_if_its_root_was_posted(venue: Venue) -> None:
    e = venue.evidence()
    bare = e._replace(signatures=b"")
    before = venue.refusal("open", 1, bare)
    venue.chain.send(venue.quorum.verifier.functions.postRoot(e.root, e.signatures))

    assert before[0] == "RootNotPosted"
    assert venue.refusal("open", 1, bare) == OK


# ------------------------------------------------------------------------------------------------ unknown accounts


def test_unknown_account__for_long_enough__may_be_liquidated_on_the_venues_terms(venue: Venue) -> None:
    chain = venue.chain
    first = venue.evidence(venue.leaf(status=0))
    receipt = chain.send(venue.contract.functions.poke(first))
    since = chain.w3.eth.get_block(receipt["blockNumber"])["timestamp"]

    def refusal_at(timestamp: int, leaf: Leaf) -> Refusal:
        chain.mine_at(timestamp)
        return chain.refusal(venue.contract.functions.liquidateUnknown(venue.account, 60, venue.evidence(leaf)))

    assert venue.record()[2] == since
    assert refusal_at(since + 59, venue.leaf(status=0)) == ("UnknownNotLongEnough", (since, 60))
    assert refusal_at(since + 60, venue.leaf(status=0)) == OK
    assert refusal_at(since + 61, venue.leaf(status=1)) == ("StatusRefused", (1,))
    chain.send(venue.contract.functions.poke(venue.evidence(venue.leaf(status=1))))
    assert venue.record()[2] == 0
    assert refusal_at(since + 100, venue.leaf(status=0)) == ("UnknownNotLongEnough", (since + 100, 60))


# -------------------------------------------------------------------------------------------------------- policies


def test_policy__announced_with_its_delay__takes_over_at_its_frame(venue: Venue) -> None:
    chain, announce = venue.chain, venue.contract.functions.announcePolicy
    successor, third = keccak(b"successor"), keccak(b"third")
    chain.mine_at(chain.now + 1)
    least = chain.now + 100
    assert chain.refusal(announce(successor, least - 1)) == ("ActivationTooSoon", (least - 1, least))
    assert chain.refusal(announce(successor, least)) == OK
    assert chain.refusal(announce(successor, least), sender=3)[0] == "NotPolicyAdmin"
    assert chain.refusal(announce(bytes(32), least)) == ("PolicyInvalid", ())
    frame = least + 50
    chain.send(announce(successor, frame))
    chain.mine_at(frame + 5)

    old = {"frame": frame - 1, "as_of": frame - 1}
    assert venue.refusal("open", 1, venue.evidence(**old)) == OK
    assert venue.refusal("open", 1, venue.evidence()) == ("WrongPolicy", (successor, POLICY))
    assert venue.refusal("open", 1, venue.evidence(policy_id=successor)) == OK
    assert venue.refusal("open", 1, venue.evidence(policy_id=successor, **old)) == ("WrongPolicy", (POLICY, successor))
    chain.send(announce(third, frame + 500))
    assert venue.contract.functions.policyAt(frame + 499).call() == successor
    assert venue.contract.functions.policyAt(frame + 500).call() == third


def test_policy__announced_again_before_its_frame__is_replaced(venue: Venue) -> None:
    chain, announce = venue.chain, venue.contract.functions.announcePolicy
    frame = chain.now + 500
    chain.send(announce(keccak(b"mistake"), frame))
    chain.send(announce(POLICY, frame + 1))

    assert venue.contract.functions.policyAt(frame + 10).call() == POLICY


def test_guard__without_verifier_admin_or_policy__cannot_be_deployed(chain: Chain) -> None:
    user, zero = chain.users[0], "0x" + "00" * 20

    for arguments in ((zero, user, POLICY), (user, zero, POLICY), (user, user, bytes(32))):
        assert chain.deploy_refusal("GuardedVenue", *arguments, 1, []) == ("PolicyInvalid", ())


def test_venue_id__of_a_venue__is_the_hash_of_chain_and_address(venue: Venue) -> None:
    words = venue.chain.w3.eth.chain_id.to_bytes(32, "big") + bytes(12) + bytes.fromhex(venue.contract.address[2:])

    assert venue.venue_id == keccak(words)
    assert leaf_hash(venue.leaf()) != leaf_hash(venue.leaf(venue_id=bytes(32)))
