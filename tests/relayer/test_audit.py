"""Recomputing a bundle: every honest frame verifies, and whatever a signer made up is found, signature or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proofs import attestation
from proofs.attestation import SignedRoot, accounts_tree, legs_root, snapshot_root
from proofs.bundle import BundleContents, Verdict, bundle_files, read_bundle, sums_of, write_bundle
from proofs.keccak import keccak256
from proofs.signers import pack_signatures
from proofs.snapshot import ChainReading, Reason, Snapshot
from proofs.types import Finality, Status, to_hex
from relayer.audit import audit_bundle, policy_from_text
from relayer.cli.main import app
from relayer.errors import ConfigError
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import ALICE, BOB, CHAINS, FRAME, SIGNER, FakeWorld, make_bench, make_policy

ROOT = Path(__file__).resolve().parents[2]


async def archive_of(world: FakeWorld, store: SqliteStore) -> bytes:
    bench = make_bench(world, store)
    await bench.pipeline.start()
    await bench.pipeline.run_frame(FRAME)
    archive = await store.bundle(bench.ports.policy.policy_id, FRAME)
    assert archive is not None
    return archive


@pytest.fixture
async def archive(world: FakeWorld, file_store: SqliteStore) -> bytes:
    return await archive_of(world, file_store)


async def resigned(contents: BundleContents, **changes: object) -> BundleContents:
    """Let the relayer's own key sign other contents: everything fits together but the truth."""
    contents = replace(contents, **changes)
    tree = accounts_tree(contents.leaves)
    root = replace(
        contents.signed.root,
        accounts_root=tree.root,
        leaf_count=tree.leaf_count,
        snapshot_root=snapshot_root(contents.anchors),
        policy_id=keccak256(contents.policy_text),
    )
    digest = attestation.digest(contents.domain, root)
    signed = SignedRoot(root, digest, pack_signatures([(0, await SIGNER.sign(digest))]))
    return replace(contents, signed=signed)


def faults(contents: BundleContents) -> dict[str, str]:
    report = audit_bundle(contents, {})
    assert report.verdict is Verdict.FAILED
    return {check.step: check.fault for check in report.checks if check.fault}


# --- honest ----------------------------------------------------------------------------------------------------------


async def test_audit__honest_bundle__is_verified_and_says_what_is_left(archive: bytes) -> None:
    report = audit_bundle(read_bundle(archive), {})

    assert report.verdict is Verdict.VERIFIED
    assert {check.step for check in report.checks} >= {"policy", "terms", "blocks", "questions", "rule set"}
    assert not any("rule set" in line for line in report.unverified)
    assert any("is canonical" in line for line in report.unverified)
    assert {view.account: view.status for view in report.views} == {ALICE: Status.HEALTHY, BOB: Status.LIQUIDATABLE}


async def test_audit__chain_missing__is_incomplete_and_recomputed_all_the_same(
    world: FakeWorld, file_store: SqliteStore
) -> None:
    world.chains["C"].fail(Reason.RPC_UNREACHABLE)

    report = audit_bundle(read_bundle(await archive_of(world, file_store)), {})

    assert report.verdict is Verdict.INCOMPLETE
    assert [check for check in report.checks if check.fault] == []


def test_policy__from_its_canonical_text__is_the_same_policy() -> None:
    policy = make_policy()

    assert policy_from_text(policy.canonical) == policy


def test_policy__that_breaks_a_rule__is_a_config_error() -> None:
    document = json.loads(make_policy().canonical) | {"lifetime_s": 1}

    with pytest.raises(ConfigError, match="lifetime_s"):
        policy_from_text(json.dumps(document).encode())


# --- what a signer made up -------------------------------------------------------------------------------------------


async def test_th_100_audit__leaf_with_other_status__is_found_by_the_rule_set(archive: bytes) -> None:
    contents = read_bundle(archive)
    leaves = tuple(replace(leaf, status=Status.HEALTHY) if leaf.account_id == BOB else leaf for leaf in contents.leaves)

    found = faults(await resigned(contents, leaves=leaves))

    assert set(found) == {"rule set"}
    assert to_hex(BOB) in found["rule set"]
    assert "recomputed liquidatable" in found["rule set"]


async def test_audit__leg_made_up_with_matching_figures__is_found_by_the_rule_set(archive: bytes) -> None:
    contents = read_bundle(archive)
    at = [leaf.account_id for leaf in contents.leaves].index(ALICE)
    richer = replace(contents.legs[at][0], value_usd=contents.legs[at][0].value_usd + 10**18)
    legs = (richer, *contents.legs[at][1:])
    figures = {"collateral_usd": contents.leaves[at].collateral_usd + 10**18, "legs_root": legs_root(legs)}
    leaves = (*contents.leaves[:at], replace(contents.leaves[at], **figures), *contents.leaves[at + 1 :])

    found = faults(await resigned(contents, leaves=leaves, legs=(*contents.legs[:at], legs, *contents.legs[at + 1 :])))

    assert set(found) == {"rule set"}


async def test_audit__account_left_out__is_found(archive: bytes) -> None:
    contents = read_bundle(archive)
    kept = [at for at, leaf in enumerate(contents.leaves) if leaf.account_id != BOB]

    found = faults(
        await resigned(
            contents,
            leaves=tuple(contents.leaves[at] for at in kept),
            legs=tuple(contents.legs[at] for at in kept),
        )
    )

    assert "is named and has no leaf" in found["rule set"]


async def test_audit__policy_text_of_another_policy__terms_and_leaves_do_not_follow(archive: bytes) -> None:
    other = make_policy(lifetime_s=200, dust_usd="2000")

    found = faults(await resigned(read_bundle(archive), policy_text=other.canonical))

    assert "lifetime is 200 s" in found["terms"]
    assert "rule set" in found


async def test_audit__column_left_out__questions_are_not_those_of_the_policy(archive: bytes) -> None:
    contents = read_bundle(archive)

    def shortened(outcome: object) -> object:
        if not isinstance(outcome, ChainReading) or outcome.chain != CHAINS["B"]:
            return outcome
        sheet = replace(outcome.sheet, columns=outcome.sheet.columns[1:])
        return replace(outcome, columns=outcome.columns[1:], sheet=sheet)

    snapshot = Snapshot(contents.snapshot.frame_s, tuple(map(shortened, contents.snapshot.outcomes)))  # type: ignore[arg-type]

    assert "columns are not those" in faults(replace(contents, snapshot=snapshot))["questions"]


async def test_audit__block_of_another_finality_or_time__is_outside_the_policy(archive: bytes) -> None:
    contents = read_bundle(archive)

    def weakened(outcome: object) -> object:
        assert isinstance(outcome, ChainReading)
        return replace(outcome, anchor=replace(outcome.anchor, finality=Finality.LATEST))

    snapshot = Snapshot(FRAME + 10, tuple(map(weakened, contents.snapshot.outcomes)))  # type: ignore[arg-type]

    found = faults(replace(contents, snapshot=snapshot))

    assert "finality latest, not safe" in found["blocks"]
    assert "frame" in found


async def test_th_001_audit__votes_among_fewer_operators_than_the_policy_asks_for__are_found(archive: bytes) -> None:
    """No proof binds votes; but what a signed frame itself states of them must be the policy's."""
    contents = read_bundle(archive)
    document = json.loads(contents.policy_text)
    document["providers"] = {"configured_min": 3, "operators_min": 3}
    policy_text = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()

    def asked_of_two(outcome: object) -> object:
        assert isinstance(outcome, ChainReading)
        votes = replace(outcome.sheet_votes, agreed=("alpha", "beta"), configured=2)
        return replace(outcome, sheet_votes=votes)

    snapshot = Snapshot(FRAME, tuple(map(asked_of_two, contents.snapshot.outcomes)))  # type: ignore[arg-type]
    of_two = replace(contents, policy_text=policy_text, snapshot=snapshot)

    assert "sheet: 2 operators configured, the policy asks for 3" in faults(of_two)["blocks"]
    assert "operators" not in faults(replace(of_two, snapshot=contents.snapshot)).get("blocks", "")


# --- the verb --------------------------------------------------------------------------------------------------------


def run_program(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)


def run_verify(*arguments: str) -> tuple[int, dict[str, object]]:
    result = CliRunner().invoke(app, ["verify", *arguments, "--json"])
    return result.exit_code, json.loads(result.stdout)


def unpacked_into(folder: Path, archive: bytes) -> Path:
    files = bundle_files(read_bundle(archive))
    for name, content in {**files, "SHA256SUMS": sums_of(files)}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


async def test_verify__honest_archive_and_directory__end_with_0(archive: bytes, tmp_path: Path) -> None:
    file, folder = tmp_path / "frame.tar.gz", unpacked_into(tmp_path / "frame", archive)
    file.write_bytes(archive)

    packed, unpacked = run_verify(str(file)), run_verify(str(folder))

    assert (packed[0], unpacked[0]) == (0, 0)
    assert packed[1] == unpacked[1]
    data = packed[1]["data"]
    assert (data["verdict"], data["frame"], data["accounts"]) == ("verified", FRAME, 2)
    assert data["signers"] == [to_hex(SIGNER.address)]
    assert data["unverified"]


async def test_verify__chain_missing__ends_with_5(world: FakeWorld, file_store: SqliteStore, tmp_path: Path) -> None:
    world.chains["C"].fail(Reason.RPC_UNREACHABLE)
    (tmp_path / "frame.tar.gz").write_bytes(await archive_of(world, file_store))

    code, told = run_verify(str(tmp_path / "frame.tar.gz"))

    assert (code, told["data"]["verdict"]) == (5, "incomplete")
    assert any(CHAINS["C"] in line for line in told["incomplete"])


async def test_verify__anchor_known_to_the_auditor__is_compared(archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(archive)
    reading = next(one for one in read_bundle(archive).snapshot.outcomes if one.chain == CHAINS["A"])
    true = f"{CHAINS['A']}={to_hex(reading.anchor.block.hash)}"

    right = run_verify(str(tmp_path / "b"), "--anchor", true)
    wrong = run_verify(str(tmp_path / "b"), "--anchor", f"{CHAINS['A']}=0x{'11' * 32}")
    malformed = run_verify(str(tmp_path / "b"), "--anchor", "eip155:1")

    assert (right[0], wrong[0], malformed[0]) == (0, 4, 2)
    assert not any(CHAINS["A"] in line and "canonical" in line for line in right[1]["data"]["unverified"])
    assert "given 0x1111" in wrong[1]["errors"][0]


async def test_verify__two_anchors_for_one_chain__ends_with_2(archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(archive)
    reading = next(one for one in read_bundle(archive).snapshot.outcomes if one.chain == CHAINS["A"])
    true, false = to_hex(reading.anchor.block.hash), "0x" + "11" * 32

    for first, second in ((true, false), (false, true)):
        anchors = ("--anchor", f"{CHAINS['A']}={first}", "--anchor", f"{CHAINS['A']}={second}")
        assert run_verify(str(tmp_path / "b"), *anchors)[0] == 2


def _symlink(folder: Path) -> None:
    (folder / "leaves.json").rename(folder.parent / "leaves.json")
    (folder / "leaves.json").symlink_to(folder.parent / "leaves.json")


SPOILT: tuple[tuple[str, Callable[[Path], object], str], ...] = (
    ("changed", lambda folder: (folder / "prices.json").write_bytes(b"{}"), "prices.json"),
    ("missing", lambda folder: (folder / "leaves.json").unlink(), "leaves.json"),
    ("surplus", lambda folder: (folder / "extra.json").write_bytes(b"[]"), "extra.json"),
    ("no sums", lambda folder: (folder / "SHA256SUMS").unlink(), "SHA256SUMS"),
    ("hidden", lambda folder: (folder / ".hidden").write_bytes(b""), "archive"),
    ("not text", lambda folder: open(os.fsencode(folder) + b"/\xff\xfe", "wb").close(), "archive"),
    ("link", _symlink, "archive"),
    ("dangling link", lambda folder: (folder / "zz").symlink_to("/nowhere"), "archive"),
    ("pipe", lambda folder: os.mkfifo(folder / "zz"), "archive"),
)


@pytest.mark.parametrize(("spoil", "file"), [case[1:] for case in SPOILT], ids=[case[0] for case in SPOILT])
async def test_th_143_verify__spoilt_directory__ends_with_4_and_names_the_file(
    archive: bytes, tmp_path: Path, spoil: Callable[[Path], object], file: str
) -> None:
    folder = unpacked_into(tmp_path / "frame", archive)
    spoil(folder)

    code, told = run_verify(str(folder))

    assert (code, told["data"]["verdict"]) == (4, "failed")
    assert [check["file"] for check in told["data"]["checks"]] == [file]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw + b"x",
        lambda raw: raw[:100] + bytes([raw[100] ^ 1]) + raw[101:],
        lambda raw: b"",
    ],
)
async def test_th_143_verify__spoilt_archive__ends_with_4(
    archive: bytes, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "b").write_bytes(spoil(archive))

    code, told = run_verify(str(tmp_path / "b"))

    assert (code, told["data"]["verdict"]) == (4, "failed")


async def test_verify__signer_lied__ends_with_4_and_names_the_account(archive: bytes, tmp_path: Path) -> None:
    contents = read_bundle(archive)
    leaves = tuple(replace(leaf, status=Status.HEALTHY) for leaf in contents.leaves)
    (tmp_path / "b").write_bytes(write_bundle(await resigned(contents, leaves=leaves)))

    code, told = run_verify(str(tmp_path / "b"))

    assert code == 4
    assert any(to_hex(BOB) in error for error in told["errors"])


def test_verify__no_such_file__ends_with_2() -> None:
    assert run_verify("/nowhere/bundle.tar.gz")[0] == 2


async def test_verify__in_a_fresh_process__imports_no_network_library(archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(archive)
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from relayer.cli.main import app\n"
        f"result = CliRunner().invoke(app, ['verify', {str(tmp_path / 'b')!r}])\n"
        "loaded = sorted({'web3', 'aiohttp', 'eth_account', 'sqlite_utils', 'numpy'} & set(sys.modules))\n"
        "sys.exit(f'{result.output} {loaded}' if result.exit_code or loaded else 0)\n"
    )

    ended = run_program(program)

    assert ended.returncode == 0, ended.stderr


async def test_audit_account__from_a_bundle__explains_offline(archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(archive)

    def run(account: str) -> tuple[int, dict[str, object]]:
        arguments = ["audit", "account", account, "--from", str(tmp_path / "b"), "--json"]
        result = CliRunner().invoke(app, arguments)
        return result.exit_code, json.loads(result.stdout)

    known, home = run(to_hex(ALICE)), run(to_hex(ALICE[12:]))
    unknown, malformed = run("0x" + "11" * 20), run("alice")

    assert (known[0], home[0], unknown[0], malformed[0]) == (0, 0, 5, 2)
    assert known[1] == home[1]
    assert known[1]["data"]["view"]["status"] == "healthy"
    assert known[1]["data"]["view"]["collateral_usd"] == "55638.00"
    assert unknown[1]["incomplete"] == [f"frame {FRAME} has no such account"]
