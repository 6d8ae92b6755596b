"""Evidence bundles in hostile hands: every byte, every text, every archive is refused by the name of its file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from proofs.bundle import (
    BundleContents,
    BundleReport,
    Verdict,
    bundle_files,
    check_sums,
    checked_bundle,
    contents_from_files,
    read_bundle,
    sums_of,
    verify_bundle,
    write_bundle,
)
from proofs.bundle_archive import unpack
from proofs.errors import ConstructionRefused, InvalidBundle
from proofs.snapshot import ChainReading, Reason, Unavailable
from tests.proofs.evidence_frame import GONE, POLICY, contents

WHOLE = contents()
FILES = bundle_files(WHOLE)
ARCHIVED = write_bundle(WHOLE)


def report(subject: BundleContents) -> BundleReport:
    return verify_bundle(subject, {})


def failed_files(subject: BundleContents) -> set[str]:
    outcome = report(subject)
    assert outcome.verdict is Verdict.FAILED
    return {check.file for check in outcome.failures}


# --- every byte ------------------------------------------------------------------------------------------------------


def _positions(size: int) -> list[int]:
    return sorted({*range(min(size, 2000)), *range(2000, size, 37), size - 1})


def refusal_of(build: Callable[[], object]) -> InvalidBundle | None:
    """Return the refusal of a bundle, or None where it was taken; nothing else may be raised."""
    try:
        build()
    except InvalidBundle as refusal:
        return refusal
    return None


def test_th_143_archive__every_byte_flipped__is_found_or_changes_no_file() -> None:
    harmless = 0
    for at in _positions(len(ARCHIVED)):
        forged = bytearray(ARCHIVED)
        forged[at] ^= 1 << at % 8
        refusal = refusal_of(lambda raw=bytes(forged): unpack(raw))
        if refusal is None:  # deflate has bits that mean nothing
            assert unpack(bytes(forged)) == FILES
            harmless += 1
        else:
            assert refusal.file

    assert 100 * harmless < len(ARCHIVED)


@pytest.mark.parametrize("name", sorted(FILES))
def test_th_143_file__with_a_byte_flipped__is_named_by_the_sums(name: str) -> None:
    content = FILES[name]
    for at in {0, len(content) // 2, len(content) - 1}:
        forged = bytearray(content)
        forged[at] ^= 1

        with pytest.raises(InvalidBundle) as refusal:
            check_sums({**FILES, name: bytes(forged), "SHA256SUMS": sums_of(FILES)})
        assert refusal.value.file == name


def test_th_143_sums__flipped_or_cut__name_themselves_or_a_file() -> None:
    sums = sums_of(FILES)
    for at in range(len(sums)):
        forged = bytearray(sums)
        forged[at] ^= 1

        with pytest.raises(InvalidBundle) as refusal:
            check_sums({**FILES, "SHA256SUMS": bytes(forged)})
        assert refusal.value.file in {*FILES, "SHA256SUMS"}
    for wrong in (b"", sums[:-1], sums + b"\n", sums.split(b"\n", 1)[1]):
        with pytest.raises(InvalidBundle):
            check_sums({**FILES, "SHA256SUMS": wrong})
    with pytest.raises(InvalidBundle, match="SHA256SUMS"):
        check_sums(FILES)


# Labels and votes are the bundler's word; no proof binds them, and a report says so.
BOUND = sorted(name for name in FILES if name != "manifest.json" and not name.startswith("questions/"))


@pytest.mark.parametrize("name", BOUND)
def test_th_143_file__flipped_with_sums_made_anew__is_found_by_its_meaning(name: str) -> None:
    content = FILES[name]
    for at in range(0, len(content), 1 if len(content) < 400 else 29):
        forged = bytearray(content)
        forged[at] ^= 1
        if _is_label(content, at):
            continue

        files = {**FILES, name: bytes(forged)}
        refusal = refusal_of(lambda files=files: contents_from_files(files))
        if refusal is not None:
            assert refusal.file == name, at
        else:
            assert name in failed_files(contents_from_files(files)), at


def _is_label(content: bytes, at: int) -> bool:
    """Say whether a byte belongs to the label of the provider who gave a proof."""
    label = content.find(b"gamma")
    while label >= 0:
        if label <= at < label + 5:
            return True
        label = content.find(b"gamma", label + 1)
    return False


@pytest.mark.parametrize("name", sorted(FILES))
def test_file__missing__is_named(name: str) -> None:
    rest = {other: content for other, content in FILES.items() if other != name}

    with pytest.raises(InvalidBundle) as refusal:
        contents_from_files(rest)

    assert refusal.value.file == name


@pytest.mark.parametrize("name", ["legs/0001.json", "headers/eip155-1.rlp", "extra.json"])
def test_file__that_nothing_refers_to__is_named(name: str) -> None:
    with pytest.raises(InvalidBundle) as refusal:
        contents_from_files({**FILES, name: b"[]"})

    assert (refusal.value.file, refusal.value.rule) == (name, "file_unknown")


# --- hostile texts ---------------------------------------------------------------------------------------------------


def forge(name: str, old: bytes, new: bytes) -> dict[str, bytes]:
    assert old in FILES[name], (name, old)
    return {**FILES, name: FILES[name].replace(old, new, 1)}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("manifest.json", b"margin-evidence@1", b"margin-evidence@2"),
        ("manifest.json", b'"chain":"eip155:31337001"', b'"chain":"solana:31337001"'),
        ("manifest.json", b'"chain":"eip155:31337002"', b'"chain":"eip155:31337001"'),
        ("manifest.json", b'["eip155:31337001","eip155:31337002"]', b'["eip155:31337002","eip155:31337001"]'),
        ("manifest.json", b'"k":"3"', b'"k":"2"'),
        ("manifest.json", b'"missing":null', b'"missing":{}'),
        ("manifest.json", b'"reached":true', b'"reached":1'),
        ("manifest.json", b'"configured":"2"', b'"configured":2'),
        ("manifest.json", b'"finality":"3"', b'"finality":"9"'),
        ("policy.json", b'"version":1', b'"version":1.0'),
        ("policy.json", b'{"frame_s":60,', b'{ "frame_s":60,'),
        ("policy.json", b'{"frame_s":60,"name"', b'{"name":"a","frame_s":60,"name"'),
        ("policy.json", POLICY, b"[" * 100_000),
        ("policy.json", POLICY, b"NaN"),
        ("policy.json", POLICY, b"\xff\xfe"),
        ("policy.json", POLICY, b'"\\ud800"'),
        ("root.json", b'"frame":"1700000040"', b'"frame":"01700000040"'),
        ("root.json", b'"frame":"1700000040"', b'"frame":"18446744073709551616"'),
        ("root.json", b'"frame":"1700000040"', b'"frame":1700000040'),
        ("root.json", b'"frame":"1700000040"', b'"frame":"-1"'),
        ("leaves.json", b'"status":"1"', b'"status":"6"'),
        ("leaves.json", b'"quality":"512"', b'"quality":"1024"'),
        ("leaves.json", b'"status":"1"', b'"status":"1","zzz":"1"'),
        ("legs/0000.json", b'"value_usd":"950"', b'"value_usd":"' + b"9" * 78 + b'"'),
        ("legs/0000.json", b"[[", b"[["[:1] + b"[],["),
        ("signatures.json", b'"0x', b'"0X'),
        ("questions/eip155-31337001.json", b"solidity_mapping@1", b"solidity_mapping@2"),
        ("questions/eip155-31337001.json", b"solidity_mapping@1", b"unknown@1"),
        ("questions/eip155-31337001.json", b'"base":"0"', b'"base":"zero"'),
        ("questions/eip155-31337001.json", b'"row_set":"0"', b'"row_set":"7"'),
        ("questions/eip155-31337001.json", b'"mode":"1"', b'"mode":"2"'),
        ("questions/eip155-31337001.json", b'"signed":[false]', b'"signed":[]'),
        ("questions/eip155-31337001.json", b'account_array@1', b'dev_feed@1'),
        ("proofs/eip155-31337001.json", b'"nodes":["', b'"nodes":["0x' + b"80" * 40 + b'","'),
        ("proofs/eip155-31337001.json", b'"nodes":["', b'"nodes":["0x00","'),
    ],
)  # fmt: skip
def test_th_143_text__of_another_form__is_refused_naming_its_file(name: str, old: bytes, new: bytes) -> None:
    with pytest.raises(InvalidBundle) as refusal:
        contents_from_files(forge(name, old, new))

    assert refusal.value.file == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("manifest.json", []),
        ("leaves.json", {}),
        ("legs/0000.json", [{}, [], []]),
        ("manifest.json", "x" * 5000),
        ("questions/eip155-31337001.json", {"account_lists": [], "columns": [], "row_sets": [["0x00"], "0x00"]}),
    ],
)
def test_th_143_text__of_another_kind__is_refused_naming_its_file(name: str, value: object) -> None:
    raw = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()

    with pytest.raises(InvalidBundle) as refusal:
        contents_from_files({**FILES, name: raw})

    assert refusal.value.file == name


def changed(name: str, change: Callable[[Any], object]) -> dict[str, bytes]:
    value = json.loads(FILES[name])
    change(value)
    return {**FILES, name: json.dumps(value, separators=(",", ":"), sort_keys=True).encode()}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("manifest.json", lambda value: value["chains"][0].update(block=None)),
        ("manifest.json", lambda value: value.update(tool="x" * 5000)),
        ("manifest.json", lambda value: value["signers"].update(addresses=[])),
        ("questions/eip155-31337001.json", lambda value: value["columns"][2].update(row_set="0")),
        ("questions/eip155-31337001.json", lambda value: value["columns"][0].update(row_set="1")),
        ("questions/eip155-31337001.json", lambda value: value["columns"][0]["layout"].update(params=[])),
        ("proofs/eip155-31337001.json", lambda value: value["contracts"][0]["slots"].append("0x00")),
        ("proofs/eip155-31337001.json", lambda value: value["contracts"][0].update(address="0x" + "ab" * 20)),
    ],
)
def test_th_143_text__with_one_member_changed__is_refused_naming_its_file(
    name: str, change: Callable[[Any], object]
) -> None:
    with pytest.raises(InvalidBundle) as refusal:
        contents_from_files(changed(name, change))

    assert refusal.value.file == name


def test_legs__swapped_in_their_file__are_refused() -> None:
    legs = json.loads(FILES["legs/0000.json"])
    legs[0].reverse()
    raw = json.dumps(legs, separators=(",", ":"), sort_keys=True).encode()

    with pytest.raises(InvalidBundle) as refusal:
        contents_from_files({**FILES, "legs/0000.json": raw})

    assert (refusal.value.file, refusal.value.rule) == ("legs/0000.json", "leg_order")


def test_unused_node__in_a_proof_file__is_refused() -> None:
    name = "proofs/eip155-31337001.json"
    other = json.loads(FILES["proofs/eip155-31337002.json"])["nodes"][0]
    proofs = json.loads(FILES[name])
    proofs["nodes"].append(other)

    with pytest.raises(InvalidBundle) as refusal:
        contents_from_files({**FILES, name: json.dumps(proofs, separators=(",", ":"), sort_keys=True).encode()})

    assert (refusal.value.file, refusal.value.rule) == (name, "extra_node")


def test_contents__that_would_not_be_read_back__are_not_written() -> None:
    doubled = (WHOLE.legs[0] + WHOLE.legs[0][:1], *WHOLE.legs[1:])
    for subject in (
        replace(WHOLE, legs=WHOLE.legs[:2]),
        replace(WHOLE, legs=doubled),
        replace(WHOLE, policy_text=b"{ }"),
    ):
        with pytest.raises(ConstructionRefused):
            checked_bundle(subject)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("questions/eip155-31337001.json", lambda value: value["row_sets"].append(["0x" + "ab" * 32])),
        ("questions/eip155-31337001.json", lambda value: value["columns"][0]["layout"]["params"].update(base="0x0")),
        ("proofs/eip155-31337001.json", lambda value: value["nodes"].reverse()),
    ],
)
def test_th_143_text__that_means_the_same_in_other_bytes__is_refused(
    name: str, change: Callable[[Any], object]
) -> None:
    with pytest.raises(InvalidBundle) as refusal:
        contents_from_files(changed(name, change))

    assert (refusal.value.file, refusal.value.rule) == (name, "json_order")


def test_th_143_anchors__out_of_order__fail() -> None:
    assert failed_files(contents_from_files(changed("anchors.json", lambda value: value.reverse()))) == {"anchors.json"}


# --- how much --------------------------------------------------------------------------------------------------------


def test_th_143_proofs__of_more_contracts_than_are_proven_at_one_block__are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proven = max(len(one.proofs) for one in WHOLE.snapshot.outcomes if isinstance(one, ChainReading))
    monkeypatch.setattr("proofs.evidence.PROOF_TARGETS_MAX", proven)
    assert report(contents_from_files(FILES)).verdict is Verdict.VERIFIED
    monkeypatch.setattr("proofs.evidence.PROOF_TARGETS_MAX", proven - 1)

    with pytest.raises(InvalidBundle, match="PROOF_TARGETS_MAX") as refusal:
        contents_from_files(FILES)
    with pytest.raises(ConstructionRefused, match="PROOF_TARGETS_MAX"):
        checked_bundle(WHOLE)

    assert refusal.value.file == "proofs/eip155-31337001.json"


def test_reason_of_a_missing_chain__longer_than_a_reader_takes__is_cut_when_written() -> None:
    """Forty providers with a sentence each: the bundle of a frame must not be unreadable for that."""
    gone = Unavailable(GONE, Reason.RPC_REFUSED, "no answer; " * 1000, ("alpha",))
    stated = contents(missing=True)
    outcomes = tuple(gone if isinstance(one, Unavailable) else one for one in stated.snapshot.outcomes)
    subject = replace(stated, snapshot=replace(stated.snapshot, outcomes=outcomes))

    (read,) = (one for one in read_bundle(write_bundle(subject)).snapshot.outcomes if isinstance(one, Unavailable))

    assert read == replace(gone, detail=gone.detail[:4096])


def test_th_047_many_columns_over_many_shared_rows__are_refused_by_their_sheet_before_any_slot_is_computed() -> None:
    name = "questions/eip155-31337001.json"

    def widen(value: Any) -> None:
        column = value["columns"][0]
        value["row_sets"] = [["0x" + number.to_bytes(32, "big").hex() for number in range(1500)]]
        value["columns"] = [dict(column, name=str(number), row_set="0") for number in range(1500)]

    started_s = time.process_time()
    with pytest.raises(InvalidBundle) as refusal:
        contents_from_files(changed(name, widen))

    assert refusal.value.file == "sheets/eip155-31337001.bin"
    assert time.process_time() - started_s < 5  # with 2.25 million slots: 13


def test_th_143_more_rows_than_a_bundle_asks__are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proofs.bundle_readings.QUESTION_ROWS_MAX", 2)

    with pytest.raises(InvalidBundle, match="QUESTION_ROWS_MAX") as refusal:
        contents_from_files(FILES)

    assert refusal.value.file == "questions/eip155-31337001.json"


def test_th_143_more_slots_than_a_bundle_proves__are_refused_before_any_is_walked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "proofs/eip155-31337001.json"
    proven = sum(len(one["slots"]) for one in json.loads(FILES[name])["contracts"])
    monkeypatch.setattr("proofs.bundle_readings.PROOF_SLOTS_MAX", proven)
    assert report(contents_from_files(FILES)).verdict is Verdict.VERIFIED
    monkeypatch.setattr("proofs.bundle_readings.PROOF_SLOTS_MAX", proven - 1)

    with pytest.raises(InvalidBundle, match="PROOF_SLOTS_MAX") as refusal:
        contents_from_files(FILES)

    assert refusal.value.file == name
