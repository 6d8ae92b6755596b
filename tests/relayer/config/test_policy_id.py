"""The policy id: what it depends on, and that somebody else computes the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from Crypto.Hash import keccak
from hypothesis import given
from hypothesis import strategies as st

from proofs.types import to_hex
from relayer.config.policy_document import canonical_text, parse_policy
from tests.relayer.config.documents import POLICY_TEXT, changed, policy

VECTOR = json.loads((Path(__file__).parent / "policy_id.json").read_text())


def test_policy_id__the_sample__is_what_another_implementation_computed() -> None:
    given_policy = policy()

    assert given_policy.canonical.decode() == VECTOR["canonical"]
    assert to_hex(given_policy.policy_id) == VECTOR["policy_id"]
    assert keccak.new(digest_bits=256, data=VECTOR["canonical"].encode()).digest() == given_policy.policy_id


def test_policy_id__comments_order_and_spelling_of_tables__do_not_matter() -> None:
    reordered = changed(POLICY_TEXT, "version", 3)  # one line per key, inline tables, no comments

    assert reordered != POLICY_TEXT
    assert parse_policy("# a comment\n" + reordered).policy_id == policy().policy_id


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 4),
        ("frame_s", 61),
        ("status.clear", "1.06"),
        ("status.warning", "1.2"),
        ("chain.1.lag_s", 31),
        ("chain.0.devnet", False),
        ("venue.market.0.maintenance_margin_ppm", 49_999),
        ("source.0.release_delay_s", 7_201),
        ("assurance", [{"level": 2}]),
        ("asset.1.places.0.id", "eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"),
    ],
)
def test_th_069_policy_id__each_altered_field__is_another_policy(path: str, value: object) -> None:
    assert parse_policy(changed(POLICY_TEXT, path, value)).policy_id != policy().policy_id


plain = st.recursive(
    st.text() | st.integers(-(2**53) + 1, 2**53 - 1) | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)


def by_hand(value: object) -> str:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{by_hand(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(by_hand, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


@given(st.dictionaries(st.text(min_size=1), plain, max_size=5))
def test_canonical_text__any_document__is_rfc_8785_by_hand(document: dict[str, object]) -> None:
    # DEL is the one character that Python's json escapes differently from RFC 8785 only under ensure_ascii=True.
    assert canonical_text(document).decode() == by_hand(document)
