"""What stands on a devnet: addresses, code hashes, and the policy that describes them.

    with start_anvils(DEVNET_CHAIN_NUMBERS) as nodes:
        world = deploy_world([node.url for node in nodes], SignerSet((address,), k=1, f=0))

The first chain is the venue's. Storage slots that a policy needs are constants here; a test compares them with the
compiler's own layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from chains.devnet.errors import DevnetError
from proofs.signers import SignerSet
from proofs.types import (
    ZERO_ADDRESS,
    AccountId,
    Address,
    AssetId,
    ChainId,
    Hash32,
    MarketId,
    account_of_address,
)

__all__ = [
    "ACCOUNTS_BASE",
    "DEVNET_CHAIN_NUMBERS",
    "FEED_ROUND_BASE",
    "MARKETS_BASE",
    "POSITIONS_BASE",
    "TOKEN_BALANCES_BASE",
    "Contract",
    "DevnetChain",
    "Feed",
    "Market",
    "Place",
    "SignerSet",
    "World",
    "account_id",
]

_T = TypeVar("_T")

DEVNET_CHAIN_NUMBERS: Final = (31337001, 31337002, 31337003)

ACCOUNTS_BASE: Final = 6  # PerpVenue: the guard holds slots 0 to 5
MARKETS_BASE: Final = 9
POSITIONS_BASE: Final = 10
TOKEN_BALANCES_BASE: Final = 0
FEED_ROUND_BASE: Final = 0


@dataclass(frozen=True, slots=True)
class Contract:
    """Name a deployed contract; `code_hash` is the keccak-256 of its code."""

    address: Address
    code_hash: Hash32


@dataclass(frozen=True, slots=True)
class Place:
    """Say where an asset of the policy exists; `token` None is the chain's native coin."""

    symbol: str
    asset: AssetId
    decimals: int
    token: Contract | None

    @property
    def address(self) -> Address:
        """Return what the LockBox calls the asset: the token, or the zero address."""
        return self.token.address if self.token else ZERO_ADDRESS


@dataclass(frozen=True, slots=True)
class DevnetChain:
    """Hold what was deployed on one chain."""

    chain: ChainId
    name: str
    url: str
    lock_box: Contract
    seeder: Contract
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Feed:
    """Name the feed of an asset's USD price, on the venue's chain."""

    symbol: str
    contract: Contract
    decimals: int


@dataclass(frozen=True, slots=True)
class Market:
    """Name a market of the venue; `symbol` is the asset whose price marks it."""

    name: str
    market_id: MarketId
    symbol: str
    initial_margin_ppm: int
    maintenance_margin_ppm: int


@dataclass(frozen=True, slots=True)
class World:
    """Hold everything that was deployed. `owner` owns tokens, feeds and venue, and is an unlocked account everywhere.

    `seizer` may seize locks, which are paid to `receiver`; `release_delay_s` is that of every LockBox.
    """

    chains: tuple[DevnetChain, ...]
    venue: Contract
    verifier: Contract
    venue_id: Hash32
    feeds: tuple[Feed, ...]
    markets: tuple[Market, ...]
    signers: SignerSet
    owner: Address
    seizer: Address
    receiver: Address
    release_delay_s: int

    @property
    def home(self) -> DevnetChain:
        """Return the venue's chain."""
        return self.chains[0]

    def chain(self, chain: ChainId | str) -> DevnetChain:
        """Return a chain by its id or by the last letter of its name."""
        return _find(f"chain {chain}", [each for each in self.chains if chain in (each.chain, each.name[-1:])])

    def place(self, chain: ChainId | str, symbol: str) -> Place:
        """Return where an asset exists on a chain."""
        places = self.chain(chain).places
        return _find(f"{symbol} on {chain}", [each for each in places if each.symbol == symbol])

    def feed(self, symbol: str) -> Feed:
        """Return an asset's feed."""
        return _find(f"feed of {symbol}", [each for each in self.feeds if each.symbol == symbol])

    def market(self, name: str) -> Market:
        """Return a market by its name, `ETH-PERP`."""
        return _find(f"market {name}", [each for each in self.markets if each.name == name])

    def policy_document(self, **changes: object) -> dict[str, object]:
        """Return the policy of this world as a document; `changes` replace top-level keys."""
        from chains.devnet.policy import policy_document

        return policy_document(self) | changes


def account_id(account: bytes) -> AccountId:
    """Return an account id, given as such or as a home address."""
    return account_of_address(Address(account)) if len(account) == 20 else AccountId(account)


def _find(what: str, found: list[_T]) -> _T:
    if len(found) != 1:
        raise DevnetError(f"this world has {len(found)} of {what}")
    return found[0]
