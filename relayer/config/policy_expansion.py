"""A checked document to the domain type: sources x places become columns, each with what it is worth.

| column | asked of | rows |
|---|---|---|
| `<chain>/lockbox:<box>/<asset id>` | locks to the venue of one asset | account ids |
| `<chain>/native` | balance of the native coin | home addresses |
| `<chain>/erc20:<token>` | token balance | home addresses |
| `<chain>/frozen:<token>` | whether the token has frozen the holder | home addresses |
| `<chain>/perp_venue:<venue>/<market>` | position: size, entry value, accrued | account ids |
| `<chain>/<price kind>:<feed>` | a feed's round | one, b"" |

Lists: `<chain>/lockbox:<box>` per LockBox and `<chain>/perp_venue:<venue>`. Addresses and ids in lower case.
"""

from __future__ import annotations

from collections.abc import Iterator

from chains.finality import FinalityRule
from chains.questions import ListQuestion, Question
from proofs.keccak import keccak256
from proofs.types import (
    ZERO_ADDRESS,
    Address,
    AssetId,
    Assurance,
    ChainId,
    Encumbrance,
    Hash32,
    LegKind,
    MarketId,
    evm_chain_number,
    parse_address,
    parse_hash,
    to_hex,
)
from proofs.units import Ppm, UsdE18, parse_decimal
from relayer.config.fields import asset_id_parts
from relayer.config.policy import ChainPolicy, Policy, SignerSet, Venue
from relayer.config.policy_document import (
    AssetTable,
    BaseSlot,
    EncumbranceWeights,
    PolicyDocument,
    SourceTable,
    finality_of,
)
from relayer.config.policy_storage import frozen_of, layout_of, pins_of, source_pins
from relayer.margin.rules import (
    AssetRule,
    AssuranceBand,
    CollateralSource,
    MarginRules,
    PositionSource,
    PriceSource,
    StatusLevels,
)

_Expanded = tuple[Question, CollateralSource]


def policy_of(document: PolicyDocument, canonical: bytes, policy_id: Hash32) -> Policy:
    """Expand a document that passed every check."""
    venue = _venue(document)
    collateral = tuple(pair for source in document.source for pair in _collateral(document, source, venue))
    positions, prices = tuple(_positions(document, venue)), tuple(_prices(document))
    return Policy(
        name=document.name,
        version=document.version,
        policy_id=policy_id,
        canonical=canonical,
        frame_s=document.frame_s,
        deadline_s=document.deadline_s,
        lifetime_s=document.lifetime_s,
        skew_s_max=document.skew_s_max,
        providers_configured_min=document.providers.configured_min,
        providers_operators_min=document.providers.operators_min,
        chains=_chains(document),
        venue=venue,
        signers=_signers(document),
        lists=tuple(_lists(document, venue)),
        questions=(
            *(question for question, _ in collateral),
            *_frozen_questions(document),
            *(question for question, _ in (*positions, *prices)),
        ),
        rules=MarginRules(
            rule_set=document.rule_set,
            venue_id=venue.venue_id,
            venue_chain=venue.chain,
            dust_usd=UsdE18(parse_decimal(document.dust_usd, 18)),
            assets=tuple(_asset_rule(asset) for asset in document.asset),
            collateral=tuple(source for _, source in collateral),
            positions=tuple(source for _, source in positions),
            prices=tuple(source for _, source in prices),
            encumbrance_ppm=_weights(document.encumbrance),
            assurance=_bands(document),
            status=_levels(document),
        ),
    )


def venue_id_of(chain: ChainId, venue: Address) -> Hash32:
    """Return keccak256(abi.encode(chainId, venue)), the venue's id in leaves and locks."""
    return Hash32(keccak256(evm_chain_number(chain).to_bytes(32, "big") + venue.rjust(32, b"\0")))


def _venue(document: PolicyDocument) -> Venue:
    table = document.venue
    chain, address = ChainId(table.chain), parse_address(table.address)
    return Venue(chain, address, parse_address(table.verifier), venue_id_of(chain, address))


def _chains(document: PolicyDocument) -> tuple[ChainPolicy, ...]:
    return tuple(
        ChainPolicy(
            ChainId(chain.id),
            chain.lag_s,
            FinalityRule(*finality_of(chain.finality)),
            Ppm(chain.bridge_haircut_ppm),
            chain.devnet,
        )
        for chain in document.chain
    )


def _signers(document: PolicyDocument) -> SignerSet:
    table = document.signers
    return SignerSet(tuple(parse_address(text) for text in table.addresses), table.k, table.f, table.epoch)


def _lists(document: PolicyDocument, venue: Venue) -> Iterator[ListQuestion]:
    for source in document.source:
        if source.kind == "lockbox":
            box = _contract(source.address)
            name = f"{source.chain}/lockbox:{to_hex(box)}"
            yield ListQuestion(
                name,
                ChainId(source.chain),
                "lockbox",
                box,
                venue.venue_id,
                code_hash=_pin(source.code_hash),
                pins=source_pins(source, box),
            )
    table = document.venue
    storage = (("accounts_base", table.storage.accounts_base),) if table.storage else ()
    name = f"{venue.chain}/perp_venue:{to_hex(venue.address)}"
    pin, pins = _pin(table.code_hash), pins_of(table, venue.address)
    yield ListQuestion(name, venue.chain, "perp_venue", venue.address, venue.venue_id, storage, pin, pins)


def _collateral(document: PolicyDocument, source: SourceTable, venue: Venue) -> Iterator[_Expanded]:
    for asset in document.asset:
        for place in asset.places:
            chain, token = asset_id_parts(place.id)
            if chain == source.chain and _holds(source, token):
                asset_id = AssetId(f"{chain}/erc20:{token}" if token else place.id)
                question = _holding_question(source, asset_id, token, venue)
                yield question, _holding(document, source, question, asset, place.decimals, asset_id)


def _holds(source: SourceTable, token: str) -> bool:
    if source.kind == "lockbox":
        return True
    return token == (source.address or "").lower()


def _holding_question(source: SourceTable, asset_id: AssetId, token: str, venue: Venue) -> Question:
    chain, pin = ChainId(source.chain), _pin(source.code_hash)
    if source.kind == "lockbox":
        box = _contract(source.address)
        column = f"{chain}/lockbox:{to_hex(box)}/{asset_id}"
        asset = parse_address(token) if token else ZERO_ADDRESS
        pins = source_pins(source, box)
        return Question(column, chain, "lockbox", box, asset, venue.venue_id, code_hash=pin, pins=pins)
    if source.kind == "native":
        return Question(f"{chain}/native", chain, "native", ZERO_ADDRESS, ZERO_ADDRESS)
    address = _contract(source.address)
    column = f"{chain}/erc20:{to_hex(address)}"
    layout, pins = layout_of(source.storage), source_pins(source, address)
    return Question(column, chain, "erc20", address, address, code_hash=pin, layout=layout, pins=pins)


def _frozen_questions(document: PolicyDocument) -> Iterator[Question]:
    for source in document.source:
        mark = frozen_of(source)
        if mark is not None:
            address = _contract(source.address)
            column, (getter, layout) = _frozen_column(source), mark
            pin, pins = _pin(source.code_hash), source_pins(source, address)
            yield Question(
                column, ChainId(source.chain), "frozen", address, code_hash=pin, layout=layout, getter=getter, pins=pins
            )


def _frozen_column(source: SourceTable) -> str:
    return f"{source.chain}/frozen:{to_hex(_contract(source.address))}"


def _holding(
    document: PolicyDocument,
    source: SourceTable,
    question: Question,
    asset: AssetTable,
    decimals: int,
    asset_id: AssetId,
) -> CollateralSource:
    bridge = next(chain.bridge_haircut_ppm for chain in document.chain if chain.id == source.chain)
    is_lock = source.kind == "lockbox"
    return CollateralSource(
        column=question.column,
        chain=question.chain,
        symbol=asset.symbol,
        asset=asset_id,
        decimals=decimals,
        kind=LegKind.LOCK if is_lock else LegKind.BALANCE,
        encumbrance=Encumbrance[source.encumbrance.upper()],
        bridge_haircut_ppm=Ppm(bridge),
        holder=question.target if is_lock else None,
        frozen_column=None if frozen_of(source) is None else _frozen_column(source),
    )


def _positions(document: PolicyDocument, venue: Venue) -> Iterator[tuple[Question, PositionSource]]:
    table = document.venue
    slots = table.storage
    storage = (("markets_base", slots.markets_base), ("positions_base", slots.positions_base)) if slots else ()
    pin, pins = _pin(table.code_hash), pins_of(table, venue.address)
    for market in table.market:
        market_id = MarketId(parse_hash(market.id))
        column = f"{venue.chain}/perp_venue:{to_hex(venue.address)}/{to_hex(market_id)}"
        question = Question(
            column, venue.chain, "perp_venue", venue.address, None, venue.venue_id, market_id, storage, pin, pins=pins
        )
        yield (
            question,
            PositionSource(
                column,
                venue.chain,
                market_id,
                market.symbol,
                Ppm(market.initial_margin_ppm),
                Ppm(market.maintenance_margin_ppm),
            ),
        )


def _prices(document: PolicyDocument) -> Iterator[tuple[Question, PriceSource]]:
    for price in document.price:
        chain, feed = ChainId(price.chain), parse_address(price.address)
        column = f"{chain}/{price.kind}:{to_hex(feed)}"
        storage, pin = _base(price.storage), _pin(price.code_hash)
        question = Question(column, chain, price.kind, feed, storage=storage, code_hash=pin, pins=pins_of(price, feed))
        deviation = Ppm(price.deviation_ppm_max)
        yield question, PriceSource(column, chain, price.asset, price.decimals, price.heartbeat_s, deviation)


def _asset_rule(asset: AssetTable) -> AssetRule:
    return AssetRule(asset.symbol, Ppm(asset.haircut_initial_ppm), Ppm(asset.haircut_maintenance_ppm))


def _weights(table: EncumbranceWeights) -> tuple[tuple[Encumbrance, Ppm], ...]:
    return (
        (Encumbrance.ESCROWED, _ppm(table.escrowed)),
        (Encumbrance.PROTOCOL_LOCKED, _ppm(table.protocol_locked)),
        (Encumbrance.APPROVED, _ppm(table.approved)),
        (Encumbrance.FREE, _ppm(table.free)),
    )


def _bands(document: PolicyDocument) -> tuple[AssuranceBand, ...]:
    return tuple(
        AssuranceBand(
            None if band.up_to_usd is None else UsdE18(parse_decimal(band.up_to_usd, 18)), Assurance(band.level)
        )
        for band in document.assurance
    )


def _levels(document: PolicyDocument) -> StatusLevels:
    status = document.status
    return StatusLevels(_ppm(status.warning), _ppm(status.margin_call), _ppm(status.clear), status.dwell_frames)


def _ppm(text: str) -> Ppm:
    return Ppm(parse_decimal(text, 6))


def _base(storage: BaseSlot | None) -> tuple[tuple[str, int], ...]:
    return (("base", storage.base),) if storage else ()


def _pin(text: str | None) -> Hash32 | None:
    return None if text is None else parse_hash(text)


def _contract(text: str | None) -> Address:
    if text is None:
        raise ValueError("a checked source of this kind names its contract")
    return parse_address(text)
