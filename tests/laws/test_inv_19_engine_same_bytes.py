"""INV-19 behind the engine: the same inputs give the same bytes in another process, whatever its hash seed and zone."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.netting.requirement import netting
from relayer.margin.solve.liquidation_price import liquidation_prices
from relayer.margin.solve.withdrawable import withdrawables
from relayer.margin.view import Purpose
from tests.relayer.margin.models.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]


def digest() -> str:
    """Return a hash over what the engine says of every stage's accounts."""
    found = hashlib.sha256()
    for stage in STAGES:
        for account in stage.accounts:
            for purpose in Purpose:
                found.update(repr(evaluate(account, stage.market, stage.rules, purpose)).encode())
            found.update(repr(netting(account, stage.market, stage.rules)).encode())
            found.update(repr(withdrawables(account, stage.market, stage.rules)).encode())
            if not stage.is_slow:
                found.update(repr(liquidation_prices(account, stage.market, stage.rules)).encode())
    return found.hexdigest()


def test_inv_19__engine_in_another_process__says_the_same_to_the_byte() -> None:
    command = [sys.executable, "-c", "from tests.laws.test_inv_19_engine_same_bytes import digest; print(digest())"]
    environment = {**os.environ, "PYTHONHASHSEED": "4242", "TZ": "Asia/Kathmandu", "LC_ALL": "C"}

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment)

    assert ended.stdout.strip() == digest()
