"""Evidence bundles: the archive, and the files inside it once their sums fit."""

from __future__ import annotations

import zlib
from dataclasses import replace

from proofs.bundle import bundle_files, contents_from_files, read_bundle, write_bundle
from proofs.bundle_archive import pack, unpack
from proofs.errors import InvalidBundle, LimitExceeded
from proofs.snapshot import Reason, Snapshot, Unavailable
from tests.fuzz.engine import Target
from tests.proofs import evidence_frame

_WHOLE = evidence_frame.contents(missing=True)
_FILES = bundle_files(_WHOLE)
_ARCHIVE = write_bundle(_WHOLE)
_SMALL = pack({"a.json": b"{}", "b/c.bin": b"12"})
_TAR = zlib.decompress(_SMALL[10:-8], -15)


def run_archive(data: bytes) -> str:
    """Read a whole archive; or a tar, compressed here so that mutants get behind the checksum."""
    if data[:1] != b"\0":
        contents = read_bundle(data)
        assert bundle_files(contents) == _FILES, "other files under the same sums"
        return "bundle"
    tar = data[1:]
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    trailer = zlib.crc32(tar).to_bytes(4, "little") + len(tar).to_bytes(4, "little")
    files = unpack(_SMALL[:10] + deflate.compress(tar) + deflate.flush() + trailer, 1 << 16)
    return f"tar of {min(len(files), 4)}"


ARCHIVE = Target(
    "archive",
    run_archive,
    (InvalidBundle, LimitExceeded),
    (_ARCHIVE, _SMALL, b"\0" + _TAR, b"\0" + bytes(1024)),
    (b"0000644\0", b"ustar\x0000", bytes(64), b"00000000002\0", b"SHA256SUMS", b"../", b"a.json", _SMALL[:10]),
)

_GONE = Unavailable(evidence_frame.GONE, Reason.NOT_FINAL, "3 blocks short", ("alpha",))
_SMALL_WHOLE = replace(
    _WHOLE,
    snapshot=Snapshot(evidence_frame.FRAME, (evidence_frame.far_reading(), _GONE)),
    devnets=frozenset({evidence_frame.FAR}),
    anchors=_WHOLE.anchors[:1],
    leaves=_WHOLE.leaves[:1],
    legs=_WHOLE.legs[:1],
)
# Two chains and three accounts, or one chain, a missing one and one account: the small one reads twice as fast.
_SETS = (bundle_files(_SMALL_WHOLE), _FILES)
_NAMES = tuple(tuple(sorted(files)) for files in _SETS)


def run_files(data: bytes) -> str:
    """Read the files with one of them replaced: set and number in the first byte, then its content."""
    which, number = divmod(data[0], 128) if data else (0, 0)
    name = _NAMES[which][number % len(_NAMES[which])]
    changed = {**_SETS[which], name: data[1:]}
    assert bundle_files(contents_from_files(changed)) == changed, f"{name} has two spellings"
    return name


BUNDLE = Target(
    "bundle",
    run_files,
    (InvalidBundle, LimitExceeded),
    tuple(
        bytes([128 * which + at]) + files[name]
        for which, files in enumerate(_SETS)
        for at, name in enumerate(sorted(files))
    ),
    (b'"0"', b"null", b"[]", b"{}", b'"0x"', b"-1", b'"1"', b"true", b"\\u0000", b'"' + b"9" * 79 + b'"', b"[" * 70),
)

TARGETS = (ARCHIVE, BUNDLE)
