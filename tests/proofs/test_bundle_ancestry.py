"""A later block that the auditor knows, and the proofs that lead from it back to the bundle's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proofs.ancestry import ANCESTRY_STEPS_MAX, HISTORY_ADDRESS, HISTORY_CODE_HASH, AncestryStep, verify_ancestry
from proofs.bundle import BundleReport, Verdict, verify_bundle
from proofs.errors import InvalidProof, LimitExceeded
from proofs.snapshot import ChainReading
from proofs.types import Hash32
from tests.proofs.evidence_frame import HOME, contents
from tests.proofs.memory_chain import Contract, MemoryChain

WHOLE = contents()
(BLOCK,) = (
    one.anchor.block
    for one in WHOLE.snapshot.outcomes
    if isinstance(one, ChainReading) and one.anchor.block.chain == HOME
)
FILE = "headers/eip155-31337001.rlp"


def later(number: int, ancestor: int, ancestor_hash: bytes) -> tuple[Hash32, AncestryStep]:
    """Return the hash of a later block, and the step from it back to an older one."""
    storage = {ancestor % 8191: int.from_bytes(ancestor_hash, "big")}
    chain = MemoryChain(contracts={HISTORY_ADDRESS: Contract(storage, code_hash=HISTORY_CODE_HASH)}, number=number)
    anchor = chain.anchor()
    return anchor.block.hash, AncestryStep(anchor.header_rlp, chain.answer(HISTORY_ADDRESS, (ancestor % 8191,)))


def verified(given: Hash32, *steps: AncestryStep) -> BundleReport:
    return verify_bundle(WHOLE, {HOME: given}, {HOME: steps} if steps else {})


def failure(given: Hash32, *steps: AncestryStep) -> str:
    report = verified(given, *steps)
    assert report.verdict is Verdict.FAILED
    (check,) = report.failures
    assert (check.step, check.file) == ("given anchor", FILE)
    return check.fault


@pytest.mark.parametrize("number", [8, 8198])  # one block later, and as late as the window of block 7 reaches
def test_given_anchor__a_later_block_with_its_proof__vouches_for_the_bundles_block(number: int) -> None:
    given, step = later(number, 7, BLOCK.hash)

    report = verified(given, step)

    assert report.verdict is Verdict.VERIFIED
    assert not [line for line in report.unverified if line.startswith(f"{HOME}: that block")]


def test_given_anchor__a_later_block_without_a_proof__says_what_is_missing() -> None:
    given, _ = later(8, 7, BLOCK.hash)

    fault = failure(given)

    assert f"given 0x{given.hex()}, bundle has block 7 0x{BLOCK.hash.hex()}" in fault
    assert f"eth_getProof of 0x{HISTORY_ADDRESS.hex()}, slot 0x{7:064x} (EIP-2935) is missing" in fault


def test_given_anchor__of_another_branch__names_its_own_ancestor() -> None:
    """The neighbour of the proof that vouches: the same block number, another hash."""
    given, step = later(8, 7, b"\7" * 32)

    assert f"the one of this number is 0x{'07' * 32}" in failure(given, step)


def test_th_037_given_anchor__proof_of_another_head_slot_or_contract__is_refused() -> None:
    given, step = later(8, 7, BLOCK.hash)
    other, _ = later(9, 7, BLOCK.hash)
    _, of_six = later(8, 6, BLOCK.hash)
    plain = MemoryChain(contracts={HISTORY_ADDRESS: Contract({7: int.from_bytes(BLOCK.hash, "big")})}, number=8)
    own_code = AncestryStep(plain.anchor().header_rlp, plain.answer(HISTORY_ADDRESS, (7,)))
    late, beyond = later(8199, 7, BLOCK.hash)

    assert "header_hash" in failure(other, step)
    assert "keys_asked" in failure(given, replace(step, answer=of_six.answer))
    assert "ancestor_code" in failure(plain.anchor().block.hash, own_code)
    assert "ancestor_window" in failure(late, beyond)


def test_given_anchor__two_steps_back__vouch_beyond_the_window() -> None:
    middle, first = later(8000, 7, BLOCK.hash)
    given, last = later(16_000, 8000, middle)

    assert verified(given, last, first).verdict is Verdict.VERIFIED
    assert "header_hash" in failure(given, first, last)
    assert "ancestor_window" in failure(given, last)


def test_th_037_given_anchor__step_between_that_is_no_ancestor__is_refused() -> None:
    _, forged = later(8000, 7, BLOCK.hash)
    given, last = later(16_000, 8000, b"\x08" * 32)

    assert "header_hash" in failure(given, last, forged)


def test_th_047_ancestry__of_no_or_too_many_steps__is_refused() -> None:
    given, step = later(8, 7, BLOCK.hash)

    with pytest.raises(InvalidProof):
        verify_ancestry(given, (), 7)
    with pytest.raises(LimitExceeded, match="ANCESTRY_STEPS_MAX"):
        verify_ancestry(given, (step,) * (ANCESTRY_STEPS_MAX + 1), 7)
