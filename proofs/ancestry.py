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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from proofs.account import AccountAnswer, verify_answer
from proofs.errors import InvalidHeader, InvalidProof, LimitExceeded, Rule
from proofs.header import Header, header_hash, header_of_hash
from proofs.keccak import keccak256
from proofs.types import Address, ChainId, Hash32, to_hex

__all__ = [
    "ANCESTRY_STEPS_MAX",
    "HISTORY_ADDRESS",
    "HISTORY_CODE_HASH",
    "HISTORY_WINDOW",
    "NO_ANCESTRY",
    "Ancestry",
    "AncestryStep",
    "ancestor_slot",
    "check_ancestor",
    "proof_needed",
    "verify_ancestor",
    "verify_ancestry",
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


def check_ancestor(head: Header, number: int, answer: AccountAnswer, rlp: bytes) -> Header:
    """Return the header of block `number` once proof, hash and number agree; a head for the next step back.

    Raises `InvalidProof`, `InvalidHeader`, `LimitExceeded`.
    """
    header = header_of_hash(rlp, verify_ancestor(head, number, answer))
    if header.number != number:
        raise InvalidHeader(Rule.HEADER_FIELD, "number", f"asked {number}, the proven header says {header.number}")
    return header


ANCESTRY_STEPS_MAX: Final = 1024
"""8191 blocks a step: three years of mainnet, half a year of a chain with a block every two seconds."""


@dataclass(frozen=True, slots=True)
class AncestryStep:
    """Hold a block's header and what its state says in the history contract; both are claims."""

    header_rlp: bytes
    answer: AccountAnswer


Ancestry = Mapping[ChainId, Sequence[AncestryStep]]
"""Of each chain the steps from a later block back to an older one."""
NO_ANCESTRY: Final[Ancestry] = MappingProxyType({})


def proof_needed(number: int) -> str:
    """Say what a later block's node has to be asked, so that its hash vouches for block `number`."""
    slot = (number % HISTORY_WINDOW).to_bytes(32, "big")
    return f"its header with its eth_getProof of {to_hex(HISTORY_ADDRESS)}, slot {to_hex(slot)} (EIP-2935)"


def verify_ancestry(head_hash: Hash32, steps: Sequence[AncestryStep], number: int) -> Hash32:
    """Return the hash of block `number`, an ancestor of the block of `head_hash`, by one or more steps back.

    The first header is that of `head_hash`; each step proves the block of the next one, the last that of `number`.
    Raises `InvalidProof`, `InvalidHeader`, `LimitExceeded`.
    """
    if not steps:
        raise InvalidProof(Rule.NODE_MISSING, detail="no step back")
    if len(steps) > ANCESTRY_STEPS_MAX:
        raise LimitExceeded("ANCESTRY_STEPS_MAX", ANCESTRY_STEPS_MAX, len(steps))
    header = header_of_hash(steps[0].header_rlp, head_hash)
    for step, below in pairwise(steps):
        stated = header_of_hash(below.header_rlp, Hash32(header_hash(below.header_rlp)))
        header = check_ancestor(header, stated.number, step.answer, below.header_rlp)
    return verify_ancestor(header, number, steps[-1].answer)
