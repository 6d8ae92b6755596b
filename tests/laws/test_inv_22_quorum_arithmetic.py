"""INV-22: a quorum means 2k - n > f. Checked against brute force over every small set."""

from __future__ import annotations

from itertools import combinations

import pytest

from proofs.errors import InvalidAttestation
from proofs.signers import check_signer_set
from proofs.types import Address

ADDRESSES = tuple(Address(number.to_bytes(20, "big")) for number in range(1, 8))


def is_safe(n: int, k: int, f: int) -> bool:
    """Say by trial whether any two quorums share an honest member and honest members alone reach a quorum.

    Every choice of f faulty members is tried against every pair of quorums.
    """
    members = range(n)
    if k < 1 or n - f < k:
        return False
    quorums = [frozenset(quorum) for quorum in combinations(members, k)]
    shared = [one & other for one in quorums for other in quorums]
    return all(both - frozenset(faulty) for faulty in combinations(members, f) for both in set(shared))


@pytest.mark.parametrize("n", range(1, 8))
def test_inv_22_accepted_sets__are_exactly_those_that_brute_force_finds_safe(n: int) -> None:
    for k in range(n + 2):
        for f in range(n + 2):
            try:
                check_signer_set(n, k, f, ADDRESSES[:n])
                accepted = True
            except InvalidAttestation:
                accepted = False

            assert accepted is is_safe(n, k, f), (n, k, f)
