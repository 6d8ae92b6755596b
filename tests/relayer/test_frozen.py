"""Balances whose token says who is frozen: zero, known and marked; an unread mark is missing, and ticks see both."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.sheet import CellStatus
from proofs.types import Encumbrance, Quality, Status
from proofs.units import E18, PPM
from relayer.book import next_book, tick
from relayer.margin.account import portfolio_of
from relayer.margin.evaluate import evaluate, evaluate_account
from relayer.margin.market import NoPrice, market_of

from .margin.build import ETH_PERP, PROOF, QUORUM, RULES, USDX_A, USDX_FREE, World, account, holding, market, portfolio
from .margin.strategies import UNHURRIED
from .margin.test_evaluate_cases import PRICES

ONE, TWO = account(1), account(2)
USDC = replace(USDX_FREE, frozen_column="frozen:usdx:a")
MARK = replace(USDX_FREE, column="frozen:usdx:a")
"""The mark's column, for `World.put` and `World.fail`."""
COUNTING = replace(
    RULES, collateral=(USDX_A, USDC), encumbrance_ppm=((Encumbrance.ESCROWED, PPM), (Encumbrance.FREE, PPM))
)


def judged(world: World, rules=COUNTING):
    snapshot = world.snapshot()
    return evaluate_account(snapshot, market_of(snapshot, rules), ONE, rules, Quality.NONE)


def world_with(amount: int) -> World:
    """One account: 200 dollars locked, an amount free, 1 ETH long bought at 2000; MM 100."""
    world = World([ONE], COUNTING)
    world.put(USDX_A, ONE, 200 * 10**6)
    world.put(USDC, ONE, amount)
    world.put(ETH_PERP, ONE, E18, 2_000 * E18, 0)
    return world


@pytest.mark.parametrize("word", [1, 2, 2**255])
def test_th_044_frozen_holder__any_mark_but_zero__counts_zero_is_marked_and_nothing_is_missing(word: int) -> None:
    world = world_with(1_000 * 10**6)
    free = judged(world)
    world.put(MARK, ONE, word)

    frozen = judged(world)

    assert (free.equity_usd, free.quality) == (1_188 * E18, Quality.NONE)
    assert (frozen.equity_usd, frozen.quality, frozen.missing) == (198 * E18, Quality.FROZEN_HOLDER, ())
    (line,) = (line for line in frozen.lines if line.label == "USDX frozen")
    assert (line.leg, line.value_usd, line.amount_raw) == (None, 0, 1_000 * 10**6)


@pytest.mark.parametrize("amount", [0, 10**6])
def test_frozen_holder__of_nothing_or_of_dust__leaf_as_if_free(amount: int) -> None:
    world = world_with(amount)  # 0.99 dollars after haircut, dust is below 1
    free = judged(world)
    world.put(MARK, ONE, 1)

    assert judged(world).leaf == free.leaf


def test_frozen_holder__of_what_weighs_nothing__leaf_as_if_free() -> None:
    world = world_with(10**9)
    world.rules = rules = replace(COUNTING, encumbrance_ppm=RULES.encumbrance_ppm)
    free = judged(world, rules)
    world.put(MARK, ONE, 1)
    frozen = judged(world, rules)
    world.fail(MARK, ONE)

    assert frozen.leaf == free.leaf == judged(world, rules).leaf


def test_frozen_holder__of_an_asset_without_a_price__zero_and_no_shield() -> None:
    held = replace(holding(USDC, 10**9), is_frozen=True)

    view = evaluate(portfolio(held), market(**PRICES | {"USDX": NoPrice("USDX", "call_failed")}), COUNTING)

    assert (view.status, view.quality, view.missing) == (Status.HEALTHY, Quality.FROZEN_HOLDER, ())


def test_th_062_frozen_mark__not_read__amount_is_missing_and_none_is_not() -> None:
    world, empty = world_with(1_000 * 10**6), world_with(0)
    for one in (world, empty):
        one.fail(MARK, ONE)

    view = judged(world)

    assert (view.equity_usd, view.quality) == (198 * E18, Quality.DEGRADED_LEG)
    assert [gap.what for gap in view.missing] == [MARK.column]
    assert view.missing[0].reason.startswith("frozen_unknown: ")
    assert judged(empty).missing == ()


def test_frozen_mark__read__its_assurance_is_part_of_the_holdings() -> None:
    read = portfolio_of(world_with(10**9).snapshot(), ONE, COUNTING).holdings

    assert [(one.assurance, one.is_frozen) for one in read] == [(QUORUM, False), (QUORUM, False)]
    assert evaluate(portfolio(holding(USDC, 10**9, PROOF)), market(**PRICES), COUNTING).assurance is PROOF


def test_tick__frozen_or_unread_mark__its_holder_is_looked_at() -> None:
    world = World([ONE, TWO], COUNTING)
    for one in (ONE, TWO):
        world.put(USDC, one, 200 * 10**6)
        world.put(ETH_PERP, one, E18, 2_000 * E18, 0)
    calm = next_book(None, world.snapshot(), world.accounts, COUNTING, Quality.NONE)
    world.put(MARK, ONE, 1)
    frozen = next_book(calm, world.snapshot(), world.accounts, COUNTING, Quality.NONE)
    world.cells[MARK.column, ONE] = CellStatus.FAILED
    unread = next_book(frozen, world.snapshot(), world.accounts, COUNTING, Quality.NONE)

    assert [tick(book, book.market).candidates for book in (calm, frozen, unread)] == [(), (0,), (0,)]
    assert (frozen.evaluated, unread.evaluated) == ((0,), (0,))
    assert [book.views[0].status for book in (frozen, unread)] == [Status.LIQUIDATABLE, Status.UNKNOWN]


CHANGES = st.tuples(st.sampled_from(["amount", "mark", "fail"]), st.integers(0, 3), st.integers(0, 2))


@settings(max_examples=40, deadline=None, suppress_health_check=UNHURRIED)
@given(st.lists(st.lists(CHANGES, max_size=3), min_size=1, max_size=6))
def test_next_book__any_stream_of_marks_and_amounts__equals_full_recomputation(stream) -> None:
    world, book = World([account(number) for number in range(4)], COUNTING), None

    for changes in stream:
        for kind, who, word in changes:
            if kind == "fail":
                world.fail(MARK, account(who))
            else:
                world.put(USDC if kind == "amount" else MARK, account(who), word * 10**6 if kind == "amount" else word)
        snapshot = world.snapshot()
        book = next_book(book, snapshot, world.accounts, COUNTING, Quality.NONE)
        prices = market_of(snapshot, COUNTING)

        assert list(book.views) == [
            evaluate_account(snapshot, prices, one, COUNTING, Quality.NONE) for one in world.accounts
        ]
        world.advance(60)
