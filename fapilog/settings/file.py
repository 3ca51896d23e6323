"""Settings of the file exporter (stage 6). Data and its checks only."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from fapilog.errors import ConfigurationError, Problem
from fapilog.settings import types
from fapilog.settings.types import Group, NotNegative, Positive

MIB = 1_048_576


class FileSettings(Group):
    """Stage 6: the file exporter, which appends lines to a file and rotates it."""

    path: Path | None = Field(
        None,
        description="The file that grows. Needed by the exporter `file`. Missing folders are made, for their"
        " owner alone.",
    )
    form: Literal["otlp_json", "json", "logfmt", "pretty", "minimal"] = Field(
        "otlp_json",
        description="`otlp_json`: OpenTelemetry's file format, JSON lines with resource and scope. The others"
        " are the console's styles, one line for each record.",
    )
    max_bytes: Positive | None = Field(
        100 * MIB,
        description="Size at which a new file starts; None: size does not matter. A block is never divided.",
    )
    max_age_seconds: Positive | None = Field(
        None, description="Age at which a new file starts, with the next block; None: age does not matter."
    )
    compress_rotated: types.Flag = Field(True, description="Complete files are compressed with gzip.")
    keep_files: NotNegative | None = Field(10, description="Complete files kept, the youngest; None: all.")
    keep_seconds: Positive | None = Field(
        None, description="Time for which complete files are kept; None: as long as `keep_files` says."
    )
    fsync: Literal["never", "rotation", "always"] = Field(
        "never",
        description="When bytes are forced to the disk: never; with each complete file and each flush, so at"
        " the end too; after every block. Without it records survive the process, not the machine.",
    )

    def required_path(self) -> Path:
        """The path, absolute: the process may change its folder later.

        Raises:
            ConfigurationError: `file-path-missing`, if there is none.
        """
        if self.path is None:
            remedy = "set file.path (FAPILOG_FILE_PATH)"
            raise ConfigurationError(
                [Problem("file-path-missing", "the exporter file has no path", (), remedy)]
            )
        return self.path.absolute()
