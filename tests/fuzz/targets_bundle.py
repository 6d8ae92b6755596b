"""Evidence bundles: the archive, and the files inside it once their sums fit."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from dataclasses import replace

from proofs.bundle import bundle_files, contents_from_files, read_bundle, write_bundle
from proofs.bundle_archive import pack, unpack
from proofs.bundle_text import read_text, to_text
from proofs.errors import InvalidBundle, LimitExceeded
from proofs.snapshot import Reason, Snapshot, Unavailable
from tests.fuzz.engine import Target
from tests.proofs import evidence_frame

_WHOLE = evidence_frame.contents(missing=True)
_FILES = bundle_files(_WHOLE)
_ARCHIVE = write_bundle(_WHOLE)
POLICY = "policy.json"
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
    """Read the files with one of them replaced: set, spelling and number in the first byte, then its content.

    JSON is read alone before the other files are, as it would be among them: most mutants end there, twenty times
    sooner. With the spelling bit it is brought into canonical text first, so that mutants get behind that check.
    """
    head, content = (data[0], data[1:]) if data else (0, b"")
    files, names = _SETS[head >> 7], _NAMES[head >> 7]
    name = names[(head & 63) % len(names)]
    if head & 64:
        content = _respelled(content)
    if name.endswith(".json") and name != POLICY:
        read_text(content, name)
    changed = {**files, name: content}
    assert bundle_files(contents_from_files(changed)) == changed, f"{name} has two spellings"
    return name


def _respelled(content: bytes) -> bytes:
    with suppress(ValueError, RecursionError):
        return to_text(json.loads(content))
    return content


BUNDLE = Target(
    "bundle",
    run_files,
    (InvalidBundle, LimitExceeded),
    tuple(
        bytes([128 * which + 64 * spelling + at]) + files[name]
        for which, files in enumerate(_SETS)
        for at, name in enumerate(sorted(files))
        for spelling in (0, 1)
    ),
    (b'"0"', b"null", b"[]", b"{}", b'"0x"', b"-1", b'"1"', b"true", b"\\u0000", b'"' + b"9" * 79 + b'"', b"[" * 70),
)

TARGETS = (ARCHIVE, BUNDLE)
