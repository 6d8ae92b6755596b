"""A store in memory, for tests; passes the same contract suite as SQLite."""

from __future__ import annotations

from collections.abc import Sequence

from proofs.types import AccountId, Hash32
from relayer.config.operator import Retention
from relayer.errors import LedgerRefused, LedgerRule
from relayer.flags import Flag, FlagEvent, FlagState
from relayer.store.port import AccountRow, FrameRow, FrameState, LedgerRow

Key = tuple[Hash32, int]


class MemoryStore:
    """Implement `Ledger`, `Frames` and `Flags` with dictionaries; nothing outlives the object."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._ledger: dict[Key, LedgerRow] = {}
        self._frames: dict[Key, FrameRow] = {}
        self._accounts: dict[Key, tuple[AccountRow, ...]] = {}
        self._bundles: dict[Key, bytes] = {}
        self._flags: dict[AccountId, Flag] = {}
        self._events: list[FlagEvent] = []

    async def close(self) -> None:
        pass

    async def reserve(self, policy_id: Hash32, frame: int, digest: Hash32, signer: str) -> Hash32:
        if not 0 <= frame < 2**63:
            raise LedgerRefused(LedgerRule.FRAME_RANGE, policy_id, frame, "out of range")
        held = self._ledger.get((policy_id, frame))
        if held is not None:
            return held.digest
        top = await self.highest(policy_id)
        if top is not None and frame < top:
            raise LedgerRefused(LedgerRule.LOWER_FRAME, policy_id, frame, f"{top} is reserved")
        self._ledger[policy_id, frame] = LedgerRow(policy_id, frame, digest, signer, b"")
        return digest

    async def record_signature(self, policy_id: Hash32, frame: int, digest: Hash32, signatures: bytes) -> None:
        held = self._ledger.get((policy_id, frame))
        if held is None:
            raise LedgerRefused(LedgerRule.SLOT_NOT_RESERVED, policy_id, frame, "free")
        if held.digest != digest:
            raise LedgerRefused(LedgerRule.OTHER_DIGEST, policy_id, frame, "differs", held.digest)
        if held.signatures not in (b"", signatures):
            raise LedgerRefused(LedgerRule.OTHER_SIGNATURE, policy_id, frame, "differs", held.digest)
        self._ledger[policy_id, frame] = LedgerRow(policy_id, frame, digest, held.signer, signatures)

    async def highest(self, policy_id: Hash32) -> int | None:
        return max((frame for policy, frame in self._ledger if policy == policy_id), default=None)

    async def rows(self, policy_id: Hash32, from_frame: int) -> tuple[LedgerRow, ...]:
        keys = sorted(key for key in self._ledger if key[0] == policy_id and key[1] >= from_frame)
        return tuple(self._ledger[key] for key in keys)

    async def put(
        self, row: FrameRow, accounts: Sequence[AccountRow], flags: Sequence[Flag], events: Sequence[FlagEvent]
    ) -> None:
        if len({item.account for item in accounts}) != len(accounts):
            raise ValueError("one account twice")
        self._frames[row.policy_id, row.frame] = row
        self._accounts[row.policy_id, row.frame] = tuple(sorted(accounts, key=lambda item: item.account))
        oldest = row.frame - self._retention.leaves_s
        self._accounts = {
            key: kept for key, kept in self._accounts.items() if key[0] != row.policy_id or key[1] >= oldest
        }
        await self.put_provisional(flags, events)

    async def latest(self, policy_id: Hash32, state: FrameState | None = None) -> FrameRow | None:
        rows = [row for key, row in self._frames.items() if key[0] == policy_id and state in (None, row.state)]
        return max(rows, key=lambda row: row.frame, default=None)

    async def frame(self, policy_id: Hash32, frame: int) -> FrameRow | None:
        return self._frames.get((policy_id, frame))

    async def accounts(self, policy_id: Hash32, frame: int) -> tuple[AccountRow, ...]:
        return self._accounts.get((policy_id, frame), ())

    async def put_bundle(self, policy_id: Hash32, frame: int, archive: bytes, keep: int) -> None:
        self._bundles[policy_id, frame] = archive
        mine = sorted(key for key in self._bundles if key[0] == policy_id)
        for key in mine[: max(0, len(mine) - keep)]:
            del self._bundles[key]

    async def bundle(self, policy_id: Hash32, frame: int) -> bytes | None:
        return self._bundles.get((policy_id, frame))

    async def put_provisional(self, flags: Sequence[Flag], events: Sequence[FlagEvent]) -> None:
        self._flags.update({flag.account: flag for flag in flags})
        seen = {(one.account, one.frame, one.kind, one.status) for one in self._events}
        for event in events:
            key = (event.account, event.frame, event.kind, event.status)
            if key not in seen:
                seen.add(key)
                self._events.append(event)

    async def current(self) -> tuple[Flag, ...]:
        open_ones = [flag for flag in self._flags.values() if flag.state is not FlagState.CLEAR]
        return tuple(sorted(open_ones, key=lambda flag: flag.account))

    async def history(self, account: AccountId | None, limit: int) -> tuple[FlagEvent, ...]:
        mine = [event for event in reversed(self._events) if account in (None, event.account)]
        return tuple(mine[:limit])
