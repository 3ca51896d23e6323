"""What a test of an application gets: the records of one request, and a failure when they are mixed up."""

import asyncio
import doctest
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import fapilog
from fapilog import LoggerProvider, Settings
from fapilog_instrumentation_fastapi import RequestLogging, instrument_fastapi, testing
from fapilog_instrumentation_fastapi.testing import RequestLogs, capture_requests, measure_overhead
from instrumentation.fastapi.tests.calling import client
from tests.contract.snippets import ROOT, snippets

log = fapilog.get_logger("shop")
SETTINGS = RequestLogging(spans="none")


def shop(**options: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/orders/{order_id}")
    async def read(order_id: int) -> int:
        log.info("read", order_id=order_id)
        await asyncio.sleep(0)
        log.info("read again", order_id=order_id)
        return order_id

    @app.get("/lost")
    async def lost() -> None:
        # A context of its own, as a worker that was started before has.
        import contextvars

        contextvars.Context().run(log.info, "nobody's")

    return instrument_fastapi(app, SETTINGS, **options)


def test_the_records_of_one_request_are_found_by_its_response_or_its_id(fapilog_requests: RequestLogs):
    http = TestClient(shop())
    first, second = http.get("/orders/1"), http.get("/orders/2", headers={"X-Correlation-ID": "second"})
    assert [record.body for record in fapilog_requests.of(first)] == [
        "read",
        "read again",
        "GET /orders/{order_id} 200",
    ]
    assert fapilog_requests.of("second") == fapilog_requests.of(second)
    assert fapilog_requests.access("second").attributes["url.path"] == "/orders/2"
    fapilog_requests.check(first, second, same=["order_id"])


async def test_requests_at_the_same_time_keep_their_records_apart(fapilog_requests: RequestLogs):
    async with client(shop()) as http:
        answers = await asyncio.gather(*(http.get(f"/orders/{number}") for number in range(50)))
    fapilog_requests.check(*answers, same=["order_id"])
    for number, answer in enumerate(answers):
        wanted = [number, number, None]
        found = [record.attributes.get("order_id") for record in fapilog_requests.of(answer)]
        assert found == wanted


def failure(requests: RequestLogs, *answers: Any, **options: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        requests.check(*answers, **options)
    return re.sub(r"[0-9a-f]{32}", "ID", str(caught.value).partition("{")[0])


def test_a_record_without_id_fails_the_check(fapilog_requests: RequestLogs):
    TestClient(shop()).get("/lost")
    assert failure(fapilog_requests) == (
        'records and requests do not fit together:\nno correlation id:\n  INFO shop: "nobody\'s" trace - '
    )
    fapilog_requests.check(outside=["shop", "httpx", "httpx2", "asyncio"])


def test_a_record_of_another_request_fails_the_check(fapilog_requests: RequestLogs):
    answer = TestClient(shop()).get("/orders/1")
    with fapilog.bind_context(**{"fapilog.correlation_id": answer.headers["x-correlation-id"]}):
        log.info("read", order_id=2)
    assert "ID has several values of order_id:" in failure(fapilog_requests, answer, same=["order_id"])
    fapilog_requests.check(answer)


def test_an_id_that_nobody_sent_and_a_request_without_access_record_fail_the_check(
    fapilog_requests: RequestLogs,
):
    answer = TestClient(shop(access={"enabled": False})).get("/orders/1")
    assert "requests 1, access records 0" in failure(fapilog_requests, answer)
    assert "other is no id of a request" not in failure(fapilog_requests, answer)
    with fapilog.bind_context(**{"fapilog.correlation_id": "other"}):
        log.info("read")
    with pytest.raises(AssertionError, match="other is no id of a request"):
        fapilog_requests.check(answer)
    with pytest.raises(LookupError, match="0 access records"):
        fapilog_requests.access(answer)


def test_a_response_without_id_says_what_may_be_wrong(fapilog_requests: RequestLogs):
    answer = httpx.Response(200)
    with pytest.raises(LookupError, match="is the application instrumented"):
        fapilog_requests.of(answer)


def test_what_an_application_configures_when_it_starts_is_captured(fapilog_requests: RequestLogs):
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with fapilog.configure_otel(exporters=["none"], redaction="scan"):
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def root() -> None:
        log.info("card 4111 1111 1111 1111")

    instrument_fastapi(app, SETTINGS)
    with TestClient(app) as http:
        answer = http.get("/")
    assert [record.body for record in fapilog_requests.of(answer)] == ["card [REDACTED:pan]", "GET / 200"]


def test_an_application_with_a_pipeline_of_its_own_is_captured_by_name():
    settings = Settings.load(environ={}, sequence=False)
    with LoggerProvider(settings=settings, exporters=["none"]) as provider:
        app = shop(logger_provider=provider)
        with capture_requests(app) as requests:
            answer = TestClient(app).get("/orders/1")
        assert [record.body for record in requests.of(answer)] == ["GET /orders/{order_id} 200"]
    with pytest.raises(LookupError, match="writes to the pipeline of the process"), capture_requests(shop()):
        pass


async def test_the_overhead_is_what_the_middleware_adds():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    with LoggerProvider(settings=Settings.load(environ={}), exporters=["none"]) as provider:
        overhead = await measure_overhead(
            app, SETTINGS, path="/x", logger_provider=provider, requests=50, rounds=3
        )
        assert provider.ledger().offered == 150
    assert 0 < overhead.bare_micros < overhead.logged_micros
    assert re.fullmatch(r"[0-9.]+ µs per request \([0-9.]+ without\)", str(overhead))


def test_the_examples_of_the_module_run():
    result = doctest.testmod(testing)
    assert (result.failed, result.attempted > 0) == (0, True)


def test_the_page_about_testing_passes_as_a_test_suite_of_its_own(tmp_path: Path):
    [*blocks] = snippets("docs/how-to/fastapi_testing.md")
    suite = "\n\n".join(block.code for block in blocks)
    (tmp_path / "test_shop.py").write_text(suite, encoding="utf-8")
    packages = os.pathsep.join([str(ROOT), str(ROOT / "instrumentation" / "fastapi")])
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "fapilog.testing.pytest_plugin",
            "-p",
            "no:cacheprovider",
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": packages, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    passed = f"{len(re.findall(r'^def test_', suite, re.MULTILINE))} passed"
    assert (done.returncode, passed in done.stdout) == (0, True), done.stdout + done.stderr
