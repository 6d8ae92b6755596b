"""Serve one kind of work over standard input to `race.Peer`, in a process of its own.

fallback    our verifier where safe-pysha3 is not installed: pycryptodome hashes
native      eth_account's typed-data signature on its pure-Python curve
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable


def fallback() -> Callable[[], str]:
    sys.modules["_pysha3"] = None  # type: ignore[assignment]  # how Python spells "not installed"
    from proofs.keccak import BACKEND
    from proofs.trie import NodeSet
    from tests.bench.holders import fingerprint, holders

    assert BACKEND == "pycryptodome"
    token = holders()
    root, keys, proofs = token.trie.root, token.keys, token.proofs

    def work() -> list[bytes]:
        verify = NodeSet().verify
        return [verify(root, key, proof) or b"" for key, proof in zip(keys, proofs, strict=True)]

    return _timed(work, fingerprint, runs=5)


def native() -> Callable[[], str]:
    os.environ["ECC_BACKEND_CLASS"] = "eth_keys.backends.native.NativeECCBackend"
    from tests.bench.signing import foreign_signature

    return _timed(foreign_signature, bytes.hex, runs=10)


def _timed(work: Callable[[], object], shown: Callable[..., str], runs: int) -> Callable[[], str]:
    def answer() -> str:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(runs):
            result = work()
        cpu_s, wall_s = (time.process_time() - cpu) / runs, (time.perf_counter() - wall) / runs
        return json.dumps({"cpu_s": cpu_s, "wall_s": wall_s, "result": shown(result)})

    return answer


def main(kind: str) -> None:
    answer = {"fallback": fallback, "native": native}[kind]()
    for _ in sys.stdin:
        sys.stdout.write(answer() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
