"""`relayer health`: ask the local service whether it is ready; made for container health checks, needs no curl."""

from __future__ import annotations

import http.client
import json
from typing import Annotated

import typer

from relayer.cli.output import ExitCode, Json, JsonOption, reporting

TIMEOUT_S = 4.0
BODY_BYTES_MAX = 64 * 1024


def health(
    address: Annotated[str, typer.Option(help="host:port of the service's API.")] = "127.0.0.1:8547",
    live: Annotated[bool, typer.Option("--live", help="Ask for liveness (the loop turns) only.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the running service whether it is ready; exit code 0 yes, 1 no."""
    path = "/livez" if live else "/readyz"
    with reporting("health@1", as_json) as report:
        try:
            status, body = _asked(address, path)
        except (OSError, http.client.HTTPException) as error:
            problem = f"no answer from {address}{path}: {type(error).__name__}"
            report.fail(ExitCode.UNEXPECTED, f"{problem}; start `relayer run`, or name its api.listen with --address")
            return
        report.result({"status": status, "answer": _parsed(body)})
        if status != http.client.OK:
            report.fail(ExitCode.UNEXPECTED, f"{address}{path} answered {status}")


def _asked(address: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(BODY_BYTES_MAX)
    finally:
        connection.close()


def _parsed(body: bytes) -> Json:
    try:
        parsed: Json = json.loads(body)
    except ValueError:
        return body[:200].decode(errors="replace")
    return parsed
