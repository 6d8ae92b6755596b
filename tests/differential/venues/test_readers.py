"""The venue readers say of a published contract what the contract says, asked another way, at one block."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from eth_utils import keccak
from typer.testing import CliRunner

from chains.devnet.nodes import AnvilNode, start_anvil
from chains.rpc import RpcClient
from chains.venues.aave_v3 import PoolReading, read_pool
from chains.venues.asking import Asker, VenueRefused
from chains.venues.morpho import read_market
from proofs.types import Address, ChainId, Hash32
from relayer.cli.margin import margin_app
from relayer.cli.margin_import import import_app
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.result import Verdict
from relayer.margin.models.aave import AaveRules
from relayer.margin.rulesets.morpho import position_figures
from relayer.margin.view import Purpose
from relayer.portfolio.imported import aave_document, morpho_document
from relayer.portfolio.portfolio import portfolio_of
from tests.differential.aave.book import Book
from tests.differential.aave.chain import Chain
from tests.differential.aave.pools import SETUPS
from tests.differential.aave.reading import read
from tests.differential.aave.run import CHAIN_NUMBER, NO_FEES
from tests.differential.morpho.book import Book as MorphoBook
from tests.node.layouts.zoo import client

pytestmark = pytest.mark.node

CHAIN = ChainId(f"eip155:{CHAIN_NUMBER}")
STEPS = 40


def address(text: str) -> Address:
    return Address(bytes.fromhex(text[2:]))


@pytest.fixture
def node() -> Iterator[AnvilNode]:
    with start_anvil(CHAIN_NUMBER, block_time_s=None, extra=NO_FEES) as started:
        yield started


@pytest.fixture
async def asker(node: AnvilNode) -> AsyncIterator[Asker]:
    clients: list[RpcClient] = [client(node.url), client(node.url)]
    yield Asker(CHAIN, clients)
    for one in clients:
        await one.close()


async def pool_reading(book: Book, asker: Asker) -> PoolReading:
    users = [address(user) for user in book.users]
    return await read_pool(asker, address(book.market.pool), users, await asker.block())


@pytest.mark.parametrize("revision", SETUPS)
async def test_aave_reader__random_book__reads_what_the_pool_says(node: AnvilNode, asker: Asker, revision: str) -> None:
    book = Book(SETUPS[revision](Chain(node)), seed=7)
    book.open()
    book.run(STEPS)

    reading = await pool_reading(book, asker)

    assert (reading.rule_set, reading.nodes) == (revision, 2)
    assert [mode.category for mode in reading.modes] == [1]
    assert len({reserve.symbol for reserve in reading.reserves}) == len(book.market.assets)
    for user, account in zip(book.users, reading.accounts, strict=True):
        other = read(book.market, user)
        assert account.getter == other.venue
        assert (account.scaled, account.flags, account.category) == (other.scaled, other.flags, other.category)
        for mine, theirs in zip(reading.reserves, other.reserves, strict=True):
            assert (mine.supply_index_ray, mine.borrow_index_ray) == (theirs.income_ray, theirs.debt_index_ray)
            assert (mine.price, mine.configuration) == (theirs.price, theirs.configuration)


@pytest.mark.parametrize("revision", SETUPS)
async def test_aave_import__random_book__file_evaluates_to_what_the_pool_says(
    node: AnvilNode, asker: Asker, revision: str
) -> None:
    book = Book(SETUPS[revision](Chain(node)), seed=11)
    book.open()
    book.run(STEPS)

    document = json.loads(json.dumps(aave_document(await pool_reading(book, asker))))
    portfolio = portfolio_of(document, "imported")

    assert [account.name for account in portfolio.accounts] == [user.lower() for user in book.users]
    compared = 0
    for account in portfolio.accounts:
        ours = evaluate(account, portfolio.market, portfolio.rules, Purpose.MAINTENANCE)
        said = portfolio.said[account.name]
        assert (ours.collateral, ours.debt) == (said.collateral, said.debt), account.name
        assert ours.health.health_factor == said.health_factor, account.name
        assert (ours.verdict is Verdict.HEALTHY) == said.is_healthy, account.name
        compared += ours.debt > 0
    assert compared


@pytest.mark.parametrize("revision", SETUPS)
async def test_aave_import__terms_of_liquidation__are_the_pool_s(node: AnvilNode, asker: Asker, revision: str) -> None:
    book = Book(SETUPS[revision](Chain(node)), seed=11)
    book.open()

    rules = portfolio_of(aave_document(await pool_reading(book, asker)), "imported").core

    other = read(book.market, book.users[0])
    assert isinstance(rules, AaveRules)
    for mine, theirs in zip(rules.reserves.values(), other.reserves, strict=True):
        assert (mine.bonus_bps, mine.protocol_fee_bps) == (theirs.bonus_bps, theirs.protocol_fee_bps)
        assert mine.mode_bonuses_bps == dict.fromkeys(mine.modes, other.mode.bonus_bps)
    assert any(mine.modes for mine in rules.reserves.values())


async def test_aave_reader__something_else__is_refused_by_name(node: AnvilNode, asker: Asker) -> None:
    Chain(node).pass_time(1)

    with pytest.raises(VenueRefused, match="not_a_pool"):
        await read_pool(asker, Address(b"\x11" * 20), (), await asker.block())


async def test_morpho_reader__random_book__reads_what_the_market_says(node: AnvilNode, asker: Asker) -> None:
    book = MorphoBook(Chain(node), 8 * 10**17, seed=7)
    book.open()
    book.run(STEPS)
    book.chain.pass_time(3_600)
    block = await asker.block()
    users = [address(user) for user in book.users]

    reading = await read_market(asker, address(book.morpho), Hash32(book.id), users, block)

    market, updated = book.state()
    assert reading.totals == tuple(getattr(market, key) for key in MARKET_TOTALS)
    assert (reading.price, reading.lltv_wad, reading.fee_wad) == (market.price, market.lltv_wad, market.fee_wad)
    assert reading.elapsed_s == block.timestamp_s - updated >= 3_600
    for user, account in zip(book.users, reading.accounts, strict=True):
        position = book.position(user)
        assert (account.collateral, account.borrow_shares) == (position.collateral, position.borrow_shares)
    portfolio = portfolio_of(json.loads(json.dumps(morpho_document(reading))), "imported")
    now = book.as_of(market, updated, block.timestamp_s)
    for user, account in zip(book.users, portfolio.accounts, strict=True):
        figures = position_figures(now, book.position(user))
        ours = evaluate(account, portfolio.market, portfolio.rules, Purpose.MAINTENANCE)
        assert (ours.debt, ours.collateral) == (figures.borrowed, figures.collateral_value)
        assert (ours.verdict is Verdict.HEALTHY) == figures.is_healthy
    with pytest.raises(VenueRefused, match="not_a_market"):
        await read_market(asker, address(book.morpho), Hash32(keccak(b"other")), (), block)


MARKET_TOTALS = ("supply_assets", "supply_shares", "borrow_assets", "borrow_shares")


async def test_margin_import__command_line__writes_a_file_that_explains_itself(node: AnvilNode, tmp_path: Path) -> None:
    book = Book(SETUPS["aave@3.6"](Chain(node)), seed=3)
    book.open()
    book.run(STEPS)
    out, runner = tmp_path / "book.json", CliRunner()
    users = [argument for user in book.users for argument in ("--account", user)]
    command = ["aave", book.market.pool, "--rpc-url", f"{CHAIN}={node.url}", *users, "--out", str(out)]

    written = await asyncio.to_thread(runner.invoke, import_app, command)
    explained = await asyncio.to_thread(runner.invoke, margin_app, ["explain", str(out), "--json"])

    assert written.exit_code == 0, written.output
    told = json.loads(explained.stdout)["data"]
    assert [account["account"] for account in told["accounts"]] == [user.lower() for user in book.users]
    refused = await asyncio.to_thread(runner.invoke, import_app, ["aave", NOBODY, *command[2:4]])
    assert refused.exit_code == 2
    assert "not_a_pool" in refused.output


NOBODY = "0x" + "11" * 20
