"""Keccak-256, the hash of Ethereum (not SHA3-256, which pads differently).

Two backends with equal answers: pysha3 (C, about 0.8 us for 64 bytes) where it is installed, otherwise
pycryptodome (about 3.7 us). Which one was taken is `BACKEND`; `keccak_of` builds either by name.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final, Protocol

from proofs.errors import ConstructionRefused

__all__ = ["BACKEND", "BACKENDS", "keccak256", "keccak_of"]

Hash = Callable[[bytes], bytes]


class _Digest(Protocol):
    def digest(self) -> bytes: ...


def _pysha3() -> Hash:
    constructor: Callable[[bytes], _Digest] = import_module("_pysha3").keccak_256

    def keccak256(data: bytes) -> bytes:
        """Hash bytes to 32 bytes."""
        return constructor(data).digest()

    return keccak256


def _pycryptodome() -> Hash:
    from Crypto.Hash import keccak  # 30 ms to import: only where it is the backend

    def keccak256(data: bytes) -> bytes:
        """Hash bytes to 32 bytes."""
        return keccak.new(digest_bits=256, data=data).digest()

    return keccak256


_BUILDERS: Final = MappingProxyType({"pysha3": _pysha3, "pycryptodome": _pycryptodome})
BACKENDS: Final[tuple[str, ...]] = tuple(_BUILDERS)


def keccak_of(backend: str) -> Hash:
    """Build the hash function of a named backend.

    Raises `ConstructionRefused` for an unknown name and ImportError where the backend is not installed.
    """
    builder = _BUILDERS.get(backend)
    if builder is None:
        raise ConstructionRefused("keccak backend", f"{backend!r} is not one of {', '.join(BACKENDS)}")
    return builder()


BACKEND: Final[str] = "pysha3" if find_spec("_pysha3") is not None else "pycryptodome"
keccak256: Final[Hash] = keccak_of(BACKEND)
