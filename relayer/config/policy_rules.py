"""What must hold between the keys of a policy. Every rule yields faults, so that one run names all of them.

| rule | why |
|---|---|
| lifetime > lag + finality + deadline + 2 frames | else an attestation may expire before the next one exists |
| release delay >= lifetime + lag + finality + deadline + 1 frame | else a lock leaves before what counted it expires |
| 2k - n > f and k <= n - f | two quorums share an honest signer; f silent signers do not stop it |
| IM >= MM, initial haircut >= maintenance haircut | opening is never easier than keeping |
| weights fall with the encumbrance class, levels fall with severity | a policy that says otherwise is a slip |
| one place, one asset; one feed, one asset | a column means one thing |
| devnets alone, or real networks alone | a devnet's one provider must not prop up a real leaf |
| a code pin wherever a storage layout is relied on (not on devnets) | a layout holds for the code it was derived from |
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from types import MappingProxyType
from typing import Final

from chains.network import load_networks
from chains.readers import PRICES
from proofs.types import ChainId, evm_chain_number, to_hex
from proofs.units import parse_decimal
from relayer.config.fields import asset_id_parts
from relayer.config.policy_document import ChainTable, Confirmations, PolicyDocument, SourceTable
from relayer.config.policy_storage import BALANCE_LAYOUTS, FLAG_LAYOUTS, Pinned, unpinned
from relayer.errors import Fault

RULE_SETS: Final = ("cross_perp@1",)
PROVIDERS_MIN: Final = 3
"""Two thirds of two is two: one outage would stop it. Outside devnets a chain has at least three."""
OPERATORS_MIN: Final = 2
DEVNET_NUMBER: Final = 31337
"""A chain is a devnet iff its number divided by 1000 is this; `MarginGuard` tells devnets by the same rule."""
ASSURANCE_READABLE_MAX: Final = 2
"""No reader of this version authenticates headers (level 3); a band that asks for it could never be met."""

SLOT_S: Final = 12
EPOCH_S: Final = 32 * SLOT_S
FINALITY_S: Final = MappingProxyType({"latest": 0, "safe": 2 * EPOCH_S, "finalized": 3 * EPOCH_S})
"""Ethereum: a checkpoint is justified within two epochs and finalised within three; roll-ups follow Ethereum's tags."""
DEVNET_FINALITY_S: Final = 3
"""anvil with one slot an epoch and one block a second: finalised two blocks behind the head, and one to see it."""

COLLATERAL_ENCUMBRANCE: Final = MappingProxyType({"lockbox": "escrowed", "native": "free", "erc20": "free"})
"""The kinds of `chains.readers.COLLATERAL`, and the one class each of them can truthfully claim."""


def faults_in(document: PolicyDocument) -> tuple[Fault, ...]:
    """Return every fault between keys, in document order."""
    return tuple(fault for rule in _RULES for fault in rule(document))


def finality_s(chain: ChainTable) -> int:
    """Return how many seconds after its timestamp a block is final by the chain's rule, as an upper bound."""
    if chain.devnet:
        return DEVNET_FINALITY_S
    if isinstance(chain.finality, Confirmations):
        network = load_networks().get(ChainId(chain.id))
        block_ms = 1000 * SLOT_S if network is None else network.block_time_ms
        return -(-chain.finality.confirmations * block_ms // 1000)
    return FINALITY_S[chain.finality]


def signer_set_problem(n: int, k: int, f: int) -> str:
    """Return what is wrong with the arithmetic of a signer set, or nothing."""
    if 2 * k - n <= f:
        return f"2k - n > f does not hold: 2*{k} - {n} = {2 * k - n}, f = {f}"
    if k > n - f:
        return f"k <= n - f does not hold: k = {k}, n - f = {n - f}"
    return ""


def _lifetime(document: PolicyDocument) -> Iterator[Fault]:
    slowest = max(document.chain, key=lambda chain: chain.lag_s + finality_s(chain))
    least = slowest.lag_s + finality_s(slowest) + document.deadline_s + 2 * document.frame_s
    if document.lifetime_s <= least:
        terms = f"lag + finality of {slowest.id} + deadline_s + 2 x frame_s = {least}"
        yield Fault("lifetime_s", f"{document.lifetime_s} is not above {terms}", f"raise it to at least {least + 1}")


def _release_delays(document: PolicyDocument) -> Iterator[Fault]:
    """Check that a lock outlasts every attestation that counted it. The code pin holds the box to the stated delay."""
    chains = {chain.id: chain for chain in document.chain}
    for index, source in enumerate(document.source):
        key = f"source[{index}].release_delay_s"
        if source.kind != "lockbox":
            if source.release_delay_s is not None:
                yield Fault(key, f"not used by kind {source.kind}", "remove it")
            continue
        if source.release_delay_s is None:
            yield Fault(key, "missing", "state the releaseDelay() of this LockBox; it is fixed in its code")
        elif source.chain in chains:
            chain = chains[source.chain]
            waits_s = chain.lag_s + finality_s(chain) + document.deadline_s + document.frame_s
            least = document.lifetime_s + waits_s
            if source.release_delay_s < least:
                terms = f"lifetime_s + lag + finality + deadline_s + frame_s = {least}"
                fix = "use a box with a longer delay, or a shorter lifetime_s"
                yield Fault(key, f"{source.release_delay_s} is below {terms}: locks could leave too soon", fix)


def _rule_set(document: PolicyDocument) -> Iterator[Fault]:
    if document.rule_set not in RULE_SETS:
        yield Fault("rule_set", f"unknown rule set {document.rule_set!r}", f"known: {', '.join(RULE_SETS)}")


def _providers(document: PolicyDocument) -> Iterator[Fault]:
    rule = document.providers
    if rule.operators_min > rule.configured_min:
        yield Fault("providers.operators_min", "more operators than providers", "lower it or raise configured_min")
    if any(chain.devnet for chain in document.chain):
        return
    if rule.configured_min < PROVIDERS_MIN:
        yield Fault("providers.configured_min", f"{rule.configured_min} is no quorum", f"at least {PROVIDERS_MIN}")
    if rule.operators_min < OPERATORS_MIN:
        yield Fault("providers.operators_min", "one operator could sway the quorum", f"at least {OPERATORS_MIN}")


def _assurance(document: PolicyDocument) -> Iterator[Fault]:
    bands = document.assurance
    for index, band in enumerate(bands):
        key = f"assurance[{index}]"
        if band.level > ASSURANCE_READABLE_MAX:
            yield Fault(f"{key}.level", f"no reader reaches level {band.level}", f"at most {ASSURANCE_READABLE_MAX}")
        is_last = index == len(bands) - 1
        if is_last != (band.up_to_usd is None):
            fix = "the last band, and only it, has no up_to_usd"
            yield Fault(f"{key}.up_to_usd", "missing" if band.up_to_usd is None else "the last band has a bound", fix)
    bounds = [parse_decimal(band.up_to_usd, 18) for band in bands if band.up_to_usd is not None]
    if bounds and min(bounds) <= 0:
        yield Fault("assurance[0].up_to_usd", "a band that no value fits", "above 0, or remove the band")
    if sorted(set(bounds)) != bounds:
        yield Fault("assurance", "bands do not rise by up_to_usd", "sort them, smallest first")
    levels = [band.level for band in bands]
    if sorted(levels) != levels:
        yield Fault("assurance", "a larger leg needs less assurance than a smaller one", "let levels rise with value")


def _status(document: PolicyDocument) -> Iterator[Fault]:
    status = document.status
    warning, call, clear = (parse_decimal(text, 6) for text in (status.warning, status.margin_call, status.clear))
    if warning < call:
        yield Fault("status.warning", f"{status.warning} is below margin_call", "warning >= margin_call >= 1")
    if clear <= parse_decimal("1", 6):
        yield Fault("status.clear", "a flag would clear where it was raised", "above 1, for example 1.05")


def _encumbrance(document: PolicyDocument) -> Iterator[Fault]:
    names = ("escrowed", "protocol_locked", "approved", "free")
    weights = [parse_decimal(getattr(document.encumbrance, name), 6) for name in names]
    one = parse_decimal("1", 6)
    for name, weight in zip(names, weights, strict=True):
        if weight > one:
            yield Fault(f"encumbrance.{name}", "above 1", "a weight is a share from 0 to 1")
    if sorted(weights, reverse=True) != weights:
        yield Fault(
            "encumbrance", "a looser class weighs more than a firmer one", "let weights fall in the order of the keys"
        )


def _chains(document: PolicyDocument) -> Iterator[Fault]:
    yield from _repeats("chain[{}].id", [chain.id for chain in document.chain], "chain")
    for index, chain in enumerate(document.chain):
        in_range = evm_chain_number(ChainId(chain.id)) // 1000 == DEVNET_NUMBER
        if chain.devnet and not in_range:
            yield Fault(
                f"chain[{index}].devnet",
                f"{chain.id} is no devnet id",
                f"devnets are {DEVNET_NUMBER}000 to {DEVNET_NUMBER}999",
            )
        if in_range and not chain.devnet:
            yield Fault(f"chain[{index}].devnet", f"{chain.id} is a devnet id", "write devnet = true")
    if len({chain.devnet for chain in document.chain}) > 1:
        yield Fault("chain", "devnets and real networks in one policy", "write two policies")


def _assets(document: PolicyDocument) -> Iterator[Fault]:
    yield from _repeats("asset[{}].symbol", [asset.symbol for asset in document.asset], "asset")
    known = {chain.id for chain in document.chain}
    places = [
        (f"asset[{at}].places[{index}].id", place.id)
        for at, asset in enumerate(document.asset)
        for index, place in enumerate(asset.places)
    ]
    seen: dict[str, str] = {}
    for key, text in places:
        chain, token = asset_id_parts(text)
        if chain not in known:
            yield Fault(key, f"chain {chain} is not in the policy", f'add [[chain]] id = "{chain}" or remove the place')
        first = seen.setdefault(f"{chain}/{token}", key)
        if first != key:
            yield Fault(
                key,
                f"{text} is already a place ({first})",
                "a token, and a chain's one native coin, is one place of one asset",
            )
    for index, asset in enumerate(document.asset):
        if asset.haircut_initial_ppm < asset.haircut_maintenance_ppm:
            fix = "the initial haircut is at least the maintenance one"
            yield Fault(f"asset[{index}].haircut_initial_ppm", "below haircut_maintenance_ppm", fix)


def _prices(document: PolicyDocument) -> Iterator[Fault]:
    wanted = {asset.symbol for asset in document.asset} | {market.symbol for market in document.venue.market}
    for index, price in enumerate(document.price):
        key = f"price[{index}]"
        if price.asset not in wanted:
            yield Fault(
                f"{key}.asset", f"no asset or market has the symbol {price.asset!r}", "correct it or remove the feed"
            )
        if price.kind not in PRICES:
            yield Fault(f"{key}.kind", f"unknown kind {price.kind!r}", f"known: {', '.join(PRICES)}")
        yield from _known_chain(document, f"{key}.chain", price.chain)
        yield from _pin(document, key, price, price.chain if price.storage else None)
    for symbol in sorted(wanted - {price.asset for price in document.price}):
        yield Fault("price", f"{symbol} has no price", f'add [[price]] asset = "{symbol}"')
    feeds = [(price.chain, price.kind, price.address.lower()) for price in document.price]
    yield from _repeats("price[{}].address", feeds, "feed", "one feed prices one asset")


def _sources(document: PolicyDocument) -> Iterator[Fault]:
    for index, source in enumerate(document.source):
        key = f"source[{index}]"
        claim = COLLATERAL_ENCUMBRANCE.get(source.kind)
        if claim is None:
            yield Fault(f"{key}.kind", f"unknown kind {source.kind!r}", f"known: {', '.join(COLLATERAL_ENCUMBRANCE)}")
            continue
        if source.encumbrance != claim:
            yield Fault(f"{key}.encumbrance", f"a {source.kind} holding is {claim}", f'write encumbrance = "{claim}"')
        if (source.address is None) != (source.kind == "native"):
            fix = "the native coin has no contract" if source.address else "name the contract"
            yield Fault(f"{key}.address", "not used by this kind" if source.address else "missing", fix)
        yield from _storage(key, source)
        if source.kind != "lockbox" and source.chain != document.venue.chain:
            fix = "use a lockbox there: the same address on another chain may be somebody else's without a link"
            yield Fault(f"{key}.chain", f"free balances are read on the venue's chain {document.venue.chain} only", fix)
        yield from _known_chain(document, f"{key}.chain", source.chain)
        yield from _place(document, key, source.kind, source.chain, source.address)
        needs_pin = source.kind == "lockbox" or source.storage or (source.frozen and source.frozen.storage)
        yield from _pin(document, key, source, source.chain if needs_pin else None)
        yield from _further_pins(document, key, source)
    names = [(source.chain, source.kind, (source.address or "").lower()) for source in document.source]
    yield from _repeats("source[{}]", names, "source")


def _storage(key: str, source: SourceTable) -> Iterator[Fault]:
    """Check that the layouts fit their getters and are used by the kind."""
    for name, storage, kinds in (
        ("storage", source.storage, BALANCE_LAYOUTS),
        ("frozen.storage", source.frozen.storage if source.frozen else None, FLAG_LAYOUTS),
    ):
        if storage is not None and storage.layout not in kinds:
            fix = f"one of {', '.join(kinds)}"
            yield Fault(f"{key}.{name}.layout", f"{storage.layout} is not what this getter returns", fix)
    for name, value in (("storage", source.storage), ("frozen", source.frozen), ("pin", source.pin)):
        if value and source.kind != "erc20":
            yield Fault(f"{key}.{name}", f"not used by kind {source.kind}", "remove it")


def _place(document: PolicyDocument, key: str, kind: str, chain: str, address: str | None) -> Iterator[Fault]:
    places = [asset_id_parts(place.id) for asset in document.asset for place in asset.places]
    tokens = [token for on, token in places if on == chain]
    if kind == "lockbox" and not tokens:
        yield Fault(
            f"{key}.chain", f"no asset has a place on {chain}", "add a place, or the lockbox holds nothing that counts"
        )
    if kind == "native" and "" not in tokens:
        yield Fault(f"{key}.chain", f"no asset has a slip44 place on {chain}", "add the native coin's place")
    if kind == "erc20" and address is not None and address.lower() not in tokens:
        yield Fault(f"{key}.address", f"no asset has the place {chain}/erc20:{address.lower()}", "add the place")


def _venue(document: PolicyDocument) -> Iterator[Fault]:
    venue = document.venue
    yield from _known_chain(document, "venue.chain", venue.chain)
    yield from _pin(document, "venue", venue, venue.chain if venue.storage else None)
    yield from _repeats("venue.market[{}].id", [market.id.lower() for market in venue.market], "market")
    for index, market in enumerate(venue.market):
        if market.initial_margin_ppm < market.maintenance_margin_ppm:
            yield Fault(f"venue.market[{index}].initial_margin_ppm", "below maintenance_margin_ppm", "IM >= MM")


def _signers(document: PolicyDocument) -> Iterator[Fault]:
    signers = document.signers
    problem = signer_set_problem(len(signers.addresses), signers.k, signers.f)
    if problem:
        yield Fault("signers", problem, "for example n = 1 k = 1 f = 0, n = 4 k = 3 f = 1, n = 7 k = 5 f = 2")
    yield from _repeats("signers.addresses[{}]", [address.lower() for address in signers.addresses], "signer")


def _known_chain(document: PolicyDocument, key: str, chain: str) -> Iterator[Fault]:
    known = [table.id for table in document.chain]
    if chain not in known:
        yield Fault(key, f"chain {chain} is not in the policy", f"add it as [[chain]]; there are {', '.join(known)}")


def _pin(document: PolicyDocument, key: str, table: Pinned, layout_on: str | None) -> Iterator[Fault]:
    yield from _proxy(key, table)
    if layout_on in _real_chains(document) and table.code_hash is None:
        yield Fault(
            f"{key}.code_hash", "missing", "a storage layout is relied on: pin the keccak-256 of the contract's code"
        )


def _further_pins(document: PolicyDocument, key: str, source: SourceTable) -> Iterator[Fault]:
    for index, pin in enumerate(source.pin):
        yield from _proxy(f"{key}.pin[{index}]", pin)
    yield from _repeats(f"{key}.pin[{{}}].address", [pin.address.lower() for pin in source.pin], "pin")
    if source.chain in _real_chains(document):
        for address in unpinned(source):
            fix = f'add [[source.pin]] address = "{to_hex(address)}" with its code_hash'
            yield Fault(f"{key}.pin", f"the layout reads {to_hex(address)}, whose code is not pinned", fix)


def _proxy(key: str, table: Pinned) -> Iterator[Fault]:
    """Check that what stands behind a proxy is named as a whole."""
    given = (table.implementation, table.implementation_code_hash)
    if any(given) and not all((*given, table.code_hash)):
        fix = "implementation, implementation_code_hash and the proxy's own code_hash belong together"
        yield Fault(f"{key}.implementation", "a proxy is pinned in part", fix)
    if table.implementation_slot is not None and not table.implementation:
        yield Fault(f"{key}.implementation_slot", "no implementation is named", "name it or remove the slot")


def _real_chains(document: PolicyDocument) -> set[str]:
    return {chain.id for chain in document.chain if not chain.devnet}


def _repeats(key: str, values: Iterable[Hashable], what: str, fix: str = "name it once") -> Iterator[Fault]:
    seen: dict[Hashable, int] = {}
    for index, value in enumerate(values):
        first = seen.setdefault(value, index)
        if first != index:
            yield Fault(key.format(index), f"this {what} already stands at {key.format(first)}", fix)


_RULES: Final[tuple[Callable[[PolicyDocument], Iterator[Fault]], ...]] = (
    _lifetime,
    _release_delays,
    _rule_set,
    _providers,
    _assurance,
    _status,
    _encumbrance,
    _chains,
    _assets,
    _prices,
    _sources,
    _venue,
    _signers,
)
