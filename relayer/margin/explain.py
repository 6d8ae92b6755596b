"""Explain a margin view in words and in JSON; formats what is there, computes nothing that decides.

Money leaves as exact decimal strings in USD (at least two decimals, no digit dropped), amounts as base units and as
decimals of the token. Ratios are for display: rounded down to four decimals, and never read back.
"""

from __future__ import annotations

from typing import Final

from proofs.types import LegKind, Quality, Status, to_hex
from proofs.units import PPM, UINT128_MAX, format_decimal, mul_div_down
from relayer.margin.view import Line, MarginView, Missing

JsonObject = dict[str, object]

USD_DECIMALS: Final = 18
RATIO_DECIMALS: Final = 4


def view_to_json(view: MarginView) -> JsonObject:
    """Return a view as a JSON object: figures, the lines that sum to them, what is missing, and why in words."""
    return {
        "account": to_hex(view.account),
        "status": view.status.name.lower(),
        "assurance": int(view.assurance),
        "quality": quality_names(view.quality),
        "equity_usd": usd_text(view.equity_usd),
        "equity_high_usd": None if view.equity_high_usd is None else usd_text(view.equity_high_usd),
        "collateral_usd": usd_text(view.collateral_usd),
        "liability_usd": usd_text(view.liability_usd),
        "initial_margin_usd": usd_text(view.initial_margin_usd),
        "maintenance_margin_usd": usd_text(view.maintenance_margin_usd),
        "margin_usd": usd_text(view.equity_usd - view.maintenance_margin_usd),
        "margin_ratio": margin_ratio_text(view),
        "summary": list(summary(view)),
        "lines": [_line_to_json(line) for line in view.lines],
        "missing": [_missing_to_json(missing) for missing in view.missing],
    }


def summary(view: MarginView) -> tuple[str, ...]:
    """Return one sentence per reason for the view's status and marks, worst first."""
    return (*_verdict(view), *_gaps(view), *_caps(view), *_marks(view))


def usd_text(value: int) -> str:
    """Format UsdE18 exactly, with at least two decimals: `950.00`, `0.000000000000000001`."""
    text = format_decimal(value, USD_DECIMALS)
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(2, '0')}"


def margin_ratio_text(view: MarginView) -> str | None:
    """Return equity ÷ maintenance margin, down to four decimals; None without a requirement or where not known."""
    if view.maintenance_margin_usd == 0 or view.status is Status.UNKNOWN or _is_bound(view):
        return None
    ratio = mul_div_down(view.equity_usd, 10**RATIO_DECIMALS, view.maintenance_margin_usd)
    return format_decimal(ratio, RATIO_DECIMALS)


def quality_names(quality: Quality) -> list[str]:
    """Return the names of the marks, lowest bit first."""
    return [bit.name.lower() for bit in Quality if bit and bit in quality and bit.name]


# --- sentences -------------------------------------------------------------------------------------------------------


def _verdict(view: MarginView) -> list[str]:
    equity, maintenance = view.equity_usd, view.maintenance_margin_usd
    against = f"maintenance margin {usd_text(maintenance)}"
    if view.status is Status.UNKNOWN:
        if _is_bound(view):
            return ["what is owed or required is not known, so neither is the status"]
        return [f"without the missing collateral equity {usd_text(equity)} is below {against}, with it unknown"]
    if view.status is Status.LIQUIDATABLE and view.missing and view.equity_high_usd is not None:
        known = usd_text(sum(line.maintenance_usd for line in view.lines if line.kind is not LegKind.REQUIREMENT))
        best = f"even with all that is missing at its best equity {usd_text(view.equity_high_usd)}"
        return [f"{best} is below maintenance margin {known}"]
    if equity < maintenance:
        sentences = [f"equity {usd_text(equity)} is below {against} by {usd_text(maintenance - equity)}"]
        if view.status is Status.BAD_DEBT:
            marked = sum(line.brings_usd for line in view.lines)
            over = usd_text(view.liability_usd - marked)
            owed = f"liability {usd_text(view.liability_usd)} exceeds the marked value of all assets {usd_text(marked)}"
            sentences.insert(0, f"{owed} by {over}")
        return sentences
    if view.status in (Status.WARNING, Status.MARGIN_CALL):
        name = view.status.name.lower().replace("_", " ")
        above = f"equity {usd_text(equity)} is above {against} by only {usd_text(equity - maintenance)}"
        return [f"{above} ({name}, margin ratio {margin_ratio_text(view)})"]
    return []


def _gaps(view: MarginView) -> list[str]:
    owed = [gap for gap in view.missing if not gap.is_collateral]
    counted_zero = [gap for gap in view.missing if gap.is_collateral]
    return [f"{gap.what} on {gap.chain} is missing: {gap.reason}" for gap in owed] + [
        f"{gap.what} on {gap.chain} counts zero: {gap.reason}" for gap in counted_zero
    ]


def _caps(view: MarginView) -> list[str]:
    return [f"{line.label}: counts {usd_text(line.value_usd)}" for line in view.lines if line.is_capped]


def _marks(view: MarginView) -> list[str]:
    told = (
        Quality.DEGRADED_LEG | Quality.STALE_PRICE | Quality.CHAIN_MISSING | Quality.CONCENTRATION_CAP | Quality.DEVNET
    )
    names = quality_names(view.quality & ~told)
    return [f"marked {name.replace('_', ' ')}" for name in names]


# --- parts -----------------------------------------------------------------------------------------------------------


def _is_bound(view: MarginView) -> bool:
    """Tell whether what is owed and required are bounds, because something of it is missing."""
    return view.liability_usd == UINT128_MAX


def _line_to_json(line: Line) -> JsonObject:
    return {
        "label": line.label,
        "chain": line.chain,
        "block_number": line.block_number,
        "symbol": line.symbol,
        "kind": line.kind.name.lower(),
        "assurance": int(line.assurance),
        "amount_raw": str(line.amount_raw),
        "amount": format_decimal(line.amount_raw, line.decimals),
        "price_usd": format_decimal(line.price_e18, USD_DECIMALS),
        "haircut": format_decimal(line.haircut_ppm, len(str(PPM)) - 1),
        "haircut_ppm": line.haircut_ppm,
        "marked_usd": usd_text(line.marked_usd),
        "value_usd": usd_text(line.value_usd),
        "initial_usd": usd_text(line.initial_usd),
        "maintenance_usd": usd_text(line.maintenance_usd),
        "rounding": line.rounding.value,
        "is_signed": line.leg is not None,
        "is_capped": line.is_capped,
    }


def _missing_to_json(missing: Missing) -> JsonObject:
    return {
        "what": missing.what,
        "chain": missing.chain,
        "kind": missing.kind.name.lower(),
        "reason": missing.reason,
        "best_usd": None if missing.best_usd is None else usd_text(missing.best_usd),
    }
