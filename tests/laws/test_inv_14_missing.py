"""INV-14: what is missing or stale never helps: delete or age any input of a verified snapshot, nothing improves."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.snapshot import Reason
from proofs.types import Quality, Status
from proofs.units import E18
from relayer.margin.evaluate import evaluate_account
from relayer.margin.market import market_of
from relayer.margin.view import MarginView
from tests.relayer.margin.build import BTC_PERP, ETH_PERP, RULES, T0, A, B, C, World, account
from tests.relayer.margin.strategies import UNHURRIED
from tests.relayer.margin.test_evaluate_properties import is_not_better

ONE = account(1)
SOURCES = (*RULES.collateral, *RULES.positions)
SYMBOLS = ("USDX", "BTC", "ETH")


def judged(world: World) -> MarginView:
    snapshot = world.snapshot()
    return evaluate_account(snapshot, market_of(snapshot, RULES), ONE, RULES, Quality.NONE)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world = World([ONE])
    for source in RULES.collateral:
        world.put(source, ONE, draw(st.integers(0, 3)) * 10**source.decimals)
    for source in (ETH_PERP, BTC_PERP):
        size = draw(st.integers(-2, 2))
        world.put(source, ONE, size * E18, size * draw(st.integers(1_000, 70_000)) * E18, draw(st.integers(-9, 9)))
    return world


REMOVALS = (
    [("cell", source) for source in SOURCES]
    + [("age", symbol) for symbol in SYMBOLS]
    + [("zero", symbol) for symbol in SYMBOLS]
    + [("chain", chain) for chain in (A, B, C)]
)


def remove(world: World, removal) -> None:
    kind, what = removal
    if kind == "cell":
        world.fail(what, ONE)
    elif kind == "chain":
        world.missing[what] = Reason.RPC_TIMEOUT
    elif kind == "age":
        world.answers[f"price:{what}"] = (1, world.answers[f"price:{what}"][1], 0, T0 - 10**6, 1)
    else:
        world.price(what, 0)


@settings(max_examples=80, deadline=None, suppress_health_check=UNHURRIED)
@given(worlds(), st.lists(st.sampled_from(REMOVALS), min_size=1, max_size=4))
def test_inv_14__any_inputs_deleted_or_aged__never_better(world: World, removals) -> None:
    view = judged(world)

    for removal in removals:
        remove(world, removal)
        worse = judged(world)
        assert worse.equity_usd <= view.equity_usd
        assert worse.maintenance_margin_usd >= view.maintenance_margin_usd
        assert is_not_better(view, worse)
        view = worse


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(worlds())
def test_inv_14__unreadable_liability__unknown_and_never_dropped(world: World) -> None:
    world.fail(ETH_PERP, ONE)

    view = judged(world)

    assert view.status is Status.UNKNOWN
    assert view.leaf.liability_usd == 2**128 - 1
    assert any(gap.what == ETH_PERP.column for gap in view.missing)
