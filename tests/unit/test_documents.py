"""`LogBatch.documents`: one document for each record, for destinations that answer record by record."""

import json

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from fapilog import Documents, LogBatch


@pytest.fixture
def batch() -> LogBatch:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for number in range(3):
        record = scope.log_records.add(severity_number=9, time_unix_nano=1_795_219_200_000_001_500)
        if number == 1:
            record.body.kvlist_value.values.add(key="n").value.int_value = number
        else:
            record.body.string_value = f"record {number}"
    return LogBatch(request.SerializeToString())


def split(documents: Documents) -> list[bytes]:
    places = zip(documents.offsets, documents.offsets[1:], strict=False)
    return [documents.bytes[start:end] for start, end in places]


def test_the_offsets_cut_the_bytes_into_documents(batch):
    documents = batch.documents("hec", host="web-1", time="millis")
    assert [json.loads(document)["event"] for document in split(documents)] == [
        "record 0",
        {"n": 1},
        "record 2",
    ]
    assert documents.bytes == batch.encode("hec", host="web-1", time="millis")
    assert json.loads(split(documents)[0]) == {
        "time": 1_795_219_200.0,
        "event": "record 0",
        "fields": {"otel.log.severity.number": 9},
        "host": "web-1",
    }
    assert (len(documents), documents.skipped) == (3, {})
    assert repr(documents) == f"<Documents: 3 in {len(documents.bytes)} bytes>"


def test_an_action_line_belongs_to_its_document(batch):
    documents = batch.documents("otel", bulk=True, dataset="Orders", require_data_stream=False)
    actions = [json.loads(document.split(b"\n")[0])["create"] for document in split(documents)]
    assert [action.pop("_index") for action in actions] == ["logs-orders.otel-default"] * 3
    assert len({action.pop("_id") for action in actions}) == 3
    assert actions == [{}] * 3
    without = batch.documents("otel", bulk=True, dataset="Orders", require_data_stream=False, ids=False)
    assert b"_id" not in without.bytes


def test_a_record_without_a_document_is_counted_and_the_others_know_their_record(batch):
    documents = batch.documents("bodymap")
    assert (documents.bytes, documents.skipped) == (b'{"n":1}\n', {"body_not_a_map": 2})
    assert documents.index(0) == 1
    with pytest.raises(IndexError, match="no document 1 of 1"):
        documents.index(1)


def test_none_is_as_good_as_not_given(batch):
    assert batch.encode("flat", time=None, index=None) == batch.encode("flat")


@pytest.mark.parametrize(
    ("shape", "options", "error", "message"),
    [
        ("xml", {}, ValueError, 'shape: unknown value "xml"'),
        ("hec", {"time": "iso"}, ValueError, 'time: unknown value "iso"'),
        ("otel", {"time": "micros"}, ValueError, 'time: unknown value "micros"'),
        ("hec", {"event_form": "xml"}, ValueError, 'event_form: unknown value "xml"'),
        ("hec", {"bulk": True}, ValueError, "bulk: events of HEC have no action lines"),
        ("hec", {"dataset": "a"}, TypeError, "dataset: no option of this shape without bulk=True"),
        ("otel", {"ids": True}, TypeError, "ids: no option of this shape without bulk=True"),
        ("otel", {"bulk": True, "host": "a"}, TypeError, "host: no option of this shape with bulk=True"),
        ("ecs", {"dataset": 1}, TypeError, "'int' object"),
    ],
)
def test_what_a_shape_does_not_know_is_refused(batch, shape, options, error, message):
    with pytest.raises(error, match=message):
        batch.documents(shape, **options)
