"""What proofs say of the questions asked: the slots to prove, the proven words, and where a reading differs.

Bound to the request throughout: contracts and slots come from the questions, values from proven leaves. A proof that
nobody asked for, or that leaves out a slot, is refused as a whole. Nothing here decides whether a chain is believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from proofs.account import AccountAnswer, AccountState, verify_answer
from proofs.errors import LimitExceeded, ProofError
from proofs.layouts import BlockLayout, Layout
from proofs.limits import PROOF_KEYS_MAX, PROOF_TARGETS_MAX
from proofs.pins import CodePin
from proofs.sheet import AccountList, AccountListSpec, Cells, CellStatus, Column, ColumnSpec, ReadMode, code_pins
from proofs.snapshot import ChainReading, Reason, Unavailable
from proofs.trie import NodeSet
from proofs.types import Address, Assurance, Hash32, to_hex


def proof_requests(
    lists: Sequence[AccountListSpec],
    listed: Sequence[AccountList],
    columns: Sequence[ColumnSpec],
    cells: Sequence[Cells] = (),
) -> tuple[tuple[Address, tuple[int, ...]], ...]:
    """Return (contract, slots) for everything with a layout or a pin: what to prove, and all that a proof may answer.

    Of columns that `cells` name only those rows; of a native balance each named holder is an entry without slots. One
    entry per contract and one mention per slot, both in order of first use. A contract of which only the code matters
    has no slots. Raises `LimitExceeded` for more than `PROOF_TARGETS_MAX` entries.
    """
    asked = _requests(lists, columns, _slots_of(lists, listed, columns, cells))
    asked.update({holder: {} for holder in _holders(columns, cells) if holder not in asked})
    require_targets(len(asked))
    return tuple((target, tuple(slots)) for target, slots in asked.items())


def require_targets(count: int) -> None:
    """Raise `LimitExceeded` for more contracts and holders than are proven at one block."""
    if count > PROOF_TARGETS_MAX:
        raise LimitExceeded("PROOF_TARGETS_MAX", PROOF_TARGETS_MAX, count)


Rows = tuple[tuple[int, ...] | None, ...]
"""Slots of each row of a column, or of the length and each element of a list; None for a row not asked."""


@dataclass(frozen=True, slots=True)
class _Slots:
    """Hold the slots of every question, in the questions' order; None where one has no layout."""

    lists: tuple[Rows | None, ...]
    columns: tuple[Rows | None, ...]


def _slots_of(
    lists: Sequence[AccountListSpec],
    listed: Sequence[AccountList],
    columns: Sequence[ColumnSpec],
    cells: Sequence[Cells],
) -> _Slots:
    rows = {one.column: frozenset(one.rows) for one in cells}
    return _Slots(
        tuple(
            None if spec.layout is None else tuple(_list_slots(spec.layout, len(listing.accounts)))
            for spec, listing in zip(lists, listed, strict=True)
        ),
        tuple(_column_slots(spec, rows.get(spec.name)) for spec in columns),
    )


def _column_slots(spec: ColumnSpec, rows: frozenset[int] | None) -> Rows | None:
    if spec.layout is None:
        return None
    if rows is None:
        return tuple(map(spec.layout.slots, spec.rows))
    slots = spec.layout.slots
    return tuple(slots(row) if at in rows else None for at, row in enumerate(spec.rows))


def _requests(
    lists: Sequence[AccountListSpec], columns: Sequence[ColumnSpec], slots: _Slots
) -> dict[Address, dict[int, None]]:
    wanted: dict[Address, dict[int, None]] = {}
    specs: tuple[AccountListSpec | ColumnSpec, ...] = (*lists, *columns)
    for spec, rows in zip(specs, slots.lists + slots.columns, strict=True):
        if rows is not None:
            of_target = wanted.setdefault(spec.target, {})
            for row in rows:
                if row is not None:
                    of_target.update(dict.fromkeys(row))
        for pin in code_pins(spec):
            wanted.setdefault(pin.address, {}).update(dict.fromkeys(slot for slot, _ in pin.slots))
        for address, slot in _shared(spec.layout):
            wanted.setdefault(address, {})[slot] = None
    return wanted


def _holders(columns: Sequence[ColumnSpec], cells: Sequence[Cells]) -> Iterator[Address]:
    """Yield the holders whose native balance is to be proven: only those that cells name, one account proof each."""
    named = {one.column: one.rows for one in cells}
    for spec in columns:
        if spec.mode is ReadMode.NATIVE_BALANCE:
            yield from (Address(spec.rows[at]) for at in named.get(spec.name, ()))


def _shared(layout: Layout | None) -> tuple[tuple[Address, int], ...]:
    return layout.shared() if isinstance(layout, BlockLayout) else ()


@dataclass(frozen=True, slots=True)
class ProvenContract:
    """Hold what a contract's proofs prove at one block."""

    state: AccountState
    values: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hold what the proofs of one chain prove, by contract, the slots of its questions, and the block's time."""

    contracts: Mapping[Address, ProvenContract]
    slots: _Slots
    timestamp_s: int


class _Unproven(Enum):
    NO_PROOF = auto()


def prove_contracts(reading: ChainReading) -> Evidence | Unavailable:
    """Verify every proof against our own requests; nodes are shared by all proofs of the block."""
    try:
        require_targets(len(reading.proofs))
    except LimitExceeded as fault:
        return Unavailable(reading.chain, Reason.LIMIT_EXCEEDED, str(fault))
    slots, wanted = _wanted(reading)
    nodes = NodeSet()
    proven: dict[Address, ProvenContract] = {}
    for proof in reading.proofs:
        target = Address(proof.answer.address)
        if target not in wanted or target in proven:
            detail = f"{to_hex(target)}: {'proven twice' if target in proven else 'not asked'}"
            return Unavailable(reading.chain, Reason.INVALID_PROOF, detail, (proof.provider,), dishonest=True)
        try:
            proven[target] = _verify_contract(
                reading.anchor.block.state_root, target, wanted[target], proof.answer, nodes
            )
        except LimitExceeded as fault:
            # The node set is ours: when it is full, that is nobody's lie.
            dishonest = fault.limit != "NODE_SET_NODES_MAX"
            detail = f"{to_hex(target)}: {fault}"
            return Unavailable(reading.chain, Reason.LIMIT_EXCEEDED, detail, (proof.provider,), dishonest)
        except ProofError as fault:
            detail = f"{to_hex(target)}: {fault}"
            return Unavailable(reading.chain, Reason.INVALID_PROOF, detail, (proof.provider,), dishonest=True)
    return Evidence(MappingProxyType(proven), slots, reading.anchor.block.timestamp_s)


def _wanted(reading: ChainReading) -> tuple[_Slots, dict[Address, tuple[int, ...]]]:
    """Return the slots of every question, and of each contract and holder those that its proof must answer."""
    slots = _slots_of(reading.account_lists, reading.sheet.account_lists, reading.columns, reading.cells)
    requests = _requests(reading.account_lists, reading.columns, slots)
    wanted = {target: tuple(of_target) for target, of_target in requests.items()}
    for spec in reading.columns:
        if spec.mode is ReadMode.NATIVE_BALANCE:
            for row in spec.rows:
                wanted.setdefault(Address(row), ())
    return slots, wanted


def _verify_contract(
    state_root: Hash32, target: Address, slots: tuple[int, ...], answer: AccountAnswer, nodes: NodeSet
) -> ProvenContract:
    """Verify an answer of any number of slots, in parts of `PROOF_KEYS_MAX`."""
    parts = list(_parts(slots, answer))
    state, values = verify_answer(state_root, target, parts[0][0], parts[0][1], nodes)
    for part, part_answer in parts[1:]:
        values.update(verify_answer(state_root, target, part, part_answer, nodes)[1])
    return ProvenContract(state, values)


def _parts(slots: tuple[int, ...], answer: AccountAnswer) -> Iterator[tuple[tuple[int, ...], AccountAnswer]]:
    if len(slots) <= PROOF_KEYS_MAX:
        yield slots, answer
        return
    place = {slot: at for at, slot in enumerate(slots)}
    # Entries nobody asked for go last, where the last part refuses them by their number.
    entries = sorted(answer.storage, key=lambda entry: place.get(entry[0], len(slots)))
    last = (len(slots) - 1) // PROOF_KEYS_MAX * PROOF_KEYS_MAX
    for start in range(0, len(slots), PROOF_KEYS_MAX):
        end = len(entries) if start == last else start + PROOF_KEYS_MAX
        part = tuple(entries[start:end])
        yield slots[start : start + PROOF_KEYS_MAX], replace(answer, storage=part)


def is_code_changed(spec: ColumnSpec | AccountListSpec, evidence: Evidence) -> bool:
    """Say whether a pin of the question is not proven to hold: other code, another implementation, or no proof."""
    return any(_is_broken(pin, evidence) for pin in code_pins(spec))


def _is_broken(pin: CodePin, evidence: Evidence) -> bool:
    contract = evidence.contracts.get(pin.address)
    if contract is None:
        return True
    return contract.state.code_hash != pin.code_hash or any(contract.values[slot] != word for slot, word in pin.slots)


def _is_provable(spec: ColumnSpec | AccountListSpec, evidence: Evidence, devnet: bool) -> bool:
    """Say whether a layout may be believed: every contract it reads, and every pin, was proven.

    Outside of devnets each contract that it reads has a pin.
    """
    if spec.layout is None:
        return False
    read = {spec.target, *(address for address, _ in _shared(spec.layout))}
    pinned = {pin.address for pin in code_pins(spec)}
    return evidence.contracts.keys() >= read | pinned and (devnet or read <= pinned)


def _list_slots(layout: Layout, count: int) -> Iterator[tuple[int, ...]]:
    yield layout.slots(b"")
    for index in range(count):
        yield layout.slots(index.to_bytes(32, "big"))


def list_contradiction(
    at: int, spec: AccountListSpec, listing: AccountList, evidence: Evidence, devnet: bool
) -> str | None:
    """Compare length and every element of the account list at a place with storage; say where they differ."""
    rows = evidence.slots.lists[at]
    if spec.layout is None or rows is None or not _is_provable(spec, evidence, devnet):
        return None
    values = evidence.contracts[spec.target].values
    read = (len(listing.accounts), *(int.from_bytes(account, "big") for account in listing.accounts))
    for place, (slots, word) in enumerate(zip(rows, read, strict=True)):
        stored = spec.layout.decode(tuple(values[slot] for slot in slots or ()))
        if stored != (word,):
            what = "length" if place == 0 else f"element {place - 1}"
            return f"account list {spec.name}: {what}: read {word:#x}, proven {_shown(stored)}"
    return None


def cell_levels(at: int, spec: ColumnSpec, column: Column, evidence: Evidence, devnet: bool) -> bytes | str:
    """Return the level of each row of the column at a place, or where a row contradicts its proof."""
    levels = bytearray(len(spec.rows))
    for number, (row, stored) in enumerate(zip(spec.rows, _stored(at, spec, evidence, devnet), strict=True)):
        read = column.row(number)
        if read is None:
            continue
        if stored is _Unproven.NO_PROOF:
            levels[number] = Assurance.RPC_QUORUM
        elif stored == read:
            levels[number] = Assurance.STATE_PROOF
        else:
            return f"column {spec.name}, row {to_hex(row)}: read {_shown(read)}, proven {_shown(stored)}"
    return bytes(levels)


_QUORUM_LEVELS: Final = bytes(
    Assurance.RPC_QUORUM if status in (CellStatus.OBSERVED, CellStatus.WIDE) else Assurance.SINGLE_RPC
    for status in range(256)
)


def quorum_levels(column: Column) -> bytes:
    """Return the level of each row of a column for which no proofs were asked: agreed where it was observed."""
    return column.status.translate(_QUORUM_LEVELS)


_Stored = tuple[int, ...] | _Unproven | None


def _stored(at: int, spec: ColumnSpec, evidence: Evidence, devnet: bool) -> Iterator[_Stored]:
    """Yield what proofs say of each row: its words, None where the getter would revert."""
    if spec.mode is ReadMode.NATIVE_BALANCE:
        for row in spec.rows:
            holder = evidence.contracts.get(Address(row))
            yield _Unproven.NO_PROOF if holder is None else (holder.state.balance,)
        return
    rows = evidence.slots.columns[at]
    if spec.layout is None or rows is None or not _is_provable(spec, evidence, devnet):
        yield from (_Unproven.NO_PROOF for _ in spec.rows)
        return
    values = evidence.contracts[spec.target].values
    layout = _at_block(spec.layout, evidence)
    for slots in rows:
        if slots is None:
            yield _Unproven.NO_PROOF
        else:
            yield None if layout is None else layout.decode(tuple(values[slot] for slot in slots))


def _at_block(layout: Layout, evidence: Evidence) -> Layout | None:
    """Return what decodes at this block; None where the getter would revert for every row."""
    if not isinstance(layout, BlockLayout):
        return layout
    shared = tuple(evidence.contracts[address].values[slot] for address, slot in layout.shared())
    return layout.bind(shared, evidence.timestamp_s)


def _shown(words: _Stored) -> str:
    return " ".join(str(word) for word in words) if isinstance(words, tuple) else "a revert"
