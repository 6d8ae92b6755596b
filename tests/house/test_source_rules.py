"""Rules about the source itself that no linter knows: sizes, fences, tasks, state, and what may not be written."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("proofs", "chains", "relayer")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FENCE = re.compile(r"#\s*fence: a (pass|request)\b")
FENCES_MAX = 2
TASK_CALLS = frozenset({"gather", "create_task", "ensure_future"})
REGISTRY_HOSTS = (
    "pypi" + ".org",
    "files.python" + "hosted.org",
    "registry.npm" + "js.org",
    "ghcr" + ".io",
    "docker" + ".io",
    "quay" + ".io",
    "deb." + "debian.org",
    "crates" + ".io",
    "index.crates" + ".io",
)
PRIVATE_PATHS = ("/wo" + "rk/", "/fa" + "rm/", "../sha" + "red", ".libr" + "ary/")


def committed() -> list[Path]:
    """Return the files git tracks; an unpacked archive without git is read as a tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def sources() -> list[Path]:
    return [
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "node_modules" not in path.parts
    ]


def test_files_and_functions__any__within_the_sizes() -> None:
    too_long = []

    for path in sources():
        text = path.read_text()
        if text.count("\n") > FILE_LINES_MAX:
            too_long.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    too_long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines")

    assert not too_long, too_long


def test_broad_except__any__stands_in_a_marked_fence_only() -> None:
    fences, unmarked = [], []

    for path in sources():
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines, 1):
            if re.search(r"except\s+(Exception|BaseException)\b|except\s*:", line):
                (fences if FENCE.search(line) else unmarked).append(f"{path.relative_to(ROOT)}:{number}")

    assert not unmarked, unmarked
    assert len(fences) <= FENCES_MAX, fences


def test_tasks__any__belong_to_a_task_group() -> None:
    loose = []

    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TASK_CALLS:
                owner = node.func.value
                if isinstance(owner, ast.Name) and owner.id == "asyncio":
                    loose.append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert not loose, loose


def test_module_state__any__is_immutable() -> None:
    mutable = []

    for path in sources():
        for node in ast.parse(path.read_text()).body:
            value = getattr(node, "value", None) if isinstance(node, ast.Assign | ast.AnnAssign) else None
            if isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if not (isinstance(target, ast.Name) and target.id == "__all__"):
                    mutable.append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert not mutable, mutable


def test_tests__any__use_fakes_and_never_skip() -> None:
    found = []
    banned = re.compile(r"unittest\.mock|MagicMock|AsyncMock|mark\.(skip|skipif|xfail)\b|pytest\.skip\(")

    for path in sorted((ROOT / "tests").rglob("*.py")):
        if path == Path(__file__).resolve():
            continue
        found += [
            f"{path.relative_to(ROOT)}:{n}"
            for n, line in enumerate(path.read_text().splitlines(), 1)
            if banned.search(line)
        ]

    assert not found, found


@pytest.mark.parametrize("package", PACKAGES)
def test_marks_of_unfinished_work__any__are_absent(package: str) -> None:
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")

    found = [str(path) for path in sorted((ROOT / package).rglob("*.py")) if marks.search(path.read_text())]

    assert not found, found


def test_committed_files__any__name_no_registry_and_no_private_path() -> None:
    found = []

    for path in committed():
        if path.suffix in {".png", ".gz", ".zst"} or path == Path(__file__).resolve():
            continue
        text = path.read_text(errors="replace")
        found += [f"{path.relative_to(ROOT)}: {word}" for word in (*REGISTRY_HOSTS, *PRIVATE_PATHS) if word in text]

    assert not found, found


def test_th_147_locks__any__carry_hashes_and_no_addresses() -> None:
    requirements = (ROOT / "requirements.lock").read_text()
    names = re.findall(r"^([a-z0-9._-]+)==", requirements, re.MULTILINE)

    assert names
    assert "://" not in requirements
    assert all(
        re.search(rf"^{re.escape(name)}==[^\n]*\\\n\s+--hash=sha256:", requirements, re.MULTILINE) for name in names
    )
    for lock in (ROOT / "chains/devnet/package-lock.json", ROOT / "proofs/contracts/package-lock.json"):
        text = lock.read_text()
        assert '"resolved"' not in text
        assert '"integrity"' in text
