"""How an account with options moves, by underlying: the table and the JSON of `relayer margin explain`."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

from proofs.units import format_decimal
from relayer.cli.margin_text import about, right
from relayer.margin.engine.inputs import Role
from relayer.margin.greeks import AccountGreeks, Greeks, account_greeks

if TYPE_CHECKING:
    from relayer.cli.output import Json, Report
    from relayer.margin.engine.inputs import Account
    from relayer.portfolio.portfolio import Portfolio

FIGURES: Final = tuple(field.name for field in fields(Greeks))
DECIMALS: Final = 18


def greeks_of(portfolio: Portfolio, account: Account) -> AccountGreeks | None:
    """Return the figures of an account that holds options, else nothing; published contracts have no terms."""
    options = [leg for leg in account.legs if leg.role is Role.OPTION and leg.amount and leg.option is not None]
    return account_greeks(account, portfolio.market) if options else None


def greeks_json(found: AccountGreeks | None) -> Json:
    """Return the lower and upper bound of each figure, by underlying."""
    if found is None:
        return None
    return {
        asset: {
            name: [format_decimal(end, DECIMALS) for end in (getattr(one, name).low, getattr(one, name).high)]
            for name in FIGURES
        }
        for asset, one in found.by_underlying.items()
    }


def tell_greeks(report: Report, found: AccountGreeks | None) -> None:
    """Show both bounds, or one figure where they read the same."""
    if found is None:
        return
    heads = ("underlying", "delta", "gamma", "vega, a point", "theta, a day", "rho, a point")
    rows = [(asset, *(_text(one, name) for name in FIGURES)) for asset, one in found.by_underlying.items()]
    report.table(heads, right((1, 2, 3, 4, 5), rows, heads))
    for gap in found.gaps:
        report.line(f"{gap.leg} moves in a way that is not known: {gap.reason}")


def _text(one: Greeks, name: str) -> str:
    low, high = (about(end, DECIMALS) for end in (getattr(one, name).low, getattr(one, name).high))
    return low if low == high else f"{low} to {high}"
