"""Random tries, honest and changed proofs: our verdict against py-trie's, and against the truth."""

from __future__ import annotations

from hypothesis import given

from proofs.errors import ProofError
from proofs.trie import NodeSet, verify_proof
from tests.fuzz.tries import HONEST, REBUILT, Case, cases
from tests.fuzz.verdicts import OVERLOOKED_BY_PY_TRIE, judge, of_py_trie


@given(cases())
def test_th_036_random_trie__any_change__no_difference_to_py_trie_but_known_ones(case: Case) -> None:
    outcome = judge(case, of_py_trie(case), OVERLOOKED_BY_PY_TRIE)

    assert not outcome.startswith("they refuse"), outcome


@given(cases())
def test_th_036_random_trie__under_an_honest_root__only_the_truth_is_accepted(case: Case) -> None:
    if case.change in REBUILT:
        return
    try:
        value = verify_proof(case.root, case.key, case.proof)
    except ProofError:
        assert case.change != HONEST
        return
    assert value == case.truth


@given(cases())
def test_th_036_random_trie__kept_in_a_set__found_and_verified_again(case: Case) -> None:
    nodes = NodeSet()
    try:
        value = verify_proof(case.root, case.key, case.proof, nodes)
    except ProofError:
        return

    again = NodeSet.from_nodes(nodes.raw_nodes())

    proof = again.proof(case.root, case.key)
    assert verify_proof(case.root, case.key, proof) == value
    assert len(again) == len(nodes)
