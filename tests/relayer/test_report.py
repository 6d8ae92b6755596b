"""The report: one page that needs nothing else, says what the audit said, and shows nobody's markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.bundle import BundleContents, Check, Verdict, read_bundle
from proofs.snapshot import Reason, Unavailable
from proofs.types import LegKind, Status, to_hex
from proofs.units import UINT128_MAX
from proofs.verify import verified_snapshot
from relayer import report
from relayer.audit import AuditReport, audit_bundle
from relayer.margin.view import MarginView, Missing
from relayer.report import picture, report_page
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import ALICE, BOB, CHAINS, FRAME, SIGNER, FakeWorld, make_bench

VOID = frozenset({"meta", "rect", "line"})
HOSTILE = "<script>alert(1)</script>\"' onload=x \u202e\x1b[2J </title><img src=https://evil.example/x>"


class Page(HTMLParser):
    """Read a page strictly: every tag is closed, and what it refers to is kept."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
async def audited(world: FakeWorld, file_store: SqliteStore) -> tuple[BundleContents, AuditReport]:
    bench = make_bench(world, file_store)
    await bench.pipeline.start()
    await bench.pipeline.run_frame(FRAME)
    contents = read_bundle(await file_store.bundle(bench.ports.policy.policy_id, FRAME))
    return contents, audit_bundle(contents, {})


def test_page__of_a_frame__needs_nothing_else(audited: tuple[BundleContents, AuditReport]) -> None:
    text = report_page(*audited)

    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "base", "form", "a"} & set(page.tags)
    assert not {"src", "href", "srcset", "action", "data", "xlink:href"} & {name for name, _ in page.attributes}
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert re.findall(r"https?:|//|url\(|@import|javascript:", text) == []
    assert "default-src 'none'" in dict(page.attributes)["content"] or "default-src 'none'" in text


def test_page__of_a_frame__says_what_the_audit_says(audited: tuple[BundleContents, AuditReport]) -> None:
    contents, found = audited

    told = "\n".join(Page(report_page(contents, found)).texts)

    assert "verified" in told
    assert to_hex(contents.signed.digest) in told
    assert to_hex(SIGNER.address) in told
    assert all(line in told for line in found.unverified)
    assert all(check.step in told and check.file in told for check in found.checks)
    assert all(to_hex(account) in told for account in (ALICE, BOB))
    assert "is below maintenance margin" in told  # Bob


def test_page__overview__adds_up_each_status_and_all(audited: tuple[BundleContents, AuditReport]) -> None:
    """Bob owes nothing and must keep 150; Alice: 1000 at 1 % and 60000 at 8.92 % haircut, as the world has them."""
    contents, found = audited
    worse, better = sorted(found.views, key=lambda view: view.account != BOB)
    unknown = replace(better, status=Status.UNKNOWN, liability_usd=UINT128_MAX)

    told = Page(report_page(contents, found)).texts
    untold = Page(report_page(contents, replace(found, views=(worse, unknown)))).texts

    assert _row(told, "liquidatable") == ["1", "$0.00", "$0.00", "$150.00"]
    assert _row(told, "healthy") == ["1", "$55,638.00", "$0.00", "$0.00"]
    assert _row(told, "all") == ["2", "$55,638.00", "$0.00", "$150.00"]
    assert _row(untold, "unknown")[2:] == _row(untold, "all")[2:] == ["not known", "not known"]


def _row(texts: list[str], name: str) -> list[str]:
    at = next(at for at, text in enumerate(texts) if text == name)
    return texts[at + 1 : at + 5]


def test_page__accounts__are_worst_first(audited: tuple[BundleContents, AuditReport]) -> None:
    text = report_page(*audited)

    assert text.index(to_hex(BOB)) < text.index(to_hex(ALICE))
    assert text.count("<svg") == 2


def test_page__more_accounts_than_it_shows__says_how_many_it_left_out(
    audited: tuple[BundleContents, AuditReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "ACCOUNTS_MAX", 1)

    text = report_page(*audited)

    assert text.count("<svg") == 1
    assert "1 accounts that are no worse are left out" in text


def test_th_144_page__foreign_texts__stay_texts(audited: tuple[BundleContents, AuditReport]) -> None:
    contents, found = audited
    lines = tuple(replace(line, label=HOSTILE, symbol=HOSTILE) for line in found.views[0].lines)
    missing = (Missing(HOSTILE, CHAINS["A"], HOSTILE, LegKind.LOCK),)
    gone = Unavailable(CHAINS["C"], Reason.RPC_REFUSED, HOSTILE, (HOSTILE,))
    hostile = replace(
        found,
        checks=(Check(HOSTILE, HOSTILE, HOSTILE),),
        unverified=(HOSTILE, "x" * 5_000),
        views=(replace(found.views[0], lines=lines, missing=missing),),
        snapshot=verified_snapshot(FRAME, (*found.snapshot.chains[:2], gone)),
    )

    text = report_page(replace(contents, tool=HOSTILE), hostile)

    page = Page(text)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert text.isascii() or all(char.isprintable() or char == "\n" for char in text)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "(cut)" in text


def test_page__of_a_bundle_that_fails__says_where(audited: tuple[BundleContents, AuditReport]) -> None:
    contents, _ = audited
    spoilt = replace(contents, policy_text=b"{}")

    found = audit_bundle(spoilt, {})
    told = "\n".join(Page(report_page(spoilt, found)).texts)

    assert found.verdict is Verdict.FAILED
    assert "failed" in told
    assert all(check.fault in told for check in found.checks if check.fault)
    assert told.index("What is wrong") < told.index("Not verified") < told.index("Verified\n")


def test_page__of_bad_signatures__does_not_say_that_nobody_tried(
    audited: tuple[BundleContents, AuditReport],
) -> None:
    contents, found = audited
    none = replace(found, signers=())
    bare = replace(contents, signed=replace(contents.signed, signatures=b""))

    assert "no valid set of signatures" in report_page(contents, none)
    assert "nobody: not signed" in report_page(bare, none)


@pytest.mark.parametrize(
    ("decimal", "shown"),
    [("0.00", "0.00"), ("999", "999"), ("-0.5", "-0.5"), ("-1234.5", "-1,234.5"), ("1000000", "1,000,000")],
)
def test_grouped__decimals__have_their_thousands_apart(decimal: str, shown: str) -> None:
    assert report.grouped(decimal) == shown


def test_page__time_beyond_any_calendar__is_a_number(audited: tuple[BundleContents, AuditReport]) -> None:
    contents, found = audited
    root = replace(contents.signed.root, as_of=2**63)

    text = report_page(replace(contents, signed=replace(contents.signed, root=root)), found)

    assert f"second {2**63}" in text


# --- the picture -----------------------------------------------------------------------------------------------------

USD = st.integers(0, 10**30)


def marks(svg: str) -> dict[str, int]:
    lengths = {name: int(width) for name, width in re.findall(r'rect class="(\w+)".*?width="(\d+)"', svg)}
    places = {name: int(x) for name, x in re.findall(r'line class="(\w+)" x1="(\d+)"', svg)}
    return {**lengths, **places}


@given(USD, USD, USD, USD)
def test_picture__any_figures__keep_their_order_within_the_frame(
    collateral: int, liability: int, maintenance: int, further: int
) -> None:
    view = replace(
        _VIEW,
        collateral_usd=collateral,
        liability_usd=liability,
        maintenance_margin_usd=maintenance,
        initial_margin_usd=maintenance + further,
    )

    drawn = marks(picture(view))

    assert set(drawn) == {"collateral", "liability", "maintenance", "initial"}
    assert all(0 <= place <= report.WIDTH for place in drawn.values())
    assert drawn["liability"] <= drawn["maintenance"] <= drawn["initial"]
    if collateral >= liability + maintenance:
        assert drawn["collateral"] >= drawn["maintenance"]
    else:
        assert drawn["collateral"] <= drawn["maintenance"]


def test_picture__by_hand__has_whole_pixels_of_one_scale() -> None:
    """400 of collateral, 100 owed, 100 and 300 required: the scale ends at 400, 640 pixels."""
    e18 = 10**18
    view = replace(
        _VIEW,
        collateral_usd=400 * e18,
        liability_usd=100 * e18,
        maintenance_margin_usd=100 * e18,
        initial_margin_usd=300 * e18,
    )

    assert marks(picture(view)) == {"collateral": 640, "liability": 160, "maintenance": 320, "initial": 640}
    assert "liability + maintenance margin $200.00" in picture(view)


def test_picture__what_is_owed_unknown__is_said_and_not_drawn() -> None:
    view = replace(
        _VIEW,
        status=Status.UNKNOWN,
        collateral_usd=10**18,
        liability_usd=UINT128_MAX,
        initial_margin_usd=UINT128_MAX,
        maintenance_margin_usd=UINT128_MAX,
    )

    svg = picture(view)

    assert marks(svg) == {"collateral": report.WIDTH, "liability": 0}
    assert "liability not known" in svg


def _any_view() -> MarginView:
    from proofs.attestation import MarginLeaf
    from proofs.types import ZERO_HASH, Assurance, Quality

    leaf = MarginLeaf(ALICE, ZERO_HASH, Status.HEALTHY, Assurance.STATE_PROOF, Quality.NONE, 0, 0, 0, 0, ZERO_HASH)
    return MarginView(ALICE, Status.HEALTHY, Assurance.STATE_PROOF, Quality.NONE, 0, 0, 0, 0, 0, (), (), leaf)  # type: ignore[arg-type]


_VIEW = _any_view()


# --- the file --------------------------------------------------------------------------------------------------------


async def test_report__of_the_same_bundle__has_the_same_bytes(
    audited: tuple[BundleContents, AuditReport], tmp_path: Path
) -> None:
    contents, _ = audited

    assert report_page(contents, audit_bundle(contents, {})) == report_page(contents, audit_bundle(contents, {}))
