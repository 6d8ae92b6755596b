"""Ask MarginLens: pack groups, call, split the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from web3.exceptions import ContractLogicError

from tests.node.contracts.world import Chain, artifact, decode_error

FAILED: Final = 2**128 - 1
BIAS: Final = 2**127
UNUSED: Final = "0x00000000000000000000000000000000A11ce5E5"
STIPEND: Final = 200_000
SELECTOR_BALANCE_OF: Final = bytes.fromhex("70a08231")
ZERO_ADDRESS: Final = bytes(20)


@dataclass(frozen=True, slots=True)
class Group:
    """One group of calls, fields in wire order but for the counts, which follow from `args`."""

    target: bytes
    args: tuple[bytes, ...]
    prefix: bytes = SELECTOR_BALANCE_OF
    mode: int = 1
    stipend: int = STIPEND
    words: int = 1
    signed: int = 0

    def pack(self) -> bytes:
        """Write the group as the lens reads it."""
        lengths = {len(arg) for arg in self.args} or {20}
        (length,) = lengths
        head = self.target + bytes([self.mode]) + self.stipend.to_bytes(4, "big") + bytes([self.words, self.signed])
        sizes = len(self.prefix).to_bytes(2, "big") + bytes([length]) + len(self.args).to_bytes(4, "big")
        return head + sizes + self.prefix + b"".join(self.args)


@dataclass(frozen=True, slots=True)
class Lens:
    """The lens at an address; its code comes with the call if it is not deployed."""

    chain: Chain
    address: str
    is_deployed: bool

    def raw(self, calldata: bytes, gas: int = 29_000_000) -> bytes:
        """Call with exactly these bytes."""
        override = {} if self.is_deployed else {self.address: {"code": artifact("MarginLens")["deployedBytecode"]}}
        transaction = {"to": self.address, "data": "0x" + calldata.hex(), "gas": gas}
        return bytes(self.chain.w3.eth.call(transaction, "latest", override))

    def read(self, *groups: Group, gas: int = 29_000_000) -> list[int]:
        """Return the 16-byte words of all groups in one list."""
        calldata = len(groups).to_bytes(2, "big") + b"".join(group.pack() for group in groups)
        answer = self.raw(calldata, gas)[16:]
        return [int.from_bytes(answer[at : at + 16], "big") for at in range(0, len(answer), 16)]

    def refusal(self, calldata: bytes, gas: int = 29_000_000) -> str:
        """Return the name of the refusal of a call with these bytes."""
        try:
            self.raw(calldata, gas)
        except ContractLogicError as error:
            return decode_error(str(error.data))[0]
        return ""


def address_bytes(address: str) -> bytes:
    """Return the 20 bytes of an address."""
    return bytes.fromhex(address[2:])
