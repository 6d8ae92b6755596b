"""INV-25, where people and programs read: what is unknown, stale or unsigned is never served as healthy."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.attestation import MarginLeaf, abi_leaf
from proofs.types import ZERO_HASH, Assurance, Quality, Status
from relayer.api.answers import FrameAnswers, Freshness
from relayer.pipeline.records import Publication
from relayer.store.port import AccountRow, FrameRow, FrameState
from tests.relayer.fake_world import ALICE, FRAME, make_policy

POLICY = make_policy()
VALID_UNTIL = FRAME + 299


def answers(status: Status) -> FrameAnswers:
    leaf = MarginLeaf(ALICE, POLICY.venue.venue_id, status, Assurance.STATE_PROOF, Quality.NONE, 5, 0, 0, 0, ZERO_HASH)
    view = {"account": "0x" + ALICE.hex(), "status": status.name.lower(), "lines": []}
    summary = {"frame": FRAME, "as_of": FRAME - 1, "valid_until": VALID_UNTIL}
    row = FrameRow(POLICY.policy_id, FRAME, FrameState.SKIPPED, "no_plan", None, orjson.dumps(summary))
    return FrameAnswers(POLICY, Publication(row, (AccountRow(ALICE, abi_leaf(leaf), orjson.dumps(view)),), ()))


@pytest.mark.parametrize("status", Status)
@given(st.integers(FRAME, FRAME + 1_000))
def test_inv_25_answer__past_its_validity__is_unknown_whatever_it_was(status: Status, now_s: int) -> None:
    frame = answers(status)

    told = [
        orjson.loads(answer.body)
        for answer in (
            frame.account(ALICE, frame.freshness(now_s)),
            frame.explanation(ALICE, frame.freshness(now_s)),
        )
        if answer is not None
    ]
    listed = orjson.loads(frame.page(None, 10, frame.freshness(now_s)).body)["accounts"]

    expected = status.name.lower() if now_s <= VALID_UNTIL else "unknown"
    assert [one["status"] for one in (*told, *listed)] == [expected] * 3


@pytest.mark.parametrize("status", Status)
def test_inv_25_attestation__of_an_unsigned_frame__does_not_exist(status: Status) -> None:
    assert answers(status).attestation(ALICE) is None


def test_inv_25_freshness__at_the_last_second__is_current_and_one_later_is_not() -> None:
    frame = answers(Status.HEALTHY)

    assert frame.freshness(VALID_UNTIL) is Freshness.CURRENT
    assert frame.freshness(VALID_UNTIL + 1) is Freshness.STALE


def test_inv_25_frame__without_any_chain__is_stale_from_the_start() -> None:
    row = answers(Status.HEALTHY).row
    gone = replace(row, summary_json=orjson.dumps({"as_of": 0, "valid_until": 0}))

    assert FrameAnswers(POLICY, Publication(gone, (), ())).freshness(FRAME) is Freshness.STALE
