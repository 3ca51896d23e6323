"""Every private name of OpenTelemetry is checked before use and has a public fallback."""

import os
import sys
from contextvars import ContextVar
from types import SimpleNamespace

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry import context as otel_context
from opentelemetry.trace import propagation

from fapilog import otel_private

GETTERS = {
    "trace": otel_private.installed_tracer_provider,
    "metrics": otel_private.installed_meter_provider,
    "logs": otel_private.installed_logger_provider,
}


def test_the_current_context_is_read_where_we_know_it():
    getter = otel_private.current_context_getter()
    assert getter is not None
    assert getter() is otel_context.get_current()


@pytest.mark.parametrize(
    "runtime",
    [
        None,
        SimpleNamespace(),
        SimpleNamespace(_current_context="moved"),
        SimpleNamespace(_current_context=ContextVar("unset")),
    ],
)
def test_a_variable_that_moved_or_holds_nothing_is_not_used(monkeypatch, runtime):
    monkeypatch.setattr(otel_context, "get_current", otel_context.Context)
    monkeypatch.setattr(otel_context, "_RUNTIME_CONTEXT", runtime)
    assert otel_private.current_context_getter() is None


def test_a_variable_that_holds_something_else_is_not_used(monkeypatch):
    other = SimpleNamespace(_current_context=ContextVar("other", default="something else"))
    get_current = otel_context.get_current
    current = get_current()
    monkeypatch.setattr(otel_context, "get_current", lambda: current)
    monkeypatch.setattr(otel_context, "_RUNTIME_CONTEXT", other)
    assert otel_private.current_context_getter() is None


def test_the_span_key_is_the_one_under_which_a_context_holds_its_span():
    span = trace.NonRecordingSpan(trace.INVALID_SPAN_CONTEXT)
    assert trace.set_span_in_context(span, otel_context.Context())[otel_private.span_key()] is span


@pytest.mark.parametrize("key", [None, 7, "another-key"])
def test_a_span_key_that_changed_is_not_used(monkeypatch, key):
    monkeypatch.setattr(propagation, "_SPAN_KEY", key)
    probe = trace.NonRecordingSpan(trace.INVALID_SPAN_CONTEXT)
    monkeypatch.setattr(trace, "set_span_in_context", lambda span, context: {"current-span": probe})
    assert otel_private.span_key() is None


def test_the_span_context_comes_over_the_public_api():
    span = trace.SpanContext(1, 2, is_remote=False)
    context = trace.set_span_in_context(trace.NonRecordingSpan(span), otel_context.Context())
    assert otel_private.span_context(context) == span
    assert otel_private.span_context() == trace.INVALID_SPAN_CONTEXT


@pytest.mark.parametrize("signal", GETTERS)
def test_a_stand_in_is_not_a_provider(signal):
    assert GETTERS[signal]() is None


class Tracers(trace.NoOpTracerProvider):
    pass


class Meters(metrics.NoOpMeterProvider):
    pass


class Loggers(_logs.NoOpLoggerProvider):
    pass


INSTALLERS = {
    "trace": (otel_private.install_tracer_provider, Tracers),
    "metrics": (otel_private.install_meter_provider, Meters),
    "logs": (otel_private.install_logger_provider, Loggers),
}


@pytest.mark.parametrize("signal", GETTERS)
def test_a_provider_of_ours_that_ended_makes_room_for_the_next(signal):
    install, make = INSTALLERS[signal]
    installed = GETTERS[signal]
    found = []
    for _ in range(2):
        provider = make()
        install(provider)
        found.append(installed() is provider)
        otel_private.mark_ended(signal, provider)
        found.append(installed())
    assert found == [True, None, True, None]


def test_a_provider_of_somebody_else_stays(caplog):
    first, second = Tracers(), Tracers()
    otel_private.install_tracer_provider(first)
    try:
        otel_private.install_tracer_provider(second)
        assert otel_private.installed_tracer_provider() is first
        assert "Overriding of current TracerProvider is not allowed" in caplog.text
    finally:
        otel_private.mark_ended("trace", first)


def test_when_the_private_names_are_gone_the_public_setter_has_the_last_word(monkeypatch, caplog):
    first = Tracers()
    otel_private.install_tracer_provider(first)
    otel_private.mark_ended("trace", first)
    once = trace._TRACER_PROVIDER_SET_ONCE
    with monkeypatch.context() as patch:
        patch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", SimpleNamespace(do_once=once.do_once))
        otel_private.install_tracer_provider(Tracers())
    assert trace.get_tracer_provider() is first
    assert "not allowed" in caplog.text


# The distribution


def stock(*names: str, monkeypatch):
    """The SDK's configurator without some of its private names."""
    from opentelemetry.sdk import _configuration

    for name in names:
        monkeypatch.delattr(_configuration, name)
    return _configuration


@pytest.mark.parametrize("name", ["_initialize_components", "LoggerProvider"])
def test_a_configurator_that_moved_is_not_called(monkeypatch, name):
    stock(name, monkeypatch=monkeypatch)
    assert otel_private.initialize_sdk(pytest.fail, auto_instrumentation_version="1") is False


def test_a_configurator_that_takes_other_arguments_is_not_called(monkeypatch):
    module = stock(monkeypatch=monkeypatch)
    monkeypatch.setattr(module, "_initialize_components", lambda resource: pytest.fail("called"))
    assert otel_private.initialize_sdk(pytest.fail, auto_instrumentation_version="1") is False


@pytest.mark.parametrize("value", [None, "otlp"])
def test_the_configurator_gets_our_provider_and_no_exporters_of_logs(monkeypatch, value):
    module = stock(monkeypatch=monkeypatch)
    original, made = module.LoggerProvider, []
    if value is None:
        monkeypatch.delenv("OTEL_LOGS_EXPORTER", raising=False)
    else:
        monkeypatch.setenv("OTEL_LOGS_EXPORTER", value)

    def initialize(version: str) -> None:
        made.append((version, module.LoggerProvider(), os.environ["OTEL_LOGS_EXPORTER"]))
        raise RuntimeError("and it fails")

    monkeypatch.setattr(module, "_initialize_components", initialize)
    with pytest.raises(RuntimeError, match="and it fails"):
        otel_private.initialize_sdk(lambda: "ours", version="1")
    assert made == [("1", "ours", "none")]
    assert (module.LoggerProvider, os.environ.get("OTEL_LOGS_EXPORTER")) == (original, value)


@pytest.mark.parametrize("provider", [SimpleNamespace(), SimpleNamespace(_atexit_handler=None)])
def test_a_provider_without_an_exit_handler_stays_as_it_is(provider):
    before = vars(provider).copy()
    otel_private.forget_exit_handler(provider)
    assert vars(provider) == before


def test_an_exit_handler_is_forgotten(monkeypatch):
    forgotten = []
    monkeypatch.setattr(otel_private.atexit, "unregister", forgotten.append)
    provider = SimpleNamespace(_atexit_handler=print)
    otel_private.forget_exit_handler(provider)
    assert (forgotten, provider._atexit_handler) == ([print], None)


def test_a_resource_without_the_private_reader_has_the_attributes_of_its_section(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.configuration._resource", None)
    named = [SimpleNamespace(name="shard", value=7), SimpleNamespace(name="unset", value=None)]
    attributes = otel_private.declared_resource(SimpleNamespace(attributes=named)).attributes
    assert (attributes["shard"], "unset" in attributes) == (7, False)


def test_a_logger_config_is_the_sdk_s_or_reads_the_same(monkeypatch):
    from opentelemetry.sdk._logs import _internal

    assert otel_private.logger_config(otel_private.new_logger_config(False)) == (False, 0, False)
    monkeypatch.delattr(_internal, "_LoggerConfig")
    assert otel_private.logger_config(otel_private.new_logger_config(False)) == (False, 0, False)
