"""All decoders that read what others wrote."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tests.fuzz import targets_bundle, targets_chains, targets_proofs, targets_relayer
from tests.fuzz.engine import Target

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for module in (targets_proofs, targets_chains, targets_bundle, targets_relayer)
        for target in module.TARGETS
    }
)
