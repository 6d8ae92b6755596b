"""Correlation credit by hand, and its laws: never above the cap, never above the stress, never below the greatest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.models.correlation import (
    CorrelationClass,
    CorrelationRules,
    DirectionalRisk,
    correlated,
)

E18 = 10**18
ETH = DirectionalRisk("ETH", up=0, down=1_000)
BTC = DirectionalRisk("BTC", up=600, down=0)
PAIR = CorrelationClass(("ETH", "BTC"), 4 * E18 // 5)
RULES = CorrelationRules((PAIR,))


def test_correlated__long_one_short_the_other__the_opposite_loss_counts_a_fifth() -> None:
    """Down: 1000 + 600 · 0.2 = 1120. Up: 1000 · 0.2 + 600 = 800. Joint 1120, so the credit is 480 of 1600."""
    got = correlated([ETH, BTC], RULES)

    assert (got.stress, got.credit, got.requirement) == (1_600, 480, 1_120)


def test_correlated__same_direction__no_credit() -> None:
    got = correlated([ETH, replace(BTC, up=0, down=600)], RULES)

    assert (got.stress, got.credit) == (1_600, 0)


def test_correlated__loss_without_a_move__is_never_forgiven() -> None:
    """Still 500 beats 600 · 0.2: down 1000 + 500."""
    assert correlated([ETH, replace(BTC, still=500)], RULES).requirement == 1_500


@pytest.mark.parametrize(("cap", "credit"), [(3 * E18 // 10, 480), (3 * E18 // 10 - 1, 479), (E18 // 10, 160), (0, 0)])
def test_correlated__cap__binds_below_its_share_of_the_sum(cap: int, credit: int) -> None:
    """480 of 1600 is 30 %; one unit of the cap less costs a unit of credit, rounded down."""
    assert correlated([ETH, BTC], replace(RULES, cap_e18=cap)).credit == credit


def test_correlated__outside_the_class__stands_alone() -> None:
    gold = DirectionalRisk("GOLD", up=900, down=0)

    got = correlated([ETH, gold], RULES)

    assert (got.stress, got.credit) == (1_900, 0)


def test_correlated__two_classes__credits_add_under_one_cap() -> None:
    """Second class: up 100, down 100 at rate 1/2: joint 100 + 50; credit 50."""
    second = CorrelationClass(("A", "B"), E18 // 2)
    risks = [ETH, BTC, DirectionalRisk("A", 100, 0), DirectionalRisk("B", 0, 100)]

    assert correlated(risks, CorrelationRules((PAIR, second))).credit == 530
    assert correlated(risks, CorrelationRules((PAIR, second), E18 // 4)).credit == 450


def test_correlated__fraction__credit_rounded_down() -> None:
    """Down: 10 + ⌈7 · 0.2⌉ = 12; of 17 the credit is 5, not 5.6."""
    assert correlated([replace(ETH, down=10), replace(BTC, up=7)], RULES).credit == 5


def test_correlated__fraction_the_other_way__credit_rounded_down() -> None:
    """Up: 10 + ⌈7 · 0.2⌉ = 12 again."""
    assert correlated([replace(ETH, up=10, down=0), replace(BTC, up=0, down=7)], RULES).credit == 5


def test_correlated__nothing__nothing() -> None:
    assert correlated([], RULES).requirement == 0


@pytest.mark.parametrize(
    "rules",
    [
        CorrelationRules((replace(PAIR, rate_e18=E18 + 1),)),
        CorrelationRules((replace(PAIR, rate_e18=-1),)),
        CorrelationRules((PAIR,), E18 + 1),
        CorrelationRules((PAIR,), -1),
        CorrelationRules((PAIR, CorrelationClass(("ETH", "GOLD"), 0))),
    ],
)
def test_correlated__rules_that_contradict_themselves__refused(rules: CorrelationRules) -> None:
    with pytest.raises(ValueError, match="outside"):
        correlated([], rules)


@pytest.mark.parametrize("risks", [[ETH, ETH], [replace(ETH, up=-1)], [replace(ETH, still=-1)]])
def test_correlated__impossible_risk__refused(risks: list[DirectionalRisk]) -> None:
    with pytest.raises(ValueError, match="at least zero"):
        correlated(risks, RULES)


LOSSES = st.integers(0, 10**6)
NAMES = ("ETH", "BTC", "SOL", "GOLD", "OIL")
RISKS = st.lists(st.tuples(LOSSES, LOSSES, LOSSES), min_size=1, max_size=5).map(
    lambda rows: [DirectionalRisk(name, *row) for name, row in zip(NAMES, rows, strict=False)]
)
SHARES = st.integers(0, E18)
ANY_RULES = st.builds(
    lambda one, two, cap: CorrelationRules((CorrelationClass(NAMES[:3], one), CorrelationClass(NAMES[3:4], two)), cap),
    SHARES,
    SHARES,
    SHARES,
)


@given(RISKS, ANY_RULES)
def test_law__credit__within_the_cap_and_the_greatest_loss_stays(
    risks: list[DirectionalRisk], rules: CorrelationRules
) -> None:
    got = correlated(risks, rules)

    assert 0 <= got.credit * E18 <= got.stress * rules.cap_e18
    assert got.stress == sum(max(risk.up, risk.down, risk.still) for risk in risks) >= got.requirement
    assert got.requirement >= max(risk.standalone for risk in risks)


@given(RISKS, ANY_RULES, st.integers(0, 4), st.sampled_from(["up", "down", "still"]), st.integers(1, 10**6))
def test_law__any_loss_grows__requirement_never_falls(
    risks: list[DirectionalRisk], rules: CorrelationRules, place: int, way: str, more: int
) -> None:
    place %= len(risks)
    grown = replace(risks[place], **{way: getattr(risks[place], way) + more})

    before, after = correlated(risks, rules), correlated([*risks[:place], grown, *risks[place + 1 :]], rules)

    assert after.requirement >= before.requirement
    assert after.stress >= before.stress


@given(RISKS, ANY_RULES, st.randoms(use_true_random=False))
def test_law__permuted__same(risks: list[DirectionalRisk], rules: CorrelationRules, random: object) -> None:
    turned = list(risks)
    random.shuffle(turned)  # type: ignore[attr-defined]

    assert correlated(turned, rules) == correlated(risks, rules)


@given(RISKS, ANY_RULES, SHARES)
def test_law__lower_cap_or_rate__never_less_required(
    risks: list[DirectionalRisk], rules: CorrelationRules, cap: int
) -> None:
    least = replace(rules, cap_e18=min(cap, rules.cap_e18))
    milder = replace(rules, classes=tuple(replace(c, rate_e18=c.rate_e18 // 2) for c in rules.classes))

    assert correlated(risks, least).requirement >= correlated(risks, rules).requirement
    assert correlated(risks, milder).requirement >= correlated(risks, rules).requirement
