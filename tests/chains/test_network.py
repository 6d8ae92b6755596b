"""Network files: what is shipped, and what is refused by name."""

from __future__ import annotations

import re

import pytest

from chains.clock import SystemClock
from chains.connect import FAMILIES, connect
from chains.errors import NetworkRefused
from chains.finality import FinalityRule
from chains.network import load_networks, network_of, parse_network
from chains.observer import NullObserver
from chains.rpc import Provider
from chains.secret import SecretUrl
from proofs.header import HeaderShape
from proofs.types import ChainId, Finality

GOOD = """
id = "eip155:31337009"
name = "Some devnet"
family = "evm"
devnet = true
block_time_ms = 1000
lag_s = 1
finality = "safe"
headers = ["prague"]
evm_number = "own"
"""


def test_networks__when_loaded__then_every_promised_chain_is_there() -> None:
    networks = load_networks()

    assert set(networks) == {
        *("eip155:1", "eip155:10", "eip155:137", "eip155:8453", "eip155:42161"),
        *("eip155:31337001", "eip155:31337002", "eip155:31337003"),
    }
    assert {chain for chain, network in networks.items() if network.devnet} == {
        f"eip155:3133700{number}" for number in (1, 2, 3)
    }
    assert all(network.family in FAMILIES for network in networks.values())
    assert network_of(ChainId("eip155:42161")).finality == FinalityRule(Finality.CONFIRMATIONS, 20)
    assert not network_of(ChainId("eip155:42161")).own_number


def test_network__when_it_is_unknown__then_the_known_ones_are_named() -> None:
    with pytest.raises(NetworkRefused, match="eip155:8453"):
        network_of(ChainId("eip155:2"))


def test_network__when_well_formed__then_it_is_parsed() -> None:
    network = parse_network(GOOD, "x.toml")

    assert (network.chain, network.block_time_ms, network.lag_s) == ("eip155:31337009", 1000, 1)
    assert (network.finality, network.headers) == (FinalityRule(Finality.SAFE), (HeaderShape.PRAGUE,))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('name = "Some devnet"', "", "name"),
        ("lag_s = 1", "lag_s = 1\nexplorer = 'x'", "explorer"),
        ("lag_s = 1", "lag_s = -1", "lag_s"),
        ("lag_s = 1", "lag_s = 1.0", "lag_s"),
        ("lag_s = 1", "lag_s = true", "lag_s"),
        ("lag_s = 1", "lag_s = 3601", "lag_s"),
        ("block_time_ms = 1000", "block_time_ms = 0", "block_time_ms"),
        ("devnet = true", "devnet = 1", "devnet"),
        ("devnet = true", "devnet = false", "devnet"),
        ("31337009", "1", "devnet"),
        ("31337009", "31338000", "devnet"),
        ("eip155:31337009", "solana:1", "id"),
        ('finality = "safe"', 'finality = "soon"', "finality"),
        ('finality = "safe"', "finality = { confirmations = 0 }", "finality.confirmations"),
        ('finality = "safe"', "finality = { confirmations = 2, tag = 'x' }", "finality"),
        ('finality = "safe"', "finality = 3", "finality"),
        ('["prague"]', "[]", "headers"),
        ('["prague"]', '["amsterdam"]', "headers"),
        ('["prague"]', '"prague"', "headers"),
        ('["prague"]', "[['prague']]", "headers"),
        ('"own"', '"other"', "evm_number"),
        ('"evm"', '" "', "family"),
        ("lag_s = 1", "lag_s = 1\nsettles_on = 'mars'", "settles_on"),
        ("lag_s = 1", "lag_s = = 1", "-"),
    ],
)
def test_network__when_a_key_is_wrong__then_it_is_named(old: str, new: str, key: str) -> None:
    text = GOOD.replace(old, new)
    assert text != GOOD

    with pytest.raises(NetworkRefused, match=re.escape("x.toml")) as refused:
        parse_network(text, "x.toml")

    assert refused.value.key == key


async def test_connect__when_a_network_is_known__then_nothing_is_sent_yet() -> None:
    provider = Provider("p", "o", SecretUrl("http://192.0.2.1:1/"))

    adapter = connect(parse_network(GOOD, "x"), FinalityRule(Finality.SAFE), [provider], NullObserver(), SystemClock())

    assert adapter.chain == "eip155:31337009"
    await adapter.close()


def test_connect__when_the_family_is_unknown__then_it_is_refused() -> None:
    network = parse_network(GOOD.replace('"evm"', '"svm"'), "x")

    with pytest.raises(NetworkRefused, match="'svm' is not one of evm"):
        connect(network, FinalityRule(Finality.SAFE), [], NullObserver(), SystemClock())
