"""How margin figures are written for people: money grouped and cut against the account, exact digits stay in `--json`.

A cut figure is never better than the truth: what is held is cut down, what is owed or required up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from textwrap import wrap
from types import MappingProxyType
from typing import Final

from proofs.units import format_decimal, power_of_ten
from relayer.margin.engine.inputs import Gap
from relayer.margin.engine.result import Evaluation, Health, TermLine, Unit
from relayer.margin.view import Rounding

MONEY_DECIMALS: Final = 2
AMOUNT_DECIMALS: Final = 6
ABOUT_DECIMALS: Final = 4
RATIO_DECIMALS: Final = 4
LABEL_WIDTH: Final = 29
LABEL_WIDTH_ALONE: Final = 40
"""Where no column of blocks needs the place."""
BOUNDLESS: Final = 10**24
"""A ratio from a million on says no more than that there is next to nothing below the line."""
ROUNDINGS: Final = MappingProxyType({Rounding.DOWN: "down", Rounding.UP: "up", Rounding.EXACT: ""})


def grouped(value: int, decimals: int, shown: int, *, up: bool = False) -> str:
    """Return a scaled integer with thousands apart, at most `shown` decimals, rounded down (or up)."""
    if decimals > shown:
        scale = power_of_ten(decimals - shown)
        value = -(-value // scale) if up else value // scale
        decimals = shown
    sign, digits = ("-" if value < 0 else ""), abs(value)
    whole, fraction = divmod(digits, power_of_ten(decimals))
    text = str(fraction).rjust(decimals, "0") if decimals else ""
    return f"{sign}{whole:,}{'.' if text else ''}{text}"


def money(value: int, unit: Unit, *, up: bool = False) -> str:
    """Return money with two decimals."""
    return grouped(value, unit.decimals, MONEY_DECIMALS, up=up)


def amount(value: int, decimals: int, *, up: bool = False) -> str:
    """Return an amount with at most six decimals, without zeros at the end; a smaller one with all of its own."""
    if value and abs(value) < power_of_ten(max(0, decimals - AMOUNT_DECIMALS)):
        return format_decimal(value, decimals)
    text = grouped(value, decimals, AMOUNT_DECIMALS, up=up)
    return text.rstrip("0").rstrip(".") if "." in text else text


def about(value: int, decimals: int) -> str:
    """Return an amount to the nearest of four decimals: where it explains a figure and promises nothing."""
    if decimals <= ABOUT_DECIMALS or abs(value) < power_of_ten(decimals) // 100:
        return amount(value, decimals)
    return amount(
        (value + power_of_ten(decimals - ABOUT_DECIMALS) // 2) // power_of_ten(decimals - ABOUT_DECIMALS),
        ABOUT_DECIMALS,
    )


def ratio(value: int | None) -> str:
    """Return a ratio at 1e18 with four decimals; `-` for one without a denominator."""
    if value is None:
        return "-"
    return "over 1,000,000" if value >= BOUNDLESS else grouped(value, 18, RATIO_DECIMALS)


def percent(value: int | None, *, up: bool = False) -> str:
    """Return a ratio at 1e18 as percent."""
    return "-" if value is None else f"{grouped(value * 100, 18, 2, up=up)} %"


def percent_of_ppm(ppm: int | None) -> str:
    """Return a signed share in ppm as percent with a sign."""
    if ppm is None:
        return "-"
    return f"{'+' if ppm > 0 else ''}{grouped(ppm, 4, 2)} %"


def when(seconds: int) -> str:
    """Return Unix seconds as RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def health_text(health: Health) -> str:
    """Return the four conventions on one line."""
    return (
        f"margin ratio {ratio(health.margin_ratio)}, health factor {ratio(health.health_factor)}, "
        f"LTV {percent(health.ltv, up=True)}, gearing {ratio(health.gearing)}"
    )


def right(columns: Sequence[int], rows: Sequence[Sequence[str]], heads: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the rows with the cells of some columns moved to the right, as wide as the widest or the head."""
    widths = {n: max([len(heads[n]), *(len(row[n]) for row in rows)]) for n in columns}
    return [tuple(cell.rjust(widths[n]) if n in widths else cell for n, cell in enumerate(row)) for row in rows]


def label_cell(text: str, width: int = LABEL_WIDTH) -> str:
    """Return a label broken into lines of a column."""
    return "\n".join(wrap(text.replace(" %", "\N{NO-BREAK SPACE}%"), width)).replace("\N{NO-BREAK SPACE}", " ") or text


def price_at(price: int, decimals: int, shift: int) -> tuple[int, int]:
    """Return a price as it is written in files, with its decimals; `shift` is the scale between both."""
    at = decimals + shift
    return (price, at) if at >= 0 else (price * power_of_ten(-at), 0)


def line_rows(
    result: Evaluation, shift: int, balance: Callable[[TermLine], tuple[int, int]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return heads and rows of an evaluation's lines, with their sums, amounts as `balance` counts them."""
    unit = result.unit
    has_places = any(line.block_number for line in result.lines) or len(_chains(result)) > 1
    width = LABEL_WIDTH if has_places else LABEL_WIDTH_ALONE
    rows = [_line_row(line, unit, shift, balance(line), width) for line in result.lines]
    rows.append(("sum", "", "", money(result.equity, unit), money(result.requirement, unit, up=True), "", ""))
    heads = ("line", "amount", "price", "equity", "requirement", "cut", "block")
    shown = len(heads) if has_places else len(heads) - 1
    return heads[:shown], right((1, 2, 3, 4), [row[:shown] for row in rows], heads)


def _chains(result: Evaluation) -> frozenset[str]:
    return frozenset(str(line.chain) for line in result.lines if line.leg)


def _line_row(line: TermLine, unit: Unit, shift: int, balance: tuple[int, int], width: int) -> tuple[str, ...]:
    place = f"{line.chain} {line.block_number}" if line.chain and line.block_number else (line.chain or "")
    return (
        label_cell(line.label, width),
        about(*balance) if line.leg else "",
        amount(*price_at(line.price, line.price_decimals, shift)) if line.price else "",
        money(line.value, unit),
        money(line.requirement, unit, up=True),
        ROUNDINGS[line.rounding],
        place.removeprefix("eip155:") if line.block_number else place,
    )


def gap_text(gap: Gap) -> str:
    """Return what was not weighed, why, and what that does."""
    effect = "counts zero" if gap.is_collateral else "the verdict is unknown"
    return f"not weighed: {gap.leg}: {gap.reason} ({effect})"
