"""One node for all contract tests; every test deploys its own contracts, time only moves forward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from requests import Session
from web3 import Web3

from chains.devnet.nodes import AnvilNode, start_anvil
from tests.node.contracts.wire import keys
from tests.node.contracts.world import Chain, Quorum, deploy_quorum

DEVNET_ID = 31337001
PUBLIC_ID = 1


@contextmanager
def connect(node: AnvilNode) -> Iterator[Chain]:
    """Open a web3 client that never follows a contract's URLs."""
    with Session() as session:
        provider = Web3.HTTPProvider(node.url, session=session)
        provider.global_ccip_read_enabled = False
        yield Chain(node, Web3(provider))


@pytest.fixture(scope="session")
def chain() -> Iterator[Chain]:
    """Run a devnet that mines a block for each transaction."""
    with start_anvil(DEVNET_ID, block_time_s=None) as node, connect(node) as connected:
        yield connected


@pytest.fixture(scope="session")
def public_chain() -> Iterator[Chain]:
    """Run a chain whose id is not a devnet's."""
    with start_anvil(PUBLIC_ID, block_time_s=None) as node, connect(node) as connected:
        yield connected


@pytest.fixture
def quorum(chain: Chain) -> Quorum:
    """Deploy a verifier with a 3-of-4 set."""
    return deploy_quorum(chain, keys(4), k=3, f=1)
