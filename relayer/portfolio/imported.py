"""Write what was read of a deployed venue as a portfolio file: its parameters, its market, accounts, its own verdict.

What the file holds is what the nodes said at one block, to the unit; `load_portfolio` reads it back to the same inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chains.venues.aave_v3 import AccountReading, PoolReading, ReserveReading
from chains.venues.morpho import MarketReading, PositionReading
from proofs.types import BlockRef, caip10, to_hex
from proofs.units import UINT256_MAX, format_decimal, rescale_down, rescale_up
from relayer.config.document import Document
from relayer.margin.engine.inputs import Totals
from relayer.margin.models.morpho import accrued_totals
from relayer.portfolio.families import RAY_DECIMALS
from relayer.portfolio.fields import PRICE_SCALE

PRICE_DECIMALS: Final = 8
WAD_DECIMALS: Final = 18


def aave_document(reading: PoolReading) -> Document:
    """Return the file of an Aave v3 pool and the accounts that were read of it."""
    chain, reserves = reading.block.chain, reading.reserves
    prices = {one.symbol: format_decimal(one.price, PRICE_DECIMALS) for one in reserves if one.price is not None}
    return {
        "rule_set": reading.rule_set,
        "title": _title(f"Aave pool {caip10(chain, reading.pool)}", reading.block, reading.nodes),
        "as_of": reading.block.timestamp_s,
        "chain": str(chain),
        "assets": {one.symbol: {"decimals": one.decimals} for one in reserves},
        "prices": prices,
        "indices": {
            one.symbol: {
                "supply": format_decimal(one.supply_index_ray, RAY_DECIMALS),
                "borrow": format_decimal(one.borrow_index_ray, RAY_DECIMALS),
            }
            for one in reserves
        },
        "rules": {"reserves": {one.symbol: _reserve(reading, number, one) for number, one in enumerate(reserves)}},
        "accounts": [_account(reading, one) for one in reading.accounts],
    }


def _reserve(reading: PoolReading, number: int, reserve: ReserveReading) -> Document:
    """Return the terms of one reserve, and its terms in every mode that has it as collateral."""
    modes = [mode for mode in reading.modes if mode.collateral_bits >> number & 1]
    return {
        "ltv_bps": reserve.ltv_bps,
        "threshold_bps": reserve.threshold_bps,
        "bonus_bps": reserve.bonus_bps,
        "protocol_fee_bps": reserve.protocol_fee_bps,
        "modes": {
            str(mode.category): {
                "ltv_bps": mode.ltv_bps,
                "threshold_bps": mode.threshold_bps,
                "is_ltv_zero": bool(mode.ltv_zero_bits >> number & 1),
            }
            for mode in modes
        },
        "mode_bonuses_bps": {str(mode.category): mode.bonus_bps for mode in modes},
    }


def _account(reading: PoolReading, account: AccountReading) -> Document:
    legs = []
    for number, reserve in enumerate(reading.reserves):
        supplied, borrowed = account.scaled[number]
        if supplied and account.uses(number):
            legs.append(_leg("collateral", reserve, supplied, reading.block.number))
        if borrowed and account.borrows(number):
            legs.append(_leg("debt", reserve, borrowed, reading.block.number))
    found: dict[str, object] = {"name": to_hex(account.address), "mode": account.category, "legs": legs}
    if account.getter is not None:
        found["venue_getter"] = _said(account.getter, reading.block.number)
    return found


def _leg(role: str, reserve: ReserveReading, amount: int, block: int) -> Document:
    return {"role": role, "asset": reserve.symbol, "amount_raw": str(amount), "block": block}


def _said(getter: Sequence[int], block: int) -> Document:
    """Return what `getUserAccountData` answered: (collateral, debt, available, threshold, LTV, health factor)."""
    collateral, debt, *_, health = getter
    said: dict[str, object] = {
        "call": "getUserAccountData(address)",
        "block": block,
        "collateral": format_decimal(collateral, PRICE_DECIMALS),
        "debt": format_decimal(debt, PRICE_DECIMALS),
        "is_healthy": health >= 10**WAD_DECIMALS,
    }
    if health != UINT256_MAX:
        said["health_factor"] = format_decimal(health, WAD_DECIMALS)
    return said


def morpho_document(reading: MarketReading) -> Document:
    """Return the file of a Morpho Blue market and positions in it, interest accrued to the block.

    Without a rate the totals are left out, so every debt is unknown. The market has no getter of an account's health to
    compare with.
    """
    block, market = reading.block, f"{reading.collateral}/{reading.loan}"
    found: dict[str, object] = {
        "rule_set": "morpho@1",
        "title": _title(f"Morpho market {to_hex(reading.market)[:10]} of {market}", block, reading.nodes),
        "as_of": block.timestamp_s,
        "chain": str(block.chain),
        "assets": {
            reading.collateral: {"decimals": reading.collateral_decimals},
            reading.loan: {"decimals": reading.loan_decimals},
        },
        "rules": {
            "market": market,
            "collateral": reading.collateral,
            "loan": reading.loan,
            "lltv": format_decimal(reading.lltv_wad, WAD_DECIMALS),
        },
        "accounts": [_position(reading, one) for one in reading.accounts],
    }
    if reading.price is not None:
        found["prices"] = {market: _oracle_price(reading)}
    if reading.rate_wad is not None:
        now = accrued_totals(Totals(*reading.totals), reading.rate_wad, reading.elapsed_s, reading.fee_wad)
        totals = {name: str(getattr(now, name)) for name in Totals.__slots__}
        found["totals"] = {market: totals}
    return found


def _oracle_price(reading: MarketReading) -> object:
    """Return the oracle's price in whole units of both tokens; an interval where it has more digits than a file."""
    scale, price = PRICE_SCALE + reading.loan_decimals - reading.collateral_decimals, reading.price or 0
    if scale < 0:
        return format_decimal(price * 10**-scale, 0)
    low, high = rescale_down(price, scale, PRICE_SCALE), rescale_up(price, scale, PRICE_SCALE)
    texts = [format_decimal(end, PRICE_SCALE) for end in (low, high)]
    return texts[0] if low == high else texts


def _position(reading: MarketReading, account: PositionReading) -> Document:
    legs, block = [], reading.block.number
    if account.collateral:
        held = {"role": "collateral", "asset": reading.collateral, "amount_raw": str(account.collateral)}
        legs.append({**held, "block": block})
    if account.borrow_shares:
        owed = {"role": "debt", "asset": reading.loan, "amount_raw": str(account.borrow_shares)}
        legs.append({**owed, "block": block})
    return {"name": to_hex(account.address), "legs": legs}


def _title(what: str, block: BlockRef, nodes: int) -> str:
    return f"{what} at block {block.number}, read from {'one node' if nodes == 1 else f'{nodes} nodes that agree'}"
