"""Evidence for strangers: unsigned looks, unpacked directories, and every integer in between."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from proofs.bundle import UNSIGNED, Verdict, checked_bundle, checked_files, read_bundle, sums_of, write_bundle
from proofs.errors import InvalidBundle
from proofs.signers import pack_signatures
from proofs.snapshot import Reason
from proofs.types import Status, to_hex
from relayer.audit import audit_bundle
from relayer.cli.audit import keep
from relayer.cli.main import app
from relayer.cli.output import ExitCode, Report
from relayer.cli.verify import read_contents
from relayer.errors import ConfigError
from relayer.pipeline.evidence import look_archive
from relayer.pipeline.look import Look, look_at
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import ALICE, BOB, CAROL, FRAME, SIGNER, FakeWorld, ManualClock, make_bench, make_policy

POLICY = make_policy()


async def frame_archive(world: FakeWorld, store: SqliteStore) -> bytes:
    bench = make_bench(world, store)
    await bench.pipeline.start()
    await bench.pipeline.run_frame(FRAME)
    archive = await store.bundle(POLICY.policy_id, FRAME)
    assert archive is not None
    return archive


async def look(world: FakeWorld, account: object = BOB) -> Look:
    return await look_at(POLICY, world.adapters, ManualClock(world.now_s), account, FRAME)  # type: ignore[arg-type]


def archive_of(seen: Look) -> bytes:
    archive = look_archive(POLICY, seen.readings, seen.snapshot, seen.view)
    assert archive is not None
    return archive


# --- a look at one account -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("account", [ALICE, BOB, CAROL])  # nobody names Carol
async def test_look__bundle__verifies_and_is_incomplete_because_nobody_signed(
    world: FakeWorld, account: object
) -> None:
    seen = await look(world, account)
    archive = archive_of(seen)

    report = audit_bundle(read_bundle(archive), {})

    assert checked_bundle(read_bundle(archive)) == archive
    assert [check for check in report.checks if check.fault] == []
    assert "signatures" not in {check.step for check in report.checks}
    assert report.verdict is Verdict.INCOMPLETE
    assert UNSIGNED in report.unverified
    assert [view.leaf for view in report.views] == [seen.view.leaf]


async def test_look__leaf__is_that_of_the_signed_frame(world: FakeWorld, file_store: SqliteStore) -> None:
    frame = read_bundle(await frame_archive(world, file_store))

    seen = await look(world)

    assert seen.view.leaf in frame.leaves


async def test_look__chain_missing__is_in_its_bundle(world: FakeWorld) -> None:
    world.chains["B"].fail(Reason.RPC_UNREACHABLE)

    report = audit_bundle(read_bundle(archive_of(await look(world))), {})

    assert report.verdict is Verdict.INCOMPLETE
    assert [check for check in report.checks if check.fault] == []


async def test_look__no_chain_read__has_no_bundle(world: FakeWorld) -> None:
    for chain in world.chains.values():
        chain.fail(Reason.RPC_UNREACHABLE)
    seen = await look(world)

    assert look_archive(POLICY, seen.readings, seen.snapshot, seen.view) is None


async def test_look__signed_all_the_same__is_refused(world: FakeWorld) -> None:
    """A member's signature over one chosen account must not pass for a frame, which holds all that contracts name."""
    contents = read_bundle(archive_of(await look(world)))
    blob = pack_signatures([(0, await SIGNER.sign(contents.signed.digest))])

    report = audit_bundle(replace(contents, signed=replace(contents.signed, signatures=blob)), {})

    assert report.verdict is Verdict.FAILED
    assert [check.step for check in report.checks if check.fault] == ["signatures"]


async def test_frame__signatures_stripped__is_never_verified(world: FakeWorld, file_store: SqliteStore) -> None:
    contents = read_bundle(await frame_archive(world, file_store))

    report = audit_bundle(replace(contents, signed=replace(contents.signed, signatures=b"")), {})

    assert report.verdict is Verdict.INCOMPLETE


async def test_frame__said_to_be_a_look__asks_other_questions(world: FakeWorld, file_store: SqliteStore) -> None:
    contents = read_bundle(await frame_archive(world, file_store))
    stripped = replace(contents, watched=(BOB,), signed=replace(contents.signed, signatures=b""))

    assert audit_bundle(stripped, {}).verdict is Verdict.FAILED


# --- the command line ------------------------------------------------------------------------------------------------


async def test_verify__look__ends_with_5_and_writes_its_page(world: FakeWorld, tmp_path: Path) -> None:
    (tmp_path / "look").write_bytes(archive_of(await look(world)))
    page = tmp_path / "look.html"

    result = CliRunner().invoke(app, ["verify", str(tmp_path / "look"), "--report", str(page), "--json"])

    told = json.loads(result.stdout)
    assert result.exit_code == 5
    assert UNSIGNED in told["incomplete"]
    assert told["data"]["signers"] == []
    assert to_hex(BOB) in page.read_text()
    assert "nobody: not signed" in page.read_text()


async def test_verify__page_in_no_directory__ends_with_2(world: FakeWorld, tmp_path: Path) -> None:
    (tmp_path / "look").write_bytes(archive_of(await look(world)))

    result = CliRunner().invoke(app, ["verify", str(tmp_path / "look"), "--report", str(tmp_path / "no" / "x.html")])

    assert result.exit_code == 2


async def test_audit_account__from_a_look__explains_it(world: FakeWorld, tmp_path: Path) -> None:
    (tmp_path / "look").write_bytes(archive_of(await look(world)))
    options = ["--from", str(tmp_path / "look"), "--report", str(tmp_path / "page.html"), "--json"]

    result = CliRunner().invoke(app, ["audit", "account", to_hex(BOB), *options])

    assert result.exit_code == 0
    assert json.loads(result.stdout)["data"]["view"]["status"] == "liquidatable"
    assert "<svg" in (tmp_path / "page.html").read_text()


async def test_th_143_audit_account__evidence_too_large_to_be_read__is_not_written(
    world: FakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, report = await look(world), Report("audit.account@1", as_json=True)
    monkeypatch.setattr("proofs.bundle_archive.UNPACKED_BYTES_MAX", 4096)

    keep(report, POLICY, seen, tmp_path / "look", tmp_path / "page.html")

    assert report.code is ExitCode.VERIFICATION_FAILED
    assert "bytes unpacked, allowed 4096: name fewer accounts" in report.errors[0]
    assert os.listdir(tmp_path) == []


async def test_audit_account__evidence_that_does_not_verify__is_not_written(world: FakeWorld, tmp_path: Path) -> None:
    seen, report = await look(world), Report("audit.account@1", as_json=True)
    wrong = replace(seen, view=replace(seen.view, leaf=replace(seen.view.leaf, status=Status.HEALTHY)))

    keep(report, POLICY, wrong, tmp_path / "look", None)

    assert report.code is ExitCode.VERIFICATION_FAILED
    assert any("status healthy, recomputed liquidatable" in error for error in report.errors)
    assert os.listdir(tmp_path) == []


async def test_audit_account__evidence_that_verifies__is_written(world: FakeWorld, tmp_path: Path) -> None:
    seen, report = await look(world), Report("audit.account@1", as_json=True)

    keep(report, POLICY, seen, tmp_path / "look", None)

    assert report.code is ExitCode.OK
    assert (tmp_path / "look").read_bytes() == archive_of(seen)


# --- a directory -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def folder(world: FakeWorld, file_store: SqliteStore, tmp_path: Path) -> Path:
    files = checked_files(read_bundle(await frame_archive(world, file_store)))
    for name, content in {**files, "SHA256SUMS": sums_of(files)}.items():
        (tmp_path / "bundle" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "bundle" / name).write_bytes(content)
    return tmp_path / "bundle"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_th_143_directory__any_byte_changed__is_found_and_its_file_named(folder: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(one for one in folder.rglob("*") if one.is_file())))
    true = path.read_bytes()
    at = data.draw(st.integers(0, len(true) - 1))
    path.write_bytes(true[:at] + bytes([true[at] ^ data.draw(st.integers(1, 255))]) + true[at + 1 :])

    try:
        with pytest.raises(InvalidBundle) as found:
            read_contents(folder)
    finally:
        path.write_bytes(true)

    named = path.relative_to(folder).as_posix()
    # A changed sum is a contradiction between two files: the sums are blamed, or the file of that line.
    assert found.value.file == named or named == "SHA256SUMS"


def test_directory__honest__is_read(folder: Path) -> None:
    assert audit_bundle(read_contents(folder), {}).verdict is Verdict.VERIFIED


# --- prices and computation ------------------------------------------------------------------------------------------


async def test_computation__of_a_frame__adds_up_to_its_leaves(world: FakeWorld, file_store: SqliteStore) -> None:
    contents = read_bundle(await frame_archive(world, file_store))

    (text,) = contents.computation
    for view, leaf in zip(json.loads(text), contents.leaves, strict=True):
        values = [int(line["value_usd"]) for line in view["lines"]]
        assert view["account"] == to_hex(leaf.account_id)
        assert sum(value for value in values if value > 0) == leaf.collateral_usd == int(view["collateral_usd"])
        assert -sum(value for value in values if value < 0) == leaf.liability_usd
        assert sum(int(line["initial_usd"]) for line in view["lines"]) == leaf.initial_margin_usd
        assert sum(int(line["maintenance_usd"]) for line in view["lines"]) == leaf.maintenance_margin_usd


async def test_prices__of_a_frame__are_what_the_feeds_say(world: FakeWorld, file_store: SqliteStore) -> None:
    prices = json.loads(read_bundle(await frame_archive(world, file_store)).prices)

    assert {symbol: price["low_e18"] for symbol, price in prices.items()} == {
        "ETH": str(3_000 * 10**18),
        "BTC": str(60_000 * 10**18),
        "USDX": str(10**18),
    }


async def test_computation__one_integer_changed__is_found_and_the_account_named(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    contents = read_bundle(await frame_archive(world, file_store))
    (text,) = contents.computation
    views = json.loads(text)
    at = next(at for at, view in enumerate(views) if view["account"] == to_hex(BOB))
    views[at]["lines"][0]["marked_usd"] += "1"
    changed = json.dumps(views, separators=(",", ":"), sort_keys=True).encode()

    report = audit_bundle(read_bundle(write_bundle(replace(contents, computation=(changed,)))), {})

    assert {check.file: check.fault for check in report.checks if check.fault} == {
        "computation/0000.json": f"{to_hex(BOB)}: other integers than recomputed"
    }


@pytest.mark.parametrize("computation", [(), (b"[]",), (b"{}",)])
async def test_computation__left_out__is_found(
    world: FakeWorld, file_store: SqliteStore, computation: tuple[bytes, ...]
) -> None:
    contents = read_bundle(await frame_archive(world, file_store))

    report = audit_bundle(replace(contents, computation=computation), {})

    assert [check.file for check in report.checks if check.fault] == ["computation/0000.json"]


async def test_prices__changed__are_found(world: FakeWorld, file_store: SqliteStore) -> None:
    contents = read_bundle(await frame_archive(world, file_store))

    report = audit_bundle(replace(contents, prices=contents.prices.replace(b"3000", b"3001")), {})

    assert [check.file for check in report.checks if check.fault] == ["prices.json"]


@pytest.mark.parametrize(("bound", "what"), [("FILES_MAX", "files"), ("UNPACKED_BYTES_MAX", "bytes")])
def test_th_143_directory__beyond_the_bounds_of_an_archive__is_refused_by_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, bound: str, what: str
) -> None:
    files = [one for one in folder.rglob("*") if one.is_file()]
    whole = {"FILES_MAX": len(files), "UNPACKED_BYTES_MAX": sum(one.stat().st_size for one in files)}[bound]
    monkeypatch.setattr(f"proofs.bundle_archive.{bound}", whole)
    assert read_contents(folder).leaves
    monkeypatch.setattr(f"proofs.bundle_archive.{bound}", whole - 1)

    with pytest.raises(ConfigError, match=what):
        read_contents(folder)
