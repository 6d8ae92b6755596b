"""The shared words: identifiers, wire enumerations and block references.

Every package of the house speaks in these types. Parsing is strict and total: a value of one of these types has
been checked once, where text or bytes entered, and is not checked again. Numbers of the enumerations are wire values
(`proofs/contracts/wire.json` is read by the Python and the Solidity tests).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import NewType

ChainId = NewType("ChainId", str)
"""CAIP-2 text, `eip155:1`."""
AssetId = NewType("AssetId", str)
"""CAIP-19 text in lower case, `eip155:1/slip44:60` or `eip155:1/erc20:0x…`."""
Hash32 = NewType("Hash32", bytes)
"""32 bytes."""
Address = NewType("Address", bytes)
"""20 bytes."""
AccountId = NewType("AccountId", bytes)
"""32 bytes: the owner's home address on the venue's chain, left-padded with zeros."""
MarketId = NewType("MarketId", bytes)
"""32 bytes, as the venue names its market."""

ZERO_HASH = Hash32(bytes(32))
ZERO_ADDRESS = Address(bytes(20))

_CAIP2 = re.compile(r"eip155:(0|[1-9][0-9]{0,17})")
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


class Status(IntEnum):
    """Say how an account stands; the order is severity, 0 is outside the order."""

    UNKNOWN = 0
    HEALTHY = 1
    WARNING = 2
    MARGIN_CALL = 3
    LIQUIDATABLE = 4
    BAD_DEBT = 5


class Assurance(IntEnum):
    """Say how hard a reading is to fake; of a whole it is that of the weakest part."""

    SINGLE_RPC = 0
    RPC_QUORUM = 1
    STATE_PROOF = 2
    AUTHENTICATED_HEADER = 3


class LegKind(IntEnum):
    """Say what a leg is."""

    BALANCE = 1
    LOCK = 2
    DEBT = 3
    POSITION = 4
    REQUIREMENT = 5


class Encumbrance(IntEnum):
    """Say how firmly a holding is bound to the venue."""

    NOT_APPLICABLE = 0
    FREE = 1
    APPROVED = 2
    PROTOCOL_LOCKED = 3
    ESCROWED = 4


class Finality(IntEnum):
    """Say by which rule a block was final enough to be voted."""

    MISSING = 0
    LATEST = 1
    CONFIRMATIONS = 2
    SAFE = 3
    FINALIZED = 4


class Quality(IntFlag):
    """Mark weakened evidence of a leaf; bit numbers are wire values."""

    NONE = 0
    DEGRADED_LEG = 1 << 0
    STALE_PRICE = 1 << 1
    WIDE_PRICE = 1 << 2
    SEQUENCER_GRACE = 1 << 3
    DEPEG = 1 << 4
    FROZEN_HOLDER = 1 << 5
    CODE_CHANGED = 1 << 6
    CONCENTRATION_CAP = 1 << 7
    CHAIN_MISSING = 1 << 8
    DEVNET = 1 << 9


@dataclass(frozen=True, slots=True)
class BlockRef:
    """Name one block by its hash, with the header fields that everything else hangs on."""

    chain: ChainId
    number: int
    hash: Hash32
    parent_hash: Hash32
    state_root: Hash32
    timestamp_s: int


def parse_chain_id(text: str) -> ChainId:
    """Parse CAIP-2 text of the eip155 namespace.

    Raises: ValueError, naming the text, for anything else.
    """
    if not _CAIP2.fullmatch(text):
        raise ValueError(f"not a CAIP-2 chain id of the form eip155:<number>: {text!r}")
    return ChainId(text)


def evm_chain_number(chain: ChainId) -> int:
    """Return the EIP-155 number of a chain."""
    return int(chain.split(":", 1)[1])


def parse_bytes(text: str, length: int | None = None) -> bytes:
    """Parse 0x-prefixed hex of whole bytes, of exactly `length` bytes when given.

    Raises: ValueError naming what was expected; the text itself is cut to 80 characters.
    """
    if not _HEX.fullmatch(text):
        raise ValueError(f"not 0x-prefixed hex of whole bytes: {text[:80]!r}")
    value = bytes.fromhex(text[2:])
    if length is not None and len(value) != length:
        raise ValueError(f"expected {length} bytes, got {len(value)}: {text[:80]!r}")
    return value


def parse_address(text: str) -> Address:
    """Parse a 20-byte address; mixed-case text is accepted without judging its checksum."""
    return Address(parse_bytes(text, 20))


def parse_hash(text: str) -> Hash32:
    """Parse a 32-byte hash."""
    return Hash32(parse_bytes(text, 32))


def to_hex(value: bytes) -> str:
    """Format bytes as lower-case 0x-prefixed hex."""
    return "0x" + value.hex()


def account_of_address(address: Address) -> AccountId:
    """Left-pad a home address to an account id."""
    return AccountId(bytes(12) + address)


def address_of_account(account: AccountId) -> Address:
    """Return the home address of an account id.

    Raises: ValueError when the upper 12 bytes are not zero: such an id names no address.
    """
    if len(account) != 32 or any(account[:12]):
        raise ValueError(f"account id names no address: {to_hex(account)}")
    return Address(account[12:])


def caip10(chain: ChainId, address: Address) -> str:
    """Format an address on a chain as CAIP-10 text in lower case."""
    return f"{chain}:{to_hex(address)}"
