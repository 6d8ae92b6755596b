"""Liquidation facts: what one liquidation of an account could move, and whether it would make things worse.

Nothing is executed and nothing decided here: the venues' own kernels at the low end of prices. Facts are given for an
account that is known in full; with a gap there is nothing to say. Amounts in the tokens' own units.

A liquidation lowers the health factor where health factor < threshold · (1 + bonus): it then takes more weight than it
pays (arXiv 2212.07306). Where threshold · (1 + bonus) >= 1 it does so at any health below 1.

| venue | one fact for | it repays at most |
|---|---|---|
| Aave v3 | each pair of collateral and debt | what the close factor allows |
| Comet | the account, whole | all debt, paid by the reserves, which take all collateral |
| Morpho Blue | the position, and its offered pre-liquidation if any | all of it; the offer's close factor of it |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from proofs.units import E18, mul_div_down, power_of_ten
from relayer.margin.engine.inputs import Account, End, Leg, MarketData, Role
from relayer.margin.fixed_point import PERCENT, WAD, wad_mul_down
from relayer.margin.models.aave import AaveRules
from relayer.margin.models.comet import CometRules
from relayer.margin.models.morpho import MorphoForm, MorphoRules
from relayer.margin.rulesets.aave_v3 import AAVE_REVISIONS, AaveCollateral, AaveDebt, account_figures, terms_bps
from relayer.margin.rulesets.aave_v3_liquidation import AavePair, AaveTotals, liquidate, maximum_repayment
from relayer.margin.rulesets.comet import Answer, CometBase, absorb, is_liquidatable
from relayer.margin.rulesets.morpho import (
    ORACLE_ONE,
    MorphoFigures,
    MorphoSeizure,
    assets_down,
    assets_up,
    incentive_factor_wad,
    position_figures,
    seizure_by_assets,
    seizure_by_shares,
)
from relayer.margin.rulesets.morpho_preliquidation import PreLiquidationState, pre_liquidation_figures

LendingRules = AaveRules | CometRules | MorphoRules
BPS_TO_E18: Final = E18 // PERCENT


class Spiral(StrEnum):
    """Say whether liquidating a pair lowers the health factor; not known where the bonus is not given."""

    NO = "no"
    NOW = "now"
    ALWAYS = "always"
    NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class LiquidationFact:
    """Hold what one liquidation of the largest size may move; zeros while `is_open` is false.

    `collateral` and `debt` are leg names, `collateral` is empty where all of it goes at once. `repayable` is the most
    that may be offered, `repaid` what the collateral suffices for, `seized` includes the protocol's fee and is None
    where there is no single amount or the bonus is not given. `bad_debt` is what nobody pays back. `leaves_dust`: the
    venue refuses this very size. `bonus_e18` is 10^18 for none, 0 where not given, an offer's lowest.
    """

    kind: str
    collateral: str
    debt: str
    is_open: bool
    spiral: Spiral
    bonus_e18: int
    repayable: int = 0
    repaid: int = 0
    seized: int | None = None
    protocol_fee: int = 0
    bad_debt: int = 0
    leaves_dust: bool = False


def liquidation_facts(account: Account, market: MarketData, rules: LendingRules) -> tuple[LiquidationFact, ...]:
    """Return the facts of an account, healthy or not; nothing where something of it is not known, or nothing owed."""
    if isinstance(rules, AaveRules):
        return _aave(account, market, rules)
    if isinstance(rules, CometRules):
        return _comet(account, market, rules)
    return _morpho(account, market, rules)


def spiral_of(health_wad: int, threshold_e18: int, bonus_e18: int) -> Spiral:
    """Tell whether liquidating at this threshold and bonus (10^18 is one, bonus included) lowers the health factor."""
    if bonus_e18 == 0:
        return Spiral.NOT_KNOWN
    taken = threshold_e18 * bonus_e18
    if taken >= E18 * E18:
        return Spiral.ALWAYS
    return Spiral.NOW if health_wad * WAD < taken else Spiral.NO


# --- Aave ------------------------------------------------------------------------------------------------------------


def _aave(account: Account, market: MarketData, rules: AaveRules) -> tuple[LiquidationFact, ...]:
    form = rules.form(account, market, End.LOW)
    if form.gaps or account.unread:
        return ()
    figures = account_figures(form.account, AAVE_REVISIONS[rules.name])
    totals = AaveTotals(figures.collateral_base, figures.debt_base, figures.health_factor_wad)
    facts = []
    for leg, held in form.parts:
        if not isinstance(held, AaveCollateral) or terms_bps(held, figures.revision)[1] == 0:
            continue
        bonus_bps = rules.reserves[leg.asset].bonus_in(account.mode)
        for other, owed in form.parts:
            if isinstance(owed, AaveDebt):
                pair = _pair(held, owed, bonus_bps, rules.reserves[leg.asset].protocol_fee_bps)
                facts.append(_aave_fact(rules, (leg, other), pair, totals, terms_bps(held, figures.revision)[1]))
    return tuple(facts)


def _pair(held: AaveCollateral, owed: AaveDebt, bonus_bps: int, fee_bps: int) -> AavePair:
    return AavePair(
        scaled_collateral=held.scaled,
        collateral_index_ray=held.index_ray,
        collateral_price=held.price,
        collateral_decimals=held.decimals,
        bonus_bps=bonus_bps,
        protocol_fee_bps=fee_bps,
        scaled_debt=owed.scaled,
        debt_index_ray=owed.index_ray,
        debt_price=owed.price,
        debt_decimals=owed.decimals,
    )


def _aave_fact(
    rules: AaveRules, legs: tuple[Leg, Leg], pair: AavePair, totals: AaveTotals, threshold_bps: int
) -> LiquidationFact:
    revision = AAVE_REVISIONS[rules.name]
    bonus = pair.bonus_bps * BPS_TO_E18
    spiral = spiral_of(totals.health_factor_wad, threshold_bps * BPS_TO_E18, bonus)
    names = (legs[0].name, legs[1].name)
    amount = revision.collateral_amount(pair.scaled_collateral, pair.collateral_index_ray)
    if totals.health_factor_wad >= WAD or min(amount, pair.collateral_price, pair.debt_price) == 0:
        return LiquidationFact("liquidation", *names, is_open=False, spiral=spiral, bonus_e18=bonus)
    repayable = maximum_repayment(revision, pair, totals)
    if bonus == 0:
        return LiquidationFact(
            "liquidation", *names, is_open=True, spiral=spiral, bonus_e18=0, repayable=repayable, repaid=repayable
        )
    seizure = liquidate(revision, pair, totals, None)
    return LiquidationFact(
        "liquidation",
        *names,
        is_open=True,
        spiral=spiral,
        bonus_e18=bonus,
        repayable=repayable,
        repaid=seizure.repaid,
        seized=seizure.actual_collateral + seizure.protocol_fee,
        protocol_fee=seizure.protocol_fee,
        bad_debt=seizure.deficit,
        leaves_dust=seizure.leaves_dust,
    )


# --- Comet -----------------------------------------------------------------------------------------------------------


def _comet(account: Account, market: MarketData, rules: CometRules) -> tuple[LiquidationFact, ...]:
    """Return the absorption: the reserves pay all debt, and lose what the collateral credited for it falls short."""
    form = rules.form(account, market, End.LOW)
    debts = [leg for leg, part in form.parts if isinstance(part, CometBase)]
    if form.gaps or account.unread or form.account.base.principal >= 0:
        return ()
    is_open = is_liquidatable(form.account) is Answer.YES
    name = debts[0].name
    if not is_open or not form.account.base.price:
        return (LiquidationFact("absorption", "", name, is_open=is_open, spiral=Spiral.NO, bonus_e18=E18),)
    result, base = absorb(form.account), form.account.base
    credited = mul_div_down(result.seized_value, power_of_ten(base.decimals), form.account.base.price)
    return (
        LiquidationFact(
            "absorption",
            "",
            name,
            is_open=True,
            spiral=Spiral.NO,
            bonus_e18=E18,
            repayable=result.base_paid_out,
            repaid=result.base_paid_out,
            bad_debt=max(0, result.base_paid_out - credited),
        ),
    )


# --- Morpho ----------------------------------------------------------------------------------------------------------


def _morpho(account: Account, market: MarketData, rules: MorphoRules) -> tuple[LiquidationFact, ...]:
    form = rules.form(account, market, End.LOW)
    held = [leg.name for leg in form.legs if leg.role is Role.COLLATERAL]
    owed = [leg.name for leg in form.legs if leg.role is Role.DEBT]
    if form.gaps or account.unread or not held or not owed:
        return ()
    figures = position_figures(form.market, form.position)
    bonus = incentive_factor_wad(rules.lltv_wad)
    spiral = spiral_of(figures.health_factor_wad, rules.lltv_wad, bonus)
    if figures.is_healthy or form.market.price == 0:
        fact = LiquidationFact("liquidation", held[0], owed[0], not figures.is_healthy, spiral, bonus)
        return (fact, *_pre_liquidation(form, rules, figures, (held[0], owed[0])))
    seizure = _largest_seizure(form)
    fact = LiquidationFact(
        "liquidation",
        held[0],
        owed[0],
        is_open=True,
        spiral=spiral,
        bonus_e18=bonus,
        repayable=figures.borrowed,
        repaid=seizure.repaid_assets,
        seized=seizure.seized_collateral,
        bad_debt=seizure.bad_debt_assets,
    )
    return (fact,)


def _largest_seizure(form: MorphoForm) -> MorphoSeizure:
    """Return the seizure for all shares, or for all collateral where that is less."""
    market, position = form.market, form.position
    repaid = assets_down(position.borrow_shares, market.borrow_assets, market.borrow_shares)
    quoted = wad_mul_down(repaid, incentive_factor_wad(market.lltv_wad))
    if mul_div_down(quoted, ORACLE_ONE, market.price) <= position.collateral:
        return seizure_by_shares(market, position, position.borrow_shares)
    return seizure_by_assets(market, position, position.collateral)


def _pre_liquidation(
    form: MorphoForm, rules: MorphoRules, figures: MorphoFigures, names: tuple[str, str]
) -> tuple[LiquidationFact, ...]:
    if rules.pre is None or form.market.price == 0:
        return ()
    pre = pre_liquidation_figures(form.market, form.position, rules.pre)
    bonus = rules.pre.incentive_factors_wad[0]
    spiral = spiral_of(figures.health_factor_wad, rules.lltv_wad, bonus)
    repaid = assets_up(pre.repayable_shares, form.market.borrow_assets, form.market.borrow_shares)
    is_open = pre.state is PreLiquidationState.PRE_LIQUIDATABLE
    return (
        LiquidationFact(
            "pre-liquidation",
            *names,
            is_open=is_open,
            spiral=spiral,
            bonus_e18=bonus,
            repayable=repaid,
            repaid=repaid,
            seized=pre.seizable_collateral if is_open else None,
        ),
    )
