"""Batches as requests: halved until they fit, no part sent twice, counts add up whatever is answered."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog import _native
from fapilog.exporters.base import ExportOutcome
from fapilog.exporters.requests import Answer, Part, Requests, shown
from tests.unit.exporters.batches import batch_of, request_of


def bodies(request):
    """The bodies of a request's records."""
    return [
        record[4]
        for _, _, scopes in _native.decode_request(request)
        for _, records in scopes
        for record in records
    ]


class Receiver:
    """Answers as it is told, and remembers what it took."""

    def __init__(self, answers=(), largest=10**9):
        self.answers, self.largest = list(answers), largest
        self.taken, self.paths = [], []

    async def send(self, batch, part):
        self.paths.append(part.path)
        if part.records > self.largest:
            return Answer("too_large", cause="too large")
        answer = self.answers.pop(0) if self.answers else Answer("taken")
        if isinstance(answer, BaseException):
            raise answer
        if answer.kind == "taken":
            self.taken += bodies(part.request)
        return answer


def run(receiver, batch, limit_bytes=10**9):
    """Export until nothing is left to retry; all outcomes."""

    async def export():
        requests, outcomes = Requests(receiver.send, limit_bytes), []
        while not outcomes or outcomes[-1].retry:
            outcomes.append(await requests.export(batch))
        return outcomes

    return asyncio.run(export())


def test_a_batch_is_one_request():
    receiver = Receiver()
    assert run(receiver, batch_of("a", "b")) == [ExportOutcome(delivered=2)]
    assert (receiver.taken, receiver.paths) == (["a", "b"], [""])


def test_parts_have_paths_that_are_the_same_at_every_attempt():
    receiver = Receiver([Answer("taken"), Answer("retry"), Answer("taken")], largest=1)
    outcomes = run(receiver, batch_of("a", "b", "c"))
    assert outcomes == [ExportOutcome(retry=True), ExportOutcome(delivered=3)]
    assert receiver.paths == ["", "1", "2", "21", "21", "22"]
    assert receiver.taken == ["a", "b", "c"]


def test_what_a_cancelled_attempt_leaves_is_sent_by_the_next():
    receiver = Receiver([Answer("taken"), asyncio.CancelledError(), Answer("taken")], largest=1)
    batch = batch_of("a", "b")

    async def export():
        requests = Requests(receiver.send, 10**9)
        with pytest.raises(asyncio.CancelledError):
            await requests.export(batch)
        return await requests.export(batch)

    assert asyncio.run(export()) == ExportOutcome(delivered=2)
    assert receiver.taken == ["a", "b"]


answers = st.one_of(
    st.builds(Answer, st.sampled_from(["taken", "retry", "too_large", "refused"])),
    st.builds(Answer, st.just("taken"), st.integers(-3, 20)),
)


@given(st.integers(0, 12), st.lists(answers, max_size=12), st.integers(1, 12), st.integers(20, 400))
def test_every_record_is_decided_once_and_order_is_kept(count, script, largest, limit_bytes):
    receiver = Receiver(script, largest)
    given_bodies = [f"{number:02}" for number in range(count)]
    outcomes = run(receiver, batch_of(*given_bodies), limit_bytes)
    assert all(outcome == ExportOutcome(retry=True) for outcome in outcomes[:-1])
    assert outcomes[-1].delivered + outcomes[-1].rejected == count
    assert receiver.taken == sorted(set(receiver.taken))
    assert set(receiver.taken) <= set(given_bodies)
    assert outcomes[-1].delivered <= len(receiver.taken)


def test_a_part_of_one_record_has_no_halves():
    assert Part(request_of("a"), 1).halves() is None


def test_text_of_a_receiver_cannot_forge_a_line():
    assert shown(" a\nb\x1b[31m ") == "a\\nb\\x1b[31m"
    assert shown("x" * 300) == "x" * 200 + "…"
