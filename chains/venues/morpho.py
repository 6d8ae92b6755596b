"""Read one Morpho Blue market: its totals, terms and oracle, its rate for the time since, and positions in it.

The totals are those stored; `rate_wad` (per second) and `elapsed_s` say what interest is due at the block. A market
whose rate model or oracle cannot be asked is read with None in that place. Source: morpho-org/morpho-blue `Morpho`,
`IIrm`, `IOracle`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chains.venues.asking import Ask, Asker, VenueRefused, address_of, text_of
from proofs.types import Address, BlockRef, Hash32, to_hex

VENUE: Final = "morpho blue"
ACCOUNTS_MAX: Final = 64
DECIMALS_MAX: Final = 77
_RATE: Final = (
    "borrowRateView((address,address,address,address,uint256),(uint128,uint128,uint128,uint128,uint128,uint128))"
)


@dataclass(frozen=True, slots=True)
class PositionReading:
    """Hold one account's position."""

    address: Address
    supply_shares: int
    borrow_shares: int
    collateral: int


@dataclass(frozen=True, slots=True)
class MarketReading:
    """Hold a market and positions at one block; symbols are clean or empty, `price` is the oracle's, at 1e36."""

    morpho: Address
    market: Hash32
    block: BlockRef
    nodes: int
    loan: str
    loan_decimals: int
    collateral: str
    collateral_decimals: int
    lltv_wad: int
    totals: tuple[int, int, int, int]
    fee_wad: int
    elapsed_s: int
    rate_wad: int | None
    price: int | None
    accounts: tuple[PositionReading, ...]


async def read_market(
    asker: Asker, morpho: Address, market: Hash32, accounts: Sequence[Address], block: BlockRef
) -> MarketReading:
    """Read a market and positions in it at a block.

    Raises: VenueRefused for what is no such market; ChainError where nodes fail or disagree.
    """
    if len(accounts) > ACCOUNTS_MAX:
        raise VenueRefused(VENUE, "accounts", f"{len(accounts)} at once, at most {ACCOUNTS_MAX}")
    asks = [Ask(morpho, "idToMarketParams(bytes32)", (market,)), Ask(morpho, "market(bytes32)", (market,))]
    asks += [Ask(morpho, "position(bytes32,address)", (market, account)) for account in accounts]
    terms, state, *positions = await asker.words(asks, block)
    if not terms or not state or len(terms) != 5 or len(state) != 6 or not state[4]:
        raise VenueRefused(VENUE, "not_a_market", f"{to_hex(morpho)} has no market {to_hex(market)}")
    loan, collateral, oracle, model = (address_of(VENUE, word) for word in terms[:4])
    further = [
        Ask(oracle, "price()"),
        Ask(model, _RATE, (*terms, *state)),
        Ask(loan, "decimals()"),
        Ask(collateral, "decimals()"),
    ]
    price, rate, *decimals = await asker.words(further, block)
    symbols = await asker.raw([Ask(loan, "symbol()"), Ask(collateral, "symbol()")], block)
    return MarketReading(
        morpho=morpho,
        market=market,
        block=block,
        nodes=asker.nodes,
        loan=text_of(symbols[0])[:16] or f"token-{loan.hex()[:8]}",
        loan_decimals=_decimals(loan, decimals[0]),
        collateral=text_of(symbols[1])[:16] or f"token-{collateral.hex()[:8]}",
        collateral_decimals=_decimals(collateral, decimals[1]),
        lltv_wad=terms[4],
        totals=(state[0], state[1], state[2], state[3]),
        fee_wad=state[5],
        elapsed_s=max(0, block.timestamp_s - state[4]),
        rate_wad=_rate(model, rate),
        price=price[0] if price and price[0] else None,
        accounts=tuple(_position(one, words) for one, words in zip(accounts, positions, strict=True)),
    )


def _rate(model: Address, words: tuple[int, ...] | None) -> int | None:
    """Return the rate a second; a market without a rate model bears no interest."""
    if not any(model):
        return 0
    return words[0] if words else None


def _decimals(token: Address, words: tuple[int, ...] | None) -> int:
    """Return a token's decimals; one that states none is counted in its base units."""
    if words and words[0] > DECIMALS_MAX:
        raise VenueRefused(VENUE, "decimals", f"{to_hex(token)} states {words[0]} decimals")
    return words[0] if words else 0


def _position(account: Address, words: tuple[int, ...] | None) -> PositionReading:
    if not words or len(words) != 3:
        raise VenueRefused(VENUE, "account", f"{to_hex(account)} cannot be read")
    return PositionReading(account, *words)
