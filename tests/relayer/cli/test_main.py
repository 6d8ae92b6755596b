"""The list of verbs: what help costs, and that it loads nothing."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from relayer.cli.main import VERBS, app, main

HEAVY = ("web3", "aiohttp", "eth_account", "pydantic", "numpy", "structlog", "sqlite_utils", "rich", "orjson", "chains")
PROBE = """
import json, sys
from typer.testing import CliRunner
from relayer.cli.main import app
result = CliRunner().invoke(app, sys.argv[1:])
print(json.dumps({"code": result.exit_code, "modules": sorted(sys.modules)}))
"""
CPU_S_MAX = 0.3


def loaded_by(*arguments: str) -> tuple[int, set[str]]:
    done = subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    return answer["code"], {name.split(".")[0] for name in answer["modules"]}


def test_help__of_the_program__imports_nothing_heavy() -> None:
    code, modules = loaded_by("--help")

    assert code == 0
    assert not modules & set(HEAVY)


@pytest.mark.parametrize("arguments", [("--version",), ("policy", "--help"), ("flags", "--help"), ("init", "--help")])
def test_help__of_a_verb__imports_nothing_heavy_but_what_typer_reads_options_with(arguments: tuple[str, ...]) -> None:
    code, modules = loaded_by(*arguments)

    assert code == 0
    assert not modules & (set(HEAVY) - {"pydantic"})  # typer 0.29 coerces options with pydantic


def test_help__in_a_process_of_its_own__stays_within_its_cpu_budget() -> None:
    spent = []
    for _ in range(3):  # the best of three: the budget is the program's, not that of a busy machine
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "relayer", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    assert min(spent) < CPU_S_MAX


def test_policy_hash__a_document__needs_no_network_code() -> None:
    _, modules = loaded_by("policy", "hash", "tests/relayer/config/policy.toml")

    assert not modules & {"web3", "aiohttp", "eth_account", "structlog", "sqlite_utils"}


def test_help__lists__exactly_the_verbs_that_are_there() -> None:
    text = CliRunner().invoke(app, ["--help"]).stdout

    for name in ("init", "flags", "policy", "config", "health"):
        assert f"\n  {name} " in text
        assert VERBS[name].help in " ".join(text.split())


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("policy", "nonsense"), ("policy", "hash", "--nonsense"), ("init",)]
)
def test_usage__wrong__ends_with_two_and_says_what(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, list(arguments))

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "nonsense" in result.stderr or "--chains" in result.stderr


def test_interrupt__in_a_verb__ends_with_130() -> None:
    script = (
        "import relayer.cli.policy as policy\n"
        "def stop(*_): raise KeyboardInterrupt\n"
        "policy.reporting = stop\n"
        "from relayer.cli.main import app\n"
        "app(['policy', 'hash'])\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.returncode == 130


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("run", "--nope"), "--nope"),
        (("frobnicate",), "frobnicate"),
        (("verify",), "BUNDLE"),
        (("devnet", "up", "--rpc-url", "x"), "--rpc-url is needed once"),
        (("audit", "account", "0x" + "11" * 20, "--at-time", "noon"), "--at-time"),
    ],
)
def test_usage_error__json_is_asked_for__is_an_envelope_with_one_line_and_exit_code_2(
    arguments: tuple[str, ...], problem: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["relayer", *arguments, "--json"])

    with pytest.raises(SystemExit) as ended:
        main()

    stdout, stderr = capsys.readouterr()
    told = json.loads(stdout)
    assert ended.value.code == 2
    assert set(told) == {"schema", "data", "incomplete", "errors"}
    assert len(told["errors"]) == 1
    assert problem in told["errors"][0]
    assert "--help" in told["errors"][0]
    assert len(stderr.splitlines()) == 1


def test_json__a_verb_that_ends_well_or_not__keeps_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = []
    for document in ("tests/relayer/config/policy.toml", "/nonexistent/policy.toml"):
        monkeypatch.setattr(sys, "argv", ["relayer", "policy", "hash", document, "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        codes.append(ended.value.code)

    assert codes == [None, 2]
