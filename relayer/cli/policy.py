"""`relayer policy`: what a policy document says and what its id is. Offline, needs no configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relayer.cli.output import JsonOption, reporting

if TYPE_CHECKING:
    from relayer.config.policy import Policy

policy_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Check a policy document and print its id.")

PolicyFile = Annotated[Path, typer.Argument(help="The policy document.")]
POLICY_DEFAULT = Path("policy.toml")


@policy_app.command("hash")
def policy_hash(file: PolicyFile = POLICY_DEFAULT, as_json: JsonOption = False) -> None:
    """Print the policy id: keccak-256 of the document's RFC 8785 form."""
    from proofs.types import to_hex
    from relayer.config.policy_document import load_policy

    with reporting("policy.hash@1", as_json) as report:
        policy = load_policy(file)
        report.data = {"policy_id": to_hex(policy.policy_id), "name": policy.name, "version": policy.version}
        report.line(to_hex(policy.policy_id))


@policy_app.command("check")
def policy_check(file: PolicyFile = POLICY_DEFAULT, as_json: JsonOption = False) -> None:
    """Check the document and show what it makes the relayer read; every fault is named with its key and fix."""
    from proofs.types import to_hex
    from relayer.config.policy_document import load_policy
    from relayer.config.policy_notes import notes_on

    with reporting("policy.check@1", as_json) as report:
        policy = load_policy(file)
        notes = notes_on(policy)
        report.data = {
            "policy_id": to_hex(policy.policy_id),
            "name": policy.name,
            "version": policy.version,
            "columns": [question.column for question in policy.questions],
            "lists": [question.name for question in policy.lists],
            "notes": list(notes),
        }
        report.line(f"{policy.name} version {policy.version} is well formed; policy id {to_hex(policy.policy_id)}")
        report.table(("chain", "lag", "finality", "lists", "columns"), _chain_rows(policy))
        for note in notes:
            report.line(f"note: {note}")


def _chain_rows(policy: Policy) -> list[tuple[str, ...]]:
    return [
        (
            f"{chain.chain}{' (devnet)' if chain.devnet else ''}",
            f"{chain.lag_s} s",
            f"{chain.finality.confirmations} " * bool(chain.finality.confirmations) + chain.finality.kind.name.lower(),
            str(sum(question.chain == chain.chain for question in policy.lists)),
            str(sum(question.chain == chain.chain for question in policy.questions)),
        )
        for chain in policy.chains
    ]
