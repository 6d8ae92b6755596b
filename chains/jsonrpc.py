"""JSON-RPC 2.0 over one HTTP body: what is sent, and what an answer must look like. Sans-I/O.

Rules of an answer, each refused under its name:

    body_json        the body is one JSON value, nested at most `JSON_DEPTH_MAX` deep
    body_shape       to a batch comes a list, or one error object for all of it
    id_unknown       an id that was not sent
    id_repeated      an id that was answered already
    id_missing       an id that was sent and not answered
    version          `jsonrpc` is "2.0"
    result_or_error  exactly one of them (an `error` of null is none)
    error_shape      an error has an integer code

Answers may come in any order. An error that a contract caused (code 3, "execution reverted ...") is never taken for
a fault of the provider, whatever its text says: that text is the contract's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

import orjson

from chains.errors import BlockUnknown, ProviderError, RateLimited, RpcMalformed, RpcRefused, StatePruned
from chains.limits import DETAIL_CHARS_MAX, JSON_DEPTH_MAX

__all__ = ["Json", "Reply", "RpcCall", "decode_batch", "encode_batch", "is_revert", "refusal"]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Reply: TypeAlias = "Json | RpcRefused"
Mask: TypeAlias = Callable[[str], str]

_REVERT_CODE: Final = 3
_LIMIT_CODES: Final = frozenset({429, -32005})
_RESOURCE_NOT_FOUND: Final = -32001
# Lower-case parts of the sentences that clients use; the code alone (-32000) says nothing.
_LIMIT_WORDS: Final = ("rate limit", "too many requests", "request limit", "compute units", "capacity exceeded")
_BLOCK_WORDS: Final = ("header not found", "unknown block", "header for hash not found")
_BLOCK_WORDS_MORE: Final = ("not currently canonical", "blockoutofrange", "could not find block")
_PRUNED_WORDS: Final = ("missing trie node", "state not available", "state is not available", "state unavailable")
_PRUNED_WORDS_MORE: Final = ("historical state", "pruned", "pruning", "proof window", "required historical")


@dataclass(frozen=True, slots=True)
class RpcCall:
    """Name one method and its parameters."""

    method: str
    params: tuple[Json, ...] = ()


def encode_batch(calls: Sequence[RpcCall], first_id: int) -> bytes:
    """Write a batch; call i gets the id `first_id + i`."""
    return orjson.dumps(
        [
            {"jsonrpc": "2.0", "id": first_id + index, "method": call.method, "params": list(call.params)}
            for index, call in enumerate(calls)
        ]
    )


def decode_batch(provider: str, body: bytes, calls: Sequence[RpcCall], first_id: int, mask: Mask) -> tuple[Reply, ...]:
    """Return one reply per call in the order of the calls; an error of a single call is a value.

    Raises: `RpcMalformed`, and the error itself when one error object answers for the whole batch.
    """
    parsed = _parsed(provider, body)
    if isinstance(parsed, dict) and isinstance(parsed.get("error"), dict):
        raise _error_of(provider, calls[0].method, parsed["error"], mask)
    if not isinstance(parsed, list):
        raise RpcMalformed(provider, "body_shape", f"a {type(parsed).__name__} answers {len(calls)} calls")
    replies: dict[int, Reply] = {}
    for entry in parsed:
        index = _index_of(provider, entry, len(calls), first_id)
        if index in replies:
            raise RpcMalformed(provider, "id_repeated", str(first_id + index))
        replies[index] = _reply_of(provider, calls[index].method, entry, mask)
    missing = next((index for index in range(len(calls)) if index not in replies), None)
    if missing is not None:
        raise RpcMalformed(provider, "id_missing", f"{len(calls) - len(replies)} of {len(calls)} answers")
    return tuple(replies[index] for index in range(len(calls)))


def is_revert(code: int, text: str) -> bool:
    """Tell whether a contract caused an error, by code or by the words that every client puts first."""
    return code == _REVERT_CODE or text.lower().lstrip().startswith(("execution reverted", "revert", "vm execution"))


def refusal(provider: str, method: str, code: int, text: str) -> ProviderError:
    """Build the error that a code and its text stand for."""
    lowered = text.lower()
    if is_revert(code, text):
        return RpcRefused(provider, method, code, text)
    if code in _LIMIT_CODES or any(word in lowered for word in _LIMIT_WORDS):
        return RateLimited(provider, None)
    if any(word in lowered for word in (*_PRUNED_WORDS, *_PRUNED_WORDS_MORE)):
        return StatePruned(provider, method, code, text)
    if code == _RESOURCE_NOT_FOUND or _names_unknown_block(lowered):
        return BlockUnknown(provider, method, code, text)
    return RpcRefused(provider, method, code, text)


def _names_unknown_block(lowered: str) -> bool:
    if "block" in lowered and "not found" in lowered:  # "block 0x… not found"
        return True
    return any(word in lowered for word in (*_BLOCK_WORDS, *_BLOCK_WORDS_MORE))


def _parsed(provider: str, body: bytes) -> Json:
    with suppress(orjson.JSONDecodeError):
        parsed: Json = orjson.loads(body)
        if _is_shallow(parsed):
            return parsed
    raise RpcMalformed(provider, "body_json", f"{len(body)} bytes")


def _is_shallow(value: Json) -> bool:
    level: list[Json] = [value]
    for _ in range(JSON_DEPTH_MAX):
        below: list[Json] = []
        for item in level:
            if isinstance(item, list):
                below += item
            elif isinstance(item, dict):
                below += item.values()
        if not below:
            return True
        level = [item for item in below if type(item) is not str]  # nearly all of a long answer is text
    return False


def _index_of(provider: str, entry: Json, count: int, first_id: int) -> int:
    if not isinstance(entry, dict):
        raise RpcMalformed(provider, "body_shape", f"a {type(entry).__name__} among the answers")
    number = entry.get("id")
    if type(number) is not int or not 0 <= number - first_id < count:
        raise RpcMalformed(provider, "id_unknown", repr(number)[:40])
    return number - first_id


def _reply_of(provider: str, method: str, entry: Json, mask: Mask) -> Reply:
    assert isinstance(entry, dict)
    if entry.get("jsonrpc") != "2.0":
        raise RpcMalformed(provider, "version", method)
    error = entry.get("error")
    if (error is None) == ("result" not in entry):
        raise RpcMalformed(provider, "result_or_error", method)
    if error is None:
        return entry["result"]
    fault = _error_of(provider, method, error, mask)
    if isinstance(fault, RpcRefused):
        return fault
    raise fault


def _error_of(provider: str, method: str, error: Json, mask: Mask) -> ProviderError:
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(error, dict) or type(code) is not int:
        raise RpcMalformed(provider, "error_shape", method)
    return refusal(provider, method, code, printable(mask(str(error.get("message", "")))))


_CONTROL: Final = MappingProxyType(dict.fromkeys((*range(0x20), 0x7F, *range(0x80, 0xA0)), " "))


def printable(text: str) -> str:
    """Cut foreign text to one line of bounded length without control characters."""
    return text[: 4 * DETAIL_CHARS_MAX].translate(_CONTROL)[:DETAIL_CHARS_MAX]
