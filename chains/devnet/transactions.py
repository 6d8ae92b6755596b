"""Real transactions on devnet nodes: sent in batches, mined together, their receipts awaited with a bound.

Senders are the node's unlocked accounts, or any address at all (anvil's impersonation): the transaction, the block
and the state root are real, only the signature is not. Cheats that change state beside the chain are never used.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chains.devnet.abi import revert_of
from chains.devnet.errors import DevnetError, NodeRefused, ReceiptMissing
from chains.devnet.rpc import Json, rpc, rpc_batch
from proofs.types import Address, Hash32, parse_bytes, parse_hash, to_hex

GAS_MAX: Final = 2**24  # EIP-7825: the most that one transaction may ask for
MINED_TIMEOUT_S: Final = 60.0
POLL_S: Final = 0.03


@dataclass(frozen=True, slots=True)
class Transaction:
    """Say what is sent; `to` None deploys `data`. Value in wei."""

    sender: Address
    to: Address | None
    data: bytes
    value: int = 0
    gas: int = GAS_MAX


@dataclass(frozen=True, slots=True)
class Receipt:
    """Say where a transaction was mined."""

    hash: Hash32
    block_number: int
    contract: Address | None
    logs: tuple[Mapping[str, Json], ...]


def transact(url: str, transaction: Transaction) -> Receipt:
    """Send one transaction and wait until it is mined.

    Raises: `Reverted` with the decoded error before anything is sent when it would revert; else as `transact_all`.
    """
    call(url, transaction)
    return transact_all({url: [transaction]})[url][0]


def transact_all(sent: Mapping[str, Sequence[Transaction]]) -> dict[str, tuple[Receipt, ...]]:
    """Send many transactions to several nodes, in order per sender, and wait until all are mined.

    A node that mines on demand mines them all in one block. Raises: `Reverted` for the first that failed,
    `ReceiptMissing` after `MINED_TIMEOUT_S`, `NodeRefused` when the node does not take one.
    """
    hashes = {url: _send(url, transactions) for url, transactions in sent.items()}
    return {url: _await(url, hashes[url], sent[url]) for url in sent}


def call(url: str, transaction: Transaction, block: str = "latest") -> bytes:
    """Execute a transaction as eth_call and return its output.

    Raises: `Reverted` with the decoded error.
    """
    fields = _fields(transaction)
    try:
        answer = rpc(url, "eth_call", [fields, block])
    except NodeRefused as refused:
        if refused.data or "revert" in refused.message:
            data = parse_bytes(refused.data) if refused.data else b""
            raise revert_of("call to " + str(fields.get("to", "nobody")), data) from refused
        raise
    return parse_bytes(str(answer))


def nonce_of(url: str, sender: Address) -> int:
    """Return the next nonce of a sender, pending transactions included."""
    return int(str(rpc(url, "eth_getTransactionCount", [to_hex(sender), "pending"])), 16)


def _send(url: str, transactions: Sequence[Transaction]) -> list[Json]:
    if not transactions:
        return []
    senders = {transaction.sender for transaction in transactions}
    nonces = {sender: nonce_of(url, sender) for sender in senders}
    sends: list[tuple[str, list[Json]]] = [("anvil_impersonateAccount", [to_hex(sender)]) for sender in senders]
    is_automine = rpc(url, "anvil_getAutomine") is True
    if is_automine:
        sends.append(("evm_setAutomine", [False]))
    rpc_batch(url, sends)
    sends = []
    for transaction in transactions:
        nonce = nonces[transaction.sender]
        nonces[transaction.sender] += 1
        sends.append(("eth_sendTransaction", [_fields(transaction) | {"nonce": hex(nonce)}]))
    try:
        return rpc_batch(url, sends)
    finally:
        if is_automine:
            rpc(url, "evm_mine")
            rpc(url, "evm_setAutomine", [True])


def _await(url: str, hashes: Sequence[Json], transactions: Sequence[Transaction]) -> tuple[Receipt, ...]:
    found: dict[int, Mapping[str, Json]] = {}
    deadline = time.monotonic() + MINED_TIMEOUT_S
    while len(found) < len(hashes):
        waiting = [index for index in range(len(hashes)) if index not in found]
        answers = rpc_batch(url, [("eth_getTransactionReceipt", [hashes[index]]) for index in waiting])
        found |= {index: answer for index, answer in zip(waiting, answers, strict=True) if isinstance(answer, dict)}
        if len(found) < len(hashes):
            if time.monotonic() > deadline:
                raise ReceiptMissing(len(hashes) - len(found), MINED_TIMEOUT_S)
            time.sleep(POLL_S)
    for index, transaction in enumerate(transactions):
        if found[index]["status"] != "0x1":
            _raise_failure(url, transaction, found[index])
    return tuple(_receipt(found[index]) for index in range(len(hashes)))


def _raise_failure(url: str, transaction: Transaction, mined: Mapping[str, Json]) -> None:
    """Raise what the transaction says when it is called again, just before its block and after it."""
    number = int(str(mined["blockNumber"]), 16)
    for block in (number, max(number - 1, 0)):
        call(url, transaction, hex(block))
    raise DevnetError(f"transaction {mined['transactionHash']} failed in block {number} and not when called again")


def _receipt(mined: Mapping[str, Json]) -> Receipt:
    contract = mined.get("contractAddress")
    logs = mined["logs"]
    return Receipt(
        hash=parse_hash(str(mined["transactionHash"])),
        block_number=int(str(mined["blockNumber"]), 16),
        contract=Address(parse_bytes(contract, 20)) if isinstance(contract, str) else None,
        logs=tuple(log for log in logs if isinstance(log, dict)) if isinstance(logs, list) else (),
    )


def _fields(transaction: Transaction) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "from": to_hex(transaction.sender),
        "data": to_hex(transaction.data),
        "value": hex(transaction.value),
        "gas": hex(transaction.gas),
    }
    return fields if transaction.to is None else fields | {"to": to_hex(transaction.to)}
