"""From errors to outcomes: every kind has a reason, and none is lost."""

from __future__ import annotations

import pytest

from chains import errors
from chains.errors import ProviderError, unavailable, unavailable_of_all
from proofs.snapshot import Reason
from proofs.types import ChainId

CHAIN = ChainId("eip155:1")
TABLE: tuple[tuple[ProviderError, Reason, bool], ...] = (
    (errors.RpcUnreachable("p", "x"), Reason.RPC_UNREACHABLE, False),
    (errors.RpcTimeout("p", "m", 1.5), Reason.RPC_TIMEOUT, False),
    (errors.RateLimited("p", 3.0), Reason.RATE_LIMITED, False),
    (errors.RpcRefused("p", "m", -1, "x"), Reason.RPC_REFUSED, False),
    (errors.BlockUnknown("p", "m", -1, "x"), Reason.ORPHANED, False),
    (errors.StatePruned("p", "m", -1, "x"), Reason.STATE_PRUNED, False),
    (errors.RpcMalformed("p", "rule"), Reason.RPC_MALFORMED, False),
    (errors.BodyTooLarge("p", "reply", 5), Reason.LIMIT_EXCEEDED, False),
    (errors.HeaderRefused("p", 7, "x"), Reason.INVALID_HEADER, True),
    (errors.ListRefused("p", "l", "x"), Reason.CALL_FAILED, False),
    (errors.WrongChain("p", 1, 2), Reason.WRONG_CHAIN, True),
)


@pytest.mark.parametrize(("error", "reason", "dishonest"), TABLE)
def test_unavailable__when_a_provider_failed__then_reason_and_label_are_given(
    error: ProviderError, reason: Reason, dishonest: bool
) -> None:
    outcome = unavailable(CHAIN, error)

    assert (outcome.chain, outcome.reason, outcome.dishonest) == (CHAIN, reason, dishonest)
    assert outcome.providers == ("p",)
    assert outcome.detail == error.sentence


def test_table__when_a_kind_of_provider_error_is_added__then_it_has_to_be_listed_here() -> None:
    def below(kind: type[ProviderError]) -> set[type[ProviderError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    assert below(ProviderError) - {ProviderError} == {type(error) for error, _, _ in TABLE}


def test_all__when_reasons_are_one__then_it_is_theirs_and_otherwise_no_quorum() -> None:
    same = unavailable_of_all(CHAIN, [errors.RpcUnreachable("a", "x"), errors.RpcUnreachable("b", "y")])
    mixed = unavailable_of_all(CHAIN, [errors.RpcUnreachable("a", "x"), errors.RpcTimeout("b", "m", 1)])
    nobody = unavailable_of_all(CHAIN, [])

    assert (same.reason, same.providers) == (Reason.RPC_UNREACHABLE, ("a", "b"))
    assert mixed.reason is Reason.NO_QUORUM
    assert "a: unreachable: x" in mixed.detail
    assert "b: m gave no answer within 1 s" in mixed.detail
    assert nobody.reason is Reason.NO_QUORUM


def test_wrong_chain__when_raised__then_expected_and_got_are_in_the_message() -> None:
    assert str(errors.WrongChain("p", 31337001, 10)) == "p: wrong chain: expected id 31337001, got 10"
