"""Whatever the collector answers, in whatever order: every record is delivered once, or counted."""

import asyncio
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.splunk.tests.numbered import numbered
from exporters.splunk.tests.standing_in import exporter_to, hec
from fapilog import ExportOutcome
from tests.servers.hec import Fault, Token

# Answers that a collector gives in earnest: what it says it took, it took.
HONEST = st.one_of(
    st.builds(Fault, take=st.integers(0, 12), status=st.just(503), code=st.just(9), numbered=st.just(True)),
    st.builds(Fault, take=st.just(0), status=st.sampled_from([408, 429, 500, 503, 504]), code=st.none()),
    st.builds(Fault, take=st.just(0), status=st.just(0)),
    st.builds(Fault, take=st.just(0), status=st.just(413), code=st.none()),
    st.builds(Fault, take=st.just(0), status=st.just(404), code=st.none()),
    st.builds(Fault, take=st.just(0), status=st.just(403), code=st.just(4)),
    st.builds(
        Fault,
        take=st.integers(0, 12),
        status=st.just(400),
        code=st.sampled_from([6, 7, 12, 13, 15]),
        numbered=st.just(True),
    ),
    st.none(),
)
# Those after which nobody can know: taken, and the connection ends; taken in part, and no number.
UNKNOWABLE = st.one_of(
    st.builds(
        Fault,
        take=st.one_of(st.none(), st.integers(0, 12)),
        status=st.sampled_from([0, 502, 504]),
        code=st.none(),
    ),
    st.builds(Fault, take=st.integers(0, 12), status=st.just(400), code=st.sampled_from([6, 15])),
)
ODD = st.builds(
    Fault,
    take=st.integers(0, 12),
    status=st.sampled_from([200, 201, 301, 400, 401, 403, 404, 405, 413, 418, 429, 500, 503]),
    code=st.one_of(st.none(), st.integers(0, 30)),
    numbered=st.booleans(),
)


class Script:
    """Faults in the order of the requests."""

    def __init__(self, faults):
        self.left = list(faults)

    def __call__(self, request):
        fault = self.left.pop(0) if self.left else None
        if fault is None or not (fault.numbered or (fault.status == 400 and fault.take)):
            return fault
        # The number is that of an event of the request; with 400 it was not taken.
        return replace(fault, take=min(fault.take, request.body.count(b"\n") - 1))


def run(collector, exporter, batches):
    """As delivery does: batches side by side, each again until it is decided; the sum of all outcomes."""

    async def settle(batch):
        delivered = rejected = 0
        for _ in range(400):
            outcome = await exporter.export_batch(batch)
            assert outcome.delivered >= 0
            assert outcome.rejected >= 0
            delivered, rejected = delivered + outcome.delivered, rejected + outcome.rejected
            if not outcome.retry:
                break
            assert delivered + rejected < len(batch)
        assert delivered + rejected == len(batch)
        return ExportOutcome(delivered, rejected)

    async def all_of_them():
        return await asyncio.gather(*map(settle, batches))

    outcomes = asyncio.run(all_of_them())
    return sum(each.delivered for each in outcomes), sum(each.rejected for each in outcomes)


def batches_of(sizes):
    return [numbered(size, first=100 * place) for place, size in enumerate(sizes)]


SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(sizes=SIZES, faults=st.lists(HONEST, max_size=12), ack=st.booleans(), events=st.integers(1, 12))
def test_every_record_is_there_once_or_counted(sizes, faults, ack, events):
    collector = hec(Token(use_ack=ack))
    collector.choose = Script(faults)
    exporter = exporter_to(collector, compression="none", ack=ack, max_request_events=events)
    delivered, rejected = run(collector, exporter, batches_of(sizes))
    there = Counter(event["fields"]["number"] for event in collector.events)
    assert delivered == exporter.statistics.delivered
    assert rejected == exporter.statistics.dropped.total()
    # A reset says nothing: it may have been counted as sent again, although nothing had arrived.
    assert set(there.values()) <= {1}
    assert len(there) == delivered
    assert delivered + rejected == sum(sizes)
    assert collector.violations == []


@settings(max_examples=40, deadline=None)
@given(sizes=SIZES, faults=st.lists(st.one_of(HONEST, UNKNOWABLE), max_size=12), ack=st.booleans())
def test_no_delivered_record_is_missing_and_what_is_there_twice_was_counted(sizes, faults, ack):
    collector = hec(Token(use_ack=ack))
    collector.choose = Script(faults)
    exporter = exporter_to(collector, compression="none", ack=ack)
    delivered, rejected = run(collector, exporter, batches_of(sizes))
    there = Counter(event["fields"]["number"] for event in collector.events)
    assert delivered + rejected == sum(sizes)
    assert len(there) >= delivered
    assert there.total() - len(there) <= exporter.statistics.resent


@settings(max_examples=40, deadline=None)
@given(sizes=SIZES, faults=st.lists(st.one_of(HONEST, UNKNOWABLE, ODD), max_size=12), ack=st.booleans())
def test_answers_that_make_no_sense_are_survived_and_every_record_is_accounted_for(sizes, faults, ack):
    collector = hec(Token(use_ack=ack))
    collector.choose = Script(faults)
    exporter = exporter_to(collector, compression="none", ack=ack, ack_timeout_millis=5, ack_wait_millis=2)
    delivered, rejected = run(collector, exporter, batches_of(sizes))
    assert delivered + rejected == sum(sizes)


@settings(max_examples=40, deadline=None)
@given(
    sizes=SIZES,
    restarts=st.lists(st.booleans(), max_size=12),
    own_channel=st.booleans(),
)
def test_a_collector_that_forgets_its_acknowledgements_costs_repeats_and_no_record(
    sizes, restarts, own_channel
):
    collector = hec(Token(use_ack=True))
    left = list(restarts)

    def forget(request):
        if left and left.pop(0):
            collector.restart()
            collector.acknowledges = not collector.acknowledges
        if not left:
            collector.acknowledges = True
        return

    collector.choose = forget
    channel = "6f1b0e6e-8f4c-4b9e-9d9b-2d6d6f5a7c11" if own_channel else None
    exporter = exporter_to(
        collector, ack=True, channel=channel, max_request_events=3, ack_timeout_millis=20, ack_wait_millis=4
    )
    delivered, rejected = run(collector, exporter, batches_of(sizes))
    there = Counter(event["fields"]["number"] for event in collector.events)
    assert (delivered, rejected) == (sum(sizes), 0)
    assert len(there) == sum(sizes)
    assert there.total() - len(there) <= exporter.statistics.resent
