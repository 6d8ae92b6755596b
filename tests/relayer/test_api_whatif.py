"""POST /v1/whatif over a frame that was really run: answers, strictness, bounds, and that it changes nothing."""

from __future__ import annotations

import asyncio
import threading

import orjson
import pytest

from proofs.types import AccountId, to_hex
from relayer.api import handlers
from relayer.api.problems import STATUS, Code
from relayer.api.whatif import BODY_BYTES_MAX, CHANGES_MAX, Asked
from relayer.book import Book
from tests.relayer.api_site import Site
from tests.relayer.fake_world import ALICE, BOB, CAROL, CHAINS, FRAME

PATH = "/v1/whatif"
LATER = FRAME + 6
DEPOSIT = {"kind": "deposit", "chain": CHAINS["A"], "symbol": "USDX", "amount": "250.5"}


def asked(*changes: object, account: AccountId = ALICE, **more: object) -> dict[str, object]:
    return {"account": to_hex(account), "changes": list(changes), **more}


# --- answers ---------------------------------------------------------------------------------------------------------


async def test_nothing__changed__is_the_account_as_it_is_served(served: Site) -> None:
    _, shown, _ = await served.get(f"/v1/accounts/{to_hex(ALICE)}/explanation")

    status, body, answer = await served.post(PATH, asked())

    assert (status, body["schema"], body["frame"], body["flips"]) == (200, "whatif@1", FRAME, None)
    assert body["before"] == body["after"] == {name: shown[name] for name in body["before"]}
    assert answer.headers["Cache-Control"] == "no-cache"


async def test_th_126_answer__when_it_happens__is_what_the_next_frame_serves(served: Site) -> None:
    changes = (
        DEPOSIT,
        {"kind": "price", "symbol": "BTC", "shift_ppm": 50_000},
        {"kind": "price", "symbol": "ETH", "usd": "2500"},
        {"kind": "trade", "market": "ETH", "size": "1", "price": "2000"},
        {"kind": "trade", "market": "BTC", "size": "-0.5"},
        {"kind": "withdraw", "chain": CHAINS["B"], "symbol": "BTC", "amount": "0.25"},
    )
    status, body, _ = await served.post(PATH, asked(*changes))
    world = served.world
    world.lock("A", "USDX", ALICE, 1_250_500_000)
    world.lock("B", "BTC", ALICE, 75_000_000)
    world.price("BTC", 63_000, FRAME + 3)
    world.price("ETH", 2_500, FRAME + 3)
    world.position(ALICE, "ETH-PERP", 2 * 10**18, 2_500)
    world.position(ALICE, "BTC-PERP", -(10**18) // 2, 63_000)
    world.mine_to(LATER + 3)
    served.clock.time_s = served.bench.clock.time_s = LATER + 3.0

    await served.bench.pipeline.run_frame(LATER)
    _, shown, _ = await served.get(f"/v1/accounts/{to_hex(ALICE)}/explanation")

    assert (status, shown["frame"]) == (200, LATER)
    assert _without_blocks(body["after"]) == _without_blocks({name: shown[name] for name in body["after"]})


async def test_flips__asked_for__name_who_would_have_another_status(served: Site) -> None:
    """Bob is long 1 ETH from 3,000 with nothing else: at 3,300 his gain covers the 165 that he must keep."""
    status, body, _ = await served.post(PATH, asked({"kind": "price", "symbol": "ETH", "usd": "3300"}, flips=True))

    assert status == 200
    assert body["flips"] == {
        "is_complete": True,
        "screened": 2,
        "candidates": 0,
        "looked_at": 0,
        "count": 1,
        "accounts": [{"account": to_hex(BOB), "before": "liquidatable", "after": "healthy"}],
    }


async def test_parameters__of_haircut_and_margin__move_the_figures(served: Site) -> None:
    """ETH-PERP of 3,000 at 20 % instead of 5 %: 600 must be kept."""
    changes = (
        {"kind": "margin", "market": "ETH", "initial_ppm": 250_000, "maintenance_ppm": 200_000},
        {"kind": "haircut", "symbol": "BTC", "maintenance_ppm": 1_000_000, "initial_ppm": 1_000_000},
    )

    _, body, _ = await served.post(PATH, asked(*changes))

    assert (body["before"]["maintenance_margin_usd"], body["after"]["maintenance_margin_usd"]) == ("150.00", "600.00")
    assert body["after"]["collateral_usd"] == "990.00"  # the dollars alone, less 1 %


async def test_names__column_and_market_id__are_understood(served: Site) -> None:
    rules = served.board.policy.rules
    changes = (
        {"kind": "deposit", "column": rules.collateral[0].column, "amount": "1"},
        {"kind": "trade", "market": to_hex(rules.positions[1].market), "size": "0.1"},
        {"kind": "trade", "market": rules.positions[0].column, "size": "0.1"},
    )

    status, _, _ = await served.post(PATH, asked(*changes))

    assert status == 200


async def test_whatif__asked__changes_nothing_and_asks_no_chain(served: Site) -> None:
    paths = ("/v1/accounts", f"/v1/accounts/{to_hex(ALICE)}/explanation", "/v1/flags", "/v1/frames/latest")
    before = [(await served.get(path))[1] for path in paths]
    chains = {name: list(chain.asked) for name, chain in served.world.chains.items()}
    changes = (DEPOSIT, {"kind": "price", "symbol": "ETH", "shift_ppm": -900_000})

    await served.post(PATH, asked(*changes, flips=True))

    assert [(await served.get(path))[1] for path in paths] == before
    assert {name: list(chain.asked) for name, chain in served.world.chains.items()} == chains


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"null",
        b'{"account": NaN, "changes": []}',
        b"[" * 20_000,
        {"changes": []},
        {"account": to_hex(ALICE)},
        asked(account=ALICE) | {"flips": 1},
        asked(account=ALICE) | {"unknown": 1},
        asked(*[DEPOSIT] * (CHANGES_MAX + 1)),
        asked({"kind": "burn"}),
        asked({}),
        asked(DEPOSIT | {"amount": 1}),
        asked(DEPOSIT | {"amount": "-1"}),
        asked(DEPOSIT | {"amount": "1e3"}),
        asked(DEPOSIT | {"amount": "1" * 39}),
        asked(DEPOSIT | {"amount": " 1"}),
        asked(DEPOSIT | {"column": "x"}),
        asked({"kind": "deposit", "amount": "1", "symbol": "USDX"}),
        asked({"kind": "deposit", "amount": "1"}),
        asked({"kind": "trade", "market": "ETH", "size": 1}),
        asked({"kind": "trade", "market": "ETH", "size": "+1"}),
        asked({"kind": "trade", "market": "ETH", "size": "1", "price": "-1"}),
        asked({"kind": "price", "symbol": "ETH"}),
        asked({"kind": "price", "symbol": "ETH", "usd": "1", "shift_ppm": 1}),
        asked({"kind": "price", "symbol": "ETH", "shift_ppm": -1_000_000}),
        asked({"kind": "price", "symbol": "ETH", "shift_ppm": 100_000_001}),
        asked({"kind": "price", "symbol": "ETH", "shift_ppm": 1.5}),
        asked({"kind": "price", "symbol": "ETH", "shift_ppm": True}),
        asked({"kind": "haircut", "symbol": "ETH", "maintenance_ppm": -1, "initial_ppm": 1}),
        asked({"kind": "margin", "market": "ETH", "maintenance_ppm": 1, "initial_ppm": 1_000_001}),
    ],
)
async def test_th_116_body__of_another_shape__is_400_and_names_the_key(served: Site, body: object) -> None:
    status, told, answer = await served.post(PATH, body)

    assert (status, told["code"]) == (400, Code.MALFORMED_BODY)
    assert answer.content_type == "application/problem+json"
    assert served.noticed.bugs == []


@pytest.mark.parametrize(
    "change",
    [
        DEPOSIT | {"symbol": "DOGE"},
        DEPOSIT | {"chain": "eip155:1"},
        DEPOSIT | {"amount": "0"},
        DEPOSIT | {"amount": "0.0000001"},
        DEPOSIT | {"kind": "withdraw", "amount": "1000.000001"},
        {"kind": "deposit", "column": "nothing", "amount": "1"},
        {"kind": "trade", "market": "DOGE", "size": "1"},
        {"kind": "trade", "market": "ETH", "size": "0"},
        {"kind": "trade", "market": "ETH", "size": "0.0000000000000000001"},
        {"kind": "trade", "market": "ETH", "size": "1", "price": "0"},
        {"kind": "price", "symbol": "DOGE", "usd": "1"},
        {"kind": "price", "symbol": "ETH", "usd": "0"},
        {"kind": "haircut", "symbol": "DOGE", "maintenance_ppm": 1, "initial_ppm": 1},
        {"kind": "haircut", "symbol": "ETH", "maintenance_ppm": 2, "initial_ppm": 1},
        {"kind": "margin", "market": "DOGE", "maintenance_ppm": 1, "initial_ppm": 1},
        {"kind": "margin", "market": "ETH", "maintenance_ppm": 2, "initial_ppm": 1},
    ],
)
async def test_change__that_cannot_happen__is_422_and_says_which_rule(served: Site, change: object) -> None:
    status, told, _ = await served.post(PATH, asked(change, flips=True))

    assert (status, told["code"]) == (STATUS[Code.CHANGE_REFUSED], Code.CHANGE_REFUSED)
    assert told["detail"]


async def test_withdrawal__of_all_there_is__is_answered_and_one_unit_more_refused(served: Site) -> None:
    taken = DEPOSIT | {"kind": "withdraw", "amount": "1000"}
    more = DEPOSIT | {"kind": "withdraw", "amount": "1000.000001"}

    answers = [(await served.post(PATH, asked(change)))[0] for change in (taken, more)]

    assert answers == [200, 422]


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (to_hex(CAROL), Code.UNKNOWN_ACCOUNT),
        ("0x12", Code.MALFORMED_ACCOUNT),
        (f"{CHAINS['B']}:{to_hex(ALICE[12:])}", Code.WRONG_CHAIN),
    ],
)
async def test_account__that_the_frame_does_not_have__is_refused(served: Site, account: str, code: Code) -> None:
    status, told, _ = await served.post(PATH, {"account": account, "changes": []})

    assert (status, told["code"]) == (STATUS[code], code)


async def test_th_120_before_the_first_frame__is_503_with_a_retry_time(site: Site) -> None:
    status, told, answer = await site.post(PATH, asked())

    assert (status, told["code"], answer.headers["Retry-After"]) == (503, Code.NO_FRAME, "2")


async def test_th_119_stale_evidence__is_refused_and_not_judged(served: Site) -> None:
    served.clock.time_s = FRAME - 1 + 300 + 1.0

    status, told, _ = await served.post(PATH, asked())

    assert (status, told["code"]) == (503, Code.EXPIRED)


async def test_method__get__is_refused(served: Site) -> None:
    status, told, _ = await served.get(PATH)

    assert (status, told["code"]) == (405, Code.METHOD)


# --- bounds ----------------------------------------------------------------------------------------------------------


async def test_th_116_body__one_byte_too_long__is_413(served: Site) -> None:
    fits = orjson.dumps(asked()).ljust(BODY_BYTES_MAX)

    answers = [await served.post(PATH, body) for body in (fits, fits + b" ")]

    assert [(status, body.get("code")) for status, body, _ in answers] == [(200, None), (413, Code.BODY_REFUSED)]


async def test_th_116_body__without_a_length_and_too_long__is_413(served: Site) -> None:
    async def pieces():  # type: ignore[no-untyped-def]
        for _ in range(40):
            yield b" " * 1024

    async with served.session.post(served.base + PATH, data=pieces()) as answer:
        told = orjson.loads(await answer.read())

    assert (answer.status, told["code"]) == (413, Code.BODY_REFUSED)


async def test_th_116_body__compressed__is_413(served: Site) -> None:
    async with served.session.post(served.base + PATH, data=b"{}", headers={"Content-Encoding": "gzip"}) as answer:
        told = orjson.loads(await answer.read())

    assert (answer.status, told["code"]) in ((413, Code.BODY_REFUSED), (400, Code.REQUEST))


async def test_th_116_body__that_never_comes__is_given_up(served: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relayer.api.server.BODY_S_MAX", 0.05)
    host, port = served.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))

    async with asyncio.timeout(5):
        writer.write(b"POST /v1/whatif HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()

    assert b" 400 " in head.splitlines()[0]
    assert served.noticed.bugs == []


async def test_expect__of_a_careful_caller__is_told_to_continue(served: Site) -> None:
    async with served.session.post(served.base + PATH, data=orjson.dumps(asked()), expect100=True) as answer:
        assert answer.status == 200


async def test_th_116_question__while_another_runs__is_told_to_come_back_and_the_loop_turns(
    served: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(book: Book, question: Asked) -> bytes:
        begun.set()
        assert may_end.wait(10)
        return b"{}"

    monkeypatch.setattr(handlers, "answer_bytes", slow)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        first = group.create_task(served.post(PATH, asked()))
        await asyncio.to_thread(begun.wait, 10)

        status, told, answer = await served.post(PATH, asked())
        alive = await served.get("/livez")
        may_end.set()

    assert (status, told["code"], answer.headers["Retry-After"]) == (503, Code.BUSY, "1")
    assert (alive[0], first.result()[0]) == (200, 200)


async def test_openapi__body__is_described_with_its_bounds(site: Site) -> None:
    _, document, _ = await site.get("/openapi.json")

    operation, schemas = document["paths"][PATH]["post"], document["components"]["schemas"]
    assert operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/WhatIfBody")
    assert schemas["WhatIfBody"]["additionalProperties"] is False
    assert schemas["WhatIfBody"]["properties"]["changes"]["maxItems"] == CHANGES_MAX
    named = {ref.rsplit("/", 1)[1] for ref in _references(document)}
    assert named <= set(schemas)
    assert {"AmountTable", "TradeTable", "PriceTable", "HaircutTable", "MarginTable"} <= named


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for item in value.values() for ref in _references(item)]
    return [ref for item in value for ref in _references(item)] if isinstance(value, list) else []


def _without_blocks(view: object) -> object:
    assert isinstance(view, dict)
    return view | {"lines": [line | {"block_number": 0} for line in view["lines"]]}
