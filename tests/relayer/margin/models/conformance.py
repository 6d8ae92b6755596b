"""Conformance: the laws that every rule set behind the engine keeps, whatever it mirrors.

A suite class per stage would say the same; here a test takes the stage as a parameter (`test_conformance.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal

from hypothesis import strategies as st

from proofs.types import ChainId
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, End, Gap, Leg, MarketData, Price, Role
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.view import Purpose
from tests.relayer.margin.models.stage import Stage

PURPOSES = (Purpose.INITIAL, Purpose.MAINTENANCE)
RANK = {Verdict.UNHEALTHY: 0, Verdict.UNKNOWN: 1, Verdict.HEALTHY: 2}


class Conformance:
    """State each law of one stage as one function of drawn inputs; every function asserts."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def results(self, account: Account, market: MarketData) -> Iterator[Evaluation]:
        for purpose in Purpose:
            yield evaluate(account, market, self.stage.rules, purpose)

    # --- the shape of a result ---------------------------------------------------------------------------------------

    def lines_add_up(self, account: Account, market: MarketData) -> None:
        for result in self.results(account, market):
            assert sum(line.value for line in result.lines) == result.equity
            assert sum(line.requirement for line in result.lines) == result.requirement

    def it_says_what_was_asked(self, account: Account, market: MarketData) -> None:
        for purpose, result in zip(Purpose, self.results(account, market), strict=True):
            names = {leg.name for leg in account.legs}
            assert (result.rule_set, result.purpose, result.unit) == (
                self.stage.rules.name,
                purpose,
                self.stage.rules.unit,
            )
            assert {line.leg for line in result.lines} <= names | {""}
            assert {gap.leg for gap in result.gaps} <= names | {gap.leg for gap in account.unread}

    def every_figure_is_an_integer(self, account: Account, market: MarketData) -> None:
        for result in self.results(account, market):
            assert not [value for value in _leaves(result) if isinstance(value, float | complex | Decimal)]

    def verdict_is_the_sign_of_excess(self, account: Account, market: MarketData) -> None:
        result = evaluate(account, market, self.stage.rules, Purpose.MAINTENANCE)
        if self.stage.is_verdict_of_excess and result.verdict is not Verdict.UNKNOWN:
            assert (result.verdict is Verdict.HEALTHY) == (result.excess >= 0)

    def a_full_market_leaves_no_gap(self, account: Account, market: MarketData) -> None:
        for result in self.results(account, market):
            assert result.gaps == ()
            assert result.verdict is not Verdict.UNKNOWN

    # --- purposes ----------------------------------------------------------------------------------------------------

    def liquidation_end_is_maintenance_with_a_buffer(self, account: Account, market: MarketData) -> None:
        held = evaluate(account, market, self.stage.rules, Purpose.MAINTENANCE)
        ended = evaluate(account, market, self.stage.rules, Purpose.LIQUIDATION_END)
        assert ended.equity == held.equity
        is_lending = self.stage.rules.name.startswith(("aave@", "comet@", "morpho@"))
        share_of = held.debt if is_lending else held.requirement
        assert ended.requirement == held.requirement + max(0, -(-share_of * 5 // 100))
        assert RANK[ended.verdict] <= RANK[held.verdict]

    # --- intervals ---------------------------------------------------------------------------------------------------

    def widening_an_interval_never_helps(self, account: Account, market: MarketData, width_ppm: int) -> None:
        for asset, price in market.prices.items():
            wider = market.with_price(asset, widened(price, width_ppm))
            for purpose in PURPOSES:
                before = self.stage.rules.weigh(account, market, purpose, End.LOW)
                after = self.stage.rules.weigh(account, wider, purpose, End.LOW)
                assert after.excess <= before.excess + self._averaging(before), asset
                assert self._averaging(before) or RANK[after.verdict] <= RANK[before.verdict], asset

    def low_is_not_above_high(self, account: Account, market: MarketData, width_ppm: int) -> None:
        for asset, price in market.prices.items():
            market = market.with_price(asset, widened(price, width_ppm))
        for purpose in PURPOSES:
            low = self.stage.rules.weigh(account, market, purpose, End.LOW)
            high = self.stage.rules.weigh(account, market, purpose, End.HIGH)
            assert low.excess <= high.excess + self._averaging(high)
            result = evaluate(account, market, self.stage.rules, purpose)
            assert result.excess_high is None or result.excess <= result.excess_high

    def _averaging(self, result: Evaluation) -> int:
        """Return what cutting an average to a basis point may have cost."""
        return result.collateral // 10_000 + 1 if result.purpose in self.stage.averaged else 0

    # --- what is missing ---------------------------------------------------------------------------------------------

    def a_missing_price_counts_zero_or_makes_unknown(self, account: Account, market: MarketData) -> None:
        keys = {key for leg in account.legs if leg.amount and (key := self.stage.price_key(leg))}
        for key in keys:
            prices = {name: price for name, price in market.prices.items() if name != key}
            unpriced = replace(market, prices=prices)
            legs = [leg for leg in account.legs if leg.amount and self.stage.price_key(leg) == key]
            for purpose in Purpose:
                result = evaluate(account, unpriced, self.stage.rules, purpose)
                gaps = {gap.leg: gap for gap in result.gaps}
                assert set(gaps) >= {leg.name for leg in legs}
                for leg in legs:
                    is_known_to_help = gaps[leg.name].is_collateral
                    assert not is_known_to_help or _is_held(leg)
                    assert is_known_to_help or leg.role is not Role.COLLATERAL or not self._zero_is_worst(result)
                self._is_no_better(account, market, result)

    def nothing_left_out_ever_helps(self, account: Account, market: MarketData) -> None:
        """Leave out one figure of the market at a time: no verdict becomes healthy, no healthy account richer."""
        for less in without_one(market, self.stage.optional_prices):
            for result in self.results(account, less):
                self._is_no_better(account, market, result)

    def _is_no_better(self, account: Account, market: MarketData, result: Evaluation) -> None:
        full = evaluate(account, market, self.stage.rules, result.purpose)
        if any(not gap.is_collateral for gap in result.gaps):
            assert result.verdict is Verdict.UNKNOWN
        else:
            cut = 100 if self.stage.is_slow else 0  # options are priced between bounds, some units of 1e-18 apart
            assert result.excess <= full.excess + cut
            assert -cut <= full.excess < 0 or RANK[result.verdict] <= max(RANK[full.verdict], RANK[Verdict.UNKNOWN])
        assert result.verdict is not Verdict.UNHEALTHY or not result.gaps

    def _zero_is_worst(self, result: Evaluation) -> bool:
        """Tell whether what is held may count zero: not where a buffer, an average or a charge could take more."""
        factor_ppm = 1_050_000 if result.purpose is Purpose.LIQUIDATION_END else 1_000_000
        return factor_ppm <= result.zero_is_worst_to_ppm

    def an_option_without_a_market_counts_zero_or_makes_unknown(self, account: Account, market: MarketData) -> None:
        options = {leg.name: leg for leg in account.legs if leg.role is Role.OPTION and leg.amount}
        for result in self.results(account, replace(market, expiries={})):
            gaps = {gap.leg: gap.is_collateral for gap in result.gaps}
            if market.expiries:
                may_be_zero = self._zero_is_worst(result) and self.stage.may_hold_options_at_zero
                assert gaps == {name: leg.amount > 0 and may_be_zero for name, leg in options.items()}
            if not all(gaps.values()):
                assert result.verdict is Verdict.UNKNOWN

    def what_was_never_read_is_never_forgotten(self, account: Account, market: MarketData) -> None:
        debt = replace(account, unread=(Gap("a debt", "no answer", is_collateral=False),))
        asset = replace(account, unread=(Gap("a deposit", "no answer", is_collateral=True),))
        for purpose in Purpose:
            plain = evaluate(account, market, self.stage.rules, purpose)
            less = evaluate(asset, market, self.stage.rules, purpose)
            is_healthy = plain.is_healthy and self._zero_is_worst(plain)
            assert less.verdict is (Verdict.HEALTHY if is_healthy else Verdict.UNKNOWN)
        assert {result.verdict for result in self.results(debt, market)} == {Verdict.UNKNOWN}

    # --- what must not matter ----------------------------------------------------------------------------------------

    def legs_of_nothing_add_nothing(self, account: Account, market: MarketData) -> None:
        empty = tuple(
            replace(leg, name=f"no {leg.name}", amount=0, entry_value=0, accrued=0)
            for leg in self.stage.accounts[0].legs
        )
        more = replace(account, legs=(*empty, *account.legs))
        for plain, padded in zip(self.results(account, market), self.results(more, market), strict=True):
            assert (plain.equity, plain.requirement) == (padded.equity, padded.requirement)
            assert (plain.verdict, plain.gaps) == (padded.verdict, padded.gaps)

    def the_order_of_legs_does_not_matter(self, account: Account, market: MarketData, order: list[int]) -> None:
        turned = replace(account, legs=tuple(account.legs[index] for index in order))
        for plain, other in zip(self.results(account, market), self.results(turned, market), strict=True):
            assert plain.verdict is other.verdict
            assert (plain.equity, plain.requirement) == (other.equity, other.requirement)

    def parting_a_position_changes_nothing(self, account: Account, market: MarketData, part: int) -> None:
        """A perpetual venue holds one position in a market, however many legs tell of it."""
        for leg in (leg for leg in account.legs if leg.role is Role.PERP):
            less = replace(leg, amount=leg.amount - part, entry_value=leg.entry_value // 3, accrued=0)
            rest = replace(leg, name="rest", amount=part, entry_value=leg.entry_value - leg.entry_value // 3)
            for plain, parted in zip(
                self.results(account, market), self.results(account.with_leg(less).with_leg(rest), market), strict=True
            ):
                assert (plain.equity, plain.requirement) == (parted.equity, parted.requirement)
                assert sum(line.requirement for line in parted.lines) == parted.requirement

    def risk_groups_and_names_of_blocks_do_not_matter(self, account: Account, market: MarketData) -> None:
        named = replace(account, legs=tuple(replace(leg, group="g", block_number=1) for leg in account.legs))
        for plain, other in zip(self.results(account, market), self.results(named, market), strict=True):
            assert (plain.equity, plain.requirement, plain.verdict) == (other.equity, other.requirement, other.verdict)

    def the_same_inputs_give_the_same_bytes(self, account: Account, market: MarketData) -> None:
        copies = replace(account, legs=tuple(replace(leg) for leg in account.legs)), replace(market)
        assert list(map(repr, self.results(account, market))) == list(map(repr, self.results(*copies)))

    # --- what can only hurt or help ----------------------------------------------------------------------------------

    def a_stranger_leg_never_helps(self, account: Account, market: MarketData) -> None:
        """A leg that no rule knows is a gap: held it counts zero, owed it makes the verdict unknown."""
        chain = ChainId("eip155:424242")
        for role in (Role.COLLATERAL, Role.DEBT):
            stranger = Leg("stranger", role, "NOBODY KNOWS", 10**18, chain)
            for plain, other in zip(
                self.results(account, market), self.results(account.with_leg(stranger), market), strict=True
            ):
                assert "stranger" in {gap.leg for gap in other.gaps}
                assert other.excess <= plain.excess
                assert RANK[other.verdict] <= max(RANK[plain.verdict], RANK[Verdict.UNKNOWN])
                assert role is Role.COLLATERAL or other.verdict is Verdict.UNKNOWN


def widened(price: Price, width_ppm: int) -> Price:
    """Return an interval around another, strictly wider, above zero."""
    share = price.low * width_ppm // 1_000_000
    return replace(price, low=max(1, price.low - share - 1), high=price.high + share + 1)


def without_one(market: MarketData, kept: frozenset[str]) -> Iterator[MarketData]:
    """Yield the market without each of its figures in turn, but those of `kept` names."""
    for name in ("prices", "average_prices", "indices", "totals", "open_interest", "expiries"):
        known = getattr(market, name)
        for key in known.keys() - kept:
            yield replace(market, **{name: {other: value for other, value in known.items() if other != key}})
    for key, quote in market.expiries.items():
        for strike in quote.vols:
            less = replace(quote, vols={other: vol for other, vol in quote.vols.items() if other != strike})
            yield replace(market, expiries={**market.expiries, key: less})


def orders(count: int) -> st.SearchStrategy[list[int]]:
    return st.permutations(range(count))


def _is_held(leg: Leg) -> bool:
    return leg.role is Role.COLLATERAL or (leg.role in (Role.CASH, Role.OPTION) and leg.amount > 0)


def _leaves(value: object) -> Iterator[object]:
    if is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            yield from _leaves(getattr(value, one.name))
    elif isinstance(value, tuple | list | frozenset):
        for one in value:
            yield from _leaves(one)
    else:
        yield value
