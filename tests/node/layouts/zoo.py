"""Toy tokens of every layout on one node, and what the tests ask of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.resources import files

from eth_abi import encode

from chains.clock import SystemClock
from chains.devnet.nodes import AnvilNode
from chains.devnet.transactions import Transaction, transact
from chains.limits import RpcLimits
from chains.observer import NullObserver
from chains.rpc import Provider, RpcClient
from chains.secret import SecretUrl
from proofs.keccak import keccak256
from proofs.types import Address, ChainId

CHAIN = ChainId("eip155:31337001")
HOLDERS = tuple(Address(bytes([number]) * 20) for number in (0x11, 0x22, 0x33))
AMOUNTS = (10**18, 2 * 10**18 + 1, 3 * 10**18 + 2)
ASSET = Address(b"\xab" * 20)
RAY = 10**27
PLAIN_TOKENS = ("FirstVersion", "PackedToken", "ReversedToken", "NamespacedToken", "ShareToken", "DecoyToken")


def creation(name: str) -> bytes:
    path = files("proofs").joinpath("contracts", "artifacts", "test", f"{name}.json")
    return bytes.fromhex(json.loads(path.read_text())["bytecode"][2:])


@dataclass
class Zoo:
    node: AnvilNode
    owner: Address
    tokens: dict[str, Address] = field(default_factory=dict)

    def deploy(self, name: str, types: tuple[str, ...] = (), *values: object) -> Address:
        data = creation(name) + encode(types, values)
        contract = transact(self.node.url, Transaction(self.owner, None, data)).contract
        assert contract is not None
        return contract

    def send(self, to: Address, signature: str, *values: object) -> None:
        types = signature[signature.index("(") + 1 : -1].split(",")
        data = keccak256(signature.encode())[:4] + encode(types, values)
        transact(self.node.url, Transaction(self.owner, to, data))

    def mint(self, token: Address, word: str = "uint256") -> None:
        for holder, amount in zip(HOLDERS, AMOUNTS, strict=True):
            self.send(token, f"mint(address,{word})", holder, amount)


def build_zoo(node: AnvilNode) -> Zoo:
    accounts = node.rpc("eth_accounts")
    assert isinstance(accounts, list)
    zoo = Zoo(node, Address(bytes.fromhex(str(accounts[0])[2:])))
    for name in PLAIN_TOKENS:
        zoo.tokens[name] = zoo.deploy(name)
        zoo.mint(zoo.tokens[name])
    zoo.send(zoo.tokens["ShareToken"], "earn(uint256)", 12_345)
    pool = zoo.tokens["ScaledPool"] = zoo.deploy("ScaledPool")
    reserve = "setReserve(address,uint128,uint128,uint128,uint128)"
    zoo.send(pool, reserve, ASSET, RAY + 12_345_678_901_234_567, RAY // 10, RAY + 7, RAY // 5)
    for name in ("ScaledSupplyToken", "ScaledDebtToken"):
        zoo.tokens[name] = zoo.deploy(name, ("address", "address"), pool, ASSET)
        zoo.mint(zoo.tokens[name], "uint120")
    implementation = zoo.tokens["implementation"] = zoo.deploy("FirstVersion")
    zoo.tokens["proxy"] = zoo.deploy("UpgradeableProxy", ("address",), implementation)
    zoo.mint(zoo.tokens["proxy"])
    return zoo


def client(url: str, label: str = "node") -> RpcClient:
    limits = RpcLimits(budget_s=20)
    return RpcClient(CHAIN, Provider(label, label, SecretUrl(url), limits), NullObserver(), SystemClock(), lambda: 0.5)
