"""Readers: selectors against their signatures, calldata by hand, and layouts only where the question gives them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

import chains
from chains.collateral.erc20 import IS_BLACKLISTED
from chains.errors import QuestionRefused
from chains.prices.chainlink import ROUND_SIGNED
from chains.questions import ListQuestion, Question, home_rows
from chains.readers import COLLATERAL, LISTS, POSITIONS, PRICES, column_of, list_of
from proofs.layouts import (
    AccountArray,
    DevFeedRound,
    LockBoxAccounts,
    LockBoxLocks,
    PerpVenuePosition,
    SolidityMapping,
    UsdcPacked,
    VyperMapping,
)
from proofs.pins import CodePin
from proofs.sheet import ReadMode
from proofs.types import AccountId, Address, ChainId, Hash32, MarketId

CHAIN = ChainId("eip155:1")
TARGET, TOKEN = Address(b"\x11" * 20), Address(b"\x22" * 20)
VENUE, MARKET = Hash32(b"\x33" * 32), MarketId(b"\x44" * 32)
HOME = AccountId(bytes(12) + b"\x55" * 20)
STRANGE = AccountId(b"\x66" * 32)
PIN = Hash32(b"\x77" * 32)


def _question(kind: str, **fields: object) -> Question:
    return Question("c", CHAIN, kind, TARGET, **fields)  # type: ignore[arg-type]  # fields of the dataclass


def test_selectors__when_recomputed_from_their_signature__then_they_are_equal() -> None:
    sources = [file.read_text(encoding="utf-8") for file in Path(chains.__file__).parent.rglob("*.py")]
    selectors = [hit for text in sources for hit in re.findall(r'bytes\.fromhex\("([0-9a-f]{8})"\)', text)]
    signed = r'bytes\.fromhex\("([0-9a-f]{8})"\)  # (\w+\([\w,]*\))'
    found = [hit for text in sources for hit in re.findall(signed, text)]

    assert selectors == [selector for selector, _ in found]  # each says its signature
    for selector, signature in found:
        assert keccak(text=signature)[:4].hex() == selector, signature


def test_native__when_asked__then_rows_are_home_addresses_and_nothing_is_provable() -> None:
    spec = column_of(_question("native"), (HOME,))

    assert (spec.mode, spec.rows, spec.prefix, spec.signed) == (ReadMode.NATIVE_BALANCE, (b"\x55" * 20,), b"", (False,))
    assert spec.layout is None


def test_erc20__when_the_storage_is_named__then_it_is_provable_under_the_pin() -> None:
    plain = column_of(_question("erc20"), (HOME,))
    proven = column_of(_question("erc20", storage=(("base", 9),), code_hash=PIN), (HOME,))

    assert plain.prefix.hex() == "70a08231"
    assert plain.rows == (b"\x55" * 20,)
    assert plain.layout is None
    assert (proven.layout, proven.code_hash) == (SolidityMapping(9), PIN)


def test_erc20__when_the_layout_is_named__then_it_is_provable_under_all_pins() -> None:
    pins = (CodePin(TOKEN, PIN),)
    proven = column_of(_question("erc20", layout=VyperMapping(3), code_hash=PIN, pins=pins), (HOME,))

    assert (proven.layout, proven.code_hash, proven.pins) == (VyperMapping(3), PIN, pins)


def test_frozen__when_asked__then_the_getter_of_the_question_over_home_addresses() -> None:
    layout = UsdcPacked(9).frozen
    spec = column_of(_question("frozen", layout=layout, getter=IS_BLACKLISTED, code_hash=PIN), (HOME, STRANGE))

    assert (spec.prefix.hex(), spec.signed, spec.layout, spec.code_hash) == ("fe575a87", (False,), layout, PIN)
    assert spec.rows == home_rows((HOME, STRANGE))


def test_frozen__when_no_getter_is_named__then_it_is_refused() -> None:
    with pytest.raises(QuestionRefused, match="selector"):
        column_of(_question("frozen"), (HOME,))


def test_lockbox__when_asked__then_venue_and_asset_precede_the_account() -> None:
    spec = column_of(_question("lockbox", asset=TOKEN, venue_id=VENUE, code_hash=PIN), (HOME, STRANGE))

    assert spec.prefix.hex() == "6a2796b4" + "33" * 32 + "00" * 12 + "22" * 20
    assert spec.rows == (HOME, STRANGE)
    assert (spec.layout, spec.code_hash, spec.target) == (LockBoxLocks(VENUE, TOKEN), PIN, TARGET)


def test_perp_venue__when_asked__then_three_signed_words_follow_the_market() -> None:
    storage = (("markets_base", 9), ("positions_base", 10))
    spec = column_of(_question("perp_venue", market=MARKET, storage=storage), (HOME,))
    unproven = column_of(_question("perp_venue", market=MARKET, storage=storage[:1]), (HOME,))

    assert spec.prefix.hex() == "a0f898da" + "44" * 32
    assert spec.signed == (True, True, True)
    assert spec.layout == PerpVenuePosition(MARKET, 9, 10)
    assert unproven.layout is None


def test_chainlink__when_asked__then_one_row_has_five_words_whatever_the_accounts() -> None:
    spec = column_of(_question("chainlink"), (HOME, STRANGE))
    proven = column_of(_question("chainlink", storage=(("base", 3),)), ())

    assert (spec.rows, spec.prefix.hex(), spec.signed) == ((b"",), "feaf968c", ROUND_SIGNED)
    assert spec.layout is None
    assert (proven.rows, proven.layout) == ((b"",), DevFeedRound(3))


def test_lists__when_asked__then_the_slice_prefix_ends_before_the_last_two_words() -> None:
    locks = list_of(ListQuestion("l", CHAIN, "lockbox", TARGET, VENUE, code_hash=PIN))
    venue = list_of(ListQuestion("v", CHAIN, "perp_venue", TARGET, storage=(("accounts_base", 6),)))
    bare = list_of(ListQuestion("v", CHAIN, "perp_venue", TARGET))

    assert locks.slice_prefix.hex() == "f94e3d91" + "33" * 32
    assert (locks.layout, locks.code_hash) == (LockBoxAccounts(VENUE), PIN)
    assert (venue.slice_prefix.hex(), venue.layout) == ("9aa32c3d", AccountArray(6))
    assert bare.layout is None


@pytest.mark.parametrize(
    ("kind", "fields", "needs"),
    [
        ("lockbox", {"asset": TOKEN}, "venue id"),
        ("lockbox", {"venue_id": VENUE}, "asset"),
        ("perp_venue", {}, "market id"),
        ("perp_venue", {"market": b"short"}, "market id"),
        ("aave", {}, "known kinds are native, erc20, lockbox, perp_venue, chainlink"),
    ],
)
def test_column__when_a_question_lacks_something__then_it_is_refused_by_name(
    kind: str, fields: dict[str, object], needs: str
) -> None:
    with pytest.raises(QuestionRefused, match=needs) as refused:
        column_of(_question(kind, **fields), ())

    assert (refused.value.question, refused.value.kind) == ("c", kind)


def test_list__when_its_kind_is_unknown_or_the_venue_missing__then_it_is_refused() -> None:
    with pytest.raises(QuestionRefused, match="known kinds"):
        list_of(ListQuestion("l", CHAIN, "erc20", TARGET))
    with pytest.raises(QuestionRefused, match="venue id"):
        list_of(ListQuestion("l", CHAIN, "lockbox", TARGET))


def test_home_rows__when_an_id_names_no_address__then_its_row_is_nobodys() -> None:
    rows = home_rows((HOME, STRANGE))

    assert rows == (b"\x55" * 20, keccak(STRANGE)[12:])
    assert rows[1] != b"\x66" * 20
    assert rows[1] != bytes(20)


def test_tables__when_a_kind_is_in_two_of_them__then_a_question_would_be_ambiguous() -> None:
    assert not COLLATERAL.keys() & POSITIONS.keys()
    assert not COLLATERAL.keys() & PRICES.keys()
    assert not POSITIONS.keys() & PRICES.keys()
    assert LISTS.keys() <= COLLATERAL.keys() | POSITIONS.keys()
