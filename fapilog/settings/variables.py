"""The one table: setting, environment variables in order of precedence, unit, and the source of its default.

The environment source reads it, errors and `explain()` quote it, and `docs/reference/` is generated from it.
reason: one row for each setting; a table in two files would be two tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from fapilog.settings import parse

Parser = Callable[[str], object]


class Variable(NamedTuple):
    """One environment variable of one setting.

    `lenient`: a value that cannot be used is named on stderr and ignored, as the OpenTelemetry specification
    demands for its numbers, enumerations and booleans. All others are configuration errors.
    """

    name: str
    parse: Parser
    lenient: bool


class Row(NamedTuple):
    """One setting."""

    name: str
    variables: tuple[Variable, ...]
    unit: str
    source: str
    secret: bool = False


def _ours(name: str, parser: Parser) -> Variable:
    return Variable(f"FAPILOG_{name}", parser, lenient=False)


def _otel(name: str, parser: Parser) -> Variable:
    return Variable(f"OTEL_{name}", parser, lenient=True)


def _otlp(name: str, parser: Parser, lenient: bool = True) -> tuple[Variable, Variable]:
    """The variable for logs, which wins, and the general one."""
    return (
        Variable(f"OTEL_EXPORTER_OTLP_LOGS_{name}", parser, lenient),
        Variable(f"OTEL_EXPORTER_OTLP_{name}", parser, lenient),
    )


_RETRY_FIELDS = (
    "initial_backoff_millis",
    "max_backoff_millis",
    "max_retry_after_millis",
    "max_elapsed_millis",
)


def _retries(group: str, prefix: str) -> tuple[Row, ...]:
    """The rows of one `RetrySettings`."""
    return tuple(
        Row(
            f"{group}.{field}",
            (_ours(f"{prefix}_{field.upper()}", parse.whole_number),),
            "milliseconds",
            _FAPILOG,
        )
        for field in _RETRY_FIELDS
    )


_OTEL = "OTel specification"
_SDK = "OTel SDK for Python"
_OTLP = "OTLP specification"
_FAPILOG = "fapilog"

_TOP = (
    Row("level", (_ours("LEVEL", parse.text),), "level name", "logging"),
    Row("levels", (_ours("LEVELS", parse.text),), "prefix=level list", _FAPILOG),
    Row("rules", (_ours("RULES", parse.text),), "pattern=word+word list", _FAPILOG),
    Row("enrichers", (_ours("ENRICHERS", parse.names),), "list of names", _FAPILOG),
    Row("processors", (_ours("PROCESSORS", parse.names),), "list of names", _FAPILOG),
    Row("batch_processors", (_ours("BATCH_PROCESSORS", parse.names),), "list of names", _FAPILOG),
    Row(
        "exporters",
        (_ours("EXPORTERS", parse.names), _otel("LOGS_EXPORTER", parse.names)),
        "list of names",
        "decided at start: otlp, and console on a terminal",
    ),
    Row("compliance", (_ours("COMPLIANCE", parse.names),), "list of names", _FAPILOG),
    Row("durability", (_ours("DURABILITY", parse.word),), "one word", _FAPILOG),
    Row("disabled", (_otel("SDK_DISABLED", parse.flag),), "true or false", _OTEL),
    Row("capture_location", (_ours("CAPTURE_LOCATION", parse.word),), "one word", _FAPILOG),
    Row("capture_thread", (_ours("CAPTURE_THREAD", parse.flag),), "true or false", _FAPILOG),
    Row("severity_text", (_ours("SEVERITY_TEXT", parse.word),), "one word", _SDK),
    Row("capture_stdlib", (_ours("CAPTURE_STDLIB", parse.flag),), "true or false", _FAPILOG),
    Row("capture_warnings", (_ours("CAPTURE_WARNINGS", parse.flag),), "true or false", "logging"),
    Row("exception_hooks", (_ours("EXCEPTION_HOOKS", parse.flag),), "true or false", _FAPILOG),
    Row("sequence", (_ours("SEQUENCE", parse.flag),), "true or false", _FAPILOG),
    Row("record_uid", (_ours("RECORD_UID", parse.word),), "one word", "OTel semantic conventions: opt-in"),
    Row("exit_report", (_ours("EXIT_REPORT", parse.flag),), "true or false", _FAPILOG),
    Row("inventory", (_ours("INVENTORY", parse.flag),), "true or false", _FAPILOG),
    Row(
        "self_observability",
        (_ours("SELF_OBSERVABILITY", parse.flag), _otel("PYTHON_SDK_INTERNAL_METRICS_ENABLED", parse.flag)),
        "true or false",
        "OTel semantic conventions: opt-in while in development",
    ),
)

_SERVICE = (
    Row("service.name", (Variable("OTEL_SERVICE_NAME", parse.text, lenient=False),), "text", _OTEL),
    Row(
        "service.resource_attributes",
        (_otel("RESOURCE_ATTRIBUTES", parse.baggage),),
        "key=value list, percent-encoded",
        _OTEL,
    ),
)

_BUFFER = (
    Row("buffer.limit_bytes", (_ours("BUFFER_BYTES", parse.whole_number),), "bytes", _FAPILOG),
    Row("buffer.overflow", (_ours("OVERFLOW", parse.word),), "one word", _FAPILOG),
    Row(
        "buffer.wait_timeout_millis",
        (_ours("WAIT_TIMEOUT_MILLIS", parse.whole_number),),
        "milliseconds",
        _FAPILOG,
    ),
    Row(
        "buffer.audit_reserve_bytes",
        (_ours("AUDIT_RESERVE_BYTES", parse.whole_number),),
        "bytes",
        _FAPILOG,
    ),
    Row("buffer.chunk_bytes", (_ours("CHUNK_BYTES", parse.whole_number),), "bytes", _FAPILOG),
    Row("buffer.record_bytes", (_ours("RECORD_BYTES", parse.whole_number),), "bytes", _FAPILOG),
    Row(
        "buffer.schedule_delay_millis",
        (_otel("BLRP_SCHEDULE_DELAY", parse.whole_number),),
        "milliseconds",
        _OTEL,
    ),
    Row(
        "buffer.max_queue_records",
        (_otel("BLRP_MAX_QUEUE_SIZE", parse.whole_number),),
        "records",
        "fapilog: bytes are the limit (OTel: 2048)",
    ),
    Row(
        "buffer.max_block_records",
        (_otel("BLRP_MAX_EXPORT_BATCH_SIZE", parse.whole_number),),
        "records",
        "fapilog: bytes are the limit (OTel: 512)",
    ),
    Row(
        "buffer.shutdown_timeout_millis",
        (_ours("SHUTDOWN_TIMEOUT_MILLIS", parse.whole_number),),
        "milliseconds",
        "fapilog: well below the 30 s that Kubernetes gives a pod",
    ),
    Row(
        "buffer.export_timeout_millis",
        (_otel("BLRP_EXPORT_TIMEOUT", parse.whole_number),),
        "milliseconds",
        _OTEL,
    ),
)

_OTLP_EXPORTER = (
    Row("otlp.preset", (_ours("OTLP_PRESET", parse.word),), "one word", _FAPILOG),
    Row("otlp.api_key", (_ours("OTLP_API_KEY", parse.text),), "text", _FAPILOG, secret=True),
    Row("otlp.auth", (_ours("OTLP_AUTH", parse.text),), "name", _FAPILOG),
    Row(
        "otlp.preset_parameters",
        (_ours("OTLP_PRESET_PARAMETERS", parse.baggage),),
        "key=value list, percent-encoded",
        _FAPILOG,
    ),
    Row("otlp.protocol", _otlp("PROTOCOL", parse.word), "one word", _OTEL),
    Row(
        "otlp.endpoint",
        (
            Variable("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", parse.SignalUrl, lenient=False),
            Variable("OTEL_EXPORTER_OTLP_ENDPOINT", parse.BaseUrl, lenient=False),
        ),
        "URL",
        _OTEL,
    ),
    Row(
        "otlp.headers",
        _otlp("HEADERS", parse.headers, lenient=False),
        "name=value list, percent-encoded",
        _OTEL,
        secret=True,
    ),
    Row("otlp.compression", _otlp("COMPRESSION", parse.word), "one word", "fapilog: smaller (OTel: none)"),
    Row(
        "otlp.timeout_millis",
        (_ours("OTLP_TIMEOUT_MILLIS", parse.whole_number), *_otlp("TIMEOUT", parse.otlp_timeout)),
        "milliseconds; the OTEL variables: seconds",
        _OTEL,
    ),
    Row(
        "otlp.connect_timeout_millis",
        (_ours("OTLP_CONNECT_TIMEOUT_MILLIS", parse.whole_number),),
        "milliseconds",
        _FAPILOG,
    ),
    Row("otlp.max_in_flight", (_ours("OTLP_MAX_IN_FLIGHT", parse.whole_number),), "requests", _FAPILOG),
    Row("otlp.adaptive", (_ours("OTLP_ADAPTIVE", parse.flag),), "true or false", _FAPILOG),
    Row("otlp.merge_bytes", (_ours("OTLP_MERGE_BYTES", parse.whole_number),), "bytes", _FAPILOG),
    Row("otlp.certificate", _otlp("CERTIFICATE", parse.text, lenient=False), "path", _OTEL),
    Row("otlp.client_certificate", _otlp("CLIENT_CERTIFICATE", parse.text, lenient=False), "path", _OTEL),
    Row("otlp.client_key", _otlp("CLIENT_KEY", parse.text, lenient=False), "path", _OTEL),
    Row("otlp.insecure", _otlp("INSECURE", parse.flag), "true or false", _OTEL),
    Row(
        "otlp.max_request_bytes",
        (_ours("OTLP_MAX_REQUEST_BYTES", parse.whole_number),),
        "bytes",
        _OTLP,
    ),
    *_retries("otlp.retry", "OTLP_RETRY"),
)

_DELIVERY = (
    Row(
        "delivery.timeout_millis",
        (_ours("DELIVERY_TIMEOUT_MILLIS", parse.whole_number),),
        "milliseconds",
        "OTel specification: OTEL_BLRP_EXPORT_TIMEOUT",
    ),
    Row("delivery.max_in_flight", (_ours("DELIVERY_MAX_IN_FLIGHT", parse.whole_number),), "calls", _OTEL),
    Row("delivery.adaptive", (_ours("DELIVERY_ADAPTIVE", parse.flag),), "true or false", _FAPILOG),
    Row(
        "delivery.breaker_failures",
        (_ours("DELIVERY_BREAKER_FAILURES", parse.whole_number),),
        "calls",
        _FAPILOG,
    ),
    Row(
        "delivery.breaker_pause_millis",
        (_ours("DELIVERY_BREAKER_PAUSE_MILLIS", parse.whole_number),),
        "milliseconds",
        _FAPILOG,
    ),
    Row(
        "delivery.processor_timeout_millis",
        (_ours("DELIVERY_PROCESSOR_TIMEOUT_MILLIS", parse.whole_number),),
        "milliseconds",
        _FAPILOG,
    ),
    Row("delivery.best_effort", (_ours("BEST_EFFORT", parse.names),), "list of names", _FAPILOG),
    Row("delivery.fallback", (_ours("FALLBACK", parse.pairs),), "exporter=exporter list", _FAPILOG),
    Row(
        "delivery.fallback_after_millis",
        (_ours("FALLBACK_AFTER_MILLIS", parse.whole_number),),
        "milliseconds",
        _FAPILOG,
    ),
    Row("delivery.dead_letters", (_ours("DEAD_LETTERS", parse.text),), "path", _FAPILOG),
    Row(
        "delivery.dead_letters_bytes",
        (_ours("DEAD_LETTERS_BYTES", parse.whole_number),),
        "bytes",
        _FAPILOG,
    ),
    Row(
        "delivery.dead_letters_files",
        (_ours("DEAD_LETTERS_FILES", parse.whole_number),),
        "files",
        _FAPILOG,
    ),
    *_retries("delivery.retry", "DELIVERY_RETRY"),
)

_FILE = (
    Row("file.path", (_ours("FILE_PATH", parse.text),), "path", _FAPILOG),
    Row("file.form", (_ours("FILE_FORM", parse.word),), "one word", "OTel file exporter"),
    Row("file.max_bytes", (_ours("FILE_MAX_BYTES", parse.whole_number),), "bytes", _FAPILOG),
    Row("file.max_age_seconds", (_ours("FILE_MAX_AGE_SECONDS", parse.whole_number),), "seconds", _FAPILOG),
    Row("file.compress_rotated", (_ours("FILE_COMPRESS_ROTATED", parse.flag),), "true or false", _FAPILOG),
    Row("file.keep_files", (_ours("FILE_KEEP_FILES", parse.whole_number),), "files", _FAPILOG),
    Row("file.keep_seconds", (_ours("FILE_KEEP_SECONDS", parse.whole_number),), "seconds", _FAPILOG),
    Row("file.fsync", (_ours("FILE_FSYNC", parse.word),), "one word", _FAPILOG),
)

_SPOOL = (
    Row("spool.directory", (_ours("SPOOL_DIRECTORY", parse.text),), "path", _FAPILOG),
    Row("spool.limit_bytes", (_ours("SPOOL_BYTES", parse.whole_number),), "bytes", _FAPILOG),
    Row("spool.min_free_bytes", (_ours("SPOOL_MIN_FREE_BYTES", parse.whole_number),), "bytes", _FAPILOG),
    Row("spool.max_age_seconds", (_ours("SPOOL_MAX_AGE_SECONDS", parse.whole_number),), "seconds", _FAPILOG),
    Row("spool.segment_bytes", (_ours("SPOOL_SEGMENT_BYTES", parse.whole_number),), "bytes", _FAPILOG),
    Row("spool.fsync", (_ours("SPOOL_FSYNC", parse.word),), "one word", _FAPILOG),
    Row(
        "spool.fsync_interval_millis",
        (_ours("SPOOL_FSYNC_INTERVAL_MILLIS", parse.whole_number),),
        "milliseconds",
        _FAPILOG,
    ),
    Row("spool.adopt", (_ours("SPOOL_ADOPT", parse.flag),), "true or false", _FAPILOG),
    # Secret in errors: it may be a key that was put into the wrong variable.
    Row(
        "spool.key_provider",
        (_ours("SPOOL_KEY_PROVIDER", parse.text),),
        "env:NAME, file:/path or a name",
        _FAPILOG,
        secret=True,
    ),
    Row(
        "spool.key_refresh_seconds",
        (_ours("SPOOL_KEY_REFRESH_SECONDS", parse.whole_number),),
        "seconds",
        _FAPILOG,
    ),
)

_WEBHOOK = (
    Row("webhook.url", (_ours("WEBHOOK_URL", parse.text),), "URL", _FAPILOG),
    Row("webhook.form", (_ours("WEBHOOK_FORM", parse.word),), "one word", _FAPILOG),
    Row("webhook.secret", (_ours("WEBHOOK_SECRET", parse.text),), "text", _FAPILOG, secret=True),
    Row("webhook.old_secret", (_ours("WEBHOOK_OLD_SECRET", parse.text),), "text", _FAPILOG, secret=True),
    Row(
        "webhook.headers",
        (_ours("WEBHOOK_HEADERS", parse.headers),),
        "name=value list, percent-encoded",
        _FAPILOG,
        secret=True,
    ),
    Row("webhook.max_body_bytes", (_ours("WEBHOOK_MAX_BODY_BYTES", parse.whole_number),), "bytes", _FAPILOG),
    Row(
        "webhook.timeout_millis",
        (_ours("WEBHOOK_TIMEOUT_MILLIS", parse.whole_number),),
        "milliseconds",
        _FAPILOG,
    ),
    Row("webhook.allow_http", (_ours("WEBHOOK_ALLOW_HTTP", parse.flag),), "true or false", _FAPILOG),
    Row("webhook.certificate", (_ours("WEBHOOK_CERTIFICATE", parse.text),), "path", _FAPILOG),
)

_CONSOLE = (
    Row("console.style", (_ours("CONSOLE_STYLE", parse.word),), "one word", _FAPILOG),
    Row("console.stream", (_ours("CONSOLE_STREAM", parse.word),), "one word", "logging"),
    Row(
        "console.colour",
        (
            _ours("CONSOLE_COLOUR", parse.word),
            Variable("NO_COLOR", parse.no_color, lenient=True),
            Variable("FORCE_COLOR", parse.force_color, lenient=True),
        ),
        "one word",
        "no-color.org, force-color.org",
    ),
)

_LIMITS = (
    Row(
        "limits.attribute_count",
        (
            _otel("LOGRECORD_ATTRIBUTE_COUNT_LIMIT", parse.whole_number),
            _otel("ATTRIBUTE_COUNT_LIMIT", parse.whole_number),
        ),
        "attributes",
        _OTEL,
    ),
    Row(
        "limits.attribute_value_length",
        (
            _otel("LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", parse.whole_number),
            _otel("ATTRIBUTE_VALUE_LENGTH_LIMIT", parse.whole_number),
        ),
        "characters or bytes",
        _OTEL,
    ),
    Row(
        "limits.depth",
        (_ours("ATTRIBUTE_DEPTH_LIMIT", parse.whole_number),),
        "levels",
        "fapilog: docs/adr/0006-nesting-depth-30.md",
    ),
)

_REDACTION = (
    # Secret in errors: it may be a key that was put into the wrong variable.
    Row(
        "redaction.key_provider",
        (_ours("REDACTION_KEY_PROVIDER", parse.text),),
        "env:NAME, file:/path or a name",
        _FAPILOG,
        secret=True,
    ),
    Row(
        "redaction.key_refresh_seconds",
        (_ours("REDACTION_KEY_REFRESH_SECONDS", parse.whole_number),),
        "seconds",
        _FAPILOG,
    ),
    Row("redaction.token_namespace", (_ours("TOKEN_NAMESPACE", parse.text),), "text", _FAPILOG),
    Row("redaction.seal_to", (_ours("SEAL_TO", parse.text),), "public key", _FAPILOG, secret=True),
    Row("redaction.mode", (_ours("REDACTION", parse.word),), "one word", _FAPILOG),
    Row("redaction.secret_keys", (_ours("SECRET_KEYS", parse.names),), "list of names", _FAPILOG),
    Row("redaction.actions", (_ours("REDACTION_ACTIONS", parse.pairs),), "type=action list", _FAPILOG),
    Row("redaction.rules", (), "list of rules", _FAPILOG),
    Row("redaction.detectors", (_ours("REDACTION_DETECTORS", parse.names),), "list of names", _FAPILOG),
    Row("redaction.minimise", (_ours("MINIMISE", parse.flag),), "true or false", _FAPILOG),
    Row("redaction.allowed_keys", (_ours("ALLOWED_KEYS", parse.names),), "list of names", _FAPILOG),
    Row(
        "redaction.destinations",
        (_ours("REDACTION_DESTINATIONS", parse.pairs),),
        "exporter=mode list",
        _FAPILOG,
    ),
)

_PROCESSORS = (
    Row("sampling.ratio", (_ours("SAMPLING_RATIO", parse.number),), "0 to 1", _FAPILOG),
    Row("sampling.keep_level", (_ours("SAMPLING_KEEP_LEVEL", parse.text),), "level name", _FAPILOG),
    Row("sampling.in_span", (_ours("SAMPLING_IN_SPAN", parse.word),), "one word", _FAPILOG),
    Row("sampling.outside_span", (_ours("SAMPLING_OUTSIDE_SPAN", parse.word),), "one word", _FAPILOG),
    Row(
        "rate_limit.records_per_second",
        (_ours("RATE_LIMIT_RECORDS_PER_SECOND", parse.number),),
        "records",
        _FAPILOG,
    ),
    Row("rate_limit.burst", (_ours("RATE_LIMIT_BURST", parse.whole_number),), "records", _FAPILOG),
    Row(
        "rate_limit.max_templates",
        (_ours("RATE_LIMIT_MAX_TEMPLATES", parse.whole_number),),
        "templates",
        _FAPILOG,
    ),
    Row("first_occurrence.per", (_ours("FIRST_OCCURRENCE_PER", parse.word),), "one word", _FAPILOG),
    Row(
        "first_occurrence.interval_millis",
        (_ours("FIRST_OCCURRENCE_INTERVAL_MILLIS", parse.whole_number),),
        "milliseconds",
        _FAPILOG,
    ),
    Row(
        "first_occurrence.max_templates",
        (_ours("FIRST_OCCURRENCE_MAX_TEMPLATES", parse.whole_number),),
        "templates",
        _FAPILOG,
    ),
    Row(
        "dedupe.window_millis", (_ours("DEDUPE_WINDOW_MILLIS", parse.whole_number),), "milliseconds", _FAPILOG
    ),
    Row("dedupe.attributes", (_ours("DEDUPE_ATTRIBUTES", parse.flag),), "true or false", _FAPILOG),
    Row("dedupe.max_windows", (_ours("DEDUPE_MAX_WINDOWS", parse.whole_number),), "windows", _FAPILOG),
    Row(
        "enrichment.refresh_millis",
        (_ours("ENRICHMENT_REFRESH_MILLIS", parse.whole_number),),
        "milliseconds",
        _FAPILOG,
    ),
    Row(
        "enrichment.timeout_millis",
        (_ours("ENRICHMENT_TIMEOUT_MILLIS", parse.whole_number),),
        "milliseconds",
        _FAPILOG,
    ),
    Row(
        "enrichment.command_args",
        (_ours("ENRICHMENT_COMMAND_ARGS", parse.flag),),
        "true or false",
        _FAPILOG,
    ),
)

_FLIGHT_RECORDER = tuple(
    Row(f"flight_recorder.{name}", (_ours(f"FLIGHT_RECORDER{variable}", parser),), unit, _FAPILOG)
    for name, variable, parser, unit in (
        ("enabled", "", parse.flag, "true or false"),
        ("level", "_LEVEL", parse.text, "level name"),
        ("levels", "_LEVELS", parse.text, "prefix=level list"),
        ("slow_millis", "_SLOW_MILLIS", parse.whole_number, "milliseconds"),
        ("limit_bytes", "_BYTES", parse.whole_number, "bytes"),
        ("max_traces", "_MAX_TRACES", parse.whole_number, "traces"),
        ("max_trace_records", "_MAX_TRACE_RECORDS", parse.whole_number, "records"),
        ("max_age_seconds", "_MAX_AGE_SECONDS", parse.whole_number, "seconds"),
    )
)

_RING = (
    Row("ring.directory", (_ours("RING_DIRECTORY", parse.text),), "path", _FAPILOG),
    Row("ring.limit_bytes", (_ours("RING_BYTES", parse.whole_number),), "bytes", _FAPILOG),
    Row(
        "ring.sync_interval_millis",
        (_ours("RING_SYNC_INTERVAL_MILLIS", parse.whole_number),),
        "milliseconds",
        _FAPILOG,
    ),
)

_PLUGINS = (
    Row("plugins.allow", (_ours("PLUGINS_ALLOW", parse.names),), "list of names", _FAPILOG),
    Row(
        "plugins.deny",
        (_ours("PLUGINS_DENY", parse.names), _ours("DISABLED_PLUGINS", parse.names)),
        "list of names",
        _FAPILOG,
    ),
    Row(
        "plugins.load_timeout_millis",
        (_ours("PLUGINS_LOAD_TIMEOUT_MILLIS", parse.whole_number),),
        "milliseconds",
        _FAPILOG,
    ),
    Row(
        "plugins.call_budget_micros",
        (_ours("PLUGINS_CALL_BUDGET_MICROS", parse.whole_number),),
        "microseconds",
        _FAPILOG,
    ),
)

ROWS: Mapping[str, Row] = MappingProxyType(
    {
        row.name: row
        for row in (
            *_TOP,
            *_SERVICE,
            *_BUFFER,
            *_OTLP_EXPORTER,
            *_FILE,
            *_WEBHOOK,
            *_CONSOLE,
            *_SPOOL,
            *_RING,
            *_DELIVERY,
            *_LIMITS,
            *_REDACTION,
            *_PROCESSORS,
            *_FLIGHT_RECORDER,
            *_PLUGINS,
        )
    }
)

VARIABLE_NAMES = frozenset(variable.name for row in ROWS.values() for variable in row.variables)
