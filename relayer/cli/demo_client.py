"""The demo as a user of the running relayer: its HTTP API and its command line, nothing inside it.

Money comes as exact decimal strings; evidence comes ready for the contract call.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeVar

from proofs.attestation import MarginLeaf, MarginRoot
from proofs.types import AccountId, Assurance, Quality, Status, parse_bytes, parse_hash

Document = dict[str, object]
_T = TypeVar("_T")

REQUEST_TIMEOUT_S: Final = 5.0
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
POLL_S: Final = 0.2
STOP_TIMEOUT_S: Final = 20.0


class DemoFailed(Exception):
    """Say which step of the demo did not happen, and where to look."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hold what the API gives for one account: all that the contract call needs."""

    root: MarginRoot
    signatures: bytes
    leaf: MarginLeaf
    proof: tuple[bytes, ...]

    def arguments(self) -> tuple[MarginRoot, bytes, MarginLeaf, tuple[bytes, ...]]:
        """Return the four parts in the order of the Solidity struct."""
        return (self.root, self.signatures, self.leaf, self.proof)


class Service:
    """Run `relayer run` as a process of its own and speak to its API."""

    def __init__(self, config: Path, address: str, log: Path) -> None:
        self.address = address
        self.log = log
        self._file: IO[bytes] = log.open("wb")
        command = [sys.executable, "-m", "relayer", "run", "--config", str(config)]
        self._process = subprocess.Popen(command, stdout=self._file, stderr=self._file)  # noqa: S603  # our own program

    def stop(self) -> None:
        """Ask the service to end, and wait; kill it when it does not."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._file.close()

    def get_bytes(self, path: str) -> bytes | None:
        """Return an answer's body, None while the service has none (not started, no frame yet)."""
        connection = http.client.HTTPConnection(self.address, timeout=REQUEST_TIMEOUT_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return body if answer.status == http.client.OK else None

    def get(self, path: str) -> Document | None:
        """Return an answer's JSON, None while there is none."""
        body = self.get_bytes(path)
        return None if body is None else json.loads(body)

    def wait(self, what: str, seconds: float, look: Callable[[], _T | None]) -> _T:
        """Poll until `look` finds something.

        Raises: DemoFailed when it does not in time, or when the service ended.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = look()
            if found is not None:
                return found
            if self._process.poll() is not None:
                raise DemoFailed(
                    f"the relayer ended with {self._process.returncode} while waiting for {what}; see {self.log}"
                )
            time.sleep(POLL_S)
        raise DemoFailed(f"{what} did not happen within {seconds:g} s; see {self.log}")

    def signed_frame(self, at_least: int) -> Document | None:
        """Return the newest frame when it is signed and at or above a frame number."""
        frame = self.get("/v1/frames/latest")
        if frame is None or not frame.get("signed") or int(str(frame["frame"])) < at_least:
            return None
        return frame

    def evidence(self, account: AccountId, at_least: int = 0) -> Evidence | None:
        """Return an account's newest attestation at or above a frame number."""
        document = self.get(f"/v1/accounts/0x{account.hex()}/attestation")
        if document is None:
            return None
        evidence = _evidence_of(document)
        return evidence if evidence.root.frame >= at_least else None

    def flag(self, account: AccountId) -> Document | None:
        """Return an account's flag, None when it has none."""
        page = self.get("/v1/flags?limit=1000") or {}
        flags = page.get("flags")
        assert isinstance(flags, list)
        return next((flag for flag in flags if flag["account"] == f"0x{account.hex()}"), None)


def verify_offline(bundle: Path) -> tuple[int, Document]:
    """Run `relayer verify` on a bundle and return its exit code and its data."""
    command = [sys.executable, "-m", "relayer", "verify", str(bundle), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own program
    try:
        parsed: Document = json.loads(done.stdout)
    except ValueError as error:
        raise DemoFailed(f"relayer verify said nothing readable: {done.stderr.strip()[:500]}") from error
    return done.returncode, parsed


def _evidence_of(document: Document) -> Evidence:
    root, leaf, proof = document["root"], document["leaf"], document["proof"]
    assert isinstance(root, dict)
    assert isinstance(leaf, dict)
    assert isinstance(proof, list)
    return Evidence(
        root=MarginRoot(
            policy_id=parse_hash(root["policy_id"]),
            frame=int(root["frame"]),
            as_of=int(root["as_of"]),
            valid_until=int(root["valid_until"]),
            skew=int(root["skew"]),
            signer_epoch=int(root["signer_epoch"]),
            leaf_count=int(root["leaf_count"]),
            snapshot_root=parse_hash(root["snapshot_root"]),
            accounts_root=parse_hash(root["accounts_root"]),
        ),
        signatures=parse_bytes(str(document["signatures"])),
        leaf=MarginLeaf(
            account_id=AccountId(parse_hash(leaf["account_id"])),
            venue_id=parse_hash(leaf["venue_id"]),
            status=Status(leaf["status"]),
            assurance=Assurance(leaf["assurance"]),
            quality=Quality(leaf["quality"]),
            collateral_usd=int(leaf["collateral_usd"]),
            liability_usd=int(leaf["liability_usd"]),
            initial_margin_usd=int(leaf["initial_margin_usd"]),
            maintenance_margin_usd=int(leaf["maintenance_margin_usd"]),
            legs_root=parse_hash(leaf["legs_root"]),
        ),
        proof=tuple(parse_hash(word) for word in proof),
    )
