"""Strict decoding of what EVM nodes answer: quantities, bytes, blocks, account lists and proofs. Sans-I/O.

Everything is refused as `RpcMalformed` under a rule's name; nothing an answer says is trusted further than its shape.
Quantities are compared as integers: clients spell them short, padded or as zero.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chains.errors import HeaderRefused, RpcMalformed
from chains.heads import Stamp
from chains.jsonrpc import Json
from proofs.account import AccountAnswer, StorageEntry
from proofs.errors import InvalidHeader, LimitExceeded
from proofs.header import HeaderShape, header_rlp_from_json
from proofs.keccak import keccak256
from proofs.limits import NODE_BYTES_MAX, PROOF_NODES_MAX
from proofs.types import AccountId, BlockRef, ChainId, Hash32

__all__ = ["EvmBlock", "Wire", "hex_quantity", "merged_answers", "pinned"]

_QUANTITY: Final = re.compile("0x[0-9a-fA-F]{1,64}")
_WORD: Final = 32


@dataclass(frozen=True, slots=True)
class EvmBlock:
    """Hold one block as answered: what the search needs, and all header fields for when it is chosen."""

    stamp: Stamp
    fields: dict[str, Json]


def hex_quantity(value: int) -> str:
    """Write a quantity as the RPC wants it."""
    return hex(value)


def pinned(block: BlockRef) -> Json:
    """Name a block by its hash, after EIP-1898."""
    return {"blockHash": "0x" + block.hash.hex()}


@dataclass(frozen=True, slots=True)
class Wire:
    """Decode the answers of one provider; its label goes into the errors."""

    provider: str

    def quantity(self, value: Json, what: str) -> int:
        """Read 0x and 1 to 64 hex digits."""
        if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None:
            raise RpcMalformed(self.provider, "quantity", what)
        return int(value, 16)

    def data(self, value: Json, what: str, length: int | None = None) -> bytes:
        """Read 0x and whole bytes, of exactly `length` when given."""
        if not isinstance(value, str) or value[:2] != "0x":
            raise RpcMalformed(self.provider, "data", what)
        try:
            raw = unhexlify(value[2:])  # no blanks, other than bytes.fromhex
        except ValueError:
            raw = None
        if raw is None or (length is not None and len(raw) != length):
            raise RpcMalformed(self.provider, "data", what)
        return raw

    def listing(self, value: Json, what: str) -> list[Json]:
        """Read a list."""
        if not isinstance(value, list):
            raise RpcMalformed(self.provider, "list", what)
        return value

    def members(self, value: Json, what: str) -> dict[str, Json]:
        """Read an object."""
        if not isinstance(value, dict):
            raise RpcMalformed(self.provider, "object", what)
        return value

    def block(self, value: Json) -> EvmBlock:
        """Read a block object."""
        fields = self.members(value, "block")
        stamp = Stamp(
            number=self.quantity(fields.get("number"), "block number"),
            timestamp_s=self.quantity(fields.get("timestamp"), "block timestamp"),
            hash=Hash32(self.data(fields.get("hash"), "block hash", _WORD)),
            parent_hash=Hash32(self.data(fields.get("parentHash"), "parent hash", _WORD)),
        )
        return EvmBlock(stamp, fields)

    def header(self, chain: ChainId, block: EvmBlock, shapes: Sequence[HeaderShape]) -> tuple[BlockRef, bytes]:
        """Encode a block's header and return it with its reference.

        Raises: `HeaderRefused` when no shape of the network makes the block's hash out of the fields.
        """
        stamp, fault = block.stamp, "no shape is configured"
        for shape in shapes:
            try:
                rlp = header_rlp_from_json(block.fields, shape)
            except (InvalidHeader, LimitExceeded) as error:
                fault = str(error)
                continue
            if keccak256(rlp) == stamp.hash:
                root = Hash32(self.data(block.fields.get("stateRoot"), "state root", _WORD))
                ref = BlockRef(chain, stamp.number, stamp.hash, stamp.parent_hash, root, stamp.timestamp_s)
                return ref, rlp
            fault = f"its fields make 0x{keccak256(rlp).hex()}, it claims 0x{stamp.hash.hex()}"
        raise HeaderRefused(self.provider, stamp.number, fault)

    def accounts(self, value: Json, count_max: int) -> tuple[AccountId, ...]:
        """Read an ABI-encoded `bytes32[]` of at most `count_max` elements, to the byte."""
        raw = self.data(value, "account list")
        count = int.from_bytes(raw[_WORD : 2 * _WORD], "big")
        if int.from_bytes(raw[:_WORD], "big") != _WORD or count > count_max or len(raw) != (2 + count) * _WORD:
            raise RpcMalformed(self.provider, "account_list", f"{len(raw)} bytes")
        return tuple(AccountId(raw[at : at + _WORD]) for at in range(2 * _WORD, len(raw), _WORD))

    def account_answer(self, value: Json) -> AccountAnswer:
        """Read an `eth_getProof` answer; what it says of address and keys is a claim like the rest."""
        fields = self.members(value, "proof")
        seen: dict[str, bytes] = {}
        entries = self.listing(fields.get("storageProof"), "storage proof")
        return AccountAnswer(
            address=self.data(fields.get("address"), "proof address", 20),
            nonce=self.quantity(fields.get("nonce"), "proof nonce"),
            balance=self.quantity(fields.get("balance"), "proof balance"),
            storage_hash=self.data(fields.get("storageHash"), "storage hash", _WORD),
            code_hash=self.data(fields.get("codeHash"), "code hash", _WORD),
            account_proof=self._nodes(fields.get("accountProof"), seen),
            storage=tuple([self._entry(item, seen) for item in entries]),
        )

    def _entry(self, value: Json, seen: dict[str, bytes]) -> StorageEntry:
        fields = self.members(value, "storage entry")
        key = self.quantity(fields.get("key"), "storage key")
        proof = fields.get("proof")
        nodes = () if proof is None else self._nodes(proof, seen)
        return key, self.quantity(fields.get("value"), "storage value"), nodes

    def _nodes(self, value: Json, seen: dict[str, bytes]) -> tuple[bytes, ...]:
        """Read nodes; upper ones come again with every key of an answer and are decoded once."""
        items = self.listing(value, "proof nodes")
        if len(items) > PROOF_NODES_MAX:
            raise RpcMalformed(self.provider, "proof_nodes", f"{len(items)} nodes")
        return tuple([(seen.get(item) if type(item) is str else None) or self._node(item, seen) for item in items])

    def _node(self, value: Json, seen: dict[str, bytes]) -> bytes:
        node = self.data(value, "proof node")
        if len(node) > NODE_BYTES_MAX:
            raise RpcMalformed(self.provider, "proof_nodes", "a node is too large")
        seen[str(value)] = node
        return node


def merged_answers(provider: str, parts: Sequence[AccountAnswer]) -> AccountAnswer:
    """Join the answers to several calls for one contract.

    Raises: `RpcMalformed` when they disagree on anything but the storage entries.
    """
    first = parts[0]
    for part in parts[1:]:
        if _account_part(part) != _account_part(first):
            raise RpcMalformed(provider, "proof_parts", "two answers for one contract and block differ")
    storage = tuple(entry for part in parts for entry in part.storage)
    return AccountAnswer(*_account_part(first), storage=storage)


def _account_part(answer: AccountAnswer) -> tuple[bytes, int, int, bytes, bytes, Sequence[bytes]]:
    return (
        answer.address,
        answer.nonce,
        answer.balance,
        answer.storage_hash,
        answer.code_hash,
        answer.account_proof,
    )
