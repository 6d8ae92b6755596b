"""Documents change with the code: commands, links, threats and invariants they name exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
import typer
from pydantic import BaseModel
from typer.testing import CliRunner

from relayer.cli.main import VERBS, app
from relayer.config.operator_document import OperatorDocument
from relayer.config.policy_document import PolicyDocument

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
COMMAND = re.compile(r"(?:^|`)relayer ((?:[a-z]+)(?: [a-z]+)?)((?: [^`\n#]*)?)", re.MULTILINE)
GROUPS = frozenset({"audit", "flags", "policy", "config", "devnet", "margin"})


def numbers_in_test_names(prefix: str, folder: str) -> set[int]:
    found: set[int] = set()
    for path in (ROOT / "tests" / folder).rglob("test_*.py"):
        names = [path.stem, *re.findall(r"def (test_\w+)", path.read_text())]  # state machines are named by their file
        for name in (match.group() for name in names if (match := re.match(rf"test_{prefix}(?:_\d+)+", name))):
            found |= {int(number) for number in re.findall(r"_(\d+)", name)}
    return found


def help_of(words: list[str]) -> tuple[int, str]:
    """Return the exit code and text of `relayer ... --help`, asked in this process."""
    done = CliRunner().invoke(app, [*words, "--help"])
    return done.exit_code, done.output


def keys_of(table: type[BaseModel]) -> set[str]:
    """Return the keys of a document's table and of all tables below it."""
    keys = set(table.model_fields)
    kinds = [field.annotation for field in table.model_fields.values()]
    while kinds:
        kind = kinds.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys |= keys_of(kind)
        kinds += get_args(kind)
    return keys


def test_readme__any__is_short() -> None:
    assert (ROOT / "README.md").read_text().count("\n") < 200


def test_commands__named_in_documents__exist_with_their_options() -> None:
    wrong = []
    seen: dict[tuple[str, ...], tuple[int, str]] = {}

    for document in DOCUMENTS:
        for verb, rest in COMMAND.findall(document.read_text()):
            words = verb.split()
            path = tuple(words if words[0] in GROUPS else words[:1])
            if path not in seen:
                seen[path] = help_of(list(path))
            code, text = seen[path]
            options = re.findall(r"--[a-z-]+", rest)
            if code != 0 or any(option not in text for option in options):
                wrong.append(f"{document.name}: relayer {verb}{rest}")

    assert seen
    assert not wrong, wrong


def verbs() -> Iterator[tuple[str, ...]]:
    """Return the words of every verb."""
    for name, verb in VERBS.items():
        module, attribute = verb.target.split(":")
        target = getattr(import_module(module), attribute)
        if isinstance(target, typer.Typer):
            yield from ((name, str(command.name)) for command in target.registered_commands)
        else:
            yield (name,)


def test_verbs__all__take_json() -> None:
    assert {("health",), ("policy", "check")} <= set(verbs())
    assert not [verb for verb in verbs() if "--json" not in help_of(list(verb))[1]]


def test_make_targets__named_in_the_readme__exist() -> None:
    makefile = (ROOT / "Makefile").read_text()

    targets = set(re.findall(r"^make ([a-z]+)|`make ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE))

    named = {first or second for first, second in targets}
    assert {"demo", "test"} <= named
    assert not [target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)]


@pytest.mark.parametrize(("heading", "document"), [("policy.toml", PolicyDocument), ("relayer.toml", OperatorDocument)])
def test_configuration__keys_of_a_document__are_those_its_section_names(
    heading: str, document: type[BaseModel]
) -> None:
    text = (ROOT / "docs" / "CONFIGURATION.md").read_text()
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [
        row.split("|")[1]
        for table in re.findall(r"^\| key \|.*\n((?:\|.*\n)+)", section, re.MULTILINE)
        for row in table.splitlines()
    ]
    leading = {word for cell in cells for span in re.findall(r"`([^`]+)`", cell) for word in re.findall(r"\w+", span)}

    quoted = {word for span in re.findall(r"`([^`\n]+)`", section) for word in re.findall(r"\w+", span)}

    assert not keys_of(document) - quoted
    assert not leading - keys_of(document)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links__in_a_document__lead_to_files(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())

    assert not [link for link in links if not (document.parent / link).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths__in_backticks__exist(document: Path) -> None:
    named = re.findall(r"`((?:proofs|chains|relayer|tests|docker)/[A-Za-z0-9_./-]+)`", document.read_text())

    missing = [path for path in named if not (ROOT / path).exists() and not (ROOT / f"{path}.py").exists()]

    assert not missing, missing


def test_threats__marked_tested__are_those_with_a_test() -> None:
    rows = re.findall(r"^\| TH-(\d+) \| [^|]+ \| (.+) \|$", (ROOT / "docs" / "THREATS.md").read_text(), re.MULTILINE)

    tested = {int(number) for number, where in rows if not where.startswith("not yet: ")}

    assert [int(number) for number, _ in rows] == list(range(1, 155))
    assert tested == numbers_in_test_names("th", ".")


def test_invariants__marked_with_a_law__are_those_with_a_law_test() -> None:
    rows = re.findall(
        r"^\| INV-(\d+) \| [^|]+ \| (.+) \|$", (ROOT / "docs" / "INVARIANTS.md").read_text(), re.MULTILINE
    )

    tested = {int(number) for number, where in rows if not where.startswith("not yet: ")}

    assert [int(number) for number, _ in rows] == list(range(1, 33))
    assert tested == numbers_in_test_names("inv", "laws")
