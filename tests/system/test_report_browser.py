"""The report in a real browser, without any name it could resolve: it is drawn whole, on screen and on paper."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path

import pytest

from proofs.bundle import read_bundle
from relayer.audit import audit_bundle
from relayer.report import report_page
from tests.system.test_offline import bundle_of_a_frame

pytestmark = pytest.mark.system

BROWSER = (
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
PDF_BYTES_MIN = 10_000


@pytest.fixture
async def page(tmp_path: Path) -> Path:
    contents = read_bundle((await bundle_of_a_frame(tmp_path)).read_bytes())
    path = tmp_path / "report.html"
    path.write_text(report_page(contents, audit_bundle(contents, {})))
    return path


async def browse(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*BROWSER, f"--user-data-dir={folder / 'profile'}", *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=True, timeout=60, cwd=folder
    )


async def test_report__in_a_browser__is_drawn_whole(page: Path, tmp_path: Path) -> None:
    shown = await browse(tmp_path, "--dump-dom", page.as_uri())

    assert shown.stdout.count("<svg") == 2
    assert "Refused to" not in shown.stderr  # what a content policy says when a page asks for something
    assert len(re.findall(r"<h3>0x[0-9a-f]{64}", shown.stdout)) == 2


async def test_report__on_paper__is_a_document(page: Path, tmp_path: Path) -> None:
    await browse(tmp_path, f"--print-to-pdf={tmp_path / 'report.pdf'}", page.as_uri())

    printed = (tmp_path / "report.pdf").read_bytes()
    assert printed.startswith(b"%PDF-")
    assert len(printed) > PDF_BYTES_MIN
