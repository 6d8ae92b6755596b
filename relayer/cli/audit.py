"""`relayer audit account`: one unsigned look at one account, explained to the last unit.

    --config relayer.toml              live, through the configured providers
    --policy F --rpc-url chain=URL     live, through these endpoints; several for one chain make a quorum
    --from FILE                        offline, from an evidence bundle, verified first
    --bundle FILE                      write the evidence of a live look: a bundle that nobody signed
    --report FILE                      write it as one HTML page

Exit codes: 0 known, 4 the bundle does not verify, 5 unknown (the reasons are printed).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relayer.cli.arguments import parse_account, taking
from relayer.cli.output import ExitCode, Json, JsonOption, Report, reporting
from relayer.cli.verify import ReportFile, read_contents, write_file, write_page

if TYPE_CHECKING:
    from proofs.types import AccountId
    from proofs.verify import VerifiedSnapshot
    from relayer.audit import AuditReport
    from relayer.config.operator import ProviderConfig
    from relayer.config.policy import Policy
    from relayer.margin.view import MarginView
    from relayer.pipeline.look import Look

CONFIG_DEFAULT = Path("relayer.toml")

audit_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Read and explain without a service.")

AccountText = Annotated[str, typer.Argument(metavar="ACCOUNT", help="0x address, CAIP-10 id or 32-byte account id.")]
PolicyFile = Annotated[Path | None, typer.Option("--policy", help="The policy; by default the configuration's.")]
ConfigFile = Annotated[Path, typer.Option("--config", help="The operator's configuration, for its providers.")]
RpcUrls = Annotated[
    list[str] | None, typer.Option("--rpc-url", metavar="CHAIN=URL", help="Read through this endpoint instead.")
]
AtTime = Annotated[int | None, typer.Option("--at-time", help="Frame time in Unix seconds; by default the newest.")]
FromFile = Annotated[Path | None, typer.Option("--from", help="Explain from this evidence bundle, offline.")]
BundleFile = Annotated[
    Path | None, typer.Option("--bundle", metavar="FILE", help="Write the evidence, for `relayer verify`; unsigned.")
]


@audit_app.callback()
def audit() -> None:
    """Read and explain without a service."""


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """Hold whom to look at, through whom, when, and what to write."""

    account: AccountText
    policy: PolicyFile = None
    config: ConfigFile = CONFIG_DEFAULT
    rpc_url: RpcUrls = None
    at_time: AtTime = None
    source: FromFile = None
    bundle: BundleFile = None
    report_file: ReportFile = None
    as_json: JsonOption = False


@audit_app.command("account")
@taking(AuditRequest)
def audit_account(asked: AuditRequest) -> None:
    """Read, prove, evaluate and explain one account; signs nothing."""
    with reporting("audit.account@1", asked.as_json) as report:
        account = parse_account(asked.account)
        if asked.source is not None:
            _from_bundle(report, asked.source, account, asked.report_file)
            return
        used, providers = sources(asked.policy, asked.config, asked.rpc_url or [])
        frame_s = None if asked.at_time is None else _settled(used, asked.at_time)
        look = _live(report, used, providers, account, frame_s)
        _tell(report, look.view, look.snapshot)
        if asked.bundle is not None or asked.report_file is not None:
            keep(report, used, look, asked.bundle, asked.report_file)


def sources(policy: Path | None, config: Path, urls: list[str]) -> tuple[Policy, tuple[ProviderConfig, ...]]:
    """Return the policy to use and the providers to ask: those given for a chain replace the configured ones."""
    from relayer.config.operator_document import load_operator
    from relayer.config.policy_document import load_policy

    if urls and policy is not None:
        return load_policy(policy), tuple(provider_of(number, text) for number, text in enumerate(urls, 1))
    operator = load_operator(config, plain_secrets=True)  # nothing is kept and nothing is served
    given = tuple(provider_of(number, text) for number, text in enumerate(urls, 1))
    replaced = {provider.chain for provider in given}
    kept = tuple(provider for provider in operator.providers if provider.chain not in replaced)
    return load_policy(policy or operator.policy), (*kept, *given)


def provider_of(number: int, text: str) -> ProviderConfig:
    """Parse one `chain=URL` of the command line.

    Raises: ConfigError.
    """
    from proofs.types import parse_chain_id
    from relayer.config.operator import ProviderConfig
    from relayer.config.secret import SecretPlace, parse_secret
    from relayer.errors import ConfigError, Fault

    chain, _, url = text.partition("=")
    place = SecretPlace("option --rpc-url", chain)
    try:
        if not url:
            raise ValueError("no URL")
        secret = parse_secret(url, place, Path(), plain_allowed=True)
        return ProviderConfig(parse_chain_id(chain), f"given-{number}", f"given-{number}", secret)
    except ValueError:
        fix = "for example eip155:1=https://host/path"
        raise ConfigError(place.source, Fault("", f"no chain and URL at place {number}", fix)) from None


def _live(
    report: Report, policy: Policy, providers: tuple[ProviderConfig, ...], account: AccountId, frame_s: int | None
) -> Look:
    import asyncio

    from relayer.cli.progress import ProofProgress
    from relayer.service import audit_live

    return asyncio.run(audit_live(policy, providers, account, frame_s, ProofProgress(report.progress)))


def keep(report: Report, policy: Policy, look: Look, bundle: Path | None, page: Path | None) -> None:
    """Write the evidence of a look, and the page of its own audit; nothing that `relayer verify` would refuse."""
    from proofs.bundle import read_bundle
    from proofs.errors import ProofError
    from relayer.audit import audit_bundle
    from relayer.pipeline.evidence import look_archive

    try:
        archive = look_archive(policy, look.readings, look.snapshot, look.view)
        if archive is None:
            report.progress("no chain was read, so there is no evidence to write")
            return
        contents = read_bundle(archive)
    except ProofError as fault:
        report.fail(ExitCode.VERIFICATION_FAILED, f"no evidence written: {fault}")
        return
    audited = audit_bundle(contents, {})
    if _told_failures(report, audited):
        return
    if bundle is not None:
        write_file(report, bundle, archive)
    if page is not None:
        write_page(report, page, contents, audited)


def _told_failures(report: Report, audited: AuditReport) -> bool:
    """Fail with every step of an audit that failed; tell whether there is any."""
    failed = [f"{check.step}: {check.file}: {check.fault}" for check in audited.checks if check.fault]
    if failed:
        report.fail(ExitCode.VERIFICATION_FAILED, *failed)
    return bool(failed)


def _settled(policy: Policy, at_time: int) -> int:
    """Return the time of a frame that is settled by now; nobody waits here for a block to come."""
    from relayer.errors import ConfigError, Fault
    from relayer.pipeline.look import newest_frame

    newest = newest_frame(policy, time.time())
    if 0 < at_time <= newest and at_time % policy.frame_s == 0:
        return at_time
    fix = f"a multiple of {policy.frame_s}, at most {newest}; leave it out for the newest"
    raise ConfigError("option --at-time", Fault("", f"{at_time} is no frame of the policy that is settled", fix))


def _from_bundle(report: Report, path: Path, account: AccountId, page: Path | None) -> None:
    from proofs.errors import ProofError
    from relayer.audit import audit_bundle

    try:
        contents = read_contents(path)
    except ProofError as error:
        report.fail(ExitCode.VERIFICATION_FAILED, str(error))
        return
    audited = audit_bundle(contents, {})
    if page is not None:
        write_page(report, page, contents, audited)
    if _told_failures(report, audited):
        return
    view = next((view for view in audited.views if view.account == account), None)
    if view is None:
        report.incomplete.append(f"frame {contents.snapshot.frame_s} has no such account")
        report.fail(ExitCode.INCOMPLETE)
        return
    _tell(report, view, audited.snapshot)


def _tell(report: Report, view: MarginView, snapshot: VerifiedSnapshot) -> None:
    from relayer.margin.explain import summary, view_to_json

    chains: list[Json] = [
        {"chain": one.chain, "block": one.anchor.block.number, "hash": "0x" + one.anchor.block.hash.hex()}
        for one in snapshot.chains
    ]
    report.result({"frame": snapshot.frame_s, "chains": chains, "view": view_to_json(view)})  # type: ignore[dict-item]
    _show(report, view, snapshot)
    for text in summary(view):
        report.line(f"- {text}")
    report.line("unsigned: nobody but you has vouched for this")
    if view.status == 0:
        report.incomplete += [*summary(view), *(str(gone) for gone in snapshot.missing)]
        report.fail(ExitCode.INCOMPLETE)


def _show(report: Report, view: MarginView, snapshot: VerifiedSnapshot) -> None:
    from relayer.margin.explain import usd_text

    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(snapshot.frame_s))
    report.line(
        f"account 0x{view.account.hex()}: {view.status.name.lower()} at {when}, assurance {int(view.assurance)}"
    )
    blocks = {one.chain: one.anchor.block for one in snapshot.chains}
    for chain, block in blocks.items():
        report.line(f"  {chain} block {block.number} 0x{block.hash.hex()}")
    rows: list[tuple[str, ...]] = [
        (line.label, line.symbol, usd_text(line.value_usd), usd_text(line.initial_usd), usd_text(line.maintenance_usd))
        for line in view.lines
    ]
    totals = (view.equity_usd, view.initial_margin_usd, view.maintenance_margin_usd)
    rows.append(("equity and requirements", "", *map(usd_text, totals)))
    report.table(("line", "asset", "value USD", "initial USD", "maintenance USD"), rows)
