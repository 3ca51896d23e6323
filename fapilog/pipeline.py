"""All seven stages, wired in order from settings. Threads: the configuring one; nothing starts here.

The settings cross to the native side once, as a dict of primitives that `native/src/python/settings.rs`
reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from opentelemetry.sdk.resources import Resource

# `logger` connects native capture with its Python helpers; without it a provider that is used alone would
# know neither spans nor exceptions nor rare types.
from fapilog import _native, logger  # noqa: F401
from fapilog.errors import ConfigurationError, Problem
from fapilog.exporters import console, otlp
from fapilog.redaction.native import native_policy
from fapilog.settings import Settings
from fapilog.settings.compliance import native_fields
from fapilog.settings.destinations import policy_for
from fapilog.severity import Severity

_NEVER = 25


def build(  # noqa: PLR0913 - what each stage needs besides the settings, one name each
    settings: Settings,
    resource: Resource,
    exporters: Sequence[str | Mapping[str, object]],
    *,
    batch_processors: bool = False,
    on_start: Callable[[], object] | None = None,
    spool_keys: tuple[int | None, Mapping[int, bytes]] = (None, {}),
) -> _native.Pipeline:
    """Make the native pipeline: stages 2 to 7 behind one object. Starts no thread.

    Args:
        settings: Validated settings.
        resource: Attached to every record.
        exporters: Names from `otlp`, `console`, and exporters as the native side takes them
            (`_native.Pipeline`); none of them: records are only counted.
        batch_processors: Whether sealed blocks wait for batch processors.
        on_start: Called with the first record of a process, in a forked child too.
        spool_keys: Id of the key that encrypts what is spooled, and all keys by id.

    Raises:
        ConfigurationError: `setting-invalid`, if a certificate, the endpoint, a proxy or the spool's
            directory cannot be used, or the place cannot give the durability that is asked for.
    """
    native = {
        # 1 emit
        "processing": {
            "sampling": settings.sampling.native(),
            "first_occurrence": settings.first_occurrence.native(),
            "rate_limit": settings.rate_limit.native(),
            "dedupe": settings.dedupe.native(),
        },
        # 2 capture
        "capture": _capture(settings),
        "resource": encode_resource(resource),
        # 3 redact
        "redaction": native_policy(settings.redaction_in_force),
        # 4 append and 5 seal
        "buffer": _buffer(settings),
        "sequenced": settings.sequence,
        "fields": native_fields(settings.profiles),
        "counts_keys": settings.inventory,
        "flight_recorder": settings.flight_recorder.native(),
        # 6 export and 7 settle
        "exporters": _exporters(settings, exporters),
        "batch_processors": batch_processors,
        "spool": settings.spool.native(
            str(resource.attributes.get("service.name", "unknown_service")), spool_keys
        ),
        "ring": settings.ring.native(settings.durability, settings.buffer),
        "dead_letters": settings.delivery.native_dead_letters(),
        "on_start": on_start,
        "console": _console(settings) if "console" in exporters else None,
    }
    try:
        return _native.Pipeline(native)
    except ValueError as error:
        what, _, remedy = str(error).partition("; ")
        problem = Problem("setting-invalid", what, (), remedy or "correct the file or the address it names")
        raise ConfigurationError([problem]) from error


def encode_resource(resource: Resource) -> bytes:
    """Encode a resource as the fields of `ResourceLogs` other than the scopes."""
    return _native.encode_resource(dict(resource.attributes), resource.schema_url or "")


def levels(settings: Settings) -> tuple[int, list[tuple[str, int]]]:
    """Return the default severity and the rules by logger name, as the native side takes them."""
    return int(settings.level), [(prefix, int(level)) for prefix, level in settings.levels.items()]


def _capture(settings: Settings) -> dict[str, object]:
    severity = {"always": 0, "auto": int(Severity.WARN), "never": _NEVER}[settings.capture_location]
    level, rules = levels(settings)
    return {
        "max_attributes": settings.limits.attribute_count,
        "max_length": settings.limits.attribute_value_length,
        "max_depth": settings.limits.depth,
        "location_severity": severity,
        "source_level_names": settings.severity_text == "source",
        "threads": settings.capture_thread,
        "uids": settings.gives_uids,
        "level": level,
        "level_chosen": settings.origin("level") != "default",
        "levels": rules,
        "rules": [rule.native() for rule in settings.rules],
    }


def _buffer(settings: Settings) -> dict[str, object]:
    buffer = settings.buffer
    return {
        "limit_bytes": buffer.limit_bytes,
        "chunk_bytes": buffer.chunk_bytes,
        "limit_records": buffer.max_queue_records,
        "block_records": buffer.max_block_records,
        "overflow": buffer.overflow,
        "reserve_bytes": buffer.reserve_bytes,
        "wait_timeout_millis": buffer.wait_timeout_millis,
        "record_bytes": buffer.record_bytes,
        "schedule_delay_millis": buffer.schedule_delay_millis,
    }


def _exporters(
    settings: Settings, exporters: Sequence[str | Mapping[str, object]]
) -> list[dict[str, object]]:
    """One cursor of the backlog each, in order; the console has none, it writes on the caller."""
    known = {"otlp": lambda: {"name": "otlp", "kind": "otlp_http", **otlp.native_settings(settings.otlp)}}
    made = [
        known[exporter]() if isinstance(exporter, str) else dict(exporter)
        for exporter in exporters
        if exporter != "console"
    ]
    return [{**each, "redaction": _destination(settings, str(each["name"]))} for each in made]


def _destination(settings: Settings, exporter: str) -> dict[str, object] | None:
    """The policy of a destination; None: it gets what is stored."""
    policy = policy_for(settings.redaction_in_force, exporter)
    return None if policy is None else native_policy(policy)


def _console(settings: Settings) -> dict[str, object]:
    return {
        "style": settings.console.style,
        "colour": console.wants_colour(settings.console),
        "write": console.writer(settings.console.stream),
        "redaction": _destination(settings, "console"),
    }
