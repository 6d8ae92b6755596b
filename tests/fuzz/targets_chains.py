"""What nodes answer: JSON of any kind, batches, EVM objects, packed words of the lens."""

from __future__ import annotations

import json

from chains.errors import ProviderError
from chains.families.evm_codec import Wire
from chains.jsonrpc import RpcCall, decode_batch, printable
from chains.lens import LensReply, Slice, decode_getter, failed_rows, rows_of, unpack
from proofs.account import AccountAnswer
from proofs.bounded_json import JSON_DEPTH_MAX, parse_json
from proofs.header import HeaderShape, blank_fields, header_hash, header_rlp_from_json
from proofs.sheet import CellStatus, ColumnSpec, ReadMode
from proofs.types import Address, ChainId
from tests.fuzz.engine import Target
from tests.proofs.crafted import small_world

JSON_TOKENS = (
    b"{}", b"[]", b"null", b"true", b'"', b'""', b",", b":", b"1e999", b"-0", b"NaN", b"Infinity", b"\\ud800", b"\\",
    b"[" * 20, b'{"a":', b"]" * 20, b"0x", b"1" * 40, b"\xff", b'"id":1', b'"result":', b'"error":',
)  # fmt: skip


def run_json(data: bytes) -> str:
    value = parse_json(data)
    assert _depth(value) <= JSON_DEPTH_MAX
    return type(value).__name__


def _depth(value: object) -> int:
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, list | dict)]:
        level = [below for item in level for below in (item.values() if isinstance(item, dict) else item)]
        depth += 1
    return depth


JSON = Target(
    "bounded_json",
    run_json,
    (ValueError,),
    (b'{"a":["b\\"[",{"c":1.5e3}],"d":null}', b"[" * 64 + b"]" * 64, b'"\\u00e9\\ud83d\\ude00"', b"[[[[1,2],3],4],5]"),
    JSON_TOKENS,
)

# --- JSON-RPC and EVM objects ----------------------------------------------------------------------------------------

_CALLS = (RpcCall("eth_chainId"), RpcCall("eth_getProof"), RpcCall("eth_getBlockByNumber"), RpcCall("eth_call"))
_WIRE = Wire("provider")
_CHAIN = ChainId("eip155:1")


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _proof_json() -> object:
    world = small_world()
    answer = world.answer(world.contracts[0].address, (7, 1000))
    entries = [
        {"key": _hex(slot.to_bytes(32, "big")), "value": hex(word), "proof": [_hex(node) for node in nodes]}
        for slot, word, nodes in answer.storage
    ]
    return {
        "address": _hex(answer.address),
        "accountProof": [_hex(node) for node in answer.account_proof],
        "balance": "0x0",
        "codeHash": _hex(answer.code_hash),
        "nonce": "0x1",
        "storageHash": _hex(answer.storage_hash),
        "storageProof": entries,
    }


def _block_json() -> dict[str, object]:
    fields = blank_fields(HeaderShape.PRAGUE)
    block: dict[str, object] = {
        name: hex(value) if isinstance(value, int) else _hex(value) for name, value in fields.items()
    }
    rlp = header_rlp_from_json(block, HeaderShape.PRAGUE)
    return {**block, "hash": _hex(header_hash(rlp)), "transactions": []}


def _body(*results: object) -> bytes:
    replies = [{"jsonrpc": "2.0", "id": 1 + at, "result": result} for at, result in enumerate(results)]
    return json.dumps(replies, separators=(",", ":")).encode()


_LIST = _hex((32).to_bytes(32, "big") + (2).to_bytes(32, "big") + b"\1" * 32 + b"\2" * 32)
_WHOLE = _body("0x1", _proof_json(), _block_json(), _LIST)
_SEEDS = (
    _WHOLE,
    _body("0x1", {"storageProof": None, "accountProof": []}, {}, "0x"),
    _body("0x1", {**_block_json()}, None, _LIST),
    b'{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"rate limit"}}',
    b'[{"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"execution reverted"}},{"jsonrpc":"2.0","id":2,"result":1}]',
    b'[{"jsonrpc":"2.0","id":4,"result":1},{"jsonrpc":"2.0","id":3,"result":null},{"jsonrpc":"2.0","id":2,"result":[]},'
    b'{"jsonrpc":"2.0","id":1,"result":"0x"}]',
    b'[{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"header not found"}}]',
)


def run_batch(data: bytes) -> str:
    replies = decode_batch("provider", data, _CALLS, 1, printable)
    assert len(replies) == len(_CALLS)
    return "batch"


def run_objects(data: bytes) -> str:
    """Read a batch and then each answer as what its method returns."""
    number, proof, block, listing = decode_batch("provider", data, _CALLS, 1, printable)
    seen = []
    for what, read in (
        ("quantity", lambda: _WIRE.quantity(number, "chain id")),  # type: ignore[arg-type]  # errors are refused too
        ("proof", lambda: _checked(_WIRE.account_answer(proof))),  # type: ignore[arg-type]
        ("block", lambda: _WIRE.header(_CHAIN, _WIRE.block(block), tuple(HeaderShape))),  # type: ignore[arg-type]
        ("accounts", lambda: _WIRE.accounts(listing, 100)),  # type: ignore[arg-type]
    ):
        try:
            read()
            seen.append(what)
        except ProviderError as refusal:
            seen.append(f"{type(refusal).__name__} {getattr(refusal, 'rule', '')}")
    return ", ".join(seen)


def _checked(answer: AccountAnswer) -> None:
    assert all(type(node) is bytes for node in answer.account_proof)
    assert all(0 <= slot < 2**256 and 0 <= word < 2**256 for slot, word, _ in answer.storage)


BATCH = Target("jsonrpc", run_batch, (ProviderError,), _SEEDS[1:], JSON_TOKENS)
OBJECTS = Target("evm_objects", run_objects, (ProviderError,), _SEEDS, (*JSON_TOKENS, b'"0x0"', b'"0x', b'0x1_0"'))

# --- the lens --------------------------------------------------------------------------------------------------------

_ROWS = tuple(bytes(31) + bytes([number]) for number in range(3))
_COLUMNS = (
    ColumnSpec("locks", Address(b"\1" * 20), ReadMode.CALL, b"\1\2\3\4", _ROWS, (False,)),
    ColumnSpec("positions", Address(b"\2" * 20), ReadMode.CALL, b"\1\2\3\4", _ROWS, (True, False, True)),
    ColumnSpec("price", Address(b"\3" * 20), ReadMode.CALL, b"\1\2\3\4", (b"",), (False, True, False, False, False)),
)
_SLICES = (Slice(0, 0, 3), Slice(1, 0, 3), Slice(2, 0, 1))
_WORDS = sum((part.stop - part.start) * _COLUMNS[part.column].width for part in _SLICES)


class NotAsked(Exception):
    """Stand for the `None` of a reply of another length."""


def run_lens(data: bytes) -> str:
    """Cut a reply, re-read its failed rows from what follows it, and build the columns."""
    size = 16 + 16 * _WORDS
    reply = unpack(_COLUMNS, _SLICES, data[:size])
    if reply is None:
        raise NotAsked
    failed = [_column(at, reply, data[size:]) for at in range(len(_COLUMNS))]
    return f"{min(sum(failed), 3)} failed"


def _column(at: int, reply: LensReply, more: bytes) -> int:
    spec, words = _COLUMNS[at], reply.words[at]
    rows = failed_rows(words, spec.width)
    assert list(rows) == [
        row
        for row in range(len(spec.rows))
        if any(
            words[16 * word : 16 * word + 16] == b"\xff" * 16
            for word in range(row * spec.width, (row + 1) * spec.width)
        )
    ]
    column = rows_of(spec, words, {row: decode_getter(spec, more[: 32 * ((row + 1) % 6)]) for row in rows})
    for row in range(len(spec.rows)):
        read = column.row(row)
        assert (read is None) == (column.status[row] == CellStatus.FAILED)
    return len(rows)


LENS = Target(
    "lens",
    run_lens,
    (NotAsked,),
    (
        bytes(16 + 16 * _WORDS),
        b"\1" * (16 + 16 * _WORDS) + b"\xfe" * 160,
        b"\0" * 16 + b"\xff" * 16 * _WORDS + b"\7" * 160,
        b"\0" * 16 + b"\xff" * 16 * _WORDS,
    ),
    (b"\xff" * 16, b"\xff" * 17, b"\x80" + bytes(15), b"\xff" * 32, b"\x80" + bytes(31)),
)

TARGETS = (JSON, BATCH, OBJECTS, LENS)
