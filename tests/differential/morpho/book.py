"""A random book on the published Morpho Blue contract, compared to the unit.

| after every step | against |
|---|---|
| totals of the market after interest: supply, borrow, and the shares of the fee | `accrueInterest`, then `market` |
| healthy or not, of every borrower | whether `liquidate` of one share is refused |
| healthy or not one unit of collateral further | whether `withdrawCollateral` of one unit is refused |
| healthy or not at the most that may be borrowed, and one unit beyond | whether `borrow` is refused |
| repaid, shares, seized, bad debt and the totals left | the event of each liquidation, by shares and by assets |

One seed gives one book. Refused actions are part of the game.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from eth_abi import decode, encode
from eth_utils import keccak

from chains.devnet.errors import NodeRefused
from chains.devnet.nodes import start_anvil
from relayer.margin.fixed_point import WAD, YEAR_S, wad_div_down
from relayer.margin.rulesets.morpho import (
    ORACLE_ONE,
    MorphoMarket,
    MorphoPosition,
    accrued,
    position_figures,
    seizure_by_assets,
    seizure_by_shares,
    shares_up,
)
from tests.differential.aave.chain import Chain, Query, call_data

BUILT = Path(__file__).parent / "build" / "morpho.json"
PARAMS = "(address,address,address,address,uint256)"
MARKET = ("uint128",) * 6
LIQUIDATED = "0x" + keccak(b"Liquidate(bytes32,address,address,uint256,uint256,uint256,uint256,uint256)").hex()
USERS = 4
CHAIN_NUMBER = 31337001
FEE_WAD = WAD // 10
MARKET_KEYS = ("supply_assets", "supply_shares", "borrow_assets", "borrow_shares")


class Mismatch(AssertionError):
    """Say where ours and the contract's part."""


def contracts() -> dict[str, str]:
    """Return the creation code of the published contracts."""
    if not BUILT.exists():
        raise FileNotFoundError(f"{BUILT} is missing: npm ci --ignore-scripts && npm run build, in {BUILT.parents[1]}")
    return dict(json.loads(BUILT.read_text()))


class Book:
    """Hold one market with a fee, its users, and what happened."""

    def __init__(self, chain: Chain, lltv_wad: int, seed: int) -> None:
        self.chain, self.random, self.counts, self.lltv_wad = chain, Random(seed), Counter[str](), lltv_wad
        code = contracts()
        self.admin, self.lender, self.liquidator, *others = chain.accounts
        self.users, self.sick = others[:USERS], False
        self.morpho = chain.deploy(self.admin, code["Morpho"], ("address",), (self.admin,))
        self.irm, self.oracle = (chain.deploy(self.admin, code[name]) for name in ("IrmMock", "OracleMock"))
        self.loan, self.collateral = (chain.deploy(self.admin, code["ERC20Mock"]) for _ in range(2))
        self.params = (self.loan, self.collateral, self.oracle, self.irm, lltv_wad)
        self.id = keccak(encode(["address"] * 4 + ["uint256"], list(self.params)))
        self.actions: Mapping[str, tuple[int, Callable[[str], object]]] = {
            "supply": (4, self.supply),
            "collateral": (8, self.supply_collateral),
            "borrow": (12, self.borrow),
            "repay": (6, self.repay),
            "withdraw collateral": (5, self.withdraw_collateral),
            "price": (12, self.move_price),
            "time": (8, self.pass_time),
            "liquidate": (10, self.liquidate),
        }

    def open(self) -> None:
        """Create the market and fund everybody."""
        for signature, argument in (
            ("enableIrm(address)", self.irm),
            ("enableLltv(uint256)", self.lltv_wad),
            ("setFeeRecipient(address)", self.admin),
        ):
            self.chain.must(self.admin, self.morpho, signature, argument)
        self.set_price(ORACLE_ONE)
        self.chain.must(self.admin, self.morpho, f"createMarket({PARAMS})", self.params)
        self.chain.must(self.admin, self.morpho, f"setFee({PARAMS},uint256)", self.params, FEE_WAD)
        for user in (self.lender, self.liquidator, *self.users):
            for token in (self.loan, self.collateral):
                self.chain.must(user, token, "setBalance(address,uint256)", user, 10**30)
                self.chain.must(user, token, "approve(address,uint256)", self.morpho, 2**256 - 1)
        self.chain.must(self.lender, self.morpho, f"supply({PARAMS},uint256,uint256,address,bytes)", *self.of(10**15))

    def run(self, steps: int) -> None:
        for step in range(steps):
            weights = [weight for weight, _ in self.actions.values()]
            (name,) = self.random.choices(list(self.actions), weights)
            if self.sick and self.random.random() < 0.4:
                name = "liquidate"
            user = self.random.choice(self.users)
            done = self.actions[name][1](user)
            self.counts[f"{name} done" if done else f"{name} refused"] += 1
            self.check(f"step {step} ({name})")

    # --- what the contract says --------------------------------------------------------------------------------------

    def state(self) -> tuple[MorphoMarket, int]:
        """Return the stored totals and when they were brought up to date."""
        (*totals, updated, fee), price = self.chain.ask(
            [Query(self.morpho, "market(bytes32)", (self.id,), MARKET), Query(self.oracle, "price()")]
        )
        return MorphoMarket(*totals, price=price, lltv_wad=self.lltv_wad, fee_wad=fee), updated

    def position(self, user: str) -> MorphoPosition:
        query = Query(self.morpho, "position(bytes32,address)", (self.id, user), ("uint256", "uint128", "uint128"))
        ((_, shares, collateral),) = self.chain.ask([query])
        return MorphoPosition(collateral, shares)

    def would_pass(self, sender: str, signature: str, *arguments: object) -> bool:
        """Tell whether a call would be accepted now, without making it."""
        call = {"from": sender, "to": self.morpho, "data": call_data(signature, *arguments)}
        try:
            self.chain.node.rpc("eth_call", [call, "latest"])
        except NodeRefused:
            return False
        return True

    def as_of(self, market: MorphoMarket, updated_s: int, now_s: int) -> MorphoMarket:
        """Return the totals with interest at the mock's rate: utilisation per year."""
        if market.supply_assets == 0:
            return market
        rate = wad_div_down(market.borrow_assets, market.supply_assets) // YEAR_S
        return accrued(market, rate, now_s - updated_s)

    # --- comparison --------------------------------------------------------------------------------------------------

    def check(self, where: str) -> None:
        before, updated = self.state()
        self.chain.must(self.admin, self.morpho, f"accrueInterest({PARAMS})", self.params)
        after, now_s = self.state()
        self.same(where, self.as_of(before, updated, now_s), after)
        self.sick = False
        for user in self.users:
            self.check_position(where, user, after)

    def check_position(self, where: str, user: str, market: MorphoMarket) -> None:
        position = self.position(user)
        figures = position_figures(market, position)
        if position.borrow_shares:
            refused = not self.would_pass(
                self.liquidator, f"liquidate({PARAMS},address,uint256,uint256,bytes)", self.params, user, 0, 1, b""
            )
            self.must_equal(where, "healthy", figures.is_healthy, refused)
            self.counts["healthy" if refused else "unhealthy"] += 1
            self.sick = self.sick or not refused
        if position.collateral:
            further = position_figures(market, MorphoPosition(position.collateral - 1, position.borrow_shares))
            form = f"withdrawCollateral({PARAMS},uint256,address,address)"
            passes = self.would_pass(user, form, self.params, 1, user, user)
            self.must_equal(where, "one unit of collateral less", further.is_healthy, passes)
        for amount in (figures.borrowable, figures.borrowable + 1):
            liquid = amount + market.borrow_assets <= market.supply_assets
            if amount and liquid:
                form = f"borrow({PARAMS},uint256,uint256,address,address)"
                passes = self.would_pass(user, form, self.params, amount, 0, user, user)
                self.must_equal(where, "at the limit", self.healthy_after_borrow(market, position, amount), passes)
                self.counts["limits tried"] += 1

    def healthy_after_borrow(self, market: MorphoMarket, position: MorphoPosition, amount: int) -> bool:
        shares = shares_up(amount, market.borrow_assets, market.borrow_shares)
        larger = MorphoMarket(
            market.supply_assets,
            market.supply_shares,
            market.borrow_assets + amount,
            market.borrow_shares + shares,
            market.price,
            market.lltv_wad,
        )
        return position_figures(larger, MorphoPosition(position.collateral, position.borrow_shares + shares)).is_healthy

    def same(self, where: str, ours: MorphoMarket, theirs: MorphoMarket) -> None:
        for key in MARKET_KEYS:
            self.must_equal(where, key, getattr(ours, key), getattr(theirs, key))
        self.counts["markets equal"] += 1

    def must_equal(self, where: str, what: str, ours: object, theirs: object) -> None:
        if ours != theirs:
            raise Mismatch(f"{where}: {what}: ours {ours}, the contract's {theirs}")

    # --- actions -----------------------------------------------------------------------------------------------------

    def of(self, assets: int, shares: int = 0) -> tuple[object, ...]:
        return self.params, assets, shares, self.lender, b""

    def supply(self, _user: str) -> object:
        amount = self.random.choice((self.random.randrange(1, 100), self.random.randrange(1, 10**14)))
        form = f"supply({PARAMS},uint256,uint256,address,bytes)"
        return self.chain.send(self.lender, self.morpho, form, *self.of(amount))

    def supply_collateral(self, user: str) -> object:
        amount = self.random.choice((self.random.randrange(1, 100), self.random.randrange(1, 10**13)))
        form = f"supplyCollateral({PARAMS},uint256,address,bytes)"
        return self.chain.send(user, self.morpho, form, self.params, amount, user, b"")

    def borrow(self, user: str) -> object:
        market, _ = self.state()
        limit = position_figures(market, self.position(user)).borrowable
        amount = max(1, int(limit * self.random.uniform(0.3, 1.0)))
        form = f"borrow({PARAMS},uint256,uint256,address,address)"
        return self.chain.send(user, self.morpho, form, self.params, amount, 0, user, user)

    def repay(self, user: str) -> object:
        shares = self.position(user).borrow_shares
        part = self.random.choice((shares, self.random.randrange(0, shares + 1)))
        form = f"repay({PARAMS},uint256,uint256,address,bytes)"
        return self.chain.send(user, self.morpho, form, self.params, 0, part, user, b"")

    def withdraw_collateral(self, user: str) -> object:
        part = self.random.randrange(0, self.position(user).collateral + 1)
        form = f"withdrawCollateral({PARAMS},uint256,address,address)"
        return self.chain.send(user, self.morpho, form, self.params, part, user, user)

    def move_price(self, _user: str) -> object:
        market, _ = self.state()
        factor = self.random.choice((self.random.uniform(0.97, 1.03), self.random.uniform(0.55, 1.0)))
        back = self.random.random() < 0.3
        return self.set_price(ORACLE_ONE if back else max(ORACLE_ONE // 100, int(market.price * factor)))

    def set_price(self, price: int) -> object:
        return self.chain.must(self.admin, self.oracle, "setPrice(uint256)", price)

    def pass_time(self, _user: str) -> object:
        self.chain.pass_time(int(60 * self.random.uniform(1, 43_200) ** self.random.random()))
        return True

    def liquidate(self, _user: str) -> object:
        """Liquidate an unhealthy position by shares or by collateral, and compare what moved."""
        before, updated = self.state()
        held = {user: self.position(user) for user in self.users}
        sick = [user for user, position in held.items() if not position_figures(before, position).is_healthy]
        if not sick:
            return None
        victim = self.random.choice(sick)
        position = held[victim]
        by_shares = self.random.random() < 0.5
        most = position.borrow_shares if by_shares else position.collateral
        amount = self.random.choice((most, self.random.randrange(1, most + 1))) if most else 1
        form = f"liquidate({PARAMS},address,uint256,uint256,bytes)"
        order = (0, amount) if by_shares else (amount, 0)
        receipt = self.chain.send(self.liquidator, self.morpho, form, self.params, victim, *order, b"")
        if receipt is not None:
            after, now_s = self.state()
            market = self.as_of(before, updated, now_s)
            seize = seizure_by_shares if by_shares else seizure_by_assets
            self.compare_liquidation(receipt, seize(market, position, amount), market, after)
        return receipt

    def compare_liquidation(
        self, receipt: Mapping[str, Any], ours: Any, market: MorphoMarket, after: MorphoMarket
    ) -> None:
        (log,) = [log for log in receipt["logs"] if log["topics"][0] == LIQUIDATED]
        repaid, shares, seized, bad, bad_shares = decode(["uint256"] * 5, bytes.fromhex(log["data"][2:]))
        mine = (ours.repaid_assets, ours.repaid_shares, ours.seized_collateral, ours.bad_debt_assets)
        self.must_equal("liquidation", "amounts", mine, (repaid, shares, seized, bad))
        left = MorphoMarket(
            market.supply_assets - bad,
            market.supply_shares,
            max(0, market.borrow_assets - repaid) - bad,
            market.borrow_shares - shares - bad_shares,
            market.price,
            market.lltv_wad,
        )
        self.same("after a liquidation", left, after)
        self.counts["liquidations equal"] += 1
        self.counts["bad debts"] += bad > 0


def run_book(lltv_wad: int, steps: int, seed: int) -> Counter[str]:
    """Return what happened on a node of its own; raises Mismatch at the first figure that differs."""
    with start_anvil(CHAIN_NUMBER, block_time_s=None, extra=("--gas-price", "0", "--base-fee", "0")) as node:
        book = Book(Chain(node), lltv_wad, seed)
        book.open()
        book.run(steps)
    return book.counts
