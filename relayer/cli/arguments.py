"""What a verb is given on its command line, parsed. An import of this module loads nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proofs.types import AccountId


def parse_account(text: str) -> AccountId:
    """Read an account: `0x` address, CAIP-10 text, or 32-byte id.

    Raises: ConfigError.
    """
    from proofs.types import AccountId, account_of_address, parse_address, parse_bytes
    from relayer.errors import ConfigError, Fault

    digits = text.rsplit(":", 1)[-1]
    try:
        if len(digits) == 66:
            return AccountId(parse_bytes(digits, 32))
        return account_of_address(parse_address(digits))
    except ValueError:
        fix = "write eip155:<chain>:0x<address> or 0x<32 bytes>"
        raise ConfigError("argument ACCOUNT", Fault("", f"not an account: {text[:80]!r}", fix)) from None
