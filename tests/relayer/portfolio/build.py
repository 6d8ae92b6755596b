"""A small portfolio document, and changes of it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from relayer.errors import ConfigError
from relayer.portfolio.portfolio import portfolio_of

AAVE: dict[str, Any] = {
    "rule_set": "aave@3.7",
    "as_of": "2025-03-01T00:00:00Z",
    "assets": {"USDC": {"decimals": 6}},
    "prices": {"WETH": "2000", "USDC": "1"},
    "indices": {"WETH": {"supply": "1.5", "borrow": "2"}, "USDC": {"supply": "1", "borrow": "1.25"}},
    "rules": {"reserves": {"WETH": {"ltv_bps": 8000, "threshold_bps": 8250}}},
    "accounts": [
        {
            "name": "alice",
            "legs": [
                {"name": "weth", "role": "collateral", "asset": "WETH", "amount": "10"},
                {"name": "usdc", "role": "debt", "asset": "USDC", "amount": "100"},
            ],
        }
    ],
}


def changed(document: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """Return the document with another value at a place; None removes it."""
    copy = deepcopy(document)
    place: Any = copy
    for part in path[:-1]:
        place = place[part]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copy


def faults_of(document: dict[str, Any]) -> list[str]:
    """Return the faults of a document as text, none for a sound one."""
    try:
        portfolio_of(document, "file")
    except ConfigError as error:
        return [str(fault) for fault in error.faults]
    return []
