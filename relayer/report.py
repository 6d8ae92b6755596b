"""The report of a verified bundle as one HTML page: no script, no outside request, every foreign text escaped. Pure.

A page says, in this order: the verdict, what it is about, what is wrong, how many accounts stand how, what was not
verified, each account's margin as a picture with the lines that sum to it, the chains, and what was verified. The
picture has one scale of US dollars:

    collateral  ==================================        fine where it reaches the maintenance line
    liability   ===============      |        |
                                     |        initial      liability + initial margin
                                     maintenance           liability + maintenance margin

Drawn lengths are whole pixels, rounded down; the figures beside them are cut to cents, those of the lines are exact.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from proofs.bundle import BundleContents, Check
from proofs.types import Status, to_hex
from proofs.units import UINT128_MAX, format_decimal
from proofs.verify import VerifiedSnapshot
from relayer.audit import AuditReport
from relayer.margin.explain import quality_names, summary, usd_text
from relayer.margin.view import Line, MarginView
from relayer.report_style import STYLE

ACCOUNTS_MAX: Final = 2_000
"""Pictures of one page, worst accounts first: some 10 MB, which a browser still opens."""
WIDTH: Final = 640
BAR: Final = 18
CENTS_E18: Final = 10**16
TEXT_CHARS_MAX: Final = 2_000
ORIGIN: Final = "<p>All figures are recomputed from the verified readings, none is taken from what was signed.</p>"


def report_page(contents: BundleContents, audit: AuditReport) -> str:
    """Return the page."""
    what = "Look at an account" if contents.watched else "Frame"
    title = f"{what} at {_when(contents.snapshot.frame_s)}"
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            '<meta name="viewport" content="width=device-width">',
            f"<title>{_text(title)}</title><style>{STYLE}</style></head><body><main>",
            f'<header><h1>{_text(title)}</h1><p class="verdict {audit.verdict}">{audit.verdict}</p></header>',
            _facts(contents, audit),
            _wrong(audit.checks),
            _overview(audit.views),
            _section("Not verified", _list(audit.unverified)),
            _accounts(audit.views),
            _section("Chains", _chains(audit.snapshot)),
            _section("Verified", _checks(audit.checks)),
            "</main></body></html>",
            "",
        )
    )


def _facts(contents: BundleContents, audit: AuditReport) -> str:
    root, addresses = contents.signed.root, contents.signers.addresses
    nobody = "nobody: no valid set of signatures" if contents.is_signed else "nobody: not signed"
    signers = ", ".join(to_hex(addresses[index]) for index in audit.signers) or nobody
    rows = (
        ("policy", to_hex(root.policy_id)),
        ("frame", f"{root.frame} ({_when(root.frame)})"),
        ("as of", f"{root.as_of} ({_when(root.as_of)}), newest block {root.skew} s later"),
        ("digest", to_hex(contents.signed.digest)),
        ("signed by", signers),
        ("accounts", str(len(contents.leaves))),
        ("written by", contents.tool),
    )
    cells = (f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in rows)
    return f'<table class="facts">{"".join(cells)}</table>'


# --- accounts --------------------------------------------------------------------------------------------------------


def _wrong(checks: Iterable[Check]) -> str:
    faults = [f"{one.step}, {one.file}: {one.fault}" for one in checks if one.fault]
    return f'<div class="wrong">{_section("What is wrong", _list(faults))}</div>' if faults else ""


def _overview(views: Sequence[MarginView]) -> str:
    """Add up the accounts of each status, worst first; one figure that is not known leaves its sum unknown."""
    by_status: dict[Status, list[MarginView]] = {}
    for view in sorted(views, key=_severity, reverse=True):
        by_status.setdefault(view.status, []).append(view)
    rows = [_summed(_words(status.name), part) for status, part in by_status.items()]
    rows += [_summed("all", views)] if len(rows) > 1 else []
    head = ("accounts", "number", "collateral after haircuts", "liability", "equity below maintenance margin by")
    return _section("Overview", ORIGIN + _table(head, rows, numbers_from=1)) if rows else ""


def _summed(name: str, views: Sequence[MarginView]) -> tuple[str, ...]:
    is_known = all(view.status is not Status.UNKNOWN for view in views)
    is_owed_known = all(view.liability_usd < UINT128_MAX for view in views)
    short = sum(max(0, view.maintenance_margin_usd - view.equity_usd) for view in views)
    return (
        name,
        str(len(views)),
        _dollars(sum(view.collateral_usd for view in views)),
        _dollars(sum(view.liability_usd for view in views)) if is_owed_known else "not known",
        _dollars(short) if is_known else "not known",
    )


def _accounts(views: Sequence[MarginView]) -> str:
    worst = sorted(views, key=lambda view: (-_severity(view), view.account))
    shown = "".join(map(_account, worst[:ACCOUNTS_MAX]))
    rest = len(worst) - ACCOUNTS_MAX
    more = (
        f"<p>{rest} accounts that are no worse are left out of this page; the bundle has them.</p>" if rest > 0 else ""
    )
    return _section("Accounts", shown + more) if views else ""


def _severity(view: MarginView) -> int:
    return len(Status) if view.status is Status.UNKNOWN else int(view.status)


def _account(view: MarginView) -> str:
    status, level = view.status.name.lower(), f"{int(view.assurance)} ({_words(view.assurance.name)})"
    marks = ", ".join(quality_names(view.quality)) or "none"
    return (
        f'<article><h3>{to_hex(view.account)} <span class="status {status}">{_words(status)}</span></h3>'
        f"<p>assurance {level}, marks: {_text(marks)}</p>"
        f"{picture(view)}{_list(summary(view))}{_lines(view)}</article>"
    )


def picture(view: MarginView) -> str:
    """Return an account's margin as inline SVG; what is not known is said instead of drawn."""
    known = [
        ("collateral", view.collateral_usd),
        ("liability", view.liability_usd),
        ("initial", view.liability_usd + view.initial_margin_usd),
        ("maintenance", view.liability_usd + view.maintenance_margin_usd),
    ]
    drawn = {name: value for name, value in known if value < UINT128_MAX}
    scale = max(*drawn.values(), 1)
    bars = [_bar(at, name, drawn.get(name), scale) for at, name in enumerate(("collateral", "liability"))]
    limits = enumerate(("maintenance", "initial"))
    marks = [_mark(at, name, drawn[name], scale) for at, name in limits if name in drawn]
    shapes, labels = zip(*bars, *marks, strict=True)
    told = ", ".join(f"{name} {_dollars(value) if name in drawn else 'not known'}" for name, value in known)
    return (
        f'<svg viewBox="0 0 {WIDTH + 20} 116" role="img" aria-label="{_text(told)}"><title>{_text(told)}</title>'
        f'<path class="axis" d="M0 0V{2 * (BAR + 20)}"/>{"".join(shapes)}{"".join(labels)}</svg>'
    )


def _bar(at: int, name: str, value: int | None, scale: int) -> tuple[str, str]:
    top = 8 + at * (BAR + 20)
    length = 0 if value is None else value * WIDTH // scale
    figure = "not known" if value is None else _dollars(value)
    return (
        f'<rect class="{name}" x="0" y="{top}" width="{length}" height="{BAR}"/>',
        f'<text x="2" y="{top + BAR + 13}">{name} {figure}</text>',
    )


def _mark(at: int, name: str, value: int, scale: int) -> tuple[str, str]:
    x, foot = value * WIDTH // scale, 94 + at * 16
    is_right = 2 * x > WIDTH
    place = f'class="end" x="{x - 4}"' if is_right else f'x="{x + 4}"'
    return (
        f'<line class="{name}" x1="{x}" y1="0" x2="{x}" y2="{foot}"/>',
        f'<text {place} y="{foot}">liability + {name} margin {_dollars(value)}</text>',
    )


def _lines(view: MarginView) -> str:
    head = ("line", "chain", "amount", "price", "haircut", "value USD", "initial USD", "maintenance USD", "assurance")
    rows = [_line(line) for line in view.lines]
    rows += [(f"missing: {gap.what}: {gap.reason}", gap.chain, *[""] * 7) for gap in view.missing]
    totals = (view.equity_usd, view.initial_margin_usd, view.maintenance_margin_usd)
    rows.append(("equity and requirements", "", "", "", "", *map(_usd, totals), str(int(view.assurance))))
    return _table(head, rows, numbers_from=2)


def _line(line: Line) -> tuple[str, ...]:
    return (
        line.label,
        f"{line.chain} at {line.block_number}",
        grouped(format_decimal(line.amount_raw, line.decimals)),
        grouped(format_decimal(line.price_e18, 18)),
        f"{format_decimal(line.haircut_ppm, 4)} %",
        _usd(line.value_usd),
        _usd(line.initial_usd),
        _usd(line.maintenance_usd),
        str(int(line.assurance)),
    )


# --- the rest --------------------------------------------------------------------------------------------------------


def _chains(snapshot: VerifiedSnapshot) -> str:
    rows = [
        (
            one.chain,
            str(one.anchor.block.number),
            to_hex(one.anchor.block.hash),
            _when(one.anchor.block.timestamp_s),
            one.anchor.finality.name.lower(),
        )
        for one in snapshot.chains
    ]
    rows += [(gone.chain, "missing", gone.detail, "", gone.reason.value) for gone in snapshot.missing]
    return _table(("chain", "block", "hash", "time", "finality"), rows)


def _checks(checks: Iterable[Check]) -> str:
    return _table(("step", "file", "result"), [(one.step, one.file, one.fault or "ok") for one in checks])


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int | None = None) -> str:
    """Return a table whose columns are numbers from one on, set to the right."""
    text_columns = len(head) if numbers_from is None else numbers_from
    kinds = ["" if at < text_columns else ' class="number"' for at in range(len(head))]
    names = "".join(f"<th{kind}>{_text(name)}</th>" for kind, name in zip(kinds, head, strict=True))
    cells = (zip(kinds, row, strict=True) for row in rows)
    body = "".join("<tr>" + "".join(f"<td{kind}>{_text(cell)}</td>" for kind, cell in row) + "</tr>" for row in cells)
    return f'<div class="wide"><table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>'


def _list(texts: Iterable[str]) -> str:
    items = "".join(f"<li>{_text(text)}</li>" for text in texts)
    return f"<ul>{items}</ul>" if items else ""


def _dollars(value: int) -> str:
    """Return UsdE18 cut to cents, with thousands apart."""
    cents = abs(value) // CENTS_E18
    return f"{'-' if value < 0 else ''}${cents // 100:,}.{cents % 100:02}"


def _usd(value: int) -> str:
    return grouped(usd_text(value))


def grouped(decimal: str) -> str:
    """Return a decimal text with its thousands apart."""
    whole, dot, fraction = decimal.removeprefix("-").partition(".")
    return f"{'-' if decimal.startswith('-') else ''}{int(whole):,}{dot}{fraction}"


def _words(name: str) -> str:
    return name.lower().replace("_", " ")


def _when(time_s: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time_s))
    except (OverflowError, OSError, ValueError):
        return f"second {time_s}"


def _text(value: str) -> str:
    """Return text that is nothing but text: control and direction characters shown, markup escaped, length bounded."""
    cut = value if len(value) <= TEXT_CHARS_MAX else value[:TEXT_CHARS_MAX] + " ... (cut)"
    plain = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)
    return escape(plain, quote=True)
