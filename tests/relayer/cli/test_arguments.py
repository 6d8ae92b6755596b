"""Arguments: every spelling of an account is one account, anything else names the fix."""

from __future__ import annotations

import pytest

from relayer.cli.arguments import parse_account
from relayer.errors import ConfigError


@pytest.mark.parametrize(
    "text", ["0x" + "11" * 20, "0x" + "00" * 12 + "11" * 20, "eip155:1:0x" + "11" * 20, "eip155:10:0x" + "11" * 20]
)
def test_parse_account__every_spelling__is_the_padded_address(text: str) -> None:
    assert parse_account(text) == bytes(12) + bytes.fromhex("11" * 20)


@pytest.mark.parametrize("text", ["", "0x12", "0x" + "11" * 21, "11" * 20, "0x" + "zz" * 20, "0x" + "11" * 20 + ":"])
def test_parse_account__anything_else__is_refused_with_the_fix(text: str) -> None:
    with pytest.raises(ConfigError, match=r"argument ACCOUNT: not an account: .*; write eip155:<chain>:0x<address>"):
        parse_account(text)
