"""The report of a verified bundle as one HTML page: no script, no outside request, every foreign text escaped. Pure.

A page says, in this order: the verdict, what it is about, each account's margin as a picture with the lines that sum to
it, what was verified, and what was not. The picture has one scale of US dollars:

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
            _accounts(audit.views),
            _section("Chains", _chains(audit.snapshot)),
            _section("Verified", _checks(audit.checks)),
            _section("Not verified", _list(audit.unverified)),
            "</main></body></html>",
            "",
        )
    )


def _facts(contents: BundleContents, audit: AuditReport) -> str:
    root, addresses = contents.signed.root, contents.signers.addresses
    signers = ", ".join(to_hex(addresses[index]) for index in audit.signers) or "nobody: not signed"
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
    status = view.status.name.lower()
    marks = ", ".join(quality_names(view.quality)) or "none"
    return (
        f'<article><h3>{to_hex(view.account)} <span class="status {status}">{status.replace("_", " ")}</span></h3>'
        f"<p>assurance {int(view.assurance)}, marks: {_text(marks)}</p>"
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
        f"{''.join(shapes)}{''.join(labels)}</svg>"
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
        f'<text {place} y="{foot}">with {name} margin {_dollars(value)}</text>',
    )


def _lines(view: MarginView) -> str:
    head = ("line", "chain", "amount", "price", "haircut", "value USD", "initial USD", "maintenance USD", "level")
    rows = [_line(line) for line in view.lines]
    rows += [(f"missing: {gap.what}: {gap.reason}", gap.chain, *[""] * 7) for gap in view.missing]
    totals = (view.equity_usd, view.initial_margin_usd, view.maintenance_margin_usd)
    rows.append(("equity and requirements", "", "", "", "", *map(usd_text, totals), str(int(view.assurance))))
    return _table(head, rows)


def _line(line: Line) -> tuple[str, ...]:
    return (
        line.label,
        f"{line.chain} at {line.block_number}",
        format_decimal(line.amount_raw, line.decimals),
        format_decimal(line.price_e18, 18),
        f"{format_decimal(line.haircut_ppm, 4)} %",
        usd_text(line.value_usd),
        usd_text(line.initial_usd),
        usd_text(line.maintenance_usd),
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


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    names = "".join(f"<th>{_text(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>'


def _list(texts: Iterable[str]) -> str:
    items = "".join(f"<li>{_text(text)}</li>" for text in texts)
    return f"<ul>{items}</ul>" if items else ""


def _dollars(value: int) -> str:
    """Return UsdE18 cut to cents, with thousands apart."""
    cents = abs(value) // CENTS_E18
    return f"{'-' if value < 0 else ''}${cents // 100:,}.{cents % 100:02}"


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
