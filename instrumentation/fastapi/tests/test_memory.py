"""What callers choose is not kept: neither long keys nor many of them."""

import doctest
from typing import Any

import pytest
from fastapi import FastAPI

from fapilog_instrumentation_fastapi import access, instrument_fastapi, remembering
from fapilog_instrumentation_fastapi.instrumentor import instrumented
from fapilog_instrumentation_fastapi.queries import Queries
from fapilog_instrumentation_fastapi.remembering import MOST, remember
from instrumentation.fastapi.tests.calling import Wire, scope

LONG = 60_000


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_origins", {})


def test_the_example_runs():
    assert doctest.testmod(remembering).failed == 0


def test_a_full_memory_begins_anew_and_serves_those_who_come_again():
    known: dict[int, int] = {}
    for key in range(MOST + 1):
        remember(known, key, key, 1)
    assert known == {MOST: MOST}


async def app_with_mounts() -> FastAPI:
    app, inner = FastAPI(), FastAPI()

    @inner.get("/a")
    async def read() -> int:
        return 1

    app.mount("/{tenant}", inner)
    return instrument_fastapi(app, spans="none")


async def test_long_hosts_methods_paths_and_names_are_not_kept(fapilog_logs: Any):
    app = await app_with_mounts()
    plan = instrumented(app).plan
    long = "t" * LONG
    for path, method, host, query in (
        (f"/{long}/a", "GET", b"shop.example", b"page=2"),
        ("/short/a", "GET", long.encode(), b"page=2"),
        ("/short/a", long, b"shop.example", b"page=2"),
        ("/short/a", "GET", b"shop.example", long.encode() + b"=2"),
    ):
        wire, asked = Wire(), scope(path, method, [(b"host", host)])
        await app({**asked, "query_string": query}, wire.receive, wire.send)
    assert [key[0::3] for key in access._origins] == [("GET", b"shop.example")]
    assert (plan.routes._prefixes, plan.queries.judged) == ({"/short": "/{tenant}"}, {b"page": False})
    records = fapilog_logs.find_all(event_name=access.HTTP_EVENT)
    # `urlsplit` remembers, too.
    assert ["server.address" in record.attributes for record in records] == [True, False, True, True]
    assert [record.attributes.get("http.route") for record in records] == ["/{tenant}/a"] * 4


def test_a_query_shows_a_thousand_parameters_and_no_more():
    queries = Queries()
    query = "&".join(f"a{number}=1" for number in range(1_001))
    assert queries.shown(query.encode()) == query.removesuffix("a1000=1") + "[REDACTED:secret]"
    query = query.removesuffix("&a1000=1")
    assert queries.shown(query.encode()) == query
