"""What a verb that waits for proofs tells meanwhile, on standard error."""

from __future__ import annotations

from collections.abc import Callable

from chains.observer import NullObserver
from proofs.types import ChainId


class ProofProgress(NullObserver):
    """Tell how many keys of a proof read are answered, and by whom; nothing else."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def proofs_read(self, chain: ChainId, provider: str, done: int, total: int) -> None:
        """Tell."""
        self._tell(f"{chain}: {done} of {total} keys proven by {provider}")
