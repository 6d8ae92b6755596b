"""The policy that describes a world, as a document of tables and as TOML text. It knows no schema but its own keys."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from chains.devnet.world import (
    ACCOUNTS_BASE,
    FEED_ROUND_BASE,
    MARKETS_BASE,
    POSITIONS_BASE,
    TOKEN_BALANCES_BASE,
    DevnetChain,
    Feed,
    World,
)
from proofs.types import ChainId, to_hex

Table = dict[str, object]

HAIRCUTS_PPM: Final = MappingProxyType({"USDX": (20_000, 10_000), "ETH": (150_000, 100_000), "BTC": (120_000, 80_000)})
"""Initial and maintenance haircut by asset."""
BRIDGE_HAIRCUT_PPM: Final = 10_000
"""Haircut of collateral on every chain but the venue's."""
HEARTBEAT_S: Final = 86_400
DEVIATION_PPM_MAX: Final = 20_000


def policy_document(world: World) -> Table:
    """Return the policy of a world: locks on every chain; free balances are added with `free_sources`."""
    return {
        "name": "devnet",
        "version": 1,
        "frame_s": 4,
        "deadline_s": 10,
        "lifetime_s": 300,
        "skew_s_max": 60,
        "dust_usd": "1",
        "rule_set": "cross_perp@1",
        "providers": {"configured_min": 1, "operators_min": 1},
        "assurance": [{"up_to_usd": "1000", "level": 1}, {"level": 2}],
        "status": {"warning": "1.20", "margin_call": "1.05", "clear": "1.05", "dwell_frames": 2},
        "encumbrance": {"escrowed": "1", "protocol_locked": "0.9", "approved": "0", "free": "0"},
        "chain": [_chain_table(world, chain) for chain in world.chains],
        "asset": _asset_tables(world),
        "price": [_price_table(world.home.chain, feed) for feed in world.feeds],
        "source": [_lock_box_table(world, chain) for chain in world.chains],
        "venue": _venue_table(world),
        "signers": {
            "addresses": [to_hex(address) for address in world.signers.addresses],
            "k": world.signers.k,
            "f": world.signers.f,
            "epoch": 0,
        },
    }


def free_sources(world: World) -> list[Table]:
    """Return the `source` tables of free balances on the venue's chain."""
    tables: list[Table] = []
    for place in world.home.places:
        table: Table = {"kind": "erc20" if place.token else "native", "chain": world.home.chain, "encumbrance": "free"}
        if place.token:
            table["address"] = to_hex(place.token.address)
            table["code_hash"] = to_hex(place.token.code_hash)
            table["storage"] = {"base": TOKEN_BALANCES_BASE}
        tables.append(table)
    return tables


def policy_text(document: Mapping[str, object]) -> str:
    """Format a document as TOML: plain keys first, then a section for each table."""
    lines = [f"{key} = {_value(value)}" for key, value in document.items() if not _is_section(value)]
    for key, value in document.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", *_lines(value)]
        elif isinstance(value, list):
            for table in value:
                lines += ["", f"[[{key}]]", *_lines(table)]
    return "\n".join(lines) + "\n"


def _chain_table(world: World, chain: DevnetChain) -> Table:
    return {
        "id": chain.chain,
        "lag_s": 1,
        "finality": "safe",
        "bridge_haircut_ppm": 0 if chain is world.home else BRIDGE_HAIRCUT_PPM,
        "devnet": True,
    }


def _asset_tables(world: World) -> list[Table]:
    tables: list[Table] = []
    for symbol, (initial_ppm, maintenance_ppm) in HAIRCUTS_PPM.items():
        places = [place for chain in world.chains for place in chain.places if place.symbol == symbol]
        if places:
            tables.append(
                {
                    "symbol": symbol,
                    "haircut_initial_ppm": initial_ppm,
                    "haircut_maintenance_ppm": maintenance_ppm,
                    "places": [{"id": place.asset, "decimals": place.decimals} for place in places],
                }
            )
    return tables


def _price_table(chain: ChainId, feed: Feed) -> Table:
    return {
        "asset": feed.symbol,
        "chain": chain,
        "kind": "chainlink",
        "address": to_hex(feed.contract.address),
        "decimals": feed.decimals,
        "heartbeat_s": HEARTBEAT_S,
        "deviation_ppm_max": DEVIATION_PPM_MAX,
        "code_hash": to_hex(feed.contract.code_hash),
        "storage": {"base": FEED_ROUND_BASE},
    }


def _lock_box_table(world: World, chain: DevnetChain) -> Table:
    return {
        "kind": "lockbox",
        "chain": chain.chain,
        "address": to_hex(chain.lock_box.address),
        "encumbrance": "escrowed",
        "release_delay_s": world.release_delay_s,
        "code_hash": to_hex(chain.lock_box.code_hash),
    }


def _venue_table(world: World) -> Table:
    return {
        "chain": world.home.chain,
        "address": to_hex(world.venue.address),
        "verifier": to_hex(world.verifier.address),
        "code_hash": to_hex(world.venue.code_hash),
        "storage": {
            "markets_base": MARKETS_BASE,
            "positions_base": POSITIONS_BASE,
            "accounts_base": ACCOUNTS_BASE,
        },
        "market": [
            {
                "id": to_hex(market.market_id),
                "symbol": market.symbol,
                "initial_margin_ppm": market.initial_margin_ppm,
                "maintenance_margin_ppm": market.maintenance_margin_ppm,
            }
            for market in world.markets
        ],
    }


def _is_section(value: object) -> bool:
    return isinstance(value, dict | list)


def _lines(table: Mapping[str, object]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in table.items()]


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_lines(value)) + " }"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    return json.dumps(value)  # strings, integers and booleans are written alike in JSON and TOML
