"""What-if over whole books: whatever was read or lost, the answer is the book of a frame in which it happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.snapshot import Reason
from proofs.types import Quality, Status
from proofs.units import E18, PPM
from relayer.book import Book, next_book
from relayer.margin.rules import MarginRules
from relayer.whatif import (
    Change,
    Flip,
    HaircutSet,
    MarginSet,
    PriceSet,
    PriceShift,
    flips_of,
    place_of,
    whatif,
)
from tests.relayer.margin.build import BTC_PERP, ETH_PERP, RULES, USDX_A, B, C, World, account
from tests.relayer.margin.strategies import UNHURRIED

ACCOUNTS = tuple(account(number) for number in range(1, 7))
SIZES = st.one_of(st.just(0), st.integers(-3, 3).map(lambda units: units * E18))
"""Entry values are near the mark of 2,000 and 60,000, so that collateral of a few hundred decides."""


def book_of(world: World, rules: MarginRules) -> Book:
    world.rules = rules
    return next_book(None, world.snapshot(), world.accounts, rules, Quality.NONE)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world = World(ACCOUNTS)
    for one in ACCOUNTS:
        world.put(USDX_A, one, draw(st.integers(0, 3_000)) * 10**6)
        world.put(RULES.collateral[3], one, draw(st.integers(0, 3)) * E18)
        eth, btc = draw(SIZES), draw(SIZES) // 10
        world.put(ETH_PERP, one, eth, eth * draw(st.integers(1_900, 2_100)), draw(st.integers(-200, 200)) * E18)
        world.put(BTC_PERP, one, btc, btc * draw(st.integers(59_000, 61_000)), 0)
    for source in (*RULES.collateral, *RULES.positions):
        if draw(st.integers(0, 5)) == 0:
            world.fail(source, draw(st.sampled_from(ACCOUNTS)))
    for chain in (B, C):
        if draw(st.integers(0, 5)) == 0:
            world.missing[chain] = Reason.RPC_UNREACHABLE
    return world


PPMS = st.sampled_from((0, 1, 100_000, 500_000, PPM - 1, PPM))
SHARES = st.sampled_from((1, 30_000, 50_000, 200_000, PPM))
HAIRCUTS = st.builds(
    lambda symbol, cuts: HaircutSet(symbol, min(cuts), max(cuts)),
    st.sampled_from(("USDX", "ETH", "BTC")),
    st.tuples(PPMS, PPMS),
)
MARGINS = st.builds(
    lambda source, cuts: MarginSet(source.column, max(cuts), min(cuts)),
    st.sampled_from((ETH_PERP, BTC_PERP)),
    st.tuples(SHARES, SHARES),
)
DOLLARS = st.builds(
    lambda symbol, dollars: PriceSet(symbol, dollars * E18, dollars * E18),
    st.sampled_from(("ETH", "BTC")),
    st.one_of(st.integers(1, 100_000), st.integers(1_800, 2_200), st.integers(57_000, 63_000)),
)
CHANGES = st.lists(st.one_of(HAIRCUTS, MARGINS, DOLLARS), max_size=4).map(tuple)


def made_to_happen(world: World, rules: MarginRules, changes: Iterable[Change]) -> Book:
    """Change the policy and the feeds themselves, and read a frame."""
    for change in changes:
        if isinstance(change, PriceSet):
            world.price(change.symbol, change.low_e18 // 10**10)
        elif isinstance(change, HaircutSet):
            cuts = {"haircut_maintenance_ppm": change.maintenance_ppm, "haircut_initial_ppm": change.initial_ppm}
            assets = (replace(rule, **cuts) if rule.symbol == change.symbol else rule for rule in rules.assets)
            rules = replace(rules, assets=tuple(assets))
        elif isinstance(change, MarginSet):
            margins = {"initial_margin_ppm": change.initial_ppm, "maintenance_margin_ppm": change.maintenance_ppm}
            markets = (replace(one, **margins) if one.column == change.column else one for one in rules.positions)
            rules = replace(rules, positions=tuple(markets))
    return book_of(world, rules)


@settings(suppress_health_check=UNHURRIED, max_examples=60, deadline=None)
@given(worlds(), CHANGES, st.booleans())
def test_th_126_book__prices_and_parameters__is_the_one_of_a_frame_in_which_it_happened(
    world: World, changes: tuple[Change, ...], is_worthless: bool
) -> None:
    """Also where a haircut of everything let unread collateral pass as known."""
    worthless = replace(RULES.assets[2], haircut_maintenance_ppm=PPM, haircut_initial_ppm=PPM)
    rules = replace(RULES, assets=(*RULES.assets[:2], worthless)) if is_worthless else RULES
    book = book_of(world, rules)
    asked = [whatif(book.reader.portfolio(one), book.market, book.rules, changes).after for one in ACCOUNTS]
    found = flips_of(book, ACCOUNTS[0], changes)

    happened = made_to_happen(world, rules, changes)

    for prediction, view in zip(asked, happened.views, strict=True):
        assert prediction.leaf == view.leaf
        assert prediction.equity_high_usd == view.equity_high_usd
        assert prediction.lines == view.lines
    assert found.is_complete
    assert found.flips == tuple(
        Flip(one.account, one.status, after.status)
        for one, after in zip(book.views, happened.views, strict=True)
        if one.status is not after.status
    )


def test_flips__of_a_thousand_accounts__look_at_those_in_reach_alone() -> None:
    """999 hold 10,000 dollars and no position; one is long 10 ETH with 1,200 dollars, 20 % down is too much for it."""
    accounts = tuple(account(number) for number in range(1, 1_001))
    world = World(accounts)
    for one in accounts:
        world.put(USDX_A, one, 10_000 * 10**6)
    world.put(USDX_A, accounts[500], 1_300 * 10**6)
    world.put(ETH_PERP, accounts[500], 10 * E18, 20_000 * E18, 0)
    book = book_of(world, RULES)

    found = flips_of(book, accounts[0], (PriceShift("ETH", -200_000),))

    assert found.flips == (Flip(accounts[500], Status.HEALTHY, Status.BAD_DEBT),)
    assert (found.screened, found.candidates) == (1_000, 1)


def test_place__of_an_account__is_its_index_and_of_a_stranger_none() -> None:
    book = book_of(World(ACCOUNTS), RULES)

    places = [place_of(book, one) for one in (*ACCOUNTS, account(0), account(99))]

    assert places == [*range(len(ACCOUNTS)), None, None]
    assert flips_of(book, account(99), ()).flips == ()
