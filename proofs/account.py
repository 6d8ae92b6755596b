"""Verify accounts and storage slots against a state root: request-bound, after EIP-1186.

Every key comes from our request, every value from a proven leaf. The JSON copies in an answer decide nothing;
where they differ from the leaf the whole answer is refused (go-ethereum#28355). An absent account has nonce and
balance 0 and the empty hashes; clients spell its hashes as zero or as empty (reth#24360), both are accepted once the
absence is proven. Who asked which chain and block is the caller's business.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from proofs.errors import ConstructionRefused, InvalidProof, InvalidRlp, LimitExceeded, Rule
from proofs.keccak import keccak256
from proofs.limits import ACCOUNT_BYTES_MAX, PROOF_KEYS_MAX, STORAGE_VALUE_BYTES_MAX
from proofs.rlp import decode_bytes, decode_list, decode_uint
from proofs.trie import EMPTY_ROOT, NodeSet

__all__ = [
    "ABSENT_ACCOUNT",
    "EMPTY_CODE_HASH",
    "AccountAnswer",
    "AccountState",
    "StorageEntry",
    "verify_account",
    "verify_answer",
    "verify_storage",
]

EMPTY_CODE_HASH: Final = keccak256(b"")
_ZERO_HASH: Final = bytes(32)
_NONCE_BITS: Final = 64  # EIP-2681
_SLOT_COUNT: Final = 2**256

# Slot, value and proof of one storage key, as the answer states them.
StorageEntry: TypeAlias = tuple[int, int, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class AccountState:
    """Hold the proven body of one account; `balance` in wei."""

    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes
    exists: bool


ABSENT_ACCOUNT: Final = AccountState(0, 0, EMPTY_ROOT, EMPTY_CODE_HASH, exists=False)


@dataclass(frozen=True, slots=True)
class AccountAnswer:
    """Hold one untrusted `eth_getProof` answer after strict hex decoding; every field is a claim."""

    address: bytes
    nonce: int
    balance: int
    storage_hash: bytes
    code_hash: bytes
    account_proof: Sequence[bytes]
    storage: tuple[StorageEntry, ...]


def verify_answer(
    state_root: bytes,
    address: bytes,
    slots: Sequence[int],
    answer: AccountAnswer,
    nodes: NodeSet | None = None,
) -> tuple[AccountState, dict[int, int]]:
    """Return the account and the value of each requested slot, in the order of the request.

    Raises `InvalidProof` when the answer speaks of another address or other keys, when a proof fails, and when a copied
    value differs from its leaf; `LimitExceeded` above `PROOF_KEYS_MAX`; `ConstructionRefused` for a request that
    repeats a slot.
    """
    _require_request(address, slots)
    nodes = NodeSet() if nodes is None else nodes
    if answer.address != address:
        raise InvalidProof(Rule.ADDRESS_ASKED, detail=f"asked 0x{address.hex()}, got 0x{answer.address.hex()}")
    claims = _claims_by_slot(slots, answer)
    state = verify_account(state_root, address, answer.account_proof, nodes)
    _require_copies(state, answer)
    values: dict[int, int] = {}
    storage_root = state.storage_root
    for slot in slots:
        claimed, proof = claims[slot]
        leaf = nodes.verify(storage_root, keccak256(slot.to_bytes(32, "big")), proof)
        proven = 0 if leaf is None else _decode_word(leaf)
        if claimed != proven:
            raise InvalidProof(Rule.COPY_DIFFERS, detail=f"slot {slot:#x}: stated {claimed}, proven {proven}")
        values[slot] = proven
    return state, values


def verify_account(
    state_root: bytes, address: bytes, proof: Sequence[bytes], nodes: NodeSet | None = None
) -> AccountState:
    """Return the account of `address` under `state_root`; a proven absence has `exists` false.

    Raises `InvalidProof`, also for a leaf that is no canonical account body.
    """
    if len(address) != 20:
        raise ConstructionRefused("address", f"{len(address)} bytes")
    leaf = (NodeSet() if nodes is None else nodes).verify(state_root, keccak256(address), proof)
    return ABSENT_ACCOUNT if leaf is None else _decode_account(leaf)


def verify_storage(storage_root: bytes, slot: int, proof: Sequence[bytes], nodes: NodeSet | None = None) -> int:
    """Return the word at `slot` under `storage_root`; a proven absence and a leaf of canonical zero are 0.

    Raises `InvalidProof`, also for a leaf that is no canonical word.
    """
    if not 0 <= slot < _SLOT_COUNT:
        raise ConstructionRefused("storage slot", str(slot))
    key_hash = keccak256(slot.to_bytes(32, "big"))
    leaf = (NodeSet() if nodes is None else nodes).verify(storage_root, key_hash, proof)
    return 0 if leaf is None else _decode_word(leaf)


def _require_request(address: bytes, slots: Sequence[int]) -> None:
    if len(address) != 20:
        raise ConstructionRefused("address", f"{len(address)} bytes")
    if len(slots) > PROOF_KEYS_MAX:
        raise LimitExceeded("PROOF_KEYS_MAX", PROOF_KEYS_MAX, len(slots))
    if len(set(slots)) != len(slots):
        raise ConstructionRefused("storage request", "a slot is asked twice")
    if slots and not 0 <= min(slots) <= max(slots) < _SLOT_COUNT:
        raise ConstructionRefused("storage slot", f"{min(slots)} to {max(slots)}")


def _claims_by_slot(slots: Sequence[int], answer: AccountAnswer) -> dict[int, tuple[int, Sequence[bytes]]]:
    """Match answered keys one to one with requested slots."""
    if len(answer.storage) != len(slots):
        raise InvalidProof(Rule.KEYS_ASKED, detail=f"asked {len(slots)} keys, got {len(answer.storage)}")
    claims = {key: (value, proof) for key, value, proof in answer.storage}
    if claims.keys() != set(slots):
        missing = next((slot for slot in slots if slot not in claims), None)
        raise InvalidProof(Rule.KEYS_ASKED, detail="" if missing is None else f"slot {missing:#x} is not answered")
    return claims


def _require_copies(state: AccountState, answer: AccountAnswer) -> None:
    absent_spellings = () if state.exists else (_ZERO_HASH,)
    checks = (
        ("nonce", answer.nonce == state.nonce),
        ("balance", answer.balance == state.balance),
        ("storage hash", answer.storage_hash in (state.storage_root, *absent_spellings)),
        ("code hash", answer.code_hash in (state.code_hash, *absent_spellings)),
    )
    for field, equal in checks:
        if not equal:
            raise InvalidProof(Rule.COPY_DIFFERS, detail=f"{field} differs from the proven leaf")


def _decode_account(leaf: bytes) -> AccountState:
    try:
        items = decode_list(leaf, ACCOUNT_BYTES_MAX)
        if len(items) != 4:
            raise InvalidProof(Rule.ACCOUNT_SHAPE, detail=f"{len(items)} items, expected 4")
        nonce, balance, storage_root, code_hash = items
        return AccountState(
            decode_uint(nonce, _NONCE_BITS), decode_uint(balance), _hash(storage_root), _hash(code_hash), exists=True
        )
    except (InvalidRlp, LimitExceeded) as fault:
        raise InvalidProof(Rule.ACCOUNT_SHAPE, detail=str(fault)) from fault


def _hash(item: object) -> bytes:
    if not isinstance(item, bytes) or len(item) != 32:
        raise InvalidProof(Rule.ACCOUNT_SHAPE, detail="a hash is not 32 bytes")
    return item


def _decode_word(leaf: bytes) -> int:
    if 2 < len(leaf) == leaf[0] - 0x7F <= STORAGE_VALUE_BYTES_MAX and leaf[1]:
        return int.from_bytes(leaf[1:], "big")  # 2 to 32 bytes in their only spelling; the decoder judges all others
    try:
        # anvil keeps a slot that was set back to zero as a leaf 0x80, and its state root commits to it. The canonical
        # zero proves the same fact as absence; clients of real networks delete the leaf, so only such a root has one.
        return decode_uint(decode_bytes(leaf, STORAGE_VALUE_BYTES_MAX))
    except (InvalidRlp, LimitExceeded) as fault:
        raise InvalidProof(Rule.STORAGE_VALUE, detail=str(fault)) from fault
