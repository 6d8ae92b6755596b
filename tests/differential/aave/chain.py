"""Send and call by signature on a local node; published bytecode, linked with its libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_abi import decode, encode
from eth_utils import function_signature_to_4byte_selector

from chains.devnet.nodes import AnvilNode
from chains.devnet.rpc import rpc_batch

HERE = Path(__file__).parent
GAS = hex(15_000_000)


def require(path: Path) -> Path:
    """Return a file of the test dependency, or say how to get it."""
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: npm ci --ignore-scripts && npm run build, in {HERE}")
    return path


def types_of(signature: str) -> list[str]:
    """Return the argument types of `name(type,(type,type)[],type)`."""
    inner, depth, types, start = signature[signature.index("(") + 1 : -1], 0, [], 0
    for place, letter in enumerate(inner):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            types.append(inner[start:place])
            start = place + 1
    return [*types, inner[start:]] if inner else []


def call_data(signature: str, *arguments: object) -> str:
    selector: bytes = function_signature_to_4byte_selector(signature)
    return "0x" + (selector + encode(types_of(signature), list(arguments))).hex()


@dataclass(frozen=True)
class Query:
    """Hold one call: where, what, and the types of its answer."""

    to: str
    signature: str
    arguments: tuple[object, ...] = ()
    returns: tuple[str, ...] = ("uint256",)


@dataclass(frozen=True)
class Contract:
    """Hold published creation code and where its libraries go: {name: [place of a byte]}."""

    bytecode: str
    links: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def linked(self, libraries: Mapping[str, str]) -> str:
        code = self.bytecode.removeprefix("0x")
        for name, places in self.links.items():
            for place in places:
                code = code[: 2 * place] + libraries[name].removeprefix("0x").lower() + code[2 * place + 40 :]
        return "0x" + code


def contract_of(bytecode: str, references: Mapping[str, Mapping[str, Sequence[Mapping[str, int]]]]) -> Contract:
    links = {name: [at["start"] for at in places] for file in references.values() for name, places in file.items()}
    return Contract(bytecode, links)


def published_v30(source: str, name: str) -> Contract:
    """Return a contract of @aave/core-v3 as its package ships it, compiled."""
    path = HERE / "node_modules/@aave/core-v3/artifacts/contracts" / source / f"{name}.sol" / f"{name}.json"
    artifact = json.loads(require(path).read_text())
    return contract_of(artifact["bytecode"], artifact["linkReferences"])


def published_v36() -> dict[str, Contract]:
    """Return the contracts that build.mjs compiled from @aave-dao/aave-v3-origin."""
    built = json.loads(require(HERE / "build/v36.json").read_text())
    return {name: contract_of(one["bytecode"], one["linkReferences"]) for name, one in built.items()}


@dataclass(frozen=True)
class Chain:
    """Talk to one node that mines each transaction at once."""

    node: AnvilNode

    @property
    def accounts(self) -> list[str]:
        return list(self.node.rpc("eth_accounts"))

    def send(self, sender: str, to: str, signature: str, *arguments: object) -> dict[str, Any] | None:
        """Send one transaction; return its receipt, or None where it reverted."""
        receipt = self._mined({"from": sender, "to": to, "data": call_data(signature, *arguments), "gas": GAS})
        return receipt if receipt["status"] == "0x1" else None

    def must(self, sender: str, to: str, signature: str, *arguments: object) -> dict[str, Any]:
        receipt = self.send(sender, to, signature, *arguments)
        if receipt is None:
            raise AssertionError(f"reverted: {signature}{arguments}")
        return receipt

    def deploy(self, sender: str, code: str, types: Sequence[str] = (), values: Sequence[object] = ()) -> str:
        receipt = self._mined({"from": sender, "data": code + encode(list(types), list(values)).hex(), "gas": GAS})
        assert receipt["status"] == "0x1", receipt
        return str(receipt["contractAddress"])

    def ask(self, queries: Sequence[Query], block: str = "latest") -> list[Any]:
        """Answer all queries at one block; single values come bare."""
        calls = [
            ("eth_call", [{"to": query.to, "data": call_data(query.signature, *query.arguments)}, block])
            for query in queries
        ]
        answers = rpc_batch(self.node.url, calls)
        decoded = [
            decode(list(query.returns), bytes.fromhex(str(answer)[2:]))
            for query, answer in zip(queries, answers, strict=True)
        ]
        return [values[0] if len(values) == 1 else values for values in decoded]

    def now_s(self) -> int:
        block = self.node.rpc("eth_getBlockByNumber", ["latest", False])
        return int(block["timestamp"], 16)

    def pass_time(self, seconds: int) -> None:
        self.node.rpc("evm_increaseTime", [seconds])
        self.node.rpc("evm_mine", [])

    def _mined(self, transaction: dict[str, Any]) -> dict[str, Any]:
        sent = self.node.rpc("eth_sendTransaction", [transaction])
        for _ in range(1_000):
            receipt = self.node.rpc("eth_getTransactionReceipt", [sent])
            if receipt is not None:
                return dict(receipt)
        raise AssertionError(f"{sent} was not mined")
