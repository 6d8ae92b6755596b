"""The API over a frame that was really run: answers, refusals, bounds, freshness."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from eth_abi import decode

from proofs.attestation import hash_leaf, leaf_from_abi, root_from_abi
from proofs.merkle import verify_merkle_proof
from proofs.signers import SignerSet, check_signatures
from proofs.types import to_hex
from relayer.api.board import Board
from relayer.api.handlers import STORE_READS_MAX
from relayer.api.parameters import format_cursor
from relayer.api.problems import STATUS, TITLE, Code
from relayer.api.routes import ROUTES, Route
from relayer.api.server import HEADER_BYTES_MAX, URL_BYTES_MAX
from relayer.pipeline.health import PULSE_S_MAX, FrameHealth
from tests.relayer.api_site import Site
from tests.relayer.fake_world import (
    ALICE,
    BOB,
    CHAINS,
    FRAME,
    SIGNER,
    make_bench,
)

# --- answers ---------------------------------------------------------------------------------------------------------


async def test_attestation__of_a_signed_frame__proves_the_leaf_by_the_contract_s_rules(served: Site) -> None:
    status, body, _ = await served.get(f"/v1/accounts/{to_hex(ALICE)}/attestation")

    assert status == 200
    types = "(bytes32,uint64,uint64,uint64,uint32,uint32,uint64,bytes32,bytes32)"
    leaf_types = "(bytes32,bytes32,uint8,uint8,uint16,uint128,uint128,uint128,uint128,bytes32)"
    ((root, signatures, leaf, proof),) = decode([f"({types},bytes,{leaf_types},bytes32[])"], _bytes(body["abi"]))
    assert root[1] == body["root"]["frame"] == FRAME
    assert to_hex(signatures) == body["signatures"]
    assert [to_hex(word) for word in proof] == body["proof"]
    assert str(leaf[5]) == body["leaf"]["collateral_usd"]
    raw = _bytes(body["abi"])
    parsed_root, parsed_leaf = root_from_abi(raw[32:320]), leaf_from_abi(raw[352:672])
    verify_merkle_proof(parsed_root.accounts_root, hash_leaf(parsed_leaf), list(proof), parsed_root.leaf_count)
    digest = _bytes(body["digest"])
    assert check_signatures(digest, signatures, SignerSet((SIGNER.address,), 1, 0).addresses, 1) == (0,)


async def test_account__in_all_three_spellings__is_the_same_account(served: Site) -> None:
    home = to_hex(ALICE[12:])
    spellings = (to_hex(ALICE), home, f"{CHAINS['A']}:{home}", "0x" + home[2:].upper())

    answers = [await served.get(f"/v1/accounts/{text}") for text in spellings]

    assert [status for status, _, _ in answers] == [200] * 4
    assert len({orjson.dumps(body) for _, body, _ in answers}) == 1
    assert answers[0][1]["status"] == "healthy"
    assert answers[0][1]["collateral_usd"] == "55638.00"
    assert "lines" not in answers[0][1]


async def test_explanation__of_an_account__has_lines_that_sum_to_its_equity(served: Site) -> None:
    status, body, _ = await served.get(f"/v1/accounts/{to_hex(ALICE)}/explanation")

    assert status == 200
    cents = sum(round(float(line["value_usd"]) * 100) for line in body["lines"])
    assert cents == round(float(body["equity_usd"]) * 100)


async def test_accounts__page_by_page__names_every_account_once(served: Site) -> None:
    _, first, _ = await served.get("/v1/accounts?limit=1")
    _, second, _ = await served.get(f"/v1/accounts?limit=1&cursor={first['next']}")

    listed = [page["accounts"][0]["account"] for page in (first, second)]
    assert listed == sorted([to_hex(ALICE), to_hex(BOB)])
    assert second["next"] is None


async def test_th_139_flags__after_a_breach__carry_frame_and_reasons(served: Site) -> None:
    _, body, _ = await served.get("/v1/flags?state=raised")
    _, none, _ = await served.get("/v1/flags?state=provisional")

    (flag,) = body["flags"]
    assert (flag["account"], flag["state"], flag["last_frame"]) == (to_hex(BOB), "raised", FRAME)
    assert flag["reasons"]
    assert none["flags"] == []


async def test_frames__latest_and_by_number__are_the_same_and_have_a_bundle(served: Site) -> None:
    _, latest, _ = await served.get("/v1/frames/latest")
    _, numbered, _ = await served.get(f"/v1/frames/{FRAME}")
    status, archive, answer = await served.get(f"/v1/frames/{FRAME}/bundle")

    assert latest == numbered
    assert latest["counts"]["accounts"] == 2
    assert [chain["chain"] for chain in latest["chains"]] == sorted(CHAINS.values())
    assert (status, answer.content_type) == (200, "application/gzip")
    assert archive["raw"][:2] == b"\x1f\x8b"


async def test_signers__any_time__names_set_quorum_and_domain(site: Site) -> None:
    status, body, _ = await site.get("/v1/signers")

    assert (status, body["n"], body["k"], body["f"]) == (200, 1, 1, 0)
    assert body["signers"] == [to_hex(SIGNER.address)]
    assert body["domain"]["chain_id"] == 31337001


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_openapi__before_the_first_frame__lists_what_each_route_answers(site: Site, route: Route) -> None:
    path = route.path.format(account=to_hex(ALICE), frame=FRAME)
    body_of = {"account": to_hex(ALICE), "changes": []}
    status, body, _ = await (site.get(path) if route.method == "GET" else site.post(path, body_of))
    _, document, _ = await site.get("/openapi.json")

    response = document["paths"][route.path][route.method.lower()]["responses"].get(str(status))
    assert response, (route.path, status)
    assert str(body.get("code", "")) in response["description"]


async def test_metrics_and_openapi__any_time__are_served(site: Site) -> None:
    status, page, answer = await site.get("/metrics")
    _, document, _ = await site.get("/openapi.json")

    assert (status, page["raw"]) == (200, b"margin_relayer_up 1\n")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {route.path for route in ROUTES}


async def test_etag__sent_back__is_answered_with_304_and_no_body(served: Site) -> None:
    _, _, first = await served.get(f"/v1/accounts/{to_hex(ALICE)}")

    status, body, again = await served.get(f"/v1/accounts/{to_hex(ALICE)}", **{"If-None-Match": first.headers["ETag"]})

    assert (status, body) == (304, {"raw": b""})
    assert again.headers["ETag"] == first.headers["ETag"]


async def test_th_117_answers__asked_often__are_made_once_and_ask_no_chain(served: Site) -> None:
    asked = {name: list(chain.asked) for name, chain in served.world.chains.items()}

    bodies = [served.board.latest.account(ALICE, served.board.latest.freshness(0)) for _ in range(3)]
    for path in ("/v1/accounts", f"/v1/accounts/{to_hex(BOB)}/attestation", "/v1/flags", f"/v1/frames/{FRAME}"):
        await served.get(path)

    assert all(body is bodies[0] for body in bodies)
    assert {name: list(chain.asked) for name, chain in served.world.chains.items()} == asked


async def test_restart__publishes_the_same_bytes_from_the_store(served: Site) -> None:
    path = f"/v1/accounts/{to_hex(ALICE)}/attestation"
    _, before, _ = await served.get(path)
    fresh = Board(served.board.policy, served.clock)
    again = make_bench(served.world, served.bench.store, served.board.policy, fresh)

    await again.pipeline.start()

    assert orjson.loads(fresh.signed.attestation(ALICE).body) == before
    assert fresh.signed.attestation(ALICE).etag == served.board.signed.attestation(ALICE).etag


# --- refusals --------------------------------------------------------------------------------------------------------

_ADDRESS = "0x" + "11" * 20


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/accounts/0x", Code.MALFORMED_ACCOUNT),
        ("/v1/accounts/" + "11" * 20, Code.MALFORMED_ACCOUNT),
        ("/v1/accounts/0x" + "11" * 19, Code.MALFORMED_ACCOUNT),
        ("/v1/accounts/0x" + "11" * 31, Code.MALFORMED_ACCOUNT),
        ("/v1/accounts/0x" + "11" * 33, Code.MALFORMED_ACCOUNT),
        ("/v1/accounts/0x" + "zz" * 20, Code.MALFORMED_ACCOUNT),
        ("/v1/accounts/" + "1" * 81, Code.MALFORMED_ACCOUNT),
        (f"/v1/accounts/eip155:31337002:{_ADDRESS}", Code.WRONG_CHAIN),
        (f"/v1/accounts/eip155:31337001:0x{'11' * 32}", Code.MALFORMED_ACCOUNT),
        (f"/v1/accounts/{_ADDRESS}", Code.UNKNOWN_ACCOUNT),
        (f"/v1/accounts/{_ADDRESS}/attestation", Code.UNKNOWN_ACCOUNT),
        (f"/v1/accounts/{_ADDRESS}?explain=true", Code.PARAMETER),
        (f"/v1/accounts/{_ADDRESS}?min=1", Code.PARAMETER),
        ("/v1/accounts?limit=0", Code.PARAMETER),
        ("/v1/accounts?limit=1001", Code.PARAMETER),
        ("/v1/accounts?limit=1&limit=2", Code.PARAMETER),
        ("/v1/accounts?limit=01", Code.PARAMETER),
        ("/v1/accounts?cursor=abc", Code.MALFORMED_CURSOR),
        ("/v1/accounts?cursor=" + "A" * 42 + "B", Code.MALFORMED_CURSOR),
        ("/v1/flags?state=open", Code.PARAMETER),
        ("/v1/frames/0", Code.MALFORMED_FRAME),
        ("/v1/frames/01", Code.MALFORMED_FRAME),
        ("/v1/frames/-1", Code.MALFORMED_FRAME),
        ("/v1/frames/1e9", Code.MALFORMED_FRAME),
        ("/v1/frames/" + "9" * 17, Code.MALFORMED_FRAME),
        ("/v1/frames/1799999998", Code.UNKNOWN_FRAME),
        ("/v1/frames/1799999998/bundle", Code.NO_BUNDLE),
        ("/v1/nothing", Code.NO_ROUTE),
        ("/v1/accounts?cursor=" + "A" * 300, Code.URL_TOO_LONG),
    ],
)
async def test_problem__for_what_is_finally_wrong__is_4xx_with_a_stable_code(
    served: Site, path: str, code: Code
) -> None:
    status, body, answer = await served.get(path)

    assert (status, body["code"]) == (STATUS[code], code)
    assert 400 <= status < 500
    assert answer.content_type == "application/problem+json"
    assert set(body) == {"type", "title", "status", "code", "detail", "instance"}
    assert max(len(str(value)) for value in body.values()) <= 300


@pytest.mark.parametrize("path", ["/v1/accounts", f"/v1/accounts/{_ADDRESS}", "/v1/frames/latest", "/v1/flags"])
async def test_th_120_not_yet__before_the_first_frame__is_503_with_a_retry_time(site: Site, path: str) -> None:
    status, body, answer = await site.get(path)

    assert (status, body["code"]) == (503, Code.NO_FRAME)
    assert answer.headers["Retry-After"] == "2"


async def test_th_120_attestation__nothing_signed__is_503_and_never_404(site: Site) -> None:
    status, body, answer = await site.get(f"/v1/accounts/{_ADDRESS}/attestation")

    assert (status, body["code"], answer.headers["Retry-After"]) == (503, Code.NOT_SIGNED, "2")


async def test_th_119_answers__past_their_validity__are_unknown_or_refused(served: Site) -> None:
    valid_until = FRAME - 1 + 300
    path = f"/v1/accounts/{to_hex(ALICE)}"
    served.clock.time_s = float(valid_until)
    _, at_the_bound, last = await served.get(path)
    attested = await served.get(path + "/attestation")
    served.clock.time_s = valid_until + 1.0

    _, after, _ = await served.get(path)
    refused = await served.get(path + "/attestation")

    assert (at_the_bound["status"], at_the_bound["is_stale"]) == ("healthy", False)
    assert last.headers["Cache-Control"] == "no-cache"  # nothing is left of its life
    assert attested[0] == 200
    assert (after["status"], after["is_stale"]) == ("unknown", True)
    assert (refused[0], refused[1]["code"]) == (503, Code.EXPIRED)


async def test_cache__life__ends_with_the_frame(served: Site) -> None:
    _, _, answer = await served.get(f"/v1/accounts/{to_hex(ALICE)}")

    assert answer.headers["Cache-Control"] == "public, max-age=2"


async def test_th_121_numbers__beyond_53_bits__are_strings(served: Site) -> None:
    for path in (f"/v1/accounts/{to_hex(ALICE)}/attestation", f"/v1/accounts/{to_hex(ALICE)}/explanation"):
        _, body, _ = await served.get(path)

        assert all(abs(number) < 2**53 for number in _numbers(body))


async def test_method__other_than_get__is_refused(served: Site) -> None:
    async with served.session.post(served.base + "/v1/accounts") as answer:
        body = orjson.loads(await answer.read())

    assert (answer.status, body["code"]) == (405, Code.METHOD)


async def test_th_116_body__of_any_size__is_refused_unread(served: Site) -> None:
    async with served.session.request("GET", served.base + "/v1/accounts", data=b"x" * 100_000) as answer:
        body = orjson.loads(await answer.read())

    assert (answer.status, body["code"]) == (413, Code.BODY_REFUSED)


_START = b"GET /v1/signers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"FOO /secret-marker HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"secret-marker" * URL_BYTES_MAX + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        _START + b"X-Long: " + b"secret-marker" * HEADER_BYTES_MAX + b"\r\n\r\n",
        b"GET /v1/signers HTTP/1.1\r\nConnection: close\r\n\r\n",
        _START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        _START + b"Content-Length: -1\r\n\r\n",
        _START + b"Content-Length: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03secret-marker",
        _START + b"Expect: secret-marker\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        _START + b"".join(b"X-%d: 1\r\n" % number for number in range(200)) + b"\r\n",
    ],
)
async def test_th_116_bytes__that_are_no_request__get_a_problem_and_no_line_in_the_log(
    served: Site, raw: bytes, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    host, port = served.base.removeprefix("http://").split(":")
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(raw)
        await writer.drain()
        told = await reader.read()
        writer.close()
        await writer.wait_closed()

    head, _, body = told.partition(b"\r\n\r\n")
    assert b"secret-marker" not in told
    if b" 200 " not in head.splitlines()[0]:
        assert b"application/problem+json" in head
        assert orjson.loads(body)["code"] in {Code.REQUEST, Code.METHOD, Code.NO_ROUTE, Code.BODY_REFUSED}
    assert (served.noticed.bugs, caplog.records) == ([], [])
    assert capfd.readouterr() == ("", "")


async def test_th_116_metrics__asked_a_hundred_times__are_rendered_once_a_second(served: Site) -> None:
    await _all_at_once(served, "/metrics", 100)
    served.clock.time_s += 1
    await served.get("/metrics")

    assert served.page.rendered == 2


async def test_th_116_history__flooded__is_told_to_come_back(served: Site) -> None:
    async with asyncio.timeout(10):
        answers = [status for status, _, _ in await _all_at_once(served, f"/v1/frames/{FRAME}", 40)]

    assert set(answers) <= {200, 503}
    assert answers.count(200) >= STORE_READS_MAX


async def test_fence__handler_breaks__is_500_without_a_reason_and_recorded(served: Site) -> None:
    served.board.latest = "not a frame"  # type: ignore[assignment]

    status, body, _ = await served.get("/v1/accounts")

    assert (status, body["code"], body["detail"]) == (500, Code.INTERNAL, "")
    assert len(served.noticed.bugs) == 1


async def test_th_122_detail__quoting_the_caller__is_bounded(served: Site) -> None:
    _, body, _ = await served.get("/v1/accounts?" + "x" * 200 + "=1")

    assert len(body["detail"]) <= 200


async def test_th_120_bundle__of_a_frame_signed_just_now__is_503_and_of_an_older_one_404(served: Site) -> None:
    store, policy_id = served.bench.store, served.board.policy.policy_id
    await store.put_bundle(policy_id, FRAME + 2, b"", keep=1)  # pushes out the one that was kept

    pending = await served.get(f"/v1/frames/{FRAME}/bundle")
    older = await served.get(f"/v1/frames/{FRAME - 2}/bundle")

    assert (pending[0], pending[1]["code"]) == (503, Code.BUNDLE_PENDING)
    assert (older[0], older[1]["code"]) == (404, Code.NO_BUNDLE)


# --- health ----------------------------------------------------------------------------------------------------------


async def test_th_150_liveness__no_frame_and_no_chain__is_alive_while_the_loop_turns(site: Site) -> None:
    alive = await site.get("/livez")
    ready = await site.get("/readyz")
    site.clock.time_s += PULSE_S_MAX
    still = await site.get("/livez")
    site.clock.time_s += 1
    dead = await site.get("/livez")

    assert (alive[0], still[0], dead[0]) == (200, 200, 503)
    assert ready[0] == 503
    assert [check["name"] for check in ready[1]["checks"] if not check["ok"]] == ["frame"]


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({}, []),
        ({"is_venue_present": False}, ["chains"]),
        ({"is_signed": False, "skip_reason": "too_few_votes: 1 of 4"}, ["signing"]),
    ],
)
async def test_readiness__dependency_by_dependency__names_what_fails(
    site: Site, change: dict[str, object], failed: list[str]
) -> None:
    plain = {"is_venue_present": True, "is_signed": True, "skip_reason": ""} | change
    site.health.frame_done(site.clock.monotonic_s(), FrameHealth(FRAME, 3, 3, **plain))  # type: ignore[arg-type]

    status, body, _ = await site.get("/readyz")

    assert [check["name"] for check in body["checks"] if not check["ok"]] == failed
    assert status == (503 if failed else 200)


async def test_readiness__draining_or_old_frame__is_not_ready(site: Site) -> None:
    site.health.frame_done(site.clock.monotonic_s(), FrameHealth(FRAME, 3, 3, True, True, ""))
    site.health.is_draining = True
    site.clock.time_s += 61

    _, body, _ = await site.get("/readyz")

    assert [check["name"] for check in body["checks"] if not check["ok"]] == ["draining", "frame"]


# --- the board -------------------------------------------------------------------------------------------------------


async def test_th_107_board__older_frame__is_never_served_again(served: Site) -> None:
    row = await served.bench.store.frame(served.board.policy.policy_id, FRAME)
    newest = served.board.latest

    from dataclasses import replace

    from relayer.pipeline.records import Publication

    await served.board.publish(Publication(replace(row, frame=FRAME - 2), (), ()))
    await served.board.publish(Publication(row, (), ()))

    assert served.board.latest is newest


def test_problems__every_code__has_a_status_and_a_title() -> None:
    assert set(STATUS) == set(TITLE) == set(Code)


def test_cursor__of_any_account__comes_back() -> None:
    from relayer.api.parameters import parse_cursor

    for account in (ALICE, BOB, bytes(32), b"\xff" * 32):
        assert parse_cursor(format_cursor(account)) == account


async def _all_at_once(site: Site, path: str, count: int) -> list[tuple[int, object, object]]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(site.get(path)) for _ in range(count)]
    return [task.result() for task in tasks]


def _bytes(text: object) -> bytes:
    return bytes.fromhex(str(text)[2:])


def _numbers(value: object) -> list[int]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in _numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else []
