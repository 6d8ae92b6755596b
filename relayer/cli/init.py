"""`relayer init`: write the two documents of a new deployment, to be filled in. Never overwrites."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relayer.cli.output import JsonOption, reporting
from relayer.errors import ConfigError, Fault

if TYPE_CHECKING:
    from relayer.config.template import NamedNetwork

DIRECTORY_DEFAULT = Path()


def init(
    chains: Annotated[str, typer.Option("--chains", help="Networks by name, comma-separated: ethereum,base,...")],
    directory: Annotated[Path, typer.Option("--dir", help="Where to write.")] = DIRECTORY_DEFAULT,
    venue: Annotated[str, typer.Option("--venue", help="The venue's network; the first of --chains by default.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Write a commented policy.toml and relayer.toml; what only you know is marked FILL_IN_..."""
    from relayer.config.template import operator_template, policy_template

    with reporting("init@1", as_json) as report:
        networks = chosen_networks(chains)
        home = _venue_network(networks, venue)
        texts = {"policy.toml": policy_template(networks, home), "relayer.toml": operator_template(networks)}
        written = _write(directory, texts)
        report.data = {"written": [str(path) for path in written]}
        for path in written:
            report.line(f"wrote {path}")
        report.line("next: replace every FILL_IN_..., then `relayer policy check` and `relayer config check`")


def chosen_networks(chains: str) -> tuple[NamedNetwork, ...]:
    """Return the networks of a comma-separated list of names.

    Raises: ConfigError for an unknown, repeated or development network.
    """
    known = _shipped()
    names = [name.strip().lower() for name in chains.split(",") if name.strip()]
    real = ", ".join(name for name, named in known.items() if not named.network.devnet)
    if not names or len(set(names)) != len(names):
        raise ConfigError("--chains", Fault("", "name each network once", f"known: {real}"))
    for name in names:
        if name not in known:
            raise ConfigError("--chains", Fault("", f"unknown network {name!r}", f"known: {real}"))
        if known[name].network.devnet:
            raise ConfigError("--chains", Fault("", f"{name} is a development chain", "use `relayer devnet up`"))
    return tuple(known[name] for name in names)


def _shipped() -> dict[str, NamedNetwork]:
    from importlib.resources import files

    from chains.network import parse_network
    from relayer.config.template import NamedNetwork

    entries = sorted(files("chains").joinpath("networks").iterdir(), key=lambda entry: entry.name)
    return {
        entry.name.removesuffix(".toml"): NamedNetwork(
            entry.name.removesuffix(".toml"), parse_network(entry.read_text(encoding="utf-8"), entry.name)
        )
        for entry in entries
        if entry.name.endswith(".toml")
    }


def _venue_network(networks: tuple[NamedNetwork, ...], venue: str) -> NamedNetwork:
    if not venue:
        return networks[0]
    for named in networks:
        if named.stem == venue.strip().lower():
            return named
    raise ConfigError("--venue", Fault("", f"{venue!r} is not among --chains", "add it there"))


def _write(directory: Path, texts: dict[str, str]) -> list[Path]:
    paths = {directory / name: text for name, text in texts.items()}
    for path in paths:
        if path.exists():
            raise ConfigError(str(path), Fault("", "exists already", "choose another --dir; nothing was written"))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, text in paths.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(str(directory), Fault("", f"cannot be written: {reason}", "choose another --dir")) from error
    return list(paths)
