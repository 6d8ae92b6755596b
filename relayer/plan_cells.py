"""Cells: which rows of which columns a frame has proven. Pure: policy, questions and agreed readings decide all.

    a contract whose columns and lists have <= WHOLE_KEYS_MAX keys    proven whole, in one request and at once
    a larger one                                                      its lists whole, of its columns the demanded rows
    native balances, an account proof each                            the demanded rows

An account is demanded when any leg of it, on any chain, is worth so much at the frame's prices as the quorum read them
that the policy's bands ask for more than a quorum's word; then all its cells are, because a leaf is as strong as its
weakest part. Lists are proven whole: an account left out would owe nothing. Price columns have one row and are proven
with whatever else their contract has.

Every relayer and every auditor names the same rows, because nothing else goes in. A chain that turns out to be missing
takes its prices with it, and accounts are only ever demanded *by* a price: what was proven with it covers what is
demanded without it, and `trimmed` leaves out the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from proofs import verify
from proofs.sheet import (
    SIGN_OFFSET,
    WORD_BYTES,
    AccountList,
    AccountListSpec,
    Cells,
    CellStatus,
    Column,
    ColumnSpec,
    ReadMode,
)
from proofs.snapshot import ChainReading, ContractProof
from proofs.types import Address, Assurance, ChainId
from proofs.units import E18, PPM, UINT256_MAX, mul_div_down, mul_div_up, value_down
from proofs.verify import VerifiedChain
from relayer.config.policy import Policy
from relayer.margin.account import Holding, can_count
from relayer.margin.market import Market, NoPrice, Price, market_of
from relayer.margin.rules import CollateralSource, MarginRules, PositionSource
from relayer.margin.rulesets.position import haircuts_up, required_assurance
from relayer.plan import devnets

WHOLE_KEYS_MAX: Final = 8_000
"""What one HTTP request asks anyway (`chains.limits`): 8 calls of 1,000 keys, some 1.5 s of a node, 25 MB at worst."""

Source = CollateralSource | PositionSource


def needs_prices(policy: Policy, reading: ChainReading) -> bool:
    """Tell whether what is to be proven on a chain depends on what anything is worth."""
    if not _needs_proof(policy.rules, UINT256_MAX):
        return False
    names = {name for source in _counting(policy.rules) for name in _columns_of(source)}
    return any(name in names for name in _single(policy, reading))


def cells_of(policy: Policy, readings: Mapping[ChainId, ChainReading]) -> Mapping[ChainId, tuple[Cells, ...]]:
    """Return per chain the columns of which only single rows are to be proven; `readings` are the chains present."""
    rows: tuple[int, ...] = ()
    if any(needs_prices(policy, reading) for reading in readings.values()):
        rows = _demanded(policy, readings, _market(policy, readings))
    return {chain: tuple(Cells(name, rows) for name in _single(policy, reading)) for chain, reading in readings.items()}


def cells_of_rows(policy: Policy, reading: ChainReading, rows: tuple[int, ...]) -> tuple[Cells, ...]:
    """Return these rows of all columns that weigh: what a look at a few accounts has proven."""
    names = _weighing(policy)
    return tuple(Cells(spec.name, rows) for spec in reading.columns if spec.name in names)


def _market(policy: Policy, readings: Mapping[ChainId, ChainReading]) -> Market:
    of_policy = devnets(policy)
    agreed = (verify.verify_quorum(reading, devnet=chain in of_policy) for chain, reading in readings.items())
    snapshot = verify.verified_snapshot(0, (one for one in agreed if isinstance(one, VerifiedChain)))
    return market_of(snapshot, policy.rules)


def trimmed(reading: ChainReading, cells: tuple[Cells, ...]) -> ChainReading:
    """Return a proven reading with the proofs of fewer cells."""
    asked = verify.proof_requests(reading.account_lists, reading.sheet.account_lists, reading.columns, cells)
    wanted = {target: frozenset(slots) for target, slots in asked}
    proofs = ((Address(proof.answer.address), proof) for proof in reading.proofs)
    kept = tuple(_only(proof, wanted[target]) for target, proof in proofs if target in wanted)
    return replace(reading, cells=cells, proofs=kept)


def _only(proof: ContractProof, slots: frozenset[int]) -> ContractProof:
    storage = tuple(entry for entry in proof.answer.storage if entry[0] in slots)
    return replace(proof, answer=replace(proof.answer, storage=storage))


def _large(
    specs: Sequence[AccountListSpec], listed: Sequence[AccountList], columns: Sequence[ColumnSpec]
) -> frozenset[Address]:
    """Return the contracts with too many keys to be proven whole; a key that two columns share counts twice."""
    keys: dict[Address, int] = {}
    for spec, listing in zip(specs, listed, strict=True):
        if spec.layout is not None:
            keys[spec.target] = keys.get(spec.target, 0) + 1 + len(listing.accounts)
    for column in columns:
        if column.layout is not None and column.rows:
            of_column = len(column.rows) * len(column.layout.slots(column.rows[0]))
            keys[column.target] = keys.get(column.target, 0) + of_column
    return frozenset(target for target, count in keys.items() if count > WHOLE_KEYS_MAX)


def _single(policy: Policy, reading: ChainReading) -> tuple[str, ...]:
    """Return the columns of which single rows are proven; prices are not among them."""
    large = _large(reading.account_lists, reading.sheet.account_lists, reading.columns)
    names = _weighing(policy)
    return tuple(
        spec.name
        for spec in reading.columns
        if spec.name in names
        and (spec.mode is ReadMode.NATIVE_BALANCE or (spec.layout is not None and spec.target in large))
    )


def _weighing(policy: Policy) -> frozenset[str]:
    sources: tuple[Source, ...] = (*policy.rules.collateral, *policy.rules.positions)
    return frozenset(name for source in sources for name in _columns_of(source))


def _columns_of(source: Source) -> tuple[str, ...]:
    frozen = source.frozen_column if isinstance(source, CollateralSource) else None
    return (source.column,) if frozen is None else (source.column, frozen)


def _counting(rules: MarginRules) -> tuple[Source, ...]:
    return (*(source for source in rules.collateral if can_count(rules, source)), *rules.positions)


def _demanded(policy: Policy, readings: Mapping[ChainId, ChainReading], market: Market) -> tuple[int, ...]:
    """Return the rows of all demanded accounts; every column has the accounts in the same order."""
    answers = {column.name: column for reading in readings.values() for column in reading.sheet.columns}
    rows: set[int] = set()
    for source in _counting(policy.rules):
        if source.column in answers:
            rows.update(demanded_rows(source, answers[source.column], market, policy.rules))
    return tuple(sorted(rows))


def demanded_rows(source: Source, column: Column, market: Market, rules: MarginRules) -> tuple[int, ...]:
    """Return the rows of a source whose leg needs a proof, rising; without a price there is no leg."""
    price = market.price(source.symbol)
    if isinstance(price, NoPrice):
        return ()
    least = least_demanding(source, price, rules)
    return () if least is None else _rows_from(column, least)


def least_demanding(source: Source, price: Price, rules: MarginRules) -> int | None:
    """Return the smallest first word (amount, or size either way) whose leg needs a proof; None where none does.

    By halving, with the rule set's own figures: they rise with the word, and the bands' levels with them.
    """
    is_demanding = _demand(source, price, rules)
    if not is_demanding(UINT256_MAX):
        return None
    below, least = 0, UINT256_MAX
    while least - below > 1:
        middle = (below + least) // 2
        below, least = (below, middle) if is_demanding(middle) else (middle, least)
    return least


def _demand(source: Source, price: Price, rules: MarginRules) -> Callable[[int], bool]:
    if isinstance(source, PositionSource):
        return lambda size: _needs_proof(rules, mul_div_up(size, price.high_e18, E18))
    haircut, _ = haircuts_up(Holding(source, 0, Assurance.SINGLE_RPC, 0), rules)
    scale = 10**source.decimals * PPM

    def is_demanding(amount: int) -> bool:
        value = mul_div_down(amount * price.low_e18, PPM - haircut, scale)
        is_leg = value > 0 and value >= rules.dust_usd
        return is_leg and _needs_proof(rules, value_down(amount, price.low_e18, source.decimals))

    return is_demanding


def _needs_proof(rules: MarginRules, marked_usd: int) -> bool:
    return required_assurance(rules, marked_usd) > Assurance.RPC_QUORUM


def _rows_from(column: Column, least: int) -> tuple[int, ...]:
    """Return the rows whose first word is at least so far from zero; compared as bytes, which sort like the words."""
    stride, offset = WORD_BYTES * len(column.signed), SIGN_OFFSET if column.signed[0] else 0
    high, low = _word(least + offset), _word(offset - least)
    found = []
    for row, status in enumerate(column.status):
        if status == CellStatus.OBSERVED:
            first = column.words[row * stride : row * stride + WORD_BYTES]
            if first >= high or (offset and first <= low):
                found.append(row)
        elif status == CellStatus.WIDE and abs((column.row(row) or (0,))[0]) >= least:
            found.append(row)
    return tuple(found)


def _word(value: int) -> bytes:
    """Return the word that compares like a value; one beyond the words compares like the end it lies beyond."""
    return b"" if value < 0 else min(value, 2**128 - 1).to_bytes(WORD_BYTES, "big")
