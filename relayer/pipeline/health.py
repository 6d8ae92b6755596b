"""Health: whether the loop is alive, and whether what it serves is worth serving.

Liveness looks at the loop alone, never at a chain, a database or a peer: restarting a process does not repair a node.
Readiness names each dependency. Times are those of a monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PULSE_S_MAX: Final = 60.0
"""The scheduler beats once a second; a loop that is sixty beats late is not coming back."""


@dataclass(frozen=True, slots=True)
class Check:
    """State one dependency, whether it is as it should be, and one readable line."""

    name: str
    is_ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class FrameHealth:
    """Remember of the last pass what readiness asks about."""

    frame: int
    chains_present: int
    chains_total: int
    is_venue_present: bool
    is_signed: bool
    skip_reason: str


class Health:
    """Collect the event loop's beats and the outcome of the last pass."""

    def __init__(self, started_s: float, frame_age_s_max: float, is_signing: bool) -> None:
        self._beat_s = started_s
        self._started_s = started_s
        self._frame_age_s_max = frame_age_s_max
        self._is_signing = is_signing
        self._frame_at_s: float | None = None
        self._frame: FrameHealth | None = None
        self.is_draining = False

    def beat(self, now_s: float) -> None:
        """Record that the event loop turned."""
        self._beat_s = now_s

    def frame_done(self, now_s: float, frame: FrameHealth) -> None:
        """Record a finished pass."""
        self._beat_s = self._frame_at_s = now_s
        self._frame = frame

    def is_alive(self, now_s: float) -> bool:
        """Tell whether the event loop turned lately."""
        return now_s - self._beat_s <= PULSE_S_MAX

    def checks(self, now_s: float) -> tuple[Check, ...]:
        """Return all readiness checks, each with its own line."""
        draining = Check("draining", not self.is_draining, "shutting down" if self.is_draining else "no")
        frame = self._frame
        if frame is None or self._frame_at_s is None:
            since_s = now_s - self._started_s
            return (draining, Check("frame", False, f"none evaluated in the {since_s:.0f} s since start"))
        age_s = now_s - self._frame_at_s
        present = f"{frame.chains_present} of {frame.chains_total} chains in frame {frame.frame}"
        venue = "the venue's chain among them" if frame.is_venue_present else "the venue's chain is missing"
        signing = frame.skip_reason or ("signed" if frame.is_signed else "observing only, no signer configured")
        return (
            draining,
            Check("frame", age_s <= self._frame_age_s_max, f"frame {frame.frame} evaluated {age_s:.0f} s ago"),
            Check("chains", frame.is_venue_present, f"{present}, {venue}"),
            Check("signing", frame.is_signed or not self._is_signing, signing),
        )
