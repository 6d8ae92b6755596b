"""The error tree of `chains`, and the one place where it becomes `Unavailable`.

    ChainError
      ProviderError             one provider did not give a usable answer; `provider` is its label, never its URL
        RpcUnreachable          nobody's      no connection, cut connection, 5xx        retried within the budget
        RpcTimeout              nobody's      the budget of one question is spent
        RateLimited             nobody's      429 or its JSON-RPC twin; counted apart   retried within the budget
        RpcRefused              the source's  it answered with an error                 never retried
          BlockUnknown          ...           it does not know the block hash: orphaned, or not yet there
          StatePruned           ...           it knows the block and no longer its state
        RpcMalformed            the source's  an answer that breaks a rule of JSON-RPC  never retried
        BodyTooLarge            the source's  above a bound of `chains.limits`
        HeaderRefused           the source's  a block whose header does not make its hash
        ListRefused             the chain's   a contract does not tell its accounts
        WrongChain              the source's  answers for another network               never retried
      NetworkRefused            ours            a network file breaks a rule
      QuestionRefused           the policy's    a question lacks what its kind needs
      SecretRefused             the operator's  a provider URL that is none

Messages are built from typed fields. What a provider wrote is cut to `DETAIL_CHARS_MAX` printable characters and has
its own URL masked before it gets here.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from proofs.snapshot import Reason, Unavailable
from proofs.types import ChainId

__all__ = [
    "BlockUnknown",
    "BodyTooLarge",
    "ChainError",
    "HeaderRefused",
    "ListRefused",
    "NetworkRefused",
    "ProviderError",
    "QuestionRefused",
    "RateLimited",
    "RpcMalformed",
    "RpcRefused",
    "RpcTimeout",
    "RpcUnreachable",
    "SecretRefused",
    "StatePruned",
    "WrongChain",
    "unavailable",
    "unavailable_of_all",
]


class ChainError(Exception):
    """Report that a chain could not be asked; root of this package's errors."""


class ProviderError(ChainError):
    """Report that one provider gave no usable answer."""

    def __init__(self, provider: str, sentence: str) -> None:
        self.provider: str = provider
        self.sentence: str = sentence
        super().__init__(f"{provider}: {sentence}")


class RpcUnreachable(ProviderError):
    """Report a connection that failed, broke off, or met a server error."""

    def __init__(self, provider: str, cause: str) -> None:
        self.cause: str = cause
        super().__init__(provider, f"unreachable: {cause}")


class RpcTimeout(ProviderError):
    """Report that a question's whole budget was spent, retries included."""

    def __init__(self, provider: str, method: str, budget_s: float) -> None:
        self.method: str = method
        self.budget_s: float = budget_s
        super().__init__(provider, f"{method} gave no answer within {budget_s:g} s")


class RateLimited(ProviderError):
    """Report that a provider asked us to slow down; `retry_after_s` is None where it did not say for how long."""

    def __init__(self, provider: str, retry_after_s: float | None) -> None:
        self.retry_after_s: float | None = retry_after_s
        wait = "" if retry_after_s is None else f", next try in {retry_after_s:g} s"
        super().__init__(provider, f"rate limited{wait}")


class RpcRefused(ProviderError):
    """Report an error answer; `code` is the JSON-RPC code, or the HTTP status where no JSON-RPC answer came."""

    def __init__(self, provider: str, method: str, code: int, text: str) -> None:
        self.method: str = method
        self.code: int = code
        self.text: str = text
        super().__init__(provider, f"{method} refused with code {code}: {text}")


class BlockUnknown(RpcRefused):
    """Report that a provider does not know the block we pinned."""


class StatePruned(RpcRefused):
    """Report that a provider no longer holds the state of the block we pinned."""


class RpcMalformed(ProviderError):
    """Report an answer that breaks `rule`, a short stable name."""

    def __init__(self, provider: str, rule: str, detail: str = "") -> None:
        self.rule: str = rule
        self.detail: str = detail
        super().__init__(provider, f"malformed answer: {rule}" + (f": {detail}" if detail else ""))


class BodyTooLarge(ProviderError):
    """Report a request or reply above its bound; `allowed` is None where the bound is the server's own."""

    def __init__(self, provider: str, direction: str, allowed: int | None) -> None:
        self.direction: str = direction
        self.allowed: int | None = allowed
        bound = "what the server takes" if allowed is None else f"{allowed} bytes"
        super().__init__(provider, f"{direction} above {bound}")


class HeaderRefused(ProviderError):
    """Report a block whose header fields do not make the hash it is said to have."""

    def __init__(self, provider: str, number: int, detail: str) -> None:
        self.number: int = number
        self.detail: str = detail
        super().__init__(provider, f"header of block {number}: {detail}")


class ListRefused(ProviderError):
    """Report a contract that does not answer the question for its accounts."""

    def __init__(self, provider: str, listing: str, detail: str) -> None:
        self.listing: str = listing
        self.detail: str = detail
        super().__init__(provider, f"account list {listing}: {detail}")


class WrongChain(ProviderError):
    """Report a provider of another network."""

    def __init__(self, provider: str, expected: int, got: int) -> None:
        self.expected: int = expected
        self.got: int = got
        super().__init__(provider, f"wrong chain: expected id {expected}, got {got}")


class NetworkRefused(ChainError):
    """Report a network file that breaks a rule; `key` is the dotted key."""

    def __init__(self, file: str, key: str, detail: str) -> None:
        self.file: str = file
        self.key: str = key
        self.detail: str = detail
        super().__init__(f"network file {file}: {key}: {detail}")


class QuestionRefused(ChainError):
    """Report a question of the policy that its reader cannot ask; `question` is the column or list name."""

    def __init__(self, question: str, kind: str, detail: str) -> None:
        self.question: str = question
        self.kind: str = kind
        self.detail: str = detail
        super().__init__(f"question {question} of kind {kind}: {detail}")


class SecretRefused(ChainError):
    """Report a provider URL that cannot be used; the URL itself is not repeated."""

    def __init__(self, detail: str) -> None:
        self.detail: str = detail
        super().__init__(f"provider URL: {detail}")


# Most specific class first: the first that matches decides.
_REASONS: Final = MappingProxyType(
    {
        RpcTimeout: Reason.RPC_TIMEOUT,
        RateLimited: Reason.RATE_LIMITED,
        BlockUnknown: Reason.ORPHANED,
        StatePruned: Reason.STATE_PRUNED,
        RpcRefused: Reason.RPC_REFUSED,
        RpcMalformed: Reason.RPC_MALFORMED,
        BodyTooLarge: Reason.LIMIT_EXCEEDED,
        HeaderRefused: Reason.INVALID_HEADER,
        ListRefused: Reason.CALL_FAILED,
        WrongChain: Reason.WRONG_CHAIN,
        RpcUnreachable: Reason.RPC_UNREACHABLE,
    }
)


def reason_of(error: ProviderError) -> Reason:
    """Return the reason that an operator reads for an error."""
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    return Reason.RPC_UNREACHABLE


def unavailable(chain: ChainId, error: ProviderError) -> Unavailable:
    """Turn one provider's error into an outcome; another network and a refuted header are called dishonest."""
    dishonest = isinstance(error, WrongChain | HeaderRefused)
    return Unavailable(chain, reason_of(error), error.sentence, (error.provider,), dishonest)


def unavailable_of_all(chain: ChainId, errors: Sequence[ProviderError]) -> Unavailable:
    """Sum up why no provider answered: their common reason, or NO_QUORUM with every provider's own sentence."""
    if not errors:
        return Unavailable(chain, Reason.NO_QUORUM, "no provider is configured or left to ask")
    if len(errors) == 1:
        return unavailable(chain, errors[0])
    reasons = {reason_of(error) for error in errors}
    detail = "; ".join(str(error) for error in errors)
    reason = reasons.pop() if len(reasons) == 1 else Reason.NO_QUORUM
    providers = tuple(error.provider for error in errors)
    dishonest = all(isinstance(error, WrongChain | HeaderRefused) for error in errors)
    return Unavailable(chain, reason, detail, providers, dishonest)
