"""`PostgresSettings`: which database, which table. Threads: the configuring one."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from fapilog.exporters.settings import ExporterSettings, Millis
from pydantic import AfterValidator, Field, SecretStr

_NAME = r"[a-z_][a-z0-9_]{0,39}"
_HOST = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(:[0-9]{1,5})?")
_TABLE = re.compile(rf"{_NAME}(\.{_NAME})?")


def _table(name: str) -> str:
    if not _TABLE.fullmatch(name):
        raise ValueError("it must be TABLE or SCHEMA.TABLE, of small letters, digits and _, each at most 40")
    return name


def _dsn(dsn: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(dsn.get_secret_value())
    except ValueError:  # its words may show a part of the password
        raise ValueError("it must be postgresql://USER:PASSWORD@HOST:5432/DATABASE") from None
    if parts.scheme not in ("postgres", "postgresql"):
        raise ValueError("it must be postgresql://USER:PASSWORD@HOST:5432/DATABASE")
    hosts = parts.netloc.rpartition("@")[2].split(",")
    behind = f"{parts.path}?{parts.query}"
    if parts.fragment or "@" in behind or not all(map(_HOST.fullmatch, hosts)):
        # The driver would take a part of the password for a port, and show it.
        raise ValueError("its ports must be numbers, and / ? # @ in user and password %2F %3F %23 %40")
    return dsn


class PostgresSettings(ExporterSettings):
    """Settings of the exporter `postgresql`; frozen. An address with a password is never shown.

    Example:
        >>> settings = PostgresSettings.load({"FAPILOG_POSTGRESQL_TABLE": "audit.log_records"})
        >>> settings.table, settings.dsn
        ('audit.log_records', None)
    """

    exporter = "postgresql"
    prefix = "FAPILOG_POSTGRESQL_"
    guide = "its README"

    dsn: Annotated[SecretStr, AfterValidator(_dsn)] | None = Field(
        None,
        description="`postgresql://USER:PASSWORD@HOST:5432/DATABASE`. None: PG* variables.",
    )
    table: Annotated[str, AfterValidator(_table)] = Field(
        "log_records", description="Name of the table, with or without a schema."
    )
    create: bool = Field(True, description="Make the table, and a partition for each day of records.")
    max_in_flight: Annotated[int, Field(ge=1)] = Field(
        2, description="Batches on their way at once, each over a connection of its own."
    )
    timeout_millis: Millis = Field(
        20_000, description="Of connecting, and of one statement; below `delivery.timeout_millis`."
    )
    refused_pause_millis: Millis = Field(
        60_000, description="Pause after a refused login, or where the table cannot be used."
    )
