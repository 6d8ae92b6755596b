"""INV-20: the ledger row precedes the signature; at most one digest per (policy, frame), for ever.

A state machine drives a real SQLite ledger through reservations, signatures, closing and opening again, beside a model
that is two dictionaries.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from proofs.types import Hash32
from relayer.errors import LedgerRefused, LedgerRule
from relayer.store.sqlite import SqliteStore

POLICIES = st.sampled_from([Hash32(bytes([n]) * 32) for n in (1, 2)])
FRAMES = st.integers(0, 6).map(lambda n: n * 60)
DIGESTS = st.sampled_from([Hash32(bytes([n]) * 32) for n in (0xD1, 0xD2, 0xD3)])
SIGNATURES = st.sampled_from([b"\x01" * 68, b"\x02" * 68])


class Ledger(RuleBasedStateMachine):
    """Compare the ledger with what was promised."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.promised: dict[tuple[Hash32, int], Hash32] = {}
        self.signed: dict[tuple[Hash32, int], bytes] = {}
        self.refused_for: set[str] = set()

    @initialize()
    def open(self) -> None:
        self.store = self.runner.run(SqliteStore.open(self.folder / "a.db"))

    def highest(self, policy: Hash32) -> int:
        return max((frame for known, frame in self.promised if known == policy), default=-1)

    @rule(policy=POLICIES, frame=FRAMES, digest=DIGESTS)
    def reserve(self, policy: Hash32, frame: int, digest: Hash32) -> None:
        key = (policy, frame)
        try:
            held = self.runner.run(self.store.reserve(policy, frame, digest, "0x"))
        except LedgerRefused as refused:
            self.refused_for.add(refused.rule)
            assert key not in self.promised
            assert frame < self.highest(policy)
            return
        assert key in self.promised or frame > self.highest(policy)
        assert held == self.promised.setdefault(key, digest)

    @rule(policy=POLICIES, frame=FRAMES, digest=DIGESTS, signature=SIGNATURES)
    def sign(self, policy: Hash32, frame: int, digest: Hash32, signature: bytes) -> None:
        key = (policy, frame)
        try:
            self.runner.run(self.store.record_signature(policy, frame, digest, signature))
        except LedgerRefused:
            assert self.promised.get(key) != digest or self.signed[key] != signature
            return
        assert self.promised[key] == digest
        assert self.signed.setdefault(key, signature) == signature

    @rule()
    def restart(self) -> None:
        self.runner.run(self.store.close())
        self.open()

    @invariant()
    def a_slot_is_refused_only_for_its_frame(self) -> None:
        assert self.refused_for <= {LedgerRule.LOWER_FRAME}

    @invariant()
    def nothing_was_rewritten(self) -> None:
        for policy in {policy for policy, _ in self.promised}:
            rows = self.runner.run(self.store.rows(policy, 0))
            assert {row.frame: row.digest for row in rows} == {
                frame: digest for (known, frame), digest in self.promised.items() if known == policy
            }
            assert {row.frame: row.signatures for row in rows if row.signatures} == {
                frame: signature for (known, frame), signature in self.signed.items() if known == policy
            }

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()
        shutil.rmtree(self.folder)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
