"""Signing keys of this machine: what opens, what does not, and what the messages say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from coincurve import PublicKey
from Crypto.Hash import keccak
from eth_account import Account

from proofs.types import Hash32, parse_address
from relayer.config.operator import SignerConfig, SignerKind
from relayer.config.secret import Secret, SecretPlace, parse_secret
from relayer.errors import ConfigError, SignerFault
from relayer.signers.keystore import keystore_address, open_signer, permission_warning

KEY = bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
ADDRESS = parse_address("0x2c7536E3605D9C16a7a3D7b1898e529396a65c23")
"""The example of eth-account's documentation, key and address."""
PASSWORD = "correct horse battery staple"
PLACE = SecretPlace("relayer.toml", "signer.password")


def password(text: str = PASSWORD) -> Secret:
    return parse_secret(text, PLACE, Path(), True)


def keystore(path: Path) -> Path:
    path.write_text(json.dumps(Account.encrypt(KEY, PASSWORD, kdf="pbkdf2", iterations=2)))
    path.chmod(0o600)
    return path


def key_file(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


async def test_open_signer__keystore__signs_as_its_address(tmp_path: Path) -> None:
    opened = open_signer(SignerConfig(SignerKind.KEYSTORE, keystore(tmp_path / "k.json"), password()))
    digest = Hash32(b"\xd1" * 32)

    signature = await opened.signer.sign(digest)

    assert opened.signer.address == ADDRESS
    assert opened.warning == ""
    blob = signature[:32] + bytes([signature[32] & 0x7F]) + signature[33:] + bytes([signature[32] >> 7])
    public = PublicKey.from_signature_and_message(blob, digest, hasher=None).format(compressed=False)[1:]
    assert keccak.new(digest_bits=256, data=public).digest()[12:] == ADDRESS


@pytest.mark.parametrize("text", [KEY.hex(), "0x" + KEY.hex(), KEY.hex().upper() + "\n"])
def test_open_signer__key_file__any_spelling_of_hex(tmp_path: Path, text: str) -> None:
    opened = open_signer(SignerConfig(SignerKind.KEY_FILE, key_file(tmp_path / "key", text), None))

    assert opened.signer.address == ADDRESS


@pytest.mark.parametrize(
    "text", ["", "0x", KEY.hex()[:-1], KEY.hex() + "00", "zz" * 32, "00" * 32, "ff" * 32, "é", "a" * 20_000]
)
def test_open_signer__no_key_in_the_file__is_one_line_without_its_content(tmp_path: Path, text: str) -> None:
    path = key_file(tmp_path / "key", text)

    with pytest.raises(SignerFault) as caught:
        open_signer(SignerConfig(SignerKind.KEY_FILE, path, None))

    assert str(path) in str(caught.value)
    assert len(text) < 4 or text not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no json", "no JSON"),
        ("[]", "not a keystore of version 3"),
        ("{}", "not a keystore of version 3"),
        ('{"version": 3, "crypto": {}}', "not a keystore of version 3"),
    ],
)
def test_open_signer__no_keystore__says_so(tmp_path: Path, content: str, words: str) -> None:
    path = key_file(tmp_path / "k.json", content)

    with pytest.raises(SignerFault, match=words):
        open_signer(SignerConfig(SignerKind.KEYSTORE, path, password()))


def test_th_144_open_signer__wrong_password__names_the_file_and_not_the_password(tmp_path: Path) -> None:
    path = keystore(tmp_path / "k.json")

    with pytest.raises(SignerFault, match="the password does not open it") as caught:
        open_signer(SignerConfig(SignerKind.KEYSTORE, path, password("hunter2-hunter2")))

    assert "hunter2" not in str(caught.value)


def test_open_signer__no_file_or_no_password__names_the_fix(tmp_path: Path) -> None:
    with pytest.raises(SignerFault, match="No such file"):
        open_signer(SignerConfig(SignerKind.KEY_FILE, tmp_path / "none", None))
    with pytest.raises(SignerFault, match="needs a password"):
        open_signer(SignerConfig(SignerKind.KEYSTORE, keystore(tmp_path / "k.json"), None))
    missing = parse_secret({"env": "RELAYER_TEST_NO_SUCH_VARIABLE"}, PLACE, Path(), False)
    with pytest.raises(ConfigError, match=r"signer\.password: the environment variable"):
        open_signer(SignerConfig(SignerKind.KEYSTORE, tmp_path / "k.json", missing))


@pytest.mark.parametrize(("mode", "is_warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_th_154_permission_warning__readable_by_others__is_told(tmp_path: Path, mode: int, is_warned: bool) -> None:
    path = key_file(tmp_path / "key", KEY.hex())
    path.chmod(mode)

    assert (f"mode {mode:04o}" in permission_warning(path)) is is_warned


def test_keystore_address__named_or_not__needs_no_password(tmp_path: Path) -> None:
    assert keystore_address(keystore(tmp_path / "k.json")) == ADDRESS
    assert keystore_address(key_file(tmp_path / "a.json", '{"address": "0x12"}')) is None
    assert keystore_address(key_file(tmp_path / "b.json", "[]")) is None
    assert keystore_address(key_file(tmp_path / "c.json", "{}")) is None
