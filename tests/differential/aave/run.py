"""Run one random book on a node of its own."""

from __future__ import annotations

from collections import Counter

from chains.devnet.nodes import start_anvil
from tests.differential.aave.book import Book
from tests.differential.aave.chain import Chain
from tests.differential.aave.pools import SETUPS

CHAIN_NUMBER = 31337001
NO_FEES = ("--gas-price", "0", "--base-fee", "0", "--prune-history", "50")


def run_book(revision: str, steps: int, seed: int) -> Counter[str]:
    """Return what happened; raises Mismatch at the first figure that differs."""
    with start_anvil(CHAIN_NUMBER, block_time_s=None, extra=NO_FEES) as node:
        book = Book(SETUPS[revision](Chain(node)), seed)
        book.open()
        book.run(steps)
    return book.counts
