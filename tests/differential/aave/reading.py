"""Read what a pool stores of an account, and say what our rule set makes of it."""

from __future__ import annotations

from dataclasses import dataclass

from relayer.margin.rulesets.aave_v3 import (
    AAVE_REVISIONS,
    AaveAccount,
    AaveCollateral,
    AaveDebt,
    AaveEmode,
    AaveFigures,
    account_figures,
)
from relayer.margin.rulesets.aave_v3_accrual import (
    compounded_interest,
    compounded_interest_binomial,
    normalized_debt,
    normalized_income,
)
from tests.differential.aave.chain import Query
from tests.differential.aave.pools import CATEGORY, RESERVE_DATA, Asset, Market

COMPOUNDED = {"aave@3.6": compounded_interest, "aave@3.0": compounded_interest_binomial}
ACCOUNT_DATA = ("collateral", "debt", "available", "average threshold", "average LTV", "health factor")


@dataclass(frozen=True)
class ReserveState:
    """Hold one reserve at one block, its configuration read from the pool's own bits."""

    income_ray: int
    debt_index_ray: int
    price: int
    configuration: int

    def bits(self, start: int, width: int) -> int:
        return (self.configuration >> start) & ((1 << width) - 1)

    @property
    def ltv_bps(self) -> int:
        return self.bits(0, 16)

    @property
    def threshold_bps(self) -> int:
        return self.bits(16, 16)

    @property
    def bonus_bps(self) -> int:
        return self.bits(32, 16)

    @property
    def decimals(self) -> int:
        return self.bits(48, 8)

    @property
    def protocol_fee_bps(self) -> int:
        return self.bits(152, 16)

    @property
    def category(self) -> int:
        return self.bits(168, 8)


@dataclass(frozen=True)
class Mode:
    """Hold the efficiency mode's terms and, from 3.6 on, its two bitmaps."""

    ltv_bps: int
    threshold_bps: int
    bonus_bps: int
    collateral_bits: int
    ltv_zero_bits: int


@dataclass(frozen=True)
class Reading:
    """Hold one account of a pool at one block, and what the pool's getter says of it."""

    reserves: tuple[ReserveState, ...]
    mode: Mode
    scaled: tuple[tuple[int, int], ...]
    flags: int
    category: int
    venue: tuple[int, ...]

    def uses(self, index: int) -> bool:
        return bool(self.flags >> (2 * index + 1) & 1)

    def borrows(self, index: int) -> bool:
        return bool(self.flags >> (2 * index) & 1)


def read(market: Market, user: str) -> Reading:
    """Read everything in one batch at the newest block."""
    pool, assets, width = market.pool, market.assets, len(market.assets)
    queries = reserve_queries(market)
    queries += [
        Query(token, "scaledBalanceOf(address)", (user,))
        for asset in assets
        for token in (asset.a_token, asset.v_token)
    ]
    queries += mode_queries(market)
    queries += [
        Query(pool, "getUserConfiguration(address)", (user,)),
        Query(pool, "getUserEMode(address)", (user,)),
        Query(pool, "getUserAccountData(address)", (user,), ("uint256",) * 6),
    ]
    answers = market.chain.ask(queries)
    scaled = answers[4 * width : 6 * width]
    *mode, flags, category, venue = answers[6 * width :]
    return Reading(
        reserves=reserves_of(answers[: 4 * width]),
        mode=mode_of(mode),
        scaled=tuple(zip(scaled[::2], scaled[1::2], strict=True)),
        flags=flags,
        category=category,
        venue=venue,
    )


def reserve_queries(market: Market) -> list[Query]:
    return [
        query
        for asset in market.assets
        for query in (
            Query(market.pool, "getReserveNormalizedIncome(address)", (asset.token,)),
            Query(market.pool, "getReserveNormalizedVariableDebt(address)", (asset.token,)),
            Query(market.oracle, "getAssetPrice(address)", (asset.token,)),
            Query(market.pool, "getConfiguration(address)", (asset.token,)),
        )
    ]


def reserves_of(answers: list[int]) -> tuple[ReserveState, ...]:
    return tuple(ReserveState(*answers[start : start + 4]) for start in range(0, len(answers), 4))


def mode_queries(market: Market) -> list[Query]:
    if market.revision == "aave@3.0":
        form = ("(uint16,uint16,uint16,address,string)",)
        return [Query(market.pool, "getEModeCategoryData(uint8)", (CATEGORY,), form)]
    return [
        Query(market.pool, "getEModeCategoryCollateralConfig(uint8)", (CATEGORY,), ("uint16",) * 3),
        Query(market.pool, "getEModeCategoryCollateralBitmap(uint8)", (CATEGORY,)),
        Query(market.pool, "getEModeCategoryLtvzeroBitmap(uint8)", (CATEGORY,)),
    ]


def mode_of(answers: list[object]) -> Mode:
    terms, *bitmaps = answers
    collateral_bits, ltv_zero_bits = bitmaps or (0, 0)
    return Mode(*terms[:3], collateral_bits, ltv_zero_bits)


def emode_terms(reading: Reading, index: int) -> AaveEmode | None:
    """Return the mode's terms where the account's mode has the reserve, by the revision's own criterion."""
    mode, inside = reading.mode, reading.reserves[index].category == reading.category
    if mode.collateral_bits:
        inside = bool(mode.collateral_bits >> index & 1)
    if reading.category == 0 or not inside:
        return None
    return AaveEmode(mode.ltv_bps, mode.threshold_bps, bool(mode.ltv_zero_bits >> index & 1))


def figures_of(market: Market, reading: Reading) -> AaveFigures:
    """Return our figures of what the pool stores."""
    collateral, debt = [], []
    for index, (state, (supplied, borrowed)) in enumerate(zip(reading.reserves, reading.scaled, strict=True)):
        if reading.uses(index):
            terms = (state.ltv_bps, state.threshold_bps, emode_terms(reading, index))
            collateral.append(AaveCollateral(supplied, state.income_ray, state.price, state.decimals, *terms))
        if reading.borrows(index):
            debt.append(AaveDebt(borrowed, state.debt_index_ray, state.price, state.decimals))
    return account_figures(AaveAccount(tuple(collateral), tuple(debt)), AAVE_REVISIONS[market.revision])


def account_data(figures: AaveFigures) -> tuple[int, ...]:
    """Return our figures in the order of the pool's getter."""
    return (
        figures.collateral_base,
        figures.debt_base,
        figures.available_base,
        figures.average_threshold_bps,
        figures.average_ltv_bps,
        figures.health_factor_wad,
    )


def account_differences(market: Market, reading: Reading) -> list[str]:
    """Return a line for each figure that is not the pool's, to the unit."""
    ours = account_data(figures_of(market, reading))
    return [
        f"{name}: ours {mine}, the pool's {theirs}"
        for name, mine, theirs in zip(ACCOUNT_DATA, ours, reading.venue, strict=True)
        if mine != theirs
    ]


def index_differences(market: Market, asset: Asset, state: ReserveState, now_s: int) -> list[str]:
    """Return a line for each index that does not follow from the last update and our accrual."""
    (data,) = market.chain.ask([Query(market.pool, "getReserveData(address)", (asset.token,), RESERVE_DATA)])
    elapsed = now_s - data[6]
    income = normalized_income(data[1], data[2], elapsed)
    debt = data[3] if elapsed == 0 else normalized_debt(data[3], COMPOUNDED[market.revision](data[4], elapsed))
    pairs = (("income", income, state.income_ray), ("debt index", debt, state.debt_index_ray))
    return [f"{name}: ours {mine}, the pool's {theirs}" for name, mine, theirs in pairs if mine != theirs]
