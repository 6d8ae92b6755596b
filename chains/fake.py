"""FakeChain: a network in memory that passes the adapter's conformance suite, and lies when told to.

    fake = FakeChain(ChainId("eip155:1"), genesis_s=1_000)
    fake.set_row(lockbox, LockBoxLocks(venue_id, asset), account, (5 * 10**18,))
    fake.list_account(lockbox, LockBoxAccounts(venue_id), account)
    fake.mine(1_012); fake.mine(1_024); fake.mine(1_036)
    anchor = await fake.anchor(1_015)                       # the block of 1,012

What it answers comes from storage, through the layout of the question; a column without a layout is answered from
`set_call`, and a call that was never set fails, as a contract without code would. Headers, tries and proofs are real.
State that was set becomes visible with the next `mine`. Finality by default: `safe` one block behind the newest.

Lies stay until `heal`: each leaves the rest of the world honest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from chains.adapter import NEWEST_S, ProofRequest
from chains.fake_state import REVERT, CallAnswer, FakeBlock, FakeState, Revert, seal_block
from chains.finality import FinalityRule, Heads, is_final
from chains.lens import calldata_of
from proofs.account import AccountAnswer
from proofs.header import HeaderShape
from proofs.layouts import BlockLayout, Layout
from proofs.sheet import AccountList, AccountListSpec, CellStatus, Column, ColumnSpec, ReadMode, Sheet, column_from_rows
from proofs.snapshot import Anchor, ChainReading, ContractProof, Reason, Unavailable, Votes
from proofs.types import AccountId, Address, BlockRef, ChainId, Finality, Hash32

__all__ = ["REVERT", "FakeChain", "Lies", "pack_position", "pack_round"]

_PROVIDERS: Final = ("fake-1", "fake-2", "fake-3")
_SAFE: Final = FinalityRule(Finality.SAFE)


@dataclass(frozen=True, slots=True)
class Lies:
    """Say what is false at the moment; all empty means the truth.

    `words`: (column, row, word) and the integer shown instead. `withheld`: (list, index) left out. `proofs`: labels of
    providers whose proofs are spoilt. `outages`: (method, reason), method `*` for all. `header`: a field of the header
    is changed and the hash kept. `divided`: the providers do not agree on the sheet.
    """

    words: tuple[tuple[tuple[str, int, int], int], ...] = ()
    withheld: tuple[tuple[str, int], ...] = ()
    proofs: frozenset[str] = frozenset()
    outages: tuple[tuple[str, Reason], ...] = ()
    header: bool = False
    divided: bool = False


class FakeChain:
    """Be one chain, as its adapter sees it."""

    def __init__(
        self,
        chain: ChainId,
        *,
        genesis_s: int = 0,
        finality: FinalityRule = _SAFE,
        providers: tuple[str, ...] = _PROVIDERS,
        shape: HeaderShape = HeaderShape.PRAGUE,
    ) -> None:
        self._chain = chain
        self._finality = finality
        self._providers = providers
        self._shape = shape
        self._salt = 0
        self._safe_lag, self._finalized_lag = 1, 2
        self._state = FakeState()
        self._blocks: list[FakeBlock] = [seal_block(chain, self._state, None, genesis_s, shape, 0)]
        self.lies = Lies()
        self.asked: list[str] = []

    # --- the world -------------------------------------------------------------------------------------------

    @property
    def newest(self) -> BlockRef:
        """Return the newest block."""
        return self._blocks[-1].ref

    def block(self, number: int) -> BlockRef:
        """Return a block of the canonical chain by its number."""
        return self._blocks[number].ref

    def set_balance(self, address: Address, wei: int) -> None:
        """Set a native balance."""
        self._state.set_balance(address, wei)

    def set_code_hash(self, address: Address, code_hash: Hash32) -> None:
        """Set the hash of an account's code; accounts with storage have one by default."""
        self._state.set_code_hash(address, code_hash)

    def set_storage(self, address: Address, slot: int, value: int) -> None:
        """Set one word of storage."""
        self._state.set_storage(address, slot, value)

    def set_row(self, address: Address, layout: Layout, row: bytes, values: tuple[int, ...]) -> None:
        """Set the raw words of one row, in the order of the layout's slots."""
        for slot, value in zip(layout.slots(row), values, strict=True):
            self._state.set_storage(address, slot, value)

    def list_account(self, address: Address, layout: Layout, account: AccountId) -> None:
        """Append an account to the list that a layout describes."""
        (length_slot,) = layout.slots(b"")
        index = self._state.storage(address, length_slot)
        (slot,) = layout.slots(index.to_bytes(32, "big"))
        self._state.set_storage(address, slot, int.from_bytes(account, "big"))
        self._state.set_storage(address, length_slot, index + 1)

    def set_call(self, address: Address, calldata: bytes, answer: CallAnswer) -> None:
        """Set what a call returns (its words, or REVERT), for columns without a layout."""
        self._state.set_call(address, calldata, answer)

    def mine(self, timestamp_s: int) -> BlockRef:
        """Seal the next block.

        Raises: ValueError for a time before the parent's.
        """
        if timestamp_s < self.newest.timestamp_s:
            raise ValueError(f"block time {timestamp_s} is before its parent's {self.newest.timestamp_s}")
        block = seal_block(self._chain, self._state, self.newest, timestamp_s, self._shape, self._salt)
        self._blocks.append(block)
        return block.ref

    def reorg(self, depth: int) -> None:
        """Drop the newest `depth` blocks and go back to the state below them; what is mined next is different."""
        if not 0 < depth < len(self._blocks):
            raise ValueError(f"cannot drop {depth} of {len(self._blocks)} blocks")
        del self._blocks[-depth:]
        self._state.restore(self._blocks[-1])
        self._salt += 1

    def set_finality_lags(self, safe: int, finalized: int) -> None:
        """Set how many blocks `safe` and `finalized` are behind the newest."""
        self._safe_lag, self._finalized_lag = safe, finalized

    # --- lies ------------------------------------------------------------------------------------------------

    def lie_word(self, column: str, row: int, word: int, value: int) -> None:
        """Show another integer in one cell of the sheet."""
        self.lies = replace(self.lies, words=(*self.lies.words, ((column, row, word), value)))

    def lie_withhold(self, listing: str, index: int) -> None:
        """Leave one account out of a list."""
        self.lies = replace(self.lies, withheld=(*self.lies.withheld, (listing, index)))

    def lie_proof(self, *providers: str) -> None:
        """Spoil the proofs of these providers; of the first one by default."""
        self.lies = replace(self.lies, proofs=frozenset(providers or self._providers[:1]))

    def lie_header(self) -> None:
        """Change a field of anchors' headers without changing the hash that names the block."""
        self.lies = replace(self.lies, header=True)

    def divide(self) -> None:
        """Have the providers disagree on the sheet."""
        self.lies = replace(self.lies, divided=True)

    def fail(self, reason: Reason, method: str = "*") -> None:
        """Answer one method (anchor, accounts, read, prove) or all with `Unavailable`."""
        self.lies = replace(self.lies, outages=(*self.lies.outages, (method, reason)))

    def heal(self) -> None:
        """Tell the truth again."""
        self.lies = Lies()

    # --- the adapter -----------------------------------------------------------------------------------------

    @property
    def chain(self) -> ChainId:
        """Return the chain this adapter reads."""
        return self._chain

    async def anchor(self, not_after_s: int) -> Anchor | Unavailable:
        """Return the block that belongs to a time; see the port."""
        outage = self._outage("anchor")
        if outage is not None:
            return outage
        if not_after_s >= NEWEST_S:
            return self._anchored(self._blocks[-1], Finality.LATEST)
        older = [block for block in self._blocks if block.ref.timestamp_s <= not_after_s]
        if not older:
            return self._unavailable(Reason.TOO_OLD, f"no block is as old as {not_after_s}")
        if older[-1] is self._blocks[-1]:
            return self._unavailable(Reason.NOT_YET, f"no block is younger than {not_after_s} yet")
        number, kind = older[-1].ref.number, self._finality.kind
        if not is_final(self._finality, number, self._heads()):
            return self._unavailable(Reason.NOT_FINAL, f"block {number} is not {kind.name} yet")
        return self._anchored(older[-1], kind)

    async def accounts(
        self, block: BlockRef, specs: Sequence[AccountListSpec]
    ) -> tuple[AccountList, ...] | Unavailable:
        """Return the accounts that each contract names."""
        found = self._found("accounts", block)
        if isinstance(found, Unavailable):
            return found
        return tuple(self._listed(found, spec) for spec in specs)

    async def read(
        self,
        anchor: Anchor,
        lists: tuple[AccountListSpec, ...],
        listed: tuple[AccountList, ...],
        columns: tuple[ColumnSpec, ...],
    ) -> ChainReading | Unavailable:
        """Answer all columns."""
        found = self._found("read", anchor.block)
        if isinstance(found, Unavailable):
            return found
        if self.lies.divided:
            return self._unavailable(Reason.NO_QUORUM, "the providers' sheets differ")
        answered = tuple(self._told(self._column(found, spec)) for spec in columns)
        sheet = Sheet(self._chain, listed, answered)
        return ChainReading(anchor, lists, columns, sheet, self._votes())

    async def prove(
        self, block: BlockRef, requests: Sequence[ProofRequest], without: frozenset[str]
    ) -> tuple[ContractProof, ...] | Unavailable:
        """Return proofs by the first provider not in `without`."""
        found = self._found("prove", block)
        if isinstance(found, Unavailable):
            return found
        left = [label for label in self._providers if label not in without]
        if not left:
            return self._unavailable(Reason.NO_QUORUM, "no provider is left to ask")
        answers = [found.answer(request.target, request.slots) for request in requests]
        if left[0] in self.lies.proofs:
            answers = [_spoilt(answer) for answer in answers]
        return tuple(ContractProof(left[0], answer) for answer in answers)

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""

    # --- answers ---------------------------------------------------------------------------------------------

    def _heads(self) -> Heads:
        latest = self.newest.number
        safe, finalized = latest - self._safe_lag, latest - self._finalized_lag
        return Heads(latest, safe if safe >= 0 else None, finalized if finalized >= 0 else None)

    def _votes(self) -> Votes:
        return Votes(self._providers, len(self._providers), reached=True)

    def _anchored(self, block: FakeBlock, finality: Finality) -> Anchor:
        header = block.header_rlp
        if self.lies.header:
            header = header.replace(block.ref.state_root, bytes(byte ^ 1 for byte in block.ref.state_root))
        return Anchor(block.ref, header, finality, self._votes())

    def _unavailable(self, reason: Reason, detail: str) -> Unavailable:
        return Unavailable(self._chain, reason, detail, self._providers)

    def _outage(self, method: str) -> Unavailable | None:
        self.asked.append(method)
        reason = next((why for which, why in self.lies.outages if which in (method, "*")), None)
        return None if reason is None else self._unavailable(reason, "made to fail")

    def _found(self, method: str, block: BlockRef) -> FakeBlock | Unavailable:
        outage = self._outage(method)
        if outage is not None:
            return outage
        if block.number < len(self._blocks) and self._blocks[block.number].ref.hash == block.hash:
            return self._blocks[block.number]
        return self._unavailable(Reason.ORPHANED, f"block {block.number} is not on the chain any more")

    def _listed(self, block: FakeBlock, spec: AccountListSpec) -> AccountList:
        accounts: list[AccountId] = []
        if spec.layout is not None:
            (count,) = self._words(block, spec.target, spec.layout, b"") or (0,)
            for index in range(count):
                (account,) = self._words(block, spec.target, spec.layout, index.to_bytes(32, "big")) or (0,)
                accounts.append(AccountId(account.to_bytes(32, "big")))
        hidden = {index for name, index in self.lies.withheld if name == spec.name}
        shown = tuple(account for index, account in enumerate(accounts) if index not in hidden)
        return AccountList(spec.name, shown)

    def _column(self, block: FakeBlock, spec: ColumnSpec) -> Column:
        return column_from_rows(spec.name, spec.signed, [self._row(block, spec, row) for row in spec.rows])

    def _row(self, block: FakeBlock, spec: ColumnSpec, row: bytes) -> tuple[int, ...] | CellStatus:
        if spec.mode is ReadMode.NATIVE_BALANCE:
            return (block.account(Address(row)).balance,)
        if spec.layout is not None and spec.target in block.accounts:
            words = self._words(block, spec.target, spec.layout, row)
            return CellStatus.FAILED if words is None else words
        answer = block.calls.get((spec.target, calldata_of(spec, row)), REVERT)
        return CellStatus.FAILED if isinstance(answer, Revert) or len(answer) < len(spec.signed) else answer

    def _words(self, block: FakeBlock, target: Address, layout: Layout, row: bytes) -> tuple[int, ...] | None:
        storage = block.account(target).storage
        bound = _at_block(layout, block)
        return None if bound is None else bound.decode(tuple(storage.get(slot, 0) for slot in layout.slots(row)))

    def _told(self, column: Column) -> Column:
        """Return the column with the lies about it."""
        lies = {(row, word): value for (name, row, word), value in self.lies.words if name == column.name}
        if not lies:
            return column
        rows: list[tuple[int, ...] | CellStatus] = []
        for index, row in enumerate(column.rows()):
            told = list((0,) * len(column.signed) if row is None else row)
            touched = {word: value for (at, word), value in lies.items() if at == index}
            for word, value in touched.items():
                told[word] = value
            rows.append(tuple(told) if row is not None or touched else CellStatus(column.status[index]))
        return column_from_rows(column.name, column.signed, rows)


def _at_block(layout: Layout, block: FakeBlock) -> Layout | None:
    if not isinstance(layout, BlockLayout):
        return layout
    shared = tuple(block.account(address).storage.get(slot, 0) for address, slot in layout.shared())
    return layout.bind(shared, block.ref.timestamp_s)


def pack_position(size: int, entry_price: int, entry_funding: int = 0, realised: int = 0) -> tuple[int, int]:
    """Return both storage words of a PerpVenue position; all E18, all but the entry price signed."""
    low, high = size % 2**128, entry_price << 128
    return low | high, entry_funding % 2**128 | (realised % 2**128) << 128


def pack_round(answer: int, updated_at_s: int, round_id: int = 1) -> tuple[int, int]:
    """Return both storage words of a development feed."""
    return answer % 2**192 | updated_at_s << 192, round_id


def _spoilt(answer: AccountAnswer) -> AccountAnswer:
    """Flip the last bit of the last account node."""
    *nodes, last = answer.account_proof or (b"\x80",)
    return replace(answer, account_proof=(*nodes, last[:-1] + bytes([last[-1] ^ 1])))
