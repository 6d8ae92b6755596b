"""INV-26: a breach is flagged within one pass, and nothing may gate it."""

from __future__ import annotations

import inspect

from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.snapshot import Reason
from proofs.types import Quality, Status
from proofs.units import E18
from relayer import flags
from relayer.book import next_book, tick
from relayer.flags import BREACHES, FlagState, step
from relayer.margin.market import market_of
from relayer.schedule import Timing, next_slot
from tests.relayer.margin.build import ETH_PERP, RULES, USDX_A, C, World, account
from tests.relayer.margin.strategies import UNHURRIED

ONE = account(1)


@settings(max_examples=25, deadline=None, suppress_health_check=UNHURRIED)
@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=20), st.booleans(), st.sampled_from(list(Quality)))
def test_inv_26__price_driven_block_by_block__flag_stands_in_the_pass_of_the_breach(path, outage, mark) -> None:
    # 1000 dollars x 0.99 against 1 ETH long bought at 2000; the dead chain C holds nothing that is known
    world = World([ONE])
    world.put(USDX_A, ONE, 1_000 * 10**6)
    world.put(ETH_PERP, ONE, E18, 2_000 * E18, 0)
    if outage:
        world.missing[C] = Reason.RPC_TIMEOUT
    book, flag = None, None

    for price in path:
        world.advance(60)
        world.price("ETH", price * 10**8)
        world.price("USDX", 10**8)
        book = next_book(book, world.snapshot(), world.accounts, RULES, mark)
        provisional = tick(book, market_of(world.snapshot(), RULES))
        flag, _ = step(flag, book.views[0], RULES.status, world.time_s, provisional=False)

        # exact oracle: 990 + price - 2000 < 5 % of price
        if 20 * (price - 1_010) < price:
            assert provisional.candidates == (0,)
            if outage:  # what the dead chain holds has no bound: unknown is flagged as unknown
                assert flag.state is not FlagState.CLEAR
            else:
                assert flag.state is FlagState.RAISED


def test_inv_26__the_step__knows_no_breaker_load_or_clock() -> None:
    parameters = set(inspect.signature(step).parameters)

    assert parameters == {"flag", "view", "levels", "frame", "provisional"}
    assert {Status.LIQUIDATABLE, Status.BAD_DEBT} == BREACHES
    assert "Quality" not in inspect.getsource(flags)


@given(st.integers(0, 10**6), st.integers(1, 600), st.integers(0, 600), st.integers(0, 60))
def test_inv_26__schedule__no_moment_without_a_frame_within_one_length(now_s, frame_s, settle_s, deadline_s) -> None:
    slot = next_slot(now_s, None, Timing(frame_s, settle_s, deadline_s))

    assert slot.due_s <= now_s + frame_s
    assert slot.deadline_s >= now_s
