"""From a verified snapshot to a portfolio and to a view: what was read, what is missing, and why."""

from __future__ import annotations

import pytest

from proofs.errors import ConstructionRefused
from proofs.keccak import keccak256
from proofs.snapshot import Reason
from proofs.types import AccountId, LegKind, Quality, Status
from proofs.units import E18
from proofs.verify import VerifiedSnapshot
from relayer.margin.account import PortfolioReader, accounts_of, home_address, portfolio_of
from relayer.margin.evaluate import evaluate_account
from relayer.margin.market import market_of

from .build import BTC_PERP, BTCX_B, ETH_PERP, ETHX_C, QUORUM, RULES, USDX_A, USDX_FREE, A, B, C, World, account

ONE, TWO = account(1), account(2)


def test_portfolio_of__all_chains_present__every_cell_in_policy_order() -> None:
    world = World([ONE, TWO])
    world.put(USDX_A, TWO, 5_000_000)
    world.put(USDX_FREE, TWO, 11)
    world.put(ETH_PERP, TWO, -E18, -2_000 * E18, -7)

    read = portfolio_of(world.snapshot(), TWO, RULES)

    assert [held.source for held in read.holdings] == list(RULES.collateral)
    assert [held.amount_raw for held in read.holdings] == [5_000_000, 0, 0, 0, 11]
    assert [(one.size_e18, one.entry_value_usd, one.accrued_usd) for one in read.positions] == [
        (-E18, -2_000 * E18, -7),
        (0, 0, 0),
    ]
    assert {held.assurance for held in read.holdings} == {QUORUM}
    assert {held.block_number for held in read.holdings} == {100}
    assert (read.missing, read.quality) == ((), Quality.NONE)


def test_portfolio_of__wide_amount__whole_integer() -> None:
    world = World([ONE])
    world.put(USDX_A, ONE, 2**200)

    assert portfolio_of(world.snapshot(), ONE, RULES).holdings[0].amount_raw == 2**200


def test_portfolio_of__reverting_cells__missing_unless_they_weigh_nothing() -> None:
    world = World([ONE])
    for source in (USDX_A, USDX_FREE, BTC_PERP):
        world.fail(source, ONE)

    read = portfolio_of(world.snapshot(), ONE, RULES)

    assert [(gap.what, gap.kind) for gap in read.missing] == [
        (USDX_A.column, LegKind.LOCK),
        (BTC_PERP.column, LegKind.POSITION),
    ]


def test_portfolio_of__collateral_chain_missing__one_gap_for_everybody_and_the_mark() -> None:
    world = World([ONE, TWO])
    world.put(USDX_A, ONE, 5_000_000)
    world.missing[C] = Reason.NO_QUORUM

    reader = PortfolioReader.from_snapshot(world.snapshot(), RULES, Quality.DEVNET)

    for one in (ONE, TWO):
        (gap,) = reader.portfolio(one).missing
        assert (gap.what, gap.reason) == (f"collateral on {C}", "chain_missing: no_quorum")
        assert reader.portfolio(one).quality == Quality.CHAIN_MISSING | Quality.DEVNET


def test_th_065_evaluate_account__venue_chain_missing__everybody_unknown() -> None:
    world = World([ONE])
    world.put(BTCX_B, ONE, 10**8)
    world.missing[A] = Reason.RPC_TIMEOUT
    snapshot = world.snapshot()

    view = evaluate_account(snapshot, market_of(snapshot, RULES), ONE, RULES, Quality.NONE)

    assert view.status is Status.UNKNOWN
    assert [gap.kind for gap in view.missing if not gap.is_collateral] == [LegKind.POSITION] * 2
    assert view.leaf.liability_usd == 2**128 - 1


def test_th_013_evaluate_account__dead_collateral_chain__low_case_decides() -> None:
    # 20,000 USDX x 0.99 = 19,800 against 1 ETH long at 2000: MM 100
    world = World([ONE])
    world.put(USDX_A, ONE, 20_000 * 10**6)
    world.put(ETHX_C, ONE, 10**18)
    world.put(ETH_PERP, ONE, E18, 2_000 * E18, 0)
    world.missing[C] = Reason.RPC_TIMEOUT
    snapshot = world.snapshot()

    view = evaluate_account(snapshot, market_of(snapshot, RULES), ONE, RULES, Quality.NONE)

    assert (view.status, view.equity_usd) == (Status.HEALTHY, 19_800 * E18)
    assert view.quality == Quality.DEGRADED_LEG | Quality.CHAIN_MISSING


def test_evaluate_account__account_nobody_named__nothing_read_is_unknown() -> None:
    snapshot = World([ONE]).snapshot()

    view = evaluate_account(snapshot, market_of(snapshot, RULES), TWO, RULES, Quality.NONE)

    assert view.status is Status.UNKNOWN


def test_accounts_of__lists_of_the_present_chains__ascending_union() -> None:
    world = World([TWO, ONE])
    world.missing[B] = Reason.RPC_TIMEOUT

    assert accounts_of(world.snapshot()) == (ONE, TWO)


def test_home_address__id_that_names_no_address__last_bytes_of_its_hash() -> None:
    odd = AccountId(b"\x01" * 32)

    assert home_address(ONE) == (1).to_bytes(20, "big")
    assert home_address(odd) == keccak256(odd)[12:]


def test_evaluate_account__id_that_names_no_address__evaluated_like_any_other() -> None:
    odd = AccountId(b"\x01" * 32)
    world = World([ONE, odd])
    world.put(USDX_A, odd, 10**9)
    snapshot = world.snapshot()

    view = evaluate_account(snapshot, market_of(snapshot, RULES), odd, RULES, Quality.NONE)

    assert (view.status, view.equity_usd) == (Status.HEALTHY, 990 * E18)


def test_verified_snapshot__built_by_anybody_else__refused() -> None:
    with pytest.raises(ConstructionRefused):
        VerifiedSnapshot(1, (), object())
