"""INV-29: no secret leaves the process, over a whole run: real nodes, failing and gossiping providers, every way out.

Searched are the service's output, every answer of its API, its database, a bundle, and what other verbs print.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from chains.devnet.faults import Body, Redirect, RpcError, always, lie_about_slot, only
from chains.devnet.nodes import start_anvils
from chains.devnet.proxy import FaultProxy
from chains.devnet.seeding import seed_accounts
from chains.devnet.world import DEVNET_CHAIN_NUMBERS
from proofs.types import ChainId
from relayer.cli.devnet import OPERATOR_FILE, SIGNER_KEY_FILE, STORE_FILE, write_site

pytestmark = pytest.mark.node

SEED = "s3cr3t"
TOKENS = (f"user-{SEED}-1", f"word-{SEED}-2", f"path-{SEED}-3")
WAIT_S = 30


@dataclass(frozen=True)
class Run:
    """Hold a running service, the proxies before its providers, and all text and bytes that came out so far."""

    folder: Path
    port: int
    proxies: Mapping[ChainId, FaultProxy]
    secrets: tuple[bytes, ...]
    seen: dict[str, bytes]
    """Everything by where it came out."""

    async def get(self, path: str) -> bytes:
        answer = await asyncio.to_thread(_get, f"http://127.0.0.1:{self.port}{path}")
        self.seen[f"GET {path} #{len(self.seen)}"] = answer
        return answer

    async def frame_with(self, missing: set[ChainId]) -> int:
        """Return the newest frame, once it was read after now and lacks exactly these chains, and keep its answers."""
        deadline, after_s = time.monotonic() + WAIT_S, time.time()
        while time.monotonic() < deadline:
            frame, _ = json.JSONDecoder().raw_decode((await self.get("/v1/frames/latest")).decode())
            gone = {chain["chain"] for chain in frame.get("chains", ()) if "reason" in chain}
            if frame.get("frame", 0) >= after_s and gone == missing:
                return int(frame["frame"])
            await asyncio.sleep(0.2)
        raise AssertionError(f"no frame without {missing}: {self.output()[-2000:]!r}")

    async def verb(self, *arguments: str) -> None:
        command = (sys.executable, "-m", "relayer", *arguments)
        done = await asyncio.to_thread(subprocess.run, command, cwd=self.folder, capture_output=True, timeout=WAIT_S)
        self.seen[" ".join(arguments)] = done.stdout + done.stderr

    def output(self) -> bytes:
        return (self.folder / "stdout").read_bytes() + (self.folder / "stderr").read_bytes()


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        return bytes(error.read()) + str(error.headers).encode()
    except OSError:
        return b"{}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def running(folder: Path, accounts: int) -> AsyncIterator[Run]:
    """Run the service over three nodes, through proxies whose URLs carry secrets."""
    with start_anvils(DEVNET_CHAIN_NUMBERS) as nodes:
        port = _free_port()
        site = write_site([node.url for node in nodes], folder, f"127.0.0.1:{port}")
        site.policy_file.write_text(site.policy_file.read_text().replace("frame_s = 4", "frame_s = 2"))
        seed_accounts(site.world, accounts)
        async with AsyncExitStack() as stack:
            proxies = {}
            for chain in site.world.chains:
                proxy = proxies[chain.chain] = await stack.enter_async_context(FaultProxy(chain.url))
                (folder / f"{chain.name.lower().replace(' ', '-')}.url").write_text(_secret_url(proxy))
            key = (folder / SIGNER_KEY_FILE).read_text().strip()[2:]
            hidden = (key.encode(), key.upper().encode(), bytes.fromhex(key))
            run = Run(folder, port, proxies, (SEED.encode(), *hidden), {})
            with _service(folder):
                yield run


@contextmanager
def _service(folder: Path) -> Iterator[None]:
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        command = (sys.executable, "-m", "relayer", "run", "--config", OPERATOR_FILE)
        service = subprocess.Popen(command, cwd=folder, stdout=stdout, stderr=stderr)
        try:
            yield
        finally:
            service.terminate()
            service.wait(WAIT_S)


def _secret_url(proxy: FaultProxy) -> str:
    user, word, path = TOKENS
    return proxy.url.replace("http://", f"http://{user}:{word}@") + f"/v2/{path}\n"


async def ask_everything(run: Run, frame: int) -> None:
    """Ask every route."""
    account = json.loads(await run.get("/v1/accounts"))["accounts"][0]["account"]
    for path in (
        *(f"/v1/accounts/{account}{rest}" for rest in ("", "/explanation", "/attestation")),
        *("/v1/flags", "/v1/signers", "/livez", "/readyz", "/metrics", "/openapi.json"),
        *(f"/v1/frames/{frame}", "/v1/accounts/nobody", "/nowhere"),
    ):
        await run.get(path)
    run.seen["bundle"] = gzip.decompress(await run.get(f"/v1/frames/{frame}/bundle"))


async def test_inv_29_whole_run__providers_that_fail_lie_and_gossip__no_secret_comes_out(tmp_path: Path) -> None:
    async with running(tmp_path, accounts=3) as run:
        home, second, third = run.proxies
        gossip = f"the key of {_secret_url(run.proxies[second])} {' '.join(TOKENS)} is over its limit"
        await run.frame_with(missing=set())

        run.proxies[second].rules[:] = [only("eth_call", always(RpcError(-32000, gossip, gossip)))]
        run.proxies[third].rules[:] = [always(Redirect(_secret_url(run.proxies[home]).strip()))]
        await ask_everything(run, await run.frame_with(missing={second, third}))
        run.proxies[second].rules[:] = [always(Body(gossip.encode()))]
        run.proxies[third].rules[:] = [lie_about_slot(0, 1)]
        async with asyncio.TaskGroup() as group:
            group.create_task(run.verb("audit", "account", "0x" + "11" * 20))
            group.create_task(run.verb("run", "--once", "--config", OPERATOR_FILE))
            group.create_task(run.frame_with(missing={second, third}))

    run.seen.update(output=run.output(), database=(tmp_path / STORE_FILE).read_bytes())
    assert b"is over its limit" in run.seen["output"], "what the provider said came through"
    assert b"***" in run.seen["output"]
    assert all(run.seen.values())
    leaks = [(where, secret) for where, seen in run.seen.items() for secret in run.secrets if secret in seen]
    assert leaks == []
