"""Rows to store."""

from __future__ import annotations

from proofs.attestation import MarginLeaf, MarginRoot, SignedRoot, abi_leaf
from proofs.types import AccountId, Assurance, Hash32, Quality, Status
from relayer.flags import Flag, FlagEvent, FlagEventKind, FlagState
from relayer.store.port import AccountRow, FrameRow, FrameState

POLICY = Hash32(b"\x01" * 32)
OTHER_POLICY = Hash32(b"\x02" * 32)
DIGEST, OTHER_DIGEST = Hash32(b"\xd1" * 32), Hash32(b"\xd2" * 32)
SIGNER = "0x" + "5a" * 20
SIGNATURE = b"\x00\x00\x00\x01" + b"\x77" * 64
UINT128_MAX = 2**128 - 1


def account(number: int) -> AccountId:
    return AccountId(number.to_bytes(32, "big"))


def leaf(number: int, status: Status = Status.HEALTHY) -> MarginLeaf:
    return MarginLeaf(
        account_id=account(number),
        venue_id=Hash32(b"\x33" * 32),
        status=status,
        assurance=Assurance.STATE_PROOF,
        quality=Quality.DEVNET | Quality.DEGRADED_LEG,
        collateral_usd=UINT128_MAX,
        liability_usd=1,
        initial_margin_usd=2,
        maintenance_margin_usd=3,
        legs_root=Hash32(b"\x44" * 32),
    )


def account_row(number: int, status: Status = Status.HEALTHY) -> AccountRow:
    return AccountRow(account(number), abi_leaf(leaf(number, status)), b'{"n": "\\u00e9"}')


def signed_root(frame: int, digest: Hash32 = DIGEST) -> SignedRoot:
    root = MarginRoot(POLICY, frame, frame - 30, frame + 1770, 12, 3, 2, Hash32(b"\x05" * 32), Hash32(b"\x06" * 32))
    return SignedRoot(root, digest, SIGNATURE)


def frame_row(frame: int, state: FrameState = FrameState.OBSERVED, policy_id: Hash32 = POLICY) -> FrameRow:
    signed = signed_root(frame) if state is FrameState.SIGNED else None
    return FrameRow(policy_id, frame, state, "", signed, b'{"anchors": []}')


def flag(number: int, state: FlagState = FlagState.RAISED, status: Status = Status.LIQUIDATABLE) -> Flag:
    return Flag(account(number), state, status, 60, 120, Assurance.RPC_QUORUM, 1, ("ETH-PERP -5", 'é"\x00\n'))


def event(number: int, frame: int, kind: FlagEventKind = FlagEventKind.RAISED) -> FlagEvent:
    return FlagEvent(account(number), kind, frame, Status.LIQUIDATABLE, -(2**127), UINT128_MAX, ("because",))
