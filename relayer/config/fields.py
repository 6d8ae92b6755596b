"""Field types of both documents: what a piece of text must look like. Models keep the text; expansion parses it.

A message of these validators is `problem; fix`, on one line, and is shown with the key in front.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, StrictInt, StrictStr

from proofs.keccak import keccak256
from proofs.types import parse_address, parse_bytes, parse_chain_id, to_hex
from proofs.units import DECIMALS_MAX, PPM, parse_decimal
from relayer.config.document import is_placeholder

_CAIP19: Final = re.compile(r"(eip155:(?:0|[1-9][0-9]{0,17}))/(?:slip44:(0|[1-9][0-9]{0,9})|erc20:(0x[0-9a-fA-F]{40}))")
_SYMBOL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,31}")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Table(BaseModel):
    """Be strict: unknown keys are refused and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def checked_address(text: str) -> str:
    """Accept a 20-byte address in lower case or with a correct EIP-55 checksum.

    Raises: ValueError for anything else, and for the zero address.
    """
    _refuse_placeholder(text)
    address = parse_address(text)
    if not any(address):
        raise ValueError("the zero address names no contract; write the contract's address")
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and digits != checksummed(address)[2:]:
        raise ValueError("the EIP-55 checksum does not match; a digit or a case is wrong, copy the address again")
    return text


def checksummed(address: bytes) -> str:
    """Format an address with its EIP-55 checksum."""
    digits = address.hex()
    marks = keccak256(digits.encode()).hex()
    mixed = (digit.upper() if int(mark, 16) >= 8 else digit for digit, mark in zip(digits, marks, strict=False))
    return "0x" + "".join(mixed)


def asset_id_parts(text: str) -> tuple[str, str]:
    """Split CAIP-19 text into its chain and the token's address in lower case (empty for the native coin).

    Raises: ValueError for anything but `eip155:<n>/slip44:<coin>` and `eip155:<n>/erc20:0x<40 digits>`.
    """
    _refuse_placeholder(text)
    match = _CAIP19.fullmatch(text)
    if match is None:
        raise ValueError("not a CAIP-19 asset; write eip155:<chain>/slip44:<coin> or eip155:<chain>/erc20:0x<address>")
    chain, _, token = match.groups()
    return chain, to_hex(parse_address(checked_address(token))) if token else ""


def _chain(text: str) -> str:
    _refuse_placeholder(text)
    return str(parse_chain_id(text))


def _asset(text: str) -> str:
    asset_id_parts(text)
    return text


def _hash(text: str) -> str:
    _refuse_placeholder(text)
    parse_bytes(text, 32)
    return text


def _matching(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(text: str) -> str:
        _refuse_placeholder(text)
        if not pattern.fullmatch(text):
            raise ValueError(f"not {what}: {text[:80]!r}")
        return text

    return AfterValidator(check)


def _decimal(scale: int, least: str) -> AfterValidator:
    def check(text: str) -> str:
        _refuse_placeholder(text)
        if parse_decimal(text, scale) < parse_decimal(least, scale):
            raise ValueError(f"{text} is below {least}; write a decimal string of at least {least}")
        return text

    return AfterValidator(check)


def parse_slot(value: object) -> int:
    """Read a storage slot written as an integer or as 0x text (slots of hashed namespaces exceed 2^53).

    Raises: ValueError for anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{1,64}", value):
        return int(value, 16)
    raise ValueError("not a storage slot; write an integer from 0, or 0x text of at most 32 bytes")


def _refuse_placeholder(text: str) -> None:
    if is_placeholder(text):
        raise ValueError(f"still the placeholder {text!r}; replace it with your value")


ChainText = Annotated[StrictStr, AfterValidator(_chain)]
AddressText = Annotated[StrictStr, AfterValidator(checked_address)]
AssetText = Annotated[StrictStr, AfterValidator(_asset)]
HashText = Annotated[StrictStr, AfterValidator(_hash)]
SymbolText = Annotated[StrictStr, _matching(_SYMBOL, "a symbol of letters, digits and . + _ -")]
NameText = Annotated[StrictStr, _matching(_NAME, "a name of lower-case letters, digits, _ and -")]
UsdText = Annotated[StrictStr, _decimal(18, "0")]
MultipleText = Annotated[StrictStr, _decimal(6, "1")]
WeightText = Annotated[StrictStr, _decimal(6, "0")]
PpmNumber = Annotated[StrictInt, Field(ge=0, le=PPM)]
Seconds = Annotated[StrictInt, Field(ge=0, le=31_536_000)]
Decimals = Annotated[StrictInt, Field(ge=0, le=DECIMALS_MAX)]
Count = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
Slot = Annotated[int, PlainValidator(parse_slot, json_schema_input_type=int | str)]
