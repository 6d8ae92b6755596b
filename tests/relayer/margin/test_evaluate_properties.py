"""Properties of whole accounts: against an independent oracle in fractions, and the laws of money one by one."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.attestation import check_legs, leg_key
from proofs.types import LegKind, Status
from relayer.margin.account import can_count
from relayer.margin.evaluate import evaluate
from relayer.margin.market import Market, NoPrice, Price
from relayer.margin.view import MarginView, Missing

from .build import RULES, account, sums
from .oracle import judge
from .strategies import UNHURRIED, cases, markets, near_cases, portfolios

FEW = settings(max_examples=40, deadline=None, suppress_health_check=UNHURRIED)


def figures(view: MarginView) -> tuple[int, int, int, int]:
    return view.collateral_usd, view.liability_usd, view.initial_margin_usd, view.maintenance_margin_usd


@settings(max_examples=100, deadline=None, suppress_health_check=UNHURRIED)
@given(cases(always_priced=False, banded=True))
def test_evaluate__any_account__is_what_the_oracle_in_fractions_says(case) -> None:
    held, prices, rules = case

    view, verdict = evaluate(held, prices, rules), judge(held, prices, rules)

    assert view.status is verdict.status
    assert figures(view) == (verdict.collateral, verdict.liability, verdict.initial, verdict.maintenance)
    assert view.equity_high_usd == verdict.equity_best
    assert len([gap for gap in view.missing if gap.is_collateral]) == verdict.lost_assets
    assert len([gap for gap in view.missing if not gap.is_collateral]) == verdict.lost_positions


@settings(max_examples=80, deadline=None, suppress_health_check=UNHURRIED)
@given(near_cases())
def test_evaluate__within_two_units_of_a_level__is_what_the_oracle_in_fractions_says(case) -> None:
    view, verdict = evaluate(*case), judge(*case)

    assert view.status is verdict.status
    assert figures(view) == (verdict.collateral, verdict.liability, verdict.initial, verdict.maintenance)


@FEW
@given(cases(always_priced=False, banded=True))
def test_evaluate__any_account__lines_and_legs_add_up_to_view_and_leaf(case) -> None:
    view = evaluate(*case)

    named = dict(zip(("collateral", "liability", "initial", "maintenance"), figures(view), strict=True))
    assert sums(view.lines) == named == sums(view.lines, legs_only=True)
    leaf = view.leaf
    assert figures(view) == (
        leaf.collateral_usd,
        leaf.liability_usd,
        leaf.initial_margin_usd,
        leaf.maintenance_margin_usd,
    )
    assert (leaf.status, leaf.assurance, leaf.quality) == (view.status, view.assurance, view.quality)
    check_legs(leaf, sorted((line.leg for line in view.lines if line.leg), key=leg_key))


@FEW
@given(cases() | cases(banded=True) | near_cases(), st.integers(1, 10**20))
def test_equity__any_more_collateral__never_lower(case, more: int) -> None:
    held, prices, rules = case
    before = evaluate(held, prices, rules)

    for at, one in enumerate(held.holdings):
        richer = (*held.holdings[:at], replace(one, amount_raw=one.amount_raw + more), *held.holdings[at + 1 :])
        after = evaluate(replace(held, holdings=richer), prices, rules)

        assert after.equity_usd >= before.equity_usd
        assert after.maintenance_margin_usd == before.maintenance_margin_usd
        assert after.status <= before.status


@FEW
@given(cases() | near_cases(), st.integers(1, 10**20))
def test_equity__more_debt__never_higher(case, more: int) -> None:
    held, prices, rules = case
    before = evaluate(held, prices, rules)

    for at, one in enumerate(held.positions):
        poorer = (*held.positions[:at], replace(one, accrued_usd=one.accrued_usd - more), *held.positions[at + 1 :])
        after = evaluate(replace(held, positions=poorer), prices, rules)

        assert after.equity_usd <= before.equity_usd
        assert after.status >= before.status


@FEW
@given(cases(), st.integers(0, 2), st.integers(1, 10**6))
def test_equity__larger_haircut__never_higher(case, which: int, more: int) -> None:
    held, prices, rules = case
    rule = rules.assets[which]
    cut = min(rule.haircut_maintenance_ppm + more, 10**6)
    harder = replace(rule, haircut_maintenance_ppm=cut, haircut_initial_ppm=max(cut, rule.haircut_initial_ppm))
    assets = (*rules.assets[:which], harder, *rules.assets[which + 1 :])

    before, after = evaluate(held, prices, rules), evaluate(held, prices, replace(rules, assets=assets))

    assert after.equity_usd <= before.equity_usd
    assert after.equity_usd - after.initial_margin_usd <= before.equity_usd - before.initial_margin_usd
    assert after.status >= before.status


@FEW
@given(cases(), st.integers(0, 10**20))
def test_equity__wider_price_interval__never_higher(case, wider: int) -> None:
    held, prices, rules = case
    wide = {
        symbol: replace(price, low_e18=max(price.low_e18 - wider, 1), high_e18=price.high_e18 + wider)
        for symbol, price in prices.prices.items()
    }

    before, after = evaluate(held, prices, rules), evaluate(held, Market(wide), rules)

    assert after.equity_usd <= before.equity_usd
    assert after.maintenance_margin_usd >= before.maintenance_margin_usd
    assert after.status >= before.status


@FEW
@given(cases(banded=True), st.integers(0, 6))
def test_equity__higher_assurance_of_one_input__never_lower(case, which: int) -> None:
    held, prices, rules = case
    parts = [*held.holdings, *held.positions]
    parts[which] = replace(parts[which], assurance=max(part.assurance for part in parts))
    count = len(held.holdings)
    stronger = replace(held, holdings=tuple(parts[:count]), positions=tuple(parts[count:]))

    before, after = evaluate(held, prices, rules), evaluate(stronger, prices, rules)

    assert after.equity_usd >= before.equity_usd
    # An account that was liquidatable by its best case alone can turn out to be in bad debt once more is known.
    milder = Status.BAD_DEBT if before.status is Status.LIQUIDATABLE and before.missing else before.status
    assert before.status is Status.UNKNOWN or after.status <= milder


@FEW
@given(cases(always_priced=False, banded=True), st.randoms(use_true_random=False))
def test_th_074_view__sources_in_another_order__same_figures_and_same_leaf(case, shuffle: random.Random) -> None:
    held, prices, rules = case
    holdings, positions = list(held.holdings), list(held.positions)
    shuffle.shuffle(holdings)
    shuffle.shuffle(positions)
    turned = replace(held, holdings=tuple(holdings), positions=tuple(positions))

    before, after = evaluate(held, prices, rules), evaluate(turned, prices, rules)

    assert after.leaf == before.leaf
    assert sorted(map(repr, after.lines)) == sorted(map(repr, before.lines))


@FEW
@given(portfolios(), markets(), st.integers(0, 12))
def test_view__decimals_rescaled__same_but_for_identity(held, prices, shift: int) -> None:
    rescaled = tuple(
        replace(
            one, amount_raw=one.amount_raw * 10**shift, source=replace(one.source, decimals=one.source.decimals + shift)
        )
        for one in held.holdings
    )

    before, after = evaluate(held, prices, RULES), evaluate(replace(held, holdings=rescaled), prices, RULES)

    assert figures(after) == figures(before)
    assert after.status is before.status


@FEW
@given(portfolios(), markets())
def test_view__collateral_split_in_two_places__same_within_one_unit_per_place(held, prices) -> None:
    rules = replace(RULES, dust_usd=0)
    halves = []
    for one in held.holdings:
        halves += [
            replace(one, amount_raw=one.amount_raw // 2),
            replace(one, amount_raw=one.amount_raw - one.amount_raw // 2),
        ]
    halves = [
        replace(one, source=replace(one.source, holder=None if at % 2 and one.source.holder else one.source.holder))
        for at, one in enumerate(halves)
    ]
    halves = [one for one in halves if one.source.column != "free:usdx:a"]

    whole = evaluate(held, prices, rules)
    split = evaluate(replace(held, holdings=tuple(halves)), prices, rules)

    assert 0 <= whole.equity_usd - split.equity_usd <= len(held.holdings)


@FEW
@given(cases(always_priced=False, banded=True) | near_cases(), st.integers(0, 9))
def test_th_062_missing__delete_any_one_input__never_better(case, which: int) -> None:
    held, prices, rules = case
    before = evaluate(held, prices, rules)

    after = evaluate(*without_input(held, prices, rules, which))

    assert after.equity_usd <= before.equity_usd
    assert after.maintenance_margin_usd >= before.maintenance_margin_usd
    assert is_not_better(before, after)
    # and unknown is no shield, but no trap either: the best case is one
    if after.missing and after.status is Status.LIQUIDATABLE and not before.missing:
        assert before.status in (Status.LIQUIDATABLE, Status.BAD_DEBT)


@FEW
@given(cases(banded=True) | near_cases(), st.sets(st.sampled_from(range(10)), min_size=1, max_size=4))
def test_equity_high__inputs_deleted_from_a_known_account__bounds_what_it_really_is(case, gone) -> None:
    before = evaluate(*case)
    for which in sorted(gone, reverse=True):
        case = without_input(*case, which)

    after = evaluate(*case)

    if before.status is not Status.UNKNOWN and after.equity_high_usd is not None:
        required = sum(line.maintenance_usd for line in after.lines if line.kind is not LegKind.REQUIREMENT)
        assert after.equity_high_usd - required >= before.equity_usd - before.maintenance_margin_usd


def is_not_better(before: MarginView, after: MarginView) -> bool:
    """Compare statuses; the best case of an account in bad debt may be no worse than liquidatable."""
    if after.status is Status.UNKNOWN:
        return True
    return before.status is not Status.UNKNOWN and after.status >= min(before.status, Status.LIQUIDATABLE)


def without_input(held, prices, rules, which: int):
    """Delete one cell (0..6) or age one price (7..9): what the reader would then hand over."""
    parts = [*held.holdings, *held.positions]
    if which >= len(parts):
        symbol = ("USDX", "BTC", "ETH")[which - len(parts)]
        known = prices.prices[symbol]
        last = known.high_e18 if isinstance(known, Price) else known.last_e18
        return held, Market({**prices.prices, symbol: NoPrice(symbol, "stale_price: aged", last)}), rules
    gone = parts[which]
    is_holding = which < len(held.holdings)
    missing = held.missing
    if not is_holding:
        missing += (Missing(gone.source.column, gone.source.chain, "call_failed", LegKind.POSITION),)
    elif can_count(rules, gone.source):
        missing += (Missing(gone.source.column, gone.source.chain, "call_failed", gone.source.kind),)
    return (
        replace(
            held,
            holdings=tuple(one for one in held.holdings if one is not gone),
            positions=tuple(one for one in held.positions if one is not gone),
            missing=missing,
        ),
        prices,
        rules,
    )


@FEW
@given(cases(always_priced=False, banded=True))
def test_evaluate__twice__same_value_and_no_other_account(case) -> None:
    held, prices, rules = case

    first, again = evaluate(held, prices, rules), evaluate(held, prices, rules)
    other = evaluate(replace(held, account=account(2)), prices, rules)

    assert first == again
    assert (other.leaf.account_id, figures(other)) == (account(2), figures(first))
