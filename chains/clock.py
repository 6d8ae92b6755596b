"""Time as a port: wall time decides only when to look, block time decides margin."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Tell and pass time."""

    def now_s(self) -> float:
        """Return Unix time in seconds."""
        ...

    def monotonic_s(self) -> float:
        """Return a clock that never goes back, in seconds from an arbitrary start."""
        ...

    async def sleep_until(self, unix_s: float) -> None:
        """Wait until `now_s()` has reached `unix_s`; returns at once when it has."""
        ...
