"""Credit and merging where the worked accounts do not reach: no pair saves, one part alone, the other purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proofs.units import E18
from relayer.margin.engine.inputs import Account, End, Leg, MarketData, Role
from relayer.margin.engine.result import USD, Evaluation, Verdict, health_of
from relayer.margin.models.aave import AaveReserve, AaveRules
from relayer.margin.netting.groups import evaluate_groups, merged
from relayer.margin.netting.metrics import haircut_drag
from relayer.margin.netting.requirement import Enforceability, NettingTerms, PairCredit, netting
from relayer.margin.solve.without import By
from relayer.margin.view import Purpose
from tests.relayer.margin.solve.build import MARKET, ONE, TWO, borrower

THREE = "eip155:137"
EMPTY = MarketData(0, {})


class ByCount:
    """Require a sum that depends on the number of legs alone, and nothing for other purposes."""

    unit = USD

    def __init__(self, *needs: int, purpose: Purpose = Purpose.MAINTENANCE) -> None:
        self.name, self.needs, self.purpose = "count@1", needs, purpose

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        need = self.needs[len(account.legs)] if purpose is self.purpose else 0
        return Evaluation(
            self.name, purpose, end, USD, 0, need, 0, 0, Verdict.UNHEALTHY, health_of(0, need, 0, 0, 0), ()
        )


def perp(name: str, chain=ONE, **more) -> Leg:
    return Leg(name, Role.PERP, name, 1, chain, **more)


TRIPLE = Account("triple", (perp("a"), perp("b", TWO), perp("c", THREE)))


# --- credit ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "counted"),
    [
        (Enforceability(), 91),
        (Enforceability({TWO: 500_000}), 45),
        (Enforceability(pairs={(ONE, TWO): 500_000}), 45),
        (Enforceability(pairs={(ONE, TWO): 900_000, (TWO, THREE): 0}), 0),
    ],
)
def test_credit__that_no_pair_saves__counts_at_the_weakest_pair(limits: Enforceability, counted: int) -> None:
    """100 each, 200 for two, 209 for three: 91 saved by all three, half of it 45.5."""
    result = netting(TRIPLE, EMPTY, ByCount(0, 100, 200, 209), terms=NettingTerms(enforceability=limits))

    assert (result.credit, result.pairs, result.counted) == (91, (), counted)
    assert result.requirement == 300 - counted


def test_credit__of_one_part_alone__is_none() -> None:
    """Under rules of its own it needs 10^7, under the common ones nothing; there is nobody to net with."""
    alone = Account("alone", (perp("a"),))

    result = netting(alone, EMPTY, ByCount(0, 0), terms=NettingTerms(own_rules={ONE: ByCount(0, 10**7)}))

    assert (result.credit, result.counted, result.requirement) == (10**7, 0, 10**7)


def test_credit__for_another_purpose__by_that_purpose() -> None:
    """100 each, 199 for two, 298 for three: of the credit of 2 each pair saves 1 and has ⌊2 · 1 / 3⌋ = 0."""
    two = replace(TRIPLE, legs=TRIPLE.legs[:2])
    rules = ByCount(0, 100, 199, 298, purpose=Purpose.INITIAL)

    pair, three = netting(two, EMPTY, rules, Purpose.INITIAL), netting(TRIPLE, EMPTY, rules, Purpose.INITIAL)

    assert (pair.by, pair.purpose, pair.credit, pair.counted) == (By.CHAIN, Purpose.INITIAL, 1, 1)
    assert pair.pairs == (PairCredit(ONE, TWO, 1, 1, 1),)
    assert [(one.saved, one.share) for one in three.pairs] == [(1, 0)] * 3
    assert (three.credit, three.counted) == (2, 0)


def test_credit__that_cannot_be_enforced_wholly__is_rounded_down() -> None:
    """0.333333 · 0.500001 = 0.1666668...; half of a credit of 1 is nothing."""
    two = replace(TRIPLE, legs=TRIPLE.legs[:2])

    pair = netting(two, EMPTY, ByCount(0, 100, 199), terms=NettingTerms(enforceability=Enforceability({ONE: 500_000})))

    assert pair.pairs == (PairCredit(ONE, TWO, 1, 1, 0),)
    assert Enforceability({ONE: 500_001}, {(ONE, TWO): 333_333}).of(ONE, TWO) == 166_666


def test_groups__of_no_legs__are_one_without_a_name() -> None:
    assert [key for key, _ in evaluate_groups(Account("n", ()), EMPTY, ByCount(0), Purpose.MAINTENANCE).groups] == [""]


def test_credit__of_the_whole_is_none__though_pairs_would_save() -> None:
    result = netting(TRIPLE, EMPTY, ByCount(0, 100, 150, 300))

    assert (result.credit, result.pairs, result.counted) == (0, (), 0)


def test_netting__as_many_parts_as_can_be_tried__is_given() -> None:
    many = Account("many", tuple(perp(str(number), f"eip155:{number}") for number in range(32)))

    assert netting(many, EMPTY, ByCount(*range(33))).isolated_requirement == 32


def test_groups__flag_that_is_lifted__with_the_buffer_asked_for() -> None:
    """100 · 1.5, and 100 · 1.05 where nothing is said."""
    alone, rules = Account("one", TRIPLE.legs[:1]), ByCount(0, 100)

    half = evaluate_groups(alone, EMPTY, rules, Purpose.LIQUIDATION_END, buffer_ppm=1_500_000)

    assert (half.requirement, evaluate_groups(alone, EMPTY, rules, Purpose.LIQUIDATION_END).requirement) == (150, 105)


# --- merging ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("chain", "block"), [(ONE, 7), (TWO, 9)])
def test_merged__two_places__add_up_and_are_as_old_as_the_older(chain, block: int) -> None:
    """Numbers of blocks compare on one chain alone; times always do."""
    first = perp("a", entry_value=30, accrued=5, block_number=9, block_time_s=100, venue="v")
    other = replace(first, name="b", chain=chain, amount=2, entry_value=12, accrued=-2, block_number=7, block_time_s=90)

    (leg,) = merged(Account("m", (first, other))).legs

    joined = replace(first, amount=3, entry_value=42, accrued=3, block_number=block, block_time_s=90)
    assert leg == joined


# --- metrics ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("purpose", "drag"), [(Purpose.INITIAL, 3_000), (Purpose.MAINTENANCE, 3_750)])
def test_drag__for_either_purpose__by_its_own_weights(purpose: Purpose, drag: int) -> None:
    """30,000 at an LTV of 0.9 less 0.8, or thresholds of 0.95 less 0.825."""
    cut, uncut = (AaveRules("aave@3.7", {"ETH": AaveReserve(*weights)}) for weights in ((8_000, 8_250), (9_000, 9_500)))
    account = borrower(0, usdc=0)

    assert haircut_drag(account, MARKET, cut, uncut, purpose) == drag * E18
    assert haircut_drag(account, MARKET, uncut, uncut, purpose) == 0
