"""`relayer.toml` as text: its keys, environment overrides, and the way to the domain type.

A variable `RELAYER__SECTION__KEY` overrides `section.key` (`RELAYER__API__LISTEN`, `RELAYER__PROVIDER__0__NAME`, the
number counting from 0). Its value is read as TOML where that makes an integer, a boolean, a list or a table, else as
text. Paths are relative to the configuration file. An unknown key is refused wherever it comes from.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, PlainValidator, StrictInt, StrictStr, ValidationError

from proofs.types import ChainId
from relayer.config.document import Document, faults_of, parse_toml, read_text
from relayer.config.fields import ChainText, NameText, Table
from relayer.config.operator import (
    ApiConfig,
    LogFormat,
    OperatorConfig,
    ProviderConfig,
    Retention,
    SignerConfig,
    SignerKind,
)
from relayer.config.secret import Secret, SecretPlace, parse_secret
from relayer.errors import ConfigError, Fault

OVERRIDE_PREFIX: Final = "RELAYER__"
STORE_SCHEME: Final = "sqlite://"
RETENTION_DEFAULT: Final = Retention()
_LISTEN: Final = re.compile(r"(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})")

SecretReference = Annotated[
    object, PlainValidator(lambda value: value, json_schema_input_type=str | dict[str, str | list[str]])
]
"""Checked when it becomes a `Secret`: no message of the model can repeat a secret written in the wrong place."""


class ProviderTable(Table):
    """`[[provider]]`: one RPC endpoint of a chain."""

    chain: ChainText
    name: NameText
    operator: NameText
    url: SecretReference


class SignerTable(Table):
    """`[signer]`: the key that signs margin roots; absent: observe only."""

    kind: Literal["keystore", "key_file"]
    path: Annotated[StrictStr, Field(min_length=1)]
    password: SecretReference = None


class ApiTable(Table):
    """`[api]`: where the API listens; absent: no API."""

    listen: StrictStr = "127.0.0.1:8547"


class LogTable(Table):
    """`[log]`: how log lines look."""

    format: Literal["console", "json"] = "console"


class RetentionTable(Table):
    """`[retention]`: how long leaves and how many evidence bundles are kept."""

    leaves_s: Annotated[StrictInt, Field(ge=60, le=31_536_000)] = RETENTION_DEFAULT.leaves_s
    bundles: Annotated[StrictInt, Field(ge=1, le=100_000)] = RETENTION_DEFAULT.bundles


class OperatorDocument(Table):
    """All of `relayer.toml`."""

    policy: Annotated[StrictStr, Field(min_length=1)]
    store: Annotated[StrictStr, Field(min_length=1)]
    provider: Annotated[list[ProviderTable], Field(min_length=1, max_length=1024)]
    signer: SignerTable | None = None
    api: ApiTable | None = None
    log: LogTable = LogTable()
    retention: RetentionTable = RetentionTable()


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Say what the environment holds and whether the documents may contain secrets in plain text."""

    environment: Mapping[str, str]
    plain_secrets: bool = False


def load_operator(
    path: Path, plain_secrets: bool = False, environment: Mapping[str, str] = os.environ
) -> OperatorConfig:
    """Read and check an operator's configuration with its environment overrides; secrets are not resolved.

    Raises: ConfigError naming every faulty key and its fix, never a secret.
    """
    return parse_operator(read_text(path), path, LoadOptions(environment, plain_secrets))


def parse_operator(text: str, path: Path, options: LoadOptions) -> OperatorConfig:
    """Check a configuration's TOML text; `path` names it in errors and is what relative paths are relative to.

    Raises: ConfigError.
    """
    source = str(path)
    document = overridden(parse_toml(text, source), source, options.environment)
    try:
        model = OperatorDocument.model_validate(document)
    except ValidationError as error:
        raise ConfigError(source, *faults_of(error)) from None
    return _Reader(source, path.parent, options.plain_secrets).config(model)


def overridden(document: Document, source: str, environment: Mapping[str, str]) -> Document:
    """Return the document with the variables `RELAYER__...` put in place.

    Raises: ConfigError naming the variable that fits nowhere.
    """
    result: object = document
    for name in sorted(key for key in environment if key.startswith(OVERRIDE_PREFIX)):
        path = name.removeprefix(OVERRIDE_PREFIX).lower().split("__")
        result = _placed(result, path, _toml_value(environment[name]), SecretPlace(source, name))
    assert isinstance(result, dict)  # the root stays the table it was
    return result


def _placed(node: object, path: list[str], value: object, place: SecretPlace) -> object:
    if not path:
        return value
    head, *rest = path
    if isinstance(node, list) and head.isascii() and head.isdigit() and int(head) <= len(node):
        index = int(head)
        below = node[index] if index < len(node) else {}
        return [*node[:index], _placed(below, rest, value, place), *node[index + 1 :]]
    if isinstance(node, dict) and head:
        return {**node, head: _placed(node.get(head, {}), rest, value, place)}
    fault = Fault(place.key, "the variable names no key", "RELAYER__SECTION__KEY; items of a list count from 0")
    raise ConfigError(place.source, fault)


def _toml_value(text: str) -> object:
    if not text.isprintable():
        return text
    try:
        value: object = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return value if isinstance(value, bool | int | list | dict) else text


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turn the model into the domain type, collecting all faults before it gives up."""

    source: str
    base: Path
    plain_secrets: bool

    def config(self, model: OperatorDocument) -> OperatorConfig:
        """Return the configuration.

        Raises: ConfigError with every fault found.
        """
        faults = tuple(self._faults(model))
        if faults:
            raise ConfigError(self.source, *faults)
        return OperatorConfig(
            source=self.source,
            policy=self.base / model.policy,
            store=self._store(model.store),
            providers=tuple(self._provider(index, table) for index, table in enumerate(model.provider)),
            signer=self._signer(model.signer) if model.signer is not None else None,
            api=_listen(model.api.listen) if model.api is not None else None,
            log_format=LogFormat(model.log.format),
            retention=Retention(model.retention.leaves_s, model.retention.bundles),
        )

    def _faults(self, model: OperatorDocument) -> Iterator[Fault]:
        yield from self._secret_faults(model)
        names: dict[str, int] = {}
        for index, table in enumerate(model.provider):
            first = names.setdefault(f"{table.chain}/{table.name}", index)
            if first != index:
                key = f"provider[{index}].name"
                yield Fault(key, f"{table.chain} has a provider {table.name!r} already", "give each its own name")
        if model.signer is not None and (model.signer.password is None) == (model.signer.kind == "keystore"):
            fix = "a keystore needs a password, a key_file has none"
            yield Fault("signer.password", "missing" if model.signer.password is None else "not used", fix)
        if not model.store.startswith(STORE_SCHEME) and "://" in model.store:
            yield Fault("store", "unknown scheme", "write sqlite:///absolute/path.db or a path")
        if model.api is not None:
            yield from _listen_faults(model.api.listen)

    def _secret_faults(self, model: OperatorDocument) -> Iterator[Fault]:
        places = [(f"provider[{index}].url", table.url) for index, table in enumerate(model.provider)]
        if model.signer is not None and model.signer.password is not None:
            places.append(("signer.password", model.signer.password))
        for key, value in places:
            try:
                self._secret(key, value)
            except ValueError as error:
                problem, _, fix = str(error).partition("; ")
                yield Fault(key, problem, fix)

    def _secret(self, key: str, value: object) -> Secret:
        return parse_secret(value, SecretPlace(self.source, key), self.base, self.plain_secrets)

    def _store(self, text: str) -> Path:
        return self.base / text.removeprefix(STORE_SCHEME)

    def _provider(self, index: int, table: ProviderTable) -> ProviderConfig:
        url = self._secret(f"provider[{index}].url", table.url)
        return ProviderConfig(ChainId(table.chain), table.name, table.operator, url)

    def _signer(self, table: SignerTable) -> SignerConfig:
        password = None if table.password is None else self._secret("signer.password", table.password)
        return SignerConfig(SignerKind(table.kind), self.base / table.path, password)


def _listen_faults(text: str) -> Iterator[Fault]:
    try:
        _listen(text)
    except ValueError as error:
        problem, _, fix = str(error).partition("; ")
        yield Fault("api.listen", problem, fix)


def _listen(text: str) -> ApiConfig:
    match = _LISTEN.fullmatch(text)
    port = int(match.group(3)) if match else 65_536
    if match is None or port > 65_535:
        raise ValueError(f'not a host and port: {text[:80]!r}; for example "127.0.0.1:8547" or "[::1]:8547"')
    return ApiConfig(match.group(1) or match.group(2), port)
