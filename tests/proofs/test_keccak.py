"""Keccak-256: known answers, and equal answers of both backends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.errors import ConstructionRefused
from proofs.keccak import BACKEND, BACKENDS, keccak256, keccak_of

# Known answers of the original Keccak submission's padding, as Ethereum uses it.
KNOWN = (
    (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
    (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    (b"\x80", "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"),
    (b"\xc0", "1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"),
)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("data", "digest"), KNOWN)
def test_keccak__known_inputs__known_digests(backend: str, data: bytes, digest: str) -> None:
    assert keccak_of(backend)(data).hex() == digest


@given(st.binary(max_size=600))
def test_keccak__any_input__backends_agree(data: bytes) -> None:
    assert {keccak_of(backend)(data) for backend in BACKENDS} == {keccak256(data)}


@pytest.mark.parametrize("size", [135, 136, 137, 271, 272, 273])
def test_keccak__around_the_block_size__backends_agree(size: int) -> None:
    assert len({keccak_of(backend)(bytes(size)) for backend in BACKENDS}) == 1


def test_backend__of_this_run__is_named() -> None:
    assert BACKEND in BACKENDS


def test_keccak_of__unknown_name__refused() -> None:
    with pytest.raises(ConstructionRefused, match="sha3"):
        keccak_of("sha3")
