"""From a verified snapshot to a portfolio and to a view: what was read, what is missing, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proofs.errors import ConstructionRefused
from proofs.keccak import keccak256
from proofs.snapshot import Reason
from proofs.types import AccountId, ChainId, Encumbrance, LegKind, Quality, Status
from proofs.units import E18, PPM
from proofs.verify import VerifiedSnapshot
from relayer.margin.account import (
    Holding,
    PortfolioReader,
    accounts_of,
    can_count,
    home_address,
    portfolio_of,
    weight_ppm,
)
from relayer.margin.evaluate import evaluate_account
from relayer.margin.market import market_of
from relayer.margin.rules import AssetRule, MarginRules
from relayer.margin.view import Missing

from .build import (
    BTC_PERP,
    BTCX_B,
    ETH_PERP,
    ETHX_C,
    QUORUM,
    RULES,
    USDX_A,
    USDX_B,
    USDX_FREE,
    A,
    B,
    C,
    World,
    account,
    feed,
)

ONE, TWO = account(1), account(2)
D = ChainId("eip155:31337004")
NOT_THERE = "chain_missing: not in the snapshot"


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
    assert {part.block_number for part in (*read.holdings, *read.positions)} == {100}
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

    reason = "call_failed: no value was agreed on"
    assert read.missing == (
        Missing(USDX_A.column, A, reason, LegKind.LOCK),
        Missing(BTC_PERP.column, A, reason, LegKind.POSITION),
    )


def test_portfolio_of__other_code__its_cells_are_missing_and_marked_beside_the_marks_of_the_frame() -> None:
    world = World([ONE])
    world.other_code = {USDX_B.column, ETH_PERP.column}
    snapshot = world.snapshot()

    read = portfolio_of(snapshot, ONE, RULES, Quality.DEVNET)

    reason = "code_changed: the contract runs other code"
    assert read.missing == (
        Missing(USDX_B.column, B, reason, LegKind.LOCK),
        Missing(ETH_PERP.column, A, reason, LegKind.POSITION),
    )
    assert read.quality == Quality.DEVNET | Quality.CODE_CHANGED
    view = evaluate_account(snapshot, market_of(snapshot, RULES), ONE, RULES, Quality.DEVNET)
    assert view.quality & Quality.DEVNET


def test_portfolio_of__other_code_of_an_account_list__everybody_as_if_a_chain_were_missing() -> None:
    world = World([ONE])
    world.other_code = {"accounts"}

    read = portfolio_of(world.snapshot(), ONE, RULES)

    assert (read.missing, read.quality) == ((), Quality.CODE_CHANGED | Quality.CHAIN_MISSING)


@pytest.mark.parametrize(
    ("rules", "gaps"),
    [
        (
            replace(RULES, collateral=(replace(USDX_A, chain=D), *RULES.collateral)),
            [Missing(f"collateral on {D}", D, NOT_THERE, LegKind.LOCK)],
        ),
        (replace(RULES, collateral=(*RULES.collateral, replace(USDX_FREE, chain=D))), []),
        (
            replace(RULES, positions=(*RULES.positions, replace(ETH_PERP, chain=D))),
            [Missing(ETH_PERP.column, D, NOT_THERE, LegKind.POSITION)],
        ),
        (replace(RULES, prices=(*RULES.prices, feed("ETH", "far", D))), []),
        (replace(RULES, venue_chain=D), []),
    ],
    ids=("collateral", "collateral that weighs nothing", "position", "price", "venue"),
)
def test_portfolio_of__chain_that_the_snapshot_does_not_have__is_missing(rules, gaps: list[Missing]) -> None:
    read = portfolio_of(World([ONE]).snapshot(), ONE, rules)

    assert (list(read.missing), read.quality) == (gaps, Quality.CHAIN_MISSING)


@pytest.mark.parametrize(
    ("cut", "bridge", "weight", "expected"),
    [
        (PPM - 1, PPM - 1, 1, True),
        (PPM, 0, PPM, False),
        (0, PPM, PPM, False),
        (0, 0, 0, False),
    ],
)
def test_can_count__last_unit_of_each_weight__decides(cut: int, bridge: int, weight: int, expected: bool) -> None:
    """Another asset that counts in full says nothing of this one."""
    assets = (AssetRule("BTC", 0, 0), AssetRule("USDX", PPM, cut))
    rules = replace(RULES, assets=assets, encumbrance_ppm=((Encumbrance.ESCROWED, weight),))

    assert can_count(rules, replace(USDX_B, bridge_haircut_ppm=bridge)) is expected
    assert not can_count(rules, replace(ETHX_C, bridge_haircut_ppm=bridge))
    assert weight_ppm(rules, USDX_FREE) == 0


# --- who is frozen ---------------------------------------------------------------------------------------------------


def frozen_world(mark: int | None) -> tuple[World, MarginRules]:
    source = replace(USDX_FREE, frozen_column="frozen:usdx:a")
    rules = replace(RULES, collateral=(source,), encumbrance_ppm=((Encumbrance.ESCROWED, PPM), (Encumbrance.FREE, PPM)))
    world = World([ONE], rules)
    world.put(source, ONE, 5)
    column = replace(source, column="frozen:usdx:a")
    if mark is None:
        world.fail(column, ONE)
    else:
        world.put(column, ONE, mark)
    return world, rules


@pytest.mark.parametrize(("mark", "is_frozen"), [(0, False), (1, True), (2**255, True)])
def test_th_044_portfolio_of__mark_of_the_token__tells_who_is_frozen(mark: int, is_frozen: bool) -> None:
    world, rules = frozen_world(mark)

    assert portfolio_of(world.snapshot(), ONE, rules).holdings == (
        Holding(rules.collateral[0], 5, QUORUM, 100, is_frozen),
    )


def test_th_062_portfolio_of__mark_not_read__the_amount_is_missing() -> None:
    world, rules = frozen_world(None)
    uncounted = replace(rules, encumbrance_ppm=RULES.encumbrance_ppm)

    read = portfolio_of(world.snapshot(), ONE, rules)

    (gap,) = read.missing
    assert (gap.what, gap.chain, gap.kind, read.holdings) == ("frozen:usdx:a", A, LegKind.BALANCE, ())
    assert gap.reason.startswith("frozen_unknown: ")
    assert portfolio_of(world.snapshot(), ONE, uncounted).missing == ()
    world.put(rules.collateral[0], ONE, 0)
    assert portfolio_of(world.snapshot(), ONE, rules).holdings[0].amount_raw == 0


def test_portfolio_of__collateral_chain_missing__one_gap_for_everybody_and_the_mark() -> None:
    world = World([ONE, TWO])
    world.put(USDX_A, ONE, 5_000_000)
    world.missing[C] = Reason.NO_QUORUM

    reader = PortfolioReader.from_snapshot(world.snapshot(), RULES, Quality.DEVNET)

    for one in (ONE, TWO):
        assert reader.portfolio(one).missing == (
            Missing(f"collateral on {C}", C, "chain_missing: no_quorum", LegKind.LOCK),
        )
        assert reader.portfolio(one).quality == Quality.CHAIN_MISSING | Quality.DEVNET


def test_th_065_evaluate_account__venue_chain_missing__everybody_unknown() -> None:
    world = World([ONE])
    world.put(BTCX_B, ONE, 10**8)
    world.missing[A] = Reason.RPC_TIMEOUT
    snapshot = world.snapshot()

    view = evaluate_account(snapshot, market_of(snapshot, RULES), ONE, RULES, Quality.NONE)

    assert view.status is Status.UNKNOWN
    assert portfolio_of(snapshot, ONE, RULES).missing == (
        Missing(f"collateral on {A}", A, "chain_missing: rpc_timeout", LegKind.LOCK),
        Missing(ETH_PERP.column, A, "chain_missing: rpc_timeout", LegKind.POSITION),
        Missing(BTC_PERP.column, A, "chain_missing: rpc_timeout", LegKind.POSITION),
    )
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
    assert home_address(AccountId(bytes(12) + b"\x01" * 20)) == b"\x01" * 20
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
