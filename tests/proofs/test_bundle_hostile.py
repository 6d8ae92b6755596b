"""Evidence bundles in hostile hands: every byte, every text, every archive is refused by the name of its file."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest

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
from proofs.types import ZERO_HASH, LegKind
from tests.proofs.evidence_frame import FAR, POLICY, contents
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
