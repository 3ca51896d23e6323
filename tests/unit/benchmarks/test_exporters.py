"""The benchmark of exporters: every shape has a row, of records that are all there."""

import json

from benchmarks.exporters import ENCODE, RECORDS, SHAPES, encoding, request
from benchmarks.options import Options
from fapilog import LogBatch


def test_every_shape_has_a_row_with_a_rate():
    rows = encoding(Options(quick=True))
    names = [f"fapilog, {shape}{' with action lines' if extra else ''}" for shape, extra, _ in SHAPES]
    assert [row.library for row in rows if row.library in names] == names
    assert {row.group for row in rows} == {ENCODE}
    assert all(row.value for row in rows if row.note != "not installed")


def test_every_record_becomes_a_document_with_an_id_of_its_own():
    documents = LogBatch(request(is_map=False)).documents("otel", bulk=True)
    actions = [json.loads(line)["create"]["_id"] for line in documents.bytes.splitlines()[::2]]
    assert len(documents) == len(set(actions)) == RECORDS
    assert LogBatch(request(is_map=True)).documents("bodymap").skipped == {}
