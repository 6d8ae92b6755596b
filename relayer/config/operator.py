"""The operator's configuration: private to one machine, decides how it finds things out, never what is true.

Domain type only; the text form is `operator_document`. Nothing here may change a signed byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from proofs.types import ChainId
from relayer.config.secret import Secret


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """Name one RPC endpoint and who runs it; its URL is a secret."""

    chain: ChainId
    name: str
    operator: str
    url: Secret


class SignerKind(StrEnum):
    """Say how the signing key is kept."""

    KEYSTORE = "keystore"
    """Keystore V3 JSON and a password."""
    KEY_FILE = "key_file"
    """32 bytes of hex in a file."""


@dataclass(frozen=True, slots=True)
class SignerConfig:
    """Name the signing key; `password` is None exactly for a raw key file."""

    kind: SignerKind
    path: Path
    password: Secret | None


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """Say where the API listens."""

    host: str
    port: int


class LogFormat(StrEnum):
    """Say how log lines look."""

    CONSOLE = "console"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Retention:
    """Bound what the store keeps, beside the ledger, which is kept for ever."""

    leaves_s: int = 6 * 3600
    bundles: int = 60


@dataclass(frozen=True, slots=True)
class OperatorConfig:
    """Hold one operator's configuration. `signer` None: observe only; `api` None: serve nothing."""

    source: str
    policy: Path
    store: Path
    providers: tuple[ProviderConfig, ...]
    signer: SignerConfig | None
    api: ApiConfig | None
    log_format: LogFormat
    retention: Retention

    def secrets(self) -> tuple[Secret, ...]:
        """Return every secret it refers to."""
        urls = tuple(provider.url for provider in self.providers)
        password = (self.signer.password,) if self.signer is not None and self.signer.password is not None else ()
        return (*urls, *password)
