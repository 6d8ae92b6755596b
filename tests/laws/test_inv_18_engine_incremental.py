"""INV-18 behind the engine: changes one by one come to what changes at once come to, for every rule set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayer.margin.engine.evaluate import evaluate
from relayer.margin.engine.inputs import Account, Role
from relayer.margin.solve.changes import AddLeg, Borrow, Change, Deposit, Remove, Repay, Shock, Trade, Withdraw, applied
from relayer.margin.solve.whatif import whatif
from relayer.margin.view import Purpose
from tests.relayer.margin.models.stage import Stage, drawn
from tests.relayer.margin.models.stages import STAGES


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_inv_18__any_changes__one_by_one_equal_all_at_once_and_a_fresh_account(stage: Stage) -> None:
    @drawn(stage, 8)
    @given(stage.some_accounts(), stage.some_markets(), st.data())
    def holds(account, market, data) -> None:
        held, moved, changes = account, market, []
        for _ in range(data.draw(st.integers(0, 4))):
            change = data.draw(some_change(held))
            changes.append(change)
            held, moved = applied(held, moved, [change], stage.rules.unit)
        rebuilt = Account(held.name, tuple(held.legs), held.mode, held.unread)

        result = whatif(account, market, stage.rules, changes)

        assert (result.account, result.market) == (held, moved)
        for purpose in Purpose:
            assert repr(result.of(purpose).after) == repr(evaluate(rebuilt, moved, stage.rules, purpose))

    holds()


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_inv_18__a_change_and_its_reverse__leave_every_byte(stage: Stage) -> None:
    account = stage.accounts[0]
    leg = account.legs[0]
    there = [Deposit(leg.name, 12_345), Withdraw(leg.name, 12_345), Remove(leg.name)]

    held, market = applied(account, stage.market, [*there, AddLeg(leg)], stage.rules.unit)
    back = Account(account.name, (held.legs[-1], *held.legs[:-1]), account.mode)

    for purpose in Purpose:
        assert repr(evaluate(back, market, stage.rules, purpose)) == repr(
            evaluate(account, stage.market, stage.rules, purpose)
        )


def some_change(account: Account) -> st.SearchStrategy[Change]:
    """Return changes that the account can undergo."""
    found: list[st.SearchStrategy[Change]] = [st.integers(-500_000, 500_000).map(Shock)]
    amounts = st.integers(1, 10**12)
    for leg in account.legs:
        name = leg.name
        if leg.role in (Role.COLLATERAL, Role.CASH):
            found.append(amounts.map(lambda amount, name=name: Deposit(name, amount)))
        if leg.role is Role.COLLATERAL and leg.amount:
            found.append(st.integers(1, leg.amount).map(lambda amount, name=name: Withdraw(name, amount)))
        if leg.role is Role.DEBT:
            found.append(amounts.map(lambda amount, name=name: Borrow(name, amount)))
            if leg.amount:
                found.append(st.integers(1, leg.amount).map(lambda amount, name=name: Repay(name, amount)))
        if leg.role in (Role.PERP, Role.FUTURE):
            found.append(amounts.map(lambda size, name=name: Trade(name, size, 2_000, 0)))
    return st.one_of(found)
