"""INV-18: incremental equals full: the same bytes, whatever was reused."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.attestation import abi_leaf, accounts_tree
from proofs.types import Quality
from relayer.book import next_book
from tests.relayer.margin.build import RULES, World, account
from tests.relayer.margin.strategies import UNHURRIED
from tests.relayer.test_book import CHANGES, apply


@settings(max_examples=40, deadline=None, suppress_health_check=UNHURRIED)
@given(st.lists(st.lists(CHANGES, max_size=2), min_size=1, max_size=5))
def test_inv_18__any_events__leaves_and_root_equal_those_of_a_fresh_book(stream) -> None:
    world, book = World([account(number) for number in range(1, 6)]), None

    for changes in stream:
        for change in changes:
            apply(world, change)
        snapshot = world.snapshot()
        book = next_book(book, snapshot, world.accounts, RULES, Quality.DEVNET)
        fresh = next_book(None, snapshot, world.accounts, RULES, Quality.DEVNET)

        assert [abi_leaf(view.leaf) for view in book.views] == [abi_leaf(view.leaf) for view in fresh.views]
        assert book.views == fresh.views
        if book.views:
            leaves = [view.leaf for view in book.views]
            assert accounts_tree(leaves).root == accounts_tree([view.leaf for view in fresh.views]).root
        world.advance(7)
