"""What can be asked of a chain: a question of the policy as data, and what all readers take from one.

A question names a kind (`lockbox`, `erc20`, …), a contract and the numbers that kind needs. The reader of that kind is
sans-I/O: it says *what to ask* (`ColumnSpec`), and with it what the answer means (words, layout); never the asking.
`chains.readers` holds the tables of kinds.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.errors import QuestionRefused
from proofs.keccak import keccak256
from proofs.layouts import Layout
from proofs.pins import CodePin
from proofs.types import AccountId, Address, ChainId, Hash32, MarketId


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


def word(value: bytes) -> bytes:
    """Left-pad to one 32-byte word of calldata."""
    return value.rjust(32, b"\0")


def home_rows(accounts: tuple[AccountId, ...]) -> tuple[bytes, ...]:
    """Return each account's home address as a 20-byte row.

    Anybody may lock for any 32 bytes. An id that names no address (upper 12 bytes not zero) gets the last 20 bytes of
    its own hash: an address that nobody holds, so that no stranger's balance and no burnt coin is counted for it.
    """
    return tuple(account[12:] if not any(account[:12]) else keccak256(account)[12:] for account in accounts)


def base_slot(question: Question | ListQuestion, name: str) -> int | None:
    """Return a base slot by its name, or None where the question does not give it."""
    return dict(question.storage).get(name)


def required_asset(question: Question) -> Address:
    """Return the asset.

    Raises: `QuestionRefused` when there is none.
    """
    if question.asset is None:
        raise QuestionRefused(question.column, question.kind, "needs an asset")
    return question.asset


def required_market(question: Question) -> Hash32:
    """Return the market id.

    Raises: `QuestionRefused` when there is none.
    """
    if question.market is None or len(question.market) != 32:
        raise QuestionRefused(question.column, question.kind, "needs a market id of 32 bytes")
    return Hash32(question.market)


def required_venue(question: Question | ListQuestion) -> Hash32:
    """Return the venue id.

    Raises: `QuestionRefused` when there is none.
    """
    if question.venue_id is None or len(question.venue_id) != 32:
        name = question.column if isinstance(question, Question) else question.name
        raise QuestionRefused(name, question.kind, "needs a venue id of 32 bytes")
    return question.venue_id
