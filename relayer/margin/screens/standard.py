"""Standard: the lower bound of Derive's standard manager, for `trees`.

    margin = cash + Σ unrealised + Σ base · S · factor - Σ |perp| · P · mm% + Σ expiries max(isolated, max loss)
    max loss = min over {0, strikes held} of min(payoff, 0), + scale · F · net calls where these are short

all at the low ends. Per expiry two products: payoffs at its strikes (a strike where nothing is held is no candidate for
the least) and the shorts by themselves. A short's isolated margin is linear in its size, an option's value the exact
integer of one whole unit, between bounds. The greatest of two lower bounds is a lower bound of the greatest: nothing is
left out. Perps of one underlying net before their share is taken. Rules with a share below zero are for the exact look.

g: what a unit is worth or costs in each term, the payoff of an option its greatest at any strike.
F: the share of a short put's own value, if above one; all other constants are those of leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from proofs.units import E18
from relayer.margin.engine.inputs import MarketData, Role
from relayer.margin.interval import Interval, bounds
from relayer.margin.models.derive_parts import Part as Held
from relayer.margin.models.derive_parts import Venue, parts_of
from relayer.margin.models.derive_srm import DeriveSrm, expiry_feed
from relayer.margin.models.quotes import OptionQuote
from relayer.margin.rulesets.derive_srm import OptionLeg, OptionRules, SrmRules, leg_value
from relayer.margin.screens.columns import Floats, Part, Slot
from relayer.margin.screens.linear import UNKNOWN, Form
from relayer.margin.screens.trees import (
    Closer,
    ends_of,
    factor_of,
    money_row,
    quotient,
    sample,
    share,
    size_of,
    tamed,
    weights_of,
)


@dataclass(frozen=True, slots=True, eq=False)
class _Expiry:
    """Hold one expiry's options: payoffs at 0 and at each strike, where something must be held for it to count.

    `isolated` is what a short has by itself, `calls` what a unit adds to the cost of net short calls.
    """

    places: list[int]
    payoffs: Floats
    held_at: Floats
    isolated: Floats
    calls: Floats

    def margin(self, amounts: Floats) -> Floats:
        """Return the better of isolated shorts and maximum loss."""
        own = amounts[self.places]
        is_held = self.held_at @ (own != 0) > 0
        payoffs = np.where(is_held, self.payoffs @ own, 0.0)
        loss = payoffs.min(axis=0, initial=0.0) + np.minimum(self.calls @ own, 0.0)
        margin: Floats = np.maximum(self.isolated @ own, loss)
        return margin


@dataclass(frozen=True, slots=True, eq=False)
class _StandardTree:
    """Hold the linear part, perps by underlying with what a unit of their net size requires, and the expiries."""

    linear: Floats
    perps: Floats
    expiries: tuple[_Expiry, ...]

    def __call__(self, amounts: Floats, _band: Floats) -> Floats:
        excess: Floats = self.linear @ amounts - np.abs(self.perps @ amounts).sum(axis=0)
        for expiry in self.expiries:
            excess = excess + expiry.margin(amounts)
        return excess


def srm_form(slots: tuple[Slot, ...], rules: DeriveSrm, market: MarketData) -> Form:
    """Return the bound of the standard manager at the low ends; unit: 1e-18 US dollars."""
    if not _is_fit(rules.parameters):
        return Form((UNKNOWN,) * len(slots))
    known = frozenset(rules.markets)
    parts = parts_of(sample(slots), market, Venue(rules.stable, known, known, rules.surface_age_s_max))
    table = _Table(slots, rules, money_row(slots), np.zeros((len(rules.markets), len(slots))))
    for part in (*parts.cash, *parts.coins, *parts.perps):
        table.add_linear(part)
    books: dict[tuple[str, int], list[tuple[int, OptionQuote, Interval]]] = {}
    for part, quote in parts.quotes():
        place = int(part.leg.name)
        if slots[place].part is Part.AMOUNT:
            books.setdefault((part.leg.asset, quote.seconds), []).append((place, quote, part.spot))
    expiries = tuple(_expiry(slots, legs, rules.parameters.option) for _, legs in sorted(books.items()))
    gross = np.abs(table.linear) + np.abs(table.perps).sum(axis=0)
    for expiry in expiries:
        gross[expiry.places] += np.abs(expiry.payoffs).max(axis=0) + np.abs(expiry.isolated) + np.abs(expiry.calls)
    tables = (part for one in expiries for part in (one.payoffs, one.isolated, one.calls))
    weights = tamed(weights_of(slots, parts.gaps), gross, table.linear, table.perps, *tables)
    tree = _StandardTree(table.linear, table.perps, expiries)
    return Form(weights, Closer(tree, gross, factor_of((share(rules.parameters.option.mm_put_mtm),))))


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    slots: Sequence[Slot]
    rules: DeriveSrm
    linear: Floats
    perps: Floats

    def add_linear(self, part: Held) -> None:
        """Write what a unit of cash, of the base asset or of a perp adds."""
        place, parameters = int(part.leg.name), self.rules.parameters
        slot = self.slots[place]
        if slot.part is not Part.AMOUNT:
            return
        if slot.role is Role.COLLATERAL:
            self.linear[place] = quotient(part.spot.low * parameters.base_factor, 10**slot.decimals * E18)
        elif slot.role is Role.PERP:
            self.linear[place] = ends_of(slot, part.price)[0]
            required = quotient(part.price.high * parameters.perp_maintenance, E18 * E18)
            self.perps[self.rules.markets.index(slot.asset), place] = size_of(slot) * required
        else:
            self.linear[place] = -size_of(slot) if slot.role is Role.DEBT else size_of(slot)


def _is_fit(rules: SrmRules) -> bool:
    """Tell whether all shares that hold for maintenance are such: none is below zero."""
    option = rules.option
    shares = (option.mm_call_spot, option.mm_put_spot, option.mm_put_mtm, option.unpaired_maintenance_scale)
    return min(*shares, rules.perp_maintenance, rules.base_factor) >= 0


def _expiry(slots: Sequence[Slot], legs: Sequence[tuple[int, OptionQuote, Interval]], rules: OptionRules) -> _Expiry:
    strikes = sorted({quote.terms.strike_e18 for _, quote, _ in legs})
    count = len(legs)
    payoffs, held_at = np.zeros((1 + len(strikes), count)), np.zeros((1 + len(strikes), count))
    isolated, calls, units = np.zeros(count), np.zeros(count), _units(legs)
    held_at[0] = 1.0
    for column, (place, quote, spot) in enumerate(legs):
        slot, terms = slots[place], quote.terms
        sign, scale = (-1 if slot.is_negative else 1), 10**slot.decimals
        gains = (max(at - terms.strike_e18 if terms.is_call else terms.strike_e18 - at, 0) for at in (0, *strikes))
        payoffs[:, column] = [quotient(sign * gain, scale) for gain in gains]
        held_at[1 + strikes.index(terms.strike_e18), column] = 1.0
        if terms.is_call:
            calls[column] = quotient(sign * rules.unpaired_maintenance_scale * quote.forward.high, scale * E18)
        if slot.is_negative:
            unit = units[terms.strike_e18, terms.is_call]
            isolated[column] = quotient(_isolated(terms.is_call, unit.high, spot.high, rules), scale * E18)
    return _Expiry([place for place, *_ in legs], payoffs, held_at, isolated, calls)


def _isolated(is_call: bool, unit: int, spot: int, rules: OptionRules) -> int:
    """Return what one short unit has by itself, at 1e36."""
    if is_call:
        return -unit * E18 - rules.mm_call_spot * spot
    return -unit * E18 + min(-rules.mm_put_spot * spot, -rules.mm_put_mtm * unit)


def _units(legs: Sequence[tuple[int, OptionQuote, Interval]]) -> Mapping[tuple[int, bool], Interval]:
    """Return the value of one whole unit of each option, priced once for longs and shorts."""
    units: dict[tuple[int, bool], Interval] = {}
    for _, quote, _ in legs:
        strike, is_call = quote.terms.strike_e18, quote.terms.is_call
        if (strike, is_call) not in units:
            leg = OptionLeg(quote.seconds, strike, is_call, E18, quote.vol)
            units[strike, is_call] = bounds(leg_value(expiry_feed(quote), leg))
    return units
