"""`relayer verify`: check an evidence bundle offline, rule set included; says what it could not verify.

Exit codes: 0 verified, 4 something is wrong, 5 nothing is wrong but a chain of the policy is missing or nobody signed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from relayer.cli.output import ExitCode, Json, JsonOption, Report, reporting

if TYPE_CHECKING:
    from proofs.bundle import BundleContents
    from proofs.types import ChainId, Hash32
    from relayer.audit import AuditReport

BUNDLE_BYTES_MAX: Final = 256 * 2**20
"""What the format allows; a larger file is not even read."""

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
    bundle: BundlePath, anchor: Anchors = None, report_file: ReportFile = None, as_json: JsonOption = False
) -> None:
    """Check an evidence bundle offline."""
    from proofs.errors import ProofError
    from relayer.audit import audit_bundle

    with reporting("verify@1", as_json) as report:
        known = _anchors(anchor or [])
        try:
            contents = read_contents(bundle)
        except ProofError as error:
            report.result(
                {"verdict": "failed", "checks": [{"step": "archive", "file": bundle.name, "fault": str(error)}]}
            )
            report.fail(ExitCode.VERIFICATION_FAILED, str(error))
            return
        audited = audit_bundle(contents, known)
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

    if path.is_dir():
        files = {file.relative_to(path).as_posix(): file for file in sorted(path.rglob("*")) if file.is_file()}
        if sum(file.stat().st_size for file in files.values()) > BUNDLE_BYTES_MAX:
            raise _unreadable(path, f"more than {BUNDLE_BYTES_MAX} bytes")
        return contents_from_files(check_sums({name: file.read_bytes() for name, file in files.items()}))
    return read_bundle(_archive(path))


def _archive(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(BUNDLE_BYTES_MAX + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from error
    if len(raw) > BUNDLE_BYTES_MAX:
        raise _unreadable(path, f"more than {BUNDLE_BYTES_MAX} bytes")
    return raw


def _unreadable(path: Path, problem: str) -> Exception:
    from relayer.errors import ConfigError, Fault

    return ConfigError("argument BUNDLE", Fault("", f"{path}: {problem}", "name a bundle file or directory"))


def _anchors(texts: list[str]) -> dict[ChainId, Hash32]:
    from proofs.types import parse_chain_id, parse_hash
    from relayer.errors import ConfigError, Fault

    known = {}
    for text in texts:
        chain, _, block = text.partition("=")
        try:
            known[parse_chain_id(chain)] = parse_hash(block)
        except ValueError as error:
            fault = Fault("", str(error), "for example eip155:1=0x<64 digits>")
            raise ConfigError("option --anchor", fault) from None
    return known


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
