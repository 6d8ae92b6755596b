"""One chain's reading as files of an evidence bundle, and back.

    headers/<chain>.rlp      the header that hashes to the block
    questions/<chain>.json   account lists and columns: what was asked, with layouts, so that anybody can compute slots
    sheets/<chain>.bin       the answers, as the readings root commits to them
    proofs/<chain>.json      unique trie nodes in order of first use, and which contracts and slots they prove

Claims that an answer repeats beside its proof (balance, storage values) are not kept: they are read from the leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import pairwise
from typing import Final

from proofs.account import AccountAnswer, StorageEntry, verify_account, verify_storage
from proofs.bundle_text import Json, Reader, hex_text, layout_json, read_layout, read_text, to_text
from proofs.canonical_sheet import parse_sheet
from proofs.errors import InvalidBundle, LimitExceeded, ProofError
from proofs.evidence import require_targets
from proofs.keccak import keccak256
from proofs.limits import PROOF_SLOTS_MAX, QUESTION_ROWS_MAX
from proofs.pins import CodePin
from proofs.sheet import AccountListSpec, Cells, ColumnSpec, ReadMode, serialise
from proofs.snapshot import Anchor, ChainReading, ContractProof, Votes
from proofs.trie import NodeSet
from proofs.types import Address, ChainId, Hash32

HEADERS: Final = "headers"
QUESTIONS: Final = "questions"
SHEETS: Final = "sheets"
PROOFS: Final = "proofs"
_HASH_BYTES: Final = 32
"""Shorter trie nodes live inside their parents."""


def reading_file(kind: str, chain: ChainId) -> str:
    """Return the name of one of a chain's files."""
    suffix = {HEADERS: "rlp", SHEETS: "bin"}.get(kind, "json")
    return f"{kind}/{chain.replace(':', '-')}.{suffix}"


def reading_file_names(chain: ChainId) -> tuple[str, ...]:
    """Return the names of a chain's files."""
    return tuple(reading_file(kind, chain) for kind in (HEADERS, QUESTIONS, SHEETS, PROOFS))


def reading_files(reading: ChainReading) -> dict[str, bytes]:
    """Return a chain's four files by name."""
    chain = reading.chain
    return {
        reading_file(HEADERS, chain): reading.anchor.header_rlp,
        reading_file(QUESTIONS, chain): to_text(_questions_json(reading)),
        reading_file(SHEETS, chain): serialise(reading.sheet),
        reading_file(PROOFS, chain): to_text(_proofs_json(reading.proofs)),
    }


def read_reading(files: Mapping[str, bytes], anchor: Anchor, sheet_votes: Votes) -> ChainReading:
    """Read a chain's four files; `anchor` comes from the manifest and has no header yet.

    Raises `InvalidBundle` naming the file. Nothing is believed yet: that is `proofs.verify`'s part.
    """
    chain = anchor.block.chain
    raw_questions, questions_file = _content(files, QUESTIONS, chain)
    questions = read_text(raw_questions, questions_file)
    lists, columns, cells = _read_questions(questions)
    raw_sheet, sheet_file = _content(files, SHEETS, chain)
    try:
        sheet = parse_sheet(raw_sheet, chain, lists, columns)
    except ProofError as fault:
        raise InvalidBundle(sheet_file, "sheet", str(fault)) from fault
    questions.checked(lambda: _require_rows(columns))  # not before: columns may share rows, cells they cannot
    proofs = _read_proofs(*_content(files, PROOFS, chain), anchor.block.state_root)
    header, _ = _content(files, HEADERS, chain)
    whole = Anchor(anchor.block, header, anchor.finality, anchor.votes)
    reading = ChainReading(whole, lists, columns, sheet, sheet_votes, proofs, cells)
    if to_text(_questions_json(reading)) != raw_questions:
        raise InvalidBundle(questions_file, "json_order", "row sets are not in order of first use, or one has no use")
    return reading


def _content(files: Mapping[str, bytes], kind: str, chain: ChainId) -> tuple[bytes, str]:
    name = reading_file(kind, chain)
    if name not in files:
        raise InvalidBundle(name, "file_missing")
    return files[name], name


# --- questions -------------------------------------------------------------------------------------------------------


def _questions_json(reading: ChainReading) -> Json:
    places: dict[tuple[bytes, ...], int] = {}  # columns over the same accounts name one set of rows
    for column in reading.columns:
        places.setdefault(column.rows, len(places))
    proven = {one.column: one.rows for one in reading.cells}
    return {
        "account_lists": [_list_json(spec) for spec in reading.account_lists],
        "row_sets": [[hex_text(row) for row in rows] for rows in places],
        "columns": [_column_json(column, places[column.rows], proven.get(column.name)) for column in reading.columns],
    }


def _list_json(spec: AccountListSpec) -> Json:
    return {
        "name": spec.name,
        "target": hex_text(spec.target),
        "slice_prefix": hex_text(spec.slice_prefix),
        "layout": layout_json(spec.layout),
        "code_hash": None if spec.code_hash is None else hex_text(spec.code_hash),
        "pins": _pins_json(spec.pins),
    }


def _column_json(spec: ColumnSpec, row_set: int, proven: tuple[int, ...] | None) -> Json:
    return {
        "proven_rows": None if proven is None else [str(row) for row in proven],
        "name": spec.name,
        "target": hex_text(spec.target),
        "mode": str(int(spec.mode)),
        "prefix": hex_text(spec.prefix),
        "row_set": str(row_set),
        "signed": list(spec.signed),
        "layout": layout_json(spec.layout),
        "code_hash": None if spec.code_hash is None else hex_text(spec.code_hash),
        "gas": str(spec.gas),
        "pins": _pins_json(spec.pins),
    }


def _pins_json(pins: Iterable[CodePin]) -> Json:
    return [
        {
            "address": hex_text(pin.address),
            "code_hash": hex_text(pin.code_hash),
            "slots": [{"slot": _word_text(slot), "word": _word_text(word)} for slot, word in pin.slots],
        }
        for pin in pins
    ]


def _word_text(word: int) -> str:
    return hex_text(word.to_bytes(_HASH_BYTES, "big"))


def _read_pin(reader: Reader) -> CodePin:
    address, code_hash, slots = reader.members("address", "code_hash", "slots")
    target, code, words = Address(address.binary(20)), _read_hash(code_hash), slots.each(_read_slot)
    return reader.checked(lambda: CodePin(target, code, words))


def _read_slot(reader: Reader) -> tuple[int, int]:
    slot, word = reader.members("slot", "word")
    return int.from_bytes(slot.binary(_HASH_BYTES), "big"), int.from_bytes(word.binary(_HASH_BYTES), "big")


Questions = tuple[tuple[AccountListSpec, ...], tuple[ColumnSpec, ...], tuple[Cells, ...]]


def _read_questions(reader: Reader) -> Questions:
    lists, row_sets, columns = reader.members("account_lists", "row_sets", "columns")
    rows = row_sets.each(lambda row_set: row_set.each(lambda row: row.binary()))
    asked = columns.each(lambda column: _read_column(column, rows))
    cells = tuple(one for _, one in asked if one is not None)
    return lists.each(_read_list), tuple(spec for spec, _ in asked), cells


def _read_list(reader: Reader) -> AccountListSpec:
    name, target, prefix, layout, code_hash, pins = reader.members(
        "name", "target", "slice_prefix", "layout", "code_hash", "pins"
    )
    spec = AccountListSpec(
        name.text(),
        Address(target.binary(20)),
        prefix.binary(),
        layout.optional(read_layout),
        code_hash.optional(_read_hash),
        pins.each(_read_pin),
    )
    reader.checked(lambda: _require_list(spec))
    return spec


def _read_column(reader: Reader, row_sets: tuple[tuple[bytes, ...], ...]) -> tuple[ColumnSpec, Cells | None]:
    name, target, mode, prefix, row_set, signed, layout, code_hash, gas, pins, proven = reader.members(
        "name", "target", "mode", "prefix", "row_set", "signed", "layout", "code_hash", "gas", "pins", "proven_rows"
    )
    place = row_set.integer()
    if not 0 <= place < len(row_sets):
        raise row_set.refuse("value", f"{place} of {len(row_sets)} row sets")
    spec = ColumnSpec(
        name.text(),
        Address(target.binary(20)),
        mode.member_of(ReadMode, Reader.integer),
        prefix.binary(),
        row_sets[place],
        signed.each(Reader.truth),
        layout.optional(read_layout),
        code_hash.optional(_read_hash),
        gas.integer(),
        pins.each(_read_pin),
    )
    reader.checked(lambda: _require_words(spec))
    return spec, proven.optional(lambda rows: _read_cells(rows, spec))


def _read_cells(reader: Reader, spec: ColumnSpec) -> Cells:
    rows = reader.each(Reader.integer)
    is_rising = all(before < after for before, after in pairwise((-1, *rows, len(spec.rows))))
    if not is_rising:
        raise reader.refuse("value", f"rows do not rise between 0 and {len(spec.rows)}")
    return Cells(spec.name, rows)


def _require_words(spec: ColumnSpec) -> None:
    if spec.mode is ReadMode.NATIVE_BALANCE and (spec.width != 1 or any(len(row) != 20 for row in spec.rows)):
        raise ValueError("a native balance has one word and rows of 20 bytes")
    if not 0 < spec.width < 256:
        raise ValueError(f"{spec.width} words a row")
    if spec.layout is not None:
        for row in spec.rows[:1]:
            spec.layout.slots(row)


def _require_rows(columns: tuple[ColumnSpec, ...]) -> None:
    """Refuse rows that a question cannot be put to: a layout takes only its own."""
    count = sum(len(spec.rows) for spec in columns if spec.layout is not None)
    if count > QUESTION_ROWS_MAX:
        raise LimitExceeded("QUESTION_ROWS_MAX", QUESTION_ROWS_MAX, count)
    for spec in columns:
        if spec.layout is not None:
            for row in spec.rows:
                spec.layout.slots(row)


def _require_list(spec: AccountListSpec) -> None:
    if spec.layout is not None:
        spec.layout.slots(b"")
        spec.layout.slots(bytes(_HASH_BYTES))


def _read_hash(reader: Reader) -> Hash32:
    return Hash32(reader.binary(_HASH_BYTES))


# --- proofs ----------------------------------------------------------------------------------------------------------


def _proofs_json(proofs: Iterable[ContractProof]) -> Json:
    proofs = tuple(proofs)
    nodes: dict[bytes, None] = {}
    for proof in proofs:
        for part in (proof.answer.account_proof, *(entry[2] for entry in proof.answer.storage)):
            nodes.update((node, None) for node in part if len(node) >= _HASH_BYTES)
    contracts: list[Json] = [
        {
            "address": hex_text(proof.answer.address),
            "provider": proof.provider,
            "slots": [_word_text(entry[0]) for entry in proof.answer.storage],
        }
        for proof in proofs
    ]
    return {"nodes": [hex_text(node) for node in nodes], "contracts": contracts}


def _read_proofs(raw: bytes, file: str, state_root: Hash32) -> tuple[ContractProof, ...]:
    reader = read_text(raw, file)
    node_list, contracts = reader.members("nodes", "contracts")
    contracts.checked(lambda: require_targets(sum(1 for _ in contracts.items())))
    nodes = reader.checked(lambda: NodeSet.from_nodes(node_list.each(lambda node: node.binary())))
    asked = contracts.each(_read_asked)
    contracts.checked(lambda: _require_slots(sum(len(slots) for _, _, slots, _ in asked)))
    proofs = tuple(
        ContractProof(provider, reader.checked(partial(_answer, target, slots, nodes, state_root)))
        for target, provider, slots, reader in asked
    )
    used = {node for proof in proofs for part in _proof_parts(proof.answer) for node in part}
    if len(used) != len(nodes):
        raise node_list.refuse("extra_node", f"{len(nodes)} nodes, {len(used)} of them prove something")
    if to_text(_proofs_json(proofs)) != raw:
        raise node_list.refuse("json_order", "nodes are not in order of first use")
    return proofs


def _proof_parts(answer: AccountAnswer) -> tuple[tuple[bytes, ...], ...]:
    return (tuple(answer.account_proof), *(tuple(entry[2]) for entry in answer.storage))


def _read_asked(reader: Reader) -> tuple[Address, str, tuple[int, ...], Reader]:
    address, provider, slots = reader.members("address", "provider", "slots")
    asked = slots.each(lambda slot: int.from_bytes(slot.binary(_HASH_BYTES), "big"))
    return Address(address.binary(20)), provider.text(), asked, reader


def _require_slots(count: int) -> None:
    if count > PROOF_SLOTS_MAX:
        raise LimitExceeded("PROOF_SLOTS_MAX", PROOF_SLOTS_MAX, count)


def _answer(target: Address, slots: tuple[int, ...], nodes: NodeSet, state_root: Hash32) -> AccountAnswer:
    """Put an answer together from the node set alone."""
    account_proof = nodes.proof(state_root, keccak256(target))
    state = verify_account(state_root, target, account_proof, nodes)
    storage: list[StorageEntry] = []
    for slot in slots:
        proof = nodes.proof(state.storage_root, keccak256(slot.to_bytes(_HASH_BYTES, "big")))
        storage.append((slot, verify_storage(state.storage_root, slot, proof, nodes), proof))
    return AccountAnswer(
        target, state.nonce, state.balance, state.storage_root, state.code_hash, account_proof, tuple(storage)
    )
