"""Read a whole sheet from one EVM provider, on the best rung that its endpoint has.

    rung 1   the lens by state override: chunks of rows, several `eth_call`s in one HTTP batch
    rung 4   one `eth_call` a row, in JSON batches, where the endpoint knows no override

The rung is found out by asking: an endpoint that fails a lens call is probed with an empty one. Chunks start large, are
halved when a call is refused, a body is too large or the time runs out, and grow back slowly; all this is remembered
per endpoint. Rows that the lens marks failed are read again alone at full width, at most `REREADS_PER_COLUMN` a column:
beyond that a contract refuses everybody, and the rest of its rows are FAILED like those. The caller of every getter is
`LENS_ADDRESS` on both rungs. Everything is pinned to a block hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from chains.errors import BlockUnknown, BodyTooLarge, RpcMalformed, RpcRefused, RpcTimeout, StatePruned
from chains.families.evm_codec import Wire, hex_quantity, pinned
from chains.jsonrpc import Json, Reply, RpcCall
from chains.lens import (
    LENS_ADDRESS,
    LensReply,
    Slice,
    calldata_of,
    decode_getter,
    failed_rows,
    lens_code,
    pack,
    rows_of,
    slices,
    unpack,
)
from chains.limits import (
    LENS_BATCH_BYTES,
    LENS_BATCH_BYTES_MIN,
    LENS_ROWS_MAX,
    LENS_ROWS_MIN,
    LENS_ROWS_START,
    REREADS_PER_COLUMN,
)
from chains.rpc import RpcClient
from proofs.sheet import FAILED_WORD, Column, ColumnSpec, ReadMode
from proofs.types import BlockRef, to_hex

__all__ = ["EvmReader", "Rung"]

REREAD_GAS: Final = 50_000
"""Added to a column's stipend for a call of its own: 21,000 for the transaction, the rest for its calldata."""
_LENS: Final[Json] = to_hex(LENS_ADDRESS)


class Rung(IntEnum):
    """Name the ways of reading; the numbers are those of the ladder in the documents."""

    OVERRIDE = 1
    SINGLE = 4


class EvmReader:
    """Read sheets from one provider and remember what its endpoint can do."""

    def __init__(self, client: RpcClient, own_number: bool) -> None:
        self._client = client
        self._wire = Wire(client.label)
        self._own_number = own_number
        self.rung = Rung.OVERRIDE
        self.rows_max = LENS_ROWS_START
        self.batch_bytes = LENS_BATCH_BYTES

    async def columns(self, specs: Sequence[ColumnSpec], block: BlockRef) -> tuple[Column, ...]:
        """Return all columns at a block.

        Raises: `ProviderError`.
        """
        if self.rung is Rung.OVERRIDE:
            words = await self._lens_words(specs, block)
            if words is not None:
                return await self._resolved(specs, words, block)
        return await self._singles(specs, block)

    # --- rung 1 ------------------------------------------------------------------------------------------------

    async def _lens_words(self, specs: Sequence[ColumnSpec], block: BlockRef) -> list[bytes] | None:
        """Return the packed words of every column, or None when the endpoint turns out to know no override."""
        done: dict[Slice, bytes] = {}
        left = list(slices(specs, self.rows_max))
        while left:
            batch = _first_batch(specs, left, self.batch_bytes)
            refused = await self._lens_batch(specs, left[:batch], block, done)
            left = refused + left[batch:]
            if refused and not await self._has_override(block):
                self.rung = Rung.SINGLE
                return None
            if refused:
                left = self._halved(left)
        self.rows_max = min(LENS_ROWS_MAX, self.rows_max + self.rows_max // 8)
        joined = [bytearray() for _ in specs]
        for part in sorted(done, key=lambda part: (part.column, part.start)):
            joined[part.column] += done[part]
        return [bytes(words) for words in joined]

    async def _lens_batch(
        self, specs: Sequence[ColumnSpec], calls: list[tuple[Slice, ...]], block: BlockRef, done: dict[Slice, bytes]
    ) -> list[tuple[Slice, ...]]:
        """Put the words of answered calls into `done` and return the refused calls."""
        try:
            replies = await self._client.batch([_lens_call(pack(specs, parts), block) for parts in calls])
        except RpcTimeout:
            self._shrink()  # for the next frame: this one's time is spent
            raise
        except BodyTooLarge:
            if self.batch_bytes <= LENS_BATCH_BYTES_MIN:
                raise
            self._shrink()
            return calls
        refused = []
        for parts, reply in zip(calls, replies, strict=True):
            answer = self._lens_reply(specs, parts, reply, block)
            if answer is None:
                refused.append(parts)
            else:
                done.update(zip(parts, answer.words, strict=True))
        return refused

    def _lens_reply(
        self, specs: Sequence[ColumnSpec], parts: tuple[Slice, ...], reply: Reply, block: BlockRef
    ) -> LensReply | None:
        if isinstance(reply, RpcRefused):
            _require_state(reply)
            return None
        answer = unpack(specs, parts, self._wire.data(reply, "lens"))
        if answer is None:
            return None
        if answer.timestamp_s != block.timestamp_s or (self._own_number and answer.number != block.number):
            raise RpcMalformed(
                self._client.label, "lens_block", f"asked block {block.number}, it ran in block {answer.number}"
            )
        return answer

    async def _has_override(self, block: BlockRef) -> bool:
        (reply,) = await self._client.batch([_lens_call(pack((), ()), block)])
        if isinstance(reply, RpcRefused):
            _require_state(reply)
            return False
        return unpack((), (), self._wire.data(reply, "lens probe")) is not None

    def _shrink(self) -> None:
        self.batch_bytes = max(LENS_BATCH_BYTES_MIN, self.batch_bytes // 2)
        self.rows_max = max(LENS_ROWS_MIN, self.rows_max // 2)

    def _halved(self, calls: list[tuple[Slice, ...]]) -> list[tuple[Slice, ...]]:
        """Cut calls in halves.

        Raises: `RpcMalformed` when a lens that runs refuses even the smallest call.
        """
        rows = max(sum(part.stop - part.start for part in parts) for parts in calls)
        if rows <= LENS_ROWS_MIN:
            raise RpcMalformed(self._client.label, "lens_call", f"an empty call runs, one of {rows} rows does not")
        self.rows_max = max(LENS_ROWS_MIN, rows // 2)
        return [piece for parts in calls for piece in _cut(parts, self.rows_max)]

    async def _resolved(self, specs: Sequence[ColumnSpec], words: list[bytes], block: BlockRef) -> tuple[Column, ...]:
        """Read the failed rows again and build the columns."""
        failed = [failed_rows(packed, spec.width) for spec, packed in zip(specs, words, strict=True)]
        asked = [(index, row) for index, rows in enumerate(failed) for row in rows[:REREADS_PER_COLUMN]]
        answers = await self._getters(specs, asked, block)
        again: list[dict[int, tuple[int, ...] | None]] = [dict.fromkeys(rows) for rows in failed]
        for (index, row), answer in zip(asked, answers, strict=True):
            again[index][row] = answer
        return tuple(rows_of(spec, words[index], again[index]) for index, spec in enumerate(specs))

    # --- rung 4 ------------------------------------------------------------------------------------------------

    async def _singles(self, specs: Sequence[ColumnSpec], block: BlockRef) -> tuple[Column, ...]:
        asked = [(index, row) for index, spec in enumerate(specs) for row in range(len(spec.rows))]
        answers = await self._getters(specs, asked, block)
        found: list[dict[int, tuple[int, ...] | None]] = [{} for _ in specs]
        for (index, row), answer in zip(asked, answers, strict=True):
            found[index][row] = answer
        blank = [FAILED_WORD * (len(spec.rows) * spec.width) for spec in specs]
        return tuple(rows_of(spec, blank[index], found[index]) for index, spec in enumerate(specs))

    async def _getters(
        self, specs: Sequence[ColumnSpec], asked: Sequence[tuple[int, int]], block: BlockRef
    ) -> list[tuple[int, ...] | None]:
        """Ask rows one by one, each (column, row); None where the call failed."""
        if not asked:
            return []
        calls = [_getter_call(specs[index], specs[index].rows[row], block) for index, row in asked]
        replies = await self._client.batch(calls)
        return [self._getter(specs[index], reply) for (index, _), reply in zip(asked, replies, strict=True)]

    def _getter(self, spec: ColumnSpec, reply: Reply) -> tuple[int, ...] | None:
        if isinstance(reply, RpcRefused):
            _require_state(reply)
            return None
        if spec.mode is ReadMode.NATIVE_BALANCE:
            return (self._wire.quantity(reply, "balance"),)
        return decode_getter(spec, self._wire.data(reply, "getter"))


def _require_state(reply: RpcRefused) -> None:
    """Raise what is the provider's fault; every other refusal of a call is the contract's."""
    if isinstance(reply, BlockUnknown | StatePruned):
        raise reply


def _first_batch(specs: Sequence[ColumnSpec], calls: Sequence[tuple[Slice, ...]], bytes_max: int) -> int:
    """Return how many of the calls fit one HTTP body, at least one."""
    size = 0
    for count, parts in enumerate(calls):
        size += 2 * len(lens_code()) + sum(
            2 * (part.stop - part.start) * len(specs[part.column].rows[part.start]) for part in parts
        )
        if size > bytes_max and count:
            return count
    return len(calls)


def _cut(parts: tuple[Slice, ...], rows_max: int) -> list[tuple[Slice, ...]]:
    """Cut one call into calls of at most `rows_max` rows."""
    pieces: list[tuple[Slice, ...]] = []
    current: list[Slice] = []
    room = rows_max
    for part in parts:
        start = part.start
        while start < part.stop:
            stop = min(part.stop, start + room)
            current.append(Slice(part.column, start, stop))
            room, start = room - (stop - start), stop
            if not room:
                pieces.append(tuple(current))
                current, room = [], rows_max
    return [*pieces, tuple(current)] if current else pieces


def _lens_call(calldata: bytes, block: BlockRef) -> RpcCall:
    call: Json = {"to": _LENS, "data": to_hex(calldata)}
    override: Json = {str(_LENS): {"code": to_hex(lens_code())}}
    return RpcCall("eth_call", (call, pinned(block), override))


def _getter_call(spec: ColumnSpec, row: bytes, block: BlockRef) -> RpcCall:
    if spec.mode is ReadMode.NATIVE_BALANCE:
        return RpcCall("eth_getBalance", (to_hex(row), pinned(block)))
    call: Json = {
        "from": _LENS,
        "to": to_hex(spec.target),
        "gas": hex_quantity(spec.gas + REREAD_GAS),
        "data": to_hex(calldata_of(spec, row)),
    }
    return RpcCall("eth_call", (call, pinned(block)))
