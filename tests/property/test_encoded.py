"""Requests in other forms: OTLP/JSON as protobuf's own JSON reader understands it, and console lines."""

import base64
import json
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from fapilog import _native
from tests.property.examples import FEW
from tests.property.otlp import Exactly, requests

IDS = {"traceId", "spanId"}
FORMS = ["otlp_json", "json", "logfmt", "pretty", "minimal"]


def with_base64_ids(value: Any) -> Any:
    """OTLP/JSON has ids in hexadecimal; protobuf's own mapping, which reads them here, has base64."""
    if isinstance(value, list):
        return [with_base64_ids(member) for member in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(member)).decode() if key in IDS else with_base64_ids(member)
        for key, member in value.items()
    }


@given(request=requests())
@FEW
def test_otlp_json_comes_back_equal_through_protobufs_own_reader(request: ExportLogsServiceRequest):
    document = json.loads(_native.encode_request(request.SerializeToString(), "otlp_json"))
    back = json_format.ParseDict(with_base64_ids(document), ExportLogsServiceRequest())
    # Decoded, because JSON keeps that a number is NaN and not which NaN.
    decoded = _native.decode_request(back.SerializeToString())
    assert Exactly(decoded) == _native.decode_request(request.SerializeToString())


@given(junk=st.binary(max_size=300), form=st.sampled_from(FORMS))
@FEW
def test_any_bytes_become_valid_text(junk: bytes, form: str):
    _native.encode_request(junk, form, colour=True).decode("utf-8")


@given(request=requests())
@FEW
def test_each_style_but_pretty_writes_one_line_for_each_record(request: ExportLogsServiceRequest):
    raw = request.SerializeToString()
    records = sum(len(scope.log_records) for logs in request.resource_logs for scope in logs.scope_logs)
    for form in ("json", "logfmt", "minimal"):
        text = _native.encode_request(raw, form).decode()
        assert len(text.splitlines()) == text.count("\n") == records


def test_colour_is_pretty_only():
    request = ExportLogsServiceRequest()
    record = LogRecord(severity_number=9, body=AnyValue(string_value="hi"))
    request.resource_logs.add().scope_logs.add().log_records.append(record)
    raw = request.SerializeToString()
    coloured = [form for form in FORMS if b"\x1b" in _native.encode_request(raw, form, colour=True)]
    assert coloured == ["pretty"]


def test_an_unknown_form_is_an_error_that_names_it():
    with pytest.raises(ValueError, match='form: unknown value "xml"'):
        _native.encode_request(b"", "xml")
