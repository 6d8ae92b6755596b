"""Weigh collateral and debts on several chains by haircuts: our own policy, labelled so (`rulesets.haircut`).

| input | holds |
|---|---|
| collateral, debt, cash leg | token units; negative cash is a debt |
| `leg.block_time_s`, `market.as_of_s` | give the age of the proven block |
| `leg.encumbrance` | chooses the weight of what is held; a class without weight counts nothing |
| `market.prices[asset]` | in US dollars, whatever decimals; used at 18, outward |

    V = ⌊q·p·(1 - h_asset)(1 - h_bridge)(1 - h_chain)(1 - h_latency)(1 - h_depeg)·weight⌋        h of maintenance
    equity = Σ V after caps - Σ D - reserve
    maintenance = share of Σ D        initial = its own share of Σ D, and what V loses under the initial haircuts

The reserve pays for closing: a fixed sum and a share of the debts, nothing where nothing is owed. Caps are lines of
their own, by asset over all chains, so that no lot is preferred and the order of legs does not matter.

| not usable | collateral | debt |
|---|---|---|
| no price, no rule of the asset or chain | counts zero, gap | not known, gap |
| block older than the chain allows, or of unknown time | counts zero, gap | counts with its growth, and is a gap |
| not stated how it is bound, and no weight for that | counts zero, gap | - |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from proofs.types import ChainId, Encumbrance, Quality
from proofs.units import PPM, format_decimal, share_up, value_down
from relayer.margin.engine.about import Family, MonotoneInput, RuleSetInfo, Trend
from relayer.margin.engine.inputs import Account, End, Gap, Leg, MarketData, Role
from relayer.margin.engine.lines import leg_line, overlay_line
from relayer.margin.engine.result import USD, Evaluation, TermLine, Unit, Verdict, health_of
from relayer.margin.models.lending import fault_of, gap_of, price_at
from relayer.margin.rulesets.haircut import (
    PPM_TO_E18,
    DebtGrowth,
    ShareLimit,
    composite_haircut_up,
    counted,
    debt_value_up,
    depeg_haircut_up,
    growth_capped_down,
    latency_haircut_up,
    lot_value_down,
)
from relayer.margin.view import Purpose, Rounding

PRICE_DECIMALS: Final = 18
NO_LIMIT: Final = ShareLimit(PPM)
ALL_OF_BOUND: Final[Mapping[Encumbrance, int]] = MappingProxyType({Encumbrance.ESCROWED: PPM})
"""Default weights in ppm: what is bound to the venue counts, what its owner may move does not."""


@dataclass(frozen=True, slots=True)
class StableCap:
    """Cap a stable's price, dollars at 10^18; a fall below the peg passes through."""

    cap_e18: int


@dataclass(frozen=True, slots=True)
class GrowthCap:
    """Cap a staking token at the price of its underlying times a ratio that grows by a share per year (ppm)."""

    underlying: str
    snapshot_e18: int
    snapshot_s: int
    growth_ppm: int


@dataclass(frozen=True, slots=True)
class Depeg:
    """Raise the haircut by `factor_ppm` times what the price lies below the threshold, dollars at 10^18."""

    threshold_e18: int
    factor_ppm: int


@dataclass(frozen=True, slots=True)
class HaircutAsset:
    """Hold one asset's terms, ppm unless named otherwise; depth is its exit liquidity, UsdE18, None for no limit.

    The initial haircut counts as at least the maintenance one. `rate_ppm` (a year) and `liability_ppm` lift its debts.
    """

    maintenance_ppm: int
    initial_ppm: int
    sigma_ppm: int
    depth_usd_e18: int | None = None
    limit: ShareLimit = NO_LIMIT
    cap: StableCap | GrowthCap | None = None
    depeg: Depeg | None = None
    rate_ppm: int = 0
    liability_ppm: int = PPM


@dataclass(frozen=True, slots=True)
class HaircutChain:
    """Hold one chain's haircuts (ppm) and times; `bridges_ppm` are the bridge haircuts of single assets."""

    chain_ppm: int
    bridge_ppm: int
    age_s_max: int
    finality_s: int = 0
    relay_s: int = 0
    proof_s: int = 0
    liquidation_s: int = 0
    bridges_ppm: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def delay_s(self, age_s: int) -> int:
        """Return τ, how long the price may move before anybody can sell."""
        return age_s + self.finality_s + self.relay_s + self.proof_s + self.liquidation_s


@dataclass(frozen=True, slots=True)
class _Lot:
    """Hold what one leg is worth under both haircuts, and what it looks like without any."""

    leg: Leg
    price: int
    marked: int
    value: int
    value_initial: int
    haircut_e18: int
    is_depegged: bool


@dataclass(frozen=True, slots=True)
class HaircutRules:
    """Hold one policy; shares of the debts in ppm, the fixed part of the reserve in UsdE18."""

    assets: Mapping[str, HaircutAsset]
    chains: Mapping[ChainId, HaircutChain]
    z_ppm: int = 3 * PPM
    maintenance_ppm: int = 0
    initial_ppm: int = 0
    reserve_ppm: int = 0
    reserve_usd_e18: int = 0
    encumbrance_ppm: Mapping[Encumbrance, int] = field(default_factory=lambda: ALL_OF_BOUND)
    name: str = "haircut@1"
    unit: Unit = USD

    def __post_init__(self) -> None:
        """Refuse weights that make more of a holding than there is. Raises: ValueError."""
        if not all(0 <= weight <= PPM for weight in self.encumbrance_ppm.values()):
            raise ValueError(f"a weight of an encumbrance outside 0..{PPM} ppm")

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh an account; see `engine.evaluate.RuleSet`. Raises: ValueError for a haircut beyond 100 %."""
        lots, debts, gaps = self._parts(account, market, end)
        is_initial = purpose is Purpose.INITIAL
        held = [_lot_line(lot, is_initial=is_initial) for lot in lots]
        caps = self._cap_lines(lots, is_initial=is_initial)
        owed = -sum(line.value for line in debts)
        lines = (*held, *caps, *debts, *self._charges(owed, is_initial=is_initial))
        equity, requirement = sum(line.value for line in lines), sum(line.requirement for line in lines)
        collateral = sum(line.value for line in (*held, *caps))
        exposure = sum(line.exposure for line in lines)
        quality = Quality.CONCENTRATION_CAP if any(line.value < 0 for line in caps) else Quality.NONE
        quality |= Quality.DEPEG if any(lot.is_depegged for lot in lots) else Quality.NONE
        return Evaluation(
            rule_set=self.name,
            purpose=purpose,
            end=end,
            unit=self.unit,
            equity=equity,
            requirement=requirement,
            collateral=collateral,
            debt=collateral - equity,
            verdict=Verdict.HEALTHY if equity >= requirement else Verdict.UNHEALTHY,
            health=health_of(equity, requirement, collateral, collateral - equity, exposure),
            lines=lines,
            gaps=gaps,
            quality=quality | (Quality.DEGRADED_LEG if gaps else Quality.NONE),
        )

    def _parts(
        self, account: Account, market: MarketData, end: End
    ) -> tuple[list[_Lot], list[TermLine], tuple[Gap, ...]]:
        lots, debts, gaps = [], [], []
        for leg in account.legs:
            if leg.amount == 0:
                continue
            reason = self._refusal(leg, market)
            if not reason and (leg.role is Role.DEBT or leg.amount < 0):
                debts.append(self._debt_line(leg, market, end))
                reason = self._staleness(leg, market)
            elif not reason:
                reason = self._staleness(leg, market) or self._unbound(leg)
                lots += [] if reason else [self._lot(leg, market, end)]
            if reason:
                gaps.append(gap_of(leg, reason))
        return lots, debts, tuple(gaps)

    def _refusal(self, leg: Leg, market: MarketData) -> str:
        """Return why a leg cannot be weighed at all, or the empty string."""
        asset = self.assets.get(leg.asset)
        if leg.role not in (Role.COLLATERAL, Role.DEBT, Role.CASH):
            return f"haircuts know no leg of role {leg.role}"
        if asset is None or leg.chain not in self.chains:
            return f"no rule of {leg.asset if asset is None else leg.chain}"
        needed = [leg.asset]
        if isinstance(asset.cap, GrowthCap) and leg.role is not Role.DEBT and leg.amount > 0:
            needed.append(asset.cap.underlying)
        unpriced = [name for name in needed if name not in market.prices]
        return fault_of(leg) or (f"no price of {unpriced[0]}" if unpriced else "")

    def _unbound(self, leg: Leg) -> str:
        is_stated = leg.encumbrance is not Encumbrance.NOT_APPLICABLE or leg.encumbrance in self.encumbrance_ppm
        return "" if is_stated else "not stated how it is bound: escrowed, protocol_locked, approved or free"

    def _staleness(self, leg: Leg, market: MarketData) -> str:
        if leg.block_time_s == 0:
            return "the time of its block is not known"
        age_s, most = self._age_s(leg, market), self.chains[leg.chain].age_s_max
        return f"block {age_s} s old, at most {most} s allowed" if age_s > most else ""

    def _age_s(self, leg: Leg, market: MarketData) -> int:
        if leg.block_time_s == 0:
            return self.chains[leg.chain].age_s_max
        return max(0, market.as_of_s - leg.block_time_s)

    # --- lots --------------------------------------------------------------------------------------------------------

    def _lot(self, leg: Leg, market: MarketData, end: End) -> _Lot:
        asset, chain = self.assets[leg.asset], self.chains[leg.chain]
        price = _capped_price(leg.asset, asset, market, end)
        depeg = depeg_haircut_up(price, asset.depeg.threshold_e18, asset.depeg.factor_ppm) if asset.depeg else 0
        others = (
            chain.bridges_ppm.get(leg.asset, chain.bridge_ppm) * PPM_TO_E18,
            chain.chain_ppm * PPM_TO_E18,
            latency_haircut_up(self.z_ppm, asset.sigma_ppm, chain.delay_s(self._age_s(leg, market))),
            depeg,
        )
        maintenance = (asset.maintenance_ppm * PPM_TO_E18, *others)
        initial = (max(asset.maintenance_ppm, asset.initial_ppm) * PPM_TO_E18, *others)
        weight = self.encumbrance_ppm.get(leg.encumbrance, 0)
        return _Lot(
            leg=leg,
            price=price,
            marked=value_down(leg.amount, price, leg.decimals),
            value=lot_value_down(leg.amount, price, leg.decimals, maintenance, weight),
            value_initial=lot_value_down(leg.amount, price, leg.decimals, initial, weight),
            haircut_e18=composite_haircut_up(maintenance),
            is_depegged=depeg > 0,
        )

    def _cap_lines(self, lots: Sequence[_Lot], *, is_initial: bool) -> list[TermLine]:
        """Return one line for each asset of which less counts than its lots add up to."""
        names = sorted({lot.leg.asset for lot in lots})
        sums = [sum(lot.value for lot in lots if lot.leg.asset == name) for name in names]
        initial = [sum(lot.value_initial for lot in lots if lot.leg.asset == name) for name in names]
        lines = []
        for name, value, cut, cut_initial in zip(
            names, sums, self._cuts(names, sums), self._cuts(names, initial), strict=True
        ):
            required = cut_initial - cut if is_initial else 0
            if cut or required:
                depth = self.assets[name].depth_usd_e18
                why = "depth" if depth is not None and value > depth else "concentration"
                lines.append(overlay_line(f"{name} beyond its {why} cap", -cut, required))
        return lines

    def _cuts(self, names: Sequence[str], values: Sequence[int]) -> list[int]:
        """Return what each asset's value loses to its depth, then to its share of what counts."""
        depths = [self.assets[name].depth_usd_e18 for name in names]
        deep = [value if depth is None else min(value, depth) for value, depth in zip(values, depths, strict=True)]
        kept = counted(deep, [self.assets[name].limit for name in names])
        return [value - one for value, one in zip(values, kept, strict=True)]

    # --- debts -------------------------------------------------------------------------------------------------------

    def _debt_line(self, leg: Leg, market: MarketData, end: End) -> TermLine:
        asset = self.assets[leg.asset]
        growth = DebtGrowth(asset.rate_ppm, self._age_s(leg, market), asset.liability_ppm)
        price = price_at(market.prices[leg.asset], PRICE_DECIMALS, end, is_owed=True)
        owed = debt_value_up(abs(leg.amount), price, leg.decimals, growth)
        label = f"{leg.asset} debt on {leg.chain}, grown for {growth.age_s} s"
        return leg_line(leg, label, (price, PRICE_DECIMALS), (-owed, 0), Rounding.UP, owed)

    def _charges(self, owed: int, *, is_initial: bool) -> list[TermLine]:
        if owed == 0:
            return []
        share = max(self.initial_ppm, self.maintenance_ppm) if is_initial else self.maintenance_ppm
        reserve = self.reserve_usd_e18 + share_up(owed, self.reserve_ppm)
        lines = (
            overlay_line("reserve for closing", -reserve, 0),
            overlay_line("margin on debts", 0, share_up(owed, share)),
        )
        return [line for line in lines if line.value or line.requirement]


def _capped_price(name: str, asset: HaircutAsset, market: MarketData, end: End) -> int:
    """Return the price of what is held, at 10^18, never above its cap."""
    price = price_at(market.prices[name], PRICE_DECIMALS, end, is_owed=False)
    if isinstance(asset.cap, StableCap):
        return min(price, asset.cap.cap_e18)
    if isinstance(asset.cap, GrowthCap):
        cap = asset.cap
        underlying = price_at(market.prices[cap.underlying], PRICE_DECIMALS, end, is_owed=False)
        age_s = market.as_of_s - cap.snapshot_s
        return min(price, growth_capped_down(cap.snapshot_e18, cap.growth_ppm, age_s, underlying))
    return price


def _lot_line(lot: _Lot, *, is_initial: bool) -> TermLine:
    required = lot.value - lot.value_initial if is_initial else 0
    leg, shown = lot.leg, format_decimal(lot.haircut_e18 * 100, PRICE_DECIMALS)
    label = f"{leg.asset} {leg.encumbrance.name.lower()} on {leg.chain}, haircut {shown} %"
    return leg_line(leg, label, (lot.price, PRICE_DECIMALS), (lot.value, required), Rounding.DOWN, lot.marked)


ABOUT: Final = (
    RuleSetInfo(
        name="haircut@1",
        family=Family.COLLATERAL_FACTOR,
        title="Haircuts across chains (our own formula, no venue's)",
        formula="Σ ⌊q·p·(1-asset)(1-bridge)(1-chain)(1-latency)(1-depeg)·weight⌋, capped, - Σ ⌈grown debt⌉ - reserve",
        rounding="lots down, debts, haircuts and requirements up, each once",
        equality="excess 0 is healthy",
        source="ours: no protocol formula for a cross-chain haircut is known; latency by the root of time",
        monotone=(
            MonotoneInput("collateral amount, price of what is held, depth, share and price caps", Trend.NEVER_FALLS),
            MonotoneInput("every haircut, σ, z, age, delays", Trend.NEVER_RISES),
            MonotoneInput("debt amount, price of what is owed, rate, liability factor, reserve", Trend.NEVER_RISES),
            MonotoneInput(
                "price of an asset that is both held and owed",
                Trend.NO_LAW,
                "1 held at a haircut of 10 % and 2 owed lose 1.1 dollars for each that the price rises",
            ),
        ),
        is_mirrored=False,
    ),
)
