"""The world and the store that the relayer's tests use."""

from tests.relayer.conftest import file_store, world

__all__ = ["file_store", "world"]
