"""What the margin verbs compute of one account, and its JSON; money and amounts leave as exact decimal strings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proofs.types import Quality
from proofs.units import format_decimal, rescale_down, rescale_up
from relayer.cli.margin_greeks import greeks_json, greeks_of
from relayer.cli.margin_text import price_at
from relayer.errors import ConfigError, Fault
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, Leg, Role
from relayer.margin.engine.result import Evaluation, TermLine, Unit
from relayer.margin.greeks import AccountGreeks
from relayer.margin.liquidation import LiquidationFact, liquidation_facts
from relayer.margin.models.aave import AaveRules
from relayer.margin.models.comet import CometRules
from relayer.margin.models.morpho import MorphoRules
from relayer.margin.netting.exposures import Exposure, exposures
from relayer.margin.netting.groups import parts
from relayer.margin.netting.requirement import PARTS_MAX, Netting, NettingTerms, netting
from relayer.margin.solve.cure import Cure, Way, cures
from relayer.margin.solve.liquidation_price import LiquidationPrice, PriceFlip, liquidation_prices
from relayer.margin.solve.wipe_out import WipeOut, wipe_out
from relayer.margin.solve.withdrawable import Withdrawable, withdrawables
from relayer.margin.solve.without import By
from relayer.margin.view import Purpose
from relayer.portfolio.conversions import balance_for, balance_of, price_shift
from relayer.portfolio.portfolio import Portfolio

if TYPE_CHECKING:
    from relayer.cli.output import Json
    from relayer.portfolio.account_tables import VenueSaid

PURPOSES: Final = (Purpose.INITIAL, Purpose.MAINTENANCE, Purpose.LIQUIDATION_END)
UNITS_DECIMALS: Final = 18


@dataclass(frozen=True, slots=True)
class Figures:
    """Hold what is known of one account, or of one risk group of it; without a search, nothing that needs one."""

    account: Account
    results: Mapping[Purpose, Evaluation]
    prices: tuple[LiquidationPrice, ...]
    market_shock: WipeOut | None
    withdrawable: tuple[Withdrawable, ...]
    cures: tuple[Cure, ...]
    facts: tuple[LiquidationFact, ...]
    said: VenueSaid | None
    greeks: AccountGreeks | None


@dataclass(frozen=True, slots=True)
class Together:
    """Hold one account's exposures, and what its chains or venues need apart and together."""

    account: str
    exposures: tuple[Exposure, ...]
    netting: Netting


def chosen(portfolio: Portfolio, name: str) -> tuple[Account, ...]:
    """Return the account of that name, all for an empty one. Raises: ConfigError for an unknown one."""
    if not name:
        return portfolio.accounts
    found = tuple(account for account in portfolio.accounts if account.name == name)
    if not found:
        names = ", ".join(account.name for account in portfolio.accounts[:10])
        raise ConfigError("option --account", Fault("", f"no account {name!r} in {portfolio.source}", f"write {names}"))
    return found


def purpose_of(text: str) -> Purpose:
    """Return a purpose by name. Raises: ConfigError for an unknown one."""
    try:
        return Purpose(text)
    except ValueError:
        fault = Fault("", f"no purpose {text!r}", f"write one of {', '.join(Purpose)}")
        raise ConfigError("option --purpose", fault) from None


@contextmanager
def weighing(portfolio: Portfolio) -> Iterator[None]:
    """Turn what a rule set refuses while it weighs into a fault of the file. Raises: ConfigError."""
    try:
        yield
    except ValueError as error:
        fix = "the parameters contradict themselves, the market or the accounts"
        raise ConfigError(portfolio.source, Fault("rules", str(error), fix)) from error


def evaluations(portfolio: Portfolio, account: Account) -> Mapping[Purpose, Evaluation]:
    """Evaluate an account for every purpose. Raises: ConfigError for parameters that contradict themselves."""
    with weighing(portfolio):
        return {
            purpose: evaluate(account, portfolio.market, portfolio.rules, purpose, buffer_ppm=portfolio.buffer_ppm)
            for purpose in PURPOSES
        }


def figures_of(portfolio: Portfolio, account: Account, *, with_search: bool = True) -> tuple[Figures, ...]:
    """Return the figures of an account, of each of its risk groups where it has several.

    Raises: ConfigError for parameters that contradict themselves.
    """
    divided = parts(account, By.GROUP)
    with weighing(portfolio):
        if len(divided) == 1:
            return (_figures(portfolio, account, portfolio.said.get(account.name), with_search=with_search),)
        return tuple(
            _figures(portfolio, _named(part, f"{account.name} [{key or 'rest'}]"), None, with_search=with_search)
            for key, part in divided
        )


def _named(account: Account, name: str) -> Account:
    return Account(name, account.legs, account.mode, account.unread)


def _figures(portfolio: Portfolio, account: Account, said: VenueSaid | None, *, with_search: bool) -> Figures:
    market, rules, results = portfolio.market, portfolio.rules, evaluations(portfolio, account)
    facts: tuple[LiquidationFact, ...] = ()
    if isinstance(portfolio.core, AaveRules | CometRules | MorphoRules):
        facts = liquidation_facts(account, market, portfolio.core)
    if not with_search:
        return Figures(account, results, (), None, (), (), facts, said, greeks_of(portfolio, account))
    return Figures(
        account=account,
        results=results,
        prices=liquidation_prices(account, market, rules),
        market_shock=wipe_out(account, market, rules),
        withdrawable=withdrawables(account, market, rules),
        cures=cures(account, market, rules, buffer_ppm=portfolio.buffer_ppm),
        facts=facts,
        said=said,
        greeks=greeks_of(portfolio, account),
    )


def together_of(portfolio: Portfolio, account: Account) -> Together | None:
    """Return exposures and netting of an account on several chains or venues, at most `PARTS_MAX`; None else.

    Raises: ConfigError for parameters that contradict themselves.
    """
    by = next((by for by in (By.CHAIN, By.VENUE) if 1 < len(parts(account, by)) <= PARTS_MAX), None)
    if by is None:
        return None
    sizes = {leg.name: size for leg in account.legs if (size := _size(portfolio, leg)) is not None}
    with weighing(portfolio):
        found = netting(account, portfolio.market, portfolio.rules, Purpose.MAINTENANCE, NettingTerms(by))
    return Together(account.name, exposures(account, portfolio.market, sizes), found)


def _size(portfolio: Portfolio, leg: Leg) -> int | None:
    """Return a lending leg's balance, signed, in whole units at 1e18."""
    if leg.role not in (Role.COLLATERAL, Role.DEBT):
        return None
    balance = balance_of(leg, leg.amount, portfolio.market, portfolio.core)
    if balance is None:
        return None
    if leg.role is Role.DEBT:
        return -rescale_up(balance, leg.decimals, UNITS_DECIMALS)
    return rescale_down(balance, leg.decimals, UNITS_DECIMALS)


def shift_of(portfolio: Portfolio) -> int:
    """Return what to add to a price's decimals to show it as it is written in files."""
    return price_shift(portfolio.core, portfolio.decimals)


def balance_text(portfolio: Portfolio, leg_name: str, account: Account, amount: int) -> tuple[int, int]:
    """Return an amount of a leg as a balance with its decimals; the amount itself where the market does not say."""
    leg = next((one for one in account.legs if one.name == leg_name), None)
    if leg is None:
        return amount, UNITS_DECIMALS
    balance = balance_of(leg, amount, portfolio.market, portfolio.core)
    return (amount if balance is None else balance), leg.decimals


def cure_balance(portfolio: Portfolio, account: Account, cure: Cure) -> tuple[int, int]:
    """Return the least balance that a cure takes, with its decimals; sizes of positions as they are."""
    leg = next((one for one in account.legs if one.name == cure.leg), None)
    if leg is None or cure.way is Way.REDUCE:
        return cure.amount, cure.decimals
    is_owed = cure.way is Way.REPAY
    balance = balance_for(leg, cure.amount, portfolio.market, portfolio.core, is_owed=is_owed)
    return (cure.amount if balance is None else balance), leg.decimals


# --- JSON ------------------------------------------------------------------------------------------------------------


def figures_json(portfolio: Portfolio, figures: Figures) -> dict[str, Json]:
    """Return an account's figures as JSON."""
    maintenance = figures.results[Purpose.MAINTENANCE]
    shift = shift_of(portfolio)
    return {
        "account": figures.account.name,
        "verdict": str(maintenance.verdict),
        "evaluations": {
            str(purpose): evaluation_json(portfolio, figures.account, one) for purpose, one in figures.results.items()
        },
        "liquidation_prices": [_price_json(one, shift) for one in figures.prices],
        "market_shock_ppm": None if figures.market_shock is None else _shock_json(figures.market_shock),
        "withdrawable": [
            {
                "leg": one.leg,
                "amount": format_decimal(one.amount, one.decimals),
                "balance": format_decimal(*balance_text(portfolio, one.leg, figures.account, one.amount)),
                "limit": one.reason,
            }
            for one in figures.withdrawable
        ],
        "greeks": greeks_json(figures.greeks),
        "cures": [_cure_json(portfolio, figures.account, one) for one in figures.cures],
        "liquidations": [_fact_json(figures.account, one) for one in figures.facts],
        "venue_getter": None if figures.said is None else said_json(figures.said, maintenance),
    }


def evaluation_json(portfolio: Portfolio, account: Account, result: Evaluation) -> dict[str, Json]:
    """Return an evaluation as JSON; lines add up to equity and requirement exactly."""
    unit, health = result.unit, result.health
    return {
        "rule_set": result.rule_set,
        "unit": unit.symbol,
        "verdict": str(result.verdict),
        "equity": exact(result.equity, unit),
        "requirement": exact(result.requirement, unit),
        "excess": exact(result.excess, unit),
        "stress_requirement": (None if result.stress_requirement is None else exact(result.stress_requirement, unit)),
        "excess_high": None if result.excess_high is None else exact(result.excess_high, unit),
        "collateral": exact(result.collateral, unit),
        "debt": exact(result.debt, unit),
        "health": {
            "margin_ratio": _ratio(health.margin_ratio),
            "health_factor": _ratio(health.health_factor),
            "ltv": _ratio(health.ltv),
            "gearing": _ratio(health.gearing),
        },
        "worst_scenario": result.worst,
        "quality": quality_names(result.quality),
        "lines": [_line_json(portfolio, account, line, unit) for line in result.lines],
        "gaps": [{"leg": gap.leg, "reason": gap.reason, "is_collateral": gap.is_collateral} for gap in result.gaps],
    }


def exact(value: int, unit: Unit) -> str:
    """Return money as an exact decimal string."""
    return format_decimal(value, unit.decimals)


def quality_names(quality: Quality) -> list[Json]:
    """Return the names of an evaluation's marks."""
    return [mark.name.lower() for mark in Quality if mark and mark in quality and mark.name is not None]


def _ratio(value: int | None) -> str | None:
    return None if value is None else format_decimal(value, UNITS_DECIMALS)


def _line_json(portfolio: Portfolio, account: Account, line: TermLine, unit: Unit) -> dict[str, Json]:
    return {
        "label": line.label,
        "leg": line.leg,
        "asset": line.asset,
        "chain": line.chain,
        "block": line.block_number,
        "amount": format_decimal(line.amount, line.decimals),
        "balance": format_decimal(*balance_text(portfolio, line.leg, account, line.amount)),
        "price": format_decimal(*price_at(line.price, line.price_decimals, shift_of(portfolio))),
        "equity": exact(line.value, unit),
        "requirement": exact(line.requirement, unit),
        "exposure": exact(line.exposure, unit),
        "rounding": str(line.rounding),
    }


def _price_json(found: LiquidationPrice, shift: int) -> dict[str, Json]:
    def flip(one: PriceFlip | None) -> Json:
        if one is None:
            return None
        price = format_decimal(*price_at(one.price, found.decimals, shift))
        return {"price": price, "verdict": str(one.verdict), "is_exact": one.is_exact}

    return {
        "asset": found.asset,
        "price": format_decimal(*price_at(found.price, found.decimals, shift)),
        "verdict": str(found.verdict),
        "below": flip(found.below),
        "above": flip(found.above),
    }


def _shock_json(found: WipeOut) -> dict[str, Json]:
    return {
        "to_breach": {"down": found.to_breach.down_ppm, "up": found.to_breach.up_ppm},
        "to_zero": {"down": found.to_zero.down_ppm, "up": found.to_zero.up_ppm},
        "is_exact": found.is_exact,
    }


def _cure_json(portfolio: Portfolio, account: Account, cure: Cure) -> dict[str, Json]:
    return {
        "way": str(cure.way),
        "leg": cure.leg,
        "asset": cure.asset,
        "chain": cure.chain,
        "amount": format_decimal(cure.amount, cure.decimals),
        "balance": format_decimal(*cure_balance(portfolio, account, cure)),
        "cost": exact(cure.cost, portfolio.rules.unit),
    }


def _fact_json(account: Account, fact: LiquidationFact) -> dict[str, Json]:
    owed = account.leg(fact.debt).decimals
    held = account.leg(fact.collateral).decimals if fact.collateral else UNITS_DECIMALS
    return {
        "kind": fact.kind,
        "collateral": fact.collateral,
        "debt": fact.debt,
        "is_open": fact.is_open,
        "spiral": str(fact.spiral),
        "bonus": format_decimal(fact.bonus_e18, UNITS_DECIMALS),
        "repayable": format_decimal(fact.repayable, owed),
        "repaid": format_decimal(fact.repaid, owed),
        "seized": None if fact.seized is None else format_decimal(fact.seized, held),
        "protocol_fee": format_decimal(fact.protocol_fee, held),
        "bad_debt": format_decimal(fact.bad_debt, owed),
        "leaves_dust": fact.leaves_dust,
    }


def compared(said: VenueSaid, result: Evaluation) -> Sequence[tuple[str, int, int, int]]:
    """Return (figure, ours, the venue's, decimals) of every figure that the venue's getter gave."""
    decimals = result.unit.decimals
    pairs = (
        ("health factor", result.health.health_factor, said.health_factor, UNITS_DECIMALS),
        ("equity", result.equity, said.equity, decimals),
        ("requirement", result.requirement, said.requirement, decimals),
        ("collateral", result.collateral, said.collateral, decimals),
        ("debt", result.debt, said.debt, decimals),
    )
    return [(name, ours, theirs, at) for name, ours, theirs, at in pairs if ours is not None and theirs is not None]


def said_json(said: VenueSaid, result: Evaluation) -> dict[str, Json]:
    """Return the venue's own figures beside ours, with the difference."""
    figures: dict[str, Json] = {
        name.replace(" ", "_"): {
            "ours": format_decimal(ours, decimals),
            "venue": format_decimal(theirs, decimals),
            "difference": format_decimal(ours - theirs, decimals),
        }
        for name, ours, theirs, decimals in compared(said, result)
    }
    return {"call": said.call, "block": said.block_number, "is_healthy": said.is_healthy, "figures": figures}


def together_json(found: Together, unit: Unit) -> dict[str, Json]:
    """Return exposures and netting as JSON."""
    result = found.netting
    return {
        "account": found.account,
        "exposures": [
            {
                "asset": one.asset,
                "long": format_decimal(one.units.long, UNITS_DECIMALS),
                "short": format_decimal(one.units.short, UNITS_DECIMALS),
                "by_chain": {str(chain): format_decimal(size, UNITS_DECIMALS) for chain, size in one.chains},
                "not_sized": list(one.unsized),
            }
            for one in found.exposures
        ],
        "netting": {
            "by": str(result.by),
            "isolated": {
                key: {"equity": exact(part.equity, unit), "requirement": exact(part.requirement, unit)}
                for key, part in result.isolated
            },
            "isolated_requirement": exact(result.isolated_requirement, unit),
            "unified_requirement": exact(result.unified_requirement, unit),
            "benefit_ppm": result.benefit_ppm,
            "advice": str(result.advice),
        },
    }
