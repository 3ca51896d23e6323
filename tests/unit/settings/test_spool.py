"""Settings of the spool: off without a directory, checked together, native values complete."""

from pathlib import Path

import pytest

from fapilog.errors import ConfigurationError
from fapilog.settings import Settings


def test_without_a_directory_there_is_no_spool():
    assert Settings.load(environ={}).spool.native("shop") is None


def test_variables_set_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    environ = {
        "FAPILOG_SPOOL_DIRECTORY": "spool",
        "FAPILOG_SPOOL_BYTES": "33554432",
        "FAPILOG_SPOOL_FSYNC": "interval",
        "FAPILOG_SPOOL_ADOPT": "false",
    }
    assert Settings.load(environ=environ).spool.native("shop") == {
        "directory": tmp_path / "spool",
        "service": "shop",
        "limit_bytes": 33_554_432,
        "min_free_bytes": 268_435_456,
        "max_age_seconds": 259_200,
        "segment_bytes": 16_777_216,
        "fsync": "interval",
        "fsync_interval_millis": 1_000,
        "adopt": False,
        "adopt_interval_millis": 5_000,
        "keys": (None, {}),
    }


def test_a_spool_smaller_than_one_of_its_files_is_refused():
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ={}, spool={"directory": "spool", "limit_bytes": 1_000})
    assert caught.value.code == "spool-smaller-than-segment"


def test_fsync_is_one_of_three_words():
    with pytest.raises(ConfigurationError, match="fsync"):
        Settings.load(environ={"FAPILOG_SPOOL_FSYNC": "sometimes"})
