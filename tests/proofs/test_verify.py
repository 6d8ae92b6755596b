"""Verification of one chain's reading: what is believed, and at which level."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from proofs.account import AccountAnswer
from proofs.attestation import missing_anchor
from proofs.errors import ConstructionRefused
from proofs.keccak import keccak256
from proofs.layouts import UsdcPacked, mapping_slot
from proofs.sheet import (
    AccountList,
    Cells,
    CellStatus,
    readings_root,
)
from proofs.snapshot import ContractProof, Reason, Snapshot, Unavailable, Votes
from proofs.types import Assurance, ChainId, Finality, Hash32
from proofs.verify import (
    VerifiedChain,
    VerifiedSnapshot,
    chain_anchor,
    proof_requests,
    verified_snapshot,
    verify,
    verify_quorum,
)
from tests.proofs.memory_chain import CHAIN, Contract, MemoryChain, account, address
from tests.proofs.one_reading import (
    BOX,
    ROWS,
    TOKEN,
    believed,
    box_list,
    memory_chain,
    price_column,
    reading,
    refused,
    token_column,
    with_answer,
    with_words,
)

# --- what is believed ------------------------------------------------------------------------------------------------


def test_cells__proven_by_storage__have_words_and_state_proof() -> None:
    verified = believed(reading())

    assert [verified.cell("token", row) for row in ROWS] == [(100,), (0,), (2**127,), (2**200,)]
    assert verified.levels("token") == bytes([2, 2, 2, 2])
    assert verified.assurance("token", ROWS[3]) is Assurance.STATE_PROOF


def test_cells__without_layout__have_words_and_rpc_quorum() -> None:
    verified = believed(reading())

    assert verified.cell("price", b"") == (-3, 1_700_000_000)
    assert verified.assurance("price", b"") is Assurance.RPC_QUORUM


def test_native_balance__row_with_account_proof__is_proven_and_the_other_is_read() -> None:
    verified = believed(reading())

    assert verified.cell("native", address(1)) == (5 * 10**18,)
    assert verified.levels("native") == bytes([2, 1])


def test_cells__without_proof_and_without_pin__have_rpc_quorum() -> None:
    unpinned = replace(token_column(), code_hash=None)
    subject = replace(reading(), columns=(unpinned, *reading().columns[1:]), account_lists=(), proofs=())

    verified = believed(replace(subject, sheet=replace(subject.sheet, account_lists=())))

    assert verified.levels("token") == bytes([1, 1, 1, 1])


def test_th_018_pinned_contract__without_its_account_proof__has_no_value() -> None:
    verified = believed(replace(reading(), proofs=()))

    assert verified.levels("token") == bytes(4)
    assert verified.code_changed == {"token", "box"}
    assert verified.cell("token", ROWS[0]) is None
    assert verified.levels("price") == bytes([1])


def test_cells__named_rows_alone__are_proven_and_the_others_are_read() -> None:
    chain = memory_chain()
    chosen = (Cells("token", (1, 3)), Cells("native", (1,)))
    whole = reading()
    requests = proof_requests(whole.account_lists, whole.sheet.account_lists, whole.columns, chosen)
    proofs = tuple(ContractProof("gamma", chain.answer(target, slots)) for target, slots in requests)

    verified = believed(replace(whole, proofs=proofs, cells=chosen))

    assert dict(requests)[TOKEN] == tuple(mapping_slot(3, ROWS[at]) for at in (1, 3))
    assert dict(requests)[address(2)] == ()
    assert verified.levels("token") == bytes([1, 2, 1, 2])
    assert verified.levels("native") == bytes([1, 2])


def test_cells__proof_of_a_row_that_was_not_asked__is_refused() -> None:
    subject = replace(reading(), cells=(Cells("token", (0,)),))

    assert refused(subject).reason is Reason.INVALID_PROOF


def test_cells__proof_of_a_row_left_out__is_refused() -> None:
    chain, chosen, whole = memory_chain(), (Cells("token", (1, 3)),), reading()
    lists = (whole.account_lists, whole.sheet.account_lists, whole.columns)
    less = dict(proof_requests(*lists, (Cells("token", (1,)),)))
    proofs = tuple(ContractProof("gamma", chain.answer(target, slots)) for target, slots in less.items())

    assert refused(replace(whole, proofs=proofs, cells=chosen)).reason is Reason.INVALID_PROOF


def test_quorum__of_a_reading_nobody_proved__is_level_one_and_its_pins_are_open() -> None:
    rows = [(100,), CellStatus.FAILED, CellStatus.UNAVAILABLE, (2**200,)]
    subject = replace(with_words(reading(), "token", rows), proofs=())

    verified = verify_quorum(subject, devnet=False)

    assert isinstance(verified, VerifiedChain)
    assert verified.levels("token") == bytes([1, 0, 0, 1])
    assert verified.cell("token", ROWS[3]) == (2**200,)
    assert verified.code_changed == frozenset()


def test_quorum__without_votes_or_header__is_refused_like_any_reading() -> None:
    alone = Votes(("a",), 3, reached=True)
    assert isinstance(verify_quorum(replace(reading(), sheet_votes=alone), devnet=False), Unavailable)
    assert isinstance(
        verify_quorum(replace(reading(), anchor=replace(reading().anchor, votes=alone)), devnet=False), Unavailable
    )


def test_cells__failed_for_everybody__have_no_value_and_the_chain_stands() -> None:
    rows = [(100,), CellStatus.FAILED, CellStatus.UNAVAILABLE, (2**200,)]

    verified = believed(with_words(reading(), "token", rows))

    assert [verified.cell("token", row) for row in ROWS] == [(100,), None, None, (2**200,)]
    assert verified.levels("token") == bytes([2, 0, 0, 2])


def test_cells__not_asked__are_none_at_level_0() -> None:
    verified = believed(reading())

    assert verified.cell("token", account(99)) is None
    assert verified.cell("nothing", ROWS[0]) is None
    assert verified.assurance("token", account(99)) is Assurance.SINGLE_RPC
    assert verified.levels("nothing") is None
    assert verified.has("token")
    assert not verified.has("nothing")


def test_layout__without_code_pin__proves_on_devnets_alone() -> None:
    subject = memory_chain().reading((token_column(code_hash=None),))

    assert believed(subject).levels("token") == bytes([1, 1, 1, 1])
    assert believed(subject, devnet=True).levels("token") == bytes([2, 2, 2, 2])


def test_code__not_the_pinned_one__makes_the_columns_unreadable_and_the_chain_stands() -> None:
    chain = memory_chain()
    chain.contracts[TOKEN].code_hash = keccak256(b"upgraded")

    verified = believed(chain.reading((token_column(), price_column()), given={"price": [(1, 2)]}))

    assert verified.code_changed == frozenset({"token"})
    assert not verified.has("token")
    assert [verified.cell("token", row) for row in ROWS] == [None] * 4
    assert verified.cell("price", b"") == (1, 2)


def test_code__of_a_list_not_the_pinned_one__is_named() -> None:
    chain = memory_chain()
    chain.contracts[BOX].code_hash = keccak256(b"upgraded")

    verified = believed(chain.reading((), (box_list(),), (AccountList("box", ROWS),)))

    assert verified.code_changed == frozenset({"box"})


def test_absent_contract__proven_absent__has_another_code() -> None:
    chain = memory_chain()
    del chain.contracts[TOKEN]
    subject = chain.reading((token_column(),), given={"token": [CellStatus.FAILED] * 4})

    verified = believed(subject)

    assert verified.code_changed == frozenset({"token"})


def test_packed_layout__words_are_decoded_before_they_are_compared() -> None:
    spec = token_column(layout=UsdcPacked(3), signed=(False, False), rows=(address(1),))
    chain = memory_chain()
    chain.contracts[TOKEN].storage[mapping_slot(3, account(1))] = 2**255 + 70

    verified = believed(chain.reading((spec,)))

    assert verified.cell("token", address(1)) == (70, 1)


def test_contract__with_more_slots_than_one_answer_holds__is_proven_in_parts() -> None:
    rows = tuple(account(number) for number in range(1, 1102))
    storage = {mapping_slot(3, row): number for number, row in enumerate(rows, 1)}
    chain = MemoryChain(contracts={TOKEN: Contract(storage)})
    subject = chain.reading((token_column(rows=rows),))

    verified = believed(subject)

    assert verified.levels("token") == bytes([2]) * 1101
    surplus = (*subject.proofs[0].answer.storage, (99, 0, ()))
    assert refused(with_answer(subject, TOKEN, storage=surplus)).reason is Reason.INVALID_PROOF
    assert refused(with_answer(subject, TOKEN, storage=surplus[:-2])).reason is Reason.INVALID_PROOF


def test_verified_chain__keeps_what_was_read() -> None:
    subject = reading()

    verified = believed(subject)

    assert verified.chain == CHAIN
    assert verified.readings_root == readings_root(subject.sheet)
    assert verified.accounts("box") == AccountList("box", ROWS)
    assert verified.accounts("other") is None
    assert verified.column("token") == subject.sheet.columns[0]
    assert verified.column("other") is None


# --- snapshot --------------------------------------------------------------------------------------------------------


def test_snapshot__with_a_missing_chain__has_it_among_its_anchors() -> None:
    missing = Unavailable(ChainId("eip155:2"), Reason.NOT_FINAL, "behind")
    subject = reading()

    snapshot = verify(Snapshot(60, (subject, missing)), frozenset())

    assert [outcome.chain for outcome in snapshot.outcomes] == ["eip155:2", CHAIN]
    assert snapshot.missing == (missing,)
    assert snapshot.chain(CHAIN) == snapshot.chains[0]
    assert snapshot.chain(ChainId("eip155:2")) is None
    assert snapshot.anchors()[0] == missing_anchor(Hash32(keccak256(b"eip155:2")))
    block = subject.anchor.block
    present = snapshot.anchors()[1]
    assert (present.block_number, present.block_hash, present.state_root, present.timestamp, present.finality) == (
        7,
        block.hash,
        block.state_root,
        1_700_000_000,
        Finality.SAFE,
    )
    assert chain_anchor(snapshot.chains[0]) == present


def test_snapshot__of_devnets__believes_one_provider_there() -> None:
    alone = Votes(("a",), 1, reached=True)
    subject = replace(reading(), sheet_votes=alone, anchor=replace(reading().anchor, votes=alone))

    assert verify(Snapshot(60, (subject,)), frozenset()).chains == ()
    assert len(verify(Snapshot(60, (subject,)), frozenset({CHAIN})).chains) == 1


def test_snapshot__with_a_chain_twice__is_refused() -> None:
    verified = believed(reading())

    with pytest.raises(ConstructionRefused):
        verified_snapshot(60, (verified, verified))


def test_verified_types__built_elsewhere__are_refused() -> None:
    verified = believed(reading())

    with pytest.raises(ConstructionRefused, match=r"only proofs\.verify"):
        VerifiedSnapshot(60, (verified,), object())
    with pytest.raises(ConstructionRefused, match=r"only proofs\.verify"):
        VerifiedChain(
            verified.anchor,
            (),
            (),
            verified.sheet,
            verified.readings_root,
            frozenset(),
            {},
            object(),
        )
    with pytest.raises(ValueError, match="token"):
        replace(verified, code_changed=frozenset())


# --- speed -----------------------------------------------------------------------------------------------------------


def test_three_chains_of_a_thousand_slots__are_verified_well_within_a_pass() -> None:
    rows = tuple(account(number) for number in range(1, 1001))
    storage = {mapping_slot(3, row): number for number, row in enumerate(rows, 1)}
    subject = MemoryChain(contracts={TOKEN: Contract(storage)}).reading((token_column(rows=rows),))

    start = time.process_time()
    for _ in range(3):
        believed(subject)
    spent = time.process_time() - start

    assert spent < 1.0, f"{spent:.3f} s of processor time; 0.1 s on a quiet machine"


def test_answer__is_never_asked_who_it_is_about() -> None:
    chain = memory_chain()
    other = chain.answer(BOX, ())
    subject = chain.reading((token_column(),))
    swapped = AccountAnswer(
        TOKEN, other.nonce, other.balance, other.storage_hash, other.code_hash, other.account_proof, ()
    )

    assert refused(replace(subject, proofs=(ContractProof("gamma", swapped),))).reason is Reason.INVALID_PROOF
