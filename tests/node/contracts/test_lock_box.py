"""LockBox: who locks, what counts, release to the second, seizure, and tokens that do not behave."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from eth_utils import keccak
from web3.contract import Contract
from web3.types import TxReceipt

from tests.node.contracts.venue import deploy_venue
from tests.node.contracts.wire import account_id, key
from tests.node.contracts.world import OK, Chain, Refusal

pytestmark = pytest.mark.node

VENUE = keccak(b"venue")
OTHER_VENUE = keccak(b"another venue")
ACCOUNT = account_id(key(60).address)
NATIVE = "0x" + "00" * 20
DELAY = 900
DEPOSITOR, SEIZER, RECEIVER, STRANGER = 4, 5, 6, 7
LOCKED_MAX = 2**128 - 2


@dataclass(frozen=True, slots=True)
class Box:
    """A lock box with two venues and a token of which the depositor has much."""

    chain: Chain
    contract: Contract
    token: Contract

    def lock(self, amount: int, asset: str | None = None, account: bytes = ACCOUNT, venue: bytes = VENUE) -> int:
        """Lock for an account; return the lock's number."""
        chosen = self.token.address if asset is None else asset
        value = amount if chosen == NATIVE else 0
        self.chain.send(self.contract.functions.lock(chosen, amount, venue, account), DEPOSITOR, value)
        return int(self.contract.functions.nextLockId().call()) - 1

    def counted(self, asset: str | None = None, account: bytes = ACCOUNT, venue: bytes = VENUE) -> int:
        """Return what counts."""
        chosen = self.token.address if asset is None else asset
        return int(self.contract.functions.locked(venue, chosen, account).call())

    def do(self, name: str, *args: object, sender: int = DEPOSITOR) -> TxReceipt:
        """Send a call that must succeed."""
        return self.chain.send(self.contract.get_function_by_name(name)(*args), sender)

    def refusal(self, name: str, *args: object, sender: int = DEPOSITOR, value: int = 0) -> Refusal:
        """Try a call."""
        return self.chain.refusal(self.contract.get_function_by_name(name)(*args), sender, value)


@pytest.fixture
def box(chain: Chain) -> Box:
    contract = chain.deploy("LockBox", chain.users[0], DELAY)
    made = Box(chain, contract, endow(chain, contract, "PlainToken"))
    for venue in (VENUE, OTHER_VENUE):
        made.do("registerVenue", venue, chain.users[SEIZER], chain.users[RECEIVER], sender=0)
    return made


def endow(chain: Chain, box: Contract, name: str, *args: object) -> Contract:
    """Deploy a token, mint to the depositor, approve the box."""
    token = chain.deploy(name, *args)
    chain.send(token.functions.mint(chain.users[DEPOSITOR], 2**130))
    chain.send(token.functions.approve(box.address, 2**256 - 1), DEPOSITOR)
    return token


# ---------------------------------------------------------------------------------------------------------- venues


def test_venue__registered_once__stays_as_it_is(box: Box) -> None:
    users = box.chain.users
    fresh = keccak(b"fresh")

    assert box.refusal("registerVenue", VENUE, users[8], users[8], sender=0) == ("VenueExists", (VENUE,))
    assert box.refusal("registerVenue", fresh, users[8], users[8])[0] == "NotRegistrar"
    assert box.refusal("registerVenue", fresh, NATIVE, users[8], sender=0) == ("ZeroAddress", ())
    assert box.refusal("registerVenue", fresh, users[8], NATIVE, sender=0) == ("ZeroAddress", ())
    assert box.contract.functions.venues(VENUE).call() == [users[SEIZER], users[RECEIVER]]


@pytest.mark.parametrize(("delay", "expected"), [(0, False), (1, True), (31_536_000, True), (31_536_001, False)])
def test_release_delay__outside_its_bounds__is_refused(chain: Chain, delay: int, expected: bool) -> None:
    refusal = chain.deploy_refusal("LockBox", chain.users[0], delay)

    assert refusal == (OK if expected else ("ReleaseDelayInvalid", (delay,)))
    assert chain.deploy_refusal("LockBox", NATIVE, DELAY) == ("ZeroAddress", ())


# --------------------------------------------------------------------------------------------------------- locking


def test_lock__of_token_or_coin_by_anybody__counts_for_the_account_named(box: Box) -> None:
    box.lock(70)
    box.lock(30)
    box.lock(5, NATIVE)
    box.lock(9, account=account_id(key(61).address))

    assert (box.counted(), box.counted(NATIVE)) == (100, 5)
    assert box.counted(account=account_id(key(61).address)) == 9
    assert box.counted(venue=OTHER_VENUE) == 0
    assert box.contract.functions.lockOf(1).call() == (
        box.chain.users[DEPOSITOR],
        0,
        box.token.address,
        30,
        VENUE,
        ACCOUNT,
    )


def test_lock__announces_all_that_a_reader_needs(box: Box) -> None:
    receipt = box.do("lock", box.token.address, 70, VENUE, ACCOUNT)

    (log,) = box.contract.events.Locked().process_receipt(receipt)
    assert dict(log["args"]) == {
        "lockId": 0,
        "venueId": VENUE,
        "accountId": ACCOUNT,
        "asset": box.token.address,
        "depositor": box.chain.users[DEPOSITOR],
        "amount": 70,
    }


def test_lock__of_nothing_for_nobody_or_nowhere__is_refused(box: Box) -> None:
    token, nowhere = box.token.address, keccak(b"nowhere")

    assert box.refusal("lock", token, 0, VENUE, ACCOUNT) == ("ZeroAmount", ())
    assert box.refusal("lock", NATIVE, 0, VENUE, ACCOUNT) == ("ZeroAmount", ())
    assert box.refusal("lock", token, 1, VENUE, bytes(32)) == ("ZeroAccount", ())
    assert box.refusal("lock", token, 1, nowhere, ACCOUNT) == ("VenueUnknown", (nowhere,))
    assert box.refusal("lock", token, 1, VENUE, ACCOUNT, value=1) == ("NativeValueWrong", (1, 0))
    assert box.refusal("lock", NATIVE, 2, VENUE, ACCOUNT, value=1) == ("NativeValueWrong", (1, 2))
    assert box.refusal("lock", box.chain.users[9], 1, VENUE, ACCOUNT) != OK


def test_lock__up_to_what_a_packed_reader_can_express__passes(box: Box) -> None:
    assert box.refusal("lock", box.token.address, LOCKED_MAX + 1, VENUE, ACCOUNT)[0] == "AmountTooLarge"
    box.lock(LOCKED_MAX - 1)

    assert box.refusal("lock", box.token.address, 2, VENUE, ACCOUNT) == ("AmountTooLarge", (2, 1))
    box.lock(1)
    assert box.counted() == LOCKED_MAX


def test_accounts__of_a_venue__are_listed_once_in_the_order_of_their_first_lock(box: Box) -> None:
    accounts = [account_id(key(number).address) for number in (63, 61, 62)]
    for account in (*accounts, accounts[0], accounts[2]):
        box.lock(1, account=account)
    read = box.contract.functions

    assert read.accountCount(VENUE).call() == 3
    assert read.accountCount(OTHER_VENUE).call() == 0
    assert [read.accountAt(VENUE, index).call() for index in range(3)] == accounts
    assert read.accountsSlice(VENUE, 0, 3).call() == accounts
    assert read.accountsSlice(VENUE, 1, 1).call() == accounts[1:2]
    assert read.accountsSlice(VENUE, 2, 2**256 - 1).call() == accounts[2:]
    assert read.accountsSlice(VENUE, 3, 1).call() == read.accountsSlice(VENUE, 2**256 - 1, 1).call() == []
    assert read.isListed(VENUE, accounts[0]).call()
    assert not read.isListed(OTHER_VENUE, accounts[0]).call()


# --------------------------------------------------------------------------------------------------------- release


@pytest.mark.parametrize("late", [-1, 0, 1])
def test_th_076_release__around_its_delay__passes_inclusively(box: Box, late: int) -> None:
    lock_id = box.lock(70)
    receipt = box.do("requestRelease", lock_id)
    releasable_at = box.chain.w3.eth.get_block(receipt["blockNumber"])["timestamp"] + DELAY
    box.chain.mine_at(releasable_at + late)

    refusal = box.refusal("release", lock_id)

    assert refusal == (OK if late >= 0 else ("NotYetReleasable", (releasable_at, releasable_at - 1)))


@pytest.mark.parametrize("asset", ["token", "coin"])
def test_th_076_lock__whose_release_is_requested__counts_no_longer_and_is_paid_once(box: Box, asset: str) -> None:
    chosen = NATIVE if asset == "coin" else box.token.address
    lock_id = box.lock(70, chosen)
    box.lock(1, chosen)
    box.do("requestRelease", lock_id)
    counted = box.counted(chosen)
    box.chain.mine_at(box.chain.now + DELAY)
    before = held(box, chosen, box.chain.users[DEPOSITOR])

    box.do("release", lock_id, sender=STRANGER)

    assert counted == 1
    assert held(box, chosen, box.chain.users[DEPOSITOR]) - before == 70
    assert box.refusal("release", lock_id) == ("ZeroAmount", ())
    assert held(box, chosen, box.contract.address) == 1


def held(box: Box, asset: str, holder: str) -> int:
    if asset == NATIVE:
        return int(box.chain.w3.eth.get_balance(box.chain.w3.to_checksum_address(holder)))
    return int(box.token.functions.balanceOf(holder).call())


def test_release__by_the_wrong_one_or_out_of_turn__is_refused(box: Box) -> None:
    lock_id = box.lock(70)

    assert box.refusal("requestRelease", lock_id, sender=STRANGER)[0] == "NotDepositor"
    assert box.refusal("requestRelease", lock_id, sender=SEIZER)[0] == "NotDepositor"
    assert box.refusal("requestRelease", lock_id + 1)[0] == "NotDepositor"
    assert box.refusal("release", lock_id) == ("ReleaseNotRequested", (lock_id,))
    box.do("requestRelease", lock_id)
    assert box.refusal("requestRelease", lock_id) == ("ReleaseAlreadyRequested", (lock_id,))


# --------------------------------------------------------------------------------------------------------- seizure


def test_seizure__by_the_seizer__pays_the_venues_receiver_and_lowers_what_counts(box: Box) -> None:
    lock_id = box.lock(70)
    box.do("seize", lock_id, 30, sender=SEIZER)

    assert box.counted() == 40
    assert held(box, box.token.address, box.chain.users[RECEIVER]) == 30
    assert box.refusal("seize", lock_id, 41, sender=SEIZER) == ("AmountTooLarge", (41, 40))
    assert box.refusal("seize", lock_id, 0, sender=SEIZER) == ("ZeroAmount", ())
    for other in (DEPOSITOR, RECEIVER, STRANGER, 0):
        assert box.refusal("seize", lock_id, 1, sender=other)[0] == "NotSeizer"


def test_seizure__while_a_release_is_pending__leaves_the_depositor_the_rest(box: Box) -> None:
    lock_id = box.lock(70, NATIVE)
    box.do("requestRelease", lock_id)
    before = held(box, NATIVE, box.chain.users[RECEIVER])
    box.do("seize", lock_id, 69, sender=SEIZER)
    box.chain.mine_at(box.chain.now + DELAY)

    assert held(box, NATIVE, box.chain.users[RECEIVER]) - before == 69
    assert box.counted(NATIVE) == 0
    box.do("release", lock_id, sender=STRANGER)
    assert held(box, NATIVE, box.contract.address) == 0


def test_lock__seized_wholly__has_nothing_to_release(box: Box) -> None:
    lock_id = box.lock(70)
    box.do("seize", lock_id, 70, sender=SEIZER)

    assert box.counted() == 0
    assert box.refusal("requestRelease", lock_id) == ("ZeroAmount", ())
    assert box.refusal("seize", lock_id, 1, sender=SEIZER) == ("AmountTooLarge", (1, 0))


def test_seizure__end_to_end__follows_a_leaf_that_says_liquidatable(chain: Chain) -> None:
    venue = deploy_venue(chain)
    contract = chain.deploy("LockBox", chain.users[0], DELAY)
    seizer = chain.deploy("LeafSeizer", venue.contract.address, contract.address)
    box = Box(chain, contract, endow(chain, contract, "PlainToken"))
    box.do("registerVenue", venue.venue_id, seizer.address, venue.contract.address, sender=0)
    lock_id = box.lock(70, account=venue.account, venue=venue.venue_id)
    seize = seizer.functions.seize

    assert chain.refusal(seize(lock_id, 70, venue.evidence())) == ("NotLiquidatable", (1,))
    sinking = venue.evidence(venue.leaf(status=4))
    chain.send(seize(lock_id, 70, sinking), STRANGER)
    assert box.token.functions.balanceOf(venue.contract.address).call() == 70
    assert box.counted(account=venue.account, venue=venue.venue_id) == 0


# ---------------------------------------------------------------------------------------------------------- tokens


def test_th_011_token__with_a_fee_on_transfer__counts_what_arrived(box: Box) -> None:
    token = endow(box.chain, box.contract, "FeeToken")
    lock_id = box.lock(1_000, token.address)

    assert box.counted(token.address) == 990
    assert box.contract.functions.lockOf(lock_id).call()[3] == 990
    assert token.functions.balanceOf(box.contract.address).call() == 990


def test_th_011_token__that_says_false__locks_nothing(box: Box) -> None:
    token = endow(box.chain, box.contract, "FalseToken")

    assert box.refusal("lock", token.address, 5, VENUE, ACCOUNT)[0] == "SafeERC20FailedOperation"


def test_th_011_token__that_re_enters__cannot_count_one_arrival_twice(box: Box) -> None:
    token = endow(box.chain, box.contract, "ReentrantToken", box.contract.address)
    box.chain.send(token.functions.mint(token.address, 100))
    attacks = (
        box.contract.encode_abi("lock", [token.address, 1, VENUE, ACCOUNT]),
        box.contract.encode_abi("requestRelease", [0]),
        box.contract.encode_abi("release", [0]),
        box.contract.encode_abi("seize", [0, 1]),
    )

    for attack in attacks:
        box.chain.send(token.functions.arm(attack))
        box.lock(10, token.address)
        assert token.functions.isBlocked().call()

    assert box.counted(token.address) == token.functions.balanceOf(box.contract.address).call() == 40


def test_depositor__that_re_enters_when_paid__is_paid_once(box: Box) -> None:
    depositor = box.chain.deploy("ReentrantDepositor", box.contract.address)
    box.chain.send(depositor.functions.lock(VENUE, ACCOUNT), value=50)
    box.lock(50, NATIVE)
    box.chain.send(depositor.functions.requestRelease(0))
    box.chain.mine_at(box.chain.now + DELAY)
    box.chain.send(depositor.functions.set(True, b""))
    assert box.refusal("release", 0) == ("NativeTransferFailed", (depositor.address.lower(),))

    box.chain.send(depositor.functions.set(False, box.contract.encode_abi("release", [0])))
    box.do("release", 0)

    assert depositor.functions.isBlocked().call()
    assert held(box, NATIVE, depositor.address) == 50
    assert held(box, NATIVE, box.contract.address) == 50


def test_storage__of_locks_and_accounts__stands_where_proofs_look_for_it(box: Box) -> None:
    box.lock(70)
    padded = bytes(12) + bytes.fromhex(box.token.address[2:])
    slot = keccak(ACCOUNT + keccak(padded + keccak(VENUE + bytes(32))))
    length = keccak(VENUE + (1).to_bytes(32, "big"))
    address = box.contract.address

    def at(place: bytes) -> int:
        return int.from_bytes(box.chain.w3.eth.get_storage_at(address, int.from_bytes(place, "big")), "big")

    assert (at(slot), at(length)) == (70, 1)
    assert at(keccak(length)) == int.from_bytes(ACCOUNT, "big")
