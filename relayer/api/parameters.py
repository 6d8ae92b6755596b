"""Parameters: strict parsing of everything a caller may say, with a bound on each.

| text | form |
|---|---|
| account | `0x` + 64 hex (account id), `0x` + 40 hex (home address), or CAIP-10 of an address on the venue's chain |
| frame | decimal Unix seconds without sign or leading zero, at most 16 digits |
| cursor | base64url without padding of the 32-byte id the last page ended with |
| limit | 1 … 1000 |
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from typing import Final

from proofs.types import AccountId, ChainId, account_of_address, parse_address, parse_hash
from relayer.api.problems import Code, Problem

LIMIT_MAX: Final = 1000
LIMIT_DEFAULT: Final = 100
QUERY_CHARS_MAX: Final = 256
"""The longest legal query is `cursor=<43>&limit=1000&state=provisional`, below 100 characters."""
ACCOUNT_CHARS_MAX: Final = 80
"""The longest legal spelling is CAIP-10: `eip155:` + 18 digits + `:0x` + 40."""

_FRAME = re.compile(r"[1-9][0-9]{0,15}")
_LIMIT = re.compile(r"[1-9][0-9]{0,3}")
_CURSOR = re.compile(r"[A-Za-z0-9_-]{43}")


def parse_account(text: str, venue_chain: ChainId) -> AccountId:
    """Parse an account in one of its three spellings.

    Raises: Problem MALFORMED_ACCOUNT, or WRONG_CHAIN for an address of another chain (the same hexadecimal address
    elsewhere may belong to somebody else).
    """
    if len(text) > ACCOUNT_CHARS_MAX:
        raise Problem(Code.MALFORMED_ACCOUNT, f"longer than {ACCOUNT_CHARS_MAX} characters")
    chain, colon, tail = text.rpartition(":")
    if colon and chain != venue_chain:
        raise Problem(Code.WRONG_CHAIN, f"accounts are home addresses on {venue_chain}")
    try:
        if len(tail) == 66 and not colon:
            return AccountId(parse_hash(tail))
        return account_of_address(parse_address(tail))
    except ValueError as error:
        raise Problem(Code.MALFORMED_ACCOUNT, str(error)) from error


def parse_frame(text: str) -> int:
    """Parse a frame number.

    Raises: Problem MALFORMED_FRAME.
    """
    if not _FRAME.fullmatch(text):
        raise Problem(Code.MALFORMED_FRAME, "a frame is its time in Unix seconds, decimal")
    return int(text)


def parse_limit(text: str) -> int:
    """Parse a page size of 1 … 1000.

    Raises: Problem PARAMETER.
    """
    if not _LIMIT.fullmatch(text) or int(text) > LIMIT_MAX:
        raise Problem(Code.PARAMETER, f"limit is a decimal number from 1 to {LIMIT_MAX}")
    return int(text)


def format_cursor(account: AccountId) -> str:
    """Format the id a page ended with as an opaque cursor."""
    return base64.urlsafe_b64encode(account).rstrip(b"=").decode()


def parse_cursor(text: str) -> AccountId:
    """Parse a cursor back to the id after which the next page starts.

    Raises: Problem MALFORMED_CURSOR, also for a second spelling of the same id.
    """
    if not _CURSOR.fullmatch(text):
        raise Problem(Code.MALFORMED_CURSOR, "a cursor is the `next` of an earlier page")
    try:
        account = AccountId(base64.urlsafe_b64decode(text + "="))
    except binascii.Error as error:
        raise Problem(Code.MALFORMED_CURSOR, "a cursor is the `next` of an earlier page") from error
    if format_cursor(account) != text:
        raise Problem(Code.MALFORMED_CURSOR, "a cursor is the `next` of an earlier page")
    return account


def checked_query(query: Mapping[str, str], pairs: int, known: Collection[str]) -> Mapping[str, str]:
    """Return the query when it names known parameters, each once; `pairs` counts them with repetitions.

    Raises: Problem PARAMETER.
    """
    for name in query:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise Problem(Code.PARAMETER, f"unknown parameter {name[:40]!r}; known: {listed}")
    if len(query) != pairs:
        raise Problem(Code.PARAMETER, "a parameter is given twice")
    return query
