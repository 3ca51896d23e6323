"""`FapilogLogRecordProcessor`: levels and rules, and what else it takes as `LoggerProvider` does."""

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from fapilog import FapilogLogRecordProcessor, Settings, diagnostics
from fapilog.errors import ConfigurationError
from fapilog.testing import OtlpReceiver

DEBUG, INFO = SeverityNumber.DEBUG, SeverityNumber.INFO


class World:
    """A processor behind stock providers."""

    def __init__(self, **settings):
        self.exporter = InMemoryLogRecordExporter()
        loaded = Settings.load(environ={}, **settings)
        self.processor = FapilogLogRecordProcessor(self.exporter, settings=loaded)

    def emit(self, scope, severity, service="shop"):
        """Emit through a provider of its own; answer whether the exporter got the record."""
        provider = SdkLoggerProvider(Resource({"service.name": service}), shutdown_on_exit=False)
        provider.add_log_record_processor(self.processor)
        before = len(self.exporter.get_finished_logs())
        provider.get_logger(scope).emit(severity_number=severity)
        assert self.processor.force_flush(5_000)
        return len(self.exporter.get_finished_logs()) > before

    def enabled(self, scope, severity=None):
        """Answer what the processor says of such a record."""
        asked = {"instrumentation_scope": InstrumentationScope(scope), "severity_number": severity}
        return self.processor.enabled(**asked)


@pytest.fixture
def world():
    """Makes worlds, and shuts them down."""
    made = []

    def make(**settings):
        made.append(World(**settings))
        return made[-1]

    yield make
    for each in made:
        each.processor.shutdown()


def test_enabled_answers_what_rules_and_levels_would_do(world):
    shop = world(rules={"urllib3.*": "off", "careful": "info"}, levels={"loud.part": "info"})
    asked = [
        ("urllib3.pool", INFO),
        ("careful", DEBUG),
        ("careful", INFO),
        ("loud.part.x", DEBUG),
        ("any", DEBUG),
    ]
    said = [shop.enabled(*each) for each in asked]
    assert said == [shop.emit(*each) for each in asked] == [False, False, True, False, True]
    assert shop.enabled("careful") is True
    assert shop.enabled("urllib3.pool") is False
    shop.processor.shutdown()
    assert shop.enabled("any", INFO) is False


def test_levels_and_rules_change_at_run_time_for_pipelines_that_are_open_and_that_open_later(world):
    shop = world()
    assert shop.emit("orders", DEBUG)
    shop.processor.set_level("info")
    shop.processor.set_rules({"silent": "off"})
    for service in ("shop", "later"):
        assert [shop.emit(scope, INFO, service) for scope in ("orders", "silent")] == [True, False]
        assert shop.emit("orders", DEBUG, service) is False
    assert (shop.enabled("orders", DEBUG), shop.enabled("silent", INFO)) == (False, False)
    shop.processor.set_level("trace", for_seconds=600)
    shop.processor.set_rules({}, for_seconds=600)
    for service in ("shop", "later", "last"):
        assert (shop.emit("orders", DEBUG, service), shop.emit("silent", INFO, service)) == (True, True)
    shop.processor.set_level("info")  # ends the time box
    assert (shop.emit("orders", DEBUG, "shop"), shop.emit("orders", DEBUG, "one more")) == (False, False)


@pytest.mark.parametrize("change", [{"set_level": "loud"}, {"set_rules": {"a": "loud"}}])
def test_a_wrong_change_is_an_error_and_changes_nothing(world, change):
    shop = world()
    [(method, value)] = change.items()
    with pytest.raises(ConfigurationError):
        getattr(shop.processor, method)(value)
    assert shop.emit("orders", DEBUG)


def test_auth_batch_processors_and_enrichers_are_taken_as_a_provider_takes_them():
    async def shout(batch):
        for record in batch:
            record.log_record.body = record.log_record.body.upper()
        return batch

    with OtlpReceiver() as receiver:
        otlp = {"endpoint": receiver.logs_endpoint}
        processor = FapilogLogRecordProcessor(
            settings=Settings.load(environ={}, otlp=otlp),
            batch_processors=[shout],
            auth=lambda: {"authorization": "Bearer abc"},
            enrichers=[{"team": "checkout"}],
        )
        provider = SdkLoggerProvider(Resource({}), shutdown_on_exit=False)
        provider.add_log_record_processor(processor)
        provider.get_logger("orders").emit(body="one", severity_number=INFO)
        assert provider.force_flush(20_000)
        [record] = receiver.log_records
        assert (record.body, record.attributes) == ("ONE", {"team": "checkout"})
        assert receiver.requests[-1].headers["authorization"] == "Bearer abc"
        provider.shutdown()


def test_processors_of_the_setting_belong_to_a_provider_of_ours_and_that_is_said(world, capsys):
    diagnostics._voice.forget()
    world(processors=("region",))
    assert capsys.readouterr().err == (
        "fapilog: the processors region (argument) run on a provider of fapilog alone: add them to yours"
        " [processors-unused]\n"
    )
    diagnostics._voice.forget()
