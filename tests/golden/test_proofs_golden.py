"""Reference proofs recorded from real networks and nodes, or altered by hand: every case of every file, exactly.

Which files there are, what they are called and what their accounts are called is up to the directory: a case is judged
by its kind alone. Kinds that need more than this package offers are named in `NOT_OURS` with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proofs.account import AccountAnswer, AccountState, verify_account, verify_answer, verify_storage
from proofs.errors import InvalidHeader, InvalidProof, ProofError, Rule
from proofs.header import Header, HeaderShape, check_header, header_of_hash, header_rlp_from_json
from proofs.keccak import keccak256
from proofs.limits import PROOF_KEYS_MAX
from proofs.rlp import decode_list
from proofs.trie import EMPTY_ROOT, NodeSet, build_trie, verify_proof
from tests.golden.loading import golden_dir, load, nodes, unhex

pytestmark = pytest.mark.golden

Document = dict[str, Any]
Case = dict[str, Any]

FILES = tuple(sorted(path.relative_to(golden_dir()).as_posix() for path in golden_dir().glob("proofs/*/*.json")))
DOCUMENTS = {name: load(name) for name in FILES}
LIGHT_CLIENT = "no light client yet: it needs a BLS library and update tracking (docs/PROOFS.md)"
NOT_OURS = {
    "next_prev": "neighbours of a key: no proof and no caller asks for them, our trie is built whole and not iterated",
    "update": LIGHT_CLIENT,
    "finality_update": LIGHT_CLIENT,
    "optimistic_update": LIGHT_CLIENT,
    "process_update": LIGHT_CLIENT,
    "force_update": LIGHT_CLIENT,
}


def integer(text: str) -> int:
    return int(text, 16)


def state_root_of(document: Document) -> bytes:
    return unhex(document["block"]["stateRoot"] if "block" in document else document["state_root"])


def account_of(expected: dict[str, Any]) -> AccountState:
    return AccountState(
        integer(expected["nonce"]),
        integer(expected["balance"]),
        unhex(expected["storage_hash"]),
        unhex(expected["code_hash"]),
        expected["exists"],
    )


def storage_root_of(document: Document, account: str) -> bytes:
    """Return the root that `test_accounts` proves, or that of an account which is proven absent."""
    known = document["accounts"]
    return unhex(known[account]["storage_hash"]) if account in known else EMPTY_ROOT


# --- one judge per kind ----------------------------------------------------------------------------------------------


def judge_account(document: Document, case: Case) -> None:
    proof = nodes(case["inputs"]["account_proof"])
    state = verify_account(state_root_of(document), unhex(case["inputs"]["address"]), proof)

    assert state == account_of(case["expected"])


def judge_storage(document: Document, case: Case) -> None:
    root, slot = storage_root_of(document, case["inputs"]["account"]), integer(case["inputs"]["slot"])
    require_word(root, slot, nodes(case["inputs"]["storage_proof"]), case["expected"])


def judge_mutation(_: Document, case: Case) -> None:
    inputs = case["inputs"]
    require_word(unhex(inputs["root"]), integer(inputs["key"]), nodes(inputs["proof"]), case["expected"])


def require_word(root: bytes, slot: int, proof: tuple[bytes, ...], expected: dict[str, Any]) -> None:
    leaf = verify_proof(root, keccak256(slot.to_bytes(32, "big")), proof)

    assert verify_storage(root, slot, proof) == integer(expected["value"])
    assert (leaf is not None) == expected["exists"]


def judge_root(_: Document, case: Case) -> None:
    items: dict[bytes, bytes] = {}
    for operation in case["inputs"]["operations"]:
        key = unhex(operation["key"])
        key = keccak256(key) if case["inputs"]["secure"] else key
        items.pop(key, None)
        if operation["value"] is not None:
            items[key] = unhex(operation["value"])

    assert build_trie(items).root == unhex(case["expected"]["root"])


def judge_state(_: Document, case: Case) -> None:
    inputs, expected = case["inputs"], case["expected"]
    if inputs["header_rlp"] is not None:
        header = header_of_hash(unhex(inputs["header_rlp"]), unhex(inputs["block_hash"]))
        assert header.state_root == unhex(inputs["state_root"])

    kept = NodeSet()
    state = verify_account(unhex(inputs["state_root"]), unhex(inputs["address"]), nodes(inputs["account_proof"]), kept)
    value = verify_storage(state.storage_root, integer(inputs["slot"]), nodes(inputs["storage_proof"]), kept)

    assert state.storage_root == unhex(expected["storage_hash"])
    assert value == integer(expected["value"])


def judge_node(_: Document, case: Case) -> None:
    """A node inside the trie: bound from the block hash down, and its parents alone leave the path open."""
    inputs, expected = case["inputs"], case["expected"]
    root, _code = roots_of(inputs, expected)
    proof = nodes(inputs["proof"])
    key = unhex(inputs["path"].ljust(64, "0"))  # some key through the node

    assert (keccak256(proof[-1]), proof[-1]) == (unhex(inputs["node_hash"]), unhex(expected["node"]))
    assert outcome(root, key, proof) in ("decided", Rule.NODE_MISSING)
    assert outcome(root, key, proof[:-1]) == Rule.NODE_MISSING
    assert outcome(root, key, (*proof[:-1], proof[-1][:-1] + bytes([proof[-1][-1] ^ 1]))) == Rule.NODE_HASH


def judge_code(_: Document, case: Case) -> None:
    inputs = case["inputs"]
    _root, code_hash = roots_of(inputs, case["expected"])

    assert keccak256(unhex(inputs["code"])) == code_hash == unhex(inputs["node_hash"])


def roots_of(inputs: dict[str, Any], expected: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return the root that a node hangs under, the state's or a proven account's, and that account's code hash."""
    header = header_of_hash(unhex(inputs["header_rlp"]), unhex(expected["block_hash"]))
    assert header.state_root == unhex(expected["state_root"])
    if inputs["account_proof"] is None:
        return header.state_root, b""
    body = verify_proof(header.state_root, unhex(inputs["address_hash"]), nodes(inputs["account_proof"]))
    assert body is not None
    storage_root, code_hash = (item for item in decode_list(body)[2:] if isinstance(item, bytes))
    return storage_root, code_hash


def outcome(root: bytes, key: bytes, proof: tuple[bytes, ...]) -> str:
    """Return "decided", or the rule: a node inside the trie leaves the path open, which is no absence."""
    try:
        verify_proof(root, key, proof)
    except InvalidProof as fault:
        return fault.rule
    return "decided"


MUTATIONS = (
    "control", "missing_node", "surplus_or_order", "wrong_key", "corrupted_node", "path_encoding", "value_or_rlp",
    "trie_structure",
)  # fmt: skip
JUDGES: dict[str, Callable[[Document, Case], None]] = {
    "account_inclusion": judge_account,
    "account_exclusion": judge_account,
    "storage_inclusion": judge_storage,
    "storage_exclusion": judge_storage,
    "storage_of_absent_account": judge_storage,
    **dict.fromkeys(MUTATIONS, judge_mutation),
    "ordered": judge_root,
    "any_order": judge_root,
    "any_order_accounts": judge_root,
    "state_proof": judge_state,
    "account_trie_node": judge_node,
    "storage_trie_node": judge_node,
    "contract_code": judge_code,
}
CASES = [
    pytest.param(document, case, id=f"{name}:{case['id']}")
    for name, document in DOCUMENTS.items()
    for case in document["cases"]
    if case["kind"] in JUDGES
]


def test_files__every_kind__is_judged_or_named() -> None:
    assert FILES
    assert {case["kind"] for document in DOCUMENTS.values() for case in document["cases"]} <= JUDGES.keys() | NOT_OURS


@pytest.mark.parametrize(("document", "case"), CASES)
def test_case__by_its_kind__as_expected(document: Document, case: Case) -> None:
    judge = JUDGES[case["kind"]]
    if case["expected"].get("verdict", "accept") == "accept":
        judge(document, case)
        return
    with pytest.raises(ProofError):  # "either" as well: we refuse
        judge(document, case)


# --- what files say beside their cases -------------------------------------------------------------------------------


def shapes_of(block: dict[str, Any]) -> Iterator[Header]:
    for shape in HeaderShape:
        try:
            yield check_header(header_rlp_from_json(block, shape), shape, unhex(block["hash"]))
        except InvalidHeader:
            continue


@pytest.mark.parametrize("name", [name for name in FILES if "block" in DOCUMENTS[name]])
def test_block__header_fields__hash_to_the_block_hash(name: str) -> None:
    headers = list(shapes_of(DOCUMENTS[name]["block"]))

    assert headers
    assert {header.state_root for header in headers} == {state_root_of(DOCUMENTS[name])}


@pytest.mark.parametrize("name", [name for name in FILES if "accounts" in DOCUMENTS[name]])
def test_accounts__proofs_against_the_state_root__every_field(name: str) -> None:
    document = DOCUMENTS[name]
    for account in document["accounts"].values():
        state = verify_account(state_root_of(document), unhex(account["address"]), nodes(account["account_proof"]))

        assert state == account_of(account)


def accepted(document: Document, *kinds: str) -> list[Case]:
    return [case for case in document["cases"] if case["kind"] in kinds and case["expected"]["verdict"] == "accept"]


EMBEDDED = [
    pytest.param(document, case, id=f"{name}:{case['id']}")
    for name, document in DOCUMENTS.items()
    for case in accepted(document, "storage_inclusion")
    if "embedded_repeated" in case["inputs"]
]


@pytest.mark.parametrize(("document", "case"), EMBEDDED)
def test_th_028_embedded_case__copy_removed_changed_or_doubled__accepted_refused_refused(
    document: Document, case: Case
) -> None:
    root, slot = storage_root_of(document, case["inputs"]["account"]), integer(case["inputs"]["slot"])
    proof, value = nodes(case["inputs"]["storage_proof"]), integer(case["expected"]["value"])

    if not case["inputs"]["embedded_repeated"]:
        assert verify_storage(root, slot, proof) == value
        return
    assert verify_storage(root, slot, proof[:-1]) == value
    for offset in range(len(proof[-1])):
        copy = proof[-1][:offset] + bytes([proof[-1][offset] ^ 1]) + proof[-1][offset + 1 :]
        with pytest.raises(InvalidProof):
            verify_storage(root, slot, (*proof[:-1], copy))
    with pytest.raises(InvalidProof):
        verify_storage(root, slot, (*proof, proof[-1]))


ANSWERS = [
    pytest.param(document, account, id=f"{name}:{account}")
    for name, document in DOCUMENTS.items()
    for account in document.get("accounts", ())
]


@pytest.mark.parametrize(("document", "account"), ANSWERS)
def test_account__all_its_slots_in_one_answer__as_one_by_one_with_each_node_once(
    document: Document, account: str
) -> None:
    stated = document["accounts"][account]
    of_account = [
        case
        for case in accepted(document, "storage_inclusion", "storage_exclusion")
        if case["inputs"]["account"] == account
    ]
    entries = {
        integer(case["inputs"]["slot"]): (integer(case["expected"]["value"]), nodes(case["inputs"]["storage_proof"]))
        for case in of_account[:PROOF_KEYS_MAX]
    }
    answer = AccountAnswer(
        unhex(stated["address"]),
        integer(stated["nonce"]),
        integer(stated["balance"]),
        unhex(stated["storage_hash"]),
        unhex(stated["code_hash"]),
        nodes(stated["account_proof"]),
        tuple((slot, value, proof) for slot, (value, proof) in entries.items()),
    )
    kept = NodeSet()

    state, values = verify_answer(state_root_of(document), answer.address, tuple(entries), answer, kept)

    assert state == account_of(stated)
    assert values == {slot: value for slot, (value, _) in entries.items()}
    hashed = {node for _, _, proof in answer.storage for node in proof} | set(answer.account_proof)
    assert len(kept) == len([node for node in hashed if len(node) >= 32])
