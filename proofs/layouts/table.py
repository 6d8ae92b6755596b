"""Layouts by name: what a policy writes, and how a layout is built from it.

A kind takes integers (or decimal and 0x text of one), 0x text for bytes, and words. What a bundle stores are the same
parameters as text, so that the table rebuilds every layout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from proofs.errors import ConstructionRefused
from proofs.layouts.base import Layout
from proofs.layouts.house import DevFeedRound, LockBoxAccounts, LockBoxLocks, PerpVenuePosition
from proofs.layouts.mappings import (
    AccountArray,
    ArrayElement,
    ArrayLength,
    Erc7201Mapping,
    NestedMapping,
    PackedMapping,
    SolidityMapping,
    UsdcPacked,
    VyperMapping,
)
from proofs.layouts.rates import Compounding, LidoShares, Rounding, ScaledDebt, ScaledSupply, ShareBalance

Params = Mapping[str, str | int]
_Reader = Callable[[str | int], object]


def _integer(value: str | int) -> int:
    if isinstance(value, int):
        return value
    base, digits = (16, value[2:]) if value.startswith("0x") else (10, value)
    if not 0 < len(digits) <= 78 or set(digits.lower()) - set("0123456789abcdef"[:base]):
        raise ConstructionRefused("layout parameter", f"{value!r} is no integer")
    return int(digits, base)


def _text(value: str | int) -> str:
    if isinstance(value, int):
        raise ConstructionRefused("layout parameter", f"{value} is no text")
    return value


def _hex(length: int) -> _Reader:
    def read(value: str | int) -> bytes:
        text = _text(value)
        digits = text[2:]
        if text[:2] != "0x" or len(digits) != 2 * length or set(digits.lower()) - set("0123456789abcdef"):
            raise ConstructionRefused("layout parameter", f"{text!r} is not 0x and {2 * length} hex digits")
        return bytes.fromhex(digits)

    return read


def _hex_words(value: str | int) -> bytes:
    """Read whole words of 32 bytes; the empty text is none."""
    digits = _text(value).removeprefix("0x")
    if len(digits) % 64 or set(digits.lower()) - set("0123456789abcdef"):
        raise ConstructionRefused("layout parameter", f"{value!r} is not 0x and whole words of 64 hex digits")
    return bytes.fromhex(digits)


def _one_of(choices: type[StrEnum]) -> _Reader:
    def read(value: str | int) -> StrEnum:
        if value not in [str(choice) for choice in choices]:
            raise ConstructionRefused("layout parameter", f"{value!r} is not one of {', '.join(choices)}")
        return choices(str(value))

    return read


_SCALED: Final = MappingProxyType({"base": _integer, "pool": _hex(20), "asset": _hex(20)})
_SCALED_OPTIONAL: Final = MappingProxyType({"reserves_base": _integer, "bits": _integer, "rounding": _one_of(Rounding)})
_FIELDS: Final = ("total_shift", "total_bits", "assets_shift", "assets_bits")


@dataclass(frozen=True, slots=True)
class LayoutKind:
    """Say how a layout is built from the parameters of a policy."""

    build: Callable[..., Layout]
    required: Mapping[str, _Reader]
    optional: Mapping[str, _Reader] = field(default_factory=dict)


LAYOUTS: Final[Mapping[str, LayoutKind]] = MappingProxyType(
    {
        "solidity_mapping": LayoutKind(SolidityMapping, {"base": _integer}),
        "vyper_mapping": LayoutKind(VyperMapping, {"base": _integer}),
        "erc7201_mapping": LayoutKind(Erc7201Mapping, {"namespace": _text}, {"offset": _integer}),
        "nested_mapping": LayoutKind(NestedMapping, {"base": _integer}, {"outer": _hex_words, "inner": _hex_words}),
        "packed_mapping": LayoutKind(PackedMapping, {"base": _integer, "shift": _integer, "bits": _integer}),
        "usdc_packed": LayoutKind(UsdcPacked, {"base": _integer}),
        "share_balance": LayoutKind(
            ShareBalance,
            {"base": _integer, "total_slot": _integer, "assets_slot": _integer},
            dict.fromkeys(_FIELDS, _integer),
        ),
        "lido_shares": LayoutKind(LidoShares, {}, {"base": _integer}),
        "scaled_supply": LayoutKind(ScaledSupply, _SCALED, _SCALED_OPTIONAL),
        "scaled_debt": LayoutKind(ScaledDebt, _SCALED, {**_SCALED_OPTIONAL, "compounding": _one_of(Compounding)}),
        "array_length": LayoutKind(ArrayLength, {"base": _integer}),
        "array_element": LayoutKind(ArrayElement, {"base": _integer}),
        "account_array": LayoutKind(AccountArray, {"base": _integer}),
        "lockbox": LayoutKind(LockBoxLocks, {"venue_id": _hex(32), "asset": _hex(20)}),
        "lockbox_accounts": LayoutKind(LockBoxAccounts, {"venue_id": _hex(32)}),
        "perp_position": LayoutKind(
            PerpVenuePosition,
            {"market_id": _hex(32), "markets_base": _integer, "positions_base": _integer},
            {"funding_slot": _integer, "funding_shift": _integer},
        ),
        "dev_feed": LayoutKind(DevFeedRound, {}, {"base": _integer}),
    }
)


def layout_from_params(kind: str, params: Params) -> Layout:
    """Build the layout of a kind from a policy's parameters: integers, or 0x text for bytes.

    Raises `ConstructionRefused` for an unknown kind and for missing, unknown or malformed parameters.
    """
    entry = LAYOUTS.get(kind)
    if entry is None:
        raise ConstructionRefused("layout", f"kind {kind!r} is not one of {', '.join(LAYOUTS)}")
    readers = {**entry.required, **entry.optional}
    wrong = (entry.required.keys() - params.keys()) | (params.keys() - readers.keys())
    if wrong:
        raise ConstructionRefused("layout", f"{kind}: missing or unknown parameters {', '.join(sorted(wrong))}")
    return entry.build(**{key: readers[key](value) for key, value in params.items()})
