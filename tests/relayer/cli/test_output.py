"""The envelope, exit codes, the two streams, and text from outside."""

from __future__ import annotations

import json
import re

import pytest
import typer

from proofs.types import Hash32
from relayer.cli.output import ExitCode, flat, printable, reporting
from relayer.errors import ConfigError, Fault, LedgerRefused, LedgerRule, RelayerError, SignerFault, StoreFault

Captured = pytest.CaptureFixture[str]


def test_reporting__json__is_one_envelope_on_stdout(capsys: Captured) -> None:
    with reporting("x@1", True) as report:
        report.data = {"n": "1"}
        report.incomplete.append("eip155:1 is missing")
        report.line("for people")

    out, err = capsys.readouterr()
    assert json.loads(out) == {"schema": "x@1", "data": {"n": "1"}, "incomplete": ["eip155:1 is missing"], "errors": []}
    assert err == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("f.toml", Fault("a.b", "wrong", "right it"), Fault("c", "missing", "add it")), 2),
        (SignerFault("key", "no key", "make one"), 2),
        (StoreFault("a.db", "locked", "end it"), 1),
        (LedgerRefused(LedgerRule.LOWER_FRAME, Hash32(bytes(32)), 1, "2 is reserved"), 1),
        (RelayerError("anything"), 1),
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_reporting__an_expected_error__is_lines_and_an_exit_code(
    error: RelayerError, code: int, as_json: bool, capsys: Captured
) -> None:
    with pytest.raises(typer.Exit) as caught, reporting("x@1", as_json):
        raise error

    out, err = capsys.readouterr()
    assert caught.value.exit_code == code
    assert all(line.startswith("error: ") for line in err.splitlines())
    assert len(err.splitlines()) == (2 if isinstance(error, ConfigError) else 1)
    if as_json:
        envelope = json.loads(out)
        assert envelope["errors"] == [line.removeprefix("error: ") for line in err.splitlines()]
        assert envelope["data"] is None
    else:
        assert out == ""


def test_reporting__text__keeps_results_and_remarks_apart(capsys: Captured) -> None:
    def verb() -> None:
        with reporting("x@1", False) as report:
            report.line("result")
            report.incomplete.append("eip155:1 is missing")
            report.progress("working")
            report.fail(ExitCode.INCOMPLETE)

    with pytest.raises(typer.Exit) as caught:
        verb()

    out, err = capsys.readouterr()
    assert caught.value.exit_code == 5
    assert out == "result\n"
    assert err == "working\nincomplete: eip155:1 is missing\n"


def test_reporting__result_flushed__is_printed_once(capsys: Captured) -> None:
    with reporting("x@1", True) as report:
        report.result({"a": "b"}, flush=True)
        assert json.loads(capsys.readouterr().out)["data"] == {"a": "b"}
        report.progress("still running")

    assert capsys.readouterr().out == ""


def test_reporting__data_without_lines__reads_as_key_and_value(capsys: Captured) -> None:
    with reporting("x@1", False) as report:
        report.result({"a": {"b": [1, 2]}, "c": None, "d": []})

    assert capsys.readouterr().out.splitlines() == ["a.b[0] = 1", "a.b[1] = 2", "c = (none)", "d = (none)"]


def test_table__cells_from_outside__move_no_cursor_and_are_no_markup(capsys: Captured) -> None:
    with reporting("x@1", False) as report:
        report.table(("token", "n"), [("\x1b[2J[bold]EVIL[/bold]\n\u202e", "1"), ("x" * 300, "2")])

    out = capsys.readouterr().out
    assert "\\x1b[2J[bold]EVIL[/bold]" in out
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", out)
    assert "x" * 300 in out  # a pipe is not wrapped


def test_printable__plain_and_hostile__escapes_only_the_hostile() -> None:
    assert printable("plain é €") == "plain é €"
    assert printable("a\tb\x7f\u2028") == "a\\tb\\x7f\\u2028"
    assert flat("x") == ["x"]
