"""`relayer margin whatif` and `relayer margin compare`: the same accounts twice, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from relayer.cli.margin_changes import Asked, account_changes, market_changes, patched
from relayer.cli.margin_figures import chosen, exact, weighing
from relayer.cli.margin_text import gap_text, label_cell, money, ratio, right
from relayer.cli.output import ExitCode, Json, Report
from relayer.errors import ConfigError, Fault
from relayer.margin.engine.result import Evaluation, Unit, Verdict
from relayer.margin.solve.whatif import Comparison, LineChange, WhatIf
from relayer.margin.solve.whatif import whatif as compared
from relayer.margin.view import Purpose
from relayer.portfolio.portfolio import Portfolio, load_portfolio, portfolio_of

if TYPE_CHECKING:
    from pathlib import Path

    from relayer.margin.engine.inputs import Account

LINES_OF: Final = Purpose.MAINTENANCE
PARAMETERS: Final = ("rule_set", "rules", "overlays", "buffer_ppm")
DIFFERENCES_MAX: Final = 200


def whatif_file(report: Report, file: Path, name: str, asked: Asked) -> None:
    """Compare a file's accounts before and after what was asked."""
    if asked.is_empty:
        fault = Fault("", "nothing to change", "write for example --shock ETH=-15%; `--help` lists the changes")
        raise ConfigError("margin whatif", fault)
    portfolio = load_portfolio(file)
    accounts = chosen(portfolio, name)
    if asked.has_acts and len(accounts) > 1:
        names = ", ".join(account.name for account in accounts[:10])
        raise ConfigError("option --account", Fault("", "whose act is it?", f"write --account with one of {names}"))
    after = patched(portfolio, asked.sets) if asked.sets else portfolio
    found = [(account, _one(portfolio, after, account, asked)) for account in accounts]
    _tell(report, portfolio, found)


def compare_files(report: Report, file: Path, other: Path) -> None:
    """Compare the accounts of a file under its own parameters and those of another file."""
    portfolio, second = load_portfolio(file), load_portfolio(other)
    if portfolio.family is not second.family:
        problem = f"{portfolio.rules.name} and {second.rules.name} weigh different things"
        raise ConfigError(str(other), Fault("rule_set", problem, "compare two files of one family of rule sets"))
    after = _rebuilt(portfolio, second)
    differences = list(_differences(_parameters(portfolio), _parameters(second)))
    found = [(account, _under(portfolio, after, account)) for account in portfolio.accounts]
    report.line(f"before: accounts, market and parameters of {file}")
    report.line(f"after:  the same under the parameters of {other}")
    rows = [(key, before, now) for key, before, now in differences[:DIFFERENCES_MAX]]
    if rows:
        report.table(("parameter", "before", "after"), rows)
    else:
        report.line("The parameters are the same.")
    if len(differences) > DIFFERENCES_MAX:
        report.line(f"... and {len(differences) - DIFFERENCES_MAX} more")
    _tell(report, portfolio, found)
    assert isinstance(report.data, dict)
    report.data["parameters"] = [{"key": key, "before": before, "after": now} for key, before, now in differences]


def _rebuilt(portfolio: Portfolio, second: Portfolio) -> Portfolio:
    """Return the first file with the parameters of the second."""
    document = {key: value for key, value in portfolio.document.items() if key not in PARAMETERS}
    return portfolio_of(document | _parameters(second), f"{portfolio.source} with the rules of {second.source}")


def _parameters(portfolio: Portfolio) -> dict[str, object]:
    return {key: portfolio.document[key] for key in PARAMETERS if key in portfolio.document}


def _one(before: Portfolio, after: Portfolio, account: Account, asked: Asked) -> WhatIf:
    """Compare one account; the file's own changes are in `after`, the rest are changes of the engine."""
    try:
        if before is after:
            changes = (*market_changes(before, asked), *account_changes(before, account, asked))
            return compared(account, before.market, before.rules, changes, buffer_ppm=before.buffer_ppm)
        changed = next((one for one in after.accounts if one.name == account.name), None)
        if changed is None:
            raise ConfigError("option --set", Fault("", f"the changed file has no account {account.name}", ""))
        changes = (*market_changes(after, asked), *account_changes(after, changed, asked))
        now = compared(changed, after.market, after.rules, changes, buffer_ppm=after.buffer_ppm)
        then = compared(account, before.market, before.rules, (), buffer_ppm=before.buffer_ppm)
        return _joined(then, now)
    except ValueError as error:
        raise ConfigError(f"account {account.name}", Fault("", str(error), "")) from error


def _under(before: Portfolio, after: Portfolio, account: Account) -> WhatIf:
    """Compare an account that does not change under the rules of two files."""
    with weighing(after):
        then = compared(account, before.market, before.rules, (), buffer_ppm=before.buffer_ppm)
        return _joined(then, compared(account, before.market, after.rules, (), buffer_ppm=after.buffer_ppm))


def _joined(then: WhatIf, now: WhatIf) -> WhatIf:
    """Return the comparison of what one starts from with what the other ends at."""
    from relayer.margin.solve.whatif import line_changes

    pairs = [(one.before, other.after) for one, other in zip(then.comparisons, now.comparisons, strict=True)]
    comparisons = [
        Comparison(before.purpose, before, after, line_changes(before.lines, after.lines)) for before, after in pairs
    ]
    return WhatIf(now.account, now.market, tuple(comparisons))


def _tell(report: Report, portfolio: Portfolio, found: Sequence[tuple[Account, WhatIf]]) -> None:
    flipped = [account.name for account, one in found if one.of(Purpose.MAINTENANCE).is_flipped]
    report.data = {
        "rule_set": portfolio.rules.name,
        "accounts": [_to_json(account.name, one) for account, one in found],
        "flips": list(flipped),
    }
    heads = ("account", "purpose", "excess before", "excess after", "change", "verdict")
    rows = [row for account, one in found for row in _rows(account.name, one)]
    report.table(heads, right((2, 3, 4), rows, heads))
    if len(found) == 1:
        _detail(report, found[0][1])
    report.line(f"Verdicts that change: {', '.join(flipped) or 'none'} (maintenance).")
    unknown = [account.name for account, one in found if one.of(LINES_OF).after.verdict is Verdict.UNKNOWN]
    if unknown:
        report.incomplete += [f"the verdict of {name} is unknown" for name in unknown]
        report.fail(ExitCode.INCOMPLETE)


def _rows(name: str, found: WhatIf) -> Iterator[tuple[str, ...]]:
    for number, one in enumerate(found.comparisons):
        before, after = one.before, one.after
        yield (
            name if number == 0 else "",
            str(one.purpose),
            money(before.excess, before.unit),
            money(after.excess, after.unit),
            money(after.excess - before.excess, after.unit) if before.unit == after.unit else "-",
            f"{before.verdict} -> {after.verdict}" if one.is_flipped else str(after.verdict),
        )


def _detail(report: Report, found: WhatIf) -> None:
    one = found.of(LINES_OF)
    before, after = one.before, one.after
    report.line(f"{LINES_OF}: health factor {_change(before, after)}")
    changed = [line for line in one.lines if line.excess_change]
    if changed and before.unit == after.unit:
        heads = ("what moves the excess", "equity", "becomes", "required", "becomes ", "change")
        rows = [_line_row(line, after.unit) for line in changed]
        report.table(heads, right((1, 2, 3, 4, 5), rows, heads))
    for gap in after.gaps:
        report.line(gap_text(gap))


def _change(before: Evaluation, after: Evaluation) -> str:
    pair = (before.health, after.health)
    factors, ratios = [ratio(one.health_factor) for one in pair], [ratio(one.margin_ratio) for one in pair]
    return f"{' -> '.join(factors)}, margin ratio {' -> '.join(ratios)}"


def _line_row(line: LineChange, unit: Unit) -> tuple[str, ...]:
    return (
        label_cell(line.label),
        money(line.value_before, unit),
        money(line.value_after, unit),
        money(line.requirement_before, unit, up=True),
        money(line.requirement_after, unit, up=True),
        money(line.excess_change, unit),
    )


def _to_json(name: str, found: WhatIf) -> dict[str, Json]:
    return {
        "account": name,
        "purposes": {
            str(one.purpose): {
                "before": _side(one.before),
                "after": _side(one.after),
                "flips": one.is_flipped,
            }
            for one in found.comparisons
        },
    }


def _side(result: Evaluation) -> dict[str, Json]:
    return {
        "verdict": str(result.verdict),
        "equity": exact(result.equity, result.unit),
        "requirement": exact(result.requirement, result.unit),
        "excess": exact(result.excess, result.unit),
        "gaps": [f"{gap.leg}: {gap.reason}" for gap in result.gaps],
    }


def _differences(before: object, after: object, key: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield (key, before, after) of every value that differs."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in (*before, *(name for name in after if name not in before)):
            yield from _differences(before.get(name), after.get(name), f"{key}.{name}" if key else str(name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, f"{key}[{number}]")
    elif before != after:
        yield key, _shown(before), _shown(after)


def _shown(value: object) -> str:
    text = "(none)" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
