"""Which block of a chain belongs to a time: the pure search over block times, and the watch for reorgs.

    candidates   blocks with timestamp <= bound
    choice       the candidate with the highest (timestamp, number)
    complete     only when the block right after it is seen, with timestamp > bound and the choice as its parent

Timestamps never fall from parent to child (consensus), so the choice lies where they pass the bound, and of several
blocks with one timestamp it is the highest. A provider whose blocks contradict that order, or whose neighbours are
not parent and child, is refused. Until a later block is seen the answer is "not yet", whatever the clock says.

The search knows an `older` block (timestamp <= bound) and a `newer` one (timestamp > bound) and narrows until they
are neighbours. Each round asks for a window of consecutive numbers: around the interpolated place, and every second
round around the middle, so that no timestamps make it longer than log2 of the distance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from chains.limits import HEADS_WINDOW, TRAIL_HEIGHTS_MAX
from proofs.types import Hash32

__all__ = ["Bracket", "HeadsBroken", "Stamp", "Trail", "is_complete", "narrow", "next_window", "watch"]

_BELOW_GUESS: Final = 1
"""Numbers of a window below the guess: guesses from a block time err by little to either side."""


class HeadsBroken(ValueError):
    """Report blocks that cannot belong to one chain: `rule` is `order` or `parent`."""

    def __init__(self, rule: str, detail: str) -> None:
        self.rule: str = rule
        self.detail: str = detail
        super().__init__(f"{rule}: {detail}")


@dataclass(frozen=True, slots=True)
class Stamp:
    """Hold what the search needs of one block."""

    number: int
    timestamp_s: int
    hash: Hash32
    parent_hash: Hash32


@dataclass(frozen=True, slots=True)
class Bracket:
    """Hold the nearest known blocks on either side of the bound; None where none is known yet."""

    older: Stamp | None = None
    newer: Stamp | None = None


def is_complete(bracket: Bracket) -> bool:
    """Tell whether `older` is the choice: its child is known and younger than the bound.

    Raises: `HeadsBroken` when neighbours are not parent and child (a reorg between two answers, or a lie).
    """
    older, newer = bracket.older, bracket.newer
    if older is None or newer is None or older.number + 1 != newer.number:
        return False
    if newer.parent_hash != older.hash:
        raise HeadsBroken("parent", f"block {newer.number} is not the child of block {older.number} as answered")
    return True


def narrow(bracket: Bracket, blocks: Sequence[Stamp], bound_s: int) -> Bracket:
    """Take answered blocks into the bracket.

    Raises: `HeadsBroken` when a higher block has a lower timestamp, or consecutive blocks are not linked.
    """
    known = [stamp for stamp in (bracket.older, bracket.newer) if stamp is not None]
    ordered = sorted({*known, *blocks}, key=lambda stamp: stamp.number)
    for below, above in pairwise(ordered):
        if below.number == above.number or below.timestamp_s > above.timestamp_s:
            raise HeadsBroken("order", f"blocks {below.number} and {above.number} contradict each other")
        if below.number + 1 == above.number and above.parent_hash != below.hash:
            raise HeadsBroken("parent", f"block {above.number} is not the child of block {below.number}")
    older = [stamp for stamp in ordered if stamp.timestamp_s <= bound_s]
    newer = [stamp for stamp in ordered if stamp.timestamp_s > bound_s]
    return Bracket(older[-1] if older else None, newer[0] if newer else None)


def next_window(bracket: Bracket, bound_s: int, block_time_ms: int, attempt: int) -> range:
    """Return the block numbers to ask for next; empty when there is nothing left between the bracket's ends.

    Needs `bracket.newer`: without a block after the bound there is nothing to search.
    """
    assert bracket.newer is not None
    low = -1 if bracket.older is None else bracket.older.number
    high = bracket.newer.number
    guess = _guess(bracket, bound_s, block_time_ms) if attempt % 2 == 0 else (low + high) // 2
    first = max(low + 1, min(guess - _BELOW_GUESS, high - HEADS_WINDOW))
    return range(first, min(high, first + HEADS_WINDOW))


def _guess(bracket: Bracket, bound_s: int, block_time_ms: int) -> int:
    older, newer = bracket.older, bracket.newer
    assert newer is not None
    if older is None:
        return newer.number - -(-(newer.timestamp_s - bound_s) * 1000 // block_time_ms)
    span_s = newer.timestamp_s - older.timestamp_s
    return older.number + (bound_s - older.timestamp_s) * (newer.number - older.number) // max(span_s, 1)


@dataclass(frozen=True, slots=True)
class Trail:
    """Remember the hashes that one provider showed at the newest heights."""

    hashes: Mapping[int, Hash32] = field(default_factory=lambda: MappingProxyType({}))


def watch(trail: Trail, blocks: Sequence[Stamp]) -> tuple[Trail, tuple[int, int] | None]:
    """Take shown blocks into the trail; return (height, depth) of a reorg when a height shows another hash.

    The height is the lowest that changed, the depth counts remembered heights from there on, which are forgotten.
    """
    changed = [stamp.number for stamp in blocks if trail.hashes.get(stamp.number, stamp.hash) != stamp.hash]
    parents = [stamp.number - 1 for stamp in blocks if _parent_changed(trail, stamp)]
    kept = dict(trail.hashes)
    reorg = None
    if changed or parents:
        height = min(changed + parents)
        depth = sum(1 for number in kept if number >= height)
        kept = {number: value for number, value in kept.items() if number < height}
        reorg = (height, depth)
    kept.update({stamp.number: stamp.hash for stamp in blocks})
    newest = sorted(kept)[-TRAIL_HEIGHTS_MAX:]
    return Trail(MappingProxyType({number: kept[number] for number in newest})), reorg


def _parent_changed(trail: Trail, stamp: Stamp) -> bool:
    known = trail.hashes.get(stamp.number - 1)
    return known is not None and known != stamp.parent_hash
