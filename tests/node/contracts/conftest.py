"""One node for all contract tests; every test deploys its own contracts, time only moves forward."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from web3 import Web3

from chains.devnet.nodes import AnvilNode, start_anvil
from tests.node.contracts.wire import keys
from tests.node.contracts.world import Chain, Quorum, deploy_quorum

DEVNET_ID = 31337001
PUBLIC_ID = 1


def connect(node: AnvilNode) -> Chain:
    """Open a web3 client that never follows a contract's URLs."""
    provider = Web3.HTTPProvider(node.url)
    provider.global_ccip_read_enabled = False
    return Chain(node, Web3(provider))


@pytest.fixture(scope="session")
def chain() -> Iterator[Chain]:
    """Run a devnet that mines a block for each transaction."""
    with start_anvil(DEVNET_ID, block_time_s=None) as node:
        yield connect(node)


@pytest.fixture(scope="session")
def public_chain() -> Iterator[Chain]:
    """Run a chain whose id is not a devnet's."""
    with start_anvil(PUBLIC_ID, block_time_s=None) as node:
        yield connect(node)


@pytest.fixture
def quorum(chain: Chain) -> Quorum:
    """Deploy a verifier with a 3-of-4 set."""
    return deploy_quorum(chain, keys(4), k=3, f=1)
