"""The port through which one network is read.

An adapter knows nothing of margin. It is asked for a block by time, then for everything else at that block's hash.
Expected failures come back as `Unavailable`; what is raised is a bug. No method waits longer than the adapter's budget.

`tests/conformance/test_chain_adapter.py` is the contract in executable form: the EVM adapter over a real node and
`chains.fake.FakeChain` pass the same suite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from proofs.sheet import AccountList, AccountListSpec, ColumnSpec
from proofs.snapshot import Anchor, ChainReading, ContractProof, Unavailable
from proofs.types import Address, BlockRef, ChainId

NEWEST_S: Final = 2**40
"""Asked of `anchor`, this or anything later (the year 36812) means "the newest block now, whatever its finality"."""


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """Ask for one contract's account proof and the storage proofs of `slots` (any number; the adapter chunks them)."""

    target: Address
    slots: tuple[int, ...]


class ChainAdapter(Protocol):
    """Read one chain."""

    @property
    def chain(self) -> ChainId:
        """Return the chain this adapter reads."""
        ...

    async def anchor(self, not_after_s: int) -> Anchor | Unavailable:
        """Return the newest block with timestamp <= `not_after_s`, once a later block shows that it is the newest
        and the finality policy is met; `Unavailable` NOT_YET or NOT_FINAL before that. `not_after_s` from `NEWEST_S`
        on means "the newest block now, whatever its finality" and is used for provisional reads only.
        """
        ...

    async def accounts(
        self, block: BlockRef, specs: Sequence[AccountListSpec]
    ) -> tuple[AccountList, ...] | Unavailable:
        """Return the accounts each contract names at that block, in spec order, agreed by the provider quorum."""
        ...

    async def read(
        self,
        anchor: Anchor,
        lists: tuple[AccountListSpec, ...],
        listed: tuple[AccountList, ...],
        columns: tuple[ColumnSpec, ...],
    ) -> ChainReading | Unavailable:
        """Answer all columns at the anchor's block hash, agreed by the provider quorum, without proofs."""
        ...

    async def prove(
        self, block: BlockRef, requests: Sequence[ProofRequest], without: frozenset[str]
    ) -> tuple[ContractProof, ...] | Unavailable:
        """Fetch proofs at that block from one provider not named in `without`, merged per contract; unverified."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
