"""INV-23: our hand-packed hashes against eth_account's EIP-712 encoder and against the compiled Solidity."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from eth_abi import encode
from eth_account.messages import encode_typed_data
from eth_utils import keccak

import proofs
from chains.devnet.nodes import AnvilNode, start_anvil
from chains.devnet.rpc import rpc_batch
from proofs.attestation import CODECS, Domain, digest, hash_anchor, hash_leaf, hash_leg, hash_root
from proofs.types import Address
from proofs.wire import StructCodec
from tests.differential.deploying import deploy
from tests.proofs import structs

CHAIN_NUMBER = 31337001
CONTRACT = Address(bytes.fromhex("ab" * 20))
DOMAIN = Domain(CHAIN_NUMBER, CONTRACT)
Make = Callable[[Random], object]
Hash = Callable[..., bytes]
# Our codec, how to draw a struct, our hash, and the harness's function for many.
KINDS: tuple[tuple[StructCodec, Make, Hash, str], ...] = (
    (CODECS[0], structs.root, hash_root, "hashRoots"),
    (CODECS[1], structs.leaf, hash_leaf, "hashLeaves"),
    (CODECS[2], structs.anchor, hash_anchor, "hashAnchors"),
    (CODECS[3], structs.leg, hash_leg, "hashLegs"),
)
IDS = [kind[3] for kind in KINDS]
PER_CALL = 250


# --- eth_account -----------------------------------------------------------------------------------------------------


def typed_data(codec: StructCodec, struct: object) -> dict[str, object]:
    name = codec.type_string.partition("(")[0]
    domain_fields = (
        ("name", "string"),
        ("version", "string"),
        ("chainId", "uint256"),
        ("verifyingContract", "address"),
    )
    return {
        "types": {
            "EIP712Domain": [{"name": field, "type": kind} for field, kind in domain_fields],
            name: [{"name": field.wire_name, "type": field.solidity} for field in codec.fields],
        },
        "primaryType": name,
        "domain": {
            "name": "MarginVerifier",
            "version": "1",
            "chainId": CHAIN_NUMBER,
            "verifyingContract": "0x" + CONTRACT.hex(),
        },
        "message": {field.wire_name: _plain(getattr(struct, field.name)) for field in codec.fields},
    }


def _plain(value: object) -> object:
    return value if isinstance(value, bytes) else int(value)  # type: ignore[call-overload]  # enumerations are integers


@pytest.mark.parametrize(("codec", "make", "hasher", "function"), KINDS, ids=IDS)
def test_th_098_hashes__of_2500_random_structs_of_each_kind__equal_eth_account(
    codec: StructCodec, make: Make, hasher: Hash, function: str
) -> None:
    random = Random(98)
    for _ in range(2500):
        struct = make(random)

        assert hasher(struct) == encode_typed_data(full_message=typed_data(codec, struct)).body, struct


def test_th_098_digests__of_random_roots__equal_eth_account() -> None:
    random = Random(99)
    for _ in range(250):
        root = structs.root(random)
        message = encode_typed_data(full_message=typed_data(CODECS[0], root))

        assert digest(DOMAIN, root) == keccak(b"\x19" + message.version + message.header + message.body)


# --- Solidity --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def harness() -> Iterator[tuple[AnvilNode, str]]:
    artifact = Path(proofs.__file__).parent / "contracts" / "artifacts" / "test" / "WireHarness.json"
    creation = json.loads(artifact.read_text())["bytecode"] + encode(["address"], [CONTRACT]).hex()
    with start_anvil(CHAIN_NUMBER, block_time_s=None) as node:
        yield node, deploy(node, creation)


def calldata(codec: StructCodec, function: str, drawn: list[object]) -> str:
    """Encode one call for many static structs, whose ABI form is their words one after the other."""
    members = ",".join(field.solidity for field in codec.fields)
    words = [(32).to_bytes(32, "big"), len(drawn).to_bytes(32, "big"), *(codec.encode(struct) for struct in drawn)]
    return "0x" + keccak(text=f"{function}(({members})[])")[:4].hex() + b"".join(words).hex()


def hashes_of(answer: str) -> list[bytes]:
    raw = bytes.fromhex(answer[2:])
    return [raw[at : at + 32] for at in range(64, len(raw), 32)]


@pytest.mark.node
@pytest.mark.parametrize(("codec", "make", "hasher", "function"), KINDS, ids=IDS)
def test_th_098_hashes__of_2500_random_structs_of_each_kind__equal_solidity(
    harness: tuple[AnvilNode, str], codec: StructCodec, make: Make, hasher: Hash, function: str
) -> None:
    node, address = harness
    random = Random(function)
    batches = [[make(random) for _ in range(PER_CALL)] for _ in range(10)]

    calls = [("eth_call", [{"to": address, "data": calldata(codec, function, batch)}, "latest"]) for batch in batches]
    answers = [rpc_batch(node.url, [call])[0] for call in calls]

    for batch, answer in zip(batches, answers, strict=True):
        assert hashes_of(answer) == [hasher(struct) for struct in batch]


@pytest.mark.node
def test_th_098_digests__of_random_roots__equal_solidity(harness: tuple[AnvilNode, str]) -> None:
    node, address = harness
    random = Random(100)
    roots = [structs.root(random) for _ in range(PER_CALL)]

    answer = node.rpc("eth_call", [{"to": address, "data": calldata(CODECS[0], "digests", list(roots))}, "latest"])

    assert hashes_of(answer) == [digest(DOMAIN, root) for root in roots]
