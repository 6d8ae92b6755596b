"""Answers: what the API says about one frame, made from its rows once and kept as bytes.

A frame's answers never change; what does change with time is only whether they still hold. Past `validUntil` an
account's status is served as unknown (nothing may look healthy on old evidence) and its attestation not at all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Final

import orjson

from proofs.attestation import MarginLeaf, SignedRoot, abi_evidence, accounts_tree, leaf_from_abi
from proofs.merkle import MerkleTree
from proofs.types import AccountId, Hash32, address_of_account, caip10, to_hex
from relayer.api.parameters import format_cursor
from relayer.config.policy import Policy
from relayer.flags import Flag
from relayer.margin.explain import quality_names
from relayer.pipeline.records import JsonObject, Publication

JSON_TYPE: Final = "application/json"
_SUMMARY_LEFT_OUT: Final = frozenset({"lines"})


class Freshness(StrEnum):
    """Say whether a frame's evidence still holds."""

    CURRENT = "current"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold one answer's bytes and the tag that identifies them."""

    body: bytes
    etag: str
    content_type: str = JSON_TYPE


def answer_of(document: JsonObject) -> Answer:
    """Encode a document once."""
    return answer_of_bytes(orjson.dumps(document))


def answer_of_bytes(body: bytes, content_type: str = JSON_TYPE) -> Answer:
    """Tag bytes by their hash."""
    return Answer(body, f'"{blake2b(body, digest_size=16).hexdigest()}"', content_type)


class FrameAnswers:
    """Answer for one evaluated frame; each answer is encoded at the first question and kept with the frame.

    Building it hashes every leaf of a signed frame, so it is done off the loop.
    """

    def __init__(self, policy: Policy, publication: Publication) -> None:
        self._policy = policy
        self.row = publication.row
        self._rows = publication.accounts
        self._ids = tuple(row.account for row in publication.accounts)
        self._index = {account: index for index, account in enumerate(self._ids)}
        self._summary: JsonObject = orjson.loads(publication.row.summary_json)
        self._kept: dict[tuple[str, AccountId, Freshness], Answer] = {}
        self._tree: MerkleTree | None = None
        if publication.row.signed is not None:
            self._tree = accounts_tree([leaf_from_abi(row.leaf_abi) for row in self._rows])

    @property
    def valid_until_s(self) -> int:
        """Return the last second at which the frame's evidence holds; 0 when no chain was present."""
        return int(str(self._summary["valid_until"]))

    def freshness(self, now_s: float) -> Freshness:
        """Return whether the evidence holds at a time, the last second included."""
        return Freshness.CURRENT if now_s <= self.valid_until_s else Freshness.STALE

    def frame(self) -> Answer:
        """Answer for the frame itself."""
        whole = AccountId(b"")
        return self._once("frame", whole, Freshness.CURRENT, lambda: frame_body(self._summary, self.row.signed))

    def account(self, account: AccountId, freshness: Freshness) -> Answer | None:
        """Answer for one account without its lines; None when the frame does not have it."""
        return self._of_account("account", account, freshness, _SUMMARY_LEFT_OUT)

    def explanation(self, account: AccountId, freshness: Freshness) -> Answer | None:
        """Answer for one account with every line; None when the frame does not have it."""
        return self._of_account("explanation", account, freshness, frozenset())

    def attestation(self, account: AccountId) -> Answer | None:
        """Answer with root, signatures, leaf, proof and the same as abi.encode(Evidence); None when there is none."""
        index, signed, tree = self._index.get(account), self.row.signed, self._tree
        if index is None or signed is None or tree is None:
            return None
        return self._once("attestation", account, Freshness.CURRENT, lambda: self._evidence(index, signed, tree))

    def page(self, after: AccountId | None, limit: int, freshness: Freshness) -> Answer:
        """Answer with the accounts after an id, ascending, and the cursor of the next page."""
        start = 0 if after is None else bisect_right(self._ids, after)
        chosen = self._ids[start : start + limit]
        bodies = [answer.body for account in chosen if (answer := self.account(account, freshness))]
        following = format_cursor(chosen[-1]) if start + limit < len(self._ids) and chosen else None
        return answer_of_bytes(_listing("accounts", self.row.frame, bodies, following))

    def _of_account(
        self, schema: str, account: AccountId, freshness: Freshness, left_out: frozenset[str]
    ) -> Answer | None:
        index = self._index.get(account)
        if index is None:
            return None
        return self._once(schema, account, freshness, lambda: self._account_body(schema, index, freshness, left_out))

    def _account_body(self, schema: str, index: int, freshness: Freshness, left_out: frozenset[str]) -> bytes:
        view: JsonObject = orjson.loads(self._rows[index].view_json)
        head: JsonObject = {
            "schema": f"{schema}@1",
            "policy_id": to_hex(self.row.policy_id),
            "frame": self.row.frame,
            "as_of": self._summary["as_of"],
            "valid_until": self._summary["valid_until"],
            "is_signed": self.row.signed is not None,
            "is_stale": freshness is Freshness.STALE,
            "address": _address(self._policy, self._ids[index]),
        }
        body = head | {name: value for name, value in view.items() if name not in left_out}
        if freshness is Freshness.STALE:
            body["status"] = "unknown"
        return orjson.dumps(body)

    def _evidence(self, index: int, signed: SignedRoot, tree: MerkleTree) -> bytes:
        leaf = leaf_from_abi(self._rows[index].leaf_abi)
        proof = tuple(Hash32(word) for word in tree.proof(index))
        document: JsonObject = {
            "schema": "attestation@1",
            "chain": self._policy.venue.chain,
            "verifying_contract": to_hex(self._policy.venue.verifier),
            "digest": to_hex(signed.digest),
            "root": root_document(signed),
            "signatures": to_hex(signed.signatures),
            "leaf": leaf_document(leaf),
            "proof": [to_hex(word) for word in proof],
            "abi": to_hex(abi_evidence(signed, leaf, proof)),
        }
        return orjson.dumps(document)

    def _once(self, kind: str, account: AccountId, freshness: Freshness, make: Callable[[], bytes]) -> Answer:
        """Keep what was made; bounded, since only accounts of the frame are ever kept, in at most four forms."""
        key = (kind, account, freshness)
        if key not in self._kept:
            self._kept[key] = answer_of_bytes(make())
        return self._kept[key]


def frame_body(summary: JsonObject, signed: SignedRoot | None) -> bytes:
    """Return a frame's JSON: what its row remembers, and the signed root with its signatures."""
    attested: JsonObject | None = None
    if signed is not None:
        attested = {
            "digest": to_hex(signed.digest),
            "root": root_document(signed),
            "signatures": to_hex(signed.signatures),
        }
    return orjson.dumps({"schema": "frame@1"} | summary | {"signed": attested})


def flags_page(flags: Sequence[Flag], seen_s: int, after: AccountId | None, limit: int) -> Answer:
    """Answer with flags, ascending by account; each carries the frame it was last seen in, the page the newest pass."""
    matching = [flag for flag in flags if after is None or flag.account > after]
    chosen = matching[:limit]
    following = format_cursor(chosen[-1].account) if len(matching) > limit else None
    return answer_of_bytes(
        _listing("flags", seen_s, [orjson.dumps(_flag_document(flag)) for flag in chosen], following)
    )


def signers_answer(policy: Policy) -> Answer:
    """Answer who signs, how many are needed, and under which domain."""
    return answer_of(
        {
            "schema": "signers@1",
            "policy_id": to_hex(policy.policy_id),
            "policy": f"{policy.name}@{policy.version}",
            "domain": {
                "name": "MarginVerifier",
                "version": "1",
                "chain_id": policy.domain.chain_number,
                "verifying_contract": to_hex(policy.domain.verifying_contract),
            },
            "venue": caip10(policy.venue.chain, policy.venue.address),
            "epoch": policy.signers.epoch,
            "n": len(policy.signers.addresses),
            "k": policy.signers.k,
            "f": policy.signers.f,
            "signers": [to_hex(address) for address in policy.signers.addresses],
            "frame_s": policy.frame_s,
            "lifetime_s": policy.lifetime_s,
        }
    )


def root_document(signed: SignedRoot) -> JsonObject:
    """Return a root as JSON, integers above 53 bits never occur in it."""
    root = signed.root
    return {
        "policy_id": to_hex(root.policy_id),
        "frame": root.frame,
        "as_of": root.as_of,
        "valid_until": root.valid_until,
        "skew": root.skew,
        "signer_epoch": root.signer_epoch,
        "leaf_count": root.leaf_count,
        "snapshot_root": to_hex(root.snapshot_root),
        "accounts_root": to_hex(root.accounts_root),
    }


def leaf_document(leaf: MarginLeaf) -> JsonObject:
    """Return a leaf as JSON: wire numbers for enumerations, decimal strings for money."""
    return {
        "account_id": to_hex(leaf.account_id),
        "venue_id": to_hex(leaf.venue_id),
        "status": int(leaf.status),
        "status_name": leaf.status.name.lower(),
        "assurance": int(leaf.assurance),
        "quality": int(leaf.quality),
        "quality_names": quality_names(leaf.quality),
        "collateral_usd": str(leaf.collateral_usd),
        "liability_usd": str(leaf.liability_usd),
        "initial_margin_usd": str(leaf.initial_margin_usd),
        "maintenance_margin_usd": str(leaf.maintenance_margin_usd),
        "legs_root": to_hex(leaf.legs_root),
    }


def _flag_document(flag: Flag) -> JsonObject:
    return {
        "account": to_hex(flag.account),
        "state": str(flag.state),
        "status": flag.status.name.lower(),
        "since_frame": flag.since_frame,
        "last_frame": flag.last_frame,
        "raised_assurance": int(flag.raised_assurance),
        "frames_above": flag.frames_above,
        "reasons": list(flag.reasons),
    }


def _listing(name: str, frame: int, bodies: Sequence[bytes], following: str | None) -> bytes:
    head = orjson.dumps({"schema": f"{name}@1", "frame": frame, "next": following})
    return b"%s,%s:[%s]}" % (head[:-1], orjson.dumps(name), b",".join(bodies))


def _address(policy: Policy, account: AccountId) -> str | None:
    try:
        return caip10(policy.venue.chain, address_of_account(account))
    except ValueError:
        return None  # bytes32 of a lock that names no address: nobody can own it, it is shown as it is
