"""Real anvil nodes on free ports of this machine, that never outlive the process that started them.

    with start_anvil(31337001) as node:
        node.rpc("eth_blockNumber", [])

A node is only handed over when *our* child holds the port and answers with *our* chain id; when another process
took the port first, another port is tried. The kernel kills the child when its parent dies, however it dies
(PR_SET_PDEATHSIG). That signal is bound to the *thread* that started the node: start nodes from a thread that lives
as long as they should. Each node has a private HOME, and no environment of ours but PATH.
"""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from chains.devnet.errors import AnvilFailed, AnvilMissing, DevnetError
from chains.devnet.rpc import Json, rpc

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 5.0
ATTEMPTS_MAX: Final = 8
POLL_S: Final = 0.01
PORT_FIRST: Final = 10_000  # below Linux's ephemeral range, whose ports outgoing connections take at any time
PORT_COUNT: Final = 22_000
GAS_LIMIT: Final = 1_000_000_000  # a whole world, or a read of very many holders, fits one block
BALANCE_ETH: Final = 1_000_000_000  # of each unlocked account
MACHINES: Final = MappingProxyType({"x86_64": "amd64", "aarch64": "arm64"})

# Runs in the child before anvil replaces it: die with the parent (1 is PR_SET_PDEATHSIG), unless it died already.
# A `preexec_fn` would do the same, but is not safe when the parent has threads.
_EXEC_BOUND: Final = """
import ctypes, os, signal, sys
parent, program = int(sys.argv[1]), sys.argv[2]
if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(1, int(signal.SIGKILL), 0, 0, 0) != 0:
    sys.exit("prctl failed: errno %d" % ctypes.get_errno())
if os.getppid() != parent:
    sys.exit("parent died first")
os.execv(program, sys.argv[2:])
"""


@dataclass(frozen=True, slots=True)
class AnvilNode:
    """Hold one running node; `pid` is anvil's own."""

    url: str
    port: int
    chain_id: int
    pid: int
    home: Path
    _process: subprocess.Popen[bytes] = field(repr=False)

    def rpc(self, method: str, params: Sequence[Json] = ()) -> Json:
        """Call one method, for setup only; raises as `chains.devnet.rpc.rpc`."""
        return rpc(self.url, method, params)

    def is_alive(self) -> bool:
        """Tell whether the process still runs."""
        return self._process.poll() is None

    def pause(self) -> None:
        """Freeze the process, every thread of it: the kernel accepts connections that are never answered."""
        os.kill(self.pid, signal.SIGSTOP)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while not _is_frozen(self.pid):
            if time.monotonic() > deadline:
                raise AnvilFailed(self.chain_id, "does not stop")
            time.sleep(POLL_S)

    def resume(self) -> None:
        """Thaw a paused process."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Kill the process and wait for its end; a stopped node stays stopped."""
        _stop(self._process)


def find_anvil() -> Path:
    """Find the binary: the project's own tools first, then PATH.

    Raises: `AnvilMissing`, naming the places.
    """
    machine = platform.machine().lower()
    package = f"anvil-{platform.system().lower()}-{MACHINES.get(machine, machine)}"
    below = Path(".tools", "node_modules", "@foundry-rs", package, "bin", "anvil")
    here = Path(__file__).resolve().parents[2]
    looked = tuple(dict.fromkeys(root / below for root in (here, Path.cwd(), *Path.cwd().parents)))
    for candidate in looked:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    on_path = shutil.which("anvil")
    if on_path is None:
        raise AnvilMissing((str(looked[0]), "PATH"))
    return Path(on_path)


@contextmanager
def start_anvil(
    chain_id: int, block_time_s: int | None = 1, slots_in_an_epoch: int = 1, extra: Sequence[str] = ()
) -> Iterator[AnvilNode]:
    """Start one node and stop it at the end; `block_time_s` None mines a block per transaction at once.

    With `slots_in_an_epoch` 1, `safe` is latest - 1 and `finalized` latest - 2. Raises: `AnvilMissing`, `AnvilFailed`.
    """
    with start_anvils((chain_id,), block_time_s, slots_in_an_epoch, extra) as nodes:
        yield nodes[0]


@contextmanager
def start_anvils(
    chain_ids: Sequence[int], block_time_s: int | None = 1, slots_in_an_epoch: int = 1, extra: Sequence[str] = ()
) -> Iterator[tuple[AnvilNode, ...]]:
    """Start several nodes at once, in the order of their chain ids, and stop them all at the end."""
    options = ["--slots-in-an-epoch", str(slots_in_an_epoch)]
    if block_time_s is not None:
        options += ["--block-time", str(block_time_s)]
    program = find_anvil()
    with ExitStack() as stack:
        launches = [_Launch(program, chain_id, (*options, *extra), stack) for chain_id in chain_ids]
        yield tuple(launch.wait() for launch in launches)


class _Launch:
    """Start one child and wait until it serves; tries other ports when it dies for want of one."""

    def __init__(self, program: Path, chain_id: int, options: Sequence[str], stack: ExitStack) -> None:
        self._program, self._chain_id, self._options, self._stack = program, chain_id, options, stack
        home = tempfile.TemporaryDirectory(prefix="devnet-", ignore_cleanup_errors=True)
        self._home = Path(stack.enter_context(home))
        self._log = self._home / "anvil.log"
        self._spawn()

    def _spawn(self) -> None:
        self._port = _free_port()
        command = (
            *(sys.executable, "-I", "-S", "-c", _EXEC_BOUND, str(os.getpid()), str(self._program)),
            *("--host", "127.0.0.1", "--port", str(self._port), "--chain-id", str(self._chain_id)),
            *("--quiet", "--no-request-size-limit", "--gas-limit", str(GAS_LIMIT), "--balance", str(BALANCE_ETH)),
            *self._options,
        )
        environment = {"HOME": str(self._home), "TMPDIR": str(self._home), "PATH": os.environ.get("PATH", os.defpath)}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the binary that find_anvil found, no shell
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._home, env=environment
            )
        self._stack.callback(_stop, self._process)

    def wait(self) -> AnvilNode:
        deadline = time.monotonic() + START_TIMEOUT_S
        attempts = 1
        while not self._serves():
            if time.monotonic() > deadline:
                raise AnvilFailed(self._chain_id, f"no answer within {START_TIMEOUT_S} s", self._output())
            if self._process.poll() is not None:
                if attempts == ATTEMPTS_MAX or "in use" not in self._output():
                    raise AnvilFailed(self._chain_id, f"exit status {self._process.returncode}", self._output())
                attempts += 1
                self._spawn()
            time.sleep(POLL_S)
        url = f"http://127.0.0.1:{self._port}"
        return AnvilNode(url, self._port, self._chain_id, self._process.pid, self._home, self._process)

    def _serves(self) -> bool:
        if self._process.poll() is not None or not _holds_port(self._process.pid, self._port):
            return False
        try:
            answer = rpc(f"http://127.0.0.1:{self._port}", "eth_chainId", [], STOP_TIMEOUT_S)
        except (OSError, DevnetError):
            return False
        if answer != hex(self._chain_id):
            raise AnvilFailed(self._chain_id, f"answers chain id {answer}")
        return True

    def _output(self) -> str:
        return self._log.read_text(errors="replace").strip()[-500:]


def _free_port() -> int:
    for _ in range(PORT_COUNT):
        port = PORT_FIRST + secrets.randbelow(PORT_COUNT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise DevnetError("no free port")


def _holds_port(pid: int, port: int) -> bool:
    """Tell whether process `pid` listens on 127.0.0.1:`port`, from /proc; elsewhere the answer to chain id must do."""
    if sys.platform != "linux":
        return True
    listening = {
        f"socket:[{fields[9]}]"
        for fields in (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
        if fields[3] == "0A" and fields[1].endswith(f":{port:04X}")
    }
    try:
        held = {os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")}
    except OSError:  # the child ended, or closed a descriptor, meanwhile: ask again
        return False
    return not listening.isdisjoint(held)


def _is_frozen(pid: int) -> bool:
    """Tell whether all threads of a process are stopped, from /proc; elsewhere the signal must do."""
    if sys.platform != "linux":
        return True
    try:
        stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:  # a thread ended meanwhile: ask again
        return False
    return all(stat.rpartition(")")[2].split()[0] in "Tt" for stat in stats)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.kill()
    process.wait(STOP_TIMEOUT_S)
