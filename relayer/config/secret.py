"""A secret by reference: named in the configuration, read only when it is needed, shown never.

| reference | read from |
|---|---|
| `{ file = "/run/secrets/x" }` | the file, without its final line break; relative to the configuration file |
| `{ env = "NAME" }` | the environment variable |
| `{ command = ["pass", "show", "x"] }` | standard output of the program, without its final line break; no shell |
| plain text | the document itself; only where plain secrets were allowed explicitly |

`Secret` prints, formats and compares without its value, and refuses to be pickled or put into JSON.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, NoReturn

from relayer.errors import ConfigError, Fault

SECRET_BYTES_MAX: Final = 64 * 1024
"""A keystore password, a URL or a hex key; the rest is somebody's wrong file."""
COMMAND_TIMEOUT_S: Final = 10.0
MASK: Final = "***"
_ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")


class SecretKind(StrEnum):
    """Say where a secret is read from."""

    FILE = "file"
    ENV = "env"
    COMMAND = "command"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Say which document and key a secret belongs to, for messages."""

    source: str
    key: str


class Secret:
    """Refer to a secret. Resolving reads it afresh each time; nothing is remembered."""

    __slots__ = ("__arguments", "kind", "place")

    def __init__(self, place: SecretPlace, kind: SecretKind, arguments: tuple[str, ...]) -> None:
        self.place: SecretPlace = place
        self.kind: SecretKind = kind
        self.__arguments: tuple[str, ...] = arguments

    def resolve(self, environment: Mapping[str, str] = os.environ) -> str:
        """Return the secret itself, for the one place that uses it.

        Raises: ConfigError naming key and fix when it is missing, empty, too large or not UTF-8.
        """
        raw = self._read(environment)
        if len(raw) > SECRET_BYTES_MAX:
            raise self._refused(f"more than {SECRET_BYTES_MAX} bytes", "is this the right place?")
        try:
            text = raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise self._refused("not UTF-8", "secrets are text") from None
        if not text.strip():
            raise self._refused("empty", "put the secret there")
        return text

    @property
    def masked(self) -> str | dict[str, str]:
        """Return what `config dump` may show: the reference, never the value; a command's arguments are hidden too."""
        if self.kind is SecretKind.PLAIN:
            return MASK
        return {self.kind.value: MASK if self.kind is SecretKind.COMMAND else self.__arguments[0]}

    def _read(self, environment: Mapping[str, str]) -> bytes:
        match self.kind:
            case SecretKind.PLAIN:
                return self.__arguments[0].encode()
            case SecretKind.ENV:
                return self._from_environment(environment)
            case SecretKind.FILE:
                return self._from_file(Path(self.__arguments[0]))
            case SecretKind.COMMAND:
                return self._from_command()

    def _from_environment(self, environment: Mapping[str, str]) -> bytes:
        name = self.__arguments[0]
        if name not in environment:
            raise self._refused(f"the environment variable {name} is not set", f"export {name}=...")
        return environment[name].encode()

    def _from_file(self, path: Path) -> bytes:
        try:
            with path.open("rb") as file:
                return file.read(SECRET_BYTES_MAX + 1)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise self._refused(f"the file {path} cannot be read: {reason}", "create it or correct the path") from None

    def _from_command(self) -> bytes:
        program = Path(self.__arguments[0]).name
        try:
            done = subprocess.run(  # noqa: S603  # the operator's own configuration names the program; no shell
                list(self.__arguments),
                capture_output=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise self._refused(f"{program} gave nothing within {COMMAND_TIMEOUT_S:g} s", "run it by hand") from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise self._refused(f"{program} cannot be run: {reason}", "install it or correct the name") from None
        if done.returncode != 0:
            raise self._refused(f"{program} ended with exit code {done.returncode}", "run it by hand")
        return done.stdout

    def _refused(self, problem: str, fix: str) -> ConfigError:
        return ConfigError(self.place.source, Fault(self.place.key, problem, fix))

    def __repr__(self) -> str:
        return f"Secret({self.place.key})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret does not leave its process")


def parse_secret(value: object, place: SecretPlace, base: Path, plain_allowed: bool) -> Secret:
    """Read a reference. `base` is the folder that relative files are relative to.

    Raises: ValueError (`problem; fix`, never the value) for anything that is no reference.
    """
    if isinstance(value, str):
        if not plain_allowed:
            raise ValueError(
                'a secret in plain text; write { file = "..." }, { env = "..." } or { command = [...] }, '
                "or start with --allow-plain-secrets"
            )
        return Secret(place, SecretKind.PLAIN, (value,))
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError('not a secret reference; write { file = "..." }, { env = "..." } or { command = [...] }')
    (kind, argument), *_ = value.items()
    match kind, argument:
        case "file", str() if argument:
            return Secret(place, SecretKind.FILE, (str(base / argument),))
        case "env", str() if _ENV_NAME.fullmatch(argument):
            return Secret(place, SecretKind.ENV, (argument,))
        case "command", [str(), *_] if all(isinstance(part, str) for part in argument) and argument[0]:
            return Secret(place, SecretKind.COMMAND, tuple(argument))
    raise ValueError('not a secret reference; file and env take a name, command a list such as ["pass", "show", "x"]')
