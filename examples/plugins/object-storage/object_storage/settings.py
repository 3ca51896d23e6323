"""`ObjectStorageSettings`: which bucket, which names, which form. Threads: the configuring one.

Credentials are no settings: boto3 finds them, in its variables, its files, or by the role of the machine.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fapilog.exporters.settings import Millis, TlsSettings
from pydantic import AfterValidator, Field


def _bucket(name: str) -> str:
    if not name or not name.isprintable() or " " in name or ("/" in name and not name.startswith("arn:")):
        raise ValueError("it must be the name of a bucket alone; folders have a setting of their own")
    return name


def _folder(path: str) -> str:
    folder = path.strip("/")
    if not folder.isprintable() or any(part in (".", "..", "") for part in folder.split("/") if folder):
        raise ValueError("it must be printable, without empty parts, . and ..")
    return folder


def _partition(pattern: str) -> str:
    _folder(datetime(2026, 1, 31, tzinfo=UTC).strftime(pattern))
    return pattern.strip("/")


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("it must be https://HOST, without credentials and query")
    return url


class ObjectStorageSettings(TlsSettings):
    """Settings of the exporter `object_storage`; frozen.

    Example:
        >>> variables = {"FAPILOG_OBJECT_STORAGE_BUCKET": "acme-logs"}
        >>> settings = ObjectStorageSettings.load(variables, folder="/eu/", form="flat")
        >>> settings.bucket, settings.folder, settings.form
        ('acme-logs', 'eu', 'flat')
    """

    exporter = "object_storage"
    prefix = "FAPILOG_OBJECT_STORAGE_"
    guide = "its README"

    bucket: Annotated[str, AfterValidator(_bucket)] = Field(description="Name of the bucket.")
    folder: Annotated[str, AfterValidator(_folder)] = Field("", description="What all names begin with.")
    partition: Annotated[str, AfterValidator(_partition)] = Field(
        "year=%Y/month=%m/day=%d/hour=%H/minute=%M",
        description="Folders below it, by the time (UTC) of the first record of an object.",
    )
    form: Literal["otlp_json", "flat"] = Field(
        "otlp_json",
        description="`otlp_json`: one OTLP request. `flat`: one document a line, for SQL on files.",
    )
    compression: Literal["gzip", "none"] = Field("gzip", description="Of objects.")
    overwrite: bool = Field(
        True, description="False asks the storage to refuse a second object of a name (`If-None-Match: *`)."
    )
    storage_class: str | None = Field(None, description="Such as `STANDARD_IA`. None: the bucket's.")
    kms_key_id: str | None = Field(None, description="Encrypt with this key (`aws:kms`). None: the bucket's.")
    region: str | None = Field(None, description="None: what boto3 is configured for.")
    endpoint_url: Annotated[str, AfterValidator(_endpoint)] | None = Field(
        None, description="Of storage that is not Amazon's. None: what boto3 is configured for."
    )
    max_in_flight: Annotated[int, Field(ge=1)] = Field(4, description="Objects on their way at once.")
    timeout_millis: Millis = Field(
        20_000, description="Of connecting, and of waiting for an answer; below `delivery.timeout_millis`."
    )
    refused_pause_millis: Millis = Field(
        60_000, description="Pause after refused credentials or a bucket that is not there."
    )
