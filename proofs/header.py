"""Execution block headers: RLP, hash, and the few fields that everything else hangs on.

A header has as many fields as its fork prescribes; which shape a chain's headers have is configuration, an
unknown shape is refused and never guessed. Hashing all fields is what binds state root, number and time to the
block hash; who vouches for the block hash is decided elsewhere.

    shape        fields  adds
    berlin       15      (before London)
    london       16      baseFeePerGas
    arbitrum     16      as london; extraData is the 32-byte send root
    shanghai     17      withdrawalsRoot
    cancun       20      blobGasUsed, excessBlobGas, parentBeaconBlockRoot
    prague       21      requestsHash          (also Osaka and the blob-parameter forks)

Source: Ethereum yellow paper section 4.3; EIP-1559, 4895, 4844, 4788, 7685.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from proofs.errors import InvalidHeader, InvalidRlp, LimitExceeded, Rule
from proofs.keccak import keccak256
from proofs.limits import HEADER_BYTES_MAX, HEADER_EXTRA_BYTES_MAX
from proofs.rlp import Item, decode_list, decode_uint, encode, encode_uint
from proofs.trie_builder import EMPTY_ROOT

__all__ = [
    "Header",
    "HeaderShape",
    "blank_fields",
    "check_header",
    "encode_header",
    "header_hash",
    "header_of_hash",
    "header_rlp_from_json",
    "parse_header",
]


class HeaderShape(StrEnum):
    """Name the header layout of a fork; the table is in the module docstring."""

    BERLIN = "berlin"
    LONDON = "london"
    ARBITRUM = "arbitrum"
    SHANGHAI = "shanghai"
    CANCUN = "cancun"
    PRAGUE = "prague"


@dataclass(frozen=True, slots=True)
class Header:
    """Hold what we rely on from one header; `hash` is the block hash, computed from all fields."""

    hash: bytes
    number: int
    parent_hash: bytes
    state_root: bytes
    timestamp_s: int
    transactions_root: bytes
    receipts_root: bytes
    extra_data: bytes
    parent_beacon_root: bytes | None


@dataclass(frozen=True, slots=True)
class _Field:
    """Say how one field is written: bytes of a fixed or at most some length, or an integer of so many bits."""

    name: str
    length: int = 0
    length_max: int = 0
    bits: int = 0


_FIELDS: Final = (
    _Field("parentHash", length=32),
    _Field("sha3Uncles", length=32),
    _Field("miner", length=20),
    _Field("stateRoot", length=32),
    _Field("transactionsRoot", length=32),
    _Field("receiptsRoot", length=32),
    _Field("logsBloom", length=256),
    _Field("difficulty", bits=256),
    _Field("number", bits=64),
    _Field("gasLimit", bits=64),
    _Field("gasUsed", bits=64),
    _Field("timestamp", bits=64),
    _Field("extraData", length_max=HEADER_EXTRA_BYTES_MAX),
    _Field("mixHash", length=32),
    _Field("nonce", length=8),
    _Field("baseFeePerGas", bits=256),
    _Field("withdrawalsRoot", length=32),
    _Field("blobGasUsed", bits=64),
    _Field("excessBlobGas", bits=64),
    _Field("parentBeaconBlockRoot", length=32),
    _Field("requestsHash", length=32),
)
_COUNTS: Final = MappingProxyType(
    {
        HeaderShape.BERLIN: 15,
        HeaderShape.LONDON: 16,
        HeaderShape.ARBITRUM: 16,
        HeaderShape.SHANGHAI: 17,
        HeaderShape.CANCUN: 20,
        HeaderShape.PRAGUE: 21,
    }
)

_SHAPE_OF_COUNT: Final = MappingProxyType(
    {count: shape for shape, count in _COUNTS.items() if shape is not HeaderShape.ARBITRUM}  # as long as London's
)

# keccak of the RLP of an empty list: no uncles. SHA-256 of nothing: no requests (EIP-7685).
_EMPTY_UNCLES: Final = keccak256(b"\xc0")
_EMPTY_REQUESTS: Final = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


def header_hash(rlp: bytes) -> bytes:
    """Return the block hash of an encoded header.

    Raises `LimitExceeded` for more than `HEADER_BYTES_MAX` bytes.
    """
    _require_size(rlp)
    return keccak256(rlp)


def parse_header(rlp: bytes, shape: HeaderShape) -> Header:
    """Decode and hash a header of the configured shape.

    Raises `InvalidHeader` for another field count and for any field of the wrong kind or length, `LimitExceeded`.
    """
    _require_size(rlp)
    try:
        items = decode_list(rlp)
    except InvalidRlp as fault:
        raise InvalidHeader(fault.rule, detail=str(fault)) from fault
    if len(items) != _COUNTS[shape]:
        raise InvalidHeader(Rule.HEADER_SHAPE, detail=f"{len(items)} fields, {shape} has {_COUNTS[shape]}")
    raw = {field.name: _decoded(field, item) for field, item in zip(_FIELDS, items, strict=False)}
    return Header(
        hash=keccak256(rlp),
        number=int.from_bytes(raw["number"], "big"),
        parent_hash=raw["parentHash"],
        state_root=raw["stateRoot"],
        timestamp_s=int.from_bytes(raw["timestamp"], "big"),
        transactions_root=raw["transactionsRoot"],
        receipts_root=raw["receiptsRoot"],
        extra_data=raw["extraData"],
        parent_beacon_root=raw.get("parentBeaconBlockRoot"),
    )


def check_header(rlp: bytes, shape: HeaderShape, block_hash: bytes) -> Header:
    """Parse a header and require that it hashes to the block hash we asked for."""
    header = parse_header(rlp, shape)
    if header.hash != block_hash:
        raise InvalidHeader(Rule.HEADER_HASH, detail=f"expected 0x{block_hash.hex()}, got 0x{header.hash.hex()}")
    return header


def header_of_hash(rlp: bytes, block_hash: bytes) -> Header:
    """Parse the header of a known hash by the shape that its number of fields has; nothing else tells a stranger.

    Raises `InvalidHeader` for another hash, before anything is decoded, and for an unknown number of fields;
    `LimitExceeded`.
    """
    computed = header_hash(rlp)
    if computed != block_hash:
        raise InvalidHeader(Rule.HEADER_HASH, detail=f"expected 0x{block_hash.hex()}, computed 0x{computed.hex()}")
    try:
        count = len(decode_list(rlp))
    except InvalidRlp as fault:
        raise InvalidHeader(fault.rule, detail=str(fault)) from fault
    if count not in _SHAPE_OF_COUNT:
        raise InvalidHeader(Rule.HEADER_SHAPE, detail=f"{count} fields")
    return parse_header(rlp, _SHAPE_OF_COUNT[count])


def header_rlp_from_json(fields: Mapping[str, object], shape: HeaderShape) -> bytes:
    """Encode the header inside a JSON-RPC block object; other members of the object are not looked at.

    Raises `InvalidHeader` when a field of the shape is missing or malformed, or when a field of a later fork is
    there: then the configured shape is wrong.
    """
    count = _COUNTS[shape]
    for field in _FIELDS[count:]:
        if fields.get(field.name) is not None:
            raise InvalidHeader(Rule.HEADER_SHAPE, field.name, f"is there, but {shape} has {count} fields")
    rlp = encode([_from_json(field, fields.get(field.name)) for field in _FIELDS[:count]])
    _require_size(rlp)
    return rlp


def encode_header(fields: Mapping[str, bytes | int], shape: HeaderShape) -> bytes:
    """Encode exactly the fields of a shape, by their JSON-RPC names: bytes, or integers for quantities.

    Raises `InvalidHeader` for missing, surplus or malformed fields.
    """
    wanted = _FIELDS[: _COUNTS[shape]]
    surplus = fields.keys() - {field.name for field in wanted}
    if surplus:
        raise InvalidHeader(Rule.HEADER_SHAPE, min(surplus), f"is no field of {shape}")
    return encode([_from_value(field, fields.get(field.name)) for field in wanted])


def blank_fields(shape: HeaderShape) -> dict[str, bytes | int]:
    """Return the fields of an empty block: zeros, empty roots, no uncles, no requests; for chains in memory."""
    blank: dict[str, bytes | int] = {
        field.name: 0 if field.bits else bytes(field.length) for field in _FIELDS[: _COUNTS[shape]]
    }
    roots = {"stateRoot", "transactionsRoot", "receiptsRoot", "withdrawalsRoot"}
    blank.update(dict.fromkeys(roots & blank.keys(), EMPTY_ROOT))
    blank["sha3Uncles"] = _EMPTY_UNCLES
    if "requestsHash" in blank:
        blank["requestsHash"] = _EMPTY_REQUESTS
    return blank


def _require_size(rlp: bytes) -> None:
    if len(rlp) > HEADER_BYTES_MAX:
        raise LimitExceeded("HEADER_BYTES_MAX", HEADER_BYTES_MAX, len(rlp))


def _decoded(field: _Field, item: Item) -> bytes:
    if not isinstance(item, bytes):
        raise InvalidHeader(Rule.HEADER_FIELD, field.name, "a list")
    if field.bits:
        try:
            decode_uint(item, field.bits)
        except InvalidRlp as fault:
            raise InvalidHeader(Rule.HEADER_FIELD, field.name, fault.detail) from fault
        return item
    return _sized(field, item)


def _sized(field: _Field, value: bytes) -> bytes:
    if len(value) != field.length if field.length else len(value) > field.length_max:
        raise InvalidHeader(Rule.HEADER_FIELD, field.name, f"{len(value)} bytes")
    return value


def _from_value(field: _Field, value: bytes | int | None) -> bytes:
    if isinstance(value, bytes) and not field.bits:
        return _sized(field, value)
    if isinstance(value, int) and field.bits and 0 <= value < 1 << field.bits:
        return encode_uint(value)
    raise InvalidHeader(Rule.HEADER_FIELD, field.name, "missing" if value is None else "of the wrong kind or size")


def _from_json(field: _Field, value: object) -> bytes:
    """Read 0x text: integers in any number of digits that fits, bytes at full length."""
    if value is None:
        raise InvalidHeader(Rule.HEADER_FIELD, field.name, "missing")
    if not isinstance(value, str) or value[:2] != "0x" or len(value) > 2 + 2 * HEADER_EXTRA_BYTES_MAX:
        raise InvalidHeader(Rule.HEADER_FIELD, field.name, "is no 0x text of an allowed length")
    digits = value[2:]
    if set(digits) - set("0123456789abcdefABCDEF"):
        raise InvalidHeader(Rule.HEADER_FIELD, field.name, "is no hex text")
    if field.bits:
        if not 0 < len(digits) <= 64:
            raise InvalidHeader(Rule.HEADER_FIELD, field.name, f"{len(digits)} digits")
        return _from_value(field, int(digits, 16))
    if len(digits) % 2:
        raise InvalidHeader(Rule.HEADER_FIELD, field.name, "odd number of digits")
    return _from_value(field, bytes.fromhex(digits))
