"""INV-32: nobody can spoil or shield another's account: dust, unlisted assets, free balances and foreign locks."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.sheet import CellStatus
from proofs.types import Quality, Status
from proofs.units import E18
from relayer.margin.evaluate import evaluate, evaluate_account
from relayer.margin.market import NoPrice, market_of
from tests.relayer.margin.build import (
    BTCX_B,
    ETH_PERP,
    ETHX_C,
    QUORUM,
    RULES,
    T0,
    USDX_A,
    USDX_FREE,
    A,
    World,
    account,
    holding,
    lock,
    market,
)
from tests.relayer.margin.strategies import UNHURRIED, cases
from tests.relayer.margin.test_evaluate_cases import PLAIN, PRICES, with_equity

ONE = account(1)


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(cases(always_priced=False), st.integers(0, 4), st.integers(1, 10**20))
def test_inv_32__foreign_lock__no_figure_and_no_status_for_the_worse(case, which: int, gift: int) -> None:
    held, prices, rules = case
    # a gift of an asset that has no price at all may be unknown value: the policy lists no asset without a feed
    if isinstance(prices.price(held.holdings[which].source.symbol), NoPrice):
        return
    richer = replace(held.holdings[which], amount_raw=held.holdings[which].amount_raw + gift)
    holdings = (*held.holdings[:which], richer, *held.holdings[which + 1 :])

    before, after = evaluate(held, prices, rules), evaluate(replace(held, holdings=holdings), prices, rules)

    assert after.equity_usd >= before.equity_usd
    assert after.maintenance_margin_usd == before.maintenance_margin_usd
    assert (after.status is Status.UNKNOWN) is (before.status is Status.UNKNOWN) or after.status <= before.status
    assert after.quality & ~Quality.WIDE_PRICE == before.quality & ~Quality.WIDE_PRICE


def test_inv_32__dust_of_a_stale_asset_around_the_limit__changes_nothing_of_the_leaf() -> None:
    world = World([ONE])
    world.put(USDX_A, ONE, 1_000 * 10**6)
    world.put(ETH_PERP, ONE, E18, 2_500 * E18, 0)  # 990 + 2000 - 2500 = 490: above MM 100
    world.answers["price:BTC"] = (1, 60_000 * 10**8, 0, T0 - 10**6, 1)
    clean = judged(world)

    world.put(BTCX_B, ONE, 1_666)  # 0.9996 dollars at the last price, dust is below 1 dollar
    dusted = judged(world)
    world.put(BTCX_B, ONE, 1_667)  # 1.0002 dollars
    spoiled = judged(world)

    assert dusted.leaf == clean.leaf
    assert dusted.missing == ()
    assert spoiled.quality == Quality.DEGRADED_LEG | Quality.STALE_PRICE
    assert spoiled.status is clean.status


def test_inv_32__dust_of_a_stale_asset__does_not_shield_from_the_flag() -> None:
    world = World([ONE])
    world.put(USDX_A, ONE, 100 * 10**6)
    world.put(ETH_PERP, ONE, E18, 2_050 * E18, 0)  # 99 - 50 = 49 < 100
    world.answers["price:BTC"] = (1, 60_000 * 10**8, 0, T0 - 10**6, 1)
    world.put(BTCX_B, ONE, 1)

    assert judged(world).status is Status.LIQUIDATABLE


def test_inv_32__free_balance_that_weighs_nothing__neither_spoils_nor_shields_when_unread() -> None:
    world = World([ONE])
    world.put(USDX_A, ONE, 100 * 10**6)
    world.put(ETH_PERP, ONE, E18, 2_050 * E18, 0)
    clean = judged(world)
    world.cells[USDX_FREE.column, ONE] = CellStatus.FAILED

    assert judged(world).leaf == clean.leaf
    assert clean.status is Status.LIQUIDATABLE


def test_inv_32__asset_outside_the_policy__does_not_exist_for_the_leaf() -> None:
    held = with_equity(999 * E18)
    stranger = holding(lock("lock:stranger", A, "STRANGER", 18), 10**30, QUORUM)

    clean = evaluate(held, market(**PRICES), PLAIN)
    for prices in (market(**PRICES), market(**PRICES, STRANGER=E18)):
        gifted = evaluate(replace(held, holdings=(*held.holdings, stranger)), prices, PLAIN)
        assert gifted.leaf == clean.leaf


def test_inv_32__weak_dust__does_not_lower_the_assurance() -> None:
    held = with_equity(2_000 * E18)
    dust = holding(ETHX_C, 10, QUORUM)
    rules = replace(PLAIN, dust_usd=E18)

    assert evaluate(replace(held, holdings=(*held.holdings, dust)), market(**PRICES), rules).leaf == (
        evaluate(held, market(**PRICES), rules).leaf
    )


def judged(world: World):
    snapshot = world.snapshot()
    return evaluate_account(snapshot, market_of(snapshot, RULES), ONE, RULES, Quality.NONE)
