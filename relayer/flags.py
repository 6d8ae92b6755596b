"""The flag machine: a remembered status change with reasons and a life of its own. Pure; returns events.

| rule | |
|---|---|
| raise | at the first final view with status liquidatable or bad_debt; provisional when a screen's candidate was evaluated exactly on provisional readings |
| clear | only on a final view whose equity >= clear level x maintenance margin for `dwell_frames` frames in a row, with assurance at least that of the raising view |
| unknown | never clears; an unknown account gets its own flag |
| gate | none: no breaker, outage or load suppresses a raise |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from proofs.types import AccountId, Assurance, Status


class FlagState(StrEnum):
    """Say in which state an account's flag is."""

    CLEAR = "clear"
    PROVISIONAL = "provisional"
    RAISED = "raised"
    UNKNOWN = "unknown"


class FlagEventKind(StrEnum):
    """Say what happened to a flag."""

    RAISED = "raised"
    RAISED_PROVISIONALLY = "raised_provisionally"
    WORSENED = "worsened"
    BECAME_UNKNOWN = "became_unknown"
    CLEARED = "cleared"
    WITHDRAWN = "withdrawn"
    """A provisional flag that the next frame did not confirm."""


@dataclass(frozen=True, slots=True)
class Flag:
    """Hold one account's flag. `frames_above` counts frames in a row at or above the clear level."""

    account: AccountId
    state: FlagState
    status: Status
    since_frame: int
    last_frame: int
    raised_assurance: Assurance
    frames_above: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlagEvent:
    """Record one transition; `reasons` are readable lines, worst first; money is UsdE18."""

    account: AccountId
    kind: FlagEventKind
    frame: int
    status: Status
    equity_usd: int
    maintenance_margin_usd: int
    reasons: tuple[str, ...]
