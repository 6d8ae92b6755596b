"""One world per test file, on three nodes that mine when told to; signed by a key that is known here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chains.devnet.deploy import deploy_world
from chains.devnet.nodes import start_anvils
from chains.devnet.world import DEVNET_CHAIN_NUMBERS, SignerSet, World
from proofs.signing import LocalSigner


@pytest.fixture(scope="module")
def signer() -> LocalSigner:
    return LocalSigner(b"\x07" * 32)


@pytest.fixture(scope="module")
def world(signer: LocalSigner) -> Iterator[World]:
    with start_anvils(DEVNET_CHAIN_NUMBERS, block_time_s=None) as nodes:
        yield deploy_world([node.url for node in nodes], SignerSet((signer.address,), k=1, f=0))
