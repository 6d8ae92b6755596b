"""Where a token may keep its balances: hypotheses, and the tests that one must pass. Sans-I/O.

    touched slots of balanceOf(holder)  ∩  slots computed locally for the same holder   ->  places
    place + what balanceOf returns when that word is replaced by a random one           ->  hypotheses
    hypothesis + proven words of several holders against what balanceOf says of them    ->  confirmed, or not

Everything rests on what nodes answered: a node that lies consistently about its calls and its state can make any
hypothesis look right. What is found is for a human to review and to store with the code hashes; nothing here runs while
attesting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Final, TypeAlias

from proofs.layouts import BlockLayout, Layout, layout_from_params
from proofs.slots import erc7201_base, mapping_slot, vyper_mapping_slot
from proofs.types import Address, to_hex

__all__ = [
    "BASES",
    "NAMESPACES",
    "Hypothesis",
    "Lending",
    "Place",
    "Sample",
    "agreeing",
    "distinct",
    "hypotheses",
    "known_places",
    "places",
    "sentinels",
    "value_at",
]

Params: TypeAlias = Mapping[str, str | int]

BASES: Final = range(301)
"""Base slots tried: inheritance chains with storage gaps of 50 slots reach some 250."""
NAMESPACES: Final = ("openzeppelin.storage.ERC20",)
NAMESPACE_FIELDS: Final = range(16)
FIELD_BITS_MIN: Final = 64
"""Narrower fields would match a random word by accident; no token keeps balances in fewer bits."""


@dataclass(frozen=True, slots=True)
class Place:
    """Name a way to compute a holder's slot: kind and parameters of a plain mapping, and the slot it gives."""

    kind: str
    params: Params
    slot: int


@dataclass(frozen=True, slots=True)
class Lending:
    """Name a pool and an asset, for tokens whose balance grows with the pool's index."""

    pool: Address
    asset: Address


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Say which layout a token may have; `kind` and `params` are what a policy writes."""

    kind: str
    params: Params

    @property
    def layout(self) -> Layout:
        """Return the layout itself."""
        return layout_from_params(self.kind, self.params)


@dataclass(frozen=True, slots=True)
class Sample:
    """Hold one holder: what `balanceOf` says of it, and its proven words in the order of the layout's slots."""

    holder: Address
    balance: int
    words: tuple[int, ...]


def places(holder: Address, touched: Iterable[int]) -> tuple[Place, ...]:
    """Return every known way to compute a slot that is among those that `balanceOf(holder)` touched."""
    wanted = frozenset(touched)
    return tuple(place for place in known_places(holder) if place.slot in wanted)


def known_places(holder: Address) -> Iterator[Place]:
    """Yield every known way to compute a holder's slot; fewer than the keys of one proof request."""
    key = holder.rjust(32, b"\0")
    for base in BASES:
        yield Place("solidity_mapping", {"base": base}, mapping_slot(base, key))
        yield Place("vyper_mapping", {"base": base}, vyper_mapping_slot(base, key))
    for namespace, offset in product(NAMESPACES, NAMESPACE_FIELDS):
        params: Params = {"namespace": namespace, "offset": offset} if offset else {"namespace": namespace}
        yield Place("erc7201_mapping", params, mapping_slot(erc7201_base(namespace) + offset, key))


def hypotheses(
    place: Place, probed: Sequence[tuple[int, int | None]], lending: Lending | None
) -> tuple[Hypothesis, ...]:
    """Return the layouts that explain what `balanceOf` returned for each (word put at the place, result).

    A layout with a rate is not judged here: its candidates are returned as soon as the word has any influence. A call
    that failed (None) explains nothing.
    """
    probes = [(word, result) for word, result in probed if result is not None]
    if not probes or len(probes) < len(probed):
        return ()
    if all(word == result for word, result in probes):
        return (Hypothesis(place.kind, place.params),)
    base = place.params.get("base")
    if place.kind != "solidity_mapping" or base is None:
        return ()
    field = _field_of(probes)
    if field == (0, 255):
        return (Hypothesis("usdc_packed", {"base": base}),)
    if field is not None:
        return (Hypothesis("packed_mapping", {"base": base, "shift": field[0], "bits": field[1]}),)
    if lending is None or len({result for _, result in probes}) == 1:
        return ()
    return tuple(
        Hypothesis("scaled_supply", MappingProxyType({**_lending(base, lending), "bits": bits, "rounding": rounding}))
        for bits, rounding in product((120, 128), ("down", "half_up"))
    )


def value_at(layout: Layout, words: tuple[int, ...], shared: tuple[int, ...], timestamp_s: int) -> int | None:
    """Return the balance that a layout makes of words at a block; `shared` are those of a layout with a rate."""
    bound = layout.bind(shared, timestamp_s) if isinstance(layout, BlockLayout) else layout
    decoded = None if bound is None else bound.decode(words)
    return None if decoded is None else decoded[0]


def agreeing(
    layout: Layout, samples: Sequence[Sample], shared: tuple[int, ...], timestamp_s: int
) -> tuple[Sample, ...]:
    """Return the samples whose proven words make exactly what `balanceOf` said."""
    return tuple(sample for sample in samples if value_at(layout, sample.words, shared, timestamp_s) == sample.balance)


def distinct(samples: Sequence[Sample]) -> int:
    """Count the different balances above zero: what makes an agreement worth something."""
    return len({sample.balance for sample in samples if sample.balance})


def sentinels(noise: bytes) -> tuple[int, int]:
    """Return two words to put at a place: random ones, every bit set in one of them, so that a field's ends show.

    `noise` are 32 random bytes; whoever answers cannot have prepared for them.
    """
    word = int.from_bytes(noise, "big") % 2**256
    return word, word ^ 2**256 - 1


def _field_of(probes: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """Return the one (shift, bits) that makes every result out of its word; None where no field does.

    Every bit is set in one of the words, so the longest result is as long as the field.
    """
    bits = max(result.bit_length() for _, result in probes)
    if bits < FIELD_BITS_MIN:
        return None
    for shift in range(257 - bits):
        if all(word >> shift & (1 << bits) - 1 == result for word, result in probes):
            return shift, bits
    return None


def _lending(base: str | int, lending: Lending) -> dict[str, str | int]:
    return {"base": base, "pool": to_hex(lending.pool), "asset": to_hex(lending.asset)}
