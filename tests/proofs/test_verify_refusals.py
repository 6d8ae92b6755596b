"""Verification of one chain's reading: what is refused, and whose fault it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proofs.errors import LimitExceeded
from proofs.keccak import keccak256
from proofs.layouts import array_slot, mapping_slot
from proofs.limits import PROOF_TARGETS_MAX
from proofs.sheet import (
    AccountList,
    Cells,
    ColumnSpec,
    Sheet,
)
from proofs.snapshot import ChainReading, ContractProof, Reason, Unavailable, Votes
from proofs.types import AccountId, ChainId, Hash32
from proofs.verify import (
    VerifiedChain,
    proof_requests,
    verify_chain,
)
from tests.proofs.memory_chain import Contract, account, address
from tests.proofs.one_reading import (
    BALANCES,
    BOX,
    ROWS,
    TOKEN,
    believed,
    box_list,
    memory_chain,
    native_column,
    price_column,
    reading,
    refused,
    token_column,
    with_answer,
    with_words,
)

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
        (Votes(("a", "b"), 1, reached=True), True, False),  # more than there are
        (Votes(("a", "b"), -3, reached=True), True, False),
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


def test_requests__for_what_has_neither_layout_nor_pin__are_none() -> None:
    assert (
        proof_requests(
            (replace(box_list(), layout=None, code_hash=None),), (AccountList("box", ROWS),), (price_column(),)
        )
        == ()
    )


# --- how much --------------------------------------------------------------------------------------------------------


def _coins(holders: int) -> tuple[ColumnSpec, tuple[Cells, ...]]:
    rows = tuple(address(0x10000 + number) for number in range(holders))
    return replace(native_column(), rows=rows), (Cells("native", tuple(range(holders))),)


def test_th_047_holders__as_many_as_are_proven_at_one_block__one_more_is_refused() -> None:
    """One account proof each: nothing else bounds how many a policy without dust limit asks for."""
    column, cells = _coins(PROOF_TARGETS_MAX)
    assert len(proof_requests((), (), (column,), cells)) == PROOF_TARGETS_MAX

    column, cells = _coins(PROOF_TARGETS_MAX + 1)
    with pytest.raises(LimitExceeded, match="PROOF_TARGETS_MAX: allowed 16384, got 16385"):
        proof_requests((), (), (column,), cells)


def test_th_047_proofs__more_than_can_be_asked__are_refused_before_any_is_hashed() -> None:
    proof = reading().proofs[0]

    within = refused(replace(reading(), proofs=(proof,) * PROOF_TARGETS_MAX))
    beyond = refused(replace(reading(), proofs=(proof,) * (PROOF_TARGETS_MAX + 1)))

    assert within.reason is Reason.INVALID_PROOF
    assert (beyond.reason, beyond.dishonest) == (Reason.LIMIT_EXCEEDED, False)


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
