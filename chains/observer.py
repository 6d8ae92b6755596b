"""What happens while chains are read, as a port: one method per event that means something to an operator.

`provider` is the label of the configuration. An observer must return at once and must not raise.
"""

from __future__ import annotations

from typing import Protocol

from proofs.types import ChainId


class ChainObserver(Protocol):
    """Take notice."""

    def rpc_answered(self, chain: ChainId, provider: str, method: str, calls: int, seconds: float, result: str) -> None:
        """One HTTP request ended. `calls` counts its JSON-RPC calls; `result`: ok, cancelled or an error's name."""
        ...

    def rate_limited(self, chain: ChainId, provider: str) -> None:
        """A provider asked us to slow down."""
        ...

    def dissent(self, chain: ChainId, provider: str, kind: str, detail: str) -> None:
        """A provider contradicted the quorum or itself. `kind`: anchor, header, accounts, sheet, chain_id or answer."""
        ...

    def head_seen(self, chain: ChainId, provider: str, tag: str, number: int, timestamp_s: int) -> None:
        """A provider named a head. `tag`: latest, safe or finalized."""
        ...

    def reorg_seen(self, chain: ChainId, provider: str, number: int, depth: int) -> None:
        """A provider shows another block at a height it had shown before; `depth` counts blocks replaced so far."""
        ...

    def proofs_read(self, chain: ChainId, provider: str, done: int, total: int) -> None:
        """A request of a long proof read was answered: `done` of `total` keys, accounts without keys counted as one."""
        ...


class NullObserver:
    """Take no notice."""

    def rpc_answered(self, chain: ChainId, provider: str, method: str, calls: int, seconds: float, result: str) -> None:
        """Ignore."""

    def rate_limited(self, chain: ChainId, provider: str) -> None:
        """Ignore."""

    def dissent(self, chain: ChainId, provider: str, kind: str, detail: str) -> None:
        """Ignore."""

    def head_seen(self, chain: ChainId, provider: str, tag: str, number: int, timestamp_s: int) -> None:
        """Ignore."""

    def reorg_seen(self, chain: ChainId, provider: str, number: int, depth: int) -> None:
        """Ignore."""

    def proofs_read(self, chain: ChainId, provider: str, done: int, total: int) -> None:
        """Ignore."""
