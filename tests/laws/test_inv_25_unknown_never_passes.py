"""INV-25: unknown never passes: every status, assurance and quality at every act, and every way to be absent.

One signed root holds a leaf for each combination; the venue is asked for each act with each of them. What must come
out is said by a table of words here, in the order in which they are checked: numbers of the wire, assurance, quality,
status. Nothing refuses without a name, and nothing answers false.
"""

from __future__ import annotations

import inspect
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from eth_abi import encode
from eth_utils import keccak
from eth_utils.abi import collapse_if_tuple

from chains.devnet.nodes import start_anvil
from proofs import attestation, merkle, signers
from tests.node.contracts.conftest import connect
from tests.node.contracts.venue import OWNER, RULES, Venue, deploy_venue
from tests.node.contracts.wire import CONTRACTS, WIRE, Evidence, Leaf, key, leaf_hash
from tests.node.contracts.wire import merkle as tree_of
from tests.node.contracts.world import GAS, OK, Chain, Refusal, decode_error, leaf_of, root_of

pytestmark = pytest.mark.node

STATUS, ASSURANCE, BITS = WIRE["status"], WIRE["assurance"], WIRE["quality_bit"]
ACTS = ("open", "withdraw", "liquidate")
PASSES = {
    "open": {STATUS["healthy"], STATUS["warning"]},
    "withdraw": {STATUS["healthy"], STATUS["warning"]},
    "liquidate": {STATUS["liquidatable"], STATUS["bad_debt"]},
}
FLOOR = {act: rule[2] for act, rule in zip(ACTS, RULES, strict=True)}
FORBIDDEN = {act: rule[3] for act, rule in zip(ACTS, RULES, strict=True)}
QUALITIES = (0, *(1 << bit for bit in BITS.values()), 1 << 15, 0xFFFF)
STATUSES, ASSURANCES = (*STATUS.values(), 6), (*ASSURANCE.values(), 4, 255)


@dataclass(frozen=True)
class Frame:
    """One root over all combinations, and the proof of each leaf."""

    venue: Venue
    evidence: dict[Leaf, Evidence]

    def refusal(self, act: str, leaf: Leaf, e: Evidence | None = None) -> Refusal:
        """Ask about an act of the account under one of the leaves, or under other evidence."""
        used = e or self.evidence[leaf]
        arguments = [self.venue.account, used] if act == "liquidate" else [self.venue.account, 1, used]
        return asked(self.venue, act, arguments)


def asked(venue: Venue, name: str, arguments: list[object]) -> Refusal:
    """Call by plain RPC: a client library would take three times as long over the thousand calls."""
    item = venue.contract.get_function_by_name(name).abi
    types = [collapse_if_tuple(each) for each in item["inputs"]]
    data = "0x" + (keccak(text=f"{name}({','.join(types)})")[:4] + encode(types, arguments)).hex()
    call = {"to": venue.contract.address, "data": data, "from": venue.chain.users[0], "gas": hex(GAS)}
    answer = venue.chain.w3.provider.make_request("eth_call", [call, "latest"])
    return decode_error(answer["error"]["data"]) if "error" in answer else OK


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with start_anvil(31337003, block_time_s=None) as node, connect(node) as connected:
        yield connected


@pytest.fixture(scope="module")
def frame(chain: Chain) -> Frame:
    venue = deploy_venue(chain)
    combinations = itertools.product(STATUSES, ASSURANCES, QUALITIES)
    leaves = [venue.leaf(status=s, assurance=a, quality=q) for s, a, q in combinations]
    accounts_root, proofs = tree_of([leaf_hash(leaf) for leaf in leaves])
    root = root_of(chain.now, accounts_root=accounts_root, leaf_count=len(leaves))
    blob = venue.quorum.sign(root)
    return Frame(venue, {leaf: Evidence(root, blob, leaf, proof) for leaf, proof in zip(leaves, proofs, strict=True)})


def expected(act: str, leaf: Leaf) -> Refusal:
    """Say in the words of the specification what must happen."""
    known = leaf.status in STATUS.values() and leaf.assurance in ASSURANCE.values() and leaf.quality < 1 << len(BITS)
    if not known:
        return "LeafValueUnknown", (leaf.status, leaf.assurance, leaf.quality)
    if leaf.assurance < FLOOR[act]:
        return "AssuranceTooLow", (leaf.assurance, FLOOR[act])
    if leaf.quality & FORBIDDEN[act]:
        return "QualityForbidden", (leaf.quality & FORBIDDEN[act],)
    return OK if leaf.status in PASSES[act] else ("StatusRefused", (leaf.status,))


@pytest.mark.parametrize("act", ACTS)
def test_inv_25_act__with_every_status_assurance_and_quality__passes_exactly_where_it_may(
    frame: Frame, act: str
) -> None:
    wrong = {
        (leaf.status, leaf.assurance, leaf.quality): refusal
        for leaf in frame.evidence
        if (refusal := frame.refusal(act, leaf)) != expected(act, leaf)
    }

    assert wrong == {}
    passed = {leaf.status for leaf in frame.evidence if expected(act, leaf) == OK}
    assert passed == PASSES[act]
    assert STATUS["unknown"] not in passed


def test_inv_25_unknown__only_lets_the_venue_wait_out_its_grace(frame: Frame) -> None:
    for status in STATUSES:
        leaf = frame.venue.leaf(status=status)
        call = [frame.venue.account, 60, frame.evidence[leaf]]

        name, arguments = asked(frame.venue, "liquidateUnknown", call)

        if status == STATUS["unknown"]:
            assert name == "UnknownNotLongEnough"
        elif status in STATUS.values():
            assert (name, arguments) == ("StatusRefused", (status,))
        else:
            assert name == "LeafValueUnknown"


@pytest.mark.parametrize("act", ACTS)
def test_inv_25_absence__of_signatures_proof_or_leaf__is_refused_by_name(frame: Frame, act: str) -> None:
    status = STATUS["liquidatable"] if act == "liquidate" else STATUS["healthy"]
    leaf = frame.venue.leaf(status=status)
    e = frame.evidence[leaf]
    nobody = leaf_of(key(61).address, frame.venue.venue_id)
    nothing = Evidence(root_of(0), b"", leaf_of(OWNER, bytes(32)), [])

    assert frame.refusal(act, leaf) == OK
    assert frame.refusal(act, leaf, e._replace(signatures=b""))[0] == "RootNotPosted"
    assert frame.refusal(act, leaf, e._replace(signatures=bytes(4))) == ("QuorumNotMet", (0, 1))
    assert frame.refusal(act, leaf, e._replace(proof=[]))[0] == "ProofTooShort"
    assert frame.refusal(act, leaf, e._replace(root=e.root._replace(accounts_root=bytes(32)))) == ("ZeroRoot", ())
    assert frame.refusal(act, leaf, e._replace(leaf=nobody))[0] == "WrongAccount"
    assert frame.refusal(act, leaf, nothing)[0] == "WrongVenue"
    other = e._replace(leaf=leaf._replace(legs_root=keccak(b"other legs")))
    assert frame.refusal(act, leaf, other)[0] == "LeafNotInRoot"


def test_inv_25_verification__answers_nothing_that_could_be_ignored() -> None:
    abi = json.loads((CONTRACTS / "artifacts" / "MarginVerifier.json").read_text(encoding="utf-8"))["abi"]
    verdicts = {
        item["name"]: item["outputs"] for item in abi if item.get("name", "").startswith(("verify", "postRoot"))
    }

    assert verdicts == {"verify": [], "verifyPosted": [], "postRoot": []}
    checks = (attestation.verify_leaf, attestation.check_root, attestation.check_legs, merkle.verify_merkle_proof)
    assert {str(inspect.signature(check).return_annotation) for check in checks} == {"None"}
    assert "bool" not in str(inspect.signature(signers.verify_signed_root).return_annotation)
