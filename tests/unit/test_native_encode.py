"""Records of other sources as one request: policy, limits, and what cannot be read."""

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk.resources import Resource

from fapilog import LoggerProvider, Settings
from fapilog.testing.decoding import decode_log_records

RESOURCE = b"\x0a\x00"


def record(**fields):
    """The tuple of one record; `fields` by name."""
    values = {
        "scope_name": "shop",
        "scope_version": "",
        "scope_schema_url": "",
        "scope_attributes": None,
        "resource": RESOURCE,
        "time": 1,
        "observed": 2,
        "severity_number": 9,
        "severity_text": "INFO",
        "body": "hello",
        "attributes": None,
        "event_name": None,
        "trace_id": 0,
        "span_id": 0,
        "trace_flags": 0,
        "dropped": 0,
    }
    return tuple((values | fields).values())


@pytest.fixture
def encode():
    providers: list[LoggerProvider] = []

    def call(*records, **settings):
        provider = LoggerProvider(
            Resource({}), settings=Settings.load(environ={}, **settings), exporters=["none"]
        )
        providers.append(provider)
        request = ExportLogsServiceRequest.FromString(provider.pipeline.encode(records))
        return decode_log_records(request)

    yield call
    for provider in providers:
        provider.shutdown()


def test_secret_keys_and_credentials_in_urls_are_hidden_at_every_depth(encode):
    attributes = {"password": "hunter2", "nested": {"api_key": 7}, "url": "https://u:p@h/x"}
    (read,) = encode(record(attributes=attributes, body={"token": "t", "to": "redis://:pw@h"}))
    assert read.body == {"token": "[REDACTED:secret]", "to": "redis://REDACTED:REDACTED@h"}
    assert read.attributes == {
        "password": "[REDACTED:secret]",
        "nested": {"api_key": "[REDACTED:secret]"},
        "url": "https://REDACTED:REDACTED@h/x",
    }


def test_limits_apply_and_add_to_what_was_dropped_before(encode):
    attributes = {"a": "12345", "b": 2, "c": 3}
    limits = {"limits.attribute_count": 2, "limits.attribute_value_length": 3}
    (read,) = encode(record(attributes=attributes, dropped=4), **limits)
    assert (read.attributes, read.dropped_attributes_count) == ({"a": "123", "b": 2}, 5)


def test_a_record_over_the_size_limit_is_cut_and_marked(encode):
    (read,) = encode(record(body="x" * 100_000))
    assert len(read.body) < 65_536
    assert read.attributes == {"fapilog.truncated": True}


def test_a_record_gets_no_sequence_number_but_keeps_the_one_it_has(encode):
    first, second = encode(record(), record(attributes={"fapilog.sequence": 7}), sequence=True)
    assert (first.attributes, second.attributes) == ({}, {"fapilog.sequence": 7})


def test_records_are_grouped_by_resource_then_scope_in_order_of_first_appearance():
    provider = LoggerProvider(Resource({}), settings=Settings.load(environ={}), exporters=["none"])
    other = b"\x0a\x00\x1a\x01x"
    homes = [("b", RESOURCE), ("a", other), ("a", RESOURCE), ("b", RESOURCE), ("a", other)]
    records = [record(scope_name=scope, resource=home, body=str(i)) for i, (scope, home) in enumerate(homes)]
    request = ExportLogsServiceRequest.FromString(provider.pipeline.encode(records))
    provider.shutdown()
    groups = [
        (resource.schema_url, [(s.scope.name, [r.body.string_value for r in s.log_records]) for s in scopes])
        for resource in request.resource_logs
        for scopes in [resource.scope_logs]
    ]
    assert groups == [("", [("b", ["0", "3"]), ("a", ["2"])]), ("x", [("a", ["1", "4"])])]


def test_a_field_of_the_wrong_type_costs_the_field(encode):
    wrong = record(
        time="soon", severity_number="high", severity_text=3, trace_id=-1, span_id=2**64, attributes=5
    )
    (read,) = encode(wrong)
    assert (read.body, read.time_unix_nano, read.severity_number, read.attributes) == ("hello", 0, 0, {})
    assert (read.trace_id, read.span_id) == ("", "")


def test_a_record_that_is_none_is_left_out_and_told(encode, configure):
    told = []
    telemetry = configure(on_error=told.append)
    request = telemetry.logger_provider.pipeline.encode([record(), (1, 2), None])
    assert len(decode_log_records(ExportLogsServiceRequest.FromString(request))) == 1
    telemetry.force_flush()
    assert [error.code for error in told] == ["capture-failed"]


def test_an_interrupt_in_a_values_method_is_raised(encode):
    class Interrupting:
        def __str__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode(record(body=Interrupting()))


def test_what_cannot_be_iterated_is_a_type_error(encode):
    provider = LoggerProvider(Resource({}), settings=Settings.load(environ={}), exporters=["none"])
    with pytest.raises(TypeError):
        provider.pipeline.encode(5)
    assert provider.pipeline.encode(()) == b""
    provider.shutdown()
