"""`relayer margin import`: read a deployed venue at one block and write it as a portfolio file.

    margin import aave POOL --rpc-url eip155:1=URL --account 0x… --out book.json
    margin import morpho ID --morpho 0x… --rpc-url eip155:1=URL --account 0x… --out market.json
    margin explain book.json                          ours beside the venue's own getter

Several `--rpc-url` of the chain must answer alike. Nothing is proven: the file says how many nodes agreed. Exit codes:
0 written, 2 not the venue it was taken for, 5 a node failed or nodes disagree.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from relayer.cli.audit import provider_of
from relayer.cli.nodes import address_of, asked, client_of, one_chain
from relayer.cli.output import ExitCode, JsonOption, Report, reporting

if TYPE_CHECKING:
    from chains.venues.asking import Asker
    from proofs.types import BlockRef, Hash32
    from relayer.config.document import Document

Reading = TypeVar("Reading")

import_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Read a deployed venue into a file.")

Urls = Annotated[list[str], typer.Option("--rpc-url", metavar="CHAIN=URL", help="A node; any further one must agree.")]
Accounts = Annotated[
    list[str] | None, typer.Option("--account", metavar="0x…", help="An account to read; none for parameters alone.")
]
AtBlock = Annotated[int | None, typer.Option("--block", min=0, help="Block number; by default the newest.")]
OutFile = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write here; by default print it.")]


@import_app.callback()
def importing() -> None:
    """Read a deployed venue at one block into a portfolio file."""


@import_app.command("aave")
def aave(
    pool: Annotated[str, typer.Argument(metavar="POOL", help="0x address of the pool.")],
    rpc_url: Urls,
    account: Accounts = None,
    block: AtBlock = None,
    out: OutFile = None,
    as_json: JsonOption = False,
) -> None:
    """Read an Aave v3 pool: its reserves, modes, indices and prices, and what accounts hold and owe."""
    with reporting("margin.import@1", as_json) as report:
        from chains.venues.aave_v3 import read_pool
        from relayer.portfolio.imported import aave_document

        target = address_of("argument POOL", pool)
        accounts = [address_of("option --account", one) for one in account or []]
        reading = _read(report, rpc_url, block, lambda asker, at: read_pool(asker, target, accounts, at))
        if reading is not None:
            _keep(report, aave_document(reading), out)


@import_app.command("morpho")
def morpho(
    market: Annotated[str, typer.Argument(metavar="MARKET", help="0x id of the market, 32 bytes.")],
    venue: Annotated[str, typer.Option("--morpho", metavar="0x…", help="Address of the Morpho contract.")],
    rpc_url: Urls,
    account: Accounts = None,
    block: AtBlock = None,
    out: OutFile = None,
    as_json: JsonOption = False,
) -> None:
    """Read a Morpho Blue market: its terms, totals with interest, its oracle's price, and positions."""
    with reporting("margin.import@1", as_json) as report:
        from chains.venues.morpho import read_market
        from relayer.portfolio.imported import morpho_document

        key, target = _market_id(market), address_of("option --morpho", venue)
        accounts = [address_of("option --account", one) for one in account or []]
        reading = _read(report, rpc_url, block, lambda asker, at: read_market(asker, target, key, accounts, at))
        if reading is not None:
            _keep(report, morpho_document(reading), out)


def _market_id(text: str) -> Hash32:
    from proofs.types import parse_hash
    from relayer.errors import ConfigError, Fault

    try:
        return parse_hash(text)
    except ValueError:
        raise ConfigError("argument MARKET", Fault("", "no market id", "write 0x and 64 hex digits")) from None


def _read(
    report: Report, urls: Sequence[str], number: int | None, read: Callable[[Asker, BlockRef], Awaitable[Reading]]
) -> Reading | None:
    """Open the nodes, pin the block and read; what fails there ends the verb with its code."""
    import asyncio

    from chains.venues.asking import Asker, VenueRefused

    providers = [provider_of(place, text) for place, text in enumerate(urls, 1)]
    chain = one_chain(providers)

    async def run() -> Reading:
        clients = [client_of(chain, provider) for provider in providers]
        try:
            asker = Asker(chain, clients)
            return await read(asker, await asker.block(number))
        finally:
            for client in clients:
                await client.close()

    def attempt() -> Reading | None:
        try:
            return asyncio.run(run())
        except VenueRefused as error:
            report.fail(ExitCode.USAGE, str(error))
            return None

    return asked(report, attempt)


def _keep(report: Report, document: Document, out: Path | None) -> None:
    """Write the document, or make it the result."""
    import json

    from relayer.cli.verify import write_file
    from relayer.portfolio.portfolio import portfolio_of

    portfolio_of(document, "what was read")
    if out is None:
        report.result(document)  # type: ignore[arg-type]  # a document is JSON
        report.line(json.dumps(document, indent=2))
        return
    write_file(report, out, (json.dumps(document, indent=2) + "\n").encode())
    report.result({"file": str(out), "rule_set": str(document["rule_set"])})
    report.line(f"next: relayer margin explain {out}")
