"""An observer that remembers, and a clock that only moves when told to."""

from __future__ import annotations

from proofs.types import ChainId


class Recorder:
    """Remember every event as a tuple that begins with its name."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def named(self, name: str) -> list[tuple[object, ...]]:
        return [event[1:] for event in self.events if event[0] == name]

    def rpc_answered(self, chain: ChainId, provider: str, method: str, calls: int, seconds: float, result: str) -> None:
        self.events.append(("rpc", provider, method, calls, result))

    def rate_limited(self, chain: ChainId, provider: str) -> None:
        self.events.append(("limited", provider))

    def dissent(self, chain: ChainId, provider: str, kind: str, detail: str) -> None:
        self.events.append(("dissent", provider, kind, detail))

    def head_seen(self, chain: ChainId, provider: str, tag: str, number: int, timestamp_s: int) -> None:
        self.events.append(("head", provider, tag, number, timestamp_s))

    def reorg_seen(self, chain: ChainId, provider: str, number: int, depth: int) -> None:
        self.events.append(("reorg", provider, number, depth))

    def proofs_read(self, chain: ChainId, provider: str, done: int, total: int) -> None:
        self.events.append(("proofs", provider, done, total))


class ManualClock:
    """Pass time only by sleeping."""

    def __init__(self, now_s: float = 1_000.0) -> None:
        self.time_s = now_s
        self.pauses: list[float] = []

    def now_s(self) -> float:
        return self.time_s

    def monotonic_s(self) -> float:
        return self.time_s

    async def sleep_until(self, unix_s: float) -> None:
        self.pauses.append(round(unix_s - self.time_s, 6))
        self.time_s = max(self.time_s, unix_s)
