"""dydx@4: what the dYdX v4 chain says of a subaccount, to the last unit.

Units: base quantums (size = quantums · 10^resolution), prices as integers (dollars = price · 10^exponent), amounts in
quote quantums (10^-6 dollars), fractions in ppm.

| figure | formula | rounding |
|---|---|---|
| notional N | q · p · 10^(exponent + resolution + 6), signed | toward zero |
| open interest OI | the market's open base quantums, valued as N is | toward zero |
| initial fraction F | f + ⌊(10^6 - f)(OI - lower) / (upper - lower)⌋ between the caps | down |
| IMR | ⌈abs(N) · max(F, the account's own) / 10^6⌉ | up |
| MMR | ⌈ ⌈abs(N) · f / 10^6⌉ · maintenance fraction / 10^6⌉ | up, twice |
| NC | USDC + Σ N + Σ quote balances | exact |

F is f up to the lower cap or where there is no upper one, and 10^6 from the upper cap on.
f is the tier's fraction *without* open interest: crowding raises what opening demands, never what holding demands.

| question | answer | at equality |
|---|---|---|
| initially collateralized | NC >= IMR | yes |
| maintenance collateralized | NC >= MMR | yes |
| liquidatable | MMR > 0 and MMR > NC | no |

A subaccount without requirement is never liquidatable, even below zero. Riskier of two: the lower NC / MMR by cross
products; on a tie the higher MMR, then the lower NC. With both NC negative this calls the larger MMR less risky: that
is the venue's order, mirrored here; do not sort a house list by it. Collateral other than USDC has no rule and no type.

| input that grows | health | exceptions |
|---|---|---|
| USDC, quote balances | never falls | none |
| fractions f, maintenance | never rises | none |
| open interest | MMR unmoved, IMR never falls | none |
| size | no law | it moves NC and the requirements |

Source: dydxprotocol/v4-chain `lib/margin`, `x/perpetuals`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from proofs.units import PPM, UsdE18, mul_div_down, share_down, share_up
from relayer.margin.fixed_point import scale_by_power_of_ten_truncated
from relayer.margin.leaf_figures import LeafFigures

QUOTE_EXPONENT: Final = 6
QUOTE_TO_E18: Final = 10**12


@dataclass(frozen=True, slots=True)
class LiquidityTier:
    """Hold the terms that markets share: fractions in ppm, open-interest caps in quote quantums (upper 0: none)."""

    initial_ppm: int
    maintenance_fraction_ppm: int
    open_interest_lower: int = 0
    open_interest_upper: int = 0


@dataclass(frozen=True, slots=True)
class DydxMarket:
    """Hold one perpetual market at one price; `open_interest` in base quantums."""

    tier: LiquidityTier
    atomic_resolution: int
    price: int
    exponent: int
    open_interest: int = 0


@dataclass(frozen=True, slots=True)
class DydxPosition:
    """Hold one position: base quantums and quote balance, signed, and the account's own initial fraction (0: none)."""

    market: DydxMarket
    quantums: int
    quote_balance: int = 0
    own_initial_ppm: int = 0


@dataclass(frozen=True, slots=True)
class DydxRisk:
    """Hold net collateral and the two requirements in quote quantums, of a position or a subaccount."""

    net_collateral: int
    initial: int
    maintenance: int

    @property
    def is_initial_collateralized(self) -> bool:
        """Tell whether the account may open."""
        return self.net_collateral >= self.initial

    @property
    def is_maintenance_collateralized(self) -> bool:
        """Tell whether net collateral covers the requirement; unlike `is_liquidatable` also where that is 0."""
        return self.net_collateral >= self.maintenance

    @property
    def is_liquidatable(self) -> bool:
        """Tell whether the chain liquidates."""
        return self.maintenance > 0 and self.maintenance > self.net_collateral


def subaccount_risk(usdc: int, positions: tuple[DydxPosition, ...]) -> DydxRisk:
    """Add up a subaccount: USDC (negative: borrowed) and its positions."""
    risks = [position_risk(position) for position in positions]
    return DydxRisk(
        net_collateral=usdc + sum(risk.net_collateral for risk in risks),
        initial=sum(risk.initial for risk in risks),
        maintenance=sum(risk.maintenance for risk in risks),
    )


def position_risk(position: DydxPosition) -> DydxRisk:
    """Weigh one position; its net collateral is its notional and its quote balance."""
    market = position.market
    value = notional(market, position.quantums)
    return DydxRisk(
        net_collateral=value + position.quote_balance,
        initial=initial_requirement(
            market.tier, abs(value), notional(market, market.open_interest), position.own_initial_ppm
        ),
        maintenance=maintenance_requirement(market.tier, abs(value)),
    )


def notional(market: DydxMarket, quantums: int) -> int:
    """Return the value of base quantums in quote quantums, signed, toward zero."""
    exponent = market.exponent + market.atomic_resolution + QUOTE_EXPONENT
    return scale_by_power_of_ten_truncated(quantums * market.price, exponent)


def initial_requirement(tier: LiquidityTier, value: int, open_interest: int, own_initial_ppm: int = 0) -> int:
    """Return the initial requirement of an unsigned notional at an open interest in quote quantums."""
    return share_up(value, max(scaled_initial_ppm(tier, open_interest), own_initial_ppm))


def maintenance_requirement(tier: LiquidityTier, value: int) -> int:
    """Return the maintenance requirement of an unsigned notional; open interest has no part in it."""
    return share_up(share_up(value, tier.initial_ppm), tier.maintenance_fraction_ppm)


def scaled_initial_ppm(tier: LiquidityTier, open_interest: int) -> int:
    """Return the initial fraction after open interest (quote quantums), in ppm."""
    lower, upper = tier.open_interest_lower, tier.open_interest_upper
    if open_interest <= lower or upper == 0:
        return tier.initial_ppm
    if open_interest >= upper:
        return PPM
    return tier.initial_ppm + mul_div_down(PPM - tier.initial_ppm, open_interest - lower, upper - lower)


def maintenance_ppm(tier: LiquidityTier) -> int:
    """Return a tier's maintenance fraction of notional in ppm, down; for display, requirements do not use it."""
    return share_down(tier.initial_ppm, tier.maintenance_fraction_ppm)


def compare_risk(first: DydxRisk, second: DydxRisk) -> int:
    """Return 1 if the first is riskier, -1 if the second is, 0 if neither, in the venue's order."""
    keys = (
        (second.net_collateral * first.maintenance, first.net_collateral * second.maintenance),
        (first.maintenance, second.maintenance),
        (second.net_collateral, first.net_collateral),
    )
    for riskier, safer in keys:
        if riskier != safer:
            return 1 if riskier > safer else -1
    return 0


def to_leaf_figures(risk: DydxRisk) -> LeafFigures:
    """Return net collateral split by sign, IMR and MMR; exact.

    The sign of excess is that of `is_maintenance_collateralized`: an account below zero without positions is not
    liquidatable at the venue, but has no excess either.
    """
    return LeafFigures(
        collateral_usd=UsdE18(max(0, risk.net_collateral) * QUOTE_TO_E18),
        liability_usd=UsdE18(max(0, -risk.net_collateral) * QUOTE_TO_E18),
        initial_usd=UsdE18(risk.initial * QUOTE_TO_E18),
        maintenance_usd=UsdE18(risk.maintenance * QUOTE_TO_E18),
    )
