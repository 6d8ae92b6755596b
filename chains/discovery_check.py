"""Compare a policy's layouts with calls, through one node: whether storage still means what the policy says.

Per column: the code pins at one block, then every row's getter against the layout's reading of proven words at the same
block. Like discovery this is for setting up and looking after a policy; frames are verified by `proofs.verify`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chains.discovery_asking import Finder
from chains.errors import RpcRefused
from chains.families.evm_codec import Wire, pinned
from chains.jsonrpc import RpcCall
from chains.lens import calldata_of, decode_getter
from chains.rpc import RpcClient
from proofs.layouts import BlockLayout, Layout
from proofs.pins import CodePin
from proofs.sheet import AccountListSpec, ColumnSpec, code_pins
from proofs.types import AccountId, Address, BlockRef, Hash32, to_hex

__all__ = ["Checked", "check_column", "listed_accounts"]

ROWS_MAX: Final = 200
"""Rows compared per column: enough to see that a layout is off, little enough for a free endpoint."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Hold what became of one column: pins that do not hold, rows compared and those that differ.

    `told` rows have a word that is not zero: a layout that reads the wrong slots finds zeros almost everywhere.
    """

    column: str
    code_faults: tuple[str, ...]
    rows: int
    told: int
    differing: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing speaks against the layout."""
        return not self.code_faults and not self.differing


async def check_column(client: RpcClient, finder: Finder, spec: ColumnSpec, block: BlockRef) -> Checked:
    """Compare one column that has a layout with calls at a block.

    Raises: `ProviderError`, `ProofError`.
    """
    faults = [fault for pin in code_pins(spec) for fault in await _faults(finder, pin, block)]
    faults += await _unpinned_proxy(finder, spec, block)
    layout = await _bound(finder, spec, block)
    rows = spec.rows[:ROWS_MAX]
    if layout is None:
        return Checked(spec.name, (*faults, "the layout has no value at this block"), 0, 0, ())
    slots = [layout.slots(row) for row in rows]
    _, words = await finder.prove(spec.target, tuple(dict.fromkeys(sum(slots, ()))), block)
    calls = [
        RpcCall("eth_call", ({"to": to_hex(spec.target), "data": to_hex(calldata_of(spec, row))}, pinned(block)))
        for row in rows
    ]
    replies = await client.batch(calls) if calls else ()
    wire, differing, told = Wire(client.label), [], 0
    for row, reply, row_slots in zip(rows, replies, slots, strict=True):
        called = None if isinstance(reply, RpcRefused) else decode_getter(spec, wire.data(reply, "call answer"))
        stored = layout.decode(tuple(words[slot] for slot in row_slots))
        told += called is not None and any(called)
        if called != stored:
            differing.append(f"row {to_hex(row)}: the call says {_shown(called)}, storage {_shown(stored)}")
    return Checked(spec.name, tuple(faults), len(rows), told, tuple(differing))


async def listed_accounts(finder: Finder, spec: AccountListSpec, block: BlockRef, count: int) -> tuple[AccountId, ...]:
    """Return the first accounts of a list out of proven storage; nothing for a list without a layout."""
    if spec.layout is None:
        return ()
    (length,) = (await _words(finder, spec.target, spec.layout, (b"",), block))[0] or (0,)
    rows = tuple(index.to_bytes(32, "big") for index in range(min(length, count)))
    found = await _words(finder, spec.target, spec.layout, rows, block)
    return tuple(AccountId(words[0].to_bytes(32, "big")) for words in found if words)


async def _words(
    finder: Finder, target: Address, layout: Layout, rows: Sequence[bytes], block: BlockRef
) -> list[tuple[int, ...] | None]:
    slots = [layout.slots(row) for row in rows]
    _, words = await finder.prove(target, tuple(dict.fromkeys(sum(slots, ()))), block)
    return [layout.decode(tuple(words[slot] for slot in row_slots)) for row_slots in slots]


async def _bound(finder: Finder, spec: ColumnSpec, block: BlockRef) -> Layout | None:
    if not isinstance(spec.layout, BlockLayout):
        return spec.layout
    values = []
    for address, slot in spec.layout.shared():
        _, words = await finder.prove(address, (slot,), block)
        values.append(words[slot])
    return spec.layout.bind(tuple(values), block.timestamp_s)


async def _unpinned_proxy(finder: Finder, spec: ColumnSpec, block: BlockRef) -> list[str]:
    """Say that a contract is a proxy although nothing pins what it runs: its own code hash outlives every upgrade."""
    code = await finder.code(spec.target, block)
    is_pinned = any(pin.address == spec.target and code.slot in dict(pin.slots) for pin in spec.pins)
    if code.slot is None or is_pinned:
        return []
    return [f"{to_hex(spec.target)} is a proxy (slot {code.slot:#x}) and its implementation is not pinned"]


async def _faults(finder: Finder, pin: CodePin, block: BlockRef) -> list[str]:
    state, words = await finder.prove(pin.address, tuple(slot for slot, _ in pin.slots), block)
    faults = []
    if state.code_hash != pin.code_hash:
        faults.append(
            f"{to_hex(pin.address)} runs code {to_hex(Hash32(state.code_hash))}, pinned {to_hex(pin.code_hash)}"
        )
    faults += [
        f"{to_hex(pin.address)} slot {slot:#x} holds {words[slot]:#x}, pinned {word:#x}"
        for slot, word in pin.slots
        if words[slot] != word
    ]
    return faults


def _shown(words: tuple[int, ...] | None) -> str:
    return "nothing" if words is None else " ".join(str(word) for word in words)
