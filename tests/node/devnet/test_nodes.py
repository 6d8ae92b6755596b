"""Anvil nodes: ours, answering as ours, and gone when their parent is gone."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chains.devnet import nodes
from chains.devnet.errors import AnvilFailed, AnvilMissing, NodeRefused
from chains.devnet.nodes import find_anvil, start_anvil, start_anvils
from chains.devnet.rpc import rpc_batch

pytestmark = pytest.mark.node

CHILD_MAIN = """
import sys, time
from chains.devnet.nodes import start_anvil
with start_anvil(31337009) as node:
    print(node.pid, flush=True)
    time.sleep(60)
"""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_start_anvils__three_chains__each_answers_with_its_own_id_and_mines_by_time() -> None:
    with start_anvils((31337001, 31337002, 31337003)) as started:
        answers = [node.rpc("eth_chainId") for node in started]
        pids = {node.pid for node in started}
        ports = {node.port for node in started}

    assert answers == ["0x1de2a29", "0x1de2a2a", "0x1de2a2b"]
    assert len(pids) == len(ports) == 3
    assert not any(is_running(pid) for pid in pids)


def test_start_anvil__without_block_time__mines_nothing_by_itself_and_finality_is_one_and_two_behind() -> None:
    with start_anvil(31337001, block_time_s=None) as node:
        node.rpc("anvil_mine", ["0x5"])
        numbers = [
            block["number"]
            for tag in ("latest", "safe", "finalized")
            if isinstance(block := node.rpc("eth_getBlockByNumber", [tag, False]), dict)
        ]

    assert numbers == ["0x5", "0x4", "0x3"]


def test_start_anvil__body_raises__node_and_its_home_are_gone() -> None:
    with pytest.raises(RuntimeError, match="test body"), start_anvil(31337001) as node:
        raise RuntimeError("test body")

    assert not is_running(node.pid)
    assert not node.home.exists()


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_start_anvil__parent_dies_by_signal__leaves_no_orphan(deadly: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD_MAIN], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)

        parent.send_signal(deadly)
        parent.wait(10)

    deadline = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(pid)


def test_start_anvil__port_already_taken_by_another_node__takes_a_port_that_is_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = nodes._free_port()
    with start_anvil(31337001) as other:
        ports = iter((other.port, free))
        monkeypatch.setattr(nodes, "_free_port", lambda: next(ports))

        with start_anvil(31337001) as node:
            assert node.port == free
            assert node.pid != other.pid


def test_start_anvil__bad_option__says_what_the_node_said() -> None:
    with pytest.raises(AnvilFailed, match="no-such-option"), start_anvil(31337001, extra=("--no-such-option",)):
        pass


def test_find_anvil__nothing_installed__says_make_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(nodes, "__file__", str(tmp_path / "a" / "b" / "nodes.py"))

    with pytest.raises(AnvilMissing, match="make install"):
        find_anvil()


def test_find_anvil__other_working_directory__still_finds_the_projects_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    found = find_anvil()

    assert os.access(found, os.X_OK)


def test_node__paused__accepts_and_stays_silent_until_resumed() -> None:
    with start_anvil(31337001) as node:
        node.pause()
        with socket.create_connection(("127.0.0.1", node.port), timeout=0.2) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            with pytest.raises(TimeoutError):
                connection.recv(1)
        node.resume()
        answer = node.rpc("eth_chainId")

    assert answer == "0x1de2a29"


def test_node__stopped__is_dead_and_refuses() -> None:
    with start_anvil(31337001) as node:
        node.stop()

        assert not node.is_alive()
        with pytest.raises(ConnectionRefusedError):
            node.rpc("eth_chainId")


def test_rpc_batch__more_than_one_chunk__answers_in_order_and_raises_the_refusal() -> None:
    with start_anvil(31337001) as node:
        answers = rpc_batch(node.url, [("eth_getBalance", [f"0x{i:040x}", "latest"]) for i in range(601)])

        with pytest.raises(NodeRefused) as refused:
            rpc_batch(node.url, [("eth_chainId", []), ("no_such_method", [])])

    assert answers == ["0x0"] * 601
    assert (refused.value.method, refused.value.code) == ("no_such_method", -32601)


def test_rpc_batch__bodies_beyond_two_mebibytes__are_parted() -> None:
    data = "0x" + "00" * 200_000

    with start_anvil(31337001) as node:
        answers = rpc_batch(node.url, [("web3_sha3", [data]), ("eth_chainId", [])] * 6)

    assert answers[1::2] == ["0x1de2a29"] * 6
    assert len(set(map(str, answers[::2]))) == 1
