"""Computation: every integer between the readings of a frame and its leaves, as canonical JSON. Pure.

    prices    per symbol the interval that all its feeds made, or why there is none
    views     per account its figures, every line with its terms, and what is missing

Integers are decimal strings in the scale they are computed in (USD and prices E18, amounts in base units), so that
nothing is rounded on the way to the page. An auditor who recomputes a frame gets these bytes, or names the account.
"""

from __future__ import annotations

from collections.abc import Sequence

from proofs.bundle_text import Json, to_text
from proofs.types import to_hex
from relayer.margin.market import Market, NoPrice, Price
from relayer.margin.view import Line, MarginView, Missing


def prices_text(market: Market) -> bytes:
    """Return the prices of a frame, by symbol."""
    return to_text({symbol: _price(price) for symbol, price in market.prices.items()})


def views_text(views: Sequence[MarginView]) -> bytes:
    """Return the computations of some accounts, in the order given."""
    return to_text([_view(view) for view in views])


def _price(price: Price | NoPrice) -> Json:
    if isinstance(price, NoPrice):
        return {"missing": price.reason, "last_e18": str(price.last_e18), "quality": str(int(price.quality))}
    return {
        "low_e18": str(price.low_e18),
        "high_e18": str(price.high_e18),
        "assurance": str(int(price.assurance)),
        "quality": str(int(price.quality)),
    }


def _view(view: MarginView) -> Json:
    return {
        "account": to_hex(view.account),
        "status": str(int(view.status)),
        "assurance": str(int(view.assurance)),
        "quality": str(int(view.quality)),
        "collateral_usd": str(view.collateral_usd),
        "liability_usd": str(view.liability_usd),
        "equity_usd": str(view.equity_usd),
        "equity_high_usd": None if view.equity_high_usd is None else str(view.equity_high_usd),
        "initial_margin_usd": str(view.initial_margin_usd),
        "maintenance_margin_usd": str(view.maintenance_margin_usd),
        "lines": [_line(line) for line in view.lines],
        "missing": [_missing(gap) for gap in view.missing],
    }


def _line(line: Line) -> Json:
    return {
        "label": line.label,
        "chain": line.chain,
        "block_number": str(line.block_number),
        "symbol": line.symbol,
        "kind": str(int(line.kind)),
        "assurance": str(int(line.assurance)),
        "amount_raw": str(line.amount_raw),
        "decimals": str(line.decimals),
        "price_e18": str(line.price_e18),
        "haircut_ppm": str(line.haircut_ppm),
        "marked_usd": str(line.marked_usd),
        "value_usd": str(line.value_usd),
        "initial_usd": str(line.initial_usd),
        "maintenance_usd": str(line.maintenance_usd),
        "rounding": line.rounding.value,
        "is_signed": line.leg is not None,
        "is_capped": line.is_capped,
    }


def _missing(gap: Missing) -> Json:
    return {
        "what": gap.what,
        "chain": gap.chain,
        "kind": str(int(gap.kind)),
        "reason": gap.reason,
        "best_usd": None if gap.best_usd is None else str(gap.best_usd),
    }
