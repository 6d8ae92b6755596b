"""Open a signing key of this machine: keystore V3 with a password, or a file of 64 hex digits.

The key is decrypted once, inside one function, and lives on in `proofs.signing.LocalSigner` alone. Messages name files,
never keys or passwords.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proofs.bounded_json import parse_json
from proofs.errors import ConstructionRefused
from proofs.signing import LocalSigner
from proofs.types import Address, parse_address, parse_bytes
from relayer.config.operator import SignerConfig, SignerKind
from relayer.config.secret import Secret
from relayer.errors import SignerFault

KEY_FILE_BYTES_MAX: Final = 16 * 1024
"""A keystore is about 500 bytes."""
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class OpenedSigner:
    """Hold the signer and, when others may read its file, the warning to show."""

    signer: LocalSigner
    warning: str


def open_signer(config: SignerConfig) -> OpenedSigner:
    """Open the configured key; takes seconds of CPU for a keystore (scrypt), so run it in a thread.

    Raises: SignerFault when the file or the key in it cannot be used; ConfigError when the password is missing.
    """
    raw = _read(config.path)
    match config.kind:
        case SignerKind.KEYSTORE:
            if config.password is None:
                raise _fault(config.path, "a keystore needs a password", "name it under signer.password")
            signer = _decrypted(config.path, raw, config.password)
        case SignerKind.KEY_FILE:
            signer = _from_hex(config.path, raw)
    return OpenedSigner(signer, permission_warning(config.path))


def keystore_address(path: Path) -> Address | None:
    """Return the address that a keystore names, without opening it; None where it names none."""
    try:
        document = parse_json(_read(path))
        text = document["address"] if isinstance(document, dict) else ""
        return parse_address(text if text.startswith("0x") else "0x" + text)
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


def permission_warning(path: Path) -> str:
    """Return a warning when others than the owner may read or write a key file, else nothing."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"{path} has mode {mode:04o}: others may read the key; chmod 600 {path}" if mode & OTHERS else ""


def _decrypted(path: Path, raw: bytes, password: Secret) -> LocalSigner:
    from eth_account import Account

    try:
        document = parse_json(raw)
    except ValueError:
        raise _fault(path, "not a keystore: no JSON", "name the keystore's JSON file") from None
    try:
        return LocalSigner(bytes(Account.decrypt(document, password.resolve())))
    except (ValueError, KeyError, TypeError, NotImplementedError, ConstructionRefused) as error:
        if "MAC mismatch" in str(error):
            raise _fault(path, "the password does not open it", "correct signer.password") from None
        raise _fault(path, "not a keystore of version 3", "make one with `geth account new` or `clef`") from None


def _from_hex(path: Path, raw: bytes) -> LocalSigner:
    try:
        text = raw.decode("ascii").strip()
        return LocalSigner(parse_bytes(text if text.startswith("0x") else "0x" + text, 32))
    except (ValueError, ConstructionRefused):
        raise _fault(path, "not a secp256k1 key", "the file holds 32 bytes of hex and nothing else") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(KEY_FILE_BYTES_MAX + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _fault(path, f"cannot be read: {reason}", "create the key or correct signer.path") from error
    if len(raw) > KEY_FILE_BYTES_MAX:
        raise _fault(path, f"more than {KEY_FILE_BYTES_MAX} bytes", "is this the right file?")
    return raw


def _fault(path: Path, problem: str, fix: str) -> SignerFault:
    return SignerFault(str(path), problem, fix)
