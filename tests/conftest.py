"""What all tests share: no connection leaves this machine, and Hypothesis never judges by time."""

from __future__ import annotations

import os
import signal
import socket

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100)
settings.register_profile("fuzz", deadline=None, suppress_health_check=list(HealthCheck), max_examples=20_000)
# A shell that starts this in the background leaves interrupts ignored, and every process that a test interrupts too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def checked(sock: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else "local"
        if sock.family in (socket.AF_INET, socket.AF_INET6) and host not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address!r}; tests talk to this machine only")
        connect(sock, address)

    monkeypatch.setattr(socket.socket, "connect", checked)
