"""One whole frame of two chains and three accounts, signed by three of four: the contents of an evidence bundle."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from proofs.attestation import (
    Domain,
    MarginLeaf,
    MarginLeg,
    MarginRoot,
    SignedRoot,
    accounts_tree,
    digest,
    legs_root,
    snapshot_root,
)
from proofs.bundle import BundleContents
from proofs.keccak import keccak256
from proofs.layouts import AccountArray, SolidityMapping, array_slot, mapping_slot
from proofs.sheet import AccountList, AccountListSpec, ColumnSpec, ReadMode
from proofs.signers import SignerSet, pack_signatures
from proofs.signing import LocalSigner
from proofs.snapshot import ChainReading, Outcome, Reason, Snapshot, Unavailable
from proofs.types import (
    AccountId,
    Address,
    Assurance,
    ChainId,
    Encumbrance,
    Hash32,
    LegKind,
    Quality,
    Status,
)
from proofs.verify import verify
from tests.proofs.memory_chain import Contract, MemoryChain, account, address

SIGNERS = tuple(LocalSigner(bytes([number]) * 32) for number in range(1, 5))
SET = SignerSet(tuple(signer.address for signer in SIGNERS), 3, 1)
DOMAIN = Domain(31337001, Address(b"\x11" * 20))
HOME = ChainId("eip155:31337001")
FAR = ChainId("eip155:31337002")
GONE = ChainId("eip155:31337003")
POLICY = b'{"frame_s":60,"name":"test","version":1}'
FRAME = 1_700_000_040
VENUE = Hash32(keccak256(b"venue"))
CODE = Hash32(keccak256(b"code"))
ROWS = tuple(account(number) for number in (1, 2, 3))


def home_reading() -> ChainReading:
    """Read locks with proof, prices of one feed and a balance without."""
    box, feed = address(0xB0), address(0xFE)
    storage = {mapping_slot(0, row): 1000 + number for number, row in enumerate(ROWS)}
    elements = {array_slot(5, at): int.from_bytes(row, "big") for at, row in enumerate(ROWS)}
    chain = MemoryChain(
        HOME,
        {
            box: Contract({**storage, 5: 3, **elements}),
            feed: Contract(),
            address(1): Contract(balance=7),
        },
        timestamp_s=FRAME - 10,
    )
    columns = (
        ColumnSpec("locks", box, ReadMode.CALL, b"\1\2\3\4", ROWS, (False,), SolidityMapping(0), CODE),
        ColumnSpec("price", feed, ReadMode.CALL, b"\5\6\7\x08", (b"",), (True, False)),
        ColumnSpec("coins", address(0), ReadMode.NATIVE_BALANCE, b"", (address(1), address(9)), (False,)),
    )
    lists = (AccountListSpec("box", box, b"\x09\x0a\x0b\x0c", AccountArray(5), CODE),)
    given = {"price": [(2**130, FRAME - 30)]}
    return chain.reading(columns, lists, (AccountList("box", ROWS),), given, (address(1),))


def far_reading() -> ChainReading:
    box = address(0xB1)
    chain = MemoryChain(FAR, {box: Contract({mapping_slot(0, ROWS[0]): 5})}, number=9, timestamp_s=FRAME - 4)
    column = ColumnSpec("far locks", box, ReadMode.CALL, b"\1\2\3\4", ROWS, (False,), SolidityMapping(0), CODE)
    return chain.reading((column,))


def legs_of(row: AccountId) -> tuple[MarginLeg, ...]:
    holder = Hash32(keccak256(row))
    collateral = MarginLeg(
        holder,
        Hash32(keccak256(HOME.encode())),
        Hash32(keccak256(b"asset")),
        LegKind.LOCK,
        Encumbrance.ESCROWED,
        Assurance.STATE_PROOF,
        1000,
        10**18,
        50_000,
        0,
        950,
        10,
        0,
    )
    position = replace(
        collateral, kind=LegKind.POSITION, encumbrance=Encumbrance.NOT_APPLICABLE, value_usd=-40, maintenance_usd=20
    )
    return (collateral, position) if row != ROWS[2] else ()


def leaf_of(row: AccountId, legs: tuple[MarginLeg, ...]) -> MarginLeaf:
    figures = (950, 40, 20, 20) if legs else (0, 0, 0, 0)
    return MarginLeaf(row, VENUE, Status.HEALTHY, Assurance.STATE_PROOF, Quality.DEVNET, *figures, legs_root(legs))


def signed_by(root: MarginRoot, domain: Domain = DOMAIN, members: tuple[int, ...] = (0, 1, 3)) -> SignedRoot:
    what = digest(domain, root)
    blob = pack_signatures([(member, asyncio.run(SIGNERS[member].sign(what))) for member in members])
    return SignedRoot(root, what, blob)


def contents(*, missing: bool = False) -> BundleContents:
    """Return evidence in which everything fits; with `missing` a third chain of the policy gave nothing."""
    gone: tuple[Outcome, ...] = (Unavailable(GONE, Reason.NOT_FINAL, "3 blocks short", ("alpha",)),) if missing else ()
    snapshot = Snapshot(FRAME, (home_reading(), far_reading(), *gone))
    devnets = frozenset({HOME, FAR})
    anchors = verify(snapshot, devnets).anchors()
    legs = tuple(legs_of(row) for row in ROWS)
    leaves = tuple(leaf_of(row, of_row) for row, of_row in zip(ROWS, legs, strict=True))
    root = MarginRoot(
        Hash32(keccak256(POLICY)),
        FRAME,
        FRAME - 10,
        FRAME + 1800,
        6,
        0,
        len(leaves),
        snapshot_root(anchors),
        Hash32(accounts_tree(leaves).root),
    )
    return BundleContents(
        "margin-relayer test", POLICY, DOMAIN, SET, devnets, snapshot, anchors, leaves, legs, signed_by(root)
    )
