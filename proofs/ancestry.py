"""An older block's hash out of a younger block's state: EIP-2935.

From Prague on, every block first writes its parent's hash into the history contract, at slot (number of the parent) mod
8191. So the state of block H holds the hashes of blocks H-8191 to H-1, and one storage proof under H's state root
authenticates any of them; their headers lead further back, 8191 blocks a step.

    asked        block n                      H-8191 <= n < H, else refused before anything is looked at
    contract     0x0000F908...2935            code as the standard prescribes, else refused: another contract's slots,
                                              or those of a chain with another buffer, mean something else
    slot         n mod 8191                   zero: not written yet (a young fork), refused; never "no such block"

What is proven is as good as the head it starts from; who vouches for that one is decided elsewhere.
Source: EIP-2935.
"""

from __future__ import annotations

from typing import Final

from proofs.account import AccountAnswer, verify_answer
from proofs.errors import InvalidHeader, InvalidProof, Rule
from proofs.header import Header, HeaderShape, check_header
from proofs.keccak import keccak256
from proofs.types import Address, Hash32

__all__ = [
    "HISTORY_ADDRESS",
    "HISTORY_CODE_HASH",
    "HISTORY_WINDOW",
    "ancestor_slot",
    "check_ancestor",
    "verify_ancestor",
]

HISTORY_ADDRESS: Final = Address(bytes.fromhex("0000f90827f1c53a10cb7a02335b175320002935"))
HISTORY_WINDOW: Final = 8191
_HISTORY_CODE: Final = (
    "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff814303116042"
    "57611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500"
)
HISTORY_CODE_HASH: Final = Hash32(keccak256(bytes.fromhex(_HISTORY_CODE)))


def ancestor_slot(head_number: int, number: int) -> int:
    """Return the slot of the history contract that holds the hash of block `number` in the state of the head.

    Raises `InvalidProof` for a block that the head's state cannot hold: itself, younger, or older than the window.
    """
    if number < 0 or not head_number - HISTORY_WINDOW <= number < head_number:
        oldest = max(0, head_number - HISTORY_WINDOW)
        raise InvalidProof(Rule.ANCESTOR_WINDOW, detail=f"block {number} is not in {oldest} to {head_number - 1}")
    return number % HISTORY_WINDOW


def verify_ancestor(head: Header, number: int, answer: AccountAnswer) -> Hash32:
    """Return the hash of block `number`, an ancestor of `head`, from a proof of one slot at the head.

    `head` comes from `proofs.header`, so its state root belongs to its hash. Raises `InvalidProof`, `LimitExceeded`.
    """
    slot = ancestor_slot(head.number, number)
    state, values = verify_answer(head.state_root, HISTORY_ADDRESS, (slot,), answer)
    if state.code_hash != HISTORY_CODE_HASH:
        raise InvalidProof(Rule.ANCESTOR_CODE, detail=f"the history contract's code hash is 0x{state.code_hash.hex()}")
    if not values[slot]:
        raise InvalidProof(Rule.ANCESTOR_ABSENT, detail=f"no hash of block {number} was written")
    return Hash32(values[slot].to_bytes(32, "big"))


def check_ancestor(head: Header, number: int, answer: AccountAnswer, rlp: bytes, shape: HeaderShape) -> Header:
    """Return the header of block `number` once proof, hash and number agree; a head for the next step back.

    Raises `InvalidProof`, `InvalidHeader`, `LimitExceeded`.
    """
    header = check_header(rlp, shape, verify_ancestor(head, number, answer))
    if header.number != number:
        raise InvalidHeader(Rule.HEADER_FIELD, "number", f"asked {number}, the proven header says {header.number}")
    return header
