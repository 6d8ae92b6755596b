"""INV-23: the deployed verifier and ours accept and refuse the same evidence, for the same reason."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest
from eth_abi import encode
from eth_utils import keccak

import proofs
from chains.devnet.errors import NodeRefused
from chains.devnet.nodes import AnvilNode, start_anvil
from proofs.attestation import (
    Domain,
    MarginLeaf,
    MarginRoot,
    SignedRoot,
    abi_evidence,
    accounts_tree,
    digest,
    verify_leaf,
)
from proofs.errors import InvalidAttestation, InvalidProof
from proofs.signers import HALF_ORDER, SignerSet, check_signatures, pack_signatures
from proofs.signing import LocalSigner
from proofs.types import AccountId, Address, Hash32
from tests.differential.deploying import deploy
from tests.proofs import structs

pytestmark = pytest.mark.node

CHAIN_NUMBER = 31337001
SIGNERS = tuple(LocalSigner(bytes([number]) * 32) for number in range(1, 6))
SET = SignerSet(tuple(signer.address for signer in SIGNERS[:4]), 3, 1)
ARTIFACT = json.loads(
    (Path(proofs.__file__).parent / "contracts" / "artifacts" / "MarginVerifier.json").read_text(encoding="utf-8")
)
# Names of ours that the contract spells otherwise: its tree rules are told apart more finely.
SPELLINGS = {"merkle_root": "leaf_not_in_root", "merkle_depth": "proof_too_deep", "merkle_shallow": "proof_too_short"}


@dataclass(frozen=True)
class Deployed:
    node: AnvilNode
    address: str
    domain: Domain
    root: MarginRoot
    leaf: MarginLeaf
    proof: tuple[Hash32, ...]

    def signed(self, root: MarginRoot, *members: int) -> bytes:
        what = digest(self.domain, root)
        return pack_signatures([(member, asyncio.run(SIGNERS[member].sign(what))) for member in members])

    def on_chain(self, root: MarginRoot, blob: bytes, leaf: MarginLeaf, proof: tuple[Hash32, ...]) -> str:
        """Return the name of the contract's refusal, or nothing."""
        evidence = abi_evidence(SignedRoot(root, Hash32(bytes(32)), blob), leaf, proof)
        # As four arguments, what was one tuple: the leading offset falls away.
        data = "0x" + selector("verify").hex() + evidence[32:].hex()
        try:
            self.node.rpc("eth_call", [{"to": self.address, "data": data}, "latest"])
        except NodeRefused as refusal:
            return error_names()[bytes.fromhex(refusal.data[2:10])]
        return ""

    def off_chain(self, root: MarginRoot, blob: bytes, leaf: MarginLeaf, proof: tuple[Hash32, ...]) -> str:
        """Return the name of our refusal, or nothing; in the contract's order."""
        try:
            verify_leaf(root, leaf, proof)
            check_signatures(digest(self.domain, root), blob, SET.addresses, SET.k)
        except (InvalidAttestation, InvalidProof) as refusal:
            return SPELLINGS.get(refusal.rule, refusal.rule)
        return ""


def _signature(item: dict[str, object]) -> str:
    return f"{item['name']}({','.join(_kind(entry) for entry in item['inputs'])})"


def _kind(entry: dict[str, object]) -> str:
    if not str(entry["type"]).startswith("tuple"):
        return str(entry["type"])
    inside = ",".join(_kind(part) for part in entry["components"])
    return f"({inside}){str(entry['type'])[5:]}"


def selector(name: str) -> bytes:
    (item,) = [item for item in ARTIFACT["abi"] if item["type"] == "function" and item["name"] == name]
    return keccak(text=_signature(item))[:4]


def error_names() -> dict[bytes, str]:
    errors = [item for item in ARTIFACT["abi"] if item["type"] == "error"]
    return {keccak(text=_signature(item))[:4]: re.sub(r"(?<!^)(?=[A-Z])", "_", item["name"]).lower() for item in errors}


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    with start_anvil(CHAIN_NUMBER, block_time_s=None) as node:
        (sender, other, *_) = node.rpc("eth_accounts")
        types = ["address", "address", "uint64", "address[]", "uint8", "uint8"]
        arguments = encode(types, [sender, other, 60, list(SET.addresses), SET.k, SET.f])
        creation = ARTIFACT["bytecode"] + arguments.hex()
        address = deploy(node, creation)
        now = int(node.rpc("eth_getBlockByNumber", ["latest", False])["timestamp"], 16)
        random = Random(23)
        leaves = [
            replace(structs.leaf(random), account_id=AccountId(number.to_bytes(32, "big"))) for number in range(11)
        ]
        tree = accounts_tree(leaves)
        root = MarginRoot(
            Hash32(keccak(b"policy")), now, now - 5, now + 10_000, 3, 0, 11, Hash32(b"\1" * 32), Hash32(tree.root)
        )
        domain = Domain(CHAIN_NUMBER, Address(bytes.fromhex(address[2:])))
        yield Deployed(node, address, domain, root, leaves[4], tuple(Hash32(word) for word in tree.proof(4)))


def same_verdict(deployed: Deployed, root: MarginRoot, blob: bytes, leaf: MarginLeaf, proof: tuple[Hash32, ...]) -> str:
    ours, theirs = deployed.off_chain(root, blob, leaf, proof), deployed.on_chain(root, blob, leaf, proof)

    assert ours == theirs, (ours, theirs, blob.hex())
    return ours


@pytest.mark.parametrize("members", [(0, 1, 2), (1, 2, 3), (0, 1, 2, 3)])
def test_inv_23_right_evidence__is_accepted_by_both(deployed: Deployed, members: tuple[int, ...]) -> None:
    blob = deployed.signed(deployed.root, *members)

    assert same_verdict(deployed, deployed.root, blob, deployed.leaf, deployed.proof) == ""


def test_inv_23_mutated_blobs__have_one_verdict(deployed: Deployed) -> None:
    random = Random(92)
    right = deployed.signed(deployed.root, 0, 1, 3)
    mutated = [
        b"",
        bytes(3),
        bytes(4),
        right[:-1],
        right + b"\0",
        right[:4] + right[68:132] + right[4:68] + right[132:],
        deployed.signed(deployed.root, 0, 1),
        b"\0\0\0\x1b" + right[4:] + right[-64:],
        right[:4] + bytes(32) + right[36:],
        right[:4] + b"\xff" * 32 + right[36:],
        right[:36] + bytes(32) + right[68:],
        right[:36] + HALF_ORDER.to_bytes(32, "big") + right[68:],
        right[:36] + (HALF_ORDER + 1).to_bytes(32, "big") + right[68:],
        deployed.signed(replace(deployed.root, frame=deployed.root.frame - 1), 0, 1, 3),
    ]
    for _ in range(150):
        raw = bytearray(right)
        raw[random.choice((random.randrange(len(raw)), random.randrange(4)))] ^= 1 << random.randrange(8)
        mutated.append(bytes(raw))

    verdicts = {same_verdict(deployed, deployed.root, raw, deployed.leaf, deployed.proof) for raw in mutated}

    assert verdicts == {
        "signature_length",
        "bitmap_beyond_set",
        "high_s",
        "signature_invalid",
        "quorum_not_met",
    }


def test_inv_23_mutated_leaves_and_proofs__have_one_verdict(deployed: Deployed) -> None:
    blob = deployed.signed(deployed.root, 0, 1, 2)
    leaf, proof = deployed.leaf, deployed.proof
    changed = replace(leaf, collateral_usd=leaf.collateral_usd ^ 1)
    flipped = (Hash32(keccak(proof[0])), *proof[1:])
    cases = ((changed, proof), (leaf, flipped), (leaf, proof[:-1]), (leaf, proof[:2]), (leaf, (*proof, proof[0])))

    verdicts = [same_verdict(deployed, deployed.root, blob, *case) for case in cases]

    assert set(verdicts) == {"leaf_not_in_root", "proof_too_short", "proof_too_deep"}


def test_inv_23_zero_root_and_empty_tree__are_refused_by_both(deployed: Deployed) -> None:
    for root in (
        replace(deployed.root, accounts_root=Hash32(bytes(32))),
        replace(deployed.root, leaf_count=0),
    ):
        blob = deployed.signed(root, 0, 1, 2)

        assert deployed.on_chain(root, blob, deployed.leaf, deployed.proof) in ("zero_root", "empty_tree")
        assert deployed.off_chain(root, blob, deployed.leaf, deployed.proof) in ("merkle_root_zero", "merkle_count")


def test_inv_23_digest__of_the_deployed_contract__is_ours(deployed: Deployed) -> None:
    data = (
        "0x"
        + selector("digest").hex()
        + abi_evidence(SignedRoot(deployed.root, Hash32(bytes(32)), b""), deployed.leaf, ())[32 : 32 + 288].hex()
    )

    answer = deployed.node.rpc("eth_call", [{"to": deployed.address, "data": data}, "latest"])

    assert bytes.fromhex(answer[2:]) == digest(deployed.domain, deployed.root)
