"""What-if: equal to what happens, and explained line by line; flips in both directions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from proofs.units import E18
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.result import Verdict
from relayer.margin.models.aave import AaveReserve, AaveRules
from relayer.margin.solve.changes import Deposit, Repay, Shock, Withdraw, applied
from relayer.margin.solve.whatif import Flip, flips, whatif
from relayer.margin.view import Purpose
from tests.relayer.margin.models.stage import Stage, drawn
from tests.relayer.margin.models.stages import VENUES
from tests.relayer.margin.solve.build import MARKET, POOL, at, borrower

STRICTER = AaveRules("aave@3.7", {"ETH": AaveReserve(5_000, 5_000, {}), "USDC": AaveReserve(7_500, 7_800, {})})


def test_whatif__repaid_and_shocked__figures_by_hand() -> None:
    """10 ETH · 2,700 · (1 - 0.825) = 4,725; 20,000 · 0.22 = 4,400; equity 27,000 + 20,000 - 29,000."""
    result = whatif(borrower(30_000), MARKET, POOL, [Repay("debt", 1_000 * 10**6), Shock(-100_000, ("ETH",))])
    holding = result.of(Purpose.MAINTENANCE)

    assert holding.before.excess == 30_000 * 825 // 1_000 * E18 + 15_600 * E18 - 30_000 * E18
    assert (holding.after.equity, holding.after.requirement) == (18_000 * E18, 9_125 * E18)
    assert [(line.leg, line.excess_change) for line in holding.lines] == [
        ("eth", -3_000 * 825 // 1_000 * E18),
        ("usdc", 0),
        ("debt", 1_000 * E18),
    ]
    assert not holding.is_flipped


@pytest.mark.parametrize("stage", VENUES, ids=lambda stage: stage.name)
def test_whatif__any_stage__is_what_then_happens_and_lines_explain_it(stage: Stage) -> None:
    @drawn(stage, 4)
    @given(stage.some_accounts(), stage.some_markets())
    def holds(account, market) -> None:
        changes = [Shock(-123_456)]
        result = whatif(account, market, stage.rules, changes)
        account_after, market_after = applied(account, market, changes, stage.rules.unit)

        for one in result.comparisons:
            assert one.before == evaluate(account, market, stage.rules, one.purpose)
            assert one.after == evaluate(account_after, market_after, stage.rules, one.purpose)
            assert sum(line.excess_change for line in one.lines) == one.after.excess - one.before.excess

    holds()


def test_whatif__new_rules__after_is_under_them() -> None:
    holding = whatif(borrower(30_000), MARKET, POOL, [], STRICTER).of(Purpose.MAINTENANCE)

    assert holding.before == evaluate(borrower(30_000), MARKET, POOL, Purpose.MAINTENANCE)
    assert holding.after == evaluate(borrower(30_000), MARKET, STRICTER, Purpose.MAINTENANCE)
    assert [line.requirement_after - line.requirement_before for line in holding.lines] == [9_750 * E18, 0, 0]


def test_whatif__impossible_change__refused() -> None:
    with pytest.raises(ValueError, match="there is"):
        whatif(borrower(1), MARKET, POOL, [Withdraw("eth", 11 * E18)])


def test_whatif__a_leg_that_goes__its_line_goes_to_zero() -> None:
    holding = whatif(borrower(1), MARKET, POOL, [Withdraw("eth", 10 * E18)]).of(Purpose.INITIAL)

    (line,) = [one for one in holding.lines if one.leg == "eth"]
    assert (line.value_before, line.value_after, line.requirement_after) == (30_000 * E18, 0, 0)


def test_flips__either_way__named_in_order() -> None:
    """40,350 is what 24,750 + 15,600 carries: at equality healthy, one dollar more not."""
    accounts = [replace(borrower(debt), name=str(debt)) for debt in (10, 40_350, 40_351, 60_000)]

    worse = flips(accounts, MARKET, POOL, at(3_000 * 10**8 - 1))
    better = flips(accounts, MARKET, POOL, at(3_001 * 10**8))
    stricter = flips(accounts, MARKET, POOL, rules_after=STRICTER)

    assert worse == (Flip("40350", Verdict.HEALTHY, Verdict.UNHEALTHY),)
    assert better == (Flip("40351", Verdict.UNHEALTHY, Verdict.HEALTHY),)
    assert stricter == (Flip("40350", Verdict.HEALTHY, Verdict.UNHEALTHY),)
    assert flips(accounts, MARKET, POOL) == ()


def test_flips__for_another_purpose__by_that_purpose() -> None:
    """Borrowing power is 24,000 + 15,000."""
    found = flips([borrower(39_000)], MARKET, POOL, at(3_000 * 10**8 - 1), purpose=Purpose.INITIAL)

    assert found == (Flip("borrower", Verdict.HEALTHY, Verdict.UNHEALTHY),)
    assert flips([borrower(39_001)], MARKET, POOL, at(3_000 * 10**8 - 1), purpose=Purpose.INITIAL) == ()


def test_deposit__before_and_after__differ_by_it_alone() -> None:
    holding = whatif(borrower(1), MARKET, POOL, [Deposit("usdc", 10**6)]).of(Purpose.MAINTENANCE)

    assert [line.excess_change for line in holding.lines] == [0, 78 * 10**16, 0]
