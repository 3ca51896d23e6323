"""Every variable of the table reaches its field; the rules of OpenTelemetry and ours for wrong values."""

import logging

import pytest

from fapilog import diagnostics
from fapilog.errors import ConfigurationError
from fapilog.settings import Settings
from fapilog.settings.explain import masked
from fapilog.settings.groups import nested
from fapilog.settings.redaction import DestinationPolicy
from fapilog.settings.variables import ROWS, VARIABLE_NAMES
from fapilog.severity import Severity

PEM = __file__  # any file that exists

# variable: (text, value as explain() shows it)
EXAMPLES = {
    "FAPILOG_LEVEL": ("Warn", "WARN"),
    "FAPILOG_RULES": ("a.*=off, b = warn+trace_based", ["a.*=off", "b=warn+trace_based"]),
    "FAPILOG_LEVELS": ("a.b=debug, c = ERROR", {"a.b": "DEBUG", "c": "ERROR"}),
    "FAPILOG_EXPORTERS": ("OTLP,console,otlp", ["otlp", "console"]),
    "OTEL_LOGS_EXPORTER": ("none", ["none"]),
    "FAPILOG_COMPLIANCE": (",", []),
    "FAPILOG_DURABILITY": ("Memory", "memory"),
    "OTEL_SDK_DISABLED": ("TRUE", True),
    "FAPILOG_CAPTURE_LOCATION": ("always", "always"),
    "FAPILOG_CAPTURE_THREAD": ("true", True),
    "FAPILOG_SEVERITY_TEXT": ("source", "source"),
    "FAPILOG_CAPTURE_STDLIB": ("false", False),
    "FAPILOG_CAPTURE_WARNINGS": ("true", True),
    "FAPILOG_EXCEPTION_HOOKS": ("true", True),
    "FAPILOG_SEQUENCE": ("false", False),
    "FAPILOG_EXIT_REPORT": ("true", True),
    "FAPILOG_RECORD_UID": ("auto", "auto"),
    "FAPILOG_REDACTION_DETECTORS": (",", []),
    "FAPILOG_PLUGINS_ALLOW": ("enrichers:team, package:acme", ["enrichers:team", "package:acme"]),
    "FAPILOG_PLUGINS_DENY": ("enrichers:team, audit", ["enrichers:team", "audit"]),
    "FAPILOG_PLUGINS_LOAD_TIMEOUT_MILLIS": ("500", 500),
    "FAPILOG_PLUGINS_CALL_BUDGET_MICROS": ("50", 50),
    "FAPILOG_DISABLED_PLUGINS": ("enrichers:team, audit", ["enrichers:team", "audit"]),
    "FAPILOG_SELF_OBSERVABILITY": ("true", True),
    "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": ("true", True),
    "OTEL_SERVICE_NAME": ("orders", "orders"),
    "OTEL_RESOURCE_ATTRIBUTES": ("team=a%2Cb,api_key=x", {"team": "a,b", "api_key": "***"}),
    "FAPILOG_BUFFER_BYTES": ("2000000", 2_000_000),
    "FAPILOG_AUDIT_RESERVE_BYTES": ("200000", 200_000),
    "FAPILOG_OVERFLOW": ("DROP_NEWEST", "drop_newest"),
    "FAPILOG_WAIT_TIMEOUT_MILLIS": ("0", 0),
    "FAPILOG_CHUNK_BYTES": ("100000", 100_000),
    "FAPILOG_RECORD_BYTES": ("1024", 1_024),
    "OTEL_BLRP_SCHEDULE_DELAY": ("200", 200),
    "OTEL_BLRP_MAX_QUEUE_SIZE": ("2048", 2_048),
    "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": ("512", 512),
    "FAPILOG_SHUTDOWN_TIMEOUT_MILLIS": ("1", 1),
    "OTEL_BLRP_EXPORT_TIMEOUT": ("9", 9),
    "FAPILOG_OTLP_API_KEY": ("secret", "***"),
    "FAPILOG_OTLP_AUTH": ("gcp", "gcp"),
    "FAPILOG_OTLP_PRESET_PARAMETERS": ("region=eu,log_group=a%2Cb", {"region": "eu", "log_group": "a,b"}),
    "FAPILOG_DELIVERY_TIMEOUT_MILLIS": ("9", 9),
    "FAPILOG_DELIVERY_MAX_IN_FLIGHT": ("9", 9),
    "FAPILOG_DELIVERY_ADAPTIVE": ("false", False),
    "FAPILOG_BEST_EFFORT": ("vendor, file", ["vendor", "file"]),
    "FAPILOG_FALLBACK": ("otlp=file", {"otlp": "file"}),
    "FAPILOG_FALLBACK_AFTER_MILLIS": ("9", 9),
    "FAPILOG_DEAD_LETTERS": ("refused.jsonl", "refused.jsonl"),
    "FAPILOG_DEAD_LETTERS_BYTES": ("9", 9),
    "FAPILOG_DEAD_LETTERS_FILES": ("9", 9),
    "FAPILOG_DELIVERY_BREAKER_FAILURES": ("9", 9),
    "FAPILOG_DELIVERY_BREAKER_PAUSE_MILLIS": ("9", 9),
    "FAPILOG_DELIVERY_PROCESSOR_TIMEOUT_MILLIS": ("9", 9),
    "FAPILOG_DELIVERY_RETRY_INITIAL_BACKOFF_MILLIS": ("9", 9),
    "FAPILOG_DELIVERY_RETRY_MAX_BACKOFF_MILLIS": ("9000", 9_000),
    "FAPILOG_DELIVERY_RETRY_MAX_RETRY_AFTER_MILLIS": ("9", 9),
    "FAPILOG_DELIVERY_RETRY_MAX_ELAPSED_MILLIS": ("9", 9),
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": ("http://u:p@h:1", "http://***@h:1/"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("http://h:1/base/", "http://h:1/base/v1/logs"),
    "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": ("http/protobuf", "http/protobuf"),
    "OTEL_EXPORTER_OTLP_PROTOCOL": ("HTTP/protobuf", "http/protobuf"),
    "OTEL_EXPORTER_OTLP_LOGS_HEADERS": ("A=b", {"a": "***"}),
    "OTEL_EXPORTER_OTLP_HEADERS": ("c=d", {"c": "***"}),
    "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION": ("none", "none"),
    "OTEL_EXPORTER_OTLP_COMPRESSION": ("zstd", "zstd"),
    "FAPILOG_OTLP_TIMEOUT_MILLIS": ("250", 250),
    "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": ("0.5", 500),
    "OTEL_EXPORTER_OTLP_TIMEOUT": ("3", 3_000),
    "FAPILOG_OTLP_CONNECT_TIMEOUT_MILLIS": ("10", 10),
    "FAPILOG_OTLP_MAX_IN_FLIGHT": ("8", 8),
    "FAPILOG_OTLP_ADAPTIVE": ("false", False),
    "FAPILOG_OTLP_MERGE_BYTES": ("9", 9),
    "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE": (PEM, PEM),
    "OTEL_EXPORTER_OTLP_CERTIFICATE": (PEM, PEM),
    "OTEL_EXPORTER_OTLP_LOGS_INSECURE": ("true", True),
    "OTEL_EXPORTER_OTLP_INSECURE": ("true", True),
    "FAPILOG_OTLP_MAX_REQUEST_BYTES": ("4096", 4_096),
    "FAPILOG_OTLP_RETRY_INITIAL_BACKOFF_MILLIS": ("20", 20),
    "FAPILOG_OTLP_RETRY_MAX_BACKOFF_MILLIS": ("2000", 2_000),
    "FAPILOG_OTLP_RETRY_MAX_RETRY_AFTER_MILLIS": ("0", 0),
    "FAPILOG_OTLP_RETRY_MAX_ELAPSED_MILLIS": ("60000", 60_000),
    "FAPILOG_FILE_PATH": ("/var/log/app.jsonl", "/var/log/app.jsonl"),
    "FAPILOG_FILE_FORM": ("LOGFMT", "logfmt"),
    "FAPILOG_FILE_MAX_BYTES": ("1", 1),
    "FAPILOG_FILE_MAX_AGE_SECONDS": ("86400", 86_400),
    "FAPILOG_FILE_COMPRESS_ROTATED": ("false", False),
    "FAPILOG_FILE_KEEP_FILES": ("0", 0),
    "FAPILOG_FILE_KEEP_SECONDS": ("60", 60),
    "FAPILOG_FILE_FSYNC": ("rotation", "rotation"),
    "FAPILOG_SPOOL_DIRECTORY": ("/var/spool/shop", "/var/spool/shop"),
    "FAPILOG_SPOOL_BYTES": ("16777216", 16_777_216),
    "FAPILOG_SPOOL_MIN_FREE_BYTES": ("0", 0),
    "FAPILOG_SPOOL_MAX_AGE_SECONDS": ("60", 60),
    "FAPILOG_SPOOL_SEGMENT_BYTES": ("65536", 65_536),
    "FAPILOG_SPOOL_FSYNC": ("always", "always"),
    "FAPILOG_SPOOL_FSYNC_INTERVAL_MILLIS": ("200", 200),
    "FAPILOG_SPOOL_ADOPT": ("false", False),
    "FAPILOG_SPOOL_KEY_PROVIDER": ("env", "env:FAPILOG_SPOOL_KEY"),
    "FAPILOG_SPOOL_KEY_REFRESH_SECONDS": ("5", 5),
    "FAPILOG_REDACTION_KEY_PROVIDER": ("env", "env:FAPILOG_TOKEN_KEY"),
    "FAPILOG_REDACTION_KEY_REFRESH_SECONDS": ("5", 5),
    "FAPILOG_TOKEN_NAMESPACE": ("acme", "acme"),
    "FAPILOG_MINIMISE": ("true", True),
    "FAPILOG_ALLOWED_KEYS": ("order.*", ["order.*"]),
    "FAPILOG_REDACTION_DESTINATIONS": (
        "otlp=scan",
        {"otlp": DestinationPolicy(mode="scan").model_dump(mode="json")},
    ),
    "FAPILOG_SEAL_TO": ("A" * 42 + "E", "A" * 42 + "E="),
    "FAPILOG_RING_DIRECTORY": ("ring", "ring"),
    "FAPILOG_RING_BYTES": ("1048576", 1_048_576),
    "FAPILOG_RING_SYNC_INTERVAL_MILLIS": ("200", 200),
    "FAPILOG_WEBHOOK_URL": ("https://h/services/T0?k=1", "https://h/***"),
    "FAPILOG_WEBHOOK_FORM": ("JSON", "json"),
    "FAPILOG_WEBHOOK_SECRET": ("s", "***"),
    "FAPILOG_WEBHOOK_HEADERS": ("a=b", {"a": "***"}),
    "FAPILOG_WEBHOOK_MAX_BODY_BYTES": ("4096", 4_096),
    "FAPILOG_WEBHOOK_TIMEOUT_MILLIS": ("0", 0),
    "FAPILOG_WEBHOOK_ALLOW_HTTP": ("true", True),
    "FAPILOG_WEBHOOK_CERTIFICATE": (PEM, PEM),
    "FAPILOG_CONSOLE_STYLE": ("LogFmt", "logfmt"),
    "FAPILOG_CONSOLE_STREAM": ("stdout", "stdout"),
    "FAPILOG_CONSOLE_COLOUR": ("auto", "auto"),
    "NO_COLOR": ("0", "never"),
    "FORCE_COLOR": ("1", "always"),
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": ("0", 0),
    "OTEL_ATTRIBUTE_COUNT_LIMIT": ("64", 64),
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": ("10", 10),
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": ("11", 11),
    "FAPILOG_ATTRIBUTE_DEPTH_LIMIT": ("3", 3),
    "FAPILOG_REDACTION": ("keys", "keys"),
    "FAPILOG_INVENTORY": ("true", True),
    "FAPILOG_REDACTION_ACTIONS": ("PAN=mask:4", {"PAN": "mask:4"}),
    "FAPILOG_SECRET_KEYS": ("ssn, iban", ["ssn", "iban"]),
    "FAPILOG_SAMPLING_RATIO": ("0.25", 0.25),
    "FAPILOG_SAMPLING_KEEP_LEVEL": ("warning", "WARN"),
    "FAPILOG_SAMPLING_IN_SPAN": ("TRACE_ID", "trace_id"),
    "FAPILOG_SAMPLING_OUTSIDE_SPAN": ("keep", "keep"),
    "FAPILOG_RATE_LIMIT_RECORDS_PER_SECOND": ("10", 10.0),
    "FAPILOG_RATE_LIMIT_BURST": ("20", 20),
    "FAPILOG_RATE_LIMIT_MAX_TEMPLATES": ("8", 8),
    "FAPILOG_FIRST_OCCURRENCE_PER": ("interval", "interval"),
    "FAPILOG_FIRST_OCCURRENCE_INTERVAL_MILLIS": ("500", 500),
    "FAPILOG_FIRST_OCCURRENCE_MAX_TEMPLATES": ("8", 8),
    "FAPILOG_DEDUPE_WINDOW_MILLIS": ("1000", 1_000),
    "FAPILOG_DEDUPE_ATTRIBUTES": ("false", False),
    "FAPILOG_DEDUPE_MAX_WINDOWS": ("8", 8),
    "FAPILOG_FLIGHT_RECORDER": ("true", True),
    "FAPILOG_FLIGHT_RECORDER_LEVEL": ("trace", "TRACE"),
    "FAPILOG_FLIGHT_RECORDER_LEVELS": ("sqlalchemy=info", {"sqlalchemy": "INFO"}),
    "FAPILOG_FLIGHT_RECORDER_SLOW_MILLIS": ("2000", 2_000),
    "FAPILOG_FLIGHT_RECORDER_BYTES": ("1048576", 1_048_576),
    "FAPILOG_FLIGHT_RECORDER_MAX_TRACES": ("100", 100),
    "FAPILOG_FLIGHT_RECORDER_MAX_TRACE_RECORDS": ("50", 50),
    "FAPILOG_FLIGHT_RECORDER_MAX_AGE_SECONDS": ("60", 60),
    "FAPILOG_ENRICHERS": ("host, process", ["host", "process"]),
    "FAPILOG_PROCESSORS": ("region, tenant", ["region", "tenant"]),
    "FAPILOG_BATCH_PROCESSORS": ("scrub, audit", ["scrub", "audit"]),
    "FAPILOG_ENRICHMENT_REFRESH_MILLIS": ("1000", 1_000),
    "FAPILOG_ENRICHMENT_TIMEOUT_MILLIS": ("10", 10),
    "FAPILOG_ENRICHMENT_COMMAND_ARGS": ("true", True),
}
# These need each other or have no value in this version; they have tests of their own.
ELSEWHERE = {
    "FAPILOG_WEBHOOK_OLD_SECRET",
    "FAPILOG_OTLP_PRESET",
    *(f"OTEL_EXPORTER_OTLP_{logs}CLIENT_{part}" for logs in ("", "LOGS_") for part in ("KEY", "CERTIFICATE")),
}


def test_every_setting_of_the_model_has_one_row_and_every_row_a_setting():
    def names(model, prefix=""):
        for field, info in model.model_fields.items():
            group = nested(info.annotation)
            yield from names(group, f"{prefix}{field}.") if group else [prefix + field]

    assert list(ROWS) == list(names(Settings))


def test_no_variable_belongs_to_two_settings():
    everything = [variable.name for row in ROWS.values() for variable in row.variables]
    assert len(everything) == len(VARIABLE_NAMES)


def test_no_variable_of_ours_begins_as_those_of_opentelemetry():
    from opentelemetry import environment_variables as of_api
    from opentelemetry.sdk import environment_variables as of_sdk

    known = {name for module in (of_api, of_sdk) for name in vars(module)}
    assert [name for name in VARIABLE_NAMES if name.startswith("OTEL_") and name not in known] == []


def test_every_variable_has_an_example_here():
    assert set(EXAMPLES) | ELSEWHERE == VARIABLE_NAMES


@pytest.mark.parametrize("variable", EXAMPLES)
def test_a_variable_reaches_its_setting(variable, load, notices):
    raw, expected = EXAMPLES[variable]
    name = next(row.name for row in ROWS.values() if variable in [item.name for item in row.variables])
    (explained,) = [item for item in load({variable: raw}).explain() if item.name == name]
    assert (explained.value, explained.origin) == (expected, variable)
    assert notices == []


def test_client_certificate_and_key_reach_their_settings_together(load):
    otlp = load({f"OTEL_EXPORTER_OTLP_CLIENT_{part}": PEM for part in ("KEY", "CERTIFICATE")}).otlp
    assert (str(otlp.client_key), str(otlp.client_certificate)) == (PEM, PEM)


ENDPOINTS = [
    # protocol, variable, text, endpoint
    ("grpc", None, None, "http://localhost:4317"),
    ("http/protobuf", None, None, "http://localhost:4318/v1/logs"),
    ("grpc", "OTEL_EXPORTER_OTLP_ENDPOINT", "https://h:4317", "https://h:4317"),
    ("grpc", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4317/base/", "http://h:4317"),
    ("grpc", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://h", "https://h"),
    ("grpc", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "h:4317", "h:4317"),
    ("grpc", "OTEL_EXPORTER_OTLP_ENDPOINT", " [::1]:4317 ", "[::1]:4317"),
]


@pytest.mark.parametrize(("protocol", "variable", "raw", "endpoint"), ENDPOINTS)
def test_the_protocol_decides_what_an_endpoint_means(protocol, variable, raw, endpoint, load):
    environ = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol} | ({variable: raw} if variable else {})
    assert load(environ).otlp.endpoint == endpoint


@pytest.mark.parametrize("origin", ["argument", "file"])
def test_the_protocol_of_an_argument_or_a_file_decides_about_the_variable_too(origin, load, tmp_path):
    path = tmp_path / "fapilog.yaml"
    path.write_text("otlp: {protocol: grpc}\n")
    given = {"path": path} if origin == "file" else {"otlp": {"protocol": "grpc"}}
    settings = load({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4317"}, **given)
    assert (settings.otlp.endpoint, settings.origin("otlp.endpoint")) == (
        "http://h:4317",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    )


@pytest.mark.parametrize(
    ("raw", "clause"),
    [
        ("http://u:hunter2@h:1", "holds a user name, which gRPC does not send"),
        ("ftp://h", "is not a URL with http:// or https:// and a host"),
        ("h:port", "is not a URL"),
        ("", "is not a URL with http:// or https:// and a host"),
    ],
)
def test_an_endpoint_that_grpc_cannot_use_is_an_error(raw, clause, load):
    with pytest.raises(ConfigurationError) as caught:
        load({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, otlp={"endpoint": raw})
    assert caught.value.what == f"otlp.endpoint {clause}"
    assert "hunter2" not in str(caught.value)


def test_grpc_knows_no_zstd(load):
    with pytest.raises(ConfigurationError) as caught:
        load({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"})
    assert (caught.value.code, caught.value.remedy) == (
        "protocol-conflict",
        "set OTEL_EXPORTER_OTLP_COMPRESSION to gzip or none, or OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf",
    )


IGNORED = {
    "OTEL_BLRP_SCHEDULE_DELAY": ["soon", "-1", "1.5", "9" * 40],
    "OTEL_BLRP_MAX_QUEUE_SIZE": ["0", "many"],
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": ["-1", "x"],
    "OTEL_EXPORTER_OTLP_TIMEOUT": ["-1", "ten", "nan"],
    "OTEL_EXPORTER_OTLP_COMPRESSION": ["deflate"],
    "OTEL_EXPORTER_OTLP_PROTOCOL": ["carrier-pigeon"],
    "OTEL_LOGS_EXPORTER": ["zipkin", "otlp,none,zipkin", "none,otlp", ","],
    "OTEL_SDK_DISABLED": ["1", "yes"],
    "OTEL_RESOURCE_ATTRIBUTES": ["novalue", "a=%ff"],
}


@pytest.mark.parametrize(("variable", "raw"), [(name, raw) for name, raws in IGNORED.items() for raw in raws])
def test_a_wrong_number_word_or_boolean_of_opentelemetry_is_named_and_ignored(variable, raw, load, notices):
    assert load({variable: raw}) == load()
    ((code, message),) = notices
    assert code == "variable-ignored"
    assert message.startswith(f"{variable} = {raw!r} ") or len(raw) > 30
    assert ": it is ignored; set " in message


def test_of_several_exporters_the_unknown_one_alone_is_ignored(load, notices):
    assert load({"OTEL_LOGS_EXPORTER": "console, zipkin"}).exporters == ("console",)
    ((code, message),) = notices
    ignored = "OTEL_LOGS_EXPORTER names an exporter that does not exist: zipkin: that name is ignored; set "
    assert (code, message.startswith(ignored)) == ("variable-ignored", True)


def test_an_empty_variable_of_opentelemetry_is_unset_and_nothing_is_said(load, notices):
    names = [name for name in VARIABLE_NAMES if name.startswith("OTEL_")]
    assert len(names) > 20
    for empty in ("", " "):
        assert load(dict.fromkeys(names, empty)) == load()
    assert notices == []


def test_a_variable_that_is_ignored_leaves_room_for_the_next(load, notices):
    settings = load({"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": "x", "OTEL_ATTRIBUTE_COUNT_LIMIT": "7"})
    assert (settings.limits.attribute_count, settings.origin("limits.attribute_count"), len(notices)) == (
        7,
        "OTEL_ATTRIBUTE_COUNT_LIMIT",
        1,
    )


def test_a_timeout_in_milliseconds_is_understood_and_its_variable_named(load, notices):
    assert load({"OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "10000"}).otlp.timeout_millis == 10_000
    ((code, message),) = notices
    assert (code, message.partition(" ")[0]) == ("timeout-unit", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT")


REFUSED = {
    "FAPILOG_LEVEL": "loud",
    "FAPILOG_LEVELS": "a=loud",
    "FAPILOG_RULES": "a=loud",
    "FAPILOG_EXPORTERS": "zipkin",
    "FAPILOG_BUFFER_BYTES": "64MiB",
    "FAPILOG_OVERFLOW": "panic",
    "FAPILOG_SEQUENCE": "yes",
    "FAPILOG_CONSOLE_STYLE": "fancy",
    "FAPILOG_OTLP_MAX_IN_FLIGHT": "0",
    "FAPILOG_OTLP_TIMEOUT_MILLIS": "0.5",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "ftp://h",
    "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere/ca.pem",
}


@pytest.mark.parametrize(("variable", "raw"), REFUSED.items())
def test_a_wrong_value_of_ours_is_an_error_with_value_origin_and_remedy(variable, raw, load, notices):
    with pytest.raises(ConfigurationError) as caught:
        load({variable: raw})
    (offender,) = caught.value.settings
    assert (offender.value, offender.origin) == (repr(raw), variable)
    assert offender.remedy.startswith(f"set {variable} to ")
    assert notices == []


def test_wrong_headers_are_an_error_that_does_not_show_them(load):
    with pytest.raises(ConfigurationError) as caught:
        load({"OTEL_EXPORTER_OTLP_HEADERS": "authorization hunter2"})
    assert "otlp.headers = ***   from OTEL_EXPORTER_OTLP_HEADERS" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_grpc_for_the_other_signals_is_fine_when_logs_have_their_own_protocol(load):
    environ = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/protobuf"}
    assert load(environ).otlp.protocol == "http/protobuf"


def test_a_misspelt_variable_of_ours_is_named_and_one_of_opentelemetry_is_not(load, notices):
    load({"FAPILOG_LEVLE": "debug", "OTEL_LOGS_EXPORTR": "x"})
    assert notices == [
        ("variable-unknown", "FAPILOG_LEVLE is not a variable of fapilog; did you mean FAPILOG_LEVEL?")
    ]


def test_variables_that_resemble_no_setting_are_named_in_one_line_without_their_values(load, notices):
    strangers = {f"FAPILOG_XYZZY_{number}": "s3cret" for number in range(10)}
    load({"FAPILOG_WAREHOUSE_NAME": "main", "FAPILOG_LEVEL": "debug"} | strangers)
    names = ", ".join(["FAPILOG_WAREHOUSE_NAME", *sorted(strangers)][:8])
    message = f"no setting of fapilog has the variable {names} and 3 more; `fapilog config explain` lists all"
    assert notices == [("variable-unknown", message)]


def test_an_unknown_variable_is_said_once_however_often_settings_are_read(capsys):
    diagnostics._voice.forget()
    for _ in range(3):
        Settings.load(environ={"FAPILOG_XYZZY": "s3cret"})
    assert capsys.readouterr().err == (
        "fapilog: no setting of fapilog has the variable FAPILOG_XYZZY; `fapilog config explain` lists all"
        " [variable-unknown]\n"
    )


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        ("warning", Severity.WARN),
        (Severity.INFO3, Severity.INFO3),
        (logging.DEBUG, Severity.DEBUG),
        (50, Severity.FATAL),
    ],
)
def test_a_level_is_a_name_a_severity_or_a_constant_of_logging(value, severity, load):
    assert load(level=value, levels={"a": value}).levels == {"a": severity}


@pytest.mark.parametrize("value", [9, 0, True, 2.5, None])
def test_a_level_number_that_could_mean_two_things_is_refused(value, load):
    with pytest.raises(ConfigurationError, match="level is not the name of a level"):
        load(level=value)


def test_secrets_are_masked_wherever_settings_are_shown(load):
    environ = {
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=hunter2",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:hunter2@h",
    }
    settings = load(environ)
    shown = [
        repr(settings),
        repr(settings.otlp),
        str(settings),
        str(settings.explain()),
        repr(settings.explain()),
    ]
    assert [text for text in shown if "hunter2" in text] == []
    assert masked("otlp", settings.otlp)["headers"] == {"authorization": "***"}
    assert settings.otlp.header_pairs() == (("authorization", "hunter2"),)
    assert settings.otlp.endpoint == "http://u:hunter2@h/v1/logs"
