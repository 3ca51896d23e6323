"""Under another distribution: our exporter, bridge and rules by the names of their entry points."""

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from fapilog.testing import OtlpReceiver
from tests.integration.test_zero_code import OURS, STOCK
from tests.integration.zero_code import EVERYTHING, UNUSED, run, start

NONE = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
# The stock distribution sets grpc where nobody says otherwise; the receiver speaks HTTP.
HTTP = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
STOCK_DISTRO = {"OTEL_PYTHON_DISTRO": "distro", "OTEL_PYTHON_CONFIGURATOR": "configurator", **HTTP, **NONE}


def bodies(receiver: OtlpReceiver) -> list[Any]:
    """The bodies that arrived; records of another provider carry no sequence number."""
    return [record.body for record in receiver.log_records]


def under_the_stock_distro(
    receiver: OtlpReceiver, name: str = "what_is_installed", *, measured: bool = False, **more: str
) -> Any:
    """Runs a program under `opentelemetry-distro`, with `fapilog` as its exporter of logs."""
    return run(name, receiver, measured=measured, OTEL_LOGS_EXPORTER="fapilog", **STOCK_DISTRO, **more)


def test_the_exporter_takes_what_the_other_provider_exports(receiver: OtlpReceiver) -> None:
    status, found, _ = under_the_stock_distro(receiver, "log_a_secret_in_a_span", measured=True, **EVERYTHING)
    assert (status, found["provider"]) == (0, STOCK)
    [record] = [record for record in receiver.log_records if record.scope_name == "scope"]
    assert (record.body, record.severity_text, record.severity_number) == ("api", "DEBUG", 5)
    assert record.attributes == {"password": "[REDACTED:secret]", "number": 1}
    assert (record.scope_version, record.scope_attributes, record.event_name) == ("1.2", {"a": 1}, "e")
    assert (record.trace_id, record.span_id, record.flags) == (found["trace"], found["span"], 1)
    assert record.time_unix_nano == 1_700_000_000_123_456_789
    assert record.resource["service.name"] == "orders"


def test_the_exporter_for_standard_output_writes_otlp_json_lines(receiver: OtlpReceiver) -> None:
    command = [sys.executable, "zero_code.py", "log_a_secret_in_a_span", "{}"]
    process = start(command, receiver, OTEL_LOGS_EXPORTER="otlp/stdout", **STOCK_DISTRO)
    out, _ = process.communicate(timeout=60)
    [line] = [json.loads(line) for line in out.splitlines() if "resourceLogs" in line]
    [record] = line["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    assert (process.returncode, record["body"], record["traceId"]) == (
        0,
        {"stringValue": "api"},
        f"{0xA1:032x}",
    )
    assert "hunter2" not in out


def test_what_the_other_processor_still_holds_is_delivered_after_sigterm(receiver: OtlpReceiver) -> None:
    command = [sys.executable, "zero_code.py", "wait_to_be_terminated", "{}"]
    process = start(command, receiver, OTEL_LOGS_EXPORTER="fapilog", **STOCK_DISTRO)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert (process.returncode, bodies(receiver)) == (-signal.SIGTERM, ["last words"])


def test_our_bridge_takes_logging_where_the_stock_one_is_switched_off(receiver: OtlpReceiver) -> None:
    disabled = {name: f"{value},logging" for name, value in UNUSED.items()}
    status, found, _ = under_the_stock_distro(receiver, measured=True, **disabled)
    assert (status, found["provider"]) == (0, STOCK)
    assert sorted(bodies(receiver)) == ["api", "legacy", "ours"]


def test_our_bridge_leaves_logging_to_the_stock_one(receiver: OtlpReceiver) -> None:
    _, _, err = under_the_stock_distro(receiver, "last_resort")
    assert bodies(receiver) == ["nobody configured logging"]
    assert "fapilog: " not in err


def test_without_our_exporter_nothing_of_ours_starts(receiver: OtlpReceiver) -> None:
    _, found, err = run("last_resort", receiver, OTEL_LOGS_EXPORTER="none", **STOCK_DISTRO)
    assert (found, receiver.log_records, "fapilog: " in err) == ({}, [], False)


def test_the_exporter_works_in_a_configuration_file_that_another_distribution_reads(
    receiver: OtlpReceiver, tmp_path: Path
) -> None:
    path = tmp_path / "otel.yaml"
    path.write_text(
        'file_format: "1.0"\n'
        "logger_provider:\n"
        "  processors:\n"
        "    - batch:\n"
        "        exporter:\n"
        '          fapilog: {otlp: {endpoint: "${RECEIVER}/v1/logs"}, sequence: false}\n'
    )
    file = {"OTEL_CONFIG_FILE": str(path), "RECEIVER": receiver.endpoint}
    status, found, _ = run("log_a_secret_in_a_span", receiver, **STOCK_DISTRO, **file)
    assert (status, found["provider"]) == (0, STOCK)
    [record] = [record for record in receiver.log_records if record.scope_name == "scope"]
    assert record.attributes == {"password": "[REDACTED:secret]", "number": 1}


@pytest.mark.parametrize(("rules", "arrived"), [("scope=off", []), ("other=off", ["api"])])
def test_our_logger_configurator_switches_scopes_of_the_other_provider_off(
    receiver: OtlpReceiver, rules: str, arrived: list[str]
) -> None:
    named = {"OTEL_PYTHON_LOGGER_CONFIGURATOR": "fapilog", "FAPILOG_RULES": rules}
    under_the_stock_distro(receiver, "log_a_secret_in_a_span", measured=not arrived, **named)
    assert bodies(receiver) == arrived


def test_without_the_command_the_variable_makes_a_provider_of_ours(receiver: OtlpReceiver) -> None:
    variables = {"OTEL_PYTHON_LOGGER_PROVIDER": "fapilog"}
    variables |= {"FAPILOG_LEVEL": "debug"}
    status, found, err = run("log_a_secret_in_a_span", receiver, zero_code=False, measured=True, **variables)
    assert (status, found["provider"], err) == (0, OURS, "")
    assert bodies(receiver) == ["api"]
