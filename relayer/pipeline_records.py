"""Records: what a frame leaves behind, as rows and JSON, made once and served as they are.

A `Publication` is all that the API needs to answer for a frame. It is built from rows alone, so that a restarted
service publishes the same bytes from the store that the pass published from memory. Money leaves as decimal strings
of integers: UsdE18 in `*_usd_e18`, base units in `amount_raw`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from proofs.types import Quality, to_hex
from relayer.flags import Flag
from relayer.margin.view import Line, MarginView, Missing
from relayer.store.port import AccountRow, FrameRow

JsonObject = dict[str, object]


@dataclass(frozen=True, slots=True)
class Publication:
    """Hold one finished frame: its row, its accounts ascending by id, and all flags that are not clear."""

    row: FrameRow
    accounts: tuple[AccountRow, ...]
    flags: tuple[Flag, ...]


class Publisher(Protocol):
    """Make what a pass found visible to readers."""

    async def publish(self, publication: Publication) -> None:
        """Take over a finished frame; one that is not above the last is ignored."""
        ...

    async def publish_flags(self, flags: Sequence[Flag], seen_s: int) -> None:
        """Take over the flags of a provisional tick at that time."""
        ...


def view_document(view: MarginView) -> JsonObject:
    """Return a view as JSON: figures, lines that sum to them, and what is missing."""
    return {
        "account": to_hex(view.account),
        "status": view.status.name.lower(),
        "assurance": int(view.assurance),
        "quality": quality_names(view.quality),
        "equity_usd_e18": str(view.equity_usd),
        "equity_high_usd_e18": None if view.equity_high_usd is None else str(view.equity_high_usd),
        "collateral_usd_e18": str(view.collateral_usd),
        "liability_usd_e18": str(view.liability_usd),
        "initial_margin_usd_e18": str(view.initial_margin_usd),
        "maintenance_margin_usd_e18": str(view.maintenance_margin_usd),
        "lines": [_line_document(line) for line in view.lines],
        "missing": [_missing_document(missing) for missing in view.missing],
    }


def view_json(view: MarginView) -> bytes:
    """Return a view as JSON bytes."""
    return orjson.dumps(view_document(view))


def quality_names(quality: Quality) -> list[str]:
    """Return the names of the set bits, lowest bit first."""
    return [bit.name.lower() for bit in Quality if bit and bit in quality and bit.name]


def _line_document(line: Line) -> JsonObject:
    return {
        "label": line.label,
        "chain": line.chain,
        "block_number": line.block_number,
        "symbol": line.symbol,
        "kind": line.kind.name.lower(),
        "assurance": int(line.assurance),
        "amount_raw": str(line.amount_raw),
        "decimals": line.decimals,
        "price_e18": str(line.price_e18),
        "haircut_ppm": line.haircut_ppm,
        "marked_usd_e18": str(line.marked_usd),
        "value_usd_e18": str(line.value_usd),
        "initial_usd_e18": str(line.initial_usd),
        "maintenance_usd_e18": str(line.maintenance_usd),
        "rounding": str(line.rounding),
        "is_signed": line.leg is not None,
    }


def _missing_document(missing: Missing) -> JsonObject:
    return {
        "what": missing.what,
        "chain": missing.chain,
        "reason": missing.reason,
        "kind": missing.kind.name.lower(),
    }
