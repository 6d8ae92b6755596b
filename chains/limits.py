"""Every bound of `chains` on what it sends, what it accepts and how often it tries, with its derivation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# What a provider wrote into an error is shown to people: one line of a terminal or two.
DETAIL_CHARS_MAX: Final = 200

# The deepest answer we understand is result > storageProof > entry > proof > node: 5. orjson itself stops at 1,024.
JSON_DEPTH_MAX: Final = 16

# Gateways reject larger batches; anvil took 15,000 calls. 500 getters are 150 kB up.
BATCH_CALLS_MAX: Final = 500

# Rows of one lens call at the start: 1,000 accounts with four values each, 41 to 256 kB up and 128 kB down.
# 11,327 gas an account measured, so 11 of the 50 million gas that geth and reth allow.
LENS_ROWS_START: Final = 4_000
LENS_ROWS_MAX: Final = 16_000
# Below this a lens call is no better than single calls.
LENS_ROWS_MIN: Final = 8

# Bytes of one HTTP body of lens calls at the start (halved where a gateway takes less), and at the least.
LENS_BATCH_BYTES: Final = 1024 * 1024
LENS_BATCH_BYTES_MIN: Final = 16 * 1024

# Failed rows of one column that are read again one by one, in one HTTP batch.
REREADS_PER_COLUMN: Final = 512

# Accounts a page of `accountsSlice`: 160 kB of words, 5,000 cold slots (10.5 million gas).
ACCOUNTS_PAGE: Final = 5_000
# Accounts one contract may name; the leaf tree of an attestation ends at 2^22.
ACCOUNTS_MAX: Final = 2**20

# Keys of one eth_getProof: geth and bsc cap at 1,024, erigon and sei at 1,000. A reply of 1,000 keys is 1.8 to 3.6 MB.
PROOF_KEYS_PER_CALL: Final = 1_000
PROOF_KEYS_PER_BATCH: Final = 8_000

# Blocks fetched at once while a block is searched by time; at steady state one window holds it.
HEADS_WINDOW: Final = 4
# Rounds of that search. Interpolation and halving take turns, so 2^20 blocks behind the head are found in 2 * 17.
HEADS_ROUNDS_MAX: Final = 34
# Heights whose hash is remembered per provider, to notice a reorg.
TRAIL_HEIGHTS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class RpcLimits:
    """Bound one provider's questions. `budget_s` covers one question with all its retries."""

    budget_s: float = 10.0
    attempts_max: int = 3
    rate_limited_max: int = 2
    backoff_first_s: float = 0.25
    backoff_max_s: float = 4.0
    request_bytes_max: int = 2 * 1024 * 1024
    reply_bytes_max: int = 64 * 1024 * 1024
    batch_calls_max: int = BATCH_CALLS_MAX
    connections_max: int = 4
