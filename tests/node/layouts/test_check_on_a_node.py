"""`layouts check` on a real world: sound as deployed, and a finding for everything that does not hold any more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from eth_abi import encode
from typer.testing import CliRunner

from chains.collateral.erc20 import BALANCE_OF
from chains.devnet.deploy import deploy_world
from chains.devnet.nodes import AnvilNode, start_anvils
from chains.devnet.policy import free_sources, policy_text
from chains.devnet.rpc import Json
from chains.devnet.seeding import seed_accounts
from chains.devnet.transactions import Transaction, transact
from chains.devnet.world import DEVNET_CHAIN_NUMBERS, SignerSet, World
from chains.discovery_asking import Finder
from chains.discovery_check import check_column
from proofs.keccak import keccak256
from proofs.layouts import SolidityMapping
from proofs.pins import proxy_pins
from proofs.sheet import ColumnSpec, ReadMode
from proofs.types import Address, to_hex
from relayer.cli.main import app
from tests.node.layouts.zoo import CHAIN, HOLDERS, Zoo, client

pytestmark = pytest.mark.node

Nodes = tuple[AnvilNode, ...]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with start_anvils(DEVNET_CHAIN_NUMBERS, block_time_s=None) as started:
        yield started


@pytest.fixture(scope="module")
def world(nodes: Nodes) -> World:
    world = deploy_world([node.url for node in nodes], SignerSet((Address(b"\x07" * 20),), k=1, f=0))
    accounts = seed_accounts(world, 12)
    (token,) = [place.token for place in world.home.places if place.token]
    minted = call_data("mint(address,uint256)", accounts[0].account[12:], 5)
    transact(world.home.url, Transaction(world.owner, token.address, minted))
    return world


def call_data(signature: str, *values: object) -> bytes:
    types = signature[signature.index("(") + 1 : -1].split(",")
    return keccak256(signature.encode())[:4] + encode(types, values)


def check(nodes: Nodes, path: Path, *more: str) -> tuple[int, dict[str, Json]]:
    urls = [text for node in nodes for text in ("--rpc-url", f"eip155:{node.chain_id}={node.url}")]
    outcome = CliRunner().invoke(app, ["layouts", "check", "--policy", str(path), *urls, *more, "--json"])
    return outcome.exit_code, json.loads(outcome.stdout)


def written(path: Path, world: World, **changed: object) -> Path:
    document = world.policy_document()
    sources = free_sources(world)
    document["source"] = [*world.policy_document()["source"], *[{**table, **_of(table, changed)} for table in sources]]
    file = path / "policy.toml"
    file.write_text(policy_text(document))
    return file


def _of(table: dict[str, object], changed: dict[str, object]) -> dict[str, object]:
    return changed if table["kind"] == "erc20" else {}


def columns(answer: dict[str, Json]) -> list[dict[str, Json]]:
    assert isinstance(answer["data"], dict)
    found = answer["data"]["columns"]
    assert isinstance(found, list)
    return [column for column in found if isinstance(column, dict)]


def test_check__the_world_as_deployed__every_layout_is_sound(world: World, nodes: Nodes, tmp_path: Path) -> None:
    code, answer = check(nodes, written(tmp_path, world))

    assert (code, answer["errors"], answer["incomplete"]) == (0, [], [])
    assert len(columns(answer)) == 11  # 5 lock columns, 1 token, 2 markets, 3 feeds
    assert all(column["sound"] for column in columns(answer))
    assert all(column["told"] for column in columns(answer))


def test_check__shifted_slot_and_other_code__are_findings(world: World, nodes: Nodes, tmp_path: Path) -> None:
    code, answer = check(nodes, written(tmp_path, world, storage={"base": 7}))
    (wrong,) = [column for column in columns(answer) if not column["sound"]]
    assert code == 3
    assert wrong["differing"]

    code, answer = check(nodes, written(tmp_path, world, code_hash="0x" + "ab" * 32))
    (pinned,) = [column for column in columns(answer) if not column["sound"]]
    assert code == 3
    assert "pinned 0xabab" in str(pinned["code"])


def test_check__a_chain_without_a_node__is_incomplete(world: World, nodes: Nodes, tmp_path: Path) -> None:
    code, answer = check(nodes[:1], written(tmp_path, world), "--holder", to_hex(b"\x11" * 20))

    assert code == 5
    assert sum("no provider" in str(text) for text in answer["incomplete"]) == 2  # type: ignore[union-attr]  # a list


async def test_th_018_check__proxy_without_a_pinned_implementation__is_a_finding(zoo: Zoo) -> None:
    """The code hash of a proxy says nothing about what it runs."""
    asked = client(zoo.node.url)
    finder = Finder(CHAIN, asked)
    block = await finder.newest()
    proxy, implementation = zoo.tokens["proxy"], zoo.tokens["implementation"]
    code = await finder.code(proxy, block)
    assert code.implementation_code is not None
    spec = ColumnSpec("c", proxy, ReadMode.CALL, BALANCE_OF, HOLDERS, (False,), SolidityMapping(1), code.token)

    bare = await check_column(asked, finder, spec, block)
    pins = proxy_pins(proxy, code.token, implementation, code.implementation_code)
    whole = await check_column(asked, finder, replace(spec, pins=pins), block)
    await asked.close()

    assert (bare.is_sound, bare.differing) == (False, ())
    assert "its implementation is not pinned" in bare.code_faults[0]
    assert (whole.is_sound, whole.told) == (True, 3)
