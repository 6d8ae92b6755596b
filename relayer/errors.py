"""The error tree of `relayer`: by whose fault it is and what to do.

    RelayerError
      ConfigError      the operator's: a document or secret is wrong    stop at start; names file, key and fix   exit 2
      StoreFault       the machine's: the database cannot be used       stop; names the file and the fix         exit 1
      Refused          the caller's: a rule forbids what was asked      says which rule                          exit 1
        LedgerRefused  this slot must not be signed                     never retried with the same frame
      SignerFault      the operator's: a key cannot be opened or used   stop signing, go on flagging             exit 2

What is nobody's fault (a slow node) or a source's lie is not raised: it is the value `proofs.snapshot.Unavailable`.
Whatever else escapes is a bug of ours: it ends the pass or the request, not the service (exit 1 for a verb).
No message carries a secret: values of secrets never reach these constructors, only the names of their references.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from proofs.types import Hash32, to_hex

__all__ = [
    "ConfigError",
    "Fault",
    "LedgerRefused",
    "LedgerRule",
    "Refused",
    "RelayerError",
    "SignerFault",
    "StoreFault",
]


class RelayerError(Exception):
    """Report what ended an operation of the relayer; root of this package's errors."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Name one fault of a document: the key (`chain[0].lag_s`, empty for the whole), what is wrong, what to do."""

    key: str
    problem: str
    fix: str

    def __str__(self) -> str:
        """Return `key: problem; fix` on one line."""
        place = f"{self.key}: " if self.key else ""
        remedy = f"; {self.fix}" if self.fix else ""
        return f"{place}{self.problem}{remedy}"


class ConfigError(RelayerError):
    """Report faults of one document. `source` is the file as the operator named it; the message is one line."""

    def __init__(self, source: str, *faults: Fault) -> None:
        if not faults:
            raise ValueError("a ConfigError needs a fault")
        self.source: str = source
        self.faults: tuple[Fault, ...] = faults
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"{source}: {faults[0]}{more}")

    @property
    def lines(self) -> tuple[str, ...]:
        """Return one readable line per fault."""
        return tuple(f"{self.source}: {fault}" for fault in self.faults)


class StoreFault(RelayerError):
    """Report a database that cannot be used as it is: locked, foreign, newer, damaged, full."""

    def __init__(self, path: str, problem: str, fix: str) -> None:
        self.path: str = path
        self.problem: str = problem
        self.fix: str = fix
        super().__init__(f"store {path}: {problem}; {fix}")


class Refused(RelayerError):
    """Report that a rule forbids what was asked; `rule` is a stable short name."""

    def __init__(self, rule: str, detail: str) -> None:
        self.rule: str = rule
        self.detail: str = detail
        super().__init__(f"refused: {rule}: {detail}")


class LedgerRule(StrEnum):
    """Name the rules of the signing ledger."""

    LOWER_FRAME = "lower_frame"
    SLOT_NOT_RESERVED = "slot_not_reserved"
    OTHER_DIGEST = "other_digest"
    OTHER_SIGNATURE = "other_signature"
    FRAME_RANGE = "frame_range"
    DISK_LOW = "disk_low"


class LedgerRefused(Refused):
    """Report a slot that must not be signed; `digest` is the one that the ledger holds for it, if any."""

    def __init__(
        self, rule: LedgerRule, policy_id: Hash32, frame: int, detail: str, digest: Hash32 | None = None
    ) -> None:
        self.policy_id: Hash32 = policy_id
        self.frame: int = frame
        self.digest: Hash32 | None = digest
        held = f", the slot holds {to_hex(digest)}" if digest is not None else ""
        super().__init__(rule, f"frame {frame} of policy {to_hex(policy_id)}: {detail}{held}")


class SignerFault(RelayerError):
    """Report a key that cannot be opened or used; never says anything about the key itself."""

    def __init__(self, path: str, problem: str, fix: str) -> None:
        self.path: str = path
        self.problem: str = problem
        self.fix: str = fix
        super().__init__(f"signer {path}: {problem}; {fix}")
