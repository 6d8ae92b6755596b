"""Wipe-out distances and leave-one-out: by hand, and as laws over every rule set."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Gap, Leg, OptionTerms, Role
from relayer.margin.engine.result import Verdict
from relayer.margin.solve.changes import shocked
from relayer.margin.solve.wipe_out import Distance, wipe_out
from relayer.margin.solve.without import By, is_held, without
from relayer.margin.view import Purpose
from tests.relayer.margin.models.stage import Stage, drawn
from tests.relayer.margin.models.stages import VENUES
from tests.relayer.margin.solve.build import BOOK, MARKET, ONE, POOL, TWO, borrower, trader

# --- wipe-out --------------------------------------------------------------------------------------------------------


def test_wipe_out__of_collateral__by_hand() -> None:
    """1,745.4545 / 3,000 is 41.81818 % below; equity 0 at 1,000."""
    found = wipe_out(borrower(30_000), MARKET, POOL, "ETH")

    assert found.to_breach == Distance(-418_182, None)
    assert found.to_zero == Distance(-666_667, None) or found.to_zero == Distance(-666_666, None)
    assert found.is_exact


def test_wipe_out__of_the_debt_asset__by_hand() -> None:
    """1.71875 holds to the unit, so 718,751; equity 0 at 30,000 / 10,000 = 3 exactly."""
    found = wipe_out(borrower(30_000), MARKET, POOL, "USDC")

    assert (found.to_breach, found.to_zero) == (Distance(None, 718_751), Distance(None, 2_000_000))


def test_wipe_out__of_all_together__no_shock_of_all_prices_hurts_a_lender() -> None:
    assert wipe_out(borrower(30_000), MARKET, POOL).to_breach == Distance(None, None)


def test_wipe_out__already_there__no_distance() -> None:
    found = wipe_out(borrower(50_000), MARKET, POOL, "ETH")

    assert (found.to_breach, found.to_zero) == (Distance(0, 0), Distance(0, 0))


def test_wipe_out__something_owed_is_unknown__nothing_is_left_for_certain() -> None:
    account = replace(borrower(1), unread=(Gap("a debt", "no answer", is_collateral=False),))

    assert wipe_out(account, MARKET, POOL, "ETH").to_zero == Distance(0, 0)


def test_wipe_out__of_a_hedged_book__all_prices_one_way() -> None:
    short = trader(-(10**9), 1_000 * 10**6, -3_000 * 10**6)

    found = [wipe_out(short, MARKET, BOOK, asset) for asset in ("", "ETH")]

    assert found[0].to_breach == found[1].to_breach == Distance(None, 294_499)


def test_wipe_out__asset_without_price__refused() -> None:
    with pytest.raises(ValueError, match="no price"):
        wipe_out(borrower(1), MARKET, POOL, "DOGE")


@pytest.mark.parametrize("stage", VENUES, ids=lambda stage: stage.name)
def test_wipe_out__of_any_stage__reached_there_and_not_one_ppm_before(stage: Stage) -> None:
    @drawn(stage, 4)
    @given(stage.some_accounts(), stage.some_markets())
    def holds(account, market) -> None:
        found = wipe_out(account, market, stage.rules)
        assert found.evaluations <= 600

        def result(shift: int):
            moved = shocked(market, shift) if shift else market
            return evaluate(account, moved, stage.rules, Purpose.MAINTENANCE)

        for shift in (found.to_breach.down_ppm, found.to_breach.up_ppm):
            if shift:
                assert not result(shift).is_healthy
                assert result(shift - (1 if shift > 0 else -1)).is_healthy
        for shift in (found.to_zero.down_ppm, found.to_zero.up_ppm):
            if shift:
                assert result(shift).equity <= 0 < result(shift - (1 if shift > 0 else -1)).equity

    holds()


# --- without ---------------------------------------------------------------------------------------------------------


def test_without__a_chain__its_collateral_goes_and_its_debt_stays() -> None:
    """Chain one has the ETH and the debt, chain two the USDC."""
    one, two = without(borrower(30_000), MARKET, POOL, By.CHAIN)

    assert (one.key, two.key) == (ONE, TWO)
    assert (one.lost.verdict, one.closed.verdict) == (Verdict.UNHEALTHY, Verdict.HEALTHY)
    assert one.lost.equity == -10_000 * 10**18
    assert one.closed.equity == 20_000 * 10**18
    assert (two.lost.equity, two.lost.verdict) == (0, Verdict.UNHEALTHY)


def test_without__an_asset__named_in_the_legs_order() -> None:
    found = without(borrower(30_000), MARKET, POOL, By.ASSET)

    assert [part.key for part in found] == ["ETH", "USDC"]
    assert found[1].lost.debt == 30_000 * 10**18
    assert found[1].closed.debt == 0


def test_without__for_another_purpose__by_that_purpose() -> None:
    """30,000 of ETH lend 24,000; for maintenance they count 24,750."""
    _, two = without(borrower(24_001), MARKET, POOL, By.CHAIN, Purpose.INITIAL)

    assert (two.by, two.lost.purpose, two.closed.purpose) == (By.CHAIN, Purpose.INITIAL, Purpose.INITIAL)
    assert (two.lost.verdict, two.closed.verdict) == (Verdict.UNHEALTHY, Verdict.UNHEALTHY)


def test_without__a_venue_or_group__legs_of_that_name() -> None:
    account = replace(borrower(1), legs=tuple(replace(leg, venue="v", group="g") for leg in borrower(1).legs))

    assert [part.key for part in without(account, MARKET, POOL, By.VENUE)] == ["v"]
    assert [part.key for part in without(account, MARKET, POOL, By.GROUP)] == ["g"]


@pytest.mark.parametrize(
    ("role", "amount", "expected"),
    [
        (Role.COLLATERAL, 0, True),
        (Role.COLLATERAL, 1, True),
        (Role.DEBT, 1, False),
        (Role.CASH, 1, True),
        (Role.CASH, 0, False),
        (Role.CASH, -1, False),
        (Role.PERP, 1, False),
        (Role.FUTURE, 1, False),
        (Role.OPTION, 1, True),
        (Role.OPTION, -1, False),
    ],
)
def test_held__by_role_and_sign(role: Role, amount: int, expected: bool) -> None:
    leg = Leg("x", role, "ETH", amount, ONE, option=OptionTerms(1, 1, is_call=True))

    assert is_held(leg) is expected


@pytest.mark.parametrize("stage", VENUES, ids=lambda stage: stage.name)
@pytest.mark.parametrize("by", By)
def test_without__the_only_part_closed__nothing_is_left(stage: Stage, by: By) -> None:
    account = stage.accounts[0]
    alone = replace(account, legs=tuple(replace(leg, venue="v", group="g") for leg in account.legs[:1]))

    (part,) = without(alone, stage.market, stage.rules, by)

    assert (part.closed.equity, part.closed.requirement) == (0, 0)
