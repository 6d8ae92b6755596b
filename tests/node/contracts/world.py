"""A chain with our contracts on it: deploy, send, move the clock, and read refusals as (name, arguments)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from eth_abi import decode
from eth_account.signers.local import LocalAccount
from eth_utils import keccak
from web3 import Web3
from web3.contract import Contract
from web3.contract.contract import ContractConstructor, ContractFunction
from web3.exceptions import ContractCustomError, ContractLogicError
from web3.types import TxReceipt

from chains.devnet.nodes import AnvilNode
from tests.node.contracts.wire import CONTRACTS, E18, POLICY, Evidence, Leaf, Root, account_id, blob, digest, leaf_hash

ARTIFACTS: Final = CONTRACTS / "artifacts"
LIFETIME_S: Final = 600
OK: Final = ("", ())
GAS: Final = 25_000_000
Refusal = tuple[str, tuple[object, ...]]


def artifact(name: str) -> dict[str, Any]:  # JSON of the compiler
    """Load one artifact by contract name, of the sources or of the harness."""
    path = ARTIFACTS / f"{name}.json"
    text = (path if path.exists() else ARTIFACTS / "test" / f"{name}.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _error_table() -> dict[bytes, tuple[str, list[str]]]:
    table = {bytes.fromhex("4e487b71"): ("Panic", ["uint256"]), bytes.fromhex("08c379a0"): ("Error", ["string"])}
    for path in (*ARTIFACTS.glob("*.json"), *ARTIFACTS.glob("test/*.json")):
        for item in json.loads(path.read_text(encoding="utf-8"))["abi"]:
            if item["type"] == "error":
                types = [argument["type"] for argument in item["inputs"]]
                table[keccak(text=f"{item['name']}({','.join(types)})")[:4]] = (item["name"], types)
    return table


def decode_error(data: str) -> Refusal:
    """Name a refusal and decode its arguments."""
    raw = bytes.fromhex(data[2:])
    name, types = _error_table()[raw[:4]]
    return name, tuple(decode(types, raw[4:]))


@dataclass(frozen=True, slots=True)
class Chain:
    """One node seen through web3."""

    node: AnvilNode
    w3: Web3

    @property
    def users(self) -> list[str]:
        """Unlocked accounts with coins: 0 deploys and administrates, 1 guards, the others are strangers."""
        return list(self.w3.eth.accounts)

    @property
    def now(self) -> int:
        """Time of the newest block, which is what calls see."""
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def mine_at(self, timestamp: int) -> None:
        """Mine an empty block at a time."""
        self.node.rpc("evm_setNextBlockTimestamp", [timestamp])
        self.node.rpc("evm_mine", [])

    def deploy(self, name: str, *args: object) -> Contract:
        """Deploy an artifact from user 0."""
        data = artifact(name)
        factory = self.w3.eth.contract(abi=data["abi"], bytecode=data["bytecode"])
        receipt = self.send(factory.constructor(*args))
        return self.w3.eth.contract(address=receipt["contractAddress"], abi=data["abi"])

    def send(
        self,
        function: ContractFunction | ContractConstructor,
        sender: int = 0,
        value: int = 0,
        timestamp: int | None = None,
    ) -> TxReceipt:
        """Send a transaction that must succeed, in a block of a given time if one is given."""
        if timestamp is not None:
            self.node.rpc("evm_setNextBlockTimestamp", [timestamp])
        sent = function.transact({"from": self.users[sender], "value": value, "gas": GAS})
        receipt = self.w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.005)
        assert receipt["status"] == 1
        return receipt

    def refusal(self, function: ContractFunction, sender: int = 0, value: int = 0) -> Refusal:
        """Run at the newest block; return the refusal, or `OK`."""
        return self._refusal(lambda: function.call({"from": self.users[sender], "value": value, "gas": GAS}))

    def deploy_refusal(self, name: str, *args: object) -> Refusal:
        """Run a constructor at the newest block; return the refusal, or `OK`."""
        data = artifact(name)
        creation = self.w3.eth.contract(abi=data["abi"], bytecode=data["bytecode"]).constructor(*args)
        transaction = {"from": self.users[0], "data": creation.data_in_transaction, "gas": GAS}
        return self._refusal(lambda: self.w3.eth.call(transaction))

    def _refusal(self, run: Callable[[], object]) -> Refusal:
        try:
            run()
        except ContractCustomError as error:
            return decode_error(str(error.data))
        except ContractLogicError as error:
            return decode_error(str(error.data)) if error.data and len(str(error.data)) >= 10 else ("bare revert", ())
        return OK


@dataclass(frozen=True, slots=True)
class Quorum:
    """A deployed verifier with the keys of its first set."""

    chain: Chain
    verifier: Contract
    members: tuple[LocalAccount, ...]
    k: int

    def sign(self, root: Root, *indexes: int) -> bytes:
        """Sign by the members named, or by the first k."""
        chosen = indexes or tuple(range(self.k))
        message = digest(root, self.verifier.address, self.chain.w3.eth.chain_id)
        return blob({index: self.members[index] for index in chosen}, message)

    def evidence(self, leaf: Leaf, **changes: object) -> Evidence:
        """Sign a one-leaf root about now."""
        root = root_of(self.chain.now, accounts_root=leaf_hash(leaf), **changes)
        return Evidence(root, self.sign(root), leaf, [])

    def refusal(self, e: Evidence) -> Refusal:
        """Ask the verifier about evidence."""
        return self.chain.refusal(self.verifier.functions.verify(e.root, e.signatures, e.leaf, e.proof))


def deploy_quorum(chain: Chain, members: list[LocalAccount], k: int, f: int, timelock_s: int = 100) -> Quorum:
    """Deploy a verifier administrated by user 0 and guarded by user 1."""
    addresses = [member.address for member in members]
    verifier = chain.deploy("MarginVerifier", chain.users[0], chain.users[1], timelock_s, addresses, k, f)
    return Quorum(chain, verifier, tuple(members), k)


def root_of(now: int, **changes: object) -> Root:
    """Return a root read and framed at `now` with one leaf."""
    root = Root(POLICY, now, now, now + LIFETIME_S, 0, 0, 1, keccak(b"snapshot"), keccak(b"accounts"))
    return root._replace(**changes)


def leaf_of(account: str, venue_id: bytes, **changes: object) -> Leaf:
    """Return a healthy leaf: collateral 1000, liability 300, initial margin 200, maintenance margin 100 USD."""
    figures = (1000 * E18, 300 * E18, 200 * E18, 100 * E18)
    return Leaf(account_id(account), venue_id, 1, 3, 0, *figures, keccak(b"legs"))._replace(**changes)
