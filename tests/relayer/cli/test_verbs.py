"""init, policy, config and flags as an operator meets them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from relayer.cli.main import app
from relayer.config.policy_document import load_policy
from relayer.flags import FlagState
from relayer.store.sqlite import SqliteStore
from tests.relayer.config.documents import OPERATOR_TEXT, POLICY_TEXT, changed
from tests.relayer.store.samples import event, flag

FILLED = {
    "FILL_IN_NAME": "acme",
    "FILL_IN_VENUE": "0x" + "33" * 20,
    "FILL_IN_MARGIN_VERIFIER": "0x" + "44" * 20,
    "FILL_IN_MARKET_ID": "0x" + "45" * 32,
    "FILL_IN_SIGNER": "0x" + "55" * 20,
}


def run(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=environment)


def envelope(result: Result) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(result.stdout)
    assert set(loaded) == {"schema", "data", "incomplete", "errors"}
    return loaded


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "policy.toml").write_text(POLICY_TEXT)
    providers = [
        f'{{ chain = "{chain}", name = "p{n}", operator = "o{n}", url = {{ env = "RPC_URL" }} }}'
        for chain in ("eip155:1", "eip155:42161")
        for n in range(3)
    ]
    text = changed(changed(OPERATOR_TEXT, "provider", None), "store", "relayer.db")
    text = changed(text, "signer", None)
    (tmp_path / "relayer.toml").write_text(f"provider = [{', '.join(providers)}]\n{text}")
    return tmp_path


# --- init ------------------------------------------------------------------------------------------------------------


def test_init__real_networks__writes_documents_whose_placeholders_are_named(tmp_path: Path) -> None:
    result = run("init", "--chains", "ethereum,base,polygon", "--dir", tmp_path / "new", "--json")

    assert result.exit_code == 0
    policy, operator = (tmp_path / "new" / name for name in ("policy.toml", "relayer.toml"))
    assert envelope(result)["data"]["written"] == [str(policy), str(operator)]
    placeholders = re.findall(r'"[^"]*FILL_IN_\w+"', policy.read_text())
    errors = envelope(run("policy", "check", policy, "--json"))["errors"]
    assert len(errors) == len(placeholders) == 20
    assert all("still the placeholder" in error for error in errors)
    assert 'env = "ETHEREUM_RPC_1"' in operator.read_text()
    assert run("config", "check", operator).stderr.count("still the placeholder 'FILL_IN_OPERATOR_") == 9


@pytest.mark.parametrize("chains", ["ethereum", "base,ethereum,arbitrum,optimism,polygon"])
def test_init__every_placeholder_filled__is_a_policy_and_a_configuration_that_fit(tmp_path: Path, chains: str) -> None:
    run("init", "--chains", chains, "--dir", tmp_path)
    policy, operator = tmp_path / "policy.toml", tmp_path / "relayer.toml"
    text = policy.read_text()
    for count, name in enumerate(sorted(set(re.findall(r"FILL_IN_\w+", text)), key=len, reverse=True)):
        value = FILLED.get(name, "0x" + f"{count + 1:02x}" * (32 if "CODE_HASH" in name else 20))
        text = text.replace(f'"{name}"', "3600") if name.endswith("SECONDS") else text.replace(name, value)
    policy.write_text(text)
    operator.write_text(re.sub(r"FILL_IN_OPERATOR_(\d)", r"operator-\1", operator.read_text()))

    variables = {f"{one.upper()}_RPC_{n}": "http://x" for one in chains.split(",") for n in (1, 2, 3)}
    result = run("config", "check", operator, **variables)

    assert result.exit_code == 0, result.stderr
    assert len(load_policy(policy).chains) == len(chains.split(","))
    assert "observing only" in result.stdout


def test_init__existing_file__is_not_overwritten_and_nothing_else_is_written(tmp_path: Path) -> None:
    (tmp_path / "relayer.toml").write_text("mine")

    result = run("init", "--chains", "ethereum", "--dir", tmp_path)

    assert result.exit_code == 2
    assert "exists already" in result.stderr
    assert (tmp_path / "relayer.toml").read_text() == "mine"
    assert not (tmp_path / "policy.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--chains", "atlantis"), "unknown network 'atlantis'; known: arbitrum, base, ethereum"),
        (("--chains", "ethereum,ethereum"), "name each network once"),
        (("--chains", ""), "name each network once"),
        (("--chains", "devnet-a"), "relayer devnet up"),
        (("--chains", "ethereum", "--venue", "base"), "not among --chains"),
    ],
)
def test_init__wrong_networks__is_one_line_and_exit_code_two(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = run("init", *arguments, "--dir", tmp_path / "new")

    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "new").exists()


# --- policy ----------------------------------------------------------------------------------------------------------


def test_policy_hash__the_sample__is_the_vector(site: Path) -> None:
    vector = json.loads((Path(__file__).parents[1] / "config" / "policy_id.json").read_text())

    assert run("policy", "hash", site / "policy.toml").stdout == vector["policy_id"] + "\n"
    assert envelope(run("policy", "hash", site / "policy.toml", "--json"))["data"] == {
        "policy_id": vector["policy_id"],
        "name": "acme-perps",
        "version": 3,
    }


def test_policy_check__the_sample__shows_what_is_read(site: Path) -> None:
    result = run("policy", "check", site / "policy.toml")

    assert result.exit_code == 0
    assert "acme-perps version 3 is well formed" in result.stdout
    assert re.search(r"eip155:42161\s+30 s\s+20 confirmations\s+2\s+7", result.stdout)
    assert len(envelope(run("policy", "check", site / "policy.toml", "--json"))["data"]["columns"]) == 9


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (changed(POLICY_TEXT, "surprise", 1), "surprise: unknown key"),
        (changed(POLICY_TEXT, "frame_s", "60"), "frame_s: expected a valid integer, got a string"),
        (POLICY_TEXT.replace("lag_s = 24", "lag_s = 24.0"), "chain[0].lag_s: floats are refused"),
        (POLICY_TEXT + "\nk = 1\n", "not TOML: Cannot overwrite a value"),
        (changed(POLICY_TEXT, "chain.1.id", "eip155:1"), "chain[1].id: this chain already stands at chain[0].id"),
    ],
)
def test_policy_check__bad_input__is_named_with_exit_code_two(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "p.toml").write_text(text)

    result = run("policy", "check", tmp_path / "p.toml")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"error: {tmp_path / 'p.toml'}: {words}" in result.stderr


# --- config ----------------------------------------------------------------------------------------------------------


def test_config_check__secrets_there__fits_and_estimates_the_disk(site: Path) -> None:
    data = envelope(run("config", "check", site / "relayer.toml", "--accounts", 10, "--json", RPC_URL="x"))["data"]

    assert data["providers"] == 6
    assert data["signing"] is False
    assert data["disk_bytes"]["leaves"] == 10 * 360 * (320 + 600 + 7 * 500)


def test_config_check__a_missing_secret__is_one_line_per_key_with_the_fix(site: Path) -> None:
    result = run("config", "check", site / "relayer.toml")

    assert result.exit_code == 2
    remedy = "the environment variable RPC_URL is not set; export RPC_URL=..."
    assert result.stderr.splitlines()[0] == f"error: {site / 'relayer.toml'}: provider[0].url: {remedy}"


def test_config_check__a_keystore_of_a_stranger__is_told(site: Path) -> None:
    (site / "key.json").write_text('{"address": "' + "66" * 20 + '"}')

    result = run(
        "config",
        "check",
        site / "relayer.toml",
        RPC_URL="x",
        RELAYER__SIGNER='{ kind = "keystore", path = "key.json", password = { env = "RPC_URL" } }',
    )

    assert result.exit_code == 2
    assert f"signer.path: 0x{'66' * 20} is not in the policy's signer set" in result.stderr


def test_config_dump__overrides_and_plain_secrets__shows_values_and_no_secret(site: Path) -> None:
    environment = {"RELAYER__API__LISTEN": "0.0.0.0:1", "RELAYER__PROVIDER__0__URL": "https://k3y.example/s3cr3t"}
    refused = run("config", "dump", site / "relayer.toml", **environment)
    shown = run("config", "dump", site / "relayer.toml", "--allow-plain-secrets", **environment)

    assert refused.exit_code == 2
    assert "provider[0].url: a secret in plain text" in refused.stderr
    assert "api.listen = 0.0.0.0:1" in shown.stdout
    assert "provider[0].url = ***" in shown.stdout
    assert "s3cr3t" not in refused.output + shown.output


def test_config_schema__both_documents__refuse_unknown_keys_and_know_all() -> None:
    schemas = envelope(run("config", "schema", "--json"))["data"]

    assert schemas["policy"]["additionalProperties"] is False
    assert set(schemas["operator"]["properties"]) == {
        "policy", "store", "provider", "signer", "api", "log", "retention",
    }  # fmt: skip
    assert json.loads(run("config", "schema", "policy").stdout) == schemas["policy"]
    assert run("config", "schema", "nonsense").exit_code == 2


# --- flags -----------------------------------------------------------------------------------------------------------


async def test_flags__beside_a_running_service__lists_and_explains(site: Path) -> None:
    store = await SqliteStore.open(site / "relayer.db")
    await store.put_provisional((flag(7), flag(8, FlagState.CLEAR)), (event(7, 60), event(7, 120)))

    listed = run("flags", "list", "--config", site / "relayer.toml", "--json")
    why = run("flags", "why", "0x" + "00" * 19 + "07", "--store", site / "relayer.db")
    why_json = run("flags", "why", "0x" + "00" * 31 + "07", "--store", site / "relayer.db", "--json")
    clear = run("flags", "why", "0x" + "00" * 19 + "09", "--store", site / "relayer.db")
    failing = run("flags", "list", "--store", site / "relayer.db", "--fail-on-raised")
    await store.close()

    assert [row["account"] for row in envelope(listed)["data"]] == ["0x" + "00" * 19 + "07"]
    assert "raised, status liquidatable, since frame 60" in why.stdout
    assert "  ETH-PERP -5" in why.stdout
    assert [item["frame"] for item in envelope(why_json)["data"]["events"]] == [120, 60]
    assert envelope(why_json)["data"]["events"][0]["equity_usd"] == "-170141183460469231731.687303715884105728"
    assert "was never flagged" in clear.stdout
    assert failing.exit_code == 3


async def test_flags__empty_store_and_no_store__are_told_apart(site: Path) -> None:
    missing = run("flags", "list", "--config", site / "relayer.toml")
    await (await SqliteStore.open(site / "relayer.db")).close()
    empty = run("flags", "list", "--config", site / "relayer.toml")
    empty_json = run("flags", "list", "--config", site / "relayer.toml", "--json", "--fail-on-raised")

    assert (missing.exit_code, "no such database" in missing.stderr) == (1, True)
    assert (empty.exit_code, empty.stdout) == (0, "no account is flagged\n")
    assert envelope(empty_json)["data"] == []
    assert run("flags", "why", "nobody", "--store", site / "relayer.db").exit_code == 2
