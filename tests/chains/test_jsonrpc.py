"""JSON-RPC bodies: what is accepted, and every rule's neighbour that is not."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import BlockUnknown, ProviderError, RateLimited, RpcMalformed, RpcRefused, StatePruned
from chains.jsonrpc import RpcCall, decode_batch, encode_batch, printable, refusal

CALLS = (RpcCall("a"), RpcCall("b", ("0x1", [False])), RpcCall("c"))


def _decode(body: bytes | object, calls: tuple[RpcCall, ...] = CALLS) -> tuple[object, ...]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode_batch("p", raw, calls, 10, lambda text: text.replace("secret", "***"))


def _ok(number: object, result: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def test_encode__when_calls_are_batched__then_ids_count_up() -> None:
    assert orjson.loads(encode_batch(CALLS, 10)) == [
        {"jsonrpc": "2.0", "id": 10, "method": "a", "params": []},
        {"jsonrpc": "2.0", "id": 11, "method": "b", "params": ["0x1", [False]]},
        {"jsonrpc": "2.0", "id": 12, "method": "c", "params": []},
    ]


@given(st.permutations([0, 1, 2]))
def test_th_010_decode__when_answers_are_in_any_order__then_they_are_matched_by_id(order: list[int]) -> None:
    assert _decode([_ok(10 + index, f"r{index}") for index in order]) == ("r0", "r1", "r2")


def test_decode__when_one_call_is_refused__then_the_others_stand() -> None:
    error = {"jsonrpc": "2.0", "id": 11, "error": {"code": 3, "message": "execution reverted", "data": "0x"}}

    replies = _decode([_ok(10, None), error, _ok(12, False)])

    assert replies[0] is None
    assert isinstance(replies[1], RpcRefused)
    assert (replies[1].code, replies[1].method) == (3, "b")
    assert replies[2] is False


GOOD = [_ok(10, 1), _ok(11, 2), _ok(12, 3)]


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "body_json"),
        (b"\xff\xfe", "body_json"),
        (b'[{"jsonrpc":"2.0","id":10,"result":1}', "body_json"),
        (b"[" * 5_000, "body_json"),
        ([_ok(10, [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]])], "body_json"),
        (b"NaN", "body_json"),
        (7, "body_shape"),
        ("text", "body_shape"),
        (None, "body_shape"),
        ({"jsonrpc": "2.0", "id": 10, "result": 1}, "body_shape"),
        ([7], "body_shape"),
        ([*GOOD, _ok(12, 4)], "id_repeated"),
        ([*GOOD[:2], _ok(11, 9)], "id_repeated"),
        (GOOD[:2], "id_missing"),
        ([], "id_missing"),
        ([*GOOD[:2], _ok(13, 3)], "id_unknown"),
        ([*GOOD[:2], _ok(9, 3)], "id_unknown"),
        ([*GOOD[:2], _ok("12", 3)], "id_unknown"),
        ([*GOOD[:2], _ok(12.0, 3)], "id_unknown"),
        ([*GOOD[:2], _ok(True, 3)], "id_unknown"),
        ([*GOOD[:2], _ok(None, 3)], "id_unknown"),
        ([*GOOD[:2], {"jsonrpc": "1.0", "id": 12, "result": 3}], "version"),
        ([*GOOD[:2], {"id": 12, "result": 3}], "version"),
        ([*GOOD[:2], {"jsonrpc": "2.0", "id": 12}], "result_or_error"),
        ([*GOOD[:2], {"jsonrpc": "2.0", "id": 12, "error": None}], "result_or_error"),
        ([*GOOD[:2], _ok(12, 3) | {"error": {"code": 1, "message": ""}}], "result_or_error"),
        ([*GOOD[:2], {"jsonrpc": "2.0", "id": 12, "error": "no"}], "error_shape"),
        ([*GOOD[:2], {"jsonrpc": "2.0", "id": 12, "error": {"code": "3"}}], "error_shape"),
    ],
)
def test_th_010_decode__when_a_rule_is_broken__then_it_is_named(body: object, rule: str) -> None:
    with pytest.raises(RpcMalformed) as malformed:
        _decode(body)

    assert (malformed.value.rule, malformed.value.provider) == (rule, "p")


def test_decode__when_an_error_is_null__then_the_result_counts() -> None:
    assert _decode([_ok(10, 1) | {"error": None}], CALLS[:1]) == (1,)


def test_decode__when_one_error_answers_for_the_batch__then_it_is_raised() -> None:
    with pytest.raises(RpcRefused, match="batch too large"):
        _decode({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batch too large"}})


@given(st.binary(max_size=200))
def test_decode__when_bytes_are_random__then_only_our_errors_come_out(body: bytes) -> None:
    with pytest.raises(ProviderError):
        _decode(body)


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (-32001, "Resource not found", BlockUnknown),
        (-32000, "header not found", BlockUnknown),
        (-32000, "hash 0x77 is not currently canonical", BlockUnknown),
        (-32602, "BlockOutOfRangeError: block height is 5 but requested was 9", BlockUnknown),
        (-32000, "missing trie node 77 (path ) state 0x77 is not available", StatePruned),
        (-32000, "required historical state unavailable (reexec=128)", StatePruned),
        (-32000, "distance to target block exceeds maximum proof window", StatePruned),
        (-32005, "limit exceeded", RateLimited),
        (429, "", RateLimited),
        (-32000, "Your app has exceeded its compute units per second capacity", RateLimited),
        (3, "execution reverted: rate limit", RpcRefused),
        (3, "header not found", RpcRefused),
        (-32000, "execution reverted: missing trie node", RpcRefused),
        (-32015, "VM execution error: too many requests", RpcRefused),
        (-32000, "out of gas", RpcRefused),
        (-32601, "the method does not exist", RpcRefused),
    ],
)
def test_th_011_refusal__when_an_error_is_classified__then_a_contracts_words_never_pass_for_the_providers(
    code: int, text: str, kind: type[ProviderError]
) -> None:
    assert type(refusal("p", "eth_call", code, text)) is kind


def test_refusal__when_the_text_is_long_or_hostile__then_it_is_one_short_line_without_secrets() -> None:
    text = "secret\r\n\x1b[31m" + "x" * 10_000

    with pytest.raises(RpcRefused) as refused:
        _decode({"error": {"code": 1, "message": text}})

    assert "secret" not in refused.value.text
    assert "\n" not in str(refused.value)
    assert "\x1b" not in str(refused.value)
    assert len(refused.value.text) == 200


@given(st.text(max_size=400))
def test_printable__when_any_text_comes__then_no_control_character_is_left(text: str) -> None:
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in printable(text))
