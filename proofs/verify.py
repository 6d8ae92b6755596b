"""The one place where a snapshot becomes believed: `VerifiedChain` and `VerifiedSnapshot` are built here alone.

Per chain, in this order; each step can only refuse or lower, none can raise what a former one found:

    1 votes      anchor and sheet agreed by two thirds of the configured providers, by two at least outside of devnets
                 otherwise Unavailable NO_QUORUM: nothing of level 0 comes out of here
    2 header     the header's RLP hashes to the block hash, its number, parent, state root, time are the anchor's
                 otherwise INVALID_HEADER, dishonest
    3 shape      the sheet answers the questions asked, in their order, in canonical words
                 otherwise RPC_MALFORMED
    4 proofs     account and storage proofs of what *we* ask, all of it and nothing else, under that state root
                 otherwise INVALID_PROOF or LIMIT_EXCEEDED, dishonest, naming the provider of the proof
    5 code       pins: code hashes, and the implementation that a proxy names; one that is not proven to hold makes its
                 columns unreadable, the chain stands
    6 cells      what the layout makes of the proven words equals what was read
                 otherwise READING_CONTRADICTS_PROOF, dishonest, naming the providers that agreed on the reading

    evidence for a cell                                          assurance
    not observed, or the pinned code not proven                  0, and no value
    agreed reading alone (no layout, no proof, layout unpinned)  1
    agreed reading that equals a proof under the agreed header   2

A layout without a pin of every contract it reads proves nothing outside of devnets. A call that failed for everybody is
an agreed fact: the cell has no value whatever storage says. `verify_quorum` stops after step 3: its cells are of level
1 and its pins unchecked, good for saying where to look and never for what is signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, field
from types import MappingProxyType
from typing import Final

from proofs.attestation import ChainAnchor, missing_anchor
from proofs.canonical_sheet import sheet_fault
from proofs.errors import ConstructionRefused, ProofError
from proofs.evidence import (
    Evidence,
    cell_levels,
    is_code_changed,
    list_contradiction,
    proof_requests,
    prove_contracts,
    quorum_levels,
)
from proofs.header import header_of_hash
from proofs.keccak import keccak256
from proofs.sheet import AccountList, AccountListSpec, Column, ColumnSpec, Sheet, readings_root
from proofs.snapshot import Anchor, ChainReading, Reason, Snapshot, Unavailable, Votes
from proofs.types import Assurance, ChainId, Hash32

__all__ = [
    "VerifiedChain",
    "VerifiedSnapshot",
    "chain_anchor",
    "proof_requests",
    "quorum_reached",
    "verified_snapshot",
    "verify",
    "verify_chain",
    "verify_quorum",
]

_TOKEN: Final = object()


@dataclass(frozen=True, slots=True)
class _Cells:
    column: Column
    index: Mapping[bytes, int]
    levels: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerifiedChain:
    """Hold what one chain said in one frame, with the level at which each cell may be believed.

    A row is named by its key in the question (account id, address, or b""), never by its place in an answer.
    """

    anchor: Anchor
    account_lists: tuple[AccountListSpec, ...]
    columns: tuple[ColumnSpec, ...]
    sheet: Sheet
    readings_root: Hash32
    code_changed: frozenset[str]
    """Names of columns and account lists whose contract was not proven to run the pinned code."""
    _cells: Mapping[str, _Cells] = field(repr=False)
    token: InitVar[object]

    def __post_init__(self, token: object) -> None:
        """Refuse every builder but this module."""
        if token is not _TOKEN:
            raise ConstructionRefused("VerifiedChain", "only proofs.verify builds it")

    @property
    def chain(self) -> ChainId:
        """Return the chain."""
        return self.anchor.block.chain

    def has(self, column: str) -> bool:
        """Say whether the column was asked and its contract runs the pinned code."""
        return column in self._cells and column not in self.code_changed

    def cell(self, column: str, row: bytes) -> tuple[int, ...] | None:
        """Return the words of a cell, or None where there is nothing to believe: unread, failed, or not asked."""
        cells = self._cells.get(column)
        at = None if cells is None else cells.index.get(row)
        if cells is None or at is None or cells.levels[at] == Assurance.SINGLE_RPC:
            return None
        return cells.column.row(at)

    def assurance(self, column: str, row: bytes) -> Assurance:
        """Return the level of a cell; 0 where `cell` is None."""
        cells = self._cells.get(column)
        at = None if cells is None else cells.index.get(row)
        return Assurance.SINGLE_RPC if cells is None or at is None else Assurance(cells.levels[at])

    def column(self, name: str) -> Column | None:
        """Return a whole column as it was read; `levels` says which of its rows may be believed."""
        cells = self._cells.get(name)
        return None if cells is None else cells.column

    def levels(self, name: str) -> bytes | None:
        """Return the assurance of every row of a column, one byte each, in the question's order; None if not asked."""
        cells = self._cells.get(name)
        return None if cells is None else cells.levels

    def accounts(self, name: str) -> AccountList | None:
        """Return an account list by the name of its question."""
        return next((listing for listing in self.sheet.account_lists if listing.name == name), None)


@dataclass(frozen=True, slots=True)
class VerifiedSnapshot:
    """Hold one frame's verified chains and the reasons for those that are missing, in order of CAIP-2 text."""

    frame_s: int
    outcomes: tuple[VerifiedChain | Unavailable, ...]
    token: InitVar[object]

    def __post_init__(self, token: object) -> None:
        """Refuse every builder but this module."""
        if token is not _TOKEN:
            raise ConstructionRefused("VerifiedSnapshot", "only proofs.verify builds it")

    @property
    def chains(self) -> tuple[VerifiedChain, ...]:
        """Return the chains present."""
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, VerifiedChain))

    @property
    def missing(self) -> tuple[Unavailable, ...]:
        """Return the chains that are missing, with reasons."""
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, Unavailable))

    def chain(self, chain: ChainId) -> VerifiedChain | None:
        """Return a chain, or None where it is missing from the frame or from the policy."""
        for outcome in self.outcomes:
            if isinstance(outcome, VerifiedChain) and outcome.chain == chain:
                return outcome
        return None

    def anchors(self) -> tuple[ChainAnchor, ...]:
        """Return the anchors of all chains, missing ones included: the leaves of the snapshot root."""
        return tuple(chain_anchor(outcome) for outcome in self.outcomes)


def verify(snapshot: Snapshot, devnets: frozenset[ChainId]) -> VerifiedSnapshot:
    """Verify every chain of a snapshot; `devnets` are the chains where one provider is a quorum."""
    outcomes = (
        outcome if isinstance(outcome, Unavailable) else verify_chain(outcome, devnet=outcome.chain in devnets)
        for outcome in snapshot.outcomes
    )
    return verified_snapshot(snapshot.frame_s, outcomes)


def verified_snapshot(frame_s: int, outcomes: Iterable[VerifiedChain | Unavailable]) -> VerifiedSnapshot:
    """Put a frame's verified chains together. Raises `ConstructionRefused` for a chain that comes twice."""
    ordered = tuple(sorted(outcomes, key=lambda outcome: outcome.chain))
    chains = [outcome.chain for outcome in ordered]
    if len(set(chains)) != len(chains):
        raise ConstructionRefused("VerifiedSnapshot", f"a chain comes twice: {', '.join(chains)}")
    return VerifiedSnapshot(frame_s, ordered, _TOKEN)


def verify_chain(reading: ChainReading, *, devnet: bool) -> VerifiedChain | Unavailable:
    """Verify one chain's reading; whatever a source did wrong comes back as a value.

    Raises `ConstructionRefused` for a question that could not be asked (a row that its layout does not take).
    """
    refusal = _votes_fault(reading, devnet) or _header_fault(reading.anchor) or _shape_fault(reading)
    if refusal is not None:
        return refusal
    evidence = prove_contracts(reading)
    if isinstance(evidence, Unavailable):
        return evidence
    return _judge(reading, evidence, devnet)


def verify_quorum(reading: ChainReading, *, devnet: bool) -> VerifiedChain | Unavailable:
    """Verify a reading for which no proofs were asked: votes, header and shape; no cell is above level 1.

    For a look between frames and for deciding what to prove: code pins are not checked.
    """
    refusal = _votes_fault(reading, devnet) or _header_fault(reading.anchor) or _shape_fault(reading)
    if refusal is not None:
        return refusal
    return _built(reading, [quorum_levels(column) for column in reading.sheet.columns], frozenset())


def chain_anchor(outcome: VerifiedChain | Unavailable) -> ChainAnchor:
    """Return what the snapshot root commits to for one chain."""
    chain_key = Hash32(keccak256(outcome.chain.encode()))
    if isinstance(outcome, Unavailable):
        return missing_anchor(chain_key)
    block = outcome.anchor.block
    return ChainAnchor(
        chain_key,
        block.number,
        block.hash,
        block.state_root,
        block.timestamp_s,
        outcome.anchor.finality,
        outcome.readings_root,
    )


# --- votes, header, shape --------------------------------------------------------------------------------------------


def quorum_reached(votes: Votes, *, devnet: bool) -> bool:
    """Recount a vote: two thirds of the configured, none counted twice, one alone on devnets only."""
    agreed = len(set(votes.agreed))
    is_enough = 0 < agreed <= votes.configured and 3 * agreed >= 2 * votes.configured
    return votes.reached and is_enough and (devnet or agreed > 1)


def _votes_fault(reading: ChainReading, devnet: bool) -> Unavailable | None:
    for what, votes in (("block", reading.anchor.votes), ("sheet", reading.sheet_votes)):
        if not quorum_reached(votes, devnet=devnet):
            detail = f"{what}: {len(set(votes.agreed))} of {votes.configured} providers agree"
            return Unavailable(reading.chain, Reason.NO_QUORUM, detail, votes.agreed)
    return None


def _header_fault(anchor: Anchor) -> Unavailable | None:
    block = anchor.block
    try:
        header = header_of_hash(anchor.header_rlp, block.hash)
    except ProofError as fault:
        return Unavailable(block.chain, Reason.INVALID_HEADER, str(fault), anchor.votes.agreed, dishonest=True)
    pairs = (
        ("number", header.number, block.number),
        ("parent hash", header.parent_hash, block.parent_hash),
        ("state root", header.state_root, block.state_root),
        ("timestamp", header.timestamp_s, block.timestamp_s),
    )
    differing = [name for name, hashed, stated in pairs if hashed != stated]
    if differing:
        detail = f"{', '.join(differing)} of the hashed header differ from what was stated"
        return Unavailable(block.chain, Reason.INVALID_HEADER, detail, anchor.votes.agreed, dishonest=True)
    return None


def _shape_fault(reading: ChainReading) -> Unavailable | None:
    fault = sheet_fault(reading.sheet, reading.chain, reading.account_lists, reading.columns)
    if fault is None:
        return None
    return Unavailable(reading.chain, Reason.RPC_MALFORMED, fault, reading.sheet_votes.agreed)


# --- cells ----------------------------------------------------------------------------------------------------------


def _judge(reading: ChainReading, evidence: Evidence, devnet: bool) -> VerifiedChain | Unavailable:
    changed: set[str] = set()
    for at, (spec, listing) in enumerate(zip(reading.account_lists, reading.sheet.account_lists, strict=True)):
        if is_code_changed(spec, evidence):
            changed.add(spec.name)
        elif contradiction := list_contradiction(at, spec, listing, evidence, devnet):
            return _contradicted(reading, contradiction)
    judged: list[bytes] = []
    for at, (question, column) in enumerate(zip(reading.columns, reading.sheet.columns, strict=True)):
        levels: bytes | str = bytes(len(question.rows))
        if is_code_changed(question, evidence):
            changed.add(question.name)
        else:
            levels = cell_levels(at, question, column, evidence, devnet)
        if isinstance(levels, str):
            return _contradicted(reading, levels)
        judged.append(levels)
    return _built(reading, judged, frozenset(changed))


def _built(reading: ChainReading, judged: list[bytes], code_changed: frozenset[str]) -> VerifiedChain:
    cells: dict[str, _Cells] = {}
    indices: dict[int, Mapping[bytes, int]] = {}  # columns over the same accounts share one tuple of rows
    for question, column, levels in zip(reading.columns, reading.sheet.columns, judged, strict=True):
        if id(question.rows) not in indices:
            indices[id(question.rows)] = MappingProxyType({row: at for at, row in enumerate(question.rows)})
        cells[question.name] = _Cells(column, indices[id(question.rows)], levels)
    return VerifiedChain(
        reading.anchor,
        reading.account_lists,
        reading.columns,
        reading.sheet,
        readings_root(reading.sheet),
        code_changed,
        MappingProxyType(cells),
        _TOKEN,
    )


def _contradicted(reading: ChainReading, detail: str) -> Unavailable:
    agreed = reading.sheet_votes.agreed
    return Unavailable(reading.chain, Reason.READING_CONTRADICTS_PROOF, detail, agreed, dishonest=True)
