"""`relayer health`: ask the local service whether it is ready; made for container health checks, needs no curl."""

from __future__ import annotations

import http.client
import json
from typing import Annotated

import typer

TIMEOUT_S = 4.0
BODY_BYTES_MAX = 64 * 1024


def health(
    address: Annotated[str, typer.Option(help="host:port of the service's API.")] = "127.0.0.1:8547",
    live: Annotated[bool, typer.Option("--live", help="Ask for liveness (the loop turns) only.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing; the exit code answers.")] = False,
) -> None:
    """Ask the running service whether it is ready; exit code 0 yes, 1 no."""
    path = "/livez" if live else "/readyz"
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        status, body = answer.status, answer.read(BODY_BYTES_MAX)
    except (OSError, http.client.HTTPException) as error:
        if not quiet:
            typer.echo(f"no answer from {address}{path}: {type(error).__name__}", err=True)
        raise typer.Exit(1) from error
    finally:
        connection.close()
    if not quiet:
        typer.echo(json.dumps({"status": status, "checks": _parsed(body)}, indent=2))
    raise typer.Exit(0 if status == http.client.OK else 1)


def _parsed(body: bytes) -> object:
    try:
        parsed: object = json.loads(body)
    except ValueError:
        return body[:200].decode(errors="replace")
    return parsed
