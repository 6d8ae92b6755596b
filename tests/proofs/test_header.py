"""Headers: the hash binds every field, unknown shapes are refused, forks differ in their field count."""

from __future__ import annotations

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st

from proofs.errors import InvalidHeader, LimitExceeded, ProofError, Rule
from proofs.header import (
    HeaderShape,
    blank_fields,
    check_header,
    encode_header,
    header_hash,
    header_rlp_from_json,
    parse_header,
)
from proofs.limits import HEADER_BYTES_MAX, HEADER_EXTRA_BYTES_MAX
from tests.golden.loading import load
from tests.proofs.crafted import hash_of

COUNTS = {"berlin": 15, "london": 16, "arbitrum": 16, "shanghai": 17, "cancun": 20, "prague": 21}


MAINNET = load("proofs/mainnet_state/state_proofs.json")["block"]
DEVNET = load("proofs/anvil_erc20/storage_proofs.json")["block"]


@pytest.mark.golden
@pytest.mark.parametrize(("block", "shape"), [(MAINNET, HeaderShape.CANCUN), (DEVNET, HeaderShape.PRAGUE)])
def test_header_rlp_from_json__real_blocks__hash_and_fields(block: dict[str, str], shape: HeaderShape) -> None:
    raw = header_rlp_from_json(block, shape)

    header = check_header(raw, shape, bytes.fromhex(block["hash"][2:]))

    assert hash_of(raw).hex() == block["hash"][2:]
    assert header.hash == header_hash(raw)
    assert header.number == int(block["number"], 16)
    assert header.timestamp_s == int(block["timestamp"], 16)
    assert header.state_root.hex() == block["stateRoot"][2:]
    assert header.parent_hash.hex() == block["parentHash"][2:]
    assert header.transactions_root.hex() == block["transactionsRoot"][2:]
    assert header.receipts_root.hex() == block["receiptsRoot"][2:]
    assert header.extra_data.hex() == block["extraData"][2:]
    assert header.parent_beacon_root == bytes.fromhex(block["parentBeaconBlockRoot"][2:])


def test_mainnet_genesis__berlin_shape__hashes_to_the_published_hash() -> None:
    """The oldest header there is; its fields and its hash stand in every client's source."""
    empty = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    block = {
        "parentHash": "0x" + "00" * 32,
        "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
        "miner": "0x" + "00" * 20,
        "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
        "transactionsRoot": empty,
        "receiptsRoot": empty,
        "logsBloom": "0x" + "00" * 256,
        "difficulty": "0x400000000",
        "number": "0x0",
        "gasLimit": "0x1388",
        "gasUsed": "0x0",
        "timestamp": "0x0",
        "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
        "mixHash": "0x" + "00" * 32,
        "nonce": "0x0000000000000042",
    }
    published = bytes.fromhex("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3")

    header = check_header(header_rlp_from_json(block, HeaderShape.BERLIN), HeaderShape.BERLIN, published)

    assert (header.number, header.parent_beacon_root) == (0, None)


def test_th_037_block_of_an_unknown_fork__a_field_we_do_not_know__refused() -> None:
    """A later fork's field is no part of what we encode, so the hash cannot come out."""
    known = {**blank_fields(HeaderShape.PRAGUE), "number": 7}
    raw = encode_header(known, HeaderShape.PRAGUE)
    later = rlp.encode([*rlp.decode(raw), b"\x01" * 32])

    with pytest.raises(InvalidHeader) as caught:
        check_header(raw, HeaderShape.PRAGUE, hash_of(later))
    assert caught.value.rule == Rule.HEADER_HASH
    for shape in HeaderShape:
        with pytest.raises(InvalidHeader) as caught:
            check_header(later, shape, hash_of(later))
        assert caught.value.rule == Rule.HEADER_SHAPE


def test_th_037_mainnet_header__every_byte_changed__refused() -> None:
    raw = header_rlp_from_json(MAINNET, HeaderShape.CANCUN)
    block_hash = bytes.fromhex(MAINNET["hash"][2:])

    for offset in range(len(raw)):
        changed = raw[:offset] + bytes([raw[offset] ^ 1]) + raw[offset + 1 :]
        with pytest.raises(InvalidHeader):
            check_header(changed, HeaderShape.CANCUN, block_hash)


@pytest.mark.parametrize("field", ["stateRoot", "number", "timestamp", "parentHash", "extraData", "gasUsed"])
def test_th_037_mainnet_header__one_json_field_changed__other_hash(field: str) -> None:
    last = MAINNET[field][-1]
    changed = {**MAINNET, field: MAINNET[field][:-1] + ("0" if last != "0" else "1")}

    raw = header_rlp_from_json(changed, HeaderShape.CANCUN)

    with pytest.raises(InvalidHeader) as caught:
        check_header(raw, HeaderShape.CANCUN, bytes.fromhex(MAINNET["hash"][2:]))
    assert caught.value.rule == Rule.HEADER_HASH


@pytest.mark.parametrize("shape", HeaderShape)
def test_parse_header__blank_block_of_each_fork__field_count_of_the_fork(shape: HeaderShape) -> None:
    raw = encode_header({**blank_fields(shape), "number": 7, "timestamp": 9}, shape)

    assert len(rlp.decode(raw)) == COUNTS[shape]
    assert (parse_header(raw, shape).number, parse_header(raw, shape).timestamp_s) == (7, 9)


@pytest.mark.parametrize("shape", HeaderShape)
@pytest.mark.parametrize("configured", HeaderShape)
def test_th_037_header_of_another_fork__refused(shape: HeaderShape, configured: HeaderShape) -> None:
    raw = encode_header(blank_fields(shape), shape)

    if COUNTS[shape] == COUNTS[configured]:
        assert parse_header(raw, configured).hash == hash_of(raw)
        return
    with pytest.raises(InvalidHeader) as caught:
        parse_header(raw, configured)
    assert caught.value.rule == Rule.HEADER_SHAPE


@pytest.mark.parametrize("count", [0, 14, 18, 19, 22, 23])
def test_th_037_unknown_field_counts__refused_for_every_shape(count: int) -> None:
    items = rlp.decode(encode_header(blank_fields(HeaderShape.PRAGUE), HeaderShape.PRAGUE))
    raw = rlp.encode([*items, b"", b""][:count])

    for shape in HeaderShape:
        with pytest.raises(InvalidHeader) as caught:
            parse_header(raw, shape)
        assert caught.value.rule == Rule.HEADER_SHAPE


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, b"\x01" * 31),
        (0, b""),
        (0, [b"\x01" * 32]),
        (2, b"\x01" * 32),
        (3, b"\x01" * 33),
        (6, b"\x01" * 255),
        (8, b"\x00"),
        (8, b"\x00\x01"),
        (8, b"\x01" * 9),
        (8, []),
        (7, b"\x01" * 33),
        (11, b"\x01" * 9),
        (12, []),
        (14, b""),
        (15, b"\x00"),
        (16, b""),
        (20, b"\x01" * 31),
    ],
)
def test_th_037_field__of_wrong_length_or_kind__refused(place: int, value: object) -> None:
    items = list(rlp.decode(encode_header(blank_fields(HeaderShape.PRAGUE), HeaderShape.PRAGUE)))
    items[place] = value

    with pytest.raises(InvalidHeader) as caught:
        parse_header(rlp.encode(items), HeaderShape.PRAGUE)

    assert caught.value.rule == Rule.HEADER_FIELD


@pytest.mark.parametrize("raw", [b"", b"\x80", b"\xc1", b"\xf8\x01\x80", b"\xc0\x00"])
def test_th_037_no_canonical_list__refused(raw: bytes) -> None:
    with pytest.raises(InvalidHeader):
        parse_header(raw, HeaderShape.PRAGUE)


@given(st.binary(max_size=700), st.sampled_from(HeaderShape))
def test_th_037_random_bytes__only_typed_errors(raw: bytes, shape: HeaderShape) -> None:
    with pytest.raises(ProofError):
        parse_header(raw, shape)


def test_th_047_extra_data_and_size__at_the_limit_judged_above_refused() -> None:
    blank = blank_fields(HeaderShape.PRAGUE)
    raw = encode_header({**blank, "extraData": bytes(HEADER_EXTRA_BYTES_MAX)}, HeaderShape.PRAGUE)

    assert len(parse_header(raw, HeaderShape.PRAGUE).extra_data) == HEADER_EXTRA_BYTES_MAX
    with pytest.raises(InvalidHeader):
        encode_header({**blank, "extraData": bytes(HEADER_EXTRA_BYTES_MAX + 1)}, HeaderShape.PRAGUE)
    with pytest.raises(InvalidHeader):
        parse_header(bytes(HEADER_BYTES_MAX), HeaderShape.PRAGUE)
    with pytest.raises(LimitExceeded):
        parse_header(bytes(HEADER_BYTES_MAX + 1), HeaderShape.PRAGUE)
    with pytest.raises(LimitExceeded):
        header_hash(bytes(HEADER_BYTES_MAX + 1))


def test_th_047_largest_header__fits_the_limit() -> None:
    fields = {
        name: 2 ** (256 if name in ("difficulty", "baseFeePerGas") else 64) - 1 if value == 0 else value
        for name, value in blank_fields(HeaderShape.PRAGUE).items()
    }

    raw = encode_header({**fields, "extraData": bytes(HEADER_EXTRA_BYTES_MAX)}, HeaderShape.PRAGUE)

    assert len(raw) <= HEADER_BYTES_MAX


# --- JSON ------------------------------------------------------------------------------------------------------


def test_json__quantities_padded_or_in_capitals__same_header() -> None:
    spelled = {**MAINNET, "number": "0x000" + MAINNET["number"][2:].upper(), "extraData": MAINNET["extraData"]}

    raw = header_rlp_from_json(spelled, HeaderShape.CANCUN)

    assert raw == header_rlp_from_json(MAINNET, HeaderShape.CANCUN)


def test_json__members_of_the_block_that_are_no_header_fields__not_looked_at() -> None:
    block = {**MAINNET, "transactions": [{"hash": "0x"}], "size": "0x1", "withdrawals": None, "requestsHash": None}

    assert header_rlp_from_json(block, HeaderShape.CANCUN) == header_rlp_from_json(MAINNET, HeaderShape.CANCUN)


def test_th_037_json__field_of_a_later_fork__refused() -> None:
    with pytest.raises(InvalidHeader) as caught:
        header_rlp_from_json(DEVNET, HeaderShape.CANCUN)

    assert (caught.value.rule, caught.value.field) == (Rule.HEADER_SHAPE, "requestsHash")


@pytest.mark.parametrize("field", [name for name in DEVNET if name != "hash"])
def test_th_037_json__field_missing_or_null__refused(field: str) -> None:
    for block in ({name: value for name, value in DEVNET.items() if name != field}, {**DEVNET, field: None}):
        with pytest.raises(InvalidHeader) as caught:
            header_rlp_from_json(block, HeaderShape.PRAGUE)
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", 7),
        ("number", "7"),
        ("number", "0x"),
        ("number", "0xg"),
        ("number", "0x-1"),
        ("number", "0x1_0"),
        ("number", "0x 1"),
        ("number", "0x1" + "0" * 16),
        ("number", "0x" + "0" * 65),
        ("number", ["0x7"]),
        ("stateRoot", "0x" + "11" * 31),
        ("stateRoot", "11" * 32),
        ("stateRoot", "0x" + "11" * 31 + "1"),
        ("extraData", "0x1"),
        ("extraData", "0x" + "00" * (HEADER_EXTRA_BYTES_MAX + 1)),
        ("miner", "0x" + "١١" * 20),
    ],
)
def test_th_037_json__malformed_field__refused(field: str, value: object) -> None:
    with pytest.raises(InvalidHeader) as caught:
        header_rlp_from_json({**DEVNET, field: value}, HeaderShape.PRAGUE)

    assert caught.value.field == field


@pytest.mark.parametrize(
    "change", [{"number": b"\1"}, {"number": -1}, {"number": 2**64}, {"stateRoot": 1}, {"hash": b""}]
)
def test_encode_header__wrong_kind_size_or_name__refused(change: dict[str, bytes | int]) -> None:
    with pytest.raises(InvalidHeader):
        encode_header({**blank_fields(HeaderShape.PRAGUE), **change}, HeaderShape.PRAGUE)


def test_blank_fields__of_the_newest_shape__hashes_of_nothing() -> None:
    blank = blank_fields(HeaderShape.PRAGUE)

    # The same constants stand in the header of a real empty block.
    assert blank["sha3Uncles"] == bytes.fromhex(DEVNET["sha3Uncles"][2:])
    assert blank["requestsHash"] == bytes.fromhex(DEVNET["requestsHash"][2:])
    assert blank["withdrawalsRoot"] == bytes.fromhex(DEVNET["withdrawalsRoot"][2:])
    assert blank["transactionsRoot"] == blank["receiptsRoot"] == blank["stateRoot"] == hash_of(b"\x80")


def test_encode_header__missing_field__refused() -> None:
    with pytest.raises(InvalidHeader):
        encode_header({"number": 1}, HeaderShape.BERLIN)
