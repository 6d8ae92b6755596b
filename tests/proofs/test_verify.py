"""Verification of one chain's reading: what is believed, at which level, and what is refused as whose fault."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from proofs.account import AccountAnswer
from proofs.attestation import missing_anchor
from proofs.errors import ConstructionRefused
from proofs.keccak import keccak256
from proofs.layouts import AccountArray, SolidityMapping, UsdcPacked, array_slot, mapping_slot
from proofs.sheet import (
    AccountList,
    AccountListSpec,
    CellStatus,
    ColumnSpec,
    ReadMode,
    Sheet,
    column_from_rows,
    readings_root,
)
from proofs.snapshot import ChainReading, ContractProof, Reason, Snapshot, Unavailable, Votes
from proofs.types import AccountId, Assurance, ChainId, Finality, Hash32
from proofs.verify import (
    VerifiedChain,
    VerifiedSnapshot,
    chain_anchor,
    proof_requests,
    verified_snapshot,
    verify,
    verify_chain,
)
from tests.proofs.memory_chain import CHAIN, Contract, MemoryChain, account, address

TOKEN = address(0xAA)
BOX = address(0xBB)
CODE = Hash32(keccak256(b"code"))
ROWS = tuple(account(number) for number in range(1, 5))
BALANCES = (100, 0, 2**127, 2**200)


def token_column(**changes: object) -> ColumnSpec:
    spec = ColumnSpec("token", TOKEN, ReadMode.CALL, b"\x70\xa0\x82\x31", ROWS, (False,), SolidityMapping(3), CODE)
    return replace(spec, **changes)


def price_column() -> ColumnSpec:
    return ColumnSpec("price", address(0xCC), ReadMode.CALL, b"\x50\xd2\x5b\xcd", (b"",), (True, False))


def native_column() -> ColumnSpec:
    return ColumnSpec("native", address(0), ReadMode.NATIVE_BALANCE, b"", (address(1), address(2)), (False,))


def box_list() -> AccountListSpec:
    return AccountListSpec("box", BOX, b"\x01\x02\x03\x04", AccountArray(0), CODE)


def memory_chain() -> MemoryChain:
    token = Contract({mapping_slot(3, row): value for row, value in zip(ROWS, BALANCES, strict=True)})
    elements = {array_slot(0, index): int.from_bytes(row, "big") for index, row in enumerate(ROWS)}
    box = Contract({0: len(ROWS), **elements})
    return MemoryChain(
        contracts={TOKEN: token, BOX: box, address(1): Contract(balance=5 * 10**18), address(0xCC): Contract()}
    )


def reading() -> ChainReading:
    return memory_chain().reading(
        (token_column(), price_column(), native_column()),
        (box_list(),),
        (AccountList("box", ROWS),),
        {"price": [(-3, 1_700_000_000)]},
        (address(1),),
    )


def believed(subject: ChainReading, *, devnet: bool = False) -> VerifiedChain:
    outcome = verify_chain(subject, devnet=devnet)
    assert isinstance(outcome, VerifiedChain), str(outcome)
    return outcome


def refused(subject: ChainReading, *, devnet: bool = False) -> Unavailable:
    outcome = verify_chain(subject, devnet=devnet)
    assert isinstance(outcome, Unavailable)
    return outcome


def with_words(subject: ChainReading, name: str, rows: list[tuple[int, ...] | CellStatus]) -> ChainReading:
    columns = tuple(
        column_from_rows(name, column.signed, rows) if column.name == name else column
        for column in subject.sheet.columns
    )
    return replace(subject, sheet=replace(subject.sheet, columns=columns))


def with_answer(subject: ChainReading, target: bytes, **changes: object) -> ChainReading:
    proofs = tuple(
        replace(proof, answer=replace(proof.answer, **changes)) if proof.answer.address == target else proof
        for proof in subject.proofs
    )
    return replace(subject, proofs=proofs)


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


def test_cells__without_proof__have_rpc_quorum() -> None:
    verified = believed(replace(reading(), proofs=()))

    assert verified.levels("token") == bytes([1, 1, 1, 1])


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


# --- votes and header ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("votes", "devnet", "is_enough"),
    [
        (Votes(("a", "b"), 3, reached=True), False, True),
        (Votes(("a",), 3, reached=True), False, False),
        (Votes(("a",), 3, reached=True), True, False),  # an outage lowers no quorum, on a devnet neither
        (Votes(("a", "a", "a"), 3, reached=True), False, False),
        (Votes(("a",), 1, reached=True), False, False),
        (Votes(("a",), 1, reached=True), True, True),
        (Votes(("a", "b", "c"), 3, reached=False), False, False),
        (Votes((), 0, reached=True), True, False),
    ],
)
def test_votes__recounted__against_the_configured(votes: Votes, devnet: bool, is_enough: bool) -> None:
    for subject in (
        replace(reading(), sheet_votes=votes),
        replace(reading(), anchor=replace(reading().anchor, votes=votes)),
    ):
        outcome = verify_chain(subject, devnet=devnet)

        assert isinstance(outcome, VerifiedChain) is is_enough
        if isinstance(outcome, Unavailable):
            assert outcome.reason is Reason.NO_QUORUM
            assert not outcome.dishonest


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 8},
        {"timestamp_s": 1_700_000_001},
        {"parent_hash": Hash32(bytes(32))},
        {"state_root": Hash32(keccak256(b"other"))},
        {"hash": Hash32(keccak256(b"other"))},
    ],
)
def test_header__differing_from_the_block_in_one_field__is_refused(changes: dict[str, object]) -> None:
    subject = reading()
    block = replace(subject.anchor.block, **changes)

    outcome = refused(replace(subject, anchor=replace(subject.anchor, block=block)))

    assert outcome.reason is Reason.INVALID_HEADER
    assert outcome.dishonest
    assert outcome.providers == ("alpha", "beta")


@pytest.mark.parametrize("rlp", [b"", b"\xc0", b"\x80", b"\xf9\xff\xff", bytes(20_000)])
def test_header__of_no_known_shape__is_refused(rlp: bytes) -> None:
    subject = reading()
    block = replace(subject.anchor.block, hash=Hash32(keccak256(rlp)))

    outcome = refused(replace(subject, anchor=replace(subject.anchor, block=block, header_rlp=rlp)))

    assert outcome.reason is Reason.INVALID_HEADER


# --- proofs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["other_value", "wide", "negative_free", "observed_zero"])
def test_reading__differing_from_its_proof__is_a_lie_of_those_who_agreed(change: str) -> None:
    rows = {
        "other_value": [(101,), (0,), (2**127,), (2**200,)],
        "wide": [(100,), (0,), (2**127,), (2**200 + 1,)],
        "negative_free": [(100,), (2**255,), (2**127,), (2**200,)],
        "observed_zero": [(100,), (0,), (0,), (2**200,)],
    }[change]

    outcome = refused(with_words(reading(), "token", rows))

    assert outcome.reason is Reason.READING_CONTRADICTS_PROOF
    assert outcome.dishonest
    assert outcome.providers == ("alpha", "beta")
    assert "column token" in outcome.detail


def test_native_balance__differing_from_its_account__is_a_lie() -> None:
    assert refused(with_words(reading(), "native", [(1,), (0,)])).reason is Reason.READING_CONTRADICTS_PROOF


@pytest.mark.parametrize(
    "listed",
    [ROWS[:3], (*ROWS[:3], account(77)), (ROWS[1], ROWS[0], *ROWS[2:]), ()],
    ids=["shorter", "another", "reordered", "empty"],
)
def test_account_list__other_than_stored__is_a_lie(listed: tuple[AccountId, ...]) -> None:
    subject = memory_chain().reading((), (box_list(),), (AccountList("box", listed),))

    outcome = refused(subject)

    assert outcome.reason is Reason.READING_CONTRADICTS_PROOF
    assert "account list box" in outcome.detail


def test_account_list__longer_than_stored__is_a_lie() -> None:
    listed = (*ROWS, account(78))

    outcome = refused(memory_chain().reading((), (box_list(),), (AccountList("box", listed),)))

    assert outcome.reason is Reason.READING_CONTRADICTS_PROOF


def _flipped(raw: bytes, bit: int) -> bytes:
    return (int.from_bytes(raw, "big") ^ 1 << bit).to_bytes(len(raw), "big")


def test_proof__every_byte_of_the_last_node_flipped__is_refused_naming_its_provider() -> None:
    subject = reading()
    slot, value, nodes = next(proof for proof in subject.proofs if proof.answer.address == TOKEN).answer.storage[0]

    for byte in range(len(nodes[-1])):
        forged = [*nodes[:-1], _flipped(nodes[-1], 8 * byte)]
        rest = next(proof for proof in subject.proofs if proof.answer.address == TOKEN).answer.storage[1:]
        outcome = refused(with_answer(subject, TOKEN, storage=((slot, value, forged), *rest)))

        assert outcome.reason is Reason.INVALID_PROOF
        assert outcome.dishonest
        assert outcome.providers == ("gamma",)


def test_proof__cut__is_refused() -> None:
    subject = reading()
    answer = next(proof.answer for proof in subject.proofs if proof.answer.address == TOKEN)

    for changes in ({"account_proof": answer.account_proof[:-1]}, {"storage": answer.storage[:-1]}, {"storage": ()}):
        assert refused(with_answer(subject, TOKEN, **changes)).reason is Reason.INVALID_PROOF


def test_proof__of_hostile_size__is_refused_by_its_limit() -> None:
    subject = reading()

    outcome = refused(with_answer(subject, TOKEN, account_proof=[bytes(600)]))

    assert outcome.reason is Reason.LIMIT_EXCEEDED
    assert outcome.dishonest


@pytest.mark.parametrize("who", ["not_asked", "twice"])
def test_proof__nobody_asked_for__is_refused(who: str) -> None:
    subject = reading()
    extra = (
        ContractProof("delta", memory_chain().answer(address(0xDD), ())) if who == "not_asked" else subject.proofs[0]
    )

    outcome = refused(replace(subject, proofs=(*subject.proofs, extra)))

    assert outcome.reason is Reason.INVALID_PROOF
    assert "not asked" in outcome.detail or "twice" in outcome.detail


def test_requests__are_ordered_and_ask_no_slot_twice() -> None:
    doubled = replace(token_column(), name="token again", rows=ROWS[:2])

    requests = proof_requests((box_list(),), (AccountList("box", ROWS[:2]),), (token_column(), doubled))

    assert requests == (
        (BOX, (0, array_slot(0, 0), array_slot(0, 1))),
        (TOKEN, tuple(mapping_slot(3, row) for row in ROWS)),
    )


def test_requests__for_what_has_no_layout__are_none() -> None:
    assert proof_requests((replace(box_list(), layout=None),), (AccountList("box", ROWS),), (price_column(),)) == ()


# --- shape -----------------------------------------------------------------------------------------------------------


def _malformed(subject: ChainReading) -> list[Sheet]:
    sheet = subject.sheet
    token, price, native = sheet.columns
    return [
        replace(sheet, chain=ChainId("eip155:1")),
        replace(sheet, columns=sheet.columns[:-1]),
        replace(sheet, columns=(price, token, native)),
        replace(sheet, columns=(replace(token, name="other"), price, native)),
        replace(sheet, columns=(replace(token, words=token.words[:-1]), price, native)),
        replace(sheet, columns=(replace(token, status=token.status[:-1]), price, native)),
        replace(sheet, columns=(replace(token, signed=(True,)), price, native)),
        replace(sheet, columns=(replace(token, status=b"\4" + token.status[1:]), price, native)),
        replace(sheet, columns=(replace(token, status=b"\2" + token.status[1:]), price, native)),
        replace(sheet, columns=(replace(token, status=b"\3" + token.status[1:]), price, native)),
        replace(sheet, columns=(replace(token, wide={}), price, native)),
        replace(sheet, columns=(replace(token, wide={(3, 0): 7}), price, native)),
        replace(sheet, columns=(replace(token, wide={(3, 0): 2**256}), price, native)),
        replace(sheet, columns=(replace(token, wide={(3, 0): 2**200, (0, 0): 2**200}), price, native)),
        replace(sheet, columns=(replace(token, wide={(3, 0): 2**200, (9, 0): 2**200}), price, native)),
        replace(sheet, columns=(replace(token, words=b"\xff" * 64), price, native)),
        replace(sheet, account_lists=()),
        replace(sheet, account_lists=(AccountList("box", (AccountId(bytes(31)),)),)),
    ]


@pytest.mark.parametrize("number", range(18))
def test_sheet__that_answers_no_question_asked__is_refused(number: int) -> None:
    subject = replace(reading(), proofs=())

    outcome = refused(replace(subject, sheet=_malformed(subject)[number]))

    assert outcome.reason is Reason.RPC_MALFORMED


def test_questions__with_a_repeated_name_or_row__are_refused() -> None:
    chain = memory_chain()

    for columns in ((token_column(), token_column()), (token_column(rows=(ROWS[0], ROWS[0])),)):
        subject = replace(chain.reading(columns[:1]), columns=columns)
        subject = replace(subject, sheet=replace(subject.sheet, columns=subject.sheet.columns * len(columns)))
        assert refused(replace(subject, proofs=())).reason is Reason.RPC_MALFORMED


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


# --- INV-4: a value exists only for the question asked ---------------------------------------------------------------


def test_inv_04_answer_about_another_chain__is_refused() -> None:
    subject = reading()
    block = replace(subject.anchor.block, chain=ChainId("eip155:31337002"))

    outcome = refused(replace(subject, anchor=replace(subject.anchor, block=block)))

    assert outcome.reason is Reason.RPC_MALFORMED


def test_inv_04_answer_of_another_block__is_refused() -> None:
    later = memory_chain()
    later.contracts[TOKEN].storage[mapping_slot(3, ROWS[0])] = 101
    later.number = 8

    outcome = refused(replace(reading(), proofs=later.reading((token_column(),)).proofs))

    assert outcome.reason is Reason.INVALID_PROOF


def test_inv_04_answer_about_another_contract__is_refused() -> None:
    chain = memory_chain()
    twin = address(0xAB)
    chain.contracts[twin] = Contract(dict(chain.contracts[TOKEN].storage))
    subject = chain.reading((token_column(),))
    (proof,) = subject.proofs

    for swapped in (
        chain.answer(twin, [slot for slot, _, _ in proof.answer.storage]),
        replace(chain.answer(twin, [slot for slot, _, _ in proof.answer.storage]), address=TOKEN),
    ):
        outcome = refused(replace(subject, proofs=(replace(proof, answer=swapped),)))
        assert outcome.reason is Reason.INVALID_PROOF


def test_inv_04_answer_about_another_slot__is_refused() -> None:
    subject = reading()
    answer = next(proof.answer for proof in subject.proofs if proof.answer.address == TOKEN)
    first, second, *rest = answer.storage
    other = memory_chain().answer(TOKEN, [mapping_slot(4, ROWS[0])]).storage[0]

    for storage in (
        (other, second, *rest),  # another slot under its own name
        ((first[0], other[1], other[2]), second, *rest),  # under the name of ours
        ((first[0], second[1], second[2]), (second[0], first[1], first[2]), *rest),  # two holders swapped
        (first, first, *rest),
    ):
        assert refused(with_answer(subject, TOKEN, storage=storage)).reason is Reason.INVALID_PROOF


def test_inv_04_rows__asked_in_another_order__keep_their_own_values() -> None:
    chain = memory_chain()

    verified = believed(chain.reading((token_column(rows=ROWS[::-1]),)))

    assert [verified.cell("token", row) for row in ROWS] == [(value,) for value in BALANCES]
