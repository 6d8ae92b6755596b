"""What the demo shows: chapters, tables and one-line findings, with Rich on standard output; nothing with `--json`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from proofs.types import to_hex
from proofs.units import parse_decimal

if TYPE_CHECKING:
    from chains.devnet.world import World
    from relayer.cli.demo_client import Document

COLOURS: Final = (
    ("healthy", "green"),
    ("warning", "yellow"),
    ("margin_call", "dark_orange"),
    ("liquidatable", "bold red"),
    ("bad_debt", "bold red"),
    ("unknown", "magenta"),
)
ACCOUNT_COLUMNS: Final = (
    "account",
    "collateral by chain",
    "positions",
    "equity",
    "initial",
    "maintenance",
    "ratio",
    "status",
)
WIDTH: Final = 118


class Screen:
    """Tell the story on the terminal."""

    def __init__(self, silent: bool) -> None:
        self._console = Console(quiet=silent, highlight=False)
        if not self._console.is_terminal:
            self._console = Console(quiet=silent, highlight=False, width=WIDTH)
        self._number = 0

    def chapter(self, title: str, what: str) -> None:
        """Open a chapter."""
        self._number += 1
        self._console.print()
        self._console.rule(f"[bold]{self._number}. {escape(title)}", align="left")
        self._console.print(f"[dim]{escape(what)}")

    def say(self, text: str) -> None:
        """Print one finding; the text may carry markup of ours, never foreign text unescaped."""
        self._console.print(f"  {text}")

    def chains(self, world: World) -> None:
        """Show what stands where."""
        table = _table("chain", "id", "node", "LockBox", "assets")
        for chain in world.chains:
            symbols = ", ".join(place.symbol for place in chain.places)
            table.add_row(chain.name, chain.chain, chain.url, _short(to_hex(chain.lock_box.address)), symbols)
        self._console.print(table)
        self.say(
            f"venue {to_hex(world.venue.address)} and verifier {to_hex(world.verifier.address)} on {world.home.name}"
        )

    def anchors(self, frame: Document, names: dict[str, str]) -> None:
        """Show the blocks that a frame pinned."""
        table = _table("chain", "block", "hash", "block time", "finality")
        anchors = frame.get("chains")
        for anchor in anchors if isinstance(anchors, list) else []:
            name = names.get(str(anchor["chain"]), str(anchor["chain"]))
            row = [str(anchor.get(key, "-")) for key in ("block_number", "block_hash", "timestamp", "finality")]
            table.add_row(name, row[0], _short(row[1], 10), row[2], row[3])
        self._console.print(table)

    def accounts(self, rows: Sequence[tuple[str, Document]], names: dict[str, str]) -> None:
        """Show the margin table."""
        table = _table(
            "account", "collateral by chain", "positions", "equity", "initial", "maintenance", "ratio", "status"
        )
        for name, view in rows:
            status = str(view["status"])
            table.add_row(
                name,
                _collateral(view, names),
                _positions(view),
                _usd(view["equity_usd"]),
                _usd(view["initial_margin_usd"]),
                _usd(view["maintenance_margin_usd"]),
                _ratio(view.get("margin_ratio")),
                f"[{dict(COLOURS).get(status, 'white')}]{escape(status)}",
            )
        self._console.print(table)

    def reasons(self, reasons: Sequence[str]) -> None:
        """List why something is so."""
        for reason in reasons:
            self._console.print(f"    • {escape(reason)}")

    def closing(self, folder: Path, address: str, seconds: float, serve: bool) -> None:
        """Say what was left where and what to do next."""
        self._console.print()
        self._console.rule(f"[bold green]Done in {seconds:.0f} s", align="left")
        bundle = folder / "bundle.tar.gz"
        self.say(f"evidence, log, database and both documents are in {escape(str(folder))}")
        if serve:
            self.say(f"[bold]still running[/]: API at http://{address}  (Ctrl-C stops everything)")
            self.say(f"  curl http://{address}/v1/accounts    curl http://{address}/v1/frames/latest")
        self.say("next:")
        hints = [(f"{program()} verify {bundle}", "check the evidence yourself, offline")]
        if not serve:
            hints.append(("make demo SERVE=1", "keep it running and talk to the API"))
        hints += [
            (f"{program()} init --chains ethereum,base", "write the two documents for real networks"),
            ("docs/ATTESTATION.md", "use an attestation in your contract"),
        ]
        for command, purpose in hints:
            self._console.print(f"  {escape(command)}  [dim]{escape(purpose)}", soft_wrap=True)


def program() -> str:
    """Return how this program can be called from here: by name when it is on the path, else by its file."""
    called = Path(sys.argv[0])
    found = shutil.which("relayer")
    if called.name != "relayer" or (found is not None and Path(found).resolve() == called.resolve()):
        return "relayer"
    return str(called)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    right = {"equity", "initial", "maintenance", "ratio", "block"}
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=column in right)
    return table


def _lines(view: Document, *kinds: str) -> list[dict[str, object]]:
    lines = view.get("lines")
    return [line for line in lines if line["kind"] in kinds] if isinstance(lines, list) else []


def _collateral(view: Document, names: dict[str, str]) -> str:
    parts = []
    for line in _lines(view, "lock", "balance"):
        name = names.get(str(line["chain"]), "?")
        parts.append(f"{name[-1]}: {_amount(line)} {line['symbol']}")
    return escape(", ".join(parts))


def _positions(view: Document) -> str:
    return escape(", ".join(f"{_amount(line)} {line['symbol']}" for line in _lines(view, "position"))) or "-"


def _amount(line: dict[str, object]) -> str:
    return str(line["amount"])


def _usd(text: object) -> str:
    cents = parse_decimal(str(text), 18) // 10**16
    sign, magnitude = ("-" if cents < 0 else ""), abs(cents)
    return f"{sign}{magnitude // 100:,}.{magnitude % 100:02}"


def _ratio(text: object) -> str:
    return "-" if text is None else _usd(text)


def _short(text: str, digits: int = 6) -> str:
    return f"{text[: digits + 2]}…{text[-4:]}" if len(text) > digits + 6 else text
