"""`relayer flags`: who is flagged, and why; reads the store read-only, beside a running service or without one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relayer.cli.arguments import parse_account
from relayer.cli.output import ExitCode, Json, JsonOption, reporting

if TYPE_CHECKING:
    from proofs.types import AccountId
    from relayer.flags import Flag, FlagEvent

flags_app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="List raised flags and explain one account's."
)

EVENTS_SHOWN = 20
StoreFile = Annotated[
    Path | None, typer.Option("--store", help="The database; by default the one of the configuration.")
]
ConfigFile = Annotated[Path, typer.Option("--config", help="The operator's configuration.")]
FailOn = Annotated[bool, typer.Option("--fail-on-raised", help="End with exit code 3 when a flag is raised.")]
CONFIG_DEFAULT = Path("relayer.toml")


@flags_app.command("list")
def flags_list(
    store: StoreFile = None, config: ConfigFile = CONFIG_DEFAULT, fail_on: FailOn = False, as_json: JsonOption = False
) -> None:
    """List all flags that are not clear."""
    from relayer.store.reads import open_flags
    from relayer.store.schema import open_reader

    with reporting("flags.list@1", as_json) as report:
        with closing(open_reader(_store_path(store, config))) as connection:
            flags = open_flags(connection)
        report.data = [_flag_json(flag) for flag in flags]
        if flags:
            report.table(("account", "state", "status", "since frame", "reason"), [_flag_row(flag) for flag in flags])
        else:
            report.line("no account is flagged")
        if fail_on and flags:
            report.fail(ExitCode.FINDINGS)


@flags_app.command("why")
def flags_why(
    account: Annotated[str, typer.Argument(help="0x address, CAIP-10 id or 32-byte account id.")],
    store: StoreFile = None,
    config: ConfigFile = CONFIG_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Explain one account's flag: its state, its reasons, and what happened to it before."""
    from relayer.store.reads import events_of, flag_at
    from relayer.store.schema import open_reader

    with reporting("flags.why@1", as_json) as report:
        account_id = parse_account(account)
        with closing(open_reader(_store_path(store, config))) as connection:
            flag, events = flag_at(connection, account_id), events_of(connection, account_id, EVENTS_SHOWN)
        report.data = {
            "account": _account_text(account_id),
            "flag": None if flag is None else _flag_json(flag),
            "events": [_event_json(event) for event in events],
        }
        for text in _why_lines(account_id, flag):
            report.line(text)
        if events:
            report.table(("frame", "event", "status", "equity", "maintenance margin"), list(map(_event_row, events)))


def _store_path(store: Path | None, config: Path) -> Path:
    if store is not None:
        return store
    from relayer.config.operator_document import load_operator

    return load_operator(config, plain_secrets=True).store


def _why_lines(account: AccountId, flag: Flag | None) -> list[str]:
    name = _account_text(account)
    if flag is None:
        return [f"{name} was never flagged"]
    head = f"{name}: {flag.state.value}, status {flag.status.name.lower()}, since frame {flag.since_frame}"
    return [head, *(f"  {reason}" for reason in flag.reasons)]


def _flag_row(flag: Flag) -> tuple[str, ...]:
    reason = flag.reasons[0] if flag.reasons else ""
    return _account_text(flag.account), flag.state.value, flag.status.name.lower(), str(flag.since_frame), reason


def _event_row(event: FlagEvent) -> tuple[str, ...]:
    money = (_usd(event.equity_usd), _usd(event.maintenance_margin_usd))
    return (str(event.frame), event.kind.value, event.status.name.lower(), *money)


def _flag_json(flag: Flag) -> Json:
    return {
        "account": _account_text(flag.account),
        "state": flag.state.value,
        "status": flag.status.name.lower(),
        "since_frame": flag.since_frame,
        "last_frame": flag.last_frame,
        "raised_assurance": int(flag.raised_assurance),
        "frames_above": flag.frames_above,
        "reasons": list(flag.reasons),
    }


def _event_json(event: FlagEvent) -> Json:
    return {
        "kind": event.kind.value,
        "frame": event.frame,
        "status": event.status.name.lower(),
        "equity_usd": _usd(event.equity_usd),
        "maintenance_margin_usd": _usd(event.maintenance_margin_usd),
        "reasons": list(event.reasons),
    }


def _usd(value: int) -> str:
    from proofs.units import format_decimal

    return format_decimal(value, 18)


def _account_text(account: AccountId) -> str:
    return "0x" + (account[12:] if not any(account[:12]) else account).hex()
