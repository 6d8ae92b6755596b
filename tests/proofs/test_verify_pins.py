"""Pins behind proxies and rates of other contracts: what is asked for, and what each lie or gap does to a leg."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proofs.bundle_readings import read_reading, reading_files
from proofs.errors import InvalidBundle
from proofs.keccak import keccak256
from proofs.layouts import ScaledSupply, mapping_slot
from proofs.pins import EIP1967_SLOT, CodePin, proxy_pins
from proofs.sheet import ColumnSpec, code_pins
from proofs.snapshot import ChainReading, Reason, Unavailable
from proofs.types import Hash32
from proofs.verify import VerifiedChain, proof_requests, verify_chain
from tests.proofs.memory_chain import Contract, MemoryChain, address
from tests.proofs.one_reading import BALANCES, CODE, ROWS, TOKEN, believed, memory_chain, price_column, token_column

IMPLEMENTATION, OTHER = address(0xD1), address(0xD2)
POOL, ASSET = address(0xE1), address(0xE2)
HOLDERS = tuple(address(number) for number in (1, 2))
LOGIC = Hash32(keccak256(b"logic"))
RAY = 10**27
YEAR = 31_536_000


def proxied() -> tuple[MemoryChain, ColumnSpec]:
    chain = memory_chain()
    chain.contracts[TOKEN].storage[EIP1967_SLOT] = int.from_bytes(IMPLEMENTATION, "big")
    chain.contracts[IMPLEMENTATION] = Contract(code_hash=LOGIC)
    chain.contracts[OTHER] = Contract(code_hash=LOGIC)
    return chain, token_column(pins=proxy_pins(TOKEN, CODE, IMPLEMENTATION, LOGIC))


def without(reading: ChainReading, target: bytes) -> ChainReading:
    return replace(reading, proofs=tuple(proof for proof in reading.proofs if proof.answer.address != target))


# --- proxies ---------------------------------------------------------------------------------------------------------


def test_requests__of_a_proxy__ask_the_slot_and_the_implementation_too() -> None:
    _, spec = proxied()

    requests = dict(proof_requests((), (), (spec, price_column())))

    assert requests == {TOKEN: (*(mapping_slot(3, row) for row in ROWS), EIP1967_SLOT), IMPLEMENTATION: ()}
    assert [pin.address for pin in code_pins(spec)] == [TOKEN, TOKEN, IMPLEMENTATION]


def test_requests__of_a_pin_without_a_layout__ask_for_the_code_alone() -> None:
    assert proof_requests((), (), (token_column(layout=None),)) == ((TOKEN, ()),)


def test_proxy__every_pin_holds__cells_are_proven() -> None:
    chain, spec = proxied()

    verified = believed(chain.reading((spec,)))

    assert verified.levels("token") == bytes([2, 2, 2, 2])
    assert verified.cell("token", ROWS[0]) == (BALANCES[0],)
    assert verified.code_changed == frozenset()


def test_th_018_proxy__names_another_implementation__leg_without_value_others_stand() -> None:
    chain, spec = proxied()
    chain.contracts[TOKEN].storage[EIP1967_SLOT] = int.from_bytes(OTHER, "big")  # the same code, elsewhere

    verified = believed(chain.reading((spec, price_column()), given={"price": [(1, 2)]}))

    assert verified.code_changed == {"token"}
    assert [verified.cell("token", row) for row in ROWS] == [None] * 4
    assert verified.cell("price", b"") == (1, 2)


@pytest.mark.parametrize("code", [b"upgraded", b""])
def test_th_018_implementation__other_or_no_code__leg_without_value(code: bytes) -> None:
    chain, spec = proxied()
    chain.contracts[IMPLEMENTATION].code_hash = keccak256(code)

    assert believed(chain.reading((spec,))).code_changed == {"token"}


def test_th_018_implementation__gone__leg_without_value() -> None:
    chain, spec = proxied()
    del chain.contracts[IMPLEMENTATION]

    assert believed(chain.reading((spec,))).code_changed == {"token"}


def test_th_018_pin__its_proof_left_out__leg_without_value() -> None:
    chain, spec = proxied()

    verified = believed(without(chain.reading((spec,)), IMPLEMENTATION))

    assert verified.levels("token") == bytes(4)
    assert verified.code_changed == {"token"}


def test_th_018_pinned_column_without_layout__other_code__leg_without_value() -> None:
    chain = memory_chain()
    chain.contracts[TOKEN].code_hash = keccak256(b"upgraded")
    rows: list[tuple[int, ...]] = [(value,) for value in BALANCES]

    subject = chain.reading((token_column(layout=None),), given={"token": [*rows]})

    assert believed(subject).code_changed == {"token"}


def test_pin_of_an_implementation__its_address_proven_to_another__refused() -> None:
    chain, spec = proxied()
    reading = chain.reading((spec,))
    proofs = tuple(
        replace(proof, answer=replace(chain.answer(OTHER, ()), address=IMPLEMENTATION))
        if proof.answer.address == IMPLEMENTATION
        else proof
        for proof in reading.proofs
    )

    outcome = verify_chain(replace(reading, proofs=proofs), devnet=False)

    assert isinstance(outcome, Unavailable)
    assert (outcome.reason, outcome.dishonest) == (Reason.INVALID_PROOF, True)


# --- rates of another contract ---------------------------------------------------------------------------------------


def scaled() -> tuple[MemoryChain, ColumnSpec]:
    """Two holders at an index of 1.5, growing by a tenth a year, half a year after the update: 1.575."""
    chain = MemoryChain()
    reserve = mapping_slot(52, ASSET.rjust(32, b"\0"))
    updated_s = chain.timestamp_s - YEAR // 2
    chain.contracts[POOL] = Contract(
        {reserve + 1: (RAY // 10) << 128 | 15 * RAY // 10, reserve + 3: updated_s << 128}, code_hash=LOGIC
    )
    words = {mapping_slot(52, holder.rjust(32, b"\0")): 1000 * number for number, holder in enumerate(HOLDERS, 1)}
    chain.contracts[TOKEN] = Contract(words)
    spec = token_column(rows=HOLDERS, layout=ScaledSupply(52, POOL, ASSET), pins=(CodePin(POOL, LOGIC),))
    return chain, spec


def test_scaled__pool_pinned_and_proven__balance_accrued_to_the_block() -> None:
    chain, spec = scaled()

    verified = believed(chain.reading((spec,), given={"token": [(1575,), (3150,)]}))

    assert verified.levels("token") == bytes([2, 2])


def test_scaled__stated_as_if_no_time_had_passed__contradicts_the_proof() -> None:
    chain, spec = scaled()

    outcome = verify_chain(chain.reading((spec,), given={"token": [(1500,), (3000,)]}), devnet=False)

    assert isinstance(outcome, Unavailable)
    assert outcome.reason is Reason.READING_CONTRADICTS_PROOF
    assert "read 1500, proven 1575" in outcome.detail


def test_scaled__pool_not_pinned__proven_on_devnets_alone() -> None:
    chain, spec = scaled()
    reading = chain.reading((replace(spec, pins=()),))

    assert believed(reading).levels("token") == bytes([1, 1])
    assert believed(reading, devnet=True).levels("token") == bytes([2, 2])


def test_scaled__pinned_pool_left_unproven__leg_without_value() -> None:
    chain, spec = scaled()

    assert believed(without(chain.reading((spec,)), POOL)).levels("token") == bytes(2)


def test_th_067_scaled__pool_runs_other_code__leg_without_value() -> None:
    """A new revision may round another way: the pin of the pool says so before any figure does."""
    chain, spec = scaled()
    chain.contracts[POOL].code_hash = keccak256(b"the next revision")

    assert believed(chain.reading((spec,))).code_changed == {"token"}


def test_scaled__reserve_of_the_future__the_getter_reverts_for_everybody() -> None:
    chain, spec = scaled()
    reserve = mapping_slot(52, ASSET.rjust(32, b"\0"))
    chain.contracts[POOL].storage[reserve + 3] = (chain.timestamp_s + 1) << 128

    verified = believed(chain.reading((spec,)))
    assert [verified.cell("token", holder) for holder in HOLDERS] == [None, None]

    outcome = verify_chain(chain.reading((spec,), given={"token": [(1,), (2,)]}), devnet=False)
    assert isinstance(outcome, Unavailable)
    assert "proven a revert" in outcome.detail


# --- bundles ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", [proxied, scaled])
def test_bundle__of_pins_and_rates__read_back_the_same(subject: object) -> None:
    chain, spec = proxied() if subject is proxied else scaled()
    reading = chain.reading((spec,))

    files = reading_files(reading)
    again = read_reading(files, reading.anchor, reading.sheet_votes)

    assert again.columns == reading.columns
    assert isinstance(verify_chain(again, devnet=False), VerifiedChain)
    assert reading_files(again) == files


def test_bundle__pin_of_an_impossible_shape__refused_by_place() -> None:
    chain, spec = proxied()
    reading = chain.reading((spec,))
    files = reading_files(reading)
    (name,) = [name for name in files if name.startswith("questions/")]
    text = files[name].decode()
    slot = f"0x{EIP1967_SLOT:064x}"
    files[name] = text.replace(slot, slot[:-2]).encode()

    with pytest.raises(InvalidBundle, match="questions"):
        read_reading(files, reading.anchor, reading.sheet_votes)
