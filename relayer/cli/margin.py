"""`relayer margin`: weigh portfolio files under the rule sets of venues, offline. Needs no chain and no configuration.

    margin explain FILE                   every figure of every account, term by term
    margin whatif FILE --shock ETH=-15%   before and after
    margin rules list | show NAME         what a rule set computes
    margin compare FILE OTHER             the same accounts under other parameters
    margin schema                         what a file may say
    margin import aave POOL ...           a deployed venue as a file

Exit codes: 0 done, 2 the file or a change is wrong, 5 an account's verdict is unknown (the reasons are printed).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relayer.cli.margin_import import import_app
from relayer.cli.output import JsonOption, reporting

margin_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Weigh portfolio files, offline.")
rules_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="What the rule sets compute.")
margin_app.add_typer(rules_app, name="rules")
margin_app.add_typer(import_app, name="import")

PortfolioFile = Annotated[Path, typer.Argument(metavar="FILE", help="A portfolio file, .toml or .json.")]
OneAccount = Annotated[str, typer.Option("--account", help="This account only.")]
PurposeText = Annotated[
    str, typer.Option("--purpose", help="Purpose of the lines: initial, maintenance or liquidation_end.")
]


def _print_schema(is_wanted: bool) -> None:
    if is_wanted:
        schema()
        raise typer.Exit


@margin_app.callback()
def margin(
    schema_: Annotated[
        bool, typer.Option("--schema", callback=_print_schema, is_eager=True, help="Print the files' JSON Schema.")
    ] = False,
) -> None:
    """Weigh portfolio files, offline."""
    del schema_


@margin_app.command("explain")
def explain(
    file: PortfolioFile,
    account: OneAccount = "",
    purpose: PurposeText = "maintenance",
    search: Annotated[bool, typer.Option(help="Search liquidation prices, what may leave, and cures.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Explain every account of a file: figures, the terms that add up to them, prices that would liquidate it."""
    with reporting("margin.explain@1", as_json) as report:
        from relayer.cli.margin_explain import explain_file

        explain_file(report, file, account, purpose, with_search=search)


@margin_app.command("whatif")
def whatif(  # noqa: PLR0913, PLR0917  # every parameter is an option of the verb
    file: PortfolioFile,
    account: OneAccount = "",
    deposit: Annotated[list[str] | None, typer.Option(metavar="LEG=BALANCE", help="weth=2.5")] = None,
    withdraw: Annotated[list[str] | None, typer.Option(metavar="LEG=BALANCE")] = None,
    repay: Annotated[list[str] | None, typer.Option(metavar="LEG=BALANCE")] = None,
    borrow: Annotated[list[str] | None, typer.Option(metavar="LEG=BALANCE")] = None,
    trade: Annotated[list[str] | None, typer.Option(metavar="LEG=SIZE@PRICE", help="eth=-5@2200")] = None,
    shock: Annotated[list[str] | None, typer.Option(metavar="ASSET=PERCENT", help="ETH=-15% or all=-15%")] = None,
    price: Annotated[list[str] | None, typer.Option(metavar="ASSET=PRICE", help="ETH=1900 or ETH=1890..1910")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="rules.reserves.WETH.ltv_bps=7000")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare accounts before and after changes; parameters first, then prices, then the account's own acts."""
    with reporting("margin.whatif@1", as_json) as report:
        from relayer.cli.margin_changes import Asked
        from relayer.cli.margin_whatif import whatif_file

        acts = (
            ("deposit", deposit or []),
            ("repay", repay or []),
            ("borrow", borrow or []),
            ("withdraw", withdraw or []),
            ("trade", trade or []),
        )
        asked = Asked(acts, tuple(shock or []), tuple(price or []), tuple(set_ or []))
        whatif_file(report, file, account, asked)


@margin_app.command("compare")
def compare(file: PortfolioFile, other: PortfolioFile, as_json: JsonOption = False) -> None:
    """Weigh the accounts of FILE under the parameters of OTHER as well: what differs, and who flips."""
    with reporting("margin.compare@1", as_json) as report:
        from relayer.cli.margin_whatif import compare_files

        compare_files(report, file, other)


@margin_app.command("schema")
def schema(as_json: JsonOption = False) -> None:
    """Print the JSON Schema of portfolio files."""
    import json

    with reporting("margin.schema@1", as_json) as report:
        from relayer.portfolio.portfolio import schema as published

        report.data = published()  # type: ignore[assignment]  # a schema is JSON
        report.line(json.dumps(published(), indent=2))


@rules_app.callback()
def rules() -> None:
    """What the rule sets compute."""


@rules_app.command("list")
def rules_list(as_json: JsonOption = False) -> None:
    """List all rule sets."""
    with reporting("margin.rules.list@1", as_json) as report:
        from relayer.cli.margin_rules import list_rules

        list_rules(report)


@rules_app.command("show")
def rules_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="For example aave@3.7.")], as_json: JsonOption = False
) -> None:
    """Show one rule set: formula, rounding, equality, source, and what each input does."""
    with reporting("margin.rules.show@1", as_json) as report:
        from relayer.cli.margin_rules import show_rules

        show_rules(report, name)
