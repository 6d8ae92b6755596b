"""The examples are valid by our own reading and by the published schema, and mean the same in TOML and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proofs.units import E18
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.result import Verdict
from relayer.margin.view import Purpose
from relayer.portfolio.families import FAMILY_OF
from relayer.portfolio.portfolio import load_portfolio, portfolio_of, schema
from relayer.portfolio.text import read_document
from tests.relayer.portfolio.schema_check import faults

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "docs" / "examples").iterdir())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example__loaded__every_account_has_a_verdict(path: Path) -> None:
    portfolio = load_portfolio(path)

    for account in portfolio.accounts:
        for purpose in Purpose:
            found = evaluate(account, portfolio.market, portfolio.rules, purpose)
            assert found.verdict is not Verdict.UNKNOWN
            assert sum(line.value for line in found.lines) == found.equity
            assert sum(line.requirement for line in found.lines) == found.requirement


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example__against_the_published_schema__is_valid(path: Path) -> None:
    document = json.loads(json.dumps(read_document(path)))

    assert not faults(document, schema())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example__written_as_json_and_read_again__means_the_same(path: Path, tmp_path: Path) -> None:
    portfolio = load_portfolio(path)
    copy = tmp_path / "copy.json"
    copy.write_text(json.dumps(portfolio.document))

    again = load_portfolio(copy)

    assert (again.accounts, again.market, again.rules) == (portfolio.accounts, portfolio.market, portfolio.rules)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example__with_a_key_too_many_anywhere__is_refused_by_both(path: Path) -> None:
    document = read_document(path)
    broken = {**document, "extra": 1}

    assert faults(broken, schema())
    with pytest.raises(Exception, match="extra: unknown key"):
        portfolio_of(broken, "test")


def test_schema__all_rule_sets__are_named_in_it() -> None:
    text = json.dumps(schema())

    assert not [name for name in FAMILY_OF if f'"{name}"' not in text]
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_aave__read_from_the_example__has_the_figures_by_hand() -> None:
    """alice: 10 · 1.0421 WETH at 2215.40 is 23,086.6834; 14,500 · 1.179 USDC at 0.9998 is 17,092.0809."""
    portfolio = load_portfolio(next(path for path in EXAMPLES if path.name == "aave.toml"))

    found = evaluate(portfolio.accounts[0], portfolio.market, portfolio.rules, Purpose.MAINTENANCE)

    assert found.collateral == 23_086_683_400_000_000_000_000
    assert found.debt == 17_092_080_900_000_000_000_000
    assert found.health.health_factor is not None
    assert found.health.health_factor // 10**14 == 23_086_683_400_000 * 83 * E18 // (17_092_080_900_000 * 100) // 10**14
