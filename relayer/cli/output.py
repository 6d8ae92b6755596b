"""What every verb prints and how it ends.

Results go to standard output, everything else to standard error. With `--json` the result is one envelope

    {"schema": "<verb>@1", "data": ..., "incomplete": [...], "errors": [...]}

that is valid JSON, an expected error included; a bug leaves a trace on standard error and prints no envelope. Text from
outside is stripped of control characters.

| exit code | means |
|---|---|
| 0 | done |
| 1 | unexpected, or refused by the store or a rule |
| 2 | usage or configuration |
| 3 | findings (only where asked for) |
| 4 | verification failed |
| 5 | incomplete |
| 130 | interrupted |
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated

import typer

from relayer.errors import ConfigError, RelayerError, SignerFault

Json = dict[str, "Json"] | list["Json"] | tuple["Json", ...] | str | int | bool | None

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON envelope instead of text.")]


class ExitCode(IntEnum):
    """Say how a verb ended."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    FINDINGS = 3
    VERIFICATION_FAILED = 4
    INCOMPLETE = 5
    INTERRUPTED = 130


@dataclass(slots=True)
class Report:
    """Collect what a verb has to say; `reporting` prints it."""

    schema: str
    as_json: bool
    data: Json = None
    incomplete: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    code: ExitCode = ExitCode.OK
    _texts: list[str] = field(default_factory=list)
    _is_emitted: bool = False

    def result(self, data: Json, flush: bool = False) -> None:
        """Set the result; people read it as `key = value` lines unless lines or tables were added.

        With `flush` it is printed at once, for verbs that go on running.
        """
        self.data = data
        if flush:
            self.emit()

    def progress(self, text: str) -> None:
        """Tell on standard error, at once, how it goes."""
        print(printable(text), file=sys.stderr, flush=True)  # noqa: T201  # the CLI's one way out

    def line(self, text: str = "") -> None:
        """Add a line for people; `--json` leaves it out."""
        self._texts.append(printable(text))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a table for people; `--json` leaves it out."""
        if not self.as_json:
            self._texts.append(_table(columns, rows))

    def fail(self, code: ExitCode, *errors: str) -> None:
        """End with `code`; each error becomes one line on standard error and an item of the envelope."""
        self.code = code
        self.errors.extend(printable(error) for error in errors)

    def emit(self) -> None:
        """Print errors, what is incomplete, and once the result."""
        for error in self.errors:
            self.progress(f"error: {error}")
        if not self.as_json:
            for reason in self.incomplete:
                self.progress(f"incomplete: {reason}")
        if self._is_emitted:
            return
        self._is_emitted = True
        text = json.dumps(self._envelope(), indent=2) if self.as_json else "\n".join(self._texts or self._plain())
        if text:
            print(text, flush=True)  # noqa: T201

    def _plain(self) -> list[str]:
        return [] if self.data is None else [printable(text) for text in flat(self.data)]

    def _envelope(self) -> dict[str, Json]:
        return {
            "schema": self.schema,
            "data": self.data,
            "incomplete": list(self.incomplete),
            "errors": list(self.errors),
        }


@contextmanager
def reporting(schema: str, as_json: bool) -> Iterator[Report]:
    """Run a verb: what it collected is printed at the end, expected errors become lines and an exit code.

    Raises: typer.Exit with the code unless it is 0.
    """
    report = Report(schema, as_json)
    try:
        yield report
    except RelayerError as error:
        report.fail(exit_code_of(error), *lines_of(error))
    report.emit()
    if report.code is not ExitCode.OK:
        raise typer.Exit(int(report.code))


def exit_code_of(error: RelayerError) -> ExitCode:
    """Return the exit code that an error ends a verb with."""
    return ExitCode.USAGE if isinstance(error, ConfigError | SignerFault) else ExitCode.UNEXPECTED


def lines_of(error: RelayerError) -> tuple[str, ...]:
    """Return one readable line per fault."""
    return error.lines if isinstance(error, ConfigError) else (str(error),)


def flat(value: Json, prefix: str = "") -> list[str]:
    """Return a result as `key = value` lines."""
    if isinstance(value, dict) and value:
        return [text for key, item in value.items() for text in flat(item, f"{prefix}.{key}" if prefix else key)]
    if isinstance(value, list | tuple) and value:
        return [text for index, item in enumerate(value) for text in flat(item, f"{prefix}[{index}]")]
    shown = "(none)" if value in (None, [], {}, ()) else str(value)
    return [f"{prefix} = {shown}" if prefix else shown]


def printable(text: str) -> str:
    """Replace control and direction characters by their escapes, so that no foreign text can move the cursor."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in text
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    from io import StringIO

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    # A console of its own buffer keeps colour to terminals (and NO_COLOR to rich); a pipe gets full width, unwrapped.
    width = None if is_terminal else 1000
    console = Console(file=StringIO(), force_terminal=is_terminal, width=width)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().strip("\n").splitlines())
