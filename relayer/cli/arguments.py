"""What a verb is given on its command line, parsed. An import of this module loads nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, TypeVar, get_type_hints

if TYPE_CHECKING:
    from proofs.types import AccountId

Options = TypeVar("Options")


def taking(options: type[Options]) -> Callable[[Callable[[Options], None]], Callable[..., None]]:
    """Hand a verb its arguments and options as one value: they are the fields of a frozen dataclass."""

    def decorate(verb: Callable[[Options], None]) -> Callable[..., None]:
        @wraps(verb)
        def called(**given: object) -> None:
            verb(options(**given))

        # Typer reads signature and annotations: those of the fields, evaluated where the dataclass stands.
        types = get_type_hints(options, include_extras=True)
        fields = signature(options).parameters.values()
        taken = [field.replace(annotation=types[field.name]) for field in fields]
        called.__dict__["__signature__"] = signature(options).replace(parameters=taken)
        called.__annotations__ = types
        return called

    return decorate


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
