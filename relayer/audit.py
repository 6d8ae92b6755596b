"""Audit: recompute what a bundle's policy makes of its readings, without the relayer that signed it.

    policy       its text is a policy; domain, signer set, devnets, lifetime and epoch are the policy's
    blocks       each lies in the policy's window for the frame, under the policy's finality rule; a signed frame states
                 votes among as many operators as the policy asks for
    questions    are those that the policy asks about these accounts, none left out, none added
    accounts     the leaves are exactly the accounts that the contracts name
    leaves       each is what the rule set makes of the verified readings
    computation  prices and every integer in between are what is recomputed, where the bundle states them

A bundle of a look at a few accounts (`watched`) asks no contract for names and holds exactly those accounts.

`proofs.bundle` checks everything else. Pure; imports neither web3 nor aiohttp: an auditor's machine has no network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from proofs.ancestry import NO_ANCESTRY, Ancestry
from proofs.bounded_json import parse_json
from proofs.bundle import BundleContents, BundleReport, Check, Verdict, verify_bundle
from proofs.bundle_contents import (
    ANCHORS,
    LEAVES,
    LEGS_PER_FILE,
    MANIFEST,
    POLICY,
    PRICES,
    ROOT,
    computation_file,
)
from proofs.bundle_readings import QUESTIONS, reading_file
from proofs.snapshot import ChainReading
from proofs.types import AccountId, ChainId, Hash32, Quality, to_hex
from proofs.verify import VerifiedSnapshot, verified_snapshot
from relayer import plan, plan_cells
from relayer.computation import prices_text, views_text
from relayer.config.policy import ChainPolicy, Policy
from relayer.config.policy_document import parse_policy_document, policy_id_of
from relayer.config.policy_expansion import policy_of
from relayer.config.policy_rules import faults_in
from relayer.errors import ConfigError
from relayer.margin.account import PortfolioReader, accounts_of
from relayer.margin.evaluate import evaluate
from relayer.margin.market import Market, market_of
from relayer.margin.view import MarginView

FAULTS_SHOWN: Final = 5
"""Of a thousand wrong leaves the first few tell enough."""
RECOMPUTED: Final = "by the policy's rule set"
"""Ends the one line of `proofs.bundle`'s list of unverified things that this module verifies."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Tell what was verified, what failed and what no file can show; `views` explain the recomputed leaves."""

    verdict: Verdict
    checks: tuple[Check, ...]
    unverified: tuple[str, ...]
    signers: tuple[int, ...]
    views: tuple[MarginView, ...]
    snapshot: VerifiedSnapshot


def audit_bundle(
    contents: BundleContents, anchors: Mapping[ChainId, Hash32], ancestry: Ancestry = NO_ANCESTRY
) -> AuditReport:
    """Verify a bundle as a whole; `anchors` are block hashes that the auditor knows to be canonical.

    Where such a block is a later one than the bundle's, `ancestry` leads from it back to the bundle's.
    """
    proven = verify_bundle(contents, anchors, ancestry)
    checks, views = _recomputed(contents, proven)
    is_failed = any(check.fault for check in checks)
    unverified = tuple(line for line in proven.unverified if not (views and line.endswith(RECOMPUTED)))
    verdict = Verdict.FAILED if is_failed else proven.verdict
    snapshot = proven.snapshot or verified_snapshot(contents.snapshot.frame_s, ())
    return AuditReport(verdict, (*proven.checks, *checks), unverified, proven.signers, views, snapshot)


def policy_from_text(text: bytes) -> Policy:
    """Read a policy from its canonical text, as a bundle carries it.

    Raises: ConfigError.
    """
    document = parse_json(text)
    model = parse_policy_document(document, POLICY)
    faults = faults_in(model)
    if faults:
        raise ConfigError(POLICY, *faults)
    return policy_of(model, text, policy_id_of(text))


def _recomputed(contents: BundleContents, proven: BundleReport) -> tuple[tuple[Check, ...], tuple[MarginView, ...]]:
    try:
        policy = policy_from_text(contents.policy_text)
    except ConfigError as error:
        return (Check("policy", POLICY, str(error)),), ()
    checks = [
        Check("policy", POLICY),
        Check("terms", ROOT, "; ".join(_term_faults(contents, policy))),
        Check("blocks", ANCHORS, "; ".join(_block_faults(contents, policy))),
    ]
    questions = tuple(_question_checks(contents, policy))
    checks += questions
    if proven.snapshot is None or any(check.fault for check in questions):
        why = "not every chain verified" if proven.snapshot is None else "other questions were asked"
        return (*checks, Check("rule set", LEAVES, f"{why}, so nothing can be recomputed")), ()
    checks += _cell_checks(contents, policy)
    views = recomputed_views(proven.snapshot, policy, contents.watched)
    faults = list(_leaf_faults(contents, views))
    shown = "; ".join(faults[:FAULTS_SHOWN]) + (
        f"; and {len(faults) - FAULTS_SHOWN} more" if faults[FAULTS_SHOWN:] else ""
    )
    stated = _stated_checks(contents, views, market_of(proven.snapshot, policy.rules))
    return (*checks, Check("rule set", LEAVES, shown), *stated), views


def recomputed_views(
    snapshot: VerifiedSnapshot, policy: Policy, watched: tuple[AccountId, ...] = ()
) -> tuple[MarginView, ...]:
    """Evaluate every account that a snapshot names or that is watched, ascending, from the verified readings alone."""
    quality = Quality.DEVNET if policy.has_devnet else Quality.NONE
    reader = PortfolioReader.from_snapshot(snapshot, policy.rules, quality)
    market = market_of(snapshot, policy.rules)
    accounts = sorted({*accounts_of(snapshot), *watched})
    return tuple(evaluate(reader.portfolio(account), market, policy.rules) for account in accounts)


def _stated_checks(contents: BundleContents, views: tuple[MarginView, ...], market: Market) -> Iterator[Check]:
    """Compare what the bundle states between readings and leaves with what was recomputed, byte for byte."""
    yield Check("prices", PRICES, "" if contents.prices == prices_text(market) else "not what the feeds' words make")
    parts = [views[start : start + LEGS_PER_FILE] for start in range(0, len(views), LEGS_PER_FILE)]
    for number, part in enumerate(parts):
        text = contents.computation[number] if number < len(contents.computation) else b"[]"
        fault = "" if text == views_text(part) else _first_other(text, part)
        yield Check("computation", computation_file(number), fault)


def _first_other(text: bytes, views: tuple[MarginView, ...]) -> str:
    stated, recomputed = parse_json(text), parse_json(views_text(views))
    if not isinstance(stated, list) or not isinstance(recomputed, list) or len(stated) != len(recomputed):
        return f"not the computations of {len(views)} accounts"
    at = next(at for at, (one, other) in enumerate(zip(stated, recomputed, strict=True)) if one != other)
    return f"{to_hex(views[at].account)}: other integers than recomputed"


def _term_faults(contents: BundleContents, policy: Policy) -> Iterator[str]:
    root, signers = contents.signed.root, policy.signers
    if contents.domain != policy.domain:
        yield f"domain is {to_hex(contents.domain.verifying_contract)} on {contents.domain.chain_number}"
    if (contents.signers.addresses, contents.signers.k, contents.signers.f) != (
        signers.addresses,
        signers.k,
        signers.f,
    ):
        yield "signer set is not the policy's"
    if root.signer_epoch != signers.epoch:
        yield f"signer epoch {root.signer_epoch}, the policy's is {signers.epoch}"
    if root.valid_until != root.as_of + policy.lifetime_s:
        yield f"valid for {root.valid_until - root.as_of} s, the policy's lifetime is {policy.lifetime_s} s"
    if root.frame % policy.frame_s:
        yield f"frame {root.frame} is no multiple of {policy.frame_s} s"
    if contents.devnets != plan.devnets(policy):
        yield f"{MANIFEST} names other devnets than the policy"


def _block_faults(contents: BundleContents, policy: Policy) -> Iterator[str]:
    outcomes = {outcome.chain: outcome for outcome in contents.snapshot.outcomes}
    if outcomes.keys() != {chain.chain for chain in policy.chains}:
        yield "chains are not the policy's"
    for chain in policy.chains:
        outcome = outcomes.get(chain.chain)
        if isinstance(outcome, ChainReading):
            yield from _window_faults(outcome, chain, contents.snapshot.frame_s, policy.skew_s_max)
            if contents.is_signed:
                yield from _vote_faults(outcome, policy.providers_operators_min)


def _vote_faults(reading: ChainReading, operators_min: int) -> Iterator[str]:
    for what, votes in (("block", reading.anchor.votes), ("sheet", reading.sheet_votes)):
        if votes.configured < operators_min:
            detail = f"{votes.configured} operators configured, the policy asks for {operators_min}"
            yield f"{reading.chain}: {what}: {detail}"


def _window_faults(reading: ChainReading, chain: ChainPolicy, frame_s: int, skew_s_max: int) -> Iterator[str]:
    newest_s, time_s = frame_s - chain.lag_s, reading.anchor.block.timestamp_s
    if not newest_s - skew_s_max <= time_s <= newest_s:
        yield f"{chain.chain}: block of {time_s} is outside {newest_s - skew_s_max} to {newest_s}"
    if reading.anchor.finality is not chain.finality.kind:
        yield f"{chain.chain}: finality {reading.anchor.finality.name.lower()}, not {chain.finality.kind.name.lower()}"


def _question_checks(contents: BundleContents, policy: Policy) -> Iterator[Check]:
    readings = [outcome for outcome in contents.snapshot.outcomes if isinstance(outcome, ChainReading)]
    rows = tuple(sorted(contents.watched)) or _rows_of(readings)
    asked = replace(policy, lists=()) if contents.watched else policy
    lists, columns = plan.list_specs(asked), plan.column_specs(policy, rows)
    for reading in readings:
        file, faults = reading_file(QUESTIONS, reading.chain), []
        if reading.account_lists != lists.get(reading.chain):
            faults.append("account lists are not those of the policy")
        if reading.columns != columns.get(reading.chain):
            faults.append("columns are not those that the policy asks about these accounts")
        named = {account for listing in reading.sheet.account_lists for account in listing.accounts}
        if not named <= set(rows):
            faults.append(f"{len(named - set(rows))} accounts are named and were not asked about")
        yield Check("questions", file, "; ".join(faults))


def _cell_checks(contents: BundleContents, policy: Policy) -> Iterator[Check]:
    """Compare which cells were asked to be proven; the questions are those of the policy already."""
    readings = {one.chain: one for one in contents.snapshot.outcomes if isinstance(one, ChainReading)}
    for chain, cells in plan_cells.cells_of(policy, readings).items():
        fault = "" if readings[chain].cells == cells else "not the cells that the policy demands"
        yield Check("cells to prove", reading_file(QUESTIONS, chain), fault)


def _rows_of(readings: list[ChainReading]) -> tuple[AccountId, ...]:
    """Return the accounts that columns were asked about: rows of 32 bytes, the same in every column."""
    for reading in readings:
        for column in reading.columns:
            if column.rows and len(column.rows[0]) == 32:
                return tuple(AccountId(row) for row in column.rows)
    return ()


def _leaf_faults(contents: BundleContents, views: tuple[MarginView, ...]) -> Iterator[str]:
    stated = {leaf.account_id: leaf for leaf in contents.leaves}
    recomputed = {view.account: view.leaf for view in views}
    for account in sorted(stated.keys() ^ recomputed.keys()):
        what = "has a leaf and is named by no contract" if account in stated else "is named and has no leaf"
        yield f"{to_hex(account)} {what}"
    for account in sorted(stated.keys() & recomputed.keys()):
        if stated[account] != recomputed[account]:
            status, other = stated[account].status, recomputed[account].status
            told = (
                f"status {status.name.lower()}, recomputed {other.name.lower()}" if status != other else "other figures"
            )
            yield f"{to_hex(account)}: {told}"
