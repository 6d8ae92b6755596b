"""INV-29: no secret leaves the process. Seeded secrets are searched for in everything the edge of the service writes.

Here: configuration, errors, command line, log, metrics and store. What a whole run writes is searched where runs are.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

from eth_account import Account
from typer.testing import CliRunner

from proofs.snapshot import Reason, Unavailable
from proofs.types import ChainId
from relayer.cli.main import app
from relayer.config.operator import LogFormat, SignerConfig, SignerKind
from relayer.config.operator_document import load_operator
from relayer.errors import RelayerError
from relayer.observe.observer import Observe, ObserveSettings, Watched
from relayer.signers.keystore import open_signer
from tests.relayer.config.documents import POLICY_TEXT

URL = "https://user:url-s3cr3t-1@rpc.example/v2/url-s3cr3t-2"
PASSWORD = "password-s3cr3t-3"
KEY = "5ec2e7" * 10 + "5ec2"
SEEDS = ("s3cr3t", KEY, "5ec2e75ec2e7")

OPERATOR = """
policy = "policy.toml"
store = "relayer.db"
[[provider]]
chain = "eip155:1"
name = "a"
operator = "a"
url = { file = "url" }
[[provider]]
chain = "eip155:1"
name = "b"
operator = "b"
url = { env = "SECRET_URL" }
[signer]
kind = "keystore"
path = "key.json"
password = { env = "SECRET_PASSWORD" }
"""


def site(folder: Path) -> dict[str, str]:
    (folder / "policy.toml").write_text(POLICY_TEXT)
    (folder / "relayer.toml").write_text(OPERATOR)
    (folder / "url").write_text(URL)
    (folder / "key.json").write_text(json.dumps(Account.encrypt(KEY, PASSWORD, kdf="pbkdf2", iterations=2)))
    return {"SECRET_URL": URL, "SECRET_PASSWORD": PASSWORD}


def test_inv_29_command_line__every_offline_verb__prints_no_secret(tmp_path: Path) -> None:
    environment = site(tmp_path)
    file = tmp_path / "relayer.toml"
    broken = tmp_path / "broken.toml"
    wrong = [
        OPERATOR.replace('{ file = "url" }', f'"{URL}"'),
        OPERATOR.replace('{ file = "url" }', f'{{ env = "{URL}" }}'),
        OPERATOR.replace('{ file = "url" }', f'{{ vault = "{URL}" }}'),
        OPERATOR.replace('{ env = "SECRET_PASSWORD" }', f'["{PASSWORD}"]'),
        OPERATOR.replace('{ env = "SECRET_PASSWORD" }', f'{{ env = "SECRET_PASSWORD" }}\nextra = "{KEY}"'),
        OPERATOR.replace('{ env = "SECRET_PASSWORD" }', f'"{KEY}'),
    ]
    printed = []
    for verb in (("config", "check"), ("config", "dump")):
        for extra in ((), ("--json",), ("--allow-plain-secrets",)):
            printed.append(CliRunner().invoke(app, [*verb, str(file), *extra], env=environment).output)
            for text in wrong:
                broken.write_text(text)
                printed.append(CliRunner().invoke(app, [*verb, str(broken), *extra], env=environment).output)

    assert len(printed) == 42
    assert all(printed)
    assert not [text for text in printed if any(seed in text for seed in SEEDS)]


def test_inv_29_configuration__printed_in_every_way__shows_no_secret(tmp_path: Path) -> None:
    environment = site(tmp_path)
    config = load_operator(tmp_path / "relayer.toml", environment=environment)
    revealed = [secret.resolve(environment) for secret in config.secrets()]

    text = f"{config!r} {config} {config.secrets()} {[str(secret) for secret in config.secrets()]}"

    assert len(revealed) == 3
    assert any(seed in " ".join(revealed) for seed in SEEDS)
    assert not any(seed in text for seed in SEEDS)


def test_inv_29_signer__opened_or_refused__shows_no_key_and_no_password(tmp_path: Path) -> None:
    environment = site(tmp_path)
    config = load_operator(
        tmp_path / "relayer.toml", plain_secrets=True, environment={"RELAYER__SIGNER__PASSWORD": PASSWORD}
    )
    assert config.signer is not None
    said = [repr(open_signer(config.signer))]

    (tmp_path / "raw").write_text(KEY + "00")
    for wrong in (
        SignerConfig(SignerKind.KEY_FILE, tmp_path / "raw", None),
        SignerConfig(SignerKind.KEYSTORE, tmp_path / "raw", config.signer.password),
    ):
        try:
            open_signer(wrong)
        except RelayerError as error:
            said.append(f"{error} {error!r} {error.__cause__!r}")

    assert len(said) == 3
    assert environment
    assert not [text for text in said if any(seed in text for seed in SEEDS)]


def test_inv_29_log_and_metrics__errors_that_quote_a_url__are_masked() -> None:
    chain = ChainId("eip155:1")
    for log_format in LogFormat:
        stream = io.StringIO()
        settings = ObserveSettings(log_format, (URL, PASSWORD, KEY), lambda: 0.0)
        observe = Observe(Watched("0xab", (chain,), ((chain, "a"),), "1"), settings, stream)

        observe.chain_missing(60, Unavailable(chain, Reason.RPC_UNREACHABLE, f"cannot connect to {URL}", (URL,)))
        observe.bug_seen(f"with {PASSWORD}", RuntimeError(f"key {KEY}"))
        observe.dissent(chain, "a", URL, KEY)
        observe.rpc_answered(chain, "a", URL, 1, 0.1, URL)

        text = stream.getvalue() + observe.render()[0].decode()
        assert "***" in text
        assert not any(seed in text for seed in SEEDS)
