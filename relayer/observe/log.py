"""The log: one line per event, on one stream, as text or JSON. Only `relayer.observe` writes to it.

No secret that was named to it leaves in a line, whoever wrote the text; control characters are shown as escapes, so
that nothing read from a chain can forge a line or move a terminal's cursor.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Final, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from relayer.config.operator import LogFormat

SECRET_CHARS_MIN: Final = 6
"""Shorter texts are words; replacing them would eat the log and hide nothing."""
TEXT_CHARS_MAX: Final = 4000
MASK: Final = "***"
INFO: Final = 20
_NOT_SECRET: Final = frozenset({"localhost", "127.0.0.1"})
_URL_MARKS: Final = re.compile(r"[/?#@:&=]")

Fields = MutableMapping[str, object]


def event_log(log_format: LogFormat, secrets: Iterable[str], stream: TextIO | None = None) -> FilteringBoundLogger:
    """Return a logger of its own configuration, by default to what is standard error now; nothing global is touched."""
    stream = sys.stderr if stream is None else stream
    render: Processor = (
        structlog.processors.JSONRenderer(sort_keys=False, default=str)
        if log_format is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), sort_keys=False)
    )
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            scrubber(secrets),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(INFO),
        context_class=dict,
        cache_logger_on_first_use=False,
    )
    return logger


def scrubber(secrets: Iterable[str]) -> Processor:
    """Return a processor that masks the given secrets, escapes control characters and bounds lengths."""
    texts = {part for secret in secrets for part in _parts(secret) if len(part) >= SECRET_CHARS_MIN}
    hidden = tuple(sorted(texts, key=len, reverse=True))

    def scrub(logger: object, name: str, fields: Fields) -> Fields:
        del logger, name
        return {key: _clean(value, hidden) for key, value in fields.items()}

    return scrub


def _parts(secret: str) -> set[str]:
    """Return a secret and, of a URL, every part of it that an error of a library could quote alone."""
    _, found, rest = secret.partition("://")
    return {secret} | (set(_URL_MARKS.split(rest)) - _NOT_SECRET if found else set())


def _clean(value: object, hidden: tuple[str, ...]) -> object:
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [_clean(item, hidden) for item in value]
    text = str(value)
    for secret in hidden:
        text = text.replace(secret, MASK)
    return escaped(text if len(text) <= TEXT_CHARS_MAX else text[:TEXT_CHARS_MAX] + " ... (cut)")


def escaped(text: str) -> str:
    """Show control, format and direction characters as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
