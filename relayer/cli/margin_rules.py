"""`relayer margin rules`: the table of rule sets, for people."""

from __future__ import annotations

from textwrap import wrap
from typing import Final

from relayer.cli.margin_text import label_cell
from relayer.cli.output import ExitCode, Json, Report
from relayer.margin.engine.about import RuleSetInfo
from relayer.margin.models.table import RULE_SETS

WIDTH: Final = 96


def list_rules(report: Report) -> None:
    """List all rule sets."""
    report.data = [_to_json(info) for info in RULE_SETS.values()]
    report.table(
        ("rule set", "family", "what it is", "figures"),
        [
            (info.name, str(info.family), label_cell(info.title, 38), label_cell(kind_of(info), 14))
            for info in RULE_SETS.values()
        ],
    )
    report.line("`relayer margin rules show NAME` has the formula, the rounding and the laws of one.")


def show_rules(report: Report, name: str) -> None:
    """Show one rule set."""
    info = RULE_SETS.get(name)
    if info is None:
        report.fail(ExitCode.USAGE, f"no rule set {name!r}; write one of {', '.join(RULE_SETS)}")
        return
    report.data = _to_json(info)
    report.line(f"{info.name}: {info.title}")
    for head, text in (
        ("family", str(info.family)),
        ("figures", kind_of(info)),
        ("formula", info.formula),
        ("rounding", info.rounding),
        ("at equality", info.equality),
        ("source", info.source),
    ):
        first, *rest = wrap(text, WIDTH - 14) or [""]
        report.line(f"  {head:<12}{first}")
        for more in rest:
            report.line(f"  {'':<12}{more}")
    report.line()
    rows = [(label_cell(one.what, 30), str(one.trend), label_cell(one.exception, 46)) for one in info.monotone]
    report.table(("when this grows", "excess", "exception, or why"), rows)


def kind_of(info: RuleSetInfo) -> str:
    """Say whose figures they are."""
    whose = "the venue's" if info.is_mirrored else "our own"
    return f"{whose}, experimental" if info.is_experimental else whose


def _to_json(info: RuleSetInfo) -> dict[str, Json]:
    return {
        "name": info.name,
        "family": str(info.family),
        "title": info.title,
        "formula": info.formula,
        "rounding": info.rounding,
        "equality": info.equality,
        "source": info.source,
        "monotone": [{"what": one.what, "trend": str(one.trend), "exception": one.exception} for one in info.monotone],
        "is_mirrored": info.is_mirrored,
        "is_experimental": info.is_experimental,
    }
