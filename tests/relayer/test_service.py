"""The service as an operator runs it: dead chains, signals, faults at start; and the verbs that need no chain."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chains.devnet.policy import policy_document, policy_text
from proofs.signers import SignerSet
from proofs.types import to_hex
from relayer.cli.main import app
from relayer.config.operator_document import load_operator
from relayer.config.policy_document import load_policy
from relayer.errors import ConfigError, SignerFault, StoreFault
from relayer.service import ServiceOptions, service_of
from relayer.store.sqlite import SqliteStore
from tests.relayer.fake_world import CHAINS, SIGNER, TIMES, described

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0


def write_site(folder: Path, key: int = 7, k: int = 1) -> Path:
    """Write both documents of a relayer whose nodes are all dead, and return the path of relayer.toml."""
    addresses = (SIGNER.address, *(bytes([index]) * 20 for index in range(1, k)))
    signers = SignerSet(addresses, k, 0)  # type: ignore[arg-type]
    document = policy_document(described(signers)) | TIMES | {"frame_s": 1, "deadline_s": 1}
    (folder / "policy.toml").write_text(policy_text(document))
    (folder / "signer.key").write_text("0x" + key.to_bytes(32, "big").hex())
    (folder / "signer.key").chmod(0o600)
    (folder / "dead.url").write_text("http://127.0.0.1:9/secret-path-of-the-operator")
    tail = 'operator = "local"\nurl = { file = "dead.url" }\n'
    providers = "".join(
        f'[[provider]]\nchain = "{chain}"\nname = "dead-{name.lower()}"\n{tail}' for name, chain in CHAINS.items()
    )
    text = f'policy = "policy.toml"\nstore = "sqlite://relayer.db"\n{providers}'
    text += '[signer]\nkind = "key_file"\npath = "signer.key"\n[api]\nlisten = "127.0.0.1:0"\n[log]\nformat = "json"\n'
    (folder / "relayer.toml").write_text(text)
    return folder / "relayer.toml"


def link_of(entry: Path) -> str:
    """Return where a descriptor leads, nothing where it was closed meanwhile."""
    try:
        return os.readlink(entry)
    except FileNotFoundError:
        return ""


class Running:
    """Be a service in a process of its own."""

    def __init__(self, config: Path, *options: str) -> None:
        command = [sys.executable, "-m", "relayer", "run", "--config", str(config), *options]
        self.log = config.parent / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=log)

    def events(self) -> list[dict[str, object]]:
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def waited_for(self, event: str, count: int = 1) -> list[dict[str, object]]:
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            found = [one for one in self.events() if one["event"] == event]
            if len(found) >= count:
                return found
            time.sleep(0.1)
        raise AssertionError(f"no {count} {event}: {self.log.read_text()}")

    def port(self) -> int:
        """Ask the kernel where the process listens: the log masks the providers' host, which is this one's too."""
        links = (link_of(entry) for entry in Path(f"/proc/{self.process.pid}/fd").iterdir())
        inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
        for line in Path(f"/proc/{self.process.pid}/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                return int(fields[1].split(":")[1], 16)
        raise AssertionError("it listens nowhere")

    def get(self, path: str) -> tuple[int, dict[str, object]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port()}{path}", timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def ended(self, cause: signal.Signals) -> int:
        self.process.send_signal(cause)
        return self.process.wait(30)


def test_th_150_service__all_chains_dead__stays_alive_says_so_and_stops_orderly(tmp_path: Path) -> None:
    service = Running(write_site(tmp_path))
    try:
        service.waited_for("frame_finished", 2)
        live, ready = service.get("/livez"), service.get("/readyz")
        latest = service.get("/v1/frames/latest")
        code = service.ended(signal.SIGTERM)
    finally:
        service.process.kill()

    assert live == (200, {"alive": True})
    assert ready[0] == 503
    failing = {check["name"] for check in ready[1]["checks"] if not check["ok"]}
    assert failing == {"chains", "signing"}
    assert latest[1]["reason"].startswith("no_chain")
    assert code == 0
    events = [one["event"] for one in service.events()]
    assert events[-1] == "service_stopped"
    assert "service_stopping" in events  # the pass under way may finish in between
    assert "secret-path-of-the-operator" not in service.log.read_text()


def test_service__interrupted_while_observing__ends_with_0_and_signed_nothing(tmp_path: Path) -> None:
    service = Running(write_site(tmp_path), "--observe")
    try:
        (started,) = service.waited_for("service_started")
        code = service.ended(signal.SIGINT)
    finally:
        service.process.kill()

    assert started["signer"] is None
    assert code == 0


def test_run_once__dead_chains__ends_with_5_or_skips_with_a_reason(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "relayer", "run", "--config", str(write_site(tmp_path)), "--once", "--json"]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    told = json.loads(ended.stdout)
    assert ended.returncode == 5
    assert (told["schema"], told["data"]["state"]) == ("run@1", "skipped")
    assert len(told["incomplete"]) == 3


@pytest.mark.parametrize("chain", ["ethereum", "eip155:5"])
def test_run__chain_to_accept_is_none_or_not_the_policys__ends_with_2(tmp_path: Path, chain: str) -> None:
    arguments = ["run", "--once", "--config", str(write_site(tmp_path)), "--accept-reorg", chain, "--json"]

    ended = CliRunner().invoke(app, arguments)

    (error,) = json.loads(ended.stdout)["errors"]
    assert ended.exit_code == 2
    assert chain in error
    assert "eip155:" in error


# --- faults at start -------------------------------------------------------------------------------------------------


async def opened(config: Path, observing: bool = False) -> None:
    operator = load_operator(config)
    async with service_of(load_policy(operator.policy), operator, ServiceOptions(observing)):
        pass


async def test_start__signer_is_no_member__is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no member of the policy's signer set"):
        await opened(write_site(tmp_path, key=9))


async def test_start__policy_needs_more_signers__is_a_config_error_unless_observing(tmp_path: Path) -> None:
    config = write_site(tmp_path, k=2)

    with pytest.raises(ConfigError, match="needs 2 signers"):
        await opened(config)
    await opened(config, observing=True)


async def test_start__key_file_holds_no_key__is_a_signer_fault(tmp_path: Path) -> None:
    config = write_site(tmp_path)
    (tmp_path / "signer.key").write_text("not a key")

    with pytest.raises(SignerFault):
        await opened(config)


async def test_th_088_start__store_in_use__is_a_store_fault(tmp_path: Path) -> None:
    config = write_site(tmp_path)
    first = await SqliteStore.open(tmp_path / "relayer.db")
    try:
        with pytest.raises(StoreFault):
            await opened(config)
    finally:
        await first.close()


async def test_start__provider_missing__is_a_config_error(tmp_path: Path) -> None:
    config = write_site(tmp_path)
    config.write_text(config.read_text().replace(CHAINS["C"], CHAINS["B"], 1))

    with pytest.raises(ConfigError, match="eip155:31337003"):
        await opened(config)


async def test_start__url_is_none__is_a_config_error_without_the_url(tmp_path: Path) -> None:
    config = write_site(tmp_path)
    (tmp_path / "dead.url").write_text("ftp://secret-host/path")

    with pytest.raises(ConfigError) as caught:
        await opened(config)

    assert "secret-host" not in str(caught.value)
    assert str(caught.value).startswith(f"{config}: provider[0].url: ")


async def test_start__port_taken__is_a_config_error_that_names_the_key(tmp_path: Path) -> None:
    config = write_site(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = re.compile('listen = "[^"]*"')
        config.write_text(listen.sub(f'listen = "127.0.0.1:{taken.getsockname()[1]}"', config.read_text()))

        with pytest.raises(ConfigError, match=r"api\.listen: cannot listen on 127") as caught:
            await opened(config)

    assert str(caught.value).startswith(f"{config}: ")


async def test_service__composed__knows_where_it_listens_and_closes_everything(tmp_path: Path) -> None:
    operator = load_operator(write_site(tmp_path))
    policy = load_policy(operator.policy)

    async with service_of(policy, operator, ServiceOptions()) as service:
        assert service.address is not None
        assert service.address[1] > 0
        assert to_hex(SIGNER.address) in str(service.board.signers.body)
    async with service_of(policy, operator, ServiceOptions()):
        pass  # the store's lock was released
