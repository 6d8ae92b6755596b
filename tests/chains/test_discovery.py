"""Discovery without a node: which places are known, and what a layout must explain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.discovery import (
    Hypothesis,
    Lending,
    Place,
    Sample,
    agreeing,
    distinct,
    hypotheses,
    known_places,
    places,
    sentinels,
)
from chains.limits import PROOF_KEYS_PER_CALL
from proofs.keccak import keccak256
from proofs.layouts import SolidityMapping, VyperMapping, layout_from_params
from proofs.types import Address

HOLDER = Address(b"\x11" * 20)
NOISE = bytes(range(32))
PLAIN = Place("solidity_mapping", {"base": 9}, 1)
LENDING = Lending(Address(b"\x22" * 20), Address(b"\x33" * 20))
WORDS = sentinels(NOISE)


def explained(*results: int | None, place: Place = PLAIN, lending: Lending | None = None) -> list[Hypothesis]:
    return list(hypotheses(place, tuple(zip(WORDS, results, strict=True)), lending))


def test_known_places__of_a_holder__differ_and_fit_one_proof_request() -> None:
    known = list(known_places(HOLDER))

    assert len({place.slot for place in known}) == len(known) == 2 * 301 + 16
    assert len(known) <= PROOF_KEYS_PER_CALL
    for place in known:
        assert layout_from_params(place.kind, place.params).slots(HOLDER) == (place.slot,)


def test_places__touched_slots__only_those_that_are_known() -> None:
    touched = (
        *SolidityMapping(300).slots(HOLDER),
        *VyperMapping(0).slots(HOLDER),
        5,
        *SolidityMapping(301).slots(HOLDER),
    )

    assert {(place.kind, place.params["base"]) for place in places(HOLDER, touched)} == {
        ("solidity_mapping", 300),
        ("vyper_mapping", 0),
    }


@given(st.binary(min_size=32, max_size=32))
def test_sentinels__any_noise__every_bit_is_set_in_one_of_them(noise: bytes) -> None:
    first, second = sentinels(noise)

    assert first | second == 2**256 - 1
    assert first & second == 0


def test_hypotheses__result_is_the_word__a_plain_mapping() -> None:
    assert explained(*WORDS) == [Hypothesis("solidity_mapping", {"base": 9})]
    vyper = Place("vyper_mapping", {"base": 3}, 1)
    assert explained(*WORDS, place=vyper) == [Hypothesis("vyper_mapping", {"base": 3})]


@given(st.integers(0, 192), st.integers(64, 254), st.binary(min_size=32, max_size=32))
def test_hypotheses__any_field_of_any_word__found_with_its_exact_ends(shift: int, bits: int, noise: bytes) -> None:
    if shift + bits <= 256:
        words = sentinels(keccak256(noise))
        probed = tuple((word, word >> shift & (1 << bits) - 1) for word in words)

        assert hypotheses(PLAIN, probed, None) == (
            Hypothesis("packed_mapping", {"base": 9, "shift": shift, "bits": bits}),
        )


def test_hypotheses__low_255_bits__the_layout_with_a_freeze_mark() -> None:
    assert explained(*(word & 2**255 - 1 for word in WORDS)) == [Hypothesis("usdc_packed", {"base": 9})]


def test_hypotheses__growing_with_the_word__scaled_where_there_is_a_pool() -> None:
    grown = [(word & 2**120 - 1) * 11 // 10 for word in WORDS]

    assert explained(*grown) == []
    kinds = explained(*grown, lending=LENDING)
    assert {(one.params["bits"], one.params["rounding"]) for one in kinds} == {
        (120, "down"), (120, "half_up"), (128, "down"), (128, "half_up"),
    }  # fmt: skip
    assert all(one.layout.name == "scaled_supply@1" for one in kinds)


@pytest.mark.parametrize("results", [(None, None), (WORDS[0], None), (7, 7), (WORDS[0], 7)])
def test_th_044_hypotheses__call_fails_or_ignores_the_word__none(results: tuple[int | None, int | None]) -> None:
    assert explained(*results, lending=None) == []


def test_th_044_hypotheses__call_ignores_the_word__not_even_with_a_pool() -> None:
    assert explained(7, 7, lending=LENDING) == []


def test_th_044_reversed_order__a_field_of_it__is_not_guessed() -> None:
    """No layout reads a field of a reversed mapping: nothing is better than something near it."""
    vyper = Place("vyper_mapping", {"base": 3}, 1)

    assert explained(*(word & 2**128 - 1 for word in WORDS), place=vyper) == []


def test_agreeing__holders_with_other_words__are_left_out() -> None:
    samples = [Sample(HOLDER, 5, (5,)), Sample(HOLDER, 6, (7,)), Sample(HOLDER, 0, (0,)), Sample(HOLDER, 5, (5,))]

    agreed = agreeing(SolidityMapping(0), samples, (), 0)

    assert [sample.balance for sample in agreed] == [5, 0, 5]
    assert distinct(agreed) == 1
