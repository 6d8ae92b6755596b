"""Handlers: one short function per route; they read memory and the store, and never ask a chain.

A handler returns a `Reply` or raises a `Problem`. Headers, conditional requests and faults are the server's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import orjson

from proofs.types import AccountId
from relayer.api.answers import Answer, FrameAnswers, Freshness, answer_of, answer_of_bytes, flags_page, frame_body
from relayer.api.board import Board
from relayer.api.parameters import LIMIT_DEFAULT, parse_account, parse_cursor, parse_frame, parse_limit
from relayer.api.problems import Code, Problem
from relayer.api.whatif import Asked, answer_bytes, changes_of, parse_body
from relayer.book import Book
from relayer.flags import FlagState
from relayer.pipeline.health import Health
from relayer.store.port import Frames
from relayer.whatif import place_of

STORE_READS_MAX: Final = 4
"""Reads of history at once; a flood of them is told to come back and cannot hold up the writer."""
STORE_RETRY_S: Final = 1
METRICS_S: Final = 1.0
"""A page of metrics is made once a second at most: rendering takes 20 ms of the loop, scrapers ask every 15 s."""
BUNDLE_TYPE: Final = "application/gzip"
WHATIFS_MAX: Final = 1
"""What-if questions at once, each in a thread of its own: they share the processor with the frames."""


class Metrics(Protocol):
    """Render all metrics in the Prometheus text format."""

    def render(self) -> tuple[bytes, str]:
        """Return the page and its content type."""
        ...


class Books(Protocol):
    """Hand over the book of the newest frame."""

    @property
    def book(self) -> Book | None:
        """Return the book, for reading; None before the first frame since the start."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """Hold what a caller said, checked for size and known names only."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """Hold an answer, how long it may be kept, and whether it is an error status (health checks only)."""

    answer: Answer
    max_age_s: int = 0
    status: int = 200


class Handlers:
    """Answer the routes from the board, the store, the book and the health record."""

    def __init__(self, board: Board, frames: Frames, health: Health, metrics: Metrics, books: Books) -> None:
        self._board = board
        self._frames = frames
        self._health = health
        self._metrics = metrics
        self._books = books
        self._store_reads = asyncio.Semaphore(STORE_READS_MAX)
        self._whatifs = asyncio.Semaphore(WHATIFS_MAX)
        self._page: Answer | None = None
        self._page_at_s = 0.0

    async def accounts(self, question: Question) -> Reply:
        """List accounts of the newest evaluated frame."""
        latest, freshness = self._latest()
        after, limit = _page_of(question.query)
        return self._timed(latest.page(after, limit, freshness), latest)

    async def account(self, question: Question) -> Reply:
        """Show one account without its lines."""
        account = self._account_id(question)
        latest, freshness = self._latest()
        return self._found(latest.account(account, freshness), latest)

    async def explanation(self, question: Question) -> Reply:
        """Show one account with every line that its figures sum from."""
        account = self._account_id(question)
        latest, freshness = self._latest()
        return self._found(latest.explanation(account, freshness), latest)

    async def attestation(self, question: Question) -> Reply:
        """Serve root, signatures, leaf and proof of one account, ready for a contract call."""
        account = self._account_id(question)
        signed = self._board.signed
        if signed is None:
            raise Problem(Code.NOT_SIGNED, "no frame has been signed since the service knows", self._frame_s)
        if signed.freshness(self._now_s) is Freshness.STALE:
            detail = f"frame {signed.row.frame} was valid until {signed.valid_until_s}"
            raise Problem(Code.EXPIRED, detail, self._frame_s)
        return self._found(signed.attestation(account), signed)

    async def flags(self, question: Question) -> Reply:
        """List flags that are not clear."""
        self._latest()  # before the first frame nobody knows that nothing is flagged
        after, limit = _page_of(question.query)
        state = question.query.get("state")
        if state is not None and state not in {member.value for member in FlagState}:
            raise Problem(Code.PARAMETER, f"state is one of {', '.join(FlagState)}")
        chosen = [flag for flag in self._board.flags if state in (None, flag.state)]
        return Reply(flags_page(chosen, self._board.flags_seen_s, after, limit))

    async def frame_latest(self, question: Question) -> Reply:  # noqa: ARG002  # all handlers have one form
        """Show the newest evaluated frame."""
        latest, _ = self._latest()
        return self._timed(latest.frame(), latest)

    async def frame(self, question: Question) -> Reply:
        """Show one frame of the history."""
        frame = parse_frame(question.path["frame"])
        async with self._store_read():
            row = await self._frames.frame(self._board.policy.policy_id, frame)
        if row is None:
            raise Problem(Code.UNKNOWN_FRAME, f"frame {frame} was not evaluated here")
        return Reply(answer_of_bytes(frame_body(orjson.loads(row.summary_json), row.signed)), self._frame_s)

    async def bundle(self, question: Question) -> Reply:
        """Serve a frame's evidence bundle for offline verification."""
        frame = parse_frame(question.path["frame"])
        async with self._store_read():
            archive = await self._frames.bundle(self._board.policy.policy_id, frame)
        signed = self._board.signed
        if archive is None and signed is not None and frame == signed.row.frame:
            raise Problem(Code.BUNDLE_PENDING, f"frame {frame} was signed just now", STORE_RETRY_S)
        if archive is None:
            raise Problem(Code.NO_BUNDLE, f"frame {frame} was skipped, dropped or never evaluated here")
        return Reply(answer_of_bytes(archive, BUNDLE_TYPE), self._frame_s)

    async def whatif(self, question: Question) -> Reply:
        """Answer what an account, and on request the whole book, would look like after some changes."""
        body = parse_body(question.body)
        account = parse_account(body.account, self._board.policy.venue.chain)
        latest, freshness = self._latest()
        book = self._books.book
        if book is None:
            raise Problem(Code.NO_FRAME, "no frame has been evaluated since the service started", self._frame_s)
        if freshness is Freshness.STALE:
            raise Problem(
                Code.EXPIRED, f"frame {latest.row.frame} was valid until {latest.valid_until_s}", self._frame_s
            )
        if place_of(book, account) is None:
            raise Problem(Code.UNKNOWN_ACCOUNT, f"frame {book.frame_s} has no such account")
        asked = Asked(account, changes_of(body, book.rules), body.flips)
        if self._whatifs.locked():
            raise Problem(Code.BUSY, f"{WHATIFS_MAX} what-if under way", STORE_RETRY_S)
        async with self._whatifs:
            answered = await asyncio.to_thread(answer_bytes, book, asked)
        return Reply(answer_of_bytes(answered))

    async def signers(self, question: Question) -> Reply:  # noqa: ARG002  # all handlers have one form
        """Show signer set, quorum and domain."""
        return Reply(self._board.signers, self._frame_s)

    async def livez(self, question: Question) -> Reply:  # noqa: ARG002  # all handlers have one form
        """Tell whether the loop turns; depends on nothing else."""
        is_alive = self._health.is_alive(self._board.clock.monotonic_s())
        return Reply(answer_of({"alive": is_alive}), status=200 if is_alive else 503)

    async def readyz(self, question: Question) -> Reply:  # noqa: ARG002  # all handlers have one form
        """Tell whether what is served is worth serving, dependency by dependency."""
        checks = self._health.checks(self._board.clock.monotonic_s())
        is_ready = all(check.is_ok for check in checks)
        listed = [{"name": check.name, "ok": check.is_ok, "detail": check.detail} for check in checks]
        return Reply(answer_of({"ready": is_ready, "checks": listed}), status=200 if is_ready else 503)

    async def metrics(self, question: Question) -> Reply:  # noqa: ARG002  # all handlers have one form
        """Serve metrics in the Prometheus text format."""
        now_s = self._board.clock.monotonic_s()
        if self._page is None or now_s - self._page_at_s >= METRICS_S:
            page, content_type = self._metrics.render()
            self._page, self._page_at_s = answer_of_bytes(page, content_type), now_s
        return Reply(self._page)

    @property
    def _now_s(self) -> float:
        return self._board.clock.now_s()

    @property
    def _frame_s(self) -> int:
        return self._board.policy.frame_s

    def _latest(self) -> tuple[FrameAnswers, Freshness]:
        if self._board.latest is None:
            raise Problem(Code.NO_FRAME, "the first frame is still being read", self._frame_s)
        return self._board.latest, self._board.latest.freshness(self._now_s)

    def _account_id(self, question: Question) -> AccountId:
        return parse_account(question.path["account"], self._board.policy.venue.chain)

    def _found(self, answer: Answer | None, frame: FrameAnswers) -> Reply:
        if answer is None:
            raise Problem(Code.UNKNOWN_ACCOUNT, f"frame {frame.row.frame} has no such account")
        return self._timed(answer, frame)

    def _timed(self, answer: Answer, frame: FrameAnswers) -> Reply:
        """Let an answer be kept no longer than a frame lasts, nor than its evidence holds."""
        left_s = int(frame.valid_until_s - self._now_s)
        return Reply(answer, max(0, min(self._frame_s, left_s)))

    def _store_read(self) -> asyncio.Semaphore:
        if self._store_reads.locked():
            raise Problem(Code.BUSY, f"{STORE_READS_MAX} reads of history are under way", STORE_RETRY_S)
        return self._store_reads


def _page_of(query: Mapping[str, str]) -> tuple[AccountId | None, int]:
    after = parse_cursor(query["cursor"]) if "cursor" in query else None
    return after, parse_limit(query["limit"]) if "limit" in query else LIMIT_DEFAULT
