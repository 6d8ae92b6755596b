"""INV-17: screening never misses: an exact sweep flags no account that a tick skipped."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.types import Quality, Status
from proofs.units import E18
from relayer.book import next_book, tick
from relayer.margin.evaluate import evaluate
from relayer.margin.market import market_of
from tests.relayer.margin.build import BTC_PERP, ETH_PERP, RULES, World, account
from tests.relayer.margin.strategies import UNHURRIED


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 10**12), min_size=5, max_size=5), st.integers(-(10**20), 10**20), st.integers(-3, 3)
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 10**12),
)
def test_inv_17__exact_sweep_at_new_prices__agrees_with_the_tick_on_everybody(accounts, ether: int) -> None:
    world = World([account(number) for number in range(len(accounts))])
    for number, (amounts, size, accrued) in enumerate(accounts):
        for source, amount in zip(RULES.collateral, amounts, strict=True):
            world.put(source, account(number), amount * 10 ** max(source.decimals - 8, 0))
        world.put(ETH_PERP, account(number), size, 2_000 * size, accrued)
        world.put(BTC_PERP, account(number), -size // 30, -2_000 * size, accrued * E18)
    book = next_book(None, world.snapshot(), world.accounts, RULES, Quality.NONE)
    world.price("ETH", ether)
    prices = market_of(world.snapshot(), RULES)

    found = tick(book, prices)

    sweep = [evaluate(book.reader.portfolio(one), prices, RULES) for one in book.accounts]
    beneath = {
        at for at, view in enumerate(sweep) if view.status in (Status.LIQUIDATABLE, Status.BAD_DEBT, Status.UNKNOWN)
    }
    assert beneath <= set(found.candidates)
    assert [sweep[at] for at in found.candidates] == list(found.views)
