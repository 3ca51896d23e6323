"""`log.record.uid`: by it a receiver knows a record that comes twice."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fapilog
from fapilog import Settings
from fapilog.testing import OtlpReceiver

Configure = Callable[..., fapilog.Telemetry]
ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")

FORKING = """
import os
import sys
import fapilog

settings = {"otlp": {"endpoint": sys.argv[1]}, "record_uid": "on"}
telemetry = fapilog.configure_otel("forks", exporters=["otlp"], **settings)
log = fapilog.get_logger("forks")
log.info("parent")
children = []
for _ in range(4):
    child = os.fork()
    if not child:
        for number in range(50):
            log.info("child")
        telemetry.shutdown(20_000)
        os._exit(0)
    children.append(child)
log.info("parent")
for child in children:
    os.waitpid(child, 0)
telemetry.shutdown(20_000)
"""


def uids(receiver: OtlpReceiver) -> list[Any]:
    return [record.attributes.get("log.record.uid") for record in receiver.log_records]


def test_every_record_has_a_uid_and_they_rise(configure: Configure, receiver: OtlpReceiver) -> None:
    with configure(record_uid="on"):
        log = fapilog.get_logger("uids")
        for number in range(100):
            log.info("numbered", number=number)
    found = uids(receiver)
    assert len(set(found)) == 100
    assert found == sorted(found)
    assert all(ULID.fullmatch(uid) for uid in found)


def test_a_record_that_brings_a_uid_keeps_it(configure: Configure, receiver: OtlpReceiver) -> None:
    with configure(record_uid="on"):
        fapilog.get_logger("uids").info("handed on", **{"log.record.uid": "from elsewhere"})
    assert uids(receiver) == ["from elsewhere"]


def test_without_the_setting_there_is_none(configure: Configure, receiver: OtlpReceiver) -> None:
    with configure():
        fapilog.get_logger("uids").info("plain")
    assert uids(receiver) == [None]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_children_share_no_uid(receiver: OtlpReceiver) -> None:
    command = [sys.executable, "-c", FORKING, receiver.logs_endpoint]
    subprocess.run(command, check=True, timeout=100, env={**os.environ, "OTEL_TRACES_EXPORTER": "none"})
    assert len(receiver.log_records) == 202
    assert len(set(uids(receiver))) == 202


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"spool": {"directory": Path("spool")}}, True),
        ({"delivery": {"fallback": {"otlp": "file"}}}, True),
        ({"delivery": {"dead_letters": Path("refused.jsonl")}}, True),
    ],
)
def test_auto_means_where_a_record_may_come_twice(changes: dict[str, Any], expected: bool) -> None:
    assert Settings.load(environ={"FAPILOG_RECORD_UID": "auto"}, **changes).gives_uids is expected
    assert not Settings.load(environ={}, **changes).gives_uids
