"""Log records to object storage that speaks the S3 API, as an exporter of fapilog and of OpenTelemetry.

| name | what it is |
|---|---|
| `ObjectStorageExporter` | the exporter, to be passed in `exporters=[...]` with settings of your own |
| `ObjectStorageSettings` | its settings; also `FAPILOG_OBJECT_STORAGE_*` variables |
| `ObjectStorageLogExporter` | what the name `object_storage` stands for, for any OpenTelemetry application |
"""

from object_storage.exporter import ObjectStorageExporter, ObjectStorageLogExporter, Statistics
from object_storage.settings import ObjectStorageSettings

__all__ = ["ObjectStorageExporter", "ObjectStorageLogExporter", "ObjectStorageSettings", "Statistics"]
