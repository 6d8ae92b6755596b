"""Ask contracts many things at one pinned block; every node asked must answer the same.

A call that reverts is a value (None), an answer of the wrong shape is refused. Nothing here is proven: several nodes
that agree are better than one, and what is read says how many were asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chains.errors import ChainError, RpcMalformed, RpcRefused
from chains.families.evm_codec import Wire, pinned
from chains.jsonrpc import Reply, RpcCall, is_revert
from chains.rpc import RpcClient
from proofs.header import HeaderShape
from proofs.keccak import keccak256
from proofs.types import Address, BlockRef, ChainId, Hash32, to_hex

WORD: Final = 32
TEXT_BYTES_MAX: Final = 64
_SHAPES: Final = tuple(HeaderShape)


class VenueRefused(ChainError):
    """Report a contract that is not the venue it was taken for, or one that these readers do not know."""

    def __init__(self, venue: str, rule: str, detail: str) -> None:
        self.venue: str = venue
        self.rule: str = rule
        super().__init__(f"{venue}: {rule}: {detail}")


class NodesDisagree(ChainError):
    """Report two nodes that answer one call at one block differently."""

    def __init__(self, first: str, second: str, what: str) -> None:
        super().__init__(f"{first} and {second} answer {what} differently at the same block")


@dataclass(frozen=True, slots=True)
class Ask:
    """Hold one call: contract, signature `name(types)`, and its arguments as words (addresses, integers, hashes)."""

    to: Address
    signature: str
    arguments: tuple[Address | Hash32 | int, ...] = ()

    @property
    def data(self) -> bytes:
        """Return the calldata."""
        words = (
            one.to_bytes(WORD, "big") if isinstance(one, int) else one.rjust(WORD, b"\0") for one in self.arguments
        )
        return bytes(keccak256(self.signature.encode())[:4]) + b"".join(words)


class Asker:
    """Ask the nodes of one chain; the first one names the block."""

    def __init__(self, chain: ChainId, clients: Sequence[RpcClient]) -> None:
        self._chain = chain
        self._clients = tuple(clients)

    @property
    def nodes(self) -> int:
        """Return how many nodes must agree."""
        return len(self._clients)

    async def block(self, number: int | None = None) -> BlockRef:
        """Return a block by number, None for the newest; its header fields make its hash, and every node has it."""
        first, *others = self._clients
        asked = "latest" if number is None else hex(number)
        reply = await first.call("eth_getBlockByNumber", asked, False)
        if reply is None:
            raise RpcMalformed(first.label, "block", f"no block {asked}")
        wire = Wire(first.label)
        block, _ = wire.header(self._chain, wire.block(reply), _SHAPES)
        for other in others:
            if await other.call("eth_getBlockByHash", to_hex(block.hash), False) is None:
                raise NodesDisagree(first.label, other.label, f"block {block.number}")
        return block

    async def words(self, asks: Sequence[Ask], block: BlockRef) -> tuple[tuple[int, ...] | None, ...]:
        """Return each call's answer as words, None where it reverts.

        Raises: NodesDisagree; `ProviderError` where a node gives no answer at all.
        """
        return tuple(None if raw is None else _words(raw) for raw in await self.raw(asks, block))

    async def raw(self, asks: Sequence[Ask], block: BlockRef) -> tuple[bytes | None, ...]:
        """Return each call's answer as bytes, None where it reverts."""
        calls = [RpcCall("eth_call", ({"to": to_hex(one.to), "data": to_hex(one.data)}, pinned(block))) for one in asks]
        first, *others = self._clients
        answers = _answers(first, await first.batch(calls))
        for other in others:
            theirs = _answers(other, await other.batch(calls))
            for one, mine, his in zip(asks, answers, theirs, strict=True):
                if mine != his:
                    raise NodesDisagree(first.label, other.label, one.signature)
        return answers


def _answers(client: RpcClient, replies: Sequence[Reply]) -> tuple[bytes | None, ...]:
    """Return what the contracts answered; a refusal that is no revert is the node's, and is raised."""
    answers: list[bytes | None] = []
    for one in replies:
        if not isinstance(one, RpcRefused):
            answers.append(Wire(client.label).data(one, "call answer"))
        elif is_revert(one.code, one.text):
            answers.append(None)
        else:
            raise one
    return tuple(answers)


def _words(raw: bytes) -> tuple[int, ...]:
    whole = len(raw) - len(raw) % WORD
    return tuple(int.from_bytes(raw[at : at + WORD], "big") for at in range(0, whole, WORD))


def address_of(venue: str, word: int) -> Address:
    """Return the address that a word holds. Raises: VenueRefused for one with more bits."""
    if word >> 160:
        raise VenueRefused(venue, "address", "a word that should hold an address has more bits")
    return Address(word.to_bytes(20, "big"))


def text_of(raw: bytes | None) -> str:
    """Return a token's symbol, from `string` or `bytes32`, if it is short and printable ASCII; else nothing."""
    if raw is None or len(raw) < WORD:
        return ""
    body = raw[:WORD].rstrip(b"\0")
    if len(raw) >= 3 * WORD and int.from_bytes(raw[:WORD], "big") == WORD:
        length = int.from_bytes(raw[WORD : 2 * WORD], "big")
        body = raw[2 * WORD : 2 * WORD + length] if length <= min(TEXT_BYTES_MAX, len(raw) - 2 * WORD) else b""
    text = body.decode("ascii", errors="replace")
    return text if text and all(letter.isalnum() or letter in "._-+" for letter in text) else ""
