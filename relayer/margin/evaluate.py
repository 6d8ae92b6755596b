"""Evaluate one account: exact integers in, one margin view and its leaf out; no clock, no network, no float.

`evaluate_account` is the only path to an attested leaf, because it starts from a verified snapshot; `evaluate` is the
same function behind it, for tests, what-if and provisional readings.

The engine's `evaluate` (`relayer.margin.engine`) is another function: it weighs engine accounts by any rule set, and
asks this one for `cross_perp@1` (`models.cross_perp`). Nothing that is signed passes through the engine.

    equity E = collateral - liability

| first that holds | status |
|---|---|
| a figure leaves 128 bits | unknown |
| what is owed is missing, or collateral is and E < MM without it | liquidatable if E < MM at best, else unknown |
| liability > Σ marked value of the assets + Σ positive PnL | bad_debt |
| E < MM | liquidatable |
| E < margin_call x MM (cross products; equality is milder) | margin_call |
| E < warning x MM | warning |
| else | healthy |

What is missing never helps: missing collateral counts zero; where what is owed is missing the leaf carries bounds. E at
best is what is known and the best case of everything missing; it exists only where each of them has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from proofs.attestation import MarginLeaf, MarginLeg, legs_root
from proofs.types import ZERO_HASH, AccountId, Assurance, Encumbrance, Hash32, LegKind, Quality, Status, caip10
from proofs.units import PPM, UINT128_MAX, UINT256_MAX, UsdE18
from proofs.verify import VerifiedSnapshot
from relayer.margin.account import Portfolio, home_address, portfolio_of
from relayer.margin.market import Market
from relayer.margin.rules import MarginRules, StatusLevels
from relayer.margin.rulesets import RULE_SETS
from relayer.margin.rulesets.position import text_key
from relayer.margin.view import Line, MarginView, Missing, Rounding

INT256_MAX: Final = 2**255 - 1


@dataclass(frozen=True, slots=True)
class _Figures:
    """Hold the sums over the lines, UsdE18; `marked` is what the assets would bring without haircuts."""

    collateral: int
    liability: int
    initial: int
    maintenance: int
    marked: int

    @property
    def equity(self) -> int:
        return self.collateral - self.liability


def evaluate_account(
    snapshot: VerifiedSnapshot, market: Market, account: AccountId, rules: MarginRules, quality: Quality
) -> MarginView:
    """Evaluate an account of a verified snapshot; `quality` holds the marks of the whole policy (devnet).

    Raises: ValueError for an account that is not in the snapshot, KeyError for an unknown rule set.
    """
    return evaluate(portfolio_of(snapshot, account, rules, quality), market, rules)


def evaluate(portfolio: Portfolio, market: Market, rules: MarginRules) -> MarginView:
    """Evaluate a portfolio at a market by the policy's rule set; lines and legs add up to all four figures.

    Raises: KeyError for an unknown rule set.
    """
    terms = RULE_SETS[rules.rule_set](portfolio, market, rules)
    lines, missing = terms.lines, portfolio.missing + terms.missing
    if not _fits(lines):
        reason = "limit_exceeded: a figure does not fit 128 bits, or an amount 255"
        missing += (Missing("figures", rules.venue_chain, reason, LegKind.REQUIREMENT),)
        lines = ()
    known = _sums(lines)
    equity_high = _equity_high(known, missing)
    status = _status(known, rules.status, missing, equity_high)
    if _is_owed_missing(missing):
        lines += (_bound_line(portfolio.account, rules, known),)
    figures = _sums(lines)
    quality = portfolio.quality | terms.quality | (Quality.DEGRADED_LEG if missing else Quality.NONE)
    assurance = _assurance(portfolio, lines)
    legs = [line.leg for line in lines if line.leg is not None]
    return MarginView(
        account=portfolio.account,
        status=status,
        assurance=assurance,
        quality=quality,
        collateral_usd=UsdE18(figures.collateral),
        liability_usd=UsdE18(figures.liability),
        initial_margin_usd=UsdE18(figures.initial),
        maintenance_margin_usd=UsdE18(figures.maintenance),
        equity_high_usd=equity_high,
        lines=lines,
        missing=missing,
        leaf=MarginLeaf(
            account_id=portfolio.account,
            venue_id=rules.venue_id,
            status=status,
            assurance=assurance,
            quality=quality,
            collateral_usd=figures.collateral,
            liability_usd=figures.liability,
            initial_margin_usd=figures.initial,
            maintenance_margin_usd=figures.maintenance,
            legs_root=legs_root(legs),
        ),
    )


def status_of_figures(equity: int, maintenance: int, has_bad_debt: bool, levels: StatusLevels) -> Status:
    """Return the status of figures that are fully known; cross products instead of ratios, equality is milder."""
    if has_bad_debt:
        return Status.BAD_DEBT
    if equity < maintenance:
        return Status.LIQUIDATABLE
    if equity * PPM < maintenance * levels.margin_call_ppm:
        return Status.MARGIN_CALL
    if equity * PPM < maintenance * levels.warning_ppm:
        return Status.WARNING
    return Status.HEALTHY


def _status(known: _Figures, levels: StatusLevels, missing: tuple[Missing, ...], equity_high: int | None) -> Status:
    has_bad_debt = known.liability > known.marked
    if _is_owed_missing(missing) or (missing and (has_bad_debt or known.equity < known.maintenance)):
        is_below_at_best = equity_high is not None and equity_high < known.maintenance
        return Status.LIQUIDATABLE if is_below_at_best else Status.UNKNOWN
    return status_of_figures(known.equity, known.maintenance, has_bad_debt, levels)


def _is_owed_missing(missing: tuple[Missing, ...]) -> bool:
    return any(not gap.is_collateral for gap in missing)


def _equity_high(known: _Figures, missing: tuple[Missing, ...]) -> int | None:
    """Return equity with everything missing at its best, or None if anything missing has no upper bound."""
    best = [gap.best_usd for gap in missing if gap.best_usd is not None]
    return known.equity + sum(best) if len(best) == len(missing) else None


def _sums(lines: tuple[Line, ...]) -> _Figures:
    return _Figures(
        collateral=sum(line.value_usd for line in lines if line.value_usd > 0),
        liability=-sum(line.value_usd for line in lines if line.value_usd < 0),
        initial=sum(line.initial_usd for line in lines),
        maintenance=sum(line.maintenance_usd for line in lines),
        marked=sum(line.brings_usd for line in lines),
    )


def _fits(lines: tuple[Line, ...]) -> bool:
    """Tell whether the figures fit the leaf and each leg its wire types; what does not fit is never cut off."""
    figures = _sums(lines)
    if max(figures.collateral, figures.liability, figures.initial, figures.maintenance) > UINT128_MAX:
        return False
    return all(_leg_fits(line.leg) for line in lines if line.leg is not None)


def _leg_fits(leg: MarginLeg) -> bool:
    signed = (leg.amount_raw, leg.entry_value_usd, leg.value_usd)
    return leg.price_e18 <= UINT256_MAX and all(-INT256_MAX <= value <= INT256_MAX for value in signed)


def _assurance(portfolio: Portfolio, lines: tuple[Line, ...]) -> Assurance:
    """Return that of the weakest part: contributing legs and every position read, open or not.

    That nothing is owed is a claim like any other, so a position of size 0 counts. Without legs all cells count.
    """
    positions = [position.assurance for position in portfolio.positions]
    legs = [line.assurance for line in lines if line.leg is not None and line.kind is not LegKind.REQUIREMENT]
    levels = positions + (legs or [holding.assurance for holding in portfolio.holdings])
    return min(levels, default=Assurance.SINGLE_RPC)


def _bound_line(account: AccountId, rules: MarginRules, known: _Figures) -> Line:
    """Return the line that lifts what is owed and required to the largest value there is."""
    value = known.liability - UINT128_MAX
    initial, maintenance = UINT128_MAX - known.initial, UINT128_MAX - known.maintenance
    leg = MarginLeg(
        holder_key=text_key(caip10(rules.venue_chain, home_address(account))),
        chain_key=text_key(rules.venue_chain),
        asset_key=Hash32(ZERO_HASH),
        kind=LegKind.REQUIREMENT,
        encumbrance=Encumbrance.NOT_APPLICABLE,
        assurance=Assurance.SINGLE_RPC,
        amount_raw=0,
        price_e18=0,
        haircut_ppm=0,
        entry_value_usd=0,
        value_usd=value,
        initial_usd=initial,
        maintenance_usd=maintenance,
    )
    return Line(
        label="bound: what is owed or required is not known",
        chain=rules.venue_chain,
        block_number=0,
        symbol="",
        kind=LegKind.REQUIREMENT,
        assurance=Assurance.SINGLE_RPC,
        amount_raw=0,
        decimals=0,
        price_e18=0,
        haircut_ppm=0,
        marked_usd=0,
        value_usd=value,
        initial_usd=initial,
        maintenance_usd=maintenance,
        rounding=Rounding.EXACT,
        leg=leg,
    )
