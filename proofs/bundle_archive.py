"""The outer form of an evidence bundle: named files in one archive, with one accepted spelling.

    archive      gzip member with an empty header: no name, no time
    inside       POSIX ustar, regular files only, names rising, owner 0, time 0, mode 0644; two zero blocks at the end
    sums         SHA256SUMS names every other file with its SHA-256

Deflate itself has bits that mean nothing, so what names a bundle is the hash of its SHA256SUMS, not of its archive.

Nothing is ever written to a disk here, so a name can lead nowhere; names outside the pattern are refused all the same.
A header is accepted only if it is, byte for byte, the one that we would write for that name and size: links, devices,
long names, duplicates and times need no rule of their own. Sizes are bounded before bytes are inflated or kept.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from proofs.errors import ConstructionRefused, InvalidBundle, LimitExceeded

ARCHIVE: Final = "archive"
"""What faults of the outer form are named after."""
SUMS: Final = "SHA256SUMS"

ARCHIVE_BYTES_MAX: Final = 256 * 2**20
"""Packed: a frame of 100,000 accounts with all legs is some 100 MiB."""
UNPACKED_BYTES_MAX: Final = 1024 * 2**20
"""Unpacked, all files and headers together: with five legs an account is 3 kB of legs and 2 kB of computation."""
FILES_MAX: Final = 1024
"""Four files for each of some hundred chains, and the legs in parts."""
_NAME: Final = re.compile(r"(?:[a-z]{1,16}/)?[A-Za-z0-9]{1,24}(?:[-_][a-z0-9]{1,24})?(?:\.[a-z]{1,8})?")
_SUM_LINE: Final = re.compile(rb"^([0-9a-f]{64})  ([!-~]{1,100})$", re.MULTILINE)

_BLOCK: Final = 512
_END: Final = bytes(2 * _BLOCK)
# RFC 1952: magic, deflate, no flags, no time, no hints, unknown system.
_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_RAW_DEFLATE: Final = -15


def pack(files: Mapping[str, bytes]) -> bytes:
    """Pack files and their sums into an archive; equal files give equal bytes for one build of zlib.

    Raises `ConstructionRefused` for a name outside the pattern and for files beyond the bounds.
    """
    listed = {**files, SUMS: sums_of(files)}
    for name in listed:
        if _NAME.fullmatch(name) is None:
            raise ConstructionRefused("bundle", f"file name {name!r}")
    _require_room("files", len(listed), FILES_MAX)
    blocks = sum(1 - (-len(content) // _BLOCK) for content in listed.values())
    _require_room("bytes unpacked", blocks * _BLOCK + len(_END), UNPACKED_BYTES_MAX)
    tar = b"".join(_member(name, listed[name]) for name in sorted(listed)) + _END
    deflate = zlib.compressobj(6, zlib.DEFLATED, _RAW_DEFLATE)
    archive = _GZIP_HEADER + deflate.compress(tar) + deflate.flush() + _gzip_trailer(tar)
    _require_room("bytes packed", len(archive), ARCHIVE_BYTES_MAX)
    return archive


def _require_room(what: str, count: int, allowed: int) -> None:
    """Refuse to write what nobody would read."""
    if count > allowed:
        fix = "name fewer accounts, or have fewer cells proven"
        raise ConstructionRefused("bundle", f"{count} {what}, allowed {allowed}: {fix}")


def unpack(archive: bytes, unpacked_bytes_max: int = UNPACKED_BYTES_MAX) -> dict[str, bytes]:
    """Return the files of an archive after checking their sums; the sums themselves are left out.

    Raises `InvalidBundle` naming the file, `LimitExceeded` for hostile sizes.
    """
    tar = _inflate(archive, unpacked_bytes_max)
    files: dict[str, bytes] = {}
    at = 0
    last = ""
    while tar[at : at + len(_END)] != _END:
        name, content = _read_member(tar, at)
        if name <= last:
            raise InvalidBundle(name, "file_order", f"after {last}")
        if len(files) >= FILES_MAX:
            raise LimitExceeded("FILES_MAX", FILES_MAX, len(files) + 1)
        files[name] = content
        at += _BLOCK + len(content) + -len(content) % _BLOCK
        last = name
    if at + len(_END) != len(tar):
        raise InvalidBundle(ARCHIVE, "trailing_bytes", f"{len(tar) - at - len(_END)} after the end")
    return check_sums(files)


def check_sums(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Check that SHA256SUMS names exactly the other files with their hashes; return those.

    Raises `InvalidBundle` naming the first file that differs, is not listed or is missing.
    """
    for name in files:
        _require_name(name)
    if SUMS not in files:
        raise InvalidBundle(SUMS, "file_missing")
    rest = {name: content for name, content in files.items() if name != SUMS}
    if files[SUMS] != sums_of(rest):
        raise _sums_fault(files[SUMS], rest)
    return rest


def sums_of(files: Mapping[str, bytes]) -> bytes:
    """Return the contents of SHA256SUMS, readable by `sha256sum -c`."""
    return b"".join(f"{sha256(files[name]).hexdigest()}  {name}\n".encode() for name in sorted(files))


def _require_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise InvalidBundle(ARCHIVE, "file_name", ascii(name[:80]))


def _sums_fault(sums: bytes, files: Mapping[str, bytes]) -> InvalidBundle:
    """Blame the file that differs, is not listed or is missing; the sums where their own text explains more."""
    lines = _SUM_LINE.findall(sums[: FILES_MAX * 256])
    stated = {name.decode(): digest.decode() for digest, name in lines}
    for name in sorted(files.keys() & stated.keys()):
        if sha256(files[name]).hexdigest() != stated[name]:
            return InvalidBundle(name, "file_hash", "differs from SHA256SUMS")
    unlisted, missing = sorted(files.keys() - stated.keys()), sorted(stated.keys() - files.keys())
    is_plain = len(stated) == len(lines) and b"".join(b"%s  %s\n" % line for line in lines) == sums
    if unlisted and is_plain and not missing:
        return InvalidBundle(unlisted[0], "file_unlisted", "SHA256SUMS does not name it")
    if missing and is_plain and not unlisted:
        return InvalidBundle(missing[0], "file_missing", "SHA256SUMS names it")
    return InvalidBundle(SUMS, "file_list", f"{len(missing)} named files are missing, {len(unlisted)} are not named")


# --- gzip ------------------------------------------------------------------------------------------------------------


def _inflate(archive: bytes, unpacked_bytes_max: int) -> bytes:
    if len(archive) > ARCHIVE_BYTES_MAX:
        raise LimitExceeded("ARCHIVE_BYTES_MAX", ARCHIVE_BYTES_MAX, len(archive))
    if archive[: len(_GZIP_HEADER)] != _GZIP_HEADER:
        raise InvalidBundle(ARCHIVE, "gzip_header", "not as this tool writes it; unpack it and name the directory")
    inflate = zlib.decompressobj(_RAW_DEFLATE)
    try:
        tar = inflate.decompress(archive[len(_GZIP_HEADER) :], unpacked_bytes_max + 1)
    except zlib.error as fault:
        raise InvalidBundle(ARCHIVE, "gzip_stream", str(fault)) from fault
    if len(tar) > unpacked_bytes_max:
        raise LimitExceeded("UNPACKED_BYTES_MAX", unpacked_bytes_max, len(tar))
    if not inflate.eof or inflate.unused_data != _gzip_trailer(tar):
        raise InvalidBundle(ARCHIVE, "gzip_trailer", "length or checksum differs, or the archive was cut")
    return tar


def _gzip_trailer(tar: bytes) -> bytes:
    return zlib.crc32(tar).to_bytes(4, "little") + (len(tar) % 2**32).to_bytes(4, "little")


# --- tar -------------------------------------------------------------------------------------------------------------


def _member(name: str, content: bytes) -> bytes:
    return _header(name, len(content)) + content + bytes(-len(content) % _BLOCK)


def _header(name: str, size: int) -> bytes:
    """Return the ustar header of a regular file (POSIX.1-1988): everything but name, size and checksum is fixed."""
    fields = (
        name.encode().ljust(100, b"\0"),
        b"0000644\0" + b"0000000\0" * 2,
        f"{size:011o}\0".encode() + b"0" * 11 + b"\0",
        b" " * 8,
        b"0".ljust(101, b"\0"),
        b"ustar\x0000".ljust(72, b"\0"),
        b"0000000\0" * 2,
    )
    blank = b"".join(fields).ljust(_BLOCK, b"\0")
    return blank[:148] + f"{sum(blank):06o}\0 ".encode() + blank[156:]


def _read_member(tar: bytes, at: int) -> tuple[str, bytes]:
    header = tar[at : at + _BLOCK]
    name = header[:100].rstrip(b"\0").decode("ascii", "replace")
    _require_name(name)
    digits = header[124:135]
    if re.fullmatch(rb"[0-7]{11}", digits) is None:
        raise InvalidBundle(name, "tar_header", "size")
    size = int(digits, 8)
    if header != _header(name, size):
        raise InvalidBundle(name, "tar_header", "not that of a plain file")
    content = tar[at + _BLOCK : at + _BLOCK + size]
    padding = tar[at + _BLOCK + size : at + _BLOCK + size + -size % _BLOCK]
    if len(content) != size or padding != bytes(-size % _BLOCK):
        raise InvalidBundle(name, "tar_padding", "cut, or padded with other than zeros")
    return name, content
