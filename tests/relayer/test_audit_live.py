"""Verbs that ask real nodes: one frame, one account; signed and unsigned agree."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chains.devnet.nodes import start_anvils
from chains.devnet.rpc import rpc
from chains.devnet.seeding import SeededAccount, seed_accounts
from chains.devnet.world import DEVNET_CHAIN_NUMBERS
from proofs.ancestry import HISTORY_ADDRESS
from proofs.types import to_hex
from relayer.cli.devnet import Site, write_site
from relayer.cli.main import app

pytestmark = pytest.mark.node

ACCOUNTS = 8


@dataclass(frozen=True)
class Place:
    site: Site
    accounts: tuple[SeededAccount, ...]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with start_anvils(DEVNET_CHAIN_NUMBERS) as nodes:
        site = write_site([node.url for node in nodes], tmp_path_factory.mktemp("site"), "127.0.0.1:0")
        yield Place(site, seed_accounts(site.world, ACCOUNTS))


def run(*arguments: str) -> tuple[int, dict[str, object]]:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    return result.exit_code, json.loads(result.stdout)


def settled(place: Place) -> dict[str, object]:
    """Run frames until one names all accounts: right after seeding blocks are too young."""
    for _ in range(6):
        code, told = run("run", "--config", str(place.site.operator_file), "--once")
        data = told["data"]
        if code == 0 and data["accounts"] == ACCOUNTS:
            return data
    raise AssertionError(told)


def test_run_once__on_real_nodes__signs_a_frame(place: Place) -> None:
    data = settled(place)

    assert data["state"] == "signed"
    assert len(data["digest"]) == 66


def test_audit_account__live__is_what_the_frame_says_of_it(place: Place) -> None:
    frame = str(settled(place)["frame"])
    audited = place.accounts[0]
    config = str(place.site.operator_file)
    urls = [f"{chain.chain}={chain.url}" for chain in place.site.world.chains]
    options = [part for url in urls for part in ("--rpc-url", url)]

    configured = run("audit", "account", to_hex(audited.account), "--config", config, "--at-time", frame)
    given = run(
        "audit",
        "account",
        to_hex(audited.address),
        "--policy",
        str(place.site.policy_file),
        *options,
        "--at-time",
        frame,
    )

    assert configured[0] in (0, 5)
    assert configured[1]["data"] == given[1]["data"]
    assert configured[1]["data"]["frame"] == int(frame)
    assert len(configured[1]["data"]["chains"]) == 3
    assert configured[1]["data"]["view"]["account"] == to_hex(audited.account)


def test_audit_account__bundle_written__is_verified_without_a_network_and_says_nobody_signed(
    place: Place, tmp_path: Path
) -> None:
    frame, account = str(settled(place)["frame"]), to_hex(place.accounts[0].account)
    bundle, page = tmp_path / "look.tar.gz", tmp_path / "look.html"
    files = ("--bundle", str(bundle), "--report", str(page))

    live = run("audit", "account", account, "--config", str(place.site.operator_file), "--at-time", frame, *files)
    verified = run("verify", str(bundle))
    explained = run("audit", "account", account, "--from", str(bundle))

    assert (live[0], verified[0], explained[0]) == (0, 5, 0)
    assert verified[1]["data"]["verdict"] == "incomplete"
    assert verified[1]["incomplete"] == ["that anybody vouches for it: not signed"]
    assert explained[1]["data"] == live[1]["data"]
    assert page.read_text().count("<svg") == 1


def test_verify__later_block_with_the_nodes_own_answer__vouches_for_the_bundles_block(
    place: Place, tmp_path: Path
) -> None:
    """The file is the body of one batch, byte for byte; without it the message says what to ask."""
    frame, account = str(settled(place)["frame"]), to_hex(place.accounts[0].account)
    bundle, file = tmp_path / "look.tar.gz", tmp_path / "ancestry.json"
    run(
        "audit",
        "account",
        account,
        "--config",
        str(place.site.operator_file),
        "--at-time",
        frame,
        "--bundle",
        f"{bundle}",
    )
    chain = place.site.world.chains[0]
    head = rpc(chain.url, "eth_getBlockByNumber", ["latest", False])
    assert isinstance(head, dict)
    given = ("--anchor", f"{chain.chain}={head['hash']}")

    bare = run("verify", str(bundle), *given)
    slot = re.search(r"slot (0x[0-9a-f]{64})", str(bare[1]["errors"]))
    assert slot is not None
    where = {"blockHash": head["hash"]}
    file.write_bytes(
        batch(
            chain.url,
            ("eth_getBlockByHash", [head["hash"], False]),
            ("eth_getProof", [to_hex(HISTORY_ADDRESS), [slot.group(1)], where]),
        )
    )
    proven = run("verify", str(bundle), *given, "--ancestry", f"{chain.chain}={file}")
    unasked = run("verify", str(bundle), "--ancestry", f"{chain.chain}={file}")

    assert (bare[0], proven[0], unasked[0]) == (4, 5, 2)
    assert proven[1]["errors"] == []
    assert not [line for line in proven[1]["data"]["unverified"] if f"{chain.chain}: that block" in line]


def batch(url: str, *calls: tuple[str, list[object]]) -> bytes:
    asked = [
        {"jsonrpc": "2.0", "id": at, "method": name, "params": params} for at, (name, params) in enumerate(calls, 1)
    ]
    request = urllib.request.Request(url, json.dumps(asked).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        body: bytes = answer.read()
    return body


def test_audit_account__nobody_knows__is_empty_and_known(place: Place) -> None:
    settled(place)

    code, told = run("audit", "account", "0x" + "77" * 20, "--config", str(place.site.operator_file))

    assert code == 0
    assert (told["data"]["view"]["status"], told["data"]["view"]["equity_usd"]) == ("healthy", "0.00")


def test_audit_account__chain_unreachable__ends_with_5_and_the_reason(place: Place) -> None:
    home = place.site.world.home.chain
    options = ("--rpc-url", f"{home}=http://127.0.0.1:9/")

    code, told = run(
        "audit", "account", to_hex(place.accounts[0].account), "--config", str(place.site.operator_file), *options
    )

    assert (code, told["data"]["view"]["status"]) == (5, "unknown")
    assert any("rpc_unreachable" in line for line in told["incomplete"])


@pytest.mark.parametrize("text", ["eip155:1", "eip155:31337001=ftp://x", "=http://x"])
def test_audit_account__malformed_endpoint__ends_with_2_without_the_url(place: Place, text: str) -> None:
    code, told = run("audit", "account", "0x" + "77" * 20, "--policy", str(place.site.policy_file), "--rpc-url", text)

    assert code == 2
    assert "ftp://x" not in json.dumps(told)


@pytest.mark.parametrize("time", ["-4", "0", "7", "1700000001", "4000000000", "9" * 40])
def test_audit_account__time_is_no_settled_frame__ends_with_2_at_once(place: Place, time: str) -> None:
    code, told = run("audit", "account", "0x" + "77" * 20, "--config", str(place.site.operator_file), "--at-time", time)

    (error,) = told["errors"]
    assert code == 2
    assert f"--at-time: {time} is no frame" in error
    assert "a multiple of 4" in error
