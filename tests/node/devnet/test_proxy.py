"""The fault proxy: faithful without rules, and each fault is what a client would meet."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from chains.devnet import faults
from chains.devnet.nodes import AnvilNode, start_anvil
from chains.devnet.proxy import FOREIGN_ID, FaultProxy
from chains.devnet.rpc import Json

pytestmark = pytest.mark.node

RICH = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
OTHER = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
PLAIN = "0x00000000000000000000000000000000000000aa"
KEY = "0x" + "00" * 32


@pytest.fixture(scope="module")
def node() -> Iterator[AnvilNode]:
    with start_anvil(31337001) as started:
        yield started


@pytest.fixture
async def proxy(node: AnvilNode) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(node.url) as started:
        yield started


def call(method: str, *params: Json, number: int = 1) -> dict[str, Json]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": [*params]}


async def raw(url: str, body: object, timeout_s: float = 5) -> tuple[int, bytes]:
    patience = aiohttp.ClientTimeout(total=timeout_s)
    async with (
        aiohttp.ClientSession(timeout=patience) as session,
        session.post(url, json=body, allow_redirects=False) as response,
    ):
        return response.status, await response.read()


async def ask(url: str, body: object) -> Json:
    status, content = await raw(url, body)
    assert status == 200
    answer: Json = json.loads(content)
    return answer


async def result(proxy: FaultProxy, method: str, *params: Json) -> Json:
    answer = await ask(proxy.url, call(method, *params))
    assert isinstance(answer, dict)
    return answer["result"]


def batch() -> list[dict[str, Json]]:
    return [call("eth_chainId", number=7), call("eth_getBalance", RICH, "0x0", number=9), call("net_version", number=8)]


async def test_proxy__no_rules__single_batch_and_refusal_pass_as_the_node_gives_them(
    node: AnvilNode, proxy: FaultProxy
) -> None:
    bodies = [call("eth_chainId"), batch(), call("no_such_method"), call("eth_call", {"to": "0x12"}, "latest")]

    for body in bodies:
        assert await ask(proxy.url, body) == await ask(node.url, body)


async def test_counts__requests_calls_and_bytes__are_those_of_the_client(proxy: FaultProxy) -> None:
    body = batch()

    _, content = await raw(proxy.url, body)
    await raw(proxy.url, call("eth_chainId"))

    assert proxy.counts.requests == 2
    assert proxy.counts.calls == {"eth_chainId": 2, "eth_getBalance": 1, "net_version": 1}
    assert proxy.counts.bytes_up == len(json.dumps(body)) + len(json.dumps(call("eth_chainId")))
    assert proxy.counts.bytes_down > len(content)
    proxy.counts.reset()
    assert (proxy.counts.requests, proxy.counts.calls, proxy.counts.bytes_down) == (0, {}, 0)


async def test_wrong_chain_id__asked__tells_the_other_number_and_nothing_else_changes(proxy: FaultProxy) -> None:
    proxy.rules.append(faults.wrong_chain_id(1))

    assert await result(proxy, "eth_chainId") == "0x1"
    assert await result(proxy, "net_version") == "31337001"


async def test_lie_about__amount_in_words_of_both_widths__only_whole_words_change() -> None:
    packed = (5).to_bytes(16, "big") + (6).to_bytes(16, "big")
    abi = (5).to_bytes(32, "big")
    shifted = b"\0" * 8 + (5).to_bytes(16, "big") + b"\0" * 8

    lie = faults.lie_about(5, 9)
    told = [lie("eth_call", [], "0x" + data.hex()) for data in (packed, abi, shifted)]

    assert told[0] == "0x" + ((9).to_bytes(16, "big") + (6).to_bytes(16, "big")).hex()
    assert told[1] == "0x" + (9).to_bytes(32, "big").hex()
    assert told[2] == "0x" + shifted.hex()
    assert lie("eth_getBalance", [], "0x5") == "0x5"


async def test_answer_proof_of__another_account__comes_under_the_asked_name(node: AnvilNode, proxy: FaultProxy) -> None:
    proxy.rules += faults.answer_proof_of(bytes.fromhex(OTHER[2:]))

    told = await result(proxy, "eth_getProof", PLAIN, [KEY], "0x0")

    true = node.rpc("eth_getProof", [OTHER, [KEY], "0x0"])
    assert isinstance(told, dict)
    assert isinstance(true, dict)
    assert told["address"] == PLAIN
    assert told["accountProof"] == true["accountProof"]


async def test_answer_at__other_block__node_answers_from_there(node: AnvilNode, proxy: FaultProxy) -> None:
    node.rpc("eth_sendTransaction", [{"from": RICH, "to": PLAIN, "value": "0x7"}])
    node.rpc("evm_mine")
    balance_of_plain = {"data": "0x73" + PLAIN[2:] + "31" + "5f52" + "60205ff3"}  # PUSH20 BALANCE, returned as a word

    before = await result(proxy, "eth_call", balance_of_plain, "latest")
    proxy.rules.append(faults.answer_at("0x0"))
    after = await result(proxy, "eth_call", balance_of_plain, "latest")

    assert (int(str(before), 16), int(str(after), 16)) == (7, 0)


def flipped_bits(one: str, two: str) -> int:
    return (int(one, 16) ^ int(two, 16)).bit_count()


async def test_flip_account_node__last_node__differs_in_one_bit(node: AnvilNode, proxy: FaultProxy) -> None:
    proxy.rules.append(faults.flip_account_node())
    true = node.rpc("eth_getProof", [RICH, [], "0x0"])

    told = await result(proxy, "eth_getProof", RICH, [], "0x0")

    assert isinstance(true, dict)
    assert isinstance(told, dict)
    *above, last = [flipped_bits(a, b) for a, b in zip(told["accountProof"], true["accountProof"], strict=True)]
    assert not any(above)
    assert last == 1


async def test_slot_lies__value_and_node__change_that_slot_alone(node: AnvilNode, proxy: FaultProxy) -> None:
    created = node.rpc("eth_sendTransaction", [{"from": RICH, "data": "0x60055f5560066001555f5ff3"}])  # two slots
    node.rpc("evm_mine")
    receipt = node.rpc("eth_getTransactionReceipt", [created])
    assert isinstance(receipt, dict)
    keys: list[Json] = ["0x" + f"{slot:064x}" for slot in (0, 1)]
    true = node.rpc("eth_getProof", [receipt["contractAddress"], keys, "latest"])
    assert isinstance(true, dict)
    first, second = true["storageProof"]
    assert (first["value"], second["value"]) == ("0x5", "0x6")

    proxy.rules[:] = [faults.lie_about_slot(1, 7)]
    lied = await result(proxy, "eth_getProof", receipt["contractAddress"], keys, "latest")
    proxy.rules[:] = [faults.flip_storage_node(slot=0)]
    flipped = await result(proxy, "eth_getProof", receipt["contractAddress"], keys, "latest")

    assert isinstance(lied, dict)
    assert isinstance(flipped, dict)
    assert lied["storageProof"] == [first, second | {"value": "0x7"}]
    assert flipped["storageProof"][1] == second
    assert flipped["storageProof"][0]["value"] == "0x5"
    assert flipped_bits(flipped["storageProof"][0]["proof"][-1], first["proof"][-1]) == 1


async def test_change_field_and_flip_byte__block_and_answer__change_what_was_named(
    node: AnvilNode, proxy: FaultProxy
) -> None:
    true = node.rpc("eth_getBlockByNumber", ["0x0", False])
    proxy.rules += [
        faults.change_field("eth_getBlockByNumber", "stateRoot", KEY),
        faults.flip_byte("web3_sha3", -1),
    ]

    block = await result(proxy, "eth_getBlockByNumber", "0x0", False)
    digest = await result(proxy, "web3_sha3", "0x")

    assert isinstance(true, dict)
    assert block == true | {"stateRoot": KEY}
    assert str(digest).endswith("a471")  # keccak-256 of nothing ends in a470


async def test_rpc_error__one_method_of_a_batch__the_others_are_answered(proxy: FaultProxy) -> None:
    proxy.rules.append(faults.only("net_version", faults.always(faults.RpcError(-32005, "limit exceeded"))))

    answers = await ask(proxy.url, batch())

    assert isinstance(answers, list)
    assert [sorted(answer) for answer in answers] == [["id", "jsonrpc", "result"]] * 2 + [["error", "id", "jsonrpc"]]
    assert answers[2]["error"] == {"code": -32005, "message": "limit exceeded"}


async def test_times_and_after__counted__then_the_truth_again(proxy: FaultProxy) -> None:
    proxy.rules.append(faults.after(1, faults.times(2, faults.wrong_chain_id(1))))

    told = [await result(proxy, "eth_chainId") for _ in range(4)]

    assert told == ["0x1de2a29", "0x1", "0x1", "0x1de2a29"]


async def test_http_status__429_with_hint__status_and_header_arrive(proxy: FaultProxy) -> None:
    proxy.rules.append(faults.always(faults.HttpStatus(429, retry_after_s=3)))

    async with aiohttp.ClientSession() as session, session.post(proxy.url, json=call("eth_chainId")) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "3")


async def test_redirect__any_call__points_elsewhere(proxy: FaultProxy) -> None:
    proxy.rules.append(faults.always(faults.Redirect("http://127.0.0.1:1/")))

    status, _ = await raw(proxy.url, call("eth_chainId"))

    assert status == 302


async def test_stall__shorter_than_patience__answers_late_and_truly(proxy: FaultProxy) -> None:
    proxy.rules.append(faults.always(faults.Stall(0.2)))
    loop = asyncio.get_running_loop()
    begun = loop.time()

    told = await result(proxy, "eth_chainId")

    assert told == "0x1de2a29"
    assert loop.time() - begun >= 0.2


async def test_stall__longer_than_patience__client_gives_up_and_the_proxy_still_closes_at_once(node: AnvilNode) -> None:
    loop = asyncio.get_running_loop()
    async with FaultProxy(node.url) as proxy:
        proxy.rules.append(faults.always(faults.Stall(60)))
        with pytest.raises(TimeoutError):
            await raw(proxy.url, call("eth_chainId"), timeout_s=0.2)
        begun = loop.time()

    assert loop.time() - begun < 5


@pytest.mark.parametrize("fault", [faults.Truncate(10), faults.Disconnect()])
async def test_broken_connection__cut_within_or_before_the_body__client_errors_out(
    proxy: FaultProxy, fault: faults.Fault
) -> None:
    proxy.rules.append(faults.always(fault))

    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await raw(proxy.url, call("eth_chainId"))


async def test_body__not_json__is_sent_as_given(proxy: FaultProxy) -> None:
    proxy.rules.append(faults.always(faults.Body(b"{")))

    assert await raw(proxy.url, call("eth_chainId")) == (200, b"{")


async def test_oversize__client_reads_on__gets_all_of_it_and_may_stop_early(proxy: FaultProxy) -> None:
    proxy.rules.append(faults.always(faults.Oversize(2**20)))

    _, content = await raw(proxy.url, call("eth_chainId"))
    async with aiohttp.ClientSession() as session, session.post(proxy.url, json=call("eth_chainId")) as response:
        start = await response.content.readexactly(40)
    proxy.rules.clear()

    assert len(content) == 2**20
    assert start.startswith(b'[{"jsonrpc":"2.0"')
    assert await result(proxy, "eth_chainId") == "0x1de2a29"


@pytest.mark.parametrize(
    ("fault", "ids"),
    [
        (faults.IdsReversed(), [8, 9, 7]),
        (faults.IdsSwapped(), [9, 7, 8]),
        (faults.IdsDuplicated(), [7, 9, 7]),
        (faults.IdsMissing(), [7, 9]),
        (faults.IdsForeign(), [FOREIGN_ID, 9, 8]),
    ],
)
async def test_ids_of_a_batch__disordered__arrive_so(
    proxy: FaultProxy, fault: faults.BatchFault, ids: list[int]
) -> None:
    proxy.rules.append(faults.only("eth_getBalance", faults.always(fault)))

    answers = await ask(proxy.url, batch())

    assert isinstance(answers, list)
    assert [answer["id"] for answer in answers] == ids


async def test_ids_swapped__two_calls__each_question_gets_the_others_answer(proxy: FaultProxy) -> None:
    proxy.rules.append(faults.always(faults.IdsSwapped()))

    answers = await ask(proxy.url, batch())

    assert isinstance(answers, list)
    assert {answer["id"]: answer["result"] for answer in answers}[9] == "0x1de2a29"


async def test_refuse__until_accept__connections_fail_and_then_the_same_port_serves(proxy: FaultProxy) -> None:
    url = proxy.url
    await proxy.refuse()
    with pytest.raises(aiohttp.ClientConnectorError):
        await raw(url, call("eth_chainId"))

    await proxy.accept()

    assert proxy.url == url
    assert await result(proxy, "eth_chainId") == "0x1de2a29"


async def test_upstream_gone__any_call__client_is_disconnected() -> None:
    with start_anvil(31337002) as node:
        async with FaultProxy(node.url) as proxy:
            node.stop()

            with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
                await raw(proxy.url, call("eth_chainId"))
