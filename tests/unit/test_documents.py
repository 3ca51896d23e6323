"""`LogBatch.documents`: one document for each record, for destinations that answer record by record."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from fapilog import Documents, ExportOutcome, LogBatch, LoggerProvider, Settings


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


def numbered(texts: list[str]) -> LogBatch:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for text in texts:
        scope.log_records.add().body.string_value = text
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


def test_a_part_is_what_the_offsets_say_and_nothing_outside(batch):
    documents = batch.documents("hec")
    for start in range(4):
        for end in range(start, 4):
            part = documents.part(start, end)
            assert bytes(part) == b"".join(split(documents)[start:end])
            assert len(part) == len(bytes(part))
    assert repr(documents.part(0, 1)) == f"<DocumentsPart: {documents.offsets[1]} bytes>"
    for start, end in [(0, 4), (2, 1), (4, 4)]:
        with pytest.raises(IndexError, match=f"no documents {start} to {end} of 3"):
            documents.part(start, end)
    with pytest.raises(IndexError, match="no documents 1 to 1 of 3"):
        documents.fitting(1, 1, 10, 10)


@given(
    texts=st.lists(st.text(max_size=30), min_size=1, max_size=20),
    start=st.integers(0, 19),
    end=st.integers(1, 20),
    max_bytes=st.integers(0, 1_000),
    max_documents=st.integers(0, 25),
)
def test_a_request_takes_as_many_documents_as_fit_and_one_at_least(
    texts, start, end, max_bytes, max_documents
):
    documents = numbered(texts).documents("hec")
    sizes = [len(document) for document in split(documents)]
    assert documents.larger_than(max_bytes) == [at for at, size in enumerate(sizes) if size > max_bytes]
    start %= len(sizes)
    end = min(len(sizes), max(end, start + 1))
    expected = start + 1
    while (
        expected < end and expected - start < max_documents and sum(sizes[start : expected + 1]) <= max_bytes
    ):
        expected += 1
    assert documents.fitting(start, end, max_bytes, max_documents) == expected


def test_a_block_of_a_pipeline_becomes_the_same_documents_as_its_bytes():
    with_documents: list[tuple[bytes, bytes]] = []

    class Encoding:
        """Encodes what it gets from the block, and from its bytes."""

        name = "encoding"

        async def export_batch(self, batch: LogBatch) -> ExportOutcome:
            from_block = batch.documents("otel").bytes
            with_documents.append((from_block, LogBatch(batch.otlp_bytes()).documents("otel").bytes))
            return ExportOutcome(delivered=len(batch))

    provider = LoggerProvider(settings=Settings.load(environ={}), exporters=[Encoding()])
    for number in range(3):
        provider.get_logger("orders").emit(body=f"record {number}")
    assert provider.force_flush(30_000)
    assert provider.shutdown()
    ((from_block, from_bytes),) = with_documents
    assert from_block == from_bytes
    assert [json.loads(line)["body"]["text"] for line in from_block.splitlines()] == [
        f"record {number}" for number in range(3)
    ]


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
