"""Discovery on a real node: what it finds in the zoo, and how far a lying node gets."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence

import pytest
from typer.testing import CliRunner

from chains.devnet import faults
from chains.devnet.faults import RpcError, Rule
from chains.devnet.proxy import FaultProxy
from chains.devnet.rpc import Json
from chains.discovery_asking import Finder, Finding
from chains.rpc import RpcClient
from proofs.errors import ProofError
from proofs.layouts import SolidityMapping
from proofs.pins import EIP1967_SLOT
from proofs.types import Address, to_hex
from relayer.cli.audit import provider_of
from relayer.cli.layouts import _find
from relayer.cli.main import app
from relayer.config.policy_storage import StorageTable, layout_of
from tests.node.layouts.zoo import AMOUNTS, CHAIN, HOLDERS, Zoo, client

pytestmark = pytest.mark.node

NOISE = b"\x5a" * 32


async def find(finder: Finder, token: Address, holders: Sequence[Address] = HOLDERS) -> Finding:
    return await finder.find(token, holders, await finder.newest(), NOISE)


def confirmed(finding: Finding) -> list[tuple[str, dict[str, str | int]]]:
    return [(one.hypothesis.kind, dict(one.hypothesis.params)) for one in finding.verdicts if one.is_confirmed]


@pytest.mark.parametrize(
    ("name", "kind", "params"),
    [
        ("FirstVersion", "solidity_mapping", {"base": 1}),
        ("proxy", "solidity_mapping", {"base": 1}),
        ("PackedToken", "usdc_packed", {"base": 9}),
        ("ReversedToken", "vyper_mapping", {"base": 3}),
        ("NamespacedToken", "erc7201_mapping", {"namespace": "openzeppelin.storage.ERC20"}),
        ("DecoyToken", "solidity_mapping", {"base": 1}),
    ],
)
async def test_th_044_find__in_the_zoo__the_one_layout_there_is(
    zoo: Zoo, finder: Finder, name: str, kind: str, params: dict[str, str | int]
) -> None:
    finding = await find(finder, zoo.tokens[name])

    assert confirmed(finding) == [(kind, params)]
    assert [balance for _, balance in finding.balances] == list(AMOUNTS)


async def test_find__a_proxy__pins_slot_and_implementation(zoo: Zoo, finder: Finder) -> None:
    code = (await find(finder, zoo.tokens["proxy"])).code

    assert (code.slot, code.implementation) == (EIP1967_SLOT, zoo.tokens["implementation"])
    assert code.implementation_code == (await find(finder, zoo.tokens["FirstVersion"])).code.token


async def test_find__a_scaled_balance__with_its_pool_and_rounding(zoo: Zoo, finder: Finder) -> None:
    zoo.node.rpc("evm_increaseTime", [86_399])
    zoo.node.rpc("evm_mine")
    finding = await find(finder, zoo.tokens["ScaledSupplyToken"])
    best = finding.verdicts[0]

    assert best.is_confirmed
    assert best.hypothesis.params["pool"] == to_hex(zoo.tokens["ScaledPool"])
    assert (best.hypothesis.params["bits"], best.hypothesis.params["rounding"]) == (120, "down")
    assert [address for address, _ in best.rates] == [zoo.tokens["ScaledPool"]]


@pytest.mark.parametrize("name", ["ShareToken", "ScaledDebtToken"])
async def test_find__balance_that_no_field_explains__nothing_confirmed_and_said_so(
    zoo: Zoo, finder: Finder, name: str
) -> None:
    finding = await find(finder, zoo.tokens[name])

    assert confirmed(finding) == []
    assert finding.notes or all(not verdict.is_confirmed for verdict in finding.verdicts)


async def test_find__one_holder_or_equal_balances__not_confirmed(zoo: Zoo, finder: Finder) -> None:
    """One agreement may be chance: any slot that holds the same number would pass."""
    (verdict,) = (await find(finder, zoo.tokens["FirstVersion"], HOLDERS[:1])).verdicts
    assert (verdict.agreeing, verdict.asked, verdict.is_confirmed) == (1, 1, False)

    nobody = await find(finder, zoo.tokens["FirstVersion"], (Address(b"\x77" * 20),))
    assert nobody.verdicts == ()
    assert "no holder has a balance; name some with --holder" in nobody.notes


async def test_find__node_without_access_lists__tries_every_known_place(zoo: Zoo) -> None:
    refuse = faults.only("eth_createAccessList", faults.always(RpcError(-32601, "method not found")))
    async with FaultProxy(zoo.node.url) as proxy:
        proxy.rules = [refuse]
        asked = client(proxy.url)
        finding = await find(Finder(CHAIN, asked), zoo.tokens["PackedToken"])
        await asked.close()

    assert confirmed(finding) == [("usdc_packed", {"base": 9})]
    assert any("no access list" in note for note in finding.notes)


# --- lying nodes -----------------------------------------------------------------------------------------------------


def hide_slots(_method: str, _params: list[Json], result: Json | RpcError) -> Json | RpcError:
    """Make an access list without keys."""
    assert isinstance(result, dict)
    entries = result["accessList"]
    assert isinstance(entries, list)
    return {**result, "accessList": [{**entry, "storageKeys": []} for entry in entries if isinstance(entry, dict)]}


def follow_the_decoy(method: str, params: list[Json], result: Json | RpcError) -> Json | RpcError:
    """Pretend that balanceOf returns the word at slot 0's mapping when that is replaced, and no other."""
    if method != "eth_call" or len(params) < 3:
        return result
    (override,) = params[2].values()  # type: ignore[union-attr]  # a state override has one address here
    ((slot, word),) = override["stateDiff"].items()
    decoy = int(slot, 16) == SolidityMapping(0).slots(HOLDERS[0])[0]
    return word if decoy else "0x" + AMOUNTS[0].to_bytes(32, "big").hex()


async def through(zoo: Zoo, token: str, *rules: Rule) -> Finding:
    async with FaultProxy(zoo.node.url) as proxy:
        proxy.rules = list(rules)
        asked = client(proxy.url, "liar")
        try:
            return await find(Finder(CHAIN, asked), zoo.tokens[token])
        finally:
            await asked.close()


async def test_th_044_lying_node__hides_the_slots__nothing_is_found(zoo: Zoo) -> None:
    finding = await through(zoo, "FirstVersion", faults.only("eth_createAccessList", hide_slots))

    assert (finding.places, finding.verdicts) == ((), ())


async def test_th_044_lying_node__bends_a_proof__is_caught(zoo: Zoo) -> None:
    for rule in (faults.flip_account_node(), faults.flip_storage_node()):
        with pytest.raises(ProofError):
            await through(zoo, "FirstVersion", rule)


async def test_th_044_lying_node__lies_about_a_slots_value__is_caught(zoo: Zoo) -> None:

    with pytest.raises(ProofError):
        await through(zoo, "FirstVersion", faults.lie_about_slot(0, 7))


async def test_th_044_lying_node__lies_about_a_balance__not_confirmed(zoo: Zoo) -> None:
    finding = await through(zoo, "FirstVersion", faults.lie_about(AMOUNTS[1], AMOUNTS[1] + 1))

    assert confirmed(finding) == []
    assert finding.verdicts[0].agreeing == 2


async def test_th_044_lying_node__consistent_about_a_decoy__believed_alone_and_refuted_by_a_second_node(
    zoo: Zoo,
) -> None:
    """The decoy's words equal the balances: only what a call does with another word tells them apart."""
    token = zoo.tokens["DecoyToken"]
    async with FaultProxy(zoo.node.url) as proxy:
        proxy.rules = [follow_the_decoy]
        liar, honest = (provider_of(at, f"{CHAIN}={url}") for at, url in enumerate((proxy.url, zoo.node.url)))
        alone = await _find(CHAIN, [liar], token, HOLDERS)
        both = await _find(CHAIN, [liar, honest], token, HOLDERS)
        turned = await _find(CHAIN, [honest, liar], token, HOLDERS)

    assert confirmed(alone.finding) == [("solidity_mapping", {"base": 0})]  # what we say about one node is this
    assert both.disputes
    assert turned.disputes


# --- the command -----------------------------------------------------------------------------------------------------


def run(*arguments: str) -> tuple[int, dict[str, Json]]:
    outcome = CliRunner().invoke(app, ["layouts", *arguments, "--json"])
    return outcome.exit_code, json.loads(outcome.stdout)


def arguments(zoo: Zoo, token: str) -> list[str]:
    holders = [text for holder in HOLDERS for text in ("--holder", to_hex(holder))]
    return ["find", to_hex(zoo.tokens[token]), "--rpc-url", f"{CHAIN}={zoo.node.url}", *holders]


def test_find_command__confirmed__prints_what_a_policy_accepts_and_on_whose_word(zoo: Zoo) -> None:
    code, answer = run(*arguments(zoo, "proxy"))

    assert (code, answer["schema"], answer["errors"]) == (0, "layouts.find@1", [])
    data = answer["data"]
    assert isinstance(data, dict)
    (layout,) = data["layouts"]  # type: ignore[misc]  # a list of one
    assert layout["confirmed"] is True  # type: ignore[index,call-overload]  # an object
    (source,) = tomllib.loads(str(layout["toml"]))["source"]  # type: ignore[index,call-overload]
    assert layout_of(StorageTable.model_validate(source["storage"])) == SolidityMapping(1)
    assert source["implementation"] == to_hex(zoo.tokens["implementation"])
    assert any("ONE node" in str(text) for text in data["checked"])  # type: ignore[union-attr]  # a list


def test_find_command__nothing_confirmed__ends_incomplete_without_toml(zoo: Zoo) -> None:
    code, answer = run(*arguments(zoo, "ScaledDebtToken"))

    assert code == 5
    assert answer["incomplete"]
    assert isinstance(answer["data"], dict)
    assert all(layout["toml"] is None for layout in answer["data"]["layouts"])  # type: ignore[union-attr,index,call-overload]


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        (["find", "0x12", "--rpc-url", f"{CHAIN}=http://127.0.0.1:9"], 2),
        (["find", "0x" + "11" * 20, "--rpc-url", "nonsense"], 2),
        (["find", "0x" + "11" * 20, "--rpc-url", f"{CHAIN}=http://127.0.0.1:9", "--rpc-url", "eip155:1=http://a.b"], 2),
        (["find", "0x" + "11" * 20, "--rpc-url", f"{CHAIN}=http://127.0.0.1:9"], 5),
    ],
)
def test_find_command__bad_arguments_or_no_node__exit_code_says_so(rest: list[str], code: int) -> None:
    assert run(*rest)[0] == code


def test_find_command__no_contract_there__ends_incomplete(zoo: Zoo) -> None:
    rest = ["find", "0x" + "99" * 20, "--rpc-url", f"{CHAIN}={zoo.node.url}", "--holder", to_hex(HOLDERS[0])]

    code, answer = run(*rest)

    assert code == 5
    assert any("balanceOf" in str(text) for text in answer["incomplete"])  # type: ignore[union-attr]  # a list


async def test_holders__from_recent_transfers__none_where_there_are_no_events(zoo: Zoo, honest: RpcClient) -> None:
    finder = Finder(CHAIN, honest)

    assert await finder.holders(zoo.tokens["FirstVersion"], await finder.newest()) == ()
