"""The circuit breaker: after failures in a row an exporter is left alone, then one call finds out."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fapilog.delivery.breaker import Breaker, BreakerState

PAUSE = 30.0


def opened(failures: int = 3) -> Breaker:
    breaker = Breaker(failures, PAUSE)
    for _ in range(failures):
        breaker.failed(breaker.enter(0.0), 0.0)
    return breaker


def test_a_breaker_opens_after_so_many_failures_in_a_row():
    breaker = Breaker(3, PAUSE)
    for _ in range(2):
        breaker.failed(breaker.enter(0.0), 0.0)
    assert breaker.state is BreakerState.CLOSED
    breaker.failed(breaker.enter(0.0), 0.0)
    assert (breaker.state, breaker.closed_for(0.0), breaker.enter(29.9)) == (BreakerState.OPEN, PAUSE, None)


def test_a_success_starts_the_count_again():
    breaker = Breaker(2, PAUSE)
    breaker.failed(breaker.enter(0.0), 0.0)
    breaker.succeeded(breaker.enter(0.0))
    breaker.failed(breaker.enter(0.0), 0.0)
    assert breaker.state is BreakerState.CLOSED


def test_after_the_pause_one_call_probes_and_its_success_closes():
    breaker = opened()
    probe = breaker.enter(PAUSE)
    assert (breaker.state, breaker.enter(PAUSE)) == (BreakerState.HALF_OPEN, None)
    assert breaker.closed_for(PAUSE) == math.inf
    breaker.succeeded(probe)
    assert (breaker.state, breaker.closed_for(PAUSE)) == (BreakerState.CLOSED, 0.0)


def test_a_failed_probe_opens_again_for_the_whole_pause():
    breaker = opened()
    breaker.failed(breaker.enter(PAUSE), 40.0)
    assert (breaker.state, breaker.closed_for(40.0)) == (BreakerState.OPEN, PAUSE)


def test_a_cancelled_probe_lets_the_next_call_probe_at_once():
    breaker = opened()
    breaker.cancelled(breaker.enter(PAUSE))
    assert breaker.enter(PAUSE) is not None
    assert breaker.state is BreakerState.HALF_OPEN


def test_a_result_from_before_the_last_change_says_nothing_about_now():
    breaker = Breaker(1, PAUSE)
    old, newer = breaker.enter(0.0), breaker.enter(0.0)
    breaker.failed(newer, 0.0)
    breaker.succeeded(old)
    assert breaker.state is BreakerState.OPEN


def test_hurry_ends_our_pause_but_not_the_one_that_was_asked_for():
    breaker = Breaker(1, PAUSE)
    first, second = breaker.enter(0.0), breaker.enter(0.0)
    breaker.put_off(first, 0.0, 10.0)
    breaker.failed(second, 0.0)
    assert breaker.closed_for(0.0) == PAUSE
    breaker.hurry()
    assert breaker.closed_for(0.0) == 10.0


def test_a_pause_that_was_asked_for_holds_while_closed_too():
    breaker = Breaker(5, PAUSE)
    breaker.put_off(breaker.enter(0.0), 0.0, 7.0)
    assert (breaker.state, breaker.closed_for(2.0), breaker.enter(6.9)) == (BreakerState.CLOSED, 5.0, None)


def test_a_destination_that_asks_for_pauses_is_alive_however_often_it_does():
    breaker = Breaker(2, PAUSE)
    for second in range(10):
        breaker.put_off(breaker.enter(float(second)), float(second), 1.0)
    assert (breaker.state, breaker.closed_for(9.5)) == (BreakerState.CLOSED, 0.5)


def test_a_probe_that_is_put_off_closes_after_what_was_asked_for():
    breaker = opened()
    breaker.put_off(breaker.enter(PAUSE), PAUSE, 2.0)
    assert (breaker.state, breaker.closed_for(PAUSE)) == (BreakerState.CLOSED, 2.0)


class AnyHistory(RuleBasedStateMachine):
    """Against a model that knows only the calls under way and the results of the current period."""

    LIMIT = 3

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(self.LIMIT, PAUSE)
        self.now = 0.0
        self.tickets: list[tuple[int | None, BreakerState]] = []
        self.opened_at = -math.inf
        self.asked_until = -math.inf
        self.hurried = False

    @rule(seconds=st.floats(0.0, 50.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_call_asks(self) -> None:
        before = self.breaker.state
        ticket = self.breaker.enter(self.now)
        if ticket is None:
            return
        assert self.now >= self.asked_until, "never before what the destination asked for"
        if before is not BreakerState.CLOSED:
            assert before is BreakerState.OPEN
            assert self.hurried or self.now >= self.opened_at + PAUSE
            assert self.breaker.state is BreakerState.HALF_OPEN
        self.tickets.append((ticket, self.breaker.state))

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), seconds=st.sampled_from([0.0, 5.0]))
    def a_call_is_put_off(self, data: st.DataObject, seconds: float) -> None:
        ticket, _ = self.tickets.pop(data.draw(st.integers(0, len(self.tickets) - 1)))
        before = self.breaker.state
        self.breaker.put_off(ticket, self.now, seconds)
        self.asked_until = max(self.asked_until, self.now + seconds)
        assert self.breaker.state in {before, BreakerState.CLOSED}

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def a_call_fails(self, data: st.DataObject) -> None:
        ticket, _ = self.tickets.pop(data.draw(st.integers(0, len(self.tickets) - 1)))
        before = self.breaker.state
        self.breaker.failed(ticket, self.now)
        if self.breaker.state is BreakerState.OPEN and before is not BreakerState.OPEN:
            self.opened_at, self.hurried = self.now, False

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def a_call_succeeds(self, data: st.DataObject) -> None:
        ticket, entered = self.tickets.pop(data.draw(st.integers(0, len(self.tickets) - 1)))
        before = self.breaker.state
        self.breaker.succeeded(ticket)
        if before is BreakerState.OPEN:
            assert self.breaker.state is BreakerState.OPEN
        if entered is BreakerState.CLOSED and before is BreakerState.HALF_OPEN:
            assert self.breaker.state is BreakerState.HALF_OPEN, "only the probe decides"

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def a_call_is_cancelled(self, data: st.DataObject) -> None:
        ticket, _ = self.tickets.pop(data.draw(st.integers(0, len(self.tickets) - 1)))
        before = self.breaker.state
        self.breaker.cancelled(ticket)
        if before is BreakerState.HALF_OPEN and self.breaker.state is BreakerState.OPEN:
            self.hurried = True

    @rule()
    def somebody_flushes(self) -> None:
        self.breaker.hurry()
        self.hurried = True

    @invariant()
    def at_most_one_call_probes(self) -> None:
        probes = [entered for _, entered in self.tickets if entered is BreakerState.HALF_OPEN]
        if self.breaker.state is BreakerState.HALF_OPEN:
            assert len(probes) >= 1
            assert self.breaker.enter(self.now) is None

    @invariant()
    def it_never_stays_closed_for_ever(self) -> None:
        if self.breaker.state is not BreakerState.HALF_OPEN:
            assert self.breaker.closed_for(self.now) <= PAUSE + 5.0


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(failures=st.integers(1, 10), results=st.lists(st.booleans(), max_size=60))
def test_while_closed_only_failures_in_a_row_count(failures: int, results: list[bool]):
    breaker, row = Breaker(failures, PAUSE), 0
    for succeeded in results:
        if breaker.state is not BreakerState.CLOSED:
            return
        ticket = breaker.enter(0.0)
        row = 0 if succeeded else row + 1
        if succeeded:
            breaker.succeeded(ticket)
        else:
            breaker.failed(ticket, 0.0)
        assert (breaker.state is BreakerState.OPEN) == (row >= failures)
