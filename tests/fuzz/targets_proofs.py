"""Decoders of `proofs` that read what providers and signers send."""

from __future__ import annotations

import rlp as foreign_rlp

from proofs.account import EMPTY_CODE_HASH, AccountAnswer, verify_answer
from proofs.attestation import abi_leaf, abi_root, leaf_from_abi, root_from_abi
from proofs.canonical_sheet import parse_sheet, sheet_fault
from proofs.errors import InvalidAttestation, InvalidHeader, InvalidProof, InvalidRlp, LimitExceeded, ProofError
from proofs.header import HeaderShape, blank_fields, encode_header, parse_header
from proofs.keccak import keccak256
from proofs.rlp import decode, encode
from proofs.sheet import serialise
from proofs.signers import check_signatures, pack_signatures, unpack_signatures
from proofs.trie import EMPTY_ROOT, NodeSet, build_trie, verify_proof
from tests.fuzz.engine import Target
from tests.fuzz.framing import CHILD, joined, linked, parted, unlinked
from tests.proofs import evidence_frame
from tests.proofs.crafted import KEY, branch, deep_trie, extension, leaf, small_world

# --- RLP -------------------------------------------------------------------------------------------------------------


def run_rlp(data: bytes) -> str:
    item = decode(data)
    assert encode(item) == data
    return "bytes" if isinstance(item, bytes) else f"list of {min(len(item), 20)}"


RLP = Target(
    "rlp",
    run_rlp,
    (InvalidRlp, LimitExceeded),
    (
        b"\x80",
        foreign_rlp.encode([b"", b"\x01", b"dog", [b"cat", []], b"x" * 60]),
        foreign_rlp.encode([[[[[[[b"deep"]]]]]]]),
        foreign_rlp.encode(b"y" * 300),
        foreign_rlp.encode([b"z" * 32] * 17),
    ),
    (b"\xb8\x37", b"\xb8\x38", b"\xb9\x01\x00", b"\xf8\x38", b"\xf9\x01\x00", b"\xbf" + b"\xff" * 8, b"\x81\x7f"),
)

# --- proofs of one key -----------------------------------------------------------------------------------------------

_NEAR = {KEY: b"\x05", KEY[:-1] + b"\x00": b"\x06", KEY[:16] + bytes(16): b"\x07" * 40, bytes(32): b"\x08"}
_TRIES = (build_trie(_NEAR), deep_trie(), build_trie({KEY: b"\x05"}))
_TRIE_SEEDS = (
    *(b"\0" + joined(unlinked(trie.prove_with_copies(KEY))) for trie in _TRIES),
    *(b"\0" + joined(unlinked(trie.prove(KEY[:-1] + b"\xee"))) for trie in _TRIES),
    b"\1" + joined(_TRIES[0].prove(KEY)),
    b"\2" + joined(unlinked(_TRIES[0].prove(KEY))),
    b"\0" + joined([extension(KEY.hex()[:4], CHILD), branch({0: CHILD, 2: b"\x01" * 32}), leaf("1" * 59, b"\x09")]),
    b"\3",
)


def run_trie(data: bytes) -> str:
    """Verify under the first node's hash, a fixed root or the empty root; or as a set of nodes."""
    mode, nodes = data[:1], linked(parted(data[1:]))
    root = keccak256(nodes[0]) if nodes else bytes(32)
    if mode == b"\2":
        kept = NodeSet.from_nodes(nodes)
        proof = kept.proof(root, KEY)
        assert verify_proof(root, KEY, proof) == verify_proof(root, KEY, proof, kept)
        return "set"
    if mode in (b"\1", b"\3"):
        root = _TRIES[0].root if mode == b"\1" else EMPTY_ROOT
        value = verify_proof(root, KEY, nodes)
        assert value == (_NEAR[KEY] if mode == b"\1" else None)
        return "fixed root"
    return "absent" if verify_proof(root, KEY, nodes) is None else "present"


TRIE = Target(
    "trie",
    run_trie,
    (InvalidProof, LimitExceeded),
    _TRIE_SEEDS,
    (CHILD, b"\xa0" + CHILD, KEY, b"\x20" + KEY, b"\x80" * 16, b"\x20\x01", b"\x31", b"\x11", b"\x00\x01", b"\xf8\x51"),
)

# --- headers ---------------------------------------------------------------------------------------------------------

_SHAPES = tuple(HeaderShape)


def run_header(data: bytes) -> str:
    shape = _SHAPES[data[0] % len(_SHAPES)] if data else HeaderShape.PRAGUE
    header = parse_header(data[1:], shape)
    assert header.hash == keccak256(data[1:])
    return shape


HEADER = Target(
    "header",
    run_header,
    (InvalidHeader, LimitExceeded),
    tuple(bytes([at]) + encode_header(blank_fields(shape), shape) for at, shape in enumerate(_SHAPES)),
    (b"\x80", b"\xa0" + bytes(32), b"\x88" + b"\xff" * 8, b"\x89" + b"\xff" * 9, b"\x00", b"\x81\x80", b"\xc0"),
)

# --- answers to eth_getProof -----------------------------------------------------------------------------------------

_WORLD = small_world()
_STATE_ROOT = _WORLD.trie.root
_KNOWN = {one.address: one for one in _WORLD.contracts}
_FIRST, _LONELY = _WORLD.contracts[0], _WORLD.contracts[5]
_SLOT = 7
_CLAIMS = 20 + 8 + 32 + 32 + 32 + 32 + 32


def _answer_seed(address: bytes, link: bool) -> bytes:
    answer = _WORLD.answer(address, (_SLOT,))
    (slot, word, storage), *_ = answer.storage
    numbers = answer.nonce.to_bytes(8, "big") + answer.balance.to_bytes(32, "big")
    words = slot.to_bytes(32, "big") + word.to_bytes(32, "big")
    claims = address + numbers + answer.storage_hash + answer.code_hash + words
    nodes = [*answer.account_proof, *storage]
    mode = bytes([int(link), len(answer.account_proof)])
    return mode + claims + joined(unlinked(nodes) if link else nodes)


def run_answer(data: bytes) -> str:
    """Verify claims and nodes for the address that the claims name, under the real root or the first node's hash."""
    head, claims = data[:2].ljust(2, b"\0"), data[2 : 2 + _CLAIMS].ljust(_CLAIMS, b"\0")
    is_linked = head[0] % 2 == 1
    nodes = parted(data[2 + _CLAIMS :])
    nodes = linked(nodes) if is_linked else nodes
    split = head[1] % 64
    slot, word = int.from_bytes(claims[124:156], "big"), int.from_bytes(claims[156:188], "big")
    answer = AccountAnswer(
        address=claims[:20],
        nonce=int.from_bytes(claims[20:28], "big"),
        balance=int.from_bytes(claims[28:60], "big"),
        storage_hash=claims[60:92],
        code_hash=claims[92:124],
        account_proof=nodes[:split],
        storage=((slot, word, nodes[split:]),),
    )
    root = keccak256(nodes[0]) if is_linked and nodes else _STATE_ROOT
    state, values = verify_answer(root, answer.address, (_SLOT,), answer)
    assert values == {_SLOT: word}
    if not is_linked:
        known = _KNOWN.get(answer.address)
        assert (known is not None) == state.exists
        assert word == (known.storage.get(_SLOT, 0) if known is not None else 0)
    return "exists" if state.exists else "absent"


ANSWER = Target(
    "answer",
    run_answer,
    (InvalidProof, LimitExceeded),
    tuple(_answer_seed(who, link) for who in (_FIRST.address, _LONELY.address, b"\x99" * 20) for link in (False, True)),
    (CHILD, EMPTY_ROOT, EMPTY_CODE_HASH, bytes(32), b"\x80", b"\xa0" + CHILD, b"\xb8\x46\xf8\x44", b"\x00\x00"),
)

# --- what signers and bundles send -----------------------------------------------------------------------------------

_WHOLE = evidence_frame.contents()
_SIGNED = _WHOLE.signed
_ADDRESSES = _WHOLE.signers.addresses


def run_signatures(data: bytes) -> str:
    signers, blob = (data[0] % 33 if data else 0), data[1:]
    split = unpack_signatures(blob, signers)
    assert pack_signatures(split) == blob
    found = check_signatures(_SIGNED.digest, blob, (*_ADDRESSES, *[_ADDRESSES[0]] * 29)[:signers], 1 + signers % 3)
    return f"{len(found)} signers"


SIGNATURES = Target(
    "signatures",
    run_signatures,
    (InvalidAttestation,),
    (
        b"\4" + _SIGNED.signatures,
        b"\4" + bytes(4),
        b"\4" + b"\0\0\0\1" + _SIGNED.signatures[4:68],
        b"\x20" + b"\xff" * 4,
    ),
    (b"\0\0\0\x0b", bytes(32), b"\xff" * 32, _SIGNED.signatures[4:68]),
)


def run_abi(data: bytes) -> str:
    if len(data) == 288:
        assert abi_root(root_from_abi(data)) == data
        return "root"
    assert abi_leaf(leaf_from_abi(data)) == data
    return "leaf"


ABI = Target(
    "abi",
    run_abi,
    (InvalidAttestation,),
    (abi_root(_SIGNED.root), *(abi_leaf(one) for one in _WHOLE.leaves)),
    (bytes(32), b"\xff" * 32, b"\0" * 31 + b"\1"),
)

_READING = evidence_frame.home_reading()
_QUESTIONS = (_READING.anchor.block.chain, _READING.account_lists, _READING.columns)


def run_sheet(data: bytes) -> str:
    sheet = parse_sheet(data, *_QUESTIONS)
    if sheet_fault(sheet, *_QUESTIONS) is not None:
        return "faulty"
    assert serialise(sheet) == data
    return "canonical"


SHEET = Target(
    "sheet",
    run_sheet,
    (ProofError,),
    (serialise(_READING.sheet),),
    (b"\xff" * 16, bytes(16), b"\0" * 31 + b"\1", b"\0\0\0\1", b"\0\0\0\3", b"\1", b"\2", b"\3"),
)

TARGETS = (RLP, TRIE, HEADER, ANSWER, SIGNATURES, ABI, SHEET)
