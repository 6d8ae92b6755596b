"""Overlays: rule sets that wrap another one and take something away. None of them ever improves an account.

Each is a `RuleSet` again, so they compose: `DepegCharge(StrictPrices(rules))`. Its name is the wrapped one's with its
own behind a plus; lines add up as before, with one more line per charge. All four are our own; parameters are data.

| overlay | adds |
|---|---|
| `StrictPrices` | nothing: marks what is held at min(price, average), what is owed or required at max(price, average) |
| `SizePremium` | to the requirement of an asset's positions, growing with the account's own notional N in it |
| `ConfidenceCharge` | ⌈N · (1 - confidence) · factor⌉ of each asset whose price is less certain than a threshold |
| `DepegCharge` | ⌈Σ N · (threshold - price of the stable)⁺ · factor⌉ over positions and short options |

    linear premium      ⌈N · min(cap, ⌈slope · N / scale⌉)⌉
    root premium        (⌈N · r · imf / 10^5⌉ - ⌊R / 5⌋)⁺,  r = ⌊√(10 · size at 9 decimals + 1)⌋,  R required anyway

The root premium has the shape that Drift documents for perpetuals, max(R, R - R/5 + N · r · imf); it mirrors no venue.

N of collateral is what it counts for after the wrapped rule set's own cuts: more of it is never worse.

What is missing never helps: an asset without an average has no price, one without a stated confidence has none, and
without a price of the stable nobody knows what the charged legs require.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isqrt
from types import MappingProxyType
from typing import Final

from proofs.units import E18, PPM, mul_div_up, rescale_up, share_up
from relayer.margin.engine.about import Family, MonotoneInput, RuleSetInfo, Trend
from relayer.margin.engine.evaluate import RuleSet, has_width
from relayer.margin.engine.inputs import Account, End, Gap, Leg, MarketData, Price, Role
from relayer.margin.engine.lines import overlay_line
from relayer.margin.engine.result import Evaluation, TermLine, Unit, Verdict, health_of
from relayer.margin.models.quotes import perp_name
from relayer.margin.view import Purpose

BOTH: Final = frozenset({Purpose.INITIAL, Purpose.MAINTENANCE})
OPENING: Final = frozenset({Purpose.INITIAL})
POSITIONS: Final = frozenset({Role.PERP, Role.FUTURE})
SIZE_DECIMALS: Final = 9
ROOT_SCALE: Final = 10**5


@dataclass(frozen=True, slots=True)
class StrictPrices:
    """Mark at the worse of price and time-weighted average; `exempt` assets have no average and need none."""

    inner: RuleSet
    exempt: frozenset[str] = frozenset()
    purposes: frozenset[Purpose] = BOTH

    @property
    def name(self) -> str:
        """Return the wrapped name and `strict@1`."""
        return f"{self.inner.name}+strict@1"

    @property
    def unit(self) -> Unit:
        """Return the money of the wrapped rule set."""
        return self.inner.unit

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh at strict prices; see `engine.evaluate.RuleSet`.

        The best end of intervals with a width is that of the wrapped rule set: strictness only lowers it.
        """
        if purpose not in self.purposes:
            return replace(self.inner.weigh(account, market, purpose, end), rule_set=self.name)
        if end is End.HIGH and has_width(market):
            return replace(self.inner.weigh(account, market, purpose, end), rule_set=self.name)
        strict = replace(market, prices=MappingProxyType(self._strict(market)))
        return replace(self.inner.weigh(account, strict, purpose, End.LOW), rule_set=self.name, end=end)

    def _strict(self, market: MarketData) -> dict[str, Price]:
        prices = {}
        for asset, price in market.prices.items():
            average = market.average_prices.get(asset)
            if asset in self.exempt:
                prices[asset] = price
            elif average is not None:
                other = average.scaled(price.decimals)
                prices[asset] = replace(price, low=min(price.low, other.low), high=max(price.high, other.high))
        unpriced = market.prices.keys() - prices.keys()  # where a perpetual loses its own price, spot must not stand in
        return {asset: price for asset, price in prices.items() if perp_name(asset) not in unpriced}


@dataclass(frozen=True, slots=True)
class LinearPremium:
    """Charge `slope_ppm` per `scale` of own notional (in the rule set's money), at most `cap_ppm`."""

    slope_ppm: int
    scale: int
    cap_ppm: int

    def charge(self, notional: int, size_e9: int, requirement: int) -> int:
        """Return what is required beyond `requirement`, up."""
        del size_e9, requirement
        return share_up(notional, min(self.cap_ppm, mul_div_up(self.slope_ppm, notional, self.scale)))


@dataclass(frozen=True, slots=True)
class RootPremium:
    """Charge by the square root of own size, times `imf_ppm`, where that exceeds a fifth of the requirement."""

    imf_ppm: int

    def charge(self, notional: int, size_e9: int, requirement: int) -> int:
        """Return what is required beyond `requirement`, up."""
        root = isqrt(10 * size_e9 + 1)
        return max(0, mul_div_up(notional * root, self.imf_ppm, ROOT_SCALE * PPM) - requirement // 5)


@dataclass(frozen=True, slots=True)
class SizePremium:
    """Require more of large positions, by asset; legs of one asset count together, so that parting them helps none.

    `roles` are positions and debts. Raises: ValueError for any other: of what is held, more must not be worse.
    """

    inner: RuleSet
    premiums: Mapping[str, LinearPremium | RootPremium]
    roles: frozenset[Role] = POSITIONS
    purposes: frozenset[Purpose] = BOTH

    def __post_init__(self) -> None:
        """Refuse roles whose size is no risk."""
        if not self.roles <= POSITIONS | {Role.DEBT}:
            raise ValueError("a size premium is for positions and debts")

    @property
    def name(self) -> str:
        """Return the wrapped name and `size_premium@1`."""
        return f"{self.inner.name}+size_premium@1"

    @property
    def unit(self) -> Unit:
        """Return the money of the wrapped rule set."""
        return self.inner.unit

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh and add the premiums; see `engine.evaluate.RuleSet`."""
        result = self.inner.weigh(account, market, purpose, end)
        charges = []
        for asset, premium in sorted(self.premiums.items()) if purpose in self.purposes else ():
            sized = [one for one in _sized(account, result, self._is_sized) if one.leg.asset == asset]
            notional, required = sum(one.notional for one in sized), sum(one.line.requirement for one in sized)
            size = sum(rescale_up(abs(one.leg.amount), one.leg.decimals, SIZE_DECIMALS) for one in sized)
            charges.append(overlay_line(f"size premium on {asset}", 0, premium.charge(notional, size, required)))
        return charged(result, self.name, tuple(charges))

    def _is_sized(self, leg: Leg) -> bool:
        return leg.role in self.roles


@dataclass(frozen=True, slots=True)
class ConfidenceCharge:
    """Require more where a price is less certain than `threshold_e18`: a share of notional by what is lacking to one.

    `factor_ppm` is at most one: what is held would else be worth less than nothing. Raises: ValueError.
    """

    inner: RuleSet
    threshold_e18: int
    factor_ppm: int
    purposes: frozenset[Purpose] = OPENING

    def __post_init__(self) -> None:
        """Refuse a factor that would make more collateral worse than less."""
        if not 0 <= self.factor_ppm <= PPM:
            raise ValueError(f"a confidence factor is 0 to {PPM} ppm, not {self.factor_ppm}")

    @property
    def name(self) -> str:
        """Return the wrapped name and `confidence@1`."""
        return f"{self.inner.name}+confidence@1"

    @property
    def unit(self) -> Unit:
        """Return the money of the wrapped rule set."""
        return self.inner.unit

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh and add the charges; see `engine.evaluate.RuleSet`."""
        result = self.inner.weigh(account, market, purpose, end)
        notionals: dict[str, int] = {}
        for one in _sized(account, result, _is_any) if purpose in self.purposes else ():
            if one.line.price:
                notionals[one.leg.asset] = notionals.get(one.leg.asset, 0) + one.notional
        charges = (self._charge(asset, market, notional) for asset, notional in sorted(notionals.items()))
        if purpose in self.purposes:  # on top of the wrapped cuts a charge may take more than a leg is worth
            result = replace(result, zero_is_worst_to_ppm=0)
        return charged(result, self.name, tuple(charges))

    def _charge(self, asset: str, market: MarketData, notional: int) -> TermLine:
        price = market.prices.get(asset)
        confidence = min(E18, price.confidence_e18) if price is not None else 0
        lacking = E18 - confidence if confidence < self.threshold_e18 else 0
        required = mul_div_up(notional * lacking, self.factor_ppm, E18 * PPM)
        return overlay_line(f"uncertain price of {asset}", 0, required)


@dataclass(frozen=True, slots=True)
class DepegCharge:
    """Require more of positions and short options while the money they settle in trades below `threshold_e18`."""

    inner: RuleSet
    stable: str
    threshold_e18: int
    factor_ppm: int
    purposes: frozenset[Purpose] = OPENING

    @property
    def name(self) -> str:
        """Return the wrapped name and `depeg@1`."""
        return f"{self.inner.name}+depeg@1"

    @property
    def unit(self) -> Unit:
        """Return the money of the wrapped rule set."""
        return self.inner.unit

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh and add the charge; see `engine.evaluate.RuleSet`."""
        result = self.inner.weigh(account, market, purpose, end)
        sized = _sized(account, result, _is_settled) if purpose in self.purposes else ()
        price = market.prices.get(self.stable)
        if price is None and sized:
            reason = f"no price of {self.stable}, which it settles in"
            gaps = tuple(Gap(one.leg.name, reason, is_collateral=False) for one in sized)
            return replace(result, rule_set=self.name, gaps=result.gaps + gaps, verdict=Verdict.UNKNOWN)
        missing = max(0, self.threshold_e18 - price.scaled(18).at(end, is_owed=False)) if price is not None else 0
        notional = sum(one.notional for one in sized)
        required = mul_div_up(notional * missing, self.factor_ppm, E18 * PPM)
        return charged(result, self.name, (overlay_line(f"{self.stable} below its peg", 0, required),))


def charged(result: Evaluation, name: str, charges: tuple[TermLine, ...]) -> Evaluation:
    """Return a result with charges on its requirement; charges of nothing are left out.

    Raises: ValueError for a charge that would improve the account.
    """
    if any(line.requirement < 0 or line.value for line in charges):
        raise ValueError("a charge adds to the requirement and to nothing else")
    counted = tuple(line for line in charges if line.requirement)
    if not counted:
        return replace(result, rule_set=name)
    extra = sum(line.requirement for line in counted)
    requirement, stress = result.requirement + extra, result.stress_requirement
    is_lost = result.verdict is Verdict.HEALTHY and result.equity < requirement
    exposure = sum(line.exposure for line in result.lines)
    health = health_of(result.equity, requirement, result.collateral, result.debt, exposure)
    return replace(
        result,
        rule_set=name,
        requirement=requirement,
        verdict=Verdict.UNHEALTHY if is_lost else result.verdict,
        health=replace(result.health, margin_ratio=health.margin_ratio, health_factor=health.health_factor),
        lines=(*result.lines, *counted),
        stress_requirement=None if stress is None else stress + extra,
    )


# --- parts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sized:
    """Hold a leg with its line."""

    leg: Leg
    line: TermLine

    @property
    def notional(self) -> int:
        """Return the unsigned notional; of what is held what it counts for, since no more than that can be taken."""
        line = self.line
        if self.leg.role in (Role.COLLATERAL, Role.CASH):
            return max(0, line.value - line.requirement) if line.value > 0 else -line.value
        return line.exposure


def _sized(account: Account, result: Evaluation, is_chosen: Callable[[Leg], bool]) -> tuple[_Sized, ...]:
    legs = {leg.name: leg for leg in account.legs}
    pairs = ((legs[line.leg], line) for line in result.lines if line.leg in legs)
    return tuple(_Sized(leg, line) for leg, line in pairs if is_chosen(leg) and leg.amount)


def _is_any(leg: Leg) -> bool:
    return leg.amount != 0


def _is_settled(leg: Leg) -> bool:
    return leg.role in POSITIONS or (leg.role is Role.OPTION and leg.amount < 0)


def _about(name: str, title: str, formula: str, monotone: tuple[MonotoneInput, ...]) -> RuleSetInfo:
    return RuleSetInfo(
        name=name,
        family=Family.OVERLAY,
        title=title,
        formula=formula,
        rounding="charges up; everything else as the wrapped rule set rounds",
        equality="that of the wrapped rule set; healthy where a charge decides",
        source="our own formula, parameters are data; written as <wrapped>+" + name,
        monotone=monotone,
        is_mirrored=False,
    )


ABOUT: Final = (
    _about(
        "strict@1",
        "strict prices: the worse of price and time-weighted average",
        "held at min(price, average), owed and required at max(price, average)",
        (
            MonotoneInput("distance between price and average", Trend.NEVER_RISES, "aave@3.0, by a basis point"),
            MonotoneInput("an average that is missing", Trend.NEVER_RISES),
        ),
    ),
    _about(
        "size_premium@1",
        "size premium: the required fraction grows with the account's own notional",
        "linear: N min(cap, slope N / scale); root: max(0, N r imf / 10^5 - R / 5), r = isqrt(10 size + 1)",
        (
            MonotoneInput("slope, cap, imf", Trend.NEVER_RISES),
            MonotoneInput("scale", Trend.NEVER_FALLS),
            MonotoneInput("parting a position into legs of one asset", Trend.NO_LAW, "each leg rounds by itself"),
            MonotoneInput(
                "merging two accounts",
                Trend.NO_LAW,
                "two accounts of N = 100 at slope 1 % per 100 require 1 each, one of N = 200 requires 4",
            ),
        ),
    ),
    _about(
        "confidence@1",
        "charge for uncertain prices, of opening by default",
        "sum of N (1 - confidence) factor where confidence < threshold",
        (
            MonotoneInput("confidence", Trend.NEVER_FALLS),
            MonotoneInput("threshold, factor", Trend.NEVER_RISES),
        ),
    ),
    _about(
        "depeg@1",
        "charge while the money of settlement trades below its peg, of opening by default",
        "sum of N of positions and short options, times max(0, threshold - price) factor",
        (
            MonotoneInput("price of the stable", Trend.NEVER_FALLS, "where the wrapped rule set owes none of it"),
            MonotoneInput("threshold, factor", Trend.NEVER_RISES),
        ),
    ),
)
