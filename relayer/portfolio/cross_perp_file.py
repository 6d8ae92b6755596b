"""How a file writes the parameters of `cross_perp@1`: by asset, by market and by chain, as an analyst thinks of them.

A policy binds every leg to a contract; a file needs none of that. Its legs are the sources, by name (two legs of one
asset on one chain are two sources), and what a file says is taken at its word: no assurance bands, no encumbrance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from proofs.keccak import keccak256
from proofs.types import AssetId, ChainId, Encumbrance, Hash32, LegKind, MarketId
from proofs.units import PPM, Ppm, UsdE18
from relayer.margin.engine.inputs import Account, Leg, Role
from relayer.margin.models.cross_perp import CrossPerpRules
from relayer.margin.rules import AssetRule, CollateralSource, MarginRules, PositionSource, StatusLevels


@dataclass(frozen=True, slots=True)
class CollateralTerms:
    """Hold the haircuts of one asset; the initial one is at least the maintenance one."""

    haircut_initial_ppm: int
    haircut_maintenance_ppm: int


@dataclass(frozen=True, slots=True)
class PerpTerms:
    """Hold the fractions of notional that one market's positions demand."""

    initial_ppm: int
    maintenance_ppm: int


@dataclass(frozen=True, slots=True)
class CrossPerpFile:
    """Hold the parameters: collateral by asset, markets by underlying, bridge haircuts by chain (0 where not named)."""

    collateral: Mapping[str, CollateralTerms]
    markets: Mapping[str, PerpTerms]
    bridge_haircuts_ppm: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    dust_usd_e18: int = 0


def cross_perp_rules(file: CrossPerpFile, accounts: Sequence[Account], name: str) -> CrossPerpRules:
    """Return the rules whose sources are the accounts' legs.

    Raises: ValueError for shares out of range, or a leg name that means different things in two accounts.
    """
    _check(file)
    sources: dict[str, CollateralSource | PositionSource] = {}
    for leg in (leg for account in accounts for leg in account.legs):
        source = _source(leg, file)
        if source is not None and sources.setdefault(leg.name, source) != source:
            raise ValueError(f"the leg name {leg.name!r} means two things; name legs of different assets differently")
    chains = [ChainId(leg.chain) for account in accounts for leg in account.legs]
    rules = MarginRules(
        rule_set=name,
        venue_id=Hash32(bytes(32)),
        venue_chain=chains[0] if chains else ChainId("eip155:1"),
        dust_usd=UsdE18(file.dust_usd_e18),
        assets=tuple(
            AssetRule(symbol, Ppm(one.haircut_initial_ppm), Ppm(one.haircut_maintenance_ppm))
            for symbol, one in file.collateral.items()
        ),
        collateral=tuple(one for one in sources.values() if isinstance(one, CollateralSource)),
        positions=tuple(one for one in sources.values() if isinstance(one, PositionSource)),
        prices=(),
        encumbrance_ppm=((Encumbrance.ESCROWED, Ppm(PPM)),),
        assurance=(),
        status=StatusLevels(Ppm(PPM), Ppm(PPM), Ppm(PPM), 1),
    )
    return CrossPerpRules(rules)


def _check(file: CrossPerpFile) -> None:
    for name, value in _shares(file):
        if not 0 <= value <= PPM:
            raise ValueError(f"{name}: {value} ppm is no share; write 0 to {PPM}")
    for symbol, one in file.collateral.items():
        if one.haircut_initial_ppm < one.haircut_maintenance_ppm:
            raise ValueError(f"collateral.{symbol}: the initial haircut is below the maintenance one; raise it")


def _shares(file: CrossPerpFile) -> Iterator[tuple[str, int]]:
    for symbol, one in file.collateral.items():
        yield f"collateral.{symbol}.haircut_initial_ppm", one.haircut_initial_ppm
        yield f"collateral.{symbol}.haircut_maintenance_ppm", one.haircut_maintenance_ppm
    for symbol, terms in file.markets.items():
        yield f"markets.{symbol}.initial_ppm", terms.initial_ppm
        yield f"markets.{symbol}.maintenance_ppm", terms.maintenance_ppm
    for chain, haircut in file.bridge_haircuts_ppm.items():
        yield f"bridge_haircuts_ppm.{chain}", haircut


def _source(leg: Leg, file: CrossPerpFile) -> CollateralSource | PositionSource | None:
    """Return the source that a leg stands for; None for what these rules do not know, which they then say."""
    if leg.role is Role.COLLATERAL and leg.asset in file.collateral:
        return CollateralSource(
            column=leg.name,
            chain=leg.chain,
            symbol=leg.asset,
            asset=AssetId(f"{leg.chain}/file:{leg.asset}:{leg.name}"),
            decimals=leg.decimals,
            kind=LegKind.LOCK,
            encumbrance=Encumbrance.ESCROWED,
            bridge_haircut_ppm=Ppm(file.bridge_haircuts_ppm.get(leg.chain, 0)),
            holder=None,
        )
    if leg.role is Role.PERP and leg.asset in file.markets:
        terms = file.markets[leg.asset]
        return PositionSource(
            column=leg.name,
            chain=leg.chain,
            market=MarketId(keccak256(f"{leg.asset}:{leg.name}".encode())),
            symbol=leg.asset,
            initial_margin_ppm=Ppm(terms.initial_ppm),
            maintenance_margin_ppm=Ppm(terms.maintenance_ppm),
        )
    return None
