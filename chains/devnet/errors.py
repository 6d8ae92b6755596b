"""What can go wrong while a devnet is set up, by what to do about it.

DevnetError
  AnvilMissing      install it: `make install`
  AnvilFailed       read the node's own words, which the error carries
  NodeRefused       a JSON-RPC error of a node, with its code
  Reverted          a call or transaction reverted; carries the decoded custom error where its ABI is known
  ReceiptMissing    a transaction was not mined within its budget
"""

from __future__ import annotations

from chains.errors import ChainError


class DevnetError(ChainError):
    """Root of this package's errors."""


class AnvilMissing(DevnetError):
    """No anvil binary was found."""

    def __init__(self, looked: tuple[str, ...]) -> None:
        super().__init__(f"anvil not found (looked at {', '.join(looked)}): run make install")
        self.looked = looked


class AnvilFailed(DevnetError):
    """A node did not start, or stopped."""

    def __init__(self, chain_id: int, reason: str, output: str = "") -> None:
        super().__init__(f"anvil for chain {chain_id}: {reason}" + (f": {output}" if output else ""))
        self.chain_id = chain_id
        self.reason = reason
        self.output = output


class NodeRefused(DevnetError):
    """A node answered with a JSON-RPC error."""

    def __init__(self, method: str, code: int, message: str, data: str = "") -> None:
        super().__init__(f"{method}: error {code}: {message}")
        self.method = method
        self.code = code
        self.message = message
        self.data = data


class Reverted(DevnetError):
    """A call or transaction reverted. `error` is the custom error's name, "" when it is not one of the ABI."""

    def __init__(self, what: str, error: str, arguments: tuple[object, ...] = (), data: bytes = b"") -> None:
        shown = f"{error}({', '.join(map(_shown, arguments))})" if error else f"0x{data.hex()}"
        super().__init__(f"{what} reverted: {shown}")
        self.what = what
        self.error = error
        self.arguments = arguments
        self.data = data


class ReceiptMissing(DevnetError):
    """Transactions were sent and not mined in time."""

    def __init__(self, missing: int, timeout_s: float) -> None:
        super().__init__(f"{missing} transactions not mined within {timeout_s} s")
        self.missing = missing
        self.timeout_s = timeout_s


def _shown(value: object) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
