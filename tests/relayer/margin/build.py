"""Builders: one small world of margin rules, markets, portfolios and verified snapshots, in words of the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from proofs.header import HeaderShape, blank_fields, encode_header, header_hash
from proofs.pins import CodePin
from proofs.sheet import AccountList, AccountListSpec, CellStatus, ColumnSpec, ReadMode, Sheet, column_from_rows
from proofs.snapshot import Anchor, ChainReading, Reason, Unavailable, Votes
from proofs.types import (
    AccountId,
    Address,
    AssetId,
    Assurance,
    BlockRef,
    ChainId,
    Encumbrance,
    Finality,
    Hash32,
    LegKind,
    MarketId,
    Quality,
)
from proofs.units import E18, PPM
from proofs.verify import VerifiedChain, VerifiedSnapshot, verified_snapshot, verify_chain
from relayer.margin.account import Holding, Portfolio, Position, home_address
from relayer.margin.market import Market, NoPrice, Price
from relayer.margin.rules import (
    AssetRule,
    AssuranceBand,
    CollateralSource,
    MarginRules,
    PositionSource,
    PriceSource,
    StatusLevels,
)

A, B, C = (ChainId(f"eip155:{number}") for number in (31337001, 31337002, 31337003))
BOX = Address(b"\xb0" * 20)
VENUE_ID = Hash32(b"\x11" * 32)
PROOF, QUORUM = Assurance.STATE_PROOF, Assurance.RPC_QUORUM
T0 = 1_700_000_000
NO_DUST = 0


def account(number: int) -> AccountId:
    return AccountId(bytes(12) + number.to_bytes(20, "big"))


def lock(column: str, chain: ChainId, symbol: str, decimals: int, bridge_ppm: int = 0) -> CollateralSource:
    asset = AssetId(f"{chain}/erc20:0x{symbol.encode().hex():0>40}")
    return CollateralSource(column, chain, symbol, asset, decimals, LegKind.LOCK, Encumbrance.ESCROWED, bridge_ppm, BOX)


def free(column: str, chain: ChainId, symbol: str, decimals: int) -> CollateralSource:
    asset = AssetId(f"{chain}/erc20:0x{symbol.encode().hex():0>40}")
    return CollateralSource(column, chain, symbol, asset, decimals, LegKind.BALANCE, Encumbrance.FREE, 0, None)


def perp(column: str, symbol: str, im_ppm: int, mm_ppm: int) -> PositionSource:
    return PositionSource(column, A, MarketId(symbol.encode().ljust(32, b"\0")), symbol, im_ppm, mm_ppm)


def feed(symbol: str, column: str | None = None, chain: ChainId = A) -> PriceSource:
    return PriceSource(column or f"price:{symbol}", chain, symbol, 8, 3600, 20_000)


USDX_A = lock("lock:usdx:a", A, "USDX", 6)
USDX_B = lock("lock:usdx:b", B, "USDX", 6, bridge_ppm=50_000)
BTCX_B = lock("lock:btcx:b", B, "BTC", 8, bridge_ppm=50_000)
ETHX_C = lock("lock:ethx:c", C, "ETH", 18, bridge_ppm=20_000)
USDX_FREE = free("free:usdx:a", A, "USDX", 6)
ETH_PERP = perp("perp:eth", "ETH", 100_000, 50_000)
BTC_PERP = perp("perp:btc", "BTC", 50_000, 30_000)

RULES = MarginRules(
    rule_set="cross_perp@1",
    venue_id=VENUE_ID,
    venue_chain=A,
    dust_usd=E18,
    assets=(
        AssetRule("USDX", 20_000, 10_000),
        AssetRule("BTC", 200_000, 120_000),
        AssetRule("ETH", 150_000, 100_000),
    ),
    collateral=(USDX_A, USDX_B, BTCX_B, ETHX_C, USDX_FREE),
    positions=(ETH_PERP, BTC_PERP),
    prices=(feed("USDX"), feed("BTC"), feed("ETH")),
    encumbrance_ppm=((Encumbrance.ESCROWED, PPM), (Encumbrance.FREE, 0)),
    assurance=(AssuranceBand(None, QUORUM),),
    status=StatusLevels(1_200_000, 1_050_000, 1_050_000, 3),
)


def with_bands(*bands: tuple[int | None, Assurance], rules: MarginRules = RULES) -> MarginRules:
    return replace(rules, assurance=tuple(AssuranceBand(up_to, level) for up_to, level in bands))


def holding(source: CollateralSource, amount_raw: int, level: Assurance = PROOF, block: int = 7) -> Holding:
    return Holding(source, amount_raw, level, block)


def position(
    source: PositionSource, size: int, entry_value: int, accrued: int = 0, level: Assurance = PROOF
) -> Position:
    return Position(source, size, entry_value, accrued, level, 7)


def portfolio(*parts: Holding | Position, missing: tuple = (), quality: Quality = Quality.NONE) -> Portfolio:
    holdings = tuple(part for part in parts if isinstance(part, Holding))
    positions = tuple(part for part in parts if isinstance(part, Position))
    return Portfolio(account(1), holdings, positions, missing, quality)


def market(**prices: int | tuple[int, int] | NoPrice) -> Market:
    """Build prices at proof level from PriceE18, an interval, or a NoPrice."""
    made: dict[str, Price | NoPrice] = {}
    for symbol, price in prices.items():
        if isinstance(price, NoPrice):
            made[symbol] = price
        else:
            low, high = price if isinstance(price, tuple) else (price, price)
            made[symbol] = Price(symbol, low, high, PROOF)
    return Market(made)


# --- snapshots --------------------------------------------------------------------------------------------------------

Cell = tuple[int, ...] | CellStatus


class World:
    """Hold what every chain would answer; `snapshot` puts it through the real verification."""

    def __init__(self, accounts: Sequence[AccountId], rules: MarginRules = RULES) -> None:
        self.accounts = tuple(sorted(accounts))
        self.rules = rules
        self.block = 100
        self.time_s = T0
        self.cells: dict[tuple[str, AccountId], Cell] = {}
        self.answers: dict[str, Cell] = {
            source.column: (1, price * 10**8, T0, T0, 1)
            for source, price in zip(rules.prices, (1, 60_000, 2_000), strict=True)
        }
        self.missing: dict[ChainId, Reason] = {}
        self.other_code: set[str] = set()
        """Columns, or the list `accounts`, whose contract is not proven to run the pinned code."""

    def put(self, source: CollateralSource | PositionSource, owner: AccountId, *words: int) -> None:
        self.cells[source.column, owner] = words

    def fail(self, source: CollateralSource | PositionSource, owner: AccountId) -> None:
        self.cells[source.column, owner] = CellStatus.FAILED

    def price(self, symbol: str, answer: int, updated_s: int | None = None) -> None:
        for source in self.rules.prices:
            if source.symbol == symbol:
                at = self.time_s if updated_s is None else updated_s
                self.answers[source.column] = (1, answer, at, at, 1)

    def advance(self, seconds: int) -> None:
        self.time_s += seconds
        self.block += 1

    def snapshot(self) -> VerifiedSnapshot:
        chains = sorted(
            {source.chain for source in (*self.rules.collateral, *self.rules.positions, *self.rules.prices)}
        )
        return verified_snapshot(self.time_s, [self._outcome(chain) for chain in chains])

    def _outcome(self, chain: ChainId) -> VerifiedChain | Unavailable:
        if chain in self.missing:
            return Unavailable(chain, self.missing[chain], "as the test wants it")
        specs, columns = [], []
        for source in (*self.rules.collateral, *self.rules.positions):
            if source.chain == chain:
                spec, cells = self._account_column(source)
                specs.append(spec)
                columns.append(column_from_rows(spec.name, spec.signed, cells))
        for source in self.rules.collateral:
            if source.chain == chain and source.frozen_column is not None:
                spec, cells = self._account_column(replace(source, column=source.frozen_column))
                specs.append(spec)
                columns.append(column_from_rows(spec.name, spec.signed, cells))
        for source in self.rules.prices:
            if source.chain == chain:
                spec = _spec(source.column, (b"",), (False, True, False, False, False))
                specs.append(replace(spec, pins=self._pins(source.column)))
                columns.append(column_from_rows(spec.name, spec.signed, [self.answers[source.column]]))
        lists = (AccountListSpec("accounts", BOX, b"", pins=self._pins("accounts")),)
        sheet = Sheet(chain, (AccountList("accounts", self.accounts),), tuple(columns))
        anchor = anchor_of(chain, self.block, self.time_s)
        outcome = verify_chain(ChainReading(anchor, lists, tuple(specs), sheet, VOTES), devnet=False)
        assert isinstance(outcome, VerifiedChain), outcome
        return outcome

    def _account_column(self, source: CollateralSource | PositionSource) -> tuple[ColumnSpec, list[Cell]]:
        is_position = isinstance(source, PositionSource)
        is_home = not is_position and source.holder is None
        rows = tuple(home_address(one) if is_home else one for one in self.accounts)
        zero: Cell = (0, 0, 0) if is_position else (0,)
        signed = (True, True, True) if is_position else (False,)
        spec = replace(_spec(source.column, rows, signed), pins=self._pins(source.column))
        return spec, [self.cells.get((source.column, one), zero) for one in self.accounts]

    def _pins(self, name: str) -> tuple[CodePin, ...]:
        return (CodePin(BOX, Hash32(b"\x77" * 32)),) if name in self.other_code else ()


VOTES = Votes(("one", "two"), 2, True)


def anchor_of(chain: ChainId, number: int, time_s: int) -> Anchor:
    fields = {**blank_fields(HeaderShape.LONDON), "number": number, "timestamp": time_s}
    rlp = encode_header(fields, HeaderShape.LONDON)
    block = BlockRef(
        chain, number, Hash32(header_hash(rlp)), Hash32(fields["parentHash"]), Hash32(fields["stateRoot"]), time_s
    )
    return Anchor(block, rlp, Finality.SAFE, VOTES)


def _spec(name: str, rows: tuple[bytes, ...], signed: tuple[bool, ...]) -> ColumnSpec:
    return ColumnSpec(name, BOX, ReadMode.CALL, b"\x01\x02\x03\x04", rows, signed)


def sums(view_lines: Sequence, legs_only: bool = False) -> Mapping[str, int]:
    """Add up lines (or their signed legs) to the four figures."""
    terms = [line.leg for line in view_lines if line.leg is not None] if legs_only else view_lines
    return {
        "collateral": sum(term.value_usd for term in terms if term.value_usd > 0),
        "liability": -sum(term.value_usd for term in terms if term.value_usd < 0),
        "initial": sum(term.initial_usd for term in terms),
        "maintenance": sum(term.maintenance_usd for term in terms),
    }
