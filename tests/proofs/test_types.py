"""The shared words: what their parsers take, and what they refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.types import (
    AccountId,
    Address,
    ChainId,
    account_of_address,
    address_of_account,
    caip10,
    evm_chain_number,
    parse_address,
    parse_bytes,
    parse_chain_id,
    parse_hash,
    to_hex,
)


@pytest.mark.parametrize("text", ["eip155:0", "eip155:1", "eip155:31337001", "eip155:" + "9" * 18])
def test_chain_id__of_the_eip155_namespace__is_parsed(text: str) -> None:
    assert parse_chain_id(text) == text
    assert evm_chain_number(parse_chain_id(text)) == int(text[7:])


@pytest.mark.parametrize(
    "text", ["", "1", "eip155", "eip155:", "eip155:01", "eip155:-1", "EIP155:1", "eip155:1 ", "eip155:1\n", "eip155:x",
             "solana:1", "eip155:" + "9" * 19, "eip155:٣"]
)  # fmt: skip
def test_chain_id__of_another_form__is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="CAIP-2"):
        parse_chain_id(text)


@given(st.binary(max_size=80))
def test_hex__formatted_and_parsed__is_the_same(value: bytes) -> None:
    assert parse_bytes(to_hex(value)) == value
    assert parse_bytes("0x" + value.hex().upper(), len(value)) == value


@pytest.mark.parametrize("text", ["", "0", "0x0", "00", "0X00", "0xzz", " 0x00", "0x00 ", "0x00\n", "0x0_0", "0x٣٣"])
def test_hex__of_another_form__is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hex"):
        parse_bytes(text)


@pytest.mark.parametrize(("parse", "length"), [(parse_address, 20), (parse_hash, 32)])
def test_fixed_bytes__one_off__are_refused(parse: object, length: int) -> None:
    assert callable(parse)
    assert len(parse("0x" + "ab" * length)) == length
    for wrong in (0, length - 1, length + 1):
        with pytest.raises(ValueError, match=f"expected {length} bytes"):
            parse("0x" + "ab" * wrong)


def test_refusals__cut_long_text() -> None:
    with pytest.raises(ValueError, match="hex") as refusal:
        parse_bytes("x" * 10_000)

    assert len(str(refusal.value)) < 200


@given(st.binary(min_size=20, max_size=20))
def test_account__of_an_address__leads_back(raw: bytes) -> None:
    account = account_of_address(Address(raw))

    assert account == bytes(12) + raw
    assert address_of_account(account) == raw


@pytest.mark.parametrize("account", [b"", bytes(31), bytes(33), bytes(11) + b"\1" + bytes(20), b"\xff" * 32])
def test_account__that_names_no_address__is_refused(account: bytes) -> None:
    with pytest.raises(ValueError, match="names no address"):
        address_of_account(AccountId(account))


def test_caip10__is_lower_case() -> None:
    assert caip10(ChainId("eip155:1"), parse_address("0x" + "AB" * 20)) == "eip155:1:0x" + "ab" * 20
