"""INV-23: the deployed verifier and a stranger with `proofs` alone give one verdict, for one reason.

Attestations are generated: signer set, tree, place of the leaf, figures, who signs. Then one thing is changed, before
or after signing, in the structs or in the raw words. Both judge the same bytes: the contract by `verify`, the stranger
by parsing the words, then tree, root and signatures. Reasons are compared by class, because the two tell some apart
more finely. Bits outside a narrow field the stranger names as such; the contract hashes words as they came, so that
they belong to no leaf and to no signature.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.devnet.abi import load_artifact, revert_of
from chains.devnet.errors import NodeRefused
from chains.devnet.nodes import AnvilNode, start_anvil
from proofs.attestation import (
    Domain,
    MarginLeaf,
    MarginRoot,
    SignedRoot,
    abi_leaf,
    abi_root,
    accounts_tree,
    digest,
    leaf_from_abi,
    root_from_abi,
    verify_leaf,
)
from proofs.errors import InvalidAttestation, InvalidProof
from proofs.signers import ORDER, SignerSet, pack_signatures, verify_signed_root
from proofs.signing import LocalSigner
from proofs.types import AccountId, Address, Hash32, parse_address
from proofs.wire import uint_word
from tests.differential.deploying import deploy
from tests.proofs import structs

pytestmark = pytest.mark.node

CHAIN_NUMBER = 31337002
VERIFIER = load_artifact("MarginVerifier")
SIGNERS = tuple(LocalSigner(bytes([number]) * 32) for number in range(1, 9))
SETS = tuple(SignerSet(tuple(s.address for s in SIGNERS[:n]), k, f) for n, k, f in ((1, 1, 0), (4, 3, 1), (7, 5, 2)))
WORDS = {"root": 9, "leaf": 10}

# Reason classes: the contract's errors and our rules that say the same.
CLASSES = MappingProxyType(
    {
        "words": ("", "leaf_value_unknown", "abi_word", "field_range"),
        "times": ("as_of_after_frame", "valid_until_before_as_of"),
        "tree": (
            *("zero_root", "empty_tree", "leaf_not_in_root", "proof_too_deep", "proof_too_short"),
            *("merkle_root", "merkle_root_zero", "merkle_count", "merkle_depth", "merkle_shallow"),
        ),
        "blob": ("signature_length", "bitmap_beyond_set"),
        "signature": ("signature_invalid", "high_s"),
        "quorum": ("quorum_not_met",),
    }
)
CLASS_OF = {name: found for found, names in CLASSES.items() for name in names}
ACCEPTED = "accepted"


@dataclass(frozen=True)
class Case:
    """What both sides are given: raw words, blob, siblings."""

    root: bytes
    blob: bytes
    leaf: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True)
class Court:
    """One deployed verifier and the stranger's copy of its set."""

    node: AnvilNode
    domain: Domain
    members: SignerSet
    now: int

    def sign(self, root: MarginRoot, signers: tuple[int, ...]) -> bytes:
        what = digest(self.domain, root)
        return pack_signatures([(number, asyncio.run(SIGNERS[number].sign(what))) for number in signers])

    def chain(self, case: Case) -> str:
        head = len(case.root) + 32 + len(case.leaf) + 32
        padded = uint_word(len(case.blob)) + case.blob + bytes(-len(case.blob) % 32)
        proof = uint_word(len(case.proof)) + b"".join(case.proof)
        words = (case.root, uint_word(head), case.leaf, uint_word(head + len(padded)), padded, proof)
        data = "0x" + SELECTOR.hex() + b"".join(words).hex()
        try:
            answer = self.node.rpc("eth_call", [{"to": "0x" + self.domain.verifying_contract.hex(), "data": data}])
        except NodeRefused as refusal:
            name = revert_of("verify", bytes.fromhex(refusal.data[2:])).error if len(refusal.data) >= 10 else ""
            return CLASS_OF[re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()]
        assert answer == "0x"
        return ACCEPTED

    def stranger(self, case: Case) -> str:
        try:
            root, leaf = root_from_abi(case.root), leaf_from_abi(case.leaf)
            verify_leaf(root, leaf, case.proof)
            verify_signed_root(SignedRoot(root, digest(self.domain, root), case.blob), self.domain, self.members)
        except (InvalidAttestation, InvalidProof) as refusal:
            return CLASS_OF[refusal.rule]
        return ACCEPTED


SELECTOR = VERIFIER.call(
    "verify", (bytes(32), *(0,) * 6, bytes(32), bytes(32)), b"", (bytes(32), bytes(32), *(0,) * 7, bytes(32)), []
)[:4]


@pytest.fixture(scope="module")
def courts() -> Iterator[tuple[Court, ...]]:
    with start_anvil(CHAIN_NUMBER, block_time_s=None) as node:
        admin = parse_address(str(node.rpc("eth_accounts")[0]))
        places = [
            deploy(node, "0x" + VERIFIER.creation(admin, admin, 60, list(each.addresses), each.k, each.f).hex())
            for each in SETS
        ]
        now = int(str(node.rpc("eth_getBlockByNumber", ["latest", False])["timestamp"]), 16)
        yield tuple(
            Court(node, Domain(CHAIN_NUMBER, parse_address(place)), members, now)
            for place, members in zip(places, SETS, strict=True)
        )


def attest(court: Court, random: Random) -> tuple[MarginRoot, MarginLeaf, tuple[bytes, ...], tuple[int, ...]]:
    """Draw a right attestation: root, leaf, siblings, and who shall sign."""
    count = random.choice((1, 1, 2, 3, 4, 5, 8, 13))
    ids = sorted({random.getrandbits(256) for _ in range(count)})
    leaves = [replace(structs.leaf(random), account_id=AccountId(uint_word(number))) for number in ids]
    tree, place = accounts_tree(leaves), random.randrange(count)
    as_of = court.now - random.randrange(100)
    root = MarginRoot(
        policy_id=Hash32(random.randbytes(32)),
        frame=random.randint(as_of, court.now),
        as_of=as_of,
        valid_until=court.now + 500 + random.getrandbits(40),
        skew=random.getrandbits(32),
        signer_epoch=0,
        leaf_count=count,
        snapshot_root=Hash32(random.randbytes(32)),
        accounts_root=Hash32(tree.root),
    )
    most = len(court.members.addresses)
    signers = tuple(sorted(random.sample(range(most), random.randint(court.members.k, most))))
    return root, leaves[place], tuple(tree.proof(place)), signers


def right(court: Court, random: Random) -> Case:
    root, leaf, proof, signers = attest(court, random)
    return Case(abi_root(root), court.sign(root, signers), abi_leaf(leaf), proof)


def wrong_root_signed(court: Court, random: Random) -> Case:
    """What a careless quorum could sign, and nobody may accept."""
    root, leaf, proof, signers = attest(court, random)
    change: dict[str, object] = random.choice(
        (
            {"accounts_root": Hash32(bytes(32))},
            {"snapshot_root": Hash32(bytes(32))},
            {"leaf_count": 0},
            {"leaf_count": random.choice((1, root.leaf_count * 2 + 1, 2**64 - 1))},
            {"as_of": root.frame + 1, "frame": root.frame},
            {"frame": court.now + 20, "as_of": court.now + 20, "valid_until": court.now + 19},
            {"policy_id": Hash32(random.randbytes(32))},
        )
    )
    changed = replace(root, **change)  # type: ignore[arg-type]  # each pair is a field and its type
    return Case(abi_root(changed), court.sign(changed, signers), abi_leaf(leaf), proof)


def wrong_word(court: Court, random: Random) -> Case:
    """One bit of the words, after signing; the epoch and the times that a clock judges are the chain's own affair."""
    case = right(court, random)
    part = random.choice(("root", "leaf"))
    raw = bytearray(getattr(case, part))
    word = random.choice([number for number in range(WORDS[part]) if part == "leaf" or number not in (1, 2, 3, 5)])
    raw[32 * word + random.choice((0, 31, random.randrange(32)))] ^= 1 << random.randrange(8)
    return replace(case, **{part: bytes(raw)})


def wrong_proof(court: Court, random: Random) -> Case:
    case = right(court, random)
    proof = list(case.proof)
    kind = random.choice(("drop", "add", "flip", "swap", "root"))
    if kind == "drop" and proof:
        proof.pop(random.randrange(len(proof)))
    elif kind == "flip" and proof:
        place = random.randrange(len(proof))
        proof[place] = bytes([proof[place][0] ^ 1]) + proof[place][1:]
    elif kind == "swap":
        proof.reverse()
    else:
        proof.insert(random.randint(0, len(proof)), case.root[-32:] if kind == "root" else random.randbytes(32))
    return replace(case, proof=tuple(proof))


def wrong_blob(court: Court, random: Random) -> Case:
    root, leaf, proof, signers = attest(court, random)
    blob = court.sign(root, signers)
    first, rest = blob[4:68], blob[68:]
    s = int.from_bytes(first[32:], "big") & (2**255 - 1)
    twin = first[:32] + ((ORDER - s) | (first[32] >> 7 ^ 1) << 255).to_bytes(32, "big") if s < ORDER - 2**255 else first
    place = random.randrange(len(blob))
    few = tuple(sorted(random.sample(signers, court.members.k - 1)))
    options = (
        blob[:-1],
        blob + b"\0",
        b"",
        blob[:4],
        bytes(4),
        blob[:place] + bytes([blob[place] ^ 1 << random.randrange(8)]) + blob[place + 1 :],
        bytes([blob[0] ^ 0x80]) + blob[1:],
        blob[:4] + rest[-64:] + rest[:-64] + first if rest else blob[:4] + first[::-1],
        blob[:4] + bytes(32) + first[32:] + rest,
        blob[:4] + first[:32] + bytes(32) + rest,
        blob[:4] + twin + rest,
        pack_signatures([(number, first) for number in signers]),
        court.sign(root, few),
        court.sign(replace(root, frame=root.frame - 1), signers),
        court.sign(replace(root, skew=root.skew ^ 1), signers),
    )
    return Case(abi_root(root), random.choice(options), abi_leaf(leaf), proof)


MAKERS = (right, wrong_root_signed, wrong_word, wrong_proof, wrong_blob)


def one_verdict(court: Court, case: Case) -> str:
    """Require that both judge alike; return the stranger's verdict."""
    stranger, chain = court.stranger(case), court.chain(case)
    assert chain == stranger or (stranger == "words" and chain in ("tree", "signature"))
    return stranger


@settings(max_examples=250)
@given(st.integers(0, 2), st.sampled_from(MAKERS), st.integers(0, 2**64 - 1))
def test_inv_23_attestation__made_or_changed__has_one_verdict(courts, number, make, seed) -> None:
    one_verdict(courts[number], make(courts[number], Random(seed)))


@pytest.mark.parametrize("make", MAKERS)
def test_inv_23_each_kind_of_change__reaches_the_verdicts_it_is_made_for(courts: tuple[Court, ...], make) -> None:
    reached = {
        "right": {ACCEPTED},
        "wrong_root_signed": {ACCEPTED, "tree", "times"},
        "wrong_word": {"words", "tree", "signature"},
        "wrong_proof": {ACCEPTED, "tree"},
        "wrong_blob": {ACCEPTED, "blob", "signature", "quorum"},
    }
    random = Random(23)
    verdicts = set()
    for court in courts:
        for _ in range(25):
            verdicts.add(one_verdict(court, make(court, random)))

    assert verdicts <= reached[make.__name__]
    assert verdicts >= reached[make.__name__] - {ACCEPTED}


@pytest.mark.parametrize("twin", ["chain", "contract"])
def test_inv_23_right_attestation__of_another_verifier__is_refused_by_both(courts: tuple[Court, ...], twin) -> None:
    court = courts[1]
    here = court.domain.verifying_contract
    foreign = Domain(1, here) if twin == "chain" else Domain(CHAIN_NUMBER, Address(b"\1" * 20))
    root, leaf, proof, signers = attest(court, Random(106))
    blob = replace(court, domain=foreign).sign(root, signers)
    case = Case(abi_root(root), blob, abi_leaf(leaf), proof)

    assert (court.chain(case), court.stranger(case)) == ("signature", "signature")
