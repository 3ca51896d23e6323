"""What becomes of events that wait for indexers, whatever comes between the question and its answer."""

import asyncio
import json

from exporters.splunk.tests.numbered import numbered
from fapilog_exporter_splunk import SplunkHecSettings
from fapilog_exporter_splunk.acknowledgement import Acknowledgements
from fapilog_exporter_splunk.answers import Answer, Fate
from fapilog_exporter_splunk.events import encode
from fapilog_exporter_splunk.progress import Progress

SETTINGS = SplunkHecSettings(url="https://h", token="t", ack=True)
KEY = ("channel", 0)


class Asked:
    """A connection that answers as told, and lets something happen between question and answer."""

    def __init__(self, *answers, meanwhile=lambda: None):
        self.answers = list(answers)
        self.meanwhile = meanwhile
        self.questions = []

    async def ask(self, channel, ids):
        self.questions.append(list(ids))
        self.meanwhile()
        if self.answers[0] is OSError:
            raise self.answers.pop(0)
        return 200, [], json.dumps({"acks": self.answers.pop(0)}).encode()


def taken(acks, deadline, number=0):
    """A batch of ten events that a collector took."""
    key = ("channel", number)
    progress = Progress(encode(numbered(10), SETTINGS), SETTINGS)
    progress.next()
    acks.register(key, progress)
    progress.apply(Answer(Fate.TAKEN, ack_id=number), key=key, deadline=deadline)
    return progress


def stands(progress):
    return progress.delivered, progress.to_do, progress.resent


def test_a_late_yes_is_heard_before_anything_is_sent_again():
    acks = Acknowledgements(Asked({"0": True}), 1, lambda: 100.0)
    progress = taken(acks, deadline=50)
    assert asyncio.run(acks.wait(progress, 5))
    assert stands(progress) == (10, 0, 0)


def test_what_is_overdue_and_not_written_is_sent_again_and_asked_for_no_more():
    connection = Asked({"0": False})
    acks = Acknowledgements(connection, 1, lambda: 100.0)
    progress = taken(acks, deadline=50)
    assert asyncio.run(acks.wait(progress, 5))
    assert stands(progress) == (0, 10, 10)
    assert connection.questions == [[0]]
    assert acks._waiting() == {}


def test_what_is_overdue_is_sent_again_although_nobody_answers():
    acks = Acknowledgements(Asked(OSError), 1, lambda: 100.0)
    progress = taken(acks, deadline=50)
    assert asyncio.run(acks.wait(progress, 5))
    assert stands(progress) == (0, 10, 10)


def test_a_yes_of_before_a_restart_is_no_yes_for_the_events_that_have_the_number_now():
    newer = []
    connection = Asked({"0": True}, meanwhile=lambda: newer.append(taken(acks, deadline=900)))
    acks = Acknowledgements(connection, 1, lambda: 100.0)
    older = taken(acks, deadline=900)
    assert asyncio.run(acks.wait(older, 5))
    assert stands(older) == (0, 10, 10)
    assert stands(newer[0]) == (0, 0, 0)
    assert list(newer[0].waiting) == [KEY]


def test_a_yes_is_heard_although_the_call_that_asked_is_cancelled_meanwhile():
    class Slow(Asked):
        async def ask(self, channel, ids):
            said = await super().ask(channel, ids)
            self.asked.set()
            await self.answered.wait()
            return said

    async def scene():
        # A collector says yes to an id once; asked again it says no.
        connection = Slow({"0": True, "1": True}, {"0": False, "1": False})
        connection.asked, connection.answered = asyncio.Event(), asyncio.Event()
        acks = Acknowledgements(connection, 0.001)
        first, second = taken(acks, deadline=1e9), taken(acks, deadline=1e9, number=1)
        asking = asyncio.ensure_future(acks.wait(first, 60))
        await connection.asked.wait()
        asking.cancel()
        await asyncio.wait([asking])
        connection.answered.set()
        assert await acks.wait(second, 60)
        assert await acks.wait(first, 60)
        return connection.questions, stands(first), stands(second)

    assert asyncio.run(scene()) == ([[0, 1]], (10, 0, 0), (10, 0, 0))
