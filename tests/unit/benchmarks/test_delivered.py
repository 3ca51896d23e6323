"""The benchmark of delivery: what ours and the peers send is the same, and what is lost is no figure."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

import fapilog
from benchmarks import delivered
from benchmarks.delivered import Figures
from benchmarks.delivered_peers import actions, document
from benchmarks.delivered_ways import ELASTICSEARCH, KAFKA, SPLUNK, WAYS
from benchmarks.end_to_end import LossError
from benchmarks.exporters import request
from benchmarks.mock_broker import messages, mock_broker
from benchmarks.null_server.server import null_server
from benchmarks.options import Options
from benchmarks.scenarios import varied_rows


def shape(value: Any) -> Any:
    return {key: shape(each) for key, each in value.items()} if isinstance(value, dict) else type(value)


def test_the_clients_send_the_document_that_ours_is() -> None:
    ours = json.loads(fapilog.LogBatch(request(is_map=False)).encode("otel").splitlines()[0])
    # Ids are ours alone; a client without them has less to do.
    for name in ("trace_id", "span_id"):
        del ours[name]
    del ours["attributes"]["log.record.uid"], ours["scope"]["version"]
    assert shape(document(varied_rows()[0])) == shape(ours)
    first, second = actions(2)
    assert first["_op_type"] == second["_op_type"] == "create"
    assert first["_source"]["attributes"] != second["_source"]["attributes"]


def test_the_best_round_counts_beside_the_best_peer_in_python() -> None:
    names = {way.library: name for name, way in WAYS.items() if way.group == ELASTICSEARCH}
    slow, fast = "elasticsearch parallel_bulk", "elasticsearch streaming_bulk"
    found = {
        names["fapilog"]: [Figures(300.0, 5.0, 0, 0.5), Figures(400.0, 3.0, 0, 0.25)],
        names[slow]: [Figures(20.0, 50.0, 1, 1.0)],
        names[fast]: [Figures(100.0, 30.0, 0, 1.0), Figures(80.0, 20.0, 2, 1.0)],
    }
    absent = {names["opensearch-py streaming_bulk"]: "not installed: no module"}
    rows = delivered.rows_of(found, absent)
    assert {row.group for row in rows} == {ELASTICSEARCH}
    assert [(row.library, row.measurement, row.value, row.ratio) for row in rows] == [
        ("fapilog", delivered.RATE, 400.0, 4.0),
        ("fapilog", delivered.CPU, 3.0, 0.15),
        ("fapilog", delivered.LOST, 0, None),
        ("fapilog", delivered.MULTIPLE, 4.0, None),
        (fast, delivered.RATE, 100.0, 1.0),
        (fast, delivered.CPU, 20.0, 1.0),
        (fast, delivered.LOST, 2, None),
        (slow, delivered.RATE, 20.0, 0.2),
        (slow, delivered.CPU, 50.0, 2.5),
        (slow, delivered.LOST, 1, None),
        ("opensearch-py streaming_bulk", delivered.RATE, None, None),
    ]
    assert [row.measurement for row in rows if row.goal] == [
        delivered.RATE,
        delivered.LOST,
        delivered.MULTIPLE,
    ]


def test_an_account_that_the_server_does_not_confirm_is_no_figure() -> None:
    whole = {"offered": 5, "delivered": 5}
    delivered.prove("x", 5, {"arrived": 5, "account": whole})
    delivered.prove("x", 5, {"arrived": 4, "account": {}})
    for arrived, account in ((4, whole), (5, whole | {"delivered": 4}), (6, whole)):
        with pytest.raises(LossError):
            delivered.prove("x", 5, {"arrived": arrived, "account": account})


@pytest.mark.timeout(600)  # the first run compiles the server
@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed")
def test_each_record_of_ours_arrives_once_and_a_missing_peer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with null_server() as server:
        for name in (f"{SPLUNK}: fapilog", f"{ELASTICSEARCH}: fapilog"):
            reply = delivered.ask(name, server.url, 3_000)
            assert reply["arrived"] == 3_000
            assert reply["account"] == {"offered": 3_000, "delivered": 3_000}
            assert min(reply["seconds"], reply["cpu_seconds"]) > 0
        assert server.stats()["records"] == 6_000
    absent = {"missing": "not installed: no module"}
    monkeypatch.setattr(delivered, "ask", lambda *_: absent)
    rows = delivered.run(Options(quick=True), ["splunk"])
    assert [(row.library, row.value, row.note) for row in rows] == [
        (way.library, None, "not installed: no module") for way in WAYS.values() if way.group == SPLUNK
    ]


def test_each_record_of_ours_and_of_the_client_reaches_the_broker_once() -> None:
    pytest.importorskip("confluent_kafka")
    pytest.importorskip("fapilog_exporter_kafka")
    with mock_broker() as broker:
        for name in (f"{KAFKA}: fapilog", f"{KAFKA}: confluent-kafka, json"):
            before = messages(broker.url)
            reply = delivered.ask(name, broker.url, 3_000)
            assert reply["arrived"] == 3_000
            assert reply["account"] == {"offered": 3_000, "delivered": 3_000}
            assert min(reply["seconds"], reply["cpu_seconds"]) > 0
            assert 0 < messages(broker.url) - before <= 3_000
