"""Market: one price interval per asset and frame, or the reason why there is none.

Rules of this file:
- `market_of` is the one place that turns a verified snapshot into prices.
- Every feed listed for an asset must be usable, else the asset has no price: losing a feed must never improve anything.
- The interval is (min, max) over the feeds, moved to E18 outward; assets are marked at its low end, what is owed at
  its high end. A wide interval is used, because it is conservative, and marked.

| a feed is usable when | else |
|---|---|
| its cell was read | no price |
| answer > 0 | no price: zero is an error, not a value |
| updated_at <= block time + 30 s | no price: dated in the future |
| block time - updated_at <= its own heartbeat | no price, STALE_PRICE |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from proofs.types import Assurance, Quality
from proofs.units import PPM, rescale_down, rescale_up
from proofs.verify import VerifiedChain, VerifiedSnapshot
from relayer.margin.rules import MarginRules, PriceSource

CLOCK_TOLERANCE_S: Final = 30
"""A feed may be dated after its block by this much; the same bound as the verifier contract's on time."""
E18_DECIMALS: Final = 18


@dataclass(frozen=True, slots=True)
class Price:
    """Hold the interval of one asset's USD price, PriceE18, 0 < low <= high."""

    symbol: str
    low_e18: int
    high_e18: int
    assurance: Assurance
    quality: Quality = Quality.NONE


@dataclass(frozen=True, slots=True)
class NoPrice:
    """Say why an asset has no price. `last_e18` is the highest positive answer seen, whatever its age, or 0.

    The last answer values nothing; it only tells whether an amount could matter (dust).
    """

    symbol: str
    reason: str
    last_e18: int = 0
    quality: Quality = Quality.NONE


@dataclass(frozen=True, slots=True)
class Market:
    """Hold what is known of every priced asset, by symbol."""

    prices: Mapping[str, Price | NoPrice]

    def price(self, symbol: str) -> Price | NoPrice:
        """Return the price of an asset; one that no feed prices has none."""
        return self.prices.get(symbol) or NoPrice(symbol, "no feed of the policy prices it")


@dataclass(frozen=True, slots=True)
class FeedReading:
    """Hold what one feed said: its words (answer in the feed's decimals, Unix seconds), or why it said nothing."""

    source: PriceSource
    answer: int
    updated_at_s: int
    block_time_s: int
    assurance: Assurance
    unread: str = ""


def market_from_feeds(feeds: Iterable[FeedReading]) -> Market:
    """Build the market from what the feeds said; the order of feeds does not matter."""
    by_symbol: dict[str, list[FeedReading]] = {}
    for feed in feeds:
        by_symbol.setdefault(feed.source.symbol, []).append(feed)
    return Market(MappingProxyType({symbol: _price(symbol, readings) for symbol, readings in by_symbol.items()}))


def market_of(snapshot: VerifiedSnapshot, rules: MarginRules) -> Market:
    """Read the prices of a verified snapshot: a frame's, or that of a tick which read price columns alone."""
    return market_from_feeds(_feed_reading(snapshot.chain(source.chain), source) for source in rules.prices)


def _feed_reading(chain: VerifiedChain | None, source: PriceSource) -> FeedReading:
    if chain is None:
        return FeedReading(source, 0, 0, 0, Assurance.SINGLE_RPC, f"chain_missing: {source.chain}")
    words = chain.cell(source.column, b"")
    time_s = chain.anchor.block.timestamp_s
    if words is None:
        is_changed = source.column in chain.code_changed
        unread = "code_changed: the feed runs other code" if is_changed else "call_failed: no answer was agreed on"
        return FeedReading(source, 0, 0, time_s, Assurance.SINGLE_RPC, unread)
    level = chain.assurance(source.column, b"")
    return FeedReading(source, words[source.answer_word], words[source.updated_word], time_s, level)


def _price(symbol: str, feeds: list[FeedReading]) -> Price | NoPrice:
    faults = sorted((feed.source.column, fault) for feed in feeds if (fault := _fault(feed)))
    if faults:
        last = max(rescale_up(max(feed.answer, 0), feed.source.decimals, E18_DECIMALS) for feed in feeds)
        is_stale = any(fault.startswith("stale_price") for _, fault in faults)
        reason = "; ".join(f"{column}: {fault}" for column, fault in faults)
        return NoPrice(symbol, reason, last, Quality.STALE_PRICE if is_stale else Quality.NONE)
    low = min(rescale_down(feed.answer, feed.source.decimals, E18_DECIMALS) for feed in feeds)
    high = max(rescale_up(feed.answer, feed.source.decimals, E18_DECIMALS) for feed in feeds)
    if low <= 0:
        return NoPrice(symbol, "zero_price: rounds to zero at 18 decimals", high)
    is_wide = (high - low) * PPM > min(feed.source.deviation_ppm_max for feed in feeds) * low
    quality = Quality.WIDE_PRICE if is_wide else Quality.NONE
    return Price(symbol, low, high, min(feed.assurance for feed in feeds), quality)


def _fault(feed: FeedReading) -> str:
    """Return why a feed is not usable, or the empty string."""
    if feed.unread:
        return feed.unread
    if feed.answer <= 0:
        return f"zero_price: the feed answers {feed.answer}"
    age_s = feed.block_time_s - feed.updated_at_s
    if age_s < -CLOCK_TOLERANCE_S:
        return f"future_price: dated {-age_s} s after its block, at most {CLOCK_TOLERANCE_S} s allowed"
    if age_s > feed.source.heartbeat_s:
        return f"stale_price: {age_s} s old, heartbeat {feed.source.heartbeat_s} s"
    return ""
