"""Discovery of a token's storage layout through one node: the questions, and what their answers amount to.

    1 block        the newest one, its header hashed; everything else is asked and proven at its hash
    2 holders      those given, else receivers of recent transfers
    3 code         code hashes of the token and, behind a known kind of proxy, of its implementation, proven
    4 places       eth_createAccessList of balanceOf(holder), intersected with slots computed here
    5 probes       balanceOf with a place's word replaced by two random ones (state override)
    6 samples      eth_getProof of every holder's slots, verified, against balanceOf of every holder

Nothing of this is evidence: the node names the block itself. Raises `ProviderError` and `ProofError` for answers that
are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chains.collateral.erc20 import BALANCE_OF, IS_BLACKLISTED
from chains.discovery import (
    Hypothesis,
    Lending,
    Place,
    Sample,
    agreeing,
    distinct,
    hypotheses,
    known_places,
    places,
    sentinels,
    value_at,
)
from chains.errors import RpcRefused
from chains.families.evm_codec import Wire, hex_quantity, pinned
from chains.jsonrpc import Json, Reply, RpcCall
from chains.rpc import RpcClient
from proofs.account import AccountState, verify_answer
from proofs.header import HeaderShape
from proofs.keccak import keccak256
from proofs.layouts import BlockLayout, UsdcPacked
from proofs.pins import PROXY_SLOTS
from proofs.types import Address, BlockRef, ChainId, Hash32, to_hex

__all__ = ["Code", "Finder", "Finding", "Verdict"]

HOLDERS_MAX: Final = 16
LOG_BLOCKS: Final = 1000
TRANSFER: Final = keccak256(b"Transfer(address,address,uint256)")
_POOL: Final = bytes.fromhex("7535d246")  # POOL()
_UNDERLYING: Final = bytes.fromhex("b16a19de")  # UNDERLYING_ASSET_ADDRESS()
_SHAPES: Final = tuple(HeaderShape)


@dataclass(frozen=True, slots=True)
class Code:
    """Hold proven code hashes; `slot` and `implementation` where the token is a known kind of proxy."""

    token: Hash32
    slot: int | None = None
    implementation: Address | None = None
    implementation_code: Hash32 | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Hold one hypothesis and how far it was confirmed.

    `agreeing` holders of `asked` have exactly the balance that the layout makes of their proven words, with `distinct`
    different values above zero among them. `follows`: a holder's balance was what the layout makes of two random words
    that were put at the holder's slot.
    """

    hypothesis: Hypothesis
    agreeing: int
    asked: int
    distinct: int
    follows: bool
    rates: tuple[tuple[Address, Code], ...] = ()
    """Further contracts that the layout reads, with their code."""

    @property
    def is_confirmed(self) -> bool:
        """Tell whether the call follows the word, every holder agrees, and at least two of them differ."""
        return self.follows and self.agreeing == self.asked and self.distinct >= 2


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold what one node led to. `verdicts` are best first; `notes` say what could not be explained or asked."""

    block: BlockRef
    code: Code
    balances: tuple[tuple[Address, int], ...]
    places: tuple[Place, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]


class Finder:
    """Look for a token's layout through one node."""

    def __init__(self, chain: ChainId, client: RpcClient) -> None:
        self._chain = chain
        self._client = client
        self._wire = Wire(client.label)

    async def newest(self) -> BlockRef:
        """Return the newest block; its header fields make its hash."""
        return self._block(await self._client.call("eth_getBlockByNumber", "latest", False))

    async def block(self, block_hash: Hash32) -> BlockRef:
        """Return the block of a hash, as another node named it.

        Raises: `ProviderError` when this node has no such block.
        """
        return self._block(await self._client.call("eth_getBlockByHash", to_hex(block_hash), False))

    async def holders(self, token: Address, block: BlockRef) -> tuple[Address, ...]:
        """Return receivers of recent transfers, newest first; nothing where the node gives no logs."""
        query: Json = {
            "address": to_hex(token),
            "topics": [to_hex(TRANSFER)],
            "fromBlock": hex_quantity(max(0, block.number - LOG_BLOCKS)),
            "toBlock": hex_quantity(block.number),
        }
        (reply,) = await self._client.batch((RpcCall("eth_getLogs", (query,)),))
        if isinstance(reply, RpcRefused):
            return ()
        found: dict[Address, None] = {}
        for entry in reversed(self._wire.listing(reply, "logs")):
            topics = self._wire.listing(self._wire.members(entry, "log").get("topics"), "topics")
            if len(topics) == 3:
                found[Address(self._wire.data(topics[2], "topic", 32)[12:])] = None
        return tuple(found)[:HOLDERS_MAX]

    async def find(self, token: Address, holders: Sequence[Address], block: BlockRef, noise: bytes) -> Finding:
        """Look for the layout of a token by its holders; `noise` are 32 random bytes."""
        balances = await self._balances(token, holders, block)
        notes = [f"balanceOf({to_hex(one)}) fails" for one in holders if one not in balances]
        code = await self.code(token, block)
        leader = next((holder for holder, balance in balances.items() if balance), None)
        if leader is None:
            notes.append("no holder has a balance; name some with --holder")
            return Finding(block, code, tuple(balances.items()), (), (), tuple(notes))
        touched = await self._touched(token, leader, block)
        if touched is None:
            notes.append("the node makes no access list, so every known place was tried")
        found = places(leader, touched) if touched is not None else await self._holding(token, leader, block, balances)
        verdicts: list[Verdict] = []
        lending = await self._lending(token, block)
        for place in found:
            probed = await self._probed(token, leader, place.slot, block, noise)
            guesses = hypotheses(place, probed, lending)
            if not guesses and any(result != balances[leader] for _, result in probed):
                notes.append(
                    f"the word of {_shown(place)} matters, but no plain field explains how: shares, or a rate?"
                )
            verdicts += [await self._judged(token, guess, balances, block, noise) for guess in guesses]
        verdicts.sort(key=lambda verdict: (verdict.is_confirmed, verdict.agreeing), reverse=True)
        return Finding(block, code, tuple(balances.items()), found, tuple(verdicts), tuple(notes))

    async def freezes(self, token: Address, holder: Address, block: BlockRef) -> bool:
        """Tell whether `isBlacklisted(address)` can be asked."""
        return await self._call(token, IS_BLACKLISTED + _word(holder), block) is not None

    async def judge(
        self, token: Address, hypothesis: Hypothesis, holders: Sequence[Address], block: BlockRef, noise: bytes
    ) -> Verdict:
        """Confirm somebody else's hypothesis with this node's own answers."""
        return await self._judged(token, hypothesis, await self._balances(token, holders, block), block, noise)

    def _block(self, reply: Json) -> BlockRef:
        block, _ = self._wire.header(self._chain, self._wire.block(reply), _SHAPES)
        return block

    async def _balances(self, token: Address, holders: Sequence[Address], block: BlockRef) -> dict[Address, int]:
        calls = [_eth_call(token, BALANCE_OF + _word(holder), block) for holder in holders]
        replies = await self._client.batch(calls) if calls else ()
        words = {holder: self._word(reply) for holder, reply in zip(holders, replies, strict=True)}
        return {holder: word for holder, word in words.items() if word is not None}

    async def _call(self, target: Address, data: bytes, block: BlockRef) -> int | None:
        (reply,) = await self._client.batch((_eth_call(target, data, block),))
        return self._word(reply)

    def _word(self, reply: Reply) -> int | None:
        """Return the first word of a call's answer; None where the call failed or answered less."""
        if isinstance(reply, RpcRefused):
            return None
        raw = self._wire.data(reply, "call answer")
        return int.from_bytes(raw[:32], "big") if len(raw) >= 32 else None

    async def prove(
        self, target: Address, slots: Sequence[int], block: BlockRef
    ) -> tuple[AccountState, dict[int, int]]:
        """Return an account and the words of its slots at a block, verified against the block's state root."""
        keys: Json = [to_hex(slot.to_bytes(32, "big")) for slot in slots]
        reply = await self._client.call("eth_getProof", to_hex(target), keys, pinned(block))
        return verify_answer(block.state_root, target, tuple(slots), self._wire.account_answer(reply))

    async def code(self, token: Address, block: BlockRef) -> Code:
        """Return a contract's proven code hashes; of a proxy of a known kind the implementation's too."""
        state, words = await self.prove(token, PROXY_SLOTS, block)
        slot = next((slot for slot in PROXY_SLOTS if words[slot]), None)
        own = Hash32(state.code_hash)
        if slot is None or words[slot] >> 160:
            return Code(own)
        target = Address(words[slot].to_bytes(20, "big"))
        behind, _ = await self.prove(target, (), block)
        return Code(own, slot, target, Hash32(behind.code_hash))

    async def _touched(self, token: Address, holder: Address, block: BlockRef) -> frozenset[int] | None:
        """Return the token's own slots that `balanceOf` touches; None where the node makes no access list."""
        fields: Json = {"to": to_hex(token), "data": to_hex(BALANCE_OF + _word(holder))}
        call = RpcCall("eth_createAccessList", (fields, pinned(block)))
        (reply,) = await self._client.batch((call,))
        if isinstance(reply, RpcRefused):
            return None
        entries = self._wire.listing(self._wire.members(reply, "access list").get("accessList"), "access list")
        slots: set[int] = set()
        for entry in entries:
            fields_of = self._wire.members(entry, "access list entry")
            if self._wire.data(fields_of.get("address"), "address", 20) == token:
                keys = self._wire.listing(fields_of.get("storageKeys"), "storage keys")
                slots |= {self._wire.quantity(key, "storage key") for key in keys}
        return frozenset(slots)

    async def _holding(
        self, token: Address, holder: Address, block: BlockRef, balances: dict[Address, int]
    ) -> tuple[Place, ...]:
        """Return the known places whose proven word is the holder's balance, masked or not."""
        known = tuple(known_places(holder))
        _, words = await self.prove(token, tuple(dict.fromkeys(place.slot for place in known)), block)
        balance = balances[holder]
        return tuple(place for place in known if words[place.slot] and _contains(words[place.slot], balance))

    async def _probed(
        self, token: Address, holder: Address, slot: int, block: BlockRef, noise: bytes
    ) -> tuple[tuple[int, int | None], ...]:
        """Return `balanceOf` of the holder for each of two random words put at a slot; None where it fails."""
        words = sentinels(keccak256(noise + slot.to_bytes(32, "big")))
        calls = []
        for word in words:
            diff: Json = {_hex32(slot): _hex32(word)}
            params: Json = {"to": to_hex(token), "data": to_hex(BALANCE_OF + _word(holder))}
            calls.append(RpcCall("eth_call", (params, pinned(block), {to_hex(token): {"stateDiff": diff}})))
        replies = await self._client.batch(calls)
        return tuple((word, self._word(reply)) for word, reply in zip(words, replies, strict=True))

    async def _lending(self, token: Address, block: BlockRef) -> Lending | None:
        pool, asset = await self._call(token, _POOL, block), await self._call(token, _UNDERLYING, block)
        if not pool or not asset or pool >> 160 or asset >> 160:
            return None
        return Lending(Address(pool.to_bytes(20, "big")), Address(asset.to_bytes(20, "big")))

    async def _judged(
        self, token: Address, hypothesis: Hypothesis, balances: dict[Address, int], block: BlockRef, noise: bytes
    ) -> Verdict:
        layout = hypothesis.layout
        reading = layout.balance if isinstance(layout, UsdcPacked) else layout
        slots = {holder: reading.slots(holder) for holder in balances}
        _, words = await self.prove(token, tuple(dict.fromkeys(sum(slots.values(), ()))), block)
        samples = [
            Sample(holder, balance, tuple(words[slot] for slot in slots[holder]))
            for holder, balance in balances.items()
        ]
        shared, rates = await self._shared(reading, block) if isinstance(reading, BlockLayout) else ((), ())
        agreed = agreeing(reading, samples, shared, block.timestamp_s)
        leader = next((holder for holder, balance in balances.items() if balance), None)
        probed = () if leader is None else await self._probed(token, leader, slots[leader][0], block, noise)
        follows = bool(probed) and all(
            value_at(reading, (word,), shared, block.timestamp_s) == result for word, result in probed
        )
        return Verdict(hypothesis, len(agreed), len(samples), distinct(agreed), follows, rates)

    async def _shared(
        self, layout: BlockLayout, block: BlockRef
    ) -> tuple[tuple[int, ...], tuple[tuple[Address, Code], ...]]:
        """Return the words of other contracts that a layout needs, and those contracts' code, proven."""
        values: dict[tuple[Address, int], int] = {}
        codes: dict[Address, Code] = {}
        for target in dict.fromkeys(address for address, _ in layout.shared()):
            slots = tuple(slot for address, slot in layout.shared() if address == target)
            _, words = await self.prove(target, slots, block)
            codes[target] = await self.code(target, block)
            values.update({(target, slot): word for slot, word in words.items()})
        return tuple(values[asked] for asked in layout.shared()), tuple(codes.items())


def _contains(word: int, balance: int) -> bool:
    """Tell whether a word, or its low part, is the balance."""
    return any(word & (1 << bits) - 1 == balance for bits in (256, 255, 128, 120, 112, 104, 96)) or (
        word >> 128 == balance
    )


def _eth_call(target: Address, data: bytes, block: BlockRef) -> RpcCall:
    return RpcCall("eth_call", ({"to": to_hex(target), "data": to_hex(data)}, pinned(block)))


def _shown(place: Place) -> str:
    return f"{place.kind} {' '.join(f'{key} = {value}' for key, value in place.params.items())}"


def _word(value: bytes) -> bytes:
    return value.rjust(32, b"\0")


def _hex32(value: int) -> str:
    return to_hex(value.to_bytes(32, "big"))
