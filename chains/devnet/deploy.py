"""Deploy a world: every address is known before anything is sent, so each chain needs one batch and one block.

Contracts of one sender stand at keccak(rlp([sender, nonce])). The owner is each node's first unlocked account; it
owns tokens, feeds and venue, registers the venue at every LockBox and may seize.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from chains.devnet.abi import load_artifact
from chains.devnet.errors import DevnetError
from chains.devnet.rpc import rpc, rpc_batch
from chains.devnet.transactions import GAS_MAX, Transaction, nonce_of, transact_all
from chains.devnet.world import Contract, DevnetChain, Feed, Market, Place, SignerSet, World
from proofs.keccak import keccak256
from proofs.rlp import encode, encode_uint
from proofs.types import (
    Address,
    AssetId,
    ChainId,
    Hash32,
    MarketId,
    Quality,
    evm_chain_number,
    parse_address,
    parse_bytes,
    to_hex,
)
from proofs.units import parse_decimal

RELEASE_DELAY_S: Final = 900  # above lifetime + finality + deadline + frame of the devnet policy
ROTATION_TIMELOCK_S: Final = 60
FEED_DECIMALS: Final = 8
PRICES: Final = MappingProxyType({"ETH": "3000", "BTC": "60000", "USDX": "1"})
SUPPLY_TOKENS: Final = 10**12
MARKETS: Final = (("ETH-PERP", "ETH", 100_000, 50_000), ("BTC-PERP", "BTC", 80_000, 40_000))
"""Name, asset that marks it, initial and maintenance margin in ppm."""
SETTLEMENT: Final = "USDX"
NO_POLICY_YET: Final = Hash32(keccak256(b"devnet: no policy yet"))

_WEAK: Final = Quality.DEGRADED_LEG | Quality.STALE_PRICE | Quality.CODE_CHANGED | Quality.CHAIN_MISSING
ACT_RULES: Final = ((120, 60, 1, int(_WEAK)), (120, 60, 2, int(_WEAK)), (120, 60, 1, 0))
"""Open, withdraw, liquidate: max age and max skew in seconds, least assurance, forbidden quality bits."""


@dataclass(frozen=True, slots=True)
class _Coin:
    symbol: str
    ticker: str
    decimals: int


@dataclass(frozen=True, slots=True)
class _ChainPlan:
    name: str
    has_native: bool
    tokens: tuple[_Coin, ...]


PLANS: Final = (
    _ChainPlan("Devnet A", True, (_Coin("USDX", "USDX", 6),)),
    _ChainPlan("Devnet B", False, (_Coin("BTC", "BTCX", 8), _Coin("USDX", "USDX", 6))),
    _ChainPlan("Devnet C", False, (_Coin("ETH", "ETHX", 18),)),
)


def deploy_world(urls: Sequence[str], signers: SignerSet, release_delay_s: int = RELEASE_DELAY_S) -> World:
    """Deploy a world on one to three nodes, the venue on the first.

    Raises: `DevnetError` for another number of nodes, a node that is no devnet, or a failed transaction.
    """
    if not 1 <= len(urls) <= len(PLANS):
        raise DevnetError(f"a world has 1 to {len(PLANS)} chains, not {len(urls)}")
    sites = [_Site(url, plan, *_identify(url)) for url, plan in zip(urls, PLANS, strict=False)]
    for site in sites:
        site.plan_chain(release_delay_s)
    sites[0].plan_venue(signers)
    venue = sites[0].address_of("PerpVenue")
    venue_id = Hash32(keccak256(evm_chain_number(sites[0].chain).to_bytes(32, "big") + venue.rjust(32, b"\0")))
    for site in sites:
        site.plan_registration(venue_id)
    transact_all({site.url: site.transactions for site in sites})
    chains = tuple(site.deployed() for site in sites)
    return _world(sites[0], chains, venue_id, signers, release_delay_s)


def _world(
    home: _Site, chains: tuple[DevnetChain, ...], venue_id: Hash32, signers: SignerSet, release_delay_s: int
) -> World:
    code = home.codes()
    return World(
        chains=chains,
        venue=code["PerpVenue"],
        verifier=code["MarginVerifier"],
        venue_id=venue_id,
        feeds=tuple(Feed(symbol, code[f"feed {symbol}"], FEED_DECIMALS) for symbol in PRICES),
        markets=tuple(Market(name, market_id_of(name), symbol, im, mm) for name, symbol, im, mm in MARKETS),
        signers=signers,
        owner=home.owner,
        seizer=home.owner,
        receiver=home.receiver,
        release_delay_s=release_delay_s,
    )


def market_id_of(name: str) -> MarketId:
    """Return the id of a market of the devnet: its name, padded with zeros on the right."""
    return MarketId(name.encode().ljust(32, b"\0"))


def create_address(sender: Address, nonce: int) -> Address:
    """Return the address of the contract that a sender's transaction of that nonce creates."""
    return Address(keccak256(encode([sender, encode_uint(nonce)]))[12:])


@dataclass(slots=True)
class _Site:
    """Collect the transactions of one chain; contracts are known by a label from the moment they are planned."""

    url: str
    plan: _ChainPlan
    chain: ChainId
    owner: Address
    receiver: Address
    nonce: int
    transactions: list[Transaction] = field(default_factory=list)
    contracts: dict[str, Address] = field(default_factory=dict)

    def plan_chain(self, release_delay_s: int) -> None:
        self._create("LockBox", "LockBox", self.owner, release_delay_s)
        self._create("DevSeeder", "DevSeeder")
        for coin in self.plan.tokens:
            self._create("TestToken", coin.ticker, f"Devnet {coin.ticker}", coin.ticker, coin.decimals)
            supply = SUPPLY_TOKENS * 10**coin.decimals
            for holder in (self.owner, self.address_of("DevSeeder")):
                self._call("TestToken", coin.ticker, "mint", holder, supply)
            self._call("TestToken", coin.ticker, "approve", self.address_of("LockBox"), 2**256 - 1)

    def plan_venue(self, signers: SignerSet) -> None:
        rotation = (ROTATION_TIMELOCK_S, signers.addresses, signers.k, signers.f)
        self._create("MarginVerifier", "MarginVerifier", self.owner, self.owner, *rotation)
        for symbol, price in PRICES.items():
            answer = parse_decimal(price, FEED_DECIMALS)
            self._create("DevFeed", f"feed {symbol}", f"{symbol} / USD", FEED_DECIMALS, answer)
        markets = [(market_id_of(name), self.address_of(f"feed {asset}"), ppm) for name, asset, ppm, _ in MARKETS]
        coin = next(coin for coin in self.plan.tokens if coin.symbol == SETTLEMENT)
        settlement = (self.address_of(coin.ticker), 10 ** (18 - coin.decimals))
        verifier = self.address_of("MarginVerifier")
        self._create("PerpVenue", "PerpVenue", verifier, NO_POLICY_YET, 0, ACT_RULES, *settlement, markets)
        self._call("TestToken", coin.ticker, "mint", self.address_of("PerpVenue"), SUPPLY_TOKENS * 10**coin.decimals)

    def plan_registration(self, venue_id: Hash32) -> None:
        self._call("LockBox", "LockBox", "registerVenue", venue_id, self.owner, self.receiver)

    def address_of(self, label: str) -> Address:
        return self.contracts[label]

    def codes(self) -> dict[str, Contract]:
        calls = [("eth_getCode", [to_hex(address), "latest"]) for address in self.contracts.values()]
        codes = rpc_batch(self.url, calls)
        return {
            label: Contract(address, Hash32(keccak256(parse_bytes(str(code)))))
            for (label, address), code in zip(self.contracts.items(), codes, strict=True)
        }

    def deployed(self) -> DevnetChain:
        code = self.codes()
        native = AssetId(f"{self.chain}/slip44:60")
        places = [Place("ETH", native, 18, None)] if self.plan.has_native else []
        for coin in self.plan.tokens:
            asset = AssetId(f"{self.chain}/erc20:{to_hex(self.address_of(coin.ticker))}")
            places.append(Place(coin.symbol, asset, coin.decimals, code[coin.ticker]))
        return DevnetChain(
            chain=self.chain,
            name=self.plan.name,
            url=self.url,
            lock_box=code["LockBox"],
            seeder=code["DevSeeder"],
            places=tuple(places),
        )

    def _create(self, contract: str, label: str, *arguments: object) -> None:
        self.contracts[label] = create_address(self.owner, self.nonce + len(self.transactions))
        self.transactions.append(Transaction(self.owner, None, load_artifact(contract).creation(*arguments)))

    def _call(self, contract: str, label: str, function: str, *arguments: object) -> None:
        data = load_artifact(contract).call(function, *arguments)
        self.transactions.append(Transaction(self.owner, self.address_of(label), data, gas=GAS_MAX // 16))


def _identify(url: str) -> tuple[ChainId, Address, Address, int]:
    """Return chain, owner, receiver and the owner's nonce of a node.

    Raises: `DevnetError` for a chain that is no devnet, or a node without unlocked accounts.
    """
    number = int(str(rpc(url, "eth_chainId")), 16)
    unlocked = rpc(url, "eth_accounts")
    if number // 1000 != 31337 or not isinstance(unlocked, list) or len(unlocked) < 2:
        raise DevnetError(f"chain {number} is no devnet with unlocked accounts")
    owner, receiver = parse_address(str(unlocked[0])), parse_address(str(unlocked[1]))
    return ChainId(f"eip155:{number}"), owner, receiver, nonce_of(url, owner)
