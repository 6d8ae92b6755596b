"""Health: the exit code answers, whatever answers on the other side."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from relayer.cli.main import app


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    """Answer every GET alike; yield the address and what is asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (404, 1)])
@pytest.mark.parametrize(("options", "path"), [((), "/readyz"), (("--live",), "/livez")])
def test_health__answered__the_status_decides(status: int, code: int, options: tuple[str, ...], path: str) -> None:
    with answering(status, b'{"ready": true}') as (address, asked):
        done = CliRunner().invoke(app, ["health", "--address", address, "--json", *options])

    assert (done.exit_code, asked) == (code, [path])
    assert json.loads(done.stdout)["data"] == {"status": status, "answer": {"ready": True}}


def test_health__not_json__is_shown_cut_and_without_control_characters() -> None:
    with answering(200, b"\x1b[31m" + b"x" * 1000) as (address, _):
        done = CliRunner().invoke(app, ["health", "--address", address])

    assert done.exit_code == 0
    assert "\x1b" not in done.output
    assert done.output.count("x") < 250


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:port", "no such host"])
def test_health__nobody_there__is_1_and_says_what_to_do(address: str) -> None:
    done = CliRunner().invoke(app, ["health", "--address", address, "--json"])

    assert done.exit_code == 1
    (error,) = json.loads(done.stdout)["errors"]
    assert error.startswith(f"no answer from {address}/readyz: ")
    assert "--address" in error
