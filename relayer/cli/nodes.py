"""Nodes that the command line is given by URL, asked once and closed again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from relayer.cli.output import ExitCode, Report

if TYPE_CHECKING:
    from chains.rpc import RpcClient
    from proofs.types import Address, ChainId
    from relayer.config.operator import ProviderConfig

Answer = TypeVar("Answer")

BUDGET_S: Final = 30.0


def asked(report: Report, ask: Callable[[], Answer]) -> Answer | None:
    """Ask the network; what goes wrong there becomes an exit code."""
    from chains.errors import ChainError
    from proofs.errors import ProofError

    try:
        return ask()
    except ChainError as error:
        report.incomplete.append(str(error))
        report.fail(ExitCode.INCOMPLETE)
    except ProofError as error:
        report.fail(ExitCode.VERIFICATION_FAILED, f"a node's proof does not hold: {error}")
    return None


def client_of(chain: ChainId, provider: ProviderConfig) -> RpcClient:
    """Return a client of one node; the caller closes it."""
    from random import SystemRandom

    from chains.clock import SystemClock
    from chains.limits import RpcLimits
    from chains.observer import NullObserver
    from chains.rpc import Provider, RpcClient
    from chains.secret import SecretUrl

    url = SecretUrl(provider.url.resolve())
    endpoint = Provider(provider.name, provider.operator, url, RpcLimits(budget_s=BUDGET_S))
    return RpcClient(chain, endpoint, NullObserver(), SystemClock(), SystemRandom().random)


def one_chain(providers: Sequence[ProviderConfig]) -> ChainId:
    """Return the chain of all nodes. Raises: ConfigError unless there is exactly one."""
    from relayer.errors import ConfigError, Fault

    chains = {provider.chain for provider in providers}
    if len(chains) != 1:
        fix = "give one --rpc-url chain=URL, or several of the same chain"
        raise ConfigError("option --rpc-url", Fault("", f"{len(chains)} chains", fix))
    return chains.pop()


def address_of(source: str, text: str) -> Address:
    """Return an address; a mixed-case one must have its checksum. Raises: ConfigError."""
    from proofs.types import parse_address
    from relayer.config.fields import checked_address
    from relayer.errors import ConfigError, Fault

    try:
        return parse_address(checked_address(text))
    except ValueError as error:
        problem, _, fix = str(error).partition("; ")
        raise ConfigError(source, Fault("", problem, fix or "write 0x and 40 hex digits")) from None
