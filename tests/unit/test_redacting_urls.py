"""URLs in records and spans lose credentials and secrets of their query; under `scan`, personal data too."""

from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fapilog.otel.redacting_spans import RedactingSpanProcessor
from fapilog.redaction import Redactor
from fapilog.settings.redaction import RedactionSettings

SCAN = RedactionSettings(mode="scan")
# What an instrumentation writes, and what is left of it under `scan`.
URLS = [
    (
        "url.full",
        "https://ann:s3cret@shop.example/a?page=2",
        "https://REDACTED:REDACTED@shop.example/a?page=2",
    ),
    (
        "http.url",
        "https://shop.example/u/ann@example.org?page=2",
        "https://shop.example/u/[REDACTED:email]?page=2",
    ),
    (
        "url.full",
        "https://shop.example/cards/4111111111111111/pay",
        "https://shop.example/cards/[REDACTED:pan]/pay",
    ),
    ("http.target", "/login?user=ann&password=hunter2&x=1", "/login?user=ann&password=[REDACTED:*]&x=1"),
    ("url.query", "sig=abcdef0123456789&page=2", "sig=[REDACTED:*]&page=2"),
    ("url.query", "q=ann%40example.org&page=2", "q=[REDACTED:email]&page=2"),
    (
        "url.query",
        "X-Amz-Signature=abcdef0123456789&X-Amz-Expires=60",
        "X-Amz-Signature=[REDACTED:*]&X-Amz-Expires=60",
    ),
    ("url.query", "page=2&sort=name", "page=2&sort=name"),
    ("http.route", "/users/{user_id}/cards", "/users/{user_id}/cards"),
    ("url.full", "https://shop.example/orders/42?page=2#top", "https://shop.example/orders/42?page=2#top"),
]


def alike(shown: Any, expected: str) -> bool:
    """`[REDACTED:*]` stands for any marker: which type a secret of a query is, its name decides."""
    text = str(shown)
    for piece in expected.split("[REDACTED:*]"):
        at = text.find(piece)
        if at < 0 or (at > 0 and not text[:at].startswith("[REDACTED:")):
            return False
        text = text[at + len(piece) :]
    return text == "" or text.startswith("[REDACTED:")


@pytest.mark.parametrize(("key", "url", "expected"), URLS)
def test_under_scan_a_record_and_a_span_lose_the_same(key: str, url: str, expected: str):
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(RedactingSpanProcessor(SCAN))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("shop").start_as_current_span("GET") as span:
        span.set_attribute(key, url)
    [ended] = exporter.get_finished_spans()
    shown = (ended.attributes or {})[key]
    assert alike(shown, expected), shown
    assert Redactor(SCAN).text(url, key) == shown
    if key != "url.query":
        # In a message a query alone is no query by its form.
        assert alike(Redactor(SCAN).text(f"called {url} twice"), f"called {expected} twice")


@pytest.mark.parametrize(("key", "url", "expected"), URLS)
def test_by_default_credentials_are_hidden_and_the_rest_stays(key: str, url: str, expected: str):
    left = Redactor().text(url, key)
    assert left == (expected if "ann:s3cret@" in url else url)
