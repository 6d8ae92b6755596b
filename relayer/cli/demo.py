"""`relayer demo`: the whole story on three local chains, told on the terminal; every step is real.

Nodes, contracts and transactions are real, and so is the relayer: it runs as a process of its own, and the demo uses
it like anybody would, through its HTTP API and its command line.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from relayer.cli.output import ExitCode, Json, JsonOption, reporting

DIRECTORY_DEFAULT: Final = Path(".demo")
PREFIX: Final = "demo-"


def demo(
    serve: Annotated[bool, typer.Option("--serve", help="Keep everything running at the end, until Ctrl-C.")] = False,
    out: Annotated[
        Path, typer.Option(help="Where a folder of this run is made: documents, log, database, evidence bundle.")
    ] = DIRECTORY_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Show everything on three local chains: read, prove, evaluate, sign, verify on chain, flag, clear."""
    from chains.devnet.errors import DevnetError
    from relayer.cli.demo_client import DemoFailed

    with reporting("demo@1", as_json) as report:
        try:
            told = _tell(out, serve, as_json)
            report.data = told if as_json else None
        except (DevnetError, DemoFailed, OSError) as error:
            report.fail(ExitCode.UNEXPECTED, str(error))
        except KeyboardInterrupt:
            report.fail(ExitCode.INTERRUPTED, "interrupted; nodes and relayer are stopped")


def _tell(out: Path, serve: bool, as_json: bool) -> Json:
    from chains.devnet.nodes import start_anvils
    from chains.devnet.world import DEVNET_CHAIN_NUMBERS
    from relayer.cli.demo_client import Service
    from relayer.cli.demo_screen import Screen
    from relayer.cli.demo_story import Story
    from relayer.cli.devnet import terminating, write_site

    started_s = time.monotonic()
    screen = Screen(as_json)
    with terminating(), _private_folder(out) as folder:
        screen.chapter("Three chains", "starting nodes, deploying contracts with real transactions")
        with start_anvils(DEVNET_CHAIN_NUMBERS) as nodes:
            address = f"127.0.0.1:{_free_port()}"
            site = write_site([node.url for node in nodes], folder, address)
            screen.chains(site.world)
            service = Service(site.operator_file, address, folder / "relayer.log")
            try:
                told = Story(site, service, screen).tell()
                screen.closing(folder, address, time.monotonic() - started_s, serve)
                if serve:
                    threading.Event().wait()
            finally:
                service.stop()
    return told


@contextmanager
def _private_folder(out: Path) -> Iterator[Path]:
    """Make this run's folder; it is kept when the story ends well or fails, and removed when nothing was written."""
    out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=out)).resolve()
    try:
        yield folder
    finally:
        if not any(folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    """Return a port that was free a moment ago; the relayer refuses to start when somebody took it since."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
