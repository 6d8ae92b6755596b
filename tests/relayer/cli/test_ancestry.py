"""Ancestry files: malformed ones are usage faults that name the form; reading one loads no network library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from relayer.cli.ancestry import ancestry_of
from relayer.errors import ConfigError

MALFORMED = (
    b"",
    b"not json",
    b"{}",
    b"[]",
    b'[{"jsonrpc":"2.0","id":1,"result":{}}]',
    b'[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":3,"result":{}}]',
    b'[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]',
    b'[{"jsonrpc":"2.0","id":1,"result":null},{"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"pruned"}}]',
    b"[" * 100,
)


@pytest.mark.parametrize("body", MALFORMED)
def test_th_047_ancestry__malformed_file__is_refused_with_its_form(body: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(body)

    with pytest.raises(ConfigError, match="eth_getBlockByHash and eth_getProof"):
        ancestry_of(f"eip155:1={tmp_path / 'file'}")


@pytest.mark.parametrize("text", ["eip155:1", "eip155:1=/nowhere/file", "=", "1=/dev/null"])
def test_ancestry__no_file_or_chain__is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="option --ancestry"):
        ancestry_of(text)


def test_ancestry__read_in_a_fresh_process__loads_no_network_library(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(MALFORMED[6])
    named = f"eip155:1={tmp_path / 'file'}"
    program = (
        "import sys\n"
        "from relayer.cli.ancestry import ancestry_of\n"
        "from relayer.errors import ConfigError\n"
        "try:\n"
        f"    ancestry_of({named!r})\n"
        "except ConfigError:\n"
        "    sys.exit(str(sorted({'web3', 'aiohttp', 'eth_account'} & set(sys.modules))))\n"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert ended.stderr.strip() == "[]"
