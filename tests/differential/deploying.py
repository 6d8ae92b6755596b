"""Put a compiled contract on a node."""

from __future__ import annotations

import time

from chains.devnet.nodes import AnvilNode

WAIT_S = 10.0


def deploy(node: AnvilNode, creation: str) -> str:
    """Send creation code from an unlocked account and return the contract's address, once it is mined."""
    (sender, *_) = node.rpc("eth_accounts")
    sent = node.rpc("eth_sendTransaction", [{"from": sender, "data": creation, "gas": hex(20_000_000)}])
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        receipt = node.rpc("eth_getTransactionReceipt", [sent])
        if receipt is not None:
            assert receipt["status"] == "0x1", receipt
            return receipt["contractAddress"]
        time.sleep(0.01)
    raise AssertionError(f"{sent} was not mined within {WAIT_S} s")
