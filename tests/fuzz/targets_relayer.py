"""What operators write: the policy and the operator's document."""

from __future__ import annotations

from pathlib import Path

from relayer.config.policy_document import parse_policy
from relayer.errors import ConfigError
from tests.fuzz.engine import Target

_TEXT = (Path(__file__).parents[1] / "relayer/config/policy.toml").read_bytes()
_HEAD, *_TABLES = _TEXT.split(b"\n\n")


def run_policy(data: bytes) -> str:
    """Parse a policy; bytes that are no UTF-8 are refused before, by whoever reads the file."""
    policy = parse_policy(data.decode("utf-8", "replace"))
    assert len(policy.policy_id) == 32
    return "policy"


POLICY = Target(
    "policy",
    run_policy,
    (ConfigError,),
    (_TEXT, _HEAD, *_TABLES[:6], *_TABLES[-4:]),
    (
        b'"', b"'", b'"""', b"=", b"[", b"[[", b"]", b"{", b"}", b"\n", b"1.5", b"1e3", b"0x10", b"inf", b"1979-05-27",
        b"true", b'""', b"[]", b"-1", b"9007199254740993", b'"0"', b'"-1"', b"[[asset]]", b"\\u0000", b"\\UFFFFFFFF",
        b"a.b.c = 1", b"#", b"\xff", b'"eip155:1"', b'"1e5"', b"[" * 200,
    ),
)  # fmt: skip

TARGETS = (POLICY,)
