"""What three verifiers say of one proof, and where the other two are known to be wrong.

Of whatever we accept, all must read the same. Of what we refuse, another may still read a value: then our reason must
be one of those that it is known to overlook. Each name in the tables is a rule of `proofs.errors.Rule`.
"""

from __future__ import annotations

from dataclasses import dataclass

import rlp
from rlp.exceptions import DecodingError
from trie import HexaryTrie
from trie.exceptions import BadTrieProof, InvalidNibbles, InvalidNode, ValidationError

from proofs.errors import InvalidProof, LimitExceeded, Rule
from proofs.trie import verify_proof
from tests.fuzz.tries import HONEST, REBUILT, Case

# Rules of order and number; and rules that only a root of an attacker's making can break, because the other two look
# at what is on the path and take a node from wherever it stands in the proof.
_BOTH_OVERLOOK = frozenset(
    {
        Rule.NODE_HASH,
        Rule.NODE_EXTRA,
        Rule.EMBEDDED_COPY,
        Rule.NODE_SHORT,
        Rule.NODE_INLINE,
        Rule.NODE_REFERENCE,
        Rule.BRANCH_VALUE,
        Rule.BRANCH_CHILDREN,
        Rule.PATH_FLAG,
        Rule.PATH_PADDING,
        Rule.PATH_LENGTH,
        Rule.EXTENSION_EMPTY,
        Rule.EXTENSION_CHILD,
        Rule.VALUE_EMPTY,
    }
)
OVERLOOKED_BY_PY_TRIE = _BOTH_OVERLOOK
# mpt does not even look whether an element that it does not need is a node.
OVERLOOKED_BY_MPT = _BOTH_OVERLOOK | {Rule.NODE_SHAPE}

PY_TRIE_REFUSES = (
    BadTrieProof,
    InvalidNibbles,
    InvalidNode,
    ValidationError,
    DecodingError,
    AttributeError,
    TypeError,
    ValueError,
    IndexError,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Hold what a verifier said: a value, None for absence, or why it refused."""

    value: bytes | None = None
    refused: str = ""


def of_ours(case: Case) -> Verdict:
    try:
        return Verdict(verify_proof(case.root, case.key, case.proof))
    except InvalidProof as refusal:
        return Verdict(refused=refusal.rule)
    except LimitExceeded as refusal:
        return Verdict(refused=refusal.limit)


def of_py_trie(case: Case) -> Verdict:
    """Ask py-trie; its errors are not typed, so the ones that malformed nodes were seen to raise are listed."""
    try:
        value = HexaryTrie.get_from_proof(case.root, case.key, [rlp.decode(node) for node in case.proof])
    except PY_TRIE_REFUSES as refusal:
        return Verdict(refused=type(refusal).__name__)
    return Verdict(value if isinstance(value, bytes) and value else None)


def judge(case: Case, theirs: Verdict, overlooked: frozenset[Rule]) -> str:
    """Compare with ours, raise where neither side's known manners explain a difference, name the outcome."""
    ours = of_ours(case)
    if case.change == HONEST:
        assert ours == Verdict(case.truth), f"honest proof: ours {ours}, truth {case.truth!r}"
    if case.change not in REBUILT:
        assert theirs.refused or theirs.value == case.truth, f"under an honest root they read {theirs} ({case.change})"
    if ours.refused:
        if theirs.refused:
            return "both refuse"
        assert ours.refused in overlooked, f"we refuse by {ours.refused}, they read {theirs} ({case.change})"
        return f"they overlook {ours.refused}"
    if theirs.refused:
        return f"they refuse what we accept: {theirs.refused} ({case.change})"
    assert ours == theirs, f"we read {ours}, they read {theirs} ({case.change})"
    return "both read the same"
