"""`processors`: log record processors of OpenTelemetry by name, from installed packages and as objects."""

import pytest
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

import fapilog
from tests.unit.distributions import install

CODE = """
    from opentelemetry.sdk._logs import LogRecordProcessor

    class Region(LogRecordProcessor):
        def on_emit(self, log_record):
            log_record.log_record.attributes["region"] = "eu"

        def shutdown(self):
            pass

        def force_flush(self, timeout_millis=30_000):
            return True

    class Keys(Region):
        def on_emit(self, log_record):
            log_record.log_record.attributes["keys"] = ",".join(log_record.log_record.attributes)

    class Refused(Region):
        def __init__(self):
            raise RuntimeError("no key")

    class Scrub:
        async def process(self, batch):
            return batch
"""
POINTS = {
    "region": "acme_otel:Region",
    "keys": "acme_otel:Keys",
    "refused": "acme_otel:Refused",
    "scrub": "acme_otel:Scrub",
}


@pytest.fixture(autouse=True)
def plugins(tmp_path, monkeypatch):
    """A package with log record processors, one of them broken, and a batch processor."""
    install(tmp_path, "acme-otel", {"fapilog.processors": POINTS}, CODE)
    monkeypatch.syspath_prepend(str(tmp_path))


class Tenant(LogRecordProcessor):
    def on_emit(self, log_record):
        log_record.log_record.attributes["tenant"] = "a"

    def shutdown(self):
        pass

    def force_flush(self, timeout_millis=30_000):
        return True


class Batch:
    async def process(self, batch):
        return batch


def attributes(provider, exporter):
    """Answer the attributes that reach the exporter of one record."""
    provider.get_logger("shop").emit(body="one")
    assert provider.force_flush(5_000)
    [record] = exporter.get_finished_logs()
    return {key: value for key, value in record.log_record.attributes.items() if key != "fapilog.sequence"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {"region": "eu", "keys": "region"}),
        ((), {}),
        ("region", {"region": "eu"}),
        (["keys", "region"], {"keys": "", "region": "eu"}),
        ([Tenant(), "keys"], {"tenant": "a", "keys": "tenant"}),
        (["region", "refused"], {"region": "eu"}),
    ],
)
def test_a_setting_names_processors_and_an_argument_wins(given, expected):
    named = fapilog.Settings.load(environ={"FAPILOG_PROCESSORS": "region,keys"}, sequence=False)
    exporter = InMemoryLogRecordExporter()
    with fapilog.LoggerProvider(settings=named, exporters=[exporter], processors=given) as provider:
        assert attributes(provider, exporter) == expected


@pytest.mark.parametrize(
    ("given", "names", "expected"),
    [
        (["region"], ("region",), {"region": "eu"}),
        ([Tenant(), "keys"], ("keys",), {"tenant": "a", "keys": "tenant"}),
        ([Tenant()], (), {"tenant": "a"}),
    ],
)
def test_configure_otel_takes_names_as_the_setting_and_mixes_them_with_objects(given, names, expected):
    exporter = InMemoryLogRecordExporter()
    with fapilog.configure_otel("shop", exporters=[exporter], processors=given, sequence=False) as telemetry:
        assert telemetry.settings.processors == names
        assert attributes(telemetry.logger_provider, exporter) == expected


def test_the_processor_that_stands_for_several_comes_first():
    exporter = InMemoryLogRecordExporter()
    with fapilog.LoggerProvider(None, True, Tenant(), exporters=[exporter], processors=["keys"]) as provider:
        assert attributes(provider, exporter) == {"tenant": "a", "keys": "tenant"}


BATCH_REMEDY = "pass an object with `async def process(self, batch)`, or an async function that takes a batch"


@pytest.mark.parametrize(
    ("wrong", "what", "value", "remedy"),
    [
        (
            {"batch_processors": ["region"]},
            "'region' is a `LogRecordProcessor` of OpenTelemetry, no batch processor",
            "'region'",
            "name it in `processors`",
        ),
        (
            {"batch_processors": [Tenant()]},
            "<Tenant> is a `LogRecordProcessor` of OpenTelemetry, no batch processor",
            "<Tenant>",
            "name it in `processors`",
        ),
        (
            {"batch_processors": [lambda batch: batch]},
            "a batch processor is not async: it would hold up the delivery of every exporter",
            "<function>",
            BATCH_REMEDY,
        ),
        ({"batch_processors": [Batch]}, "this is no batch processor", "<type>", BATCH_REMEDY),
        ({"batch_processors": [5]}, "this is no batch processor", "<int>", BATCH_REMEDY),
        (
            {"batch_processors": Batch()},
            "batch_processors is no list",
            "a Batch",
            "put it into brackets: batch_processors=[...]",
        ),
        (
            {"processors": ["scrub"]},
            "'scrub' is a batch processor, not a `LogRecordProcessor` of OpenTelemetry",
            "'scrub'",
            "name it in `batch_processors`",
        ),
        (
            {"processors": [Tenant]},
            "this is no log record processor",
            "<ABCMeta>",
            "pass a `LogRecordProcessor` of OpenTelemetry, or the name of a plugin",
        ),
    ],
)
def test_a_processor_of_the_wrong_kind_is_refused_with_the_place_for_it(wrong, what, value, remedy):
    with pytest.raises(fapilog.ConfigurationError) as caught:
        fapilog.LoggerProvider(exporters=["none"], **wrong)
    [setting] = caught.value.settings
    assert (caught.value.code, caught.value.what) == ("setting-invalid", what)
    assert (setting.value, setting.origin, setting.remedy) == (value, "argument", remedy)


@pytest.mark.parametrize(
    ("variable", "name"), [("FAPILOG_PROCESSORS", "scrub"), ("FAPILOG_BATCH_PROCESSORS", "region")]
)
def test_a_name_in_the_wrong_variable_is_an_error_that_says_which(variable, name):
    settings = fapilog.Settings.load(environ={variable: name})
    with pytest.raises(fapilog.ConfigurationError) as caught:
        fapilog.LoggerProvider(settings=settings, exporters=["none"])
    [setting] = caught.value.settings
    assert (setting.value, setting.origin) == (repr(name), variable)


def test_names_of_exporters_and_of_batch_processors_may_be_one_text():
    with fapilog.LoggerProvider(exporters="none", batch_processors="scrub") as provider:
        provider.get_logger("shop").emit(body="one")
        assert provider.ledger().accepted == 1
