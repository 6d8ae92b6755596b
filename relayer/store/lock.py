"""One process owns a store. The lock is the kernel's: it ends with the process, however that ends.

The file beside the database holds the owner's process id, for people; whether it is locked is what counts.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from relayer.errors import StoreFault


class StoreLock:
    """Hold the exclusive lock on a store until closed."""

    __slots__ = ("_descriptor", "path")

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path: Path = path
        self._descriptor: int = descriptor

    def close(self) -> None:
        """Release the lock; the file stays, so that nobody locks a name that another has just removed."""
        os.close(self._descriptor)


def lock_store(database: Path) -> StoreLock:
    """Take the lock of a database.

    Raises: StoreFault when another process holds it, or the folder cannot be written.
    """
    path = database.with_name(database.name + ".lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        fix = "check that the folder exists and who may write to it"
        raise StoreFault(str(database), f"cannot be locked: {reason}", fix) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        problem = f"in use by another relayer (process {owner or 'unknown'})"
        raise StoreFault(str(database), problem, "end it first; two relayers never share a store") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return StoreLock(path, descriptor)
