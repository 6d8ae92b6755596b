"""Whether an operator's configuration fits a policy, without asking anybody: no network, no database."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from chains.network import load_networks
from relayer.config.operator import OperatorConfig
from relayer.config.policy import ChainPolicy, Policy
from relayer.errors import ConfigError, Fault

LEAF_BYTES = 320
VIEW_BYTES = 600
"""A view's head; each of its lines adds LINE_BYTES. Measured on JSON of the shape that the API serves."""
LINE_BYTES = 500
BUNDLE_BYTES_PER_CELL = 1500
"""A storage proof shares its upper nodes; about three nodes of 500 bytes are its own."""
LEDGER_ROW_BYTES = 200
YEAR_S = 365 * 86_400


def faults_between(
    operator: OperatorConfig, policy: Policy, environment: Mapping[str, str] = os.environ
) -> tuple[Fault, ...]:
    """Return every fault: chains without enough providers, unknown chains, secrets and files that are not there."""
    return (*_providers(operator, policy), *_files(operator), *_secrets(operator, environment))


def disk_estimate(operator: OperatorConfig, policy: Policy, accounts: int) -> tuple[tuple[str, int], ...]:
    """Return what the store will grow to, by part, in bytes; the ledger's part is one year's."""
    cells = len(policy.rules.collateral) + len(policy.rules.positions)
    view = VIEW_BYTES + LINE_BYTES * cells
    frames = -(-operator.retention.leaves_s // policy.frame_s)
    return (
        ("leaves", accounts * (LEAF_BYTES + view) * frames),
        ("bundles", operator.retention.bundles * accounts * (cells * BUNDLE_BYTES_PER_CELL + LEAF_BYTES)),
        ("ledger", LEDGER_ROW_BYTES * (YEAR_S // policy.frame_s)),
    )


def _providers(operator: OperatorConfig, policy: Policy) -> Iterator[Fault]:
    known = {chain.chain for chain in policy.chains}
    for index, provider in enumerate(operator.providers):
        if provider.chain not in known:
            fix = "remove it, or use the policy that has this chain"
            yield Fault(f"provider[{index}].chain", f"{provider.chain} is not in the policy {policy.name!r}", fix)
    for chain in policy.chains:
        if chain.chain not in load_networks():
            yield Fault("policy", f"no network file describes {chain.chain}", "this release cannot read that chain")
        yield from _enough(operator, policy, chain)


def _enough(operator: OperatorConfig, policy: Policy, chain: ChainPolicy) -> Iterator[Fault]:
    mine = [provider for provider in operator.providers if provider.chain == chain.chain]
    operators = {provider.operator for provider in mine}
    if len(mine) < policy.providers_configured_min:
        least = policy.providers_configured_min
        yield Fault(
            "provider", f"{chain.chain} has {len(mine)} providers, the policy asks for {least}", "add [[provider]]"
        )
    elif len(operators) < policy.providers_operators_min:
        least = policy.providers_operators_min
        problem = f"{chain.chain} has providers of {len(operators)} operators, the policy asks for {least}"
        yield Fault("provider", problem, "add [[provider]] of another operator")


def _files(operator: OperatorConfig) -> Iterator[Fault]:
    signer = operator.signer
    if signer is not None and not signer.path.is_file():
        yield Fault("signer.path", f"no such file: {signer.path}", "create the key or correct the path")
    if not operator.store.parent.is_dir():
        yield Fault("store", f"no such folder: {operator.store.parent}", "create it or correct the path")


def _secrets(operator: OperatorConfig, environment: Mapping[str, str]) -> Iterator[Fault]:
    for secret in operator.secrets():
        try:
            secret.resolve(environment)
        except ConfigError as error:
            yield from error.faults
