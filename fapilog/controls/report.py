"""What the controls found: one line per clause and type for people, and JSON for the evidence folder."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Literal, NamedTuple

from fapilog.settings import Settings

FORMAT = "fapilog-controls/1"


class Outcome(NamedTuple):
    """What became of one vector in one carrier at one exporter.

    Attributes:
        exporter: Whose bytes were looked at.
        carrier: How the value was sent.
        type: The value's type.
        result: `passed`; `leaked`: the value was there; `altered`: a harmless text was not there as it was.
        form: How a leaked value was written.
    """

    exporter: str
    carrier: str
    type: str
    result: Literal["passed", "leaked", "altered"]
    form: str | None


@dataclass
class Report:
    """The result of `run`.

    Attributes:
        profiles: Compliance profiles, with their version.
        policy_hash: SHA-256 of the redaction policy in force.
        exporters: Whose bytes were looked at.
        types: The types that were sent.
        outcomes: One for each vector, carrier and exporter.
        missing: Records that did not arrive, by exporter and carrier: nothing can be said of them.
        clauses: What the clauses of the profiles ask for, and how it went.
        not_tested: What this report says nothing about.
    """

    policy_hash: str
    types: list[str]
    profiles: list[dict[str, str]] = field(default_factory=list)
    exporters: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    missing: list[tuple[str, str, int]] = field(default_factory=list)
    clauses: list[dict[str, Any]] = field(default_factory=list)
    not_tested: list[str] = field(default_factory=list)
    _settled: dict[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, types: Iterable[str]) -> Report:
        """Begin a report about the policy in force."""
        profiles = [{"name": each.name, "version": each.version} for each in settings.profiles.profiles]
        return cls(policy_hash(settings), sorted(set(types)), profiles)

    def add(self, outcome: Outcome) -> None:
        """Note what became of a vector."""
        self.outcomes.append(outcome)

    def add_missing(self, exporter: str, carrier: str, records: int) -> None:
        """Note records that did not arrive."""
        self.missing.append((exporter, carrier, records))

    def add_exporters(self, names: Sequence[str]) -> None:
        """Note whose bytes were looked at."""
        self.exporters += [name for name in names if name not in self.exporters]

    def settled_before(self, place: str) -> Mapping[str, int]:
        """Return the records that each exporter was done with when `note_settled` was called last."""
        return self._settled.get(place, {})

    def note_settled(self, place: str, settled: Mapping[str, int]) -> None:
        """Note how many records each exporter is done with by now."""
        self._settled[place] = settled

    @property
    def leaks(self) -> list[Outcome]:
        """The vectors that were found."""
        return [outcome for outcome in self.outcomes if outcome.result == "leaked"]

    @property
    def altered(self) -> list[Outcome]:
        """The harmless texts that did not arrive as they are."""
        return [outcome for outcome in self.outcomes if outcome.result == "altered"]

    @property
    def passed(self) -> bool:
        """True when nothing leaked, and everything that was sent arrived somewhere where it was looked at."""
        return not self.leaks and not self.missing and bool(self.outcomes)

    def counts(self, types: Iterable[str] | None = None) -> dict[str, int]:
        """Return how many vectors were sent, passed and failed; one in two carriers is two."""
        wanted = None if types is None else frozenset(types)
        results = Counter(
            outcome.result
            for outcome in self.outcomes
            if outcome.result != "altered" and (wanted is None or outcome.type in wanted)
        )
        return {"vectors": results.total(), "passed": results["passed"], "failed": results["leaked"]}

    def plain(self, now: datetime.datetime | None = None) -> dict[str, Any]:
        """Return the report as what JSON can hold; its form is `fapilog/controls/report.schema.json`."""
        moment = now if now is not None else datetime.datetime.now(datetime.UTC)
        return {
            "format": FORMAT,
            "result": "passed" if self.passed else "failed",
            "time": moment.replace(microsecond=0).isoformat(),
            "fapilog": version("fapilog"),
            "profiles": self.profiles,
            "policy_sha256": self.policy_hash,
            "exporters": self.exporters,
            "carriers": list(dict.fromkeys(outcome.carrier for outcome in self.outcomes)),
            "totals": self.counts() | {"altered": len(self.altered)},
            "types": {name: self.counts([name]) for name in self.types},
            "clauses": self.clauses,
            "failures": [
                {
                    "exporter": each.exporter,
                    "carrier": each.carrier,
                    "type": each.type,
                    "result": each.result,
                    "form": each.form or "",
                }
                for each in [*self.leaks, *self.altered]
            ],
            "missing": [
                {"exporter": exporter, "carrier": carrier, "records": records}
                for exporter, carrier, records in self.missing
            ],
            "not_tested": self.not_tested,
        }


def policy_hash(settings: Settings) -> str:
    """Return the SHA-256 of the redaction policy in force, in lower-case hexadecimal.

    Example:
        >>> len(policy_hash(Settings.load(environ={})))
        64
    """
    policy = settings.redaction_in_force.model_dump(mode="json")
    canonical = json.dumps(policy, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
