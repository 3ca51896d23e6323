"""Stage 6 of 7, export: settings of exporters, for packages of their own too. Threads: the configuring one.

| name | what it is |
|---|---|
| `ExporterSettings` | a model whose fields are arguments and variables; errors name where a value came from |
| `TlsSettings` | the same with a certificate authority and a certificate of ours |
| `Millis` | a time of at least one millisecond |
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from fapilog.errors import MASK, ConfigurationError, OffendingSetting, Problem

Millis = Annotated[int, Field(ge=1)]


class ExporterSettings(BaseModel):
    """Settings of one exporter; frozen. Each field is also the variable `<prefix><NAME>`.

    A subclass names its exporter. A field whose type holds `SecretStr`, or whose value is a URL or has an
    `@`, is never shown.
    A tuple is read from a variable as words with commas between; `none` is None where a field may be None.

    Example:
        >>> class PigeonSettings(ExporterSettings):
        ...     exporter = "pigeon"
        ...     prefix = "FAPILOG_PIGEON_"
        ...     lofts: tuple[str, ...] = ()
        >>> PigeonSettings.load({"FAPILOG_PIGEON_LOFTS": "north, south"}).lofts
        ('north', 'south')
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    exporter: ClassVar[str]
    """Name of the exporter, for messages."""
    prefix: ClassVar[str]
    """What its variables begin with."""
    usual_variables: ClassVar[Mapping[str, str]] = {}
    """Variables that others use for the same, by the field they fill; ours win."""
    guide: ClassVar[str] = "its documentation"
    """Where the names of its settings stand."""

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Self:
        """Build the settings from arguments, then variables, then defaults.

        Args:
            environ: Instead of `os.environ`.
            **given: Settings by their names.

        Raises:
            ConfigurationError: With one problem per value that is missing or wrong.
        """
        values, origins = cls._from_environment(os.environ if environ is None else environ)
        values |= given
        origins |= dict.fromkeys(given, "argument")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = [cls._problem(item, origins, values) for item in error.errors()]
            raise ConfigurationError(problems) from None

    @classmethod
    def _from_environment(cls, environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
        ours = {cls.prefix + name.upper(): name for name in cls.model_fields}
        strangers = sorted(name for name in environ if name.startswith(cls.prefix) and name not in ours)
        if strangers:
            log = logging.getLogger(cls.__module__.partition(".")[0])
            log.warning("no setting has the variable %s: it has no effect", ", ".join(strangers))
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for variable, name in (
            *((theirs, name) for name, theirs in cls.usual_variables.items()),
            *ours.items(),
        ):
            text = environ.get(variable, "").strip()
            if text:  # empty is as good as unset
                values[name], origins[name] = cls._read(name, text), variable
        return values, origins

    @classmethod
    def _read(cls, name: str, text: str) -> Any:
        types = tuple(_parts(cls.model_fields[name].annotation))
        if type(None) in types and text.lower() == "none":
            return None
        if tuple in types:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        return text

    @classmethod
    def _problem(cls, item: Any, origins: Mapping[str, str], values: Mapping[str, Any]) -> Problem:
        message = str(item["msg"]).removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        if not item["loc"]:  # settings that do not go together
            remedy = f"correct the settings of {cls.exporter}: {message}"
            return Problem("setting-invalid", message, (), remedy)
        name = str(item["loc"][0])
        origin = origins.get(name, "argument")
        if item["type"] == "missing":
            remedy = f"set {cls.prefix}{name.upper()}, or pass {name}"
            shown = OffendingSetting(name, "None", "default", remedy)
            return Problem("setting-invalid", f"the exporter {cls.exporter} needs {name}", (shown,), remedy)
        if name not in cls.model_fields:
            shown = OffendingSetting(name, MASK, origin, f"use a name of {cls.guide}")
            return Problem(
                "setting-unknown", f"{name} is no setting of {cls.exporter}", (shown,), shown.remedy
            )
        remedy = f"{'give' if origin == 'argument' else f'set {origin} to'} another value: {message}"
        shown = OffendingSetting(name, cls._shown(name, values.get(name)), origin, remedy)
        what = f"{name} of {cls.exporter} has a value that is not allowed"
        return Problem("setting-invalid", what, (shown,), remedy)

    @classmethod
    def _shown(cls, name: str, value: Any) -> str:
        """A value for people; an address may hold a password, with a scheme or without, where none may be."""
        secret = SecretStr in _parts(cls.model_fields[name].annotation) or isinstance(value, SecretStr)
        text = repr(value)
        return MASK if secret or "://" in text or "@" in text else text


class TlsSettings(ExporterSettings):
    """Settings of an exporter that speaks TLS.

    Example:
        >>> class PostSettings(TlsSettings):
        ...     exporter = "post"
        ...     prefix = "FAPILOG_POST_"
        >>> PostSettings.load({"FAPILOG_POST_CERTIFICATE": "/etc/ssl/ours.pem"}).certificate
        PosixPath('/etc/ssl/ours.pem')
    """

    certificate: Path | None = Field(None, description="PEM file of trusted authorities. None: the system's.")
    client_certificate: Path | None = Field(None, description="PEM file of our certificate chain.")
    client_key: Path | None = Field(None, description="PEM file of its key.")

    @model_validator(mode="after")
    def _certificate_and_key(self) -> Self:
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("client_certificate and client_key belong together")
        return self


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation consists of."""
    yield get_origin(annotation) or annotation
    for part in get_args(annotation):
        yield from _parts(part)
