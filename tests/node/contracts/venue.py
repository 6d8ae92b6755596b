"""A deployed venue with its quorum and one account, as the guard tests use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from web3.contract import Contract

from tests.node.contracts.wire import POLICY, Evidence, Leaf, account_id, key, keys
from tests.node.contracts.world import Chain, Quorum, Refusal, deploy_quorum, leaf_of

OWNER: Final = key(60).address
ACTS: Final = ("open", "withdraw", "liquidate")
MAX_AGE: Final = (300, 120, 90)
MAX_SKEW: Final = 45
POLICY_DELAY: Final = 100
# maxAge, maxSkew, minAssurance, forbiddenQuality: bits 0 and 1 for opening, bit 8 for withdrawing.
RULES: Final = (
    (MAX_AGE[0], MAX_SKEW, 2, 0b11),
    (MAX_AGE[1], MAX_SKEW, 3, 0x100),
    (MAX_AGE[2], MAX_SKEW, 1, 0),
)


@dataclass(frozen=True, slots=True)
class Venue:
    """A venue, its verifier and its one account."""

    chain: Chain
    quorum: Quorum
    contract: Contract
    venue_id: bytes

    @property
    def account(self) -> bytes:
        """Id of the account that acts."""
        return account_id(OWNER)

    def leaf(self, **changes: object) -> Leaf:
        """Return the account's healthy leaf, changed."""
        return leaf_of(OWNER, self.venue_id)._replace(**changes)

    def evidence(self, leaf: Leaf | None = None, **changes: object) -> Evidence:
        """Sign evidence of a leaf at the newest block's time."""
        return self.quorum.evidence(leaf or self.leaf(), **changes)

    def refusal(self, act: str, amount: int | None, e: Evidence) -> Refusal:
        """Try an act of the account."""
        return self.chain.refusal(self.contract.get_function_by_name(act)(*self._arguments(act, amount, e)))

    def send(self, act: str, amount: int | None, e: Evidence) -> int:
        """Do an act of the account; return its time."""
        receipt = self.chain.send(self.contract.get_function_by_name(act)(*self._arguments(act, amount, e)))
        return int(self.chain.w3.eth.get_block(receipt["blockNumber"])["timestamp"])

    def record(self) -> tuple[int, int, int, int]:
        """Return lastFrame, lastActAt, unknownSince and pending of the account."""
        return tuple(self.contract.functions.evidenceOf(self.account).call())

    def _arguments(self, act: str, amount: int | None, e: Evidence) -> list[object]:
        return [self.account, e] if act == "liquidate" else [self.account, amount, e]


def deploy_venue(chain: Chain, quorum: Quorum | None = None, rules: Sequence[Sequence[int]] = RULES) -> Venue:
    """Deploy a venue under policy admin user 0, with a 1-of-1 quorum if none is given."""
    chosen = quorum or deploy_quorum(chain, keys(1), 1, 0)
    arguments = (chosen.verifier.address, chain.users[0], POLICY, POLICY_DELAY, list(rules))
    contract = chain.deploy("GuardedVenue", *arguments)
    return Venue(chain, chosen, contract, contract.functions.venueId().call())
