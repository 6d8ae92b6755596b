"""The numbers, type strings, hashes and trees of Solidity against an encoder and a tree library that are not ours."""

from __future__ import annotations

import json
import random
import subprocess

import pytest
from eth_utils import keccak
from web3.contract import Contract

from tests.node.contracts.wire import CONTRACTS, TYPE_STRINGS, WIRE, Root, digest, merkle, struct_hash, typed_fields
from tests.node.contracts.world import Chain

pytestmark = pytest.mark.node

VERIFYING = "0x" + "ab" * 20


@pytest.fixture(scope="module")
def harness(chain: Chain) -> Contract:
    return chain.deploy("WireHarness", chain.w3.to_checksum_address(VERIFYING))


def random_struct(name: str, source: random.Random) -> dict[str, object]:
    """Draw each field from its edges and its middle."""
    values: dict[str, object] = {}
    for member in typed_fields(name):
        kind = member["type"]
        if kind == "bytes32":
            values[member["name"]] = source.randbytes(32)
            continue
        bits = int(kind.removeprefix("uint").removeprefix("int"))
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if kind.startswith("int") else (0, 2**bits - 1)
        values[member["name"]] = source.choice((low, high, source.randint(low, high), 0, 1))
    return values


@pytest.mark.parametrize(
    ("function", "table"),
    [
        ("statuses", "status"),
        ("assurances", "assurance"),
        ("kinds", "kind"),
        ("encumbrances", "encumbrance"),
        ("finalities", "finality"),
    ],
)
def test_wire_numbers__of_solidity__equal_the_data_file(harness: Contract, function: str, table: str) -> None:
    numbers = harness.get_function_by_name(function)().call()

    assert numbers == list(WIRE[table].values())


def test_quality_masks__of_solidity__have_the_bits_of_the_data_file(harness: Contract) -> None:
    assert harness.functions.qualities().call() == [1 << bit for bit in WIRE["quality_bit"].values()]


def test_type_hashes__of_solidity__are_those_of_the_data_file(harness: Contract) -> None:
    expected = [keccak(text=text) for text in TYPE_STRINGS.values()]

    assert list(TYPE_STRINGS) == ["EIP712Domain", "MarginRoot", "MarginLeaf", "ChainAnchor", "MarginLeg"]
    assert harness.functions.typeHashes().call() == expected


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("MarginRoot", "hashRoots"),
        ("MarginLeaf", "hashLeaves"),
        ("ChainAnchor", "hashAnchors"),
        ("MarginLeg", "hashLegs"),
    ],
)
def test_th_098_struct_hashes__of_random_structs__equal_another_encoder(
    harness: Contract, name: str, function: str
) -> None:
    source = random.Random(98)
    structs = [random_struct(name, source) for _ in range(100)]

    hashes = harness.get_function_by_name(function)([tuple(struct.values()) for struct in structs]).call()

    assert hashes == [struct_hash(name, struct) for struct in structs]


def test_th_098_digests__of_random_roots__equal_another_encoder(harness: Contract, chain: Chain) -> None:
    source = random.Random(99)
    roots = [Root(*random_struct("MarginRoot", source).values()) for _ in range(50)]

    digests = harness.functions.digests(roots).call()

    assert digests == [digest(root, VERIFYING, chain.w3.eth.chain_id) for root in roots]


def test_merkle__trees_of_openzeppelins_library__verify_in_solidity_and_equal_ours(harness: Contract) -> None:
    leaves = [keccak(bytes([number])) for number in range(33)]
    script = (
        'import {SimpleMerkleTree} from "@openzeppelin/merkle-tree";'
        "const leaves = JSON.parse(process.argv[1]);"
        "const trees = leaves.map((_, i) => SimpleMerkleTree.of(leaves.slice(0, i + 1), {sortLeaves: false}));"
        "const proofs = (tree) => [...tree.entries()].map(([i]) => tree.getProof(i));"
        "console.log(JSON.stringify(trees.map((tree) => [tree.root, proofs(tree)])));"
    )
    command = ["node", "--input-type=module", "-e", script, json.dumps(["0x" + leaf.hex() for leaf in leaves])]
    trees = json.loads(subprocess.run(command, cwd=CONTRACTS, check=True, capture_output=True, timeout=60).stdout)

    for count, (root_text, proof_texts) in enumerate(trees, start=1):
        root = bytes.fromhex(root_text[2:])
        proofs = [[bytes.fromhex(node[2:]) for node in proof] for proof in proof_texts]
        floor, ceil = count.bit_length() - 1, (count - 1).bit_length()

        assert (root, proofs) == merkle(leaves[:count])
        assert all(floor <= len(proof) <= ceil for proof in proofs)
        assert harness.functions.merkleVerify(proofs[count - 1], root, leaves[count - 1]).call()
        assert not harness.functions.merkleVerify(proofs[count - 1], root, keccak(b"another")).call()
