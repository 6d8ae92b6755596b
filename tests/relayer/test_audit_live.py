"""Verbs that ask real nodes: one frame, one account; signed and unsigned agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chains.devnet.nodes import start_anvils
from chains.devnet.seeding import SeededAccount, seed_accounts
from chains.devnet.world import DEVNET_CHAIN_NUMBERS
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
