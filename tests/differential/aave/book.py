"""A random book on a real pool: act, then compare every figure of the account that acted, to the unit.

Actions: supply, withdraw, borrow, repay (from one base unit to all of it), collateral on and off, efficiency mode in
and out, prices up and down, time from seconds to months, LTV and threshold to zero and back, liquidation.
Refused actions are part of the game: only the state after them counts. One seed gives one book.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random

from eth_abi import decode
from eth_utils import keccak

from relayer.margin.rulesets.aave_v3 import AAVE_REVISIONS
from relayer.margin.rulesets.aave_v3_liquidation import AavePair, AaveTotals, liquidate
from tests.differential.aave.chain import Query
from tests.differential.aave.pools import CATEGORY, Asset, Market
from tests.differential.aave.reading import (
    Reading,
    account_differences,
    emode_terms,
    figures_of,
    index_differences,
    read,
)

USERS = 5
EVERYTHING = 2**256 - 1
WAD = 10**18
DAY_S = 86_400
EVERYBODYS = frozenset({"price", "time", "ltv zero", "threshold"})
"""Actions that move every account."""
LIQUIDATED = keccak(b"LiquidationCall(address,address,address,uint256,uint256,address,bool)")


class Mismatch(AssertionError):
    """Say where ours and the pool's part."""


class Book:
    """Hold one random book on one market; `counts` says what happened."""

    def __init__(self, market: Market, seed: int) -> None:
        self.market, self.random, self.counts = market, Random(seed), Counter[str]()
        accounts = market.chain.accounts
        self.lender, self.liquidator, self.users = accounts[1], accounts[2], accounts[3 : 3 + USERS]
        self.readings: dict[str, Reading] = {}
        self.actions: Mapping[str, tuple[int, Callable[[str], object]]] = {
            "supply": (22, self.supply),
            "borrow": (22, self.borrow),
            "withdraw": (9, self.withdraw),
            "repay": (11, self.repay),
            "collateral": (5, self.toggle_collateral),
            "mode": (9, self.toggle_mode),
            "price": (12, self.move_price),
            "time": (8, self.pass_time),
            "ltv zero": (3, self.toggle_ltv),
            "threshold": (3, self.toggle_threshold),
        }

    def open(self) -> None:
        """Fund everybody; the lender supplies what the others borrow."""
        node = self.market.chain.node
        node.rpc("anvil_impersonateAccount", [self.market.configurator])
        node.rpc("anvil_setBalance", [self.market.configurator, hex(10**24)])
        for asset in self.market.assets:
            for user in (self.lender, self.liquidator, *self.users):
                amount = 10 ** (asset.terms.decimals + 10)
                self.market.chain.must(user, asset.token, "mint(uint256)", amount)
                self.market.chain.must(user, asset.token, "approve(address,uint256)", self.market.pool, EVERYTHING)
            self._supply(self.lender, asset, 10 ** (asset.terms.decimals + 7))
        for user in self.users:
            for asset in self.random.sample(self.market.assets[:-1], 2):
                self._supply(user, asset, self.units(asset, self.random.randrange(3_000, 50_000) * 10**8))
            self.check(0, "opening", user)

    def run(self, steps: int) -> None:
        """Act and compare this many times."""
        for step in range(steps):
            user = self.random.choice(self.users)
            victim = next((one for one, reading in self.readings.items() if reading.venue[5] < WAD), None)
            if victim is not None and self.random.random() < 0.6:
                name, user, done = "liquidate", victim, self.liquidate(victim)
            else:
                weights = [weight for weight, _ in self.actions.values()]
                (name,) = self.random.choices(list(self.actions), weights)
                done = self.actions[name][1](user)
            self.counts[f"{name} done" if done else f"{name} refused"] += 1
            for touched in self.users if name in EVERYBODYS else (user,):
                self.check(step, name, touched)

    def check(self, step: int, name: str, user: str) -> None:
        """Compare one account and one reserve's indices."""
        reading = read(self.market, user)
        self.readings[user] = reading
        index = self.random.randrange(len(self.market.assets))
        state, now_s = reading.reserves[index], self.market.chain.now_s()
        differences = account_differences(self.market, reading)
        differences += index_differences(self.market, self.market.assets[index], state, now_s)
        if differences:
            raise Mismatch(f"{self.market.revision}, step {step} ({name}): {differences}\n{reading}")
        self.counts["accounts equal"] += 1
        self.counts["unhealthy"] += reading.venue[5] < WAD
        self.counts["in the mode"] += reading.category != 0
        self.counts["without debt"] += reading.venue[1] == 0
        used = [index for index in range(len(reading.reserves)) if reading.uses(index)]
        self.counts["threshold 0 used"] += any(
            reading.reserves[index].threshold_bps == 0 and emode_terms(reading, index) is None for index in used
        )
        self.counts["dust used"] += any(0 < reading.scaled[index][0] < 1_000 for index in used)

    # --- actions -----------------------------------------------------------------------------------------------------

    def supply(self, user: str) -> object:
        asset = self.asset()
        worth = self.random.choice((0, self.random.randrange(1, 50_000), self.random.randrange(1, 500)))
        amount = self.units(asset, worth * 10**8) if worth else self.random.randrange(1, 2_000)
        return self._supply(user, asset, amount)

    def _supply(self, user: str, asset: Asset, amount: int) -> object:
        form = "supply(address,uint256,address,uint16)"
        return self.market.chain.send(user, self.market.pool, form, asset.token, amount, user, 0)

    def borrow(self, user: str) -> object:
        asset, known = self.asset(), self.readings.get(user)
        available = known.venue[2] if known else 0
        amount = self.units(asset, int(available * self.random.uniform(0.5, 1.001)))
        amount = self.random.choice((amount, amount, amount, self.random.randrange(1, 50)))
        form = "borrow(address,uint256,uint256,uint16,address)"
        return self.market.chain.send(user, self.market.pool, form, asset.token, amount, 2, 0, user)

    def withdraw(self, user: str) -> object:
        asset = self.asset_of(user, 0)
        amount = self.part(user, asset, 0)
        return self.market.chain.send(
            user, self.market.pool, "withdraw(address,uint256,address)", asset.token, amount, user
        )

    def repay(self, user: str) -> object:
        asset = self.asset_of(user, 1)
        amount = self.part(user, asset, 1)
        form = "repay(address,uint256,uint256,address)"
        return self.market.chain.send(user, self.market.pool, form, asset.token, amount, 2, user)

    def toggle_collateral(self, user: str) -> object:
        asset, wanted = self.asset(), self.random.random() < 0.6
        form = "setUserUseReserveAsCollateral(address,bool)"
        return self.market.chain.send(user, self.market.pool, form, asset.token, wanted)

    def toggle_mode(self, user: str) -> object:
        category = self.random.choice((0, CATEGORY, CATEGORY))
        return self.market.chain.send(user, self.market.pool, "setUserEMode(uint8)", category)

    def move_price(self, user: str) -> object:
        """Move a little, or back to where it began, or down on what the account holds against a debt."""
        asset, factor = self.asset(), self.random.uniform(0.97, 1.03)
        (price,) = self.market.chain.ask([self.price_query(asset)])
        kind = self.random.randrange(4)
        if kind == 0:
            price = asset.terms.price
        elif kind > 1:
            asset, factor = self.asset_of(user, 0), self.random.uniform(0.7, 0.98)
            (price,) = self.market.chain.ask([self.price_query(asset)])
        moved = max(asset.terms.price // 20, int(price * factor))
        form = "setAssetPrice(address,uint256)"
        return self.market.chain.send(self.market.admin, self.market.oracle, form, asset.token, moved)

    def pass_time(self, _user: str) -> object:
        self.market.chain.pass_time(int(60 * self.random.uniform(1, 43_200) ** self.random.random()))
        return True

    def toggle_ltv(self, _user: str) -> object:
        """Take the LTV of an asset away, or give it back; in 3.6 also inside the mode."""
        asset = self.asset()
        terms, ltv = asset.terms, self.random.choice((0, asset.terms.ltv, asset.terms.ltv))
        chain, configurator = self.market.chain, self.market.configurator
        if self.market.revision == "aave@3.6" and terms.in_category:
            form = "setAssetLtvzeroInEMode(address,uint8,bool)"
            chain.send(self.market.admin, configurator, form, asset.token, CATEGORY, ltv == 0)
        form = "configureReserveAsCollateral(address,uint256,uint256,uint256)"
        return terms.threshold and chain.send(
            self.market.admin, configurator, form, asset.token, ltv, terms.threshold, terms.bonus
        )

    def toggle_threshold(self, _user: str) -> object:
        """Write a threshold of 0 or the old one into the pool as its configurator: while used, nobody else can."""
        chain, asset = self.market.chain, self.asset()
        (bits,) = chain.ask([Query(self.market.pool, "getConfiguration(address)", (asset.token,))])
        threshold = self.random.choice((0, asset.terms.threshold))
        bits = bits & ~(0xFFFF << 16) | threshold << 16
        form = "setConfiguration(address,(uint256))"
        return chain.send(self.market.configurator, self.market.pool, form, asset.token, (bits,))

    # --- liquidation -------------------------------------------------------------------------------------------------

    def liquidate(self, victim: str) -> object:
        """Liquidate a random pair and compare what moved with our amounts at the block of the transaction."""
        before = read(self.market, victim)
        held = [i for i, (supplied, _) in enumerate(before.scaled) if supplied and before.uses(i)]
        owed = [i for i, (_, borrowed) in enumerate(before.scaled) if borrowed]
        if not held or not owed:
            return False
        taken, paid = self.random.choice(held), self.random.choice(owed)
        debt = before.scaled[paid][1]
        cover = self.random.choice((EVERYTHING, self.random.randrange(1, debt + 1), self.random.randrange(1, debt + 1)))
        assets = self.market.assets
        receipt = self.market.chain.send(
            self.liquidator,
            self.market.pool,
            "liquidationCall(address,address,address,uint256,bool)",
            *(assets[taken].token, assets[paid].token, victim, cover, False),
        )
        if receipt is not None:
            self.compare_liquidation(before, read(self.market, victim), (taken, paid, cover), receipt)
        return receipt

    def compare_liquidation(
        self, before: Reading, after: Reading, order: tuple[int, int, int], receipt: dict[str, object]
    ) -> None:
        taken, paid, cover = order
        now = Reading(after.reserves, after.mode, before.scaled, before.flags, before.category, before.venue)
        figures = figures_of(self.market, now)
        held, owed, mode = now.reserves[taken], now.reserves[paid], emode_terms(now, taken)
        pair = AavePair(
            scaled_collateral=before.scaled[taken][0],
            collateral_index_ray=held.income_ray,
            collateral_price=held.price,
            collateral_decimals=held.decimals,
            bonus_bps=now.mode.bonus_bps if mode else held.bonus_bps,
            protocol_fee_bps=held.protocol_fee_bps,
            scaled_debt=before.scaled[paid][1],
            debt_index_ray=owed.debt_index_ray,
            debt_price=owed.price,
            debt_decimals=owed.decimals,
        )
        totals = AaveTotals(figures.collateral_base, figures.debt_base, figures.health_factor_wad)
        ours = liquidate(AAVE_REVISIONS[self.market.revision], pair, totals, None if cover == EVERYTHING else cover)
        (log,) = [log for log in receipt["logs"] if log["topics"][0] == "0x" + LIQUIDATED.hex()]
        repaid, collateral, _, _ = decode(["uint256", "uint256", "address", "bool"], bytes.fromhex(log["data"][2:]))
        got = (repaid, collateral, after.scaled[taken][0], after.scaled[paid][1])
        mine = (ours.repaid, ours.actual_collateral, ours.scaled_collateral_after, ours.scaled_debt_after)
        if got != mine or ours.leaves_dust:
            raise Mismatch(f"{self.market.revision} liquidation: ours {ours}, the pool's {got}\n{pair}\n{totals}")
        self.counts["liquidations equal"] += 1
        self.counts["deficits"] += ours.creates_deficit
        self.counts["reserves consumed"] += ours.is_reserve_consumed

    # --- amounts -----------------------------------------------------------------------------------------------------

    def asset(self) -> Asset:
        return self.random.choice(self.market.assets)

    def asset_of(self, user: str, side: int) -> Asset:
        """Return an asset that the account has (0) or owes (1), or any."""
        known = self.readings.get(user)
        held = [i for i, amounts in enumerate(known.scaled) if amounts[side]] if known else []
        return self.market.assets[self.random.choice(held)] if held else self.asset()

    def units(self, asset: Asset, base: int) -> int:
        """Return how many units of an asset are worth this much in the base currency."""
        (price,) = self.market.chain.ask([self.price_query(asset)])
        return max(1, base * 10**asset.terms.decimals // price)

    def part(self, user: str, asset: Asset, side: int) -> int:
        """Return all, a part, or a few units of what an account has (0) or owes (1)."""
        known = self.readings.get(user)
        scaled = known.scaled[self.market.assets.index(asset)][side] if known else 0
        return self.random.choice((EVERYTHING, self.random.randrange(1, scaled + 2), self.random.randrange(1, 20)))

    def price_query(self, asset: Asset) -> Query:
        return Query(self.market.oracle, "getAssetPrice(address)", (asset.token,))
