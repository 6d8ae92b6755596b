"""Ancestry files: what an auditor's own node says of a later block, as it said it.

    CHAIN=FILE    the body of one JSON-RPC batch: id 1 eth_getBlockByHash of the block given by --anchor, id 2
                  eth_getProof of the history contract in its state; 3 and 4 the same of an older block, and so on

Nothing in it is believed: `proofs.ancestry` checks it against the hash that the auditor gave.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from proofs.ancestry import AncestryStep
    from proofs.types import ChainId

FILE_BYTES_MAX: Final = 16 * 2**20
"""A step is some 15 kB of text: a thousand steps."""

Ancestries = Annotated[
    list[str] | None,
    typer.Option(
        "--ancestry", metavar="CHAIN=FILE", help="Header and history proof of a later block given by --anchor."
    ),
]


def ancestry_of(text: str) -> tuple[ChainId, tuple[AncestryStep, ...]]:
    """Read one option.

    Raises: ConfigError.
    """
    from chains.errors import ChainError
    from proofs.types import parse_chain_id
    from relayer.errors import ConfigError, Fault

    chain, _, name = text.partition("=")
    try:
        with Path(name).open("rb") as file:
            body = file.read(FILE_BYTES_MAX)
        return parse_chain_id(chain), _steps(body)
    except OSError as error:
        problem = f"{name}: {error.strerror or type(error).__name__}"
    except (ValueError, ChainError) as error:
        problem = str(error)
    fix = "for example eip155:1=FILE with the answer to a batch of eth_getBlockByHash and eth_getProof, ids 1 and 2"
    raise ConfigError("option --ancestry", Fault("", problem, fix))


def _steps(body: bytes) -> tuple[AncestryStep, ...]:
    from chains.errors import RpcRefused
    from chains.families.evm_codec import Wire
    from chains.jsonrpc import RpcCall, decode_batch
    from proofs.ancestry import AncestryStep
    from proofs.bounded_json import parse_json
    from proofs.header import HeaderShape
    from proofs.types import ChainId

    entries = parse_json(body)
    if not isinstance(entries, list) or not entries or len(entries) % 2:
        raise ValueError("not a list of pairs of answers")
    calls = [RpcCall("eth_getBlockByHash"), RpcCall("eth_getProof")] * (len(entries) // 2)
    replies = decode_batch("the file", body, calls, 1, str)
    wire = Wire("the file")
    steps = []
    for block, proof in zip(replies[::2], replies[1::2], strict=True):
        if isinstance(block, RpcRefused) or isinstance(proof, RpcRefused):
            raise ValueError("an answer is an error")
        _, rlp = wire.header(ChainId(""), wire.block(block), tuple(HeaderShape))
        steps.append(AncestryStep(rlp, wire.account_answer(proof)))
    return tuple(steps)
