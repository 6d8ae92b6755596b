"""Prices: which feeds are usable, to the second, and what interval several of them make."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.sheet import CellStatus
from proofs.snapshot import Reason
from proofs.types import Assurance, Quality
from proofs.units import E18
from relayer.margin.market import FeedReading, NoPrice, Price, market_from_feeds, market_of

from .build import PROOF, QUORUM, RULES, T0, A, B, World, account, feed


def said(
    answer: int, age_s: int = 0, *, heartbeat_s: int = 3600, decimals: int = 8, level=PROOF, column="one"
) -> FeedReading:
    source = replace(feed("ETH", column), heartbeat_s=heartbeat_s, decimals=decimals)
    return FeedReading(source, answer, T0 - age_s, T0, level)


def priced(*readings: FeedReading) -> Price | NoPrice:
    return market_from_feeds(readings).price("ETH")


@pytest.mark.parametrize(("age_s", "usable"), [(3599, True), (3600, True), (3601, False), (-30, True), (-31, False)])
def test_th_050_age__around_heartbeat_and_tolerance__inclusive(age_s: int, usable: bool) -> None:
    price = priced(said(2_000 * 10**8, age_s))

    assert isinstance(price, Price) is usable
    assert price.quality == (Quality.STALE_PRICE if age_s == 3601 else Quality.NONE)


def test_th_052_age__two_feeds_with_different_heartbeats__each_has_its_own() -> None:
    slow, fast = said(10**8, 50, heartbeat_s=60, column="slow"), said(10**8, 50, heartbeat_s=40, column="fast")

    both = priced(slow, fast)

    assert isinstance(priced(slow), Price)
    assert isinstance(both, NoPrice)
    assert both.reason == "fast: stale_price: 50 s old, heartbeat 40 s"


@pytest.mark.parametrize("answer", [0, -1, -(2**127)])
def test_th_056_answer__zero_or_negative__no_price_and_not_stale(answer: int) -> None:
    price = priced(said(answer))

    assert isinstance(price, NoPrice)
    assert (price.quality, price.last_e18) == (Quality.NONE, 0)
    assert price.reason == f"one: zero_price: the feed answers {answer}"


def test_th_056_answer__unfinished_round__no_price() -> None:
    source = feed("ETH")

    price = priced(FeedReading(source, 5, 0, T0, PROOF))  # updated_at 0

    assert isinstance(price, NoPrice)


def test_th_054_interval__two_feeds__lowest_and_highest_with_the_weaker_assurance() -> None:
    price = priced(said(1_990 * 10**8, column="one"), said(2_010 * 10**8, level=QUORUM, column="two"))

    assert price == Price("ETH", 1_990 * E18, 2_010 * E18, QUORUM, Quality.NONE)


@pytest.mark.parametrize(("high", "is_wide"), [(1_019_999, False), (1_020_000, False), (1_020_001, True)])
def test_th_053_interval__around_the_allowed_deviation__marked_above_it_and_still_used(
    high: int, is_wide: bool
) -> None:
    price = priced(said(1_000_000, column="one"), said(high, column="two"))  # 2 % allowed

    assert isinstance(price, Price)
    assert (price.quality == Quality.WIDE_PRICE) is is_wide


def test_interval__more_than_18_decimals__rounded_outward() -> None:
    price = priced(said(15, decimals=19))

    assert (price.low_e18, price.high_e18) == (1, 2)
    tiny = priced(said(9, decimals=19))  # its low end would be zero
    assert tiny == NoPrice("ETH", "zero_price: rounds to zero at 18 decimals", 1)


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_interval__any_order_of_feeds__same_and_contains_every_answer(answers, shuffle) -> None:
    readings = [said(answer, column=f"feed {at}") for at, answer in enumerate(answers)]
    turned = list(readings)
    shuffle.shuffle(turned)

    price = priced(*readings)

    assert price == priced(*turned)
    assert all(price.low_e18 <= answer * 10**10 <= price.high_e18 for answer in answers)


def test_no_price__stale_answers__remembers_the_highest_only_to_tell_dust() -> None:
    price = priced(said(7 * 10**8, 9_999, column="one"), said(5 * 10**8, column="two"))

    assert isinstance(price, NoPrice)
    assert price.last_e18 == 7 * E18


def test_market__symbol_without_a_feed__no_price_with_a_reason() -> None:
    price = market_from_feeds([]).price("DOGE")

    assert price == NoPrice("DOGE", "no feed of the policy prices it")


def test_market_of__verified_snapshot__reads_answer_and_time_of_five_words() -> None:
    world = World([account(1)])
    world.answers["price:ETH"] = (99, 1_234 * 10**8, 5, T0 - 3600, 98)

    price = market_of(world.snapshot(), RULES).price("ETH")

    assert price == Price("ETH", 1_234 * E18, 1_234 * E18, Assurance.RPC_QUORUM, Quality.NONE)


def test_market_of__chain_missing_or_feed_reverting__no_price() -> None:
    rules = replace(RULES, prices=(*RULES.prices, feed("ETH", "price:eth:b", B)))
    world = World([account(1)], RULES)
    world.answers["price:BTC"] = CellStatus.FAILED

    market = market_of(world.snapshot(), rules)

    assert isinstance(market.price("USDX"), Price)
    assert market.price("BTC").reason == "price:BTC: call_failed: no answer was agreed on"
    assert market.price("ETH") == NoPrice("ETH", "price:eth:b: call_failed: no answer was agreed on", 2_000 * E18)
    world.missing[A] = Reason.RPC_TIMEOUT
    assert market_of(world.snapshot(), RULES).price("USDX") == NoPrice("USDX", f"price:USDX: chain_missing: {A}")


def test_market_of__feed_with_other_code__no_price_and_no_last_answer() -> None:
    world = World([account(1)])
    world.other_code = {"price:BTC"}

    price = market_of(world.snapshot(), RULES).price("BTC")

    assert price == NoPrice("BTC", "price:BTC: code_changed: the feed runs other code")


def test_no_price__two_faults__both_are_named_in_order() -> None:
    price = priced(said(1, -31, column="two"), said(0, column="one"))

    zero, future = "zero_price: the feed answers 0", "future_price: dated 31 s after its block, at most 30 s allowed"
    assert price == NoPrice("ETH", f"one: {zero}; two: {future}", 10**10)
