"""Runs the controls: each vector in each carrier through the pipeline, looked for at each exporter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import NamedTuple

from opentelemetry.sdk.resources import Resource

from fapilog.controls import basics, clauses, left_out
from fapilog.controls.log_carriers import CARRIERS, RESOURCE, Bench
from fapilog.controls.places import SPOOL, Places, places, spool_place
from fapilog.controls.report import Outcome, Report
from fapilog.controls.signal_carriers import Send, Signal, signals
from fapilog.controls.vectors import Vector, vectors
from fapilog.otel.resource import build_resource
from fapilog.settings import Settings
from fapilog.settings.destinations import policy_for
from fapilog.settings.redaction import RedactionSettings
from fapilog.testing.forms import KnownValue

NEGATIVE = "negative"
# With what the spool is tested: it stores what the other exporters get, block by block.
_SPOOL_CARRIERS = ("body.str", "attribute.str", "attribute.nested", "exception.message")


class _Sent(NamedTuple):
    """What one carrier took."""

    carrier: str
    taken: list[Vector]
    records: int


def run(
    settings: Settings,
    *,
    only: Iterable[str] | None = None,
    progress: Callable[[str], object] = lambda _carrier: None,
) -> Report:
    """Send every vector in every carrier to every exporter of the settings, all of them inside this process.

    Args:
        settings: As the service has them. Addresses, files and directories are replaced by ones of this test.
        only: Types that are tested. Default: what every mode hides (`basics`), the types that the policy
            looks for, and those that the clauses of the profiles are about.
        progress: Called with each carrier before it is tested.

    Raises:
        ConfigurationError: The settings have no exporter, or cannot be used.
    """
    plan = _Plan.of(settings, only)
    sent = plan.everywhere.union(*plan.besides.values())
    chosen = [vector for vector in vectors() if vector.type in sent] + clauses.key_vectors(sent)
    report = Report.of(settings, [vector.type for vector in [*chosen, *basics.marked(sent)]])
    resource = build_resource(settings)
    with places(settings, resource) as made:
        report.add_exporters(made.names)
        bench = Bench(made.provider)
        for carrier, send in CARRIERS.items():
            progress(carrier)
            _positive(report, made, _send_all(bench, carrier, send, chosen), plan)
        for carrier, send in basics.CARRIERS.items() if (secret := basics.marked(sent)) else ():
            progress(carrier)
            _positive(report, made, _send_all(bench, carrier, send, secret), plan)
        report.not_tested += left_out.notes(made.dropped())
        progress(NEGATIVE)
        _negative(report, made, bench, chosen)
    progress(RESOURCE)
    _in_resource(report, settings, resource, chosen, plan)
    for signal in signals(settings, resource):
        for carrier, send in signal.carriers.items():
            progress(carrier)
            _in_signal(report, signal, _Sent(carrier, *_taken(signal, send, chosen)), plan)
        report.add_exporters([signal.name])
    if settings.spool.directory is not None:
        progress(SPOOL)
        _in_spool(report, settings, resource, chosen, plan)
    report.clauses += clauses.rows(settings.profiles, report)
    report.not_tested += _not_tested(settings.redaction_in_force, sent)
    return report


@cache
def _known(value: str) -> KnownValue:
    return KnownValue(value)


class _Plan(NamedTuple):
    """Which types nobody may get, and which a destination may not get besides."""

    everywhere: frozenset[str]
    besides: dict[str, frozenset[str]]

    @classmethod
    def of(cls, settings: Settings, only: Iterable[str] | None) -> _Plan:
        common = settings.redaction_in_force
        if only is not None:
            return cls(frozenset(only), {})
        policies = {name: policy_for(common, name) for name in common.destinations}
        besides = {
            name: _looked_for(policy) | basics.types_of(policy)
            for name, policy in policies.items()
            if policy is not None
        }
        asked = clauses.asked(settings.profiles) | basics.types_of(common)
        return cls(_looked_for(common) | asked, besides)

    def expects(self, exporter: str, kind: str) -> bool:
        """Whether this exporter must not get values of the type."""
        return kind in self.everywhere or kind in self.besides.get(exporter, ())


def _looked_for(policy: RedactionSettings) -> frozenset[str]:
    values = policy.native()
    kinds = values.get("kinds") if values is not None else ()
    return frozenset(str(kind) for kind in kinds) if isinstance(kinds, (list, tuple)) else frozenset()


def _send_all(
    bench: Bench, carrier: str, send: Callable[[Bench, Vector], bool], chosen: Sequence[Vector]
) -> _Sent:
    taken = [vector for vector in chosen if send(bench, vector)]
    return _Sent(carrier, taken, len(taken))


def _positive(report: Report, made: Places, sent: _Sent, plan: _Plan, place: str | None = None) -> None:
    """No value may be in what an exporter got, and every record must have arrived."""
    before = report.settled_before(place or "")
    got, settled = made.take(), made.settled()
    for name, reading in got.items():
        exporter = place or name
        arrived = settled.get(name, 0) - before.get(name, 0)
        for vector in sent.taken:
            if not plan.expects(exporter, vector.type):
                continue
            form = _known(vector.value).form_in(reading)
            report.add(Outcome(exporter, sent.carrier, vector.type, "leaked" if form else "passed", form))
        # The spool's records are pending: nobody takes them.
        if place is None and arrived < sent.records:
            report.add_missing(exporter, sent.carrier, sent.records - arrived)
    report.note_settled(place or "", settled)


def _negative(report: Report, made: Places, bench: Bench, chosen: Sequence[Vector]) -> None:
    """Texts that look like a type must arrive as they are."""
    texts = [(vector.type, text) for vector in chosen for text in vector.stays]
    for _, text in texts:
        bench.log.info(text, note=text)
    for name, reading in made.take().items():
        for kind, text in texts:
            there = _known(text).form_in(reading) is not None
            report.add(Outcome(name, NEGATIVE, kind, "passed" if there else "altered", None))
    report.note_settled("", made.settled())


def _in_resource(
    report: Report, settings: Settings, resource: Resource, chosen: Sequence[Vector], plan: _Plan
) -> None:
    """The resource is read once, when the pipeline is made; so it carries all values at once."""
    taken = {vector.key: vector for vector in chosen}
    attributes = {key: vector.field for key, vector in taken.items()}
    with places(settings, resource.merge(Resource(attributes))) as made:
        Bench(made.provider).log.info("control")
        sent = _Sent(RESOURCE, list(taken.values()), 1)
        report.note_settled("", {})
        _positive(report, made, sent, plan)


def _taken(signal: Signal, send: Send, chosen: Sequence[Vector]) -> tuple[list[Vector], int]:
    taken = [vector for vector in chosen if send(signal, vector)]
    return taken, len(taken)


def _in_signal(report: Report, signal: Signal, sent: _Sent, plan: _Plan) -> None:
    reading, arrived = signal.take()
    for vector in sent.taken:
        if not plan.expects(signal.name, vector.type):
            continue
        form = _known(vector.value).form_in(reading)
        report.add(Outcome(signal.name, sent.carrier, vector.type, "leaked" if form else "passed", form))
    if arrived < sent.records:
        report.add_missing(signal.name, sent.carrier, sent.records - arrived)


def _in_spool(
    report: Report, settings: Settings, resource: Resource, chosen: Sequence[Vector], plan: _Plan
) -> None:
    with spool_place(settings, resource) as made:
        bench = Bench(made.provider)
        sent = [_send_all(bench, name, CARRIERS[name], chosen) for name in _SPOOL_CARRIERS]
        # At its end the process writes everything that was not delivered.
        made.provider.shutdown(500)
        taken = list(dict.fromkeys(vector for each in sent for vector in each.taken))
        _positive(report, made, _Sent("+".join(_SPOOL_CARRIERS), taken, 0), plan, SPOOL)
        report.add_exporters([SPOOL])


def _not_tested(policy: RedactionSettings, sent: frozenset[str]) -> list[str]:
    kept = sorted({vector.type for vector in vectors()} - sent)
    notes = [
        "the way of spans and metrics behind their exporters: they are stock ones of the SDK",
        "processors, sampling and levels that keep records back: they were switched off for the test",
        "what other libraries of the process write or send without fapilog",
        "values of your own rules: the bundled values are of the built-in types and of secret key names",
    ]
    if policy.mode == "keys":
        notes.append(
            "sensitive values: mode keys looks for none; set redaction.mode (FAPILOG_REDACTION) to scan, or"
            " name a profile with --profile"
        )
    kept_names = basics.names_of(policy)[1]
    if kept_names:
        notes.append(f"secret key names that a rule of yours lets through: {', '.join(kept_names)}")
    if kept:
        notes.append(f"types that the policy does not look for: {', '.join(kept)}")
    return notes
