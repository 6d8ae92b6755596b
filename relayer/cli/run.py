"""`relayer run`: the service. Observes only, until relayer.toml has a [signer]; `--observe` keeps it that way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relayer.cli.output import ExitCode, Json, JsonOption, Report, reporting

if TYPE_CHECKING:
    from proofs.types import ChainId
    from relayer.config.policy import Policy
    from relayer.pipeline.frame import FrameResult

CONFIG_DEFAULT = Path("relayer.toml")

ConfigFile = Annotated[Path, typer.Option("--config", help="The operator's configuration.")]
Once = Annotated[bool, typer.Option("--once", help="Run the next frame that is due, and end.")]
ObserveOnly = Annotated[bool, typer.Option("--observe", help="Sign nothing, whatever the configuration says.")]
PlainSecrets = Annotated[bool, typer.Option("--allow-plain-secrets", help="Accept secrets written into the document.")]
AcceptReorg = Annotated[
    list[str] | None,
    typer.Option("--accept-reorg", metavar="CHAIN", help="Accept that an attested block of this chain was replaced."),
]


def run(
    config: ConfigFile = CONFIG_DEFAULT,
    once: Once = False,
    observe: ObserveOnly = False,
    plain: PlainSecrets = False,
    accept_reorg: AcceptReorg = None,
    as_json: JsonOption = False,
) -> None:
    """Run the service; without [signer] it observes only."""
    from relayer.config.operator_document import load_operator
    from relayer.config.policy_document import load_policy
    from relayer.service import ServiceOptions, run_once, run_service

    with reporting("run@1", as_json) as report:
        operator = load_operator(config, plain)
        policy = load_policy(operator.policy)
        options = ServiceOptions(observe, _chains(accept_reorg or [], policy))
        if observe or operator.signer is None:
            report.progress("observing only: nothing will be signed")
        if once:
            _tell(report, run_once(policy, operator, options))
        else:
            run_service(policy, operator, options)
            report.result({"stopped": True})


def _chains(texts: list[str], policy: Policy) -> tuple[ChainId, ...]:
    from proofs.types import parse_chain_id
    from relayer.errors import ConfigError, Fault

    known = [chain.chain for chain in policy.chains]
    try:
        chains = tuple(parse_chain_id(text) for text in texts)
    except ValueError as error:
        raise ConfigError("option --accept-reorg", Fault("", str(error), "for example eip155:1")) from None
    for chain in chains:
        if chain not in known:
            fault = Fault("", f"{chain} is no chain of the policy", f"name one of {', '.join(known)}")
            raise ConfigError("option --accept-reorg", fault)
    return chains


def _tell(report: Report, result: FrameResult) -> None:
    row, snapshot = result.row, result.snapshot
    data: dict[str, Json] = {
        "frame": result.frame,
        "state": None if row is None else str(row.state),
        "reason": "" if result.refusal is None else str(result.refusal),
        "digest": None if row is None or row.signed is None else "0x" + row.signed.digest.hex(),
        "accounts": len(result.views),
    }
    report.result(data)
    if row is None:
        report.fail(ExitCode.UNEXPECTED, str(result.bug or result.refusal))
    elif snapshot is not None and snapshot.missing:
        report.incomplete += [str(gone) for gone in snapshot.missing]
        report.fail(ExitCode.INCOMPLETE)
