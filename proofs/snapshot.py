"""Snapshot: everything read for one frame, with the evidence for it, before anybody believed it.

The way of the data: `chains` fills a `ChainReading` per chain (or an `Unavailable` with the reason), the pipeline puts
them into a `Snapshot`, and `proofs.verify` alone turns that into a `VerifiedSnapshot`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from proofs.account import AccountAnswer
from proofs.sheet import AccountListSpec, Cells, ColumnSpec, Sheet
from proofs.types import BlockRef, ChainId, Finality


class Reason(StrEnum):
    """Say why something could not be read; each has one plain remedy in the operator's documents."""

    RPC_UNREACHABLE = "rpc_unreachable"
    RPC_TIMEOUT = "rpc_timeout"
    RPC_REFUSED = "rpc_refused"
    RPC_MALFORMED = "rpc_malformed"
    RATE_LIMITED = "rate_limited"
    WRONG_CHAIN = "wrong_chain"
    NO_QUORUM = "no_quorum"
    NOT_YET = "not_yet"
    NOT_FINAL = "not_final"
    TOO_OLD = "too_old"
    ORPHANED = "orphaned"
    STATE_PRUNED = "state_pruned"
    INVALID_HEADER = "invalid_header"
    INVALID_PROOF = "invalid_proof"
    READING_CONTRADICTS_PROOF = "reading_contradicts_proof"
    CODE_CHANGED = "code_changed"
    CALL_FAILED = "call_failed"
    LIMIT_EXCEEDED = "limit_exceeded"


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Say that one chain (or one question to it) gave nothing usable: an expected failure, as a value.

    `providers` are labels of the configuration, never URLs; `dishonest` marks a source that answered and was refuted.
    """

    chain: ChainId
    reason: Reason
    detail: str
    providers: tuple[str, ...] = ()
    dishonest: bool = False

    def __str__(self) -> str:
        named = f" ({', '.join(self.providers)})" if self.providers else ""
        return f"{self.chain}: {self.reason}{named}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Votes:
    """Count who agreed on an answer: one provider label per operator, and how many operators are configured.

    Quorum is counted over the configured, never over those who answered.

    `reached` is the verdict of the pure tally (two thirds of the configured, distinct operators; one provider
    suffices on a devnet alone).
    """

    agreed: tuple[str, ...]
    configured: int
    reached: bool


@dataclass(frozen=True, slots=True)
class Anchor:
    """Name the block a chain contributes to a frame, its header, and how it was agreed on."""

    block: BlockRef
    header_rlp: bytes
    finality: Finality
    votes: Votes


@dataclass(frozen=True, slots=True)
class ContractProof:
    """Carry one contract's account proof and storage proofs, with the label of the provider who gave them."""

    provider: str
    answer: AccountAnswer


@dataclass(frozen=True, slots=True)
class ChainReading:
    """Hold all that one chain answered for one frame, questions beside answers.

    `sheet.columns[i]` answers `columns[i]` and `sheet.account_lists[i]` answers `account_lists[i]`. `proofs` prove
    contracts' storage at the anchor's block; what has a layout and a proof is checked cell by cell against it. `cells`
    say of which columns only single rows were asked to be proven.
    """

    anchor: Anchor
    account_lists: tuple[AccountListSpec, ...]
    columns: tuple[ColumnSpec, ...]
    sheet: Sheet
    sheet_votes: Votes
    proofs: tuple[ContractProof, ...] = ()
    cells: tuple[Cells, ...] = ()

    @property
    def chain(self) -> ChainId:
        """Return the chain that was read."""
        return self.anchor.block.chain


Outcome = ChainReading | Unavailable


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Hold one frame's readings, one outcome per chain of the policy, in order of the chain's CAIP-2 text."""

    frame_s: int
    outcomes: tuple[Outcome, ...]
