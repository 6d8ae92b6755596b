"""Low end: a rule set that is asked for the worst ends alone, for searches that need no more than the verdict.

`evaluate` asks for the best ends too; it is given the worst ones again, so that only the bound `excess_high` is lost.
"""

from __future__ import annotations

from relayer.margin.engine.evaluate import RuleSet
from relayer.margin.engine.inputs import Account, End, MarketData
from relayer.margin.engine.result import Evaluation, Unit
from relayer.margin.view import Purpose


class LowEnd:
    """Weigh as another rule set does at the low end, whatever end is asked for."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._last: tuple[Account, MarketData, Purpose, Evaluation] | None = None

    @property
    def name(self) -> str:
        """Return the name of the rule set."""
        return self._rules.name

    @property
    def unit(self) -> Unit:
        """Return the money of its figures."""
        return self._rules.unit

    def weigh(self, account: Account, market: MarketData, purpose: Purpose, end: End) -> Evaluation:
        """Weigh an account at the low end, once for both ends."""
        last = self._last
        if end is End.HIGH and last and last[0] is account and last[1] is market and last[2] is purpose:
            return last[3]
        result = self._rules.weigh(account, market, purpose, End.LOW)
        self._last = account, market, purpose, result
        return result
