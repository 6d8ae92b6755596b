"""Builders of lending accounts: legs and markets in few words, and strategies for any of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hypothesis import strategies as st

from proofs.types import ChainId
from relayer.margin.engine.evaluate import RuleSet, evaluate
from relayer.margin.engine.inputs import Account, Gap, Indices, Leg, MarketData, Price, Role, Totals
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.view import Purpose

CHAIN = ChainId("eip155:1")
INITIAL, MAINTENANCE, END = Purpose.INITIAL, Purpose.MAINTENANCE, Purpose.LIQUIDATION_END
HEALTHY, UNHEALTHY, UNKNOWN = Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN


def held(asset: str, amount: int, decimals: int = 0, **more: object) -> Leg:
    return Leg(f"{asset} held", Role.COLLATERAL, asset, amount, CHAIN, decimals=decimals, **more)  # type: ignore[arg-type]


def owed(asset: str, amount: int, decimals: int = 0, **more: object) -> Leg:
    return Leg(f"{asset} owed", Role.DEBT, asset, amount, CHAIN, decimals=decimals, **more)  # type: ignore[arg-type]


def cash(asset: str, amount: int, decimals: int = 0, **more: object) -> Leg:
    return Leg(f"{asset} cash", Role.CASH, asset, amount, CHAIN, decimals=decimals, **more)  # type: ignore[arg-type]


def account(*legs: Leg, mode: int = 0, unread: tuple[Gap, ...] = ()) -> Account:
    return Account("a", legs, mode, unread)


def market(
    prices: Mapping[str, Price],
    indices: Mapping[str, Indices] | None = None,
    totals: Mapping[str, Totals] | None = None,
    as_of_s: int = 1_000_000,
) -> MarketData:
    return MarketData(
        as_of_s,
        MappingProxyType(dict(prices)),
        indices=MappingProxyType(dict(indices or {})),
        totals=MappingProxyType(dict(totals or {})),
    )


def at(price: int, decimals: int = 8, high: int | None = None) -> Price:
    return Price(price, price if high is None else high, decimals)


def judged(legs: Account, here: MarketData, rules: RuleSet, purpose: Purpose = MAINTENANCE) -> Evaluation:
    """Evaluate and check what holds of every result: lines add up, the sign agrees with the verdict."""
    result = evaluate(legs, here, rules, purpose)
    assert sum(line.value for line in result.lines) == result.equity
    assert sum(line.requirement for line in result.lines) == result.requirement
    assert result.equity == result.collateral - result.debt
    if purpose is MAINTENANCE and result.verdict is not UNKNOWN:
        assert (result.excess >= 0) is (result.verdict is HEALTHY)
    assert result.excess_high is None or result.excess <= result.excess_high
    assert result == evaluate(legs, here, rules, purpose)
    return result


AMOUNTS = st.one_of(st.integers(0, 100), st.integers(0, 10**12), st.integers(0, 10**24))
DECIMALS = st.sampled_from((0, 2, 6, 8, 18))
PRICES = st.builds(
    lambda low, width, decimals: Price(low, low + width, decimals),
    st.one_of(st.integers(1, 100), st.integers(1, 10**13)),
    st.one_of(st.just(0), st.integers(0, 10**6)),
    st.sampled_from((6, 8, 18)),
)
