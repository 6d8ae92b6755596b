"""Time as a port: wall time decides only when to look, block time decides margin."""

from __future__ import annotations

import asyncio
import time
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


class SystemClock:
    """Tell the time of this machine."""

    def now_s(self) -> float:
        """Return Unix time in seconds."""
        return time.time()

    def monotonic_s(self) -> float:
        """Return the system's monotonic clock."""
        return time.monotonic()

    async def sleep_until(self, unix_s: float) -> None:
        """Wait; a wall clock that is set back meanwhile makes it longer, in steps of at most a second."""
        while (left_s := unix_s - self.now_s()) > 0:  # noqa: ASYNC110 - only time can end this wait
            await asyncio.sleep(min(left_s, 1.0))
