"""The benchmark of requests: its load, its rows, and what is not installed."""

import asyncio

import pytest

from benchmarks import fastapi_overhead, fastapi_ways
from benchmarks.end_to_end import LossError
from benchmarks.http_load import load
from benchmarks.libraries import NotInstalledError


async def test_the_load_counts_answers_and_measures_each():
    answered = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        while await reader.readline() == b"GET /orders HTTP/1.1\r\n":
            await reader.readuntil(b"\r\n\r\n")
            answered += 1
            # In pieces, as a network may cut it.
            writer.write(b"HTTP/1.1 200 OK\r\nContent-")
            await writer.drain()
            writer.write(b"Length: 2\r\n\r\nok")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        figures = await load(server.sockets[0].getsockname()[1], "/orders", 2, 0.05)
    assert figures["requests"] == answered > 0
    assert 0 < figures["p50_millis"] <= figures["p99_millis"]


async def test_an_answer_other_than_200_is_no_figure():
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 Oh\r\n\r\n")

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        with pytest.raises(RuntimeError, match="answered b"):
            await load(server.sockets[0].getsockname()[1], "/", 1, 5.0)


def test_the_best_round_counts_beside_the_bare_application():
    def figures(rate: float, millis: float) -> dict[str, float]:
        return {"per_second": rate, "p50_millis": millis, "p99_millis": 2 * millis}

    rows = fastapi_overhead.rows_of(
        {"bare app": [figures(100, 2), figures(200, 1)], "auditry": [figures(50, 4)]}
    )
    assert [(row.library, row.measurement, row.value, row.ratio, row.better) for row in rows] == [
        ("bare app", "requests/s", 200, 1, "higher"),
        ("auditry", "requests/s", 50, 0.25, "higher"),
        ("bare app", "p50", 1, 1, "lower"),
        ("auditry", "p50", 4, 4, "lower"),
        ("bare app", "p99", 2, 1, "lower"),
        ("auditry", "p99", 8, 4, "lower"),
    ]


def test_a_way_that_lost_a_record_has_no_figure():
    fastapi_overhead.prove("fapilog", {"offered": 5, "delivered": 5}, 5)
    fastapi_overhead.prove("logfire", {}, 5)
    for account in ({"offered": 5, "delivered": 4}, {"offered": 4, "delivered": 4}):
        with pytest.raises(LossError):
            fastapi_overhead.prove("fapilog", account, 5)


def test_a_package_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch):
    def way(app: object, endpoint: str) -> object:
        raise ImportError("no module named x")

    monkeypatch.setitem(fastapi_ways.WAYS, "x", way)
    with pytest.raises(NotInstalledError, match="not installed: no module named x"):
        fastapi_ways.put_around("x", None, "")
