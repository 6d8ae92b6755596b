"""Kill a relayer where it hurts, start it again, and look: one digest per frame, no flag lost, the service goes on."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.relayer.crash.child import FRAMES, POINTS
from tests.relayer.fake_world import ALICE, BOB, FRAME, make_policy

ROOT = Path(__file__).resolve().parents[3]
SECOND = FRAME + 2


def run_child(database: Path, point: str) -> tuple[int, list[dict[str, object]]]:
    command = [sys.executable, "-m", "tests.relayer.crash.child", str(database), point]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if ended.returncode not in (0, -signal.SIGKILL):
        pytest.fail(ended.stderr)
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]


def rows(database: Path, query: str, *arguments: object) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return connection.execute(query, arguments).fetchall()
    finally:
        connection.close()


def digests(database: Path) -> dict[int, bytes]:
    """Return the digest of every slot; the key of the table allows one, so a second would have been a fault."""
    found = rows(database, "SELECT frame, digest FROM ledger WHERE policy_id = ?", make_policy().policy_id)
    assert len({frame for frame, _ in found}) == len(found)
    return {int(str(frame)): bytes(digest) for frame, digest in found}  # type: ignore[arg-type]


def flags(database: Path) -> dict[bytes, str]:
    return {bytes(account): str(state) for account, state in rows(database, "SELECT account, state FROM flags")}  # type: ignore[arg-type]


def published(lines: list[dict[str, object]]) -> dict[int, object]:
    return {int(str(line["published"])): line["digest"] for line in lines if "published" in line}


def ended(lines: list[dict[str, object]]) -> dict[int, object]:
    return {int(str(line["ended"])): line["state"] for line in lines if "ended" in line}


@dataclass(frozen=True)
class Lives:
    """Hold what a relayer said and left behind: killed once at a point, then started again."""

    killed: int
    before: list[dict[str, object]]
    held: dict[int, bytes]
    stood: dict[bytes, str]
    frames: list[int]
    restarted: int
    after: list[dict[str, object]]
    database: Path


@pytest.fixture(scope="module")
def lives_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Lives]:
    """Live both lives once per point: a child takes two seconds to start."""
    lived: dict[str, Lives] = {}

    def lives(point: str) -> Lives:
        if point not in lived:
            database = tmp_path_factory.mktemp("crash") / "relayer.db"
            killed, before = run_child(database, point)
            frames = [int(str(frame)) for (frame,) in rows(database, "SELECT frame FROM frames ORDER BY frame")]
            held, stood = digests(database), flags(database)
            restarted, after = run_child(database, "none")
            lived[point] = Lives(killed, before, held, stood, frames, restarted, after, database)
        return lived[point]

    return lives


def test_child__nobody_kills_it__signs_every_frame(tmp_path: Path) -> None:
    code, lines = run_child(tmp_path / "relayer.db", "none")

    assert code == 0
    assert ended(lines) == {FRAME + 2 * number: "signed" for number in range(FRAMES)}
    assert flags(tmp_path / "relayer.db") == {ALICE: "raised", BOB: "raised"}


@pytest.mark.parametrize("point", POINTS)
def test_th_089_killed__at_a_point__one_digest_per_frame_no_flag_lost_and_it_goes_on(
    lives_of: Callable[[str], Lives], point: str
) -> None:
    lives = lives_of(point)

    assert (lives.killed, lives.restarted) == (-signal.SIGKILL, 0)
    assert ended(lives.before) == {FRAME: "signed"}
    later = digests(lives.database)
    assert {frame: later[frame] for frame in lives.held} == lives.held
    # What was voted for, reserved or stored before is not run again; frames above are.
    assert ended(lives.after)[FRAME] is None
    assert ended(lives.after)[FRAME + 4] == "signed"
    # Bob breached in the first frame; Alice in the second, and is found at the latest in the third.
    assert lives.stood[BOB] == "raised"
    assert flags(lives.database) == {ALICE: "raised", BOB: "raised"}
    # Whatever two lives published for one frame is the same.
    first, second = published(lives.before), published(lives.after)
    both = first.keys() & second.keys()
    assert {frame: second[frame] for frame in both} == {frame: first[frame] for frame in both}
    # Events are neither lost nor doubled.
    raised = rows(lives.database, "SELECT account, count(*) FROM events WHERE kind = 'raised' GROUP BY account")
    assert dict(raised) == {ALICE: 1, BOB: 1}


def test_th_089_killed__between_row_and_signature__slot_stays_reserved_and_unsigned(
    lives_of: Callable[[str], Lives],
) -> None:
    database, policy_id = lives_of("after the ledger row").database, make_policy().policy_id

    signatures = dict(rows(database, "SELECT frame, length(signatures) FROM ledger WHERE policy_id = ?", policy_id))

    assert (signatures[FRAME], signatures[FRAME + 4]) == (68, 68)
    assert not signatures[SECOND]


def test_th_089_killed__before_the_row__frame_has_no_digest_ever(lives_of: Callable[[str], Lives]) -> None:
    assert sorted(digests(lives_of("before the ledger row").database)) == [FRAME, FRAME + 4]


def test_th_089_killed__before_publishing__restart_publishes_what_was_stored(
    lives_of: Callable[[str], Lives],
) -> None:
    lives = lives_of("before publishing")

    assert SECOND not in published(lives.before)
    assert published(lives.after)[SECOND] == lives.held[SECOND].hex()


def test_th_136_killed__while_flags_are_written__frame_and_flags_are_both_absent(
    lives_of: Callable[[str], Lives],
) -> None:
    lives = lives_of("while flags are written")

    assert lives.frames == [FRAME]
    assert ALICE not in lives.stood
