"""INV-19: the same policy has the same id on any machine: hash seed, time zone and locale do not matter."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.relayer.config.documents import POLICY_TEXT, policy

SCRIPT = """
import sys
from relayer.config.policy_document import parse_policy
print(parse_policy(sys.stdin.read()).policy_id.hex())
"""


def test_inv_19_policy_id__other_hash_seed_time_zone_and_locale__is_the_same() -> None:
    found = set()
    for seed, zone, locale in (("0", "UTC", "C"), ("4242", "Pacific/Kiritimati", "tr_TR.UTF-8")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            input=POLICY_TEXT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout.strip())

    assert found == {policy().policy_id.hex()}
