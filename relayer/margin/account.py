"""Portfolio: what one account holds and owes, as read, before anybody weighed it.

Rules of this file:
- `PortfolioReader` is the one place that turns a verified snapshot into a portfolio; tests and what-if build the plain
  types themselves.
- A cell that was read is a holding or a position, zero ones too: that somebody owes nothing is also a claim, and its
  assurance counts. A cell that was not read is `Missing`, never zero.
- A source whose weight is zero can add nothing: unread, it is not missing.
- An amount whose token says who is frozen is read only together with that mark: an unread mark must not help.
- A chain that is missing takes all its positions and all its collateral with it, for every account.
- An account list whose contract runs other code may leave accounts out: every account of the frame is marked as if that
  chain were missing. Whom it does name is still judged, by cells that have pins of their own: naming hides nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from proofs.keccak import keccak256
from proofs.snapshot import Unavailable
from proofs.types import AccountId, Address, Assurance, ChainId, LegKind, Quality
from proofs.units import PPM
from proofs.verify import VerifiedChain, VerifiedSnapshot
from relayer.margin.rules import CollateralSource, MarginRules, PositionSource
from relayer.margin.view import Missing


@dataclass(frozen=True, slots=True)
class Holding:
    """Hold one amount read for the account, RawAmount >= 0; frozen if its holder cannot move it."""

    source: CollateralSource
    amount_raw: int
    assurance: Assurance
    block_number: int
    is_frozen: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """Hold one position as the venue states it: signed, all E18 (size in units of the asset, the rest in USD)."""

    source: PositionSource
    size_e18: int
    entry_value_usd: int
    accrued_usd: int
    assurance: Assurance
    block_number: int

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is open and nothing is owed."""
        return not (self.size_e18 or self.entry_value_usd or self.accrued_usd)


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Hold all that was read for one account, in policy order, and what was not.

    `quality` holds the marks that the frame puts on every account (devnet, chain missing).
    """

    account: AccountId
    holdings: tuple[Holding, ...]
    positions: tuple[Position, ...]
    missing: tuple[Missing, ...] = ()
    quality: Quality = Quality.NONE


def weight_ppm(rules: MarginRules, source: CollateralSource) -> int:
    """Return the policy's weight of a source's encumbrance class; a class it does not list weighs nothing."""
    return next((weight for listed, weight in rules.encumbrance_ppm if listed == source.encumbrance), 0)


def can_count(rules: MarginRules, source: CollateralSource) -> bool:
    """Tell whether any amount of this source could add to equity."""
    cuts = [rule.haircut_maintenance_ppm for rule in rules.assets if rule.symbol == source.symbol]
    is_listed = any(cut < PPM for cut in cuts)
    return is_listed and source.bridge_haircut_ppm < PPM and weight_ppm(rules, source) > 0


def home_address(account: AccountId) -> Address:
    """Return the address that holds whatever no contract holds for the account.

    Anybody may lock for an id that names no address (upper 12 bytes not zero); it gets the last 20 bytes of its own
    hash, an address that nobody holds, as the readers of free balances ask for it.
    """
    return Address(keccak256(account)[12:] if any(account[:12]) else account[12:])


def accounts_of(snapshot: VerifiedSnapshot) -> tuple[AccountId, ...]:
    """Return every account that a present chain names, ascending; by contracts of other code too, see above."""
    return tuple(
        sorted({one for chain in snapshot.chains for names in chain.sheet.account_lists for one in names.accounts})
    )


def portfolio_of(
    snapshot: VerifiedSnapshot, account: AccountId, rules: MarginRules, quality: Quality = Quality.NONE
) -> Portfolio:
    """Read one account's portfolio; for many of one frame build a `PortfolioReader` once."""
    return PortfolioReader.from_snapshot(snapshot, rules, quality).portfolio(account)


@dataclass(frozen=True, slots=True)
class PortfolioReader:
    """Read the portfolios of one frame; holds what is the same for all of its accounts."""

    rules: MarginRules
    chains: Mapping[ChainId, VerifiedChain]
    missing: tuple[Missing, ...]
    quality: Quality

    @classmethod
    def from_snapshot(cls, snapshot: VerifiedSnapshot, rules: MarginRules, quality: Quality) -> PortfolioReader:
        """Prepare for one frame; `quality` holds the marks of the whole policy (devnet)."""
        chains = {chain.chain: chain for chain in snapshot.chains}
        reasons = {gone.chain: _gone(gone) for gone in snapshot.missing}
        for name in _chains_asked(rules) - chains.keys():
            reasons.setdefault(name, "chain_missing: not in the snapshot")
        if reasons:
            quality |= Quality.CHAIN_MISSING
        if any(chain.code_changed for chain in chains.values()):
            quality |= Quality.CODE_CHANGED
        if any(_is_list_changed(chain) for chain in chains.values()):
            quality |= Quality.CHAIN_MISSING
        missing = tuple(gap for chain in sorted(reasons) for gap in _gaps_of_chain(rules, chain, reasons[chain]))
        return cls(rules, MappingProxyType(chains), missing, quality)

    def portfolio(self, account: AccountId) -> Portfolio:
        """Read one account's cells."""
        holdings = [self._holding(account, source) for source in self.rules.collateral if source.chain in self.chains]
        positions = [self._position(account, source) for source in self.rules.positions if source.chain in self.chains]
        missing = (cell for cell in (*holdings, *positions) if isinstance(cell, Missing))
        return Portfolio(
            account,
            tuple(cell for cell in holdings if isinstance(cell, Holding)),
            tuple(cell for cell in positions if isinstance(cell, Position)),
            (*self.missing, *missing),
            self.quality,
        )

    def _holding(self, account: AccountId, source: CollateralSource) -> Holding | Missing | None:
        chain, row = self.chains[source.chain], account if source.holder else home_address(account)
        words = chain.cell(source.column, row)
        if words is None:
            return _unread(chain, source, source.kind) if can_count(self.rules, source) else None
        level, block = chain.assurance(source.column, row), chain.anchor.block.number
        mark = source.frozen_column
        if mark is None or words[0] == 0:
            return Holding(source, words[0], level, block)
        frozen = chain.cell(mark, row)
        if frozen is None:
            gap = Missing(
                mark, source.chain, "frozen_unknown: whether the holder can move it was not read", source.kind
            )
            return gap if can_count(self.rules, source) else None
        return Holding(source, words[0], min(level, chain.assurance(mark, row)), block, frozen[0] != 0)

    def _position(self, account: AccountId, source: PositionSource) -> Position | Missing:
        chain = self.chains[source.chain]
        words = chain.cell(source.column, account)
        if words is None:
            return _unread(chain, source, LegKind.POSITION)
        size, entry_value, accrued = words
        level = chain.assurance(source.column, account)
        return Position(source, size, entry_value, accrued, level, chain.anchor.block.number)


def _chains_asked(rules: MarginRules) -> set[ChainId]:
    collateral = {source.chain for source in rules.collateral}
    return (
        collateral | {one.chain for one in rules.positions} | {one.chain for one in rules.prices} | {rules.venue_chain}
    )


def _gaps_of_chain(rules: MarginRules, chain: ChainId, reason: str) -> list[Missing]:
    """Return what a missing chain takes from every account: its collateral as one, its positions one by one."""
    counting = [source for source in rules.collateral if source.chain == chain and can_count(rules, source)]
    gaps = [Missing(f"collateral on {chain}", chain, reason, counting[0].kind)] if counting else []
    markets = [source for source in rules.positions if source.chain == chain]
    return gaps + [Missing(source.column, chain, reason, LegKind.POSITION) for source in markets]


def _is_list_changed(chain: VerifiedChain) -> bool:
    return any(spec.name in chain.code_changed for spec in chain.account_lists)


def _gone(gone: Unavailable) -> str:
    return f"chain_missing: {gone.reason}"


def _unread(chain: VerifiedChain, source: CollateralSource | PositionSource, kind: LegKind) -> Missing:
    changed = source.column in chain.code_changed
    reason = "code_changed: the contract runs other code" if changed else "call_failed: no value was agreed on"
    return Missing(source.column, source.chain, reason, kind)
