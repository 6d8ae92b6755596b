"""INV-2: one block per chain per frame, and each reading names it."""

from __future__ import annotations

import ast
from pathlib import Path

import chains
from proofs.snapshot import Anchor, ChainReading
from proofs.types import AccountId
from tests.conformance.chain_adapter_stage import FakeStage

PINNED_METHODS = frozenset({"eth_call", "eth_getProof", "eth_getBalance", "eth_getStorageAt", "eth_getCode"})
DISCOVERY = "discovery_asking.py"
"""Looks for layouts while a policy is written, never in a frame; it pins its calls too and asks for more."""


def _rpc_calls() -> list[tuple[str, str, str]]:
    """Return (file, method, source) of every `RpcCall` that our own sources build with a literal method."""
    found = []
    root = Path(chains.__file__).parent
    for file in sorted(root.rglob("*.py")):
        if "devnet" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RpcCall" and node.args:
                method = node.args[0]
                if isinstance(method, ast.Constant):
                    found.append((file.name, str(method.value), ast.unparse(node)))
    return found


def test_inv_02_sources__when_state_is_asked__then_the_call_is_pinned_to_a_block_hash() -> None:
    asked = _rpc_calls()

    stateful = [entry for entry in asked if entry[1] in PINNED_METHODS]
    assert {method for _, method, _ in stateful} == {"eth_call", "eth_getProof", "eth_getBalance"}
    for file, method, source in stateful:
        assert "pinned(block)" in source, (file, method)
    unpinned = {method for file, method, _ in asked if file != DISCOVERY} - PINNED_METHODS
    assert unpinned == {"eth_chainId", "eth_getBlockByNumber"}


async def test_inv_02_reading__when_the_chain_moves_between_calls__then_all_of_it_is_of_one_block() -> None:
    stage = FakeStage()
    anchor = await stage.adapter.anchor(stage.newest()[2] - 20)
    assert isinstance(anchor, Anchor)
    listed = await stage.adapter.accounts(anchor.block, stage.lists())

    stage.lock_more(stage.truth.locked_accounts[0], 1)
    stage.fake.list_account(stage.places.lock_box, stage.lists()[0].layout, AccountId(b"\x09" * 32))  # type: ignore[arg-type]  # a LockBox list has a layout
    stage.mine()
    again = await stage.adapter.accounts(anchor.block, stage.lists())
    reading = await stage.adapter.read(anchor, stage.lists(), listed, stage.columns())  # type: ignore[arg-type]  # listed

    assert again == listed
    assert isinstance(reading, ChainReading)
    assert reading.anchor.block == anchor.block
    assert list(reading.sheet.columns[2].rows()) == stage.truth.columns["locked"]
