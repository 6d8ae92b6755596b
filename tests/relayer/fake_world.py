"""A small world of three FakeChains with one venue, for tests of the relayer: real tries, real headers, no sockets.

    world = FakeWorld()
    world.lock("A", "USDX", ALICE, 1_000 * 10**6); world.position(ALICE, "ETH-PERP", 10**18, 3_000)
    world.mine_to(FRAME + 3)

Prices at the start: ETH 3,000, BTC 60,000, USDX 1. Chain A is the venue's. Block times are whole seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from chains.adapter import ChainAdapter
from chains.devnet.policy import policy_document, policy_text
from chains.devnet.world import (
    ACCOUNTS_BASE,
    FEED_ROUND_BASE,
    MARKETS_BASE,
    POSITIONS_BASE,
    Contract,
    DevnetChain,
    Feed,
    Market,
    Place,
    World,
)
from chains.fake import FakeChain, pack_position, pack_round
from proofs.keccak import keccak256
from proofs.layouts import AccountArray, DevFeedRound, LockBoxAccounts, LockBoxLocks, PerpVenuePosition
from proofs.signers import SignerSet
from proofs.signing import LocalSigner
from proofs.snapshot import Unavailable
from proofs.types import AccountId, Address, AssetId, ChainId, Hash32, MarketId, account_of_address
from relayer.config.policy import Policy
from relayer.config.policy_document import parse_policy
from relayer.cosign import Refusal
from relayer.flags import FlagEvent
from relayer.pipeline.frame import Pipeline
from relayer.pipeline.ports import Alone, Peers, Ports, SigningPorts
from relayer.pipeline.records import Publisher
from relayer.store.port import FrameRow
from relayer.store.sqlite import SqliteStore

FRAME = 1_800_000_000
"""A multiple of the frame length of two seconds."""
CODE = Hash32(keccak256(b"a contract of FakeChain"))
CHAINS = {"A": ChainId("eip155:31337001"), "B": ChainId("eip155:31337002"), "C": ChainId("eip155:31337003")}


def address(text: str) -> Address:
    return Address(keccak256(text.encode())[12:])


def account(text: str) -> AccountId:
    return account_of_address(address(text))


def key(number: int) -> LocalSigner:
    return LocalSigner(number.to_bytes(32, "big"))


TIMES = {"frame_s": 2, "deadline_s": 10, "lifetime_s": 300, "skew_s_max": 60}
ALICE, BOB, CAROL = account("alice"), account("bob"), account("carol")
VENUE, VERIFIER = address("venue"), address("verifier")
VENUE_ID = Hash32(keccak256((31337001).to_bytes(32, "big") + VENUE.rjust(32, b"\0")))
SIGNER, TRANSPORT = key(7), key(8)
LOCK_BOX = {name: address(f"lockbox {name}") for name in CHAINS}
MARKETS = {"ETH-PERP": "ETH", "BTC-PERP": "BTC"}
PLACES = {"A": ("ETH", "USDX"), "B": ("BTC", "USDX"), "C": ("ETH",)}
DECIMALS = {"ETH": 18, "BTC": 8, "USDX": 6}


def place(name: str, symbol: str) -> Place:
    chain = CHAINS[name]
    if (name, symbol) == ("A", "ETH"):
        return Place(symbol, AssetId(f"{chain}/slip44:60"), 18, None)
    token = address(f"{symbol} on {name}")
    return Place(symbol, AssetId(f"{chain}/erc20:0x{token.hex()}"), DECIMALS[symbol], Contract(token, CODE))


def market_id(name: str) -> MarketId:
    return MarketId(keccak256(name.encode()))


def described(signers: SignerSet) -> World:
    """Return what stands on the chains, as the devnet describes it."""
    chains = tuple(
        DevnetChain(
            chain,
            f"Devnet {name}",
            "",
            Contract(LOCK_BOX[name], CODE),
            Contract(address("seeder"), CODE),
            tuple(place(name, symbol) for symbol in PLACES[name]),
        )
        for name, chain in CHAINS.items()
    )
    feeds = tuple(Feed(symbol, Contract(address(f"feed {symbol}"), CODE), 8) for symbol in DECIMALS)
    markets = tuple(Market(name, market_id(name), symbol, 100_000, 50_000) for name, symbol in MARKETS.items())
    owner = address("owner")
    return World(
        chains,
        Contract(VENUE, CODE),
        Contract(VERIFIER, CODE),
        VENUE_ID,
        feeds,
        markets,
        signers,
        owner,
        owner,
        address("receiver"),
        900,
    )


def make_policy(signers: SignerSet | None = None, **changes: object) -> Policy:
    signer_set = signers or SignerSet((SIGNER.address,), 1, 0)
    return parse_policy(policy_text(policy_document(described(signer_set)) | TIMES | changes))


class FakeWorld:
    """Hold the chains and change what stands on them; changes show in blocks mined afterwards."""

    def __init__(self, start_s: int = FRAME - 4) -> None:
        self.chains = {name: FakeChain(chain, genesis_s=start_s - 1) for name, chain in CHAINS.items()}
        for name, chain in self.chains.items():
            contracts = (LOCK_BOX[name], *((VENUE,) if name == "A" else ()))
            for contract in contracts:
                chain.set_code_hash(contract, CODE)
        for symbol, usd in (("ETH", 3_000), ("BTC", 60_000), ("USDX", 1)):
            self.price(symbol, usd, start_s)
        self.now_s = start_s - 1

    @property
    def adapters(self) -> dict[ChainId, ChainAdapter]:
        return {CHAINS[name]: chain for name, chain in self.chains.items()}

    def lock(self, name: str, symbol: str, holder: AccountId, amount_raw: int) -> None:
        chain, box, there = self.chains[name], LOCK_BOX[name], place(name, symbol)
        chain.set_row(box, LockBoxLocks(VENUE_ID, there.address), holder, (amount_raw,))
        self._list(name, box, LockBoxAccounts(VENUE_ID), holder)

    def position(self, holder: AccountId, market: str, size_e18: int, entry_usd: int) -> None:
        layout = PerpVenuePosition(market_id(market), MARKETS_BASE, POSITIONS_BASE)
        words = (*pack_position(size_e18, entry_usd * 10**18), 0)
        self.chains["A"].set_row(VENUE, layout, holder, words)
        self._list("A", VENUE, AccountArray(ACCOUNTS_BASE), holder)

    def price(self, symbol: str, usd: int, updated_at_s: int) -> None:
        words = pack_round(usd * 10**8, updated_at_s)
        self.chains["A"].set_row(address(f"feed {symbol}"), DevFeedRound(FEED_ROUND_BASE), b"", words)

    def mine_to(self, until_s: int, *names: str) -> None:
        """Mine a block every second up to a time, on all chains or on those named."""
        for name in names or tuple(self.chains):
            chain = self.chains[name]
            for at_s in range(chain.newest.timestamp_s + 1, until_s + 1):
                chain.mine(at_s)
        self.now_s = max(self.now_s, until_s)

    def _list(self, name: str, contract: Address, layout: LockBoxAccounts | AccountArray, holder: AccountId) -> None:
        listed = self.__dict__.setdefault("_listed", set())
        if (name, contract, holder) not in listed:
            listed.add((name, contract, holder))
            self.chains[name].list_account(contract, layout, holder)


class ManualClock:
    """Tell the time it was given; sleeping moves it, and calls `on_sleep` with the new time."""

    def __init__(self, now_s: float, on_sleep: Callable[[float], None] = lambda now_s: None) -> None:
        self.time_s = now_s
        self.on_sleep = on_sleep

    def now_s(self) -> float:
        return self.time_s

    def monotonic_s(self) -> float:
        return self.time_s

    async def sleep_until(self, unix_s: float) -> None:
        self.time_s = max(self.time_s, unix_s)
        self.on_sleep(self.time_s)
        await asyncio.sleep(0)


@dataclass
class Noticed:
    """Remember what a pipeline or an API reported."""

    frames: list[FrameRow] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    missing: list[Unavailable] = field(default_factory=list)
    dishonest: list[Unavailable] = field(default_factory=list)
    quarantined: list[Unavailable] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    events: list[FlagEvent] = field(default_factory=list)
    ticks: list[tuple[int, int]] = field(default_factory=list)
    bugs: list[BaseException] = field(default_factory=list)
    requests: list[tuple[str, int]] = field(default_factory=list)

    def frame_finished(self, row: FrameRow, seconds: float, counts: Mapping[str, int]) -> None:
        self.frames.append(row)
        self.seconds.append(seconds)

    def stored(self, seconds: float) -> None:
        assert seconds >= 0

    def chain_missing(self, frame: int, outcome: Unavailable) -> None:
        self.missing.append(outcome)

    def chain_dishonest(self, frame: int, outcome: Unavailable) -> None:
        self.dishonest.append(outcome)

    def provider_quarantined(self, lie: Unavailable) -> None:
        self.quarantined.append(lie)

    def signing_refused(self, frame: int, refusal: Refusal) -> None:
        self.refused.append(refusal)

    def flag_changed(self, event: FlagEvent) -> None:
        self.events.append(event)

    def tick_finished(self, seconds: float, candidates: int, raised: int) -> None:
        self.ticks.append((candidates, raised))

    def bug_seen(self, where: str, error: BaseException) -> None:
        self.bugs.append(error)

    def request_answered(self, route: str, status: int) -> None:
        self.requests.append((route, status))


@dataclass(frozen=True)
class Bench:
    """Hold a pipeline with everything it touches, for tests to look at and to lie through."""

    pipeline: Pipeline
    ports: Ports
    clock: ManualClock
    noticed: Noticed
    store: SqliteStore


def signing_ports(store: SqliteStore, peers: Peers | None = None) -> SigningPorts:
    return SigningPorts(SIGNER, TRANSPORT, (TRANSPORT.address,), peers or Alone(), store)


def make_bench(
    world: FakeWorld, store: SqliteStore, policy: Policy | None = None, *publishers: Publisher, **changes: object
) -> Bench:
    """Compose a pipeline over a world; `changes` replace ports."""
    clock, noticed = ManualClock(world.now_s), Noticed()
    ports = Ports(
        policy=policy or make_policy(),
        chains=world.adapters,
        clock=clock,
        frames=store,
        flags=store,
        publishers=publishers,
        observer=noticed,
        signing=signing_ports(store),
    )
    ports = replace(ports, **changes)
    return Bench(Pipeline(ports, bundles_kept=3), ports, clock, noticed, store)
