"""`opentelemetry-instrument` with the distribution `fapilog`: what is installed, and each known trap."""

import resource
import subprocess
import sys
import tomllib
from collections import Counter

import pytest

from fapilog.testing import OtlpReceiver
from tests.integration.harness import ROOT, bodies
from tests.integration.zero_code import BIN, EVERYTHING, run, variables

OURS = "fapilog.otel.provider.LoggerProvider"
STOCK = "opentelemetry.sdk._logs._internal.LoggerProvider"


def paths(receiver: OtlpReceiver) -> set[str]:
    return {request.path for request in receiver.requests}


def test_every_door_for_records_leads_to_our_pipeline_and_nothing_is_said(receiver: OtlpReceiver) -> None:
    status, found, err = run("what_is_installed", receiver, measured=True, **EVERYTHING)
    assert (status, err) == (0, "")
    assert found == {"provider": OURS, "tracers": "opentelemetry.sdk.trace"}
    assert bodies(receiver) == ["legacy", "ours", "api"]


def test_records_spans_and_metrics_share_the_resource_that_names_the_distribution(
    receiver: OtlpReceiver,
) -> None:
    run("shut_down", receiver)
    [record] = receiver.log_records
    assert {
        key: value for key, value in record.resource.items() if key.startswith(("service.na", "tele"))
    } == {
        "service.name": "orders",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": record.resource["telemetry.sdk.version"],
        "telemetry.distro.name": "fapilog",
        "telemetry.distro.version": record.resource["telemetry.distro.version"],
        "telemetry.auto.version": record.resource["telemetry.auto.version"],
    }
    [trace] = [request.message for request in receiver.requests if request.path == "/v1/traces"]
    spans = {item.key: item.value.string_value for item in trace.resource_spans[0].resource.attributes}
    assert spans == dict(record.resource)
    assert record.span_id == trace.resource_spans[0].scope_spans[0].spans[0].span_id.hex()


def test_the_application_may_ask_for_the_telemetry_and_shut_it_down(receiver: OtlpReceiver) -> None:
    status, found, err = run("shut_down", receiver)
    assert (status, found, err) == (0, {"drained": True, "status": "shut_down"}, "")
    assert paths(receiver) >= {"/v1/logs", "/v1/traces"}


@pytest.mark.parametrize(
    "arguments", [{}, {"service_name": "orders"}, {"resource": {"service.name": "orders"}}]
)
def test_configure_otel_that_asks_for_the_same_gets_the_same(
    receiver: OtlpReceiver, arguments: dict[str, object]
) -> None:
    status, found, err = run("configure_again", receiver, arguments)
    assert (status, found, err) == (0, {"same": True}, "")
    assert bodies(receiver) == ["after"]


def test_configure_otel_that_asks_for_something_else_says_what_differs(receiver: OtlpReceiver) -> None:
    arguments = {"service_name": "billing", "level": "debug", "resource": {"team": "a"}}
    _, found, err = run("configure_again", receiver, arguments, measured=True)
    assert found == {
        "error": "already-configured",
        "details": [
            "level: INFO before, DEBUG now",
            "service.name: orders before, billing now",
            "resource team: unset before, a now",
        ],
    }
    assert err == ""


def test_a_wrong_setting_leaves_the_application_running_and_is_shown(receiver: OtlpReceiver) -> None:
    status, found, err = run("what_is_installed", receiver, measured=True, FAPILOG_OVERFLOW="drop")
    assert status == 0
    assert found["provider"] != OURS
    assert "buffer.overflow = 'drop'   from FAPILOG_OVERFLOW" in err


# Processes


def spans(receiver: OtlpReceiver) -> dict[str, str]:
    """The names of the spans that arrived, by their ids."""
    return {
        span.span_id.hex(): span.name
        for request in receiver.requests
        if request.path == "/v1/traces"
        for resource in request.message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }


def each_number_once(receiver: OtlpReceiver, numbers: int, processes: int) -> None:
    """Asserts that parent and children delivered everything once, each process under its own id."""
    arrived = Counter(
        (record.body, record.attributes["number"])
        for record in receiver.log_records
        if "number" in record.attributes
    )
    expected = [(body, number) for body in ("number", "legacy") for number in range(numbers)]
    assert arrived == Counter(expected)
    rest = sorted(record.body for record in receiver.log_records if "number" not in record.attributes)
    assert rest == ["after", "before"]
    assert len({record.resource["service.instance.id"] for record in receiver.log_records}) == processes


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_deliver_everything_once(receiver: OtlpReceiver, method: str) -> None:
    status, found, err = run("children", receiver, {"method": method})
    assert (status, found, err) == (0, {"statuses": [0, 0, 0]}, "")
    instances = {record.resource["service.instance.id"] for record in receiver.log_records}
    # The pool has two processes; one of them may have taken both of its jobs.
    each_number_once(receiver, 50, len(instances))
    assert len(instances) in (5, 6)
    assert Counter(spans(receiver).values()) == {"work": 5}


def test_forked_children_deliver_everything_once_with_their_spans(receiver: OtlpReceiver) -> None:
    status, found, err = run("forks", receiver, **EVERYTHING)
    assert (status, found, err) == (0, {"statuses": [7, 7, 7]}, "")
    each_number_once(receiver, 30, 4)
    assert Counter(spans(receiver).values()) == {"parent": 1, "work": 3}
    assert {record.span_id for record in receiver.log_records} - {""} == set(spans(receiver))


# The traps, by their numbers in docs/how-to/zero_code.md


def test_trap_1_without_the_variable_the_stock_distribution_keeps_its_own_configurator(
    receiver: OtlpReceiver,
) -> None:
    none = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    status, found, _ = run("what_is_installed", receiver, OTEL_PYTHON_DISTRO="distro", **EVERYTHING, **none)
    assert (status, found["provider"]) == (0, STOCK)


def test_trap_2_nothing_is_said_about_the_configurators_that_are_not_used(receiver: OtlpReceiver) -> None:
    _, _, err = run("helpers_of_multiprocessing", receiver)
    assert err == ""


def test_trap_4_no_variables_are_registered_because_a_name_twice_breaks_the_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "opentelemetry_environment_variables" not in project["entry-points"]
    done = subprocess.run([BIN / "opentelemetry-instrument", "--version"], check=True, capture_output=True)
    assert done.stderr == b""


def test_trap_5_the_distribution_is_no_instance_of_another_one() -> None:
    program = (
        "from opentelemetry.distro import OpenTelemetryDistro\n"
        "from opentelemetry.instrumentation.distro import DefaultDistro\n"
        "OpenTelemetryDistro(), DefaultDistro()\n"
        "from fapilog.distro.zero_code import FapilogDistro\n"
        "print(type(FapilogDistro()).__name__, FapilogDistro() is FapilogDistro())"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "FapilogDistro True\n"


def test_trap_6_no_thread_starts_before_the_first_record(receiver: OtlpReceiver) -> None:
    none = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
    _, found, _ = run("threads_before_the_first_record", receiver, **none)
    assert found == {"python": 1, "all": 1}


def test_trap_6_the_helpers_of_multiprocessing_are_left_alone(receiver: OtlpReceiver) -> None:
    status, found, _ = run("helpers_of_multiprocessing", receiver)
    assert (status, found) == (0, {"status": 0, "the tracker loaded fapilog": False})
    assert sorted(bodies(receiver)) == ["child", "parent"]


def test_trap_7_logs_start_no_thread_and_a_process_starts_about_as_fast_as_under_stock(
    receiver: OtlpReceiver,
) -> None:
    started: dict[str, list[str]] = {}
    seconds: dict[str, float] = {}
    for distribution in ("fapilog", "distro") * 2:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Stock knows gRPC only, unless told.
        told = {"OTEL_PYTHON_DISTRO": distribution, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        _, started[distribution], _ = run("threads_by_name", receiver, **EVERYTHING, **told)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Of the processor, not of the clock: other tests run beside this one.
        took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        seconds[distribution] = min(took, seconds.get(distribution, took))
    stock_s = ["MainThread", "OtelBatchSpanRecordProcessor", "OtelPeriodicExportingMetricReader"]
    assert started == {
        "fapilog": stock_s,
        "distro": ["MainThread", "OtelBatchLogRecordProcessor", *stock_s[1:]],
    }
    assert seconds["fapilog"] < seconds["distro"] * 1.5


def test_trap_8_a_provider_that_is_asked_for_by_name_is_the_one_of_the_distribution(
    receiver: OtlpReceiver,
) -> None:
    status, found, err = run("what_is_installed", receiver, OTEL_PYTHON_LOGGER_PROVIDER="fapilog")
    assert (status, found["provider"], err) == (0, OURS, "")
    assert bodies(receiver) == ["legacy", "ours", "api"]


def test_trap_9_a_warning_still_reaches_stderr_where_nobody_configured_logging(
    receiver: OtlpReceiver,
) -> None:
    _, _, err = run("last_resort", receiver)
    assert err == "nobody configured logging\n"
    assert bodies(receiver) == ["nobody configured logging"]


def test_trap_10_info_is_exported_although_the_root_level_was_warning(receiver: OtlpReceiver) -> None:
    run("what_is_installed", receiver)
    assert Counter(record.severity_text for record in receiver.log_records)["INFO"] == 2


@pytest.mark.parametrize("correlation", ["false", "true"])
def test_the_logging_instrumentation_of_opentelemetry_bridges_nothing_a_second_time(
    receiver: OtlpReceiver, correlation: str
) -> None:
    _, _, err = run("what_is_installed", receiver, OTEL_PYTHON_LOG_CORRELATION=correlation)
    # What was asked for is the format of the console; it has trace ids now.
    assert ("trace_id=" in err) == (correlation == "true")
    assert bodies(receiver) == ["legacy", "ours", "api"]


@pytest.mark.parametrize(
    ("exporters", "arrived"), [("fapilog", True), ("otlp", True), ("otlp_proto_http", True), ("none", False)]
)
def test_the_variable_for_exporters_of_logs_takes_the_names_of_opentelemetry(
    receiver: OtlpReceiver, exporters: str, arrived: bool
) -> None:
    _, _, err = run("what_is_installed", receiver, OTEL_LOGS_EXPORTER=exporters)
    assert (err, bool(receiver.log_records)) == ("", arrived)


def test_a_disabled_sdk_records_nothing(receiver: OtlpReceiver) -> None:
    status, _, err = run("what_is_installed", receiver, OTEL_SDK_DISABLED="true")
    assert (status, err, receiver.requests) == (0, "", [])


def test_the_environment_of_the_user_wins_over_the_defaults_of_the_distribution() -> None:
    program = "import os; print(os.environ['OTEL_TRACES_EXPORTER'], os.environ['OTEL_METRICS_EXPORTER'])"
    with OtlpReceiver() as receiver:
        given = variables(receiver, OTEL_TRACES_EXPORTER="console", OTEL_METRICS_EXPORTER=" ")
        command = [BIN / "opentelemetry-instrument", sys.executable, "-c", program]
        done = subprocess.run(command, env=given, check=True, capture_output=True, text=True)
    assert done.stdout == "console otlp\n"
