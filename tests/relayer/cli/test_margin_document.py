"""docs/MARGIN.md shows what its commands print today."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from relayer.cli.main import app

ROOT = Path(__file__).resolve().parents[3]
SHOWN = re.compile(r"^```\n\$ relayer (.+)\n((?:.*\n)*?)```$", re.MULTILINE)
BLOCKS = SHOWN.findall((ROOT / "docs" / "MARGIN.md").read_text())
WIDTH = 100


def plain(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").split("\n")]


@pytest.mark.parametrize(("command", "shown"), BLOCKS, ids=[command for command, _ in BLOCKS])
def test_document__each_command__prints_what_is_shown(
    command: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)

    result = CliRunner().invoke(app, shlex.split(command))

    assert plain(result.output) == plain(shown)


@pytest.mark.parametrize(("command", "shown"), BLOCKS, ids=[command for command, _ in BLOCKS])
def test_document__each_output__fits_a_terminal(command: str, shown: str) -> None:
    del command

    assert not [line for line in plain(shown) if len(line) > WIDTH and not line.startswith("error: ")]


def test_document__examples__are_all_shown() -> None:
    text = (ROOT / "docs" / "MARGIN.md").read_text()

    assert not [path.name for path in (ROOT / "docs" / "examples").iterdir() if path.name not in text]
