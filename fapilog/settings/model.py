"""`Settings`: the whole configuration as one frozen value."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, Field, PrivateAttr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from fapilog.compliance import Combined
from fapilog.errors import ConfigurationError, configuration_error
from fapilog.settings import compliance as compliance_checks
from fapilog.settings import detectors, problems, types
from fapilog.settings.compliance import Compliance
from fapilog.settings.explain import Explained, Explanation, masked
from fapilog.settings.exporting import DeliverySettings
from fapilog.settings.file import FileSettings
from fapilog.settings.flight_recorder import FlightRecorderSettings
from fapilog.settings.groups import (
    BufferSettings,
    ConsoleSettings,
    LimitSettings,
    OtlpSettings,
    ServiceSettings,
)
from fapilog.settings.nesting import leaves, nest
from fapilog.settings.otel_config_translation import Declared
from fapilog.settings.plugins import PluginSettings
from fapilog.settings.processing import (
    BATCH_PROCESSORS_FIELD,
    ENRICHERS_FIELD,
    PROCESSORS_FIELD,
    RULES_FIELD,
    DedupeSettings,
    EnrichmentSettings,
    FirstOccurrenceSettings,
    LoggerRules,
    RateLimitSettings,
    SamplingSettings,
)
from fapilog.settings.redaction import RedactionSettings
from fapilog.settings.ring import DurabilityLevel, RingSettings, possible_bytes
from fapilog.settings.sources import (
    ARGUMENT,
    EnvironmentSource,
    FileSource,
    Load,
    PresetSource,
    ProfileSource,
    with_header_mapping,
)
from fapilog.settings.spool import SpoolSettings
from fapilog.settings.types import FrozenDict
from fapilog.settings.variables import ROWS, Row
from fapilog.settings.webhook import WebhookSettings
from fapilog.severity import Severity

# How `Settings.load` hands path and environment to the sources, which pydantic-settings creates by itself.
_current: ContextVar[Load] = ContextVar("fapilog_settings_load")


class Settings(BaseSettings):
    """The whole configuration: argument before environment before file before default.

    `Settings(...)` and `Settings.load(...)` read the environment once and never again; the value is frozen.
    Values in the environment that cannot be used raise, except numbers, enumerations and booleans in `OTEL_*`
    variables: these are named on stderr and ignored, as the OpenTelemetry specification demands.

    Raises:
        ConfigurationError: All problems at once, each with the value, its origin and the remedy.

    Example:
        >>> settings = Settings.load(environ={"FAPILOG_LEVEL": "debug"}, buffer={"overflow": "wait"})
        >>> settings.level.text, settings.origin("level"), settings.origin("buffer.overflow")
        ('DEBUG', 'FAPILOG_LEVEL', 'argument')
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", case_sensitive=True, hide_input_in_errors=True, validate_default=False
    )

    # Settings of groups that are so frequent that they have a short name of their own.
    short_names: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"minimise": "redaction.minimise", "disabled_plugins": "plugins.deny"}
    )

    level: types.Level = Field(Severity.INFO, description="Records below it are filtered.")
    levels: types.Levels = Field(
        default_factory=FrozenDict,
        description="Levels of single scopes: the longest prefix (`a.b` covers `a.b.c`) wins over `level`.",
    )
    rules: LoggerRules = RULES_FIELD
    enrichers: types.Names = ENRICHERS_FIELD
    processors: types.Names = PROCESSORS_FIELD
    batch_processors: types.Names = BATCH_PROCESSORS_FIELD
    exporters: types.Exporters | None = Field(
        None,
        description="Where records go: otlp, otlp/stdout, otlp/stderr, file, webhook, memory, console, none,"
        " and installed exporters. None: otlp, and console on a terminal.",
    )
    compliance: Compliance = Field(
        (),
        description="Compliance profiles: names of installed ones (`pip install fapilog-compliance`), paths"
        " of TOML files. They help with clauses of a standard; the strictest of all counts.",
    )
    durability: DurabilityLevel = Field(
        "memory",
        description="What survives of the records that calls returned from. `memory`: what is on disk."
        " `process`: all, when the process is killed. `power`: all but the last `ring.sync_interval_millis`"
        " when the power goes. Both need `spool.directory`.",
    )
    disabled: types.Flag = Field(False, description="Nothing is recorded and no thread starts.")
    capture_location: Literal["auto", "always", "never"] = Field(
        "auto", description="File, line and function of the call. `auto`: for WARN and above."
    )
    capture_thread: types.Flag = Field(
        False, description="Each record carries `thread.id` and `thread.name` of the thread that logged it."
    )
    severity_text: Literal["otel", "source"] = Field(
        "otel",
        description="What records of `logging`, structlog and loguru say beside the number: the short name of"
        " OpenTelemetry (`WARN`), or the level's name in its library (`WARNING`).",
    )
    capture_stdlib: types.Flag = Field(True, description="Records of `logging` go through the pipeline too.")
    capture_warnings: types.Flag = Field(False, description="Warnings of `warnings` become records.")
    exception_hooks: types.Flag = Field(
        False,
        description="Unhandled exceptions of the main thread and of other threads become records. An event"
        " loop needs `fapilog.hooks.watch_loop()`.",
    )
    sequence: types.Flag = Field(
        True, description="Each record carries `fapilog.sequence`, which proves order and gaps."
    )
    record_uid: Literal["off", "on", "auto"] = Field(
        "off",
        description="Each record carries `log.record.uid`, by which a receiver knows one that comes twice."
        " `auto`: with a spool, a fallback or a file for refused records.",
    )
    exit_report: types.Flag = Field(
        False, description="The ledger is printed on stderr when the process ends."
    )
    inventory: types.Flag = Field(
        False,
        description="Names of attributes are counted, for `Telemetry.inventory()`, when records leave;"
        " without it only findings are.",
    )
    self_observability: types.Flag = Field(
        False, description="The `otel.sdk.*` and `fapilog.*` metrics go to the process's meter provider."
    )
    service: ServiceSettings = Field(default_factory=ServiceSettings)
    buffer: BufferSettings = Field(default_factory=BufferSettings)
    otlp: OtlpSettings = Field(default_factory=OtlpSettings)
    file: FileSettings = Field(default_factory=FileSettings)
    webhook: WebhookSettings = Field(default_factory=WebhookSettings)
    console: ConsoleSettings = Field(default_factory=ConsoleSettings)
    spool: SpoolSettings = Field(default_factory=SpoolSettings)
    ring: RingSettings = Field(default_factory=RingSettings)
    delivery: DeliverySettings = Field(default_factory=DeliverySettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    redaction: RedactionSettings = Field(default_factory=RedactionSettings)
    sampling: SamplingSettings = Field(default_factory=SamplingSettings)
    rate_limit: RateLimitSettings = Field(default_factory=RateLimitSettings)
    first_occurrence: FirstOccurrenceSettings = Field(default_factory=FirstOccurrenceSettings)
    dedupe: DedupeSettings = Field(default_factory=DedupeSettings)
    enrichment: EnrichmentSettings = Field(default_factory=EnrichmentSettings)
    flight_recorder: FlightRecorderSettings = Field(default_factory=FlightRecorderSettings)
    plugins: PluginSettings = Field(default_factory=PluginSettings)

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _preset_headers: frozenset[str] = PrivateAttr(default=frozenset())

    def __init__(self, **values: Any) -> None:
        load = _current.get(None) or Load(os.environ)
        flat = with_header_mapping(leaves(type(self), {key: _plain(value) for key, value in values.items()}))
        load.origins |= dict.fromkeys(flat, ARGUMENT)
        load.values |= flat
        token = _current.set(load)
        try:
            super().__init__(**nest(flat))
        except ValidationError as error:
            _add_problems(load, error)
        finally:
            _current.reset(token)
        if load.problems:
            raise configuration_error(load.problems)
        self._origins, self._preset_headers = load.origins, load.preset_headers
        _ = self.with_detectors  # raises for one that cannot be used
        if refused := tuple(compliance_checks.refused(self, self.origin, load.environ)):
            raise configuration_error(refused)

    @model_validator(mode="after")
    def _durable_needs_a_spool(self) -> Self:
        if self.durability != "memory" and self.spool.directory is None:
            raise types.conflict(
                "durability-without-spool",
                f"durability {self.durability} needs a spool: what the ring cannot hold has to go somewhere",
                "set spool.directory (FAPILOG_SPOOL_DIRECTORY) to a directory that outlives the process,"
                " or {durability} to 'memory'",
                durability=self.durability,
            )
        return self

    @model_validator(mode="after")
    def _ring_has_slots(self) -> Self:
        least, most = possible_bytes(self.buffer)
        given = "limit_bytes" in self.ring.model_fields_set and self.durability != "memory"
        if given and not least <= self.ring.limit_bytes <= most:
            raise types.conflict(
                "ring-out-of-range",
                f"a crash ring has 2 to 64 slots, and a slot holds one record of {self.buffer.record_bytes}"
                f" bytes at least and one chunk of the buffer at most: {least} to {most} bytes together",
                f"set ring.limit_bytes (FAPILOG_RING_BYTES) to {least} ... {most}, or change"
                " buffer.record_bytes, buffer.chunk_bytes or buffer.limit_bytes",
                **{"ring.limit_bytes": self.ring.limit_bytes},
            )
        return self

    @classmethod
    def load(
        cls, path: str | Path | None = None, *, environ: Mapping[str, str] | None = None, **overrides: Any
    ) -> Self:
        """Read the settings from arguments, environment and a file.

        Args:
            path: YAML or JSON file, named by its suffix; None: no file.
            environ: Environment variables; None: those of the process.
            **overrides: Settings by name; groups as mappings or models, or single settings by their dotted
                names (`**{"otlp.max_in_flight": 8}`). `redaction="scan"` is the mode of the group,
                `minimise=True` is `redaction.minimise`.

        Raises:
            ConfigurationError: All problems at once.
        """
        load = Load(os.environ if environ is None else environ, None if path is None else Path(path))
        token = _current.set(load)
        try:
            return cls(**overrides)
        finally:
            _current.reset(token)

    @classmethod
    def declared(cls, declared: Declared, **overrides: Any) -> Self:
        """Take the settings that a configuration file of OpenTelemetry means; no variable counts.

        Args:
            declared: What the file means.
            **overrides: As `load` takes them.

        Raises:
            ConfigurationError: All problems at once.
        """
        token = _current.set(Load({}, declared=declared))
        try:
            return cls(**overrides)
        finally:
            _current.reset(token)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Name the sources in order of precedence (pydantic-settings)."""
        del env_settings, dotenv_settings, file_secret_settings  # names and parsing follow our table instead
        load = _current.get()
        own = (
            source(settings_cls, load)
            for source in (EnvironmentSource, FileSource, PresetSource, ProfileSource)
        )
        return init_settings, *own

    @cached_property
    def redaction_in_force(self) -> RedactionSettings:
        """The policy of stage 3: `redaction`, and what the compliance profiles ask for."""
        return compliance_checks.redaction_in_force(self.with_detectors, self.profiles)

    @cached_property
    def with_detectors(self) -> RedactionSettings:
        """What the user wrote in `redaction`, with the rules of its detectors."""
        return detectors.with_rules(self.redaction, self.plugins.policy, self.origin(detectors.SETTING))

    @cached_property
    def profiles(self) -> Combined:
        """What the compliance profiles ask together."""
        return compliance_checks.combined(self)

    @property
    def gives_uids(self) -> bool:
        """Whether records carry `log.record.uid`: what `record_uid` comes to."""
        ways = (self.spool.directory, self.delivery.fallback, self.delivery.dead_letters)
        return self.record_uid == "on" or (self.record_uid == "auto" and any(ways))

    def origin(self, name: str) -> str:
        """Where the value of a setting comes from.

        Args:
            name: Dotted name, such as `otlp.endpoint`.

        Returns:
            `argument`, the name of an environment variable, the path of the file, or `default`.

        Raises:
            ConfigurationError: `setting-unknown`, if there is no such setting.
        """
        if name not in ROWS:
            raise ConfigurationError([problems.unknown_problem(name, ARGUMENT, _known())])
        return self._origins.get(name, problems.DEFAULT)

    def explain(self) -> Explanation:
        """Every setting with value, origin and the variables that can set it; secrets masked.

        What compliance profiles changed is shown as it is in force, with the profiles as origin.
        """
        return Explanation(map(self._explained, ROWS.values()))

    def _explained(self, row: Row) -> Explained:
        changed = compliance_checks.explained(self, row.name)
        value, origin = changed or (self._value(row.name), self.origin(row.name))
        variables = tuple(variable.name for variable in row.variables)
        return Explained(row.name, masked(row.name, value), origin, variables)

    def with_changes(self, **overrides: Any) -> Self:
        """Return a copy with some settings replaced, validated again as a whole.

        Args:
            **overrides: As `load` takes them; their origin becomes `argument`, the others keep theirs.

        Raises:
            ConfigurationError: All problems at once.

        Example:
            >>> Settings(sequence=False).with_changes(level="debug").sequence
            False
        """
        changes = leaves(type(self), overrides)
        kept = {
            name: self._given(name) for name in self._origins if self._is_given(name) and name not in changes
        }
        values: dict[str, Any] = kept | changes
        changed = type(self).load(environ={}, **values)
        changed._origins.update({name: self._origins[name] for name in kept})
        return changed

    def _is_given(self, name: str) -> bool:
        """Whether somebody set it; what a preset or a profile filled in follows from it."""
        return name in ROWS and not self._origins[name].startswith(("preset ", "profile "))

    def _given(self, name: str) -> object:
        if name != "otlp.headers":
            return self._value(name)
        return {name: value for name, value in self.otlp.headers.items() if name not in self._preset_headers}

    def _value(self, name: str) -> object:
        value: object = self
        for part in name.split("."):
            value = getattr(value, part)
        return value

    def __eq__(self, other: object) -> bool:
        """Equal values are equal settings, wherever they came from."""
        if not isinstance(other, Settings):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in Settings.model_fields)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in Settings.model_fields))

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        yield from ((name, masked(name, getattr(self, name))) for name in type(self).model_fields)


def _add_problems(load: Load, error: ValidationError) -> None:
    """Add what the model found, without conflicts that only follow from a value that is wrong already."""
    wrong = {setting.name for problem in load.problems for setting in problem.settings}
    for item in error.errors():
        problem = problems.problem_from(item, load.origins, _known())
        if wrong.isdisjoint(setting.name for setting in problem.settings):
            load.problems.append(problem)


def _known() -> tuple[str, ...]:
    return tuple(dict.fromkeys((*ROWS, *Settings.model_fields)))


def _plain(value: object) -> object:
    """A group given as a model counts only with what was set in it."""
    return value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
