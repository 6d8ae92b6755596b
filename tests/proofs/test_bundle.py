"""Evidence bundles: written alike, read back, verified without network; what does not fit is named."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from dataclasses import dataclass, replace
from hashlib import sha256

import pytest

from proofs.attestation import Domain, accounts_tree, missing_anchor, snapshot_root
from proofs.bundle import (
    BundleContents,
    BundleReport,
    Verdict,
    bundle_files,
    check_sums,
    checked_bundle,
    checked_files,
    contents_from_files,
    read_bundle,
    snapshot_of,
    sums_of,
    verify_bundle,
    write_bundle,
)
from proofs.errors import ConstructionRefused, InvalidBundle
from proofs.keccak import keccak256
from proofs.layouts import SolidityMapping
from proofs.sheet import Cells, CellStatus, column_from_rows
from proofs.snapshot import ChainReading, Reason, Snapshot, Unavailable
from proofs.types import Address, ChainId, Hash32, Quality
from proofs.verify import VerifiedChain, proof_requests, verify
from tests.proofs.evidence_frame import FAR, FRAME, GONE, HOME, POLICY, contents, signed_by

WHOLE = contents()
FILES = checked_files(WHOLE)
ARCHIVED = write_bundle(WHOLE)


def report(subject: BundleContents) -> BundleReport:
    return verify_bundle(subject, {})


def failed_files(subject: BundleContents) -> set[str]:
    outcome = report(subject)
    assert outcome.verdict is Verdict.FAILED
    return {check.file for check in outcome.failures}


# --- whole -----------------------------------------------------------------------------------------------------------


def test_bundle__written_and_read__is_the_same_and_verifies() -> None:
    read = read_bundle(ARCHIVED)

    outcome = report(read)

    assert write_bundle(read) == ARCHIVED
    assert outcome.verdict is Verdict.VERIFIED, outcome.failures
    assert outcome.signers == (0, 1, 3)
    assert outcome.snapshot is not None
    assert outcome.snapshot.frame_s == FRAME
    assert {check.step for check in outcome.checks} >= {
        "header, proofs and readings",
        "anchors",
        "as of and skew",
        "policy id",
        "frame",
        "snapshot root",
        "leaves",
        "legs",
        "accounts tree",
        "signatures",
    }


def test_bundle__read_back__has_every_value_of_what_was_written() -> None:
    read = read_bundle(ARCHIVED)

    assert read.policy_text == POLICY
    assert (read.domain, read.signers, read.devnets) == (WHOLE.domain, WHOLE.signers, WHOLE.devnets)
    assert (read.anchors, read.leaves, read.signed) == (WHOLE.anchors, WHOLE.leaves, WHOLE.signed)
    assert [set(legs) for legs in read.legs] == [set(legs) for legs in WHOLE.legs]
    for ours, theirs in zip(WHOLE.snapshot.outcomes, snapshot_of(read).outcomes, strict=True):
        assert isinstance(ours, ChainReading)
        assert isinstance(theirs, ChainReading)
        assert (theirs.anchor, theirs.columns, theirs.account_lists) == (ours.anchor, ours.columns, ours.account_lists)
        assert theirs.sheet == ours.sheet
        assert theirs.sheet_votes == ours.sheet_votes


def test_bundle__verified_offline__has_the_levels_of_the_verified_frame() -> None:
    snapshot = report(read_bundle(ARCHIVED)).snapshot

    assert snapshot is not None
    home = snapshot.chain(HOME)
    assert isinstance(home, VerifiedChain)
    assert home.levels("locks") == b"\2\2\2"
    assert home.levels("price") == b"\1"
    assert home.levels("coins") == b"\2\1"
    assert home.cell("price", b"") == (2**130, FRAME - 30)


def test_archive__is_a_plain_tar_with_fixed_owners_and_times() -> None:
    with tarfile.open(fileobj=io.BytesIO(ARCHIVED), mode="r:gz") as tar:
        members = tar.getmembers()
        sums = tar.extractfile("SHA256SUMS")
        assert sums is not None
        lines = sums.read().decode().splitlines()

    assert [member.name for member in members] == sorted([*FILES, "SHA256SUMS"])
    assert {(member.mtime, member.uid, member.gid, member.mode, member.isreg()) for member in members} == {
        (0, 0, 0, 0o644, True)
    }
    assert lines == [f"{sha256(FILES[name]).hexdigest()}  {name}" for name in sorted(FILES)]


def test_bundle__in_another_process_and_hash_seed__has_the_same_bytes() -> None:
    script = (
        "import hashlib;from tests.proofs.evidence_frame import contents;from proofs.bundle import write_bundle;"
        "print(hashlib.sha256(write_bundle(contents())).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed, "TZ": zone}, capture_output=True, check=True
        ).stdout.strip()
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }

    assert digests == {sha256(ARCHIVED).hexdigest().encode()}


def test_verification__in_a_fresh_process__loads_no_network_code() -> None:
    script = (
        "import sys;import proofs.bundle;"
        "loaded={name.partition('.')[0] for name in sys.modules};"
        "banned={'web3','aiohttp','asyncio','socket','ssl','http','urllib3','requests','pydantic','eth_account','numpy','relayer','chains'};"
        "print(sorted(loaded & banned))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)

    assert done.stdout.strip() == "[]"


def test_bundle__as_a_directory__is_read_from_its_files() -> None:
    files = {**FILES, "SHA256SUMS": sums_of(FILES)}

    assert report(contents_from_files(check_sums(files))).verdict is Verdict.VERIFIED


# --- what is said of the rest ----------------------------------------------------------------------------------------


def test_report__says_what_was_not_verified() -> None:
    said = "\n".join(report(WHOLE).unverified)

    assert f"{HOME}: that block 7" in said
    assert "is canonical" in said
    assert "column price: 1 of 1 values rest on the providers alone" in said
    assert "column coins: 1 of 2 values rest on the providers alone" in said
    assert "rule set" in said
    assert "that the stated 3 of 4 addresses are epoch 0" in said
    assert "development network" in said


def test_report__with_given_anchors__names_canonicality_as_checked() -> None:
    blocks = {
        outcome.chain: outcome.anchor.block.hash
        for outcome in WHOLE.snapshot.outcomes
        if isinstance(outcome, ChainReading)
    }

    outcome = verify_bundle(WHOLE, blocks)

    assert outcome.verdict is Verdict.VERIFIED
    assert "is canonical" not in "\n".join(outcome.unverified)
    assert [check.file for check in outcome.checks if check.step == "given anchor"] == [
        "headers/eip155-31337001.rlp",
        "headers/eip155-31337002.rlp",
    ]


def test_given_anchor__of_another_block_or_chain__fails() -> None:
    for given, file in (
        ({HOME: Hash32(b"\1" * 32)}, "headers/eip155-31337001.rlp"),
        ({ChainId("eip155:1"): Hash32(b"\1" * 32)}, "manifest.json"),
    ):
        outcome = verify_bundle(WHOLE, given)

        assert outcome.verdict is Verdict.FAILED
        assert [check.file for check in outcome.failures] == [file]


def test_bundle__with_a_missing_chain__is_incomplete_and_names_it() -> None:
    outcome = report(read_bundle(write_bundle(contents(missing=True))))

    assert outcome.verdict is Verdict.INCOMPLETE, outcome.failures
    assert not outcome.failures
    assert f"{GONE}: missing from the frame, stated reason not_final" in outcome.unverified


# --- parts that do not fit -------------------------------------------------------------------------------------------


def resigned(subject: BundleContents, **changes: object) -> BundleContents:
    return replace(subject, signed=signed_by(replace(subject.signed.root, **changes)))


def test_policy__of_another_text__fails() -> None:
    other = POLICY.replace(b'"version":1', b'"version":2')

    assert failed_files(replace(WHOLE, policy_text=other)) == {"policy.json"}


def test_root__signed_over_other_values__fails_at_the_file_that_disagrees() -> None:
    assert failed_files(resigned(WHOLE, as_of=FRAME - 9)) == {"root.json"}
    assert failed_files(resigned(WHOLE, skew=7)) == {"root.json"}
    assert failed_files(resigned(WHOLE, frame=FRAME + 60)) == {"manifest.json"}
    assert failed_files(resigned(WHOLE, leaf_count=4)) == {"leaves.json"}
    assert failed_files(resigned(WHOLE, accounts_root=Hash32(b"\1" * 32))) == {"leaves.json"}
    assert failed_files(resigned(WHOLE, snapshot_root=Hash32(b"\1" * 32))) == {"anchors.json"}
    assert failed_files(resigned(WHOLE, policy_id=Hash32(b"\1" * 32))) == {"policy.json"}


def test_signatures__too_few_or_for_another_contract__fail() -> None:
    few = replace(WHOLE, signed=signed_by(WHOLE.signed.root, members=(0, 1)))
    elsewhere = replace(WHOLE, domain=Domain(31337001, Address(b"\x12" * 20)))

    assert failed_files(few) == {"signatures.json"}
    assert failed_files(elsewhere) == {"root.json"}
    assert failed_files(replace(elsewhere, signed=replace(WHOLE.signed, digest=Hash32(b"\1" * 32)))) == {
        "root.json",
        "signatures.json",
    }


def test_leaf__changed_and_signed_anew__fails_at_its_legs() -> None:
    leaves = (replace(WHOLE.leaves[0], collateral_usd=951), *WHOLE.leaves[1:])
    root = Hash32(accounts_tree(leaves).root)

    assert failed_files(resigned(replace(WHOLE, leaves=leaves), accounts_root=root)) == {"legs/0000.json"}


def test_leaves__of_two_venues_or_without_the_devnet_bit__fail() -> None:
    for change in ({"venue_id": Hash32(b"\7" * 32)}, {"quality": Quality.NONE}):
        leaves = (replace(WHOLE.leaves[0], **change), *WHOLE.leaves[1:])
        root = Hash32(accounts_tree(leaves).root)

        assert failed_files(resigned(replace(WHOLE, leaves=leaves), accounts_root=root)) == {"leaves.json"}


def test_devnets__not_stated__leave_one_provider_no_quorum_or_the_bit_unexplained() -> None:
    assert failed_files(replace(WHOLE, devnets=frozenset())) == {"leaves.json"}


def test_anchors__of_other_chains_or_values__fail_at_what_they_do_not_commit_to() -> None:
    home, far = WHOLE.anchors if WHOLE.anchors[0].timestamp == FRAME - 10 else reversed(WHOLE.anchors)
    cases = (
        ((home,), {"anchors.json", "headers/eip155-31337002.rlp", "sheets/eip155-31337002.bin"}),
        ((replace(home, readings_root=Hash32(b"\1" * 32)), far), {"sheets/eip155-31337001.bin"}),
        ((home, replace(far, timestamp=FRAME)), {"headers/eip155-31337002.rlp"}),
        ((home, far, missing_anchor(Hash32(b"\1" * 32))), {"anchors.json"}),
    )
    for anchors, files in cases:
        subject = resigned(replace(WHOLE, anchors=anchors), snapshot_root=snapshot_root(anchors))

        assert failed_files(subject) == files


def test_anchors__with_a_block_of_a_chain_that_the_bundle_leaves_out__fail() -> None:
    whole = contents(missing=True)
    gone = missing_anchor(Hash32(keccak256(GONE.encode())))
    forged = replace(WHOLE.anchors[0], chain_key=gone.chain_key)
    anchors = (*WHOLE.anchors, forged)
    subject = resigned(replace(whole, anchors=anchors), snapshot_root=snapshot_root(anchors))

    assert gone in whole.anchors
    assert failed_files(subject) == {"anchors.json"}


def test_reading__of_another_word__fails_at_its_sheet() -> None:
    reading = WHOLE.snapshot.outcomes[0]
    assert isinstance(reading, ChainReading)
    column = reading.sheet.columns[0]
    lied = replace(column, words=(7).to_bytes(16, "big") + column.words[16:])
    sheet = replace(reading.sheet, columns=(lied, *reading.sheet.columns[1:]))
    snapshot = Snapshot(FRAME, (replace(reading, sheet=sheet), WHOLE.snapshot.outcomes[1]))

    outcome = report(replace(WHOLE, snapshot=snapshot))

    assert outcome.verdict is Verdict.FAILED
    assert outcome.snapshot is None
    assert outcome.failures[0].file == "sheets/eip155-31337001.bin"
    assert "reading_contradicts_proof" in outcome.failures[0].fault


def test_proof__of_a_pinned_contract_left_out__takes_its_values_and_fails_no_hash() -> None:
    reading = WHOLE.snapshot.outcomes[0]
    assert isinstance(reading, ChainReading)
    snapshot = Snapshot(FRAME, (replace(reading, proofs=()), WHOLE.snapshot.outcomes[1]))

    outcome = report(read_bundle(write_bundle(replace(WHOLE, snapshot=snapshot))))

    assert outcome.verdict is Verdict.VERIFIED
    unproven = f"{HOME}: column locks: its contract is not proven to run the pinned code, no value counts"
    assert unproven in outcome.unverified


def test_bundle__of_single_proven_cells__says_which_and_keeps_their_levels() -> None:
    reading = WHOLE.snapshot.outcomes[0]
    assert isinstance(reading, ChainReading)
    chosen = (Cells("locks", (0, 2)), Cells("coins", (0,)))
    asked = dict(proof_requests(reading.account_lists, reading.sheet.account_lists, reading.columns, chosen))
    proofs = tuple(
        replace(
            proof,
            answer=replace(
                proof.answer, storage=tuple(e for e in proof.answer.storage if e[0] in asked[proof.answer.address])
            ),
        )
        for proof in reading.proofs
    )
    subject = replace(
        WHOLE, snapshot=Snapshot(FRAME, (replace(reading, cells=chosen, proofs=proofs), WHOLE.snapshot.outcomes[1]))
    )

    outcome = report(read_bundle(checked_bundle(subject)))

    assert outcome.verdict is Verdict.VERIFIED, outcome.failures
    assert outcome.snapshot is not None
    assert outcome.snapshot.chain(HOME).levels("locks") == bytes([2, 1, 2])
    assert f"{HOME}: column locks: 1 of 3 values rest on the providers alone" in outcome.unverified


@pytest.mark.parametrize("rows", [(3,), (-1,), (1, 1), (2, 1)])
def test_cells__beyond_their_column_or_not_rising__are_not_written(rows: tuple[int, ...]) -> None:
    reading = WHOLE.snapshot.outcomes[0]
    assert isinstance(reading, ChainReading)
    subject = replace(reading, cells=(Cells("locks", rows),))

    with pytest.raises((ConstructionRefused, InvalidBundle)):
        checked_bundle(replace(WHOLE, snapshot=Snapshot(FRAME, (subject, WHOLE.snapshot.outcomes[1]))))


def test_frame__without_any_chain__fails() -> None:
    gone = tuple(Unavailable(chain, Reason.RPC_TIMEOUT, "silent") for chain in (HOME, FAR))
    anchors = verify(Snapshot(FRAME, gone), frozenset()).anchors()
    subject = replace(WHOLE, snapshot=Snapshot(FRAME, gone), anchors=anchors)

    outcome = report(resigned(subject, snapshot_root=snapshot_root(anchors)))

    assert [(check.step, check.file) for check in outcome.failures] == [("as of and skew", "root.json")]


def test_report__names_unread_cells_and_changed_code() -> None:
    reading = WHOLE.snapshot.outcomes[0]
    assert isinstance(reading, ChainReading)
    locks, price, coins = reading.columns
    pinned = (replace(locks, code_hash=Hash32(b"\7" * 32)), price, coins)
    unread = column_from_rows("price", price.signed, [CellStatus.FAILED])
    sheet = replace(reading.sheet, columns=(reading.sheet.columns[0], unread, reading.sheet.columns[2]))
    subject = Snapshot(FRAME, (replace(reading, columns=pinned, sheet=sheet), WHOLE.snapshot.outcomes[1]))

    said = report(replace(WHOLE, snapshot=subject)).unverified

    assert f"{HOME}: column locks: its contract is not proven to run the pinned code, no value counts" in said
    assert f"{HOME}: column price: 1 of 1 values could not be read" in said


def test_contents__with_a_layout_that_no_table_rebuilds__are_not_written() -> None:
    @dataclass(frozen=True)
    class Imposter(SolidityMapping):
        pass

    reading = WHOLE.snapshot.outcomes[0]
    assert isinstance(reading, ChainReading)
    columns = (replace(reading.columns[0], layout=Imposter(0)), *reading.columns[1:])
    snapshot = Snapshot(FRAME, (replace(reading, columns=columns), WHOLE.snapshot.outcomes[1]))

    with pytest.raises(ConstructionRefused, match="not rebuilt"):
        write_bundle(replace(WHOLE, snapshot=snapshot))


def test_checked_writer__writes_what_the_unchecked_one_writes() -> None:
    assert checked_bundle(WHOLE) == ARCHIVED
    assert checked_files(WHOLE) == bundle_files(WHOLE)
