"""Greeks: against a second implementation, textbook figures, and finite differences of our own prices."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.types import ChainId
from relayer.margin.engine.inputs import Account, ExpiryQuote, Leg, MarketData, OptionTerms, Price, Role, Surface
from relayer.margin.greeks import Greeks, OptionInputs, account_greeks, option_greeks
from relayer.margin.interval import Interval, exact
from relayer.margin.rulesets.black76 import YEAR_S, prices
from relayer.margin.rulesets.derive_common import decay
from tests.relayer.margin import decimal_oracle as oracle

E18 = 10**18
DAY = 86_400
CHAIN = ChainId("eip155:1")
NAMES = ("delta", "gamma", "vega", "theta", "rho")


def closed_form(option: OptionInputs, forward: int) -> dict[str, Fraction]:
    """Return the figures by fractions of 210 digits."""
    f, k, vol, rate = (Fraction(x, E18) for x in (forward, option.strike, option.vol.low, option.rate))
    tau = Fraction(option.seconds, YEAR_S)
    v = oracle.sqrt(vol * vol * tau)
    d1 = oracle.ln(f / k) / v + v / 2
    df = oracle.exp(-rate * tau)
    density = oracle.exp(-d1 * d1 / 2) * oracle.inverse_root_2_pi()
    n = oracle._n(d1)
    call, put = oracle.black76(f, k, vol, option.seconds, df)
    value = call if option.is_call else put
    return {
        "delta": df * (n if option.is_call else n - 1),
        "gamma": df * density / (f * v),
        "vega": df * f * density * oracle.sqrt(tau) / 100,
        "theta": (rate * value - df * f * density * vol / (2 * oracle.sqrt(tau))) / 365,
        "rho": -tau * value / 100,
    }


OPTIONS = st.builds(
    OptionInputs,
    st.booleans(),
    st.integers(E18, 10**23),
    st.integers(E18 // 20, 3 * E18).map(exact),
    st.integers(3_600, 2 * YEAR_S),
    st.integers(0, E18 // 5),
)


@settings(max_examples=40)
@given(OPTIONS, st.integers(50, 200))
def test_option_greeks__any__enclose_the_closed_form_tightly(option: OptionInputs, percent: int) -> None:
    forward = option.strike * percent // 100

    got = option_greeks(option, exact(forward))

    for name, truth in closed_form(option, forward).items():
        interval = getattr(got, name)
        assert interval.low <= truth * E18 <= interval.high, name
        assert interval.high - interval.low <= 10**8 + abs(truth * E18) // 10**10, name


@given(OPTIONS, st.integers(60, 170))
def test_option_greeks__any__are_the_slopes_of_our_own_prices(option: OptionInputs, percent: int) -> None:
    """Central differences: 1e-5 of F, 1e-5 in σ, 1e-6 in r, 1 s; their error is of order h² of the third slope."""
    forward = option.strike * percent // 100
    got = option_greeks(option, exact(forward))

    def value(
        f: int = forward, vol: int = option.vol.low, seconds: int = option.seconds, rate: int = option.rate
    ) -> Fraction:
        both = prices(exact(f), option.strike, exact(vol), seconds, decay(exact(rate), seconds))
        chosen = both.call if option.is_call else both.put
        return Fraction(chosen.low + chosen.high, 2)

    h, dv, dr = forward // 10**5, E18 // 10**5, E18 // 10**6
    slopes = {
        "delta": (value(forward + h) - value(forward - h)) / (2 * h) * E18,
        "vega": (value(vol=option.vol.low + dv) - value(vol=option.vol.low - dv)) / (2 * dv) * E18 / 100,
        "rho": (value(rate=option.rate + dr) - value(rate=max(option.rate - dr, 0)))
        / (option.rate + dr - max(option.rate - dr, 0))
        * E18
        / 100,
        "theta": (value(seconds=option.seconds - 1) - value(seconds=option.seconds + 1)) * DAY / 2,
    }
    for name, slope in slopes.items():
        middle = Fraction(getattr(got, name).low + getattr(got, name).high, 2)
        scale = {"delta": E18, "vega": forward, "rho": forward, "theta": forward}[name]
        assert abs(slope - middle) <= scale / 10**4 + abs(middle) / 10**3, name


@given(OPTIONS, st.integers(80, 125))
def test_option_greeks__gamma__is_the_slope_of_delta(option: OptionInputs, percent: int) -> None:
    forward = option.strike * percent // 100
    h = max(forward // 10**6, 1)

    here, up, down = (option_greeks(option, exact(forward + step)) for step in (0, h, -h))

    slope = Fraction(up.delta.low - down.delta.low, 2 * h) * E18
    assert abs(slope - here.gamma.low) <= here.gamma.low / 10**3 + Fraction(10**24, forward)


def test_option_greeks__textbook_deltas_of_a_futures_option() -> None:
    """E. G. Haug, The Complete Guide to Option Pricing Formulas: futures 105, strike 100, half a year, r 10 %, σ 36 %.

    Delta of the call 0.5946, of the put -0.3566.
    """
    half = YEAR_S // 2
    call, put = (
        option_greeks(OptionInputs(is_call, 100 * E18, exact(36 * E18 // 100), half, E18 // 10), exact(105 * E18))
        for is_call in (True, False)
    )

    assert round(Fraction(call.delta.low, E18), 4) == Fraction("0.5946")
    assert round(Fraction(put.delta.low, E18), 4) == Fraction("-0.3566")


def test_option_greeks__textbook_gamma_and_vega_of_a_stock_option() -> None:
    """The same book: stock 55, strike 60, 0.75 years, r 10 %, σ 30 %: gamma 0.0278, vega 18.9358 for a full 1.00.

    On the forward F = 55 e^0.075: vega is the same, gamma by the stock is gamma by the forward times e^0.15.
    """
    seconds = 3 * YEAR_S // 4
    growth = oracle.exp(Fraction(3, 40))
    forward = int(55 * growth * E18)

    got = option_greeks(OptionInputs(True, 60 * E18, exact(3 * E18 // 10), seconds, E18 // 10), exact(forward))

    assert round(Fraction(got.vega.low, E18) * 100, 4) == Fraction("18.9358")
    assert round(Fraction(got.gamma.low, E18) * growth**2, 4) == Fraction("0.0278")


@given(OPTIONS, st.integers(50, 200), st.integers(0, 100))
def test_option_greeks__forward_between_bounds__encloses_every_forward(
    option: OptionInputs, percent: int, share: int
) -> None:
    low = option.strike * percent // 100
    high = low + low // 20
    inside = low + (high - low) * share // 100

    wide, one = option_greeks(option, Interval(low, high)), option_greeks(option, exact(inside))

    for name in NAMES:
        assert getattr(wide, name).low <= getattr(one, name).high, name
        assert getattr(one, name).low <= getattr(wide, name).high, name
    assert wide.delta.low <= one.delta.low
    assert one.delta.high <= wide.delta.high


@pytest.mark.parametrize("is_call", [True, False])
def test_option_greeks__limits__strike_zero_and_total_vol_of_24(is_call: bool) -> None:
    """A call of strike 0 and any call at v = 24 are the forward; the puts move with nothing."""
    for strike, vol in ((0, E18), (E18, 24 * E18)):
        got = option_greeks(OptionInputs(is_call, strike, exact(vol), YEAR_S), exact(3 * E18))

        assert got.delta == exact(E18 if is_call else 0)
        assert got.gamma == got.vega == exact(0)


def test_option_greeks__below_the_cap__slope_is_not_the_limit() -> None:
    got = option_greeks(OptionInputs(True, E18, exact(2 * E18), YEAR_S), exact(3 * E18))

    assert got.delta.high < E18
    assert got.vega.low > 0


def test_option_greeks__volatility_that_may_reach_the_cap__holds_the_limit() -> None:
    """v in [20, 25] with d1 near 0 at 20, a strike of e^200 forwards: the slope may be φ(0), or none at the cap."""
    strike = int(oracle.exp(Fraction(200)))

    got = option_greeks(OptionInputs(True, strike, Interval(20 * E18, 25 * E18), YEAR_S), exact(1))

    assert got.delta.high == E18
    assert got.gamma.low == got.vega.low == 0


@pytest.mark.parametrize(
    ("strike", "vol", "seconds", "forward"), [(-1, 1, 1, 1), (1, -1, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0)]
)
def test_option_greeks__impossible_input__refused(strike: int, vol: int, seconds: int, forward: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        option_greeks(OptionInputs(True, strike, exact(vol), seconds), exact(forward))


# --- accounts --------------------------------------------------------------------------------------------------------

AS_OF = 1_000_000
EXPIRY = AS_OF + 30 * DAY
MARKET = MarketData(
    AS_OF,
    MappingProxyType({"ETH": Price(3_000 * E18, 3_000 * E18)}),
    expiries=MappingProxyType(
        {("ETH", EXPIRY): ExpiryQuote(Price(3_010 * E18, 3_010 * E18), vols=MappingProxyType({3_000 * E18: E18 // 2}))}
    ),
)


def leg(name: str, role: Role, amount: int, option: OptionTerms | None = None) -> Leg:
    return Leg(name, role, "ETH", amount, CHAIN, option=option)


CALL, PUT = (OptionTerms(3_000 * E18, EXPIRY, is_call) for is_call in (True, False))


def test_account_greeks__long_call_short_put__is_a_future() -> None:
    """Put-call parity at rate 0: C - P = F - K, so delta 1, no gamma, vega or theta; rho -(30 : 365) · 10 : 100."""
    account = Account("a", (leg("c", Role.OPTION, E18, CALL), leg("p", Role.OPTION, -E18, PUT)))

    got = account_greeks(account, MARKET).by_underlying["ETH"]

    expected = {"delta": E18, "gamma": 0, "vega": 0, "theta": 0, "rho": -Fraction(30, 3_650) * E18}
    for name, truth in expected.items():
        assert abs(getattr(got, name).low - truth) <= 100, name
        assert abs(getattr(got, name).high - truth) <= 100, name


def test_account_greeks__linear_legs__one_for_one() -> None:
    legs = (
        leg("cash", Role.CASH, 9),
        leg("coin", Role.COLLATERAL, 5),
        leg("perp", Role.PERP, -7),
        leg("owed", Role.DEBT, 2),
    )

    assert account_greeks(Account("a", legs), MARKET).by_underlying == {"ETH": Greeks(delta=exact(-4))}


def test_greeks__added__figure_by_figure() -> None:
    one, other = (Greeks(*(exact(factor * figure) for figure in (1, 2, 3, 4, 5))) for factor in (1, 10))

    assert one + other == Greeks(exact(11), exact(22), exact(33), exact(44), exact(55))


def test_account_greeks__rate_of_the_expiry__is_used() -> None:
    """At forward and strike 3,000 and a rate of 10 % the call is worth V: rho is -V · 30 : 365 : 100."""
    quote = ExpiryQuote(Price(3_000 * E18, 3_000 * E18), E18 // 10, vols=MappingProxyType({3_000 * E18: E18 // 2}))
    market = replace(MARKET, expiries=MappingProxyType({("ETH", EXPIRY): quote}))
    option = OptionInputs(True, 3_000 * E18, exact(E18 // 2), 30 * DAY, E18 // 10)

    got = account_greeks(Account("a", (leg("c", Role.OPTION, 2 * E18, CALL),)), market).by_underlying["ETH"]

    for name, truth in closed_form(option, 3_000 * E18).items():
        assert abs(getattr(got, name).low - 2 * truth * E18) <= 10**4, name


@pytest.mark.parametrize(("age_s", "gaps"), [(60, ()), (59, ("c",))])
def test_account_greeks__surface__no_older_than_asked(age_s: int, gaps: tuple[str, ...]) -> None:
    """Seen 60 s ago; total variance 0.05, flat."""
    slice_ = Surface(E18 // 20, 0, 0, 0, E18 // 10, 3_010 * E18, 30 * DAY * E18 // YEAR_S, AS_OF - 60)
    quote = ExpiryQuote(Price(3_010 * E18, 3_010 * E18), surface=slice_)
    market = replace(MARKET, expiries=MappingProxyType({("ETH", EXPIRY): quote}))

    got = account_greeks(Account("a", (leg("c", Role.OPTION, E18, CALL),)), market, age_s)

    assert tuple(gap.leg for gap in got.gaps) == gaps
    assert tuple(got.by_underlying) == (() if gaps else ("ETH",))


def test_account_greeks__option_without_a_volatility__is_a_gap_and_counts_nothing() -> None:
    other = OptionTerms(3_100 * E18, EXPIRY, True)
    account = Account("a", (leg("c", Role.OPTION, E18, other), leg("perp", Role.PERP, 3)))

    got = account_greeks(account, MARKET)

    assert [(gap.leg, bool(gap.reason), gap.is_collateral) for gap in got.gaps] == [("c", True, False)]
    assert got.by_underlying == {"ETH": Greeks(delta=exact(3))}


@pytest.mark.parametrize(("strike", "vol"), [(0, 0), (2_000 * E18, 0)])
def test_account_greeks__no_volatility_or_strike__is_a_gap_and_no_division(strike: int, vol: int) -> None:
    terms = OptionTerms(strike, CALL.expiry_s, is_call=True)
    (key, quote), *_ = MARKET.expiries.items()
    market = replace(MARKET, expiries={key: replace(quote, surface=None, vols={strike: vol})})

    found = account_greeks(Account("a", (leg("c", Role.OPTION, E18, terms),)), market)

    assert [gap.leg for gap in found.gaps] == ["c"]
    assert found.by_underlying == {}
