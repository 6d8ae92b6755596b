"""What can be asked of a chain: a question of the policy, as data, and the tables that turn it into a column.

A question names a kind (`lockbox`, `erc20`, …), a contract and the numbers that kind needs. The reader of that kind is
sans-I/O: it says *what to ask* (`ColumnSpec`), and with it what the answer means (words, layout); never the asking.
"""

from __future__ import annotations

from dataclasses import dataclass

from proofs.layouts import Layout
from proofs.pins import CodePin
from proofs.types import Address, ChainId, Hash32, MarketId


@dataclass(frozen=True, slots=True)
class Question:
    """Ask for one column. `asset` is the token (zero address: native coin); unused fields are None.

    `storage` holds base slots by name, for kinds whose layout is data (`markets_base`, `positions_base`, `base`);
    without the slots a kind needs, the column is not provable. `layout` is the whole layout, for kinds of many layouts
    (`erc20`, `frozen`); `getter` the selector to call, for kinds without one of their own; `pins` what the layout
    depends on beside the target's own `code_hash`.
    """

    column: str
    chain: ChainId
    kind: str
    target: Address
    asset: Address | None = None
    venue_id: Hash32 | None = None
    market: MarketId | None = None
    storage: tuple[tuple[str, int], ...] = ()
    code_hash: Hash32 | None = None
    layout: Layout | None = None
    getter: bytes = b""
    pins: tuple[CodePin, ...] = ()


@dataclass(frozen=True, slots=True)
class ListQuestion:
    """Ask a contract for the accounts it names; kinds `lockbox` (by venue) and `perp_venue`."""

    name: str
    chain: ChainId
    kind: str
    target: Address
    venue_id: Hash32 | None = None
    storage: tuple[tuple[str, int], ...] = ()
    code_hash: Hash32 | None = None
    pins: tuple[CodePin, ...] = ()
