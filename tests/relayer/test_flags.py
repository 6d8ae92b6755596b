"""The flag machine: each cell of its table, and a state machine over oscillating accounts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.types import Assurance, LegKind, Status
from proofs.units import E18
from relayer.flags import BREACHES, Flag, FlagEventKind, FlagState, step
from relayer.margin.evaluate import evaluate
from relayer.margin.rules import StatusLevels
from relayer.margin.view import MarginView, Missing

from .margin.build import PROOF, QUORUM, A, account, market, position
from .margin.strategies import UNHURRIED
from .margin.test_evaluate_cases import PLAIN, PRICES, with_equity

LEVELS = StatusLevels(1_200_000, 1_050_000, 1_100_000, 3)
CLEAR = 1_100 * E18
"""Equity at the clear level: 1.10 x MM of 1000."""
LOST = Missing("perp:eth", A, "call_failed", LegKind.POSITION)


def view_at(equity: int, level: Assurance = PROOF) -> MarginView:
    held = with_equity(equity)
    held = replace(held, holdings=(replace(held.holdings[0], assurance=level),))
    return evaluate(held, market(**PRICES), PLAIN)


def dark() -> MarginView:
    return evaluate(replace(with_equity(5_000 * E18), missing=(LOST,), positions=()), market(**PRICES), PLAIN)


def bad_debt() -> MarginView:
    held = with_equity(0)
    return evaluate(replace(held, positions=(position(held.positions[0].source, 0, 5),)), market(**PRICES), PLAIN)


BREACH, HEALTHY, BETWEEN = view_at(999 * E18), view_at(5_000 * E18), view_at(CLEAR - 1)


def run(*steps: tuple[MarginView, int] | tuple[MarginView, int, bool], flag: Flag | None = None):
    """Step through views; return the last flag and the kinds of all events."""
    kinds = []
    for one in steps:
        flag, events = step(flag, one[0], LEVELS, one[1], provisional=len(one) > 2)
        kinds += [event.kind for event in events]
    return flag, kinds


PROVISIONAL = True


def test_raise__first_final_view_in_breach__at_once_with_reasons() -> None:
    flag, events = step(None, BREACH, LEVELS, 60, provisional=False)

    assert flag == Flag(
        account(1),
        FlagState.RAISED,
        Status.LIQUIDATABLE,
        60,
        60,
        PROOF,
        0,
        ("equity 999.00 is below maintenance margin 1000.00 by 1.00",),
    )
    (event,) = events
    assert (event.kind, event.frame, event.status) == (FlagEventKind.RAISED, 60, Status.LIQUIDATABLE)
    assert (event.equity_usd, event.maintenance_margin_usd) == (999 * E18, 1_000 * E18)
    assert event.reasons == flag.reasons


def test_raise__weakest_evidence_and_every_mark__nothing_gates_it() -> None:
    weak = view_at(999 * E18, Assurance.RPC_QUORUM)

    flag, kinds = run((weak, 60))

    assert (flag.state, kinds) == (FlagState.RAISED, [FlagEventKind.RAISED])


def test_raise__one_unit_above_maintenance_margin__no_flag() -> None:
    flag, kinds = run((view_at(1_000 * E18), 60))

    assert (flag.state, flag.status, kinds) == (FlagState.CLEAR, Status.MARGIN_CALL, [])


def test_clear__dwell_frames_in_a_row_at_the_clear_level__only_then() -> None:
    above = view_at(CLEAR)

    flag, kinds = run((BREACH, 60), (above, 120), (above, 180))
    assert (flag.state, flag.frames_above, kinds) == (FlagState.RAISED, 2, [FlagEventKind.RAISED])
    assert flag.reasons[0] == "liquidatable before; at or above the level that clears for 2 of 3 frames"

    flag, kinds = run((above, 240), flag=flag)
    assert (flag.state, kinds) == (FlagState.CLEAR, [FlagEventKind.CLEARED])


def test_clear__one_unit_below_the_clear_level__counts_anew() -> None:
    above = view_at(CLEAR)

    flag, kinds = run((BREACH, 60), (above, 120), (above, 180), (BETWEEN, 240), (above, 300), (above, 360))

    assert (flag.state, flag.frames_above, kinds) == (FlagState.RAISED, 2, [FlagEventKind.RAISED])


def test_th_127_oscillation__inside_the_band__one_event_for_ever() -> None:
    frames = [(view_at(equity), 60 * at) for at, equity in enumerate([999 * E18, 1_001 * E18, CLEAR - 1] * 20, 1)]

    flag, kinds = run(*frames)

    assert (flag.state, flag.since_frame, kinds) == (FlagState.RAISED, 60, [FlagEventKind.RAISED])


def test_th_135_clear__weaker_evidence_than_raised__stays() -> None:
    weak = view_at(5_000 * E18, QUORUM)

    flag, kinds = run((BREACH, 60), *((weak, 120 + 60 * at) for at in range(10)))

    assert (flag.state, flag.frames_above, kinds) == (FlagState.RAISED, 0, [FlagEventKind.RAISED])
    assert "evidence of level 1, raised on level 2" in flag.reasons[0]


def test_clear__raised_weakly_then_confirmed_strongly__asks_for_the_stronger() -> None:
    weak_breach, weak = view_at(999 * E18, QUORUM), view_at(5_000 * E18, QUORUM)

    for breaches in ((weak_breach, BREACH), (BREACH, weak_breach)):
        flag, _ = run((breaches[0], 60), (breaches[1], 120), *((weak, 180 + 60 * at) for at in range(5)))

        assert (flag.state, flag.raised_assurance) == (FlagState.RAISED, PROOF)


def test_th_135_unknown__over_a_raised_flag__stays_and_says_that_it_is_stale() -> None:
    above = view_at(CLEAR)

    flag, kinds = run((BREACH, 60), (above, 120), (above, 180), (dark(), 240), (above, 300), (above, 360))

    assert (flag.state, flag.frames_above, kinds) == (FlagState.RAISED, 2, [FlagEventKind.RAISED])
    stale, _ = run((BREACH, 60), (dark(), 120))
    assert stale.reasons[0] == "liquidatable when last known; the flag stays while the account is unknown"
    assert stale.status is Status.LIQUIDATABLE


def test_unknown__over_nothing__own_flag_that_clears_when_known_again() -> None:
    flag, kinds = run((HEALTHY, 60), (dark(), 120))
    assert (flag.state, flag.status, kinds) == (FlagState.UNKNOWN, Status.UNKNOWN, [FlagEventKind.BECAME_UNKNOWN])

    flag, kinds = run((BETWEEN, 180), (BETWEEN, 240), (BETWEEN, 300), flag=flag)
    assert (flag.state, kinds) == (FlagState.CLEAR, [FlagEventKind.CLEARED])


def test_unknown__comes_and_goes__does_not_flap() -> None:
    frames = [(dark() if at % 3 == 0 else HEALTHY, 60 * at) for at in range(30)]

    flag, kinds = run(*frames)

    assert (flag.state, kinds) == (FlagState.UNKNOWN, [FlagEventKind.BECAME_UNKNOWN])


def test_unknown__then_breach__raised() -> None:
    flag, kinds = run((dark(), 60), (BREACH, 120))

    assert (flag.state, flag.since_frame) == (FlagState.RAISED, 120)
    assert kinds == [FlagEventKind.BECAME_UNKNOWN, FlagEventKind.RAISED]


def test_th_137_worsened__bad_debt_after_liquidatable__once() -> None:
    flag, kinds = run((BREACH, 60), (bad_debt(), 120), (BREACH, 180), (bad_debt(), 240))

    assert (flag.status, kinds) == (Status.BAD_DEBT, [FlagEventKind.RAISED, FlagEventKind.WORSENED])


def test_provisional__confirmed_by_the_next_frame__raised_since_first_seen() -> None:
    flag, kinds = run((HEALTHY, 60), (BREACH, 75, PROVISIONAL), (BREACH, 120))

    assert (flag.state, flag.since_frame) == (FlagState.RAISED, 75)
    assert kinds == [FlagEventKind.RAISED_PROVISIONALLY, FlagEventKind.RAISED]


def test_provisional__not_confirmed_by_the_next_frame__withdrawn() -> None:
    flag, kinds = run((HEALTHY, 60), (BREACH, 75, PROVISIONAL), (view_at(1_000 * E18), 120))

    assert (flag.state, kinds) == (FlagState.CLEAR, [FlagEventKind.RAISED_PROVISIONALLY, FlagEventKind.WITHDRAWN])


def test_provisional__final_view_exactly_as_new__withdraws() -> None:
    assert run((BREACH, 75, PROVISIONAL), (HEALTHY, 75))[0].state is FlagState.CLEAR


def test_provisional__final_view_older_than_what_raised_it__does_not_withdraw() -> None:
    flag, kinds = run((BREACH, 975, PROVISIONAL), (HEALTHY, 60), (HEALTHY, 974))

    assert (flag.state, kinds) == (FlagState.PROVISIONAL, [FlagEventKind.RAISED_PROVISIONALLY])


def test_provisional__older_than_the_last_final_view__says_nothing_new() -> None:
    assert run((HEALTHY, 120), (BREACH, 119, PROVISIONAL))[1] == []
    assert run((HEALTHY, 120), (BREACH, 120, PROVISIONAL))[1] == [FlagEventKind.RAISED_PROVISIONALLY]


def test_provisional__healthy__clears_and_withdraws_nothing() -> None:
    raised, _ = run((BREACH, 60))
    flag, kinds = run(*((HEALTHY, 61 + at, PROVISIONAL) for at in range(9)), flag=raised)
    assert (flag, kinds) == (raised, [])

    provisional, _ = run((BREACH, 60, PROVISIONAL))
    flag, kinds = run((HEALTHY, 61, PROVISIONAL), (dark(), 62, PROVISIONAL), flag=provisional)
    assert (flag, kinds) == (provisional, [])


def test_provisional__breach_while_clearing__counts_anew_and_needs_newer_frames() -> None:
    above = view_at(CLEAR)

    flag, kinds = run((BREACH, 60), (above, 120), (above, 180), (BREACH, 250, PROVISIONAL), (above, 240))
    assert (flag.state, flag.frames_above, kinds) == (FlagState.RAISED, 0, [FlagEventKind.RAISED])


def test_provisional__worse_provisionally__worsened_once() -> None:
    _, kinds = run((BREACH, 60, PROVISIONAL), (bad_debt(), 61, PROVISIONAL), (bad_debt(), 62, PROVISIONAL))

    assert kinds == [FlagEventKind.RAISED_PROVISIONALLY, FlagEventKind.WORSENED]


def test_provisional__then_unknown_frame__stays() -> None:
    flag, kinds = run((BREACH, 60, PROVISIONAL), (dark(), 120))

    assert (flag.state, kinds) == (FlagState.PROVISIONAL, [FlagEventKind.RAISED_PROVISIONALLY])


def test_step__another_account__refused() -> None:
    flag, _ = run((HEALTHY, 60))

    with pytest.raises(ValueError, match="different accounts"):
        step(replace(flag, account=account(2)), HEALTHY, LEVELS, 120, provisional=False)


views = st.one_of(
    st.builds(
        view_at,
        st.sampled_from([0, 999, 1_000, 1_050, 1_099, 1_100, 1_101, 2_000]).map(lambda dollars: dollars * E18),
        st.sampled_from([QUORUM, PROOF]),
    ),
    st.just(dark()),
    st.just(bad_debt()),
)


@settings(max_examples=150, deadline=None, suppress_health_check=UNHURRIED)
@given(st.lists(st.tuples(views, st.integers(0, 2), st.booleans()), min_size=1, max_size=40))
def test_step__any_history__keeps_the_laws(history) -> None:
    flag, frame = None, 60

    for view, later, provisional in history:
        frame += 30 * later
        before = flag
        flag, events = step(flag, view, LEVELS, frame, provisional)
        kinds = [event.kind for event in events]

        assert len(events) <= 1
        if not provisional and view.status in BREACHES:
            assert flag.state is FlagState.RAISED
        if provisional or view.status is Status.UNKNOWN:
            assert before is None or before.state is FlagState.CLEAR or flag.state is not FlagState.CLEAR
        if FlagEventKind.CLEARED in kinds and before.state is FlagState.RAISED:
            assert view.equity_usd * 10**6 >= view.maintenance_margin_usd * LEVELS.clear_ppm
            assert view.assurance >= before.raised_assurance
            assert frame > before.last_frame
            assert before.frames_above == LEVELS.dwell_frames - 1
        if before is not None and before.state is FlagState.RAISED and flag.state is not FlagState.RAISED:
            assert kinds == [FlagEventKind.CLEARED]
        if not provisional:
            again, repeated = step(flag, view, LEVELS, frame, provisional=False)
            assert repeated == ()
            assert again.state is flag.state
            assert again.frames_above == flag.frames_above
