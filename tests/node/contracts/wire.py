"""Build and sign attestations for the contract tests, by an encoder that is not ours (eth_account's EIP-712)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

CONTRACTS: Final = Path(__file__).resolve().parents[3] / "proofs" / "contracts"
WIRE: Final[dict[str, dict[str, int]]] = json.loads((CONTRACTS / "wire.json").read_text(encoding="utf-8"))
TYPE_STRINGS: Final[dict[str, str]] = json.loads((CONTRACTS / "wire.json").read_text(encoding="utf-8"))["type_strings"]
ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
POLICY: Final = keccak(b"policy")
E18: Final = 10**18


class Root(NamedTuple):
    """One MarginRoot, fields in wire order."""

    policy_id: bytes
    frame: int
    as_of: int
    valid_until: int
    skew: int
    signer_epoch: int
    leaf_count: int
    snapshot_root: bytes
    accounts_root: bytes


class Leaf(NamedTuple):
    """One MarginLeaf, fields in wire order."""

    account_id: bytes
    venue_id: bytes
    status: int
    assurance: int
    quality: int
    collateral_usd: int
    liability_usd: int
    initial_margin_usd: int
    maintenance_margin_usd: int
    legs_root: bytes


class Evidence(NamedTuple):
    """What a guard takes."""

    root: Root
    signatures: bytes
    leaf: Leaf
    proof: list[bytes]


@cache
def key(number: int) -> LocalAccount:
    """Return test key number `number`."""
    return Account.from_key(keccak(b"margin test key" + number.to_bytes(4, "big")))


def keys(count: int) -> list[LocalAccount]:
    """Return the first `count` test keys."""
    return [key(number) for number in range(count)]


def account_id(address: str) -> bytes:
    """Left-pad a home address to an account id."""
    return bytes(12) + bytes.fromhex(address[2:])


def typed_fields(name: str) -> list[dict[str, str]]:
    """Split a type string of wire.json into eth_account's form."""
    inside = TYPE_STRINGS[name].removeprefix(f"{name}(").removesuffix(")")
    return [dict(zip(("type", "name"), member.split(" "), strict=True)) for member in inside.split(",")]


def struct_hash(name: str, values: dict[str, object]) -> bytes:
    """Hash one struct; eth_account calls the body of a signable message the hash of the struct."""
    message = encode_typed_data(full_message=_typed(name, values, 1, "0x" + "11" * 20))
    return bytes(message.body)


def digest(root: Root, verifier: str, chain_id: int) -> bytes:
    """Compute the 32 bytes that a margin key signs."""
    message = encode_typed_data(full_message=_typed("MarginRoot", _named("MarginRoot", root), chain_id, verifier))
    return keccak(b"\x19" + message.version + message.header + message.body)


def _named(name: str, values: tuple[object, ...]) -> dict[str, object]:
    return {member["name"]: value for member, value in zip(typed_fields(name), values, strict=True)}


def _typed(name: str, values: dict[str, object], chain_id: int, verifier: str) -> dict[str, object]:
    return {
        "types": {"EIP712Domain": typed_fields("EIP712Domain"), name: typed_fields(name)},
        "primaryType": name,
        "domain": {"name": "MarginVerifier", "version": "1", "chainId": chain_id, "verifyingContract": verifier},
        "message": values,
    }


def leaf_hash(leaf: Leaf) -> bytes:
    """Hash a leaf as it stands in the tree."""
    return struct_hash("MarginLeaf", _named("MarginLeaf", leaf))


def compact(signer: LocalAccount, message: bytes) -> bytes:
    """Sign a digest as 64 bytes (EIP-2098)."""
    signed = signer.unsafe_sign_hash(message)
    return signed.r.to_bytes(32, "big") + (signed.s | (signed.v - 27) << 255).to_bytes(32, "big")


def blob(signers: dict[int, LocalAccount], message: bytes) -> bytes:
    """Assemble a signature blob from {index in the set: key}."""
    bitmap = sum(1 << index for index in signers)
    return bitmap.to_bytes(4, "big") + b"".join(compact(signers[index], message) for index in sorted(signers))


def _pair(left: bytes, right: bytes) -> bytes:
    return keccak(min(left, right) + max(left, right))


def merkle(leaves: Sequence[bytes]) -> tuple[bytes, list[list[bytes]]]:
    """Build the complete sorted-pair tree; return its root and the proof of every leaf.

    The array form of OpenZeppelin's SimpleMerkleTree with sortLeaves false: node i has the children 2i+1 and 2i+2,
    leaf j is node 2n-2-j.
    """
    count = len(leaves)
    nodes = [b""] * (count - 1) + list(reversed(leaves))
    for index in range(count - 2, -1, -1):
        nodes[index] = _pair(nodes[2 * index + 1], nodes[2 * index + 2])
    proofs = []
    for number in range(count):
        index, proof = 2 * count - 2 - number, []
        while index > 0:
            proof.append(nodes[index + 1 if index % 2 else index - 1])
            index = (index - 1) // 2
        proofs.append(proof)
    return nodes[0], proofs


def tall(leaf: bytes, depth: int) -> tuple[bytes, list[bytes]]:
    """Return root and proof of a leaf at `depth` under made-up siblings (as in a full tree of 2**depth leaves)."""
    proof = [keccak(b"sibling" + bytes([level])) for level in range(depth)]
    for sibling in proof:
        leaf = _pair(leaf, sibling)
    return leaf, proof
