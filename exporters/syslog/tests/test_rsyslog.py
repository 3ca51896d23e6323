"""Against a real rsyslog: it reads what we send as we mean it, over TCP and TLS, and when it restarts."""

import asyncio
import re

import pytest

import fapilog
from exporters.syslog.tests.records import batch_of, numbered, quick, settle
from exporters.syslog.tests.test_wire import emit, settings
from tests.servers.certificates import make_certificates
from tests.servers.rsyslog import Rsyslog, RsyslogMissing

HOSTILE = 'q"] \\ ] \n\x1b[2J <13>1 - h a - - - forged é中😀'


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "rsyslog"


def running(directory, *given, **more):
    try:
        return Rsyslog(directory, *given, **more)
    except RsyslogMissing as missing:
        pytest.skip(str(missing))


def found_numbers(messages):
    return [int(each["$!"]["rfc5424-sd"]["attributes@32473"]["number"]) for each in messages]


def test_it_reads_every_field_as_it_was_meant(directory):
    record = {
        "time_unix_nano": 1_795_219_200_123_456_789,
        "severity_number": 13,
        "severity_text": "WARN",
        "body": HOSTILE,
        "event_name": "order.placed",
        "attributes": {"order_id": 42, "hostile": HOSTILE, "list": ["a", "]"]},
    }
    batch = batch_of(record, resource={"service.name": "checkout", "host.name": "web-3", "process.pid": 7})
    with running(directory) as rsyslog:
        exporter = quick(rsyslog.endpoint, facility="local4")
        asyncio.run(settle(exporter, batch))
        (found,) = rsyslog.wait_until(lambda messages: len(messages) == 1)
    shown = HOSTILE.replace("\n", "\\n").replace("\x1b", "\\x1b")
    wanted = {
        "pri": "164",
        "timereported": "2026-11-21T00:00:00.123456Z",
        "hostname": "web-3",
        "app-name": "checkout",
        "procid": "7",
        "msgid": "order.placed",
        "msg": f"\ufeff{shown}",
    }
    assert {name: found[name] for name in wanted} == wanted
    data = found["$!"]["rfc5424-sd"]
    assert data["attributes@32473"] == {"order_id": "42", "hostile": shown, "list": '["a","]"]'}
    assert data["otel@32473"] == {"severity_number": "13", "severity_text": "WARN"}
    assert data["resource@32473"]["service.name"] == "checkout"


def test_it_takes_the_largest_message_whole(directory):
    with running(directory) as rsyslog:
        exporter = quick(rsyslog.endpoint)
        asyncio.run(settle(exporter, batch_of({"body": "x" * 20_000, "attributes": {"number": 1}})))
        (found,) = rsyslog.wait_until(lambda messages: len(messages) == 1)
    assert exporter.statistics.cut == 1
    assert 8_000 < len(found["rawmsg"]) <= 8_192
    assert re.fullmatch(r"x{7,}", found["msg"])


def test_tls_with_a_client_certificate(directory, tmp_path):
    certificates = make_certificates(tmp_path / "certificates")
    client = {"client_certificate": certificates.client_certificate, "client_key": certificates.client_key}
    with running(directory, certificates) as rsyslog:
        exporter = quick(rsyslog.endpoint, certificate=certificates.ca, **client)

        async def send():
            outcome = await settle(exporter, numbered(300, padding=100))
            await exporter.shutdown(5_000)
            return outcome

        assert asyncio.run(send()).delivered == 300
        messages = rsyslog.wait_until(lambda messages: len(messages) == 300)
        assert found_numbers(messages) == list(range(300))
        without = quick(rsyslog.endpoint, certificate=certificates.ca, settle_millis=5_000)
        outcome = asyncio.run(without.export_batch(numbered(1)))
    assert (outcome.delivered, outcome.retry) == (0, True)


def test_it_is_stopped_in_order_and_started_again_and_has_every_record_once(directory, tmp_path):
    """What rsyslog read before it ended it has written; what came later it gets from the spool."""
    rsyslog = running(directory)
    rsyslog.start()
    exporter = quick(rsyslog.endpoint, settle_millis=300)
    given = settings(
        spool={"directory": tmp_path / "spool"}, buffer={"schedule_delay_millis": 10}, record_uid="on"
    )
    try:
        with fapilog.LoggerProvider(settings=given, exporters=[exporter]) as provider:
            emit(provider, 300)
            assert provider.force_flush(30_000), str(provider.ledger())
            rsyslog.stop()
            emit(provider, 300, first=300)
            rsyslog.start()
            assert provider.force_flush(60_000), str(provider.ledger())
            side = provider.ledger().exporters["syslog"]
        messages = rsyslog.wait_until(lambda messages: len(messages) >= 600)
    finally:
        rsyslog.stop()
    assert (side.delivered, side.rejected) == (600, 0)
    assert sorted(found_numbers(messages)) == list(range(600))
    uids = {each["$!"]["rfc5424-sd"]["attributes@32473"]["log.record.uid"] for each in messages}
    assert len(uids) == 600
    assert exporter.statistics.resent == 0
