"""What a policy says truly but perhaps not on purpose: notes for its author, never faults. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from chains.questions import Question
from proofs.types import Assurance, Encumbrance
from relayer.config.policy import Policy


def notes_on(policy: Policy) -> tuple[str, ...]:
    """Return one readable line per thing worth a second look."""
    return (*_unprovable(policy), *_free(policy), *_lags(policy), *_signers(policy))


def is_provable(question: Question) -> bool:
    """Tell whether a storage layout is known for a column: only such a column reaches assurance 2."""
    return question.kind == "lockbox" or bool(question.storage) or question.layout is not None


def _unprovable(policy: Policy) -> Iterator[str]:
    demanding = [band for band in policy.rules.assurance if band.level >= Assurance.STATE_PROOF]
    if not demanding:
        return
    above = next((band.up_to_usd for band in policy.rules.assurance if band.level < Assurance.STATE_PROOF), None)
    size = f"above {above // 10**18} USD" if above is not None else "of any size"
    for question in policy.questions:
        if not is_provable(question):
            why = "has no storage layout, so it cannot be proven"
            yield f"{question.column} {why}: legs {size} that rest on it will count as missing"


def _free(policy: Policy) -> Iterator[str]:
    weight = dict(policy.rules.encumbrance_ppm)[Encumbrance.FREE]
    if weight:
        yield f"free balances count with {weight} ppm although their owner can move them at any moment"


def _lags(policy: Policy) -> Iterator[str]:
    if len({chain.lag_s for chain in policy.chains}) > 1:
        yield "lags differ between chains: prices and holdings of one frame are of different times"


def _signers(policy: Policy) -> Iterator[str]:
    if policy.signers.f == 0 and not policy.has_devnet:
        yield "f = 0: every signer is trusted; one faulty signer can sign two sides or, with k = n, stop the service"
