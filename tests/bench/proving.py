"""State proofs: 1,000 of one token against py-trie and @ethereumjs/mpt, one alone, and from JSON text to balances."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from unittest.util import safe_repr

import rlp
from trie import HexaryTrie

from chains.families.evm_codec import Wire
from chains.jsonrpc import RpcCall, decode_batch
from proofs import account, trie
from proofs.account import verify_answer, verify_storage
from proofs.trie import NodeSet, verify_proof
from tests.bench.holders import Holders, fingerprint, holders
from tests.bench.race import HERE, Goal, Local, Peer, Report, race

ALONE = 50
"""Proofs of the race for one proof: each is verified with a node set of its own."""


def prove(report: Report, rounds: int) -> None:
    """Run all races of this module."""
    token = holders()
    _count(report, token)
    with ExitStack() as stack:
        _thousand(report, token, rounds, stack)
    _alone(report, token, rounds)
    _from_json(report, token, rounds)


def _thousand(report: Report, token: Holders, rounds: int, stack: ExitStack) -> None:
    root, keys, proofs = token.trie.root, token.keys, token.proofs
    given = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "proofs.json"
    document = {
        "root": "0x" + root.hex(),
        "keys": ["0x" + key.hex() for key in keys],
        "proofs": [["0x" + node.hex() for node in proof] for proof in proofs],
    }
    given.write_text(json.dumps(document))

    def ours() -> list[bytes | None]:
        verify = NodeSet().verify
        return [verify(root, key, proof) for key, proof in zip(keys, proofs, strict=True)]

    def py_trie() -> list[bytes]:
        return [_by_py_trie(root, key, proof) for key, proof in zip(keys, proofs, strict=True)]

    check = _equals(list(token.values))
    expected = fingerprint(token.values)
    mpt = stack.enter_context(Peer("@ethereumjs/mpt", ["node", str(HERE / "peer_mpt.mjs"), str(given)], expected))
    command = [sys.executable, "-m", "tests.bench.serve", "fallback"]
    slower = stack.enter_context(Peer("ours, pycryptodome", command, expected))
    peers = [(Local("py-trie", py_trie, check), Goal(15)), (mpt, Goal(12)), (slower, None)]
    report.lines += race("1,000 storage proofs, 10,000 holders", Local("ours, pysha3", ours, check), peers, rounds)

    def to_words() -> list[int]:
        nodes = NodeSet()
        return [verify_storage(root, slot, proof, nodes) for slot, proof in zip(token.asked_slots, proofs, strict=True)]

    words = Local("ours, slots to words", to_words, _equals(list(token.words)))
    report.lines += race("the same, slot hashing and words included", words, peers[:1], rounds)


def _alone(report: Report, token: Holders, rounds: int) -> None:
    root = token.trie.root
    some = list(zip(token.keys, token.proofs, token.values, strict=True))[:ALONE]

    def ours() -> list[bytes | None]:
        return [verify_proof(root, key, proof) for key, proof, _ in some]

    def py_trie() -> list[bytes]:
        return [_by_py_trie(root, key, proof) for key, proof, _ in some]

    check = _equals([value for _, _, value in some])
    peers = [(Local("py-trie", py_trie, check), Goal(2))]
    report.lines += race(f"one proof alone ({ALONE} times)", Local("ours", ours, check), peers, rounds)


def _from_json(report: Report, token: Holders, rounds: int) -> None:
    body, state_root, slots = token.answer, token.state.root, token.asked_slots
    calls = [RpcCall("eth_getProof")]
    wire = Wire("provider")

    def ours() -> dict[int, int]:
        (reply,) = decode_batch("provider", body, calls, 1, str)
        return verify_answer(state_root, token.token, slots, wire.account_answer(reply))[1]

    parsed = _equals(json.loads(body))
    peers = [
        (Local("json.loads", lambda: json.loads(body), parsed), Goal(6, at_most=True)),
        (Local("json.loads of str", _of_str(body), parsed), None),
    ]
    check = _equals(dict(zip(slots, token.words, strict=True)))
    report.lines += race("raw JSON to 1,000 checked balances", Local("ours", ours, check), peers, rounds, inverse=True)
    report.counts["bytes of the JSON answer"] = len(body)


def _of_str(body: bytes) -> Callable[[], object]:
    text = body.decode()
    return lambda: json.loads(text)


def _by_py_trie(root: bytes, key: bytes, proof: tuple[bytes, ...]) -> bytes:
    value: bytes = HexaryTrie.get_from_proof(root, key, [rlp.decode(node) for node in proof])
    return value


def _equals(expected: object) -> Callable[[object], None]:
    def check(result: object) -> None:
        if result != expected:
            raise AssertionError(f"wrong result: {safe_repr(result, short=True)}")

    return check


# --- counts: the same on every machine -------------------------------------------------------------------------------


def hashes_of(token: Holders) -> dict[str, int]:
    """Count the hashes of verifying all proofs, and what they are made of."""
    hashed = 0
    plain = trie.keccak256

    def counting(data: bytes) -> bytes:
        nonlocal hashed
        hashed += 1
        return plain(data)

    nodes = NodeSet()
    trie.keccak256 = account.keccak256 = counting  # type: ignore[misc]  # a counter in the place of the hash
    try:
        for slot, proof, word in zip(token.asked_slots, token.proofs, token.words, strict=True):
            assert verify_storage(token.trie.root, slot, proof, nodes) == word
    finally:
        trie.keccak256 = account.keccak256 = plain  # type: ignore[misc]
    sent = [node for proof in token.proofs for node in proof]
    return {
        "nodes sent": len(sent),
        "unique nodes": len(set(sent)),
        "bytes sent": sum(map(len, sent)),
        "bytes of unique nodes": sum(map(len, set(sent))),
        "keys": len(token.keys),
        "hashes": hashed,
    }


def _count(report: Report, token: Holders) -> None:
    report.counts.update({f"1,000 proofs: {what}": count for what, count in hashes_of(token).items()})
