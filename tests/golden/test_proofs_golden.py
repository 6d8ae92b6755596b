"""Reference proofs recorded from real networks and nodes, or altered by hand: every case of every file, exactly.

Kinds that need more than this package offers are named in `NOT_OURS` with the reason.
"""

from __future__ import annotations

from typing import Any

import pytest

from proofs.account import AccountAnswer, AccountState, verify_account, verify_answer, verify_storage
from proofs.errors import InvalidProof, ProofError, Rule
from proofs.header import HeaderShape, check_header, header_rlp_from_json
from proofs.keccak import keccak256
from proofs.rlp import decode_list
from proofs.trie import EMPTY_ROOT, NodeSet, build_trie, verify_proof
from tests.golden.loading import cases, load, nodes, unhex

pytestmark = pytest.mark.golden

MAINNET = "proofs/mainnet_state/state_proofs.json"
ERC20 = "proofs/anvil_erc20/storage_proofs.json"
EMBEDDED = "proofs/anvil_embedded/embedded_leaf.json"
ADVERSARIAL = "proofs/adversarial/mutations.json"
ROOTS = "proofs/trie_roots/trie_roots.json"
L2 = "proofs/l2/storage_proofs.json"
PORTAL = "proofs/portal_state/trie_nodes.json"
FILES = (MAINNET, ERC20, EMBEDDED, ADVERSARIAL, ROOTS, L2, PORTAL)

NOT_OURS = {"next_prev": "neighbours of a key: our trie is built whole and offers no iteration"}
SHAPES = {
    15: HeaderShape.BERLIN,
    16: HeaderShape.ARBITRUM,
    17: HeaderShape.SHANGHAI,
    20: HeaderShape.CANCUN,
    21: HeaderShape.PRAGUE,
}


def by_id(case: dict[str, Any]) -> str:
    identifier: str = case["id"]
    return identifier


def integer(text: str) -> int:
    return int(text, 16)


def state_root_of(name: str) -> bytes:
    document = load(name)
    return unhex(document["block"]["stateRoot"] if "block" in document else document["state_root"])


def account_of(expected: dict[str, Any]) -> AccountState:
    return AccountState(
        integer(expected["nonce"]),
        integer(expected["balance"]),
        unhex(expected["storage_hash"]),
        unhex(expected["code_hash"]),
        expected["exists"],
    )


def test_files__every_kind__is_run_or_named() -> None:
    known = {
        "account_inclusion", "account_exclusion", "storage_inclusion", "storage_exclusion", "storage_of_absent_account",
        "control", "missing_node", "surplus_or_order", "wrong_key", "corrupted_node", "path_encoding", "value_or_rlp",
        "trie_structure", "ordered", "any_order", "any_order_accounts", "state_proof", "account_trie_node",
        "storage_trie_node", "contract_code",
    }  # fmt: skip

    assert {case["kind"] for name in FILES for case in cases(name)} == known | NOT_OURS.keys()


@pytest.mark.parametrize(
    ("name", "shape"), [(MAINNET, HeaderShape.CANCUN), (ERC20, HeaderShape.PRAGUE)], ids=["mainnet", "devnet"]
)
def test_block__header_fields__hash_to_the_block_hash(name: str, shape: HeaderShape) -> None:
    block = load(name)["block"]

    header = check_header(header_rlp_from_json(block, shape), shape, unhex(block["hash"]))

    assert header.state_root == state_root_of(name)


@pytest.mark.parametrize("name", [MAINNET, ERC20, EMBEDDED])
def test_accounts__proofs_against_the_state_root__every_field(name: str) -> None:
    for account in load(name)["accounts"].values():
        state = verify_account(state_root_of(name), unhex(account["address"]), nodes(account["account_proof"]))

        assert state == account_of(account)


@pytest.mark.parametrize("name", [MAINNET, ERC20])
def test_account_cases__inclusion_and_exclusion__every_field(name: str) -> None:
    for case in cases(name, "account_inclusion", "account_exclusion"):
        proof = nodes(case["inputs"]["account_proof"])
        state = verify_account(state_root_of(name), unhex(case["inputs"]["address"]), proof)

        assert state == account_of(case["expected"])


STORAGE = [
    (name, case)
    for name in (MAINNET, ERC20, EMBEDDED)
    for case in cases(name, "storage_inclusion", "storage_exclusion", "storage_of_absent_account")
]


def storage_root_of(name: str, account: str) -> bytes:
    known = load(name)["accounts"]
    return unhex(known[account]["storage_hash"]) if account in known else EMPTY_ROOT


ROOT_OF = {
    (name, account): storage_root_of(name, account)
    for name, account in {(n, c["inputs"]["account"]) for n, c in STORAGE}
}


@pytest.mark.parametrize(("name", "case"), STORAGE, ids=lambda value: value["id"] if isinstance(value, dict) else "")
def test_storage_case__value_or_proven_absence(name: str, case: dict[str, Any]) -> None:
    root, slot = ROOT_OF[name, case["inputs"]["account"]], integer(case["inputs"]["slot"])
    proof = nodes(case["inputs"]["storage_proof"])

    leaf = verify_proof(root, keccak256(slot.to_bytes(32, "big")), proof)

    assert (leaf is not None) == case["expected"]["exists"]
    assert verify_storage(root, slot, proof) == integer(case["expected"]["value"])


@pytest.mark.parametrize("case", cases(EMBEDDED, "storage_inclusion"), ids=by_id)
def test_th_028_embedded_case__copy_removed_changed_or_doubled__accepted_refused_refused(case: dict[str, Any]) -> None:
    root, slot = ROOT_OF[EMBEDDED, case["inputs"]["account"]], integer(case["inputs"]["slot"])
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


@pytest.mark.parametrize("case", cases(ADVERSARIAL), ids=by_id)
def test_adversarial_case__refused_with_a_typed_error(case: dict[str, Any]) -> None:
    root, slot = unhex(case["inputs"]["root"]), integer(case["inputs"]["key"])
    proof, expected = nodes(case["inputs"]["proof"]), case["expected"]

    if expected["verdict"] == "accept":
        assert verify_storage(root, slot, proof) == integer(expected["value"])
        return
    with pytest.raises(ProofError):  # "either" as well: we refuse
        verify_storage(root, slot, proof)


def test_erc20__all_holders_in_one_answer__as_one_by_one_with_each_node_once() -> None:
    document = load(ERC20)
    token = document["accounts"]["token"]
    some = [case for name, case in STORAGE if name == ERC20 and case["inputs"]["account"] == "token"]
    expected = {integer(case["inputs"]["slot"]): integer(case["expected"]["value"]) for case in some}
    entries = tuple(
        (integer(c["inputs"]["slot"]), integer(c["expected"]["value"]), nodes(c["inputs"]["storage_proof"]))
        for c in some
    )
    answer = AccountAnswer(
        unhex(token["address"]),
        integer(token["nonce"]),
        integer(token["balance"]),
        unhex(token["storage_hash"]),
        unhex(token["code_hash"]),
        nodes(token["account_proof"]),
        entries,
    )
    kept = NodeSet()

    state, values = verify_answer(state_root_of(ERC20), answer.address, tuple(expected), answer, kept)

    assert state == account_of(token)
    assert values == expected
    assert len(kept) == len({*answer.account_proof, *(node for _, _, proof in entries for node in proof)})


@pytest.mark.parametrize("case", cases(ROOTS, "ordered", "any_order", "any_order_accounts"), ids=by_id)
def test_trie_roots__operations__root(case: dict[str, Any]) -> None:
    items: dict[bytes, bytes] = {}
    for operation in case["inputs"]["operations"]:
        key = unhex(operation["key"])
        key = keccak256(key) if case["inputs"]["secure"] else key
        items.pop(key, None)
        if operation["value"] is not None:
            items[key] = unhex(operation["value"])

    assert build_trie(items).root == unhex(case["expected"]["root"])


@pytest.mark.parametrize("case", cases(L2), ids=by_id)
def test_l2__header_account_and_slot__value(case: dict[str, Any]) -> None:
    inputs, expected = case["inputs"], case["expected"]
    if inputs["header_rlp"] is not None:
        raw = unhex(inputs["header_rlp"])
        header = check_header(raw, SHAPES[len(decode_list(raw))], unhex(inputs["block_hash"]))
        assert header.state_root == unhex(inputs["state_root"])

    kept = NodeSet()
    state = verify_account(unhex(inputs["state_root"]), unhex(inputs["address"]), nodes(inputs["account_proof"]), kept)
    value = verify_storage(state.storage_root, integer(inputs["slot"]), nodes(inputs["storage_proof"]), kept)

    assert state.storage_root == unhex(expected["storage_hash"])
    assert value == integer(expected["value"])


@pytest.mark.parametrize("case", cases(PORTAL), ids=by_id)
def test_portal__header_nodes_and_code__bound_from_block_hash_down(case: dict[str, Any]) -> None:
    inputs, expected = case["inputs"], case["expected"]
    raw = unhex(inputs["header_rlp"])
    header = check_header(raw, SHAPES[len(decode_list(raw))], unhex(expected["block_hash"]))
    assert header.state_root == unhex(expected["state_root"])

    root = header.state_root
    if inputs["account_proof"] is not None:
        body = verify_proof(root, unhex(inputs["address_hash"]), nodes(inputs["account_proof"]))
        assert body is not None
        root, code_hash = (item for item in decode_list(body)[2:] if isinstance(item, bytes))
    if case["kind"] == "contract_code":
        assert keccak256(unhex(inputs["code"])) == code_hash == unhex(inputs["node_hash"])
        return

    proof = nodes(inputs["proof"])
    key = unhex(inputs["path"].ljust(64, "0"))  # some key through the node
    assert (keccak256(proof[-1]), proof[-1]) == (unhex(inputs["node_hash"]), unhex(expected["node"]))
    assert _outcome(root, key, proof) in ("decided", Rule.NODE_MISSING)
    assert _outcome(root, key, proof[:-1]) == Rule.NODE_MISSING
    assert _outcome(root, key, (*proof[:-1], proof[-1][:-1] + bytes([proof[-1][-1] ^ 1]))) == Rule.NODE_HASH


def _outcome(root: bytes, key: bytes, proof: tuple[bytes, ...]) -> str:
    """Return "decided", or the rule: a node inside the trie leaves the path open, which is no absence."""
    try:
        verify_proof(root, key, proof)
    except InvalidProof as fault:
        return fault.rule
    return "decided"
