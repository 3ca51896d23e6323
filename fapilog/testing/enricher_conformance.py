"""What fapilog expects of an enricher, as a pytest class: inherit, give yours, run."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

from fapilog.ledger import Ledger
from fapilog.otel.provider import LoggerProvider
from fapilog.plugins import is_async
from fapilog.settings import Settings


class EnricherConformance:
    """Behaviour that records rely on of a mapping, a function or an async function. Override `make_enricher`.

    Example:
        >>> class TestTenant(EnricherConformance):
        ...     def make_enricher(self):
        ...         return lambda: {"tenant": "acme"}
        >>> TestTenant().test_it_answers_with_named_attributes_or_none()
    """

    timeout_seconds = 5.0
    """Time for one answer, as `enrichment.timeout_millis`."""

    def make_enricher(self) -> Any:
        """Return a new enricher; called once per test."""
        raise NotImplementedError("make_enricher() returns the enricher under test")

    def test_it_answers_with_named_attributes_or_none(self) -> None:
        """Asked twice it gives mappings whose keys are text, or None, within its time, and never raises."""
        made = self.make_enricher()
        for answer in (self._ask(made), self._ask(made)):
            assert answer is None or isinstance(answer, Mapping), type(answer)
            assert all(isinstance(key, str) and key for key in answer or {}), answer

    def test_it_may_be_asked_from_many_threads_at_once(self) -> None:
        """Callers on several threads ask at the same time; each gets an answer."""
        made = self.make_enricher()
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: self._ask(made), range(32)))
        assert all(answer is None or isinstance(answer, Mapping) for answer in answers)

    def test_nobody_changes_what_it_gave(self) -> None:
        """Records are logged and the answer it gives afterwards has the keys that it had before."""
        made = self.make_enricher()
        before = set(self._ask(made) or {})
        self._log(made)
        assert set(self._ask(made) or {}) == before

    def test_behind_a_provider_the_record_is_logged_and_the_call_wins(self) -> None:
        """No record is lost over it, and an attribute of the call stays."""
        made = self.make_enricher()
        key = next(iter(self._ask(made) or {}), "any.key")
        ledger, attributes = self._log(made, **{key: "of the call"})
        assert (ledger.accepted, ledger.balanced) == (1, True), str(ledger)
        assert attributes[key] in ("of the call", "[REDACTED:secret]"), attributes

    def _log(self, made: Any, **attributes: Any) -> tuple[Ledger, dict[str, Any]]:
        settings = Settings.load(environ={}, capture_location="never")
        exporter: Any = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        with LoggerProvider(settings=settings, exporters=[exporter], enrichers=[made]) as provider:
            provider.get_logger("conformance").emit(body="a record", attributes=attributes)
            provider.force_flush()
            [record] = exporter.get_finished_logs()
            return provider.ledger(), dict(record.log_record.attributes or {})

    def _ask(self, made: Any) -> Any:
        if isinstance(made, Mapping):
            return made
        if not is_async(made):
            return made()

        async def ask() -> Any:
            return await asyncio.wait_for(made(), self.timeout_seconds)

        return asyncio.run(ask())
