"""Weigh an engine account by the house's unified view: the figures are those of the signed margin view, to the unit.

`engine_inputs` turns what a frame knows of an account into engine inputs and loses nothing; `CrossPerpRules.weigh`
turns them back and calls `relayer.margin.evaluate.evaluate`. There is one arithmetic, and it is not here.

| engine input | is |
|---|---|
| leg name | the column of its source; a leg that no source of the rules has is a gap |
| collateral leg | a holding: amount in base units |
| perp leg | a position: size, entry value, accrued, all E18 |
| `market.prices[symbol]` | the interval of the feeds at 18 decimals; other decimals are moved outward |
| `account.unread` | what the frame could not read |
| `CrossPerpRules.evidence` | how strongly each part is proven, and what else the frame knows |

What `evidence` does not name is taken at its word: proven at the highest level, free to move. So portfolios that come
from a document and not from a chain are weighed by the same rules.

The best end gives the arithmetic every interval with its ends exchanged: it then marks assets at the high and what is
owed and required at the low end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from proofs.types import AccountId, Assurance, LegKind, Quality, Status, to_hex
from relayer.margin.account import Holding, Portfolio, Position
from relayer.margin.engine.about import Family, MonotoneInput, RuleSetInfo, Trend
from relayer.margin.engine.inputs import Account, End, Gap, Leg, MarketData, Role
from relayer.margin.engine.inputs import Price as EnginePrice
from relayer.margin.engine.result import USD, Evaluation, TermLine, Unit, Verdict, health_of
from relayer.margin.evaluate import evaluate
from relayer.margin.market import E18_DECIMALS, Market, NoPrice, Price
from relayer.margin.rules import CollateralSource, MarginRules, PositionSource
from relayer.margin.view import Line, MarginView, Missing, Purpose

_TEXT_ACCOUNT: Final = AccountId(bytes(32))
"""Stands for an account whose name is no account id; no figure depends on it."""


@dataclass(frozen=True, slots=True)
class LegEvidence:
    """Say how strongly a leg is proven, and whether its holder can move it."""

    assurance: Assurance = Assurance.AUTHENTICATED_HEADER
    is_frozen: bool = False


@dataclass(frozen=True, slots=True)
class PriceEvidence:
    """Say how strongly a price is proven, and its marks."""

    assurance: Assurance = Assurance.AUTHENTICATED_HEADER
    quality: Quality = Quality.NONE


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hold what a frame knows beside amounts and prices; legs by column, prices by symbol, gaps by what is missing."""

    legs: Mapping[str, LegEvidence] = field(default_factory=lambda: MappingProxyType({}))
    prices: Mapping[str, PriceEvidence | NoPrice] = field(default_factory=lambda: MappingProxyType({}))
    unread: Mapping[str, Missing] = field(default_factory=lambda: MappingProxyType({}))
    quality: Quality = Quality.NONE


@dataclass(frozen=True, slots=True)
class CrossPerpRules:
    """Hold the policy's rules and the evidence of one frame."""

    rules: MarginRules
    evidence: Evidence = field(default_factory=Evidence)
    unit: Unit = USD

    @property
    def name(self) -> str:
        """Return the rule set that the policy names."""
        return self.rules.rule_set

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh an account; see `engine.evaluate.RuleSet`. Raises: KeyError for an unknown rule set."""
        portfolio = self.portfolio(account)
        view = evaluate(portfolio, self.market(market, end), self.rules)
        excess_high = None
        if view.missing:
            best = evaluate(portfolio, self.market(market, End.HIGH), self.rules)
            excess_high = _excess_at_best(best, purpose)
        found = _found(view, portfolio, self._strangers(account))
        return _evaluation(self.name, found, purpose, end, excess_high)

    def view(self, account: Account, market: MarketData) -> MarginView:
        """Return the margin view that the figures at the low end come from."""
        return evaluate(self.portfolio(account), self.market(market, End.LOW), self.rules)

    def portfolio(self, account: Account) -> Portfolio:
        """Turn an engine account back into a portfolio, in the order of its legs; unknown legs are left out."""
        parts = [part for leg in account.legs if (part := self._part(leg)) is not None]
        return Portfolio(
            _account_id(account.name),
            tuple(part for part in parts if isinstance(part, Holding)),
            tuple(part for part in parts if isinstance(part, Position)),
            tuple(self.evidence.unread.get(gap.leg) or self._missing(gap) for gap in account.unread),
            self.evidence.quality,
        )

    def market(self, market: MarketData, end: End) -> Market:
        """Turn engine prices back into a market; at the high end with the ends of each interval exchanged."""
        prices: dict[str, Price | NoPrice] = {
            symbol: known for symbol, known in self.evidence.prices.items() if isinstance(known, NoPrice)
        }
        for symbol, price in market.prices.items():
            known = self.evidence.prices.get(symbol)
            told = known if isinstance(known, PriceEvidence) else PriceEvidence()
            used = price.scaled(E18_DECIMALS)
            low, high = (used.low, used.high) if end is End.LOW else (used.high, used.low)
            if used.low > 0:
                prices[symbol] = Price(symbol, low, high, told.assurance, told.quality)
        return Market(MappingProxyType(prices))

    def _part(self, leg: Leg) -> Holding | Position | None:
        told = self.evidence.legs.get(leg.name, LegEvidence())
        source = self._source(leg)
        if isinstance(source, CollateralSource):
            return Holding(source, leg.amount, told.assurance, leg.block_number, told.is_frozen)
        if isinstance(source, PositionSource):
            return Position(source, leg.amount, leg.entry_value, leg.accrued, told.assurance, leg.block_number)
        return None

    def _source(self, leg: Leg) -> CollateralSource | PositionSource | None:
        sources = self.rules.collateral if leg.role is Role.COLLATERAL else self.rules.positions
        is_known = leg.role in (Role.COLLATERAL, Role.PERP)
        return next((source for source in sources if source.column == leg.name), None) if is_known else None

    def _strangers(self, account: Account) -> tuple[Gap, ...]:
        """Return a gap for every leg that these rules cannot weigh."""
        gaps = []
        for leg in account.legs:
            is_collateral = leg.role is Role.COLLATERAL
            if is_collateral and leg.amount < 0:
                gaps.append(Gap(leg.name, "negative collateral is a debt, which these rules do not know", False))
            elif self._source(leg) is None and (leg.amount or leg.entry_value or leg.accrued):
                gaps.append(Gap(leg.name, "the policy has no such source", is_collateral))
        return tuple(gaps)

    def _missing(self, gap: Gap) -> Missing:
        kind = LegKind.BALANCE if gap.is_collateral else LegKind.POSITION
        return Missing(gap.leg, self.rules.venue_chain, gap.reason, kind)


def engine_inputs(
    portfolio: Portfolio, market: Market, rules: MarginRules, as_of_s: int
) -> tuple[Account, MarketData, CrossPerpRules]:
    """Return what a frame knows of one account as engine inputs, with the rules that weigh them.

    `evaluate(*engine_inputs(...), purpose)` has the figures of `relayer.margin.evaluate.evaluate`, to the unit.
    """
    account = Account(
        to_hex(portfolio.account),
        (*map(_holding_leg, portfolio.holdings), *map(_position_leg, portfolio.positions)),
        unread=tuple(Gap(gap.what, gap.reason, gap.is_collateral) for gap in portfolio.missing),
    )
    legs = {one.source.column: LegEvidence(one.assurance, one.is_frozen) for one in portfolio.holdings}
    legs |= {one.source.column: LegEvidence(one.assurance) for one in portfolio.positions}
    evidence = Evidence(
        MappingProxyType(legs),
        MappingProxyType({symbol: _price_evidence(price) for symbol, price in market.prices.items()}),
        MappingProxyType({gap.what: gap for gap in portfolio.missing}),
        portfolio.quality,
    )
    prices = {
        symbol: EnginePrice(price.low_e18, price.high_e18)
        for symbol, price in market.prices.items()
        if isinstance(price, Price)
    }
    return account, MarketData(as_of_s, MappingProxyType(prices)), CrossPerpRules(rules, evidence)


# --- inputs ----------------------------------------------------------------------------------------------------------


def _holding_leg(holding: Holding) -> Leg:
    source = holding.source
    return Leg(
        source.column,
        Role.COLLATERAL,
        source.symbol,
        holding.amount_raw,
        source.chain,
        holding.block_number,
        source.decimals,
    )


def _position_leg(position: Position) -> Leg:
    source = position.source
    return Leg(
        source.column,
        Role.PERP,
        source.symbol,
        position.size_e18,
        source.chain,
        position.block_number,
        E18_DECIMALS,
        position.entry_value_usd,
        position.accrued_usd,
    )


def _price_evidence(price: Price | NoPrice) -> PriceEvidence | NoPrice:
    return price if isinstance(price, NoPrice) else PriceEvidence(price.assurance, price.quality)


def _account_id(name: str) -> AccountId:
    try:
        raw = bytes.fromhex(name.removeprefix("0x"))
    except ValueError:
        return _TEXT_ACCOUNT
    return AccountId(raw) if len(raw) == 32 else _TEXT_ACCOUNT


# --- result ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """Hold a view with the names of its lines and the gaps that are not in the account already."""

    view: MarginView
    lines: tuple[tuple[str, Line], ...]
    gaps: tuple[Gap, ...]


def _found(view: MarginView, portfolio: Portfolio, strangers: tuple[Gap, ...]) -> _Found:
    unused = view.missing[len(portfolio.missing) :]
    gaps = tuple(Gap(gap.what, gap.reason, gap.is_collateral) for gap in unused)
    lines = tuple(zip(_line_names(view, portfolio), view.lines, strict=True))
    return _Found(view, lines, gaps + strangers)


def _line_names(view: MarginView, portfolio: Portfolio) -> Iterator[str]:
    """Yield the column of each line of a view: holdings, then positions that are not missing, then what is no leg."""
    unweighed = {gap.what for gap in view.missing[len(portfolio.missing) :]}
    names = [one.source.column for one in portfolio.holdings if one.amount_raw > 0]
    names += [
        one.source.column for one in portfolio.positions if not one.is_empty and one.source.column not in unweighed
    ]
    of_legs = [line for line in view.lines if line.kind is not LegKind.REQUIREMENT]
    yield from names[: len(of_legs)]
    yield from [""] * (len(view.lines) - len(of_legs))


def _evaluation(name: str, found: _Found, purpose: Purpose, end: End, excess_high: int | None) -> Evaluation:
    view, is_initial = found.view, purpose is Purpose.INITIAL
    requirement: int = view.initial_margin_usd if is_initial else view.maintenance_margin_usd
    lines = tuple(_term(column, line, is_initial=is_initial) for column, line in found.lines)
    return Evaluation(
        rule_set=name,
        purpose=purpose,
        end=end,
        unit=USD,
        equity=view.equity_usd,
        requirement=requirement,
        collateral=view.collateral_usd,
        debt=view.liability_usd,
        verdict=_verdict(found, requirement),
        health=health_of(
            view.equity_usd,
            requirement,
            view.collateral_usd,
            view.liability_usd,
            sum(line.exposure for line in lines),
        ),
        lines=lines,
        gaps=found.gaps,
        quality=view.quality,
        excess_high=excess_high,
    )


def _verdict(found: _Found, requirement: int) -> Verdict:
    view = found.view
    if view.status is Status.UNKNOWN or any(not gap.is_collateral for gap in found.gaps):
        return Verdict.UNKNOWN
    return Verdict.HEALTHY if view.equity_usd >= requirement else Verdict.UNHEALTHY


def _excess_at_best(best: MarginView, purpose: Purpose) -> int | None:
    """Return the most that may be left with everything missing at its best; None where nothing bounds it."""
    if best.equity_high_usd is None:
        return None
    known = [line for line in best.lines if line.kind is not LegKind.REQUIREMENT]
    is_initial = purpose is Purpose.INITIAL
    return best.equity_high_usd - sum(line.initial_usd if is_initial else line.maintenance_usd for line in known)


def _term(column: str, line: Line, *, is_initial: bool) -> TermLine:
    return TermLine(
        label=line.label,
        leg=column,
        asset=line.symbol,
        chain=line.chain,
        block_number=line.block_number,
        amount=line.amount_raw,
        decimals=line.decimals,
        price=line.price_e18,
        price_decimals=E18_DECIMALS,
        value=line.value_usd,
        requirement=line.initial_usd if is_initial else line.maintenance_usd,
        rounding=line.rounding,
        exposure=line.marked_usd if line.kind is LegKind.POSITION else 0,
    )


ABOUT: Final = (
    RuleSetInfo(
        name="cross_perp@1",
        family=Family.POSITION,
        title="the unified view: haircut collateral of all chains against linear positions, without netting credit",
        formula=(
            "equity = sum of V + sum of P, V = amount low (1 - h), P = size mark - entry value + accrued; "
            "maintenance = sum of N mm, initial = sum of N im + what the initial haircut takes beyond; "
            "h = 1 - (1 - asset)(1 - bridge)(weight); N = |size| high"
        ),
        rounding="V down once, P down, N and requirements up, haircuts up",
        equality="healthy",
        source="our own; design of the house, docs/TERMINOLOGY.md",
        monotone=(
            MonotoneInput("collateral amount", Trend.NEVER_FALLS, "figures beyond 128 bits make the account unknown"),
            MonotoneInput("collateral price", Trend.NEVER_FALLS, "that of an asset in which no position is open"),
            MonotoneInput("haircut", Trend.NEVER_RISES),
            MonotoneInput("bridge haircut", Trend.NEVER_RISES),
            MonotoneInput("weight of an encumbrance", Trend.NEVER_FALLS),
            MonotoneInput("margin fraction of a market", Trend.NEVER_RISES),
            MonotoneInput("entry value", Trend.NEVER_RISES),
            MonotoneInput("accrued", Trend.NEVER_FALLS),
            MonotoneInput("price interval's width", Trend.NEVER_RISES),
            MonotoneInput("assurance of the evidence", Trend.NEVER_FALLS),
            MonotoneInput("dust limit", Trend.NEVER_RISES),
            MonotoneInput("position size", Trend.NO_LAW, "a long that gains also grows its requirement; a short loses"),
        ),
        is_mirrored=False,
    ),
)
