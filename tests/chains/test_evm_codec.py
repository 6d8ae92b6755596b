"""Strict decoding of node answers: each accepted form and its rejected neighbour."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import HeaderRefused, RpcMalformed
from chains.families.evm_codec import Wire, merged_answers
from proofs.header import HeaderShape, blank_fields, encode_header
from proofs.keccak import keccak256
from proofs.types import AccountId, ChainId

WIRE = Wire("p")


@pytest.mark.parametrize(("text", "value"), [("0x0", 0), ("0x00", 0), ("0xfF", 255), ("0x" + "f" * 64, 2**256 - 1)])
def test_quantity__when_spelled_in_any_way__then_it_is_the_integer(text: str, value: int) -> None:
    assert WIRE.quantity(text, "x") == value


NO_QUANTITIES = ("0x", "", "1", "0X1", "0x1 ", "0x_1", "0x-1", "0x" + "1" * 65, 1, None, True, ["0x1"])


@pytest.mark.parametrize("value", NO_QUANTITIES)
def test_quantity__when_it_is_none__then_it_is_malformed(value: object) -> None:
    with pytest.raises(RpcMalformed, match="quantity"):
        WIRE.quantity(value, "x")  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("value", ["0x0", "0xzz", "0x11 11", "0x 11", "11", "", None, 7, "0x1111\n", "0X11"])
def test_data__when_it_is_no_whole_bytes__then_it_is_malformed(value: object) -> None:
    with pytest.raises(RpcMalformed, match="data"):
        WIRE.data(value, "x")  # type: ignore[arg-type]  # that is the point


def test_data__when_the_length_is_off_by_one__then_it_is_malformed() -> None:
    assert WIRE.data("0x" + "11" * 32, "x", 32) == b"\x11" * 32
    for count in (31, 33):
        with pytest.raises(RpcMalformed):
            WIRE.data("0x" + "11" * count, "x", 32)


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=6))
def test_accounts__when_abi_encoded__then_they_are_read_in_order(accounts: list[bytes]) -> None:
    raw = (32).to_bytes(32, "big") + len(accounts).to_bytes(32, "big") + b"".join(accounts)

    assert WIRE.accounts("0x" + raw.hex(), 6) == tuple(AccountId(account) for account in accounts)
    for spoilt in (raw[:-1], raw + b"\0", b"\x01" + raw[1:], raw[:63] + bytes([(raw[63] + 1) % 256]) + raw[64:], b""):
        with pytest.raises(RpcMalformed):
            WIRE.accounts("0x" + spoilt.hex(), 6)


def test_accounts__when_a_page_is_longer_than_asked__then_it_is_malformed() -> None:
    raw = (32).to_bytes(32, "big") + (2).to_bytes(32, "big") + bytes(64)

    assert len(WIRE.accounts("0x" + raw.hex(), 2)) == 2
    with pytest.raises(RpcMalformed):
        WIRE.accounts("0x" + raw.hex(), 1)


def _json_block(shape: HeaderShape, **changes: object) -> dict[str, object]:
    fields = blank_fields(shape) | {"number": 5, "timestamp": 77, "stateRoot": b"\x01" * 32}
    block: dict[str, object] = {
        name: hex(value) if isinstance(value, int) else "0x" + value.hex() for name, value in fields.items()
    }
    block["hash"] = "0x" + keccak256(encode_header(fields, shape)).hex()
    return block | changes


def test_header__when_a_later_shape_of_the_network_fits__then_it_is_taken() -> None:
    block = WIRE.block(_json_block(HeaderShape.PRAGUE))  # type: ignore[arg-type]  # JSON

    ref, rlp = WIRE.header(ChainId("eip155:1"), block, (HeaderShape.LONDON, HeaderShape.PRAGUE))

    assert (ref.number, ref.timestamp_s, ref.state_root) == (5, 77, b"\x01" * 32)
    assert keccak256(rlp) == ref.hash


@pytest.mark.parametrize(
    "changes",
    [{"stateRoot": "0x" + "02" * 32}, {"hash": "0x" + "02" * 32}, {"gasUsed": "0x1"}, {"miner": None}, {"nonce": "0x"}],
)
def test_header__when_any_field_is_changed__then_it_is_refused(changes: dict[str, object]) -> None:
    block = WIRE.block(_json_block(HeaderShape.PRAGUE, **changes))  # type: ignore[arg-type]  # JSON

    with pytest.raises(HeaderRefused) as refused:
        WIRE.header(ChainId("eip155:1"), block, (HeaderShape.PRAGUE,))

    assert (refused.value.number, refused.value.provider) == (5, "p")


@pytest.mark.parametrize("value", [None, [], "0x", 7, {}, {"number": "0x1"}])
def test_block__when_it_is_none__then_it_is_malformed(value: object) -> None:
    with pytest.raises(RpcMalformed):
        WIRE.block(value)  # type: ignore[arg-type]  # that is the point


PROOF: dict[str, object] = {
    "address": "0x" + "11" * 20,
    "nonce": "0x1",
    "balance": "0x00",
    "storageHash": "0x" + "22" * 32,
    "codeHash": "0x" + "33" * 32,
    "accountProof": ["0xaa", "0xbbbb"],
    "storageProof": [{"key": "0x" + "00" * 31 + "05", "value": "0x7", "proof": ["0xcc"]}],
}


def test_proof__when_well_formed__then_it_is_an_answer() -> None:
    answer = WIRE.account_answer(PROOF)  # type: ignore[arg-type]  # JSON

    assert (answer.address, answer.nonce, answer.balance) == (b"\x11" * 20, 1, 0)
    assert answer.account_proof == (b"\xaa", b"\xbb\xbb")
    assert answer.storage == ((5, 7, (b"\xcc",)),)


def test_proof__when_the_proof_of_an_empty_trie_is_null__then_it_is_empty() -> None:
    entry = {"key": "0x5", "value": "0x0", "proof": None}

    assert WIRE.account_answer(PROOF | {"storageProof": [entry]}).storage == ((5, 0, ()),)  # type: ignore[arg-type]  # JSON


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "0x" + "11" * 19},
        {"nonce": None},
        {"balance": "7"},
        {"storageHash": "0x" + "22" * 31},
        {"codeHash": None},
        {"accountProof": None},
        {"accountProof": "0xaa"},
        {"accountProof": ["0xa"]},
        {"accountProof": ["0xaa"] * 67},
        {"accountProof": ["0x" + "aa" * 533]},
        {"storageProof": None},
        {"storageProof": [7]},
        {"storageProof": [{"key": "0x5", "value": "0x0", "proof": "0x"}]},
        {"storageProof": [{"key": "5", "value": "0x0", "proof": []}]},
    ],
)
def test_proof__when_a_part_is_malformed__then_it_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(RpcMalformed):
        WIRE.account_answer(PROOF | changes)  # type: ignore[arg-type]  # JSON


def test_merged__when_two_parts_speak_of_different_accounts__then_they_are_refused() -> None:
    first = WIRE.account_answer(PROOF)  # type: ignore[arg-type]  # JSON
    other = WIRE.account_answer(PROOF | {"balance": "0x1"})  # type: ignore[arg-type]  # JSON

    assert merged_answers("p", [first, first]).storage == first.storage * 2
    with pytest.raises(RpcMalformed, match="proof_parts"):
        merged_answers("p", [first, other])
