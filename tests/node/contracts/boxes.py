"""A world of one chain, lock boxes of any delay beside the pinned one, and what a relayer makes of them in a frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from chains.clock import SystemClock
from chains.connect import connect
from chains.devnet.abi import load_artifact
from chains.devnet.deploy import deploy_world
from chains.devnet.nodes import start_anvil
from chains.devnet.policy import policy_text
from chains.devnet.rpc import rpc
from chains.devnet.transactions import Transaction, transact
from chains.devnet.world import SignerSet, World
from chains.limits import RpcLimits
from chains.network import network_of
from chains.observer import NullObserver
from chains.rpc import Provider
from chains.secret import SecretUrl
from proofs.keccak import keccak256
from proofs.types import AccountId, Address, Hash32, Quality, account_of_address, parse_bytes, to_hex
from proofs.verify import VerifiedChain, verified_snapshot
from relayer.config.policy import Policy
from relayer.config.policy_document import parse_policy
from relayer.margin.evaluate import evaluate_account
from relayer.margin.market import market_of
from relayer.margin.view import MarginView
from relayer.pipeline.reading import FrameReader, Readings
from tests.node.contracts.wire import CONTRACTS

CHAIN_NUMBER: Final = 31337001
BOX, TOKEN = load_artifact("LockBox"), load_artifact("TestToken")
ACCOUNT: Final = account_of_address(Address(b"\xa1" * 20))
USDX: Final = 10**6


def box_code(registrar: Address, release_delay_s: int) -> bytes:
    """Return the code of a lock box as it stands on chain: the compiler's, with both immutables filled in."""
    read = json.loads((CONTRACTS / "artifacts" / "LockBox.json").read_text(encoding="utf-8"))
    code = bytearray.fromhex(read["deployedBytecode"][2:])
    words = MappingProxyType({"registrar": registrar.rjust(32, b"\0"), "releaseDelay": release_delay_s.to_bytes(32)})
    assert words.keys() == read["immutableReferences"].keys()
    for name, places in read["immutableReferences"].items():
        for place in places:
            code[place["start"] : place["start"] + place["length"]] = words[name]
    return bytes(code)


@dataclass(frozen=True, slots=True)
class Boxes:
    """One devnet with its world."""

    world: World

    @property
    def url(self) -> str:
        """Return the node's address."""
        return self.world.home.url

    @property
    def genuine(self) -> Address:
        """Return the box of the policy."""
        return self.world.home.lock_box.address

    @property
    def token(self) -> Address:
        """Return the stable token."""
        return self.world.place("A", "USDX").address

    def deploy_box(self, release_delay_s: int) -> Address:
        """Deploy a box of the same registrar, with the venue registered as at the genuine one."""
        owner = self.world.owner
        receipt = transact(self.url, Transaction(owner, None, BOX.creation(owner, release_delay_s)))
        assert receipt.contract is not None
        self.send(receipt.contract, BOX.call("registerVenue", self.world.venue_id, owner, self.world.receiver))
        return receipt.contract

    def send(self, to: Address, data: bytes) -> int:
        """Send from the owner; return the time of its block."""
        number = transact(self.url, Transaction(self.world.owner, to, data)).block_number
        block = rpc(self.url, "eth_getBlockByNumber", [hex(number), False])
        assert isinstance(block, dict)
        return int(str(block["timestamp"]), 16)

    def lock(self, box: Address, amount: int, account: AccountId = ACCOUNT) -> int:
        """Lock stable tokens of the owner for an account; return the time."""
        self.send(self.token, TOKEN.call("approve", box, amount))
        return self.send(box, BOX.call("lock", self.token, amount, self.world.venue_id, account))

    def upgrade(self, box: Address, code: bytes) -> None:
        """Put other code where a box stands, its storage untouched, as a proxy's upgrade would."""
        rpc(self.url, "anvil_setCode", [to_hex(box), to_hex(code)])

    def code_hash(self, box: Address) -> Hash32:
        """Return the keccak-256 of what stands on chain."""
        return Hash32(keccak256(parse_bytes(str(rpc(self.url, "eth_getCode", [to_hex(box), "latest"])))))

    def mine(self, seconds: int = 2) -> int:
        """Mine one block later; return its time."""
        block = rpc(self.url, "eth_getBlockByNumber", ["latest", False])
        assert isinstance(block, dict)
        later = int(str(block["timestamp"]), 16) + seconds
        rpc(self.url, "evm_mine", [{"timestamp": later}])
        return later

    def policy(self, **source: str | None) -> Policy:
        """Return the world's policy, with keys of its lock box replaced (None: left out)."""
        document = self.world.policy_document()
        (table,) = document["source"]
        changed = {key: value for key, value in (table | source).items() if value is not None}
        return parse_policy(policy_text(document | {"source": [changed]}))

    async def readings(self, policy: Policy) -> Readings:
        """Read a frame of the newest block there is now, with proofs, as a relayer does."""
        at = self.mine()
        for _ in range(3):
            self.mine()
        limits = RpcLimits(budget_s=5.0)
        provider = Provider("node", "operator", SecretUrl(self.url), limits)
        (chain,) = policy.chains
        adapter = connect(network_of(chain.chain), chain.finality, [provider], NullObserver(), SystemClock())
        try:
            return await FrameReader(policy, {chain.chain: adapter}, SystemClock()).read(at + chain.lag_s)
        finally:
            await adapter.close()

    async def view(self, policy: Policy, account: AccountId = ACCOUNT) -> MarginView:
        """Evaluate an account in a frame of now."""
        readings = await self.readings(policy)
        (chain,) = readings.outcomes
        assert isinstance(chain, VerifiedChain), chain
        snapshot = verified_snapshot(readings.frame_s, readings.outcomes)
        return evaluate_account(snapshot, market_of(snapshot, policy.rules), account, policy.rules, Quality.DEVNET)


@contextmanager
def one_chain() -> Iterator[Boxes]:
    """Start a node that mines when told to, with a world."""
    with start_anvil(CHAIN_NUMBER, block_time_s=None) as node:
        yield Boxes(deploy_world([node.url], SignerSet((Address(b"\x11" * 20),), k=1, f=0)))
