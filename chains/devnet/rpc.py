"""A small blocking JSON-RPC client for setting a devnet up. It trusts its node; readers never use it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from chains.devnet.errors import DevnetError, NodeRefused

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What JSON can say."""

TIMEOUT_S: Final = 30.0
BATCH_CALLS_MAX: Final = 500
BATCH_BYTES_MAX: Final = 2**20  # anvil refuses bodies above 2 MiB


def rpc(url: str, method: str, params: Sequence[Json] = (), timeout_s: float = TIMEOUT_S) -> Json:
    """Call one method and return its result.

    Raises: `NodeRefused` for a JSON-RPC error, `DevnetError` for an answer that is none, OSError for the connection.
    """
    return rpc_batch(url, [(method, params)], timeout_s)[0]


def rpc_batch(url: str, calls: Sequence[tuple[str, Sequence[Json]]], timeout_s: float = TIMEOUT_S) -> list[Json]:
    """Call many methods, chunked into batches, and return the results in the order of the calls.

    Raises: as `rpc`; the first refused call is raised.
    """
    results: list[Json] = []
    for chunk in _chunks(calls):
        answers = json.loads(_post(url, b"[" + b",".join(chunk) + b"]", timeout_s))
        if not isinstance(answers, list) or len(answers) != len(chunk):
            raise DevnetError(f"{url}: not the answer to a batch of {len(chunk)}: {str(answers)[:200]}")
        by_id = {answer.get("id"): answer for answer in answers}
        results += [_result(calls[at][0], by_id.get(at)) for at in range(len(results), len(results) + len(chunk))]
    return results


def _chunks(calls: Sequence[tuple[str, Sequence[Json]]]) -> Iterator[list[bytes]]:
    """Yield the calls' texts, numbered from 0, so many at a time that a body stays within both bounds."""
    chunk: list[bytes] = []
    size = 0
    for number, (method, params) in enumerate(calls):
        text = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}).encode()
        if chunk and (len(chunk) == BATCH_CALLS_MAX or size + len(text) > BATCH_BYTES_MAX):
            yield chunk
            chunk, size = [], 0
        chunk.append(text)
        size += len(text)
    if chunk:
        yield chunk


def _result(method: str, answer: object) -> Json:
    if not isinstance(answer, dict):
        raise DevnetError(f"{method}: no answer")
    error = answer.get("error")
    if error is not None:
        data = error.get("data")
        raise NodeRefused(method, int(error["code"]), str(error["message"]), data if isinstance(data, str) else "")
    result: Json = answer["result"]
    return result


def _post(url: str, body: bytes, timeout_s: float) -> bytes:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=timeout_s)
    try:
        connection.request("POST", parts.path or "/", body, {"content-type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
        if response.status != http.client.OK:
            raise DevnetError(f"{url}: HTTP {response.status}: {answer[:200]!r}")
        return answer
    finally:
        connection.close()
