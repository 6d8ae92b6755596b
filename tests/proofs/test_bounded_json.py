"""Bounded JSON: what the standard parser reads is read alike; what would exhaust the stack is refused first."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.bounded_json import JSON_DEPTH_MAX, JSON_VALUES_MAX, parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_parse_json__any_value__reads_what_was_written(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_parse_json__at_the_limit__is_read_and_one_deeper_is_refused(opening: bytes, closing: bytes) -> None:
    inside = b"1"

    parse_json(opening * JSON_DEPTH_MAX + inside + closing * JSON_DEPTH_MAX)

    with pytest.raises(ValueError, match="deeper"):
        parse_json(opening * (JSON_DEPTH_MAX + 1) + inside + closing * (JSON_DEPTH_MAX + 1))


def test_parse_json__brackets_in_strings__do_not_count() -> None:
    text = "[" * 1000 + '\\"{'

    assert parse_json(json.dumps([text]).encode()) == [text]


def test_th_047_parse_json__deep_text_under_a_raised_recursion_limit__raises_and_the_process_lives() -> None:
    program = (
        "import sys; sys.setrecursionlimit(100_000)\n"
        "from proofs.bounded_json import parse_json\n"
        "try: parse_json(b'[' * 1_000_000)\n"
        "except ValueError as error: print(error)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "nested deeper" in done.stdout


def test_th_047_parse_json__deep_text_in_another_encoding__raises_and_the_process_lives() -> None:
    program = (
        "import sys; sys.setrecursionlimit(100_000)\n"
        "from proofs.bounded_json import parse_json\n"
        "text = '[\"' + chr(92) + '\"\",' + '[' * 1_000_000 + '\"'\n"  # in UTF-16 the brackets look like a string's
        "try: parse_json(text.encode('utf-16-le'))\n"
        "except ValueError as error: print(type(error).__name__)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("unit", [b"[],", b"{},", b'"",', b"[[]],"])
def test_th_047_parse_json__more_values_than_allowed__is_refused_before_it_takes_memory(unit: bytes) -> None:
    hostile = b"[" + unit * (JSON_VALUES_MAX // unit.count(b",") + 1) + b"1]"

    tracemalloc.start()
    with pytest.raises(ValueError, match="values"):
        parse_json(hostile)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 10_000


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be", "utf-8-sig"])
def test_th_047_parse_json__another_encoding__is_refused(encoding: str) -> None:
    with pytest.raises(ValueError):  # the parser's own words
        parse_json('{"a":"b"}'.encode(encoding))


@pytest.mark.parametrize("end", [b"", b"\\", b"x", b'"', b'"]'])
def test_th_047_parse_json__a_string_of_a_million_escapes__takes_linear_time(end: bytes) -> None:
    hostile = b'["' + b'\\"' * 1_000_000 + end

    started_s = time.process_time()
    with contextlib.suppress(ValueError):
        parse_json(hostile)

    assert time.process_time() - started_s < 2  # quadratic: hours
