"""`relayer margin explain`: what a file's accounts amount to, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from proofs.units import E18
from relayer.cli.margin_figures import (
    PURPOSES,
    Figures,
    Together,
    balance_text,
    chosen,
    compared,
    cure_balance,
    evaluations,
    figures_json,
    figures_of,
    purpose_of,
    quality_names,
    shift_of,
    together_json,
    together_of,
)
from relayer.cli.margin_greeks import tell_greeks
from relayer.cli.margin_text import (
    amount,
    gap_text,
    grouped,
    health_text,
    line_rows,
    money,
    percent,
    percent_of_ppm,
    price_at,
    ratio,
    right,
    when,
)
from relayer.cli.output import ExitCode, Json, Report
from relayer.margin.engine.inputs import Role
from relayer.margin.engine.result import Evaluation, TermLine, Verdict
from relayer.margin.solve.liquidation_price import LiquidationPrice, PriceFlip
from relayer.margin.view import Purpose
from relayer.portfolio.portfolio import Portfolio, load_portfolio

if TYPE_CHECKING:
    from pathlib import Path

    from relayer.margin.engine.inputs import Account

DETAILED_MAX: Final = 20
"""Accounts explained in full at once; a longer file is listed, and each account is to be asked for."""
OPTIONS_QUICK: Final = 8
LEGS_QUICK: Final = 16
"""What one account may hold to be searched within seconds: up to 600 evaluations an asset."""
SMALL_PPM: Final = 1_000_000


def explain_file(report: Report, file: Path, name: str, purpose_text: str, *, with_search: bool) -> None:
    """Explain the accounts of a file; `with_search` asks for liquidation prices, what may leave, and cures."""
    purpose = purpose_of(purpose_text)
    portfolio = load_portfolio(file)
    accounts = chosen(portfolio, name)
    head: dict[str, Json] = {
        "title": portfolio.title,
        "rule_set": portfolio.rules.name,
        "as_of_s": portfolio.market.as_of_s,
    }
    _title(report, portfolio, len(accounts))
    if len(accounts) > DETAILED_MAX:
        _listed(report, portfolio, accounts)
        return
    found: list[Figures] = []
    for account in accounts:
        if with_search and _is_slow(account):
            report.progress(f"searching prices that would liquidate {account.name}; --no-search leaves that out")
        found += figures_of(portfolio, account, with_search=with_search)
    joint = [one for account in accounts if (one := together_of(portfolio, account)) is not None]
    report.data = {
        **head,
        "accounts": [figures_json(portfolio, one) for one in found],
        "together": [together_json(one, portfolio.rules.unit) for one in joint],
    }
    for figures in found:
        _account(report, portfolio, figures, purpose)
    for one in joint:
        _together(report, portfolio, one)
    report.line()
    report.line("Figures are cut to fit, against the account. `--json` has every digit; there lines add up exactly.")
    _finish(report, [figures.results[Purpose.MAINTENANCE] for figures in found], [one.account.name for one in found])


def _is_slow(account: Account) -> bool:
    return len(account.legs) > LEGS_QUICK or sum(leg.role is Role.OPTION for leg in account.legs) > OPTIONS_QUICK


def _title(report: Report, portfolio: Portfolio, count: int) -> None:
    if portfolio.title:
        report.line(portfolio.title)
    number = f"{count} account{'' if count == 1 else 's'}"
    unit = portfolio.rules.unit.symbol
    report.line(f"{portfolio.rules.name}, as of {when(portfolio.market.as_of_s)}, {number}, money in {unit}")


def _listed(report: Report, portfolio: Portfolio, accounts: Sequence[Account]) -> None:
    """List many accounts, worst first."""
    results = [(account.name, evaluations(portfolio, account)[Purpose.MAINTENANCE]) for account in accounts]
    order = (Verdict.UNHEALTHY, Verdict.UNKNOWN, Verdict.HEALTHY)
    results.sort(key=lambda one: (order.index(one[1].verdict), one[1].excess))
    unit = portfolio.rules.unit
    report.data = {
        "title": portfolio.title,
        "rule_set": portfolio.rules.name,
        "as_of_s": portfolio.market.as_of_s,
        "accounts": [{"account": name, "verdict": str(one.verdict)} for name, one in results],
        "together": [],
    }
    heads = ("account", "equity", "maintenance", "excess", "health factor", "verdict")
    rows = [
        (
            name,
            money(one.equity, unit),
            money(one.requirement, unit, up=True),
            money(one.excess, unit),
            ratio(one.health.health_factor),
            str(one.verdict),
        )
        for name, one in results
    ]
    report.table(heads, right((1, 2, 3, 4), rows, heads))
    report.line("`--account NAME` explains one of them to the last unit.")
    _finish(report, [one for _, one in results], [name for name, _ in results])


def _finish(report: Report, results: Sequence[Evaluation], names: Sequence[str]) -> None:
    unknown = [name for name, one in zip(names, results, strict=True) if one.verdict is Verdict.UNKNOWN]
    if unknown:
        report.incomplete += [f"the verdict of {name} is unknown" for name in unknown]
        report.fail(ExitCode.INCOMPLETE)


def _account(report: Report, portfolio: Portfolio, figures: Figures, purpose: Purpose) -> None:
    result = figures.results[purpose]
    report.line()
    report.line(f"== {figures.account.name}: {figures.results[Purpose.MAINTENANCE].verdict}")
    report.table(*_purpose_table(figures))
    report.line(f"{purpose}: {health_text(result.health)}")
    if result.worst:
        report.line(f"worst scenario: {result.worst}")
    if result.stress_requirement is not None and result.stress_requirement != result.requirement:
        stress = money(result.stress_requirement, result.unit, up=True)
        report.line(f"without any credit the requirement would be {stress}")
    if result.excess_high is not None and result.excess_high != result.excess:
        report.line(
            f"prices are intervals: excess lies between {money(result.excess, result.unit)} and "
            f"{money(result.excess_high, result.unit)}"
        )
    if result.quality:
        report.line(f"marks: {', '.join(str(name) for name in quality_names(result.quality))}")
    for gap in result.gaps:
        report.line(gap_text(gap))
    report.line()
    report.line(f"The terms of {purpose}:")

    def balance(line: TermLine) -> tuple[int, int]:
        return balance_text(portfolio, line.leg, figures.account, line.amount)

    report.table(*line_rows(result, shift_of(portfolio), balance))
    tell_greeks(report, figures.greeks)
    _solved(report, portfolio, figures)
    _liquidations(report, figures)
    if figures.said is not None:
        _said(report, figures)


def _purpose_table(figures: Figures) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    heads = ("purpose", "equity", "requirement", "excess", "ratio", "verdict")
    rows = [
        (
            str(purpose),
            money(one.equity, one.unit),
            money(one.requirement, one.unit, up=True),
            money(one.excess, one.unit),
            ratio(one.health.margin_ratio),
            str(one.verdict),
        )
        for purpose, one in ((purpose, figures.results[purpose]) for purpose in PURPOSES)
    ]
    return heads, right((1, 2, 3, 4), rows, heads)


def _solved(report: Report, portfolio: Portfolio, figures: Figures) -> None:
    shift = shift_of(portfolio)
    rows = [_price_row(one, shift) for one in figures.prices if one.below or one.above]
    if rows:
        heads = ("liquidation price", "now", "below", "away", "above", "away ")
        if any(one.is_recovery for one in figures.prices):
            heads = ("healthy again at", *heads[1:])
        report.table(heads, right((1, 2, 3, 4, 5), rows, heads))
    shock = figures.market_shock
    if shock is not None and figures.results[Purpose.MAINTENANCE].is_healthy:
        down, up = shock.to_breach.down_ppm, shock.to_breach.up_ppm
        falls = "no fall" if down is None else f"a fall of {percent_of_ppm(-down).lstrip('+')}"
        rises = "no rise" if up is None else f"a rise of {percent_of_ppm(up).lstrip('+')}"
        report.line(f"All prices together: {falls} and {rises} of them all would breach maintenance.")
    may_leave = [one for one in figures.withdrawable if one.amount > 0]
    for leaving in may_leave:
        text = amount(*balance_text(portfolio, leaving.leg, figures.account, leaving.amount))
        report.line(f"May leave {leaving.leg}: {text} {leaving.asset} (limit: {leaving.reason}).")
    is_flagged = figures.results[Purpose.MAINTENANCE].verdict is Verdict.UNHEALTHY
    first = "Smallest cure" if is_flagged else "Out of reach of a flag by"
    for number, cure in enumerate(figures.cures):
        text = amount(*cure_balance(portfolio, figures.account, cure), up=True)
        lead = first if number == 0 else "or".rjust(len(first))
        cost = money(cure.cost, portfolio.rules.unit, up=True)
        report.line(f"{lead}: {cure.way} {text} {cure.asset} ({cure.leg}, {cure.chain}), {cost}.")


def _price_row(found: LiquidationPrice, shift: int) -> tuple[str, ...]:
    def cells(flip: PriceFlip | None) -> tuple[str, str]:
        if flip is None:
            return "none", ""
        distance = (flip.price - found.price) * SMALL_PPM // found.price
        about = "" if flip.is_exact else "~"
        return about + grouped(*price_at(flip.price, found.decimals, shift), 4), percent_of_ppm(distance)

    return (
        found.asset,
        grouped(*price_at(found.price, found.decimals, shift), 4),
        *cells(found.below),
        *cells(found.above),
    )


def _liquidations(report: Report, figures: Figures) -> None:
    """Tell what one liquidation of each pair could move, where it is open or its bonus is given."""
    account = figures.account
    heads = ("if liquidated", "open", "bonus", "repays up to", "takes", "bad debt", "makes it worse")
    rows = []
    for fact in (one for one in figures.facts if one.is_open or one.bonus_e18):
        debt = account.leg(fact.debt)
        held = account.leg(fact.collateral) if fact.collateral else None
        taken = "all collateral" if fact.is_open and fact.seized is None else ""
        if held is not None and fact.seized:
            taken = f"{amount(fact.seized, held.decimals)} {held.asset}"
        rows.append(
            (
                f"{fact.debt} for {fact.collateral or 'all'}",
                _yes(fact.is_open),
                percent(fact.bonus_e18 - E18) if fact.bonus_e18 else "not given",
                f"{amount(fact.repaid, debt.decimals)} {debt.asset}" if fact.repaid else "",
                taken,
                amount(fact.bad_debt, debt.decimals) if fact.bad_debt else "",
                str(fact.spiral),
            )
        )
    if rows:
        report.table(heads, rows)


def _said(report: Report, figures: Figures) -> None:
    said, result = figures.said, figures.results[Purpose.MAINTENANCE]
    assert said is not None
    report.line()
    at = f" at block {said.block_number}" if said.block_number else ""
    report.line(f"Beside what the venue says ({said.call}{at}):")
    heads = ("figure", "ours", "the venue's", "difference")
    rows = [
        (name, *(grouped(value, decimals, decimals) for value in (ours, theirs, ours - theirs)))
        for name, ours, theirs, decimals in compared(said, result)
    ]
    if said.is_healthy is not None:
        ours, theirs = result.is_healthy, said.is_healthy
        rows.append(("healthy", _yes(ours), _yes(theirs), "none" if ours is theirs else "THE VERDICT"))
    report.table(heads, right((1, 2, 3), rows, heads))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _together(report: Report, portfolio: Portfolio, found: Together) -> None:
    result, unit = found.netting, portfolio.rules.unit
    report.line()
    report.line(f"== {found.account}: across {len(result.isolated)} {result.by}s")
    heads = ("underlying", "long", "short", "net", "net in USD")
    rows = [
        (
            one.asset,
            *(amount(value, 18) for value in (one.units.long, one.units.short, one.units.net)),
            "-" if one.usd is None else grouped(one.usd.net, 18, 2),
        )
        for one in found.exposures
    ]
    report.table(heads, right((1, 2, 3, 4), rows, heads))
    heads = (str(result.by), "equity", "maintenance", "excess", "verdict")
    rows = [
        (
            key or "(none)",
            money(part.equity, unit),
            money(part.requirement, unit, up=True),
            money(part.excess, unit),
            str(part.verdict),
        )
        for key, part in (*result.isolated, ("together", result.unified))
    ]
    report.table(heads, right((1, 2, 3), rows, heads))
    apart, joined = (money(value, unit, up=True) for value in (result.isolated_requirement, result.unified_requirement))
    benefit = "" if result.benefit_ppm is None else f" (benefit {percent_of_ppm(result.benefit_ppm)})"
    report.line(f"Required apart {apart}, together {joined}{benefit}. Advice: {result.advice}.")
