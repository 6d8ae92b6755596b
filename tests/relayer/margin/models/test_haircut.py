"""Haircuts across chains behind the engine: the worked account, caps, debts, ages, laws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.types import ChainId, Encumbrance, Quality
from proofs.units import E18, PPM, UsdE18
from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, Gap, Leg, MarketData, Price, Role
from relayer.margin.engine.result import Evaluation, Verdict
from relayer.margin.models.haircut import (
    ALL_OF_BOUND,
    Depeg,
    GrowthCap,
    HaircutAsset,
    HaircutChain,
    HaircutRules,
    StableCap,
)
from relayer.margin.rulesets.haircut import ShareLimit
from relayer.margin.view import Purpose, Rounding
from tests.relayer.margin.models.lending_build import cash as cash_leg
from tests.relayer.margin.models.lending_build import held as held_leg
from tests.relayer.margin.models.lending_build import owed as owed_leg

from .lending_build import (
    CHAIN,
    END,
    HEALTHY,
    INITIAL,
    MAINTENANCE,
    UNHEALTHY,
    UNKNOWN,
    account,
    at,
    judged,
    market,
)

NOW = 1_000_000
OTHER = ChainId("eip155:10")
WEIGHTS = {Encumbrance.NOT_APPLICABLE: PPM, Encumbrance.ESCROWED: PPM}
PLAIN = HaircutAsset(0, 0, 0)
FREE_CHAIN = HaircutChain(0, 0, 3_600)


def rules(assets: Mapping[str, HaircutAsset] | None = None, **more: object) -> HaircutRules:
    chains = {CHAIN: FREE_CHAIN, OTHER: FREE_CHAIN}
    named = {"A": PLAIN, "B": PLAIN, "D": PLAIN, **(assets or {})}
    return replace(HaircutRules(named, chains, encumbrance_ppm=WEIGHTS), **more)  # type: ignore[arg-type]


def held(asset: str, amount: int, decimals: int = 0, block_time_s: int = NOW - 3_600, **more: object) -> Leg:
    """A leg as old as the chain allows, where a test does not say otherwise."""
    return held_leg(asset, amount, decimals, block_time_s=block_time_s, **more)  # type: ignore[arg-type]


def owed(asset: str, amount: int, decimals: int = 0, block_time_s: int = NOW - 3_600) -> Leg:
    return owed_leg(asset, amount, decimals, block_time_s=block_time_s)


def cash(asset: str, amount: int, decimals: int = 0) -> Leg:
    return cash_leg(asset, amount, decimals, block_time_s=NOW - 3_600)


def here(**prices: Price) -> MarketData:
    return market({"A": at(1, 0), "B": at(1, 0), "D": at(1, 0), **prices}, as_of_s=NOW)


def dollars(amount: int) -> int:
    return amount * E18


# --- the worked account ----------------------------------------------------------------------------------------------


def worked() -> tuple[Account, MarketData, HaircutRules]:
    """10 ETH at 3000 and 0.5 BTC at 60,000 on a chain of τ = 840 s, 20,000 USDC on one of 120 s."""
    slow = HaircutChain(
        0, 0, 900, finality_s=700, relay_s=20, proof_s=40, liquidation_s=60, bridges_ppm={"BTC": 30_000}
    )
    fast = HaircutChain(0, 0, 900, finality_s=100)
    assets = {
        "ETH": HaircutAsset(100_000, 100_000, 800_000),
        "USDC": HaircutAsset(10_000, 10_000, 50_000),
        "BTC": HaircutAsset(120_000, 120_000, 700_000),
    }
    legs = account(
        held("ETH", 10 * E18, 18, block_time_s=NOW - 20),
        replace(held("USDC", 20_000 * 10**6, 6, block_time_s=NOW - 20), chain=OTHER),
        held("BTC", 5 * 10**7, 8, block_time_s=NOW - 20),
    )
    now = market({"ETH": at(3_000, 0), "USDC": at(1, 0), "BTC": at(60_000, 0)}, as_of_s=NOW)
    return legs, now, HaircutRules(assets, {CHAIN: slow, OTHER: fast}, encumbrance_ppm=WEIGHTS)


def test_worked_account__all_parts__as_published() -> None:
    result = judged(*worked())

    cents = [(line.value + 5 * 10**15) // 10**16 for line in result.lines]
    assert cents == [2_666_557, 1_979_421, 2_533_046]
    assert (result.equity + 5 * 10**15) // 10**16 == 7_179_023
    assert sum(line.exposure for line in result.lines) == dollars(80_000)
    assert [line.rounding for line in result.lines] == [Rounding.DOWN] * 3
    assert result.lines[0].label.startswith("ETH not_applicable on eip155:1, haircut 11.1147823")


# --- purposes and boundaries -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("debt", "verdict"), [(79, HEALTHY), (80, HEALTHY), (81, UNHEALTHY)])
def test_maintenance__one_unit_of_debt__equality_is_healthy(debt: int, verdict: Verdict) -> None:
    """100 at a haircut of 20 %; one unit is 10^-18 dollars."""
    weak = rules({"A": HaircutAsset(200_000, 200_000, 0)})

    result = judged(account(held("A", 100, 18), owed("D", debt, 18)), here(), weak)

    assert (result.verdict, result.excess) == (verdict, 80 - debt)


def test_initial__larger_haircut__is_required_and_equity_stays() -> None:
    """100 at 20 % and 30 %: equity 80 - 40, of which 10 must stay."""
    pool = rules({"A": HaircutAsset(200_000, 300_000, 0)})
    legs = account(held("A", 100), owed("D", 40))

    maintenance, initial = judged(legs, here(), pool), judged(legs, here(), pool, INITIAL)

    assert (maintenance.equity, maintenance.requirement) == (dollars(40), 0)
    assert (initial.equity, initial.requirement) == (dollars(40), dollars(10))


def test_initial__haircut_below_that_of_maintenance__counts_as_that() -> None:
    pool = rules({"A": HaircutAsset(200_000, 100_000, 0)}, maintenance_ppm=100_000, initial_ppm=0)
    legs = account(held("A", 100), owed("D", 40))

    assert judged(legs, here(), pool, INITIAL).excess == judged(legs, here(), pool).excess


def test_margin_and_reserve__on_debts__up() -> None:
    """Debt 33: a tenth of it is 3.3 for maintenance and a fifth 6.6 for initial; reserve 5 and a twentieth, 1.65."""
    pool = rules(maintenance_ppm=100_000, initial_ppm=200_000, reserve_ppm=50_000, reserve_usd_e18=5)
    legs = account(held("A", 100, 18), owed("D", 33, 18))

    maintenance, initial = judged(legs, here(), pool), judged(legs, here(), pool, INITIAL)

    assert (maintenance.equity, maintenance.requirement, maintenance.debt) == (100 - 33 - 7, 4, 40)
    assert initial.requirement == 7
    assert judged(legs, here(), pool, END).requirement == 5


def test_reserve__without_debt__is_nothing() -> None:
    result = judged(account(held("A", 100, 18)), here(), rules(reserve_usd_e18=5, maintenance_ppm=PPM))

    assert (result.equity, result.requirement, len(result.lines)) == (100, 0, 1)


# --- haircuts and ages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leg", "value"),
    [
        (held("A", 10**6, block_time_s=NOW), 10**6),
        (held("A", 10**6, block_time_s=NOW + 5), 10**6),
        (held("A", 10**6, block_time_s=NOW - 900), 10**6 - 18_000),
        (held("A", 10**6, block_time_s=NOW - 3_600), 10**6 - 36_000),
    ],
)
def test_age__of_the_block__costs_its_root(leg: Leg, value: int) -> None:
    """σ such that an hour takes 3.6 %: z σ √(3600 / 31,536,000) with z σ = 0.036 · √8760; √8760 = 93.5949, up."""
    pool = rules({"A": replace(PLAIN, sigma_ppm=3_369_416)}, z_ppm=PPM)

    result = judged(account(leg), here(), pool)

    assert 0 <= dollars(value) - result.equity < dollars(1)


def test_age__beyond_what_the_chain_allows__counts_zero() -> None:
    result = judged(account(held("A", 100, block_time_s=NOW - 3_601)), here(), rules())

    assert result.gaps == (Gap("A held", "block 3601 s old, at most 3600 s allowed", True),)
    assert (result.equity, result.verdict, result.quality) == (0, HEALTHY, Quality.DEGRADED_LEG)


@pytest.mark.parametrize("field", ["block_time_s", "encumbrance"])
def test_th_013_held__age_or_bond_not_stated__counts_zero(field: str) -> None:
    """Leaving out what would tell against a holding never helps: old blocks and free holdings count zero as well."""
    leg = replace(held_leg("A", 100, block_time_s=NOW), encumbrance=Encumbrance.ESCROWED)
    nothing = {"block_time_s": 0, "encumbrance": Encumbrance.NOT_APPLICABLE}[field]
    pool = HaircutRules({"A": PLAIN}, {CHAIN: FREE_CHAIN})

    told, untold = (judged(account(one), here(), pool) for one in (leg, replace(leg, **{field: nothing})))

    assert (told.equity, told.gaps) == (dollars(100), ())
    assert (untold.equity, [gap.is_collateral for gap in untold.gaps]) == (0, [True])


def test_th_013_debt__age_not_stated__makes_the_verdict_unknown() -> None:
    assert judged(account(owed("D", 1, block_time_s=0)), here(), rules()).verdict is Verdict.UNKNOWN


def test_age__of_a_debt__it_stays_with_its_growth_and_makes_the_verdict_unknown() -> None:
    """10 % a year for 7200 s on 31,536,000: 31,536,000 grows by 720."""
    pool = rules({"D": replace(PLAIN, rate_ppm=100_000)})
    legs = account(held("A", 10**9), owed("D", 31_536_000, block_time_s=NOW - 7_200))

    result = judged(legs, here(), pool)

    assert result.debt == dollars(31_536_720)
    assert result.gaps == (Gap("D owed", "block 7200 s old, at most 3600 s allowed", False),)
    assert result.verdict is UNKNOWN


def test_bridge__of_one_asset__replaces_that_of_the_chain() -> None:
    chain = HaircutChain(100_000, 200_000, 3_600, bridges_ppm={"B": 0})
    pool = replace(rules(), chains={CHAIN: chain})

    assert judged(account(held("A", 100)), here(), pool).equity == dollars(72)
    assert judged(account(held("B", 100)), here(), pool).equity == dollars(90)


@pytest.mark.parametrize(
    ("encumbrance", "value"),
    [
        (Encumbrance.NOT_APPLICABLE, 0),
        (Encumbrance.ESCROWED, 100),
        (Encumbrance.PROTOCOL_LOCKED, 40),
        (Encumbrance.APPROVED, 0),
        (Encumbrance.FREE, 0),
    ],
)
def test_encumbrance__class__weighs_and_one_without_weight_counts_nothing(encumbrance: Encumbrance, value: int) -> None:
    weights = MappingProxyType({**ALL_OF_BOUND, Encumbrance.PROTOCOL_LOCKED: 400_000})

    result = judged(account(held("A", 100, encumbrance=encumbrance)), here(), rules(encumbrance_ppm=weights))

    assert result.equity == dollars(value)


# --- prices ----------------------------------------------------------------------------------------------------------


def test_stable_cap__above_the_peg__is_cut_and_a_fall_passes_through() -> None:
    pool = rules({"A": replace(PLAIN, cap=StableCap(E18))})

    for cents, counts in ((104, 100), (100, 100), (93, 93)):
        assert judged(account(held("A", 100)), here(A=at(cents, 2)), pool).equity == dollars(counts)


def test_stable_cap__of_what_is_owed__does_not_lower_it() -> None:
    pool = rules({"A": replace(PLAIN, cap=StableCap(E18))})

    assert judged(account(owed("A", 100)), here(A=at(104, 2)), pool).debt == dollars(104)


def test_growth_cap__of_a_staking_token__follows_the_underlying() -> None:
    """Ratio 1.1 at the snapshot, now: 1.1 · 3000 = 3300 at most; a lower price passes."""
    pool = rules({"A": replace(PLAIN, cap=GrowthCap("ETH", 11 * E18 // 10, NOW, 100_000))})
    legs = account(held("A", 1))

    assert judged(legs, here(A=at(3_400, 0), ETH=at(3_000, 0)), pool).equity == dollars(3_300)
    assert judged(legs, here(A=at(3_200, 0), ETH=at(3_000, 0)), pool).equity == dollars(3_200)
    later = replace(here(A=at(3_400, 0), ETH=at(3_000, 0)), as_of_s=NOW + 10)
    legs = account(held("A", 1, block_time_s=NOW))
    assert judged(legs, later, pool).equity == dollars(3_300) + 3_000 * 34_880_771_180


def test_growth_cap__underlying_unpriced__is_a_gap_of_what_is_held_alone() -> None:
    pool = rules({"A": replace(PLAIN, cap=GrowthCap("ETH", E18, 0, 0))})

    assert judged(account(held("A", 1)), here(), pool).gaps == (Gap("A held", "no price of ETH", True),)
    assert judged(account(owed("A", 1)), here(), pool).gaps == ()


def test_depeg__below_the_threshold__raises_the_haircut_and_marks() -> None:
    """At 0.97 with a threshold of 0.98 and factor 4: 100 · 0.97 · 0.96 = 93.12."""
    pool = rules({"A": replace(PLAIN, depeg=Depeg(98 * E18 // 100, 4 * PPM))})

    fallen = judged(account(held("A", 100)), here(A=at(97, 2)), pool)

    assert (fallen.equity, fallen.quality) == (9_312 * E18 // 100, Quality.DEPEG)
    assert judged(account(held("A", 100)), here(A=at(98, 2)), pool).quality is Quality.NONE


def test_price__interval__low_for_what_is_held_and_high_for_what_is_owed() -> None:
    result = judged(account(held("A", 100), owed("D", 10)), here(A=at(2, 0, 3), D=at(4, 0, 5)), rules())

    assert (result.excess, result.excess_high) == (dollars(150), dollars(260))


def test_debt__lifted_by_its_factor__and_negative_cash_is_one() -> None:
    pool = rules({"D": replace(PLAIN, liability_ppm=1_100_000)})

    assert judged(account(owed("D", 10)), here(), pool).debt == dollars(11)
    assert judged(account(cash("D", -10)), here(), pool).debt == dollars(11)
    assert judged(account(cash("D", 10)), here(), pool).collateral == dollars(10)


# --- caps ------------------------------------------------------------------------------------------------------------


def test_depth__over_all_chains__cuts_and_marks() -> None:
    """60 on each of two chains, 100 can be sold: 20 count for nothing."""
    pool = rules({"A": replace(PLAIN, depth_usd_e18=UsdE18(dollars(100)))})
    legs = account(held("A", 60), replace(held("A", 60), name="more", chain=OTHER))

    result = judged(legs, here(), pool)

    assert (result.equity, result.quality) == (dollars(100), Quality.CONCENTRATION_CAP)
    assert (result.lines[-1].label, result.lines[-1].value) == ("A beyond its depth cap", -dollars(20))
    assert judged(account(held("A", 100)), here(), pool).quality is Quality.NONE


def test_concentration__half_of_what_counts__cuts_and_marks() -> None:
    """300 of A beside 100 of B: of A 100 count, whatever the order."""
    pool = rules({"A": replace(PLAIN, limit=ShareLimit(500_000))})
    legs = (held("A", 300), held("B", 100), owed("D", 150))

    for order in (legs, legs[::-1]):
        result = judged(account(*order), here(), pool)
        assert (result.collateral, result.equity) == (dollars(200), dollars(50))
        assert result.quality is Quality.CONCENTRATION_CAP
        assert "A beyond its concentration cap" in [line.label for line in result.lines]


def test_concentration__after_depth__is_of_what_is_left() -> None:
    """B is cut to 40 by depth, so of A 40 count beside it."""
    pool = rules({"A": replace(PLAIN, limit=ShareLimit(500_000)), "B": replace(PLAIN, depth_usd_e18=dollars(40))})

    assert judged(account(held("A", 300), held("B", 100)), here(), pool).equity == dollars(80)


def test_initial__where_a_cap_binds__requires_what_the_capped_value_loses() -> None:
    """B 100 at 50 % initial is 50, so of A 50 count: 200 - 100 are required."""
    pool = rules({"A": replace(PLAIN, limit=ShareLimit(500_000)), "B": HaircutAsset(0, 500_000, 0)})

    result = judged(account(held("A", 300), held("B", 100)), here(), pool, INITIAL)

    assert (result.equity, result.requirement) == (dollars(200), dollars(100))


# --- what is missing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leg", "reason", "is_collateral"),
    [
        (held("X", 1), "no rule of X", True),
        (owed("X", 1), "no rule of X", False),
        (replace(held("A", 1), chain=ChainId("eip155:5")), "no rule of eip155:5", True),
        (held("P", 1), "no price of P", True),
        (owed("P", 1), "no price of P", False),
        (cash("P", 1), "no price of P", True),
        (cash("P", -1), "no price of P", False),
        (Leg("p", Role.PERP, "A", 1, CHAIN), "haircuts know no leg of role perp", False),
        (held("A", -1), "a collateral of -1", False),
        (owed("A", -1), "a debt of -1", False),
        (held("A", 1, 78), "decimals outside 0..77: 78", True),
    ],
)
def test_leg__not_usable__is_a_gap(leg: Leg, reason: str, is_collateral: bool) -> None:
    result = judged(account(held("B", 5), leg), here(), rules({"P": PLAIN}))

    assert result.gaps == (Gap(leg.name, reason, is_collateral),)
    assert result.equity == dollars(5)
    assert result.verdict is (HEALTHY if is_collateral else UNKNOWN)


def test_haircut__beyond_all_of_it__is_refused() -> None:
    with pytest.raises(ValueError):
        evaluate(account(held("A", 1)), here(), rules({"A": HaircutAsset(PPM + 1, 0, 0)}), MAINTENANCE)


# --- laws ------------------------------------------------------------------------------------------------------------

NAMES = ("A", "B", "C")
SHARE = st.integers(0, PPM)
FEWER = settings(max_examples=40)
"""A case is seven legs on two chains under drawn rules, weighed four times: slow to draw."""
AMOUNT = st.one_of(st.integers(0, 100), st.integers(0, 10**24))


@st.composite
def assets_(draw: st.DrawFn) -> HaircutAsset:
    return HaircutAsset(
        maintenance_ppm=draw(SHARE),
        initial_ppm=draw(SHARE),
        sigma_ppm=draw(SHARE),
        depth_usd_e18=draw(st.one_of(st.none(), st.integers(0, 10**26))),
        limit=ShareLimit(draw(st.one_of(st.just(PPM), SHARE)), draw(st.one_of(st.just(0), st.integers(0, 10**24)))),
        cap=draw(st.one_of(st.none(), st.builds(StableCap, st.integers(1, 10**20)))),
        depeg=draw(st.one_of(st.none(), st.builds(Depeg, st.integers(0, 10**20), st.integers(0, 5 * PPM)))),
        rate_ppm=draw(SHARE),
        liability_ppm=draw(st.integers(PPM, 2 * PPM)),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Account, MarketData, HaircutRules]:
    chains = {
        chain: HaircutChain(draw(SHARE), draw(SHARE), 900, draw(st.integers(0, 10**6)), draw(st.integers(0, 100)))
        for chain in (CHAIN, OTHER)
    }
    policy = HaircutRules(
        {**{name: draw(assets_()) for name in NAMES}, "D": PLAIN},
        chains,
        maintenance_ppm=draw(SHARE),
        initial_ppm=draw(SHARE),
        reserve_ppm=draw(SHARE),
        reserve_usd_e18=draw(st.integers(0, 10**18)),
    )
    legs = [
        replace(held(name, draw(AMOUNT), 18, block_time_s=NOW - draw(st.integers(0, 900))), name=f"{name} {chain}")
        for name in NAMES
        for chain in (CHAIN, OTHER)
    ]
    legs = [replace(leg, chain=ChainId(leg.name.split()[1])) for leg in legs]
    debt = owed("D", draw(AMOUNT), 18, block_time_s=NOW - draw(st.integers(0, 900)))
    prices = {name: Price(low := draw(st.integers(1, 10**21)), low + draw(st.integers(0, 10**20))) for name in NAMES}
    return account(*legs, debt), here(**prices), policy


def excesses(legs: Account, now: MarketData, policy: HaircutRules) -> tuple[int, int, int]:
    first, second = evaluate(legs, now, policy, MAINTENANCE), evaluate(legs, now, policy, INITIAL)
    return first.equity, first.excess, second.excess


def never_above(after: tuple[int, ...], before: tuple[int, ...]) -> bool:
    return all(new <= old for new, old in zip(after, before, strict=True))


@FEWER
@given(cases())
def test_law__initial__demands_at_least_maintenance_and_lines_add_up(
    case: tuple[Account, MarketData, HaircutRules],
) -> None:
    results: list[Evaluation] = [judged(*case, purpose) for purpose in (MAINTENANCE, INITIAL)]

    assert results[0].equity == results[1].equity
    assert 0 <= results[0].requirement <= results[1].requirement
    assert results[0].collateral >= 0
    assert (results[1].excess >= 0) is (results[1].verdict is HEALTHY)


@FEWER
@given(
    cases(),
    st.sampled_from(NAMES),
    st.integers(1, PPM),
    st.sampled_from(("maintenance_ppm", "initial_ppm", "sigma_ppm")),
)
def test_law__more_haircut_of_an_asset__never_raises_equity(
    case: tuple[Account, MarketData, HaircutRules], name: str, more: int, what: str
) -> None:
    legs, now, policy = case
    asset = policy.assets[name]
    worse = replace(asset, **{what: min(PPM, getattr(asset, what) + more)})

    after = excesses(legs, now, replace(policy, assets={**policy.assets, name: worse}))

    assert never_above(after, excesses(legs, now, policy))


@FEWER
@given(
    cases(),
    st.sampled_from((CHAIN, OTHER)),
    st.integers(1, PPM),
    st.sampled_from(("chain_ppm", "bridge_ppm", "finality_s", "relay_s", "proof_s", "liquidation_s")),
)
def test_law__more_haircut_or_delay_of_a_chain__never_raises_equity(
    case: tuple[Account, MarketData, HaircutRules], name: ChainId, more: int, what: str
) -> None:
    legs, now, policy = case
    chain = policy.chains[name]
    worse = replace(chain, **{what: min(PPM, getattr(chain, what) + more)})

    after = excesses(legs, now, replace(policy, chains={**policy.chains, name: worse}))

    assert never_above(after, excesses(legs, now, policy))


@FEWER
@given(
    cases(),
    st.integers(1, PPM),
    st.sampled_from(("z_ppm", "maintenance_ppm", "initial_ppm", "reserve_ppm", "reserve_usd_e18")),
)
def test_law__stricter_policy__never_raises_excess(
    case: tuple[Account, MarketData, HaircutRules], more: int, what: str
) -> None:
    legs, now, policy = case

    after = excesses(legs, now, replace(policy, **{what: getattr(policy, what) + more}))

    assert never_above(after, excesses(legs, now, policy))


@FEWER
@given(cases(), st.integers(1, 60))
def test_law__time__never_raises_excess(case: tuple[Account, MarketData, HaircutRules], seconds: int) -> None:
    """Lots that grow too old count zero; debts go on growing."""
    legs, now, policy = case

    assert never_above(excesses(legs, replace(now, as_of_s=NOW + seconds), policy), excesses(legs, now, policy))


@FEWER
@given(cases(), st.sampled_from(NAMES), st.integers(1, 10**20), st.sampled_from(("limit", "depth", "cap", "depeg")))
def test_law__tighter_caps__never_raise_excess(
    case: tuple[Account, MarketData, HaircutRules], name: str, less: int, what: str
) -> None:
    legs, now, policy = case
    asset = policy.assets[name]
    tighter = {
        "limit": replace(asset, limit=ShareLimit(asset.limit.share_ppm // 2, max(0, asset.limit.free - less))),
        "depth": replace(asset, depth_usd_e18=max(0, (asset.depth_usd_e18 or 10**60) - less)),
        "cap": replace(
            asset, cap=StableCap(min(less, asset.cap.cap_e18 if isinstance(asset.cap, StableCap) else less))
        ),
        "depeg": replace(asset, depeg=Depeg(asset.depeg.threshold_e18 + less, asset.depeg.factor_ppm + 1))
        if asset.depeg
        else asset,
    }[what]

    after = excesses(legs, now, replace(policy, assets={**policy.assets, name: tighter}))

    assert never_above(after, excesses(legs, now, policy))


@FEWER
@given(cases(), st.integers(0, 6), st.integers(1, 10**24))
def test_law__amounts_and_prices__in_the_claimed_directions(
    case: tuple[Account, MarketData, HaircutRules], place: int, more: int
) -> None:
    legs, now, policy = case
    leg, before = legs.legs[place], excesses(*case)
    price = now.prices[leg.asset]

    grown = excesses(legs.with_amount(leg.name, leg.amount + more), now, policy)
    dearer = excesses(
        legs, now.with_price(leg.asset, replace(price, low=price.low + more, high=price.high + more)), policy
    )
    wider = excesses(
        legs, now.with_price(leg.asset, replace(price, low=max(1, price.low - more), high=price.high + more)), policy
    )

    assert never_above(wider, before)
    for after in (grown, dearer):
        assert never_above(after, before) if leg.role is Role.DEBT else never_above(before, after)


@FEWER
@given(cases(), st.permutations(range(7)))
def test_law__legs_in_any_order__say_the_same(case: tuple[Account, MarketData, HaircutRules], order: list[int]) -> None:
    legs, now, policy = case
    shuffled = account(*(legs.legs[place] for place in order))

    assert excesses(shuffled, now, policy) == excesses(legs, now, policy)


@FEWER
@given(cases(), st.integers(1, 12))
def test_law__more_decimals__say_the_same(case: tuple[Account, MarketData, HaircutRules], shift: int) -> None:
    legs, now, policy = case
    moved = account(*(replace(leg, amount=leg.amount * 10**shift, decimals=leg.decimals + shift) for leg in legs.legs))

    assert excesses(moved, now, policy) == excesses(legs, now, policy)


@FEWER
@given(cases(), st.sampled_from(NAMES))
def test_law__missing_price_of_collateral__never_raises_excess(
    case: tuple[Account, MarketData, HaircutRules], name: str
) -> None:
    legs, now, policy = case
    left = replace(now, prices={asset: price for asset, price in now.prices.items() if asset != name})

    assert never_above(excesses(legs, left, policy), excesses(legs, now, policy))


def test_exception__asset_both_held_and_owed__has_no_law_in_its_price() -> None:
    """1 held at 10 % and 2 owed: 0.9 p - 2 p falls by 1.1 for each dollar; the counter-example of the table."""
    pool = rules({"A": HaircutAsset(100_000, 100_000, 0)})
    legs = account(held("A", 1), owed("A", 2))

    one, two = (judged(legs, here(A=at(price, 0)), pool, Purpose.MAINTENANCE).excess for price in (1, 2))

    assert (one, two) == (-11 * E18 // 10, -22 * E18 // 10)
