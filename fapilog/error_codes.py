"""The one table of error codes; `docs/reference/errors.md` is generated from it. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class CodeEntry(NamedTuple):
    """One row of the table of codes."""

    exception: str
    meaning: str
    remedy: str


# A code is never reused or renamed.
CODES: Mapping[str, CodeEntry] = MappingProxyType(
    {
        "settings-wrong": CodeEntry(
            "ConfigurationError",
            "Several settings are wrong; the message lists each with its own code.",
            "Work through the list: every entry has its own `do:` line.",
        ),
        "setting-invalid": CodeEntry(
            "ConfigurationError",
            "A value has the wrong type, is out of range or is not one of the allowed words.",
            "Change the value where the message says it came from.",
        ),
        "setting-unknown": CodeEntry(
            "ConfigurationError",
            "An argument or a key in the settings file is not the name of a setting.",
            "Use the name that the message suggests, or look it up in the settings reference.",
        ),
        "file-unreadable": CodeEntry(
            "ConfigurationError",
            "The settings file is missing or may not be read.",
            "Check the path and the permissions.",
        ),
        "file-invalid": CodeEntry(
            "ConfigurationError",
            "The settings file is not YAML or JSON, or its top level is not a mapping.",
            "Correct the file; its name must end in .yaml, .yml or .json.",
        ),
        "queue-smaller-than-batch": CodeEntry(
            "ConfigurationError",
            "The buffer may hold fewer records than one block may.",
            "Raise the queue or lower the batch.",
        ),
        "sampling-incomplete": CodeEntry(
            "ConfigurationError",
            "Sampling by the sampled flag says nothing about records outside of spans.",
            "Set `sampling.ratio` too.",
        ),
        "enricher-unknown": CodeEntry(
            "ConfigurationError",
            "An enricher that is neither built in nor a plugin of an installed package.",
            "Correct the name, or install the package; the error lists the known ones.",
        ),
        "enricher-invalid": CodeEntry(
            "ConfigurationError",
            "An object given as an enricher is neither a mapping nor a function.",
            "Pass a name, a mapping, or a function without arguments.",
        ),
        "buffer-smaller-than-chunk": CodeEntry(
            "ConfigurationError",
            "The buffer may hold fewer bytes than one chunk.",
            "Raise the buffer or lower the chunk.",
        ),
        "spool-smaller-than-segment": CodeEntry(
            "ConfigurationError",
            "The spool may hold fewer bytes than one of its files.",
            "Raise `spool.limit_bytes` or lower `spool.segment_bytes`.",
        ),
        "spool-keys-unusable": CodeEntry(
            "ConfigurationError",
            "The key provider gives no keys for the spool. Later, while fapilog runs, those from before stay"
            " in use.",
            "See the message: it says what is wrong, and shows no key.",
        ),
        "token-keys-unusable": CodeEntry(
            "ConfigurationError",
            "The key provider gives no keys for tokens. Later, while fapilog runs, those from before stay in"
            " use.",
            "See the message: it says what is wrong, and shows no key.",
        ),
        "token-without-key": CodeEntry(
            "ConfigurationError",
            "A type has the action `token`, and no key provider is set.",
            "Set `redaction.key_provider` (FAPILOG_REDACTION_KEY_PROVIDER), or choose another action.",
        ),
        "seal-without-key": CodeEntry(
            "ConfigurationError",
            "A type has the action `seal`, and no public key is set.",
            "Make a pair with `fapilog seal new-key`, and set `redaction.seal_to` (FAPILOG_SEAL_TO).",
        ),
        "hash-without-key": CodeEntry(
            "ConfigurationError",
            "A plain hash was asked for. Values such as card numbers are so few that all can be tried.",
            "Use the action `token`, which needs a key (docs/adr/0015-no-plain-hash.md).",
        ),
        "policy-forbidden": CodeEntry(
            "ConfigurationError",
            "Policies that the same records meet do together, or one of them does alone, what a standard"
            " forbids; the message names the clause.",
            "Change one of the actions that the message names.",
        ),
        "durability-without-spool": CodeEntry(
            "ConfigurationError",
            "`durability` is `process` or `power`, and there is no spool.",
            "Set `spool.directory` (FAPILOG_SPOOL_DIRECTORY), or `durability` to `memory`.",
        ),
        "ring-out-of-range": CodeEntry(
            "ConfigurationError",
            "`ring.limit_bytes` is less than two records take, or more than 64 chunks do.",
            "Set it into the range that the message names, or change the sizes of `buffer`.",
        ),
        "chunk-smaller-than-record": CodeEntry(
            "ConfigurationError",
            "One record may be larger than the chunk that has to hold it.",
            "Raise the chunk or lower the record.",
        ),
        "backoff-out-of-order": CodeEntry(
            "ConfigurationError",
            "The first pause between attempts is longer than the longest pause.",
            "Raise the longest pause or lower the first.",
        ),
        "client-key-incomplete": CodeEntry(
            "ConfigurationError",
            "Of the client certificate and its key, only one is given.",
            "Give both, or neither.",
        ),
        "preset-incomplete": CodeEntry(
            "ConfigurationError",
            "A vendor's preset needs a key, a parameter or an auth function that was not given.",
            "Give what the message names; `docs/how-to/send_to_vendors.md` lists all.",
        ),
        "protocol-conflict": CodeEntry(
            "ConfigurationError",
            "A setting of the OTLP exporter does not fit its protocol.",
            "Change one of the two; the message names both.",
        ),
        "auth-invalid": CodeEntry(
            "ConfigurationError",
            "`auth` is no function or names an exporter that takes none, or the plugin that `otlp.auth` names"
            " cannot be used.",
            "Pass a function without arguments that returns headers (`docs/how-to/send_to_vendors.md`).",
        ),
        "webhook-not-private": CodeEntry(
            "ConfigurationError",
            "The URL of the webhook is plain HTTP to another machine.",
            "Use https://, or allow it with `webhook.allow_http` (FAPILOG_WEBHOOK_ALLOW_HTTP).",
        ),
        "webhook-secret-missing": CodeEntry(
            "ConfigurationError",
            "The webhook has an old secret, but no current one.",
            "Set `webhook.secret` (FAPILOG_WEBHOOK_SECRET).",
        ),
        "webhook-url-missing": CodeEntry(
            "ConfigurationError",
            "The exporter `webhook` was chosen, and no URL was given.",
            "Set `webhook.url` (FAPILOG_WEBHOOK_URL).",
        ),
        "exporters-conflict": CodeEntry(
            "ConfigurationError",
            "The exporter `none` stands next to other exporters.",
            "Use `none` alone, or remove it.",
        ),
        "callback-invalid": CodeEntry(
            "ConfigurationError",
            "`on_error` is not an ordinary function.",
            "Pass a callable that takes one error and returns at once.",
        ),
        "file-path-missing": CodeEntry(
            "ConfigurationError",
            "The exporter `file` is chosen, and nobody said where it writes.",
            "Set `file.path` (FAPILOG_FILE_PATH).",
        ),
        "exporter-unknown": CodeEntry(
            "UnknownExporterError",
            "An exporter is named that is neither built in nor installed.",
            "Correct the name, or install the package that provides it.",
        ),
        "destination-keeps": CodeEntry(
            "ConfigurationError",
            "A policy in `redaction.destinations` asks for what the common policy has hidden before any"
            " exporter sees it. A destination may only remove more.",
            "Let the common policy keep what some destinations need, and the others remove it.",
        ),
        "plugin-unknown": CodeEntry(
            "ConfigurationError",
            "A setting names a plugin that no installed package provides.",
            "Correct the name, or install the package; `fapilog plugins list` shows what is there.",
        ),
        "plugin-refused": CodeEntry(
            "ConfigurationError",
            "A setting names a plugin that `plugins.deny` names, or that `plugins.allow` does not.",
            "Change one of the settings: what was asked for would be missing without a word.",
        ),
        "detector-invalid": CodeEntry(
            "ConfigurationError",
            "A plugin that `redaction.detectors` names is broken or disabled, or its rules cannot be used.",
            "Update the package, or leave the detector out; `fapilog plugins validate` says what is wrong.",
        ),
        "exporter-invalid": CodeEntry(
            "ConfigurationError",
            "An object that was passed as an exporter is none, or an installed exporter cannot be made.",
            "Pass a name, an object with `async def export_batch(self, batch)`, or an OpenTelemetry"
            " LogRecordExporter.",
        ),
        "profile-unknown": CodeEntry(
            "ConfigurationError",
            "`compliance` names a profile that no installed package brings.",
            "Run `pip install fapilog-compliance`, or correct the name.",
        ),
        "profile-invalid": CodeEntry(
            "ConfigurationError",
            "A compliance profile cannot be read, or says something that does not exist.",
            "Correct the file at the place that the message names.",
        ),
        "profiles-conflict": CodeEntry(
            "ConfigurationError",
            "Two compliance profiles ask for what no setting can meet together; both clauses are named.",
            "Decide which counts, and write it into a profile of your own that extends the other one.",
        ),
        "profile-weakened": CodeEntry(
            "ConfigurationError",
            "A setting lets more through than a clause of a compliance profile allows.",
            "Choose what the message names or what is stricter, or leave the setting out.",
        ),
        "tls-required": CodeEntry(
            "ConfigurationError",
            "A compliance profile asks for TLS, and an endpoint on another machine is not `https`.",
            "Use an `https` address, or send to a collector on the same machine.",
        ),
        "retention-too-short": CodeEntry(
            "ConfigurationError",
            "Files or the spool would delete records earlier than a clause of a compliance profile says.",
            "Raise the limit that the message names, or leave it out: then the profile sets it.",
        ),
        "retention-too-long": CodeEntry(
            "ConfigurationError",
            "Files or the spool would keep records longer than a clause of a compliance profile says.",
            "Lower the limit that the message names, or leave it out: then the profile sets it.",
        ),
        "not-in-this-version": CodeEntry(
            "UnsupportedSettingError",
            "The setting has a name, but the work behind it comes with a later version.",
            "Remove the setting, or use the value that the message names.",
        ),
        "dependency-missing": CodeEntry(
            "MissingDependencyError",
            "A feature was called whose package is not installed.",
            "Run the pip line in the message.",
        ),
        "endpoint-unreachable": CodeEntry(
            "ExportError",
            "No connection to the destination; records stay in the buffer and are tried again.",
            "Check the endpoint and that the collector runs.",
        ),
        "export-timeout": CodeEntry(
            "ExportError",
            "The destination did not answer in time; the request is tried again.",
            "Check the load of the collector, or raise the timeout.",
        ),
        "export-rejected": CodeEntry(
            "ExportError",
            "The destination refused records for good; they are counted as rejected.",
            "Read the answer in the message; credentials and sizes are the usual causes.",
        ),
        "exporter-failed": CodeEntry(
            "ExportError",
            "An exporter written in Python raised something else than a connection error, or broke its"
            " contract; the records of that batch are counted as rejected.",
            "Read the exception in the message; docs/how-to/write_an_exporter.md lists what is expected.",
        ),
        "capture-failed": CodeEntry(
            "FapilogError",
            "A record given as an object could not be read; it is counted as refused.",
            "Look at the message; the object's own methods raised.",
        ),
        "processor-failed": CodeEntry(
            "FapilogError",
            "A log record processor raised; the record goes on as the processor left it.",
            "Look at the message; correct the processor, or take it off the provider.",
        ),
        "thread-not-started": CodeEntry(
            "FapilogError",
            "The operating system refused a native thread; records wait in memory.",
            "Raise the process's thread limit.",
        ),
        "start-failed": CodeEntry(
            "FapilogError",
            "With the first record of a process, Python exporters and processors, or an exporter of a forked"
            " process, could not be started.",
            "Look at the message; all other exporters deliver meanwhile.",
        ),
        "records-lost": CodeEntry(
            "FapilogError",
            "Records were still waiting for an exporter when nobody could deliver them any more.",
            "Call `shutdown()` on the provider, and raise its timeout if it ran out.",
        ),
        "spool-full": CodeEntry(
            "FapilogError",
            "The spool has reached its quota, or holds more blocks than it keeps track of. Records wait in"
            " memory.",
            "See why the exporters deliver nothing, or raise `spool.limit_bytes`.",
        ),
        "spool-dropping": CodeEntry(
            "FapilogError",
            "Records were dropped from the spool: the oldest ones to make room within `spool.limit_bytes`, as"
            ' `overflow="drop_oldest"` says, or those older than `spool.max_age_seconds`.',
            "See why the exporters deliver nothing, or raise the limit that the message names.",
        ),
        "dead-letters-lost": CodeEntry(
            "FapilogError",
            "Records that a receiver refused cannot be written to the file for them"
            " (`delivery.dead_letters`). Delivery goes on, and the ledger counts them as rejected.",
            "Make room for the file, or give its directory to this user.",
        ),
        "unredacted": CodeEntry(
            "FapilogError",
            "Records could not be read to apply the redaction policy of an exporter"
            " (`redaction.destinations`). That exporter does not get them; its ledger counts them as"
            " `unredacted`.",
            "Look for a batch processor that writes what is no OTLP, or for a damaged spool.",
        ),
        "fallback-in-use": CodeEntry(
            "FapilogError",
            "An exporter did not take its records: its fallback (`delivery.fallback`) gets them meanwhile.",
            "See why the exporter takes nothing; no record is lost.",
        ),
        "spool-no-space": CodeEntry(
            "FapilogError",
            "The file system of the spool is full, or would have less free than `spool.min_free_bytes`."
            " Records wait in memory.",
            "Free some space, or move the spool.",
        ),
        "spool-read-only": CodeEntry(
            "FapilogError",
            "The spool may not be written. Records wait in memory.",
            "Give this user the right to write there, or move the spool.",
        ),
        "spool-io": CodeEntry(
            "FapilogError",
            "The disk of the spool failed, or does not answer. Records wait in memory, and the disk is tried"
            " again.",
            "See the system's log for the state of the disk, and whether its file system is mounted.",
        ),
        "spool-gone": CodeEntry(
            "FapilogError",
            "Somebody removed the directory of a running process from the spool; what was in it is lost.",
            "Leave directories in the spool to fapilog.",
        ),
        "spool-too-slow": CodeEntry(
            "FapilogError",
            "At the end of the process, the disk of the spool did not take what was left in time. The message"
            " says how many records that were.",
            "See whether the disk answers, and raise `buffer.shutdown_timeout_millis` if it is only slow.",
        ),
        "spool-taken": CodeEntry(
            "FapilogError",
            "No directory for this process could be made in the spool: every name was taken.",
            "See what else works in the spool's directory.",
        ),
        "spool-corrupt": CodeEntry(
            "FapilogError",
            "What an ended process left in the spool is damaged, or a block was when it was read. All that"
            " could be read is delivered.",
            "See the message, and the system's log for the state of the disk.",
        ),
        "spool-unreadable": CodeEntry(
            "FapilogError",
            "A block of the spool could not be read for now; it stays on the disk and is tried again.",
            "See what the disk says: the message holds its answer.",
        ),
        "spool-block-too-large": CodeEntry(
            "FapilogError",
            "A block is larger than a block of the spool may be. It stays in memory.",
            "Lower `buffer.chunk_bytes`.",
        ),
        "spool-settings": CodeEntry(
            "FapilogError",
            "The spool cannot store the names of the exporters.",
            "Use at most 16 exporters, with different names of 1 to 64 bytes.",
        ),
        "spool-key-missing": CodeEntry(
            "FapilogError",
            "Records in the spool are encrypted with a key that the key provider does not give, or that does"
            " not open them. They wait on disk until it does, or until the age limit.",
            "Give the key with this id again, behind the current one.",
        ),
        "ring-io": CodeEntry(
            "FapilogError",
            "The crash ring could not be forced to the disk, or the one of an ended process could not be"
            " read. Records are logged and delivered all the same.",
            "See the system's log for the state of the disk, then restart the process.",
        ),
        "ring-scopes-full": CodeEntry(
            "FapilogError",
            "The crash ring has no room for further logger names. Records of these are recovered without"
            " their name.",
            "Make fewer loggers.",
        ),
        "ring-unencrypted": CodeEntry(
            "FapilogError",
            "The key provider began to encrypt the spool while the process runs, and its crash ring lies"
            " unencrypted on a disk. At a start this is refused.",
            "Start the process again with `durability` `process` and `ring.directory` on a tmpfs.",
        ),
        "ring-corrupt": CodeEntry(
            "FapilogError",
            "What an ended process left in its crash ring is damaged. All that could be read is delivered.",
            "See the message, and the system's log for the state of the disk.",
        ),
        "already-configured": CodeEntry(
            "LifecycleError",
            "`configure_otel()` was called again with other arguments.",
            "Call `shutdown()` on the first Telemetry before, or use the same arguments.",
        ),
        "memory-exporter-missing": CodeEntry(
            "LifecycleError",
            "`fapilog.exporters.memory.newest()` was called, and no exporter was made by the name `memory`.",
            "Set `FAPILOG_EXPORTERS=memory` or pass `exporters=['memory']`, before the first record.",
        ),
        "provider-shut-down": CodeEntry(
            "LifecycleError",
            "The provider was used after `shutdown()`.",
            "Create a new provider.",
        ),
    }
)
