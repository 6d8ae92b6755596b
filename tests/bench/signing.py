"""EIP-712: digest and signature of a root, against eth_account and against the bare curve."""

from __future__ import annotations

import sys
from collections.abc import Callable

from coincurve import PrivateKey, PublicKey
from eth_account import Account
from eth_account.messages import encode_typed_data

from proofs.attestation import CODECS, Domain, MarginRoot, digest
from proofs.signing import LocalSigner
from proofs.types import Address, Hash32
from tests.bench.race import Goal, Local, Peer, Report, race

KEY = bytes(31) + b"\x07"
DOMAIN = Domain(31337001, Address(b"\xab" * 20))
ROOT = MarginRoot(
    policy_id=Hash32(b"\x01" * 32),
    frame=1_700_000_000,
    as_of=1_699_999_990,
    valid_until=1_700_000_060,
    skew=12,
    signer_epoch=1,
    leaf_count=10_000,
    snapshot_root=Hash32(b"\x02" * 32),
    accounts_root=Hash32(b"\x03" * 32),
)
TYPED = {
    "types": {
        "EIP712Domain": [
            {"name": name, "type": kind}
            for name, kind in (
                ("name", "string"),
                ("version", "string"),
                ("chainId", "uint256"),
                ("verifyingContract", "address"),
            )
        ],
        "MarginRoot": [{"name": field.wire_name, "type": field.solidity} for field in CODECS[0].fields],
    },
    "primaryType": "MarginRoot",
    "domain": {
        "name": "MarginVerifier",
        "version": "1",
        "chainId": DOMAIN.chain_number,
        "verifyingContract": "0x" + DOMAIN.verifying_contract.hex(),
    },
    "message": {field.wire_name: getattr(ROOT, field.name) for field in CODECS[0].fields},
}


def sign(report: Report, rounds: int) -> None:
    """Run all races of this module."""
    expected = foreign_signature()
    signer, bare, known = LocalSigner(KEY), PrivateKey(KEY), digest(DOMAIN, ROOT)

    def sign_and_recover() -> bytes:
        signature: bytes = bare.sign_recoverable(known, hasher=None)
        PublicKey.from_signature_and_message(signature, known, hasher=None)
        return _compact(signature)

    def ours_unrecovered() -> bytes:
        return _compact(bare.sign_recoverable(digest(DOMAIN, ROOT), hasher=None))

    check = _equals(expected)
    command = [sys.executable, "-m", "tests.bench.serve", "native"]
    with Peer("eth_account, pure Python", command, expected.hex()) as slow:
        fast = Local("eth_account on coincurve", foreign_signature, check)
        peers = [(fast, Goal(8)), (slow, Goal(80))]
        unrecovered = Local("ours, not recovered", ours_unrecovered, check)
        report.lines += race("EIP-712 digest and signature", unrecovered, peers, rounds)
    ours = Local("ours, recovered", lambda: _finish(signer, digest(DOMAIN, ROOT)), check)
    checked = Local("eth_account sign and recover", foreign_recovered, check)
    report.lines += race("the same and its recovery, as the ledger demands", ours, [(checked, None)], rounds)
    curve_alone = [(Local("coincurve sign and recover", sign_and_recover, check), Goal(1.3, at_most=True))]
    report.lines += race("the same over the bare curve", ours, curve_alone, rounds, inverse=True)


def foreign_signature() -> bytes:
    """Sign the root with eth_account's `sign_typed_data`, in the compact form of EIP-2098."""
    signed = Account.sign_typed_data(KEY, full_message=TYPED)
    return signed.r.to_bytes(32, "big") + (signed.s | (signed.v - 27) << 255).to_bytes(32, "big")


def foreign_recovered() -> bytes:
    """Sign likewise and recover the signer from the message."""
    signature = foreign_signature()
    parts = (27 + (signature[32] >> 7), signature[:32], bytes([signature[32] & 0x7F]) + signature[33:])
    if Account.recover_message(encode_typed_data(full_message=TYPED), vrs=parts) != Account.from_key(KEY).address:
        raise AssertionError("another signer")
    return signature


def _compact(signature: bytes) -> bytes:
    """Put the parity bit of r ‖ s ‖ v into s."""
    return signature[:32] + bytes([signature[32] | signature[64] << 7]) + signature[33:64]


def _equals(expected: bytes) -> Callable[[object], None]:
    def check(result: object) -> None:
        if result != expected:
            raise AssertionError("another signature")

    return check


def _finish(signer: LocalSigner, value: Hash32) -> bytes:
    """Run the signer's coroutine, which never waits."""
    try:
        signer.sign(value).send(None)
    except StopIteration as done:
        signature: bytes = done.value
        return signature
    raise AssertionError("a local signer does not wait")
