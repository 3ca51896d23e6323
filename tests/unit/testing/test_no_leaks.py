"""`no_leaks`: what leaves is checked on every way, and a failure never shows the value."""

import base64
import doctest
import importlib
import io
import logging
from urllib.parse import quote

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import fapilog
from fapilog.settings import Settings
from fapilog.testing import LeakError, OtlpReceiver, no_leaks
from fapilog.testing.forms import KnownValue

CARD = "4111 1111 1111 1111"
PLAIN_CARD = CARD.replace(" ", "")


def leaks_of(settings: dict, log, watched=()) -> set:
    with fapilog.configure_otel(settings=Settings.load(environ={}, **settings)), no_leaks() as watching:
        watching.watch(*watched)
        log()
        found = set(watching.leaks())
        watching.allow("PAN"), watching.allow("EMAIL")
        for number in range(1, len(watched) + 1):
            watching.allow(f"watched value {number}")
    return found


@pytest.mark.parametrize("name", ["leaks", "exported", "forms"])
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"fapilog.testing.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)


def test_a_record_that_holds_nothing_passes():
    with no_leaks() as leaks:
        fapilog.get_logger("orders").info("order placed", order_id=42, total=12.5)
        assert leaks.leaks() == []


def test_the_failure_names_path_and_type_and_never_the_value():
    with pytest.raises(LeakError) as raised, no_leaks():
        fapilog.get_logger("a").info(f"paid with {CARD}", customer={"email": "ann@example.org"})
    assert {(leak.way, leak.path, leak.type) for leak in raised.value.leaks} == {
        ("record", "body", "PAN"),
        ("record", "attributes.customer.email", "EMAIL"),
    }
    assert not any(value in str(raised.value) for value in (CARD, PLAIN_CARD, "ann@"))


def test_a_name_that_is_sensitive_is_not_named():
    with pytest.raises(LeakError) as raised, no_leaks():
        fapilog.get_logger("a").info("paid", **{f"card {CARD}": 1})
    assert {(leak.path, leak.type) for leak in raised.value.leaks} == {("attributes.*", "PAN")}
    assert CARD not in str(raised.value)


def test_hidden_values_pass():
    with no_leaks() as leaks:
        leaks.watch("hunter2")
        fapilog.get_logger("a").info("sign-in", password="hunter2")


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
    with pytest.raises(LeakError) as raised, no_leaks() as leaks:
        leaks.watch(name="Ann Example")
        fapilog.get_logger("a").info("hello", note={"deep": [f"<{written}>"]})
    [leak] = raised.value.leaks
    assert (leak.way, leak.path, leak.type) == ("record", "attributes.note.deep.0", "name")


@pytest.mark.parametrize(
    "written", ["12 34 56 78 90 12", "1234-5678-9012", 123456789012, "１２３４５６７８９０１２"]
)
def test_watched_digits_are_found_with_other_separators_and_as_numbers(written):
    with pytest.raises(LeakError), no_leaks() as leaks:
        leaks.watch("1234 5678 9012")
        fapilog.get_logger("a").info("hello", member=written)


def test_too_short_a_value_is_refused():
    with pytest.raises(ValueError, match="fewer than 3 characters"):
        KnownValue("42")


def test_every_way_out_is_looked_at(tmp_path, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with OtlpReceiver() as receiver:
        ways = {
            "otlp": {"endpoint": receiver.endpoint},
            "console": {"style": "json", "stream": "stderr"},
            "file": {"path": str(tmp_path / "log.jsonl")},
        }
        settings = {"exporters": ("otlp", "console", "file", "memory"), "capture_stdlib": True, **ways}
        found = leaks_of(settings, lambda: logging.getLogger("legacy").error("paid: %s", CARD))
    assert {leak.way for leak in found if leak.type == "PAN"} == {
        "record", "http", "console", "file", "python",
    }  # fmt: skip
    assert PLAIN_CARD in stream.getvalue().replace(" ", "")


def test_the_resource_is_looked_at(tmp_path):
    settings = {
        "exporters": ("file",),
        "file": {"path": str(tmp_path / "log.jsonl")},
        "service": {"name": "ann@example.org"},
    }
    found = leaks_of(settings, lambda: fapilog.get_logger("a").info("hello"))
    assert {(leak.path, leak.type) for leak in found if leak.way == "file"} == {
        ("resource.service.name", "EMAIL")
    }


def test_what_waits_in_the_spool_is_looked_at(tmp_path):
    nobody = "http://127.0.0.1:9"
    settings = {
        "exporters": ("otlp",),
        "otlp": {"endpoint": nobody},
        "spool": {"directory": str(tmp_path / "spool")},
        "buffer": {"shutdown_timeout_millis": 500},
    }
    loaded = Settings.load(environ={}, **settings)
    with pytest.raises(LeakError) as raised, no_leaks(flush_timeout_millis=50):
        with fapilog.configure_otel(settings=loaded):
            fapilog.get_logger("a").info(f"paid with {CARD}")
    assert {leak.way for leak in raised.value.leaks} >= {"spool"}


def test_spans_are_looked_at_where_an_exporter_gets_them():
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    with pytest.raises(LeakError) as raised, no_leaks():
        with provider.get_tracer("t").start_as_current_span("pay", attributes={"http.note": CARD}) as span:
            span.add_event("paid", {"by": "ann@example.org"})
    assert {(leak.way, leak.path, leak.type) for leak in raised.value.leaks} == {
        ("span", "attributes.http.note", "PAN"),
        ("span", "events.0.by", "EMAIL"),
    }
    assert "export" in vars(InMemorySpanExporter) and not hasattr(InMemorySpanExporter.export, "__wrapped__")


def test_an_error_of_the_block_itself_comes_first():
    with pytest.raises(ZeroDivisionError), no_leaks():
        fapilog.get_logger("a").info(f"paid with {CARD}")
        raise ZeroDivisionError
