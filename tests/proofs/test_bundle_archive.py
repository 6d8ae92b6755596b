"""The archive of an evidence bundle: one accepted form, bounded, and nothing that leads outside."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib

import pytest

from proofs.bundle import (
    read_bundle,
    snapshot_of,
    write_bundle,
)
from proofs.bundle_archive import ARCHIVE_BYTES_MAX, FILES_MAX, pack, unpack
from proofs.errors import ConstructionRefused, InvalidBundle, LimitExceeded, ProofError
from proofs.keccak import keccak256
from proofs.types import ZERO_HASH, LegKind
from tests.proofs.evidence_frame import FAR, contents
from tests.proofs.memory_chain import address

ARCHIVED = write_bundle(contents())


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


@pytest.mark.parametrize(
    ("at", "rule"), [(124, "tar_header"), (130, "tar_header"), (150, "tar_header"), (515, "tar_padding")]
)
def test_th_143_member__with_a_forged_size_or_padding__is_refused(at: int, rule: str) -> None:
    tar = bytearray(zlib.decompress(pack({"a.json": b"abc"})[10:-8], -15)[1024:])
    assert tar[:6] == b"a.json"
    tar[at] = ord("x")

    with pytest.raises(InvalidBundle) as refusal:
        unpack(gzipped(bytes(tar)))

    assert (refusal.value.file, refusal.value.rule) == ("a.json", rule)


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


def test_files__beyond_the_bound__are_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proofs.bundle_archive.UNPACKED_BYTES_MAX", 4096)

    pack({"a.json": b""})
    with pytest.raises(ConstructionRefused, match="allowed 4096"):
        pack({"a.json": bytes(2048)})


def test_th_143_archive__that_nobody_would_read__is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros of 4 KiB pack into less than 200 bytes, noise does not: both bounds hold when writing too."""
    monkeypatch.setattr("proofs.bundle_archive.ARCHIVE_BYTES_MAX", 2048)
    noise = b"".join(keccak256(bytes([number])) for number in range(128))

    pack({"a.json": bytes(len(noise))})
    with pytest.raises(ConstructionRefused, match="bytes packed, allowed 2048: name fewer accounts"):
        pack({"a.json": noise})
