"""`relayer devnet`: the local world of the demo: three nodes, the contracts, and the two documents that describe them.

A devnet holds toy money on nodes of this machine; its chain ids (31337001 to 31337003) mark every leaf as such.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from relayer.cli.output import ExitCode, Json, JsonOption, Report, reporting

if TYPE_CHECKING:
    from chains.devnet.world import DevnetChain, World

devnet_app = typer.Typer(help="Run the local world of the demo.", no_args_is_help=True)

POLICY_FILE: Final = "policy.toml"
OPERATOR_FILE: Final = "relayer.toml"
SIGNER_KEY_FILE: Final = "signer.key"
STORE_FILE: Final = "relayer.db"
LISTEN_DEFAULT: Final = "127.0.0.1:8547"
KEY_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700


@dataclass(frozen=True, slots=True)
class Site:
    """Hold a deployed world and the files that describe it to a relayer."""

    world: World
    directory: Path

    @property
    def operator_file(self) -> Path:
        """Return the path of relayer.toml."""
        return self.directory / OPERATOR_FILE

    @property
    def policy_file(self) -> Path:
        """Return the path of policy.toml."""
        return self.directory / POLICY_FILE


@devnet_app.callback()
def _group() -> None:
    """Run the local world of the demo."""


@devnet_app.command("up")
def up(
    out: Annotated[Path, typer.Option(help="Directory for policy.toml, relayer.toml and the keys.")] = Path(
        ".demo/devnet"
    ),
    rpc_url: Annotated[
        list[str] | None,
        typer.Option(help="chain=URL of a running node; thrice, or not at all (nodes are then started)."),
    ] = None,
    listen: Annotated[str, typer.Option(help="host:port of the relayer's API in relayer.toml.")] = LISTEN_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Start three nodes, deploy the world, write both documents, and keep the nodes running until Ctrl-C.

    With --rpc-url the nodes are somebody else's: the world is deployed on them and the command ends.
    """
    from chains.devnet.errors import DevnetError
    from chains.devnet.nodes import start_anvils
    from chains.devnet.world import DEVNET_CHAIN_NUMBERS

    def deploy(urls: Sequence[str]) -> None:
        with reporting("devnet-up@1", as_json) as report, failing_readably(report):
            site = write_site(urls, out, listen)
            create_traders(site.world)
            report.data = describe(site)
            for name, value in ("policy", site.policy_file), ("config", site.operator_file):
                report.line(f"{name:8} {value}")
            report.table(("chain", "name", "node"), [(c.chain, c.name, c.url) for c in site.world.chains])

    if rpc_url:
        deploy(urls_in_order(rpc_url))
        return
    try:
        with terminating(), start_anvils(DEVNET_CHAIN_NUMBERS) as nodes:
            deploy([node.url for node in nodes])
            sys.stdout.flush()
            typer.echo(f"next: relayer run --config {out / OPERATOR_FILE}    (Ctrl-C here stops the nodes)", err=True)
            threading.Event().wait()
    except DevnetError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(int(ExitCode.USAGE)) from None
    except KeyboardInterrupt:
        raise typer.Exit(int(ExitCode.INTERRUPTED)) from None


@contextmanager
def failing_readably(report: Report) -> Iterator[None]:
    """Turn what can go wrong on a devnet into one line and an exit code."""
    from chains.devnet.errors import DevnetError

    try:
        yield
    except (DevnetError, OSError) as error:
        report.fail(ExitCode.UNEXPECTED, str(error))


def create_traders(world: World) -> None:
    """Create the demo's cast: collateral on several chains, gas, and positions written by the venue's owner."""
    from chains.devnet.actors import seed_position
    from chains.devnet.deploy import PRICES
    from chains.devnet.seeding import create_accounts
    from proofs.units import parse_decimal
    from relayer.cli.demo_cast import CAST, accounts_of

    create_accounts(world, accounts_of(world))
    for trader in CAST:
        for market, size in trader.trades:
            entry = PRICES[world.market(market).symbol]
            seed_position(world, trader.address, market, parse_decimal(size, 18), entry)


def write_site(urls: Sequence[str], directory: Path, listen: str) -> Site:
    """Deploy a world on nodes, activate its policy, and write what a relayer needs to watch it; keys are made anew.

    Raises: `DevnetError` when a node refuses; `OSError` when the directory cannot be written.
    """
    from chains.devnet.actors import activate_policy
    from chains.devnet.deploy import deploy_world
    from chains.devnet.policy import policy_text
    from chains.devnet.world import SignerSet
    from proofs.signing import LocalSigner
    from relayer.config.policy_document import load_policy

    directory.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
    signer = LocalSigner(_new_key(directory / SIGNER_KEY_FILE))
    world = deploy_world(list(urls), SignerSet((signer.address,), k=1, f=0))
    site = Site(world, directory.resolve())
    site.policy_file.write_text(policy_text(world.policy_document()))
    for chain in world.chains:
        (directory / f"{_label(chain)}.url").write_text(f"{chain.url}\n")
    site.operator_file.write_text(_operator_text(world, listen))
    activate_policy(world, load_policy(site.policy_file).policy_id)
    return site


def urls_in_order(pairs: Sequence[str]) -> list[str]:
    """Return the URLs of `chain=URL` pairs in order of the devnet's chains.

    Raises: typer.BadParameter naming what is missing or unknown.
    """
    from chains.devnet.world import DEVNET_CHAIN_NUMBERS

    given = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    wanted = [f"eip155:{number}" for number in DEVNET_CHAIN_NUMBERS]
    if sorted(given) != sorted(wanted):
        raise typer.BadParameter(f"--rpc-url is needed once for each of {', '.join(wanted)}, as chain=URL")
    return [given[chain] for chain in wanted]


def describe(site: Site) -> Json:
    """Return what stands where, for people and scripts."""
    from proofs.types import to_hex

    world = site.world
    return {
        "chains": [
            {"chain": chain.chain, "name": chain.name, "url": chain.url, "lock_box": to_hex(chain.lock_box.address)}
            for chain in world.chains
        ],
        "venue": to_hex(world.venue.address),
        "verifier": to_hex(world.verifier.address),
        "policy": str(site.policy_file),
        "config": str(site.operator_file),
    }


@contextmanager
def terminating() -> Iterator[None]:
    """Let SIGTERM end the block like Ctrl-C does, so that `with` blocks stop their nodes."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _new_key(path: Path) -> bytes:
    key = secrets.token_bytes(32)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, KEY_MODE)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"0x{key.hex()}\n")
    return key


def _label(chain: DevnetChain) -> str:
    return chain.name.lower().replace(" ", "-")


def _operator_text(world: World, listen: str) -> str:
    """Return relayer.toml for a world: one local provider per chain, SQLite, a key file."""
    provider = (
        '[[provider]]\nchain = "{chain}"\nname = "{label}"\noperator = "local"\nurl = {{ file = "{label}.url" }}\n'
    )
    parts = [
        f'# Written by `relayer devnet up`.\npolicy = "{POLICY_FILE}"\nstore = "sqlite://{STORE_FILE}"\n',
        *(provider.format(chain=chain.chain, label=_label(chain)) for chain in world.chains),
        f'[signer]\nkind = "key_file"\npath = "{SIGNER_KEY_FILE}"\n',
        f'[api]\nlisten = "{listen}"\n',
    ]
    return "\n".join(parts)
