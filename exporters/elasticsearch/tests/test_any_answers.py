"""Whatever the servers answer, in whatever order: every record is delivered exactly once, or counted."""

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.elasticsearch.tests.numbered import numbered
from fapilog_exporter_elasticsearch import ElasticsearchExporter
from tests.servers.bulk import BulkServer, Fault
from tests.servers.bulk_answers import FAILURE_STORE

# Before anything is taken, or after: then nobody but the ids can tell.
NOTHING_TAKEN = st.builds(
    Fault, status=st.sampled_from([0, 302, 400, 401, 403, 404, 413, 429, 500, 502, 503, 504])
)
UNKNOWABLE = st.builds(Fault, status=st.sampled_from([0, 408, 500, 502, 503, 504]), after=st.just(True))
GARBAGE = st.builds(Fault, status=st.just(200), after=st.booleans(), body=st.binary(max_size=40))
FAULTS = st.lists(st.one_of(NOTHING_TAKEN, UNKNOWABLE, GARBAGE, st.none()), max_size=8)
STATUSES = st.sampled_from([None, None, FAILURE_STORE, 400, 403, 404, 429, 430, 500, 502, 503, 504])
VERDICTS = st.dictionaries(st.tuples(st.integers(0, 11), st.integers(0, 3)), STATUSES, max_size=24)


class InProcess:
    """A client whose server is an object; of two nodes the second shares the first one's documents."""

    def __init__(self, server):
        self.server = server

    def post(self, url, headers, body, *, gzip=False):
        path = url.removeprefix("https://").partition("/")[2]
        answered = self.server.answer(f"/{path}", dict(headers), bytes(body))
        if answered is None:
            raise ConnectionResetError("cut")
        return answered[0], list(answered[1].items()), answered[2]


def deliver(exporter, batch):
    """As delivery does: again until the batch is decided."""

    async def until_decided():
        delivered = rejected = 0
        for _ in range(200):
            outcome = await exporter.export_batch(batch)
            delivered, rejected = delivered + outcome.delivered, rejected + outcome.rejected
            if not outcome.retry:
                return delivered, rejected
            assert delivered + rejected < len(batch)
        raise AssertionError("never decided")

    return asyncio.run(until_decided())


def case(faults, verdicts, nodes, **given):
    def verdict(sent):
        return verdicts.get((sent.document["attributes"]["number"], sent.attempt))

    server = BulkServer(verdict=verdict, limit_bytes=2_000)
    server._server.server_close()
    server.script(*faults)
    urls = [f"https://node{number}" for number in range(nodes)]
    clock = iter(range(10**9))
    exporter = ElasticsearchExporter(
        client=InProcess(server), urls=urls, clock=lambda: float(next(clock)), **given
    )
    return server, exporter


@settings(max_examples=60)
@given(st.integers(1, 12), FAULTS, VERDICTS, st.integers(1, 3), st.sampled_from([1_024, 5_000_000]))
def test_with_ids_every_record_is_there_exactly_once_or_counted(count, faults, verdicts, nodes, limit):
    server, exporter = case(faults, verdicts, nodes, max_request_bytes=limit)
    delivered, rejected = deliver(exporter, numbered(count))
    assert delivered + rejected == count
    said = exporter.statistics
    assert (said.delivered, said.dropped.total()) == (delivered, rejected)
    there = Counter(document["attributes"]["number"] for document in server.bodies())
    assert not there or max(there.values()) == 1
    # What was refused as a whole may have arrived before, in an attempt that nobody answered.
    assert delivered <= len(there) <= count
    if not any(fault is not None and fault.after for fault in faults):
        assert len(there) == delivered
        assert said.duplicates == 0


@settings(max_examples=40)
@given(st.integers(1, 12), FAULTS, VERDICTS)
def test_without_ids_no_record_is_lost_and_repeats_are_those_that_were_counted(count, faults, verdicts):
    server, exporter = case(faults, verdicts, 1, ids=False)
    delivered, rejected = deliver(exporter, numbered(count))
    assert delivered + rejected == count
    there = Counter(document["attributes"]["number"] for document in server.bodies())
    assert delivered <= len(there)
    assert there.total() - delivered <= exporter.statistics.resent
