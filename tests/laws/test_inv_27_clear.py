"""INV-27: a flag neither flaps nor clears on less."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from proofs.types import Assurance, Status
from proofs.units import E18
from relayer.flags import BREACHES, FlagEventKind, FlagState, step
from tests.relayer.margin.build import PROOF, QUORUM
from tests.relayer.margin.strategies import UNHURRIED
from tests.relayer.test_flags import LEVELS, dark, view_at

EQUITIES = st.integers(0, 1_400).map(lambda dollars: dollars * E18)


class Oscillation(RuleBasedStateMachine):
    """Drive one account through prices, lagging chains and falling assurance; keep an own account of what may clear."""

    def __init__(self) -> None:
        super().__init__()
        self.flag = None
        self.now = 600
        self.events: list[FlagEventKind] = []
        self.streak = 0
        self.strongest = Assurance.SINGLE_RPC
        self.newest = 0

    def see(self, view, frame: int, provisional: bool) -> None:
        was_raised = self.flag is not None and self.flag.state is FlagState.RAISED
        self.flag, events = step(self.flag, view, LEVELS, frame, provisional)
        self.events += [event.kind for event in events]
        if view.status in BREACHES and (was_raised or not provisional):
            self.streak = 0
            self.newest = max(self.newest, frame)
            if not provisional:
                self.strongest = max(self.strongest, view.assurance) if was_raised else view.assurance
        elif was_raised and not provisional:
            may = view.status is not Status.UNKNOWN and view.equity_usd * 10 >= view.maintenance_margin_usd * 11
            if frame > self.newest and view.status is not Status.UNKNOWN:
                self.streak = self.streak + 1 if may and view.assurance >= self.strongest else 0
                self.newest = frame
            elif view.status is Status.UNKNOWN:
                self.streak, self.newest = 0, max(self.newest, frame)
            assert (self.flag.state is FlagState.CLEAR) == (self.streak >= LEVELS.dwell_frames)
            if self.flag.state is FlagState.CLEAR:
                self.streak = 0
        if was_raised and provisional:
            assert self.flag.state is FlagState.RAISED

    @rule(equity=EQUITIES, level=st.sampled_from([QUORUM, PROOF]), later=st.integers(0, 2))
    def final_view(self, equity: int, level: Assurance, later: int) -> None:
        self.now += 60 * later
        self.see(view_at(equity, level), self.now, provisional=False)

    @rule(equity=EQUITIES)
    def provisional_view(self, equity: int) -> None:
        self.see(view_at(equity), self.now + 30, provisional=True)

    @rule()
    def goes_dark(self) -> None:
        self.now += 60
        self.see(dark(), self.now, provisional=False)

    @rule(equity=EQUITIES, ago=st.integers(1, 500))
    def lagging_chain_answers(self, equity: int, ago: int) -> None:
        if view_at(equity).status not in BREACHES:
            self.see(view_at(equity), self.now - ago, provisional=False)

    @invariant()
    def raises_and_ends_alternate(self) -> None:
        ends = {FlagEventKind.CLEARED, FlagEventKind.WITHDRAWN}
        standing = 0
        for kind in self.events:
            if kind is FlagEventKind.RAISED:
                assert standing < 2
                standing = 2
            elif kind in (FlagEventKind.RAISED_PROVISIONALLY, FlagEventKind.BECAME_UNKNOWN):
                assert standing < 2
                standing = 1
            elif kind in ends:
                assert standing > 0
                standing = 0


Oscillation.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=UNHURRIED
)
TestInv27 = Oscillation.TestCase
