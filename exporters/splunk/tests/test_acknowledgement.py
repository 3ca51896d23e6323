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


def taken(acks, deadline):
    """A batch of ten events that a collector took."""
    progress = Progress(encode(numbered(10), SETTINGS), SETTINGS)
    progress.next()
    acks.register(KEY, progress)
    progress.apply(Answer(Fate.TAKEN, ack_id=0), key=KEY, deadline=deadline)
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
