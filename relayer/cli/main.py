"""`relayer`: the list of verbs. A verb's module is imported when it is called, never to print help.

An entry names a function (one verb) or a Typer app (a group of verbs).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final

import typer
from typer._click.exceptions import UsageError
from typer.core import TyperGroup
from typer.main import get_command, get_group

if TYPE_CHECKING:
    from typer._click import Command, HelpFormatter
    from typer._click import Context as ClickContext

PROGRAM: Final = "relayer"


@dataclass(frozen=True, slots=True)
class Verb:
    """Say where a verb is implemented (`module:attribute`) and what it does, in one line."""

    target: str
    help: str


PACKAGES: Final = ("proofs", "chains", "relayer")

VERBS: Final = MappingProxyType(
    {
        "init": Verb("relayer.cli.init:init", "Write a commented policy.toml and relayer.toml to fill in."),
        "run": Verb("relayer.cli.run:run", "Run the service; without [signer] it observes only."),
        "demo": Verb("relayer.cli.demo:demo", "Show everything on three local development chains."),
        "devnet": Verb("relayer.cli.devnet:devnet_app", "Start local development chains with a sample world."),
        "audit": Verb("relayer.cli.audit:audit_app", "Read and explain one account, once, without a service."),
        "margin": Verb("relayer.cli.margin:margin_app", "Weigh portfolio files under venues' rules, offline."),
        "verify": Verb("relayer.cli.verify:verify", "Check an evidence bundle offline."),
        "flags": Verb("relayer.cli.flags:flags_app", "List raised flags and explain one account's."),
        "layouts": Verb("relayer.cli.layouts:layouts_app", "Find a token's storage layout; check the policy's."),
        "policy": Verb("relayer.cli.policy:policy_app", "Check a policy document and print its id."),
        "config": Verb("relayer.cli.config_cmd:config_app", "Check, print and describe the configuration."),
        "health": Verb("relayer.cli.health:health", "Ask the running service whether it is ready."),
    }
)


class LazyGroup(TyperGroup):
    """Import a verb's module when the verb is called."""

    def list_commands(self, ctx: ClickContext) -> list[str]:
        """Return the verbs in the order of the table."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: ClickContext, cmd_name: str) -> Command | None:
        """Import and return one verb."""
        del ctx
        return _loaded(cmd_name) if cmd_name in VERBS else None

    def format_commands(self, ctx: ClickContext, formatter: HelpFormatter) -> None:
        """List the verbs from the table, importing none of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])


def _loaded(name: str) -> Command:
    module, attribute = VERBS[name].target.split(":", 1)
    target = getattr(import_module(module), attribute)
    if isinstance(target, typer.Typer):
        return get_group(target)
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name)(target)
    return get_command(single)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        typer.echo(f"margin-relayer {version('margin-relayer')}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a bug's trace shows code, never the values of variables
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def relayer(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Read balances and positions on many chains, verify them, evaluate margin, attest and watch it."""
    del version


def strangers() -> tuple[str, ...]:
    """Return the files of our packages that lie beside another tree than this one: `chains` is a common name."""
    here = Path(__file__).resolve().parents[2]
    origins = [Path(spec.origin) for name in PACKAGES if (spec := find_spec(name)) is not None and spec.origin]
    return tuple(str(origin) for origin in origins if origin.resolve().parents[1] != here)


def main() -> None:
    """Run the command line. Where JSON is asked for, a usage error is an envelope as well."""
    found = strangers()
    if found:
        typer.echo(f"error: another distribution's package is in the way: {', '.join(found)}", err=True)
        typer.echo("fix: install margin-relayer into an environment of its own", err=True)
        raise SystemExit(2)
    if "--json" not in sys.argv[1:]:
        app(prog_name=PROGRAM)
        return
    try:
        code = app(prog_name=PROGRAM, standalone_mode=False)
    except UsageError as error:
        code = _refuse_usage(error)
    raise SystemExit(code)


def _refuse_usage(error: UsageError) -> int:
    from relayer.cli.output import ExitCode, Report

    report = Report("usage@1", as_json=True)
    path = PROGRAM if error.ctx is None else error.ctx.command_path
    report.fail(ExitCode.USAGE, f"{' '.join(error.format_message().split())}; see `{path} --help`")
    report.emit()
    return int(report.code)
