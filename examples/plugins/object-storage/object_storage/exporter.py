"""`ObjectStorageExporter`: one object for each batch. Stage 6 of 7, export. Thread: delivery loop.

boto3 waits, so each upload is a thread of its own; boto3 does not try again, because delivery does.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from fapilog import ExportOutcome, LogBatch, PipelineLogRecordExporter, PluginMetadata
from fapilog.exporters.http import run_aside

from object_storage.answers import outcome_of
from object_storage.objects import StoredObject, make_object
from object_storage.settings import ObjectStorageSettings


@dataclass
class Statistics:
    """What one exporter did so far.

    Attributes:
        requests: Uploads that were begun, whatever became of them.
        objects: Objects that the storage took.
        bytes: Their size as stored.
    """

    requests: int = 0
    objects: int = 0
    bytes: int = 0


class ObjectStorageExporter:
    """Stores each batch as one object.

    Args:
        settings: Default: from variables and `given`.
        session: Of boto3, such as one with an assumed role; None: a new one in each process.
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is missing or wrong.

    Example:
        >>> ObjectStorageExporter(bucket="acme-logs", folder="eu")
        <ObjectStorageExporter to acme-logs/eu>
    """

    name = "object_storage"

    def __init__(
        self, settings: ObjectStorageSettings | None = None, *, session: Any = None, **given: Any
    ) -> None:
        self._session = session
        self.settings = settings if settings is not None else ObjectStorageSettings.load(**given)
        self.max_in_flight = self.settings.max_in_flight
        self.statistics = Statistics()
        self._begin()
        self._closed = False

    def __repr__(self) -> str:
        return f"<ObjectStorageExporter to {self.settings.bucket}/{self.settings.folder}>"

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Store the batch; the same batch again becomes the same object again."""
        if self._closed:
            return ExportOutcome(retry=True, cause="the exporter is shut down")
        if self._process != os.getpid():
            self._begin()
        self.statistics.requests += 1
        try:
            stored: StoredObject = await run_aside(lambda: self._store(batch), "object-storage")
        except (ClientError, BotoCoreError) as error:
            settings = self.settings
            return outcome_of(error, len(batch), settings.refused_pause_millis, overwrite=settings.overwrite)
        self.statistics.objects += 1
        self.statistics.bytes += len(stored.body)
        return ExportOutcome(delivered=len(batch))

    async def shutdown(self, timeout_millis: int) -> None:  # noqa: ARG002 - by the protocol
        """Take nothing more."""
        self.close()

    def close(self) -> None:
        """Take nothing more; for whoever has no loop."""
        self._closed = True

    def _begin(self) -> None:
        """A forked child has connections and a lock of its own: that of its parent may be held for ever."""
        self._process, self._lock = os.getpid(), threading.Lock()
        self._made: Any = None

    def _store(self, batch: LogBatch) -> StoredObject:
        stored, settings = make_object(batch, self.settings), self.settings
        more: dict[str, Any] = {}
        if stored.content_encoding:
            more["ContentEncoding"] = stored.content_encoding
        if settings.storage_class is not None:
            more["StorageClass"] = settings.storage_class
        if settings.kms_key_id is not None:
            more |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings.kms_key_id}
        if not settings.overwrite:
            more["IfNoneMatch"] = "*"
        self._client().put_object(
            Bucket=settings.bucket, Key=stored.key, Body=stored.body, ContentType=stored.content_type, **more
        )
        return stored

    def _client(self) -> Any:
        """The client of this process, made by whoever comes first."""
        with self._lock:
            if self._made is None:
                self._made = self._new_client()
            return self._made

    def _new_client(self) -> Any:
        settings = self.settings
        seconds = settings.timeout_millis / 1_000
        certificates = (settings.client_certificate, settings.client_key)
        config = Config(
            connect_timeout=seconds,
            read_timeout=seconds,
            retries={"total_max_attempts": 1},
            max_pool_connections=settings.max_in_flight,
            user_agent_extra=f"fapilog-object-storage/{version('fapilog')}",
            client_cert=None if certificates[0] is None else tuple(map(str, certificates)),
        )
        authority = None if settings.certificate is None else str(settings.certificate)
        session = self._session if self._session is not None else boto3.session.Session()
        return session.client(
            "s3",
            region_name=settings.region,
            endpoint_url=settings.endpoint_url,
            verify=authority,
            config=config,
        )


class ObjectStorageLogExporter(PipelineLogRecordExporter):
    """The exporter `object_storage`: of the entry-point group `opentelemetry_logs_exporter`.

    Args:
        **given: Settings by their names, before those of the environment.

    Raises:
        ConfigurationError: If a setting is missing or wrong.

    Example:
        >>> ObjectStorageLogExporter(bucket="acme-logs").name
        'object_storage'
    """

    fapilog_plugin = PluginMetadata(
        name="object_storage",
        version="0.1.0",
        type="exporter",
        description="Stores each batch of records as one object, over the S3 API.",
        settings=ObjectStorageSettings,
    )

    def __init__(self, **given: Any) -> None:
        self.exporter = ObjectStorageExporter(**given)
        super().__init__(self.exporter)
        self.max_in_flight = self.exporter.max_in_flight
