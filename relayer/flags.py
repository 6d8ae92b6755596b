"""The flag machine: a remembered status change with reasons and a life of its own. Pure; returns events.

A *final* view rests on the blocks of a frame; a *provisional* one on the newest blocks, between frames. `frame` is the
frame time of a final view, and the newest block time under a provisional one. A *breach* is status liquidatable or
bad_debt.

| view | clear | provisional | raised | unknown |
|---|---|---|---|---|
| final, breach | raised: RAISED | raised: RAISED | stays; WORSENED if worse than ever | raised: RAISED |
| final, unknown | unknown: BECAME_UNKNOWN | stays | stays; counts anew | stays; counts anew |
| final, known, older than the flag's evidence | stays | stays | stays | stays |
| final, known, newer | stays | clear: WITHDRAWN | counts; enough: CLEARED | counts; enough: CLEARED |
| provisional, breach | provisional: RAISED_PROVISIONALLY | stays; WORSENED | stays; counts anew | as clear |
| provisional, other | stays | stays | stays | stays |

- Raise: at the first final view in breach, whatever its age, assurance or marks. Nothing gates it.
- Clear a raised flag: `dwell_frames` final views in a row, each of a newer frame, each with equity >= clear level x MM
  and assurance at least that of the strongest view in breach. Inside the band nothing changes and the count is anew.
- Clear an unknown flag: `dwell_frames` known final views in a row. It was never in breach, so no level is asked.
- Provisional: raises at once and clears nothing. The first known final view at least as new confirms or withdraws it;
  one older than the last known final view says nothing new.
- Unknown clears nothing. A raised flag stays raised, and its reasons say that it is stale.
- The same view of the same frame once more changes nothing and has no event.

`Flag.status` of a raised or provisional flag is the worst status since it was raised; `since_frame` when the account
was first seen in that condition; `last_frame` the newest evidence judged; `frames_above` the views that count towards
clearing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from proofs.types import AccountId, Assurance, Status
from proofs.units import PPM
from relayer.margin.explain import summary
from relayer.margin.rules import StatusLevels
from relayer.margin.view import MarginView

BREACHES: Final = frozenset({Status.LIQUIDATABLE, Status.BAD_DEBT})


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


Step = tuple[Flag, tuple[FlagEvent, ...]]


def step(flag: Flag | None, view: MarginView, levels: StatusLevels, frame: int, provisional: bool) -> Step:
    """Return the flag after a view, and what happened; `flag` is None for an account never seen.

    Raises: ValueError when flag and view are of different accounts.
    """
    before = flag if flag is not None else _clear(view, frame)
    if before.account != view.account:
        raise ValueError("flag and view are of different accounts")
    if provisional:
        return _step_provisional(before, view, frame)
    if view.status in BREACHES:
        return _raised(before, view, frame)
    if view.status is Status.UNKNOWN:
        return _gone_dark(before, view, frame)
    return _recovering(before, view, levels, frame)


def _step_provisional(before: Flag, view: MarginView, frame: int) -> Step:
    is_overtaken = before.state is FlagState.CLEAR and frame < before.last_frame
    if view.status not in BREACHES or is_overtaken:
        return before, ()
    newest = max(before.last_frame, frame)
    if before.state is FlagState.RAISED:
        return replace(before, last_frame=newest, frames_above=0), ()
    if before.state is FlagState.PROVISIONAL:
        return _still_breached(before, view, frame)
    return _enter(before, view, frame, FlagEventKind.RAISED_PROVISIONALLY)


def _raised(before: Flag, view: MarginView, frame: int) -> Step:
    if before.state is FlagState.RAISED:
        return _still_breached(before, view, frame)
    return _enter(before, view, frame, FlagEventKind.RAISED)


def _still_breached(before: Flag, view: MarginView, frame: int) -> Step:
    after = replace(
        before,
        status=max(before.status, view.status),
        last_frame=max(before.last_frame, frame),
        raised_assurance=max(before.raised_assurance, view.assurance),
        frames_above=0,
        reasons=summary(view),
    )
    if view.status > before.status:
        return after, (_event(view, FlagEventKind.WORSENED, frame, after.reasons),)
    return after, ()


def _enter(before: Flag, view: MarginView, frame: int, kind: FlagEventKind) -> Step:
    """Raise a flag, provisionally or not; a confirmed one keeps the time and status it was first raised with."""
    was_provisional = before.state is FlagState.PROVISIONAL
    after = Flag(
        account=view.account,
        state=FlagState.RAISED if kind is FlagEventKind.RAISED else FlagState.PROVISIONAL,
        status=view.status,
        since_frame=min(before.since_frame, frame) if was_provisional else frame,
        last_frame=max(before.last_frame, frame),
        raised_assurance=view.assurance,
        frames_above=0,
        reasons=summary(view),
    )
    return after, (_event(view, kind, frame, after.reasons),)


def _gone_dark(before: Flag, view: MarginView, frame: int) -> Step:
    reasons, newest = summary(view), max(before.last_frame, frame)
    if before.state is FlagState.CLEAR:
        after = Flag(view.account, FlagState.UNKNOWN, Status.UNKNOWN, frame, newest, view.assurance, 0, reasons)
        return after, (_event(view, FlagEventKind.BECAME_UNKNOWN, frame, reasons),)
    if before.state is FlagState.UNKNOWN:
        return replace(before, last_frame=newest, frames_above=0, reasons=reasons), ()
    stale = f"{before.status.name.lower()} when last known; the flag stays while the account is unknown"
    return replace(before, last_frame=newest, frames_above=0, reasons=(stale, *reasons)), ()


def _recovering(before: Flag, view: MarginView, levels: StatusLevels, frame: int) -> Step:
    """Judge a final view that is neither in breach nor unknown."""
    if before.state is FlagState.CLEAR:
        return _clear(view, max(before.last_frame, frame), since=before.since_frame), ()
    if before.state is FlagState.PROVISIONAL:
        if frame < before.last_frame:
            return before, ()
        return _clear(view, frame), (_event(view, FlagEventKind.WITHDRAWN, frame, _why_clear(view)),)
    if frame <= before.last_frame:
        return before, ()
    counts = before.state is FlagState.UNKNOWN or _is_above(before, view, levels)
    above = before.frames_above + 1 if counts else 0
    if above >= max(levels.dwell_frames, 1):
        return _clear(view, frame), (_event(view, FlagEventKind.CLEARED, frame, _why_clear(view)),)
    return replace(before, last_frame=frame, frames_above=above, reasons=_why_waiting(before, view, above, levels)), ()


def _is_above(before: Flag, view: MarginView, levels: StatusLevels) -> bool:
    """Tell whether a view counts towards clearing a raised flag; cross products, equality counts."""
    is_high = view.equity_usd * PPM >= view.maintenance_margin_usd * levels.clear_ppm
    return is_high and view.assurance >= before.raised_assurance


def _clear(view: MarginView, frame: int, since: int | None = None) -> Flag:
    began = frame if since is None else since
    return Flag(view.account, FlagState.CLEAR, view.status, began, frame, Assurance.SINGLE_RPC, 0, ())


def _event(view: MarginView, kind: FlagEventKind, frame: int, reasons: tuple[str, ...]) -> FlagEvent:
    return FlagEvent(view.account, kind, frame, view.status, view.equity_usd, view.maintenance_margin_usd, reasons)


def _why_clear(view: MarginView) -> tuple[str, ...]:
    return (f"{view.status.name.lower().replace('_', ' ')} on final figures", *summary(view))


def _why_waiting(before: Flag, view: MarginView, above: int, levels: StatusLevels) -> tuple[str, ...]:
    weakest, level = int(before.raised_assurance), int(view.assurance)
    if before.state is FlagState.UNKNOWN:
        waiting = f"known again for {above} of {levels.dwell_frames} frames"
    elif above:
        waiting = f"at or above the level that clears for {above} of {levels.dwell_frames} frames"
    elif level < weakest:
        waiting = f"recovered on evidence of level {level}, raised on level {weakest}"
    else:
        waiting = "above maintenance margin, below the level that clears"
    return (f"{before.status.name.lower().replace('_', ' ')} before; {waiting}", *summary(view))
