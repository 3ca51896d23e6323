"""One batch, call by call: what is on its way is not sent again, and every outcome says why."""

import asyncio

import pytest
from confluent_kafka import KafkaError, KafkaException

from exporters.kafka.tests.numbered import numbered
from exporters.kafka.tests.standing_in import Log, LogProducer, Told, export, export_all, exporter_to
from fapilog import ExportOutcome
from fapilog_exporter_kafka import KafkaExporter
from fapilog_exporter_kafka.progress import RECORD_TOO_LARGE

NEVER_SOON = 10**9


def test_a_message_without_a_report_is_waited_for_and_not_sent_again():
    log = Log([Told(polls=NEVER_SOON)])
    exporter = exporter_to(log, acknowledgement_wait_millis=20)
    batch = numbered(5)
    waits = ExportOutcome(
        retry=True, cause="the brokers have not acknowledged yet", error_type="not_acknowledged"
    )
    assert [export(exporter, batch), export(exporter, batch)] == [waits, waits]
    (producer,) = log.producers
    producer._reports[0][0] = 0
    assert export(exporter, batch) == ExportOutcome(delivered=5)
    assert (len(log.messages), exporter.statistics.messages, exporter.statistics.resent) == (1, 1, 0)


def test_a_report_that_comes_between_two_calls_is_read_by_the_next():
    log = Log([Told(KafkaError.NOT_ENOUGH_REPLICAS, written=False)])
    exporter, batch = exporter_to(log), numbered(5)
    outcome = export(exporter, batch)
    assert (outcome.retry, outcome.error_type) == (True, "NOT_ENOUGH_REPLICAS")
    assert "min.insync.replicas" in outcome.cause
    assert export(exporter, batch) == ExportOutcome(delivered=5)


def test_of_a_batch_only_the_messages_that_were_not_taken_come_again():
    told = [Told(), Told(KafkaError.TOPIC_AUTHORIZATION_FAILED, written=False), Told()]
    log = Log(told)
    exporter = exporter_to(log, key="service")
    batch = numbered(4, services=["a", "b", "c"])
    first = export(exporter, batch)
    assert (first.delivered, first.rejected, first.retry) == (8, 0, True)
    assert export(exporter, batch) == ExportOutcome(delivered=4)
    assert [message.key for message in log.messages] == [b"a", b"c", b"b"]


def test_what_will_never_be_taken_is_dropped_by_reason():
    exporter = exporter_to(Log([Told(KafkaError.INVALID_RECORD, written=False)]))
    outcome = export(exporter, numbered(3))
    assert (outcome.delivered, outcome.rejected, outcome.retry) == (0, 3, False)
    assert outcome.error_type == "INVALID_RECORD"
    assert outcome.cause.startswith("dropped 3 INVALID_RECORD: INVALID_RECORD: ")
    assert exporter.statistics.dropped == {"INVALID_RECORD": 3}


def test_a_record_that_is_refused_is_tried_alone_before_it_is_dropped():
    log = Log(limit_bytes=60)
    exporter = exporter_to(log)
    outcome = export_all(exporter, numbered(1))
    assert (outcome.delivered, outcome.rejected, outcome.error_type) == (0, 1, "message_too_large")
    assert [producer.given.get("batch.num.messages") for producer in log.producers] == [None, 1]
    assert exporter.statistics.messages == 2
    assert "max.message.bytes" in outcome.cause


def test_a_record_that_is_larger_than_a_message_may_be_is_counted_and_its_neighbours_are_delivered():
    request = numbered(5).otlp_bytes() + numbered(1, 5, padding=3_000).otlp_bytes()
    from fapilog import LogBatch

    log = Log()
    outcome = export(exporter_to(log, max_message_bytes=1_024), LogBatch(request))
    assert (outcome.delivered, outcome.rejected, outcome.error_type) == (5, 1, RECORD_TOO_LARGE)
    assert log.numbers() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("code", [KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION, KafkaError._SSL])
def test_a_cluster_in_trouble_ends_the_wait_and_is_named(code):
    async def scene():
        log = Log([Told(polls=NEVER_SOON)])
        exporter, batch = (
            exporter_to(log, password="pass-phrase-1", username="u", sasl_mechanism="PLAIN"),
            numbered(5),
        )
        waiting = asyncio.ensure_future(exporter.export_batch(batch))
        while not log.messages:
            await asyncio.sleep(0)
        log.producers[0].fail(KafkaError(code, "no way with pass-phrase-1"))
        outcome = await waiting
        await exporter.shutdown(1_000)
        return outcome, log

    outcome, log = asyncio.run(scene())
    assert (outcome.delivered, outcome.retry, outcome.error_type) == (0, True, KafkaError(code).name())
    assert "no way" in outcome.cause
    assert "pass-phrase-1" not in outcome.cause
    assert len(log.messages) == 1


def test_after_a_fatal_error_another_producer_sends_what_came_back():
    async def scene():
        log = Log([Told(written=False, polls=NEVER_SOON)])
        exporter, batch = exporter_to(log), numbered(5)
        waiting = asyncio.ensure_future(exporter.export_batch(batch))
        while not log.producers or not log.producers[0]._reports:
            await asyncio.sleep(0)
        log.producers[0].fail(KafkaError(KafkaError._FATAL, fatal=True))
        first = await waiting
        outcomes = [first]
        while outcomes[-1].retry:
            outcomes.append(await exporter.export_batch(batch))
        await exporter.shutdown(1_000)
        return outcomes, log, exporter.statistics

    outcomes, log, said = asyncio.run(scene())
    assert (outcomes[0].retry, outcomes[0].error_type, outcomes[-1].delivered) == (True, "_FATAL", 5)
    assert (len(log.producers), len(log.messages), said.resent) == (2, 1, 5)


def test_what_a_producer_never_reports_because_its_poller_died_goes_over_another_one():
    class Deaf(LogProducer):
        def poll(self, seconds):
            if len(self._log.producers) == 1 and self._reports:
                raise SystemExit("gone")
            return super().poll(seconds)

    async def scene():
        log = Log([Told(written=False, polls=NEVER_SOON)])
        log.kind = Deaf
        exporter, batch = exporter_to(log), numbered(5)
        outcomes = [await exporter.export_batch(batch)]
        while outcomes[-1].retry and len(outcomes) < 5:
            outcomes.append(await exporter.export_batch(batch))
        await exporter.shutdown(1_000)
        return outcomes, log, exporter.statistics

    outcomes, log, said = asyncio.run(scene())
    assert (outcomes[0].retry, outcomes[0].error_type) == (True, "RuntimeError")
    assert outcomes[-1] == ExportOutcome(delivered=5)
    assert (len(log.producers), len(log.messages), said.resent) == (2, 1, 5)


def test_a_full_queue_is_waited_for():
    exporter, batch = exporter_to(Log([Told(full=True)])), numbered(5)
    outcome = export(exporter, batch)
    assert (outcome.retry, outcome.error_type) == (True, "_QUEUE_FULL")
    assert export(exporter, batch) == ExportOutcome(delivered=5)


async def test_after_its_end_it_takes_nothing_and_gives_up_what_is_on_its_way():
    log = Log([Told(polls=NEVER_SOON)])
    exporter, batch = exporter_to(log, acknowledgement_wait_millis=10), numbered(5)
    assert (await exporter.export_batch(batch)).retry
    await exporter.shutdown(10_000)
    assert len(log.producers[0]) == 0
    late = await exporter.export_batch(numbered(2))
    assert late == ExportOutcome(retry=True, cause="the exporter is shut down")
    assert await exporter.force_flush(10)


def test_the_producer_is_idempotent_and_waits_for_all_replicas():
    log = Log()
    export(exporter_to(log, properties={"linger.ms": 20}), numbered(1))
    given = log.producers[0].given
    assert {name: given[name] for name in ("acks", "enable.idempotence", "partitioner", "linger.ms")} == {
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "linger.ms": "20",
    }


async def test_a_producer_that_cannot_be_made_now_is_made_later():
    """As librdkafka refuses one when no token comes; the loop goes on meanwhile."""
    log = Log()
    refusals = [KafkaException(KafkaError(KafkaError.SASL_AUTHENTICATION_FAILED, "no token yet"))]

    def make(given, logger):
        if refusals:
            raise refusals.pop()
        return log.make(given, logger)

    exporter, batch = KafkaExporter(make_producer=make), numbered(5)
    first = await exporter.export_batch(batch)
    assert (first.delivered, first.rejected, first.retry) == (0, 0, True)
    assert (first.error_type, "no token yet" in first.cause) == ("SASL_AUTHENTICATION_FAILED", True)
    outcomes = await asyncio.gather(*(exporter.export_batch(each) for each in (batch, numbered(3, 5))))
    assert [each.delivered for each in outcomes] == [5, 3]
    assert len(log.producers) == 1
    await exporter.shutdown(1_000)
