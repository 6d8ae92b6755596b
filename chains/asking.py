"""What all readers share: words of calldata, rows of accounts, and the fields that a question must have."""

from __future__ import annotations

from chains.errors import QuestionRefused
from chains.questions import ListQuestion, Question
from proofs.keccak import keccak256
from proofs.types import AccountId, Address, Hash32

__all__ = ["base_slot", "home_rows", "required_asset", "required_market", "required_venue", "word"]


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
