"""`OTEL_CONFIG_FILE` with the distribution `fapilog`: one file for all three signals, logs natively."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import opentelemetry
import pytest

from fapilog.distro import otel_config_setup
from fapilog.errors import MissingDependencyError
from fapilog.testing import OtlpReceiver
from tests.integration.harness import bodies
from tests.integration.test_zero_code import OURS, paths
from tests.integration.zero_code import run

FILE = """\
file_format: "1.0"
resource:
  attributes:
    - {name: service.name, value: shop}
    - {name: shard, value: 7, type: int}
tracer_provider:
  processors:
    - batch:
        schedule_delay: 60000
        exporter: {otlp_http: {endpoint: "${RECEIVER}/v1/traces"}}
meter_provider:
  readers:
    - periodic:
        interval: 60000
        exporter: {otlp_http: {endpoint: "${RECEIVER}/v1/metrics"}}
logger_provider:
  limits: {attribute_count_limit: 2}
  logger_configurator/development:
    loggers:
      - {name: silent, config: {enabled: false}}
      - {name: "careful.*", config: {minimum_severity: error}}
      - {name: sampled, config: {trace_based: true}}
  processors:
    - PROCESSOR
distribution:
  fapilog:
    redaction: {secret_keys: [ssn]}
"""
# Nobody configured `logging`, so it prints warnings by itself.
LAST_RESORT = "careful warning\ncareful error\n"
NATIVE = {
    "otlp_http": 'batch: {exporter: {otlp_http: {endpoint: "${RECEIVER}/v1/logs"}}}',
    "fapilog exporter": 'batch: {exporter: {fapilog: {otlp: {endpoint: "${RECEIVER}/v1/logs"}}}}',
    "fapilog processor": 'fapilog: {otlp: {endpoint: "${RECEIVER}/v1/logs"}}',
}


def declared(
    receiver: OtlpReceiver, folder: Path, text: str, name: str = "log_under_rules", measured: bool = False
) -> Any:
    """Runs a function of the programs with a configuration file, and with variables that must not count."""
    path = folder / "otel.yaml"
    path.write_text(text)
    ignored = {"FAPILOG_LEVEL": "critical", "OTEL_SERVICE_NAME": "ignored", "OTEL_SDK_DISABLED": ""}
    file = {"OTEL_CONFIG_FILE": str(path), "RECEIVER": receiver.endpoint}
    status, found, err = run(name, receiver, measured=measured, **file, **ignored)
    # The file allows two attributes, and that is said.
    return status, found, re.sub(r"fapilog: .* \[attributes-dropped\]\n", "", err)


@pytest.mark.parametrize("processor", NATIVE)
def test_the_file_sets_up_all_three_signals_with_logs_in_our_pipeline(
    receiver: OtlpReceiver, tmp_path: Path, processor: str
) -> None:
    text = FILE.replace("PROCESSOR", NATIVE[processor])
    status, found, err = declared(receiver, tmp_path, text, measured=processor == "otlp_http")
    assert (status, found["provider"], err) == (0, OURS, LAST_RESORT)
    assert bodies(receiver) == ["ours", "careful error", "sampled", "legacy", "ours", "api"]
    assert paths(receiver) == {"/v1/logs", "/v1/traces", "/v1/metrics"}


def test_limits_secrets_and_the_resource_of_the_file_are_in_the_records(
    receiver: OtlpReceiver, tmp_path: Path
) -> None:
    declared(receiver, tmp_path, FILE.replace("PROCESSOR", NATIVE["otlp_http"]))
    record = receiver.log_records[0]
    attributes = {key: value for key, value in record.attributes.items() if key != "fapilog.sequence"}
    assert (attributes, record.dropped_attributes_count) == ({"ssn": "[REDACTED:secret]", "second": 2}, 1)
    assert {key: record.resource[key] for key in ("service.name", "shard", "telemetry.distro.name")} == {
        "service.name": "shop",
        "shard": 7,
        "telemetry.distro.name": "fapilog",
    }
    [traces] = [request.message for request in receiver.requests if request.path == "/v1/traces"]
    spans = {item.key for item in traces.resource_spans[0].resource.attributes}
    assert spans == set(record.resource) >= {"service.instance.id"}


def test_further_exporters_are_built_with_their_options_and_served_by_our_pipeline(
    receiver: OtlpReceiver, tmp_path: Path
) -> None:
    named = "headers: [{name: x-name, value: second}]"
    with OtlpReceiver() as second:
        lines = [
            NATIVE["otlp_http"],
            f"batch: {{exporter: {{otlp_http: {{endpoint: {second.logs_endpoint}, {named}}}}}}}",
            f"batch: {{exporter: {{otlp_proto_http: {{endpoint: {second.logs_endpoint}}}}}}}",
            "event_to_span_event_bridge/development: {}",
        ]
        status, _, err = declared(
            receiver, tmp_path, FILE.replace("PROCESSOR", "\n    - ".join(lines)), measured=True
        )
        assert (status, err) == (0, LAST_RESORT)
        expected = ["ours", "careful error", "sampled", "legacy", "ours", "api"]
        assert bodies(receiver) == expected
        names = [request.headers.get("x-name") for request in second.requests]
        assert sorted(names, key=str) == [None, "second"]
        assert sorted(record.body for record in second.log_records) == sorted(expected * 2)


def test_otlp_lines_go_to_the_file_that_the_configuration_names(
    receiver: OtlpReceiver, tmp_path: Path
) -> None:
    file = f"batch: {{exporter: {{otlp_file/development: {{output_stream: 'file://{tmp_path}/app.jsonl'}}}}}}"
    status, _, err = declared(receiver, tmp_path, FILE.replace("PROCESSOR", file))
    assert (status, err, receiver.log_records) == (0, LAST_RESORT, [])
    lines = [json.loads(line) for line in (tmp_path / "app.jsonl").read_text().splitlines()]
    written = [
        record["body"]["stringValue"]
        for line in lines
        for resource in line["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]
    assert sorted(written) == sorted(["ours", "careful error", "sampled", "legacy", "ours", "api"])


def test_an_exporter_that_cannot_be_built_is_named_with_its_place(
    receiver: OtlpReceiver, tmp_path: Path
) -> None:
    text = FILE.replace("PROCESSOR", "batch: {exporter: {unheard_of: {key: value}}}")
    status, _, err = declared(receiver, tmp_path, text, "what_is_installed", measured=True)
    assert status == 0
    assert re.search(r"otel\.yaml:\d+ \(logger_provider\.processors\[0\]\.batch\.exporter\.unheard_of\)", err)


def test_a_disabled_file_sets_up_nothing(receiver: OtlpReceiver, tmp_path: Path) -> None:
    text = FILE.replace("PROCESSOR", NATIVE["otlp_http"]) + "disabled: true\n"
    status, found, err = declared(receiver, tmp_path, text)
    assert (status, receiver.requests) == (0, [])
    assert found["provider"] != OURS
    assert "disabled=true" in err


def test_a_file_without_logs_sends_spans_only(receiver: OtlpReceiver, tmp_path: Path) -> None:
    text = re.sub(r"logger_provider:\n(  .*\n)+", "", FILE)
    status, found, err = declared(receiver, tmp_path, re.sub(r"distribution:\n(  .*\n)+", "", text))
    assert (status, err, receiver.log_records) == (0, LAST_RESORT, [])
    assert found["provider"] != OURS
    assert "/v1/traces" in paths(receiver)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('file_format: "1.0"\nlogger_provider: {}\n', "otel.yaml:2 (logger_provider)"),
        ('file_format: "1.0"\nno_such_section: 1\nlogger_provider: []\n', "otel.yaml:3 (logger_provider)"),
        ("logger_provider: null\n", "Configuration does not match schema"),
        (
            'file_format: "1.0"\ndistribution: {fapilog: {buffer: {overflow: drop}}}\n',
            "otel.yaml:2 (distribution.fapilog.buffer.overflow)",
        ),
    ],
)
def test_what_is_wrong_is_shown_with_its_place_and_the_application_runs(
    receiver: OtlpReceiver, tmp_path: Path, text: str, shown: str
) -> None:
    status, _, err = declared(receiver, tmp_path, text, "what_is_installed")
    assert (status, shown in err) == (0, True)


def test_the_package_that_reads_the_file_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.configuration", None)
    monkeypatch.delattr(opentelemetry, "configuration", raising=False)
    with pytest.raises(MissingDependencyError) as caught:
        otel_config_setup.configure("otel.yaml")
    assert (caught.value.package, caught.value.feature) == ("opentelemetry-configuration", "OTEL_CONFIG_FILE")
