"""Evidence bundles: written alike, read back, verified without network, and the changed file is named."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest

from proofs.attestation import Domain, accounts_tree, missing_anchor, snapshot_root
from proofs.bundle import (
    BundleContents,
    BundleReport,
    Verdict,
    bundle_files,
    check_sums,
    contents_from_files,
    read_bundle,
    snapshot_of,
    sums_of,
    verify_bundle,
    write_bundle,
)
from proofs.bundle_archive import ARCHIVE_BYTES_MAX, FILES_MAX, pack, unpack
from proofs.errors import ConstructionRefused, InvalidBundle, LimitExceeded, ProofError
from proofs.keccak import keccak256
from proofs.snapshot import ChainReading, Snapshot
from proofs.types import ZERO_HASH, Address, ChainId, Hash32, LegKind, Quality
from proofs.verify import VerifiedChain
from tests.proofs.evidence_frame import FAR, FRAME, GONE, HOME, POLICY, contents, signed_by
from tests.proofs.memory_chain import address

WHOLE = contents()
FILES = bundle_files(WHOLE)
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


# --- every byte ------------------------------------------------------------------------------------------------------


def _positions(size: int) -> list[int]:
    return sorted({*range(min(size, 2000)), *range(2000, size, 37), size - 1})


def refusal_of(build: Callable[[], object]) -> InvalidBundle | None:
    """Return the refusal of a bundle, or None where it was taken; nothing else may be raised."""
    try:
        build()
    except InvalidBundle as refusal:
        return refusal
    return None


def test_th_143_archive__every_byte_flipped__is_found_or_changes_no_file() -> None:
    harmless = 0
    for at in _positions(len(ARCHIVED)):
        forged = bytearray(ARCHIVED)
        forged[at] ^= 1 << at % 8
        refusal = refusal_of(lambda raw=bytes(forged): unpack(raw))
        if refusal is None:  # deflate has bits that mean nothing
            assert unpack(bytes(forged)) == FILES
            harmless += 1
        else:
            assert refusal.file

    assert 100 * harmless < len(ARCHIVED)


@pytest.mark.parametrize("name", sorted(FILES))
def test_th_143_file__with_a_byte_flipped__is_named_by_the_sums(name: str) -> None:
    content = FILES[name]
    for at in {0, len(content) // 2, len(content) - 1}:
        forged = bytearray(content)
        forged[at] ^= 1

        with pytest.raises(InvalidBundle) as refusal:
            check_sums({**FILES, name: bytes(forged), "SHA256SUMS": sums_of(FILES)})
        assert refusal.value.file == name


def test_th_143_sums__flipped_or_cut__name_themselves_or_a_file() -> None:
    sums = sums_of(FILES)
    for at in range(len(sums)):
        forged = bytearray(sums)
        forged[at] ^= 1

        with pytest.raises(InvalidBundle) as refusal:
            check_sums({**FILES, "SHA256SUMS": bytes(forged)})
        assert refusal.value.file in {*FILES, "SHA256SUMS"}
    for wrong in (b"", sums[:-1], sums + b"\n", sums.split(b"\n", 1)[1]):
        with pytest.raises(InvalidBundle):
            check_sums({**FILES, "SHA256SUMS": wrong})
    with pytest.raises(InvalidBundle, match="SHA256SUMS"):
        check_sums(FILES)


# Labels and votes are the bundler's word; no proof binds them, and a report says so.
BOUND = sorted(name for name in FILES if name != "manifest.json" and not name.startswith("questions/"))


@pytest.mark.parametrize("name", BOUND)
def test_th_143_file__flipped_with_sums_made_anew__is_found_by_its_meaning(name: str) -> None:
    content = FILES[name]
    for at in range(0, len(content), 1 if len(content) < 400 else 29):
        forged = bytearray(content)
        forged[at] ^= 1
        if _is_label(content, at):
            continue

        files = {**FILES, name: bytes(forged)}
        refusal = refusal_of(lambda files=files: contents_from_files(files))
        if refusal is not None:
            assert refusal.file == name, at
        else:
            assert name in failed_files(contents_from_files(files)), at


def _is_label(content: bytes, at: int) -> bool:
    """Say whether a byte belongs to the label of the provider who gave a proof."""
    label = content.find(b"gamma")
    while label >= 0:
        if label <= at < label + 5:
            return True
        label = content.find(b"gamma", label + 1)
    return False


@pytest.mark.parametrize("name", sorted(FILES))
def test_file__missing__is_named(name: str) -> None:
    rest = {other: content for other, content in FILES.items() if other != name}

    with pytest.raises(InvalidBundle) as refusal:
        contents_from_files(rest)

    assert refusal.value.file == name


@pytest.mark.parametrize("name", ["legs/0001.json", "headers/eip155-1.rlp", "extra.json"])
def test_file__that_nothing_refers_to__is_named(name: str) -> None:
    with pytest.raises(InvalidBundle) as refusal:
        contents_from_files({**FILES, name: b"[]"})

    assert (refusal.value.file, refusal.value.rule) == (name, "file_unknown")


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


def test_proof__left_out__lowers_levels_and_fails_no_hash() -> None:
    reading = WHOLE.snapshot.outcomes[0]
    assert isinstance(reading, ChainReading)
    snapshot = Snapshot(FRAME, (replace(reading, proofs=()), WHOLE.snapshot.outcomes[1]))

    outcome = report(read_bundle(write_bundle(replace(WHOLE, snapshot=snapshot))))

    assert outcome.verdict is Verdict.VERIFIED
    assert any("column locks: 3 of 3 values rest on the providers alone" in line for line in outcome.unverified)


# --- hostile texts ---------------------------------------------------------------------------------------------------


def forge(name: str, old: bytes, new: bytes) -> dict[str, bytes]:
    assert old in FILES[name], (name, old)
    return {**FILES, name: FILES[name].replace(old, new, 1)}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("manifest.json", b"margin-evidence@1", b"margin-evidence@2"),
        ("manifest.json", b'"chain":"eip155:31337001"', b'"chain":"solana:31337001"'),
        ("manifest.json", b'"chain":"eip155:31337002"', b'"chain":"eip155:31337001"'),
        ("manifest.json", b'["eip155:31337001","eip155:31337002"]', b'["eip155:31337002","eip155:31337001"]'),
        ("manifest.json", b'"k":"3"', b'"k":"2"'),
        ("manifest.json", b'"missing":null', b'"missing":{}'),
        ("manifest.json", b'"reached":true', b'"reached":1'),
        ("manifest.json", b'"configured":"2"', b'"configured":2'),
        ("manifest.json", b'"finality":"3"', b'"finality":"9"'),
        ("policy.json", b'"version":1', b'"version":1.0'),
        ("policy.json", b'{"frame_s":60,', b'{ "frame_s":60,'),
        ("policy.json", b'{"frame_s":60,"name"', b'{"name":"a","frame_s":60,"name"'),
        ("policy.json", POLICY, b"[" * 100_000),
        ("policy.json", POLICY, b"NaN"),
        ("policy.json", POLICY, b"\xff\xfe"),
        ("policy.json", POLICY, b'"\\ud800"'),
        ("root.json", b'"frame":"1700000040"', b'"frame":"01700000040"'),
        ("root.json", b'"frame":"1700000040"', b'"frame":"18446744073709551616"'),
        ("root.json", b'"frame":"1700000040"', b'"frame":1700000040'),
        ("root.json", b'"frame":"1700000040"', b'"frame":"-1"'),
        ("leaves.json", b'"status":"1"', b'"status":"6"'),
        ("leaves.json", b'"quality":"512"', b'"quality":"1024"'),
        ("leaves.json", b'"status":"1"', b'"status":"1","zzz":"1"'),
        ("legs/0000.json", b'"value_usd":"950"', b'"value_usd":"' + b"9" * 78 + b'"'),
        ("legs/0000.json", b"[[", b"[["[:1] + b"[],["),
        ("signatures.json", b'"0x', b'"0X'),
        ("questions/eip155-31337001.json", b"solidity_mapping@1", b"solidity_mapping@2"),
        ("questions/eip155-31337001.json", b"solidity_mapping@1", b"unknown@1"),
        ("questions/eip155-31337001.json", b'"base":"0"', b'"base":"zero"'),
        ("questions/eip155-31337001.json", b'"row_set":"0"', b'"row_set":"7"'),
        ("questions/eip155-31337001.json", b'"mode":"1"', b'"mode":"2"'),
        ("questions/eip155-31337001.json", b'"signed":[false]', b'"signed":[]'),
        ("questions/eip155-31337001.json", b'account_array@1', b'dev_feed@1'),
        ("proofs/eip155-31337001.json", b'"nodes":["', b'"nodes":["0x' + b"80" * 40 + b'","'),
        ("proofs/eip155-31337001.json", b'"nodes":["', b'"nodes":["0x00","'),
    ],
)  # fmt: skip
def test_th_143_text__of_another_form__is_refused_naming_its_file(name: str, old: bytes, new: bytes) -> None:
    with pytest.raises(InvalidBundle) as refusal:
        contents_from_files(forge(name, old, new))

    assert refusal.value.file == name


def test_legs__swapped_in_their_file__are_refused() -> None:
    legs = json.loads(FILES["legs/0000.json"])
    legs[0].reverse()
    raw = json.dumps(legs, separators=(",", ":"), sort_keys=True).encode()

    with pytest.raises(InvalidBundle) as refusal:
        contents_from_files({**FILES, "legs/0000.json": raw})

    assert (refusal.value.file, refusal.value.rule) == ("legs/0000.json", "leg_order")


def test_unused_node__in_a_proof_file__is_refused() -> None:
    name = "proofs/eip155-31337001.json"
    other = json.loads(FILES["proofs/eip155-31337002.json"])["nodes"][0]
    proofs = json.loads(FILES[name])
    proofs["nodes"].append(other)

    with pytest.raises(InvalidBundle) as refusal:
        contents_from_files({**FILES, name: json.dumps(proofs, separators=(",", ":"), sort_keys=True).encode()})

    assert (refusal.value.file, refusal.value.rule) == (name, "extra_node")


def test_contents__that_would_not_be_read_back__are_not_written() -> None:
    doubled = (WHOLE.legs[0] + WHOLE.legs[0][:1], *WHOLE.legs[1:])
    for subject in (
        replace(WHOLE, legs=WHOLE.legs[:2]),
        replace(WHOLE, legs=doubled),
        replace(WHOLE, policy_text=b"{ }"),
    ):
        with pytest.raises(ConstructionRefused):
            write_bundle(subject)


# --- hostile archives ------------------------------------------------------------------------------------------------


def gzipped(tar: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    trailer = zlib.crc32(tar).to_bytes(4, "little") + (len(tar) % 2**32).to_bytes(4, "little")
    return ARCHIVED[:10] + deflate.compress(tar) + deflate.flush() + trailer


def tarred(*members: tarfile.TarInfo, content: bytes = b"") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(content))
    return gzipped(out.getvalue())


def member(name: str, **changes: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for field, value in changes.items():
        setattr(made, field, value)
    return made


@pytest.mark.parametrize(
    "name", ["../policy.json", "/etc/passwd", "a/../../b", "a/b/c.json", "..", "a\\b", "a b", "", "é.json", "x" * 60]
)
def test_th_143_path__leading_outside__is_refused(name: str) -> None:
    with pytest.raises(InvalidBundle) as refusal:
        unpack(tarred(member(name)))
    assert refusal.value.file == "archive"
    with pytest.raises(ConstructionRefused):
        pack({name: b""})


@pytest.mark.parametrize(
    "changes",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.LNKTYPE, "linkname": "manifest.json"},
        {"type": tarfile.CHRTYPE},
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.DIRTYPE},
        {"mtime": 1},
        {"uid": 1},
        {"mode": 0o4755},
        {"uname": "root"},
    ],
)
def test_th_143_member__that_is_no_plain_file__is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidBundle) as refusal:
        unpack(tarred(member("policy.json", **changes)))

    assert refusal.value.file in ("policy.json", "archive")


def test_th_143_members__twice_or_out_of_order__are_refused() -> None:
    for names in (("policy.json", "policy.json"), ("root.json", "policy.json")):
        with pytest.raises(InvalidBundle) as refusal:
            unpack(gzipped(_plain_tar(names)))
        assert refusal.value.file == "policy.json"


def _plain_tar(names: tuple[str, ...]) -> bytes:
    """Take single members out of archives of ours and put them one after the other."""
    parts = []
    for name in names:
        tar = zlib.decompress(pack({name: b""})[10:-8], -15)
        at = tar.index(name.encode() + b"\0")
        parts.append(tar[at : at + 512])
    return b"".join(parts) + bytes(1024)


def test_th_143_too_many_files__are_refused() -> None:
    tar = _plain_tar(tuple(f"legs/{number:04d}.json" for number in range(FILES_MAX + 1)))

    with pytest.raises(LimitExceeded, match="FILES_MAX"):
        unpack(gzipped(tar))
    with pytest.raises(ConstructionRefused):
        pack({f"legs/{number:04d}.json": b"" for number in range(FILES_MAX)})


def test_th_143_bomb__is_stopped_at_the_bound() -> None:
    bound = 2**20
    just, beyond = gzipped(bytes(bound)), gzipped(bytes(bound + 1))

    assert len(beyond) < bound // 500
    with pytest.raises(LimitExceeded, match="UNPACKED_BYTES_MAX"):
        unpack(beyond, bound)
    with pytest.raises(InvalidBundle):  # no archive, but not too large
        unpack(just, bound)


def test_th_143_archive__beyond_the_bound__is_refused_before_it_is_inflated() -> None:
    with pytest.raises(LimitExceeded, match="ARCHIVE_BYTES_MAX"):
        unpack(bytes(ARCHIVE_BYTES_MAX + 1))


@pytest.mark.parametrize("cut", [1, 8, 9, 600])
def test_th_143_archive__cut_or_continued__is_refused(cut: int) -> None:
    for forged in (ARCHIVED[:-cut], ARCHIVED + bytes(cut), ARCHIVED + ARCHIVED):
        with pytest.raises(InvalidBundle):
            unpack(forged)


def test_archive__with_another_gzip_header_or_open_end__is_refused() -> None:
    tar = zlib.decompress(ARCHIVED[10:-8], -15)

    for forged in (
        b"",
        b"\x1f\x8b",
        gzip.compress(tar, mtime=1),
        gzipped(tar[:-512]),
        gzipped(tar + bytes(512)),
        gzipped(b""),
    ):
        with pytest.raises(InvalidBundle):
            unpack(forged)


def test_any_bytes__end_in_our_own_error() -> None:
    for raw in (b"", b"x" * 1000, bytes(5000), keccak256(b"") * 40):
        for build in (lambda raw=raw: unpack(raw), lambda raw=raw: unpack(gzipped(raw))):
            with pytest.raises(ProofError):
                build()


def test_leg_and_kind__are_typed_after_reading() -> None:
    read = read_bundle(ARCHIVED)

    assert {leg.kind for legs in read.legs for leg in legs} == {LegKind.LOCK, LegKind.POSITION}
    assert read.leaves[2].legs_root == ZERO_HASH
    assert FAR in read.devnets
    assert address(1) in snapshot_of(read).outcomes[0].columns[2].rows
