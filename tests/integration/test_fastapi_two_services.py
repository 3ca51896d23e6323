"""A service calls another one over HTTP: the logs of both have the same correlation id and the same trace."""

import signal
from collections import defaultdict
from pathlib import Path

import httpx

from fapilog.testing import OtlpReceiver, ReceivedLogRecord
from tests.integration.fastapi_serving import Server
from tests.servers.ports import free_ports

WAYS = ["httpx", "httpx2", "requests", "aiohttp", "background"]
UVICORN = "uvicorn two_services:app --port PORT --no-access-log"


def test_both_services_log_the_same_correlation_id_and_the_same_trace(tmp_path: Path) -> None:
    ports = free_ports(2)
    carrying = {
        "FAPILOG_FASTAPI_OUTGOING_CLIENTS": "httpx, httpx2, requests, aiohttp",
        "FAPILOG_FASTAPI_OUTGOING_HOSTS": "127.0.0.1",
        "PEER": f"http://127.0.0.1:{ports[1]}",
    }
    with (
        OtlpReceiver() as receiver,
        Server(UVICORN, ports[0], receiver, tmp_path / "front", zero_code=True, **carrying) as front,
        Server(UVICORN, ports[1], receiver, tmp_path / "stock", zero_code=True) as stock,
    ):
        for server in (front, stock):
            server.wait_until_it_serves()
        ids = {way: _ask(front, way) for way in WAYS}
        # In this order: what is asked in the background is asked before the first one ends.
        for server in (front, stock):
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(40)
        records = [record for record in receiver.log_records if "fapilog.correlation_id" in record.attributes]
    by_id: dict[str, list[ReceivedLogRecord]] = defaultdict(list)
    for record in records:
        by_id[record.attributes["fapilog.correlation_id"]].append(record)
    assert sorted(by_id) == sorted(ids.values())
    for way, correlation_id in ids.items():
        found = by_id[correlation_id]
        shown = sorted(
            str(record.body) for record in found if record.scope_name in {"services", "fapilog.http"}
        )
        assert shown == sorted(["front", "stock", f"GET /{way} 200", "GET /stock 200"])
        assert len({record.trace_id for record in found}) == 1
        [seen] = [record for record in found if record.body == "stock"]
        assert f"fapilog.correlation_id={correlation_id}" in seen.attributes["seen_baggage"]


def _ask(server: Server, way: str) -> str:
    answer = httpx.get(f"{server.url}/{way}", timeout=30)
    assert answer.status_code == 200
    return answer.headers["x-correlation-id"]
