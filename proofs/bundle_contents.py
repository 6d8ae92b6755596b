"""What an evidence bundle of one frame holds, and its files.

    manifest.json          schema, tool, domain, signer set, devnets, watched accounts, frame, and of each chain its
                           block or why it is missing
    policy.json            the policy's canonical text; its keccak-256 is the policy id
    root.json              the root with its digest; signatures.json the blob, empty where nobody signed
    anchors.json           one anchor per chain of the policy
    leaves.json            all leaves, rising by account id
    legs/NNNN.json         the legs of a thousand leaves each, in the leaves' order, sorted as their tree
    prices.json            what the rule set made of the feeds
    computation/NNNN.json  every integer between readings and leaves, of the same thousand accounts
    per chain              header, questions, sheet and proofs: see `proofs.bundle_readings`

Reading back refuses whatever writing would not have written; that the parts fit together is `proofs.bundle`'s to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from proofs.attestation import (
    ANCHOR_CODEC,
    LEAF_CODEC,
    LEG_CODEC,
    ROOT_CODEC,
    ChainAnchor,
    Domain,
    MarginLeaf,
    MarginLeg,
    MarginRoot,
    SignedRoot,
    leg_key,
)
from proofs.bundle_readings import read_reading, reading_file_names, reading_files
from proofs.bundle_text import (
    TEXT_CHARS_MAX,
    Json,
    Reader,
    hex_text,
    read_struct,
    read_text,
    require_canonical,
    struct_json,
    to_text,
)
from proofs.errors import ConstructionRefused, InvalidBundle, LimitExceeded
from proofs.signers import SignerSet
from proofs.snapshot import Anchor, ChainReading, Outcome, Reason, Snapshot, Unavailable, Votes
from proofs.types import AccountId, Address, BlockRef, ChainId, Finality, Hash32, parse_chain_id

SCHEMA: Final = "margin-evidence@1"
MANIFEST: Final = "manifest.json"
POLICY: Final = "policy.json"
ROOT: Final = "root.json"
SIGNATURES: Final = "signatures.json"
ANCHORS: Final = "anchors.json"
LEAVES: Final = "leaves.json"
PRICES: Final = "prices.json"
LEGS_PER_FILE: Final = 1000
_ACCOUNT_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class BundleContents:
    """Hold one frame's evidence. `legs[i]` are the legs of `leaves[i]`; `tool` names who wrote it, in a few words.

    `watched` are accounts that were asked about although no contract need name them: a look at a few accounts, which is
    never signed. `prices` and `computation` (a text for every thousand accounts) are canonical JSON of the rule set's
    making; here they are only kept.
    """

    tool: str
    policy_text: bytes
    domain: Domain
    signers: SignerSet
    devnets: frozenset[ChainId]
    snapshot: Snapshot
    anchors: tuple[ChainAnchor, ...]
    leaves: tuple[MarginLeaf, ...]
    legs: tuple[tuple[MarginLeg, ...], ...]
    signed: SignedRoot
    prices: bytes = b"{}"
    computation: tuple[bytes, ...] = ()
    watched: tuple[AccountId, ...] = ()

    @property
    def is_signed(self) -> bool:
        """Tell whether there is any signature; whether it is good is `proofs.bundle`'s to say."""
        return bool(self.signed.signatures)


def legs_file(number: int) -> str:
    """Return the name of a file of legs."""
    return f"legs/{number:04d}.json"


def computation_file(number: int) -> str:
    """Return the name of a file of computations."""
    return f"computation/{number:04d}.json"


def bundle_files(contents: BundleContents) -> dict[str, bytes]:
    """Return the files of a bundle by name, without their sums: an archive's contents, or a directory's.

    Nothing is checked: for contents that the caller made itself and knows to be whole; see `checked_files`.
    """
    signed = contents.signed
    files = {
        MANIFEST: to_text(_manifest_json(contents)),
        POLICY: contents.policy_text,
        ROOT: to_text({"root": struct_json(ROOT_CODEC, signed.root), "digest": hex_text(signed.digest)}),
        SIGNATURES: to_text({"signatures": hex_text(signed.signatures)}),
        ANCHORS: to_text([struct_json(ANCHOR_CODEC, anchor) for anchor in contents.anchors]),
        LEAVES: to_text([struct_json(LEAF_CODEC, leaf) for leaf in contents.leaves]),
        PRICES: contents.prices,
    }
    files.update({computation_file(number): text for number, text in enumerate(contents.computation)})
    for number in range(_legs_files(len(contents.leaves))):
        part = contents.legs[number * LEGS_PER_FILE : (number + 1) * LEGS_PER_FILE]
        legs: Json = [[struct_json(LEG_CODEC, leg) for leg in sorted(legs, key=leg_key)] for legs in part]
        files[legs_file(number)] = to_text(legs)
    for outcome in contents.snapshot.outcomes:
        if isinstance(outcome, ChainReading):
            files.update(reading_files(outcome))
    return files


def checked_files(contents: BundleContents) -> dict[str, bytes]:
    """Return the files of a bundle after reading them back, which takes five times as long as writing them.

    Raises `ConstructionRefused` for contents that would not be read back as they are.
    """
    files = bundle_files(contents)
    try:
        contents_from_files(files)
    except (InvalidBundle, LimitExceeded) as fault:
        raise ConstructionRefused("bundle", str(fault)) from fault
    return files


def contents_from_files(files: Mapping[str, bytes]) -> BundleContents:
    """Read a bundle's files, sums already checked.

    Raises `InvalidBundle` naming the file; one that nothing refers to is refused too.
    """
    manifest = read_text(_content(files, MANIFEST), MANIFEST)
    schema, tool, domain, signers, devnets, watched, frame, chains = manifest.members(
        "schema", "tool", "domain", "signers", "devnets", "watched", "frame_s", "chains"
    )
    if schema.text() != SCHEMA:
        raise schema.refuse("value", f"expected {SCHEMA}")
    for file in (POLICY, PRICES):
        require_canonical(_content(files, file), file)
    outcomes = _read_outcomes(chains, files)
    leaves = _structs(files, LEAVES).each(lambda leaf: read_struct(LEAF_CODEC, MarginLeaf, leaf))
    contents = BundleContents(
        tool.text(),
        files[POLICY],
        _read_domain(domain),
        _read_signers(signers),
        frozenset(devnets.each(_read_chain_id)),
        Snapshot(frame.integer(), outcomes),
        _structs(files, ANCHORS).each(lambda anchor: read_struct(ANCHOR_CODEC, ChainAnchor, anchor)),
        leaves,
        _read_legs(files, len(leaves)),
        _read_signed(files),
        files[PRICES],
        _read_computation(files, len(leaves)),
        watched.each(lambda account: AccountId(account.binary(_ACCOUNT_BYTES))),
    )
    _require_all(files, contents)
    return contents


def _require_all(files: Mapping[str, bytes], contents: BundleContents) -> None:
    """Refuse files that nothing refers to, and lists in the manifest in other than their one order."""
    known = {MANIFEST, POLICY, ROOT, SIGNATURES, ANCHORS, LEAVES, PRICES}
    for number in range(_legs_files(len(contents.leaves))):
        known.update((legs_file(number), computation_file(number)))
    for outcome in contents.snapshot.outcomes:
        if isinstance(outcome, ChainReading):
            known.update(reading_file_names(outcome.chain))
    surplus = files.keys() - known
    if surplus:
        raise InvalidBundle(min(surplus), "file_unknown")
    if files[MANIFEST] != to_text(_manifest_json(contents)):
        raise InvalidBundle(MANIFEST, "json_order", "chains, devnets or watched accounts do not rise")


def _content(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise InvalidBundle(name, "file_missing")
    return files[name]


def _structs(files: Mapping[str, bytes], name: str) -> Reader:
    return read_text(_content(files, name), name)


# --- attestation -----------------------------------------------------------------------------------------------------


def _legs_files(leaf_count: int) -> int:
    return -(-leaf_count // LEGS_PER_FILE)


def _read_legs(files: Mapping[str, bytes], leaf_count: int) -> tuple[tuple[MarginLeg, ...], ...]:
    legs: list[tuple[MarginLeg, ...]] = []
    for number in range(_legs_files(leaf_count)):
        name = legs_file(number)
        part = _structs(files, name).each(_read_leaf_legs)
        if len(part) != min(LEGS_PER_FILE, leaf_count - number * LEGS_PER_FILE):
            raise InvalidBundle(name, "leg_count", f"legs of {len(part)} leaves")
        legs += part
    return tuple(legs)


def _read_leaf_legs(reader: Reader) -> tuple[MarginLeg, ...]:
    legs = reader.each(lambda leg: read_struct(LEG_CODEC, MarginLeg, leg))
    keys = [leg_key(leg) for leg in legs]
    if any(before >= after for before, after in pairwise(keys)):
        raise reader.refuse("leg_order", "legs do not rise by their keys")
    return legs


def _read_computation(files: Mapping[str, bytes], leaf_count: int) -> tuple[bytes, ...]:
    """Take the computations as they are: all files of them, or none."""
    names = [computation_file(number) for number in range(_legs_files(leaf_count))]
    if not any(name in files for name in names):
        return ()
    for name in names:
        require_canonical(_content(files, name), name)
    return tuple(files[name] for name in names)


def _read_signed(files: Mapping[str, bytes]) -> SignedRoot:
    root, digest = read_text(_content(files, ROOT), ROOT).members("root", "digest")
    (signatures,) = read_text(_content(files, SIGNATURES), SIGNATURES).members("signatures")
    return SignedRoot(read_struct(ROOT_CODEC, MarginRoot, root), Hash32(digest.binary(32)), signatures.binary())


# --- manifest --------------------------------------------------------------------------------------------------------


def _manifest_json(contents: BundleContents) -> Json:
    domain, signers = contents.domain, contents.signers
    outcomes = sorted(contents.snapshot.outcomes, key=lambda outcome: outcome.chain)
    return {
        "schema": SCHEMA,
        "tool": contents.tool,
        "domain": {
            "chain_number": str(domain.chain_number),
            "verifying_contract": hex_text(domain.verifying_contract),
        },
        "signers": {
            "addresses": [hex_text(address) for address in signers.addresses],
            "k": str(signers.k),
            "f": str(signers.f),
        },
        "devnets": list[Json](sorted(contents.devnets)),
        "watched": [hex_text(account) for account in sorted(set(contents.watched))],
        "frame_s": str(contents.snapshot.frame_s),
        "chains": [_outcome_json(outcome) for outcome in outcomes],
    }


def _outcome_json(outcome: Outcome) -> Json:
    if isinstance(outcome, Unavailable):
        return {
            "chain": outcome.chain,
            "block": None,
            "missing": {
                "reason": outcome.reason.value,
                "detail": outcome.detail[:TEXT_CHARS_MAX],  # what many providers said, one after the other
                "providers": list[Json](outcome.providers),
                "dishonest": outcome.dishonest,
            },
        }
    block = outcome.anchor.block
    stated: Json = {
        "number": str(block.number),
        "hash": hex_text(block.hash),
        "parent_hash": hex_text(block.parent_hash),
        "state_root": hex_text(block.state_root),
        "timestamp_s": str(block.timestamp_s),
        "finality": str(int(outcome.anchor.finality)),
        "votes": _votes_json(outcome.anchor.votes),
        "sheet_votes": _votes_json(outcome.sheet_votes),
    }
    return {"chain": outcome.chain, "block": stated, "missing": None}


def _votes_json(votes: Votes) -> Json:
    return {"agreed": list[Json](votes.agreed), "configured": str(votes.configured), "reached": votes.reached}


def _read_outcomes(reader: Reader, files: Mapping[str, bytes]) -> tuple[Outcome, ...]:
    stated = [entry.members("chain", "block", "missing") for entry in reader.items()]
    chains = [_read_chain_id(name) for name, _, _ in stated]
    if len(set(chains)) != len(chains):
        raise reader.refuse("value", "a chain comes twice")
    entries = zip(chains, stated, strict=True)
    return tuple(_read_outcome(chain, block, missing, files) for chain, (_, block, missing) in entries)


def _read_outcome(chain: ChainId, block: Reader, missing: Reader, files: Mapping[str, bytes]) -> Outcome:
    unavailable = missing.optional(lambda stated: _read_missing(stated, chain))
    anchored = block.optional(lambda stated: _read_block(stated, chain))
    if (unavailable is None) == (anchored is None):
        raise block.refuse("value", "either a block or the reason why it is missing")
    if anchored is not None:
        return read_reading(files, *anchored)
    assert unavailable is not None
    return unavailable


def _read_missing(reader: Reader, chain: ChainId) -> Unavailable:
    reason, detail, providers, dishonest = reader.members("reason", "detail", "providers", "dishonest")
    return Unavailable(
        chain, reason.member_of(Reason, Reader.text), detail.text(), providers.each(Reader.text), dishonest.truth()
    )


def _read_block(reader: Reader, chain: ChainId) -> tuple[Anchor, Votes]:
    number, block_hash, parent, state_root, timestamp, finality, votes, sheet_votes = reader.members(
        "number", "hash", "parent_hash", "state_root", "timestamp_s", "finality", "votes", "sheet_votes"
    )
    block = BlockRef(
        chain,
        number.integer(),
        Hash32(block_hash.binary(32)),
        Hash32(parent.binary(32)),
        Hash32(state_root.binary(32)),
        timestamp.integer(),
    )
    anchor = Anchor(block, b"", finality.member_of(Finality, Reader.integer), _read_votes(votes))
    return anchor, _read_votes(sheet_votes)


def _read_votes(reader: Reader) -> Votes:
    agreed, configured, reached = reader.members("agreed", "configured", "reached")
    return Votes(agreed.each(Reader.text), configured.integer(), reached.truth())


def _read_chain_id(reader: Reader) -> ChainId:
    return reader.checked(lambda: parse_chain_id(reader.text()))


def _read_domain(reader: Reader) -> Domain:
    chain_number, contract = reader.members("chain_number", "verifying_contract")
    return Domain(chain_number.integer(), Address(contract.binary(20)))


def _read_signers(reader: Reader) -> SignerSet:
    addresses, k, f = reader.members("addresses", "k", "f")
    members = addresses.each(lambda address: Address(address.binary(20)))
    return reader.checked(lambda: SignerSet(members, k.integer(), f.integer()))
