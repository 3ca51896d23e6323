"""Exporters, processors and enrichers that answer what nobody foresaw: no block is stuck, no thread stays."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.context import get_current
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

import fapilog
from fapilog.distro.otel_config_setup import NoPropagator
from fapilog.exporters.base import ExportOutcome
from fapilog.exporters.signature import verify
from tests.unit.distributions import install


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Abort(BaseException):
    pass


def settings() -> fapilog.Settings:
    return fapilog.Settings.load(environ={}, capture_location="never")


def raising(error: BaseException) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


ODD: dict[str, Callable[[], Any]] = {
    "infinite pause": lambda: ExportOutcome(retry=True, retry_after_millis=float("inf")),  # type: ignore[arg-type]
    "no number": lambda: ExportOutcome(retry=True, retry_after_millis=float("nan")),  # type: ignore[arg-type]
    "huge count": lambda: ExportOutcome(delivered=10**5_000),
    "unprintable cause": lambda: ExportOutcome(cause=UnprintableError()),  # type: ignore[arg-type]
    "unprintable error": raising(UnprintableError()),
    "interrupt": raising(Abort()),
}


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_an_odd_answer_of_an_exporter_decides_its_block_or_sends_it_again(answer, capsys):
    class Odd:
        name = "odd"
        calls = 0

        async def export_batch(self, batch: fapilog.LogBatch) -> ExportOutcome:
            self.calls += 1
            return answer() if self.calls == 1 else ExportOutcome(delivered=len(batch))

    with fapilog.LoggerProvider(settings=settings(), exporters=[Odd()]) as provider:
        provider.get_logger("shop").emit(body="first")
        flushed = provider.force_flush(5_000)
        ledger = provider.ledger()
        assert (flushed, ledger.exporters["odd"].pending, ledger.balanced) == (True, 0, True), str(ledger)


@pytest.mark.parametrize("error", [Abort(), UnprintableError()], ids=["interrupt", "unprintable"])
def test_what_one_batch_processor_changed_stays_when_the_next_fails(error, capsys):
    async def scrub(batch):
        for record in batch:
            record.log_record.body = "scrubbed"
        return list(batch)

    async def fail(batch):
        raise error

    exporter = InMemoryLogRecordExporter()
    with fapilog.LoggerProvider(
        settings=settings(), exporters=[exporter], batch_processors=[scrub, fail]
    ) as provider:
        provider.get_logger("shop").emit(body="ssn 123")
        assert provider.force_flush(5_000)
    assert [record.log_record.body for record in exporter.get_finished_logs()] == ["scrubbed"]


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Two batch processors in an installed package: `drop`, and `name`, which writes its name into bodies."""
    code = """
        class Drop:
            async def process(self, batch):
                return []

        class Name:
            async def process(self, batch):
                for record in batch:
                    record.log_record.body += " named"
                return batch
    """
    found = {"drop": "odd_drop:Drop", "name": "odd_drop:Name"}
    install(tmp_path, "odd-drop", {"fapilog.processors": found}, code)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("plugins")
def test_a_batch_processor_is_named_by_an_entry_point():
    exporter = InMemoryLogRecordExporter()
    with fapilog.LoggerProvider(
        settings=settings(), exporters=[exporter], batch_processors=["drop"]
    ) as provider:
        provider.get_logger("shop").emit(body="dropped")
        assert provider.force_flush(5_000)
        assert sum(provider.ledger().exporters["InMemoryLogRecordExporter"].dropped.values()) == 1


def bodies(provider, exporter):
    """Answer what reaches the exporter of one record."""
    provider.get_logger("shop").emit(body="one")
    assert provider.force_flush(5_000)
    return [record.log_record.body for record in exporter.get_finished_logs()]


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, ["one named"]), ((), ["one"]), (("drop",), []), (("name", "name"), ["one named named"])],
)
@pytest.mark.usefixtures("plugins")
def test_batch_processors_are_named_by_a_setting_and_an_argument_wins(given, expected):
    named = fapilog.Settings.load(environ={"FAPILOG_BATCH_PROCESSORS": "name"})
    exporter = InMemoryLogRecordExporter()
    with fapilog.LoggerProvider(settings=named, exporters=[exporter], batch_processors=given) as provider:
        assert bodies(provider, exporter) == expected


@pytest.mark.usefixtures("plugins")
def test_configure_otel_takes_names_of_batch_processors_as_the_setting_and_mixes_them_with_functions():
    async def shout(batch):
        for record in batch:
            record.log_record.body = record.log_record.body.upper()
        return batch

    for given, names, expected in (
        (["name"], ("name",), ["one named"]),
        (["name", shout], ("name",), ["ONE NAMED"]),
        ([shout, "name"], ("name",), ["ONE named"]),
        ([shout], (), ["ONE"]),
    ):
        exporter = InMemoryLogRecordExporter()
        with fapilog.configure_otel("shop", exporters=[exporter], batch_processors=given) as telemetry:
            assert telemetry.settings.batch_processors == names
            assert bodies(telemetry.logger_provider, exporter) == expected


def test_a_configuration_file_names_batch_processors(plugins):
    file = plugins / "otel.yaml"
    file.write_text('file_format: "1.0"\ndistribution:\n  fapilog:\n    batch_processors: [name]\n')
    exporter = InMemoryLogRecordExporter()
    loaded = fapilog.Settings.load(file, environ={})
    with fapilog.LoggerProvider(settings=loaded, exporters=[exporter]) as provider:
        assert bodies(provider, exporter) == ["one named"]


def test_an_unknown_name_of_a_batch_processor_is_an_error_that_says_where_it_is_from():
    unknown = fapilog.Settings.load(environ={"FAPILOG_BATCH_PROCESSORS": "nobody"})
    with pytest.raises(fapilog.ConfigurationError) as caught:
        fapilog.LoggerProvider(settings=unknown, exporters=["none"])
    assert (caught.value.code, caught.value.settings[0].name) == ("plugin-unknown", "batch_processors")


def test_the_thread_of_a_refreshed_enricher_ends_with_its_provider():
    for _ in range(5):
        with fapilog.LoggerProvider(
            settings=settings(), exporters=["none"], enrichers=["system"]
        ) as provider:
            provider.get_logger("shop").emit(body="one")
    left = [thread for thread in threading.enumerate() if thread.name.startswith("fapilog-enrich")]
    for thread in left:
        thread.join(5)
    assert [thread for thread in left if thread.is_alive()] == []


def test_a_signature_that_is_no_text_is_refused():
    assert not verify({"X-Fapilog-Signature": None}, b"{}", "secret")  # type: ignore[dict-item]


def test_a_file_without_propagator_propagates_nothing_and_breaks_no_request():
    carrier: dict[str, str] = {}
    NoPropagator().inject(carrier)
    assert (carrier, NoPropagator().extract({"traceparent": "x"}), NoPropagator().fields) == (
        {},
        get_current(),
        set(),
    )
