"""INV-15: a unit of collateral counts at most once, whatever is done to locks and in whatever order.

On a real node: what the box counts, over all venues, accounts and assets, plus what waits for its release, is what
the box holds, to the unit; and the word that a storage proof would read is the word that the getter answers.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from chains.devnet.abi import load_artifact
from chains.devnet.nodes import AnvilNode, start_anvil
from chains.devnet.rpc import rpc_batch
from proofs.keccak import keccak256
from proofs.layouts import LockBoxLocks
from proofs.types import ZERO_ADDRESS, AccountId, Address, Hash32, account_of_address, parse_address, to_hex

pytestmark = pytest.mark.node

BOX, TOKEN = load_artifact("LockBox"), load_artifact("TestToken")
VENUES = tuple(Hash32(keccak256(name)) for name in (b"one venue", b"another venue"))
ACCOUNTS = tuple(account_of_address(Address(bytes([tag]) * 20)) for tag in (0xA1, 0xA2))
DELAY_S = 900
SUPPLY = 10_000
RACES = 100
ADMIN, DEPOSITOR, OTHER, SEIZER, RECEIVER = range(5)


@dataclass(frozen=True)
class Lock:
    """What the model knows of one lock."""

    depositor: int
    venue: Hash32
    account: AccountId
    asset: Address
    amount: int
    releasable_at: int = 0

    @property
    def cell(self) -> tuple[Hash32, Address, AccountId]:
        return self.venue, self.asset, self.account


class Place:
    """One box with two venues on a node, a token of which both depositors have the same supply, and the coin."""

    def __init__(self, node: AnvilNode) -> None:
        self.node = node
        self.users = [parse_address(str(user)) for user in node.rpc("eth_accounts")]
        self.box = self._deploy(BOX.creation(self.users[ADMIN], DELAY_S))
        self.token = self._deploy(TOKEN.creation("Token", "TOK", 6))
        self.assets = (self.token, ZERO_ADDRESS)
        for venue in VENUES:
            assert self.do(ADMIN, BOX.call("registerVenue", venue, self.users[SEIZER], self.users[RECEIVER]))
        for user in (DEPOSITOR, OTHER):
            assert self.do(ADMIN, TOKEN.call("mint", self.users[user], SUPPLY), to=self.token)
            assert self.do(user, TOKEN.call("approve", self.box, 2**256 - 1), to=self.token)

    def fields(self, user: int, data: bytes, to: Address | None, value: int = 0) -> dict[str, str]:
        fields = {"from": to_hex(self.users[user]), "data": to_hex(data), "value": hex(value), "gas": hex(5_000_000)}
        return fields | ({"to": to_hex(to)} if to else {})

    def _deploy(self, creation: bytes) -> Address:
        return parse_address(str(self._mined(self.fields(ADMIN, creation, None))["contractAddress"]))

    def _mined(self, fields: dict[str, str]) -> dict[str, object]:
        sent = self.node.rpc("eth_sendTransaction", [fields])
        deadline = time.monotonic() + 10.0
        while time.monotonic() < deadline:
            receipt = self.node.rpc("eth_getTransactionReceipt", [sent])
            if isinstance(receipt, dict):
                return receipt
            time.sleep(0.002)
        raise AssertionError(f"{sent} was not mined")

    def do(self, user: int, data: bytes, value: int = 0, to: Address | None = None) -> bool:
        """Send a transaction; tell whether it went through."""
        return self._mined(self.fields(user, data, to or self.box, value))["status"] == "0x1"

    def lock(self, user: int, cell: tuple[Hash32, Address, AccountId], amount: int) -> bool:
        venue, asset, account = cell
        data = BOX.call("lock", asset, amount, venue, account)
        return self.do(user, data, amount if asset == ZERO_ADDRESS else 0)

    def now(self) -> int:
        return int(str(self.node.rpc("eth_getBlockByNumber", ["latest", False])["timestamp"]), 16)

    def asked(self, *calls: tuple[Address, bytes]) -> list[int]:
        asks = [("eth_call", [{"to": to_hex(to), "data": to_hex(data)}, "latest"]) for to, data in calls]
        return [int(str(answer), 16) for answer in rpc_batch(self.node.url, asks)]

    def cells(self) -> dict[tuple[Hash32, Address, AccountId], int]:
        """Return what counts, as the getter says, having compared it with storage."""
        cells = [*itertools.product(VENUES, self.assets, ACCOUNTS)]
        read = self.asked(*((self.box, BOX.call("locked", *cell)) for cell in cells))
        slots = [LockBoxLocks(venue, asset).slots(account)[0] for venue, asset, account in cells]
        stored = rpc_batch(
            self.node.url, [("eth_getStorageAt", [to_hex(self.box), hex(slot), "latest"]) for slot in slots]
        )
        assert read == [int(str(word), 16) for word in stored]
        return dict(zip(cells, read, strict=True))

    def held(self, asset: Address) -> int:
        if asset == ZERO_ADDRESS:
            return int(str(self.node.rpc("eth_getBalance", [to_hex(self.box), "latest"])), 16)
        return self.asked((asset, TOKEN.call("balanceOf", self.box)))[0]

    def locks(self) -> list[Lock]:
        """Return every lock as the box tells it; `depositor` is not looked at."""
        (count,) = self.asked((self.box, BOX.call("nextLockId")))
        asks = [
            ("eth_call", [{"to": to_hex(self.box), "data": to_hex(BOX.call("lockOf", number))}, "latest"])
            for number in range(count)
        ]
        locks = []
        for answer in rpc_batch(self.node.url, asks):
            raw = bytes.fromhex(str(answer)[2:])
            words = [raw[at : at + 32] for at in range(0, len(raw), 32)]
            when, amount = int.from_bytes(words[1], "big"), int.from_bytes(words[3], "big")
            locks.append(Lock(-1, Hash32(words[4]), AccountId(words[5]), Address(words[2][12:]), amount, when))
        return locks


@pytest.fixture(scope="module")
def node() -> Iterator[AnvilNode]:
    with start_anvil(31337002, block_time_s=None) as started:
        yield started


def require_once(place: Place, locks: list[Lock]) -> None:
    """Every unit that the box holds stands in one lock, and every counting lock in one cell of one venue."""
    counted = place.cells()
    for cell, amount in counted.items():
        assert amount == sum(lock.amount for lock in locks if lock.cell == cell and not lock.releasable_at)
    for asset in place.assets:
        allocated = sum(amount for (_, of, _), amount in counted.items() if of == asset)
        waiting = sum(lock.amount for lock in locks if lock.asset == asset and lock.releasable_at)
        assert allocated + waiting == place.held(asset)


class Locks(RuleBasedStateMachine):
    """Lock, ask for release, wait, release, seize, lock again; the model is a list of locks."""

    node: AnvilNode

    def __init__(self) -> None:
        super().__init__()
        self.place = Place(self.node)
        self.locks: list[Lock] = []
        self.tokens = {DEPOSITOR: SUPPLY, OTHER: SUPPLY}

    @rule(
        user=st.sampled_from((DEPOSITOR, OTHER)),
        venue=st.sampled_from(VENUES),
        is_coin=st.booleans(),
        account=st.sampled_from(ACCOUNTS),
        amount=st.integers(0, SUPPLY),
    )
    def lock(self, user: int, venue: Hash32, is_coin: bool, account: AccountId, amount: int) -> None:
        cell = (venue, self.place.assets[is_coin], account)
        done = self.place.lock(user, cell, amount)
        assert done is (amount > 0 and (is_coin or amount <= self.tokens[user]))
        if done:
            self.locks.append(Lock(user, venue, account, cell[1], amount))
            self.tokens[user] -= 0 if is_coin else amount

    @precondition(lambda self: self.locks)
    @rule(pick=st.integers(0, 99), user=st.sampled_from((DEPOSITOR, OTHER, SEIZER)))
    def request_release(self, pick: int, user: int) -> None:
        number = pick % len(self.locks)
        lock = self.locks[number]
        done = self.place.do(user, BOX.call("requestRelease", number))
        assert done is (user == lock.depositor and not lock.releasable_at and lock.amount > 0)
        if done:
            self.locks[number] = replace(lock, releasable_at=self.place.now() + DELAY_S)

    @precondition(lambda self: self.locks)
    @rule(pick=st.integers(0, 99))
    def release(self, pick: int) -> None:
        number = pick % len(self.locks)
        lock = self.locks[number]
        done = self.place.do(OTHER, BOX.call("release", number))
        assert done is (0 < lock.releasable_at <= self.place.now() and lock.amount > 0)
        if done:
            self.tokens[lock.depositor] += lock.amount if lock.asset == self.place.token else 0
            self.locks[number] = replace(lock, amount=0)

    @precondition(lambda self: self.locks)
    @rule(pick=st.integers(0, 99), amount=st.integers(1, SUPPLY), user=st.sampled_from((SEIZER, SEIZER, DEPOSITOR)))
    def seize(self, pick: int, amount: int, user: int) -> None:
        number = pick % len(self.locks)
        lock = self.locks[number]
        done = self.place.do(user, BOX.call("seize", number, amount))
        assert done is (user == SEIZER and amount <= lock.amount)
        if done:
            self.locks[number] = replace(lock, amount=lock.amount - amount)

    @rule(seconds=st.sampled_from((1, DELAY_S - 2, DELAY_S)))
    def wait(self, seconds: int) -> None:
        self.place.node.rpc("evm_increaseTime", [seconds])
        self.place.node.rpc("evm_mine")

    @invariant()
    def counts_once(self) -> None:
        require_once(self.place, self.locks)


def test_inv_15_locks__in_any_interleaving__count_each_unit_at_most_once(node: AnvilNode) -> None:
    machine = type("BoundLocks", (Locks,), {"node": node})

    run_state_machine_as_test(machine, settings=settings(max_examples=20, stateful_step_count=16, deadline=None))


def test_th_075_one_balance__pledged_to_two_venues_in_one_block__backs_one(node: AnvilNode) -> None:
    """Two pledges of all there is, a release and a seizure race into one block, many times in random order."""
    place, random, winners = Place(node), Random(75), []

    for _ in range(RACES):
        locks = place.locks()
        pledges = [BOX.call("lock", place.token, SUPPLY, venue, ACCOUNTS[0]) for venue in VENUES]
        racing = [(DEPOSITOR, data) for data in random.sample(pledges, 2)]
        if locks:
            racing.append((DEPOSITOR, BOX.call("requestRelease", len(locks) - 1)))
            racing.append((SEIZER, BOX.call("seize", len(locks) - 1, random.randint(1, SUPPLY))))
        race(place, racing, random)

        after = place.locks()
        require_once(place, after)
        assert [lock.amount for lock in after[len(locks) :]] == [SUPPLY]
        winners.append(after[-1].venue)
        refill(place)
    assert len(place.locks()) == RACES
    assert set(winners) == set(VENUES)


def race(place: Place, racing: list[tuple[int, bytes]], random: Random) -> None:
    """Put transactions into one block; the price they pay decides their order, nonces that of one sender."""
    place.node.rpc("evm_setAutomine", [False])
    for user, data in racing:
        price = hex(10**9 * random.randint(2, 100))
        place.node.rpc("eth_sendTransaction", [place.fields(user, data, place.box) | {"gasPrice": price}])
    place.node.rpc("evm_mine")
    place.node.rpc("evm_setAutomine", [True])


def refill(place: Place) -> None:
    """Give the depositor back exactly what one pledge is."""
    (rest,) = place.asked((place.token, TOKEN.call("balanceOf", place.users[DEPOSITOR])))
    if rest < SUPPLY:
        assert place.do(ADMIN, TOKEN.call("mint", place.users[DEPOSITOR], SUPPLY - rest), to=place.token)
