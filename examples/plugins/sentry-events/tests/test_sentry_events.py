"""What fapilog expects of an exporter, and what this one promises, against a strict server of envelopes."""

import asyncio

import pytest
from fapilog import ExportOutcome, LogBatch, LoggerProvider
from fapilog.errors import ConfigurationError
from fapilog.testing import ExporterConformance
from opentelemetry import trace

from sentry_events import SentryLogExporter, SentrySettings


def export(exporter, batch):
    return asyncio.run(exporter.export_batch(batch))


class TestSentryEvents(ExporterConformance):
    @pytest.fixture(autouse=True)
    def _sentry(self, sentry, answer):
        self.sentry, self.answer = sentry, answer

    def make_exporter(self):
        return self.sentry.exporter(event_level="warning")

    def received(self):
        return len(self.sentry.events) + len(self.sentry.logs)

    def break_destination(self):
        self.sentry.always = self.answer(503)


class OrderError(Exception):
    """An order that is refused."""


def refuse():
    try:
        int("many")
    except ValueError as error:
        raise OrderError("not a number") from error


def logged(sentry, **given):
    """Log an error with its cause, in a span, through a provider; return the event."""
    span = trace.NonRecordingSpan(trace.SpanContext(2**127 + 1, 2**63 + 1, False, trace.TraceFlags(1)))
    with (
        LoggerProvider(exporters=[sentry.exporter()], **given) as provider,
        trace.use_span(span),
    ):
        try:
            refuse()
        except OrderError as error:
            provider.get_logger("shop").emit(
                body="order refused", severity_number=17, exception=error, attributes={"password": "hunter2"}
            )
        assert provider.force_flush(10_000)
    [event] = sentry.events.values()
    return event


def test_an_error_is_an_event_with_its_exceptions_their_frames_and_its_trace(sentry):
    event = logged(sentry)
    cause, last = event["exception"]["values"]
    assert [(each["type"], each["value"]) for each in (cause, last)] == [
        ("ValueError", "invalid literal for int() with base 10: 'many'"),
        ("OrderError", "not a number"),
    ]
    functions = [frame["function"] for frame in last["stacktrace"]["frames"]]
    assert functions == ["logged", "refuse"]
    frame = last["stacktrace"]["frames"][-1]
    assert (frame["context_line"], frame["in_app"]) == ('raise OrderError("not a number") from error', True)
    assert event["contexts"]["trace"] == {"trace_id": f"{2**127 + 1:032x}", "span_id": f"{2**63 + 1:016x}"}
    assert (event["level"], event["logger"], event["logentry"]) == (
        "error",
        "shop",
        {"formatted": "order refused"},
    )


def test_what_is_secret_never_gets_here(sentry):
    assert logged(sentry)["extra"]["password"] == "[REDACTED:secret]"


def test_where_a_record_comes_from_is_in_its_event(sentry, make_batch):
    export(
        sentry.exporter(environment="production"), make_batch("no", **{"user.id": "u-7", "http.route": "/o"})
    )
    [event] = sentry.events.values()
    named = {key: event[key] for key in ("release", "environment", "server_name", "user", "tags")}
    assert named == {
        "release": "1.4.2",
        "environment": "production",
        "server_name": "web-3",
        "user": {"id": "u-7"},
        "tags": {"service.name": "checkout", "http.route": "/o"},
    }


@pytest.mark.parametrize(
    ("given", "fingerprint"),
    [
        ({}, None),
        ({"sentry.fingerprint": "orders"}, ["orders"]),
        ({"sentry.fingerprint": ["orders", "{{ default }}"]}, ["orders", "{{ default }}"]),
        ({"event_name": "order.refused"}, ["shop", "order.refused"]),
        ({"event_name": "order.refused", "exception.type": "ValueError"}, None),
    ],
)
def test_what_an_event_is_grouped_by(sentry, make_batch, given, fingerprint):
    export(sentry.exporter(), make_batch("no", **given))
    [event] = sentry.events.values()
    assert event.get("fingerprint") == fingerprint


def test_other_records_are_logs_with_typed_attributes(sentry, make_batch):
    batch = make_batch("a", "b", severity=9, order_id=42, amount=1.5, gift=True, items=["tea", 2])
    assert export(sentry.exporter(), batch) == ExportOutcome(delivered=2)
    assert (sentry.requests, sentry.events, [log["body"] for log in sentry.logs]) == (1, {}, ["a", "b"])
    attributes = sentry.logs[0]["attributes"]
    assert {key: tuple(attributes[key].values()) for key in ("order_id", "amount", "gift", "items")} == {
        "order_id": (42, "integer"),
        "amount": (1.5, "double"),
        "gift": (True, "boolean"),
        "items": ('["tea",2]', "string"),
    }
    assert attributes["sentry.release"] == {"value": "1.4.2", "type": "string"}
    assert sentry.logs[0]["level"] == "info"


def test_logs_outside_of_a_trace_are_in_one_of_the_process(sentry, make_batch):
    exporter = sentry.exporter()
    for body in ("a", "b"):
        export(exporter, make_batch(body, severity=9, trace=False))
    assert len({log["trace_id"] for log in sentry.logs}) == 1


def test_many_logs_are_several_requests(sentry, make_batch):
    assert export(sentry.exporter(max_log_items=4), make_batch(*"abcdefghij", severity=9)).delivered == 10
    assert (sentry.requests, [log["body"] for log in sentry.logs]) == (3, list("abcdefghij"))


def test_an_event_whose_answer_was_lost_is_there_once(sentry, make_batch, answer):
    exporter, batch = sentry.exporter(), make_batch("a", "b")
    sentry.script.extend([answer(0, take=True)])
    first = export(exporter, batch)
    assert (first.delivered, first.retry, first.error_type) == (0, True, "no_answer")
    assert export(exporter, batch) == ExportOutcome(delivered=2)
    assert [event["logentry"]["formatted"] for event in sentry.events.values()] == ["a", "b"]
    assert exporter.statistics.resent == 0


def test_logs_that_may_be_there_twice_are_counted(sentry, make_batch, answer):
    exporter, batch = sentry.exporter(), make_batch("a", "b", severity=9)
    sentry.script.append(answer(502, take=True))
    assert export(exporter, batch).retry
    assert export(exporter, batch) == ExportOutcome(delivered=2)
    assert (len(sentry.logs), exporter.statistics.resent) == (4, 2)


def test_what_was_taken_is_not_sent_again(sentry, make_batch, answer):
    exporter, batch = sentry.exporter(), make_batch("a", "b", "c")
    sentry.script.extend([answer(200, take=True), answer(503)])
    first = export(exporter, batch)
    assert (first.delivered, first.retry) == (1, True)
    assert export(exporter, batch) == ExportOutcome(delivered=2)
    assert (len(sentry.events), sentry.requests) == (3, 4)


def test_a_limit_is_kept_without_asking(sentry, make_batch, answer):
    now = [100.0]
    exporter, batch = sentry.exporter(clock=lambda: now[0]), make_batch("a", "b")
    sentry.script.append(answer(429, {"X-Sentry-Rate-Limits": "60:error:organization:usage"}))
    for _ in range(2):
        outcome = export(exporter, batch)
        assert outcome.retry
    assert (sentry.requests, outcome.retry_after_millis, outcome.error_type) == (1, 60_000, "rate_limited")
    assert export(exporter, make_batch("log", severity=9)) == ExportOutcome(delivered=1)
    now[0] += 60.1
    assert export(exporter, batch) == ExportOutcome(delivered=2)


def test_a_limit_of_events_does_not_hold_up_the_logs_of_their_batch(sentry, make_batch, answer):
    now = [100.0]
    exporter = sentry.exporter(clock=lambda: now[0])
    both = make_batch("a", "b").otlp_bytes() + make_batch("log", severity=9).otlp_bytes()
    batch = LogBatch(both)
    sentry.script.append(answer(429, {"X-Sentry-Rate-Limits": "60:error:organization:usage"}))
    first, second = export(exporter, batch), export(exporter, batch)
    assert (first.delivered, first.retry, first.error_type) == (1, True, "429")
    assert (second.delivered, second.retry_after_millis, second.error_type) == (0, 60_000, "rate_limited")
    assert [log["body"] for log in sentry.logs] == ["log"]
    now[0] += 60.1
    assert export(exporter, batch) == ExportOutcome(delivered=2)
    assert (len(sentry.events), len(sentry.logs)) == (2, 1)


def test_of_several_limits_the_longest_counts(sentry, make_batch, answer):
    now = [100.0]
    exporter = sentry.exporter(clock=lambda: now[0])
    longest = "60:log_item:organization, 10:log_item:project"
    sentry.script.append(answer(200, {"X-Sentry-Rate-Limits": longest}, take=True))
    sentry.script.append(answer(200, {"X-Sentry-Rate-Limits": "5:log_item:project"}, take=True))
    assert export(exporter, make_batch("a", severity=9)).delivered == 1
    assert export(exporter, make_batch("b")).delivered == 1
    assert export(exporter, make_batch("c", severity=9)).retry_after_millis == 60_000


def test_a_limit_of_a_taken_request_is_for_those_to_come(sentry, make_batch, answer):
    exporter = sentry.exporter()
    sentry.script.append(answer(200, {"X-Sentry-Rate-Limits": "7:log_byte:project"}, take=True))
    assert export(exporter, make_batch("a", severity=9)) == ExportOutcome(delivered=1)
    outcome = export(exporter, make_batch("b", severity=9))
    assert (outcome.retry, 6_000 < outcome.retry_after_millis <= 7_000, sentry.requests) == (True, True, 1)


def test_logs_that_are_too_large_are_halved_until_one_is_alone(sentry, make_batch, answer):
    exporter = sentry.exporter()
    sentry.script.extend([answer(413), answer(413), answer(413)])
    outcome = export(exporter, make_batch(*"abcd", severity=9))
    assert (outcome.delivered, outcome.rejected, outcome.retry, outcome.error_type) == (3, 1, False, "413")
    assert [log["body"] for log in sentry.logs] == ["b", "c", "d"]


def test_an_event_that_is_refused_is_dropped_alone_and_says_why(sentry, make_batch, answer):
    exporter = sentry.exporter()
    sentry.script.extend([answer(200, take=True), answer(400, {"X-Sentry-Error": f"no: {'x' * 9}"})])
    outcome = export(exporter, make_batch("a", "b", "c"))
    assert outcome == ExportOutcome(
        delivered=2, rejected=1, cause="HTTP 400: no: xxxxxxxxx", error_type="400"
    )
    assert (exporter.statistics.taken, exporter.statistics.refused) == (2, 1)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_records_wait_where_the_address_is_refused_and_the_key_is_not_shown(
    sentry, make_batch, answer, status
):
    key = sentry.dsn.partition("//")[2].partition("@")[0]
    sentry.script.append(answer(status, {"X-Sentry-Error": f"bad key {key}"}))
    outcome = export(sentry.exporter(refused_pause_millis=5_000), make_batch("a"))
    assert (outcome.retry, outcome.retry_after_millis, key in outcome.cause) == (True, 5_000, False)


def test_a_call_that_is_cancelled_goes_on_where_it_stood(sentry, make_batch):
    exporter, batch = sentry.exporter(), make_batch("a", "b", "c")

    async def cancelled():
        task = asyncio.ensure_future(exporter.export_batch(batch))
        while not sentry.events:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
        return await exporter.export_batch(batch)

    assert asyncio.run(cancelled()).delivered == 3
    assert [event["logentry"]["formatted"] for event in sentry.events.values()] == ["a", "b", "c"]


def test_large_requests_are_packed(sentry, make_batch):
    assert export(sentry.exporter(), make_batch("x" * 20_000)) == ExportOutcome(delivered=1)
    [event] = sentry.events.values()
    assert len(event["logentry"]["formatted"]) == 8_192


def test_it_works_by_its_name(sentry, monkeypatch):
    monkeypatch.setenv("SENTRY_DSN", sentry.dsn)
    with LoggerProvider(exporters=[SentryLogExporter()]) as provider:
        provider.get_logger("shop").emit(body="no", severity_number=21)
        assert provider.force_flush(10_000)
    [event] = sentry.events.values()
    assert event["level"] == "fatal"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "dsn"),
        ({"dsn": "https://sentry.example/42"}, "dsn"),
        ({"dsn": "https://secret@sentry.example/"}, "dsn"),
        ({"dsn": "secret@sentry.example/42"}, "dsn"),
        ({"dsn": "https://k@h/1", "max_log_items": 0}, "max_log_items"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(given, name):
    with pytest.raises(ConfigurationError) as caught:
        SentrySettings.load({}, **given)
    assert [setting.name for problem in caught.value.problems for setting in problem.settings] == [name]
    assert "secret" not in str(caught.value)
