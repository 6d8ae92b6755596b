"""Layouts with a rate: worked by hand, against fractions, and against numbers of the deployed contracts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.bundle_text import layout_json
from proofs.errors import ConstructionRefused
from proofs.layouts import (
    BlockLayout,
    Compounding,
    Layout,
    LidoShares,
    NestedMapping,
    PackedMapping,
    Rounding,
    ScaledDebt,
    ScaledSupply,
    ShareBalance,
    SolidityMapping,
    UsdcPacked,
    layout_from_params,
    nested_mapping_slot,
)
from tests.proofs.crafted import hash_of

RAY = 10**27
YEAR = 31_536_000
HOLDER = b"\x11" * 20
POOL = b"\x22" * 20
ASSET = b"\x33" * 20
NOW = 1_700_000_000
WORDS = st.integers(0, 2**256 - 1)

SUPPLY = ScaledSupply(52, POOL, ASSET)
DEBT = ScaledDebt(52, POOL, ASSET)


def reserve(index: int, rate: int, updated_s: int) -> tuple[int, int]:
    """Pack a reserve's words as the pool does; the low half of the last one holds something else."""
    return rate << 128 | index, 7 << 168 | updated_s << 128 | 12345


def value(layout: BlockLayout, words: tuple[int, int], scaled: int, now_s: int = NOW) -> int:
    bound = layout.bind(words, now_s)
    assert bound is not None
    decoded = bound.decode((scaled,))
    assert decoded is not None
    return decoded[0]


# --- scaled balances -------------------------------------------------------------------------------------------------


def test_scaled_supply__half_a_year_at_ten_percent__linear_by_hand() -> None:
    words = reserve(12 * RAY // 10, RAY // 10, NOW - YEAR // 2)

    # 1.2 * (1 + 0.1 / 2) = 1.26
    assert value(SUPPLY, words, 100_000_000) == 126_000_000


def test_scaled_debt__one_year_at_ten_percent__three_terms_by_hand() -> None:
    words = reserve(RAY, RAY // 10, NOW - YEAR)

    # 1 + 0.1 + 0.1 * (0.05 + 0.1 * 0.01666...) = 1.105166666666666666666666667
    assert value(DEBT, words, 10**27) == 1_105_166_666_666_666_666_666_666_667


def test_scaled__updated_in_this_block__the_stored_index() -> None:
    words = reserve(12 * RAY // 10, RAY // 10, NOW)

    assert value(SUPPLY, words, 50) == 60
    assert value(DEBT, words, 50) == 60


@pytest.mark.parametrize(("rounding", "expected"), [("down", 10), ("half_up", 11), ("up", 11)])
def test_scaled__half_a_unit_over__rounded_as_the_revision_says(rounding: str, expected: int) -> None:
    words = reserve(15 * RAY // 10, 0, NOW)

    assert value(replace(SUPPLY, rounding=Rounding(rounding)), words, 7) == expected
    assert value(replace(DEBT, rounding=Rounding(rounding)), words, 7) == expected


@pytest.mark.parametrize(("rounding", "expected"), [("down", 7), ("half_up", 7), ("up", 8)])
def test_scaled__a_ray_over__only_up_counts_it(rounding: str, expected: int) -> None:
    words = reserve(RAY + 1, 0, NOW)

    assert value(replace(DEBT, rounding=Rounding(rounding)), words, 7) == expected


def test_scaled__upper_bits_of_the_user_state__no_part_of_the_balance() -> None:
    words = reserve(RAY, 0, NOW)
    word = (2**256 - 2**120) | 5

    assert value(SUPPLY, words, word) == 5
    assert value(replace(SUPPLY, bits=128), words, word) == (2**128 - 2**120) | 5


def test_scaled__reserve_of_the_future__reverts_for_everybody() -> None:
    words = reserve(RAY, RAY, NOW + 1)

    assert SUPPLY.bind(words, NOW) is None
    assert DEBT.bind(words, NOW) is None


def test_scaled__decoded_without_a_block__refused() -> None:
    for layout in (SUPPLY, DEBT):
        with pytest.raises(ConstructionRefused, match="bound to a block"):
            layout.decode((1,))


def test_scaled__slots__user_in_the_token_and_reserve_in_the_pool() -> None:
    place = int.from_bytes(hash_of(ASSET.rjust(32, b"\0") + (52).to_bytes(32, "big")), "big")

    assert SUPPLY.slots(HOLDER) == SolidityMapping(52).slots(HOLDER)
    assert SUPPLY.shared() == ((POOL, place + 1), (POOL, place + 3))
    assert DEBT.shared() == ((POOL, place + 2), (POOL, place + 3))


@given(
    st.integers(RAY, 10 * RAY),
    st.integers(0, 5 * RAY),
    st.integers(0, 20 * YEAR),
    st.integers(0, 2**100),
    st.sampled_from(Rounding),
)
def test_scaled_supply__any_reserve__the_fraction_rounded(
    index: int, rate: int, elapsed_s: int, scaled: int, rounding: Rounding
) -> None:
    grown = Fraction(RAY + floor(Fraction(rate * elapsed_s, YEAR)), RAY)
    at_block = floor(grown * index + Fraction(1, 2))
    exact = Fraction(scaled * at_block, RAY)
    expected = {"down": floor(exact), "half_up": floor(exact + Fraction(1, 2)), "up": ceil(exact)}[rounding]

    got = value(replace(SUPPLY, rounding=rounding), reserve(index, rate, NOW - elapsed_s), scaled)

    assert got == expected


@given(st.integers(0, RAY), st.integers(0, YEAR))
def test_scaled_debt__both_forms__near_the_exponential_series(rate: int, elapsed_s: int) -> None:
    """Both approximate 1 + x + x^2/2 + x^3/6; the binomial one lacks terms of the order of x / t."""
    x = Fraction(rate * elapsed_s, YEAR * RAY)
    series = 1 + x + x**2 / 2 + x**3 / 6
    slack = 4 + RAY * (x**2 + x**3) / max(elapsed_s, 1) + 2 * elapsed_s**2 + elapsed_s**3 // 2

    taylor = value(DEBT, reserve(RAY, rate, NOW - elapsed_s), RAY)
    binomial = value(replace(DEBT, compounding=Compounding.BINOMIAL), reserve(RAY, rate, NOW - elapsed_s), RAY)

    assert abs(taylor - series * RAY) <= 4
    assert series * RAY - slack <= binomial <= series * RAY + 4


def test_scaled_debt__binomial_by_hand() -> None:
    # Rate of exactly 1e-3 a second: b2 = 1e-6, b3 = 1e-9; after 3 s: 1 + 0.003 + 3 * 1e-6 + 1e-9.
    words = reserve(RAY, YEAR * RAY // 1000, NOW - 3)

    got = value(replace(DEBT, compounding=Compounding.BINOMIAL), words, RAY)

    assert got == RAY + 3 * 10**24 + 3 * 10**21 + 10**18


# --- shares ----------------------------------------------------------------------------------------------------------


def test_share_balance__assets_above_shares__rounded_down() -> None:
    layout = ShareBalance(0, 2, 3)

    assert layout.slots(HOLDER)[1:] == (2, 3)
    assert layout.decode((10, 3, 10)) == (33,)
    assert layout.decode((0, 0, 10)) == (0,)
    assert layout.decode((2**255, 1, 4)) is None


def test_share_balance__packed_totals__only_their_fields() -> None:
    layout = ShareBalance(0, 2, 2, total_bits=128, assets_shift=128, assets_bits=128)

    assert layout.decode((10, 200 << 128 | 100, 200 << 128 | 100)) == (20,)


def test_lido_shares__internal_rate_without_external_shares() -> None:
    # 1,000 shares of which 200 external; 900 ether buffered and seen, one validator on its way: 932 / 800.
    buffer = 5 << 128 | 500 * 10**18
    consensus = 4 << 128 | 400 * 10**18
    totals = 200 * 10**18 << 128 | 1000 * 10**18

    assert LidoShares().decode((8 * 10**18, totals, buffer, consensus)) == (9_320_000_000_000_000_000,)


def test_lido_shares__impossible_totals__the_getter_reverts() -> None:
    assert LidoShares().decode((1, 5 << 128 | 5, 10, 10)) is None
    assert LidoShares().decode((1, 10, 1 << 128, 2 << 128)) is None


def test_lido_shares__published_positions() -> None:
    """The positions stand in the contract's source; the shares of the wrapped token lie at f37caed3..."""
    wrapped = bytes.fromhex("7f39c581f595b53c5cb19bd0b3f8da6c935e2ca0")
    shares, totals, buffer, consensus = LidoShares().slots(wrapped)

    assert f"{shares:064x}".startswith("f37caed32e4e49c83636e0f1684f3f4a9a23c463a49eb17cd63abd50680b")
    assert f"{totals:064x}" == "6038150aecaa250d524370a0fdcdec13f2690e0723eaf277f41d7cae26b359e6"
    assert f"{buffer:064x}" == "a84c096ee27e195f25d7b6c7c2a03229e49f1a2a5087e57ce7d7127707942fe3"
    assert f"{consensus:064x}" == "c36804a03ec742b57b141e4e5d8d3bd1ddb08451fd0f9983af8aaab357a78e2f"


# --- packed and nested -----------------------------------------------------------------------------------------------


@given(WORDS)
def test_usdc_packed__its_two_getters__share_the_word(word: int) -> None:
    packed = UsdcPacked(9)
    balance, frozen = packed.balance.decode((word,)), packed.frozen.decode((word,))

    assert balance is not None
    assert frozen is not None
    assert packed.decode((word,)) == (*balance, *frozen)
    assert packed.slots(HOLDER) == packed.balance.slots(HOLDER) == packed.frozen.slots(HOLDER)


@pytest.mark.parametrize(("shift", "bits"), [(-1, 8), (0, 0), (1, 256), (255, 2)])
def test_packed_mapping__field_outside_the_word__refused(shift: int, bits: int) -> None:
    with pytest.raises(ConstructionRefused):
        PackedMapping(0, shift, bits)


def test_nested_mapping__row_between_fixed_keys__outermost_first() -> None:
    outer, inner = hash_of(b"outer"), hash_of(b"inner")
    row = HOLDER.rjust(32, b"\0")

    assert NestedMapping(4).slots(HOLDER) == SolidityMapping(4).slots(HOLDER)
    assert NestedMapping(4, outer, inner).slots(HOLDER) == (nested_mapping_slot(4, outer, row, inner),)
    with pytest.raises(ConstructionRefused):
        NestedMapping(4, b"\1" * 31)


# --- by name ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layout",
    [
        NestedMapping(4, hash_of(b"a"), b""),
        PackedMapping(9, 0, 255),
        ShareBalance(0, 2, 2, 0, 128, 128, 128),
        LidoShares(),
        replace(SUPPLY, rounding=Rounding.HALF_UP, bits=128),
        replace(DEBT, compounding=Compounding.BINOMIAL),
    ],
)
def test_layouts_with_parameters__written_to_a_bundle__rebuilt(layout: Layout) -> None:
    written = layout_json(layout)

    assert isinstance(written, dict)
    assert isinstance(written["params"], dict)
    params = {key: str(text) for key, text in written["params"].items()}
    assert layout_from_params(layout.name.partition("@")[0], params) == layout


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("scaled_supply", {"base": 52, "pool": "0x22", "asset": "0x" + "33" * 20}),
        ("scaled_supply", {"base": 52, "pool": "0x" + "22" * 20, "asset": "0x" + "33" * 20, "rounding": "nearest"}),
        ("scaled_supply", {"base": 52, "pool": "0x" + "22" * 20, "asset": "0x" + "33" * 20, "compounding": "taylor"}),
        ("scaled_debt", {"base": 52, "pool": "0x" + "22" * 20, "asset": "0x" + "33" * 20, "bits": 257}),
        ("packed_mapping", {"base": 9, "shift": 250, "bits": 8}),
        ("nested_mapping", {"base": 9, "outer": "0x1234"}),
        ("share_balance", {"base": 9, "total_slot": 1}),
        ("erc7201_mapping", {"namespace": "a", "offset": 256}),
    ],
)
def test_layout_from_params__impossible_parameters__refused(kind: str, params: dict[str, str | int]) -> None:
    with pytest.raises(ConstructionRefused):
        layout_from_params(kind, params)
