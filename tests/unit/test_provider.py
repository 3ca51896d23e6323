"""`LoggerProvider` keeps the promises of the OpenTelemetry logs API and SDK."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from opentelemetry import trace
from opentelemetry._logs import LogRecord, NoOpLogger, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
from opentelemetry.sdk._logs import LogRecordLimits
from opentelemetry.sdk.resources import Resource

from fapilog import LoggerProvider, Settings, diagnostics
from fapilog.errors import ConfigurationError
from fapilog.testing import OtlpReceiver
from tests.unit.recording import NOW, Recorder, decode, expected

SPAN = trace.SpanContext(0xA, 0xB, is_remote=False, trace_flags=trace.TraceFlags(1))
IN_SPAN = trace.set_span_in_context(trace.NonRecordingSpan(SPAN), Context())
UNSAMPLED = trace.set_span_in_context(
    trace.NonRecordingSpan(trace.SpanContext(0xA, 0xB, is_remote=False)), Context()
)
FIELDS = {
    "timestamp": 1,
    "observed_timestamp": 2,
    "context": IN_SPAN,
    "severity_number": SeverityNumber.WARN,
    "severity_text": "careful",
    "body": {"order": 1},
    "attributes": {"k": "v", "password": "p"},
    "event_name": "e",
}
WHOLE = expected(
    13,
    "careful",
    {"order": 1},
    time_unix_nano=1,
    observed_time_unix_nano=2,
    attributes={"k": "v", "password": "[REDACTED:secret]"},
    event_name="e",
    trace_id=f"{0xA:032x}",
    span_id=f"{0xB:016x}",
    flags=1,
)


def test_both_forms_of_emit_record_every_field():
    with Recorder() as recorder:
        logger = recorder.provider.get_logger("shop")
        logger.emit(**FIELDS)
        logger.emit(LogRecord(**FIELDS))
        assert recorder.records == [WHOLE, WHOLE]


def test_an_empty_record_has_no_time_no_severity_and_the_current_span():
    with Recorder() as recorder, trace.use_span(trace.NonRecordingSpan(SPAN)):
        recorder.provider.get_logger("shop").emit()
        ids = {"trace_id": f"{0xA:032x}", "span_id": f"{0xB:016x}", "flags": 1}
        assert recorder.only == expected(0, "", time_unix_nano=0, observed_time_unix_nano=NOW, **ids)


def test_an_exception_is_described_in_both_forms_and_given_attributes_win():
    error = ValueError("v")
    with Recorder() as recorder:
        logger = recorder.provider.get_logger("shop")
        logger.emit(exception=error, attributes={"exception.message": "mine"})
        logger.emit(LogRecord(exception=error, attributes={"exception.message": "mine"}))
        stack = "ValueError: v\n"
        wanted = {
            "exception.type": "ValueError",
            "exception.message": "mine",
            "exception.stacktrace": stack,
        }
        assert [record.attributes for record in recorder.records] == [wanted, wanted]
        assert {record.repeated_keys for record in recorder.records} == {()}


@pytest.mark.filterwarnings("ignore:LogRecord init with:DeprecationWarning")
def test_ids_given_to_a_log_record_are_kept():
    record = LogRecord(body="x", trace_id=0xC, span_id=0xD, trace_flags=trace.TraceFlags(1))
    with Recorder() as recorder:
        recorder.provider.get_logger("shop").emit(record)
        found = (recorder.only.trace_id, recorder.only.span_id, recorder.only.flags)
    assert found == (f"{0xC:032x}", f"{0xD:016x}", 1)


def test_an_unspecified_severity_passes_every_level_and_is_enabled():
    with Recorder(level="error") as recorder:
        logger = recorder.provider.get_logger("shop")
        for number in (None, SeverityNumber.UNSPECIFIED, SeverityNumber.INFO, SeverityNumber.ERROR):
            logger.emit(body=str(number), severity_number=number)
        kept = [record.body for record in recorder.records]
        enabled = [
            logger.enabled(),
            logger.enabled(severity_number=SeverityNumber.UNSPECIFIED),
            logger.enabled(severity_number=SeverityNumber.INFO, event_name="e", context=Context()),
            logger.enabled(severity_number=SeverityNumber.ERROR),
        ]
    assert kept == ["None", "SeverityNumber.UNSPECIFIED", "SeverityNumber.ERROR"]
    assert enabled == [True, True, False, True]


@pytest.mark.parametrize(
    ("wrong", "corrected"),
    [
        ({"timestamp": "now"}, {"time_unix_nano": 0}),
        ({"timestamp": -1}, {"time_unix_nano": 0}),
        ({"observed_timestamp": 2**64}, {"observed_time_unix_nano": NOW}),
        ({"severity_number": 9}, {"severity_number": 9}),
        ({"severity_number": "high"}, {"severity_number": 0}),
        ({"severity_text": 9}, {"severity_text": "9"}),
        ({"event_name": 9}, {"event_name": "9"}),
    ],
)
def test_fields_of_a_wrong_type_are_corrected_and_the_record_is_kept(capsys, wrong, corrected):
    diagnostics._voice.forget()
    with Recorder() as recorder:
        recorder.provider.get_logger("shop").emit(body="x", **wrong)
        assert recorder.only == replace(expected(0, "", "x", time_unix_nano=0), **corrected)
    assert capsys.readouterr().err == ""


def test_a_record_that_is_none_of_opentelemetrys_is_said_and_does_not_raise(capsys):
    diagnostics._voice.forget()
    with Recorder() as recorder:
        recorder.provider.get_logger("shop").emit("no record")
        assert recorder.records == []
    said = capsys.readouterr().err
    assert said.startswith("fapilog: a record of logger 'shop' is not one of OpenTelemetry's: ")
    assert said.endswith(" [otel-record-lost]\n")


def test_scope_and_resource_reach_the_receiver():
    with OtlpReceiver() as receiver:
        settings = Settings.load(environ={}, otlp={"endpoint": receiver.logs_endpoint}, sequence=False)
        with LoggerProvider(Resource({"service.name": "shop"}), settings=settings) as provider:
            provider.pipeline.fix_clock(NOW)
            scope = ("orders", "1.2", "https://example.org/schema", {"team": "a"})
            provider.get_logger(*scope).emit(body="x")
            assert provider.force_flush()
        [record] = receiver.log_records
    assert record == expected(
        0,
        "",
        "x",
        time_unix_nano=0,
        scope_name="orders",
        scope_version="1.2",
        scope_attributes={"team": "a"},
        resource={"service.name": "shop"},
    )


def test_a_logger_without_a_name_works():
    with Recorder() as recorder:
        recorder.provider.get_logger(None).emit(body="x")
        assert recorder.only.scope_name == ""


def test_after_shutdown_loggers_do_nothing():
    recorder = Recorder()
    before = recorder.provider.get_logger("shop")
    assert recorder.provider.shutdown() is True
    assert recorder.provider.shutdown() is True
    before.emit(body="x")
    assert isinstance(recorder.provider.get_logger("shop"), NoOpLogger)
    assert recorder.records == []
    refused = recorder.provider.ledger().refused
    assert {reason: count for reason, count in refused.items() if count} == {"shut_down": 1}
    assert recorder.provider.finish() is True


def test_a_disabled_provider_gives_loggers_that_do_nothing():
    with Recorder(disabled=True) as recorder:
        assert isinstance(recorder.provider.get_logger("shop"), NoOpLogger)


SCOPES = [
    ("shop", None, None, None),
    ("shop", "1", None, None),
    ("shop", "1", "https://example.org/schema", None),
    ("shop", "1", None, {"a": 1}),
    ("shop", "1", None, {"a": True}),
]


def test_the_same_scope_gives_the_same_logger_and_another_scope_another():
    with Recorder() as recorder:
        get = recorder.provider.get_logger
        loggers = [get(*scope) for scope in SCOPES]
        again = [get(*scope[:3], dict(scope[3]) if scope[3] else scope[3]) for scope in SCOPES]
        assert [one is other for one, other in zip(loggers, again, strict=True)] == [True] * 5
        assert len({id(logger) for logger in loggers}) == 5


class Raises:
    def __hash__(self):
        raise RuntimeError("no")

    __str__ = __repr__ = items = __iter__ = __len__ = __hash__


@pytest.mark.parametrize("scope", [("shop", Raises(), Raises()), (Raises(),), ("shop", None, None, Raises())])
def test_a_scope_that_cannot_be_read_gives_a_logger_that_works(scope):
    with Recorder() as recorder:
        recorder.provider.get_logger(*scope).emit(body="x")
        assert recorder.only.body == "x"


@pytest.mark.parametrize(("name", "shown"), [("", "''"), (None, "None"), (7, "7")])
def test_a_name_that_is_none_is_said_once_and_the_logger_works(capsys, name, shown):
    diagnostics._voice.forget()
    with Recorder() as recorder:
        for _ in range(2):
            recorder.provider.get_logger(name).emit(body="x")
        assert [record.body for record in recorder.records] == ["x", "x"]
    message = f"fapilog: a logger was asked for with the name {shown}; it works [scope-without-name]\n"
    assert capsys.readouterr().err == message


def test_limits_of_stock_code_win_over_the_settings():
    for limits, kept in (
        (LogRecordLimits(1, 3, 2, 4), ["a", "b"]),
        (LogRecordLimits(1, 4), ["a"]),
        (LogRecordLimits(LogRecordLimits.UNSET, 4, LogRecordLimits.UNSET), ["a", "b", "c"]),
    ):
        with LoggerProvider(Resource.get_empty(), exporters=["none"], log_record_limits=limits) as provider:
            records = []
            provider.pipeline.add_tap(lambda record, scope, to=records: to.append(decode(record, scope)))
            provider.get_logger("shop").emit(attributes=dict.fromkeys("abc", "12345"))
        [record] = records
        attributes = {key: value for key, value in record.attributes.items() if key != "fapilog.sequence"}
        assert attributes == dict.fromkeys(kept, "1234")


def test_variables_that_the_sdk_would_raise_for_do_not_reach_it(monkeypatch):
    monkeypatch.setenv("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "many")
    monkeypatch.setenv("OTEL_ATTRIBUTE_COUNT_LIMIT", "-1")
    with LoggerProvider(exporters=["none"]) as provider:
        assert provider.settings.limits.attribute_count == 128


def test_an_argument_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="LoggerProvider takes no argument exporter"):
        LoggerProvider(exporter="otlp")


def test_an_argument_of_configure_otel_is_refused_with_where_to_put_it():
    with pytest.raises(TypeError) as caught:
        LoggerProvider(spool={"directory": "/var/spool"}, otlp={}, on_error=print)
    assert str(caught.value) == (
        "LoggerProvider takes no argument on_error, otlp, spool;"
        " pass settings=Settings.load(otlp=..., spool=...) and on_error is told to configure_otel()"
    )


@dataclass
class Config:
    """A `LoggerConfig` as the specification has it; the SDK's has only `is_enabled`."""

    is_enabled: bool = True
    minimum_severity: SeverityNumber | None = None
    trace_based: bool = False


def configurator(scope):
    return {"off": Config(False), "warned": Config(minimum_severity=SeverityNumber.WARN)}.get(
        scope.name, Config(trace_based=True)
    )


def test_a_logger_configurator_decides_when_a_logger_is_made():
    with LoggerProvider(exporters=["console"], _logger_configurator=configurator) as provider:
        enabled = {
            name: (
                provider.get_logger(name).enabled(severity_number=SeverityNumber.INFO),
                provider.get_logger(name).enabled(severity_number=SeverityNumber.ERROR, context=UNSAMPLED),
            )
            for name in ("off", "warned", "other")
        }
    assert enabled == {"off": (False, False), "warned": (False, True), "other": (True, False)}


def test_a_new_logger_configurator_applies_to_loggers_that_exist(capsys):
    diagnostics._voice.forget()
    with Recorder() as recorder:
        loggers = [recorder.provider.get_logger(name) for name in ("off", "warned")]
        recorder.provider._set_logger_configurator(logger_configurator=configurator)
        for logger in loggers:
            logger.emit(body="info", severity_number=SeverityNumber.INFO)
            logger.emit(body="error", severity_number=SeverityNumber.ERROR)
        recorder.provider._set_logger_configurator(logger_configurator=lambda scope: 1 / 0)
        recorder.provider.get_logger("off").emit(body="still off")
        recorder.provider._set_logger_configurator(logger_configurator=lambda scope: Config())
        recorder.provider.get_logger("off").emit(body="on")
        assert [record.body for record in recorder.records] == ["error", "on"]
    assert "the logger configurator failed for 'off'" in capsys.readouterr().err


def test_a_new_logger_configurator_reaches_loggers_that_are_made_anew_for_each_call():
    with LoggerProvider(exporters=["console"]) as provider:
        logger = provider.get_logger("off", attributes={"parts": ["a", "b"]})
        assert provider.get_logger("off", attributes={"parts": ["a", "b"]}) is not logger
        provider._set_logger_configurator(logger_configurator=configurator)
        assert logger.enabled(severity_number=SeverityNumber.ERROR) is False


def test_a_configurator_that_comes_while_a_logger_is_made_decides_about_it():
    with LoggerProvider(exporters=["console"]) as provider:

        def replacing(scope):
            provider._set_logger_configurator(logger_configurator=configurator)
            return Config()

        provider._set_logger_configurator(logger_configurator=replacing)
        assert provider.get_logger("off").enabled(severity_number=SeverityNumber.ERROR) is False


def test_code_that_asks_for_the_sdk_provider_accepts_it():
    with Recorder() as recorder:
        assert isinstance(recorder.provider, SdkLoggerProvider)
        assert recorder.provider.resource == Resource.get_empty()


def test_leaving_the_block_shuts_down_sync_and_async():
    async def use() -> LoggerProvider:
        async with LoggerProvider(exporters=["none"]) as provider:
            return provider

    with LoggerProvider(exporters=["none"]) as provider:
        pass
    for one in (provider, asyncio.run(use())):
        assert isinstance(one.get_logger("x"), NoOpLogger)


@pytest.mark.parametrize(
    ("argument", "setting", "used"),
    [
        (None, None, ("otlp",)),
        (None, ["console"], ("console",)),
        (["none"], ["console"], ()),
        (["otlp", "console"], None, ("otlp", "console")),
    ],
)
def test_exporters_come_from_the_argument_then_the_settings_then_otlp(argument, setting, used):
    settings = Settings.load(environ={}, exporters=setting)
    provider = LoggerProvider(settings=settings, exporters=argument)
    assert provider.exporters == used
    provider.shutdown()


def test_a_proxy_that_cannot_be_used_is_a_configuration_error(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "nonsense://x")
    with pytest.raises(ConfigurationError) as caught:
        LoggerProvider(exporters=["otlp"])
    assert caught.value.code == "setting-invalid"
    assert caught.value.what.startswith("proxy URL in HTTP_PROXY is not usable")
    assert caught.value.remedy == "set it to http://host:port, or add the endpoint's host to NO_PROXY"


def test_a_certificate_that_is_none_is_a_configuration_error(tmp_path):
    path = tmp_path / "garbage.pem"
    path.write_text("garbage")
    otlp = {"certificate": str(path), "endpoint": "https://127.0.0.1:1/v1/logs"}
    with pytest.raises(ConfigurationError, match=r"garbage\.pem"):
        LoggerProvider(settings=Settings.load(environ={}, otlp=otlp))


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"resource": "x"}, "resource is no resource"),
        ({"exporters": []}, "exporters names no exporter"),
        ({"exporters": 5}, "exporters is no list"),
    ],
)
def test_an_argument_of_a_wrong_type_is_a_configuration_error(wrong, what):
    with pytest.raises(ConfigurationError) as caught:
        LoggerProvider(**wrong)
    assert (caught.value.code, caught.value.what) == ("setting-invalid", what)
