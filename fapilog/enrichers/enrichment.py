"""Stage 2 of 7, capture: the enrichers of one provider, what they said. Threads: caller, delivery loop.

A record gets, in this order, what it does not have yet: what enrichers say for this record, then the constant
and the refreshed attributes. Of two enricher of one kind the later one wins. Whatever an enricher raises or
returns, the record goes on; it is said once a minute.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry.sdk.resources import Resource

from fapilog import _native
from fapilog.diagnostics import Tell, shown_error
from fapilog.enrichers.base import Attributes, Source
from fapilog.enrichers.choice import choose
from fapilog.settings import Settings
from fapilog.timings import Timings


class Enrichment:
    """All enrichers of one provider. Holds no pipeline.

    Args:
        enrichers: Names, mappings and functions, mixed; None: those of the settings.
        settings: Validated settings.
        tell: Told what people should hear of.
        timings: Where calls are added up, as `enricher`.

    Raises:
        ConfigurationError: `enricher-unknown` or `enricher-invalid`.
    """

    def __init__(
        self, enrichers: Iterable[object] | None, settings: Settings, tell: Tell, timings: Timings
    ) -> None:
        self._sources = choose(settings.enrichers if enrichers is None else enrichers, settings)
        self._tell = tell
        self._timings = timings
        self._results: dict[int, Attributes] = {
            index: source.constant
            for index, source in enumerate(self._sources)
            if source.constant is not None
        }
        # What the resource of the process that made this says; and what holds for this process.
        self._at_first = self._now = self._describe()
        self._process = os.getpid()

    @property
    def refreshed(self) -> Mapping[int, Source]:
        """What has to be asked now and then, by the key that `answered` takes."""
        return {
            index: source
            for index, source in enumerate(self._sources)
            if source.ask is not None and source.refresh_seconds is not None
        }

    def describe(self, resource: Resource) -> Resource:
        """Return the resource with what enrichers know of process and machine; what it says already stays."""
        known = self._described()
        found = {key: value for key, value in known.items() if key not in resource.attributes}
        return resource.merge(Resource(found)) if found else resource

    def describe_child(self, resource: Resource) -> Resource:
        """Return the resource of a forked child: what enrichers said of the parent is said anew."""
        before = self._at_first
        changed = {
            key: value
            for key, value in self._described().items()
            if before.get(key) != value and resource.attributes.get(key) == before.get(key)
        }
        return resource.merge(Resource(changed)) if changed else resource

    def attach(self, pipeline: _native.Pipeline) -> None:
        """Let the records of a pipeline have what is known now, and what is asked for each of them."""
        if self._results:
            pipeline.set_enrichment(self._bound())
        asked = [source for source in self._sources if source.ask and source.refresh_seconds is None]
        if asked:
            pipeline.set_record_enrichers(_PerRecord(asked, self._tell, self._timings))

    def answered(self, key: int, answer: object) -> _native.BoundAttributes | None:
        """Take the answer of a refreshed enricher; return all attributes anew, None if it is no answer.

        An answer of None means that nothing is known any more.
        """
        if answer is not None and not isinstance(answer, Mapping):
            self.failed(key, f"it returned {type(answer).__name__}, not a mapping")
            return None
        self._results[key] = {} if answer is None else dict(answer)
        return self._bound()

    def failed(self, key: int, why: str) -> None:
        """Say that a refresh failed; records keep what the enricher said before."""
        name = self._sources[key].name
        self._tell("enricher-failed", f"enricher {name}: {why}; its last answer stays", name)

    def _bound(self) -> _native.BoundAttributes:
        merged: dict[str, Any] = {}
        for key in sorted(self._results):
            merged |= self._results[key]
        return _native.BoundAttributes(merged)

    def _described(self) -> dict[str, Any]:
        """What holds for this process, which may be a child of the one that made this."""
        if self._process != os.getpid():
            self._now, self._process = self._describe(), os.getpid()
        return self._now

    def _describe(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for source in self._sources:
            if source.describe is not None:
                try:
                    found |= source.describe()
                except Exception as error:
                    what = f"enricher {source.name}: {shown_error(error)}; the resource goes without it"
                    self._tell("enricher-failed", what, source.name)
        return found


class _PerRecord:
    """Asks enrichers for each record, on the caller. Raises nothing but interrupts."""

    def __init__(self, sources: Iterable[Source], tell: Tell, timings: Timings) -> None:
        self._asks = [
            (source.name, source.ask, timings.meter("enricher", source.name))
            for source in sources
            if source.ask is not None
        ]
        self._tell = tell

    def __call__(self) -> Mapping[str, Any] | None:
        found: dict[str, Any] = {}
        for name, ask, meter in self._asks:
            begun, problem = meter.begin(), ""
            try:
                answer = ask()
                if type(answer) is dict or isinstance(answer, Mapping):
                    found |= answer
                elif answer is not None:
                    problem = f"it returned {type(answer).__name__}, not a mapping"
            except Exception as error:
                problem = shown_error(error)
            if begun is not None or problem or meter.failing:
                meter.end(begun, failed=bool(problem))
            if problem:
                self._tell("enricher-failed", f"enricher {name}: {problem}; the record goes without it", name)
        return found or None
