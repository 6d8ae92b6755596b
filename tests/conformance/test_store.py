"""The contract of `relayer.store.port`: every implementation passes the same suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from relayer.config.operator import Retention
from relayer.errors import LedgerRefused, LedgerRule
from relayer.flags import FlagEventKind, FlagState
from relayer.store.port import Flags, Frames, FrameState, Ledger
from relayer.store.sqlite import SqliteStore
from tests.relayer.store.memory import MemoryStore
from tests.relayer.store.samples import (
    DIGEST,
    OTHER_DIGEST,
    OTHER_POLICY,
    POLICY,
    SIGNATURE,
    SIGNER,
    account,
    account_row,
    event,
    flag,
    frame_row,
)

Store = SqliteStore | MemoryStore
RETENTION = Retention(leaves_s=120, bundles=2)


@pytest_asyncio.fixture(params=["sqlite", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened: Store = (
        await SqliteStore.open(tmp_path / "relayer.db", RETENTION)
        if request.param == "sqlite"
        else MemoryStore(RETENTION)
    )
    yield opened
    await opened.close()


def test_store__every_implementation__satisfies_the_three_ports() -> None:
    def ports(ledger: Ledger, frames: Frames, flags: Flags) -> None:
        del ledger, frames, flags

    memory = MemoryStore(RETENTION)
    ports(memory, memory, memory)


# --- ledger ----------------------------------------------------------------------------------------------------------


async def test_reserve__free_slot__holds_the_digest(store: Store) -> None:
    assert await store.highest(POLICY) is None

    assert await store.reserve(POLICY, 60, DIGEST, SIGNER) == DIGEST

    assert await store.highest(POLICY) == 60
    (row,) = await store.rows(POLICY, 0)
    assert (row.policy_id, row.frame, row.digest, row.signer, row.signatures) == (POLICY, 60, DIGEST, SIGNER, b"")


async def test_reserve__taken_slot__returns_what_it_holds(store: Store) -> None:
    await store.reserve(POLICY, 60, DIGEST, SIGNER)

    assert await store.reserve(POLICY, 60, OTHER_DIGEST, SIGNER) == DIGEST
    assert await store.reserve(POLICY, 60, DIGEST, SIGNER) == DIGEST
    assert [row.digest for row in await store.rows(POLICY, 0)] == [DIGEST]


async def test_reserve__free_slot_below_the_highest__is_refused(store: Store) -> None:
    await store.reserve(POLICY, 120, DIGEST, SIGNER)

    with pytest.raises(LedgerRefused) as caught:
        await store.reserve(POLICY, 60, DIGEST, SIGNER)

    assert caught.value.rule == LedgerRule.LOWER_FRAME
    assert [row.frame for row in await store.rows(POLICY, 0)] == [120]


async def test_reserve__taken_slot_below_the_highest__still_answers(store: Store) -> None:
    await store.reserve(POLICY, 60, DIGEST, SIGNER)
    await store.reserve(POLICY, 120, OTHER_DIGEST, SIGNER)

    assert await store.reserve(POLICY, 60, OTHER_DIGEST, SIGNER) == DIGEST


async def test_reserve__other_policy__has_its_own_frames(store: Store) -> None:
    await store.reserve(POLICY, 120, DIGEST, SIGNER)

    assert await store.reserve(OTHER_POLICY, 60, OTHER_DIGEST, SIGNER) == OTHER_DIGEST
    assert (await store.highest(POLICY), await store.highest(OTHER_POLICY)) == (120, 60)


@pytest.mark.parametrize("frame", [-1, 2**63])
async def test_reserve__frame_out_of_range__is_refused(store: Store, frame: int) -> None:
    with pytest.raises(LedgerRefused) as caught:
        await store.reserve(POLICY, frame, DIGEST, SIGNER)

    assert caught.value.rule == LedgerRule.FRAME_RANGE


async def test_record_signature__reserved_slot__keeps_it_once(store: Store) -> None:
    await store.reserve(POLICY, 60, DIGEST, SIGNER)

    await store.record_signature(POLICY, 60, DIGEST, SIGNATURE)
    await store.record_signature(POLICY, 60, DIGEST, SIGNATURE)

    (row,) = await store.rows(POLICY, 60)
    assert row.signatures == SIGNATURE


async def test_record_signature__other_digest_or_signature_or_free_slot__is_refused(store: Store) -> None:
    await store.reserve(POLICY, 60, DIGEST, SIGNER)
    await store.record_signature(POLICY, 60, DIGEST, SIGNATURE)

    for frame, digest, signature, rule in (
        (60, OTHER_DIGEST, SIGNATURE, LedgerRule.OTHER_DIGEST),
        (60, DIGEST, SIGNATURE[:-1] + b"\x00", LedgerRule.OTHER_SIGNATURE),
        (120, DIGEST, SIGNATURE, LedgerRule.SLOT_NOT_RESERVED),
    ):
        with pytest.raises(LedgerRefused) as caught:
            await store.record_signature(POLICY, frame, digest, signature)
        assert caught.value.rule == rule
    (row,) = await store.rows(POLICY, 0)
    assert (row.digest, row.signatures) == (DIGEST, SIGNATURE)


async def test_rows__from_a_frame__ascend(store: Store) -> None:
    for frame in (60, 120, 180):
        await store.reserve(POLICY, frame, DIGEST, SIGNER)

    assert [row.frame for row in await store.rows(POLICY, 120)] == [120, 180]


# --- frames ----------------------------------------------------------------------------------------------------------


async def test_put__a_signed_frame__comes_back_as_it_was(store: Store) -> None:
    row = frame_row(60, FrameState.SIGNED)
    accounts = (account_row(2), account_row(1))

    await store.put(row, accounts, (), ())

    assert await store.frame(POLICY, 60) == row
    assert await store.accounts(POLICY, 60) == (account_row(1), account_row(2))
    assert await store.frame(OTHER_POLICY, 60) is None
    assert await store.accounts(POLICY, 120) == ()


async def test_put__the_same_frame_again__replaces_it(store: Store) -> None:
    await store.put(frame_row(60), (account_row(1), account_row(2)), (), ())

    await store.put(frame_row(60, FrameState.SIGNED), (account_row(3),), (), ())

    assert await store.frame(POLICY, 60) == frame_row(60, FrameState.SIGNED)
    assert await store.accounts(POLICY, 60) == (account_row(3),)


async def test_latest__with_and_without_a_state__is_the_newest(store: Store) -> None:
    assert await store.latest(POLICY) is None
    await store.put(frame_row(60, FrameState.SIGNED), (), (), ())
    await store.put(frame_row(120, FrameState.SKIPPED), (), (), ())
    await store.put(frame_row(180, policy_id=OTHER_POLICY), (), (), ())

    assert await store.latest(POLICY) == frame_row(120, FrameState.SKIPPED)
    assert await store.latest(POLICY, FrameState.SIGNED) == frame_row(60, FrameState.SIGNED)
    assert await store.latest(POLICY, FrameState.RESERVED) is None


async def test_put__older_leaves_than_retention__are_dropped(store: Store) -> None:
    await store.put(frame_row(60), (account_row(1),), (), ())
    await store.put(frame_row(60, policy_id=OTHER_POLICY), (account_row(1),), (), ())
    await store.put(frame_row(180), (account_row(1),), (), ())
    assert await store.accounts(POLICY, 60) == (account_row(1),)  # 180 - 120 = 60 is kept

    await store.put(frame_row(181), (), (), ())

    assert await store.accounts(POLICY, 60) == ()
    assert await store.accounts(POLICY, 180) == (account_row(1),)
    assert await store.accounts(OTHER_POLICY, 60) == (account_row(1),)
    assert await store.frame(POLICY, 60) == frame_row(60)


async def test_put_bundle__more_than_kept__drops_the_oldest(store: Store) -> None:
    await store.put_bundle(OTHER_POLICY, 60, b"other", 2)
    for frame in (60, 120, 180):
        await store.put_bundle(POLICY, frame, f"bundle {frame}".encode(), 2)

    assert await store.bundle(POLICY, 60) is None
    assert await store.bundle(POLICY, 120) == b"bundle 120"
    assert await store.bundle(POLICY, 180) == b"bundle 180"
    assert await store.bundle(OTHER_POLICY, 60) == b"other"


# --- flags -----------------------------------------------------------------------------------------------------------


async def test_current__flags_that_are_not_clear__ascend(store: Store) -> None:
    flags = (flag(3), flag(1, FlagState.PROVISIONAL), flag(2, FlagState.CLEAR))

    await store.put_provisional(flags, ())

    assert await store.current() == (flag(1, FlagState.PROVISIONAL), flag(3))


async def test_put__a_cleared_flag__replaces_the_raised_one(store: Store) -> None:
    await store.put(frame_row(60), (), (flag(1),), (event(1, 60),))
    assert await store.current() == (flag(1),)

    await store.put(frame_row(120), (), (flag(1, FlagState.CLEAR),), (event(1, 120, FlagEventKind.CLEARED),))

    assert await store.current() == ()
    assert await store.history(account(1), 10) == (event(1, 120, FlagEventKind.CLEARED), event(1, 60))


async def test_put__a_frame_repeated_after_a_crash__does_not_double_its_events(store: Store) -> None:
    for _ in range(2):
        await store.put(frame_row(60), (account_row(1),), (flag(1),), (event(1, 60), event(2, 60)))

    assert await store.history(None, 10) == (event(2, 60), event(1, 60))


async def test_history__limit_and_account__newest_first(store: Store) -> None:
    await store.put_provisional((), (event(1, 60), event(2, 60), event(1, 120)))

    assert await store.history(None, 2) == (event(1, 120), event(2, 60))
    assert await store.history(account(1), 10) == (event(1, 120), event(1, 60))
    assert await store.history(account(9), 10) == ()


async def test_put__something_in_it_cannot_be_stored__stores_nothing(store: Store) -> None:
    await store.put(frame_row(60), (account_row(1),), (), ())

    with pytest.raises(Exception, match=r"twice|UNIQUE"):
        await store.put(frame_row(60, FrameState.SIGNED), (account_row(1), account_row(1)), (flag(1),), (event(1, 60),))

    assert await store.frame(POLICY, 60) == frame_row(60)
    assert await store.accounts(POLICY, 60) == (account_row(1),)
    assert await store.current() == ()
    assert await store.history(None, 10) == ()
