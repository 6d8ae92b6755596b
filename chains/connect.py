"""From configuration to an adapter: the table of families, and the one place that opens them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import SystemRandom
from types import MappingProxyType
from typing import Final, TypeAlias

from chains.adapter import ChainAdapter
from chains.clock import Clock
from chains.errors import NetworkRefused
from chains.families.evm import EvmAdapter
from chains.finality import FinalityRule
from chains.network import Network
from chains.observer import ChainObserver
from chains.rpc import Jitter, Provider

__all__ = ["FAMILIES", "connect"]

Opener: TypeAlias = Callable[[Network, FinalityRule, Sequence[Provider], ChainObserver, Clock, Jitter], ChainAdapter]

FAMILIES: Final[Mapping[str, Opener]] = MappingProxyType({"evm": EvmAdapter})


def connect(
    network: Network, finality: FinalityRule, providers: Sequence[Provider], observer: ChainObserver, clock: Clock
) -> ChainAdapter:
    """Build the adapter of a network; nothing is sent before the first question.

    Raises: `NetworkRefused` for a family that nobody reads.
    """
    if network.family not in FAMILIES:
        raise NetworkRefused(network.name, "family", f"{network.family!r} is not one of {', '.join(FAMILIES)}")
    return FAMILIES[network.family](network, finality, providers, observer, clock, SystemRandom().random)
