"""The book: what a frame touched, reuse that equals full recomputation, and ticks that look at few."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.snapshot import Reason
from proofs.types import Quality, Status
from proofs.units import E18
from relayer.book import Book, next_book, tick, touched
from relayer.margin.evaluate import evaluate_account
from relayer.margin.market import market_of

from .margin.build import (
    BTC_PERP,
    BTCX_B,
    ETH_PERP,
    ETHX_C,
    RULES,
    T0,
    USDX_A,
    USDX_FREE,
    A,
    B,
    C,
    World,
    account,
)
from .margin.strategies import UNHURRIED

ACCOUNTS = tuple(account(number) for number in range(1, 6))
ONE, TWO, THREE, FOUR, FIVE = ACCOUNTS


def book_of(world: World, previous: Book | None = None, quality: Quality = Quality.NONE) -> Book:
    return next_book(previous, world.snapshot(), world.accounts, world.rules, quality)


def small_world() -> World:
    """Five accounts: ONE holds dollars, TWO bitcoin, THREE owes ether, FOUR has a free balance, FIVE nothing."""
    world = World(ACCOUNTS)
    world.put(USDX_A, ONE, 5_000 * 10**6)
    world.put(BTCX_B, TWO, 10**8)
    world.put(USDX_A, THREE, 900 * 10**6)
    world.put(ETH_PERP, THREE, E18, 2_000 * E18, 0)
    world.put(USDX_FREE, FOUR, 10**6)
    return world


def evaluated_after(change) -> tuple[int, ...]:
    world = small_world()
    before = book_of(world)
    world.advance(60)
    change(world)
    return book_of(world, before).evaluated


def test_next_book__first__evaluates_everybody() -> None:
    book = book_of(small_world())

    assert book.evaluated == (0, 1, 2, 3, 4)
    assert [view.account for view in book.views] == list(ACCOUNTS)


def test_next_book__nothing_changed__evaluates_nobody_and_shows_the_new_blocks() -> None:
    world = small_world()
    before = book_of(world)
    world.advance(60)

    after = book_of(world, before)

    assert after.evaluated == ()
    assert [view.leaf for view in after.views] == [view.leaf for view in before.views]
    assert {line.block_number for view in after.views for line in view.lines} == {101}


def test_next_book__one_amount_changed__that_account_alone() -> None:
    assert evaluated_after(lambda world: world.put(BTCX_B, ONE, 1)) == (0,)
    assert evaluated_after(lambda world: world.put(BTC_PERP, FIVE, 0, 0, -1)) == (4,)


def test_next_book__one_price_moved__who_holds_or_owes_it() -> None:
    assert evaluated_after(lambda world: world.price("ETH", 2_001 * 10**8)) == (2,)
    assert evaluated_after(lambda world: world.price("BTC", 60_001 * 10**8)) == (1,)
    assert evaluated_after(lambda world: world.price("USDX", 99_999_999)) == (0, 2, 3)


def test_next_book__same_price_said_later__nobody() -> None:
    assert evaluated_after(lambda world: world.price("ETH", 2_000 * 10**8)) == ()


def test_next_book__cell_failed__that_account() -> None:
    assert evaluated_after(lambda world: world.fail(ETHX_C, FOUR)) == (3,)


def test_next_book__chain_lost__everybody() -> None:
    assert evaluated_after(lambda world: world.missing.update({C: Reason.RPC_TIMEOUT})) == (0, 1, 2, 3, 4)


def test_next_book__chain_lost_for_another_reason__everybody() -> None:
    world = small_world()
    world.missing[C] = Reason.RPC_TIMEOUT
    before = book_of(world)
    world.missing[C] = Reason.NO_QUORUM

    assert book_of(world, before).evaluated == (0, 1, 2, 3, 4)


def test_next_book__rules_or_marks_changed__everybody() -> None:
    world = small_world()
    before = book_of(world)

    assert book_of(world, before, Quality.DEVNET).evaluated == (0, 1, 2, 3, 4)
    world.rules = replace(RULES, dust_usd=2 * E18)
    assert book_of(world, before).evaluated == (0, 1, 2, 3, 4)


def test_next_book__new_account_between_the_others__it_alone() -> None:
    world = small_world()
    before = book_of(world)
    world.accounts = tuple(sorted((*ACCOUNTS[:3], account(0), *ACCOUNTS[4:])))

    after = book_of(world, before)

    assert after.evaluated == (0,)
    assert [view.account for view in after.views] == list(world.accounts)


def test_next_book__wide_amount__always_evaluated() -> None:
    world = small_world()
    world.put(USDX_A, FIVE, 2**130)
    before = book_of(world)

    assert book_of(world, before).evaluated == (4,)
    assert tick(before, before.market).candidates == (4,)
    assert before.views[4].status is Status.UNKNOWN


def test_touched__no_accounts_before__everybody() -> None:
    empty = World([])

    assert touched(book_of(empty), book_of(small_world())) == (0, 1, 2, 3, 4)


CHANGES = st.one_of(
    st.tuples(
        st.just("put"), st.integers(0, 7), st.sampled_from([USDX_A, BTCX_B, ETHX_C, USDX_FREE]), st.integers(0, 9)
    ),
    st.tuples(st.just("open"), st.integers(0, 7), st.sampled_from([ETH_PERP, BTC_PERP]), st.integers(-3, 3)),
    st.tuples(st.just("fail"), st.integers(0, 7), st.sampled_from([USDX_A, USDX_FREE, ETH_PERP]), st.just(0)),
    st.tuples(st.just("price"), st.just(0), st.sampled_from(["USDX", "BTC", "ETH"]), st.integers(0, 4)),
    st.tuples(st.just("age"), st.just(0), st.sampled_from(["USDX", "BTC", "ETH"]), st.just(0)),
    st.tuples(st.just("chain"), st.just(0), st.sampled_from([A, B, C]), st.just(0)),
    st.tuples(st.just("accounts"), st.integers(0, 7), st.just(None), st.just(0)),
)


def apply(world: World, change) -> None:
    kind, who, what, size = change
    if kind == "put":
        world.put(what, account(who), size * 10 ** (what.decimals + size % 3 - 1))
    elif kind == "open":
        world.put(what, account(who), size * E18, size * 1_990 * E18, size - 2)
    elif kind == "fail":
        world.fail(what, account(who))
    elif kind == "price":
        world.price(what, size * 10**11)
    elif kind == "age":
        world.price(what, 10**11, T0 - 10**5)
    elif kind == "chain":
        world.missing.pop(what, None) or world.missing.update({what: Reason.RPC_TIMEOUT})
    else:
        world.accounts = tuple(sorted(set(world.accounts) ^ {account(who)}))


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(st.lists(st.lists(CHANGES, max_size=3), min_size=1, max_size=6))
def test_next_book__any_stream_of_events__equals_full_recomputation(stream) -> None:
    world, book = World([account(number) for number in range(6)]), None

    for changes in stream:
        for change in changes:
            apply(world, change)
        book = book_of(world, book)
        snapshot = world.snapshot()
        prices = market_of(snapshot, RULES)

        assert book.accounts == world.accounts
        assert list(book.views) == [
            evaluate_account(snapshot, prices, one, RULES, Quality.NONE) for one in world.accounts
        ]
        world.advance(60)


def test_tick__two_hundred_accounts_and_a_falling_price__looks_at_those_near_or_below_alone() -> None:
    # Account i holds 1100 + 10 i dollars (x 0.99) and is long 10 ETH bought at 2000.
    world = World([account(number) for number in range(200)])
    for number in range(200):
        world.put(USDX_A, account(number), (1_100 + 10 * number) * 10**6)
        world.put(ETH_PERP, account(number), 10 * E18, 20_000 * E18, 0)
    book = book_of(world)
    assert tick(book, book.market).candidates == ()

    world.advance(10)
    world.price("ETH", 1_950 * 10**8)
    found = tick(book, market_of(world.snapshot(), RULES))

    # MM = 10 x 1950 x 5 % = 975, PnL = -500: liquidatable iff 0.99 (1100 + 10 i) < 1475, i < 38.98..
    assert found.screened == 200
    assert found.candidates == tuple(range(39))
    assert [view.status for view in found.views] == [Status.LIQUIDATABLE] * 39
    assert found.views[0].equity_usd == 589 * E18


def test_tick__feed_of_a_position_lost__candidates_unknown_and_no_figures_changed() -> None:
    world = small_world()
    book = book_of(world)
    world.price("ETH", 0)

    found = tick(book, market_of(world.snapshot(), RULES))

    assert found.candidates == (2,)
    assert found.views[0].status is Status.UNKNOWN


def test_tick__venue_chain_missing_in_the_frame__everybody_is_a_candidate() -> None:
    world = small_world()
    world.missing[A] = Reason.RPC_TIMEOUT
    book = book_of(world)
    world.missing.clear()

    found = tick(book, market_of(world.snapshot(), RULES))

    assert found.candidates == (0, 1, 2, 3, 4)
    assert {view.status for view in found.views} == {Status.UNKNOWN}
