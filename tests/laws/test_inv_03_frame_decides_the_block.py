"""INV-3: the frame, not the moment of looking, decides the block."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from chains.fake import FakeChain
from chains.finality import FinalityRule
from proofs.snapshot import Anchor, Reason
from proofs.types import ChainId, Finality

CHAIN = ChainId("eip155:31337001")
RULES = st.sampled_from(
    [
        FinalityRule(Finality.LATEST),
        FinalityRule(Finality.SAFE),
        FinalityRule(Finality.FINALIZED),
        FinalityRule(Finality.CONFIRMATIONS, 3),
    ]
)
STEPS = st.lists(st.integers(0, 30), min_size=1, max_size=15)


@given(STEPS, st.integers(0, 300), RULES)
def test_inv_03_anchor__when_one_history_is_looked_at_at_all_moments__then_it_is_one_block_or_none(
    steps: list[int], bound: int, rule: FinalityRule
) -> None:
    """Look after every block; collect what was seen."""
    fake = FakeChain(CHAIN, genesis_s=5, finality=rule)
    seen = set()
    waited = True
    for step in steps:
        outcome = asyncio.run(fake.anchor(bound))
        if isinstance(outcome, Anchor):
            seen.add(outcome.block)
            waited = False
            assert outcome.block.timestamp_s <= bound
        else:
            assert outcome.reason in (Reason.NOT_YET, Reason.NOT_FINAL, Reason.TOO_OLD)
            assert waited, "a block that was chosen must stay chosen"
        fake.mine(fake.newest.timestamp_s + step)

    assert len(seen) <= 1
    for chosen in seen:
        history = [fake.block(number) for number in range(fake.newest.number + 1)]
        eligible = [block for block in history if block.timestamp_s <= bound]
        assert chosen == max(eligible, key=lambda block: (block.timestamp_s, block.number))
