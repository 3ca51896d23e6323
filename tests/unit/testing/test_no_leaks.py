"""`no_leaks`: what leaves is checked on every way, and a failure never shows the value."""

import base64
import doctest
import importlib
import io
import logging
from urllib.parse import quote

import pytest
from opentelemetry import baggage, propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import fapilog
from fapilog.settings import Settings
from fapilog.testing import LeakError, OtlpReceiver, no_leaks
from fapilog.testing.forms import KnownValue

CARD = "4111 1111 1111 1111"
PLAIN_CARD = CARD.replace(" ", "")


def logged(message, **attributes):
    return lambda: fapilog.get_logger("a").info(message, **attributes)


def error_of(work, *, flush_timeout_millis=2_000, **watched) -> LeakError:
    """The failure of a block in which `work` runs."""

    def block() -> None:
        with no_leaks(flush_timeout_millis=flush_timeout_millis) as leaks:
            leaks.watch(**watched)
            work()

    with pytest.raises(LeakError) as raised:
        block()
    return raised.value


def configured(work, **settings):
    """Runs `work` in a process that is configured so."""

    def run() -> None:
        with fapilog.configure_otel(settings=Settings.load(environ={}, **settings)) as telemetry:
            work()
            telemetry.force_flush(2_000 if "spool" not in settings else 50)

    return run


@pytest.mark.parametrize("name", ["leaks", "exported", "forms", "headers"])
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"fapilog.testing.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)


def test_a_record_that_holds_nothing_passes():
    with no_leaks() as leaks:
        logged("order placed", order_id=42, total=12.5)()
        assert leaks.leaks() == []


def test_the_failure_names_path_and_type_and_never_the_value():
    error = error_of(logged(f"paid with {CARD}", customer={"email": "ann@example.org"}))
    assert [(leak.way, leak.path, leak.type) for leak in error.leaks] == [
        ("record", "body", "PAN"),
        ("record", "attributes.customer.email", "EMAIL"),
    ]
    assert not any(value in str(error) for value in (CARD, PLAIN_CARD, "ann@"))


def test_a_name_that_is_sensitive_is_not_named():
    error = error_of(logged("paid", **{f"card {CARD}": 1}))
    assert {(leak.path, leak.type) for leak in error.leaks} == {("attributes.*", "PAN")}
    assert CARD not in str(error)


def test_hidden_values_pass():
    with no_leaks() as leaks:
        leaks.watch("hunter2")
        logged("sign-in", password="hunter2")()


def test_accepted_values_pass_under_their_path_alone():
    with no_leaks() as leaks:
        logged("hello", support="ann@example.org", customer="ann@example.org")()
        leaks.allow("EMAIL", "attributes.support")
        assert [leak.path for leak in leaks.leaks()] == ["attributes.customer"]
        leaks.allow("EMAIL")


@pytest.mark.parametrize(
    "written",
    [
        "Ann Example",
        "ANN EXAMPLE",
        quote("Ann Example"),
        "Ann+Example",
        base64.b64encode(b"x:Ann Example:y").decode(),
        base64.b64encode(b"Ann Example").decode(),
        b"Ann Example".hex(),
        "\\u0041nn Example",
        "Ann\u00a0Example",
        "A\u200bnn Example",
    ],
)
def test_a_watched_value_is_found_in_any_form(written):
    error = error_of(logged("hello", note={"deep": [f"<{written}>"]}), name="Ann Example")
    assert [leak[:3] for leak in error.leaks] == [("record", "attributes.note.deep.0", "name")]


@pytest.mark.parametrize(
    "written",
    [
        "12 34 56 78 90 12",
        "1234-5678-9012",
        123456789012,
        "".join(chr(0xFF10 + n) for n in range(1, 9)) + "9012",
    ],
)
def test_watched_digits_are_found_with_other_separators_and_as_numbers(written):
    assert error_of(logged("hello", member=written), member="1234 5678 9012").leaks


def test_a_short_value_is_found_as_a_word_alone():
    assert error_of(logged("the code is 7312."), code="7312").leaks
    with no_leaks() as leaks:
        leaks.watch("7312")
        logged("order 173125 of 73.12 and build a7312")()


def test_too_short_a_value_is_refused():
    with pytest.raises(ValueError, match="fewer than 3 characters"):
        KnownValue("42")


def test_every_way_out_is_looked_at(tmp_path, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with OtlpReceiver() as receiver:
        work = configured(
            lambda: logging.getLogger("legacy").error("paid: %s", CARD),
            exporters=("otlp", "console", "file", "memory"),
            otlp={"endpoint": receiver.endpoint},
            console={"style": "json", "stream": "stderr"},
            file={"path": str(tmp_path / "log.jsonl")},
        )
        error = error_of(work)
    ways = {leak.way for leak in error.leaks if leak.type == "PAN"}
    assert ways >= {"http", "console", "file", "python"}
    assert CARD in stream.getvalue()


def test_records_of_a_process_that_is_configured_already_are_looked_at():
    settings = Settings.load(environ={}, exporters=("none",))
    with fapilog.configure_otel(settings=settings):
        assert {leak.way for leak in error_of(logged(CARD)).leaks} == {"record"}


def test_the_resource_is_looked_at(tmp_path):
    work = configured(
        logged("hello"),
        exporters=("file",),
        file={"path": str(tmp_path / "log.jsonl")},
        service={"name": "ann@example.org"},
    )
    assert [leak[:3] for leak in error_of(work).leaks] == [("file", "resource.service.name", "EMAIL")]


def test_what_waits_in_the_spool_is_looked_at(tmp_path):
    work = configured(
        logged(CARD),
        exporters=("otlp",),
        otlp={"endpoint": "http://127.0.0.1:9"},
        spool={"directory": str(tmp_path / "spool")},
        buffer={"shutdown_timeout_millis": 500},
    )
    assert "spool" in {leak.way for leak in error_of(work, flush_timeout_millis=50).leaks}


def test_spans_are_looked_at_where_an_exporter_gets_them():
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))

    def work() -> None:
        with provider.get_tracer("t").start_as_current_span("pay", attributes={"http.note": CARD}) as span:
            span.add_event("paid", {"by": "ann@example.org"})

    assert {leak[:3] for leak in error_of(work).leaks} == {
        ("span", "attributes.http.note", "PAN"),
        ("span", "events.0.by", "EMAIL"),
    }
    assert not hasattr(InMemorySpanExporter.export, "__wrapped__")


def test_an_error_of_the_block_itself_comes_first():
    def fail() -> None:
        logged(CARD)()
        raise ZeroDivisionError

    def block() -> None:
        with no_leaks():
            fail()

    with pytest.raises(ZeroDivisionError):
        block()


def sent_with(propagator, **entries):
    def work() -> None:
        context = Context()
        for name, value in entries.items():
            context = baggage.set_baggage(name, value, context)
        propagator.inject({}, context)

    return work


@pytest.mark.parametrize("propagator", [W3CBaggagePropagator(), propagate.get_global_textmap()])
def test_baggage_that_leaves_in_a_header_is_seen(propagator):
    found = error_of(
        sent_with(propagator, user="ann@example.org", note="it is Ann Example"), name="Ann Example"
    )
    assert [(leak.way, leak.path, leak.type) for leak in found.leaks] == [
        ("header", "baggage.user", "EMAIL"),
        ("header", "baggage.note", "name"),
    ]


def test_baggage_without_anything_sensitive_passes_and_arrives():
    headers: dict[str, str] = {}
    with no_leaks() as leaks:
        W3CBaggagePropagator().inject(headers, baggage.set_baggage("tenant", "acme", Context()))
        assert leaks.leaks() == []
    assert headers == {"baggage": "tenant=acme"}


def test_a_card_in_the_pieces_of_a_list_is_seen():
    found = error_of(logged("paid", digits=["4111", "1111", "1111", "1111"]))
    assert [(leak.path, leak.type) for leak in found.leaks if leak.way == "record"] == [
        ("attributes.digits", "PAN")
    ]
