"""Derive: read the leaves of both portfolio managers off the market, for the trees of `portfolios`.

Options are priced once for longs and shorts together, by the kernels' own functions, in every scenario.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from proofs.units import E18
from relayer.margin.engine.inputs import MarketData, Role
from relayer.margin.interval import UNIT, Interval, exact, product
from relayer.margin.models.derive_parts import Part as Held
from relayer.margin.models.derive_parts import Parts, Venue, parts_of
from relayer.margin.models.derive_pmrm import DerivePmrm, expiry_market
from relayer.margin.models.derive_pmrm2 import CoinTerms, DerivePmrm2
from relayer.margin.models.quotes import OptionQuote, price_of
from relayer.margin.rulesets.derive_common import BasisContingency, basis_factor, decay, shocked_vols
from relayer.margin.rulesets.derive_pmrm import ExpiryMarket, Option, PmrmRules, Scenario, VolMove, leg_values
from relayer.margin.rulesets.derive_pmrm2 import ASSETS_MAX, SKEWS, Pmrm2Rules, scenarios_of, static_discounts
from relayer.margin.rulesets.derive_pmrm2_grid import expiry_values
from relayer.margin.screens.columns import Floats, Part, Slot
from relayer.margin.screens.linear import COUNTS_NOTHING, UNKNOWN, Form
from relayer.margin.screens.portfolios import ExpiryTable, PortfolioTree
from relayer.margin.screens.trees import (
    Closer,
    ends_of,
    factor_of,
    held_places,
    money_row,
    quotient,
    sample,
    share,
    size_of,
    tamed,
    weights_of,
)

Priced = Callable[[ExpiryMarket, Sequence[Option]], Sequence[Sequence[Interval]]]
"""The values of one whole unit of each option: now, basis up and down, then each scenario."""
Discounted = Callable[[ExpiryMarket], tuple[Interval, Interval]]
"""The discounts of what is positive and what is negative in an expiry."""


@dataclass(frozen=True, slots=True)
class _Manager:
    """Hold what the two managers have in common; haircuts by coin are shares of value, `base` one of amount · S."""

    coins: Mapping[str, CoinTerms]
    base: int
    basis: BasisContingency
    scenarios: tuple[Scenario, ...]
    perp: int
    option: int
    loss_factor: int
    assets_max: float
    priced: Priced
    discounted: Discounted

    @property
    def is_fit(self) -> bool:
        """Tell whether there is a scenario, and no share below zero."""
        shares = (self.base, self.perp, self.option, self.loss_factor, self.basis.add_factor, self.basis.mult_factor)
        haircuts = (terms.mm_haircut for terms in self.coins.values())
        return bool(self.scenarios) and min((*shares, *haircuts, *(s.damping for s in self.scenarios))) >= 0


def pmrm_form(slots: tuple[Slot, ...], rules: DerivePmrm, market: MarketData) -> Form:
    """Return the bound of the first portfolio manager at the low ends; unit: 1e-18 US dollars."""
    parameters = rules.parameters
    if any(scenario.vol in SKEWS for scenario in parameters.scenarios):
        return Form((UNKNOWN,) * len(slots))
    manager = _Manager(
        coins={rules.underlying: CoinTerms(0, 0, moves=True)},
        base=parameters.base_percent,
        basis=parameters.basis,
        scenarios=tuple(Scenario(scenario.spot, scenario.vol) for scenario in parameters.scenarios),
        perp=parameters.perp_percent,
        option=parameters.option_percent,
        loss_factor=E18,
        assets_max=inf,
        priced=lambda expiry, options: _first_values(expiry, options, parameters),
        discounted=lambda expiry: _first_discounts(expiry, parameters),
    )
    return _form(slots, manager, rules, market)


def pmrm2_form(slots: tuple[Slot, ...], rules: DerivePmrm2, market: MarketData) -> Form:
    """Return the bound of the second portfolio manager at the low ends; unit: 1e-18 US dollars."""
    parameters: Pmrm2Rules = rules.parameters
    manager = _Manager(
        coins=rules.collaterals,
        base=0,
        basis=parameters.basis,
        scenarios=parameters.scenarios,
        perp=parameters.contingencies.mm_perp,
        option=parameters.contingencies.mm_option,
        loss_factor=parameters.mm_factor,
        assets_max=ASSETS_MAX,
        priced=lambda expiry, options: expiry_values(expiry, options, scenarios_of(parameters), parameters.shocks),
        discounted=lambda expiry: static_discounts(expiry, parameters.discounts),
    )
    return _form(slots, manager, rules, market)


def _form(slots: tuple[Slot, ...], manager: _Manager, rules: DerivePmrm | DerivePmrm2, market: MarketData) -> Form:
    coins, spot = frozenset(manager.coins), price_of(market, rules.underlying)
    venue = Venue(rules.stable, frozenset({rules.underlying}), coins, rules.surface_age_s_max)
    parts = parts_of(sample(slots), market, venue)
    weights = weights_of(slots, parts.gaps)
    expiries = _expiries(slots, parts, manager)
    if not manager.is_fit or any(min(one.long[0], one.short[0], one.basis_factor) < 0 for one in expiries):
        return Form((UNKNOWN,) * len(slots))
    leaves = _Leaves.of(slots)
    for part in (*parts.cash, *parts.perps):
        leaves.add(slots[int(part.leg.name)], part)
    for part in parts.coins:
        if isinstance(spot, str):
            weights[int(part.leg.name)] = COUNTS_NOTHING
        else:
            leaves.add_coin(slots[int(part.leg.name)], part, parts.stable_price, manager)
    for expiry in expiries:
        leaves.mtm[expiry.places] += expiry.low[0]
    tree = _tree(leaves, expiries, manager, (parts, spot))
    if not tree.is_finite:
        return Form((UNKNOWN,) * len(slots))
    gross = tree.gross()
    tables = (leaf for one in expiries for leaf in (one.low, one.high, one.strikes))
    known = tamed(weights, gross, *leaves.all, *tables)
    return Form(known, Closer(tree, gross, _factor(tree, manager, parts)))


def _factor(tree: PortfolioTree, manager: _Manager, parts: Parts) -> float:
    discounts = max((expiry.greatest_discount for expiry in tree.expiries), default=1.0)
    basis = max((expiry.basis_factor for expiry in tree.expiries), default=1.0)
    shock, damping = float(np.abs(tree.shocks).max()), float(tree.damping.max())
    haircut = max((share(terms.mm_haircut) for terms in manager.coins.values()), default=0.0)
    stable = quotient(E18, max(parts.stable_price.low, 1))
    return factor_of((discounts, basis, shock, damping, tree.loss_factor, haircut, stable))


def _tree(
    leaves: _Leaves, expiries: tuple[ExpiryTable, ...], manager: _Manager, known: tuple[Parts, Interval | str]
) -> PortfolioTree:
    parts, spot = known
    perp = parts.perps[0].price if parts.perps else exact(0)
    high = 0 if isinstance(spot, str) else spot.high
    return PortfolioTree(
        mtm=leaves.mtm,
        moving=leaves.moving,
        moving_high=leaves.moving_high,
        coins=leaves.coins,
        net=leaves.net,
        perp_price=(share(perp.low), share(perp.high)),
        perp_share=quotient(manager.perp * high, E18 * E18),
        option_share=quotient(manager.option * high, E18 * E18),
        shocks=np.array([share(scenario.spot - E18) for scenario in manager.scenarios]),
        damping=np.array([share(scenario.damping) for scenario in manager.scenarios]),
        is_skew=np.array([scenario.vol in SKEWS for scenario in manager.scenarios], dtype=bool),
        loss_factor=share(manager.loss_factor),
        expiries=expiries,
        opened=leaves.opened,
        closed=leaves.closed,
        assets_max=manager.assets_max,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Leaves:
    """Hold the rows of what is linear, a figure for each slot."""

    mtm: Floats
    moving: Floats
    moving_high: Floats
    coins: Floats
    net: Floats
    opened: Floats
    closed: Floats

    @classmethod
    def of(cls, slots: Sequence[Slot]) -> _Leaves:
        moving, moving_high, coins, net = np.zeros((4, len(slots)))
        opened = np.zeros(len(slots))
        opened[held_places(slots, Role.OPTION, Role.COLLATERAL, Role.PERP)] = 1.0
        closed = np.array([float(slot.part is Part.CLOSED) for slot in slots])
        return cls(money_row(slots), moving, moving_high, coins, net, opened, closed)

    @property
    def all(self) -> tuple[Floats, ...]:
        """Return the rows of money."""
        return self.mtm, self.moving, self.moving_high, self.coins, self.net

    def add(self, slot: Slot, part: Held) -> None:
        """Write a unit of cash or of a perp; a closed leg is nothing but its money."""
        place = int(part.leg.name)
        if slot.part is not Part.AMOUNT:
            return
        if slot.role is Role.PERP:
            self.mtm[place] = ends_of(slot, part.price)[0]
            self.net[place] = size_of(slot)
        else:
            self.mtm[place] = -size_of(slot) if slot.role is Role.DEBT else size_of(slot)

    def add_coin(self, slot: Slot, part: Held, stable: Interval, manager: _Manager) -> None:
        """Write a unit of a coin; value low over the greatest, high over the least price of the stable one."""
        place, terms, unit = int(part.leg.name), manager.coins[part.leg.asset], 10**slot.decimals
        if slot.part is not Part.AMOUNT:
            return
        low = quotient(part.price.low * E18, unit * stable.high)
        high = quotient(part.price.high * E18, unit * stable.low)
        self.mtm[place] = low
        if terms.moves:
            self.moving[place], self.moving_high[place] = low, high
        self.coins[place] = high * share(terms.mm_haircut) + quotient(part.spot.high * manager.base, unit * E18)


# --- options ---------------------------------------------------------------------------------------------------------


def _expiries(slots: Sequence[Slot], parts: Parts, manager: _Manager) -> tuple[ExpiryTable, ...]:
    books: dict[int, list[tuple[int, OptionQuote]]] = {}
    for part, quote in parts.quotes():
        place = int(part.leg.name)
        if slots[place].part is Part.AMOUNT:
            books.setdefault(quote.seconds, []).append((place, quote))
    return tuple(_expiry(slots, legs, manager) for _, legs in sorted(books.items()))


def _expiry(slots: Sequence[Slot], legs: Sequence[tuple[int, OptionQuote]], manager: _Manager) -> ExpiryTable:
    market = expiry_market(legs[0][1])
    kinds = sorted({(quote.terms.strike_e18, quote.terms.is_call): quote.vol for _, quote in legs}.items())
    options = [Option(market.seconds, strike, is_call, E18, vol) for (strike, is_call), vol in kinds]
    units = dict(zip((kind for kind, _ in kinds), manager.priced(market, options), strict=True))
    strikes = sorted({quote.terms.strike_e18 for _, quote in legs})
    net = np.zeros((len(strikes), len(legs)))
    ends = []
    for column, (place, quote) in enumerate(legs):
        values = units[quote.terms.strike_e18, quote.terms.is_call]
        ends.append([ends_of(slots[place], value) for value in values])
        net[strikes.index(quote.terms.strike_e18), column] = size_of(slots[place])
    both = np.array(ends)
    long, short = manager.discounted(market)
    return ExpiryTable(
        places=[place for place, _ in legs],
        low=both[:, :, 0].T.copy(),
        high=both[:, :, 1].T.copy(),
        strikes=net,
        long=(share(long.low), share(long.high)),
        short=(share(short.low), share(short.high)),
        basis_factor=share(basis_factor(manager.basis, market.seconds).high),
    )


def _first_values(market: ExpiryMarket, options: Sequence[Option], rules: PmrmRules) -> Sequence[Sequence[Interval]]:
    up, down = shocked_vols(rules.vol, market.seconds)
    factors = {VolMove.UP: up, VolMove.DOWN: down, VolMove.NONE: UNIT}
    moves = [(E18, UNIT), (rules.basis.spot_up, UNIT), (rules.basis.spot_down, UNIT)]
    moves += [(scenario.spot, factors[scenario.vol]) for scenario in rules.scenarios]
    columns = [leg_values(market, options, spot, factor) for spot, factor in moves]
    return list(zip(*columns, strict=True))


def _first_discounts(market: ExpiryMarket, rules: PmrmRules) -> tuple[Interval, Interval]:
    """Return the static discount of what is positive; what is negative counts in full."""
    rate = product(max(market.rate, 0), rules.rate_mult) + exact(rules.rate_add)
    return decay(rate, max(market.seconds, 0)).times(rules.discount), UNIT
