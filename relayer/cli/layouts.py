"""`relayer layouts`: find where a token keeps its balances, and check that a policy's layouts still hold.

    layouts find TOKEN --rpc-url chain=URL     a hypothesis with code hashes, ready to paste after review
    layouts check                              the policy's layouts and code pins against calls at the newest block

Nothing of this happens while attesting. Exit codes: 0 confirmed or sound, 3 a layout or a pin of the policy does not
hold, 4 nodes contradict each other or their own proofs, 5 nothing confirmed or not everything asked.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from relayer.cli.audit import CONFIG_DEFAULT, ConfigFile, PolicyFile, RpcUrls, provider_of, sources
from relayer.cli.nodes import address_of, asked, client_of, one_chain
from relayer.cli.output import ExitCode, Json, JsonOption, Report, reporting

if TYPE_CHECKING:
    from chains.discovery_check import Checked
    from proofs.types import Address, ChainId
    from relayer.cli.layout_text import Found
    from relayer.config.operator import ProviderConfig
    from relayer.config.policy import Policy

ACCOUNTS_MAX = 50

layouts_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Storage layouts of tokens.")

TokenText = Annotated[str, typer.Argument(metavar="TOKEN", help="0x address of the token.")]
Holders = Annotated[
    list[str] | None, typer.Option("--holder", metavar="0x…", help="A holder to look at; several make it surer.")
]
Urls = Annotated[list[str], typer.Option("--rpc-url", metavar="CHAIN=URL", help="A node; a second one must agree.")]


@layouts_app.callback()
def layouts() -> None:
    """Find and check storage layouts."""


@layouts_app.command("find")
def find(token: TokenText, rpc_url: Urls, holder: Holders = None, as_json: JsonOption = False) -> None:
    """Look for the layout of a token's balances and verify it; prints a hypothesis to review, with code hashes."""
    import asyncio

    with reporting("layouts.find@1", as_json) as report:
        target, holders = (
            address_of("argument TOKEN", token),
            [address_of("option --holder", one) for one in holder or []],
        )
        providers = [provider_of(number, text) for number, text in enumerate(rpc_url, 1)]
        chain = one_chain(providers)
        found = asked(report, lambda: asyncio.run(_find(chain, providers, target, holders)))
        if found is not None:
            _tell(report, found)


@layouts_app.command("check")
def check(
    policy: PolicyFile = None,
    config: ConfigFile = CONFIG_DEFAULT,
    rpc_url: RpcUrls = None,
    holder: Holders = None,
    as_json: JsonOption = False,
) -> None:
    """Compare every layout and code pin of the policy with calls at the newest block of each chain."""
    import asyncio

    with reporting("layouts.check@1", as_json) as report:
        used, providers = sources(policy, config, rpc_url or [])
        holders = [address_of("option --holder", one) for one in holder or []]
        rows: list[Json] = []
        for chain in dict.fromkeys(one.chain for one in used.chains):
            provider = next((one for one in providers if one.chain == chain), None)
            if provider is None:
                report.incomplete.append(f"{chain}: no provider to ask")
                continue
            checked = asked(report, lambda: asyncio.run(_check(used, chain, provider, holders)))  # noqa: B023  # now
            rows += [_judged(report, one) for one in checked or ()]
        report.result({"columns": rows})
        if report.incomplete and report.code is ExitCode.OK:
            report.fail(ExitCode.INCOMPLETE)


# --- find ------------------------------------------------------------------------------------------------------------


async def _find(
    chain: ChainId, providers: Sequence[ProviderConfig], token: Address, holders: Sequence[Address]
) -> Found:
    """Find through the first node and let every other one judge the result at the same block."""
    from chains.discovery_asking import Finder
    from relayer.cli.layout_text import Found

    clients = [client_of(chain, provider) for provider in providers]
    try:
        first, *others = [Finder(chain, client) for client in clients]
        block = await first.newest()
        asked = tuple(dict.fromkeys(holders)) or await first.holders(token, block)
        noise = secrets.token_bytes(32)
        finding = await first.find(token, asked, block, noise)
        freezes = bool(asked) and await first.freezes(token, asked[0], block)
        disputes: list[str] = []
        for client, other in zip(clients[1:], others, strict=True):
            at = await other.block(block.hash)
            if await other.code(token, at) != finding.code:
                disputes.append(f"{client.label}: another code")
            for verdict in finding.verdicts:
                theirs = await other.judge(token, verdict.hypothesis, [one for one, _ in finding.balances], at, noise)
                if verdict.is_confirmed and not theirs.is_confirmed:
                    disputes.append(f"{client.label}: {theirs.agreeing} of {theirs.asked} holders agree")
        return Found(chain, token, finding, freezes, len(clients), tuple(disputes))
    finally:
        for client in clients:
            await client.close()


def _tell(report: Report, found: Found) -> None:
    from relayer.cli.layout_text import confirmed, found_json, found_lines

    report.result(found_json(found))
    for line in found_lines(found):
        report.line(line)
    if found.disputes:
        report.fail(ExitCode.VERIFICATION_FAILED, *found.disputes)
    elif len(confirmed(found)) != 1:
        several = "more than one layout explains every holder; name more of them with --holder"
        report.incomplete.append(several if confirmed(found) else "no layout is confirmed")
        report.incomplete += found.finding.notes
        report.fail(ExitCode.INCOMPLETE)


# --- check -----------------------------------------------------------------------------------------------------------


async def _check(
    policy: Policy, chain: ChainId, provider: ProviderConfig, holders: Sequence[Address]
) -> tuple[Checked, ...]:
    from chains.discovery_asking import Finder
    from chains.discovery_check import check_column, listed_accounts
    from chains.readers import column_of, list_of
    from proofs.types import account_of_address

    client = client_of(chain, provider)
    try:
        finder = Finder(chain, client)
        block = await finder.newest()
        accounts = {account_of_address(one) for one in holders}
        for asked in policy.lists:
            if asked.chain == chain:
                accounts |= set(await listed_accounts(finder, list_of(asked), block, ACCOUNTS_MAX))
        rows = tuple(sorted(accounts))
        specs = [column_of(asked, rows) for asked in policy.questions if asked.chain == chain]
        return tuple([await check_column(client, finder, spec, block) for spec in specs if spec.layout is not None])
    finally:
        await client.close()


def _judged(report: Report, checked: Checked) -> Json:
    faults = [*checked.code_faults, *checked.differing]
    shown = "sound" if checked.is_sound else f"NOT sound: {faults[0]}"
    report.line(f"{checked.column}: {checked.rows} rows compared, {shown}")
    if faults:
        report.fail(ExitCode.FINDINGS, *(f"{checked.column}: {fault}" for fault in faults[:10]))
    elif not checked.told:
        report.incomplete.append(f"{checked.column}: nothing but zeros to compare; name holders with --holder")
    return {
        "column": checked.column,
        "rows": checked.rows,
        "told": checked.told,
        "code": list(checked.code_faults),
        "differing": list(checked.differing),
        "sound": checked.is_sound,
    }
