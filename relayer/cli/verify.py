"""`relayer verify`: check an evidence bundle offline, rule set included; says what it could not verify.

Exit codes: 0 verified, 4 something is wrong, 5 nothing is wrong but a chain of the policy is missing or nobody signed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relayer.cli.ancestry import Ancestries, ancestry_of
from relayer.cli.output import ExitCode, Json, JsonOption, Report, reporting

if TYPE_CHECKING:
    from proofs.ancestry import AncestryStep
    from proofs.bundle import BundleContents
    from proofs.types import ChainId, Hash32
    from relayer.audit import AuditReport

BundlePath = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="The bundle: an archive, or a directory of its files.")
]
Anchors = Annotated[
    list[str] | None,
    typer.Option("--anchor", metavar="CHAIN=HASH", help="A block hash that you know to be canonical; may be repeated."),
]


ReportFile = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write all of it as one self-contained HTML page."),
]


def verify(
    bundle: BundlePath,
    anchor: Anchors = None,
    ancestry: Ancestries = None,
    report_file: ReportFile = None,
    as_json: JsonOption = False,
) -> None:
    """Check an evidence bundle offline."""
    from proofs.bundle_archive import ARCHIVE
    from proofs.errors import InvalidBundle, ProofError
    from relayer.audit import audit_bundle

    with reporting("verify@1", as_json) as report:
        known = _anchors(anchor or [])
        older = _ancestry(ancestry or [], known)
        try:
            contents = read_contents(bundle)
        except ProofError as error:
            file = error.file if isinstance(error, InvalidBundle) else ARCHIVE
            report.result({"verdict": "failed", "checks": [{"step": "files", "file": file, "fault": str(error)}]})
            report.fail(ExitCode.VERIFICATION_FAILED, str(error))
            return
        audited = audit_bundle(contents, known, older)
        if report_file is not None:
            write_page(report, report_file, contents, audited)
        _tell(report, audited, contents)


def write_page(report: Report, path: Path, contents: BundleContents, audited: AuditReport) -> None:
    """Write the HTML page of an audited bundle."""
    from relayer.report import report_page

    write_file(report, path, report_page(contents, audited).encode())


def write_file(report: Report, path: Path, content: bytes) -> None:
    """Write a file that somebody asked for by name.

    Raises: ConfigError.
    """
    from relayer.errors import ConfigError, Fault

    try:
        path.write_bytes(content)
    except OSError as error:
        problem = f"{path}: {error.strerror or type(error).__name__}"
        raise ConfigError("the file to write", Fault("", problem, "name a file in a directory that exists")) from error
    report.progress(f"wrote {path}, {len(content)} bytes")


def read_contents(path: Path) -> BundleContents:
    """Read a bundle from a file or a directory; nothing in it is believed yet."""
    from proofs.bundle import check_sums, contents_from_files, read_bundle
    from proofs.bundle_archive import ARCHIVE_BYTES_MAX

    if path.is_dir():
        return contents_from_files(check_sums(_directory(path)))
    return read_bundle(_content(path, ARCHIVE_BYTES_MAX))


def _directory(path: Path) -> dict[str, bytes]:
    """Read the files of an unpacked bundle, within the bounds and of the kind of what an archive may hold."""
    from proofs.bundle_archive import ARCHIVE, FILES_MAX, UNPACKED_BYTES_MAX
    from proofs.errors import InvalidBundle

    files: dict[str, bytes] = {}
    left = UNPACKED_BYTES_MAX
    for file in path.rglob("*"):
        if file.is_symlink() or not (file.is_file() or file.is_dir()):
            raise InvalidBundle(ARCHIVE, "file_kind", f"{file.name!a} is no plain file")
        if file.is_file():
            if len(files) == FILES_MAX:
                raise _unreadable(path, f"more than {FILES_MAX} files")
            content = _content(file, left)
            files[file.relative_to(path).as_posix()] = content
            left -= len(content)
    return files


def _content(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(bytes_max + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from error
    if len(raw) > bytes_max:
        raise _unreadable(path, f"more than the {bytes_max} bytes that a bundle may have")
    return raw


def _unreadable(path: Path, problem: str) -> Exception:
    from relayer.errors import ConfigError, Fault

    return ConfigError("argument BUNDLE", Fault("", f"{path}: {problem}", "name a bundle file or directory"))


def _anchors(texts: list[str]) -> dict[ChainId, Hash32]:
    from proofs.types import parse_chain_id, parse_hash
    from relayer.errors import ConfigError, Fault

    known: dict[ChainId, Hash32] = {}
    for text in texts:
        chain, _, block = text.partition("=")
        try:
            named, known_hash = parse_chain_id(chain), parse_hash(block)
        except ValueError as error:
            fault = Fault("", str(error), "for example eip155:1=0x<64 digits>")
            raise ConfigError("option --anchor", fault) from None
        if known.setdefault(named, known_hash) != known_hash:
            raise ConfigError("option --anchor", Fault("", f"two hashes for {named}", "give the one that you know"))
    return known


def _ancestry(texts: list[str], known: dict[ChainId, Hash32]) -> dict[ChainId, tuple[AncestryStep, ...]]:
    from relayer.errors import ConfigError, Fault

    steps: dict[ChainId, tuple[AncestryStep, ...]] = {}
    for text in texts:
        chain, of_chain = ancestry_of(text)
        if chain not in known or chain in steps:
            problem = f"{'two files' if chain in steps else 'no anchor'} for {chain}"
            raise ConfigError("option --ancestry", Fault("", problem, "one file per --anchor, from its block back"))
        steps[chain] = of_chain
    return steps


def _tell(report: Report, audit: AuditReport, contents: BundleContents) -> None:
    from proofs.bundle import UNSIGNED

    root = contents.signed.root
    addresses = contents.signers.addresses
    checks: list[Json] = [{"step": one.step, "file": one.file, "fault": one.fault} for one in audit.checks]
    report.result(
        {
            "verdict": str(audit.verdict),
            "policy_id": "0x" + root.policy_id.hex(),
            "frame": root.frame,
            "digest": "0x" + contents.signed.digest.hex(),
            "accounts": root.leaf_count,
            "signers": ["0x" + addresses[index].hex() for index in audit.signers],
            "checks": checks,
            "unverified": list(audit.unverified),
        }
    )
    report.line(f"{audit.verdict}: frame {root.frame} of policy 0x{root.policy_id.hex()}, {root.leaf_count} accounts")
    rows = [(check.step, check.file, check.fault or "ok") for check in audit.checks]
    report.table(("step", "file", "result"), rows)
    report.line("What a file alone cannot show:")
    for text in audit.unverified:
        report.line(f"- {text}")
    failed = [f"{check.step}: {check.file}: {check.fault}" for check in audit.checks if check.fault]
    if failed:
        report.fail(ExitCode.VERIFICATION_FAILED, *failed)
    elif audit.verdict == "incomplete":
        wanting = ("missing from the frame", UNSIGNED)
        report.incomplete += [text for text in audit.unverified if any(what in text for what in wanting)]
        report.fail(ExitCode.INCOMPLETE)
