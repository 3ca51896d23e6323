"""Access records of ordinary requests, written in native code, are those that Python would write."""

import asyncio
import gc
import weakref
from dataclasses import replace
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Query, Response
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fapilog.redaction import Sensitive
from fapilog.testing import CapturedLogs, capture_logs
from fapilog_instrumentation_fastapi import RequestLogging, RequestLoggingMiddleware, instrument_fastapi
from fapilog_instrumentation_fastapi import access as access_records
from fapilog_instrumentation_fastapi.access import DURATION, HTTP_EVENT
from fapilog_instrumentation_fastapi.instrumentor import instrumented
from instrumentation.fastapi.tests.calling import Wire, client, scope
from instrumentation.fastapi.tests.requests_of_any_kind import AnyRequest, any_requests

PATHS = (
    "/",
    "/items/7",
    "/items/7/parts/8",
    "/reset/t-1",
    "/tenants/a/stock/tea",
    "/v1/orders/42",
    "/marked",
    "/none",
)
QUERIES = (
    *b"page=2 page = && token=t-1 %74oken=t-1 a=1&a=2 coupon=c a=\xff\xe9".split(),
    b"",
    b"&".join([b"a=1"] * 1_000),
    b"&".join([b"a=1"] * 1_001),
)
OPTIONS = st.fixed_dictionaries(
    {}, optional={name: st.booleans() for name in ("query", "client", "user_agent", "enabled")}
)


def shop() -> FastAPI:
    """Routes of all kinds: plain, with parameters, secret ones and marked ones, included and mounted."""
    app, inner = FastAPI(), FastAPI()
    router = APIRouter(prefix="/orders")

    @app.api_route("/", methods=["GET", "HEAD", "POST", "QUERY"])
    def root() -> str:
        return "hello"

    @app.get("/items/{item}", status_code=201)
    async def item(item: str) -> str:
        return item

    @app.get("/items/{item}/parts/{part}")
    async def part(item: str, part: int) -> Response:
        return Response(status_code=204 if part else 304)

    @app.get("/reset/{token}")
    async def reset(token: str) -> str:
        return token

    @app.get("/marked")
    async def marked(coupon: Annotated[str, Query(), Sensitive("secret")] = "") -> str:
        return coupon

    @router.get("/{order}")
    async def order(order: int) -> int:
        return order

    @inner.get("/stock/{name}")
    async def stock(name: str) -> str:
        return name

    app.include_router(router, prefix="/v1")
    app.mount("/tenants/{tenant}", inner)
    return app


class Twins:
    """The same application twice: the records of the second one are written in Python."""

    def __init__(self, **access: Any) -> None:
        self.apps = [
            instrument_fastapi(shop(), RequestLogging(spans="none", access=access)) for _ in range(2)
        ]
        plans = [found.plan for found in map(instrumented, self.apps) if found is not None]
        plans[1].on_response.append(lambda exchange: None)
        self.in_python = 0
        for plan in plans:
            plan.on_unusual.append(self._count)

    def _count(self, exchange: Any) -> None:
        self.in_python += 1

    def records(self, request: AnyRequest) -> list[list[dict[str, Any]]]:
        found = []
        for app in self.apps:
            with capture_logs() as logs:
                asyncio.run(self._served(app, request))
            found.append([told(record) for record in logs.find_all(event_name=HTTP_EVENT)])
        return found

    @staticmethod
    async def _served(app: Any, request: AnyRequest) -> None:
        wire = Wire(*request.messages())
        given = [*request.scope["headers"], (b"x-request-id", b"r-1")]
        try:
            await app({**request.scope, "headers": given}, wire.receive, wire.send)
        except Exception:
            assert request.goes_away, "only a client that goes away makes these routes raise"


def told(record: Any) -> dict[str, Any]:
    """All that a record says, without what differs from call to call."""
    attributes = dict(record.attributes)
    assert attributes.pop(DURATION) >= 0
    assert len(attributes.pop("fapilog.correlation_id")) > 0
    return {
        "body": record.body,
        "severity": (record.severity_number, record.severity_text),
        "scope": record.scope_name,
        "attributes": attributes,
    }


def of(path: str = "/", query: bytes = b"", **changes: Any) -> AnyRequest:
    headers = [(b"host", b"shop.example"), (b"user-agent", b"curl/8")]
    return AnyRequest({**scope(path, headers=headers), "query_string": query, **changes}, [], goes_away=False)


requests = any_requests().flatmap(
    lambda request: st.tuples(st.sampled_from(PATHS), st.sampled_from(QUERIES)).map(
        lambda drawn: replace(
            request, scope={**request.scope, "path": drawn[0], "query_string": drawn[1]}, goes_away=False
        )
    )
)


@pytest.fixture(scope="module")
def twins() -> Twins:
    return Twins()


@given(request=requests | any_requests())
@example(request=of("/v1/orders/42", b"page=2"))
@example(request=of("/items/7", http_version="2", scheme="https"))
@example(request=of("/", method="HEAD"))
@example(request=of("/", client=None))
@example(request=of("/", b"&".join([b"a=1"] * 1_000)))
@example(request=of("/", client=("203.0.113.7", 0)))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_native_records_say_what_those_of_python_say(twins: Twins, request: AnyRequest):
    # Twice: the first request of a kind is asked for, the second one is served from memory.
    for _ in range(2):
        native, python = twins.records(request)
        assert native == python


@given(access=OPTIONS, request=requests)
@settings(max_examples=10, deadline=None)
def test_they_do_with_any_settings(access: dict[str, bool], request: AnyRequest):
    native, python = Twins(**access).records(request)
    assert native == python


@pytest.mark.parametrize(
    ("path", "query", "ordinary"),
    [
        ("/v1/orders/42", b"page=2", True),
        ("/tenants/a/stock/tea", b"", True),
        ("/items/7", b"", True),
        ("/marked", b"", True),
        ("/marked", b"page=2", False),
        ("/reset/t-1", b"", False),
        ("/items/7", b"token=t-1", False),
        ("/none", b"", False),
        ("/items/7/parts/8", b"&".join([b"a=1"] * 1_001), False),
    ],
)
def test_what_hides_something_or_failed_is_written_in_python(path: str, query: bytes, ordinary: bool):
    twins = Twins()
    twins.records(of(path, query))
    twins.in_python = 0
    twins.records(of(path, query))
    # The second application's always are.
    assert twins.in_python == (1 if ordinary else 2)


async def test_a_route_that_comes_later_is_not_taken_for_the_one_before(fapilog_logs: CapturedLogs):
    app = instrument_fastapi(shop(), spans="none")
    async with client(app) as http:
        for path in ("/items/7", "/none", "/v1/orders/1", "/items/8"):
            await http.get(path)
    routes = [record.attributes.get("http.route") for record in fapilog_logs.find_all(event_name=HTTP_EVENT)]
    assert routes == ["/items/{item}", None, "/v1/orders/{order}", "/items/{item}"]


async def test_hosts_and_methods_without_end_are_served_and_not_kept(fapilog_logs: CapturedLogs):
    app = instrument_fastapi(shop(), spans="none")
    async with client(app) as http:
        for number in range(1_100):
            await http.get("/", headers={"host": f"{number}.shop.example"})
        await http.get("/", headers={"host": "a" * 400})
    hosts = [
        record.attributes.get("server.address") for record in fapilog_logs.find_all(event_name=HTTP_EVENT)
    ]
    assert hosts == [*(f"{number}.shop.example" for number in range(1_100)), None]


async def test_an_error_of_ours_while_a_response_passes_is_counted_and_the_response_goes_on(
    fapilog_logs: CapturedLogs, monkeypatch: pytest.MonkeyPatch
):
    app = instrument_fastapi(shop(), spans="none")
    monkeypatch.setattr(access_records, "common", lambda exchange, route: 1 / 0)
    async with client(app) as http:
        answer = await http.get("/items/7")
    assert (answer.status_code, answer.json()) == (201, "7")
    known = instrumented(app)
    assert known is not None
    assert (known.plan.own_errors.count, known.plan.own_errors.last[:33]) == (
        2,
        "access record: ZeroDivisionError: "[:33],
    )
    assert fapilog_logs.find_all(event_name=HTTP_EVENT) == []


async def test_an_application_that_served_requests_goes_when_nobody_has_it(fapilog_logs: CapturedLogs):
    app = instrument_fastapi(shop(), spans="none")
    async with client(app) as http:
        for _ in range(2):
            await http.get("/v1/orders/42")
    known = instrumented(app)
    assert known is not None
    left = [weakref.ref(app), weakref.ref(known.plan)]
    del app, known, http
    await asyncio.sleep(0)
    gc.collect()
    assert [each() for each in left] == [None, None]


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ({"headers": None}, (200, [(b"x-correlation-id", b"r-1")])),
        ({}, (200, [(b"x-correlation-id", b"r-1")])),
        (
            {"headers": [(bytearray(b"X-Correlation-ID"), b"own")]},
            (200, [(bytearray(b"X-Correlation-ID"), b"own")]),
        ),
        ({"headers": iter([[b"a", b"1"]])}, (200, [[b"a", b"1"], (b"x-correlation-id", b"r-1")])),
    ],
)
async def test_odd_starts_of_responses_are_observed_and_get_their_header(
    fapilog_logs: CapturedLogs, start: dict[str, Any], told: Any
):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, **start})
        await send({"type": "http.response.body", "body": memoryview(b"hello")})

    logging_app = RequestLoggingMiddleware(app, RequestLogging(spans="none"))
    wire = Wire()
    await logging_app(scope(headers=[(b"x-request-id", b"r-1")]), wire.receive, wire.send)
    assert (wire.sent[0]["status"], wire.sent[0]["headers"]) == told
    record = fapilog_logs.find_all(event_name=HTTP_EVENT)[0]
    assert (record.attributes["http.response.status_code"], record.attributes["http.response.body.size"]) == (
        200,
        5,
    )
    assert logging_app.plan.own_errors.count == 0


@pytest.mark.parametrize("odd", [{"fastapi": None}, {"root_path": "/\udc80"}, {"root_path": None}])
async def test_a_response_that_was_complete_is_no_failure_of_what_runs_behind_it(
    fapilog_logs: CapturedLogs, odd: dict[str, Any]
):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})
        raise ValueError("in the background")

    wire = Wire()
    asked = {**scope(headers=[(b"host", b"shop.example")]), **odd}
    with pytest.raises(ValueError, match="in the background"):
        await RequestLoggingMiddleware(app, RequestLogging(spans="none"))(asked, wire.receive, wire.send)
    record = fapilog_logs.find_all(event_name=HTTP_EVENT)[0]
    assert (record.severity_text, record.attributes.get("error.type")) == ("INFO", None)


async def test_a_value_that_logs_when_it_is_dropped_raises_nothing(fapilog_logs: CapturedLogs):
    seen = []

    class Loud(bytes):
        def __del__(self) -> None:
            seen.append(made[0].status)

    made: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        made.append(scope["fapilog.exchange"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", Loud(b"1"))]})
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body"})

    async def forget(message: Any) -> None:
        """Keep nothing, so that the headers go with the next ones."""

    await RequestLoggingMiddleware(app, RequestLogging(spans="none", correlation={"response_header": None}))(
        scope(), Wire().receive, forget
    )
    assert seen == [201]
