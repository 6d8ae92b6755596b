"""Which storage slots hold a value, and what the words in them mean.

A layout is the storage twin of a contract's getter: `slots` says what to prove for one row, `decode` turns the
proven words into the words that the getter would return. It reads nothing and knows no chain. A layout holds
only for the code it was derived from: it is chosen by a pinned code hash, never guessed.

    row         the key of the reading: a 20-byte address, a 32-byte id or index, or b"" where the value belongs
                to the contract as a whole (one value, or the length of a list)
    words       integers as the getter returns them, at full width; signed where its type is signed
    None        the getter would revert on what is stored

`base` has the ports, `mappings` plain storage, `rates` balances kept as shares of something, `house` our own contracts,
`table` the kinds by name.

Sources: Solidity "Layout of State Variables in Storage", Vyper's reversed mapping order, ERC-7201,
circlefin/stablecoin-evm FiatTokenV2_2.
"""

from proofs.layouts.base import BlockLayout, Layout
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
from proofs.layouts.table import LAYOUTS, LayoutKind, Params, layout_from_params
from proofs.slots import array_slot, erc7201_base, mapping_slot, nested_mapping_slot, vyper_mapping_slot

__all__ = [
    "LAYOUTS",
    "AccountArray",
    "ArrayElement",
    "ArrayLength",
    "BlockLayout",
    "Compounding",
    "DevFeedRound",
    "Erc7201Mapping",
    "Layout",
    "LayoutKind",
    "LidoShares",
    "LockBoxAccounts",
    "LockBoxLocks",
    "NestedMapping",
    "PackedMapping",
    "Params",
    "PerpVenuePosition",
    "Rounding",
    "ScaledDebt",
    "ScaledSupply",
    "ShareBalance",
    "SolidityMapping",
    "UsdcPacked",
    "VyperMapping",
    "array_slot",
    "erc7201_base",
    "layout_from_params",
    "mapping_slot",
    "nested_mapping_slot",
    "vyper_mapping_slot",
]
