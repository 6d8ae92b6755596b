"""What-if: equal to what happens, and explained line by line; flips in both directions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from proofs.units import E18
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Price
from relayer.margin.engine.lines import leg_line, overlay_line
from relayer.margin.engine.result import Verdict
from relayer.margin.models.aave import AaveReserve, AaveRules
from relayer.margin.solve.changes import Deposit, Repay, SetPrice, Shock, Trade, Withdraw, applied
from relayer.margin.solve.whatif import Flip, LineChange, flips, line_changes, whatif
from relayer.margin.view import Purpose, Rounding
from tests.relayer.margin.models.stage import Stage, drawn
from tests.relayer.margin.models.stages import VENUES
from tests.relayer.margin.solve.build import BOOK, MARKET, POOL, at, borrower, trader

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


def test_whatif__inputs_after__are_those_of_the_changes_in_the_money_of_the_rules() -> None:
    """One ETH more at 3,000 is 3,000,000,000 micro-dollars of entry."""
    price = Price(1, 2, 0)

    result = whatif(trader(1, 0), MARKET, BOOK, [Trade("perp", 10**9, 3_000, 0), SetPrice("DOGE", price)])

    assert result.account == trader(1 + 10**9, 0, 3_000 * 10**6)
    assert result.market == MARKET.with_price("DOGE", price)


def test_whatif__buffer__is_that_of_both_sides() -> None:
    """MM 5,250 + 4,400 = 9,650 and 5,250 alone, each with half of the debt of 30,000."""
    result = whatif(borrower(30_000), MARKET, POOL, [Withdraw("usdc", 20_000 * 10**6)], buffer_ppm=1_500_000)

    end = result.of(Purpose.LIQUIDATION_END)
    assert (end.before.requirement, end.after.requirement) == (24_650 * E18, 20_250 * E18)


def test_line_changes__legs_by_name_and_overlays_by_label() -> None:
    """Two lines of a leg count together under the first one's words, the newest of them; what goes keeps its own."""
    eth, usdc, debt = borrower(1).legs
    before = (
        leg_line(eth, "old", (0, 0), (5, 3), Rounding.EXACT),
        leg_line(eth, "second", (0, 0), (6, 4), Rounding.EXACT),
        leg_line(usdc, "gone", (0, 0), (7, 2), Rounding.EXACT),
        overlay_line("charge", 0, 9),
        overlay_line("credit", 1, 8),
    )
    after = (
        leg_line(eth, "new", (0, 0), (10, 1), Rounding.EXACT),
        leg_line(debt, "came", (0, 0), (-4, 0), Rounding.EXACT),
        overlay_line("credit", 2, 5),
        overlay_line("other", -1, 6),
    )

    assert line_changes(before, after) == (
        LineChange("eth", "new", 11, 10, 7, 1),
        LineChange("usdc", "gone", 7, 0, 2, 0),
        LineChange("", "charge", 0, 0, 9, 0),
        LineChange("", "credit", 1, 2, 8, 5),
        LineChange("debt", "came", 0, -4, 0, 0),
        LineChange("", "other", 0, -1, 0, 6),
    )


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
