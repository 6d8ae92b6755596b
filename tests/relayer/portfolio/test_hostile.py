"""Files that lie, contradict themselves or are made to hurt: refused whole, by the key and with what to write."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayer.cli.margin_figures import evaluations
from relayer.errors import ConfigError, Fault
from relayer.portfolio.portfolio import load_portfolio, portfolio_of
from relayer.portfolio.text import FILE_BYTES_MAX, parse_json, parse_toml, read_document
from tests.relayer.portfolio.build import AAVE, changed, faults_of

LEG = ("accounts", 0, "legs", 0)
EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "docs" / "examples").iterdir())


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("rule_set",), None, "rule_set: missing"),
        (("rule_set",), "aave@9", "rule_set: no rule set 'aave@9'"),
        (("rule_set",), ["aave@3.7"], "rule_set: no rule set"),
        (("as_of",), "2025-03-01", "as_of: not a time"),
        (("as_of",), "2025-13-01T00:00:00Z", "as_of: no such time"),
        (("as_of",), -1, "as_of: a time out of range"),
        (("as_of",), True, "as_of: not a time"),
        (("rules", "reserves", "WETH", "ltv"), 1, "rules.reserves.WETH.ltv: unknown key"),
        (("rules", "reserves", "WETH", "ltv_bps"), None, "rules.reserves.WETH.ltv_bps: missing"),
        (("rules", "reserves", "WETH", "ltv_bps"), "80.5", "rules.reserves.WETH.ltv_bps: not a whole number"),
        (("rules", "name"), "aave@3.0", "rules.name: unknown key"),
        (("prices", "WETH"), "0", "prices.WETH.price: 0 is too small"),
        (("prices", "WETH"), "-1", "prices.WETH.price: -1 is too small"),
        (("prices", "WETH"), ["2", "1"], "prices.WETH: low is above high"),
        (("prices", "WETH"), ["1", "2", "3"], "prices.WETH: a price interval has two ends"),
        (("prices", "WETH"), {"low": "1"}, "prices.WETH: a price is one number, or both low and high"),
        (("prices", "WETH"), {"price": "1", "confidence": "1.1"}, "prices.WETH.confidence: 1.1 is too large"),
        (("prices", "WETH"), "1" * 200, "prices.WETH.price: a number of 200 characters"),
        (("prices", "WETH"), "1e3", "prices.WETH.price: not a plain decimal string"),
        (("prices", "WETH"), "0x10", "prices.WETH.price: not a plain decimal string"),
        (("prices", "WETH"), "٣", "prices.WETH.price: not a plain decimal string"),
        (("prices", "a\nb"), "1", "prices.a\\nb.[key]: not a name"),
        (("assets", "USDC", "decimals"), 78, "assets.USDC.decimals: input should be less than or equal to 77"),
        (("indices", "WETH", "supply"), "1." + "0" * 27 + "1", "indices.WETH: more than 27 fraction digits"),
        (("indices", "WETH", "supply"), "0", "indices.WETH: an index is above 0"),
        (("indices", "USDC", "borrow"), "-1", "indices.USDC: an index is above 0"),
        ((*LEG, "amount"), None, "accounts[0].legs[0]: say how much, once"),
        ((*LEG, "amount_raw"), 1, "accounts[0].legs[0]: say how much, once"),
        ((*LEG, "amount"), "-1", "accounts[0].legs[0]: a collateral below zero"),
        ((*LEG, "amount"), "0." + "0" * 18 + "1", "accounts[0].legs[0].amount: more than 18 fraction digits"),
        ((*LEG, "role"), "owner", "accounts[0].legs[0].role: input should be 'collateral'"),
        ((*LEG, "role"), "option", "accounts[0].legs[0].option: missing"),
        ((*LEG, "role"), "future", "accounts[0].legs[0].expiry: missing"),
        ((*LEG, "expiry"), 1, "accounts[0].legs[0]: `expiry` is that of a future"),
        ((*LEG, "chain"), "mainnet", "accounts[0].legs[0].chain: not a chain: 'mainnet'; write eip155:1"),
        ((*LEG, "name"), "usdc", "accounts[0].legs[1].name: the name 'usdc' is taken"),
        ((*LEG, "venue"), "\x1b[2J", "accounts[0].legs[0].venue: control characters"),
        (("accounts", 0, "name"), "", "accounts[0].name: not a name"),
        (("buffer_ppm",), 999_999, "buffer_ppm: input should be greater than or equal to 1000000"),
        (
            ("expiries",),
            [{"asset": "E", "expiry": 1, "forward": "1"}] * 2,
            "expiries[1]: this expiry of the asset stands",
        ),
    ],
)
def test_document__with_one_thing_wrong__names_its_key_and_the_rule(
    path: tuple[str | int, ...], value: object, fault: str
) -> None:
    assert not faults_of(AAVE)

    found = faults_of(changed(AAVE, path, value))

    assert [one for one in found if one.startswith(fault)], found


def test_document__two_accounts_of_one_name__is_refused() -> None:
    twins = {**AAVE, "accounts": AAVE["accounts"] * 2}

    assert faults_of(twins) == ["accounts[1].name: the name 'alice' is taken; name accounts differently"]


def test_document__thousands_of_faults__tells_fifty() -> None:
    legs = [{"role": "collateral", "asset": "WETH", "amount": "x"}] * 200

    assert len(faults_of(changed(AAVE, ("accounts", 0, "legs"), legs))) == 50


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("accounts",), [{"name": str(n)} for n in range(5_001)]),
        (("accounts", 0, "legs"), [{"role": "debt", "asset": "A", "amount": "1"}] * 257),
        (("prices",), {str(n): "1" for n in range(2_001)}),
    ],
)
def test_document__longer_than_its_bounds__is_refused(path: tuple[str | int, ...], value: object) -> None:
    assert "should have at most" in faults_of(changed(AAVE, path, value))[0]


# --- text ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"a": 1.5}', 'a: the float 1.5 is refused; write a decimal string: "1.5"'),
        ('{"a": [NaN]}', "a[0]: the float NaN is refused"),
        ('{"a": -Infinity}', "a: the float -Infinity is refused"),
        ('{"a": 1, "a": 2}', "not JSON: the key 'a' stands twice in one object"),
        ('{"a": 9007199254740992}', "a: the integer is beyond 2^53 - 1; write it as a string"),
        ('{"a": null}', "a: null is refused"),
        ('{"a": ' + "1" * 5000 + "}", "not JSON: "),
        ("[" * 100_000, "nested deeper than 64"),
        ('{"a": ' + "[" * 30 + "]" * 30 + "}", "nested too deeply; at most 16 levels"),
        ("[]", "not a JSON object"),
        ("", "not JSON: "),
    ],
)
def test_json__hostile_text__is_refused(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_json(text, "file.json")

    assert fault in str(caught.value.faults[0])


def test_th_047_json__deep_text_under_a_raised_recursion_limit__is_refused_and_the_process_lives() -> None:
    program = (
        "import sys; sys.setrecursionlimit(100_000)\n"
        "from relayer.errors import ConfigError\n"
        "from relayer.portfolio.text import parse_json\n"
        "try: parse_json('[' * 1_000_000, 'file.json')\n"
        "except ConfigError as error: print(error)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "nested deeper than 64" in done.stdout


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a = 1.5", 'a: the float 1.5 is refused; write a decimal string: "1.5"'),
        ("a = inf", "a: the float inf is refused"),
        ("a = 2025-03-01", "a: a date without offset is refused"),
        ("a = 2025-03-01T00:00:00", "a: a date without offset is refused"),
        ("a = 07:32:00", "a: a date without offset is refused"),
        ("a = 1\na = 2", "not TOML: "),
        ("a = " + "1" * 5000, "not TOML: "),
        ("a = " + "[" * 5_000 + "]" * 5_000, "nested too deeply"),
        (".".join("a" * 20) + " = 1", "nested too deeply; at most 16 levels"),
        (".".join("a" * 1_000_000) + " = 1", "a key of more than 32 parts"),
        ("[" + " . ".join(['"a b"'] * 40) + "]", "a key of more than 32 parts"),
    ],
)
def test_toml__hostile_text__is_refused(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_toml(text, "file.toml")

    assert fault in str(caught.value.faults[0])


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.toml", b"\xff\xfe", "not UTF-8 at byte 0"),
        ("a.toml", b"#" * (FILE_BYTES_MAX + 1), "more than 4194304 bytes"),
        ("a.yaml", b"", "neither .toml nor .json"),
    ],
)
def test_file__that_is_no_document__is_refused(tmp_path: Path, name: str, content: bytes, fault: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=fault):
        read_document(path)


def test_file__missing_or_a_folder__is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_document(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_document(tmp_path)


def test_file__pipe_that_nobody_writes__is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    os.mkfifo(path)

    with pytest.raises(ConfigError, match="not a regular file"):
        read_document(path)


@pytest.mark.parametrize(
    ("file", "path", "value"),
    [
        ("cross_chain_haircut.toml", ("rules", "reserve_ppm"), -900_000),
        ("cross_chain_haircut.toml", ("rules", "reserve_usd"), "-1000000"),
        ("cross_chain_haircut.toml", ("rules", "maintenance_ppm"), -1),
        ("cross_chain_haircut.toml", ("rules", "assets", "ETH", "sigma_ppm"), -1),
        ("cross_chain_haircut.toml", ("rules", "chains", "eip155:1", "finality_s"), -1),
        ("cross_chain_haircut.toml", ("rules", "encumbrance_ppm"), {"escrowed": 2_000_000}),
        ("span.toml", ("rules", "initial_factor"), "-1"),
        ("span.toml", ("rules", "haircuts"), {"USD": "-5"}),
        ("options.toml", ("rules", "parameters", "perp_maintenance"), "-1"),
        ("options.toml", ("rules", "parameters", "option", "mm_call_spot"), "-1"),
        ("aave.toml", ("rules", "reserves", "WETH", "bonus_bps"), -10_500),
    ],
)
def test_th_013_parameters__that_turn_a_cost_into_a_gain__are_refused_by_name(
    file: str, path: tuple[str, ...], value: object
) -> None:
    (example,) = (one for one in EXAMPLES if one.name == file)

    assert faults_of(changed(read_document(example), path, value))[0].startswith("rules")


# --- anything --------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(value=JSON)
def test_json__anything_without_a_rule_set__is_a_fault(value: Any) -> None:
    with pytest.raises(ConfigError):
        portfolio_of(parse_json(json.dumps(value), "file.json"), "file.json")


VALUES: tuple[object, ...] = (
    "0",
    "-1",
    "1" + "0" * 70,
    "0." + "0" * 17 + "1",
    0,
    -1,
    2**53 - 1,
    True,
    "",
    "x",
    [],
    {},
    ["2", "1"],
    "ETH",
    "debt",
)


def weighed(document: dict[str, Any]) -> tuple[Fault, ...]:
    """Weigh every account of a document; return the faults that refused it."""
    try:
        portfolio = portfolio_of(document, "file")
        for account in portfolio.accounts:
            evaluations(portfolio, account)
    except ConfigError as error:
        return error.faults
    return ()


def places(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in ((*at, key), *places(item, (*at, key)))]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples__with_any_value_exchanged__are_weighed_or_refused_by_name(path: Path) -> None:
    document, draw = read_document(path), random.Random(4)
    known = places(document)

    broken = [changed(document, draw.choice(known), draw.choice((None, *VALUES))) for _ in range(120)]

    assert all(fault.key for one in broken for fault in weighed(one))


def test_file__of_parameters_alone__has_no_accounts(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(changed(AAVE, ("accounts",), None)))

    assert load_portfolio(path).accounts == ()
