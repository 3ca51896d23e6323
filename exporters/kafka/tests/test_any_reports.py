"""Whatever is reported, in whatever order and however late: every record is delivered once, or counted."""

import asyncio
from collections import Counter

from confluent_kafka import KafkaError
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.kafka.tests.numbered import numbered
from exporters.kafka.tests.standing_in import Log, Told, exporter_to

POLLS = st.integers(0, 4)
# After these a producer knows what became of the message.
CERTAIN = st.one_of(
    st.builds(Told, polls=POLLS),
    st.builds(
        Told,
        st.sampled_from(
            [
                KafkaError.MSG_SIZE_TOO_LARGE,
                KafkaError.INVALID_RECORD,
                KafkaError.TOPIC_AUTHORIZATION_FAILED,
                KafkaError.NOT_ENOUGH_REPLICAS,
                KafkaError.UNKNOWN_TOPIC_OR_PART,
            ]
        ),
        written=st.just(False),
        polls=POLLS,
    ),
    st.just(Told(full=True)),
)
UNKNOWABLE = st.builds(
    Told,
    st.sampled_from([KafkaError._MSG_TIMED_OUT, KafkaError._TRANSPORT, KafkaError.REQUEST_TIMED_OUT, 77]),
    written=st.booleans(),
    polls=POLLS,
)
SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=4)
KEYS = st.sampled_from(["none", "service", "trace"])
TRACES = ["0af7651916cd43dd8448eb211c80319c", "", "5b8efff798038103d269b633813fc60c"]


def run(exporter, batches):
    """As delivery does: batches side by side, each again until it is decided; the sum of all outcomes."""

    async def settle(batch):
        delivered = rejected = 0
        for _ in range(400):
            outcome = await exporter.export_batch(batch)
            assert min(outcome.delivered, outcome.rejected) >= 0
            delivered, rejected = delivered + outcome.delivered, rejected + outcome.rejected
            if not outcome.retry:
                break
            assert delivered + rejected < len(batch)
            assert outcome.error_type
        assert delivered + rejected == len(batch)
        return delivered, rejected

    async def all_of_them():
        try:
            return await asyncio.gather(*map(settle, batches))
        finally:
            await exporter.shutdown(1_000)

    outcomes = asyncio.run(all_of_them())
    return sum(each[0] for each in outcomes), sum(each[1] for each in outcomes)


def batches_of(sizes):
    return [numbered(size, 100 * place, traces=TRACES) for place, size in enumerate(sizes)]


@settings(max_examples=60, deadline=None)
@given(sizes=SIZES, told=st.lists(CERTAIN, max_size=12), key=KEYS)
def test_every_record_is_there_once_or_counted(sizes, told, key):
    log = Log(told)
    exporter = exporter_to(log, key=key)
    delivered, rejected = run(exporter, batches_of(sizes))
    assert set(Counter(log.numbers()).values()) <= {1}
    assert (len(log.numbers()), delivered + rejected) == (delivered, sum(sizes))
    said = exporter.statistics
    assert (said.delivered, said.dropped.total(), said.resent) == (delivered, rejected, 0)


@settings(max_examples=60, deadline=None)
@given(sizes=SIZES, told=st.lists(st.one_of(CERTAIN, UNKNOWABLE), max_size=12), key=KEYS)
def test_no_delivered_record_is_missing_and_what_is_there_twice_was_counted(sizes, told, key):
    log = Log(told)
    exporter = exporter_to(log, key=key)
    delivered, rejected = run(exporter, batches_of(sizes))
    there = Counter(log.numbers())
    assert delivered + rejected == sum(sizes)
    assert len(there) >= delivered
    assert there.total() - len(there) <= exporter.statistics.resent


@settings(max_examples=30, deadline=None)
@given(sizes=SIZES, limit=st.integers(150, 1_500))
def test_what_a_broker_finds_too_large_is_halved_until_it_fits(sizes, limit):
    log = Log(limit_bytes=limit)
    delivered, rejected = run(exporter_to(log), batches_of(sizes))
    assert (delivered, rejected) == (sum(sizes), 0)
    assert all(len(message.value) <= limit for message in log.messages)
