"""Whatever a server or an application says, the middleware raises nothing and changes one header only."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog import LoggerProvider, Settings
from fapilog.testing.decoding import decode_log_record
from fapilog_instrumentation_fastapi import RequestLogging, RequestLoggingMiddleware, access
from fapilog_instrumentation_fastapi.settings import Access
from instrumentation.fastapi.tests.calling import scope

ANYTHING = (
    st.none()
    | st.integers()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.lists(st.integers(), max_size=2)
)
NAMES = st.sampled_from(
    [
        b"x-correlation-id",
        b"x-request-id",
        b"traceparent",
        b"user-agent",
        b"content-length",
        b"host",
        b"accept",
    ]
)
PAIRS = st.lists(st.tuples(NAMES, st.binary(max_size=200)), max_size=6)
SCOPES = st.fixed_dictionaries(
    {"headers": PAIRS},
    optional={
        "path": st.text(max_size=200),
        "method": st.text(max_size=10),
        "query_string": st.binary(max_size=40),
        "client": st.none() | st.tuples(st.text(max_size=20), st.none() | st.integers(0, 65_535)),
        "server": st.none() | st.tuples(st.text(max_size=20), st.none() | st.integers(0, 65_535)),
        "http_version": st.sampled_from(["1.0", "1.1", "2"]),
        "scheme": st.sampled_from(["http", "https", "ws", "é"]),
        "root_path": st.text(max_size=10),
        "route": ANYTHING,
        "endpoint": ANYTHING,
    },
)
TYPES = [
    "http.response.start",
    "http.response.body",
    "http.response.pathsend",
    "http.response.trailers",
    "other",
]
SENT = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(TYPES)},
        optional={
            "status": st.integers(100, 599) | ANYTHING,
            "headers": st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=9)), max_size=3)
            | ANYTHING,
            "body": st.binary(max_size=9) | ANYTHING,
            "more_body": st.booleans(),
        },
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def pipeline() -> Iterator[tuple[LoggerProvider, list[Any]]]:
    """A provider, and the records that it was given."""
    records: list[Any] = []
    with LoggerProvider(settings=Settings.load(environ={}), exporters=["none"]) as provider:
        provider.pipeline.add_tap(lambda record, name: records.append(decode_log_record(record, name)))
        yield provider, records


@settings(max_examples=200)
@given(odd=SCOPES, messages=SENT, fails=st.booleans())
def test_the_application_gets_and_sends_what_it_would_without_us(
    odd: dict[str, Any],
    messages: list[dict[str, Any]],
    fails: bool,
    pipeline: tuple[LoggerProvider, list[Any]],
):
    sent: list[Any] = []
    failure = RuntimeError("the application's own")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for message in messages:
            await send(message)
        if fails:
            raise failure

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    provider, records = pipeline
    raised = run(provider, records, app, {**scope(), **odd}, (receive, send))
    assert raised is (failure if fails else None)
    without = [{**message, "headers": None} for message in messages]
    assert [{**message, "headers": None} for message in sent if isinstance(message, dict)] == without
    for given_out, message in zip(sent, messages, strict=True):
        if given_out is not message:
            *own, (name, value) = given_out["headers"]
            assert (own, name) == (list(message.get("headers") or ()), b"x-correlation-id")
            assert re.fullmatch(rb"[!-~]{1,128}", value)
    events = [record.event_name for record in records]
    assert events.count("http.server.request.exception") == fails
    assert events.count(access.HTTP_EVENT) <= 1


def run(
    provider: LoggerProvider, records: list[Any], app: Any, asked: Any, wire: tuple[Any, Any]
) -> BaseException | None:
    """Serve one request; what came out of it."""
    records.clear()
    served = RequestLoggingMiddleware(app, RequestLogging(), logger_provider=provider)
    try:
        asyncio.run(served(asked, *wire))
    except RuntimeError as error:
        return error
    return None


def test_the_reference_lists_every_attribute_of_a_record():
    page = (Path(__file__).parents[3] / "docs/reference/fastapi_records.md").read_text(encoding="utf-8")
    source = Path(access.__file__).read_text(encoding="utf-8")
    names = set(
        re.findall(r'"((?:http|url|network|client|server|user_agent|error|fapilog)\.[\w.]+)"', source)
    )
    assert len(names) > 20
    assert {name for name in names if f"`{name}`" not in page} == set()
    assert Access().slow_seconds == 1.0
