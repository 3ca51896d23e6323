"""What the native side is told: the pipeline's dict, the resource, redaction words, the OTLP exporter."""

import platform

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs
from opentelemetry.sdk.resources import Resource

from fapilog import Settings, pipeline
from fapilog.exporters import otlp
from fapilog.otel.resource import build_resource
from fapilog.redaction import Policy, default_policy
from tests.unit.recording import Recorder


def told(
    monkeypatch: pytest.MonkeyPatch, exporters: tuple[str, ...], **settings: object
) -> dict[str, object]:
    """Answer the dict that crosses to the native side."""
    monkeypatch.setattr(pipeline._native, "Pipeline", lambda native: native)
    return pipeline.build(Settings.load(environ={}, **settings), Resource.get_empty(), exporters)


def test_settings_cross_as_one_dict_of_primitives(monkeypatch):
    rules = {"levels": {"noisy": "error"}, "rules": {"a.*": "off"}}
    native = told(monkeypatch, (), level="debug", capture_location="never", **rules)
    assert native == {
        "capture": {
            "max_attributes": 128,
            "max_length": None,
            "max_depth": 30,
            "location_severity": 25,
            "source_level_names": False,
            "threads": False,
            "uids": False,
            "level": 5,
            "level_chosen": True,
            "levels": [("noisy", 17)],
            "rules": [("a.*", False, None, False)],
        },
        "resource": b"\x0a\x00",
        "redaction": {
            "anywhere": list(default_policy().anywhere),
            "last": list(default_policy().last),
            "exact": list(default_policy().exact),
            "kept": list(default_policy().kept),
            "values": None,
            "rules": [],
            "minimise": None,
            "exempt": [],
        },
        "buffer": {
            "limit_bytes": 64 * 1024 * 1024,
            "chunk_bytes": 1024 * 1024,
            "limit_records": None,
            "block_records": None,
            "overflow": "drop_oldest",
            "wait_timeout_millis": 5_000,
            "reserve_bytes": 4 * 1024 * 1024,
            "record_bytes": 65_536,
            "schedule_delay_millis": 1_000,
        },
        "sequenced": True,
        "processing": dict.fromkeys(("sampling", "first_occurrence", "rate_limit", "dedupe")),
        "exporters": [],
        "batch_processors": False,
        "spool": None,
        "on_start": None,
        "console": None,
        "dead_letters": None,
        "fields": [],
        "counts_keys": False,
        "flight_recorder": None,
        "ring": None,
    }


@pytest.mark.parametrize(("setting", "severity"), [("always", 0), ("auto", 13), ("never", 25)])
def test_the_location_setting_becomes_a_severity(monkeypatch, setting, severity):
    assert told(monkeypatch, (), capture_location=setting)["capture"]["location_severity"] == severity


def test_the_console_gets_style_colour_and_a_function_that_writes(monkeypatch, capsys):
    native = told(monkeypatch, ("console",), console={"style": "json", "colour": "always"})["console"]
    native.pop("write")("text\n")
    assert (native, capsys.readouterr().err) == (
        {"style": "json", "colour": True, "redaction": None},
        "text\n",
    )


def test_the_otlp_exporter_gets_plain_values_and_its_user_agent(monkeypatch, tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("")
    settings = {"headers": {"authorization": "Basic abc"}, "timeout_millis": 0, "certificate": str(path)}
    assert told(monkeypatch, ("otlp",), otlp=settings)["exporters"] == [
        {
            "name": "otlp",
            "kind": "otlp_http",
            "protocol": "http/protobuf",
            "endpoint": "http://localhost:4318/v1/logs",
            "headers": [("authorization", "Basic abc")],
            "timeout_millis": None,
            "connect_timeout_millis": 5_000,
            "compression": "gzip",
            "max_in_flight": 4,
            "adaptive": True,
            "merge_bytes": 4 * 1024 * 1024,
            "certificate": str(path),
            "client_certificate": None,
            "client_key": None,
            "user_agent": otlp.user_agent(),
            "max_request_bytes": 64 * 1024 * 1024,
            "max_response_bytes": 4 * 1024 * 1024,
            "initial_backoff_millis": 1_000,
            "max_backoff_millis": 30_000,
            "max_retry_after_millis": 300_000,
            "max_elapsed_millis": None,
            "refreshes_headers": False,
            "redaction": None,
        }
    ]


def test_the_user_agent_names_our_product_before_opentelemetrys(monkeypatch):
    monkeypatch.setattr(otlp, "version", lambda name: "1.2.3")
    python = platform.python_version()
    assert otlp.user_agent() == f"fapilog/1.2.3 OTel-OTLP-Exporter-Python/1.2.3 Python/{python}"


def test_a_distribution_that_is_not_installed_has_version_zero():
    assert otlp._version("no-such-distribution") == "0"


def test_a_resource_is_encoded_with_its_schema():
    encoded = pipeline.encode_resource(Resource({"a": "b", "n": 1, "l": ["x"]}, "https://example.org/schema"))
    decoded = ResourceLogs.FromString(encoded)
    pairs = {pair.key: pair.value for pair in decoded.resource.attributes}
    assert (pairs["a"].string_value, pairs["n"].int_value) == ("b", 1)
    assert [item.string_value for item in pairs["l"].array_value.values] == ["x"]
    assert decoded.schema_url == "https://example.org/schema"


def test_a_value_may_change_the_attributes_it_is_read_from():
    class Adds:
        def __str__(self):
            attributes["added"] = 1
            return "read"

    attributes = {"a": Adds(), "b": 2}
    encoded = pipeline._native.encode_resource(attributes)
    decoded = ResourceLogs.FromString(encoded).resource.attributes
    assert [(pair.key, pair.value.string_value, pair.value.int_value) for pair in decoded] == [
        ("a", "read", 0),
        ("b", "", 2),
    ]


@pytest.mark.parametrize(
    ("service", "environ", "more", "name", "team"),
    [
        ({}, {}, None, Resource.create({}).attributes["service.name"], None),
        ({"name": "a"}, {"OTEL_SERVICE_NAME": "b"}, None, "a", None),
        ({}, {"OTEL_SERVICE_NAME": "b", "OTEL_RESOURCE_ATTRIBUTES": "team=x"}, None, "b", "x"),
        ({}, {"OTEL_SERVICE_NAME": "b", "OTEL_RESOURCE_ATTRIBUTES": "service.name=c"}, None, "b", None),
        ({"name": "a", "resource_attributes": {"team": "y", "service.name": "z"}}, {}, None, "a", "y"),
        (
            {"name": "a", "resource_attributes": {"team": "y"}},
            {},
            {"team": "w", "service.name": "c"},
            "c",
            "w",
        ),
        ({"name": "a"}, {}, Resource({"team": "r"}), "a", "r"),
    ],
)
def test_resource_attributes_come_from_detection_then_settings_then_arguments(
    monkeypatch, service, environ, more, name, team
):
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value)
    attributes = build_resource(Settings.load(environ={}, service=service), more).attributes
    assert (attributes["service.name"], attributes.get("team")) == (name, team)
    assert attributes["telemetry.distro.name"] == "fapilog"


def test_the_default_policy_takes_further_names():
    plain = default_policy()
    assert default_policy(["patient_number"]) == Policy(
        plain.anywhere, plain.last, (*plain.exact, "patient_number"), plain.kept
    )


SECRET = [
    *("password", "old_password_hash", "Proxy-Authorization", "API_KEY", "apiKey", "X-Auth-Token", "jwt"),
    *("db.connectionString", "card_cvv", "pin", "client_secret", "session-key", "Set-Cookie"),
]
PLAIN = ["token_count", "keyboard", "spinning", "pin_code_length", "compass", "secretary", "author", "monkey"]


def test_keys_are_secret_by_their_words_in_any_spelling():
    with Recorder() as recorder:
        recorder.logger().info("x", **dict.fromkeys((*SECRET, *PLAIN), "value"))
        attributes = recorder.only.attributes
    hidden = [key for key, value in attributes.items() if value == "[REDACTED:secret]"]
    assert hidden == SECRET
    assert [key for key in attributes if key not in hidden] == PLAIN
