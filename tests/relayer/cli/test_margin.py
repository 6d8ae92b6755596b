"""`relayer margin` as an analyst meets it: what it prints, what it refuses, how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from proofs.units import E18, parse_decimal
from relayer.cli.main import app
from relayer.cli.margin_text import about, grouped
from relayer.margin.models.table import RULE_SETS
from relayer.portfolio.portfolio import load_portfolio
from tests.relayer.cli.test_main import HEAVY, loaded_by
from tests.relayer.portfolio.build import AAVE, changed

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
AAVE_FILE = EXAMPLES / "aave.toml"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["margin", *(str(argument) for argument in arguments)])


def data_of(result: Result) -> Any:
    loaded = json.loads(result.stdout)
    assert set(loaded) == {"schema", "data", "incomplete", "errors"}
    return loaded["data"]


def written(tmp_path: Path, document: dict[str, Any]) -> Path:
    path = tmp_path / "file.json"
    path.write_text(json.dumps(document))
    return path


def excess(side: dict[str, Any]) -> int:
    return parse_decimal(side["excess"], 18)


# --- help ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [("margin", "--help"), ("margin", "explain", "--help"), ("margin", "rules", "--help")]
)
def test_help__of_the_group__imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    code, modules = loaded_by(*arguments)

    assert code == 0
    assert not modules & (set(HEAVY) - {"pydantic"})


def test_explain__a_file__needs_no_network_code() -> None:
    _, modules = loaded_by("margin", "explain", str(AAVE_FILE), "--json")

    assert not modules & {"web3", "aiohttp", "eth_account", "numpy", "chains", "sqlite_utils"}


@pytest.mark.parametrize(
    "arguments", [("explain", "--help"), ("whatif", "--help"), ("compare", "--help"), ("schema", "--help")]
)
def test_verbs__all__take_json(arguments: tuple[str, ...]) -> None:
    assert "--json" in run(*arguments).output


# --- explain ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_explain__each_example__has_lines_that_add_up_exactly(path: Path) -> None:
    result = run("explain", path, "--no-search", "--json")

    assert result.exit_code == 0
    for account in data_of(result)["accounts"]:
        for found in account["evaluations"].values():
            for key in ("equity", "requirement"):
                assert sum(parse_decimal(line[key], 18) for line in found["lines"]) == parse_decimal(found[key], 18)


def test_explain__one_account__is_the_only_one() -> None:
    data = data_of(run("explain", AAVE_FILE, "--account", "looper", "--json"))

    assert [account["account"] for account in data["accounts"]] == ["looper"]


def test_explain__json__has_prices_what_may_leave_and_cures() -> None:
    """alice owes 17,092.0809 against ether at 83 %: it breaks even at 17,092.0809 : (10.421 · 0.83) = 1,976.09..."""
    alice, looper, late = data_of(run("explain", AAVE_FILE, "--json"))["accounts"]

    below = alice["liquidation_prices"][0]["below"]
    assert below["price"].startswith("1976.09")
    assert below["is_exact"] is True
    assert alice["withdrawable"][0]["leg"] == "weth"
    assert not alice["cures"]
    assert [cure["way"] for cure in looper["cures"]] == ["repay", "deposit"]
    assert [fact["is_open"] for fact in late["liquidations"]] == [True]


def test_explain__an_option_book__delta_is_what_a_small_shock_moves() -> None:
    book = EXAMPLES / "options.toml"
    (account,) = data_of(run("explain", book, "--no-search", "--json"))["accounts"]
    delta = [float(end) for end in account["greeks"]["ETH"]["delta"]]

    (moved,) = data_of(run("whatif", book, "--shock", "ETH=0.01%", "--json"))["accounts"]

    maintenance = moved["purposes"]["maintenance"]
    change = float(maintenance["after"]["equity"]) - float(maintenance["before"]["equity"])
    assert delta[0] <= delta[1]
    assert change / (2_215.4 * 0.0001) == pytest.approx(delta[0], rel=0.005)


def test_explain__no_options__has_no_greeks() -> None:
    assert {account["greeks"] for account in data_of(run("explain", AAVE_FILE, "--json"))["accounts"]} == {None}


def test_explain__an_unknown_verdict__ends_with_5_and_the_reason(tmp_path: Path) -> None:
    path = written(tmp_path, changed(AAVE, ("prices", "USDC"), None))

    result = run("explain", path)

    assert result.exit_code == 5
    assert "== alice: unknown" in result.stdout
    assert "not weighed: usdc: no price of USDC (the verdict is unknown)" in result.stdout
    assert "incomplete: the verdict of alice is unknown" in result.stderr


def test_explain__collateral_without_a_price__counts_zero_and_says_so(tmp_path: Path) -> None:
    document = changed(changed(AAVE, ("prices", "WETH"), None), ("accounts", 0, "legs", 1, "amount"), "0")

    result = run("explain", written(tmp_path, document))

    assert result.exit_code == 0
    assert "not weighed: weth: no price of WETH (counts zero)" in result.stdout


def test_explain__groups__are_explained_apart(tmp_path: Path) -> None:
    legs = [
        {"name": "weth", "role": "collateral", "asset": "WETH", "amount": "10"},
        {"name": "usdc", "role": "debt", "asset": "USDC", "amount": "100", "group": "isolated"},
    ]

    accounts = data_of(run("explain", written(tmp_path, changed(AAVE, ("accounts", 0, "legs"), legs)), "--json"))[
        "accounts"
    ]

    assert [(one["account"], one["verdict"]) for one in accounts] == [
        ("alice [rest]", "healthy"),
        ("alice [isolated]", "unhealthy"),
    ]


def test_explain__many_accounts__are_listed_worst_first(tmp_path: Path) -> None:
    def account(number: int) -> dict[str, Any]:
        weth = {"role": "collateral", "asset": "WETH", "amount": "1"}
        return {"name": f"n{number}", "legs": [weth, {"role": "debt", "asset": "USDC", "amount": str(150 * number)}]}

    path = written(tmp_path, changed(AAVE, ("accounts",), [account(number) for number in range(21)]))

    result = run("explain", path)

    rows = [line.split() for line in result.stdout.splitlines() if line.strip().startswith("n")]
    assert [row[0] for row in rows] == [f"n{number}" for number in reversed(range(21))]
    assert rows[0][-1] == "unhealthy"
    assert rows[-1][-1] == "healthy"
    assert len(data_of(run("explain", path, "--json"))["accounts"]) == 21


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("explain", AAVE_FILE, "--account", "bob"), "no account 'bob'"),
        (("explain", AAVE_FILE, "--purpose", "all"), "no purpose 'all'; write one of initial, maintenance"),
        (("explain", "none.toml"), "none.toml: no such file; examples are in docs/examples"),
        (("compare", AAVE_FILE, EXAMPLES / "span.toml"), "aave@3.7 and span@1 weigh different things"),
        (("rules", "show", "aave"), "no rule set 'aave'; write one of aave@3.7"),
    ],
)
def test_verbs__asked_wrongly__say_what_to_write(arguments: tuple[object, ...], error: str) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    assert error in result.stderr


def test_explain__contradicting_parameters__are_refused_by_name(tmp_path: Path) -> None:
    document = load_portfolio(EXAMPLES / "cross_chain_haircut.toml").document
    path = written(tmp_path, changed(document, ("rules", "assets", "ETH", "maintenance_ppm"), 2_000_000))

    result = run("explain", path)

    assert result.exit_code == 2
    assert "rules: haircut outside" in result.stderr


def test_explain__venue_that_disagrees__shows_the_difference(tmp_path: Path) -> None:
    getter = {"call": "getUserAccountData", "debt": "126", "is_healthy": False}

    result = run("explain", written(tmp_path, changed(AAVE, ("accounts", 0, "venue_getter"), getter)))

    rows = [line.split() for line in result.stdout.splitlines() if line.strip().startswith(("debt", "healthy "))]
    assert rows[0][0] == "debt"
    assert [parse_decimal(cell, 18) for cell in rows[0][1:]] == [125 * 10**18, 126 * 10**18, -(10**18)]
    assert rows[1] == ["healthy", "yes", "no", "THE", "VERDICT"]


def test_explain__a_liquidation__takes_the_bonus_of_what_it_repays() -> None:
    """Half of 7,400 USDC is repaid at 0.9998; 105 % of that is 3,884.22 of ether at 2,215.40, 1.75328 of it."""
    late = data_of(run("explain", AAVE_FILE, "--account", "late", "--json"))["accounts"][0]

    fact = late["liquidations"][0]
    assert fact["bonus"] == "1.05"
    assert fact["repaid"].startswith("3700.0000")
    assert fact["seized"].startswith("1.75328")


# --- whatif ----------------------------------------------------------------------------------------------------------


def test_whatif__nothing_asked__is_refused() -> None:
    assert "nothing to change" in run("whatif", AAVE_FILE).stderr


def test_whatif__an_act_without_saying_whose__is_refused() -> None:
    result = run("whatif", AAVE_FILE, "--deposit", "weth=1")

    assert result.exit_code == 2
    assert "whose act is it?; write --account with one of alice, looper" in result.stderr


def test_whatif__a_deposit_as_people_count__adds_its_value_at_the_threshold(tmp_path: Path) -> None:
    """One WETH at 2,000 and 82.5 % adds 1,650 of excess; the index of 1.5 changes nothing of that."""
    path = written(tmp_path, AAVE)

    data = data_of(run("whatif", path, "--deposit", "weth=1.5", "--json"))

    sides = data["accounts"][0]["purposes"]["maintenance"]
    assert excess(sides["after"]) - excess(sides["before"]) == 2475 * 10**18


@pytest.mark.parametrize(
    ("options", "change"),
    [
        (("--deposit", "WETH=3"), 4950),
        (("--withdraw", "weth=3"), -4950),
        (("--repay", "usdc=50"), 50),
        (("--borrow", "USDC=50"), -50),
        (("--price", "WETH=2100"), 1237.5),
        (("--price", "WETH=1900..2100"), -1237.5),
        (("--shock", "WETH=-10%"), -2475),
        (("--shock", "all=+10%"), 2475 - 12.5),
        (("--shock", "USDC=2.5%"), -3.125),
        (("--set", "rules.reserves.WETH.threshold_bps=8150"), -300),
        (("--set", "accounts.alice.legs.usdc.amount=104"), -5),
        (("--set", "accounts[0].legs[1].amount=104"), -5),
        (("--set", 'prices."WETH"=["1900","2000"]'), -1237.5),
        (("--repay", "usdc=50", "--shock", "USDC=100%"), -25),
    ],
)
def test_whatif__each_change__moves_excess_as_by_hand(tmp_path: Path, options: tuple[str, ...], change: float) -> None:
    """30,000 of WETH at 82.5 % against 125 USDC owed; figures in 8 decimals of the venue."""
    data = data_of(run("whatif", written(tmp_path, AAVE), *options, "--json"))

    sides = data["accounts"][0]["purposes"]["maintenance"]
    assert excess(sides["after"]) - excess(sides["before"]) == int(change * 1000) * 10**15


def test_whatif__a_deposit_of_another_asset__adds_a_leg(tmp_path: Path) -> None:
    document = changed(AAVE, ("rules", "reserves", "USDC"), {"ltv_bps": 7500, "threshold_bps": 8000})

    data = data_of(run("whatif", written(tmp_path, document), "--deposit", "USDC=100", "--json"))

    sides = data["accounts"][0]["purposes"]["maintenance"]
    assert excess(sides["after"]) - excess(sides["before"]) == 80 * 10**18


def test_whatif__a_shock_that_ends_health__names_who_flips(tmp_path: Path) -> None:
    path = written(tmp_path, changed(AAVE, ("accounts", 0, "legs", 1, "amount"), "19000"))

    result = run("whatif", path, "--shock", "WETH=-15%")

    assert "healthy -> unhealthy" in result.stdout
    assert "Verdicts that change: alice (maintenance)." in result.stdout
    assert data_of(run("whatif", path, "--shock", "WETH=-15%", "--json"))["flips"] == ["alice"]


def test_whatif__a_trade__pays_at_its_price() -> None:
    """Closing 18 short at 3,003, the high end it is marked at, ends the requirement of 54,054 · 6.5 % and no more."""
    data = data_of(run("whatif", EXAMPLES / "perps.toml", "--trade", "short arbitrum=18@3003", "--json"))

    sides = data["accounts"][0]["purposes"]["maintenance"]
    assert excess(sides["after"]) - excess(sides["before"]) == 3_513_510 * 10**15


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--deposit", "weth"), "not KEY=VALUE; write --deposit weth=2.5"),
        (("--deposit", "weth=-1"), "above 0"),
        (("--deposit", "DAI=1"), "alice has no leg 'DAI', and the file no such asset"),
        (("--withdraw", "weth=1000"), "cannot withdraw"),
        (("--withdraw", "usdc=1"), "alice has no leg to withdraw 'usdc'; write one of weth, usdc"),
        (("--repay", "usdc=0.0000001"), "more than 6 fraction digits"),
        (("--shock", "WETH=-15"), "not a percentage"),
        (("--shock", "WETH=-100%"), "a price cannot fall to zero"),
        (("--shock", "DAI=-1%"), "DAI: the market has no price of it"),
        (("--price", "WETH=0"), "0 < low <= high"),
        (("--price", "WETH=3..2"), "0 < low <= high"),
        (("--trade", "eth=1@2"), "alice has no position 'eth'"),
        (("--set", "rules.reserves.DAI.ltv_bps=1"), "the file has no 'DAI' there; it has WETH"),
        (("--set", "rules.reserves.WETH.ltv=1"), "rules.reserves.WETH.ltv: unknown key"),
        (("--set", "prices.WETH=abc"), "prices.WETH.price: not a plain decimal string"),
        (("--set", "prices.WETH=1.5e3"), "prices.WETH.price: not a plain decimal string"),
        (("--set", "accounts[7].name=x"), "the list has no 7"),
        (("--set", "accounts.bob.name=x"), "the list has no 'bob'"),
        (("--set", "accounts.alice.name=x"), "the changed file has no account alice"),
        (("--set", "[=1"), "not a key"),
        (("--set", "prices.WETH=" + "[" * 5_000), "prices.WETH.price: a number of 5000 characters"),
        (("--set", "as_of.x=1"), "nothing stands below as_of"),
    ],
)
def test_whatif__a_change_that_cannot_be__is_refused_with_its_text(
    tmp_path: Path, options: tuple[str, ...], error: str
) -> None:
    result = run("whatif", written(tmp_path, AAVE), *options)

    assert result.exit_code == 2, result.output
    assert error in result.stderr


# --- compare, rules, schema ------------------------------------------------------------------------------------------


def test_compare__two_parameter_sets__lists_what_differs_and_who_flips() -> None:
    data = data_of(run("compare", AAVE_FILE, EXAMPLES / "aave_stricter.toml", "--json"))

    assert data["flips"] == ["looper"]
    assert {one["key"] for one in data["parameters"]} == {
        "rules.reserves.WETH.ltv_bps",
        "rules.reserves.WETH.threshold_bps",
        "rules.reserves.wstETH.modes.1.ltv_bps",
        "rules.reserves.wstETH.modes.1.threshold_bps",
    }


def test_compare__revisions_of_one_pool__is_allowed(tmp_path: Path) -> None:
    other = written(tmp_path, changed(AAVE, ("rule_set",), "aave@3.0"))
    (tmp_path / "own.json").write_text(json.dumps(AAVE))

    data = data_of(run("compare", tmp_path / "own.json", other, "--json"))

    assert data["parameters"] == [{"key": "rule_set", "before": "aave@3.7", "after": "aave@3.0"}]


def test_rules_list__all__have_a_row_of_their_own() -> None:
    listed = data_of(run("rules", "list", "--json"))

    assert [one["name"] for one in listed] == list(RULE_SETS)
    assert run("rules", "list").exit_code == 0


@pytest.mark.parametrize("name", RULE_SETS)
def test_rules_show__each__says_formula_rounding_equality_and_source(name: str) -> None:
    result = run("rules", "show", name)

    assert result.exit_code == 0
    assert all(word in result.stdout for word in ("formula", "rounding", "at equality", "source", "when this grows"))
    shown = data_of(run("rules", "show", name, "--json"))
    assert all(shown[key] for key in ("formula", "rounding", "equality", "source", "monotone"))


def test_schema__by_verb_and_by_option__is_one_json_schema() -> None:
    by_verb, by_option = run("schema"), run("--schema")

    assert json.loads(by_verb.stdout) == json.loads(by_option.stdout)
    assert data_of(run("schema", "--json")) == json.loads(by_verb.stdout)


# --- figures for people ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "decimals", "down", "up"),
    [
        (1_234_567_891, 6, "1,234.56", "1,234.57"),
        (-1_234_567_891, 6, "-1,234.57", "-1,234.56"),
        (1, 18, "0.00", "0.01"),
        (-1, 18, "-0.01", "0.00"),
        (10**27, 18, "1,000,000,000.00", "1,000,000,000.00"),
        (5, 0, "5", "5"),
    ],
)
def test_money__cut_to_cents__goes_the_way_it_was_told(value: int, decimals: int, down: str, up: str) -> None:
    assert (grouped(value, decimals, 2), grouped(value, decimals, 2, up=True)) == (down, up)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (10 * E18, "10"),
        (10 * E18 - 1, "10"),
        (-3 * E18 - E18 // 2, "-3.5"),
        (1_234_567 * 10**14, "123.4567"),
        (1, "0.000000000000000001"),
        (0, "0"),
    ],
)
def test_amount__that_explains__is_the_nearest_and_never_nothing(value: int, shown: str) -> None:
    assert about(value, 18) == shown
