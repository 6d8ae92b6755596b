"""Layouts: slots against the ABI encoder and recorded storage, words by hand."""

from __future__ import annotations

import pytest
from eth_abi import encode
from hypothesis import given
from hypothesis import strategies as st

from proofs.errors import ConstructionRefused
from proofs.layouts import (
    LAYOUTS,
    AccountArray,
    ArrayElement,
    ArrayLength,
    DevFeedRound,
    Erc7201Mapping,
    Layout,
    LockBoxAccounts,
    LockBoxLocks,
    PerpVenuePosition,
    SolidityMapping,
    UsdcPacked,
    VyperMapping,
    array_slot,
    erc7201_base,
    layout_from_params,
    mapping_slot,
    nested_mapping_slot,
    vyper_mapping_slot,
)
from tests.golden.loading import cases, unhex
from tests.proofs.crafted import hash_of

HOLDER = bytes(range(1, 21))
ACCOUNT = bytes(range(32))
VENUE = hash_of(b"venue")
MARKET = hash_of(b"market")
ASSET = b"\xaa" * 20
E18 = 10**18


def slot_of(types: list[str], values: list[object]) -> int:
    return int.from_bytes(hash_of(encode(types, values)), "big")


def word128(low: int, high: int) -> int:
    """Pack two 128-bit fields as Solidity does, the first one low."""
    return (low % 2**128) | (high % 2**128) << 128


# --- slot arithmetic -------------------------------------------------------------------------------------------


@given(st.binary(min_size=20, max_size=20), st.integers(0, 2**256 - 1))
def test_mapping_slots__any_holder_and_base__as_the_abi_encoder(holder: bytes, base: int) -> None:
    address = "0x" + holder.hex()

    assert SolidityMapping(base).slots(holder) == (slot_of(["address", "uint256"], [address, base]),)
    assert VyperMapping(base).slots(holder) == (slot_of(["uint256", "address"], [base, address]),)
    assert UsdcPacked(base).slots(holder) == SolidityMapping(base).slots(holder)


def test_th_044_mapping_order__solidity_and_vyper__differ() -> None:
    key = HOLDER.rjust(32, b"\0")

    assert mapping_slot(2, key) != vyper_mapping_slot(2, key)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**32))
def test_mapping_slots__bytes32_row__not_padded(row: bytes, base: int) -> None:
    assert SolidityMapping(base).slots(row) == (slot_of(["bytes32", "uint256"], [row, base]),)


@given(st.integers(0, 2**64), st.integers(0, 2**64))
def test_array_slot__any_element__hash_of_the_base_plus_index(base: int, index: int) -> None:
    assert array_slot(base, index) == (slot_of(["uint256"], [base]) + index) % 2**256


def test_erc7201__openzeppelin_erc20__published_base() -> None:
    # Published in OpenZeppelin's ERC20Upgradeable.
    base = 0x52C63247E1F47DB19D5CE0460030C497F067CA4CEBF71BA98EEADABE20BACE00

    assert erc7201_base("openzeppelin.storage.ERC20") == base
    assert Erc7201Mapping("openzeppelin.storage.ERC20").slots(HOLDER) == SolidityMapping(base).slots(HOLDER)


@pytest.mark.golden
@pytest.mark.parametrize("kind", ["storage_inclusion", "storage_exclusion"])
def test_solidity_mapping__recorded_holders__slots_of_the_chain(kind: str) -> None:
    compared = 0
    for case in cases("proofs/anvil_erc20/storage_proofs.json", kind):
        layout = case["inputs"]["layout"]
        if layout and layout["type"] == "solidity_mapping" and case["inputs"]["holder"]:
            slots = SolidityMapping(int(layout["base_slot"], 16)).slots(unhex(case["inputs"]["holder"]))
            assert slots == (int(case["inputs"]["slot"], 16),)
            compared += 1

    assert compared > 20


def test_lockbox__slots__as_nested_abi_encoding() -> None:
    venues = slot_of(["bytes32", "uint256"], [VENUE, 0])
    assets = slot_of(["address", "uint256"], ["0x" + ASSET.hex(), venues])
    lists = slot_of(["bytes32", "uint256"], [VENUE, 1])
    locks, accounts = LockBoxLocks(VENUE, ASSET), LockBoxAccounts(VENUE)

    assert locks.slots(ACCOUNT) == (slot_of(["bytes32", "uint256"], [ACCOUNT, assets]),)
    assert accounts.slots(b"") == (lists,)
    assert accounts.slots((5).to_bytes(32, "big")) == ((slot_of(["uint256"], [lists]) + 5) % 2**256,)


def test_arrays__length_and_element__base_and_its_hash() -> None:
    index = (9).to_bytes(32, "big")

    assert ArrayLength(6).slots(b"") == AccountArray(6).slots(b"") == (6,)
    assert ArrayElement(6).slots(index) == AccountArray(6).slots(index) == (slot_of(["uint256"], [6]) + 9,)


def test_perp_position__slots__position_twice_and_the_funding_index() -> None:
    positions = slot_of(["bytes32", "uint256"], [MARKET, slot_of(["bytes32", "uint256"], [ACCOUNT, 10])])
    market = slot_of(["bytes32", "uint256"], [MARKET, 9])

    assert PerpVenuePosition(MARKET, 9, 10).slots(ACCOUNT) == (positions, positions + 1, market + 1)
    assert nested_mapping_slot(10, ACCOUNT, MARKET) == positions


# --- words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, 2**128 - 1, 2**255, 2**256 - 1])
def test_plain_words__any_width__as_stored(value: int) -> None:
    plain: tuple[Layout, ...] = (
        SolidityMapping(0),
        VyperMapping(0),
        Erc7201Mapping("x"),
        ArrayLength(0),
        ArrayElement(0),
        AccountArray(0),
        LockBoxLocks(VENUE, ASSET),
        LockBoxAccounts(VENUE),
    )

    assert {layout.decode((value,)) for layout in plain} == {(value,)}


def test_th_044_usdc_packed__flag_and_balance__parted() -> None:
    layout = UsdcPacked(9)

    assert layout.decode((1_000_000,)) == (1_000_000, 0)
    assert layout.decode((2**255 + 1_000_000,)) == (1_000_000, 1)
    assert layout.decode((2**256 - 1,)) == (2**255 - 1, 1)


@pytest.mark.golden
def test_usdc_packed__recorded_packed_value__flag_and_low_bits() -> None:
    compared = 0
    for case in cases("proofs/anvil_erc20/storage_proofs.json", "storage_inclusion"):
        expected = case["expected"]
        if "flag_bit_255" in expected and expected["flag_bit_255"] is not None:
            words = UsdcPacked(0).decode((int(expected["value"], 16),))
            assert words == (int(expected["low_255"], 16), int(expected["flag_bit_255"]))
            compared += 1

    assert compared > 0


@pytest.mark.parametrize(
    ("answer", "updated_at", "round_id"),
    [(0, 0, 0), (1, 1, 1), (-1, 2**64 - 1, 2**80 - 1), (2**191 - 1, 5, 6), (-(2**191), 7, 8)],
)
def test_dev_feed__packed_round__five_words_of_the_getter(answer: int, updated_at: int, round_id: int) -> None:
    packed = (answer % 2**192) | updated_at << 192

    words = DevFeedRound(0).decode((packed, round_id | 1 << 80))

    assert words == (round_id, answer, updated_at, updated_at, round_id)
    assert DevFeedRound(4).slots(b"") == (4, 5)


def position(size: int, entry_price: int, entry_funding: int, realised: int, funding: int) -> tuple[int, ...] | None:
    """Decode a position as the chain stores it; the market's funding index has a neighbour above it."""
    stored = (word128(size, entry_price), word128(entry_funding, realised), word128(funding, 0xABCD))
    return PerpVenuePosition(MARKET, 9, 10).decode(stored)


@pytest.mark.parametrize(
    ("size", "entry_price", "entry_value"),
    [
        (2 * E18, 1500 * E18, 3000 * E18),
        (-2 * E18, 1500 * E18, -3000 * E18),
        (1, 3 * E18 // 2, 1),  # 1.5 units of the last place: floor
        (-1, 3 * E18 // 2, -2),  # -1.5: floor, away from zero
        (1, 1, 0),
        (-1, 1, -1),
        (0, 2**128 - 1, 0),
    ],
)
def test_perp_position__entry_value__floor_of_size_times_price(size: int, entry_price: int, entry_value: int) -> None:
    assert position(size, entry_price, 0, 0, 0) == (size, entry_value, 0)


@pytest.mark.parametrize(
    ("size", "entry_funding", "realised", "funding", "accrued"),
    [
        (2 * E18, 0, 0, 5 * E18, -10 * E18),  # a long pays a rising index
        (-2 * E18, 0, 0, 5 * E18, 10 * E18),  # a short receives it
        (1, 0, 100, E18 // 2, 99),  # owes half a unit, pays one
        (-1, 0, 100, E18 // 2, 100),  # is owed half a unit, receives none
        (1, E18 // 2, 100, 0, 100),  # falling index: a long receives, none of a half
        (-1, E18 // 2, 100, 0, 99),
        (3 * E18, -4 * E18, -7, -4 * E18, -7),
        (0, 5, -(2**127), 9, -(2**127)),
    ],
)
def test_perp_position__accrued__payment_rounded_against_the_account(
    size: int, entry_funding: int, realised: int, funding: int, accrued: int
) -> None:
    assert position(size, E18, entry_funding, realised, funding) == (size, size, accrued)


@given(*[st.integers(-(2**127), 2**127 - 1)] * 4, st.integers(0, 2**128 - 1))
def test_perp_position__any_fields__within_one_unit_against_the_account(
    size: int, entry_funding: int, realised: int, funding: int, entry_price: int
) -> None:
    words = position(size, entry_price, entry_funding, realised, funding)

    assert words is not None
    assert words[0] == size
    assert 0 <= size * entry_price - words[1] * E18 < E18
    exact = realised * E18 - size * (funding - entry_funding)
    assert 0 <= exact - words[2] * E18 < E18
    assert all(-(2**255) <= word < 2**255 for word in words)


def test_perp_position__funding_index_elsewhere__read_there() -> None:
    layout = PerpVenuePosition(MARKET, 9, 10, funding_slot=0, funding_shift=128)

    assert layout.slots(ACCOUNT)[2] == mapping_slot(9, MARKET)
    assert layout.decode((word128(E18, E18), 0, word128(7, -E18))) == (E18, E18, E18)


# --- rows, values, names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "row"),
    [
        (SolidityMapping(0), b""),
        (SolidityMapping(0), b"\1" * 19),
        (VyperMapping(0), b"\1" * 33),
        (Erc7201Mapping("x"), b"\1"),
        (UsdcPacked(0), ACCOUNT),
        (ArrayLength(0), ACCOUNT),
        (ArrayElement(0), b""),
        (AccountArray(0), HOLDER),
        (LockBoxLocks(VENUE, ASSET), HOLDER),
        (LockBoxLocks(VENUE[1:], ASSET), ACCOUNT),
        (LockBoxLocks(VENUE, ASSET[1:]), ACCOUNT),
        (LockBoxAccounts(VENUE), HOLDER),
        (LockBoxAccounts(b""), b""),
        (PerpVenuePosition(MARKET, 9, 10), HOLDER),
        (PerpVenuePosition(b"", 9, 10), ACCOUNT),
        (DevFeedRound(0), HOLDER),
        (SolidityMapping(2**256), HOLDER),
        (SolidityMapping(-1), HOLDER),
    ],
)
def test_slots__row_or_parameter_of_wrong_size__refused(layout: Layout, row: bytes) -> None:
    with pytest.raises(ConstructionRefused):
        layout.slots(row)


@pytest.mark.parametrize(
    "layout", [SolidityMapping(0), UsdcPacked(0), DevFeedRound(0), PerpVenuePosition(MARKET, 9, 10)]
)
def test_decode__another_number_of_words_or_too_wide__refused(layout: Layout) -> None:
    for values in ((), (0,) * 4, (2**256,), (-1,)):
        with pytest.raises(ConstructionRefused):
            layout.decode(values)


def test_array_slot__negative_index__refused() -> None:
    with pytest.raises(ConstructionRefused):
        array_slot(0, -1)


PARAMS: dict[str, dict[str, str | int]] = {
    "solidity_mapping": {"base": 9},
    "vyper_mapping": {"base": "0x2"},
    "erc7201_mapping": {"namespace": "openzeppelin.storage.ERC20"},
    "nested_mapping": {"base": 3, "outer": "0x" + VENUE.hex(), "inner": ""},
    "packed_mapping": {"base": 9, "shift": 0, "bits": 255},
    "usdc_packed": {"base": "9"},
    "share_balance": {"base": 0, "total_slot": 2, "assets_slot": "0x3", "assets_bits": 128},
    "lido_shares": {},
    "scaled_supply": {"base": 52, "pool": "0x" + ASSET.hex(), "asset": "0x" + HOLDER.hex(), "rounding": "half_up"},
    "scaled_debt": {"base": 52, "pool": "0x" + ASSET.hex(), "asset": "0x" + HOLDER.hex(), "compounding": "binomial"},
    "array_length": {"base": 1},
    "array_element": {"base": 1},
    "account_array": {"base": 6},
    "lockbox": {"venue_id": "0x" + VENUE.hex(), "asset": "0x" + ASSET.hex()},
    "lockbox_accounts": {"venue_id": "0x" + VENUE.hex()},
    "perp_position": {"market_id": "0x" + MARKET.hex().upper(), "markets_base": 9, "positions_base": 10},
    "dev_feed": {},
}


def test_layout_from_params__every_kind__built_and_named_apart() -> None:
    built = {kind: layout_from_params(kind, params) for kind, params in PARAMS.items()}

    assert built.keys() == LAYOUTS.keys()
    assert built["solidity_mapping"] == SolidityMapping(9)
    assert built["vyper_mapping"] == VyperMapping(2)
    assert built["lockbox"] == LockBoxLocks(VENUE, ASSET)
    assert built["perp_position"] == PerpVenuePosition(MARKET, 9, 10)
    assert {layout.name for layout in built.values()} == {f"{kind}@1" for kind in LAYOUTS}


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("erc20", {"base": 0}),
        ("solidity_mapping", {}),
        ("solidity_mapping", {"base": 0, "slot": 1}),
        ("solidity_mapping", {"base": "nine"}),
        ("solidity_mapping", {"base": "-1"}),
        ("solidity_mapping", {"base": "0x"}),
        ("solidity_mapping", {"base": "1_0"}),
        ("solidity_mapping", {"base": "9" * 79}),
        ("erc7201_mapping", {"namespace": 7}),
        ("lockbox", {"venue_id": "0x" + VENUE.hex()}),
        ("lockbox", {"venue_id": VENUE.hex(), "asset": "0x" + ASSET.hex()}),
        ("lockbox", {"venue_id": "0x" + VENUE.hex(), "asset": "0x" + "zz" * 20}),
        ("lockbox_accounts", {"venue_id": 7}),
        ("perp_position", {**PARAMS["perp_position"], "funding_shift": 129}),
        ("perp_position", {**PARAMS["perp_position"], "funding_slot": -1}),
    ],
)
def test_layout_from_params__unknown_missing_or_malformed__refused(kind: str, params: dict[str, str | int]) -> None:
    with pytest.raises(ConstructionRefused):
        layout_from_params(kind, params)
