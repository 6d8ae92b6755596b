"""A provider's URL is a secret: its path or user part often carries the key that pays for it.

`SecretUrl` shows its scheme and nothing else, wherever it is printed, logged, compared or put into an error.
"""

from __future__ import annotations

from typing import Final, NoReturn
from urllib.parse import urlsplit

from chains.errors import SecretRefused

_SCHEMES: Final = frozenset({"http", "https"})


class SecretUrl:
    """Hold the URL of a provider and keep it to itself.

    Raises: `SecretRefused` for anything but an http or https URL with a host.
    """

    __slots__ = ("__reveal", "scheme")

    def __init__(self, url: str) -> None:
        if any(ord(char) <= 0x20 or ord(char) == 0x7F for char in url):
            raise SecretRefused("has blanks or control characters")
        scheme, host = _scheme_and_host(url)
        if scheme not in _SCHEMES:
            raise SecretRefused("has to begin with http:// or https://")
        if not host:
            raise SecretRefused("names no host")
        self.scheme: str = scheme
        self.__reveal: str = url

    def reveal(self) -> str:
        """Return the URL, for the one client that connects to it."""
        return self.__reveal

    def mask(self, text: str) -> str:
        """Replace the URL, its host and every longer part of it in a text that somebody else wrote."""
        parts = urlsplit(self.__reveal)
        secrets = {self.__reveal, parts.netloc, parts.hostname or "", parts.path, parts.query}
        secrets |= set(parts.path.split("/")) | {parts.username or "", parts.password or ""}
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= 4:
                text = text.replace(secret, "***")
        return text

    def __repr__(self) -> str:
        return f"SecretUrl({self.scheme}://***)"

    def __str__(self) -> str:
        return f"{self.scheme}://***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretUrl) and other.reveal() == self.__reveal

    def __hash__(self) -> int:
        return hash(self.__reveal)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a SecretUrl does not leave its process")


def _scheme_and_host(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        _ = parts.port
        host = parts.hostname or ""
        _ = host.encode("idna")  # what the resolver does with a name; refuses empty labels and those above 63 bytes
        return parts.scheme, host
    except ValueError:
        pass
    raise SecretRefused("cannot be parsed")
