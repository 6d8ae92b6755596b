"""Whether a configuration fits a policy, offline."""

from __future__ import annotations

from pathlib import Path

from relayer.config.check import disk_estimate, faults_between
from relayer.config.operator import OperatorConfig
from relayer.config.operator_document import LoadOptions, parse_operator
from tests.relayer.config.documents import OPERATOR_TEXT, changed, policy

PROVIDER = '{{ chain = "{chain}", name = "{name}", operator = "{operator}", url = {{ env = "URL" }} }}'


def operator(tmp_path: Path, providers: list[tuple[str, str, str]]) -> OperatorConfig:
    (tmp_path / "key.json").write_text("{}")
    text = changed(changed(OPERATOR_TEXT, "provider", None), "store", "relayer.db")
    text = changed(text, "signer.password", {"env": "URL"})
    items = ",".join(PROVIDER.format(chain=chain, name=name, operator=who) for chain, name, who in providers)
    return parse_operator(f"provider = [{items}]\n{text}", tmp_path / "relayer.toml", LoadOptions({}))


def full() -> list[tuple[str, str, str]]:
    return [(chain, f"p{n}", f"o{n}") for chain in ("eip155:1", "eip155:42161") for n in range(3)]


def found(config: OperatorConfig, environment: dict[str, str]) -> list[tuple[str, str]]:
    return [(fault.key, fault.problem) for fault in faults_between(config, policy(), environment)]


def test_faults_between__everything_there__finds_nothing(tmp_path: Path) -> None:
    assert found(operator(tmp_path, full()), {"URL": "x"}) == []


def test_faults_between__too_few_providers__names_chain_and_count(tmp_path: Path) -> None:
    assert found(operator(tmp_path, full()[1:]), {"URL": "x"}) == [
        ("provider", "eip155:1 has 2 providers, the policy asks for 3")
    ]


def test_faults_between__one_operator_runs_all__is_told(tmp_path: Path) -> None:
    providers = [(chain, name, "us" if chain == "eip155:1" else who) for chain, name, who in full()]

    assert found(operator(tmp_path, providers), {"URL": "x"}) == [
        ("provider", "eip155:1 has providers of 1 operators, the policy asks for 2")
    ]


def test_faults_between__a_chain_outside_the_policy__is_told(tmp_path: Path) -> None:
    assert found(operator(tmp_path, [*full(), ("eip155:10", "p", "o")]), {"URL": "x"}) == [
        ("provider[6].chain", "eip155:10 is not in the policy 'acme-perps'")
    ]


def test_faults_between__missing_secrets_and_files__are_all_told(tmp_path: Path) -> None:
    config = operator(tmp_path, full())
    (tmp_path / "key.json").unlink()

    keys = [key for key, _ in found(config, {})]

    assert keys == ["signer.path", *(f"provider[{n}].url" for n in range(6)), "signer.password"]


def test_disk_estimate__one_account__is_counted_by_hand(tmp_path: Path) -> None:
    estimate = dict(disk_estimate(operator(tmp_path, full()), policy(), 1))

    # 7 cells (6 holdings, 1 position); 6 h of frames of 60 s = 360; 30 bundles; 525,600 frames a year
    assert estimate == {
        "leaves": 360 * (320 + 600 + 7 * 500),
        "bundles": 30 * (7 * 1500 + 320),
        "ledger": 525_600 * 200,
    }
