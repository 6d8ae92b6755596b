"""`relayer config`: check, print and describe both documents. Offline; `dump` never shows a secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relayer.cli.output import ExitCode, Json, JsonOption, reporting

if TYPE_CHECKING:
    from pydantic import BaseModel

    from relayer.config.operator import OperatorConfig
    from relayer.config.policy import Policy
    from relayer.errors import Fault

config_app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Check, print and describe the configuration."
)

ConfigFile = Annotated[Path, typer.Argument(help="The operator's configuration.")]
PlainSecrets = Annotated[bool, typer.Option("--allow-plain-secrets", help="Accept secrets written into the document.")]
Accounts = Annotated[int, typer.Option("--accounts", min=1, help="Accounts to estimate the disk for.")]
CONFIG_DEFAULT = Path("relayer.toml")
ACCOUNTS_DEFAULT = 1000


@config_app.command("check")
def config_check(
    file: ConfigFile = CONFIG_DEFAULT,
    plain: PlainSecrets = False,
    accounts: Accounts = ACCOUNTS_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Check both documents, that they fit each other, and that every secret is there; asks nobody."""
    from proofs.types import to_hex
    from relayer.config.check import disk_estimate, faults_between
    from relayer.config.operator_document import load_operator
    from relayer.config.policy_document import load_policy
    from relayer.errors import ConfigError

    with reporting("config.check@1", as_json) as report:
        operator = load_operator(file, plain)
        policy = load_policy(operator.policy)
        faults = (*faults_between(operator, policy), *_stranger(operator, policy))
        if faults:
            raise ConfigError(str(file), *faults)
        estimate = disk_estimate(operator, policy, accounts)
        report.data = {
            "policy_id": to_hex(policy.policy_id),
            "providers": len(operator.providers),
            "signing": operator.signer is not None,
            "disk_bytes": dict(estimate),
        }
        report.line(f"{file} and {operator.policy} fit; policy id {to_hex(policy.policy_id)}")
        report.line("signing" if operator.signer is not None else "observing only: no [signer], nothing will be signed")
        total = sum(size for _, size in estimate)
        parts = ", ".join(f"{name} {_mebibytes(size)}" for name, size in estimate)
        report.line(f"disk for {accounts} accounts: {_mebibytes(total)} ({parts})")


@config_app.command("dump")
def config_dump(file: ConfigFile = CONFIG_DEFAULT, plain: PlainSecrets = False, as_json: JsonOption = False) -> None:
    """Print the effective configuration: defaults filled in, overrides applied, secrets masked."""
    from relayer.config.dump import dump_of
    from relayer.config.operator_document import load_operator

    with reporting("config.dump@1", as_json) as report:
        report.result(dump_of(load_operator(file, plain)))


@config_app.command("schema")
def config_schema(
    document: Annotated[str, typer.Argument(help="policy or operator; both when left out.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Print the JSON Schema of the documents."""
    import json

    from relayer.config.operator_document import OperatorDocument
    from relayer.config.policy_document import PolicyDocument

    with reporting("config.schema@1", as_json) as report:
        models: dict[str, type[BaseModel]] = {"policy": PolicyDocument, "operator": OperatorDocument}
        if document and document not in models:
            report.fail(ExitCode.USAGE, f"unknown document {document!r}; write policy or operator")
            return
        chosen = {document: models[document]} if document else models
        schemas: dict[str, Json] = {name: model.model_json_schema() for name, model in chosen.items()}
        report.data = schemas
        report.line(json.dumps(schemas[document] if document else schemas, indent=2))


def _stranger(operator: OperatorConfig, policy: Policy) -> Iterator[Fault]:
    """Refuse a keystore whose address is not in the policy's signer set; a raw key is judged when it is opened."""
    from proofs.types import to_hex
    from relayer.config.operator import SignerKind
    from relayer.errors import Fault
    from relayer.signers.keystore import keystore_address

    signer = operator.signer
    if signer is None or signer.kind is not SignerKind.KEYSTORE or not signer.path.is_file():
        return
    address = keystore_address(signer.path)
    if address is not None and address not in policy.signers.addresses:
        problem = f"{to_hex(address)} is not in the policy's signer set"
        yield Fault("signer.path", problem, "use the key that the policy names, or a policy that names this key")


def _mebibytes(size: int) -> str:
    return f"{-(-size // 1024**2)} MiB"
