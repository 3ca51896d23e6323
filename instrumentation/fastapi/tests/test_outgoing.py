"""The correlation id leaves with calls of clients that were named, or to hosts that were, and else not."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, context
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.propagate import inject

from fapilog.errors import ConfigurationError
from fapilog_instrumentation_fastapi import (
    RequestLogging,
    RequestLoggingMiddleware,
    instrument_fastapi,
    outgoing,
    propagate_correlation,
    stop_propagating,
    uninstrument_fastapi,
)
from fapilog_instrumentation_fastapi.outgoing_clients import Carried
from instrumentation.fastapi.tests.calling import Wire, scope

ID, MEMBER = "r-1", "fapilog.correlation_id=r-1"


class Stock:
    """A server that keeps the headers of what it is asked, and redirects `/away` to another host name."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        stock = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                names = ("x-correlation-id", "baggage")
                stock.asked.append({name: self.headers[name] for name in names if name in self.headers})
                self.send_response(302 if self.path == "/away" else 200)
                if self.path == "/away":
                    self.send_header("location", f"http://localhost:{stock.port}/")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def stock() -> Iterator[Stock]:
    running = Stock()
    yield running
    running.close()


Headers = dict[str, str] | None
Ask = Callable[[Any, str, Headers], Awaitable[None]]


async def ask_sync(client: Any, url: str, headers: Headers) -> None:
    """As a sync endpoint does: in a thread that has a copy of the context."""
    options = {} if isinstance(client, requests.Session) else {"follow_redirects": True}
    await asyncio.to_thread(lambda: client.get(url, headers=headers, **options))


async def ask_httpx(client: Any, url: str, headers: Headers) -> None:
    await client.get(url, headers=headers, follow_redirects=True)


async def ask_aiohttp(client: Any, url: str, headers: Headers) -> None:
    async with client.get(url, headers=headers) as answer:
        await answer.read()


CLIENTS: dict[str, tuple[Callable[[], Any], Ask]] = {
    "httpx": (lambda: httpx.Client(trust_env=False), ask_sync),
    "httpx, async": (lambda: httpx.AsyncClient(trust_env=False), ask_httpx),
    "httpx2": (lambda: httpx2.Client(trust_env=False), ask_sync),
    "httpx2, async": (lambda: httpx2.AsyncClient(trust_env=False), ask_httpx),
    "requests": (requests.Session, ask_sync),
    "aiohttp": (aiohttp.ClientSession, ask_aiohttp),
}


@pytest.fixture(params=CLIENTS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


class Caller:
    """A client, and how it is used while a request is served."""

    def __init__(self, kind: str) -> None:
        make, self._ask = CLIENTS[kind]
        self.client = make()

    async def __call__(self, url: str, headers: Headers = None) -> None:
        await self._ask(self.client, url, headers)

    async def close(self) -> None:
        closing = getattr(self.client, "aclose", None) or self.client.close
        closing = closing()
        if closing is not None:
            await closing


@pytest.fixture
async def call(kind: str) -> Any:
    caller = Caller(kind)
    yield caller
    await caller.close()


async def serving(work: Callable[[], Awaitable[None]], **settings: Any) -> RequestLoggingMiddleware:
    """Have the work done while a request with the id is served."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await work()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    middleware = RequestLoggingMiddleware(app, RequestLogging(outgoing=settings, spans="none"))
    wire = Wire()
    await middleware(scope(headers=[(b"x-request-id", ID.encode())]), wire.receive, wire.send)
    assert middleware.plan.own_errors.count == 0
    return middleware


BOTH = {"x-correlation-id": ID, "baggage": MEMBER}


async def test_a_client_that_was_named_carries_the_id_in_header_and_baggage(call: Caller, stock: Stock):
    propagate_correlation(call.client)
    await serving(lambda: call(stock.url))
    assert stock.asked == [BOTH]


async def test_other_clients_carry_nothing_and_nothing_is_carried_outside_of_a_request(
    call: Caller, stock: Stock
):
    await serving(lambda: call(stock.url))
    await call(stock.url)
    propagate_correlation(call.client)
    await call(stock.url)
    assert stock.asked == [{}, {}, {}]


async def test_what_the_caller_sets_stays_and_baggage_is_joined(call: Caller, stock: Stock):
    propagate_correlation(call.client)
    own = {"X-Correlation-Id": "own", "Baggage": "tenant=a"}
    await serving(lambda: call(stock.url, own))
    await serving(lambda: call(stock.url, {"baggage": "fapilog.correlation_id=own, tenant=a"}))
    assert stock.asked == [
        {"x-correlation-id": "own", "baggage": f"tenant=a,{MEMBER}"},
        {"x-correlation-id": ID, "baggage": "fapilog.correlation_id=own, tenant=a"},
    ]


async def test_only_hosts_that_are_allowed_get_it_also_behind_a_redirect(call: Caller, stock: Stock):
    propagate_correlation(call.client, hosts=["127.0.0.1"])
    await serving(lambda: call(f"{stock.url}/away"))
    await serving(lambda: call(f"http://localhost:{stock.port}/"))
    assert stock.asked == [BOTH, {}, {}]


async def test_what_the_caller_sets_follows_redirects_as_without_us(call: Caller, stock: Stock):
    propagate_correlation(call.client, hosts=["127.0.0.1"])
    await serving(lambda: call(f"{stock.url}/away", {"x-correlation-id": "own", "baggage": "a=1"}))
    assert stock.asked[1] == {"x-correlation-id": "own", "baggage": "a=1"}


async def test_hosts_header_and_member_come_from_the_application_unless_the_client_has_its_own(
    call: Caller, stock: Stock
):
    propagate_correlation(call.client)
    await serving(lambda: call(stock.url), hosts=["stock.internal"])
    await serving(lambda: call(stock.url), header=None, baggage="id")
    await serving(lambda: call(stock.url), baggage=None)
    propagate_correlation(call.client, hosts=["127.0.0.1"], baggage=None)
    await serving(lambda: call(stock.url), hosts=["stock.internal"])
    assert stock.asked == [{}, {"baggage": "id=r-1"}, {"x-correlation-id": ID}, {"x-correlation-id": ID}]


async def test_it_can_be_taken_back(call: Caller, stock: Stock):
    before = dict(vars(call.client))
    for _ in range(2):
        propagate_correlation(propagate_correlation(call.client))
        stop_propagating(stop_propagating(call.client))
        assert {name for name, value in vars(call.client).items() if before.get(name) is not value} == set()
    await serving(lambda: call(stock.url))
    assert stock.asked == [{}]


async def test_a_client_is_freed_when_nobody_uses_it(kind: str):
    caller = Caller(kind)
    freed = weakref.ref(propagate_correlation(caller.client))
    await caller.close()
    del caller
    gc.collect()
    assert freed() is None


async def test_a_transport_that_two_clients_share_carries_it_for_one_of_them(stock: Stock):
    transport = httpx.HTTPTransport()
    with httpx.Client(transport=transport) as named, httpx.Client(transport=transport) as other:
        propagate_correlation(named)
        await serving(lambda: ask_sync(named, stock.url, None))
        await serving(lambda: ask_sync(other, stock.url, None))
    assert stock.asked == [BOTH, {}]


async def test_a_request_that_two_requests_send_at_once_carries_the_id_of_each():
    sent, both = [], asyncio.Barrier(2)

    class Transport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await both.wait()
            sent.append((request.headers["x-correlation-id"], request.headers["baggage"]))
            await both.wait()
            return httpx.Response(200)

    async with propagate_correlation(httpx.AsyncClient(transport=Transport())) as http:
        prebuilt = http.build_request("GET", "http://stock.example/")

        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert (await http.send(prebuilt)).request is prebuilt

        middleware = RequestLoggingMiddleware(app, RequestLogging(spans="none"))
        asked = (scope(headers=[(b"x-request-id", name)]) for name in (b"r-1", b"r-2"))
        await asyncio.gather(*(middleware(each, Wire().receive, Wire().send) for each in asked))
    assert sorted(sent) == [(name, f"fapilog.correlation_id={name}") for name in ("r-1", "r-2")]
    assert prebuilt.headers.keys().isdisjoint({"x-correlation-id", "baggage"})


async def test_a_prepared_request_of_requests_is_sent_as_a_copy(stock: Stock):
    with propagate_correlation(requests.Session()) as session:
        prepared = session.prepare_request(requests.Request("GET", stock.url))
        before = dict(prepared.headers)

        async def ask() -> None:
            assert (await asyncio.to_thread(session.send, prepared)).request is prepared

        await serving(ask)
    assert (stock.asked, dict(prepared.headers)) == ([BOTH], before)


@pytest.mark.parametrize("kind", CLIENTS)
async def test_libraries_that_an_application_names_carry_it_for_its_requests_alone(kind: str, stock: Stock):
    library = kind.partition(",")[0]
    settings = {"clients": [library], "hosts": ["127.0.0.1"]}
    app = instrument_fastapi(FastAPI(), spans="none", outgoing=settings)
    other = instrument_fastapi(FastAPI(), spans="none", outgoing=settings)
    caller = Caller(kind)
    try:
        await serving(lambda: caller(f"{stock.url}/away"), **settings)
        await serving(lambda: caller(stock.url))
        uninstrument_fastapi(app)
        await serving(lambda: caller(stock.url), **settings)
        uninstrument_fastapi(other)
        await serving(lambda: caller(stock.url), **settings)
    finally:
        await caller.close()
    assert stock.asked == [BOTH, {}, {}, BOTH, {}]
    assert outgoing._switches == {}


def test_libraries_need_hosts_and_must_be_installed(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigurationError, match="clients need hosts"):
        RequestLogging.load(outgoing={"clients": ["httpx"]})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="not installed: pip install aiohttp requests"):
        RequestLogging.load(outgoing={"clients": ["aiohttp", "requests"], "hosts": ["*"]})


def test_what_is_no_client_and_what_is_no_option_is_refused():
    with pytest.raises(ConfigurationError, match="what it was given as client"):
        propagate_correlation(object())
    with httpx.Client() as client:
        for wrong in ({"colour": "blue"}, {"header": "no header"}, {"hosts": [""]}):
            with pytest.raises(ConfigurationError, match="what it was given as options"):
                propagate_correlation(client, **wrong)


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("with_baggage", [True, False])
@pytest.mark.parametrize("kind", ["httpx", "httpx, async", "requests"])
async def test_opentelemetrys_instrumentation_may_come_before_or_after(
    kind: str, ours_first: bool, with_baggage: bool, stock: Stock
):
    instrumentor = RequestsInstrumentor() if kind == "requests" else HTTPXClientInstrumentor()
    caller = Caller(kind)
    steps: list[Callable[[], Any]] = [
        lambda: propagate_correlation(caller.client, hosts=["127.0.0.1"]),
        instrumentor.instrument,
    ]
    for step in steps if ours_first else reversed(steps):
        step()
    token = context.attach(baggage.set_baggage("tenant", "a")) if with_baggage else None
    try:
        await serving(lambda: caller(f"{stock.url}/away"))
        stop_propagating(caller.client)
        await serving(lambda: caller(stock.url))
    finally:
        if token is not None:
            context.detach(token)
        instrumentor.uninstrument()
        await caller.close()
    others = {"baggage": "tenant=a"} if with_baggage else {}
    first, *rest = stock.asked
    assert sorted(first.pop("baggage").split(",")) == sorted(
        [MEMBER, *(["tenant=a"] if with_baggage else [])]
    )
    assert (first, rest) == ({"x-correlation-id": ID}, [others, others])


@pytest.mark.parametrize("ours_first", [True, False])
async def test_opentelemetrys_instrumentation_of_one_client_may_come_before_or_after(
    ours_first: bool, stock: Stock
):
    token = context.attach(baggage.set_baggage("tenant", "a"))
    with httpx.Client() as client:
        steps = [
            lambda: propagate_correlation(client),
            lambda: HTTPXClientInstrumentor.instrument_client(client),
        ]
        for step in steps if ours_first else reversed(steps):
            step()
        await serving(lambda: ask_sync(client, stock.url, None))
    context.detach(token)
    [asked] = stock.asked
    assert (asked["x-correlation-id"], sorted(asked["baggage"].split(","))) == (ID, [MEMBER, "tenant=a"])


async def test_what_a_trace_config_of_aiohttp_injects_is_joined(stock: Stock):
    """OpenTelemetry's instrumentation of aiohttp is one."""

    async def start(_: Any, __: Any, params: Any) -> None:
        inject(params.headers)

    tracing = aiohttp.TraceConfig()
    tracing.on_request_start.append(start)
    token = context.attach(baggage.set_baggage("tenant", "a"))
    async with aiohttp.ClientSession(trace_configs=[tracing]) as session:
        propagate_correlation(session)
        await serving(lambda: ask_aiohttp(session, stock.url, None))
    context.detach(token)
    assert stock.asked == [{"x-correlation-id": ID, "baggage": f"tenant=a,{MEMBER}"}]


_NAMES = st.text(st.sampled_from("abcXYZ-"), min_size=1, max_size=5)
_IDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='",;\\%=<> '), min_size=1
)


@given(_IDS, st.dictionaries(_NAMES, st.text("abc 1=;", max_size=20)), _NAMES)
def test_headers_are_after_the_call_what_they_were_before(
    given_id: str, headers: dict[str, str], member: str
):
    used = requests.structures.CaseInsensitiveDict(headers)
    before = list(used.items())
    undo = Carried(given_id, "x-correlation-id", member).add(used)
    assert used["x-correlation-id"] in {given_id, headers.get("x-correlation-id")}
    assert f"{member}=" in used["baggage"]
    undo(used)
    assert list(used.items()) == before


def test_baggage_that_is_too_long_already_stays_as_it_is():
    headers = {"baggage": "a=" + "1" * 8_190}
    Carried(ID, None, "id").add(headers)
    assert headers == {"baggage": "a=" + "1" * 8_190}
