"""Secrets by reference: where they come from, and everywhere they must not appear."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from pathlib import Path

import pytest

from relayer.config.secret import Secret, SecretKind, SecretPlace, parse_secret
from relayer.errors import ConfigError

VALUE = "https://user:s3cr3t@rpc.example/v2/k3y"
PLACE = SecretPlace("relayer.toml", "provider[0].url")


def secret(value: object, base: Path = Path(), plain: bool = True) -> Secret:
    return parse_secret(value, PLACE, base, plain)


def test_resolve__file__loses_its_last_line_break_only(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(VALUE + "\r\n")

    assert secret({"file": "url"}, tmp_path).resolve({}) == VALUE


def test_resolve__environment_and_command_and_plain__give_the_text() -> None:
    program = f"import sys; sys.stdout.write({VALUE!r} + chr(10))"

    assert secret({"env": "URL"}).resolve({"URL": VALUE}) == VALUE
    assert secret({"command": [sys.executable, "-c", program]}).resolve({}) == VALUE
    assert secret(VALUE).resolve({}) == VALUE


def test_resolve__file_changed_since__is_read_again(tmp_path: Path) -> None:
    reference = secret({"file": "url"}, tmp_path)
    (tmp_path / "url").write_text("first")
    assert reference.resolve({}) == "first"

    (tmp_path / "url").write_text("second")

    assert reference.resolve({}) == "second"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"env": "NOT_SET"}, "environment variable NOT_SET is not set; export NOT_SET=..."),
        ({"env": "EMPTY"}, "empty; put the secret there"),
        ({"env": "LARGE"}, "more than 65536 bytes"),
        ({"file": "no-such-file"}, "cannot be read: No such file or directory"),
        ({"command": ["no-such-program-anywhere"]}, "cannot be run: No such file or directory"),
        ({"command": [sys.executable, "-c", "raise SystemExit(3)"]}, "ended with exit code 3"),
        ({"command": [sys.executable, "-c", "import sys; sys.stdout.buffer.write(bytes([255]))"]}, "not UTF-8"),
    ],
)
def test_resolve__missing__is_one_line_with_key_and_fix(value: object, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        secret(value).resolve({"EMPTY": " \n", "LARGE": "x" * 65_537})

    assert str(caught.value).startswith("relayer.toml: provider[0].url: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_th_144_secret__every_way_to_print_it__hides_value_and_arguments() -> None:
    for one in (secret(VALUE), secret({"command": ["pass", VALUE]})):
        shown = [repr(one), str(one), f"{one}", f"{one!r:>80}", repr([one]), repr({"a": one}), str(one.masked)]
        assert not [text for text in shown if "s3cr3t" in text or "k3y" in text]


def test_th_144_secret__json_pickle_and_copy__are_refused() -> None:
    one = secret(VALUE)

    with pytest.raises(TypeError):
        json.dumps({"url": one})
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leave(one)


@pytest.mark.parametrize("value", [VALUE, {"env": VALUE}, {"url": VALUE}, [VALUE], {"command": VALUE}, 7, None])
def test_th_144_parse_secret__a_secret_in_the_wrong_place__is_not_repeated(value: object) -> None:
    with pytest.raises(ValueError, match="secret") as caught:
        secret(value, plain=False)

    assert "s3cr3t" not in str(caught.value)


def test_masked__each_kind__shows_the_reference_only() -> None:
    assert secret({"env": "URL"}).masked == {"env": "URL"}
    assert secret({"file": "url"}, Path("/run")).masked == {"file": "/run/url"}
    assert secret({"command": ["a", "b"]}).masked == {"command": "***"}
    assert secret(VALUE).masked == "***"
    assert secret(VALUE).kind is SecretKind.PLAIN
