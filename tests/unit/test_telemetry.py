"""`configure_otel()`: what it puts in place, what it puts back, and when it refuses."""

import asyncio
import logging
import os
import subprocess
import sys
import threading

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NoOpTracerProvider

import fapilog
from fapilog import Settings, Severity, get_logger, in_force, installation, otel_private
from fapilog.errors import ConfigurationError, ExportError, FapilogError, LifecycleError
from fapilog.logger import default_handle
from fapilog.telemetry import Health
from fapilog.testing import OtlpReceiver


def test_the_same_arguments_give_the_same_telemetry(configure):
    first = configure("orders", resource={"team": "a"}, level="debug")
    assert configure("orders", resource={"team": "a"}, level="debug") is first
    assert configure("orders", resource=Resource({"team": "a"}), level="debug") is first


@pytest.mark.parametrize(
    "other",
    [{"level": "debug"}, {"resource": {"team": "b"}}, {"on_error": print}, {"exporters": ["console"]}],
)
def test_other_arguments_are_refused_until_shutdown(configure, other):
    first = configure("orders")
    with pytest.raises(LifecycleError) as caught:
        configure("orders", **other)
    assert caught.value.code == "already-configured"
    first.shutdown()
    assert configure("orders", **other) is not first


def test_the_refusal_names_what_differs(configure):
    configure("orders")
    with pytest.raises(LifecycleError) as caught:
        configure("billing", level="debug")
    assert caught.value.details == (
        "level: INFO before, DEBUG now",
        "service.name: orders before, billing now",
    )


def test_it_takes_settings_and_single_settings_over_them(configure):
    settings = Settings.load(environ={}, level="debug", sequence=False)
    configured = configure("orders", settings=settings, level="error").settings
    assert (configured.level, configured.sequence, configured.service.name) == (
        Severity.ERROR,
        False,
        "orders",
    )


def test_settings_alone_are_used_as_they_are():
    settings = Settings.load(environ={}, exporters=["none"])
    with fapilog.configure_otel(settings=settings) as configured:
        assert configured.settings is settings


def test_one_exporter_may_be_given_as_a_word(configure):
    assert configure(exporters="none").settings.exporters == ("none",)


@pytest.mark.parametrize(("terminal", "exporters"), [(True, ("otlp", "console")), (False, ("otlp",))])
def test_without_a_word_about_exporters_the_console_is_for_terminals(monkeypatch, terminal, exporters):
    monkeypatch.setattr(in_force.console, "on_terminal", lambda _: terminal)
    assert in_force.chosen_exporters(Settings.load(environ={})) == exporters


def test_wrong_settings_raise_and_change_nothing(configure):
    before = default_handle.pipeline
    with pytest.raises(ConfigurationError, match="level"):
        configure(level="loud")
    with pytest.raises(ConfigurationError, match="on_error"):
        configure(on_error="not callable")
    assert default_handle.pipeline is before
    assert otel_private.installed_tracer_provider() is None


@pytest.mark.parametrize(
    ("arguments", "first_lines"),
    [
        (
            {"exporters": InMemoryLogRecordExporter()},
            ["exporters is no list", "exporters = a InMemoryLogRecordExporter   from argument"],
        ),
        ({"batch_processors": print}, ["batch_processors is no list", "batch_processors = a builtin"]),
        ({"enrichers": 5}, ["enrichers is no list", "enrichers = a int   from argument"]),
        (
            {"resource": [("team", "a")]},
            ["resource holds no attributes", "resource = a list   from argument"],
        ),
        ({"settings": {"level": "debug"}}, ["settings are no settings", "settings = a dict   from argument"]),
    ],
)
def test_an_argument_of_a_wrong_type_is_a_configuration_error(arguments, first_lines):
    with pytest.raises(ConfigurationError) as caught:
        fapilog.configure_otel("orders", **arguments)
    lines = str(caught.value).splitlines()
    assert caught.value.code == "setting-invalid"
    assert [line.strip().startswith(first) for line, first in zip(lines, first_lines, strict=False)] == [
        True
    ] * 2


def test_a_step_that_fails_takes_the_earlier_ones_out_again(configure, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("no bridge")

    handlers = list(logging.root.handlers)
    with monkeypatch.context() as patch:
        patch.setattr(installation.hooks, "install", fail)
        with pytest.raises(RuntimeError):
            configure(exception_hooks=True)
    installed = (
        otel_private.installed_tracer_provider(),
        otel_private.installed_meter_provider(),
        otel_private.installed_logger_provider(),
    )
    assert (installed, logging.root.handlers) == ((None, None, None), handlers)
    assert configure(exception_hooks=True).health().status == "ok"


def test_the_three_providers_are_the_global_ones_until_shutdown(configure):
    configured = configure("orders")
    providers = (configured.tracer_provider, configured.meter_provider, configured.logger_provider)
    installed = (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider())
    assert installed == providers
    assert configured.logger_provider.resource.attributes["service.name"] == "orders"
    assert configured.tracer_provider.resource == configured.logger_provider.resource
    configured.shutdown()
    again = configure("billing")
    assert trace.get_tracer_provider() is again.tracer_provider is not configured.tracer_provider


def test_providers_that_somebody_installed_are_reused_said_once_and_left_running(configure, capsys):
    tracers, meters, loggers = NoOpTracerProvider(), NoOpMeterProvider(), _logs.NoOpLoggerProvider()
    otel_private.install_tracer_provider(tracers)
    otel_private.install_meter_provider(meters)
    otel_private.install_logger_provider(loggers)
    try:
        for name in ("orders", "billing"):
            configured = configure(name)
            assert (configured.tracer_provider, configured.meter_provider) == (tracers, meters)
            assert (configured.force_flush(1_000), configured.shutdown()) == (True, True)
        assert trace.get_tracer_provider() is tracers
        assert _logs.get_logger_provider() is loggers
    finally:
        otel_private.mark_ended("trace", tracers)
        otel_private.mark_ended("metrics", meters)
        otel_private.mark_ended("logs", loggers)
    assert capsys.readouterr().err == (
        "fapilog: a tracer provider is installed already and is used, with redaction [provider-reused]\n"
        "fapilog: a meter provider is installed already and is used, with redaction [provider-reused]\n"
        "fapilog: another logger provider is installed; the OpenTelemetry logs API stays with it"
        " [provider-reused]\n"
    )


def test_loggers_of_the_stock_exporters_are_quiet_until_the_last_shutdown(configure):
    noisy = [logging.getLogger(name) for name in ("opentelemetry.sdk", "opentelemetry.exporter")]
    before = [(logger.propagate, list(logger.handlers)) for logger in noisy]
    first = configure("orders")
    assert [logger.propagate for logger in noisy] == [False, False]
    first.shutdown()
    assert [(logger.propagate, list(logger.handlers)) for logger in noisy] == before
    configure("billing")
    assert [logger.propagate for logger in noisy] == [False, False]


def test_records_of_all_three_apis_go_through_the_pipeline(configure):
    configured, bodies = configure(level="info"), []
    configured.logger_provider.pipeline.add_tap(lambda record, scope: bodies.append(scope))
    get_logger("ours").info("x")
    logging.getLogger("stdlib").warning("x")
    _logs.get_logger("otel").emit(body="x")
    assert bodies == ["ours", "stdlib", "otel"]
    assert configured.ledger().accepted == 3


def test_capture_of_logging_can_be_switched_off(configure):
    configured = configure(capture_stdlib=False)
    logging.getLogger("stdlib").warning("x")
    assert configured.ledger().offered == 0


def test_disabled_nothing_is_recorded_and_nothing_exported(configure, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "console")
    threads = set(threading.enumerate())
    configured = configure(disabled=True, exception_hooks=True)
    get_logger("x").error("one")
    logging.getLogger("x").error("two")
    _logs.get_logger("x").emit(body="three")
    assert configured.ledger().offered == 0
    # Threads of earlier tests may end meanwhile; SDK 1.45.0 leaves those of its resource detectors behind.
    ours = {each for each in threading.enumerate() if not each.name.startswith("ThreadPoolExecutor")}
    assert ours <= threads
    configured.shutdown()
    get_logger("x").error("four")
    assert configured.ledger().refused["shut_down"] == 1


def test_set_level_changes_loggers_that_exist(configure):
    configured, scopes = configure(levels={"noisy": "error"}), []
    configured.logger_provider.pipeline.add_tap(lambda record, scope: scopes.append(scope))
    log, noisy = get_logger("log"), get_logger("noisy")

    def both() -> list[str]:
        scopes.clear()
        log.debug("x")
        noisy.info("x")
        return list(scopes)

    seen = [both()]
    configured.set_level("debug")
    seen.append(both())
    configured.set_level(Severity.WARN, {"noisy": "info"})
    seen.append(both())
    assert seen == [[], ["log"], ["noisy"]]
    with pytest.raises(ConfigurationError):
        configured.set_level("loud")


def test_health_tells_pressure_loss_and_the_end(configure):
    configured = configure()
    limit = configured.settings.buffer.limit_bytes
    fresh = Health("ok", 0, limit, 0, 0, 0)
    assert configured.health() == fresh
    configured.shutdown()
    assert configured.health() == Health("shut_down", 0, limit, 0, 0, 0)


def test_what_shutdown_could_not_deliver_is_lost(configure):
    with OtlpReceiver() as receiver:
        receiver.refuse_connections()
        otlp = {"endpoint": receiver.logs_endpoint}
        configured = configure(exporters=["otlp"], otlp=otlp, exception_hooks=True)
        configured.tracer_provider.shutdown()
        get_logger("x").info("lost")
        pending = configured.health().pending
        flushed, stopped = configured.force_flush(50), configured.shutdown(50)
        otlp_side = configured.ledger().exporters["otlp"]
    assert (pending, flushed, stopped, otlp_side.dropped["shutdown"]) == (1, False, False, 1)
    assert configured.health().lost == 1
    assert configured.ledger().balanced


@pytest.mark.parametrize(("status", "dropped", "floor"), [("losing", 1, 0), ("pressure", 0, 9)])
def test_health_prefers_loss_to_pressure(configure, monkeypatch, status, dropped, floor):
    configured = configure()
    refused = {"shed": dropped}
    ledger = fapilog.Ledger(dropped, 0, refused, 0, 0, {})
    monkeypatch.setattr(configured, "ledger", lambda: ledger)

    class Pressed:
        def pressure(self) -> tuple[int, int]:
            return 7, floor

    monkeypatch.setattr(configured.logger_provider, "_pipeline", Pressed())
    health = configured.health()
    monkeypatch.undo()
    assert (health.status, health.buffer_bytes, health.lost) == (status, 7, dropped)


def test_leaving_the_block_shuts_down_sync_and_async():
    async def use() -> fapilog.Telemetry:
        async with fapilog.configure_otel(exporters=["none"]) as configured:
            return configured

    with fapilog.configure_otel(exporters=["none"]) as configured:
        assert configured.health().status == "ok"
    assert [one.health().status for one in (configured, asyncio.run(use()))] == ["shut_down", "shut_down"]
    assert configured.shutdown() is True


def test_a_stock_provider_that_fails_is_said_and_counts_as_not_flushed(configure, monkeypatch, capsys):
    configured = configure()

    def fail(*arguments):
        raise OSError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(configured.tracer_provider, "force_flush", fail)
        assert configured.force_flush(1_000) is False
    assert capsys.readouterr().err == "fapilog: TracerProvider.force_flush failed: gone [stock-exporter]\n"


def test_on_error_hears_what_native_threads_meet(configure):
    errors: list[FapilogError] = []
    configure(on_error=errors.append)
    in_force.on_notice("endpoint-unreachable", "nobody listens")
    in_force.on_notice("capture-failed", "odd event")
    assert [(type(error), error.code, error.what) for error in errors] == [
        (ExportError, "endpoint-unreachable", "nobody listens"),
        (FapilogError, "capture-failed", "odd event"),
    ]


@pytest.mark.parametrize("code", ["fallback-in-use", "dead-letters-lost", "spool-dropping", "new-one"])
def test_on_error_hears_a_notice_whatever_its_code(configure, code):
    errors: list[FapilogError] = []
    configure(on_error=errors.append)
    in_force.on_notice(code, "what happened")
    [error] = errors
    assert (error.code, error.what, bool(error.remedy)) == (code, "what happened", True)


def test_a_record_that_cannot_be_read_reaches_on_error(configure):
    errors: list[FapilogError] = []
    configured = configure(on_error=errors.append)
    get_logger("x").emit(object())
    configured.force_flush(1_000)
    assert [error.code for error in errors] == ["capture-failed"]


def test_without_on_error_a_notice_goes_nowhere(configure):
    configure()
    assert in_force.on_notice("capture-failed", "odd event") is None


def test_sdk_providers_are_made_once(configure):
    configured = configure()
    assert isinstance(configured.tracer_provider, TracerProvider)
    assert isinstance(configured.meter_provider, MeterProvider)


HELLO = "import fapilog; log = fapilog.get_logger('shop'); log.info('hello', a=1); log.info('again')\n"


def run(script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh process whose environment says nothing but `environ`."""
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1", **environ},
        timeout=60,
        check=True,
    )


def lines(child: subprocess.CompletedProcess[str]) -> list[str]:
    """What a child wrote to stderr, without the time at the start of records."""
    return [line.partition("Z ")[2] or line for line in child.stderr.splitlines()]


LOGGED = ["INFO  shop  hello  a=1", "INFO  shop  again"]


def test_the_first_record_of_an_unconfigured_process_goes_to_the_console():
    assert lines(run(HELLO)) == LOGGED


def test_the_first_record_of_an_unconfigured_process_goes_to_a_configured_endpoint_too():
    with OtlpReceiver() as receiver:
        child = run(HELLO, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint, OTEL_SERVICE_NAME="orders")
        received = [(record.body, record.resource["service.name"]) for record in receiver.log_records]
    assert (lines(child), received) == (LOGGED, [("hello", "orders"), ("again", "orders")])


def test_a_disabled_sdk_says_nothing():
    child = run(HELLO, OTEL_SDK_DISABLED="true")
    assert (child.stdout, child.stderr) == ("", "")


def test_a_chosen_exporter_is_used_alone():
    assert lines(run(HELLO, FAPILOG_EXPORTERS="none")) == []


def test_a_wrong_environment_is_one_line_and_the_console_still_works():
    child = run(HELLO, FAPILOG_LEVEL="loud", FAPILOG_BUFFER_BYTES="x")
    values = "level = 'loud' from FAPILOG_LEVEL, buffer.limit_bytes = 'x' from FAPILOG_BUFFER_BYTES"
    assert lines(child) == [
        f"fapilog: 2 settings are wrong ({values}); only the console is used until configure_otel() is called"
        " [configuration-failed]",
        *LOGGED,
    ]


def test_configure_otel_takes_over_from_the_defaults():
    script = (
        "import fapilog\nlog = fapilog.get_logger('shop'); log.info('default')\n"
        "try:\n    fapilog.configure_otel(level='loud')\nexcept ValueError:\n    log.info('still default')\n"
        "telemetry = fapilog.configure_otel('a', exporters=['none']); log.info('unseen')\n"
        "print(telemetry.ledger()); telemetry.shutdown()\n"
    )
    child = run(script)
    assert lines(child) == ["INFO  shop  default", "INFO  shop  still default"]
    assert child.stdout == "offered 1 = filtered 0 + accepted 1\n"


def test_a_compliance_profile_in_the_environment_is_not_overridden_by_a_default(monkeypatch):
    monkeypatch.setenv("FAPILOG_COMPLIANCE", "nowhere")
    with pytest.raises(ConfigurationError, match="nowhere"):
        fapilog.configure_otel(exporters=["none"])


def test_profiles_that_cannot_be_used_leave_a_console_that_hides_values():
    script = "import fapilog\nfapilog.get_logger('shop').info('paid with 4111 1111 1111 1111')\n"
    said, logged = lines(run(script, FAPILOG_COMPLIANCE="nowhere"))
    assert "the profile nowhere is not installed" in said
    assert logged == 'INFO  shop  paid with [REDACTED:pan]  fapilog.redacted=["body:pan"]'


NO_NUMBER = (
    "OpenTelemetry's SDK cannot be set up for trace: ValueError: OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT must be"
)


def test_a_variable_that_makes_the_stock_sdk_raise_does_not_cost_the_records_of_a_process():
    script = (
        f"{HELLO}try:\n    fapilog.configure_otel('orders')\nexcept fapilog.ConfigurationError as error:\n"
        "    print(error.code)\nlog.info('after it')\n"
    )
    child = run(script, OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="x")
    said, *logged = lines(child)
    assert said.startswith(f"fapilog: {NO_NUMBER}")
    assert said.endswith("; only the console is used until configure_otel() is called [configuration-failed]")
    assert (logged, child.stdout) == ([*LOGGED, "INFO  shop  after it"], "setting-invalid\n")


def test_a_shutdown_does_not_take_out_what_another_thread_configures_meanwhile(configure):
    first, second = configure("orders"), []
    configuring = threading.Thread(target=lambda: second.append(configure("billing")))

    def meanwhile() -> None:
        configuring.start()
        # It waits for the end of what is taken out; before, it did not, and ended here.
        configuring.join(0.5)

    first._undo.append(meanwhile)
    first.shutdown()
    configuring.join(60)
    get_logger("shop").info("x")
    logging.getLogger("shop").warning("x")
    assert second[0].ledger().accepted == 2
