"""Lies and failures for `FaultProxy`, as values and pure rules.

A rule sees one call and what the node answered, and returns what the client is told, or a `Fault`:

    rule(method, params, result) -> result | Fault          result is an `RpcError` where the node refused

Rules run in list order, each on what the one before returned, until one returns a `Fault`. `RpcError` concerns its
call alone; every other fault spoils the whole HTTP answer, batch or not. A `Rewrite` in the list changes what the
node is asked instead. Combine with `only`, `times` and `after`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from chains.devnet.rpc import Json
from proofs.types import Address, to_hex

WORD_BYTES: Final = 16  # a packed reader's word; the last 16 bytes of an ABI word are the same


@dataclass(frozen=True, slots=True)
class RpcError:
    """Answer this call with a JSON-RPC error."""

    code: int
    message: str
    data: Json = None


@dataclass(frozen=True, slots=True)
class Stall:
    """Answer truly, but late."""

    seconds: float


@dataclass(frozen=True, slots=True)
class HttpStatus:
    """Answer with an HTTP status and no JSON."""

    status: int
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the client elsewhere, with status 302."""

    url: str


@dataclass(frozen=True, slots=True)
class Truncate:
    """Announce the whole body, send its first bytes and cut the connection."""

    keep_bytes: int


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Cut the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Body:
    """Answer with these bytes, JSON or not."""

    content: bytes = b"<html>not JSON</html>"


@dataclass(frozen=True, slots=True)
class Oversize:
    """Send a well-formed beginning that goes on for so many bytes, in chunks without an announced length."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class IdsReversed:
    """Answer a batch backwards; each answer keeps its own id, which JSON-RPC allows."""


@dataclass(frozen=True, slots=True)
class IdsSwapped:
    """Exchange the ids of the first two answers of a batch: each question gets the other's answer."""


@dataclass(frozen=True, slots=True)
class IdsDuplicated:
    """Send the first answer of a batch twice, the second time in the place of the last."""


@dataclass(frozen=True, slots=True)
class IdsMissing:
    """Leave the last answer of a batch out."""


@dataclass(frozen=True, slots=True)
class IdsForeign:
    """Give the first answer an id that nobody asked for."""


BatchFault: TypeAlias = IdsReversed | IdsSwapped | IdsDuplicated | IdsMissing | IdsForeign
HttpFault: TypeAlias = Stall | HttpStatus | Redirect | Truncate | Disconnect | Body | Oversize | BatchFault
Fault: TypeAlias = RpcError | HttpFault
Rule: TypeAlias = Callable[[str, list[Json], "Json | RpcError"], "Json | Fault"]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Change a call's parameters before the node sees them; the client does not know."""

    params: Callable[[str, list[Json]], list[Json]]


# --- combinators -----------------------------------------------------------------------------------------------------


def always(fault: Fault) -> Rule:
    """Fail every call."""
    return lambda _method, _params, _result: fault


def only(method: str, rule: Rule) -> Rule:
    """Apply a rule to one method."""
    return lambda called, params, result: rule(called, params, result) if called == method else result


def times(count: int, rule: Rule) -> Rule:
    """Apply a rule to the first `count` calls that it changes, then never again."""
    left = [count]

    def limited(method: str, params: list[Json], result: Json | RpcError) -> Json | Fault:
        if left[0] == 0:
            return result
        changed = rule(method, params, result)
        if changed is not result:
            left[0] -= 1
        return changed

    return limited


def after(count: int, rule: Rule) -> Rule:
    """Leave the first `count` calls of all methods alone."""
    left = [count]

    def delayed(method: str, params: list[Json], result: Json | RpcError) -> Json | Fault:
        if left[0] == 0:
            return rule(method, params, result)
        left[0] -= 1
        return result

    return delayed


# --- lies ------------------------------------------------------------------------------------------------------------


def wrong_chain_id(number: int) -> Rule:
    """Claim to be another chain."""
    return only("eth_chainId", lambda _method, _params, _result: hex(number))


def lie_about(true: int, told: int, method: str = "eth_call") -> Rule:
    """Replace an amount wherever it stands as a whole word of the answer, packed (16 bytes) or ABI (32 bytes)."""
    old, new = (value.to_bytes(WORD_BYTES, "big").hex() for value in (true, told))

    def lie(_method: str, _params: list[Json], result: Json | RpcError) -> Json | Fault:
        if not isinstance(result, str) or old not in result:
            return result
        digits = result[2:]
        words = [digits[start : start + 2 * WORD_BYTES] for start in range(0, len(digits), 2 * WORD_BYTES)]
        return "0x" + "".join(new if word == old else word for word in words)

    return only(method, lie)


def flip_byte(method: str, index: int) -> Rule:
    """Flip the lowest bit of one byte of a hex answer; negative indices count from the end."""
    return only(method, lambda _method, _params, result: _flipped(result, index) if isinstance(result, str) else result)


def change_field(method: str, name: str, value: Json) -> Rule:
    """Replace one field of an object, `stateRoot` of a block, say."""

    def change(_method: str, _params: list[Json], result: Json | RpcError) -> Json | Fault:
        return result | {name: value} if isinstance(result, dict) and name in result else result

    return only(method, change)


def flip_account_node(node: int = -1, index: int = -1) -> Rule:
    """Flip one bit in a node of every account proof."""

    def flip(_method: str, _params: list[Json], result: Json | RpcError) -> Json | Fault:
        if not isinstance(result, dict):
            return result
        return result | {"accountProof": _flipped_node(result["accountProof"], node, index)}

    return only("eth_getProof", flip)


def flip_storage_node(slot: int = 0, node: int = -1, index: int = -1) -> Rule:
    """Flip one bit in a node of one slot's proof, in every answer that has so many slots."""
    return _change_slot(slot, lambda proof: proof | {"proof": _flipped_node(proof["proof"], node, index)})


def lie_about_slot(slot: int, value: int) -> Rule:
    """Claim another value for one slot, with the true proof beside it."""
    return _change_slot(slot, lambda proof: proof | {"value": hex(value)})


def answer_proof_of(other: Address) -> tuple[Rewrite, Rule]:
    """Answer every eth_getProof with another account's proof under the name of the one that was asked for."""

    def ask_other(method: str, params: list[Json]) -> list[Json]:
        return [to_hex(other), *params[1:]] if method == "eth_getProof" else params

    def rename(_method: str, params: list[Json], result: Json | RpcError) -> Json | Fault:
        return result | {"address": params[0]} if isinstance(result, dict) else result

    return Rewrite(ask_other), only("eth_getProof", rename)


def answer_at(block: str, method: str = "eth_call") -> Rewrite:
    """Answer from another block, given by tag or number, than the one that was asked for (eth_call, eth_getProof)."""
    position = {"eth_call": 1, "eth_getProof": 2}[method]

    def ask_there(called: str, params: list[Json]) -> list[Json]:
        return [*params[:position], block, *params[position + 1 :]] if called == method else params

    return Rewrite(ask_there)


def _change_slot(slot: int, change: Callable[[dict[str, Json]], dict[str, Json]]) -> Rule:
    def changed(_method: str, _params: list[Json], result: Json | RpcError) -> Json | Fault:
        proofs = result.get("storageProof") if isinstance(result, dict) else None
        if not isinstance(result, dict) or not isinstance(proofs, list) or not slot < len(proofs):
            return result
        told = [change(proof) if at == slot and isinstance(proof, dict) else proof for at, proof in enumerate(proofs)]
        return result | {"storageProof": told}

    return only("eth_getProof", changed)


def _flipped_node(nodes: Json, node: int, index: int) -> Json:
    if not isinstance(nodes, list) or not nodes:
        return nodes
    at = node % len(nodes)
    return [_flipped(text, index) if position == at else text for position, text in enumerate(nodes)]


def _flipped(text: Json, index: int) -> Json:
    raw = bytearray.fromhex(str(text)[2:])
    if not raw:
        return text
    raw[index] ^= 1
    return to_hex(bytes(raw))
