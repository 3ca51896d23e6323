"""Secrets in a query string do not reach a record, whatever the mode of redaction."""

import doctest
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog import LoggerProvider, Settings
from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import RequestLogging, RequestLoggingMiddleware, queries
from fapilog_instrumentation_fastapi.access import HTTP_EVENT
from fapilog_instrumentation_fastapi.policy import Policy
from fapilog_instrumentation_fastapi.queries import PARAMETERS, Queries
from instrumentation.fastapi.tests.calling import Wire, scope

SECRET = "hunter2-not-real"


def test_the_example_runs():
    assert doctest.testmod(queries).failed == 0


def test_the_names_are_those_of_the_scanner():
    root = Path(__file__).parents[3]
    source = (root / "native/src/scan/detect/credentials/urls.rs").read_text(encoding="utf-8")
    [words] = re.findall(r'PARAMETERS: WordSet = WordSet::new\(\s*"(.*?)"', source, re.DOTALL)
    assert set(words.replace("\\\n", " ").split()) == PARAMETERS


@pytest.mark.parametrize(
    "name",
    ["password", "pass%77ord", "user[password]", "apiKey", "API-Key", "X-Amz-Signature", "sig", "a+token"],
)
def test_a_secret_is_hidden_by_its_name_however_that_is_written(name: str):
    shown = Queries().shown(f"page=2&{name}={SECRET}&size=3".encode())
    assert shown == f"page=2&{name}=[REDACTED:secret]&size=3"


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_what_has_no_secret_stays_as_it_is(parts: list[bytes]):
    query = b"&".join(b"q=" + part.replace(b"&", b"") for part in parts)
    assert Queries().shown(query) == query.decode("latin-1")


@given(st.binary(max_size=60))
def test_any_bytes_are_a_query(query: bytes):
    assert isinstance(Queries().shown(query), str)


def test_names_of_the_applications_policy_are_secrets_too():
    policy = Settings.load(environ={}, redaction={"secret_keys": ["voucher"]})
    with LoggerProvider(settings=policy, exporters=["none"]) as provider:
        assert Queries(Policy(provider)).shown(b"voucher=abc") == "voucher=[REDACTED:secret]"
    assert Queries().shown(b"voucher=abc") == "voucher=abc"


async def test_the_access_record_has_none_of_it(fapilog_logs: CapturedLogs):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    asked, wire = {**scope(), "query_string": f"page=2&token={SECRET}".encode()}, Wire()
    await RequestLoggingMiddleware(app, RequestLogging())(asked, wire.receive, wire.send)
    record = fapilog_logs.find(event_name=HTTP_EVENT)
    assert record.attributes["url.query"] == "page=2&token=[REDACTED:secret]"
