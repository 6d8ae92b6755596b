"""One zoo for all tests; tests that change a token deploy their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from chains.devnet.nodes import start_anvil
from chains.discovery_asking import Finder
from chains.rpc import RpcClient
from tests.node.layouts.zoo import CHAIN, Zoo, build_zoo, client


@pytest.fixture(scope="session")
def zoo() -> Iterator[Zoo]:
    with start_anvil(31337001, block_time_s=None) as node:
        yield build_zoo(node)


@pytest.fixture
async def honest(zoo: Zoo) -> AsyncIterator[RpcClient]:
    connected = client(zoo.node.url)
    yield connected
    await connected.close()


@pytest.fixture
def finder(honest: RpcClient) -> Finder:
    return Finder(CHAIN, honest)
