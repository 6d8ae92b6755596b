"""The effective configuration as JSON: everything that counts, no secret. Pure."""

from __future__ import annotations

from relayer.config.operator import OperatorConfig
from relayer.config.secret import Secret

Json = dict[str, "Json"] | list["Json"] | tuple["Json", ...] | str | int | bool | None


def dump_of(config: OperatorConfig) -> dict[str, Json]:
    """Return the configuration with secrets as references; what is plain, and a command's arguments, as `***`."""
    return {
        "policy": str(config.policy),
        "store": str(config.store),
        "provider": [
            {
                "chain": str(provider.chain),
                "name": provider.name,
                "operator": provider.operator,
                "url": _masked(provider.url),
            }
            for provider in config.providers
        ],
        "signer": _signer(config),
        "api": None if config.api is None else {"listen": _listen(config.api.host, config.api.port)},
        "log": {"format": config.log_format.value},
        "retention": {"leaves_s": config.retention.leaves_s, "bundles": config.retention.bundles},
    }


def _signer(config: OperatorConfig) -> Json:
    signer = config.signer
    if signer is None:
        return None
    password = None if signer.password is None else _masked(signer.password)
    return {"kind": signer.kind.value, "path": str(signer.path), "password": password}


def _masked(secret: Secret) -> Json:
    masked = secret.masked
    return masked if isinstance(masked, str) else {**masked}


def _listen(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
