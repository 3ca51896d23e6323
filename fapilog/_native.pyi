"""The native core: stages 1 to 7 in Rust. This stub is its manual; `mypy.stubtest` compares the two.

Applications use `Logger` (as `fapilog.Logger`). Everything else serves fapilog's own modules.
"""

import logging
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from os import PathLike
from pathlib import Path
from typing import Any, Self, final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from typing_extensions import disjoint_base

from fapilog.event import LogEvent

__all__ = [
    "AccessTemplate",
    "Batch",
    "BoundAttributes",
    "Completed",
    "Documents",
    "DocumentsPart",
    "Exchange",
    "ExchangePlan",
    "Flow",
    "HttpClient",
    "HttpError",
    "Logger",
    "PendingRecord",
    "Pipeline",
    "PipelineHandle",
    "RecordBuilder",
    "RecordHandler",
    "Redactor",
    "RoomBell",
    "Scanner",
    "Sender",
    "Snapshot",
    "TokenKeys",
    "begin_exit",
    "call_handlers",
    "check_redaction_rules",
    "connect_capture",
    "connect_context",
    "connect_values",
    "decode_record",
    "decode_request",
    "ed25519_is_signed",
    "ed25519_new_key",
    "ed25519_public_key",
    "ed25519_sign",
    "encode_documents",
    "encode_request",
    "encode_resource",
    "end_rings",
    "forget_contexts",
    "give_up_at_exit",
    "goes_on_to_logging",
    "hook_handlers",
    "is_offered",
    "levels_differ",
    "mute_thread",
    "new_correlation_id",
    "purge_ring",
    "purge_spool",
    "record_on_its_way",
    "ring_files",
    "ring_memory",
    "scan_kinds",
    "seal_new_key",
    "seal_open",
    "split_request",
    "spool_directories",
    "survey_ring",
    "survey_spool",
    "watch_bound_context",
    "watch_delivering",
    "watch_exports",
    "watch_levels",
    "watched_exports",
]

@final
class Logger:
    """A named source of records; get one from `fapilog.get_logger`.

    Level methods take a message and keyword attributes. They capture, redact and buffer the record before
    they return, never raise, and return an awaitable: awaiting it yields only under `overflow="wait"` while
    the buffer is full. Further positional arguments are `%`-formatted into the message as `logging` does.

    Reserved keywords: `exc_info`, `event_name`, `category`, `severity` (1 to 10), `tags`, `timestamp`
    (datetime, nanoseconds, or float seconds). Every other keyword is an attribute, of any value.

    Example:
        >>> import fapilog
        >>> log = fapilog.get_logger("orders")
        >>> log.bind(tenant="acme").name
        'orders'
    """

    def __new__(
        cls,
        handle: PipelineHandle,
        name: str = "",
        *,
        version: str = "",
        schema_url: str = "",
        scope_attributes: dict[str, Any] | None = None,
        bound: BoundAttributes | None = None,
        api: bool = False,
    ) -> Logger: ...
    @property
    def name(self) -> str:
        """The instrumentation scope's name."""

    def trace(self, message: Any = "", /, *args: Any, **attributes: Any) -> Awaitable[None]:
        """Log at TRACE (1)."""

    def debug(self, message: Any = "", /, *args: Any, **attributes: Any) -> Awaitable[None]:
        """Log at DEBUG (5)."""

    def info(self, message: Any = "", /, *args: Any, **attributes: Any) -> Awaitable[None]:
        """Log at INFO (9)."""

    def warning(self, message: Any = "", /, *args: Any, **attributes: Any) -> Awaitable[None]:
        """Log at WARN (13)."""

    def error(self, message: Any = "", /, *args: Any, **attributes: Any) -> Awaitable[None]:
        """Log at ERROR (17); shedding spares it."""

    def critical(self, message: Any = "", /, *args: Any, **attributes: Any) -> Awaitable[None]:
        """Log at FATAL (21); shedding spares it."""

    def exception(self, message: Any = "", /, *args: Any, **attributes: Any) -> Awaitable[None]:
        """Log at ERROR (17) with the exception being handled: type, message, stack of its whole chain."""

    def audit(self, message: Any = "", /, *args: Any, **attributes: Any) -> Awaitable[None]:
        """Log at INFO2 (10); shedding spares it."""

    def security(self, message: Any = "", /, *args: Any, **attributes: Any) -> Awaitable[None]:
        """Log at WARN2 (14); shedding spares it."""

    def log(
        self, severity: int | str, message: Any = "", /, *args: Any, **attributes: Any
    ) -> Awaitable[None]:
        """Log at any severity: an OTel number (1 to 24), a level of `logging` above 24, or a level name.

        An unknown name counts as INFO, so that the record is kept.
        """

    def emit(self, event: LogEvent) -> Awaitable[None]:
        """Log a `LogEvent`; its `source` becomes the scope name."""

    def emit_api(
        self,
        record: LogRecord | None = None,
        *,
        timestamp: int | None = None,
        observed_timestamp: int | None = None,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        severity_text: str | None = None,
        body: Any = None,
        attributes: Mapping[str, Any] | None = None,
        event_name: str | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """Log as `emit` of OpenTelemetry's `Logger` does, by a record or field by field.

        A field of a wrong type becomes text or is left out. A keyword that this version does not know is
        ignored and said once; so is a record that is none of OpenTelemetry's, and it is counted as refused.
        """

    def emit_record(
        self,
        *,
        body: Any = None,
        severity_number: int = 0,
        severity_text: str = "",
        time_unix_nano: int | None = None,
        observed_time_unix_nano: int | None = None,
        attributes: Mapping[str, Any] | None = None,
        event_name: str | None = None,
        context: Context | None = None,
        exception: BaseException | None = None,
        protected: bool = False,
        level_name: str | None = None,
        location: Callable[[], tuple[str, str, int] | None] | None = None,
        thread: tuple[object, object] | None = None,
        template: Any = None,
    ) -> Awaitable[None]:
        """Log a record field by field: the door for the OTel API, `logging` and other libraries.

        Args:
            body: Any value.
            severity_number: 1 to 24; 0 is unspecified and passes every level.
            severity_text: As the source knows it.
            time_unix_nano: When it happened; None: unknown.
            observed_time_unix_nano: When it was seen. Default: now.
            attributes: Any mapping; those of `exception` never replace them.
            event_name: Makes the record an event.
            context: Whose span counts. Default: the current context.
            exception: Described as `exception.*` attributes.
            protected: Shedding and processors spare it.
            level_name: The level's name in another library; `severity_text` of the settings decides over it.
            location: Gives file, function and line; called when `capture_location` asks for them.
            thread: Identifier and name; written when `capture_thread` says so.
            template: The message before anything was formatted into it, for processors. Default: `body`.
        """

    def configure(self, enabled: bool, minimum_severity: int, trace_based: bool) -> None:
        """Restrict this logger beyond the rules of its pipeline, as OpenTelemetry's `LoggerConfig` does."""

    def bind(self, **attributes: Any) -> Logger:
        """Return a logger whose records carry these attributes too; those of a call win."""

    def __copy__(self) -> Logger: ...
    def __deepcopy__(self, memo: Any) -> Logger: ...
    def is_enabled_for(self, severity: int, context: Context | None = None) -> bool:
        """Tell whether a record of this severity (1 to 24) would be kept now; cheap enough for a guard.

        Args:
            severity: Number of the data model; 0 is unspecified and passes every level.
            context: Whose span a trace-based rule asks. Default: the current context.
        """

@final
class Pipeline:
    """Stages 2 to 7 behind one object; `fapilog.pipeline.build` makes it from settings.

    Making it starts nothing; the first record starts the native threads. In a forked child it is a new, empty
    pipeline with the same settings: the inherited records belong to the parent.

    Sealed blocks wait in a log that every exporter reads with a cursor of its own. Native exporters have
    threads for that. For exporters of kind `python` a delivery loop polls `wake_fd`, then calls `claim` until
    it gives None, and `settle` or `release` for each batch. With `batch_processors` no cursor sees a block
    before `claim_unprocessed` gave it out and `processed` took it back. None of these calls waits; all may be
    made on any thread. Where an exporter is named, another name is a ValueError.

    The dict's key `exporters` lists dicts with `name` (unique: the key in the ledger) and `kind`: `otlp_http`
    (further keys as `fapilog.exporters.otlp.native_settings` gives them), `file` (as `fapilog.exporters.file`
    gives them), `stream` (`form`; `output`: `stdout` or `stderr`) or `python` (`compression`: how blocks wait
    in memory, `none`, `gzip` or `zstd`). Blocks are compressed once, as the first of `otlp_http` with
    protobuf and `python` wants them; another OTLP exporter that wants another codec compresses again.
    Each may have a `role`: `required` (blocks wait for it; default), `best_effort` (they do not: what it is
    too slow for is dropped as `best_effort`) or `fallback` (it gets what is handed over to it), and a
    `fallback`: the name of such a one, with `fallback_after_millis`.
    `fields` is a list of what compliance profiles ask of records: category, `required` or `forbidden`, names
    of attributes (any of which counts), the profile and its clause.
    `dead_letters` is None or a dict: `path`, `max_bytes`, `keep_files`.
    `spool` is None or a dict: `directory`, `service`, `limit_bytes`, `min_free_bytes`, `max_age_seconds`,
    `segment_bytes`, `fsync` (`never`, `interval`, `always`), `fsync_interval_millis`, `adopt`,
    `adopt_interval_millis` (how often ended processes are looked for), `keys` (as `set_spool_keys` takes
    them).
    `flight_recorder` is None or a dict: `level`, `levels` (as in `set_levels`), `limit_bytes`, `max_traces`,
    `max_trace_records`, `max_age_seconds`.
    `ring` is None, or, with a spool, a dict: `directory` (None: chosen), `limit_bytes`,
    `sync_interval_millis` (None: durability `process`).
    `on_start` is called once, on the thread of the first record and before it is stored, and again with the
    first record in a forked child: the place to start threads.

    Raises:
        TypeError: If the dict lacks a setting or one has the wrong type.
        ValueError: If a certificate, the endpoint or the spool's directory cannot be used, the place
            cannot give the ring, or two exporters have one name.
    """

    def __new__(cls, settings: dict[str, Any]) -> Pipeline: ...
    def force_flush(self, timeout_millis: int) -> bool:
        """Wait without the interpreter lock until nothing accepted before is pending; False: too late.

        Waits for every exporter, Python ones too: never call it on the thread that runs the delivery loop.
        """

    def shutdown(self, timeout_millis: int) -> bool:
        """Refuse records, drain, end the threads, count the rest as dropped. True when nothing was left.

        Waits for every exporter, as `force_flush` does. Afterwards `claim` and `claim_unprocessed` give None,
        and what is settled late is ignored.
        """

    @property
    def closing(self) -> bool:
        """True from the beginning of `shutdown`."""

    def wake_fd(self) -> int:
        """Return a descriptor that polls readable when the delivery loop may have work.

        Work is: a block to claim or to process, one that was given back, refused headers, the beginning of a
        flush or shutdown. Wakes add up to one; it is readable at first. Call `clear_wake`, then look for all
        work. An eventfd on Linux, a pipe elsewhere; never close it. A forked child has another one.

        Raises:
            OSError: If the process may open no more descriptors.
        """

    def clear_wake(self) -> bool:
        """Make the descriptor unreadable until the next wake; True when it was readable. Never waits."""

    def claim(self, exporter: str) -> Batch | None:
        """Return the oldest batch that a Python exporter has to deliver; None: nothing now.

        It waits for nothing but the disk, without the interpreter lock, when the batch is in the spool.

        The batch stays in flight, and overflow spares it, until it is settled or released.
        """

    def settle(
        self,
        exporter: str,
        sequence: int,
        *,
        delivered: int = 0,
        rejected: int = 0,
        dropped: Mapping[str, int] | None = None,
    ) -> None:
        """Say what became of a claimed batch, or of a part of its records; the rest stays in flight.

        More records than are undecided are cut off; a batch that is not in flight is ignored. So the ledger
        adds up whatever is said.

        Args:
            exporter: Who claimed it.
            sequence: `Batch.sequence`.
            delivered: Records acknowledged.
            rejected: Records refused for good.
            dropped: Records given up, by reason (`fapilog.ledger.ExporterLedger`).

        Raises:
            ValueError: If a reason is unknown.
        """

    def release(self, exporter: str, sequence: int) -> None:
        """Give a claimed batch back, undelivered: `claim` returns it again, before younger ones."""

    def note_failing(self, exporter: str, seconds: float) -> None:
        """Say for how long no call of a Python exporter has succeeded; 0: the last one has.

        After `fallback_after_millis` its fallback gets its blocks, until a call succeeds.
        """

    def keep_refused(self, exporter: str, batch: Batch, rejected: int, error_type: str, cause: str) -> None:
        """Keep a block in the file for refused records, of which an exporter's receiver refused so many."""

    def hand_over_rest(self, timeout_millis: int) -> None:
        """Hand over to fallbacks what their exporters did not take, and wait for that. For the end."""

    def claim_unprocessed(self) -> Batch | None:
        """Return the oldest batch that waits for the batch processors; None: nothing now.

        May read it from the spool, without the interpreter lock: an ended process left it unprocessed.
        """

    def unprocessed(self, sequence: int) -> None:
        """Take a batch back that the batch processors had to break off, at the end.

        With a spool it goes there as it is, and the next process shows it to its batch processors; without
        one it passes on as it was. A batch that is not with the processors is ignored.
        """

    def processed(self, sequence: int, request: bytes | None) -> None:
        """Take a batch back from the batch processors and show it to the exporters.

        Compresses it without the interpreter lock. A batch that is not with the processors is ignored.

        Args:
            sequence: `Batch.sequence`.
            request: The uncompressed request that stands in its place, already redacted (`encode` does);
                records that it has no longer are dropped as `processed`. None: the batch as it was.

        Raises:
            ValueError: If it is not a request, or has more records than the batch; the batch is still with
                the processors then.
        """

    def encode(self, records: Iterable[tuple[Any, ...]]) -> bytes:
        """Encode records of other sources as one uncompressed `ExportLogsServiceRequest`.

        Values are read, limited, redacted and cut under this pipeline's policy, as those of a log call.
        Records are grouped by resource, then scope, in order of first appearance. A field of the wrong type
        gets its default; a record that is not such a tuple is left out, and told as `capture-failed`.

        Args:
            records: Tuples of scope_name, scope_version, scope_schema_url, scope_attributes (mapping or
                None), resource (from `encode_resource`), time_unix_nano, observed_time_unix_nano,
                severity_number, severity_text, body, attributes (mapping or None), event_name, trace_id,
                span_id, trace_flags, dropped_attributes_count.

        Raises:
            TypeError: If `records` cannot be iterated.
        """

    def set_resource(self, resource: bytes) -> None:
        """Describe the process (from `encode_resource`) in blocks sealed from now on; forked children too."""

    def set_headers(self, exporter: str, headers: list[tuple[str, str]]) -> None:
        """Replace the configured request headers of an OTLP/HTTP exporter, from its next attempt on.

        Forked children get them too. Resets `headers_refused`.

        Raises:
            ValueError: If a header is not allowed in HTTP or is the exporter's own; the old ones stay.
        """

    def headers_refused(self, exporter: str) -> bool:
        """Tell whether the endpoint answered 401 or 403 to the headers as they are now.

        Only for an OTLP/HTTP exporter with `refreshes_headers`: it sends nothing before the first
        `set_headers`; refused, it tries again after a pause, and wakes the delivery loop. Others count such
        a request as rejected.
        """

    def deliver_adopted(self, timeout_millis: int) -> None:
        """Wait, without the interpreter lock, until what was taken over from ended processes is delivered."""

    def replay_spool(self, name: str, timeout_millis: int, unprocessed: bool) -> None:
        """Deliver what an ended process left in one directory of the spool, as far as there is time.

        Instead of records, and once: it starts the pipeline. Nothing happens without the interpreter lock
        where a process holds the directory, or without a spool.

        Args:
            name: Of the directory, of the pipeline's own service.
            timeout_millis: Waited for at most, without the interpreter lock.
            unprocessed: Also what no batch processor has seen; it goes to this pipeline's, if it has some.
        """

    def replay_ring(self, path: str | PathLike[str], timeout_millis: int) -> None:
        """As `replay_spool`, of an ended process's crash ring, whatever its service.

        Args:
            path: One of `ring_files`.
            timeout_millis: Waited for at most, without the interpreter lock.
        """

    def spool_rest(self, timeout_millis: int) -> None:
        """Write what is pending in memory to the spool, without the interpreter lock; nothing without one.

        For the end of the process: what it writes is delivered by the next one. Waits for the disk at most
        one second longer than told.
        """

    def set_spool_keys(self, keys: tuple[int | None, dict[int, bytes]]) -> None:
        """Exchange the keys of the spool: id of the one that encrypts from now on, and all by id.

        Blocks whose key was not there are read again. A forked child begins with those of the settings.

        Raises:
            ValueError: If a key has not 32 bytes, or the current one is not there. No key is in the text.
        """

    def ledger(self) -> dict[str, Any]:
        """Return every term of the ledger, read at one moment.

        `violations` is there when records broke a demand of `fields`: by `audit required user.id|actor`.
        """

    def inventory(self) -> tuple[list[tuple[str, str, int]], list[tuple[str, int]]]:
        """Return where stage 3 hid values: path, type and count of each place; type and count elsewhere.

        With `counts_keys` also names under which nothing was found, of type "". Type "?": not known any more.
        """

    def exporter_stats(self) -> dict[str, Any]:
        """Return what the stages behind the caller did, for self-observability.

        `exporters`: by name `in_flight_records`, `send_nanos` (time inside attempts, of all threads),
        `operations` (finished since the last call, oldest first: seconds with all attempts, HTTP status or 0,
        `error.type` or "", records), `operations_left_out` (at most 1 024 wait) and `rejected_by` (records by
        `error.type`); of native ones `requests_at_once` and `gap_seconds`, as the receiver allows now.
        `seal`: `nanos`, `records`. `memory`: `chunk_bytes`, `block_bytes`, `scope_bytes`,
        `flight_recorder_bytes`. `findings`, if values are looked at: how many were hidden, by type.
        `flight_recorder`, if it is on: `records` and `traces` kept now, `recorded`
        so far, and what became of them: `promoted`, `discarded`, `evicted`; `below`: calls below the level.
        Totals are since the start. Python exporters measure themselves.
        """

    def pressure(self) -> tuple[int, int]:
        """Return the memory in use, in bytes, and the severity below which records are shed (0: none)."""

    def set_levels(self, level: int, levels: list[tuple[str, int]], for_seconds: float | None = None) -> None:
        """Replace the default severity and the severities by logger name, for good or for some seconds.

        For good also ends a time box of levels that runs.

        Raises:
            ValueError: If the seconds are negative, not finite or beyond the clock.
        """

    def set_rules(
        self, rules: list[tuple[str, bool, int | None, bool]], for_seconds: float | None = None
    ) -> None:
        """Replace the rules by scope: pattern, enabled, minimum severity, trace based. As `set_levels`."""

    def trace_began(self, trace_id: int) -> None:
        """Tell the flight recorder, if it is on, that a local root span of a trace began."""

    def trace_ended(self, trace_id: int, reason: str | None = None) -> None:
        """Tell the flight recorder that a local root span ended; the last one of a trace ends it.

        Args:
            trace_id: Of the span.
            reason: `failed`, `slow`, `error` or `asked`: what was kept of the trace is exported first.

        Raises:
            ValueError: If it is another word.
        """

    def export_recorded(self, trace_id: int | None = None) -> int:
        """Export what the flight recorder kept of a trace (None: the current one); tell how many records."""

    def fix_clock(self, unix_nanos: int) -> None:
        """Fix the time that stamps records, for tests; 0 gives the system clock back."""

    def set_processors(
        self,
        process: Callable[[Any, Any, Context | None], tuple[Any, ...] | None],
        make_scope: Callable[[str, str, str, dict[str, Any]], object],
        records: RecordBuilder,
    ) -> None:
        """Let `process` see and change every record on the caller, redacted, before it is stored.

        Args:
            process: Called with a `LogRecord`, what `make_scope` made, and the context that the record was
                emitted with (None: the current one). Returns None if nothing was changed, else a tuple: the
                fields as `decode_record` returns them, or None for those there were; an exception to raise
                after the record, or None; and what to call next, or None at the end. That is called with a
                new `LogRecord`, the changed one limited and redacted, and answers as `process` does. A field
                of the wrong type gets its default. Only what must reach the application is raised. A record
                that `process` logs itself does not come to it again.
            make_scope: Called once per scope with its name, version, schema URL and attributes.
            records: Makes the `LogRecord`s.
        """

    def clear_processors(self) -> None:
        """End `set_processors`."""

    def has_destinations(self) -> bool:
        """Tell whether an accepted record goes anywhere: to an exporter, the console or a tap."""

    def close(self) -> None:
        """Refuse records from now on; what was accepted is still delivered."""

    def set_enrichment(self, attributes: BoundAttributes | None) -> None:
        """Add these attributes to every record from now on; those of call, `bind` and context win.

        The swap is atomic, and forked children keep it.
        """

    def set_record_enrichers(self, enrich: Callable[[], Mapping[str, Any] | None] | None) -> None:
        """Ask `enrich()` on the caller for further attributes of every record; they win over the others."""

    def add_tap(self, tap: Callable[[bytes, str], object]) -> None:
        """Call `tap(record, scope)` on the caller with every accepted record: encoded and redacted."""

    def remove_tap(self, tap: Callable[[bytes, str], object]) -> None:
        """Stop calling a tap; an unknown one is ignored."""

@final
class Flow:
    """How many calls of an exporter may be under way, and how far apart they begin: from how the last ended.

    A state machine: times are seconds of the caller's clock. A ticket of `begin` goes back through one of the
    last three methods, or is forgotten when a call says nothing about the receiver.

    Args:
        max_in_flight: Calls at once at most.
        adapts: False: always that many, without a gap.
    """

    def __new__(cls, max_in_flight: int, *, adapts: bool = True) -> Self: ...
    def limit(self) -> int:
        """Return the calls at once, now."""

    def gap(self) -> float:
        """Return the seconds from the start of a call to the start of the next, now."""

    def wait(self, now: float) -> float:
        """Return the seconds until the next call may begin."""

    def begin(self, now: float) -> int:
        """A call begins; the next one has to keep the distance. Return its ticket."""

    def taken(self, ticket: int, seconds: float, now: float) -> None:
        """The call got somewhere, after so many seconds."""

    def throttled(self, ticket: int, pause: float, now: float) -> None:
        """The receiver wants fewer calls, and asked for a pause of so many seconds."""

    def timed_out(self, ticket: int, now: float) -> None:
        """It did not answer in time."""

@final
class Batch:
    """A frozen view of one sealed block of records."""

    @property
    def sequence(self) -> int:
        """Its position in the pipeline's log of blocks, from 0."""

    @property
    def records(self) -> int:
        """Log records inside."""

    @property
    def raw_bytes(self) -> int:
        """Size of the request before compression."""

    @property
    def encoding(self) -> str:
        """How `body` is compressed: `gzip`, `zstd` or "" (not)."""

    @property
    def body(self) -> bytes:
        """The request as it would go over the wire; a copy."""

    def otlp_bytes(self) -> bytes:
        """Return the uncompressed `ExportLogsServiceRequest`.

        Raises:
            ValueError: If the block is damaged.
        """

@final
class PipelineHandle:
    """Where loggers find their pipeline: none yet, one, or another one later."""

    def __new__(cls, *, configures_itself: bool = False) -> PipelineHandle: ...
    def attach(self, pipeline: Pipeline | None) -> None:
        """Make every logger of this handle use `pipeline`; None: log nothing."""

    def take_unheard(self) -> int:
        """Return how many calls went nowhere since the last time, because configuring itself failed."""

    @property
    def pipeline(self) -> Pipeline | None:
        """The attached pipeline."""

@disjoint_base
class RecordHandler:
    """The native half of `fapilog.bridges.stdlib.FapilogHandler`.

    Asks the Python half, by name: `_passes` with filters, `_ignores` for records of libraries that deliver,
    `_take_carefully` for records that hold something odd.
    """

    def __new__(cls, *_arguments: Any, **_keywords: Any) -> Self: ...
    def connect(self, handle: PipelineHandle) -> None:
        """Send records to the pipeline of `handle` from now on."""

    def floor(self, name: str) -> tuple[int, int] | None:
        """Return the severity below which no record of a logger is kept now, and who chose it.

        0: nobody; 1: a level or a rule for all; 2: one for this name. 25: the logger is off. None: no
        pipeline.
        """

    def records_from(self, name: str) -> int | None:
        """Return the severity from which the flight recorder keeps records of a logger; None: it is off."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record if the filters let it pass; tell whether they did."""

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record without asking the filters."""

@final
class BoundAttributes:
    """Attributes, encoded once per pipeline; what `bind` and `bind_context` carry."""

    def __new__(cls, attributes: dict[str, Any], base: BoundAttributes | None = None) -> BoundAttributes: ...
    def extend(self, attributes: dict[str, Any]) -> None:
        """Add attributes, for everybody who holds these; none is taken away."""

    @property
    def attributes(self) -> dict[str, Any]:
        """A copy of the attributes."""

@final
class Completed:
    """What a log call returns when its record is decided: awaiting it returns at once."""

    def __await__(self) -> Generator[Any]: ...
    def __iter__(self) -> Completed: ...
    def __next__(self) -> None: ...

@final
class PendingRecord:
    """What a log call on an event loop returns while its record waits for room."""

    def __await__(self) -> Generator[Any]: ...
    @property
    def number(self) -> int:
        """Unique in the process; what `RoomBell.take` names."""

    @property
    def seconds_left(self) -> float:
        """Until the deadline."""

    def is_decided(self) -> bool:
        """Whether the record is stored or lost; after its deadline it is given up here."""

    def listen(self, bell: RoomBell) -> bool:
        """Let `bell` ring when the record is decided; False: it is."""

@final
class RoomBell:
    """What tells one event loop that records which waited were decided."""

    def __new__(cls) -> RoomBell: ...
    def fd(self) -> int:
        """The descriptor that polls readable when there is something to take. It stays native."""

    def take(self) -> list[int]:
        """The numbers of the records that were decided since the last call."""

def connect_context(
    *,
    bound: Callable[[], BoundAttributes | None],
    fallback: Callable[[Any], Any],
    current_context: Callable[[], Any] | None = None,
    span_key: str | None = None,
) -> None:
    """Tell capture where it reads bound attributes and the current span."""

def watch_bound_context() -> None:
    """Let log calls look for bound attributes from now on; before the first `bind_context` none pays."""

def call_handlers(
    class_: type[logging.Logger], original: Callable[[logging.Logger, logging.LogRecord], None], /
) -> Any:
    """Return the method that takes the place of `callHandlers` of a class of loggers.

    It takes a record for the hooked handlers, if a handler on root or on a server's logger would get it. Then
    it calls `original`, if there is a handler or `logging.lastResort` is to speak.
    """

def hook_handlers(handlers: Sequence[RecordHandler]) -> None:
    """Offer records to these handlers from now on; see `call_handlers`."""

def watch_delivering(marked: Callable[[], bool]) -> None:
    """Let bridges drop what is logged where `marked` says that an exporter is at work."""

def watch_levels(watcher: Callable[[], object] | None, /) -> None:
    """Call `watcher` whenever levels or rules of any pipeline have changed."""

def levels_differ(was_logged: Callable[[Any], bool] | None, /) -> None:
    """Keep records of log calls from other handlers that ask for a higher level; None: there are none."""

def is_offered(logger: Any, /) -> bool:
    """Tell whether the hook of the bridge takes records of a logger, as its place in the tree is now."""

def goes_on_to_logging(handle: PipelineHandle | None, /) -> None:
    """Say that this pipeline took an event that its library hands on to `logging` next, on this thread."""

def record_on_its_way(handle: PipelineHandle, /) -> Any:
    """Return the record that handlers of `logging` look at on this thread, if this pipeline took it."""

def forget_contexts() -> None:
    """Let go of the last few contexts that the span cache keeps alive."""

def connect_values(classify: Callable[[type], str], to_plain: Callable[[Any], dict[Any, Any]]) -> None:
    """Give capture the functions for rare types (`fapilog.values`)."""

def scan_kinds() -> list[tuple[str, str, str, str]]:
    """List the types of sensitive values: id, word in markers, group, and tier.

    The tier says what a value must show: `A` its shape, `B` a checksum and a keyword, `C` a keyword or key.
    """

def ed25519_new_key() -> bytes:
    """Return a new private key of Ed25519, as PKCS #8.

    Raises:
        OSError: The system gives no random bytes.
    """

def ed25519_public_key(private: bytes) -> bytes:
    """Return the public key, 32 bytes, of a private one.

    Raises:
        ValueError: It is no private key of Ed25519 in PKCS #8.
    """

def ed25519_sign(private: bytes, message: bytes) -> bytes:
    """Return the signature, 64 bytes, of a message.

    Raises:
        ValueError: As `ed25519_public_key`.
    """

def ed25519_is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a signature is one of the message; keys and signatures of a wrong size are none."""

def watch_exports(on: bool) -> None:
    """Begin to keep copies of what leaves the process through any pipeline, or stop and forget them.

    For `fapilog.testing.no_leaks`. At most 64 MiB are kept until `watched_exports` is called.
    """

def watched_exports() -> tuple[list[tuple[str, bytes]], int]:
    """Return what left since the last call, and how many pieces were not kept.

    Each piece has its way: `http`, `file`, `stream`, `python` and `spool` with an uncompressed
    `ExportLogsServiceRequest`, `console` with a line.
    """

@final
class TokenKeys:
    """The key that makes tokens, in all policies that were compiled with it (`token_key` among their values).

    Args:
        key_id: Stands in each token.
        key: 32 random bytes.
        namespace: Tokens of two namespaces do not join.
    """

    def __new__(cls, key_id: int, key: bytes, namespace: str) -> TokenKeys: ...
    def replace(self, key_id: int, key: bytes) -> bool:
        """Make new tokens with this key. False: that cannot be in this forked process."""

    @property
    def key_id(self) -> int:
        """Id of the key that makes new tokens."""

    def token(self, kind: str, value: str) -> str:
        """Return the token of a value of a type, the same for all of its spellings.

        Raises:
            ValueError: A type that does not exist.
        """

def seal_new_key() -> tuple[bytes, bytes, str]:
    """Return a new private key for sealed values, its public key, and the id of both.

    Raises:
        RuntimeError: The system gives no random bytes.
    """

def seal_open(private: bytes, entries: list[str]) -> list[tuple[str, str, str]]:
    """Open what stands in `fapilog.sealed` of one record: path, type and value of each entry.

    Args:
        private: A private key of `seal_new_key`.
        entries: All of them in their order: a data key stands in the first entry that uses it.

    Raises:
        ValueError: An entry was changed, cut or sealed to another key; it names the first such.
    """

@final
class Scanner:
    """Finds what stage 3 hides under `redaction="scan"`: `fapilog.redaction.scan`.

    Args:
        settings: As `redaction` in the settings of `Pipeline`; see `fapilog.redaction.native`.

    Raises:
        ValueError: A type or an action that does not exist, or a rule that cannot be used.
    """

    def __new__(cls, settings: dict[str, Any]) -> Scanner: ...
    def scan(
        self, text: str, attributes: dict[str, Any] | None = None
    ) -> list[tuple[str, int, int, str, str]]:
        """Return path, first code point, first one behind, type and rule of each finding."""

def check_redaction_rules(settings: dict[str, Any]) -> tuple[str, str] | None:
    """Compile rules and minimising of a policy. None: they can be used; else a rule's name and what is wrong.

    Args:
        settings: `rules` (`(name, kind, texts, action, numbers)`; kinds: `paths`, `pattern`, `words`, and
            `WORDS` in the case that is given) and `minimise` (keys that stay, or None).
    """

@final
class Redactor:
    """Hides in single texts and mappings what stage 3 hides in records: behind `fapilog.redaction.Redactor`.

    Args:
        settings: What `fapilog.redaction.native.native_policy` returns.

    Raises:
        ValueError: A type or an action that does not exist.
    """

    def __new__(cls, settings: dict[str, Any]) -> Redactor: ...
    def text(self, text: str, key: str = "") -> str:
        """Return the text without what is hidden, the same object when that is nothing."""

    def value(self, value: Any) -> Any:
        """Return any value as it would stand in the body of a record."""

    def attributes(self, attributes: Mapping[Any, Any], notes: bool = False) -> dict[str, Any] | None:
        """Return what is left of a mapping; None: all of it, as it is.

        With `notes`, the attribute `fapilog.redacted` says what was hidden by its value.
        """

def encode_resource(attributes: dict[str, Any], schema_url: str = "") -> bytes:
    """Encode a resource as the fields of `ResourceLogs` other than the scopes."""

def connect_capture(
    *,
    describe_exception: Callable[[Any], tuple[str, str, str] | None],
    severity_number: Callable[[Any], int],
    unix_nanos: Callable[[Any], int | None],
    wait_for_room: Callable[[PendingRecord], Awaitable[None]],
    must_not_block: Callable[[], bool],
    on_notice: Callable[[str, str], object],
    say: Callable[[str, str, str], object],
    thread: Callable[[], tuple[int | None, str]],
    configure_defaults: Callable[[], object],
) -> None:
    """Give capture the Python functions it asks now and then (`fapilog.logger`)."""

def begin_exit() -> None:
    """Let only the calling thread run Python code while it logs: the interpreter is about to end."""

def mute_thread() -> None:
    """Drop every record of the calling thread from now on, uncounted: it delivers to exporters in Python."""

def end_rings() -> None:
    """Remove the files of crash rings in which nothing is, before a signal ends the process."""

def give_up_at_exit() -> None:
    """Tell the C exit handler that Python's last flush ran out of time, so that it does not wait again."""

@final
class RecordBuilder:
    """Makes objects of OpenTelemetry's SDK from encoded records; `fapilog.batch` has one.

    Instances are filled in without their constructors: a copy of the defaults, and what the record holds.
    While nothing but new objects is made, the collector of cycles is paused.
    """

    def __new__(
        cls,
        *,
        record: type,
        readable: type,
        record_defaults: dict[str, Any],
        readable_defaults: dict[str, Any],
        severities: dict[int, Any],
        flags: tuple[Any, ...],
        make_resource: Callable[[dict[str, Any], str], Any],
        make_scope: Callable[[str, str, str, dict[str, Any]], Any],
        make_counted: Callable[[dict[str, Any], int], Any],
    ) -> RecordBuilder: ...
    def decode(self, request: bytes) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]:
        """Return resources, scopes and readable records of an `ExportLogsServiceRequest`, in wire order."""

@final
class Snapshot:
    """Tells whether a log record processor changed a record: the same objects in the same order, or not.

    Dicts, lists and tuples inside are followed; everything else counts as one object.

    Example:
        >>> record, attributes = {"body": {"items": [1]}}, {"a": 1}
        >>> before = Snapshot(record, attributes)
        >>> record["body"]["items"].append(2)
        >>> before.holds(record, attributes), before.fixed, before.second()
        (False, False, {'a': 1})
    """

    def __new__(cls, first: dict[str, Any], second: dict[str, Any]) -> Snapshot: ...
    def holds(self, first: dict[str, Any], second: dict[str, Any]) -> bool:
        """Tell whether both hold the same objects still."""

    @property
    def fixed(self) -> bool:
        """Whether no member of the first can be changed in place."""

    def second(self) -> dict[str, Any]:
        """Return the second as it was, in containers of its own."""

def decode_record(
    record: bytes,
) -> tuple[int, int, int, str, Any, dict[str, Any], int, int, int, int, str]:
    """Read one encoded `LogRecord`.

    Strings, truth values, integers, floats and bytes are themselves; arrays are tuples in attributes and
    lists in a body, as the SDK of OpenTelemetry holds them; maps are dicts, of a repeated key with the first
    value; no value is None. Text that is not UTF-8 is bytes. Never raises for damaged bytes: a message is
    read up to its first malformed field. Containers nested deeper than 64 are None.

    Returns:
        (time_unix_nano, observed_time_unix_nano, severity_number, severity_text, body, attributes,
        dropped_attributes_count, trace_id, span_id, trace_flags, event_name). Absent fields are 0, "" or
        None; an id of a wrong length is 0.

    Example:
        >>> decode_record(bytes([0x10, 9, 0x2a, 4, 0x0a, 2]) + b"hi")
        (0, 0, 9, '', 'hi', {}, 0, 0, 0, 0, '')
    """

def decode_request(
    request: bytes,
) -> list[
    tuple[
        dict[str, Any],
        str,
        list[
            tuple[
                tuple[str, str, str, dict[str, Any]],
                list[tuple[int, int, int, str, Any, dict[str, Any], int, int, int, int, str]],
            ]
        ],
    ]
]:
    """Read one encoded `ExportLogsServiceRequest`, not compressed; damaged bytes as in `decode_record`.

    Returns:
        A list of (resource_attributes, resource_schema_url, scopes), in wire order. Each of the scopes is
        ((name, version, schema_url, attributes), records) with the tuples of `decode_record`.

    Example:
        >>> decode_request(b"")
        []
    """

def encode_request(request: bytes, form: str, *, colour: bool = False) -> bytes:
    r"""Write one encoded `ExportLogsServiceRequest`, not compressed, in another form; UTF-8.

    `otlp_json` is one OTLP/JSON document without a newline: `{"resourceLogs":[...]}`, both
    `ExportLogsServiceRequest` and `LogsData`. The console styles `json`, `logfmt` and `minimal` are one line
    for each record, `pretty` one and the lines of its traceback; they leave the resource out. Controls are
    escaped in all of them. Never raises for damaged bytes, as `decode_request`. Works without the
    interpreter lock.

    Args:
        request: Bytes of the request.
        form: `otlp_json`, `json`, `logfmt`, `pretty` or `minimal`.
        colour: ANSI colours; only `pretty` has any.

    Raises:
        ValueError: If `form` is none of these.

    Example:
        >>> record = bytes([0x10, 9, 0x2a, 4, 0x0a, 2]) + b"hi"
        >>> request = bytes([0x0a, 12, 0x12, 10, 0x12, 8]) + record
        >>> encode_request(request, "minimal")
        b'INFO hi\n'
    """

@final
class Documents:
    """The documents of one request, in the order of its records; `LogBatch.documents` makes them.

    Document `i` is `bytes[offsets[i]:offsets[i + 1]]`: one line of JSON, with its action line before it where
    action lines were asked for, and its newline. So a part can be sent again, and the whole be cut by size,
    without encoding anew. `len()` is the number of documents.
    """

    @property
    def bytes(self) -> bytes:
        """All documents, one after the other, in UTF-8."""

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where each document starts in `bytes`, and at last where they end: `len() + 1` numbers."""

    @property
    def skipped(self) -> dict[str, int]:
        """How many records have no document, by reason; empty when all have one.

        `body_not_a_map`: the shape `bodymap` has nothing else to write.
        """

    def index(self, document: int) -> int:
        """Return which record of the batch a document is, both counted from 0.

        Raises:
            IndexError: If there is no such document.
        """

    def part(self, start: int, end: int) -> DocumentsPart:
        """Return the documents from `start` to before `end`, without a copy.

        Raises:
            IndexError: If there are no such documents.
        """

    def fitting(self, start: int, end: int, max_bytes: int, max_documents: int) -> int:
        """Return where a request that begins with document `start` ends: by its size, and before `end`.

        One document it takes in any case, however large it is.

        Raises:
            IndexError: If there are no documents from `start` to before `end`.
        """

    def larger_than(self, max_bytes: int) -> list[int]:
        """Return the documents that have more bytes."""

    def __len__(self) -> int: ...

@final
class DocumentsPart:
    """Some of the `Documents` of a request, one after the other, as a body for `HttpClient.post`.

    `len()` is the number of bytes, and `bytes()` makes a copy of them.
    """

    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...

def encode_documents(request: bytes | Batch, shape: str, *, bulk: bool = False, **options: Any) -> Documents:
    r"""Write one encoded `ExportLogsServiceRequest` as documents, one for each record.

    Works without the interpreter lock. Never raises for damaged bytes, as `decode_request`.

    Args:
        request: Its bytes, not compressed; or a block, which is unpacked without a copy in Python.
        shape: `hec`, `otel`, `ecs`, `raw`, `bodymap`, `ss4o` or `flat`: docs/reference/document_shapes.md.
        bulk: An action line before each document, for `_bulk`; not for `hec`.
        **options: Of that shape, as the same page lists them. None is as good as not given.

    Raises:
        ValueError: If `shape` or the value of an option is none of the allowed words, or a block is damaged.
        TypeError: If the shape has no such option, or a value has the wrong type.

    Example:
        >>> record = bytes([0x10, 9, 0x2a, 4, 0x0a, 2]) + b"hi"
        >>> request = bytes([0x0a, 12, 0x12, 10, 0x12, 8]) + record
        >>> encode_documents(request, "hec", severity_number_key="n").bytes
        b'{"event":"hi","fields":{"n":9},"host":"unknown"}\n'
    """

def split_request(request: bytes, records: int) -> tuple[bytes, bytes] | None:
    """Split one encoded `ExportLogsServiceRequest`, not compressed, into two.

    Order, resources, scopes and schema URLs are kept in both.

    Args:
        request: The encoded request.
        records: How many records it holds.

    Returns:
        A request with the first `records // 2` records and one with the rest; None when there is nothing to
        split: fewer than two records, or bytes that are not a request of so many.

    Example:
        >>> split_request(b"", 0) is None
        True
    """

def spool_directories(root: str | PathLike[str]) -> list[str]:
    """Return the directories of all processes and services in a spool, sorted by name.

    Args:
        root: `spool.directory`; it must exist.

    Raises:
        OSError: If it cannot be read.
    """

def survey_spool(root: str | PathLike[str], name: str, *, check: bool) -> dict[str, Any]:
    """Return what is in one directory of a spool, without the interpreter lock; nothing in it changes.

    Args:
        root: `spool.directory`.
        name: One of `spool_directories`.
        check: Whether the checksum of every block is looked at.

    Returns:
        `service`, `process` (the owner's id), `alive`, `bytes`; of what is not settled `blocks`, `records`,
        `owed` (records by exporter), `unprocessed_records` (no batch processor has seen them),
        `written_nanos` (oldest and newest, or None), `encrypted_blocks`, `key_ids`; of what is not intact
        `corrupt_bytes`, `corrupt_places`, `torn_bytes`, `torn_records`, `read_errors`, `damaged_blocks`,
        `damaged_records`, `missing_segments`, `lost_blocks` (that the numbers show to be gone, at most),
        `set_aside` (files), `other_versions` (files), `positions_lost`.

    Raises:
        OSError: If it cannot be read, is not this user's, or others may write to it.
    """

def purge_spool(root: str | PathLike[str], name: str) -> bool:
    """Remove one directory of a spool with all records in it; False: a process holds it, nothing happened.

    Args:
        root: `spool.directory`.
        name: One of `spool_directories`.

    Raises:
        OSError: If something cannot be removed; what somebody else put there is not.
    """

def ring_memory() -> list[Path]:
    """Return the directories of this user's crash rings in shared memory, of all services, sorted."""

def ring_files(directories: Sequence[str | PathLike[str]]) -> list[Path]:
    """Return the crash rings in some directories, and those set aside as unreadable, sorted in each.

    Args:
        directories: Where to look; what does not exist has none.

    Raises:
        OSError: If one cannot be read.
    """

def survey_ring(path: str | PathLike[str]) -> dict[str, Any] | None:
    """Return what is in a crash ring, without the interpreter lock, or None; nothing in it changes.

    Args:
        path: One of `ring_files`.

    Returns:
        `service`, `process` (the owner's id), `alive`, `bytes`, `slots` and `records` in use, `owed` (records
        by exporter); of an ended process `logged_nanos` (oldest and newest, or None) and what is not intact:
        `header_damaged`, `other_version`, `missing_records`, `unsynced_records`, `damaged_bytes`,
        `unreadable_slots`.

    Raises:
        OSError: If it cannot be read, is not this user's, or others may write to it.
    """

def purge_ring(path: str | PathLike[str]) -> bool:
    """Remove a crash ring with all records in it; False: a process holds it or it is gone, nothing happened.

    Args:
        path: One of `ring_files`.

    Raises:
        OSError: If it cannot be removed, or is not this user's.
    """

class HttpError(OSError):
    """Why a request has no answer; the text names the server and the cause, and never a path or a header."""

    timeout: bool
    """Whether time ran out."""

@final
class HttpClient:
    """Posts over HTTP/1.1 from any thread, for exporters: rustls, kept connections, proxies.

    Never follows redirects and never retries. HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are read once,
    here. A forked child opens connections of its own.

    Args:
        timeout_millis: Time for one request, connect to last byte of the answer. None: no limit.
        connect_timeout_millis: Time for the TCP and TLS handshake.
        certificate: PEM file of trusted authorities. None: the platform's.
        client_certificate: PEM file of the client's certificate chain.
        client_key: PEM file of the client's private key.
        user_agent: `User-Agent`, unless a request brings its own.
        max_response_bytes: Largest part of an answer's body that is read.
        max_connections: Idle connections kept for each host.

    Raises:
        ValueError: If a certificate file cannot be used, or the user agent is not printable ASCII.
    """

    def __new__(
        cls,
        *,
        timeout_millis: int | None = 10_000,
        connect_timeout_millis: int = 5_000,
        certificate: str | PathLike[str] | None = None,
        client_certificate: str | PathLike[str] | None = None,
        client_key: str | PathLike[str] | None = None,
        user_agent: str = "fapilog",
        max_response_bytes: int = 65_536,
        max_connections: int = 4,
    ) -> HttpClient: ...
    def post(
        self,
        url: str,
        headers: list[tuple[str, str]],
        body: bytes | DocumentsPart,
        *,
        timeout_millis: int | None = None,
        gzip: bool = False,
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Post a body and wait for the answer without the interpreter lock.

        Args:
            url: `http` or `https`; credentials in it are sent.
            headers: In this order, without those that frame the request (`content-length`, `host`, ...).
            body: Sent as it is, or compressed.
            timeout_millis: Instead of the client's, for this request.
            gzip: Compress the body, quickly, and say so in `content-encoding`.

        Returns:
            Status, headers (names in lower case) and body of the answer, whatever its status. A body that
            breaks off or is too large counts as far as it was read.

        Raises:
            HttpError: If there is no answer.
            ValueError: If the URL, a header or a proxy variable cannot be used.
        """

@disjoint_base
class Exchange:
    """The state of one HTTP request or WebSocket connection, from its first byte to its access record.

    Made when an ASGI application is called; `fapilog_instrumentation_fastapi.exchange.Exchange` derives from
    it and says what each attribute means.

    Args:
        scope: Of ASGI. Headers that can be read only once are replaced by a list.
        rules: What the exchanges of the application have in common.

    Raises:
        KeyError: If the scope has no path or no headers.
    """

    def __new__(cls, scope: MutableMapping[str, Any], rules: ExchangePlan) -> Self: ...
    scope: MutableMapping[str, Any]
    @property
    def plan(self) -> Any:
        """What the rules were given."""

    @property
    def correlation_id(self) -> str:
        """The caller's, if `choose` took it; else a new one."""

    @property
    def context(self) -> Context:
        """OpenTelemetry's context at the entry."""

    @property
    def headers(self) -> list[bytes | None]:
        """The first value of each wanted header."""

    @property
    def path(self) -> str:
        """As the server decoded it."""

    started_nanos: int
    seconds: float | None
    status: int | None
    response_headers: Iterable[tuple[bytes, bytes]]
    request_bytes: int
    response_bytes: int
    is_started: bool
    is_complete: bool
    is_disconnected: bool
    is_excluded: bool
    is_finished: bool
    error: BaseException | None
    attributes: dict[str, Any] | None
    on_receive: Callable[[MutableMapping[str, Any]], object] | None
    on_send: Callable[[MutableMapping[str, Any]], object] | None
    def enter(self) -> None:
        """Make it the current exchange of this task, and bind its id to what is logged here."""

    def leave(self, scope: MutableMapping[str, Any]) -> None:
        """Put back what was current before, and let go of what only the request needed.

        Args:
            scope: What the application was called with: the exchange is taken out of it, and out of its own.
        """

    def sender(self, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> Sender:
        """Return what stands in for the `send` of an HTTP request.

        It notes status and sizes, adds the header with the id, and ends a response below 500 that is
        complete: an ordinary one by itself, any other by the rules' `finish`.
        """

    def start(self, message: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Note how a response or connection begins; return the message, or a copy with the id's header."""

@final
class ExchangePlan:
    """What the exchanges of one application have in common; remembers 1,024 templates.

    Args:
        plan: What `Exchange.plan` is; has a list `on_response`. While that is empty, ordinary records are
            written in native code.
        current: The context variable of the current exchange.
        bound: That of what `bind_context` binds.
        key: The exchange's place in its scope.
        attribute: The name under which records have the id.
        wanted: Names of headers in lower case; what the places below count in.
        ids: How many of them, from the first, may have the caller's id.
        choose: Called with the values of `wanted` when one of these is there; returns the id.
        clock: Nanoseconds, as `time.perf_counter_ns`.
        echo: Name of the response header with the id, in lower case; None: none.
        user_agent, content_length, host: Their places in `wanted`.
        judged: Names of query parameters; true for secrets. A request with others is no ordinary one.
        template: Called with the first exchange of its kind that ends; None: Python writes them.
        finish: Called with each exchange that ends and is none of the ordinary ones.
        observe: Called with an exchange and a message that is no start and no part of a body.
        on_error: Called with an error of ours and `send`, where it came up.
    """

    def __new__(
        cls,
        plan: Any,
        *,
        current: ContextVar[Any],
        bound: ContextVar[BoundAttributes | None],
        key: str,
        attribute: str,
        wanted: Sequence[bytes],
        ids: int,
        choose: Callable[[Sequence[bytes | None]], str],
        clock: Callable[[], int],
        echo: bytes | None,
        user_agent: int,
        content_length: int,
        host: int,
        judged: dict[bytes, bool],
        template: Callable[[Any], AccessTemplate | None],
        finish: Callable[[Any], object],
        observe: Callable[[Any, Any], object],
        on_error: Callable[[Exception, str], object],
    ) -> ExchangePlan: ...

@final
class AccessTemplate:
    """What the access records of ordinary requests of one route, host and status have in common.

    Args:
        logger: Who writes them.
        severity: OTel number; its text is the short name.
        event_name: Of the records.
        body: Their body.
        attributes: What they all have; encoded once.
        slow_seconds: From when on a request is none of the ordinary ones.
        path_parameters: The names in the path, none of them secret; a request with others is no ordinary one.
        has_marks: Whether parameters of the route are marked; then a query string makes it none of them.
        has_body: False: servers send none, as in answer to HEAD.
        query, client, user_agent: Whether records have these attributes.
    """

    def __new__(
        cls,
        logger: Logger,
        severity: int,
        event_name: str,
        body: str,
        attributes: dict[str, Any],
        *,
        slow_seconds: float,
        path_parameters: tuple[str, ...],
        has_marks: bool,
        has_body: bool,
        query: bool,
        client: bool,
        user_agent: bool,
    ) -> AccessTemplate: ...

@final
class Sender:
    """The `send` that an application gets; see `Exchange.sender`."""

    def __call__(self, message: MutableMapping[str, Any]) -> Awaitable[None]: ...

def new_correlation_id() -> str:
    """Return a new id: 32 hexadecimal digits that sort by time (UUID version 7, RFC 9562, without dashes)."""
