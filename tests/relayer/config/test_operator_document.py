"""The operator's configuration: keys, overrides, references, and that its secrets stay secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from relayer.config.dump import dump_of
from relayer.config.operator import ApiConfig, LogFormat, OperatorConfig, Retention, SignerKind
from relayer.config.operator_document import LoadOptions, load_operator, parse_operator
from relayer.errors import ConfigError
from tests.relayer.config.documents import OPERATOR_TEXT, changed

FILE = Path("/etc/relayer/relayer.toml")


def parsed(
    text: str = OPERATOR_TEXT, environment: Mapping[str, str] | None = None, plain: bool = False
) -> OperatorConfig:
    return parse_operator(text, FILE, LoadOptions(environment or {}, plain))


def faults(text: str, environment: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        parsed(text, environment)
    assert all("\n" not in line for line in caught.value.lines)
    return [(fault.key, fault.problem) for fault in caught.value.faults]


def test_parse_operator__the_sample__is_the_domain_type_with_paths_beside_the_file() -> None:
    config = parsed()

    assert config.policy == Path("/etc/relayer/policy.toml")
    assert config.store == Path("/var/lib/margin-relayer/relayer.db")
    assert [(one.name, one.operator) for one in config.providers] == [("own-geth", "us"), ("vendor-a", "vendor-a")]
    assert config.signer is not None
    assert (config.signer.kind, config.signer.path) == (SignerKind.KEYSTORE, Path("/etc/relayer/key.json"))
    assert config.api == ApiConfig("127.0.0.1", 8547)
    assert config.retention == Retention(21600, 30)
    assert config.log_format is LogFormat.CONSOLE
    assert len(config.secrets()) == 3


def test_parse_operator__no_signer_no_api__observes_and_serves_nothing() -> None:
    config = parsed(changed(changed(OPERATOR_TEXT, "signer", None), "api", None))

    assert config.signer is None
    assert config.api is None


@pytest.mark.parametrize(
    ("path", "value", "key", "words"),
    [
        ("surprise", 1, "surprise", "unknown key"),
        ("api.port", 1, "api.port", "unknown key"),
        ("policy", None, "policy", "missing"),
        ("policy", 7, "policy", "expected a valid string"),
        ("provider", [], "provider", "at least 1 item"),
        ("provider.0.chain", "ethereum", "provider[0].chain", "not a CAIP-2 chain id"),
        ("provider.0.requests_per_s", 20, "provider[0].requests_per_s", "unknown key"),
        ("watch", {"accounts": []}, "watch", "unknown key"),
        ("retention.bundles", 0, "retention.bundles", "greater than or equal to 1"),
        ("retention.bundles", "9", "retention.bundles", "expected a valid integer"),
        ("provider.0.url", {"env": "A", "file": "b"}, "provider[0].url", "not a secret reference"),
        ("provider.0.url", {"vault": "A"}, "provider[0].url", "not a secret reference"),
        ("provider.0.url", {"env": "A B"}, "provider[0].url", "not a secret reference"),
        ("provider.0.url", {"command": "pass show"}, "provider[0].url", "not a secret reference"),
        ("provider.1.name", "own-geth", "provider[1].name", "has a provider 'own-geth' already"),
        ("signer.kind", "hsm", "signer.kind", "'keystore' or 'key_file'"),
        ("signer.kind", "key_file", "signer.password", "not used"),
        ("signer.password", None, "signer.password", "missing"),
        ("api.listen", "127.0.0.1", "api.listen", "not a host and port"),
        ("api.listen", "127.0.0.1:65536", "api.listen", "not a host and port"),
        ("store", "postgres://db", "store", "unknown scheme"),
        ("log", {"format": "xml"}, "log.format", "'console' or 'json'"),
        ("retention", {"leaves_s": 59}, "retention.leaves_s", "greater than or equal to 60"),
    ],
)
def test_parse_operator__one_bad_value__is_named_by_key(path: str, value: Any, key: str, words: str) -> None:
    found = faults(changed(OPERATOR_TEXT, path, value))

    assert [(at, words in problem) for at, problem in found] == [(key, True)], found


def test_parse_operator__a_float__is_refused() -> None:
    assert faults(OPERATOR_TEXT.replace("= 30", "= 2.5")) == [("retention.bundles", "floats are refused")]


def test_parse_operator__overrides__win_over_the_file() -> None:
    environment = {
        "RELAYER__LOG__FORMAT": "json",
        "RELAYER__API__LISTEN": "[::1]:9000",
        "RELAYER__PROVIDER__1__NAME": "b",
        "RELAYER__RETENTION__BUNDLES": "7",
        "RELAYER__PROVIDER__2": '{ chain = "eip155:1", name = "c", operator = "c", url = { env = "C" } }',
        "RELAYER__SIGNER__PASSWORD": '{ env = "PW" }',
        "RELAYER_UNRELATED": "x",
    }

    config = parsed(environment=environment)

    assert config.log_format is LogFormat.JSON
    assert config.api == ApiConfig("::1", 9000)
    assert [one.name for one in config.providers] == ["own-geth", "b", "c"]
    assert config.retention.bundles == 7
    assert config.signer is not None
    assert config.signer.password is not None
    assert config.signer.password.masked == {"env": "PW"}


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("RELAYER__SURPRISE", "1", "surprise"),
        ("RELAYER__API__PORT", "1", "api.port"),
        ("RELAYER__PROVIDER__9__NAME", "x", "RELAYER__PROVIDER__9__NAME"),
        ("RELAYER__POLICY__DEEPER", "x", "RELAYER__POLICY__DEEPER"),
        ("RELAYER__", "x", "RELAYER__"),
    ],
)
def test_th_145_parse_operator__an_override_that_fits_nowhere__is_refused(name: str, value: str, key: str) -> None:
    assert [at for at, _ in faults(OPERATOR_TEXT, {name: value})] == [key]


def test_parse_operator__plain_secret__only_where_allowed() -> None:
    text = changed(OPERATOR_TEXT, "signer.password", "hunter2-hunter2")

    assert [at for at, _ in faults(text)] == ["signer.password"]
    config = parsed(text, plain=True)
    assert config.signer is not None
    assert config.signer.password is not None
    assert config.signer.password.resolve({}) == "hunter2-hunter2"


def test_load_operator__missing_file__names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: no such file"):
        load_operator(tmp_path / "none.toml")


def test_dump_of__the_sample__shows_references_and_fills_defaults() -> None:
    dump = dump_of(parsed())

    assert dump["provider"] == [
        {
            "chain": "eip155:1",
            "name": "own-geth",
            "operator": "us",
            "url": {"env": "ETH_RPC_1"},
        },
        {
            "chain": "eip155:1",
            "name": "vendor-a",
            "operator": "vendor-a",
            "url": {"file": "/etc/relayer/eth_rpc_2"},
        },
    ]
    assert dump["signer"] == {"kind": "keystore", "path": "/etc/relayer/key.json", "password": {"command": "***"}}
    assert dump["retention"] == {"leaves_s": 21600, "bundles": 30}
