"""What a record becomes, field by field, read by a strict reader of the grammar."""

import socket
from datetime import UTC, datetime

import pytest

from exporters.syslog.tests.records import TIME, batch_of, encoded, read

SPAN = {
    "trace_id": bytes.fromhex("5b8efff798038103d269b633813fc60c"),
    "span_id": bytes.fromhex("eee19b7ec3c1b174"),
    "flags": 1,
}
RESOURCE = {"service.name": "checkout", "host.name": "web-3", "process.pid": 4711}


def one(record, **given):
    (message,) = read(batch_of(record, resource=RESOURCE, scope=("shop.orders", "1.2")), **given)
    return message


def test_a_record_is_one_message_with_all_that_is_known():
    message = one(
        {
            "time_unix_nano": TIME,
            "severity_number": 17,
            "severity_text": "ERROR",
            "body": "payment refused",
            "event_name": "payment.refused",
            "attributes": {"order_id": 42, "late": True, "ratio": 0.5, "none": None},
            **SPAN,
        },
        facility="local0",
    )
    assert (message.facility, message.severity) == (16, 3)
    assert message.time == datetime(2026, 11, 21, 0, 0, 0, 123_456, tzinfo=UTC)
    header = (message.hostname, message.app_name, message.procid, message.msgid)
    assert header == ("web-3", "checkout", "4711", "payment.refused")
    assert (message.text, message.bom) == ("payment refused", False)
    assert message.data == {
        "otel@32473": [
            ("trace_id", "5b8efff798038103d269b633813fc60c"),
            ("span_id", "eee19b7ec3c1b174"),
            ("trace_flags", "01"),
            ("severity_number", "17"),
            ("severity_text", "ERROR"),
            ("scope_name", "shop.orders"),
            ("scope_version", "1.2"),
        ],
        "attributes@32473": [("order_id", "42"), ("late", "true"), ("ratio", "0.5")],
        "resource@32473": [("service.name", "checkout"), ("host.name", "web-3"), ("process.pid", "4711")],
    }


def test_a_record_about_which_nothing_is_known_is_a_message_too():
    (message,) = read(batch_of({}))
    assert message.raw == f"<13>1 - {socket.gethostname()} - - - -".encode()


def test_a_time_that_is_unknown_is_that_of_observation():
    assert one({"observed_time_unix_nano": TIME}).time == datetime(2026, 11, 21, 0, 0, 0, 123_456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("application", [5] + [7] * 8 + [6] + [5] * 3 + [4] * 4 + [3] * 4 + [2] * 4),
        ("opentelemetry", [5] + [7] * 8 + [6] + [5] * 3 + [4] * 4 + [3, 2, 1, 1] + [0] * 4),
    ],
)
def test_every_severity_has_its_place(table, expected):
    records = ({"severity_number": number} for number in range(25))
    assert [message.severity for message in read(batch_of(*records), severities=table)] == expected


def test_a_category_may_have_a_facility_of_its_own():
    category = {"fapilog.event.category": "security"}
    chosen = {"facilities": ("security=authpriv", "compliance=audit"), "facility": "local7"}
    assert one({"attributes": category}, **chosen).facility == 10
    assert one({"attributes": {"fapilog.event.category": "business"}}, **chosen).facility == 23
    assert one({}, **chosen).facility == 23


@pytest.mark.parametrize(
    ("resource", "given", "expected"),
    [
        ({}, {"hostname": "h", "app_name": "a"}, ("h", "a", "-")),
        ({"service.name": "s", "host.name": "x"}, {"hostname": "h", "app_name": "a"}, ("x", "a", "-")),
        ({"service.name": "süß und gut"}, {"hostname": "h"}, ("h", "s___und_gut", "-")),
        ({"service.name": "n" * 60, "host.name": "h" * 300}, {}, ("h" * 255, "n" * 48, "-")),
        ({"service.instance.id": "7f3 a"}, {"hostname": "h"}, ("h", "-", "7f3_a")),
        ({"service.instance.id": "i", "process.pid": 1}, {"hostname": "h"}, ("h", "-", "1")),
    ],
)
def test_header_fields_are_printable_and_as_long_as_allowed(resource, given, expected):
    (message,) = read(batch_of({}, resource=resource), **given)
    assert (message.hostname, message.app_name, message.procid) == expected


def test_the_name_of_an_event_is_kept_where_a_msgid_cannot_hold_it():
    long = "com.example.orders.payment.refused.by.bank"
    message = one({"event_name": long})
    assert (message.msgid, message.element("otel")["event_name"]) == (long[:32], long)
    assert "event_name" not in one({"event_name": "short"}).element("otel")


@pytest.mark.parametrize(
    ("bom", "body", "expected"),
    [
        ("auto", "plain", False),
        ("auto", "naïve", True),
        ("always", "plain", True),
        ("never", "naïve", False),
        ("always", None, False),
    ],
)
def test_a_text_begins_with_a_mark_where_it_is_wanted(bom, body, expected):
    message = one({"body": body} if body else {}, bom=bom)
    assert (message.text, message.bom) == (body, expected)


def test_no_value_forges_a_line_or_an_element():
    hostile = 'x"] [evil@1 a="b\\\r\n<13>1 - h a - - - forged\x1b[2J\u202e'
    message = one({"body": hostile, "attributes": {hostile: hostile}})
    shown = 'x"] [evil@1 a="b\\\\r\\n<13>1 - h a - - - forged\\x1b[2J\\u202e'
    assert message.text == shown
    ((name, value),) = message.data["attributes@32473"]
    assert value == shown
    assert (len(name), name[:4]) == (32, "x___")
    assert list(message.data) == ["otel@32473", "attributes@32473", "resource@32473"]
    assert not any(byte < 32 for byte in message.raw)


def test_values_that_are_no_texts_are_said_as_json():
    body = {"list": [1, None, {"deep": True}], "bytes": b"\x00\xff", "nan": float("nan"), "süß": "ü"}
    said = '{"list":[1,null,{"deep":true}],"bytes":"00ff","nan":null,"süß":"ü"}'
    message = one(
        {"body": body, "attributes": {"map": body, "raw": b"\x01", "inf": float("-inf"), "nan": float("nan")}}
    )
    assert message.text == said
    assert message.element("attributes") == {"map": said, "raw": "01", "inf": "-Infinity", "nan": "NaN"}


def test_what_is_sent_can_be_chosen():
    record = {"attributes": {"http.route": "/a", "http.method": "GET", "url.path": "/b", "order": 1}}
    message = one(
        record, attributes=("http.*", "order"), resource_attributes=("host.name",), enterprise_number=8_072
    )
    assert message.data["attributes@8072"] == [("http.route", "/a"), ("http.method", "GET"), ("order", "1")]
    assert message.data["resource@8072"] == [("host.name", "web-3")]
    bare = one(record, attributes=(), resource_attributes=())
    assert list(bare.data) == ["otel@32473"]


def test_a_message_that_is_too_large_is_dropped_if_that_is_wanted():
    batch = batch_of({"body": "x" * 2_000}, {"body": "short"}, {"attributes": {"a": "y" * 9_000}})
    messages = encoded(batch, max_message_bytes=1_024, oversized="drop")
    assert (len(messages.frames), messages.too_large, messages.cut) == (1, 2, 0)


def test_a_long_stack_trace_is_cut_and_everything_short_is_whole():
    attributes = {"exception.type": "ValueError", "exception.stacktrace": "frame\n" * 5_000, "order_id": 42}
    (message,) = read(batch_of({"body": "it failed", "attributes": attributes, **SPAN}))
    found = message.element("attributes")
    assert 8_180 <= len(message.raw) <= 8_192
    assert (found["exception.type"], found["order_id"], message.text) == ("ValueError", "42", "it failed")
    kept = found["exception.stacktrace"]
    assert ("frame\\n" * 5_000).startswith(kept)
    # In escapes of the wire: each of the line breaks has one byte more there.
    assert int(message.element("otel")["cut_bytes"]) > len("frame\\n" * 5_000) - len(kept)


def test_of_very_many_attributes_the_last_are_left_out_and_the_resource_goes_first():
    attributes = {f"attribute.{number:03}": "v" * 20 for number in range(128)}
    (message,) = read(
        batch_of({"body": "b", "attributes": attributes}, resource=RESOURCE), max_message_bytes=1_024
    )
    kept = message.data["attributes@32473"]
    assert [name for name, _ in kept] == [f"attribute.{number:03}" for number in range(len(kept))]
    assert {value for _, value in kept} == {"v" * 20}
    assert len(kept) > 15
    assert "resource@32473" not in message.data
    assert len(message.raw) <= 1_024
