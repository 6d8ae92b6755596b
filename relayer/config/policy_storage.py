"""Storage layouts and code pins in `policy.toml`: their keys, and what they become.

code_hash                   keccak-256 of the code at the address
implementation              behind a proxy: the address that the implementation slot must name,
implementation_code_hash    the keccak-256 of the code there,
implementation_slot         and the slot, EIP-1967's when it is left out
storage                     { base = 9 }, or { layout = "<kind>", ... } with the parameters of that kind
pin                         [[source.pin]]: the same keys for further contracts that a rate is read from
frozen                      { getter = "isBlacklisted(address)", storage = { ... } }: who cannot move what it holds
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictStr, model_validator

from proofs.errors import ConstructionRefused
from proofs.keccak import keccak256
from proofs.layouts import BlockLayout, Layout, UsdcPacked, layout_from_params
from proofs.pins import EIP1967_SLOT, CodePin, proxy_pins
from proofs.types import Address, Hash32, parse_address, parse_hash
from relayer.config.fields import AddressText, HashText, Slot, Table

PLAIN: Final = "solidity_mapping"
BALANCE_LAYOUTS: Final = (
    PLAIN,
    "vyper_mapping",
    "erc7201_mapping",
    "nested_mapping",
    "packed_mapping",
    "usdc_packed",
    "share_balance",
    "lido_shares",
    "scaled_supply",
)
"""Kinds whose one word is a holder's balance, as `balanceOf` returns it."""
FLAG_LAYOUTS: Final = (PLAIN, "vyper_mapping", "erc7201_mapping", "nested_mapping", "packed_mapping")
IS_BLACKLISTED: Final = "isBlacklisted(address)"
_GETTER: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,63}\(address\)")


class Pinned(Protocol):
    """Be a table with the four keys of a code pin."""

    @property
    def code_hash(self) -> str | None:
        """Return the code hash's text."""
        ...

    @property
    def implementation(self) -> str | None:
        """Return the implementation's address."""
        ...

    @property
    def implementation_code_hash(self) -> str | None:
        """Return the text of its code hash."""
        ...

    @property
    def implementation_slot(self) -> int | None:
        """Return the slot that names it."""
        ...


class CodeTable(Table):
    """Hold the keys of a code pin."""

    code_hash: HashText | None = None
    implementation: AddressText | None = None
    implementation_code_hash: HashText | None = None
    implementation_slot: Slot | None = None


class PinTable(CodeTable):
    """`[[source.pin]]`: a further contract that the layout depends on."""

    address: AddressText
    code_hash: HashText


def _getter(text: str) -> str:
    if not _GETTER.fullmatch(text):
        raise ValueError(f"not a getter of one address: {text[:80]!r}; write it as `{IS_BLACKLISTED}`")
    return text


class StorageTable(BaseModel):
    """`storage`: the kind of a layout, and beside it the parameters of that kind."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    layout: StrictStr = PLAIN

    @property
    def params(self) -> dict[str, str | int]:
        """Return the parameters as written."""
        return {key: value for key, value in (self.model_extra or {}).items() if _is_param(value)}

    @model_validator(mode="after")
    def _known(self) -> StorageTable:
        odd = [key for key, value in (self.model_extra or {}).items() if not _is_param(value)]
        if odd:
            raise ValueError(f"{odd[0]} is neither text nor an integer; a parameter of a layout is one of them")
        try:
            layout_from_params(self.layout, self.params)
        except ConstructionRefused as refused:
            raise ValueError(f"{refused.what}: {refused.detail}; docs/CONFIGURATION.md lists the kinds") from None
        return self


class FrozenTable(Table):
    """`frozen`: the getter that says who is frozen, and where its answer lies in storage."""

    getter: Annotated[StrictStr, AfterValidator(_getter)]
    storage: StorageTable | None = None


class SourceStorage(CodeTable):
    """Hold the storage keys of a source."""

    storage: StorageTable | None = None
    frozen: FrozenTable | None = None
    pin: Annotated[list[PinTable], Field(max_length=16, default_factory=list)]


def pins_of(table: Pinned, address: Address) -> tuple[CodePin, ...]:
    """Return what must hold behind a contract that is a proxy, beside its own code hash; nothing for another one."""
    if table.code_hash is None or table.implementation is None or table.implementation_code_hash is None:
        return ()
    slot = EIP1967_SLOT if table.implementation_slot is None else table.implementation_slot
    target, code_hash = parse_address(table.implementation), parse_hash(table.implementation_code_hash)
    return proxy_pins(address, Hash32(parse_hash(table.code_hash)), target, code_hash, slot)


def source_pins(table: SourceStorage, address: Address) -> tuple[CodePin, ...]:
    """Return every pin of a source beside its own code hash."""
    return (*pins_of(table, address), *(pin for further in table.pin for pin in _further(further)))


def layout_of(storage: StorageTable | None) -> Layout | None:
    """Return the layout of a checked `storage`; of a packed balance the part that `balanceOf` returns."""
    if storage is None:
        return None
    layout = layout_from_params(storage.layout, storage.params)
    return layout.balance if isinstance(layout, UsdcPacked) else layout


def frozen_of(table: SourceStorage) -> tuple[bytes, Layout | None] | None:
    """Return the getter's selector and its layout; a packed balance implies FiatToken's; None without either."""
    if table.frozen is not None:
        return keccak256(table.frozen.getter.encode())[:4], layout_of(table.frozen.storage)
    if table.storage is not None and table.storage.layout == "usdc_packed":
        packed = layout_from_params(table.storage.layout, table.storage.params)
        if isinstance(packed, UsdcPacked):
            return keccak256(IS_BLACKLISTED.encode())[:4], packed.frozen
    return None


def unpinned(table: SourceStorage) -> Iterator[Address]:
    """Yield further contracts that a layout reads and no `[[source.pin]]` names."""
    layout = layout_of(table.storage)
    if isinstance(layout, BlockLayout):
        named = {parse_address(pin.address) for pin in table.pin}
        yield from dict.fromkeys(address for address, _ in layout.shared() if address not in named)


def _further(table: PinTable) -> tuple[CodePin, ...]:
    address = parse_address(table.address)
    return pins_of(table, address) or (CodePin(address, parse_hash(table.code_hash)),)


def _is_param(value: object) -> bool:
    return isinstance(value, str) or type(value) is int
