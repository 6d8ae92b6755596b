"""Signer sets: what is refused, rotation with its timelock, removal, and equivocation across epochs."""

from __future__ import annotations

import pytest
from eth_utils import keccak
from web3.logs import DISCARD

from tests.node.contracts.wire import Evidence, blob, digest, key, keys, leaf_hash
from tests.node.contracts.world import OK, Chain, Quorum, deploy_quorum, leaf_of, root_of

pytestmark = pytest.mark.node

LAST_FRAME = 2**40 - 1
LEAF = leaf_of(key(50).address, keccak(b"venue"))
ZERO = "0x" + "00" * 20
TIMELOCK = 100
WINDOW = 30 * 86_400


def addresses(count: int, first: int = 0) -> list[str]:
    return [key(number).address for number in range(first, first + count)]


@pytest.mark.parametrize(
    ("n", "k", "f"), [(1, 1, 0), (4, 3, 1), (7, 5, 2), (19, 13, 6), (3, 2, 0), (5, 3, 0), (32, 22, 10)]
)
def test_set__that_keeps_the_rules__is_stored_and_read_back(chain: Chain, n: int, k: int, f: int) -> None:
    verifier = deploy_quorum(chain, keys(n), k, f).verifier

    assert verifier.functions.signerSet(0).call() == (addresses(n), k, f, 0, LAST_FRAME, 0)


@pytest.mark.parametrize(
    ("members", "k", "f", "expected"),
    [
        ([], 0, 0, ("BadSignerCount", (0,))),
        (addresses(33), 30, 0, ("BadSignerCount", (33,))),
        (addresses(4), 0, 0, ("ZeroThreshold", ())),
        (addresses(4), 5, 0, ("ThresholdUnreachable", (4, 5, 0))),
        (addresses(4), 4, 1, ("ThresholdUnreachable", (4, 4, 1))),
        (addresses(3), 2, 1, ("QuorumsMayDiverge", (3, 2, 1))),
        (addresses(5), 3, 1, ("QuorumsMayDiverge", (5, 3, 1))),
        (addresses(4), 2, 0, ("QuorumsMayDiverge", (4, 2, 0))),
        (addresses(2), 1, 0, ("QuorumsMayDiverge", (2, 1, 0))),
        (addresses(1), 1, 255, ("ThresholdUnreachable", (1, 1, 255))),
        ([*addresses(3), ZERO], 3, 1, ("ZeroSigner", (3,))),
        ([*addresses(3), key(1).address], 3, 1, ("DuplicateSigner", (key(1).address.lower(),))),
    ],
)
def test_th_091_094_set__that_breaks_a_rule__cannot_be_deployed(
    chain: Chain, members: list[str], k: int, f: int, expected: tuple[str, tuple[object, ...]]
) -> None:
    refusal = chain.deploy_refusal("MarginVerifier", chain.users[0], chain.users[1], TIMELOCK, members, k, f)

    assert refusal == expected


def test_th_094_small_sets__all_of_them__are_refused_exactly_by_the_arithmetic(chain: Chain, quorum: Quorum) -> None:
    first = chain.now + TIMELOCK + 50

    for n in range(1, 6):
        for k in range(n + 2):
            for f in range(n + 1):
                call = quorum.verifier.functions.scheduleEpoch(addresses(n), k, f, first)
                assert (chain.refusal(call) == OK) == (0 < k <= n - f and 2 * k - n > f)


@pytest.mark.parametrize("timelock", [0, 30])
def test_timelock__not_longer_than_a_frame_may_lie_ahead__is_refused(chain: Chain, timelock: int) -> None:
    users = chain.users

    refusal = chain.deploy_refusal("MarginVerifier", users[0], users[1], timelock, addresses(1), 1, 0)

    assert refusal == ("TimelockTooShort", (timelock, 30))
    assert chain.deploy_refusal("MarginVerifier", users[0], users[1], 31, addresses(1), 1, 0) == OK
    assert chain.deploy_refusal("MarginVerifier", ZERO, users[1], 31, addresses(1), 1, 0) == ("ZeroAddress", ())
    assert chain.deploy_refusal("MarginVerifier", users[0], ZERO, 31, addresses(1), 1, 0) == ("ZeroAddress", ())


def test_th_104_schedule__outside_its_window__is_refused_so_that_old_calls_expire(chain: Chain, quorum: Quorum) -> None:
    chain.mine_at(chain.now + 1)
    least = chain.now + TIMELOCK
    schedule = quorum.verifier.functions.scheduleEpoch

    assert chain.refusal(schedule(addresses(4, 10), 3, 1, least - 1)) == ("FromFrameTooSoon", (least - 1, least))
    assert chain.refusal(schedule(addresses(4, 10), 3, 1, least)) == OK
    assert chain.refusal(schedule(addresses(4, 10), 3, 1, least + WINDOW)) == OK
    assert chain.refusal(schedule(addresses(4, 10), 3, 1, least + WINDOW + 1)) == (
        "FromFrameTooLate",
        (least + WINDOW + 1, least + WINDOW),
    )
    assert chain.refusal(schedule(addresses(4, 10), 3, 1, least), sender=1)[0] == "NotAdmin"


def test_th_104_schedule__repeated_or_out_of_order__is_refused(chain: Chain, quorum: Quorum) -> None:
    first = chain.now + 500
    schedule = quorum.verifier.functions.scheduleEpoch
    chain.send(schedule(addresses(4, 10), 3, 1, first))

    assert chain.refusal(schedule(addresses(4, 10), 3, 1, first)) == ("FromFrameTooSoon", (first, first + 1))
    for later in range(1, 8):
        chain.send(schedule(addresses(4, 10 + later), 3, 1, first + later))
    assert chain.refusal(schedule(addresses(4, 30), 3, 1, first + 9)) == ("TooManyScheduled", (8,))


def signed(quorum: Quorum, members: dict[int, int], **changes: object) -> Evidence:
    """Sign a one-leaf root by {index in the set: key number}."""
    root = root_of(quorum.chain.now, accounts_root=leaf_hash(LEAF), **changes)
    message = digest(root, quorum.verifier.address, quorum.chain.w3.eth.chain_id)
    return Evidence(root, blob({index: key(number) for index, number in members.items()}, message), LEAF, [])


OLD = {0: 0, 1: 1, 2: 2}
NEW = {0: 10, 1: 11, 2: 12}


def test_th_095_rotation__by_the_frame_number__lets_old_and_new_roots_stand_side_by_side(
    chain: Chain, quorum: Quorum
) -> None:
    switch = chain.now + TIMELOCK + 20
    chain.send(quorum.verifier.functions.scheduleEpoch(addresses(4, 10), 3, 1, switch))
    chain.mine_at(switch + 5)
    before, at = {"frame": switch - 1, "as_of": switch - 1}, {"frame": switch, "as_of": switch}

    assert quorum.refusal(signed(quorum, OLD, **before)) == OK
    assert quorum.refusal(signed(quorum, OLD, **at)) == ("WrongEpoch", (0, switch))
    assert quorum.refusal(signed(quorum, NEW, signer_epoch=1, **at)) == OK
    assert quorum.refusal(signed(quorum, NEW, signer_epoch=1, **before)) == ("WrongEpoch", (1, switch - 1))
    assert quorum.refusal(signed(quorum, OLD, signer_epoch=1, **at)) == ("SignatureInvalid", (0,))
    assert quorum.refusal(signed(quorum, {0: 0, 1: 1, 2: 12}, **before)) == ("SignatureInvalid", (2,))
    assert quorum.refusal(signed(quorum, NEW, signer_epoch=2, **at)) == ("UnknownEpoch", (2,))
    assert [quorum.verifier.functions.epochAt(frame).call() for frame in (0, switch - 1, switch)] == [0, 0, 1]


def test_th_095_retired_set__that_signs_an_old_frame_with_new_readings__is_refused(
    chain: Chain, quorum: Quorum
) -> None:
    switch = chain.now + TIMELOCK + 20
    chain.send(quorum.verifier.functions.scheduleEpoch(addresses(4, 10), 3, 1, switch))
    chain.mine_at(switch + 5_000)

    forged = signed(quorum, OLD, frame=switch - 1)

    assert quorum.refusal(forged) == ("AsOfAfterFrame", (forged.root.as_of, switch - 1))


def test_removal__by_the_guardian__counts_at_once_and_never_lowers_k(chain: Chain, quorum: Quorum) -> None:
    three, four = signed(quorum, OLD), signed(quorum, {**OLD, 3: 3})
    remove = quorum.verifier.functions.removeSigner
    assert chain.refusal(remove(key(1).address), sender=0)[0] == "NotGuardian"
    assert chain.refusal(remove(key(40).address), sender=1) == ("UnknownSigner", (key(40).address.lower(),))
    chain.send(remove(key(1).address), sender=1)

    assert quorum.refusal(three) == ("QuorumNotMet", (2, 3))
    assert quorum.refusal(four) == OK
    assert quorum.refusal(signed(quorum, {0: 0, 2: 2, 3: 3})) == OK
    assert quorum.verifier.functions.signerSet(0).call() == (addresses(4), 3, 1, 0, LAST_FRAME, 0b0010)
    assert chain.refusal(remove(key(1).address), sender=1) == ("SignerWasRemoved", (key(1).address.lower(),))


def test_removal__more_than_f_keys_in_a_day__is_refused(chain: Chain, quorum: Quorum) -> None:
    remove = quorum.verifier.functions.removeSigner
    receipt = chain.send(remove(key(0).address), sender=1)
    start = chain.w3.eth.get_block(receipt["blockNumber"])["timestamp"]

    chain.mine_at(start + 86_399)
    assert chain.refusal(remove(key(1).address), sender=1) == ("RemovalLimit", (1, start + 86_400))
    chain.mine_at(start + 86_400)
    assert chain.refusal(remove(key(1).address), sender=1) == OK
    chain.send(remove(key(1).address), sender=1)

    assert quorum.refusal(signed(quorum, {0: 0, 1: 1, 2: 2, 3: 3})) == ("QuorumNotMet", (2, 3))


def test_removed_key__in_a_scheduled_set__is_removed_there_and_never_comes_back(chain: Chain, quorum: Quorum) -> None:
    switch = chain.now + TIMELOCK + 20
    schedule = quorum.verifier.functions.scheduleEpoch
    chain.send(schedule([*addresses(3, 10), key(0).address], 3, 1, switch))
    chain.send(quorum.verifier.functions.removeSigner(key(0).address), sender=1)

    assert quorum.verifier.functions.signerSet(1).call()[5] == 0b1000
    assert chain.refusal(schedule(addresses(4), 3, 1, switch + 500)) == ("SignerWasRemoved", (key(0).address.lower(),))


def test_posted_root__whose_signer_is_removed__is_counted_again(chain: Chain, quorum: Quorum) -> None:
    three = signed(quorum, OLD)
    four = three._replace(signatures=quorum.sign(three.root, 0, 2, 3))
    verify = quorum.verifier.functions.verifyPosted(three.root, LEAF, [])
    chain.send(quorum.verifier.functions.postRoot(three.root, three.signatures))
    assert chain.refusal(verify) == OK
    chain.send(quorum.verifier.functions.removeSigner(key(1).address), sender=1)

    assert chain.refusal(verify) == ("QuorumNotMet", (2, 3))

    chain.send(quorum.verifier.functions.postRoot(four.root, four.signatures))
    assert quorum.verifier.functions.posted(digest_of(quorum, three)).call() == [0b1111, 3]
    assert chain.refusal(verify) == OK


def digest_of(quorum: Quorum, e: Evidence) -> bytes:
    return digest(e.root, quorum.verifier.address, quorum.chain.w3.eth.chain_id)


def two_stories(quorum: Quorum, first: dict[int, int], second: dict[int, int], **changes: object) -> list[object]:
    """Return the arguments of a report about two roots of one slot."""
    one = signed(quorum, first, frame=quorum.chain.now)
    two = signed(quorum, second, frame=one.root.frame, as_of=one.root.as_of, snapshot_root=keccak(b"other"), **changes)
    return [one.root, one.signatures, two.root, two.signatures]


def removed(quorum: Quorum, count: int) -> list[int]:
    is_removed = quorum.verifier.functions.isRemoved
    return [number for number in range(count) if is_removed(key(number).address).call()]


def test_th_087_equivocation__of_two_roots_for_one_slot__ejects_exactly_the_common_signers(
    chain: Chain, quorum: Quorum
) -> None:
    report = two_stories(quorum, {0: 0, 1: 1, 3: 3}, {1: 1, 2: 2, 3: 3})

    receipt = chain.send(quorum.verifier.functions.reportEquivocation(*report), sender=5)

    assert removed(quorum, 4) == [1, 3]
    assert len(quorum.verifier.events.SignerRemoved().process_receipt(receipt, errors=DISCARD)) == 2
    assert chain.refusal(quorum.verifier.functions.reportEquivocation(*report)) == ("NoNewEquivocator", ())
    assert quorum.refusal(signed(quorum, {0: 0, 1: 1, 2: 2, 3: 3})) == ("QuorumNotMet", (2, 3))


def test_th_087_equivocation__of_one_signer_without_any_quorum__is_enough(chain: Chain, quorum: Quorum) -> None:
    chain.send(quorum.verifier.functions.reportEquivocation(*two_stories(quorum, {2: 2}, {2: 2})))

    assert removed(quorum, 4) == [2]


def test_th_087_equivocation__under_two_epochs_at_different_places__ejects_the_same_address(
    chain: Chain, quorum: Quorum
) -> None:
    members = [key(20).address, key(2).address, *addresses(2, 21)]
    chain.send(quorum.verifier.functions.scheduleEpoch(members, 3, 1, chain.now + TIMELOCK + 20))
    report = two_stories(quorum, {2: 2, 3: 3}, {0: 20, 1: 2}, signer_epoch=1)

    chain.send(quorum.verifier.functions.reportEquivocation(*report))

    assert removed(quorum, 30) == [2]
    assert [quorum.verifier.functions.removedBitmap(epoch).call() for epoch in (0, 1)] == [0b0100, 0b0010]


def test_th_087_report__that_proves_nothing__is_refused(chain: Chain, quorum: Quorum) -> None:
    report = quorum.verifier.functions.reportEquivocation
    one, sigs_one, two, sigs_two = two_stories(quorum, {0: 0, 1: 1}, {2: 2, 3: 3})
    later = signed(quorum, OLD, frame=one.frame - 1, as_of=one.frame - 1)
    foreign = signed(quorum, OLD, frame=one.frame, policy_id=keccak(b"another policy"))
    forged = bytearray(sigs_two)
    forged[10] ^= 1

    assert chain.refusal(report(one, sigs_one, two, sigs_two)) == ("NoNewEquivocator", ())
    assert chain.refusal(report(one, sigs_one, one, sigs_one)) == ("RootsEqual", ())
    assert chain.refusal(report(one, sigs_one, later.root, later.signatures)) == ("SlotsDiffer", ())
    assert chain.refusal(report(one, sigs_one, foreign.root, foreign.signatures)) == ("SlotsDiffer", ())
    assert chain.refusal(report(one, sigs_one, two, bytes(forged))) == ("SignatureInvalid", (2,))
    assert chain.refusal(report(one, sigs_one, two, bytes(4))) == ("NoNewEquivocator", ())
    assert chain.refusal(report(one, sigs_one, two._replace(signer_epoch=9), sigs_two)) == ("UnknownEpoch", (9,))
