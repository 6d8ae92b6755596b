"""`policy.toml` as text: its keys, and the way from text to the domain type.

Public and hashed: policyId = keccak256(RFC 8785 form of the document). What is canonicalised is the parsed TOML
document *as written*: every key that stands in the file with its value (strings, integers, booleans, lists, tables),
none that does not, no default filled in, no case changed. Comments, order of keys, blanks and the TOML spelling of a
table do not matter; a default written out, or the same address in another case, is another document with another id.

Numbers are integers or decimal strings; floats and unknown keys are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import rfc8785
from pydantic import Field, PlainValidator, StrictBool, StrictInt, StrictStr, ValidationError

from proofs.keccak import keccak256
from proofs.types import Finality, Hash32
from relayer.config.document import Document, faults_of, parse_toml, read_text
from relayer.config.fields import (
    AddressText,
    AssetText,
    ChainText,
    Count,
    Decimals,
    HashText,
    MultipleText,
    NameText,
    PpmNumber,
    Seconds,
    Slot,
    SymbolText,
    Table,
    UsdText,
    WeightText,
)
from relayer.config.policy import Policy
from relayer.config.policy_storage import CodeTable, SourceStorage
from relayer.errors import ConfigError

FinalityText = Literal["latest", "safe", "finalized"]
EncumbranceText = Literal["escrowed", "protocol_locked", "approved", "free"]


class Confirmations(Table):
    """`finality = { confirmations = n }`."""

    confirmations: Annotated[StrictInt, Field(ge=1, le=100_000)]


def _finality(value: object) -> FinalityText | Confirmations:
    if value in ("latest", "safe", "finalized"):
        return value
    if isinstance(value, dict) and set(value) == {"confirmations"}:
        return Confirmations.model_validate(value)
    raise ValueError('unknown finality; write "latest", "safe", "finalized" or { confirmations = n }')


class ProviderRule(Table):
    """`[providers]`: how many RPC providers and operators a relayer must have per chain."""

    configured_min: Count
    operators_min: Count


class Band(Table):
    """`[[assurance]]`: the assurance that a leg of that marked value must have; the last band has no bound."""

    up_to_usd: UsdText | None = None
    level: Annotated[StrictInt, Field(ge=0, le=3)]


class StatusRule(Table):
    """`[status]`: levels as multiples of maintenance margin."""

    warning: MultipleText
    margin_call: MultipleText
    clear: MultipleText
    dwell_frames: Annotated[StrictInt, Field(ge=1, le=1000)]


class EncumbranceWeights(Table):
    """`[encumbrance]`: the share that counts, by class."""

    escrowed: WeightText
    protocol_locked: WeightText
    approved: WeightText
    free: WeightText


class ChainTable(Table):
    """`[[chain]]`: when and how a chain's block counts."""

    id: ChainText
    lag_s: Seconds
    finality: Annotated[
        FinalityText | Confirmations, PlainValidator(_finality, json_schema_input_type=FinalityText | Confirmations)
    ]
    bridge_haircut_ppm: PpmNumber
    devnet: StrictBool = False


class Place(Table):
    """`[[asset.places]]`: where an asset exists, and its decimals there."""

    id: AssetText
    decimals: Decimals


class AssetTable(Table):
    """`[[asset]]`: one asset, many places."""

    symbol: SymbolText
    haircut_initial_ppm: PpmNumber
    haircut_maintenance_ppm: PpmNumber
    places: Annotated[list[Place], Field(min_length=1, max_length=64)]


class BaseSlot(Table):
    """Name the one base slot of a mapping or of a packed value."""

    base: Slot


class PriceTable(CodeTable):
    """`[[price]]`: one feed of an asset's USD price."""

    asset: SymbolText
    chain: ChainText
    kind: StrictStr
    address: AddressText
    decimals: Decimals
    heartbeat_s: Annotated[StrictInt, Field(ge=1, le=31_536_000)]
    deviation_ppm_max: PpmNumber
    storage: BaseSlot | None = None


class SourceTable(SourceStorage):
    """`[[source]]`: where collateral is read; `native` has no address, a LockBox has a release delay."""

    kind: StrictStr
    chain: ChainText
    address: AddressText | None = None
    encumbrance: EncumbranceText
    release_delay_s: Annotated[StrictInt, Field(ge=1, le=31_536_000)] | None = None


class VenueSlots(Table):
    """`[venue.storage]`: base slots of the venue's mappings and of its account list."""

    markets_base: Slot
    positions_base: Slot
    accounts_base: Slot


class Market(Table):
    """`[[venue.market]]`: one market and what its positions require."""

    id: HashText
    symbol: SymbolText
    initial_margin_ppm: PpmNumber
    maintenance_margin_ppm: PpmNumber


class VenueTable(CodeTable):
    """`[venue]`: the venue, its verifier, and its markets."""

    chain: ChainText
    address: AddressText
    verifier: AddressText
    storage: VenueSlots | None = None
    market: Annotated[list[Market], Field(min_length=1, max_length=1024)]


class SignersTable(Table):
    """`[signers]`: the set that the verifier contract is expected to hold."""

    addresses: Annotated[list[AddressText], Field(min_length=1, max_length=32)]
    k: Annotated[StrictInt, Field(ge=1, le=32)]
    f: Annotated[StrictInt, Field(ge=0, le=31)]
    epoch: Annotated[StrictInt, Field(ge=0)]


class PolicyDocument(Table):
    """All of `policy.toml`."""

    name: NameText
    version: Annotated[StrictInt, Field(ge=1)]
    frame_s: Annotated[StrictInt, Field(ge=1, le=86_400)]
    deadline_s: Annotated[StrictInt, Field(ge=1, le=86_400)]
    lifetime_s: Annotated[StrictInt, Field(ge=1, le=604_800)]
    skew_s_max: Seconds
    dust_usd: UsdText
    rule_set: StrictStr
    providers: ProviderRule
    assurance: Annotated[list[Band], Field(min_length=1, max_length=16)]
    status: StatusRule
    encumbrance: EncumbranceWeights
    chain: Annotated[list[ChainTable], Field(min_length=1, max_length=64)]
    asset: Annotated[list[AssetTable], Field(min_length=1, max_length=256)]
    price: Annotated[list[PriceTable], Field(min_length=1, max_length=1024)]
    source: Annotated[list[SourceTable], Field(min_length=1, max_length=1024)]
    venue: VenueTable
    signers: SignersTable


def load_policy(path: Path) -> Policy:
    """Read, check and expand a policy file.

    Raises: ConfigError naming every faulty key and its fix.
    """
    return parse_policy(read_text(path), str(path))


def parse_policy(text: str, source: str = "policy.toml") -> Policy:
    """Check and expand a policy's TOML text; `source` names it in errors.

    Raises: ConfigError naming every faulty key and its fix.
    """
    from relayer.config.policy_expansion import policy_of
    from relayer.config.policy_rules import faults_in

    document = parse_toml(text, source)
    model = parse_policy_document(document, source)
    faults = faults_in(model)
    if faults:
        raise ConfigError(source, *faults)
    canonical = canonical_text(document)
    return policy_of(model, canonical, policy_id_of(canonical))


def parse_policy_document(document: Document, source: str) -> PolicyDocument:
    """Check a document's keys and types, not yet what refers to what.

    Raises: ConfigError.
    """
    try:
        return PolicyDocument.model_validate(document)
    except ValidationError as error:
        raise ConfigError(source, *faults_of(error)) from None


def canonical_text(document: Document) -> bytes:
    """Return the RFC 8785 form of a document as written."""
    canonical: bytes = rfc8785.dumps(document)  # type: ignore[arg-type]  # checked to be JSON by parse_toml
    return canonical


def policy_id_of(canonical: bytes) -> Hash32:
    """Return the keccak-256 of a policy's canonical text."""
    return Hash32(keccak256(canonical))


def finality_of(text: FinalityText | Confirmations) -> tuple[Finality, int]:
    """Return the finality class and the confirmations that a `finality` value means."""
    if isinstance(text, Confirmations):
        return Finality.CONFIRMATIONS, text.confirmations
    return {"latest": Finality.LATEST, "safe": Finality.SAFE, "finalized": Finality.FINALIZED}[text], 0
