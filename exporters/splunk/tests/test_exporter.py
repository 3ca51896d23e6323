"""What the exporter does with each kind of answer, against the rules of the collector, without a network."""

import asyncio

import pytest

from exporters.splunk.tests.numbered import numbered
from exporters.splunk.tests.standing_in import export, export_all, exporter_to, hec
from fapilog import ExportOutcome, LogBatch
from fapilog.testing.samples import sample_batch
from tests.servers.hec import Fault, Token

TAKEN_ALL = ExportOutcome(delivered=10)


def numbers(collector):
    return [event["fields"]["number"] for event in collector.events]


def test_records_of_every_shape_are_events_without_a_violation():
    collector = hec()
    assert export(exporter_to(collector), sample_batch(30)) == ExportOutcome(delivered=30)
    assert len(collector.events) == 30
    assert collector.violations == []


def test_an_event_that_is_at_fault_is_dropped_and_only_those_behind_it_are_sent_again():
    collector = hec(Token(indexes=frozenset({"main"})))
    exporter = exporter_to(collector, index="main")
    batch = numbered(10, {4: {"com.splunk.index": "forbidden"}})
    outcome = export(exporter, batch)
    assert (outcome.delivered, outcome.rejected, outcome.error_type) == (9, 1, "incorrect_index")
    assert outcome.cause.startswith("dropped 1 incorrect_index: HTTP 400 Bad Request")
    assert numbers(collector) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert exporter.statistics.dropped == {"incorrect_index": 1}
    assert exporter.statistics.resent == 0
    assert len(collector.requests) == 2


def test_an_event_whose_index_is_refused_can_go_to_the_default_index():
    collector = hec(Token(indexes=frozenset({"main"})))
    exporter = exporter_to(collector, incorrect_index="without_index")
    batch = numbered(10, {4: {"com.splunk.index": "forbidden"}, 9: {"com.splunk.index": "other"}})
    assert export(exporter, batch) == TAKEN_ALL
    assert numbers(collector) == list(range(10))
    assert [event.get("index") for event in collector.events] == [None] * 10


def test_fields_that_are_refused_are_flattened_once():
    collector = hec(flat_fields=True)
    batch = numbered(10, {3: {"numbers": [1, 2]}})
    assert export(exporter_to(collector), batch) == TAKEN_ALL
    assert collector.events[3]["fields"]["numbers"] == "[1,2]"
    collector = hec(flat_fields=True)
    batch = numbered(
        10, {3: {"texts": ["a", "b"]}}
    )  # a list of texts is flat already: what else can be done?
    outcome = export(exporter_to(collector), batch)
    assert (outcome.delivered, outcome.rejected, outcome.error_type) == (9, 1, "indexed_fields")


def test_a_busy_collector_that_took_a_part_gets_only_the_rest():
    collector = hec()
    collector.faults.append(Fault(take=4, numbered=True, headers={"Retry-After": "2"}))
    exporter, batch = exporter_to(collector), numbered(10)
    outcome = export(exporter, batch)
    assert (outcome.delivered, outcome.retry, outcome.retry_after_millis) == (4, True, 2_000)
    assert export(exporter, batch) == ExportOutcome(delivered=6)
    assert numbers(collector) == list(range(10))
    assert exporter.statistics.resent == 0


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_is_said_to_come_later_comes_again(status):
    collector = hec()
    collector.faults.append(Fault(status=status, code=None))
    exporter, batch = exporter_to(collector), numbered(10)
    outcome = export(exporter, batch)
    assert (outcome.delivered, outcome.rejected, outcome.retry) == (0, 0, True)
    assert outcome.error_type == str(status)
    assert export(exporter, batch) == TAKEN_ALL
    assert numbers(collector) == list(range(10))


def test_a_request_that_is_too_large_is_halved_until_it_fits():
    collector = hec(max_content_length=400)
    assert export(exporter_to(collector), numbered(10)) == TAKEN_ALL
    assert sorted(numbers(collector)) == list(range(10))


def test_a_single_event_that_is_too_large_is_dropped_and_counted():
    collector = hec(max_content_length=400)
    outcome = export(exporter_to(collector), numbered(10, {7: {"long": "x" * 500}}))
    assert (outcome.delivered, outcome.rejected, outcome.error_type) == (9, 1, "request_too_large")
    collector = hec(max_event_bytes=2_000)
    outcome = export(exporter_to(collector, max_event_bytes=2_000), numbered(10, {7: {"long": "x" * 2_500}}))
    assert (outcome.delivered, outcome.rejected, outcome.error_type) == (9, 1, "event_too_large")
    assert len(collector.requests) == 2


def test_requests_keep_their_limits_before_compression():
    collector = hec()
    batch = numbered(100, {number: {"text": "x" * 500} for number in range(100)})
    exporter = exporter_to(collector, max_request_bytes=5_000, compression="none")
    assert export(exporter, batch) == ExportOutcome(delivered=100)
    sizes = [len(request.body) for request in collector.requests]
    assert max(sizes) <= 5_000
    assert len(sizes) >= 100 * 500 // 5_000
    collector = hec()
    export(exporter_to(collector, max_request_events=30), batch)
    assert [request.headers["content-encoding"] for request in collector.requests] == ["gzip"] * 4
    assert numbers(collector) == list(range(100))


def test_a_refused_token_lets_records_wait_or_drops_them_and_is_never_shown():
    collector = hec(Token(disabled=True))
    outcome = export(exporter_to(collector), numbered(10))
    assert (outcome.delivered, outcome.rejected, outcome.retry) == (0, 0, True)
    assert (outcome.error_type, outcome.retry_after_millis) == ("token_refused", 60_000)
    assert "Token disabled" in outcome.cause
    outcome = export(exporter_to(collector, refused_token="reject"), numbered(10))
    assert (outcome.rejected, outcome.retry, outcome.error_type) == (10, False, "token_refused")


def test_not_found_means_a_restart_for_a_bounded_time():
    now = [100.0]
    collector = hec()
    collector.choose = lambda request: Fault(status=404, code=None)
    exporter, batch = exporter_to(collector, clock=lambda: now[0]), numbered(10)
    assert export(exporter, batch).retry
    now[0] += 299
    assert export(exporter, batch).retry
    now[0] += 2
    outcome = export(exporter, batch)
    assert (outcome.rejected, outcome.retry, outcome.error_type) == (10, False, "not_found")


def test_a_reset_is_tried_again_at_once_on_another_connection_and_what_may_be_there_twice_is_counted():
    collector = hec()
    exporter = exporter_to(collector)
    assert export(exporter, numbered(10)) == TAKEN_ALL
    collector.faults.append(Fault(take=10, status=0))
    assert export(exporter, numbered(10)) == TAKEN_ALL
    assert len(collector.events) == 30
    assert exporter.statistics.resent == 10


def test_events_count_as_delivered_when_indexers_acknowledge():
    collector = hec(Token(use_ack=True), acknowledges=False)
    exporter, batch = exporter_to(collector, ack=True, ack_wait_millis=5), numbered(10)
    outcome = export(exporter, batch)
    assert (outcome.delivered, outcome.retry, outcome.error_type) == (0, True, "not_acknowledged")
    collector.acknowledge()
    assert export(exporter, batch) == TAKEN_ALL
    assert numbers(collector) == list(range(10))


def test_what_is_never_acknowledged_is_sent_again():
    now = [0.0]
    collector = hec(Token(use_ack=True), acknowledges=False)
    exporter = exporter_to(
        collector, ack=True, ack_wait_millis=1, clock=lambda: now.append(now.pop() + 0.001) or now[0]
    )
    batch = numbered(10)
    assert export(exporter, batch).retry
    now[0] += 181
    collector.acknowledges = True
    assert export(exporter, batch) == TAKEN_ALL
    assert numbers(collector) == [*range(10), *range(10)]
    assert exporter.statistics.resent == 10


def test_a_collector_that_forgot_its_acknowledgements_never_confirms_others():
    collector = hec(Token(use_ack=True), acknowledges=False)
    channel = "6f1b0e6e-8f4c-4b9e-9d9b-2d6d6f5a7c11"
    exporter = exporter_to(collector, ack=True, ack_wait_millis=3, channel=channel)
    first, second = numbered(10), numbered(20)
    assert export(exporter, first).retry
    collector.restart()
    collector.events.clear()  # lost before they were written
    assert export(exporter, second).retry  # gets the id that the first has too
    collector.acknowledge()
    assert export_all(exporter, second) == ExportOutcome(delivered=20)
    collector.acknowledges = True
    assert export_all(exporter, first) == TAKEN_ALL
    assert len(collector.events) == 30


def test_acknowledgement_that_is_switched_off_meanwhile_is_not_waited_for():
    collector = hec(Token(use_ack=True), acknowledges=False)
    exporter, batch = exporter_to(collector, ack=True, ack_wait_millis=3), numbered(10)
    assert export(exporter, batch).retry
    collector.tokens = dict.fromkeys(collector.tokens, Token())
    assert export(exporter, batch) == TAKEN_ALL
    assert export(exporter, numbered(10)) == TAKEN_ALL


def test_the_raw_endpoint_gets_one_line_for_each_record_and_a_request_for_each_destination():
    collector = hec()
    batch = numbered(6, {2: {"com.splunk.source": "other"}, 3: {"com.splunk.source": "other"}})
    assert export(exporter_to(collector, endpoint="raw", source="app"), batch) == ExportOutcome(delivered=6)
    assert [(event["event"], event["source"]) for event in collector.events] == [
        ("record 0\\nsecond line", "app"),
        ("record 1\\nsecond line", "app"),
        ("record 2\\nsecond line", "other"),
        ("record 3\\nsecond line", "other"),
        ("record 4\\nsecond line", "app"),
        ("record 5\\nsecond line", "app"),
    ]
    assert len(collector.requests) == 3


def test_events_are_routed_by_their_attributes():
    collector = hec()
    given = {
        "com.splunk.index": "web",
        "com.splunk.source": "nginx",
        "com.splunk.sourcetype": "access",
        "host.name": "web-3",
    }
    exporter = exporter_to(collector, index="main", sourcetype="otel")
    export(exporter, numbered(2, {1: given}))
    plain, routed = collector.events
    assert {key: plain.get(key) for key in ("index", "source", "sourcetype", "host")} == {
        "index": "main",
        "source": None,
        "sourcetype": "otel",
        "host": "unknown",
    }
    assert {key: routed.get(key) for key in ("index", "source", "sourcetype", "host")} == {
        "index": "web",
        "source": "nginx",
        "sourcetype": "access",
        "host": "web-3",
    }
    assert set(routed["fields"]) & set(given) == set()


def test_fields_can_be_chosen_and_the_event_be_an_object():
    collector = hec()
    exporter = exporter_to(collector, fields=["number"], event_form="object")
    export(exporter, numbered(1, {0: {"other": 1}}))
    (event,) = collector.events
    assert event["fields"] == {"number": 0}
    assert (event["event"]["body"], event["event"]["other"]) == ("record 0\nsecond line", 1)


def test_cookies_of_a_balancer_come_back():
    collector = hec(cookie="AWSALB=abc")
    exporter = exporter_to(collector)
    for _ in range(3):
        export(exporter, numbered(1))
    assert collector.violations == []
    assert collector.requests[-1].headers["cookie"] == "AWSALB=abc"


def test_a_call_that_is_cancelled_goes_on_where_it_stood():
    collector = hec(Token(use_ack=True), acknowledges=False)
    exporter, batch = exporter_to(collector, ack=True), numbered(10)

    async def cancelled():
        task = asyncio.ensure_future(exporter.export_batch(batch))
        while not any(request.target.endswith("/ack") for request in collector.requests):
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(cancelled())
    collector.acknowledge()
    assert export_all(exporter, batch).delivered == 10
    assert len(collector.events) == 10


def test_after_its_shutdown_nothing_is_sent():
    collector = hec()
    exporter = exporter_to(collector)
    asyncio.run(exporter.shutdown(100))
    assert export(exporter, numbered(3)).retry
    assert collector.requests == []


def test_an_empty_batch_is_no_request():
    collector = hec()
    assert export(exporter_to(collector), LogBatch(b"")) == ExportOutcome()
    assert collector.requests == []


def test_a_forked_child_has_a_channel_of_its_own(monkeypatch):
    collector = hec(Token(use_ack=True))
    exporter = exporter_to(collector, ack=True)
    assert export(exporter, numbered(10)) == TAKEN_ALL
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert export(exporter, numbered(10)) == TAKEN_ALL
    first, second = (
        {request.headers["x-splunk-request-channel"] for request in requests}
        for requests in (collector.requests[:2], collector.requests[2:])
    )
    assert len(first) == len(second) == 1
    assert first != second


def test_each_request_without_an_answer_is_counted_also_the_one_that_is_made_at_once_again():
    collector = hec()
    exporter, batch = exporter_to(collector), numbered(10)
    assert export(exporter, numbered(1)).delivered == 1
    collector.faults.extend([Fault(take=None, status=0)] * 2)
    assert export(exporter, batch).retry
    assert export(exporter, batch) == TAKEN_ALL
    assert len(collector.events) == 31
    assert exporter.statistics.resent == 20


def test_a_batch_that_was_given_up_is_not_asked_for_for_ever():
    now = [0.0]
    collector = hec(Token(use_ack=True), acknowledges=False)
    exporter = exporter_to(
        collector, ack=True, ack_wait_millis=1, clock=lambda: now.append(now.pop() + 0.001) or now[0]
    )
    assert export(exporter, numbered(10)).retry  # and nobody comes back to it
    now[0] += 181
    collector.acknowledges = True
    for _ in range(2):
        assert export(exporter, numbered(10)) == TAKEN_ALL
    asked = [request.body for request in collector.requests if request.target.endswith("/ack")]
    assert asked[-2:] == [b'{"acks": [0, 1]}', b'{"acks": [2]}']  # once more after its time, and never again
