"""cross_perp@1: haircut collateral against the requirements of linear positions, added up without netting credit.

    h_m = 1 - (1 - asset_m)(1 - bridge)(weight)          ppm, up; h_i likewise with the asset's initial haircut
    V   = ⌊amount · low · (1 - h_m) / 10^decimals⌋        rounded once
    I   = V - ⌊amount · low · (1 - h_i) / 10^decimals⌋    what opening demands beyond what holding demands
    N   = ⌈|size| · high⌉
    P   = ⌊size · mark⌋ - entry value + accrued          mark: low for longs, high for shorts; toward -infinity
    IM  = ⌈N · im⌉, MM = ⌈N · mm⌉

    collateral = Σ V + Σ P⁺, liability = Σ P⁻, initial = Σ I + Σ IM, maintenance = Σ MM

| an input | that is | counts |
|---|---|---|
| collateral | worth less than dust (at the last known price where there is none) | not at all: no leg, no marks |
| collateral | frozen by its token | zero, and is known; FROZEN_HOLDER |
| collateral | worth more than the value limit of its assurance | the limit less haircut; DEGRADED_LEG |
| collateral | unpriced, or of an assurance that no band takes | zero, and is missing |
| position | unpriced, or below the assurance its notional demands | missing: what is owed is not known |
| position | of size 0 | its entry and accrued value, no price needed; all three zero: not at all |

The value limit of an assurance is the largest value that the policy's bands let it carry; V and I are cut at it, so
that what anybody adds never costs what was there. Positions have no limit but a demand: only their owner enlarges them.

The best case, where something bounds it: of a short without a price, a price of zero, -entry value + accrued; of
missing collateral, the value limit of its assurance less haircut. A long without a price, and what was not read, have
none.

Monotone: more collateral never lowers equity, a larger haircut or debt never raises it. One documented exception:
figures beyond 128 bits make the account unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from proofs.attestation import MarginLeg
from proofs.keccak import keccak256
from proofs.types import AccountId, Assurance, Encumbrance, Hash32, LegKind, Quality, caip10
from proofs.units import (
    E18,
    PPM,
    UINT256_MAX,
    compose_haircuts_up,
    mul_div_down,
    mul_div_up,
    share_up,
    value_down,
    value_up,
)
from relayer.margin.account import Holding, Portfolio, Position, home_address, weight_ppm
from relayer.margin.market import E18_DECIMALS, Market, NoPrice, Price
from relayer.margin.rules import CollateralSource, MarginRules
from relayer.margin.rulesets.terms import Terms
from relayer.margin.view import Line, Missing, Rounding

CAPPED: Final = Quality.CONCENTRATION_CAP
"""Marks an account of which a leg counts for less than it is worth, because its assurance carries no more."""


@dataclass(frozen=True, slots=True)
class _Term:
    """Hold one source's line, what is missing of it, and the marks it puts on the account."""

    line: Line | None
    missing: Missing | None = None
    quality: Quality = Quality.NONE


def cross_perp(portfolio: Portfolio, market: Market, rules: MarginRules) -> Terms:
    """Weigh one portfolio at one market; see the module docstring."""
    account = portfolio.account
    holdings = (holding for holding in portfolio.holdings if holding.amount_raw > 0)
    positions = (position for position in portfolio.positions if not position.is_empty)
    terms = [_holding_term(account, holding, market.price(holding.source.symbol), rules) for holding in holdings]
    terms += [_position_term(account, position, market.price(position.source.symbol), rules) for position in positions]
    quality = Quality.NONE
    for term in terms:
        quality |= term.quality
    lines = tuple(term.line for term in terms if term.line is not None)
    return Terms(lines, tuple(term.missing for term in terms if term.missing is not None), quality)


# --- collateral ------------------------------------------------------------------------------------------------------


def _holding_term(account: AccountId, holding: Holding, price: Price | NoPrice, rules: MarginRules) -> _Term:
    haircut, haircut_initial = haircuts_up(holding, rules)
    if isinstance(price, NoPrice):
        return _unpriced_holding(holding, price, haircut, rules)
    source, amount = holding.source, holding.amount_raw
    scale = 10**source.decimals * PPM
    marked: int = value_down(amount, price.low_e18, source.decimals)
    value = mul_div_down(amount * price.low_e18, PPM - haircut, scale)
    if value == 0 or value < rules.dust_usd:
        label = "weighs nothing" if haircut == PPM else "dust"
        return _Term(_shown(holding, f"{source.symbol} {label}", (price.low_e18, haircut, marked)))
    if holding.is_frozen:
        return _frozen(holding, (price.low_e18, haircut, marked))
    level = min(holding.assurance, price.assurance)
    limit = value_limit(rules, level)
    if limit == 0:
        weak = _too_weak(level, required_assurance(rules, marked))
        gap = Missing(source.column, source.chain, weak, source.kind, value_max(rules, holding.assurance, haircut))
        line = _shown(holding, f"{source.symbol} missing: assurance", (price.low_e18, haircut, marked))
        return _Term(line, gap)
    value_initial = mul_div_down(amount * price.low_e18, PPM - haircut_initial, scale)
    is_capped = limit is not None and marked > limit
    marked, value = _cut(marked, limit), _cut(value, value_max(rules, level, haircut))
    value_initial = _cut(value_initial, value_max(rules, level, haircut_initial))
    leg = MarginLeg(
        holder_key=_holder_key(account, holding),
        chain_key=text_key(source.chain),
        asset_key=text_key(source.asset),
        kind=source.kind,
        encumbrance=source.encumbrance,
        assurance=level,
        amount_raw=amount,
        price_e18=price.low_e18,
        haircut_ppm=haircut,
        entry_value_usd=0,
        value_usd=value,
        initial_usd=value - value_initial,
        maintenance_usd=0,
    )
    label = f"{source.symbol} {source.encumbrance.name.lower()} on {source.chain}"
    if is_capped:
        label += f", capped: assurance {level.name.lower()} carries no more"
    quality = price.quality | (CAPPED if is_capped else Quality.NONE)
    return _Term(_line(label, holding, leg, marked, is_capped=is_capped), quality=quality)


def _unpriced_holding(holding: Holding, price: NoPrice, haircut: int, rules: MarginRules) -> _Term:
    """Count zero for a holding without a price; it is missing unless no price near the last one could make it count."""
    source = holding.source
    if haircut == PPM:
        return _Term(_shown(holding, f"{source.symbol} weighs nothing", (0, haircut, 0)))
    if price.last_e18 > 0 and value_up(holding.amount_raw, price.last_e18, source.decimals) < rules.dust_usd:
        return _Term(_shown(holding, f"{source.symbol} dust", (0, haircut, 0)))
    if holding.is_frozen:
        return _frozen(holding, (0, haircut, 0))
    reason, most = f"no price of {source.symbol}: {price.reason}", value_max(rules, holding.assurance, haircut)
    gap = Missing(source.column, source.chain, reason, source.kind, most)
    return _Term(_shown(holding, f"{source.symbol} missing: no price", (0, haircut, 0)), gap, price.quality)


def _frozen(holding: Holding, figures: tuple[int, int, int]) -> _Term:
    """Count zero for what its holder cannot move: that is known, so nothing is missing."""
    return _Term(_shown(holding, f"{holding.source.symbol} frozen", figures), quality=Quality.FROZEN_HOLDER)


def _cut(value: int, most: int | None) -> int:
    return value if most is None else min(value, most)


def haircuts_up(holding: Holding, rules: MarginRules) -> tuple[int, int]:
    """Return a holding's composed haircuts in ppm, (maintenance, initial); an asset that no rule weighs loses all."""
    source = holding.source
    outside = (source.bridge_haircut_ppm, PPM - weight_ppm(rules, source))
    for asset in rules.assets:
        if asset.symbol == source.symbol:
            initial = max(asset.haircut_initial_ppm, asset.haircut_maintenance_ppm)
            return (
                compose_haircuts_up(asset.haircut_maintenance_ppm, *outside),
                compose_haircuts_up(initial, *outside),
            )
    return PPM, PPM


def _shown(holding: Holding, label: str, figures: tuple[int, int, int]) -> Line:
    """Return the line of a holding that adds nothing: (price, haircut, marked) are shown, nothing is signed."""
    source, (price, haircut, marked) = holding.source, figures
    return Line(
        label=label,
        chain=source.chain,
        block_number=holding.block_number,
        symbol=source.symbol,
        kind=source.kind,
        assurance=holding.assurance,
        amount_raw=holding.amount_raw,
        decimals=source.decimals,
        price_e18=price,
        haircut_ppm=haircut,
        marked_usd=marked,
        value_usd=0,
        initial_usd=0,
        maintenance_usd=0,
        rounding=Rounding.DOWN,
        leg=None,
    )


# --- positions -------------------------------------------------------------------------------------------------------


def _position_term(account: AccountId, position: Position, price: Price | NoPrice, rules: MarginRules) -> _Term:
    source, size = position.source, position.size_e18
    if size == 0:
        return _priced_position(account, position, None, rules)
    if isinstance(price, NoPrice):
        reason, best = f"no price of {source.symbol}: {price.reason}", _best_of_short(position, rules)
        return _Term(None, Missing(source.column, source.chain, reason, LegKind.POSITION, best), price.quality)
    return _priced_position(account, position, price, rules)


def _priced_position(account: AccountId, position: Position, price: Price | None, rules: MarginRules) -> _Term:
    """Value a position at its price; `price` is None for one of size 0, whose value no price moves."""
    source, size = position.source, position.size_e18
    high = price.high_e18 if price else 0
    mark = (price.low_e18 if size > 0 else high) if price else 0
    notional = mul_div_up(abs(size), high, E18)
    level = min(position.assurance, price.assurance) if price else position.assurance
    if level < (required := required_assurance(rules, notional)):
        weak, best = _too_weak(level, required), _best_of_short(position, rules)
        return _Term(None, Missing(source.column, source.chain, weak, LegKind.POSITION, best))
    leg = MarginLeg(
        holder_key=text_key(caip10(source.chain, home_address(account))),
        chain_key=text_key(source.chain),
        asset_key=Hash32(keccak256(rules.venue_id + source.market)),
        kind=LegKind.POSITION,
        encumbrance=Encumbrance.NOT_APPLICABLE,
        assurance=level,
        amount_raw=size,
        price_e18=mark,
        haircut_ppm=0,
        entry_value_usd=position.entry_value_usd,
        value_usd=mul_div_down(size, mark, E18) - position.entry_value_usd + position.accrued_usd,
        initial_usd=share_up(notional, source.initial_margin_ppm),
        maintenance_usd=share_up(notional, source.maintenance_margin_ppm),
    )
    side = "long" if size > 0 else "short" if size < 0 else "closed"
    label = f"{source.symbol} {side}: size x mark - entry value + accrued"
    return _Term(_line(label, position, leg, notional), quality=price.quality if price else Quality.NONE)


def _best_of_short(position: Position, rules: MarginRules) -> int | None:
    """Return what a short is worth at a price of zero, where nothing must be held against it; None for a long.

    Without a price nobody knows which band its notional falls into: the assurance must do for any value.
    """
    if position.size_e18 > 0 or position.assurance < required_assurance(rules, UINT256_MAX):
        return None
    return position.accrued_usd - position.entry_value_usd


# --- both ------------------------------------------------------------------------------------------------------------


def required_assurance(rules: MarginRules, marked_usd: int) -> Assurance:
    """Return the level that a leg of this marked value must have.

    A policy without bands demands nothing; a value beyond its last band demands the highest level.
    """
    for band in rules.assurance:
        if band.up_to_usd is None or marked_usd <= band.up_to_usd:
            return band.level
    return Assurance.AUTHENTICATED_HEADER if rules.assurance else Assurance.SINGLE_RPC


def value_limit(rules: MarginRules, level: Assurance) -> int | None:
    """Return the largest marked value that evidence of a level carries, UsdE18: None without limit, 0 if none.

    The law of `required_assurance` read the other way; like there, a value beyond the last band demands the highest
    level, and a policy without bands demands nothing.
    """
    if not rules.assurance or level is Assurance.AUTHENTICATED_HEADER:
        return None
    limit = 0
    for band in rules.assurance:
        if band.level <= level:
            if band.up_to_usd is None:
                return None
            limit = max(limit, band.up_to_usd)
    return limit


def value_max(rules: MarginRules, level: Assurance, haircut_ppm: int) -> int | None:
    """Return the most that collateral of an assurance counts for at any amount and price, UsdE18; None: no limit."""
    limit = value_limit(rules, level)
    return None if limit is None else mul_div_down(limit, PPM - haircut_ppm, PPM)


def text_key(text: str) -> Hash32:
    """Return the key of CAIP-2, CAIP-10 or CAIP-19 text."""
    return Hash32(keccak256(text.encode()))


def _holder_key(account: AccountId, holding: Holding) -> Hash32:
    source = holding.source
    return text_key(caip10(source.chain, source.holder or home_address(account)))


def _too_weak(level: Assurance, required: Assurance) -> str:
    return f"assurance {level.name.lower()} is below {required.name.lower()}, which the policy demands of its value"


def _line(label: str, read: Holding | Position, leg: MarginLeg, marked: int, *, is_capped: bool = False) -> Line:
    """Return the readable form of a leg; `marked` is a position's notional."""
    source = read.source
    return Line(
        label=label,
        chain=source.chain,
        block_number=read.block_number,
        symbol=source.symbol,
        kind=leg.kind,
        assurance=leg.assurance,
        amount_raw=leg.amount_raw,
        decimals=source.decimals if isinstance(source, CollateralSource) else E18_DECIMALS,
        price_e18=leg.price_e18,
        haircut_ppm=leg.haircut_ppm,
        marked_usd=marked,
        value_usd=leg.value_usd,
        initial_usd=leg.initial_usd,
        maintenance_usd=leg.maintenance_usd,
        rounding=Rounding.DOWN,
        leg=leg,
        is_capped=is_capped,
    )
