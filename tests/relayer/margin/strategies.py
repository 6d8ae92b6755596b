"""Generated rules, markets and portfolios; amounts are spread over all magnitudes, zeros and edges included."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck
from hypothesis import strategies as st

from proofs.types import Assurance, Encumbrance
from proofs.units import E18, PPM, UsdE18
from relayer.margin.account import Portfolio
from relayer.margin.market import Market, NoPrice, Price
from relayer.margin.rules import AssetRule, AssuranceBand, MarginRules

from .build import BTC_PERP, ETH_PERP, RULES, account, holding, position
from .oracle import judge

UNHURRIED = (HealthCheck.too_slow,)
"""Slow generation on a busy machine is no fault of the code under test."""

LEVELS = (Assurance.RPC_QUORUM, Assurance.STATE_PROOF, Assurance.AUTHENTICATED_HEADER)

ppm = st.integers(0, PPM)
spread_amount = st.one_of(
    st.just(0), st.integers(1, 10), st.integers(0, 10**6), st.integers(0, 10**12), st.integers(0, 10**22)
)
sizes = st.one_of(st.just(0), st.integers(-(10**3), 10**3), st.integers(-(10**21), 10**21))
money = st.one_of(st.just(0), st.integers(-(10**3), 10**3), st.integers(-(10**24), 10**24))
levels = st.sampled_from(LEVELS)


@st.composite
def rules(draw: st.DrawFn, banded: bool = False) -> MarginRules:
    assets = []
    for rule in RULES.assets:
        low, high = sorted((draw(ppm), draw(ppm)))
        assets.append(AssetRule(rule.symbol, high, low))
    collateral = tuple(replace(source, bridge_haircut_ppm=draw(ppm)) for source in RULES.collateral)
    bands = (AssuranceBand(None, Assurance.RPC_QUORUM),)
    if banded:
        low, high = sorted((draw(levels), draw(levels)))  # a policy whose bands fall, or hold nothing, is refused
        bands = (AssuranceBand(UsdE18(draw(st.integers(1, 10**25))), low), AssuranceBand(None, high))
    return replace(
        RULES,
        assets=tuple(assets),
        collateral=collateral,
        dust_usd=draw(st.sampled_from((0, 1, E18, 100 * E18))),
        encumbrance_ppm=((Encumbrance.ESCROWED, draw(ppm)), (Encumbrance.FREE, draw(st.sampled_from((0, 500_000))))),
        assurance=bands,
    )


@st.composite
def prices(draw: st.DrawFn, symbol: str, always: bool = True) -> Price | NoPrice:
    if not always and draw(st.integers(0, 5)) == 0:
        return NoPrice(symbol, "stale_price: as generated", draw(st.sampled_from((0, E18))))
    low = draw(st.one_of(st.integers(1, 100), st.integers(1, 10**23)))
    return Price(symbol, low, low + draw(st.one_of(st.just(0), st.integers(0, low))), draw(levels))


@st.composite
def markets(draw: st.DrawFn, always: bool = True) -> Market:
    return Market({symbol: draw(prices(symbol, always)) for symbol in ("USDX", "BTC", "ETH")})


@st.composite
def portfolios(draw: st.DrawFn, rules: MarginRules = RULES) -> Portfolio:
    holdings = tuple(holding(source, draw(spread_amount), draw(levels)) for source in rules.collateral)
    positions = tuple(
        position(source, draw(sizes), draw(money), draw(money), draw(levels)) for source in (ETH_PERP, BTC_PERP)
    )
    return Portfolio(account(1), holdings, positions)


@st.composite
def cases(draw: st.DrawFn, always_priced: bool = True, banded: bool = False) -> tuple[Portfolio, Market, MarginRules]:
    drawn = draw(rules(banded))
    return draw(portfolios(drawn)), draw(markets(always_priced)), drawn


@st.composite
def near_cases(draw: st.DrawFn) -> tuple[Portfolio, Market, MarginRules]:
    """Draw a fully readable account whose equity is brought to within a few units of one of its levels."""
    held, prices, drawn = draw(cases())
    return brought_near(held, prices, drawn, draw(st.sampled_from(LINES)), draw(st.integers(-2, 2))), prices, drawn


LINES = (0, PPM, RULES.status.margin_call_ppm, RULES.status.warning_ppm)


def brought_near(held: Portfolio, prices: Market, drawn: MarginRules, line_ppm: int, units: int) -> Portfolio:
    """Change what the last position accrued so that equity is a level x MM plus some units, by the oracle."""
    last = held.positions[-1]
    if last.is_empty:
        last = replace(last, entry_value_usd=1)
        held = replace(held, positions=(*held.positions[:-1], last))
    now = judge(held, prices, drawn)
    target = -(-now.maintenance * line_ppm // PPM) + units
    shifted = replace(last, accrued_usd=last.accrued_usd + target - now.equity)
    return replace(held, positions=(*held.positions[:-1], shifted))
