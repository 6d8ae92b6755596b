"""One EVM provider, asked everything an adapter needs; what it says is decoded strictly and believed by nobody yet.

Errors of the provider are raised as `ProviderError`. What is no error but no answer either ("not yet") is a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chains.adapter import ProofRequest
from chains.errors import BlockUnknown, ListRefused, ProviderError, RpcMalformed, RpcRefused, StatePruned
from chains.families.evm_codec import EvmBlock, Wire, hex_quantity, merged_answers, pinned
from chains.families.evm_reader import EvmReader
from chains.finality import FinalityRule, Heads, head_tag, is_final
from chains.heads import Bracket, HeadsBroken, Stamp, Trail, is_complete, narrow, next_window, watch
from chains.jsonrpc import Json, Reply, RpcCall
from chains.limits import ACCOUNTS_MAX, ACCOUNTS_PAGE, HEADS_ROUNDS_MAX, PROOF_KEYS_PER_BATCH, PROOF_KEYS_PER_CALL
from chains.network import Network
from chains.observer import ChainObserver
from chains.rpc import RpcClient
from proofs.sheet import AccountList, AccountListSpec, Column, ColumnSpec
from proofs.snapshot import ContractProof, Reason
from proofs.types import AccountId, BlockRef, Finality, to_hex

__all__ = ["Candidate", "EvmSource", "Newest", "Waiting"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Name the block that a provider gives for a time, with its header (whose hash was recomputed)."""

    block: BlockRef
    header_rlp: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """Say why a provider has no block for a time: NOT_YET, NOT_FINAL or TOO_OLD."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Newest:
    """Hold a provider's newest block."""

    block: EvmBlock


class EvmSource:
    """Ask one provider."""

    def __init__(self, network: Network, client: RpcClient, observer: ChainObserver) -> None:
        self._network = network
        self._client = client
        self._observer = observer
        self._wire = Wire(client.label)
        self._reader = EvmReader(client, network.own_number)
        self._trail = Trail()

    @property
    def label(self) -> str:
        """Return the provider's label."""
        return self._client.label

    @property
    def reader(self) -> EvmReader:
        """Return the reader, which knows what the endpoint can do."""
        return self._reader

    async def close(self) -> None:
        """Release the connections."""
        await self._client.close()

    # --- blocks by time ----------------------------------------------------------------------------------------

    async def candidate(self, not_after_s: int, rule: FinalityRule) -> Candidate | Waiting:
        """Return the newest block with timestamp <= `not_after_s`, once a younger one is seen and it is final.

        Raises: `ProviderError`.
        """
        tag = head_tag(rule)
        latest, tagged = await self._heads(tag)
        if latest.stamp.timestamp_s <= not_after_s:
            return Waiting(Reason.NOT_YET, f"newest block {latest.stamp.number} is of {latest.stamp.timestamp_s}")
        known = {block.stamp: block for block in (latest, tagged) if block is not None}
        try:
            found = await self._search(known, not_after_s)
        except HeadsBroken as error:
            self._observer.dissent(self._network.chain, self.label, "anchor", str(error))
            return Waiting(Reason.NOT_YET, f"blocks moved while looking: {error}")
        if isinstance(found, Waiting):
            return found
        heads = Heads(latest.stamp.number, *_tag_numbers(rule, tagged))
        if not is_final(rule, found.stamp.number, heads):
            return Waiting(Reason.NOT_FINAL, f"block {found.stamp.number} is not {rule.kind.name.lower()} yet")
        return Candidate(*self._wire.header(self._network.chain, found, self._network.headers))

    async def newest(self) -> Newest:
        """Return the newest block.

        Raises: `ProviderError`.
        """
        latest, _ = await self._heads(None)
        return Newest(latest)

    async def numbered(self, number: int, newest: Newest) -> Candidate:
        """Return the block at a height that is not above the newest.

        Raises: `ProviderError`.
        """
        block = newest.block
        if number != block.stamp.number:
            (found,) = await self._blocks(range(number, number + 1))
            block = found
        return Candidate(*self._wire.header(self._network.chain, block, self._network.headers))

    async def _heads(self, tag: str | None) -> tuple[EvmBlock, EvmBlock | None]:
        calls = [_block_call("latest")] + ([_block_call(tag)] if tag else [])
        replies = await self._client.batch_named(calls)
        latest = self._wire.block(_result(replies[0]))
        tagged = None
        if tag and not isinstance(replies[1], RpcRefused) and replies[1] is not None:
            tagged = self._wire.block(replies[1])
        for name, block in (("latest", latest), (tag, tagged)):
            if block is not None and name is not None:
                stamp = block.stamp
                self._observer.head_seen(self._network.chain, self.label, name, stamp.number, stamp.timestamp_s)
        self._watch([latest.stamp] + ([tagged.stamp] if tagged else []))
        return latest, tagged

    async def _search(self, known: dict[Stamp, EvmBlock], not_after_s: int) -> EvmBlock | Waiting:
        bracket = narrow(Bracket(), tuple(known), not_after_s)
        for attempt in range(HEADS_ROUNDS_MAX):
            if is_complete(bracket):
                assert bracket.older is not None
                return known[bracket.older]
            numbers = next_window(bracket, not_after_s, self._network.block_time_ms, attempt)
            if not numbers:
                return Waiting(Reason.TOO_OLD, f"no block is as old as {not_after_s}")
            blocks = await self._blocks(numbers)
            known.update({block.stamp: block for block in blocks})
            self._watch([block.stamp for block in blocks])
            bracket = narrow(bracket, [block.stamp for block in blocks], not_after_s)
        raise RpcMalformed(self.label, "block_times", f"no block found for {not_after_s} in {HEADS_ROUNDS_MAX} rounds")

    async def _blocks(self, numbers: range) -> list[EvmBlock]:
        replies = await self._client.batch([_block_call(hex_quantity(number)) for number in numbers])
        blocks = [self._wire.block(_result(reply)) for reply in replies]
        for number, block in zip(numbers, blocks, strict=True):
            if block.stamp.number != number:
                raise RpcMalformed(self.label, "block_number", f"asked {number}, got {block.stamp.number}")
        return blocks

    def _watch(self, stamps: Sequence[Stamp]) -> None:
        self._trail, reorg = watch(self._trail, stamps)
        if reorg is not None:
            self._observer.reorg_seen(self._network.chain, self.label, *reorg)

    # --- accounts, columns, proofs -----------------------------------------------------------------------------

    async def accounts(self, block: BlockRef, specs: Sequence[AccountListSpec]) -> tuple[AccountList, ...]:
        """Return the accounts that each contract names, page by page, all contracts' pages in one batch.

        Raises: `ProviderError`; `ListRefused` for a contract that reverts or answers nothing.
        """
        found: list[list[AccountId]] = [[] for _ in specs]
        open_lists = list(range(len(specs)))
        while open_lists:
            calls = [_slice_call(specs[index], len(found[index]), block) for index in open_lists]
            replies = await self._client.batch(calls)
            still_open = []
            for index, reply in zip(open_lists, replies, strict=True):
                page = self._page(specs[index], reply)
                found[index] += page
                if len(found[index]) > ACCOUNTS_MAX:
                    raise ListRefused(self.label, specs[index].name, f"names more than {ACCOUNTS_MAX} accounts")
                if len(page) == ACCOUNTS_PAGE:
                    still_open.append(index)
            open_lists = still_open
        return tuple(AccountList(spec.name, tuple(page)) for spec, page in zip(specs, found, strict=True))

    def _page(self, spec: AccountListSpec, reply: Reply) -> Sequence[AccountId]:
        if isinstance(reply, BlockUnknown | StatePruned):
            raise reply
        if isinstance(reply, RpcRefused) or reply in ("0x", "0X"):
            text = reply.text if isinstance(reply, RpcRefused) else "the contract answers nothing"
            raise ListRefused(self.label, spec.name, text)
        return self._wire.accounts(reply, ACCOUNTS_PAGE)

    async def columns(self, block: BlockRef, specs: Sequence[ColumnSpec]) -> tuple[Column, ...]:
        """Return all columns.

        Raises: `ProviderError`.
        """
        return await self._reader.columns(specs, block)

    async def proofs(self, block: BlockRef, requests: Sequence[ProofRequest]) -> tuple[ContractProof, ...]:
        """Return one proof per request, its keys asked in chunks.

        Raises: `ProviderError`.
        """
        asked = [(index, chunk) for index, request in enumerate(requests) for chunk in _chunks(request.slots)]
        parts: list[list[Json]] = [[] for _ in requests]
        done, total = 0, sum(max(len(chunk), 1) for _, chunk in asked)
        for batch in _proof_batches(asked):
            calls = [_proof_call(requests[index], chunk, block) for index, chunk in batch]
            for (index, chunk), reply in zip(batch, await self._client.batch(calls), strict=True):
                parts[index].append(_result(reply))
                done += max(len(chunk), 1)
            self._observer.proofs_read(self._network.chain, self.label, done, total)
        return tuple(
            ContractProof(self.label, merged_answers(self.label, [self._wire.account_answer(part) for part in answers]))
            for answers in parts
        )


def _result(reply: Reply) -> Json:
    """Return a result, or raise the error that came in its place."""
    if isinstance(reply, ProviderError):
        raise reply
    return reply


def _tag_numbers(rule: FinalityRule, tagged: EvmBlock | None) -> tuple[int | None, int | None]:
    number = None if tagged is None else tagged.stamp.number
    return (number, None) if rule.kind is Finality.SAFE else (None, number)


_WITHOUT_TRANSACTIONS: Final = False


def _block_call(which: str) -> RpcCall:
    return RpcCall("eth_getBlockByNumber", (which, _WITHOUT_TRANSACTIONS))


def _slice_call(spec: AccountListSpec, start: int, block: BlockRef) -> RpcCall:
    data = spec.slice_prefix + start.to_bytes(32, "big") + ACCOUNTS_PAGE.to_bytes(32, "big")
    return RpcCall("eth_call", ({"to": to_hex(spec.target), "data": to_hex(data)}, pinned(block)))


def _chunks(slots: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Cut slots into calls; no slots are one call, for the account alone."""
    for start in range(0, max(len(slots), 1), PROOF_KEYS_PER_CALL):
        yield slots[start : start + PROOF_KEYS_PER_CALL]


def _proof_batches(asked: Sequence[tuple[int, tuple[int, ...]]]) -> Iterator[list[tuple[int, tuple[int, ...]]]]:
    batch: list[tuple[int, tuple[int, ...]]] = []
    keys = 0
    for index, chunk in asked:
        if batch and keys + len(chunk) > PROOF_KEYS_PER_BATCH:
            yield batch
            batch, keys = [], 0
        batch.append((index, chunk))
        keys += len(chunk)
    if batch:
        yield batch


def _proof_call(request: ProofRequest, slots: tuple[int, ...], block: BlockRef) -> RpcCall:
    keys: Json = [to_hex(slot.to_bytes(32, "big")) for slot in slots]
    return RpcCall("eth_getProof", (to_hex(request.target), keys, pinned(block)))
